/*
 * The full comparison: everything the target holds against everything the oracle holds.
 *
 * The reference: looks at each table, node and unit afresh and trusts nothing that it saw before.
 */
#include "harness/internal.h"
#include "harness/walk.h"

enum { PORT_BITS = 64 /* of a word of a port bitmap */ };

/* A mark of a node: epoch << MARK_SHIFT | bits. */
enum { MARK_INDEXED = 1, MARK_LISTED = 2, MARK_ALL = 3, MARK_SHIFT = 2 };

static const uint32_t epoch_end = UINT32_C(1) << (32 - MARK_SHIFT);

/* Sums over all PDs, for the accounts. */
struct totals {
    uint32_t pds, objects, charged, tables;
    uint32_t parentless, listed, indexed;
    uint64_t quota;
    uint32_t found_twice; /* listed and indexed */
};

/* Operations are in progress: what a kernel stores is not yet in the form that it has when they have returned. */
static bool is_between(const struct harness *harness) {
    return oracle_is_between(harness->oracle);
}

/* ---- page tables ---- */

static void compare_leaf(struct harness *harness, uint32_t pd, const struct walk_item *leaf) {
    uint64_t units = UINT64_C(1) << (leaf->level * harness->target->geometry.level_bits);
    if (leaf->reserved)
        note(harness, FLAW_RESERVED, pd, ABI_MEM, leaf->unit);
    if (leaf->misaligned)
        note(harness, FLAW_MISALIGNED, pd, ABI_MEM, leaf->unit);
    for (uint64_t i = 0; i < units; i++) {
        const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, ABI_MEM, leaf->unit + i);
        if (!mapping) {
            note(harness, leaf->rights ? FLAW_EXTRA : FLAW_LEFTOVER, pd, ABI_MEM, leaf->unit + i);
            return;
        }
        if (mapping->resource != leaf->frame + i)
            note(harness, FLAW_WRONG_RESOURCE, pd, ABI_MEM, leaf->unit + i);
        if (leaf->rights & ~mapping->rights)
            note(harness, FLAW_WIDER, pd, ABI_MEM, leaf->unit + i);
        if ((mapping->rights & ~leaf->rights) && !oracle_uncertain(mapping))
            note(harness, FLAW_NARROWER, pd, ABI_MEM, leaf->unit + i);
    }
}

/* The first unit that the oracle maps and the page table does not. */
static void find_unmapped(struct harness *harness, uint32_t pd, uint64_t root) {
    struct walk_item item;
    const struct oracle_mapping *mapping = oracle_next(harness->oracle, pd, ABI_MEM, 0);
    while (mapping) {
        uint64_t unit = mapping->unit;
        if (!oracle_uncertain(mapping) && walk_at(harness->target, root, unit, &item) != WALK_LEAF) {
            note(harness, FLAW_MISSING, pd, ABI_MEM, unit);
            return;
        }
        mapping = oracle_next(harness->oracle, pd, ABI_MEM, unit + 1);
    }
}

static void compare_tables(struct harness *harness, uint32_t pd, uint64_t root, struct totals *totals) {
    static const enum flaw flaw_of[] = {
        [WALK_EMPTY] = FLAW_EMPTY_TABLE,
        [WALK_DANGLING] = FLAW_DANGLING_TABLE,
        [WALK_LEFTOVER] = FLAW_LEFTOVER,
        [WALK_OUTSIDE] = FLAW_OUTSIDE,
    };
    struct walk walk;
    struct walk_item item;
    struct rescind_usage usage;
    uint64_t units = 0;
    if (!walk_start(&walk, harness->target, root)) {
        note(harness, FLAW_ROOT_TABLE, pd, ABI_MEM, 0);
        return;
    }
    harness->target->usage(&usage);
    totals->tables++;
    while (walk_next(&walk, &item) != WALK_END) {
        if (item.what == WALK_LEAF) {
            units += UINT64_C(1) << (item.level * harness->target->geometry.level_bits);
            compare_leaf(harness, pd, &item);
        } else if (item.what == WALK_EMPTY && is_between(harness)) {
            totals->tables++;
        } else if (item.what != WALK_TABLE) {
            note(harness, flaw_of[item.what], pd, ABI_MEM, item.unit);
        } else if (totals->tables++ >= usage.tables) {
            /* More tables reached than there are: one of them twice, perhaps in a cycle. */
            note(harness, FLAW_SHARED_TABLE, pd, ABI_MEM, item.unit);
            walk_skip(&walk);
        }
    }
    if (units != oracle_units(harness->oracle, pd, ABI_MEM))
        find_unmapped(harness, pd, root);
}

