/*
 * Digests of the hardware form: the same numbers from nodes and from page tables and port bitmaps. Sums over units, as
 * in oracle.h. Not for anyone but the mirror.
 */
#ifndef RESCIND_HARNESS_MIRROR_HASH_H
#define RESCIND_HARNESS_MIRROR_HASH_H

#include "harness/mirror.h"

/* Leaves side by side of 2^log2 units each, in the PD with that id. */
static inline uint64_t hash_leaves(uint32_t id, unsigned log2, uint64_t unit, uint64_t frame, unsigned rights,
                                   uint64_t leaves) {
    uint64_t key = oracle_key(id, ABI_MEM, unit, frame, rights, log2, 0);
    return oracle_hash_keys(key, (ORACLE_KEY_UNIT + ORACLE_KEY_RESOURCE) << log2, leaves);
}

/* Ports that are not denied. */
static inline uint64_t hash_ports(uint32_t id, uint64_t port, uint64_t ports) {
    return oracle_hash_keys(oracle_key(id, ABI_PIO, port, 0, 0, 0, 0), ORACLE_KEY_UNIT, ports);
}

#endif
