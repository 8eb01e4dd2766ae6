/*
 * The total order of sequences in which the shrinker goes down.
 */
#include "seq_table.h"

/* None, names, selectors. */
static uint64_t cap_rank(const struct seq_cap *cap) {
    return ((uint64_t)cap->mode << 16) + cap->value;
}

/* All rights, then those that lack some, then those that have undefined ones. An access: few, low ones. */
static uint64_t mask_rank(const struct seq_op *op) {
    uint8_t rights = seq_rights(op->kind);
    if (op->code == SEQ_ACCESS)
        return (uint64_t)__builtin_popcount(op->mask) << 8 | op->mask;
    uint8_t missing = rights & (uint8_t)~op->mask, undefined = op->mask & (uint8_t)~rights;
    return (uint64_t)undefined << 16 | (uint64_t)__builtin_popcount(missing) << 8 | missing;
}

/* 0: as simple as it can be. */
static uint64_t field_rank(const struct seq_op *op, const struct seq_field *field) {
    const struct seq_cap *cap = seq_field_cap_const(op, field);
    uint64_t value = cap && seq_is_cap(field->type) ? 0 : seq_get(op, field);
    if (cap)
        return value << 32 | cap_rank(cap);
    if (field->type == SEQ_TYPE_MASK)
        return mask_rank(op);
    if (field->type == SEQ_TYPE_QUOTA)
        return value == SEQ_QUOTA ? 0 : value + 1;
    return field->type == SEQ_TYPE_PLACE ? value << 32 : value;
}

static int compare_numbers(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_ops(const struct seq_op *a, const struct seq_op *b) {
    if (a->code != b->code)
        return compare_numbers(a->code, b->code);
    const struct seq_operation *operation = &seq_operations[a->code];
    int difference = 0;
    for (uint32_t i = 0; i < operation->field_count && difference == 0; i++) {
        const struct seq_field *field = &operation->fields[i];
        difference = compare_numbers(field_rank(a, field), field_rank(b, field));
    }
    return difference;
}

int seq_compare(const struct seq *a, const struct seq *b) {
    int difference = compare_numbers(a->count, b->count);
    if (difference == 0)
        difference = compare_numbers(seq_cpus(a), seq_cpus(b));
    for (uint32_t i = 0; i < a->count && difference == 0; i++)
        difference = compare_ops(&a->op[i], &b->op[i]);
    return difference;
}
