/*
 * The page-table walker: decodes entries as the processor manual says.
 */
#include "harness/walk.h"

#define ENTRY_PRESENT (UINT64_C(1) << 0)
#define ENTRY_WRITE (UINT64_C(1) << 1)
#define ENTRY_USER (UINT64_C(1) << 2)
#define ENTRY_ACCESSED (UINT64_C(1) << 5)
#define ENTRY_DIRTY (UINT64_C(1) << 6)
#define ENTRY_SIZE (UINT64_C(1) << 7)
#define ENTRY_ADDRESS (((UINT64_C(1) << 40) - 1) & ~UINT64_C(0xfff))
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)

enum { FRAME_SHIFT = 12 };

/* Bits that may be set; the CPU itself sets accessed and dirty. */
#define TABLE_BITS (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_ACCESSED | ENTRY_ADDRESS | ENTRY_NO_EXECUTE)
#define LEAF_BITS (TABLE_BITS | ENTRY_DIRTY)

static uint8_t entry_rights(uint64_t entry) {
    if (!(entry & ENTRY_USER))
        return 0;
    return (uint8_t)(ABI_R | (entry & ENTRY_WRITE ? ABI_W : 0) | (entry & ENTRY_NO_EXECUTE ? 0 : ABI_X));
}

static uint32_t entries(const struct rescind_geometry *geometry) {
    return UINT32_C(1) << geometry->level_bits;
}

static uint64_t units_of(const struct rescind_geometry *geometry, unsigned level) {
    return UINT64_C(1) << (level * geometry->level_bits);
}

/* Decodes an entry that is not zero, all of *item. */
static inline enum walk_what decode(const struct rescind_geometry *geometry, unsigned level, uint64_t unit,
                                    uint64_t entry, struct walk_item *item) {
    bool leaf = level == 0 || (entry & ENTRY_SIZE);
    uint64_t allowed = !leaf ? TABLE_BITS : level == 0 ? LEAF_BITS : LEAF_BITS | ENTRY_SIZE;
    item->what = leaf ? WALK_LEAF : WALK_TABLE;
    item->level = (uint8_t)level;
    item->unit = unit;
    item->entry = entry;
    item->frame = (entry & ENTRY_ADDRESS) >> FRAME_SHIFT;
    item->rights = entry_rights(entry);
    item->reserved = (entry & ~allowed) || (leaf && level > geometry->leaf_level);
    item->misaligned = leaf && (item->frame & (units_of(geometry, level) - 1));
    if (unit >> geometry->mem_log2)
        item->what = WALK_OUTSIDE;
    else if (!(entry & ENTRY_PRESENT))
        item->what = WALK_LEFTOVER;
    return item->what;
}

enum walk_what walk_decode(const struct rescind_geometry *geometry, unsigned level, uint64_t unit, uint64_t entry,
                           struct walk_item *item) {
    if (entry)
        return decode(geometry, level, unit, entry, item);
    *item = (struct walk_item){.what = WALK_END, .level = (uint8_t)level, .unit = unit};
    return WALK_END;
}

static void enter_table(struct walk *walk, unsigned level, const uint64_t *table, const struct walk_item *item) {
    walk->level = level;
    walk->step[level] = (struct walk_step){
        .table = table, .unit = item->unit, .frame = item->frame, .rights = item->rights, .reserved = item->reserved};
}

bool walk_start(struct walk *walk, const struct rescind_target *target, uint64_t root) {
    const uint64_t *table = target->table(root);
    struct walk_item top = {.frame = root >> FRAME_SHIFT, .rights = ABI_MEM_RIGHTS};
    walk->target = target;
    if (!table)
        return false;
    enter_table(walk, target->geometry.levels - 1u, table, &top);
    return true;
}

static enum walk_what leave_table(struct walk *walk, struct walk_item *item) {
    struct walk_step *step = &walk->step[walk->level];
    if (step->used || walk->level + 1u == walk->target->geometry.levels)
        return WALK_END;
    *item =
        (struct walk_item){.what = WALK_EMPTY, .level = (uint8_t)walk->level, .unit = step->unit, .frame = step->frame};
    return WALK_EMPTY;
}

enum walk_what walk_next(struct walk *walk, struct walk_item *item) {
    const struct rescind_geometry *geometry = &walk->target->geometry;
    for (;;) {
        struct walk_step *step = &walk->step[walk->level];
        if (step->next == entries(geometry)) {
            enum walk_what left = leave_table(walk, item);
            if (walk->level + 1u == geometry->levels)
                return item->what = WALK_END;
            walk->level++;
            if (left != WALK_END)
                return left;
            continue;
        }
        uint32_t index = step->next++;
        if (!step->table[index])
            continue;
        uint64_t unit = step->unit + index * units_of(geometry, walk->level);
        enum walk_what what = decode(geometry, walk->level, unit, step->table[index], item);
        step->used |= what == WALK_LEAF || what == WALK_TABLE;
        if (what != WALK_LEAF && what != WALK_TABLE)
            return what;
        item->rights = step->rights & ABI_R ? item->rights & step->rights : 0;
        item->reserved |= step->reserved;
        if (what == WALK_LEAF)
            return what;
        const uint64_t *table = walk->target->table(item->frame << FRAME_SHIFT);
        if (!table)
            return item->what = WALK_DANGLING;
        enter_table(walk, walk->level - 1u, table, item);
        item->level--;
        return what;
    }
}

void walk_skip(struct walk *walk) {
    walk->level++;
}

enum walk_what walk_at(const struct rescind_target *target, uint64_t root, uint64_t unit, struct walk_item *item) {
    const struct rescind_geometry *geometry = &target->geometry;
    const uint64_t *table = target->table(root);
    unsigned level = geometry->levels - 1u;
    uint8_t rights = ABI_MEM_RIGHTS;
    bool reserved = false;
    for (; table; level--) {
        uint64_t first = unit & ~(units_of(geometry, level) - 1);
        uint64_t entry = table[(unit >> (level * geometry->level_bits)) & (entries(geometry) - 1)];
        enum walk_what what = walk_decode(geometry, level, first, entry, item);
        item->rights = rights & ABI_R ? item->rights & rights : 0;
        item->reserved |= reserved;
        if (what != WALK_TABLE)
            return what;
        table = target->table(item->frame << FRAME_SHIFT);
        rights = item->rights;
        reserved = item->reserved;
    }
    *item = (struct walk_item){.what = WALK_DANGLING, .level = (uint8_t)level, .unit = unit};
    return WALK_DANGLING;
}
