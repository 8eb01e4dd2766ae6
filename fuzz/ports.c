/*
 * Fuzz target: I/O ports and their permission bitmaps.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.kinds = 1u << ABI_PIO | 1u << ABI_OBJ},
    .mappings = 1u << 14,
};
