/*
 * Schedules that meet something: by how many preemption points an operation comes depends on all that was before it, so
 * a number drawn blindly mostly means one of the first, or none. Here the target runs the sequence up to that
 * operation, to see by which points it comes, and one of them is taken: first any name, then any point that has it, so
 * that the rare ones (in the middle of a shootdown, between freeing and burying) are as likely as those that come with
 * each node.
 */
#ifndef RESCIND_HARNESS_AIM_H
#define RESCIND_HARNESS_AIM_H

#include "harness/harness.h"

enum { AIM_POINTS = 32 /* looked at, from the first on */, AIM_OPS = 256 /* of the longest sequence that is aimed */ };

/* Memory for it; nothing in it has to be set. */
struct aim {
    struct seq trial; /* what is, or was last, run to see the points */
    struct seq_op op[AIM_OPS + AIM_POINTS];
    const char *point[AIM_POINTS];
    uint32_t count;
    struct harness_outcome outcome;
};

/* Moves the schedule of operation `at`, if it has one and comes by a point; nothing else is changed. */
void aim_schedule(struct aim *aim, struct harness *harness, struct seq *seq, uint32_t at, struct seq_random *random);

#endif
