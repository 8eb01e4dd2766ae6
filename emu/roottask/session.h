/*
 * One session of the root task: its options, the harness, and sequences run one after another.
 */
#ifndef RESCIND_ROOTTASK_SESSION_H
#define RESCIND_ROOTTASK_SESSION_H

#include "harness/harness.h"

struct session {
    const struct rescind_target *target;
    struct harness *harness;
    struct harness_options options;
    struct harness_outcome outcome;
    struct seq_op *ops; /* room for SEQ_MAX_OPS */
    void *spare;        /* memory for a mode's own use */
    size_t spare_size;
    char *text; /* room for a sequence as text */
    size_t text_size;
    uint64_t operations, probes, sequences;
    uint64_t performed[SEQ_CODES]; /* by enum seq_code; neither void nor lacking */
    uint64_t steps;                /* of the sequence so far; replay only */
    uint64_t started;              /* in ticks */
};

/* The number of an option KEY=NUMBER of the command line, or `otherwise`. */
uint64_t session_option(const char *key, uint64_t otherwise);
/* Whether the command line's second word is `mode`. */
bool session_is_mode(const char *mode);

/* Never returns without a harness. */
void session_start(struct session *session, const char *mode);

/* For options.on_step, with the session as context: counts what was performed. */
void session_count(void *context, const struct harness_step *step);

/* Runs one sequence, says what came of it, and ends the machine if it did not agree, or is the last that this boot can
 * take. */
void session_run(struct session *session, const struct seq *seq, uint64_t number);

/* The parts of it: says that a sequence begins; says what came of it (session->outcome), and ends the machine after a
 * finding. */
void session_begin(uint64_t number);
void session_tell(struct session *session, const struct seq *seq, uint64_t number);

/* Prints a sequence for the host to keep. */
void session_dump(struct session *session, const struct seq *seq);

_Noreturn void session_bad(const char *why);
_Noreturn void session_end(struct session *session, uint32_t status);

/* The modes; each in a file of its own, and none returns. */
_Noreturn void replay(struct session *session);
_Noreturn void stress(struct session *session);
_Noreturn void raw(struct session *session);
_Noreturn void soak(struct session *session);
_Noreturn void bench(struct session *session);
_Noreturn void visits(struct session *session);

#endif