/* ---- nodes ---- */

/* One space being compared. */
struct space {
    uint32_t pd, kernel; /* oracle's id, kernel's index */
    uint8_t kind;
    uint64_t root_table;
    uint32_t nodes, charged;
    uint64_t units;
    struct rescind_node_view previous;      /* in order of units */
    uint32_t previous_index, previous_next; /* and what that says comes next */
};

/* A node on the way from the root of the ordered index, and how far it has been dealt with. */
struct tree_step {
    uint32_t index;
    enum { STEP_LEFT, STEP_VISIT, STEP_LEAVE } next;
    uint8_t rank_below; /* the highest of its children */
    struct rescind_node_view view;
};

static uint64_t node_units(const struct rescind_node_view *node) {
    return UINT64_C(1) << node->order;
}

static bool get_mark(const struct harness *harness, uint32_t node, uint32_t bit) {
    return harness->mark[node] >> MARK_SHIFT == harness->mark_epoch && (harness->mark[node] & bit);
}

/* True: the other mark is there already. */
static bool set_mark(struct harness *harness, uint32_t node, uint32_t bit) {
    uint32_t old = harness->mark[node] >> MARK_SHIFT == harness->mark_epoch ? harness->mark[node] & MARK_ALL : 0;
    harness->mark[node] = harness->mark_epoch << MARK_SHIFT | old | bit;
    return old & ~bit;
}

static bool node_shape(const struct harness *harness, const struct space *space, const struct rescind_node_view *node) {
    uint8_t log2 = space_log2(harness, space->pd, space->kind);
    uint8_t order_max = space->kind == ABI_OBJ ? 0 : log2;
    uint8_t existence = space->kind == ABI_MEM ? ABI_R : all_rights(space->kind);
    /* One that is being removed loses its rights first; whether it may is compared with its units. */
    bool exists = (node->rights & existence) || (is_between(harness) && !node->rights);
    if (node->order > order_max || (node->rights & ~all_rights(space->kind)) || !exists)
        return false;
    uint64_t below = node_units(node) - 1;
    return !(node->base & below) && node->base >> log2 == 0 && (space->kind == ABI_OBJ || !(node->resource & below));
}

/* What PHYS holds of a kind: the frames below the kernel's, or all ports. */
static uint64_t phys_units(const struct harness *harness, uint8_t kind) {
    return kind == ABI_MEM ? harness->geometry.kernel_frame : UINT64_C(1) << harness->geometry.pio_log2;
}

/* PHYS holds it for ever, as itself, with all rights. */
static void compare_phys_node(struct harness *harness, const struct rescind_node_view *node) {
    if (node->base != node->resource || node->rights != all_rights(node->kind) || node->parent != RESCIND_NONE ||
        node->base + node_units(node) > phys_units(harness, node->kind))
        note(harness, FLAW_PHYS, ORACLE_PHYS, node->kind, node->base);
}

static void compare_capability(struct harness *harness, const struct space *space, const struct rescind_node_view *node,
                               const struct oracle_mapping *mapping) {
    if (mapping->resource != oracle_id(harness, node->resource))
        note(harness, FLAW_WRONG_RESOURCE, space->pd, ABI_OBJ, node->base);
    if (node->rights & ~mapping->rights)
        note(harness, FLAW_WIDER, space->pd, ABI_OBJ, node->base);
    if ((mapping->rights & ~node->rights) && !oracle_uncertain(mapping))
        note(harness, FLAW_NARROWER, space->pd, ABI_OBJ, node->base);
}

/* Whether a kernel may have that unit (or, without one, nothing) as the parent of a mapping: where what lies between is
 * being dropped, that is not settled. */
