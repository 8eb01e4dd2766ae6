/*
 * The log comparison: looks only at what the last call stored, and at what the oracle says it should have changed.
 *
 * Everything agreed before the call. The mirror follows the log and keeps three digests: of the mappings that the nodes
 * stand for, of the leaves that these call for, and of the leaves in the tables. The oracle keeps one of its mappings.
 * Nodes and oracle agree when the first equals the oracle's, nodes and tables when the second equals the third. The
 * rest, links and counts, is looked at from each node and PD that was stored to. Whatever is seen here is found again,
 * and named, by the full comparison.
 */
#include "harness/detect.h"

static uint64_t node_units(const struct rescind_node_view *view) {
    return UINT64_C(1) << view->order;
}

/* ---- nodes ---- */

static bool well_formed(const struct harness *harness, const struct rescind_node_view *node) {
    uint8_t log2 = space_log2(harness, node->pd == RESCIND_PD_PHYS ? ORACLE_PHYS : ORACLE_ROOT, node->kind);
    uint8_t existence = node->kind == ABI_OBJ ? ABI_OBJ_RIGHTS : ABI_R;
    if (node->kind == ABI_PIO || node->order > (node->kind == ABI_OBJ ? 0 : log2) || node->base >> log2 ||
        (node->rights & ~all_rights(node->kind)) || !(node->rights & existence))
        return false;
    uint64_t below = node_units(node) - 1;
    return !(node->base & below) && (node->kind == ABI_OBJ || !(node->resource & below));
}

/* The node next to a node in its ordered index on one side, or NULL. */
static const struct rescind_node_view *neighbour(const struct detector *detector, const struct rescind_node_view *view,
                                                 bool right) {
    const struct mirror_node *next = mirror_node_at(detector->mirror, right ? view->tree_right : view->tree_left);
    const struct mirror_node *found = next;
    for (unsigned depth = 0; next && depth < TREE_DEPTH_MAX; depth++) {
        found = next;
        next = mirror_node_at(detector->mirror, right ? next->view.tree_left : next->view.tree_right);
    }
    next = found ? NULL : mirror_node_at(detector->mirror, view->tree_parent);
    for (unsigned depth = 0; next && depth < TREE_DEPTH_MAX; depth++) {
        if (right ? next->view.base > view->base : next->view.base < view->base)
            return &next->view;
        next = mirror_node_at(detector->mirror, next->view.tree_parent);
    }
    return found ? &found->view : NULL;
}

/* Two halves that could be one node must be one. */
static void detect_unmerged(struct detector *detector, const struct rescind_node_view *node) {
    uint64_t units = node_units(node);
    bool upper = node->base & units;
    if (node->kind != ABI_MEM || node->order == detector->harness->geometry.mem_log2 ||
        ((node->base ^ node->resource) & units))
        return;
    const struct rescind_node_view *buddy = neighbour(detector, node, !upper);
    if (buddy && buddy->base == (node->base ^ units) && buddy->order == node->order && buddy->rights == node->rights &&
        buddy->parent == node->parent && buddy->resource == (node->resource ^ units))
        see(detector, "unmerged");
}

/* What a node's units say of their parents and themselves does not depend on its range as long as this stays. */
static bool same_mapping(const struct rescind_node_view *before, const struct rescind_node_view *now) {
    return before->pd == now->pd && before->kind == now->kind && before->rights == now->rights &&
           before->parent == now->parent &&
           (now->kind == ABI_OBJ ? before->resource == now->resource
                                 : before->base - before->resource == now->base - now->resource);
}

static bool same_range(const struct rescind_node_view *before, const struct rescind_node_view *now) {
    return same_mapping(before, now) && before->base == now->base && before->order == now->order;
}

/* The children of a node that is another than before, or covers less, must lie within it and say so. */
static void detect_heirs(struct detector *detector, const struct rescind_node_view *now) {
    uint32_t index = now->first_child;
    for (uint32_t i = 0; index != RESCIND_NONE && !detector->seen; i++) {
        const struct mirror_node *child = mirror_node_at(detector->mirror, index);
        if (!child || i == detector->mirror->target->node_limit || !well_formed(detector->harness, &child->view) ||
            !mirror_digest_node(detector->mirror, index)) {
            see(detector, "children");
            return;
        }
        index = child->view.next_sibling;
    }
}

/* A live node, other than one of PHYS. */
static void detect_range(struct detector *detector, uint32_t index) {
    const struct mirror_node *node = &detector->mirror->node[index];
    bool known = node->run_before == detector->mirror->run;
    if (known && same_range(&node->before, &node->view))
        return;
    if (!mirror_digest_node(detector->mirror, index))
        see(detector, "parent");
    detect_unmerged(detector, &node->view);
    if (known && (!same_mapping(&node->before, &node->view) || node->before.order > node->view.order))
        detect_heirs(detector, &node->view);
}

