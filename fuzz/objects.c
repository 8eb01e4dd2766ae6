/*
 * Fuzz target: capabilities to PDs and plain objects: selectors, rights, references.
 */
#include "driver.h"

extern const struct rescind_target rescind_target_small;

const struct fuzz_target fuzz_target = {
    .kernel = &rescind_target_small,
    .geometry = &seq_geometry_small,
    .profile = {.kinds = 1u << ABI_OBJ},
    .mappings = 1u << 14,
};
