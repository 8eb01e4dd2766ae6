/*
 * Reads page tables the way an x86-64 CPU does: what a target's tables let a user program reach.
 *
 * Written from the architecture's point of view and from the geometry; shares no code with any kernel.
 * Depends on the target interface only.
 */
#ifndef RESCIND_HARNESS_WALK_H
#define RESCIND_HARNESS_WALK_H

#include "abi/target.h"

enum { WALK_LEVELS_MAX = 8 };

/* The level of the leaves that must hold an aligned range of 2^order units. */
static inline unsigned walk_leaf_level(const struct rescind_geometry *geometry, uint8_t order) {
    unsigned level = order / geometry->level_bits;
    return level < geometry->leaf_level ? level : geometry->leaf_level;
}

enum walk_what {
    WALK_END,      /* nothing more */
    WALK_LEAF,     /* a present leaf */
    WALK_TABLE,    /* a table below the root was entered; its frame is given */
    WALK_EMPTY,    /* the table just left holds no present entry */
    WALK_DANGLING, /* an entry refers to something that is no live table */
    WALK_LEFTOVER, /* an entry is not present and not zero */
    WALK_OUTSIDE,  /* an entry of the root table beyond the space is not zero */
};

struct walk_item {
    enum walk_what what;
    uint8_t level;   /* of the table that holds the entry; WALK_TABLE and WALK_EMPTY: of that table */
    uint8_t rights;  /* leaf: what user mode may do, all levels taken together; without ABI_R: 0 */
    bool reserved;   /* leaf: an entry on the way to it, or its own, has a bit set that must be clear */
    bool misaligned; /* leaf: address bits below its size */
    uint64_t unit;   /* first unit that the entry translates */
    uint64_t frame;  /* leaf: first frame; table: its frame */
    uint64_t entry;  /* raw value */
};

/* One level of the way from the root to the current entry. */
struct walk_step {
    const uint64_t *table;
    uint64_t unit, frame;
    uint32_t next;
    uint8_t rights;
    bool reserved, used;
};

struct walk {
    const struct rescind_target *target;
    unsigned level;
    struct walk_step step[WALK_LEVELS_MAX];
};

/* Starts a walk over the present entries below a root table, in ascending order. False: there is no such table. */
bool walk_start(struct walk *walk, const struct rescind_target *target, uint64_t root);

/* The next thing worth knowing. After WALK_END it must not be called again. */
enum walk_what walk_next(struct walk *walk, struct walk_item *item);

/* Leaves the table just entered (the last item was WALK_TABLE) without looking at it. */
void walk_skip(struct walk *walk);

/* Bits of an entry. */
#define WALK_PRESENT (UINT64_C(1) << 0)
#define WALK_WRITE (UINT64_C(1) << 1)
#define WALK_USER (UINT64_C(1) << 2)
#define WALK_ACCESSED (UINT64_C(1) << 5)
#define WALK_DIRTY (UINT64_C(1) << 6)
#define WALK_SIZE (UINT64_C(1) << 7)
#define WALK_ADDRESS (((UINT64_C(1) << 40) - 1) & ~UINT64_C(0xfff))
#define WALK_NO_EXECUTE (UINT64_C(1) << 63)

/* Those that may be set; the CPU itself sets accessed and dirty. */
#define WALK_TABLE_BITS (WALK_PRESENT | WALK_WRITE | WALK_USER | WALK_ACCESSED | WALK_ADDRESS | WALK_NO_EXECUTE)
#define WALK_LEAF_BITS (WALK_TABLE_BITS | WALK_DIRTY)

static inline uint64_t walk_units(const struct rescind_geometry *geometry, unsigned level) {
    return UINT64_C(1) << (level * geometry->level_bits);
}

static inline uint8_t walk_rights(uint64_t entry) {
    unsigned rights = (unsigned)ABI_R | (entry & WALK_WRITE ? ABI_W : 0u) | (entry & WALK_NO_EXECUTE ? 0u : ABI_X);
    return (uint8_t)(entry & WALK_USER ? rights : 0u);
}

/* What an entry of a table of that level says by itself; `unit` is the first unit that it translates. Zero: WALK_END.
 * Here, so that who needs little of it pays for little. */
static inline enum walk_what walk_decode(const struct rescind_geometry *geometry, unsigned level, uint64_t unit,
                                         uint64_t entry, struct walk_item *item) {
    bool leaf = level == 0 || (entry & WALK_SIZE);
    uint64_t allowed = !leaf ? WALK_TABLE_BITS : level == 0 ? WALK_LEAF_BITS : WALK_LEAF_BITS | WALK_SIZE;
    *item = (struct walk_item){
        .what = leaf ? WALK_LEAF : WALK_TABLE,
        .level = (uint8_t)level,
        .rights = walk_rights(entry),
        .reserved = (entry & ~allowed) || (leaf && level > geometry->leaf_level),
        .unit = unit,
        .frame = (entry & WALK_ADDRESS) >> 12,
        .entry = entry,
    };
    item->misaligned = leaf && (item->frame & (walk_units(geometry, level) - 1));
    if (!entry)
        item->what = WALK_END;
    else if (unit >> geometry->mem_log2)
        item->what = WALK_OUTSIDE;
    else if (!(entry & WALK_PRESENT))
        item->what = WALK_LEFTOVER;
    return item->what;
}

/* The translation of one unit: WALK_LEAF, WALK_DANGLING, WALK_LEFTOVER, or WALK_END where there is none; then the
 * item's level and unit are those of the empty entry. */
enum walk_what walk_at(const struct rescind_target *target, uint64_t root, uint64_t unit, struct walk_item *item);

#endif
