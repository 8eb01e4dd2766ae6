/*
 * The log comparison: looks only at what the last call stored, and at what the oracle says it should have changed.
 *
 * Everything agreed before the call. What can disagree now involves a table entry, node or PD that was stored to, or a
 * unit that the oracle changed; each of these is compared with the other side. An oracle record's tag is the index + 1
 * of the node that covers the unit. Whatever is seen here is found again, and named, by the full comparison.
 */
#include "harness/detect.h"

enum { FRAME_SHIFT = 12, ENTRY_BYTES = 8 };

static uint64_t units_of_level(const struct detector *detector, unsigned level) {
    return UINT64_C(1) << (level * detector->harness->target->geometry.level_bits);
}

static uint64_t node_units(const struct rescind_node_view *view) {
    return UINT64_C(1) << view->order;
}

static bool covers(const struct rescind_node_view *view, uint32_t kernel, uint8_t kind, uint64_t unit) {
    return view->pd == kernel && view->kind == kind && unit >> view->order == view->base >> view->order;
}

/* The node that a record's tag names, if it is alive, or NULL. */
static const struct mirror_node *tagged(const struct detector *detector, const struct oracle_mapping *mapping) {
    return mapping->tag ? mirror_node_at(detector->mirror, mapping->tag - 1) : NULL;
}

/* ---- leaves ---- */

/* The leaf that translates a unit, compared with the unit's mapping and the node that covers it. */
static void detect_leaf_of(struct detector *detector, uint64_t root, const struct oracle_mapping *mapping,
                           const struct rescind_node_view *node) {
    struct walk_item item;
    const struct rescind_target *target = detector->harness->target;
    if (walk_cursor_at(&detector->cursor, target, root, mapping->unit, &item) != WALK_LEAF)
        see(detector, "missing");
    else if (item.frame + (mapping->unit - item.unit) != mapping->resource || item.rights != mapping->rights ||
             item.reserved || item.misaligned || item.level != leaf_level_of(&target->geometry, node->order))
        see(detector, "leaf");
}

/* A node's leaves from one unit to another must show what the node says. */
static void detect_leaves(struct detector *detector, uint64_t root, const struct rescind_node_view *node, uint64_t from,
                          uint64_t to) {
    const struct rescind_target *target = detector->harness->target;
    unsigned level = leaf_level_of(&target->geometry, node->order);
    uint64_t size = units_of_level(detector, level);
    struct walk_item item;
    for (uint64_t unit = from; unit < to && !detector->seen; unit += size) {
        if (walk_cursor_at(&detector->cursor, target, root, unit, &item) != WALK_LEAF)
            see(detector, "missing");
        else if (item.level != level || item.frame != node->resource + (unit - node->base) ||
                 item.rights != node->rights || item.reserved || item.misaligned)
            see(detector, "leaf");
    }
}

/* ---- nodes and units ---- */

/* What the oracle must say about the parents of a node's units. */
struct origin {
    bool none;
    uint32_t pd;
    uint8_t kind;
    uint64_t unit; /* parent of the node's first unit */
};

static bool origin_of(struct detector *detector, const struct rescind_node_view *node, struct origin *origin) {
    *origin = (struct origin){.none = node->parent == RESCIND_NONE};
    if (origin->none)
        return true;
    const struct mirror_node *above = mirror_node_at(detector->mirror, node->parent);
    bool memory = node->kind == ABI_MEM;
    if (!above || above->view.kind != node->kind || above->view.order < node->order ||
        (memory ? node->resource - above->view.resource >= node_units(&above->view)
                : node->resource != above->view.resource)) {
        see(detector, "parent");
        return false;
    }
    origin->pd = oracle_id(detector->harness, above->view.pd);
    origin->kind = node->kind;
    origin->unit = above->view.base + (memory ? node->resource - above->view.resource : 0);
    return true;
}

static bool origin_fits(const struct detector *detector, const struct origin *origin, uint64_t offset,
                        const struct oracle_mapping *mapping) {
    if (mapping->parent == ORACLE_NONE)
        return origin->none;
    const struct oracle_mapping *above = oracle_record(detector->harness->oracle, mapping->parent);
    return !origin->none && above->pd == origin->pd && above->unit == origin->unit + offset &&
           above->kind == origin->kind;
}

