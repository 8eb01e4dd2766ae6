/*
 * The picture of a target: PDs and nodes. Page tables and port bitmaps are in mirror_tables.c.
 */
#include "harness/mirror.h"

#include "harness/mirror_hash.h"

void mirror_see(struct mirror *mirror, const char *what) {
    if (!mirror->seen)
        mirror->seen = what;
}

void mirror_start(struct mirror *mirror) {
    mirror->run++;
    mirror->operation++;
    mirror->tables = mirror->charged = mirror->pds = mirror->touched_count = 0;
    mirror->units = mirror->wanted = mirror->hardware = mirror->links = mirror->quota = 0;
    mirror->seen = NULL;
    mirror->lost = false;
    mirror->taking = true;
    mirror->pd[mirror->target->pd_limit] =
        (struct mirror_pd){.run = mirror->run, .root = {RESCIND_NONE, RESCIND_NONE, RESCIND_NONE}, .id = ORACLE_PHYS};
}

void mirror_next(struct mirror *mirror) {
    mirror->operation++;
    mirror->touched_count = 0;
    mirror->quota = 0;
    mirror->seen = NULL;
    mirror->lost = false;
    mirror->taking = false;
}

/* ---- links ---- */

/* What a node says of its links: those that it has to others count up, those that others must have to it count down. */
static inline uint64_t hash_links(uint32_t node, uint32_t pd, const struct rescind_node_view *view) {
    uint64_t list = hash_list(view->parent), index = hash_index(pd, view->kind);
    uint64_t leads_to =
        list * hash_to(view->next_sibling) + index * (hash_to(view->tree_left) + hash_to(view->tree_right));
    uint64_t hangs_from = list * hash_from(view->previous_sibling) + index * hash_from(view->tree_parent);
    uint64_t in_order =
        hash_number(node) * hash_to(view->next_in_order) - hash_to(node) * hash_number(view->previous_in_order);
    return hash_from(node) * leads_to + hash_list(node) * hash_to(view->first_child) * hash_head -
           hash_to(node) * hangs_from + hash_order * in_order;
}

void mirror_set_roots(struct mirror *mirror, uint32_t slot, const uint32_t root[ABI_KINDS]) {
    struct mirror_pd *pd = &mirror->pd[slot];
    uint64_t sum = 0;
    if (!((root[ABI_MEM] ^ pd->root[ABI_MEM]) | (root[ABI_PIO] ^ pd->root[ABI_PIO]) |
          (root[ABI_OBJ] ^ pd->root[ABI_OBJ])))
        return;
    for (unsigned kind = 0; kind < ABI_KINDS; kind++)
        sum += hash_index(slot, kind) * hash_to(root[kind]) * hash_head;
    mirror->links += sum - pd->roots;
    pd->roots = sum;
    __builtin_memcpy(pd->root, root, sizeof(pd->root));
}

/* ---- nodes ---- */

/* The PD or object that a capability names may have another number of references now. */
static inline void touch_named(struct mirror *mirror, const struct rescind_node_view *view) {
    if (view->kind == ABI_OBJ && view->resource < mirror->target->pd_limit)
        mirror_touch(mirror, (uint32_t)view->resource);
}

/* Enters a node into the counts of its space, or takes it out (by = -1). */
static inline void count(struct mirror *mirror, const struct mirror_node *node, uint32_t by) {
    struct mirror_pd *pd = &mirror->pd[node->pd];
    uint32_t charged = node->view.charged ? by : 0;
    pd->nodes[node->view.kind] += by;
    pd->charged += charged;
    mirror->charged += charged;
}

/* Likewise into the count of those before which there is none in order. */
static inline void count_first(struct mirror *mirror, const struct mirror_node *node, uint32_t by) {
    mirror->pd[node->pd].firsts[node->view.kind] += node->view.previous_in_order == RESCIND_NONE ? by : 0;
}

/* Whether the node's units say what they said. */
static inline bool same_mapping(const struct rescind_node_view *was, const struct rescind_node_view *is) {
    uint32_t small = (uint32_t)(was->order ^ is->order) | (uint32_t)(was->rights ^ is->rights) |
                     (uint32_t)(was->kind ^ is->kind) | (uint32_t)(was->charged ^ is->charged) | (was->pd ^ is->pd) |
                     (was->parent ^ is->parent);
    return !((was->base ^ is->base) | (was->resource ^ is->resource) | small);
}

