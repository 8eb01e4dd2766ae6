/*
 * The picture of a target: page tables, port bitmaps, and the PDs that they belong to.
 */
#include "harness/mirror.h"

#include "harness/mirror_hash.h"

enum { FRAME_SHIFT = 12, ENTRY_BYTES = 8, PORT_BITS = 64 };

/* What is left to the end of an operation, when all stores are done. */
struct pending {
    struct {
        uint64_t frame, unit;
        uint32_t parent; /* slot */
    } link[MIRROR_PENDING];
    struct mirror_table *emptied[MIRROR_PENDING];
    uint32_t links, emptieds;
};

static struct mirror_table *table_in(const struct mirror *mirror, uint64_t frame) {
    return &mirror->table[frame & (mirror->table_slots - 1)];
}

/* The linked table in that frame, or NULL. */
static struct mirror_table *linked_table(const struct mirror *mirror, uint64_t frame) {
    struct mirror_table *table = table_in(mirror, frame);
    return table->run == mirror->run && table->frame == frame ? table : NULL;
}

static inline uint64_t unit_at(const struct mirror_table *table, uint32_t index) {
    return table->unit + ((uint64_t)index << table->log2);
}

/* Of one entry as it is stored. */
static inline uint64_t hash_entry(uint32_t index, uint64_t entry) {
    uint64_t x = entry * (ORACLE_KEY_UNIT + index * (ORACLE_KEY_RESOURCE - 1));
    return (x ^ x >> 32) * ORACLE_KEY_PARENT_UNIT;
}

/* What an entry of a linked table says. */
struct said {
    uint64_t leaf;  /* what it adds as a leaf */
    uint64_t frame; /* of the table that it refers to, if it does */
    bool leads;
};

static inline struct said decode_entry(struct mirror *mirror, const struct mirror_table *table, uint32_t index,
                                       uint64_t entry) {
    struct said said = {0};
    struct walk_item item;
    uint64_t unit = unit_at(table, index);
    if (!entry)
        return said;
    enum walk_what what = walk_decode(&mirror->target->geometry, table->level, unit, entry, &item);
    if (what == WALK_LEAF)
        said.leaf = hash_leaf(table->key, unit, item.frame, item.rights);
    said.leads = what == WALK_TABLE;
    said.frame = item.frame;
    /* Leaves alone tell everything only while tables on the way to them take nothing away. */
    mirror->lost |= said.leads & (item.rights != ABI_MEM_RIGHTS);
    if (item.reserved | ((what == WALK_LEAF) & item.misaligned) | ((what != WALK_LEAF) & !said.leads))
        mirror_see(mirror, "entry");
    return said;
}

/* Links a table below `parent` (NULL: a root table), without looking into it. NULL: that cannot be. */
static struct mirror_table *link_table(struct mirror *mirror, uint64_t frame, struct mirror_table *parent, uint32_t pd,
                                       uint64_t unit, unsigned level) {
    struct mirror_table *table = table_in(mirror, frame);
    if (table->run == mirror->run || !mirror->target->table(frame << FRAME_SHIFT)) {
        mirror->lost = true;
        return NULL;
    }
    *table = (struct mirror_table){
        .frame = frame,
        .unit = unit,
        .run = mirror->run,
        .linked = mirror->operation,
        .pd = pd,
        .parent = parent ? (uint32_t)(parent - mirror->table) : RESCIND_NONE,
        .level = (uint8_t)level,
        .log2 = (uint8_t)(level * mirror->target->geometry.level_bits),
        .place = mirror->tables,
    };
    table->key = hash_leaves_key(mirror->pd[pd].id, table->log2);
    mirror->linked[mirror->tables++] = (uint32_t)(table - mirror->table);
    if (parent) {
        parent->children++;
        mirror->pd[pd].tables++;
        mirror_touch(mirror, pd);
    }
    return table;
}