static bool may_be_parent(const struct harness *harness, const struct oracle_mapping *mapping, uint32_t pd,
                          uint64_t unit) {
    const struct oracle_mapping *above = oracle_record(harness->oracle, mapping->parent);
    while (above && oracle_uncertain(above) && (above->pd != pd || above->unit != unit))
        above = oracle_record(harness->oracle, above->parent);
    return oracle_uncertain(mapping) || (above ? above->pd == pd && above->unit == unit : pd == ORACLE_NONE);
}

/* Each unit of a node must be mapped likewise by the oracle. The parents are compared from the parents' side. */
static void compare_units(struct harness *harness, const struct space *space, const struct rescind_node_view *node) {
    for (uint64_t i = 0; i < node_units(node); i++) {
        uint64_t unit = node->base + i;
        const struct oracle_mapping *mapping = oracle_at(harness->oracle, space->pd, space->kind, unit);
        if (!mapping) {
            note(harness, space->kind == ABI_OBJ ? FLAW_EXTRA : FLAW_NODE_EXTRA, space->pd, space->kind, unit);
            return;
        }
        if (space->kind == ABI_OBJ) {
            compare_capability(harness, space, node, mapping);
        } else {
            if (mapping->resource != node->resource + i)
                note(harness, FLAW_NODE_RESOURCE, space->pd, space->kind, unit);
            bool fits =
                oracle_uncertain(mapping) ? !(node->rights & ~mapping->rights) : mapping->rights == node->rights;
            if (!fits)
                note(harness, FLAW_NODE_RIGHTS, space->pd, space->kind, unit);
        }
        if (node->parent == RESCIND_NONE && !may_be_parent(harness, mapping, ORACLE_NONE, 0))
            note(harness, FLAW_PARENT, space->pd, space->kind, unit);
    }
}

/* A node of some order must be stored with leaves of one size. */
static void compare_leaf_size(struct harness *harness, const struct space *space,
                              const struct rescind_node_view *node) {
    const struct rescind_geometry *geometry = &harness->target->geometry;
    unsigned level = walk_leaf_level(geometry, node->order);
    uint64_t leaf = UINT64_C(1) << (level * geometry->level_bits);
    struct walk_item item;
    for (uint64_t unit = node->base; unit < node->base + node_units(node); unit += leaf) {
        if (walk_at(harness->target, space->root_table, unit, &item) == WALK_LEAF && item.level != level)
            note_number(harness, FLAW_LEAF_SIZE, space->pd, space->kind, level, item.level);
    }
}

/* Buddies are neighbours in order, so only the node before this one can be its buddy. */
static void compare_canonical(struct harness *harness, const struct space *space,
                              const struct rescind_node_view *node) {
    const struct rescind_node_view *before = &space->previous;
    uint64_t units = node_units(node);
    if (space->nodes && before->order == node->order && before->rights == node->rights &&
        before->parent == node->parent && (before->base ^ node->base) == units &&
        before->resource + units == node->resource && !(before->resource & units))
        note(harness, FLAW_UNMERGED, space->pd, space->kind, node->base);
}

/* One child against its parent: containment, and the oracle's parent of each unit. */
static void compare_child(struct harness *harness, const struct rescind_node_view *parent, uint32_t parent_pd,
                          const struct rescind_node_view *child) {
    uint32_t pd = oracle_id(harness, child->pd);
    bool object = child->kind == ABI_OBJ;
    uint64_t offset = !object ? child->resource - parent->resource : 0;
    if (child->kind != parent->kind || child->order > parent->order || offset >= node_units(parent) ||
        (object && child->resource != parent->resource)) {
        note(harness, FLAW_CONTAINMENT, pd, child->kind, child->base);
        return;
    }
    for (uint64_t i = 0; i < node_units(child); i++) {
        const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, child->kind, child->base + i);
        if (!mapping)
            return;
        if (parent->rights && !may_be_parent(harness, mapping, parent_pd, parent->base + offset + i)) {
            note(harness, FLAW_PARENT, pd, child->kind, child->base + i);
            return;
        }
    }
}

