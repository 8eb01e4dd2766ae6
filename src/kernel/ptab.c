/* x86-64 page tables of either geometry; see ptab.h. */
#include "ptab.h"

#include "account.h"
#include "arch/x86_64/pte.h"
#include "check.h"
#include "geometry.h"
#include "kmem.h"

enum {
    ENTRIES = 1 << GEO_LEVEL_BITS,
    ROOT_LEVEL = GEO_LEVELS - 1,
};

struct table table_memory[GEO_TABLES];
POOL(tables, table_memory);
static uint16_t entries_used[GEO_TABLES];
/* Tables that are no longer linked and not yet free, and who pays for them: a ring, in the order in which they were
 * released; tables that ever came in and went out. */
static struct {
    uint32_t index;
    struct account *payer;
} limbo[GEO_TABLES];
uint64_t ptab_retired, ptab_reclaimed;

/* The tables on the way to a unit, from the root down to some level. */
struct path {
    struct table *at[GEO_LEVELS];
};

static unsigned slot(uint64_t unit, unsigned level) {
    return (unsigned)(unit >> (level * GEO_LEVEL_BITS)) & (ENTRIES - 1);
}

static unsigned leaf_level(unsigned order) {
    unsigned level = order / GEO_LEVEL_BITS;
    return level < arch_leaf_level() ? level : arch_leaf_level();
}

static uint64_t leaf_units(unsigned level) {
    return UINT64_C(1) << (level * GEO_LEVEL_BITS);
}

static uint32_t table_index(const struct table *table) {
    return (uint32_t)(table - table_memory);
}

static uint64_t frame_of(const struct table *table) {
    return GEO_TABLE_FRAME + (uint64_t)table_index(table);
}

static struct table *table_in(uint64_t entry) {
    KASSERT(pte_present(entry));
    KASSERT(!pte_large(entry));
    KASSERT(pte_frame(entry) - GEO_TABLE_FRAME < GEO_TABLES);
    return &table_memory[pte_frame(entry) - GEO_TABLE_FRAME];
}

static unsigned leaf_rights(uint64_t entry) {
    return ABI_R | (entry & PTE_WRITE ? ABI_W : 0U) | (entry & PTE_NO_EXECUTE ? 0U : ABI_X);
}

static struct table *new_table(void) {
    uint32_t index = pool_take(&tables);
    table_memory[index] = (struct table){0};
    entries_used[index] = 0;
    return &table_memory[index];
}

/* The table is no longer linked, but a CPU may still walk it. */
static void free_table(const struct table *table) {
    KASSERT(ptab_retired - ptab_reclaimed < GEO_TABLES);
    limbo[ptab_retired++ % GEO_TABLES].index = table_index(table);
}

static void reclaim(uint32_t index) {
    arch_table_freed((GEO_TABLE_FRAME + (uint64_t)index) << PTE_FRAME_SHIFT);
    pool_give(&tables, index);
}

static void store(struct table *table, unsigned index, uint64_t value) {
    uint16_t *used = &entries_used[table_index(table)];
    uint64_t old = table->entry[index];
    *used = (uint16_t)(*used + pte_present(value) - pte_present(old));
    arch_store_entry(&table->entry[index], value);
}

/* The way to the table at `level` that holds the unit's entry; every table on it exists. */
static void find(struct path *path, uint64_t *root, uint64_t unit, unsigned level) {
    struct table *table = (struct table *)(void *)root;
    path->at[ROOT_LEVEL] = table;
    for (unsigned l = ROOT_LEVEL; l > level; l--) {
        KSTEP();
        table = table_in(table->entry[slot(unit, l)]);
        path->at[l - 1] = table;
    }
}

/* Like find, but makes the tables that are missing (counted in *made). */
static struct table *reach(uint64_t *root, uint64_t unit, unsigned level, uint32_t *made) {
    struct table *table = (struct table *)(void *)root;
    for (unsigned l = ROOT_LEVEL; l > level; l--) {
        KSTEP();
        uint64_t entry = table->entry[slot(unit, l)];
        if (!pte_present(entry)) {
            struct table *lower = new_table();
            entry = pte_to_table(frame_of(lower));
            store(table, slot(unit, l), entry);
            ++*made;
        }
        table = table_in(entry);
    }
    return table;
}

/* Releases the tables on the way that have no entry left; returns how many. */
static uint32_t prune(struct path *path, uint64_t unit, unsigned level) {
    for (unsigned l = level; l < ROOT_LEVEL; l++) {
        KSTEP();
        if (entries_used[table_index(path->at[l])] > 0) {
            return l - level;
        }
        store(path->at[l + 1], slot(unit, l + 1), 0);
        free_table(path->at[l]);
    }
    return ROOT_LEVEL - level;
}

void ptab_reset(void) {
    pool_reset(&tables);
    ptab_retired = 0;
    ptab_reclaimed = 0;
}

void ptab_owe(struct account *payer, uint32_t count) {
    for (uint64_t i = ptab_retired - count; i < ptab_retired; i++) {
        limbo[i % GEO_TABLES].payer = payer;
    }
}

uint32_t ptab_release(uint64_t mark, uint32_t most) {
    uint64_t before = ptab_reclaimed;
    while (ptab_reclaimed < mark && ptab_reclaimed < before + most) {
        KSTEP();
        uint64_t first = ptab_reclaimed++ % GEO_TABLES;
        reclaim(limbo[first].index);
        account_give(limbo[first].payer, PTAB_TABLE_BYTES);
    }
    return (uint32_t)(ptab_reclaimed - before);
}