/* One unit of a node. The record is tagged with it; no other node may still cover the unit. */
static void detect_unit(struct detector *detector, uint32_t index, const struct rescind_node_view *node,
                        const struct origin *origin, struct oracle_mapping *mapping) {
    uint64_t offset = mapping->unit - node->base;
    uint64_t resource = node->kind == ABI_OBJ ? oracle_id(detector->harness, node->resource) : node->resource + offset;
    if (mapping->resource != resource || mapping->rights != node->rights)
        see(detector, "unit");
    if (!origin_fits(detector, origin, offset, mapping))
        see(detector, "parent");
    if (mapping->tag == index + 1)
        return;
    const struct mirror_node *other = tagged(detector, mapping);
    if (other && covers(&other->view, node->pd, node->kind, mapping->unit))
        see(detector, "overlap");
    mapping->tag = index + 1;
}

static void detect_units(struct detector *detector, uint32_t index, const struct rescind_node_view *node, uint64_t from,
                         uint64_t to) {
    struct harness *harness = detector->harness;
    uint32_t id = oracle_id(harness, node->pd);
    struct origin origin;
    if (!origin_of(detector, node, &origin))
        return;
    for (uint64_t unit = from; unit < to && !detector->seen; unit++) {
        struct oracle_mapping *mapping = oracle_at(harness->oracle, id, node->kind, unit);
        if (mapping)
            detect_unit(detector, index, node, &origin, mapping);
        else
            see(detector, "extra");
    }
    const struct mirror_pd *pd = mirror_pd_at(detector->mirror, node->pd);
    if (node->kind == ABI_MEM && pd)
        detect_leaves(detector, pd->root_table, node, from, to);
}

static bool well_formed(const struct harness *harness, const struct rescind_node_view *node) {
    uint8_t log2 = space_log2(harness, node->pd == RESCIND_PD_PHYS ? ORACLE_PHYS : ORACLE_ROOT, node->kind);
    uint8_t existence = node->kind == ABI_OBJ ? ABI_OBJ_RIGHTS : ABI_R;
    if (node->kind == ABI_PIO || node->order > (node->kind == ABI_OBJ ? 0 : log2) || node->base >> log2 ||
        (node->rights & ~all_rights(node->kind)) || !(node->rights & existence))
        return false;
    uint64_t below = node_units(node) - 1;
    return !(node->base & below) && (node->kind == ABI_OBJ || !(node->resource & below));
}

/* Two halves that could be one node must be one. */
static void detect_unmerged(struct detector *detector, const struct rescind_node_view *node) {
    struct harness *harness = detector->harness;
    if (node->kind != ABI_MEM || node->order == harness->geometry.mem_log2)
        return;
    uint64_t buddy = node->base ^ node_units(node);
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, oracle_id(harness, node->pd), ABI_MEM, buddy);
    const struct mirror_node *other = mapping ? tagged(detector, mapping) : NULL;
    if (other && other->view.order == node->order && other->view.rights == node->rights &&
        other->view.parent == node->parent && other->view.base == buddy &&
        other->view.resource == (node->resource ^ node_units(node)) &&
        !((node->base ^ node->resource) & node_units(node)))
        see(detector, "unmerged");
}

/* Whether the units that a node covered before and covers now need no new look: same mapping, only another range. */
static bool same_mapping(const struct rescind_node_view *before, const struct rescind_node_view *now) {
    return before->pd == now->pd && before->kind == now->kind && before->rights == now->rights &&
           before->parent == now->parent &&
           (now->kind == ABI_OBJ ? before->resource == now->resource
                                 : before->base - before->resource == now->base - now->resource);
}

/* The children of a node that covers another range, or another mapping, than before. */
static void detect_heirs(struct detector *detector, const struct rescind_node_view *now, bool moved) {
    uint32_t index = now->first_child;
    struct origin origin;
    while (index != RESCIND_NONE && !detector->seen) {
        struct mirror_node *child = mirror_node_at(detector->mirror, index);
        if (!child) {
            see(detector, "children");
            return;
        }
        if (origin_of(detector, &child->view, &origin) && moved)
            detect_units(detector, index, &child->view, child->view.base, child->view.base + node_units(&child->view));
        index = child->view.next_sibling;
    }
}