/* What a node's children may derive from: while it takes in its buddy, from that too. */
static struct rescind_node_view as_parent(const struct harness *harness, uint32_t index,
                                          const struct rescind_node_view *node) {
    struct rescind_node_view whole = *node;
    if (!is_between(harness) || !harness->target->joining || harness->target->joining() != index)
        return whole;
    whole.base &= ~node_units(node);
    whole.resource &= ~node_units(node);
    whole.order++;
    return whole;
}

static void compare_children(struct harness *harness, const struct space *space, uint32_t index,
                             const struct rescind_node_view *node, struct totals *totals) {
    const struct rescind_target *target = harness->target;
    const struct rescind_node_view parent = as_parent(harness, index, node);
    struct rescind_node_view child;
    uint32_t previous = RESCIND_NONE;
    for (uint32_t at = node->first_child; at != RESCIND_NONE; at = child.next_sibling) {
        if (!target->node(at, &child)) {
            note(harness, FLAW_NODE_DEAD, space->pd, space->kind, node->base);
            return;
        }
        if (get_mark(harness, at, MARK_LISTED) || child.parent != index || child.previous_sibling != previous) {
            note(harness, FLAW_SIBLINGS, space->pd, space->kind, node->base);
            return;
        }
        totals->found_twice += set_mark(harness, at, MARK_LISTED);
        totals->listed++;
        if (oracle_id(harness, child.pd) == ORACLE_NONE)
            note(harness, FLAW_DEAD_SPACE, space->pd, space->kind, node->base);
        else
            compare_child(harness, &parent, space->pd, &child);
        previous = at;
    }
}

/* The links between a node and the one before it; without an index: that there is none after that. */
static void compare_order(struct harness *harness, struct space *space, uint32_t index,
                          const struct rescind_node_view *node) {
    bool first = space->previous_index == RESCIND_NONE;
    if ((!first && space->previous_next != index) || (node && node->previous_in_order != space->previous_index))
        note(harness, FLAW_ORDER_LINK, space->pd, space->kind, node ? node->base : space->previous.base);
    space->previous_index = index;
    space->previous_next = node ? node->next_in_order : RESCIND_NONE;
}

/* Deals with one node, in order of units. */
static void visit(struct harness *harness, struct space *space, uint32_t index, const struct rescind_node_view *node,
                  struct totals *totals) {
    if (node->pd != space->kernel || node->kind != space->kind)
        note(harness, FLAW_NODE_OWNER, space->pd, space->kind, node->base);
    compare_order(harness, space, index, node);
    if (!node_shape(harness, space, node)) {
        note(harness, FLAW_NODE_SHAPE, space->pd, space->kind, node->base);
        return;
    }
    if (space->nodes && space->previous.base + node_units(&space->previous) > node->base)
        note(harness, FLAW_NODE_OVERLAP, space->pd, space->kind, node->base);
    if (space->pd == ORACLE_PHYS) {
        compare_phys_node(harness, node);
    } else {
        compare_units(harness, space, node);
        if (space->kind != ABI_OBJ && !is_between(harness))
            compare_canonical(harness, space, node);
        if (space->kind == ABI_MEM && !is_between(harness))
            compare_leaf_size(harness, space, node);
    }
    if (node->parent == RESCIND_NONE && (node->next_sibling != RESCIND_NONE || node->previous_sibling != RESCIND_NONE))
        note(harness, FLAW_SIBLINGS, space->pd, space->kind, node->base);
    compare_children(harness, space, index, node, totals);
    space->units += node_units(node);
    space->previous = *node;
    space->nodes++;
    space->charged += node->charged;
    totals->parentless += node->parent == RESCIND_NONE;
}

/* Goes down one link of the ordered index. False: there is nothing to go to. */
static bool descend(struct harness *harness, const struct space *space, struct tree_step *step, unsigned depth,
                    uint32_t index, struct totals *totals) {
    if (index == RESCIND_NONE)
        return false;
    struct tree_step *below = &step[depth];
    uint64_t unit = depth ? step[depth - 1].view.base : 0;
    uint32_t above = depth ? step[depth - 1].index : RESCIND_NONE;
    if (depth == TREE_DEPTH_MAX || index >= harness->target->node_limit || get_mark(harness, index, MARK_INDEXED)) {
        note(harness, FLAW_TREE_SHARED, space->pd, space->kind, unit);
        return false;
    }
    if (!harness->target->node(index, &below->view)) {
        note(harness, FLAW_NODE_DEAD, space->pd, space->kind, unit);
        return false;
    }
    totals->found_twice += set_mark(harness, index, MARK_INDEXED);
    totals->indexed++;
    if (below->view.tree_parent != above)
        note(harness, FLAW_TREE_LINK, space->pd, space->kind, below->view.base);
    below->index = index;
    below->next = STEP_LEFT;
    below->rank_below = 0;
    return true;
}