static inline bool same_place(const struct rescind_node_view *was, const struct rescind_node_view *is) {
    return !((was->tree_left ^ is->tree_left) | (was->tree_right ^ is->tree_right) |
             (was->tree_parent ^ is->tree_parent) | (was->next_in_order ^ is->next_in_order) |
             (was->previous_in_order ^ is->previous_in_order) | (uint32_t)(was->tree_rank ^ is->tree_rank));
}

static inline bool same_view(const struct rescind_node_view *was, const struct rescind_node_view *is) {
    return same_mapping(was, is) && same_place(was, is) &&
           !((was->first_child ^ is->first_child) | (was->next_sibling ^ is->next_sibling) |
             (was->previous_sibling ^ is->previous_sibling));
}

/* The node is no longer what it was. */
static void leave_mapping(struct mirror *mirror, const struct mirror_node *node) {
    count(mirror, node, UINT32_MAX);
    mirror_touch(mirror, node->pd);
    touch_named(mirror, &node->view);
}

static void forget_node(struct mirror *mirror, struct mirror_node *node) {
    mirror->units -= node->units;
    mirror->wanted -= node->leaves;
    mirror->links -= node->links;
    count_first(mirror, node, UINT32_MAX);
    leave_mapping(mirror, node);
    if (node->pd == mirror->target->pd_limit)
        mirror_see(mirror, "phys");
    node->run = 0;
}

void mirror_update_node(struct mirror *mirror, uint32_t index) {
    struct mirror_node *node = &mirror->node[index];
    const struct rescind_node_view *was = &node->view;
    struct rescind_node_view is;
    bool known = node->run == mirror->run;
    if (!mirror->target->node(index, &is)) {
        if (known)
            forget_node(mirror, node);
        return;
    }
    uint32_t pd = mirror_slot(mirror, is.pd);
    if (!mirror_alive(mirror, pd) || is.kind >= ABI_KINDS || is.order >= 64) {
        mirror_see(mirror, "owner");
        return;
    }
    uint64_t links = hash_links(index, pd, &is);
    if (known) {
        mirror->links -= node->links;
        count_first(mirror, node, UINT32_MAX);
    } else {
        node->run = mirror->run;
        node->units = node->leaves = 0;
    }
    mirror->links += links;
    node->links = links;
    bool remapped = !known || !same_mapping(was, &is);
    if (remapped && known)
        leave_mapping(mirror, node);
    if (remapped || !same_place(was, &is))
        node->hung = mirror->operation;
    if (remapped) {
        node->shrunk = known && (is.order < was->order || was->pd != is.pd || was->kind != is.kind ||
                                 was->base - was->resource != is.base - is.resource);
        node->remapped = mirror->operation;
    }
    node->view = is;
    node->pd = pd;
    count_first(mirror, node, 1);
    mirror_touch(mirror, pd);
    if (remapped) {
        count(mirror, node, 1);
        touch_named(mirror, &is);
    }
    if ((is.parent == RESCIND_NONE) & ((is.next_sibling & is.previous_sibling) != RESCIND_NONE))
        mirror_see(mirror, "siblings");
}

/* ---- what nodes stand for ---- */

static inline uint8_t space_log2_of(const struct mirror *mirror, const struct mirror_node *node) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    if (node->view.kind != ABI_MEM)
        return node->view.kind == ABI_OBJ ? geometry->obj_log2 : geometry->pio_log2;
    return node->pd == mirror->target->pd_limit ? geometry->phys_log2 : geometry->mem_log2;
}

