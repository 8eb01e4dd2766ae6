/*
 * Taking operations out of a sequence and putting them in, so that blocks keep the operations that they have: a block's
 * number shrinks and grows with its operations, and the operations of a block whose own operation goes stay where they
 * are. Private to src/seq.
 */
#ifndef RESCIND_SEQ_BLOCKS_H
#define RESCIND_SEQ_BLOCKS_H

#include "seq_table.h"

/* A set of operations, by their index. */
struct seq_marks {
    uint64_t word[SEQ_MAX_OPS / 64];
};

static inline void seq_mark(struct seq_marks *marks, uint32_t at) {
    if (at < SEQ_MAX_OPS)
        marks->word[at / 64] |= (uint64_t)1 << at % 64;
}

static inline bool seq_marked(const struct seq_marks *marks, uint32_t at) {
    return at < SEQ_MAX_OPS && marks->word[at / 64] >> at % 64 & 1;
}

void seq_remove_marked(struct seq *seq, const struct seq_marks *marks);
void seq_remove_run(struct seq *seq, uint32_t at, uint32_t count);

/* Makes room for `count` operations before operation `at`, which are then to be filled. There must be capacity. Where a
 * block ends at that place, it ends before them. */
void seq_open_gap(struct seq *seq, uint32_t at, uint32_t count);

/* The next place to cut at, forward or back, that cuts no block in two. */
uint32_t seq_block_boundary(const struct seq *seq, uint32_t at);

#endif