/* The first unit that the oracle maps and no node covers. */
static void find_uncovered(struct harness *harness, const struct space *space, uint32_t root) {
    const struct oracle_mapping *mapping = oracle_next(harness->oracle, space->pd, space->kind, 0);
    while (mapping) {
        struct rescind_node_view node;
        uint64_t unit = mapping->unit;
        uint32_t at = root;
        bool covered = false;
        for (unsigned depth = 0; depth < TREE_DEPTH_MAX && !covered && at != RESCIND_NONE; depth++) {
            if (!harness->target->node(at, &node))
                break;
            covered = unit >= node.base && unit - node.base < node_units(&node);
            at = unit < node.base ? node.tree_left : node.tree_right;
        }
        if (!covered && !oracle_uncertain(mapping)) {
            note(harness, space->kind == ABI_OBJ ? FLAW_MISSING : FLAW_NODE_MISSING, space->pd, space->kind, unit);
            return;
        }
        mapping = oracle_next(harness->oracle, space->pd, space->kind, unit + 1);
    }
}

/* Walks the ordered index of a space and compares each node. */
static void compare_space(struct harness *harness, struct space *space, uint32_t root, struct totals *totals) {
    struct tree_step step[TREE_DEPTH_MAX];
    space->previous_index = RESCIND_NONE;
    unsigned depth = descend(harness, space, step, 0, root, totals);
    while (depth) {
        struct tree_step *top = &step[depth - 1];
        switch (top->next) {
        case STEP_LEFT:
            top->next = STEP_VISIT;
            depth += descend(harness, space, step, depth, top->view.tree_left, totals);
            break;
        case STEP_VISIT:
            visit(harness, space, top->index, &top->view, totals);
            top->next = STEP_LEAVE;
            depth += descend(harness, space, step, depth, top->view.tree_right, totals);
            break;
        case STEP_LEAVE:
            if (top->view.tree_rank <= top->rank_below)
                note(harness, FLAW_TREE_RANK, space->pd, space->kind, top->view.base);
            depth--;
            if (depth && step[depth - 1].rank_below < top->view.tree_rank)
                step[depth - 1].rank_below = top->view.tree_rank;
            break;
        }
    }
    compare_order(harness, space, RESCIND_NONE, NULL);
}

/* ---- ports ---- */

static void compare_ports(struct harness *harness, uint32_t pd, const uint64_t *bitmap) {
    uint64_t words = (UINT64_C(1) << harness->geometry.pio_log2) / PORT_BITS, allowed = 0;
    for (uint64_t word = 0; word < words; word++) {
        for (uint64_t free = ~bitmap[word]; free; free &= free - 1, allowed++) {
            uint64_t port = word * PORT_BITS + (unsigned)__builtin_ctzll(free);
            if (!oracle_at(harness->oracle, pd, ABI_PIO, port)) {
                note(harness, FLAW_EXTRA, pd, ABI_PIO, port);
                return;
            }
        }
    }
    const struct oracle_mapping *mapping = oracle_next(harness->oracle, pd, ABI_PIO, 0);
    while (mapping && allowed != oracle_units(harness->oracle, pd, ABI_PIO)) {
        uint64_t port = mapping->unit;
        if ((bitmap[port / PORT_BITS] >> port % PORT_BITS & 1) && !oracle_uncertain(mapping)) {
            note(harness, FLAW_MISSING, pd, ABI_PIO, port);
            return;
        }
        mapping = oracle_next(harness->oracle, pd, ABI_PIO, port + 1);
    }
}

/* ---- accounts ---- */