static inline bool well_formed(const struct mirror *mirror, const struct mirror_node *node) {
    static const uint8_t defined[ABI_KINDS] = {ABI_MEM_RIGHTS, ABI_PIO_RIGHTS, ABI_OBJ_RIGHTS};
    static const uint8_t existence[ABI_KINDS] = {ABI_R, ABI_PIO_RIGHTS, ABI_OBJ_RIGHTS};
    const struct rescind_node_view *view = &node->view;
    uint8_t log2 = space_log2_of(mirror, node);
    bool object = view->kind == ABI_OBJ;
    uint64_t below = (UINT64_C(1) << view->order) - 1;
    bool wrong_size = view->order > (object ? 0 : log2), wrong_place = view->base >> log2 != 0;
    bool wrong_rights = (view->rights & ~defined[view->kind]) | !(view->rights & existence[view->kind]);
    bool misaligned = ((view->base | (object ? 0 : view->resource)) & below) != 0;
    return !(wrong_size | wrong_place | wrong_rights | misaligned);
}

/* The oracle's name for what a node refers to. */
static inline uint64_t resource_of(const struct mirror *mirror, const struct rescind_node_view *view) {
    if (view->kind != ABI_OBJ)
        return view->resource;
    uint64_t object = view->resource ^ RESCIND_OBJECT;
    if (object < mirror->target->object_limit)
        return mirror->object_id[object];
    return view->resource < mirror->target->pd_limit && mirror_alive(mirror, (uint32_t)view->resource)
               ? mirror->pd[view->resource].id
               : UINT64_MAX;
}

/* The key of a node's first unit. False: the node does not lie within its parent. */
static inline bool key_of(const struct mirror *mirror, const struct mirror_node *node, uint64_t *key) {
    const struct rescind_node_view *view = &node->view;
    uint64_t resource = resource_of(mirror, view), above = 0;
    uint32_t id = mirror->pd[node->pd].id, above_id = ORACLE_NONE;
    bool within = true;
    if (view->parent != RESCIND_NONE) {
        if (view->parent >= mirror->target->node_limit)
            return false;
        const struct mirror_node *parent = &mirror->node[view->parent];
        bool object = view->kind == ABI_OBJ;
        uint64_t offset = view->resource - parent->view.resource;
        if (parent->run != mirror->run)
            return false;
        within = (parent->view.kind == view->kind) & (parent->view.order >= view->order) &
                 (object ? offset == 0 : offset >> parent->view.order == 0);
        above = parent->view.base + offset;
        above_id = mirror->pd[parent->pd].id;
    }
    *key = oracle_key(id, view->kind, view->base, resource, view->rights, above_id, above);
    return within;
}

static void digest_mapping(struct mirror *mirror, struct mirror_node *node) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    const struct rescind_node_view *view = &node->view;
    uint64_t units = 0, leaves = 0, key = 0;
    if (!well_formed(mirror, node)) {
        mirror_see(mirror, "shape");
    } else if (!key_of(mirror, node, &key)) {
        mirror_see(mirror, "parent");
    } else {
        uint64_t number = UINT64_C(1) << view->order;
        uint32_t id = mirror->pd[node->pd].id;
        unsigned log2 = walk_leaf_level(geometry, view->order) * geometry->level_bits;
        units = oracle_hash_keys(key, ORACLE_KEY_STEP, number);
        if (view->kind == ABI_MEM)
            leaves = hash_leaves(id, log2, view->base, view->resource, view->rights, number >> log2);
        else if (view->kind == ABI_PIO)
            leaves = hash_ports(id, view->base, number);
    }
    mirror->units += units - node->units;
    mirror->wanted += leaves - node->leaves;
    node->units = units;
    node->leaves = leaves;
}

/* PHYS holds everything for ever, as itself, with all rights. */
static void check_phys(struct mirror *mirror, const struct mirror_node *node) {
    const struct rescind_node_view *view = &node->view;
    uint8_t rights = view->kind == ABI_MEM ? ABI_MEM_RIGHTS : ABI_PIO_RIGHTS;
    if (!mirror->taking || !well_formed(mirror, node) || view->kind == ABI_OBJ || view->base != view->resource ||
        view->rights != rights || view->parent != RESCIND_NONE)
        mirror_see(mirror, "phys");
}

/* The children of a node that is another than before, or covers less. */
static void digest_children(struct mirror *mirror, const struct mirror_node *node) {
    uint32_t at = node->view.first_child;
    for (uint32_t i = 0; at != RESCIND_NONE; i++) {
        if (i == mirror->target->node_limit || at >= mirror->target->node_limit ||
            mirror->node[at].run != mirror->run) {
            mirror_see(mirror, "children");
            return;
        }
        digest_mapping(mirror, &mirror->node[at]);
        at = mirror->node[at].view.next_sibling;
    }
}

