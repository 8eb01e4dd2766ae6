/*
 * The shrinker's state, and its attempts at a simpler sequence. Private to src/seq; no allocation, no recursion.
 */
#ifndef RESCIND_SEQ_SHRINKER_H
#define RESCIND_SEQ_SHRINKER_H

#include "seq_table.h"

struct shrinker {
    struct seq *seq;
    seq_still_fails *fails;
    void *context;
    uint32_t budget, calls;
    uint64_t *memo; /* hashes of sequences that do not fail; 0: free */
    uint32_t memo_count;
    uint32_t best_count;
    uint8_t best_cpus;
    uint8_t best[SEQ_MAX_OPS * SEQ_OP_BYTES];
};

/* Asks about the sequence as it is now: keeps it if it still fails, else puts the best one back. */
bool shrinker_attempt(struct shrinker *shrinker);

static inline bool shrinker_has_budget(const struct shrinker *shrinker) {
    return shrinker->calls < shrinker->budget;
}

/* Puts a simpler value into a field. False: there is no candidate of that number. */
bool shrinker_simplify(const struct seq_geometry *geometry, struct seq_op *op, const struct seq_field *field,
                       uint32_t candidate);

/* Calls PDs p1, p2, ... in the order in which they are made, then the others. False: nothing changed. */
bool shrinker_renumber(struct seq *seq);

/* ---- shrink_together.c ---- */

enum { TOGETHER_OPS = 24 };

/* Changes that consist of several, each of which alone would end the failure. Of sequences of at most TOGETHER_OPS
 * operations. True: something became simpler. */
bool shrinker_together(struct shrinker *shrinker);

#endif