static void compare_account(struct harness *harness, uint32_t id, const struct rescind_pd_view *view, uint32_t charged,
                            uint32_t tables) {
    const struct rescind_costs *costs = &harness->target->costs;
    uint64_t used = costs->pd + (uint64_t)costs->node * charged + (uint64_t)costs->table * tables +
                    (uint64_t)costs->object * oracle_paid(harness->oracle, id);
    uint32_t payer = oracle_payer(harness->oracle, id);
    uint32_t expected = payer == ORACLE_NONE ? RESCIND_NONE : kernel_pd(harness, payer);
    if (view->payer != expected)
        note_number(harness, FLAW_PAYER, id, ABI_OBJ, expected, view->payer);
    if (!ledger_fits(harness, id, view))
        note_number(harness, FLAW_QUOTA, id, ABI_OBJ, harness->ledger[id].quota, view->quota);
    ledger_update(harness, id, view);
    if (view->used != used)
        note_number(harness, FLAW_ACCOUNT, id, ABI_OBJ, used, view->used);
    if (view->used > view->quota)
        note_number(harness, FLAW_OVERDRAWN, id, ABI_OBJ, view->quota, view->used);
}

/* ---- everything ---- */

static void compare_pd(struct harness *harness, uint32_t id, struct totals *totals) {
    uint32_t kernel = kernel_pd(harness, id), tables = totals->tables, charged = totals->charged;
    struct rescind_pd_view view;
    if (kernel == RESCIND_NONE || !harness->target->pd(kernel, &view)) {
        if (!oracle_may_die(harness->oracle, id))
            note(harness, FLAW_PD_DIED, id, ABI_OBJ, 0);
        return;
    }
    if (view.dying != oracle_is_dying(harness->oracle, id) && !(view.dying && oracle_may_die(harness->oracle, id)))
        note(harness, view.dying ? FLAW_PD_DIED : FLAW_PD_SURVIVED, id, ABI_OBJ, 0);
    totals->pds++;
    totals->quota += view.quota;
    compare_tables(harness, id, view.root_table, totals);
    if (view.ports)
        compare_ports(harness, id, view.ports);
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        struct space space = {.pd = id, .kernel = kernel, .kind = kind, .root_table = view.root_table};
        compare_space(harness, &space, view.tree_root[kind], totals);
        totals->charged += space.charged;
        if (space.units != oracle_units(harness->oracle, id, kind))
            find_uncovered(harness, &space, view.tree_root[kind]);
        if (space.nodes != view.node_count[kind])
            note_number(harness, FLAW_NODE_COUNT, id, kind, space.nodes, view.node_count[kind]);
    }
    uint32_t references = oracle_references(harness->oracle, id);
    if (view.references != references && !is_between(harness))
        note_number(harness, FLAW_REFERENCES, id, ABI_OBJ, references, view.references);
    if (harness->target->costs.pd && !is_between(harness))
        compare_account(harness, id, &view, totals->charged - charged, totals->tables - tables - 1);
}

static void compare_object(struct harness *harness, uint32_t id, struct totals *totals) {
    uint32_t kernel = harness->object_kernel_of[id ^ ORACLE_OBJECT];
    struct rescind_object_view view;
    if (kernel == RESCIND_NONE || !harness->target->object(kernel ^ RESCIND_OBJECT, &view)) {
        if (!oracle_may_die(harness->oracle, id))
            note(harness, FLAW_PD_DIED, id, ABI_OBJ, 0);
        return;
    }
    totals->objects++;
    if (is_between(harness))
        return;
    uint32_t references = oracle_references(harness->oracle, id), payer = oracle_payer(harness->oracle, id);
    if (view.references != references)
        note_number(harness, FLAW_REFERENCES, id, ABI_OBJ, references, view.references);
    if (view.payer != kernel_pd(harness, payer))
        note_number(harness, FLAW_PAYER, id, ABI_OBJ, kernel_pd(harness, payer), view.payer);
}