/* Enters what a table just linked holds, and links what it refers to, at any depth. */
static void enter_table(struct mirror *mirror, struct mirror_table *top) {
    uint32_t next[WALK_LEVELS_MAX] = {0};
    const uint64_t *entries[WALK_LEVELS_MAX];
    uint32_t end = UINT32_C(1) << mirror->target->geometry.level_bits;
    struct mirror_table *table = top;
    entries[top->level] = mirror->target->table(top->frame << FRAME_SHIFT);
    for (;;) {
        uint32_t index = next[table->level];
        while (index < end && !entries[table->level][index])
            index++;
        next[table->level] = index + 1;
        if (index >= end) {
            if (!table->used && table->parent != RESCIND_NONE)
                mirror_see(mirror, "empty-table");
            mirror->hardware += table->leaves;
            if (table == top)
                return;
            table = &mirror->table[table->parent];
            continue;
        }
        uint64_t entry = entries[table->level][index];
        struct said said = decode_entry(mirror, table, index, entry);
        table->used++;
        table->entries += hash_entry(index, entry);
        table->leaves += said.leaf;
        struct mirror_table *below =
            said.leads ? link_table(mirror, said.frame, table, table->pd, unit_at(table, index), table->level - 1u)
                       : NULL;
        if (below) {
            table = below;
            next[table->level] = 0;
            entries[table->level] = mirror->target->table(table->frame << FRAME_SHIFT);
        }
    }
}

static void unlink_table(struct mirror *mirror, struct mirror_table *table) {
    /* What hangs below it was unlinked before, unless it is lost. */
    mirror->lost |= table->children > 0;
    if (table->parent != RESCIND_NONE) {
        mirror->table[table->parent].children--;
        mirror->pd[table->pd].tables--;
        mirror_touch(mirror, table->pd);
    }
    uint32_t last = mirror->linked[--mirror->tables];
    mirror->linked[table->place] = last;
    mirror->table[last].place = table->place;
    mirror->hardware -= table->leaves;
    table->run = 0;
}

/* An entry refers to that table no longer. */
static void unlink_frame(struct mirror *mirror, struct pending *pending, uint64_t frame) {
    for (uint32_t i = 0; i < pending->links; i++) {
        if (pending->link[i].frame == frame) {
            pending->link[i] = pending->link[--pending->links];
            return;
        }
    }
    struct mirror_table *table = linked_table(mirror, frame);
    if (table)
        unlink_table(mirror, table);
    else
        mirror->lost = true;
}

/* An entry refers to a table now. */
static void link_later(struct mirror *mirror, struct pending *pending, const struct mirror_table *parent,
                       uint64_t frame, uint64_t unit) {
    if (pending->links == MIRROR_PENDING) {
        mirror->lost = true;
        return;
    }
    pending->link[pending->links].frame = frame;
    pending->link[pending->links].unit = unit;
    pending->link[pending->links++].parent = (uint32_t)(parent - mirror->table);
}

/* One store to a table that was linked before the operation. */
static inline void follow_store(struct mirror *mirror, struct mirror_table *table, uint32_t index,
                                const struct rescind_store *store, struct pending *pending) {
    struct said before = decode_entry(mirror, table, index, store->before);
    struct said after = decode_entry(mirror, table, index, store->value);
    table->entries += hash_entry(index, store->value) - hash_entry(index, store->before);
    table->leaves += after.leaf - before.leaf;
    mirror->hardware += after.leaf - before.leaf;
    table->used += (store->value != 0) - (uint32_t)(store->before != 0);
    if (before.leads)
        unlink_frame(mirror, pending, before.frame);
    if (after.leads)
        link_later(mirror, pending, table, after.frame, unit_at(table, index));
    if (!table->used && table->parent != RESCIND_NONE) {
        mirror->lost |= pending->emptieds == MIRROR_PENDING;
        pending->emptied[pending->emptieds++ % MIRROR_PENDING] = table;
    }
}

static void finish(struct mirror *mirror, struct pending *pending) {
    for (uint32_t i = 0; i < pending->links && !mirror->lost; i++) {
        struct mirror_table *parent = &mirror->table[pending->link[i].parent];
        struct mirror_table *table = parent->run == mirror->run
                                         ? link_table(mirror, pending->link[i].frame, parent, parent->pd,
                                                      pending->link[i].unit, parent->level - 1u)
                                         : NULL;
        if (table)
            enter_table(mirror, table);
    }
    for (uint32_t i = 0; i < pending->emptieds && !mirror->lost; i++) {
        if (pending->emptied[i]->run == mirror->run && !pending->emptied[i]->used)
            mirror_see(mirror, "empty-table");
    }
}

