/*
 * What operations of a sequence cost the kernel, in steps, by the operation's shape: the longest way between two
 * preemption points, and the steps of a revoke or destroy_pd relative to what those who lose by it could have built.
 */
#ifndef RESCIND_CLI_EFFORT_H
#define RESCIND_CLI_EFFORT_H

#include "cli/cli.h"

enum effort_measure {
    EFFORT_STRETCH, /* steps between two preemption points of a revoke or destroy_pd */
    EFFORT_REVOKE,  /* thousandths of a step for each node that the losers' accounts, and one page, could pay for */
};

enum { EFFORT_SHAPES = 64 };

/* The dearest operation of its shape. */
struct effort_row {
    char shape[HARNESS_SIGNATURE_MAX]; /* such as "revoke.self.own" */
    uint64_t value;                    /* by the measure */
    uint64_t steps, nodes;             /* of the operation; that the losers could pay for (EFFORT_REVOKE) */
};

struct effort {
    const struct cli_target *target;
    enum effort_measure measure;
    struct harness *harness;
    uint64_t *quota; /* of each PD before the operation, by the oracle's id */
    bool *loses;     /* likewise */
    uint32_t pds;    /* entries of these */
    uint32_t count;  /* rows: */
    struct effort_row row[EFFORT_SHAPES];
};

/* NULL is never returned; lives as long as the program. */
struct effort *effort_new(const struct cli_target *target, enum effort_measure measure);

/* Runs a sequence, compared as HARNESS_LOG does, and fills the rows. */
void effort_run(struct effort *effort, const struct seq *seq, struct harness_outcome *outcome);

/* The row of a shape, or NULL. */
const struct effort_row *effort_find(const struct effort *effort, const char *shape);

const char *effort_measure_name(enum effort_measure measure);

#endif
