/*
 * Fuzzes a kernel with sequences of operations: the engine's entry points, shared by all targets of that sort.
 */
#ifndef RESCIND_FUZZ_DRIVER_H
#define RESCIND_FUZZ_DRIVER_H

#include "abi/target.h"
#include "seq/seq.h"

enum { FUZZ_MAX_OPS = 64 };

/* What one fuzz target is about; each defines `fuzz_target`. */
struct fuzz_target {
    const struct rescind_target *kernel;
    const struct seq_geometry *geometry;
    struct seq_profile profile; /* of generated operations */
    uint32_t mappings;          /* records of the oracle; sequences that need more are cut short */
};

extern const struct fuzz_target fuzz_target;

#endif
