/*
 * The mirror of nodes and page-table links.
 */
#include "harness/mirror.h"

enum { FRAME_SHIFT = 12, ENTRY_BYTES = 8 };

void mirror_start(struct mirror *mirror) {
    mirror->run++;
    mirror->operation++;
    mirror->nodes = mirror->tables = mirror->pds = mirror->touched_count = 0;
    mirror->units_digest = mirror->leaves_digest = mirror->tables_digest = 0;
    mirror->doubtful = false;
    mirror->pd[mirror->target->pd_limit] = (struct mirror_pd){.run = mirror->run, .id = ORACLE_PHYS};
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

/* What a leaf of 2^(level * level_bits) units adds to a digest of leaves. */
static uint64_t hash_leaf(const struct mirror *mirror, uint32_t id, unsigned level, uint64_t unit, uint64_t frame,
                          unsigned rights) {
    uint64_t key = oracle_key(id, ABI_MEM, unit, frame, rights, level, 0);
    uint64_t units = UINT64_C(1) << (level * mirror->target->geometry.level_bits);
    return oracle_hash_keys(key, ORACLE_KEY_UNIT + ORACLE_KEY_RESOURCE, units);
}

/* What an entry of a linked table adds. False: it is nothing that a kernel may store there. */
static bool hash_entry(struct mirror *mirror, const struct mirror_table *table, uint32_t index, uint64_t entry,
                       uint64_t *hash) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    uint64_t unit = table->unit + ((uint64_t)index << (table->level * geometry->level_bits));
    struct walk_item item;
    *hash = 0;
    enum walk_what what = entry ? walk_decode(geometry, table->level, unit, entry, &item) : WALK_END;
    if (what == WALK_LEAF) {
        const struct mirror_pd *pd = mirror_pd_at(mirror, table->pd);
        *hash = hash_leaf(mirror, pd->id, table->level, unit, item.frame, item.rights);
        return !item.reserved && !item.misaligned;
    }
    mirror->doubtful |= what == WALK_TABLE && item.rights != ABI_MEM_RIGHTS;
    return what == WALK_END || (what == WALK_TABLE && !item.reserved);
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

/* Links the table that an entry refers to, if it refers to a live one. *child is it, or NULL. */
static bool put_child(struct mirror *mirror, const struct mirror_table *parent, uint32_t index, uint64_t entry,
                      struct mirror_table **child) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    uint64_t unit = parent->unit + ((uint64_t)index << (parent->level * geometry->level_bits));
    struct walk_item item;
    *child = NULL;
    if (walk_decode(geometry, parent->level, unit, entry, &item) != WALK_TABLE)
        return true;
    if (!mirror->target->table(item.frame << FRAME_SHIFT))
        return false;
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

/* Links what a table just linked refers to, at any depth, and enters what its leaves add. */
static bool put_below(struct mirror *mirror, struct mirror_table *top) {
    uint32_t next[WALK_LEVELS_MAX] = {0};
    uint32_t end = UINT32_C(1) << mirror->target->geometry.level_bits;
    struct mirror_table *table = top, *child;
    bool fits = true, used[WALK_LEVELS_MAX] = {false};
    for (;;) {
        uint32_t *index = &next[table->level];
        if (*index == end) {
            fits &= used[table->level] || table->parent == RESCIND_NONE;
            if (table == top)
                return fits;
            table = &mirror->table[table->parent];
            continue;
        }
        uint32_t at = (*index)++;
        uint64_t entry = entries_of(mirror, table)[at], hash;
        if (!entry)
            continue;
        used[table->level] = true;
        fits &= hash_entry(mirror, table, at, entry, &hash);
        table->leaves += hash;
        mirror->tables_digest += hash;
        fits &= put_child(mirror, table, at, entry, &child);
        if (child && fits) {
            table = child;
            next[table->level] = 0;
            used[table->level] = false;
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
    mirror->tables_digest -= table->leaves;
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

static bool is_empty(const struct mirror *mirror, const uint64_t *entries) {
    uint32_t end = UINT32_C(1) << mirror->target->geometry.level_bits;
    for (uint32_t i = 0; i < end; i++) {
        if (entries[i])
            return false;
    }
    return true;
}

static bool stored_later(const struct rescind_store *store, const struct rescind_store *end) {
    for (const struct rescind_store *later = store + 1; later < end; later++) {
        if (later->entry == store->entry)
            return true;
    }
    return false;
}

/* The linked table that a store went to, or NULL; *index is the entry. */
static struct mirror_table *stored_to(const struct mirror *mirror, const struct rescind_store *store, uint32_t *index) {
    struct mirror_table *table = mirror_table_at(mirror, store->entry >> FRAME_SHIFT);
    *index = (uint32_t)(store->entry & ((1u << FRAME_SHIFT) - 1)) / ENTRY_BYTES;
    return table && *index >> mirror->target->geometry.level_bits == 0 ? table : NULL;
}

/* What a store to a table that stays linked changes of its leaves. */
static bool follow_leaf(struct mirror *mirror, struct mirror_table *table, uint32_t index,
                        const struct rescind_store *store, const struct rescind_store *end) {
    const uint64_t *entries = entries_of(mirror, table);
    uint64_t before, after;
    hash_entry(mirror, table, index, store->before, &before);
    bool fits = hash_entry(mirror, table, index, store->value, &after);
    table->leaves += after - before;
    mirror->tables_digest += after - before;
    if (!entries || (entries[index] != store->value && !stored_later(store, end)))
        return false;
    return fits && (store->value || table->parent == RESCIND_NONE || !is_empty(mirror, entries));
}

bool mirror_update_tables(struct mirror *mirror, const struct rescind_store *stores, uint32_t count) {
    const struct rescind_store *end = stores + count;
    bool fits = true;
    uint32_t index;
    for (const struct rescind_store *store = stores; store < end; store++) {
        struct mirror_table *table = stored_to(mirror, store, &index);
        struct mirror_table *child = table && table->level > 0 ? child_at(mirror, table, index) : NULL;
        if (child && !refers_to(mirror, table, index, child->frame))
            unlink_table(mirror, child);
    }
    for (const struct rescind_store *store = stores; store < end; store++) {
        struct mirror_table *table = stored_to(mirror, store, &index);
        if (table && table->linked != mirror->operation)
            fits &= follow_leaf(mirror, table, index, store, end);
    }
    for (const struct rescind_store *store = stores; store < end; store++) {
        struct mirror_table *table = stored_to(mirror, store, &index), *child;
        const uint64_t *entries = table && table->level > 0 ? entries_of(mirror, table) : NULL;
        if (!entries || child_at(mirror, table, index))
            continue;
        fits &= put_child(mirror, table, index, entries[index], &child) && (!child || put_below(mirror, child));
    }
    return fits;
}

/* ---- PDs ---- */

bool mirror_add_pd(struct mirror *mirror, uint32_t pd, uint64_t root_table, uint32_t id) {
    struct mirror_table root = {
        .frame = root_table >> FRAME_SHIFT,
        .pd = pd,
        .parent = RESCIND_NONE,
        .level = (uint8_t)(mirror->target->geometry.levels - 1),
    };
    mirror->pd[pd] = (struct mirror_pd){.root_table = root_table, .run = mirror->run, .id = id};
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

/* ---- digests of nodes ---- */

/* The key of a node's first unit. False: the node does not lie within its parent. */
static bool key_of(const struct mirror *mirror, const struct rescind_node_view *view, uint64_t *key) {
    const struct mirror_node *parent = mirror_node_at(mirror, view->parent);
    const struct mirror_pd *pd = mirror_pd_at(mirror, view->pd), *named = NULL;
    uint64_t resource = view->resource, offset = 0;
    if (view->kind == ABI_OBJ) {
        named = view->resource < mirror->target->pd_limit ? mirror_pd_at(mirror, (uint32_t)view->resource) : NULL;
        resource = named ? named->id : UINT64_MAX;
    }
    if (view->parent == RESCIND_NONE) {
        *key = oracle_key(pd->id, view->kind, view->base, resource, view->rights, ORACLE_NONE, 0);
        return true;
    }
    if (!parent || parent->view.kind != view->kind || parent->view.order < view->order)
        return false;
    if (view->kind != ABI_OBJ)
        offset = view->resource - parent->view.resource;
    const struct mirror_pd *above = mirror_pd_at(mirror, parent->view.pd);
    *key = oracle_key(pd->id, view->kind, view->base, resource, view->rights, above ? above->id : ORACLE_NONE,
                      parent->view.base + offset);
    return above && offset >> parent->view.order == 0 &&
           (view->kind != ABI_OBJ || view->resource == parent->view.resource);
}

bool mirror_digest_node(struct mirror *mirror, uint32_t index) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    struct mirror_node *node = &mirror->node[index];
    const struct rescind_node_view *view = &node->view;
    uint64_t units = 0, leaves = 0, key = 0;
    bool fits = true;
    if (node->run == mirror->run && view->pd != RESCIND_PD_PHYS) {
        uint64_t count = UINT64_C(1) << view->order;
        unsigned level = view->order / geometry->level_bits;
        level = level < geometry->leaf_level ? level : geometry->leaf_level;
        fits = key_of(mirror, view, &key);
        units = oracle_hash_keys(key, ORACLE_KEY_STEP, count);
        key =
            oracle_key(mirror_pd_at(mirror, view->pd)->id, ABI_MEM, view->base, view->resource, view->rights, level, 0);
        leaves = view->kind == ABI_MEM ? oracle_hash_keys(key, ORACLE_KEY_UNIT + ORACLE_KEY_RESOURCE, count) : 0;
    }
    /* What is known of a node of another run was never entered in this one. */
    bool known = node->digest_run == mirror->run;
    mirror->units_digest += units - (known ? node->units : 0);
    mirror->leaves_digest += leaves - (known ? node->leaves : 0);
    node->units = units;
    node->leaves = leaves;
    node->digest_run = mirror->run;
    return fits;
}