/* PHYS; its nodes are charged to nobody. */
static void compare_phys(struct harness *harness, struct totals *totals) {
    for (uint8_t kind = ABI_MEM; kind <= ABI_PIO; kind++) {
        struct space space = {.pd = ORACLE_PHYS, .kernel = RESCIND_PD_PHYS, .kind = kind};
        if (!(harness->target->kinds >> kind & 1))
            continue;
        compare_space(harness, &space, harness->target->phys_tree_root(kind), totals);
        if (space.units != phys_units(harness, kind))
            note(harness, FLAW_PHYS, ORACLE_PHYS, kind, 0);
    }
}

/* Each node of an ordered index has no parent, or is in its parent's list. */
static void compare_lists(struct harness *harness, const struct totals *totals) {
    if (totals->found_twice == totals->listed && totals->listed + totals->parentless == totals->indexed)
        return;
    struct rescind_node_view view;
    for (uint32_t i = 0; i < harness->target->node_limit; i++) {
        bool in_index = get_mark(harness, i, MARK_INDEXED);
        bool in_list = get_mark(harness, i, MARK_LISTED);
        if ((in_index || in_list) && harness->target->node(i, &view)) {
            if (in_index && !in_list && view.parent != RESCIND_NONE)
                note(harness, FLAW_UNLISTED, oracle_id(harness, view.pd), view.kind, view.base);
            if (in_list && !in_index)
                note(harness, FLAW_UNINDEXED, oracle_id(harness, view.pd), view.kind, view.base);
        }
    }
}

/* More is alive than the oracle knows. */
static void find_unknown(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    struct rescind_pd_view pd;
    struct rescind_object_view object;
    for (uint32_t i = 0; i < target->pd_limit; i++) {
        if (harness->id_of[i] == ORACLE_NONE && target->pd(i, &pd))
            note(harness, FLAW_PD_APPEARED, ORACLE_NONE, ABI_OBJ, i);
    }
    for (uint32_t i = 0; i < target->object_limit; i++) {
        if (harness->object_id_of[i] == ORACLE_NONE && target->object(i, &object))
            note(harness, FLAW_PD_APPEARED, ORACLE_NONE, ABI_OBJ, i);
    }
}

static void compare_usage(struct harness *harness, const struct totals *totals) {
    const struct rescind_usage *boot = &harness->boot_usage;
    struct rescind_usage usage;
    harness->target->usage(&usage);
    uint32_t pds = boot->pds + totals->pds - 1;
    uint32_t nodes = boot->nodes + totals->charged;
    uint32_t tables = boot->tables + totals->tables - 1;
    if (usage.pds != pds || usage.objects != totals->objects)
        find_unknown(harness);
    if (usage.pds != pds)
        note_number(harness, FLAW_USED_PDS, ORACLE_NONE, ABI_OBJ, pds, usage.pds);
    if (usage.objects != totals->objects)
        note_number(harness, FLAW_USED_OBJECTS, ORACLE_NONE, ABI_OBJ, totals->objects, usage.objects);
    if (usage.nodes != nodes)
        note_number(harness, FLAW_USED_NODES, ORACLE_NONE, ABI_MEM, nodes, usage.nodes);
    if (usage.tables != tables)
        note_number(harness, FLAW_USED_TABLES, ORACLE_NONE, ABI_MEM, tables, usage.tables);
    if (totals->quota != harness->boot_root.quota)
        note_number(harness, FLAW_QUOTA, ORACLE_NONE, ABI_OBJ, harness->boot_root.quota, totals->quota);
}

void compare_full(struct harness *harness) {
    struct totals totals = {0};
    if (++harness->mark_epoch == epoch_end) {
        __builtin_memset(harness->mark, 0, harness->target->node_limit * sizeof(*harness->mark));
        harness->mark_epoch = 1;
    }
    uint32_t limit = oracle_pd_limit(harness->oracle), objects = oracle_object_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        if (oracle_alive(harness->oracle, id))
            compare_pd(harness, id, &totals);
    }
    for (uint32_t number = 0; number < objects; number++) {
        if (oracle_alive(harness->oracle, ORACLE_OBJECT | number))
            compare_object(harness, ORACLE_OBJECT | number, &totals);
    }
    compare_phys(harness, &totals);
    compare_lists(harness, &totals);
    if (!is_between(harness))
        compare_usage(harness, &totals);
    compare_cpus(harness);
}
