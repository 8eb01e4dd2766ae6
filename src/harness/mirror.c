/*
 * The mirror of nodes and page-table links.
 */
#include "harness/mirror.h"

enum { FRAME_SHIFT = 12, ENTRY_BYTES = 8 };

void mirror_start(struct mirror *mirror) {
    mirror->run++;
    mirror->operation++;
    mirror->nodes = mirror->tables = mirror->pds = mirror->touched_count = 0;
    mirror->pd[mirror->target->pd_limit] = (struct mirror_pd){.run = mirror->run};
}

void mirror_next(struct mirror *mirror) {
    mirror->operation++;
    mirror->touched_count = 0;
}

void mirror_touch(struct mirror *mirror, uint32_t pd) {
    struct mirror_pd *known = mirror_pd_at(mirror, pd);
    if (!known || known->touched == mirror->operation)
        return;
    known->touched = mirror->operation;
    mirror->touched[mirror->touched_count++] = pd;
}

/* ---- page tables ---- */

static const uint64_t *entries_of(const struct mirror *mirror, const struct mirror_table *table) {
    return mirror->target->table(table->frame << FRAME_SHIFT);
}

static uint32_t slot_of(const struct mirror *mirror, const struct mirror_table *table) {
    return (uint32_t)(table - mirror->table);
}

static bool put(struct mirror *mirror, const struct mirror_table *as) {
    uint32_t slot = (uint32_t)as->frame & (mirror->table_slots - 1);
    struct mirror_table *table = &mirror->table[slot];
    if (table->run == mirror->run)
        return false;
    *table = *as;
    table->run = mirror->run;
    table->linked = mirror->operation;
    table->first_child = RESCIND_NONE;
    table->next_sibling = RESCIND_NONE;
    if (as->parent != RESCIND_NONE) {
        table->next_sibling = mirror->table[as->parent].first_child;
        mirror->table[as->parent].first_child = slot;
    }
    mirror->tables++;
    return true;
}

/* Links the table that an entry refers to. *child is it, or NULL: the entry refers to none that is live. */
static bool put_child(struct mirror *mirror, const struct mirror_table *parent, uint32_t index, uint64_t entry,
                      struct mirror_table **child) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    uint64_t unit = parent->unit + ((uint64_t)index << (parent->level * geometry->level_bits));
    struct walk_item item;
    *child = NULL;
    if (walk_decode(geometry, parent->level, unit, entry, &item) != WALK_TABLE ||
        !mirror->target->table(item.frame << FRAME_SHIFT))
        return true;
    struct mirror_table as = {
        .frame = item.frame,
        .unit = unit,
        .pd = parent->pd,
        .parent = slot_of(mirror, parent),
        .index = index,
        .level = (uint8_t)(parent->level - 1),
    };
    *child = &mirror->table[item.frame & (mirror->table_slots - 1)];
    return put(mirror, &as);
}

/* Links what a table just linked refers to, at any depth. */
static bool put_below(struct mirror *mirror, struct mirror_table *top) {
    uint32_t next[WALK_LEVELS_MAX] = {0};
    uint32_t end = UINT32_C(1) << mirror->target->geometry.level_bits;
    struct mirror_table *table = top;
    for (;;) {
        uint32_t *index = &next[table->level];
        if (table->level == 0 || *index == end) {
            if (table == top)
                return true;
            table = &mirror->table[table->parent];
            continue;
        }
        struct mirror_table *child;
        uint32_t at = (*index)++;
        uint64_t entry = entries_of(mirror, table)[at];
        if (!entry)
            continue;
        if (!put_child(mirror, table, at, entry, &child))
            return false;
        if (child) {
            table = child;
            next[table->level] = 0;
        }
    }
}

static void take_out(struct mirror *mirror, struct mirror_table *table) {
    if (table->parent != RESCIND_NONE) {
        uint32_t *link = &mirror->table[table->parent].first_child;
        while (*link != slot_of(mirror, table))
            link = &mirror->table[*link].next_sibling;
        *link = table->next_sibling;
    }
    table->run = 0;
    mirror->tables--;
}

/* Unlinks a table and all that it refers to. */
static void unlink_table(struct mirror *mirror, struct mirror_table *top) {
    struct mirror_table *table = top;
    for (;;) {
        if (table->first_child != RESCIND_NONE) {
            table = &mirror->table[table->first_child];
            continue;
        }
        uint32_t parent = table->parent;
        take_out(mirror, table);
        if (table == top)
            return;
        table = &mirror->table[parent];
    }
}

static struct mirror_table *child_at(const struct mirror *mirror, const struct mirror_table *table, uint32_t index) {
    uint32_t slot = table->first_child;
    while (slot != RESCIND_NONE && mirror->table[slot].index != index)
        slot = mirror->table[slot].next_sibling;
    return slot == RESCIND_NONE ? NULL : &mirror->table[slot];
}

