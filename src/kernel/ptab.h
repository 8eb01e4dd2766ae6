/*
 * Page tables: the hardware form of MEM spaces.
 *
 * Which leaves stand for a range follows from its order alone: leaves of the largest size that is no larger than the
 * range (at most level arch_leaf_level()). A table exists only while it has entries, the root table aside. Ranges are
 * as in struct node: base and frame are multiples of 2^order.
 */
#ifndef RESCIND_PTAB_H
#define RESCIND_PTAB_H

#include "arch/x86_64/pte.h"
#include "geometry.h"

#include <stdbool.h>
#include <stdint.h>

struct account;

struct table {
    uint64_t entry[1 << GEO_LEVEL_BITS];
};

enum { PTAB_TABLE_BYTES = sizeof(struct table) };

void ptab_reset(void);

/* The tables that `ptab_map` of that range would make after all of those that hold units below `mapped` were made. */
uint32_t ptab_missing(const uint64_t *root, uint64_t base, unsigned order, uint64_t mapped);

/* Tables that were ever released, and are no longer linked; of them those that were freed. Frees those of the
 * first `mark` that are not free yet, which no CPU may walk any more, but no more than `most`. Returns how many. */
extern uint64_t ptab_retired, ptab_reclaimed;
uint32_t ptab_release(uint64_t mark, uint32_t most);
/* The account that gets the memory of the last `count` that were released. */
void ptab_owe(struct account *payer, uint32_t count);

/* A root table without units. */
uint64_t *ptab_create_root(void);
/* Frees a root table without entries, which no CPU uses. */
void ptab_destroy_root(uint64_t *root);

/* Maps a range of which nothing is mapped. Rights include ABI_R. Returns the tables made. */
uint32_t ptab_map(uint64_t *root, uint64_t base, unsigned order, uint64_t frame, unsigned rights);
/* Removes a mapped range, and tables that become empty. Returns the tables released: what CPUs remember of the range
 * and of the tables on the way to it is the caller's business. */
uint32_t ptab_unmap(uint64_t *root, uint64_t base, unsigned order);
/* Gives a mapped range other rights, which include ABI_R. */
void ptab_protect(uint64_t *root, uint64_t base, unsigned order, unsigned rights);

/* The order of the leaves that stand for a range. */
unsigned ptab_leaf_order(unsigned order);

/* The order at which a range is one single leaf above level 0; splitting such a range takes a table, joining two halves
 * into one gives it back. */
bool ptab_is_large_leaf(unsigned order);
/* Replaces the leaf of a range by a table of smaller leaves: ptab_is_large_leaf(order). */
void ptab_split(uint64_t *root, uint64_t base, unsigned order);
/* The reverse: the whole range is mapped, contiguous, with equal rights. */
void ptab_join(uint64_t *root, uint64_t base, unsigned order);

/* For inspection: all tables, free ones included; the physical address of an entry; the table at one. */
extern struct table table_memory[];
uint32_t ptab_used(void);
static inline uint64_t ptab_physical(const uint64_t *entry) {
    uint64_t index = (uint64_t)(entry - table_memory[0].entry);
    return (GEO_TABLE_FRAME + (index >> GEO_LEVEL_BITS)) << PTE_FRAME_SHIFT |
           (index & ((1U << GEO_LEVEL_BITS) - 1)) * sizeof *entry;
}
const uint64_t *ptab_by_physical(uint64_t physical);

#endif
