/*
 * Runs sequences in a process of its own, so that a sanitizer report, a crash or a hang of the kernel under test
 * becomes a finding about one sequence and not the end of the program. A worker that died is started anew for the next
 * sequence.
 */
#ifndef RESCIND_CLI_WORKER_H
#define RESCIND_CLI_WORKER_H

#include "cli/cli.h"
#include "cli/progress.h"

#include <jansson.h>

enum { WORKER_TIMEOUT_DEFAULT = 10, WORKER_TIMEOUT_MAX = 86400 }; /* seconds */

/* What the answer shall hold beside the outcome: nothing, what was done (record.h), or what that left behind (trace.h).
 */
enum worker_record { RECORD_NOTHING, RECORD_RUN, RECORD_TRACE };

struct worker_job {
    const struct cli_target *target; /* static: the worker, forked at the first run, uses the same address */
    enum harness_compare compare;
    uint64_t seed;
    enum worker_record record;
};

struct worker_answer {
    struct harness_outcome outcome;
    json_t *record; /* NULL: not asked for, or the worker died */
};

struct worker;

/* timeout: seconds without progress (not: in all) after which a run counts as hanging. progress is ticked while
 * waiting. */
struct worker *worker_new(uint32_t timeout, struct progress *progress);
void worker_free(struct worker *worker);

/* Runs one sequence of at most SEQ_MAX_OPS operations. The caller owns answer->record. */
void worker_run(struct worker *worker, const struct seq *seq, const struct worker_job *job,
                struct worker_answer *answer);

#endif
