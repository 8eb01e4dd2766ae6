/*
 * What a fuzz target that runs sequences says of itself, to driver.c, which runs them, and to AFL++'s mutator, which
 * has no kernel.
 */
#ifndef RESCIND_FUZZ_DRIVER_H
#define RESCIND_FUZZ_DRIVER_H

#include "abi/target.h"
#include "seq/seq.h"

/* Each target defines `fuzz_target`. */
struct fuzz_target {
    const struct seq_geometry *geometry;
    struct seq_profile profile; /* of generated operations */
    uint32_t mappings;          /* records of the oracle; sequences that need more are cut short */
};

extern const struct fuzz_target fuzz_target;

/* What they are run on: linked.c, or the target's own. Called once; ends the process if there is none. */
const struct rescind_target *fuzz_kernel(void);

#endif