/* A live node, other than one of PHYS, whose range was stored. */
static void detect_range(struct detector *detector, uint32_t index, struct mirror_node *node) {
    const struct rescind_node_view *now = &node->view, *before = &node->before;
    const struct rescind_geometry *geometry = &detector->harness->target->geometry;
    uint64_t end = now->base + node_units(now), end_before = before->base + node_units(before);
    bool known = node->run_before == detector->mirror->run;
    bool same = known && same_mapping(before, now);
    bool overlaps = same && now->base < end_before && before->base < end;
    if (overlaps && before->base == now->base && before->order == now->order)
        return;
    if (!overlaps ||
        (now->kind == ABI_MEM && leaf_level_of(geometry, before->order) != leaf_level_of(geometry, now->order))) {
        detect_units(detector, index, now, now->base, end);
        node->checked = detector->mirror->operation;
    } else {
        detect_units(detector, index, now, now->base, before->base);
        detect_units(detector, index, now, end_before, end);
    }
    detect_unmerged(detector, now);
    bool moved = before->pd != now->pd || before->kind != now->kind ||
                 before->base - before->resource != now->base - now->resource;
    /* The children of a node that is new were all given to it, and are logged themselves. */
    if (known && (!same || before->order > now->order))
        detect_heirs(detector, now, moved);
}

static void detect_nodes(struct detector *detector) {
    const struct rescind_log *log = &detector->log;
    for (uint32_t i = 0; i < log->node_count && !detector->seen; i++) {
        uint32_t index = log->nodes[i].node;
        struct mirror_node *node = mirror_node_at(detector->mirror, index);
        if (node && !well_formed(detector->harness, &node->view)) {
            see(detector, "shape");
            return;
        }
    }
    for (uint32_t i = 0; i < log->node_count && !detector->seen; i++) {
        uint32_t index = log->nodes[i].node;
        struct mirror_node *node = mirror_node_at(detector->mirror, index);
        detect_links(detector, index);
        if (!node || detector->seen)
            continue;
        if (node->view.pd == RESCIND_PD_PHYS) {
            const struct rescind_node_view *before = &node->before, *now = &node->view;
            if (node->run_before != detector->mirror->run || !same_mapping(before, now) || before->base != now->base ||
                before->order != now->order)
                see(detector, "phys");
        } else {
            detect_range(detector, index, node);
        }
    }
}

/* ---- ranges that vanished ---- */

static void detect_vanished(struct detector *detector) {
    struct harness *harness = detector->harness;
    for (uint32_t i = 0; i < detector->log.vanished_count && !detector->seen; i++) {
        const struct rescind_vanished *range = &detector->log.vanished[i];
        uint32_t id = oracle_id(harness, range->pd);
        uint64_t end = range->base + (UINT64_C(1) << range->order);
        if (id == ORACLE_NONE || id == ORACLE_PHYS)
            continue;
        const struct oracle_mapping *mapping = oracle_next(harness->oracle, id, range->kind, range->base);
        while (mapping && mapping->unit < end && !detector->seen) {
            const struct mirror_node *node = tagged(detector, mapping);
            if (!node || !covers(&node->view, range->pd, range->kind, mapping->unit))
                see(detector, "uncovered");
            mapping = oracle_next(harness->oracle, id, range->kind, mapping->unit + 1);
        }
    }
}

/* ---- page tables ---- */

/* A leaf against each unit that it translates. */
static void detect_leaf(struct detector *detector, uint32_t id, uint32_t kernel, const struct walk_item *leaf) {
    uint64_t units = units_of_level(detector, leaf->level);
    const struct oracle_mapping *mapping = oracle_at(detector->harness->oracle, id, ABI_MEM, leaf->unit);
    const struct mirror_node *node = mapping ? tagged(detector, mapping) : NULL;
    if (!node || !covers(&node->view, kernel, ABI_MEM, leaf->unit)) {
        see(detector, "extra");
        return;
    }
    if (node->checked == detector->mirror->operation)
        return; /* with its leaves, of the right size */
    if (leaf->reserved || leaf->misaligned ||
        leaf->level != leaf_level_of(&detector->harness->target->geometry, node->view.order))
        see(detector, "leaf");
    for (uint64_t i = 0; i < units && !detector->seen; i++) {
        mapping = oracle_at(detector->harness->oracle, id, ABI_MEM, leaf->unit + i);
        if (!mapping || mapping->resource != leaf->frame + i || mapping->rights != leaf->rights)
            see(detector, "leaf");
    }
}

