/*
 * Fuzz target: capabilities to PDs and plain objects: selectors, rights, references.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.kinds = 1u << ABI_OBJ},
    .mappings = 1u << 14,
};