/* ---- the ordered index ---- */

static inline const struct mirror_node *node_or_none(const struct mirror *mirror, uint32_t index) {
    uint32_t limit = mirror->target->node_limit;
    return &mirror->node[index < limit ? index : limit];
}

static inline uint64_t end_of(const struct rescind_node_view *view) {
    return view->base + (UINT64_C(1) << view->order);
}

/* A node between its children in the ordered index, and before its neighbour. That all of a subtree lies on the right
 * side of what is further above is seen by mirror_digest_index only. */
static inline void check_hanging(struct mirror *mirror, const struct rescind_node_view *view) {
    const struct rescind_node_view *left = &node_or_none(mirror, view->tree_left)->view;
    const struct rescind_node_view *right = &node_or_none(mirror, view->tree_right)->view;
    const struct rescind_node_view *next = &node_or_none(mirror, view->next_in_order)->view;
    bool wrong_left = (left->tree_rank != 0) & (end_of(left) > view->base);
    bool wrong_right = (right->tree_rank != 0) & (right->base < end_of(view));
    bool wrong_next = (next->tree_rank != 0) & (next->base < end_of(view));
    if ((left->tree_rank >= view->tree_rank) | (right->tree_rank >= view->tree_rank))
        mirror_see(mirror, "rank");
    if (wrong_left | wrong_right | wrong_next)
        mirror_see(mirror, "index-order");
}

void mirror_digest_node(struct mirror *mirror, uint32_t index) {
    struct mirror_node *node = &mirror->node[index];
    if (node->run != mirror->run)
        return;
    if (node->remapped == mirror->operation && node->pd != mirror->target->pd_limit) {
        digest_mapping(mirror, node);
        if (node->shrunk)
            digest_children(mirror, node);
    } else if (node->remapped == mirror->operation) {
        check_phys(mirror, node);
    }
    if (node->hung == mirror->operation) {
        check_hanging(mirror, &node->view);
        const struct mirror_node *above = node_or_none(mirror, node->view.tree_parent);
        if (above->run == mirror->run && above->hung != mirror->operation)
            check_hanging(mirror, &above->view);
    }
}

/* ---- whole indices ---- */

enum { DEPTH_MAX = 64 };

/* The way to a place in an ordered index: nodes whose right side is still to come. */
struct way {
    uint32_t node[DEPTH_MAX];
    uint32_t depth, done;
};

/* The next node in order, from `at` (none: whatever comes after the last one) on. False: no more, or too many. */
static bool next_in_index(struct mirror *mirror, struct way *way, uint32_t at, bool take, uint32_t *index) {
    for (; at < mirror->target->node_limit; at = mirror->node[at].view.tree_left) {
        if (way->depth == DEPTH_MAX || way->done++ == mirror->target->node_limit) {
            mirror_see(mirror, "index-shape");
            return false;
        }
        if (take)
            mirror_update_node(mirror, at);
        if (mirror->node[at].run != mirror->run)
            break;
        way->node[way->depth++] = at;
    }
    if (!way->depth)
        return false;
    *index = way->node[--way->depth];
    return true;
}

void mirror_take_index(struct mirror *mirror, uint32_t root) {
    struct way way = {.depth = 0, .done = 0};
    uint32_t index;
    for (bool more = next_in_index(mirror, &way, root, true, &index); more;)
        more = next_in_index(mirror, &way, mirror->node[index].view.tree_right, true, &index);
}

void mirror_digest_index(struct mirror *mirror, uint32_t root) {
    struct way way = {.depth = 0, .done = 0};
    uint32_t index;
    for (bool more = next_in_index(mirror, &way, root, false, &index); more;) {
        mirror_digest_node(mirror, index);
        more = next_in_index(mirror, &way, mirror->node[index].view.tree_right, false, &index);
    }
}

