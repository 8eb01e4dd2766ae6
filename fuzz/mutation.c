/*
 * New inputs from old ones: by operations mostly, anew often, by bytes sometimes.
 */
#include "mutation.h"

#include <string.h>

enum {
    FRESH_ONE_IN = 2, /* mutations that start over: a guided search alone stays too long where it was */
    RAW_ONE_IN = 8,   /* changes of bytes, not of operations */
    RAW_ROUNDS = 4,   /* at most, of those */
    RAW_RUN_MAX = 32, /* bytes copied, inserted or removed at a time */
};

static uint32_t below(struct mutation *mutation, size_t bound) {
    return (uint32_t)seq_random_below(&mutation->random, bound);
}

static uint32_t ops_in(size_t bytes) {
    size_t ops = bytes / SEQ_OP_BYTES;
    return ops < MUTATION_MAX_OPS ? (uint32_t)ops : MUTATION_MAX_OPS;
}

static struct seq decode(struct mutation *mutation, unsigned int slot, const uint8_t *data, size_t size) {
    return mutation_decode(mutation->geometry, mutation->profile->cpus, mutation->ops[slot], data, size);
}

size_t mutation_encode(const struct seq *seq, uint8_t *data) {
    for (uint32_t i = 0; i < seq->count; i++)
        seq_pack_op(seq->geometry, &seq->op[i], data + (size_t)i * SEQ_OP_BYTES);
    return (size_t)seq->count * SEQ_OP_BYTES;
}

static size_t run_length(struct mutation *mutation, size_t most) {
    return 1 + below(mutation, most < RAW_RUN_MAX ? most : RAW_RUN_MAX);
}

static void copy_run(struct mutation *mutation, uint8_t *data, size_t size) {
    size_t from = below(mutation, size), to = below(mutation, size);
    memmove(data + to, data + from, run_length(mutation, size - (from > to ? from : to)));
}

static size_t remove_run(struct mutation *mutation, uint8_t *data, size_t size) {
    size_t at = below(mutation, size), length = run_length(mutation, size - at);
    memmove(data + at, data + at + length, size - at - length);
    return size - length;
}

static size_t insert_run(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size) {
    if (size >= max_size)
        return size;
    size_t at = below(mutation, size + 1), length = run_length(mutation, max_size - size);
    memmove(data + at + length, data + at, size - at);
    memset(data + at, (uint8_t)below(mutation, 256), length);
    return size + length;
}

static size_t change_some_bytes(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size) {
    uint32_t what = below(mutation, 8);
    if (size == 0 || what == 0)
        return insert_run(mutation, data, size, max_size);
    if (what == 1)
        return remove_run(mutation, data, size);
    uint8_t *byte = &data[below(mutation, size)];
    if (what == 2)
        copy_run(mutation, data, size);
    else if (what == 3)
        *byte = (uint8_t)below(mutation, 256);
    else if (what == 4)
        *byte = (uint8_t)(*byte + below(mutation, 32) - 16);
    else
        *byte ^= (uint8_t)(1u << below(mutation, 8));
    return size;
}

static size_t change_bytes(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size) {
    for (uint32_t left = 1 + below(mutation, RAW_ROUNDS); left > 0; left--)
        size = change_some_bytes(mutation, data, size, max_size);
    return size;
}

struct seq mutation_decode(const struct seq_geometry *geometry, uint8_t cpus, struct seq_op *ops, const uint8_t *data,
                           size_t size) {
    struct seq seq = {.geometry = geometry, .op = ops, .capacity = MUTATION_MAX_OPS, .cpus = cpus};
    seq_unpack_ops(&seq, data, size < MUTATION_MAX_BYTES ? size : MUTATION_MAX_BYTES);
    return seq;
}

size_t mutation_change(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size,
                       enum mutation_kind *kind) {
    uint32_t max_ops = ops_in(max_size);
    bool raw = max_ops == 0 || (size > 0 && below(mutation, RAW_ONE_IN) == 0);
    *kind = raw ? MUTATION_BYTES : MUTATION_OPS;
    if (raw)
        return change_bytes(mutation, data, size < max_size ? size : max_size, max_size);
    struct seq seq = decode(mutation, 0, data, size);
    seq_mutate(&seq, &mutation->random, mutation->profile, max_ops);
    return mutation_encode(&seq, data);
}

size_t mutation_next(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size, enum mutation_kind *kind) {
    uint32_t max_ops = ops_in(max_size), most = max_ops < mutation->fresh_ops ? max_ops : mutation->fresh_ops;
    if (most == 0 || (size > 0 && below(mutation, FRESH_ONE_IN)))
        return mutation_change(mutation, data, size, max_size, kind);
    *kind = MUTATION_FRESH;
    struct seq seq = decode(mutation, 0, NULL, 0);
    seq_generate(&seq, &mutation->random, mutation->profile, 1 + below(mutation, most));
    return mutation_encode(&seq, data);
}

size_t mutation_cross(struct mutation *mutation, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                      uint8_t *out, size_t max_size) {
    uint32_t max_ops = ops_in(max_size);
    if (max_ops == 0)
        return 0;
    struct seq first = decode(mutation, 0, a, a_size);
    struct seq second = decode(mutation, 1, b, b_size);
    struct seq crossed = decode(mutation, 2, NULL, 0);
    seq_crossover(&crossed, &first, &second, &mutation->random, max_ops);
    return mutation_encode(&crossed, out);
}
