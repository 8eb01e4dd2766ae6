/*
 * Fuzz target: accounts, exhausted and moved about, and allocations that fail.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.operations = 1u << SEQ_CREATE_PD | 1u << SEQ_CREATE_OBJECT | 1u << SEQ_DESTROY_PD |
                              1u << SEQ_DELEGATE | 1u << SEQ_GRANT | 1u << SEQ_REVOKE | 1u << SEQ_MOVE_QUOTA |
                              1u << SEQ_OOM},
    .mappings = 1u << 14,
};