/* Neighbours in order: apart, and not two that could be one. */
static void check_neighbours(struct mirror *mirror, const struct mirror_node *node, const struct mirror_node *next) {
    const struct rescind_node_view *a = &node->view, *b = &next->view;
    uint64_t units = UINT64_C(1) << a->order;
    if (end_of(a) > b->base)
        mirror_see(mirror, "index-order");
    if (node->pd != mirror->target->pd_limit && a->kind != ABI_OBJ && a->order == b->order && a->rights == b->rights &&
        a->parent == b->parent && (a->base ^ b->base) == units && a->resource + units == b->resource &&
        !(a->resource & units))
        mirror_see(mirror, "unmerged");
}

static uint32_t count_children(struct mirror *mirror, const struct mirror_node *node) {
    uint32_t at = node->view.first_child, children = 0;
    for (; at < mirror->target->node_limit; at = mirror->node[at].view.next_sibling) {
        if (mirror->node[at].run != mirror->run || children++ == mirror->target->node_limit) {
            mirror_see(mirror, "children");
            break;
        }
    }
    return children;
}

void mirror_check_index(struct mirror *mirror, uint32_t slot, unsigned kind, struct mirror_totals *totals) {
    struct way way = {.depth = 0, .done = 0};
    const struct mirror_pd *pd = &mirror->pd[slot];
    const struct mirror_node *previous = NULL;
    struct rescind_node_view view;
    uint32_t index, nodes = 0;
    for (bool more = next_in_index(mirror, &way, pd->root[kind], false, &index); more; nodes++) {
        const struct mirror_node *node = &mirror->node[index];
        if (!mirror->target->node(index, &view) || !same_view(&node->view, &view))
            mirror_see(mirror, "unlogged");
        if (previous)
            check_neighbours(mirror, previous, node);
        if (previous && previous->view.next_in_order != index)
            mirror_see(mirror, "order-link");
        totals->units += UINT64_C(1) << node->view.order;
        totals->parented += node->view.parent != RESCIND_NONE;
        totals->listed += count_children(mirror, node);
        previous = node;
        more = next_in_index(mirror, &way, node->view.tree_right, false, &index);
    }
    if (previous && previous->view.next_in_order != RESCIND_NONE)
        mirror_see(mirror, "order-link");
    if (nodes != pd->nodes[kind])
        mirror_see(mirror, "unindexed");
}

/* ---- PHYS ---- */

void mirror_keep_phys(struct mirror *mirror) {
    uint32_t slot = mirror->target->pd_limit;
    mirror->phys_count = 0;
    __builtin_memcpy(mirror->phys_root, mirror->pd[slot].root, sizeof(mirror->phys_root));
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        struct way way = {.depth = 0, .done = 0};
        uint32_t index;
        for (bool more = next_in_index(mirror, &way, mirror->phys_root[kind], false, &index); more;) {
            const struct mirror_node *node = &mirror->node[index];
            if (mirror->phys_count == MIRROR_PHYS) {
                mirror->phys_count = 0;
                return;
            }
            mirror->phys[mirror->phys_count++] = (struct mirror_phys){node->view, node->links, index};
            more = next_in_index(mirror, &way, node->view.tree_right, false, &index);
        }
    }
}

static bool phys_fits(const struct mirror *mirror) {
    struct rescind_node_view view;
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        if (mirror->target->phys_tree_root((enum abi_kind)kind) != mirror->phys_root[kind])
            return false;
    }
    for (uint32_t i = 0; i < mirror->phys_count; i++) {
        if (!mirror->target->node(mirror->phys[i].index, &view) || !same_view(&mirror->phys[i].view, &view))
            return false;
    }
    return mirror->phys_count > 0;
}

bool mirror_take_phys(struct mirror *mirror) {
    uint32_t slot = mirror->target->pd_limit;
    if (!phys_fits(mirror))
        return false;
    mirror_set_roots(mirror, slot, mirror->phys_root);
    for (uint32_t i = 0; i < mirror->phys_count; i++) {
        struct mirror_node *node = &mirror->node[mirror->phys[i].index];
        node->run = mirror->run;
        node->units = node->leaves = 0;
        node->links = mirror->phys[i].links;
        node->view = mirror->phys[i].view;
        node->pd = slot;
        mirror->links += node->links;
        count(mirror, node, 1);
        count_first(mirror, node, 1);
    }
    return true;
}
