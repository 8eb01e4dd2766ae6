/*
 * Fuzz target: operations in the middle of revokes and destroys, on two CPUs or four.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.operations = (1u << SEQ_CODES) - 1, .cpus = 4, .preempt = 128},
    .mappings = 1u << 14,
};
