/*
 * Digests of the hardware form: the same numbers from nodes and from page tables and port bitmaps. Sums over units, as
 * in oracle.h. And what links between nodes are digested to. Not for anyone but the mirror.
 */
#ifndef RESCIND_HARNESS_MIRROR_HASH_H
#define RESCIND_HARNESS_MIRROR_HASH_H

#include "harness/mirror.h"

/* What all leaves of 2^log2 units in the PD with that id have in common. */
static inline uint64_t hash_leaves_key(uint32_t id, unsigned log2) {
    return oracle_key(id, ABI_MEM, 0, 0, 0, log2, 0);
}

/* One of them. */
static inline uint64_t hash_leaf(uint64_t key, uint64_t unit, uint64_t frame, unsigned rights) {
    return oracle_hash_keys(key + oracle_key(0, 0, unit, frame, rights, ORACLE_NONE, 0), 0, 1);
}

/* So many of them, side by side. */
static inline uint64_t hash_leaves(uint32_t id, unsigned log2, uint64_t unit, uint64_t frame, unsigned rights,
                                   uint64_t leaves) {
    uint64_t key = hash_leaves_key(id, log2) + oracle_key(0, 0, unit, frame, rights, ORACLE_NONE, 0);
    return oracle_hash_keys(key, (ORACLE_KEY_UNIT + ORACLE_KEY_RESOURCE) << log2, leaves);
}

/* Ports that are not denied. */
static inline uint64_t hash_ports(uint32_t id, uint64_t port, uint64_t ports) {
    return oracle_hash_keys(oracle_key(id, ABI_PIO, port, 0, 0, 0, 0), ORACLE_KEY_UNIT, ports);
}

/*
 * A link of one end to the other is a product of three numbers: of the end that it leads from, of the one that it leads
 * to, and of what it belongs to (the list of a node's children, or the ordered index of a space; lists in order are all
 * one). Each end takes all links that it knows of together before it multiplies. What it leads from may be the head of
 * a list or index; what it leads to may be nothing, and then it is 0: no branches here, for which links there are
 * cannot be predicted.
 */
static const uint64_t hash_head = UINT64_C(0xd6e8feb86659fd93);
static const uint64_t hash_order = UINT64_C(0x9fb21c651e98df25); /* of the list of an ordered index */

/* None: 0. */
static inline uint64_t hash_number(uint32_t node) {
    uint64_t x = (uint64_t)(node + 1) * ORACLE_KEY_UNIT;
    return (x ^ x >> 32) * ORACLE_KEY_RESOURCE;
}

/* None: the head. */
static inline uint64_t hash_from(uint32_t node) {
    return hash_number(node) + hash_head;
}

/* The bytes are turned round: to turn by bits would be too much like the products of numbers alike. */
static inline uint64_t hash_to(uint32_t node) {
    return __builtin_bswap64(hash_number(node));
}

/* None: 0. A node without a parent is in no list. */
static inline uint64_t hash_list(uint32_t parent) {
    uint64_t x = hash_to(parent);
    return x << 19 | x >> 45;
}

static inline uint64_t hash_index(uint32_t pd, unsigned kind) {
    return hash_number(pd * ABI_KINDS + kind) ^ hash_head;
}

#endif
