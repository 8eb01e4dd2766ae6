/*
 * Fuzz target: everything in the real geometry, memory above all, on two CPUs: hundreds of leaves, of which CPUs
 * remember translations, show what four in a table do not.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_real,
    .profile = {.unit_budget = 1u << 13, .cpus = 2, .preempt = 48},
    .mappings = 1u << 16,
};
