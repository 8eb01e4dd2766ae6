/*
 * New inputs from old ones, for targets that run sequences: what libFuzzer (driver.c) and AFL++ (afl_mutator.c) share.
 *
 * Inputs are packed operations without a file header; any bytes are a sequence. Depends on src/seq only, neither on an
 * engine nor on a kernel.
 */
#ifndef RESCIND_FUZZ_MUTATION_H
#define RESCIND_FUZZ_MUTATION_H

#include "seq/seq.h"

enum { MUTATION_MAX_OPS = 256, MUTATION_MAX_BYTES = MUTATION_MAX_OPS * SEQ_OP_BYTES };

struct mutation {
    const struct seq_geometry *geometry;
    const struct seq_profile *profile; /* of generated operations */
    uint32_t fresh_ops;                /* at most, of a sequence generated anew */
    struct seq_random random;
    struct seq_op ops[3][MUTATION_MAX_OPS];
};

/* Decodes any bytes into ops, which hold MUTATION_MAX_OPS. */
struct seq mutation_decode(const struct seq_geometry *geometry, uint8_t cpus, struct seq_op *ops, const uint8_t *data,
                           size_t size);

/* The reverse; returns the size. */
size_t mutation_encode(const struct seq *seq, uint8_t *data);

enum mutation_kind { MUTATION_BYTES, MUTATION_OPS, MUTATION_FRESH };

/* Each returns the size of what it made in `data`, max_size at most. */

/* Changes an input, by operations mostly. */
size_t mutation_change(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size,
                       enum mutation_kind *kind);

/* The same, or a sequence generated anew. */
size_t mutation_next(struct mutation *mutation, uint8_t *data, size_t size, size_t max_size, enum mutation_kind *kind);

size_t mutation_cross(struct mutation *mutation, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                      uint8_t *out, size_t max_size);

#endif
