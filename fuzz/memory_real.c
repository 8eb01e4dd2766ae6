/*
 * Fuzz target: everything but CPUs in the real geometry, memory above all.
 */
#include "driver.h"

extern const struct rescind_target rescind_target_real;

const struct fuzz_target fuzz_target = {
    .kernel = &rescind_target_real,
    .geometry = &seq_geometry_real,
    .profile = {.unit_budget = 1u << 13},
    .mappings = 1u << 16,
};
