/*
 * Schedules of a sequence: which of its revokes and destroys are preempted at which point, and how many of the next
 * operations run meanwhile. All with few preemptions (as CHESS bounds them: Musuvathi and Qadeer, PLDI 2007), or random
 * ones whose chance to find a defect is known (PCT: Burckhardt, Kothari, Musuvathi and Nagarakatte, ASPLOS 2010).
 *
 * How many points an operation has is nobody's guess: it is found out by running it. Depends on seq only, and on
 * whoever runs sequences by a function pointer.
 */
#ifndef RESCIND_CLI_SCHEDULES_H
#define RESCIND_CLI_SCHEDULES_H

#include "seq/seq.h"

enum { SCHEDULE_PREEMPTIONS_MAX = 8, SCHEDULE_DEPTH_MAX = 16 };

/* Runs a sequence; *suspended is how many operations were suspended. False: that is enough, nothing more is to be run.
 */
typedef bool schedule_run(void *context, const struct seq *seq, uint32_t *suspended);

struct schedule_runner {
    schedule_run *run;
    void *context;
};

/* Takes all schedules away, and what resumes, so that others can be tried. */
void schedule_clear(struct seq *seq);

/* ---- all of them ---- */

struct schedule_counts {
    uint64_t existing; /* known to exist; if complete, all that there are */
    uint64_t run;      /* of these */
    uint64_t measured; /* runs that only showed that an operation has no more points */
    bool complete;
};

/*
 * Runs the sequence without any preemption, then with all schedules of one, of two, up to `preemptions`. Operations
 * keep their order; every block has at least one operation and ends within the block around it. The sequence must have
 * no schedules; afterwards, if the runner stopped, it has the one that it stopped at.
 */
void schedule_all(struct seq *seq, uint32_t preemptions, const struct schedule_runner *runner,
                  struct schedule_counts *counts);

/* ---- random ones ---- */

/* What PCT has to know of a sequence. Its operations are the threads: each can begin once the one before has begun. */
struct pct {
    uint32_t threads;            /* n: operations */
    uint32_t steps;              /* k: pieces between preemption points, of all operations together */
    uint32_t depth;              /* d: of the defects for which the bound holds: 1 needs no change of priorities */
    uint8_t points[SEQ_MAX_OPS]; /* of each operation, by itself */
};

/* Runs the sequence, which must have no schedules, as often as it takes. False: the runner stopped; then the sequence
 * is what it stopped at. */
bool pct_measure(struct pct *pct, struct seq *seq, uint32_t depth, const struct schedule_runner *runner);

/* The published bound: with this probability at least a schedule finds a defect of that depth. */
double pct_bound(const struct pct *pct);

/* Makes a schedule: an ordinary sequence, in which SEQ_RESUME lets operations go on in any order. False: it is as good
 * as PCT's only for those defects that do not need more than SEQ_NESTING operations in progress at once. */
bool pct_schedule(const struct pct *pct, const struct seq *from, struct seq *out, struct seq_random *random);

#endif
