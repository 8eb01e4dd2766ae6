/*
 * The dialects of semantics.md, section 5.
 */
#include "oracle/oracle.h"

const struct oracle_policy oracle_policy_exact = {
    .name = "exact",
    .own_self = ORACLE_UNIT,
    .child = ORACLE_UNIT,
    .any_bit_exists = false,
    .keep_old = false,
    .pd_cap_is_authority = false,
    .no_grant = false,
    .object_rights = ABI_OBJ_RIGHTS,
};

const struct oracle_policy oracle_policy_nova = {
    .name = "nova",
    .own_self = ORACLE_EXTENT,
    .child = ORACLE_EXTENT,
    .any_bit_exists = true,
    .keep_old = true,
    .pd_cap_is_authority = true,
    .no_grant = true,
    .object_rights = ABI_CREATE | ABI_MAP, /* a semaphore has two: up, down */
};
