/*
 * What a fuzz target that runs sequences says of itself, to driver.c, which runs them on the kernel that the build
 * names (FUZZ_KERNEL), and to AFL++'s mutator, which has no kernel.
 */
#ifndef RESCIND_FUZZ_DRIVER_H
#define RESCIND_FUZZ_DRIVER_H

#include "abi/abi.h"
#include "seq/seq.h"

/* Each target defines `fuzz_target`. */
struct fuzz_target {
    const struct seq_geometry *geometry;
    struct seq_profile profile; /* of generated operations */
    uint32_t mappings;          /* records of the oracle; sequences that need more are cut short */
};

extern const struct fuzz_target fuzz_target;

#endif