/* Everything that the tables say about a range of units against the oracle, both ways. */
static void detect_region(struct detector *detector, uint32_t kernel, uint64_t root, uint64_t from, uint64_t to) {
    struct harness *harness = detector->harness;
    uint32_t id = oracle_id(harness, kernel);
    const struct oracle_mapping *next = oracle_next(harness->oracle, id, ABI_MEM, from);
    struct walk_item item;
    for (uint64_t unit = from; unit < to && !detector->seen;) {
        enum walk_what what = walk_cursor_at(&detector->cursor, harness->target, root, unit, &item);
        unit = item.unit + units_of_level(detector, item.level);
        if (what == WALK_LEAF) {
            detect_leaf(detector, id, kernel, &item);
            next = oracle_next(harness->oracle, id, ABI_MEM, unit);
        } else if (what != WALK_END) {
            see(detector, "entry");
        } else if (next && next->unit < unit) {
            see(detector, "missing");
        }
    }
}

static bool is_empty(const struct detector *detector, const uint64_t *entries) {
    uint32_t count = UINT32_C(1) << detector->harness->target->geometry.level_bits;
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i])
            return false;
    }
    return true;
}

/* Whether an entry that holds a leaf or nothing is known to be right without looking further. */
static bool entry_known(const struct detector *detector, const struct mirror_table *table, enum walk_what what,
                        const struct walk_item *item) {
    if (what != WALK_LEAF && (what != WALK_END || table->level > 0))
        return false;
    const struct oracle_mapping *mapping =
        oracle_at(detector->harness->oracle, oracle_id(detector->harness, table->pd), ABI_MEM, item->unit);
    if (what == WALK_END)
        return !mapping;
    const struct mirror_node *node = mapping ? tagged(detector, mapping) : NULL;
    return node && node->checked == detector->mirror->operation && covers(&node->view, table->pd, ABI_MEM, item->unit);
}

/* What an entry that was stored to holds in the end. */
static void detect_store(struct detector *detector, const struct mirror_table *table, uint32_t index) {
    const struct rescind_target *target = detector->harness->target;
    const struct mirror_pd *pd = mirror_pd_at(detector->mirror, table->pd);
    const uint64_t *entries = target->table(table->frame << FRAME_SHIFT), *below;
    uint64_t size = units_of_level(detector, table->level);
    uint64_t unit = table->unit + index * size;
    struct walk_item item;
    if (!entries || !pd || index >> target->geometry.level_bits) {
        see(detector, "dangling-table");
        return;
    }
    enum walk_what what = walk_decode(&target->geometry, table->level, unit, entries[index], &item);
    if (what == WALK_TABLE) {
        below = target->table(item.frame << FRAME_SHIFT);
        if (!below || is_empty(detector, below))
            see(detector, below ? "empty-table" : "dangling-table");
    } else if (what == WALK_END && table->parent != RESCIND_NONE && is_empty(detector, entries)) {
        see(detector, "empty-table");
    } else if (what == WALK_OUTSIDE) {
        see(detector, "entry");
    }
    /* A table linked in this operation is looked at from the entry that links it. */
    bool seen_above = table->linked == detector->mirror->operation && table->parent != RESCIND_NONE;
    if (!seen_above && unit >> target->geometry.mem_log2 == 0 && !detector->seen &&
        !entry_known(detector, table, what, &item))
        detect_region(detector, table->pd, pd->root_table, unit, unit + size);
}

static void detect_stores(struct detector *detector) {
    for (uint32_t i = 0; i < detector->log.store_count && !detector->seen; i++) {
        uint64_t entry = detector->log.stores[i].entry;
        const struct mirror_table *table = mirror_table_at(detector->mirror, entry >> FRAME_SHIFT);
        if (table)
            detect_store(detector, table, (uint32_t)(entry & ((1u << FRAME_SHIFT) - 1)) / ENTRY_BYTES);
    }
}

/* ---- units that the oracle changed ---- */

static void detect_mapped(struct detector *detector, uint32_t kernel, struct oracle_mapping *mapping) {
    const struct mirror_node *node = tagged(detector, mapping);
    const struct mirror_pd *pd = mirror_pd_at(detector->mirror, kernel);
    struct origin origin;
    if (!node || !covers(&node->view, kernel, mapping->kind, mapping->unit)) {
        see(detector, "uncovered");
    } else if (node->checked != detector->mirror->operation && origin_of(detector, &node->view, &origin)) {
        detect_unit(detector, mapping->tag - 1, &node->view, &origin, mapping);
        if (mapping->kind == ABI_MEM && pd)
            detect_leaf_of(detector, pd->root_table, mapping, &node->view);
    }
}