uint32_t ptab_missing(const uint64_t *root, uint64_t base, unsigned order, uint64_t mapped) {
    unsigned level = leaf_level(order);
    uint64_t end = base + (UINT64_C(1) << order);
    uint32_t missing = 0;
    for (uint64_t unit = base; unit < end; unit += leaf_units(level + 1)) {
        const uint64_t *table = root;
        for (unsigned l = ROOT_LEVEL; l > level; l--) {
            KSTEP();
            uint64_t entry = table ? table[slot(unit, l)] : 0;
            table = pte_present(entry) ? table_in(entry)->entry : NULL;
            missing += !table && (unit & ~(leaf_units(l) - 1)) >= mapped;
        }
    }
    return missing;
}

uint64_t *ptab_create_root(void) {
    uint64_t *root = new_table()->entry;
    arch_space_created(root);
    return root;
}

void ptab_destroy_root(uint64_t *root) {
    struct table *table = (struct table *)(void *)root;
    KASSERT(entries_used[table_index(table)] == 0);
    reclaim(table_index(table));
}

uint32_t ptab_map(uint64_t *root, uint64_t base, unsigned order, uint64_t frame, unsigned rights) {
    KASSERT((rights & ABI_R) != 0);
    unsigned level = leaf_level(order);
    uint64_t units = UINT64_C(1) << order;
    struct table *table = NULL;
    uint32_t made = 0;
    for (uint64_t offset = 0; offset < units; offset += leaf_units(level)) {
        KSTEP();
        unsigned index = slot(base + offset, level);
        if (!table || index == 0) {
            table = reach(root, base + offset, level, &made);
        }
        KASSERT(table->entry[index] == 0);
        store(table, index, pte_leaf(level, frame + offset, rights));
    }
    return made;
}

uint32_t ptab_unmap(uint64_t *root, uint64_t base, unsigned order) {
    unsigned level = leaf_level(order);
    uint64_t end = base + (UINT64_C(1) << order);
    struct path path;
    uint32_t released = 0;
    for (uint64_t unit = base; unit < end;) {
        find(&path, root, unit, level);
        uint64_t last = unit | (leaf_units(level + 1) - 1);
        uint64_t first = unit;
        for (; unit < end && unit <= last; unit += leaf_units(level)) {
            KSTEP();
            KASSERT(pte_present(path.at[level]->entry[slot(unit, level)]));
            store(path.at[level], slot(unit, level), 0);
        }
        released += prune(&path, first, level);
    }
    return released;
}

void ptab_protect(uint64_t *root, uint64_t base, unsigned order, unsigned rights) {
    KASSERT((rights & ABI_R) != 0);
    unsigned level = leaf_level(order);
    uint64_t end = base + (UINT64_C(1) << order);
    struct path path;
    for (uint64_t unit = base; unit < end; unit += leaf_units(level)) {
        KSTEP();
        unsigned index = slot(unit, level);
        if (unit == base || index == 0) {
            find(&path, root, unit, level);
        }
        uint64_t entry = path.at[level]->entry[index];
        KASSERT(pte_present(entry));
        store(path.at[level], index, pte_leaf(level, pte_frame(entry), rights));
    }
}

unsigned ptab_leaf_order(unsigned order) {
    return leaf_level(order) * GEO_LEVEL_BITS;
}

bool ptab_is_large_leaf(unsigned order) {
    return order > 0 && order <= arch_leaf_level() * GEO_LEVEL_BITS && order % GEO_LEVEL_BITS == 0;
}

void ptab_split(uint64_t *root, uint64_t base, unsigned order) {
    KASSERT(ptab_is_large_leaf(order));
    unsigned level = leaf_level(order);
    struct path path;
    find(&path, root, base, level);
    uint64_t leaf = path.at[level]->entry[slot(base, level)];
    KASSERT(pte_present(leaf));
    KASSERT(pte_large(leaf));
    struct table *lower = new_table();
    for (unsigned i = 0; i < ENTRIES; i++) {
        KSTEP();
        store(lower, i, pte_leaf(level - 1, pte_frame(leaf) + i * leaf_units(level - 1), leaf_rights(leaf)));
    }
    store(path.at[level], slot(base, level), pte_to_table(frame_of(lower)));
}

void ptab_join(uint64_t *root, uint64_t base, unsigned order) {
    KASSERT(ptab_is_large_leaf(order));
    unsigned level = leaf_level(order);
    struct path path;
    find(&path, root, base, level - 1);
    struct table *lower = path.at[level - 1];
    KASSERT(entries_used[table_index(lower)] == ENTRIES);
    uint64_t first = lower->entry[0];
    store(path.at[level], slot(base, level), pte_leaf(level, pte_frame(first), leaf_rights(first)));
    free_table(lower);
}

uint32_t ptab_used(void) {
    return tables.used;
}

const uint64_t *ptab_by_physical(uint64_t physical) {
    uint64_t index = (physical >> PTE_FRAME_SHIFT) - GEO_TABLE_FRAME;
    if (index >= GEO_TABLES || !pool_in_use(&tables, (uint32_t)index)) {
        return NULL;
    }
    return table_memory[index].entry;
}
