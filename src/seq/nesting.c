/*
 * The blocks of a sequence: which operations are performed while another is suspended.
 */
#include "blocks.h"

void seq_nesting_begin(struct seq_nesting *nesting, uint32_t count) {
    nesting->count = count;
    nesting->depth = 0;
}

bool seq_nesting_close(struct seq_nesting *nesting, uint32_t at, uint32_t *operation) {
    if (nesting->depth == 0 || nesting->block[nesting->depth - 1].end > at)
        return false;
    *operation = nesting->block[--nesting->depth].operation;
    return true;
}

bool seq_nesting_open(struct seq_nesting *nesting, const struct seq_op *op, uint32_t at) {
    if (!seq_has_schedule(op) || nesting->depth == SEQ_NESTING)
        return false;
    uint32_t around = nesting->depth ? nesting->block[nesting->depth - 1].end : nesting->count;
    uint32_t left = around - at - 1;
    uint32_t end = at + 1 + (op->nested < left ? op->nested : left);
    nesting->block[nesting->depth++] = (struct seq_block){.operation = at, .end = end};
    return true;
}

void seq_remove_marked(struct seq *seq, const struct seq_marks *marks) {
    struct seq_nesting nesting;
    uint32_t kept = 0, operation, place[SEQ_NESTING] = {0}; /* of a block's operation, when it is kept */
    bool stays[SEQ_NESTING] = {false};
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i <= seq->count; i++) {
        while (seq_nesting_close(&nesting, i, &operation)) {
            if (stays[nesting.depth])
                seq->op[place[nesting.depth]].nested = (uint8_t)(kept - place[nesting.depth] - 1);
        }
        if (i == seq->count)
            break;
        bool stay = !seq_marked(marks, i);
        if (seq_nesting_open(&nesting, &seq->op[i], i)) {
            place[nesting.depth - 1] = kept;
            stays[nesting.depth - 1] = stay;
        }
        if (stay)
            seq->op[kept++] = seq->op[i];
    }
    seq->count = kept;
}

void seq_remove_run(struct seq *seq, uint32_t at, uint32_t count) {
    struct seq_marks marks = {{0}};
    for (uint32_t i = at; i < at + count; i++)
        seq_mark(&marks, i);
    seq_remove_marked(seq, &marks);
}

/* The blocks that are open around operation `at`. */
static void walk_to(struct seq_nesting *nesting, const struct seq *seq, uint32_t at) {
    uint32_t operation;
    seq_nesting_begin(nesting, seq->count);
    for (uint32_t i = 0; i <= at; i++) {
        while (seq_nesting_close(nesting, i, &operation))
            continue;
        if (i < at)
            seq_nesting_open(nesting, &seq->op[i], i);
    }
}

void seq_open_gap(struct seq *seq, uint32_t at, uint32_t count) {
    struct seq_nesting nesting;
    walk_to(&nesting, seq, at);
    for (uint32_t i = 0; i < nesting.depth; i++) {
        struct seq_op *op = &seq->op[nesting.block[i].operation];
        op->nested = (uint8_t)(count < UINT8_MAX - (uint32_t)op->nested ? op->nested + count : UINT8_MAX);
    }
    for (uint32_t i = seq->count; i > at; i--)
        seq->op[i - 1 + count] = seq->op[i - 1];
    seq->count += count;
}

uint32_t seq_block_boundary(const struct seq *seq, uint32_t at) {
    struct seq_nesting nesting;
    walk_to(&nesting, seq, at);
    if (nesting.depth == 0)
        return at;
    const struct seq_block *block = &nesting.block[0];
    return at - block->operation < block->end - at ? block->operation : block->end;
}