static void detect_changes(struct detector *detector) {
    struct harness *harness = detector->harness;
    uint32_t count = 0;
    const struct oracle_change *change = harness->committed ? oracle_changes(harness->oracle, &count) : NULL;
    struct walk_item item;
    for (uint32_t i = 0; i < count && !detector->seen; i++, change++) {
        uint32_t kernel = kernel_pd(harness, change->pd);
        const struct mirror_pd *pd = mirror_pd_at(detector->mirror, kernel);
        if (change->pd == ORACLE_PHYS || !pd)
            continue;
        mirror_touch(detector->mirror, kernel);
        struct oracle_mapping *mapping = oracle_at(harness->oracle, change->pd, change->kind, change->unit);
        if (mapping)
            detect_mapped(detector, kernel, mapping);
        else if (change->kind == ABI_MEM &&
                 walk_cursor_at(&detector->cursor, harness->target, pd->root_table, change->unit, &item) != WALK_END)
            see(detector, "extra");
    }
}

/* ---- PDs and accounts ---- */

/* The PDs that the call named, whatever came of it. */
static void touch_named(struct detector *detector) {
    const struct harness *harness = detector->harness;
    const struct oracle_call *call = &harness->step.call;
    const uint64_t selectors[] = {call->pd_selector, call->filter_selector};
    mirror_touch(detector->mirror, kernel_pd(harness, call->caller));
    for (unsigned i = 0; i < 2; i++) {
        const struct oracle_mapping *mapping = oracle_at(harness->oracle, call->caller, ABI_OBJ, selectors[i]);
        if (mapping)
            mirror_touch(detector->mirror, kernel_pd(harness, (uint32_t)mapping->resource));
    }
}

static void detect_space(struct detector *detector, uint32_t kernel, uint8_t kind, const struct rescind_pd_view *view) {
    const struct mirror_space *space = &mirror_pd_at(detector->mirror, kernel)->space[kind];
    const struct mirror_node *root = mirror_node_at(detector->mirror, space->root);
    if (space->nodes != view->node_count[kind] ||
        space->units != oracle_units(detector->harness->oracle, oracle_id(detector->harness, kernel), kind))
        see(detector, "count");
    if (space->nodes
            ? !root || root->view.pd != kernel || root->view.kind != kind || root->view.tree_parent != RESCIND_NONE
            : space->root != RESCIND_NONE)
        see(detector, "tree-root");
}

/* What the target says about a PD that was touched; takes over the roots of its ordered indices. */
static void detect_pd(struct detector *detector, uint32_t kernel) {
    struct harness *harness = detector->harness;
    struct mirror_pd *pd = mirror_pd_at(detector->mirror, kernel);
    uint32_t id = oracle_id(harness, kernel);
    struct rescind_pd_view view;
    if (!pd)
        return;
    if (kernel == RESCIND_PD_PHYS) {
        pd->space[ABI_MEM].root = harness->target->phys_tree_root(ABI_MEM);
        return;
    }
    if (id == ORACLE_NONE || !harness->target->pd(kernel, &view)) {
        see(detector, "pd");
        return;
    }
    if (view.references != oracle_references(harness->oracle, id))
        see(detector, "references");
    if (view.root_table != pd->root_table)
        see(detector, "root-table");
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        pd->space[kind].root = view.tree_root[kind];
        if (harness->target->kinds >> kind & 1)
            detect_space(detector, kernel, kind, &view);
    }
}

static void detect_usage(struct detector *detector) {
    const struct harness *harness = detector->harness;
    const struct rescind_usage *boot = &harness->boot_usage;
    struct rescind_usage usage;
    harness->target->usage(&usage);
    if (usage.nodes != boot->nodes + detector->mirror->nodes - harness->boot_capability)
        see(detector, "nodes");
    if (usage.tables != boot->tables + detector->mirror->tables - 1)
        see(detector, "tables");
    if (usage.pds - boot->pds != detector->mirror->pds - 1)
        see(detector, "pds");
}

/* ---- following the log ---- */

static void follow_pds(struct detector *detector) {
    struct rescind_pd_view view;
    for (uint32_t i = 0; i < detector->log.pd_count; i++) {
        uint32_t pd = detector->log.pds[i];
        if (!mirror_pd_at(detector->mirror, pd) && detector->harness->target->pd(pd, &view)) {
            if (!mirror_add_pd(detector->mirror, pd, view.root_table))
                see(detector, "root-table");
            else if (!is_empty(detector, detector->harness->target->table(view.root_table)))
                see(detector, "entry");
            mirror_touch(detector->mirror, pd);
        }
    }
}

