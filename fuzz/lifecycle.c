/*
 * Fuzz target: birth and death of PDs and objects, by destruction and with the last capability, and what dies of that.
 */
#include "driver.h"

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.operations = 1u << SEQ_CREATE_PD | 1u << SEQ_CREATE_OBJECT | 1u << SEQ_DESTROY_PD |
                              1u << SEQ_DELEGATE | 1u << SEQ_GRANT | 1u << SEQ_REVOKE},
    .mappings = 1u << 14,
};