static void detect_node(struct detector *detector, uint32_t index) {
    const struct mirror_node *node = &detector->mirror->node[index];
    bool alive = mirror_node_at(detector->mirror, index);
    detect_links(detector, index);
    if (!alive)
        mirror_digest_node(detector->mirror, index);
    else if (node->view.pd != RESCIND_PD_PHYS)
        detect_range(detector, index);
    else if (node->run_before != detector->mirror->run || !same_range(&node->before, &node->view))
        see(detector, "phys");
}

static void detect_nodes(struct detector *detector) {
    const struct rescind_log *log = &detector->log;
    for (uint32_t i = 0; i < log->node_count && !detector->seen; i++) {
        const struct mirror_node *node = mirror_node_at(detector->mirror, log->nodes[i].node);
        if (node && !well_formed(detector->harness, &node->view))
            see(detector, "shape");
    }
    for (uint32_t i = 0; i < log->node_count && !detector->seen; i++)
        detect_node(detector, log->nodes[i].node);
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
            if (!mirror_add_pd(detector->mirror, pd, view.root_table, oracle_id(detector->harness, pd)))
                see(detector, "root-table");
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

/* Does `what` with each node of an ordered index. */
static void each_node(struct detector *detector, uint32_t root, bool (*what)(struct mirror *mirror, uint32_t node)) {
    struct mirror *mirror = detector->mirror;
    uint32_t stack[TREE_DEPTH_MAX + 2];
    unsigned depth = 0;
    uint32_t done = 0;
    stack[depth++] = root;
    while (depth && done <= mirror->target->node_limit) {
        uint32_t index = stack[--depth];
        if (index == RESCIND_NONE)
            continue;
        if (depth >= TREE_DEPTH_MAX || !what(mirror, index)) {
            see(detector, "index");
            return;
        }
        stack[depth++] = mirror->node[index].view.tree_left;
        stack[depth++] = mirror->node[index].view.tree_right;
        done++;
    }
}

/* Does `what` with each node there is. */
static void all_nodes(struct detector *detector, bool (*what)(struct mirror *mirror, uint32_t node)) {
    const struct harness *harness = detector->harness;
    each_node(detector, harness->target->phys_tree_root(ABI_MEM), what);
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        const struct mirror_pd *pd = mirror_pd_at(detector->mirror, kernel_pd(harness, id));
        for (uint8_t kind = 0; kind < ABI_KINDS && pd; kind++)
            each_node(detector, pd->space[kind].root, what);
    }
}

void compare_log_start(struct harness *harness) {
    struct detector detector = {.harness = harness, .mirror = &harness->mirror};
    struct rescind_pd_view view;
    mirror_start(&harness->mirror);
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        uint32_t kernel = kernel_pd(harness, id);
        if (!oracle_alive(harness->oracle, id) || !harness->target->pd(kernel, &view))
            continue;
        mirror_add_pd(&harness->mirror, kernel, view.root_table, id);
        for (uint8_t kind = 0; kind < ABI_KINDS; kind++)
            harness->mirror.pd[kernel].space[kind].root = view.tree_root[kind];
    }
    /* A node's digest looks at its parent, which may be anywhere. */
    all_nodes(&detector, mirror_update_node);
    all_nodes(&detector, mirror_digest_node);
}

static const char *compare_all(struct harness *harness) {
    compare_full(harness);
    if (harness->finding.flaw == FLAW_NONE)
        compare_log_start(harness);
    return NULL;
}

const char *compare_log(struct harness *harness) {
    struct detector detector = {.harness = harness, .mirror = &harness->mirror};
    struct mirror *mirror = &harness->mirror;
    harness->target->log(&detector.log);
    if (detector.log.overflow)
        return compare_all(harness);
    mirror_next(mirror);
    follow_pds(&detector);
    follow_nodes(&detector);
    follow_deaths(&detector);
    if (!mirror_update_tables(mirror, detector.log.stores, detector.log.store_count))
        see(&detector, "tables");
    touch_named(&detector);
    /* Before the links: an ordered index hangs at the root that the PD names. */
    for (uint32_t touched = 0; touched < mirror->touched_count; touched++)
        detect_pd(&detector, mirror->touched[touched]);
    detect_nodes(&detector);
    detect_usage(&detector);
    if (mirror->doubtful)
        return compare_all(harness);
    if (mirror->units_digest != oracle_digest(harness->oracle))
        see(&detector, "mappings");
    if (mirror->leaves_digest != mirror->tables_digest)
        see(&detector, "leaves");
    return detector.seen;
}
