/*
 * What the two parts of the laws, the laws and the choice of their subjects, know about each other.
 */
#ifndef RESCIND_HARNESS_LAWS_INTERNAL_H
#define RESCIND_HARNESS_LAWS_INTERNAL_H

#include "harness/laws.h"
#include "harness/state.h"

/* How a try ended. */
enum law_end { LAW_HELD, LAW_UNMET /* its premises did not hold */, LAW_BROKEN };

/* The operations that a law is tried on, after a prefix of the sequence. */
struct law_try {
    uint32_t law, prefix, subjects;
    struct seq_op subject[LAW_SUBJECTS];
};

struct laws {
    struct player player;
    struct state before; /* after the prefix */
    struct state first, second;
    const struct seq *seq;
    struct laws_outcome *outcome;
    struct seq_random random;
    struct law_try try;
    struct oracle_call call[LAW_SUBJECTS]; /* the subjects, resolved after the prefix */
    uint64_t value[LAW_SUBJECTS];          /* that they returned */
    uint32_t position;                     /* where the player is: operations of the prefix done, for a stop there */
    bool in_prefix;
};

/* Operations that a law can be tried on: of the sequence, from operation `at` on. Fills laws->try. */
bool law_takes(struct laws *laws, uint32_t law, uint32_t at);

/* Makes up subjects from laws->before, the target being in that state. False: nothing fits. */
bool law_make(struct laws *laws, uint32_t law, uint32_t prefix);

#endif
