/*
 * The page-table walker: decodes entries as the processor manual says.
 */
#include "harness/walk.h"

enum { FRAME_SHIFT = 12 };

static uint32_t entries(const struct rescind_geometry *geometry) {
    return UINT32_C(1) << geometry->level_bits;
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
        uint64_t unit = step->unit + index * walk_units(geometry, walk->level);
        enum walk_what what = walk_decode(geometry, walk->level, unit, step->table[index], item);
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
        uint64_t first = unit & ~(walk_units(geometry, level) - 1);
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
