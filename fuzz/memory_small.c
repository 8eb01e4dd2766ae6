/*
 * Fuzz target: memory, and PD capabilities to hand it out by, in the small geometry.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.kinds = 1u << ABI_MEM | 1u << ABI_OBJ},
    .mappings = 1u << 14,
};
