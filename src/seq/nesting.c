/*
 * The blocks of a sequence: which operations are performed while another is suspended.
 */
#include "seq_table.h"

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
