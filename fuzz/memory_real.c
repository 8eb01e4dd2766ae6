/*
 * Fuzz target: everything but CPUs in the real geometry, memory above all.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_real,
    .profile = {.unit_budget = 1u << 13},
    .mappings = 1u << 16,
};
