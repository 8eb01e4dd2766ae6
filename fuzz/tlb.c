/*
 * Fuzz target: four CPUs that remember translations, and what the kernel makes them forget.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.kinds = 1u << ABI_MEM | 1u << ABI_OBJ, .cpus = 4},
    .mappings = 1u << 14,
};