void mirror_update_tables(struct mirror *mirror, const struct rescind_store *stores, uint32_t count) {
    struct pending pending;
    pending.links = pending.emptieds = 0;
    for (const struct rescind_store *store = stores; store < stores + count && !mirror->lost; store++) {
        struct mirror_table *table = linked_table(mirror, store->entry >> FRAME_SHIFT);
        uint32_t index = (uint32_t)(store->entry & ((1u << FRAME_SHIFT) - 1)) / ENTRY_BYTES;
        /* A table that became linked in this operation was, or will be, read as it is now. */
        if (table && table->linked != mirror->operation)
            follow_store(mirror, table, index, store, &pending);
    }
    finish(mirror, &pending);
}

void mirror_update_ports(struct mirror *mirror, const struct rescind_port_store *stores, uint32_t count) {
    for (const struct rescind_port_store *store = stores; store < stores + count; store++) {
        uint32_t slot = mirror_slot(mirror, store->pd);
        uint64_t differing = store->before ^ store->value, sum = 0;
        if (!mirror_alive(mirror, slot) || mirror->pd[slot].since == mirror->operation)
            continue;
        for (; differing; differing &= differing - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(differing);
            uint64_t hash = hash_ports(mirror->pd[slot].id, (uint64_t)store->word * PORT_BITS + bit, 1);
            sum += store->value >> bit & 1 ? -hash : hash;
        }
        mirror->pd[slot].ports += sum;
        mirror->hardware += sum;
    }
}

/* ---- PDs ---- */

static uint64_t hash_bitmap(const struct mirror *mirror, uint32_t id, const uint64_t *bitmap) {
    uint64_t words = (UINT64_C(1) << mirror->target->geometry.pio_log2) / PORT_BITS, sum = 0;
    for (uint64_t word = 0; word < words; word++) {
        for (uint64_t free = ~bitmap[word]; free; free &= free - 1)
            sum += hash_ports(id, word * PORT_BITS + (unsigned)__builtin_ctzll(free), 1);
    }
    return sum;
}

static bool same_entries(const struct mirror *mirror, const struct mirror_table *table) {
    const uint64_t *entries = mirror->target->table(table->frame << FRAME_SHIFT);
    uint32_t end = UINT32_C(1) << mirror->target->geometry.level_bits;
    uint64_t sum = 0;
    for (uint32_t i = 0; entries && i < end; i++)
        sum += hash_entry(i, entries[i]);
    return entries && sum == table->entries;
}

void mirror_check_tables(struct mirror *mirror) {
    struct rescind_pd_view view;
    bool same = true;
    for (uint32_t i = 0; i < mirror->tables; i++)
        same &= same_entries(mirror, &mirror->table[mirror->linked[i]]);
    for (uint32_t pd = 0; pd < mirror->target->pd_limit; pd++) {
        const struct mirror_pd *known = &mirror->pd[pd];
        if (mirror_alive(mirror, pd) && mirror->target->pd(pd, &view))
            same &= (view.ports ? hash_bitmap(mirror, known->id, view.ports) : 0) == known->ports;
    }
    if (!same)
        mirror_see(mirror, "unlogged");
}

void mirror_add_pd(struct mirror *mirror, uint32_t pd, const struct rescind_pd_view *view, uint32_t id) {
    uint64_t ports = view->ports ? hash_bitmap(mirror, id, view->ports) : 0;
    mirror->pd[pd] = (struct mirror_pd){.run = mirror->run,
                                        .root = {RESCIND_NONE, RESCIND_NONE, RESCIND_NONE},
                                        .since = mirror->operation,
                                        .root_table = view->root_table,
                                        .ports = ports,
                                        .id = id};
    mirror->pds++;
    mirror->hardware += ports;
    struct mirror_table *root =
        link_table(mirror, view->root_table >> FRAME_SHIFT, NULL, pd, 0, mirror->target->geometry.levels - 1u);
    if (root)
        enter_table(mirror, root);
    mirror_touch(mirror, pd);
}

void mirror_remove_pd(struct mirror *mirror, uint32_t pd) {
    struct mirror_pd *known = &mirror->pd[pd];
    struct mirror_table *root = linked_table(mirror, known->root_table >> FRAME_SHIFT);
    static const uint32_t none[ABI_KINDS] = {RESCIND_NONE, RESCIND_NONE, RESCIND_NONE};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        if (known->nodes[kind])
            mirror_see(mirror, "dead-space");
    }
    if (root)
        unlink_table(mirror, root);
    mirror_set_roots(mirror, pd, none);
    mirror->hardware -= known->ports;
    mirror->pds--;
    known->run = 0;
}