static void follow_deaths(struct detector *detector) {
    struct rescind_pd_view view;
    for (uint32_t i = 0; i < detector->log.pd_count; i++) {
        uint32_t index = detector->log.pds[i];
        const struct mirror_pd *pd = mirror_pd_at(detector->mirror, index);
        if (!pd || detector->harness->target->pd(index, &view))
            continue;
        for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
            if (pd->space[kind].nodes)
                see(detector, "dead-space");
        }
        mirror_remove_pd(detector->mirror, index);
    }
}

static void follow_nodes(struct detector *detector) {
    for (uint32_t i = 0; i < detector->log.node_count; i++) {
        if (!mirror_update_node(detector->mirror, detector->log.nodes[i].node))
            see(detector, "owner");
    }
}

/* Takes over the nodes of one ordered index as they are. */
static void take_nodes(struct detector *detector, uint32_t root) {
    struct mirror *mirror = detector->mirror;
    uint32_t stack[TREE_DEPTH_MAX + 2];
    unsigned depth = 0;
    uint32_t taken = 0;
    stack[depth++] = root;
    while (depth && taken <= mirror->target->node_limit) {
        uint32_t index = stack[--depth];
        if (index == RESCIND_NONE)
            continue;
        if (depth >= TREE_DEPTH_MAX || !mirror_update_node(mirror, index)) {
            see(detector, "index");
            return;
        }
        stack[depth++] = mirror->node[index].view.tree_left;
        stack[depth++] = mirror->node[index].view.tree_right;
        taken++;
    }
}

static void tag_units(struct detector *detector, uint32_t id, uint32_t kernel, uint8_t kind) {
    struct oracle *oracle = detector->harness->oracle;
    uint64_t from = 0;
    struct oracle_mapping *mapping;
    while ((mapping = oracle_next(oracle, id, kind, from))) {
        const struct mirror_pd *pd = mirror_pd_at(detector->mirror, kernel);
        uint32_t index = pd->space[kind].root;
        const struct mirror_node *node;
        while ((node = mirror_node_at(detector->mirror, index)) && !covers(&node->view, kernel, kind, mapping->unit))
            index = mapping->unit < node->view.base ? node->view.tree_left : node->view.tree_right;
        mapping->tag = node ? index + 1 : 0;
        from = mapping->unit + 1;
    }
}

void compare_log_start(struct harness *harness) {
    struct detector detector = {.harness = harness, .mirror = &harness->mirror};
    struct rescind_pd_view view;
    mirror_start(&harness->mirror);
    take_nodes(&detector, harness->target->phys_tree_root(ABI_MEM));
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        uint32_t kernel = kernel_pd(harness, id);
        if (!oracle_alive(harness->oracle, id) || !harness->target->pd(kernel, &view))
            continue;
        mirror_add_pd(&harness->mirror, kernel, view.root_table);
        for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
            harness->mirror.pd[kernel].space[kind].root = view.tree_root[kind];
            take_nodes(&detector, view.tree_root[kind]);
            tag_units(&detector, id, kernel, kind);
        }
    }
}

const char *compare_log(struct harness *harness) {
    struct detector detector = {.harness = harness, .mirror = &harness->mirror};
    harness->target->log(&detector.log);
    if (detector.log.overflow) {
        compare_full(harness);
        if (harness->finding.flaw == FLAW_NONE)
            compare_log_start(harness);
        return NULL;
    }
    mirror_next(&harness->mirror);
    follow_pds(&detector);
    follow_nodes(&detector);
    follow_deaths(&detector);
    if (!mirror_update_tables(&harness->mirror, detector.log.stores, detector.log.store_count))
        see(&detector, "shared-table");
    touch_named(&detector);
    uint32_t touched = 0;
    while (touched < harness->mirror.touched_count)
        detect_pd(&detector, harness->mirror.touched[touched++]);
    detector.cursor = (struct walk_cursor){0};
    detect_nodes(&detector);
    detect_vanished(&detector);
    detect_stores(&detector);
    detect_changes(&detector);
    while (touched < harness->mirror.touched_count)
        detect_pd(&detector, harness->mirror.touched[touched++]);
    detect_usage(&detector);
    return detector.seen;
}