static bool refers_to(const struct mirror *mirror, const struct mirror_table *table, uint32_t index, uint64_t frame) {
    const uint64_t *entries = entries_of(mirror, table);
    struct walk_item item;
    return entries && walk_decode(&mirror->target->geometry, table->level, 0, entries[index], &item) == WALK_TABLE &&
           item.frame == frame;
}

/* The linked table above level 0 that a store went to, or NULL; *index is the entry. */
static struct mirror_table *stored_to(const struct mirror *mirror, const struct rescind_store *store, uint32_t *index) {
    struct mirror_table *table = mirror_table_at(mirror, store->entry >> FRAME_SHIFT);
    *index = (uint32_t)(store->entry & ((1u << FRAME_SHIFT) - 1)) / ENTRY_BYTES;
    return table && table->level > 0 && *index >> mirror->target->geometry.level_bits == 0 ? table : NULL;
}

bool mirror_update_tables(struct mirror *mirror, const struct rescind_store *stores, uint32_t count) {
    uint32_t index;
    for (uint32_t i = 0; i < count; i++) {
        struct mirror_table *table = stored_to(mirror, &stores[i], &index);
        struct mirror_table *child = table ? child_at(mirror, table, index) : NULL;
        if (child && !refers_to(mirror, table, index, child->frame))
            unlink_table(mirror, child);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mirror_table *table = stored_to(mirror, &stores[i], &index);
        const uint64_t *entries = table ? entries_of(mirror, table) : NULL;
        struct mirror_table *child;
        if (!entries || child_at(mirror, table, index))
            continue;
        if (!put_child(mirror, table, index, entries[index], &child) || (child && !put_below(mirror, child)))
            return false;
    }
    return true;
}

/* ---- PDs ---- */

bool mirror_add_pd(struct mirror *mirror, uint32_t pd, uint64_t root_table) {
    struct mirror_table root = {
        .frame = root_table >> FRAME_SHIFT,
        .pd = pd,
        .parent = RESCIND_NONE,
        .level = (uint8_t)(mirror->target->geometry.levels - 1),
    };
    mirror->pd[pd] = (struct mirror_pd){.root_table = root_table, .run = mirror->run};
    mirror->pds++;
    return mirror->target->table(root_table) && put(mirror, &root) &&
           put_below(mirror, mirror_table_at(mirror, root.frame));
}

void mirror_remove_pd(struct mirror *mirror, uint32_t pd) {
    struct mirror_pd *known = mirror_pd_at(mirror, pd);
    struct mirror_table *root = known ? mirror_table_at(mirror, known->root_table >> FRAME_SHIFT) : NULL;
    if (root && root->pd == pd && root->parent == RESCIND_NONE)
        unlink_table(mirror, root);
    if (known) {
        known->run = 0;
        mirror->pds--;
    }
}

/* ---- nodes ---- */

/* Enters a node into the counts, or takes it out (direction -1). */
static bool count(struct mirror *mirror, const struct rescind_node_view *view, int direction) {
    struct mirror_pd *pd = mirror_pd_at(mirror, view->pd);
    if (!pd || view->kind >= ABI_KINDS)
        return false;
    uint64_t units = view->order < 64 ? UINT64_C(1) << view->order : 0;
    struct mirror_space *space = &pd->space[view->kind];
    space->nodes += (uint32_t)direction;
    space->units += direction > 0 ? units : -units;
    mirror->nodes += view->pd == RESCIND_PD_PHYS ? 0 : (uint32_t)direction;
    mirror_touch(mirror, view->pd);
    if (view->kind == ABI_OBJ && view->resource < mirror->target->pd_limit)
        mirror_touch(mirror, (uint32_t)view->resource);
    if (view->parent < mirror->target->node_limit) {
        struct mirror_node *parent = &mirror->node[view->parent];
        parent->children = mirror_children(mirror, view->parent) + (uint32_t)direction;
        parent->children_run = mirror->run;
    }
    return true;
}

/* Whether a node enters into the counts as it did before. */
static bool counts_alike(const struct rescind_node_view *before, const struct rescind_node_view *now) {
    return before->pd == now->pd && before->kind == now->kind && before->order == now->order &&
           before->parent == now->parent && before->resource == now->resource;
}

bool mirror_update_node(struct mirror *mirror, uint32_t index) {
    struct mirror_node *node = &mirror->node[index];
    if (node->logged == mirror->operation)
        return true;
    node->logged = mirror->operation;
    node->run_before = node->run;
    node->before = node->view;
    bool was_alive = node->run == mirror->run;
    bool alive = mirror->target->node(index, &node->view);
    node->run = alive ? mirror->run : 0;
    if (alive && was_alive && counts_alike(&node->before, &node->view)) {
        mirror_touch(mirror, node->view.pd);
        return true;
    }
    if (was_alive)
        count(mirror, &node->before, -1);
    return !alive || count(mirror, &node->view, 1);
}
