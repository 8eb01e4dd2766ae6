/*
 * Fuzz target: memory and PD capabilities of the kernel in the small geometry.
 */
#include "driver.h"

extern const struct rescind_target rescind_target_small;

const struct fuzz_target fuzz_target = {
    .kernel = &rescind_target_small,
    .geometry = &seq_geometry_small,
    .mappings = 1u << 13,
};
