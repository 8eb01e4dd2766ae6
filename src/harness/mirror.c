/*
 * The picture of a target: PDs and nodes. Page tables and port bitmaps are in mirror_tables.c.
 */
#include "harness/mirror.h"

#include "harness/mirror_hash.h"

void mirror_start(struct mirror *mirror) {
    mirror->run++;
    mirror->operation++;
    mirror->tables = mirror->charged = mirror->pds = mirror->touched_count = 0;
    mirror->units = mirror->wanted = mirror->hardware = mirror->links = 0;
    mirror->seen = NULL;
    mirror->lost = false;
    mirror->pd[mirror->target->pd_limit] =
        (struct mirror_pd){.run = mirror->run, .root = {RESCIND_NONE, RESCIND_NONE, RESCIND_NONE}, .id = ORACLE_PHYS};
}

void mirror_next(struct mirror *mirror) {
    mirror->operation++;
    mirror->touched_count = 0;
    mirror->seen = NULL;
    mirror->lost = false;
}

/* ---- links ---- */

/* One end's view of a link; none: nothing. No branches here: which links there are cannot be predicted. `kind` keeps
 * links of different meaning apart. */
static inline uint64_t link_end(uint32_t from, uint32_t to, uint64_t kind) {
    uint64_t key = from * ORACLE_KEY_UNIT + to * ORACLE_KEY_RESOURCE + kind * ORACLE_KEY_PARENT_UNIT;
    return oracle_hash_keys(key, 0, 1) & -(uint64_t)((from != RESCIND_NONE) & (to != RESCIND_NONE));
}

enum { LINK_CHILD = 1, LINK_TREE = 2, LINK_ROOT = 3, LINK_SIBLING = 4 };

static inline uint64_t in_space(uint64_t link, uint32_t pd, unsigned kind) {
    return link | (uint64_t)kind << 3 | (uint64_t)pd << 8;
}

/* What a node says of its links: those that it has to others count up, those that others must have to it count down. */
static uint64_t hash_links(uint32_t index, uint32_t pd, const struct rescind_node_view *view) {
    uint64_t siblings = LINK_SIBLING + ((uint64_t)view->parent << 8);
    uint64_t tree = in_space(LINK_TREE, pd, view->kind);
    uint64_t sum = link_end(index, view->next_sibling, siblings) - link_end(view->previous_sibling, index, siblings) +
                   link_end(index, view->first_child, LINK_CHILD) + link_end(index, view->tree_left, tree) +
                   link_end(index, view->tree_right, tree);
    uint32_t first_of = view->parent | -(uint32_t)(view->previous_sibling != RESCIND_NONE);
    bool hangs = view->tree_parent != RESCIND_NONE;
    uint64_t above = hangs ? tree : in_space(LINK_ROOT, pd, view->kind);
    return sum - link_end(first_of, index, LINK_CHILD) - link_end(hangs ? view->tree_parent : 0, index, above);
}

void mirror_set_roots(struct mirror *mirror, uint32_t slot, const uint32_t root[ABI_KINDS]) {
    struct mirror_pd *pd = &mirror->pd[slot];
    uint64_t sum = 0;
    if (!((root[ABI_MEM] ^ pd->root[ABI_MEM]) | (root[ABI_PIO] ^ pd->root[ABI_PIO]) |
          (root[ABI_OBJ] ^ pd->root[ABI_OBJ])))
        return;
    for (unsigned kind = 0; kind < ABI_KINDS; kind++)
        sum += link_end(0, root[kind], in_space(LINK_ROOT, slot, kind));
    mirror->links += sum - pd->roots;
    pd->roots = sum;
    __builtin_memcpy(pd->root, root, sizeof(pd->root));
}

/* ---- nodes ---- */

/* The PD or object that a capability names may have another number of references now. */
static void touch_named(struct mirror *mirror, unsigned kind, uint64_t resource) {
    if (kind == ABI_OBJ && resource < mirror->target->pd_limit)
        mirror_touch(mirror, (uint32_t)resource);
}

/* Enters a node into the counts of its space, or takes it out (by = -1). */
static void count(struct mirror *mirror, uint32_t slot, unsigned kind, bool charged, uint32_t by) {
    struct mirror_pd *pd = &mirror->pd[slot];
    pd->nodes[kind] += by;
    pd->charged += charged ? by : 0;
    mirror->charged += charged ? by : 0;
}

/* Whether the node's units say what they said. */
static inline bool same_mapping(const struct mirror_node *node, const struct rescind_node_view *view, uint32_t pd) {
    uint32_t small = (uint32_t)(node->order ^ view->order) | (uint32_t)(node->rights ^ view->rights) |
                     (uint32_t)(node->kind ^ view->kind) | (node->pd ^ pd) | (node->parent ^ view->parent);
    return !((node->base ^ view->base) | (node->resource ^ view->resource) | small);
}

static void forget_node(struct mirror *mirror, struct mirror_node *node) {
    mirror->units -= node->units;
    mirror->wanted -= node->leaves;
    mirror->links -= node->links;
    count(mirror, node->pd, node->kind, node->charged, UINT32_MAX);
    mirror_touch(mirror, node->pd);
    touch_named(mirror, node->kind, node->resource);
    if (node->pd == mirror->target->pd_limit)
        mirror_see(mirror, "phys");
    node->run = 0;
}

static void remap_node(struct mirror *mirror, struct mirror_node *node, const struct rescind_node_view *view,
                       uint32_t pd, bool known) {
    if (known) {
        count(mirror, node->pd, node->kind, node->charged, UINT32_MAX);
        mirror_touch(mirror, node->pd);
        touch_named(mirror, node->kind, node->resource);
    }
    count(mirror, pd, view->kind, view->charged, 1);
    touch_named(mirror, view->kind, view->resource);
    node->shrunk = known && (view->order < node->order || node->pd != pd || node->kind != view->kind ||
                             node->base - node->resource != view->base - view->resource);
    node->remapped = mirror->operation;
    node->base = view->base;
    node->resource = view->resource;
    node->order = view->order;
    node->rights = view->rights;
    node->kind = view->kind;
    node->parent = view->parent;
    node->charged = view->charged;
    node->pd = pd;
}

void mirror_update_node(struct mirror *mirror, uint32_t index) {
    struct mirror_node *node = &mirror->node[index];
    struct rescind_node_view view;
    bool known = node->run == mirror->run;
    if (!mirror->target->node(index, &view)) {
        if (known)
            forget_node(mirror, node);
        return;
    }
    uint32_t pd = mirror_slot(mirror, view.pd);
    if (!mirror_alive(mirror, pd) || view.kind >= ABI_KINDS) {
        mirror_see(mirror, "owner");
        return;
    }
    uint64_t links = hash_links(index, pd, &view);
    mirror->links += links - (known ? node->links : 0);
    node->links = links;
    mirror_touch(mirror, pd);
    if (!known) {
        node->run = mirror->run;
        node->units = node->leaves = 0;
    }
    if (!known || !same_mapping(node, &view, pd))
        remap_node(mirror, node, &view, pd, known);
    uint32_t moved = (node->tree_left ^ view.tree_left) | (node->tree_right ^ view.tree_right) |
                     (node->tree_parent ^ view.tree_parent) | (uint32_t)(node->height ^ view.tree_height);
    if (moved || !known || node->remapped == mirror->operation)
        node->hung = mirror->operation;
    node->tree_left = view.tree_left;
    node->tree_right = view.tree_right;
    node->tree_parent = view.tree_parent;
    node->height = view.tree_height;
}

/* ---- what nodes stand for ---- */

static bool well_formed(const struct mirror *mirror, const struct mirror_node *node) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    bool object = node->kind == ABI_OBJ;
    uint8_t log2 = object ? geometry->obj_log2 : node->kind == ABI_PIO ? geometry->pio_log2 : geometry->mem_log2;
    uint8_t defined = object ? ABI_OBJ_RIGHTS : node->kind == ABI_PIO ? ABI_PIO_RIGHTS : ABI_MEM_RIGHTS;
    uint8_t existence = node->kind == ABI_MEM ? ABI_R : defined;
    if (node->order > (object ? 0 : log2) || node->base >> log2 || (node->rights & ~defined) ||
        !(node->rights & existence))
        return false;
    uint64_t below = (UINT64_C(1) << node->order) - 1;
    return !(node->base & below) && (object || !(node->resource & below));
}

/* The oracle's name for what a node refers to. */
static uint64_t resource_of(const struct mirror *mirror, const struct mirror_node *node) {
    if (node->kind != ABI_OBJ)
        return node->resource;
    uint64_t object = node->resource ^ RESCIND_OBJECT;
    if (object < mirror->target->object_limit)
        return mirror->object_id[object];
    return node->resource < mirror->target->pd_limit && mirror_alive(mirror, (uint32_t)node->resource)
               ? mirror->pd[node->resource].id
               : UINT64_MAX;
}

/* The key of a node's first unit. False: the node does not lie within its parent. */
static bool key_of(const struct mirror *mirror, const struct mirror_node *node, uint64_t *key) {
    uint64_t resource = resource_of(mirror, node), offset = 0;
    uint32_t id = mirror->pd[node->pd].id;
    *key = oracle_key(id, node->kind, node->base, resource, node->rights, ORACLE_NONE, 0);
    if (node->parent == RESCIND_NONE)
        return true;
    if (node->parent >= mirror->target->node_limit)
        return false;
    const struct mirror_node *parent = &mirror->node[node->parent];
    if (parent->run != mirror->run || parent->kind != node->kind || parent->order < node->order)
        return false;
    if (node->kind != ABI_OBJ)
        offset = node->resource - parent->resource;
    *key = oracle_key(id, node->kind, node->base, resource, node->rights, mirror->pd[parent->pd].id,
                      parent->base + offset);
    return offset >> parent->order == 0 && (node->kind != ABI_OBJ || node->resource == parent->resource);
}

static void digest_mapping(struct mirror *mirror, struct mirror_node *node) {
    const struct rescind_geometry *geometry = &mirror->target->geometry;
    uint64_t units = 0, leaves = 0, key = 0;
    if (!well_formed(mirror, node)) {
        mirror_see(mirror, "shape");
    } else if (!key_of(mirror, node, &key)) {
        mirror_see(mirror, "parent");
    } else {
        uint64_t number = UINT64_C(1) << node->order;
        uint32_t id = mirror->pd[node->pd].id;
        unsigned log2 = walk_leaf_level(geometry, node->order) * geometry->level_bits;
        units = oracle_hash_keys(key, ORACLE_KEY_STEP, number);
        if (node->kind == ABI_MEM)
            leaves = hash_leaves(id, log2, node->base, node->resource, node->rights, number >> log2);
        else if (node->kind == ABI_PIO)
            leaves = hash_ports(id, node->base, number);
    }
    mirror->units += units - node->units;
    mirror->wanted += leaves - node->leaves;
    node->units = units;
    node->leaves = leaves;
}

/* The children of a node that is another than before, or covers less. */
static void digest_children(struct mirror *mirror, uint32_t index) {
    struct rescind_node_view view;
    if (!mirror->target->node(index, &view))
        return;
    uint32_t at = view.first_child;
    for (uint32_t i = 0; at != RESCIND_NONE; i++) {
        if (i == mirror->target->node_limit || at >= mirror->target->node_limit ||
            mirror->node[at].run != mirror->run || !mirror->target->node(at, &view)) {
            mirror_see(mirror, "children");
            return;
        }
        digest_mapping(mirror, &mirror->node[at]);
        at = view.next_sibling;
    }
}

/* ---- the ordered index ---- */

static inline const struct mirror_node *node_or_none(const struct mirror *mirror, uint32_t index) {
    uint32_t limit = mirror->target->node_limit;
    return &mirror->node[index < limit ? index : limit];
}

static inline uint64_t end_of(const struct mirror_node *node) {
    return node->base + (UINT64_C(1) << (node->order & 63));
}

/* A node between its children in the ordered index. That all of a subtree lies on the right side of what is further
 * above is seen by the full comparison only. */
static void check_hanging(struct mirror *mirror, const struct mirror_node *node) {
    const struct mirror_node *left = node_or_none(mirror, node->tree_left);
    const struct mirror_node *right = node_or_none(mirror, node->tree_right);
    int balance = left->height - right->height;
    bool wrong_height = node->height != 1 + (balance > 0 ? left->height : right->height);
    if (wrong_height | (balance < -1) | (balance > 1))
        mirror_see(mirror, "height");
    bool wrong_left = (left->height != 0) & (end_of(left) > node->base);
    bool wrong_right = (right->height != 0) & (right->base < end_of(node));
    if (wrong_left | wrong_right)
        mirror_see(mirror, "index-order");
}

void mirror_digest_node(struct mirror *mirror, uint32_t index) {
    struct mirror_node *node = &mirror->node[index];
    if (node->run != mirror->run)
        return;
    if (node->remapped == mirror->operation && node->pd != mirror->target->pd_limit) {
        digest_mapping(mirror, node);
        if (node->shrunk)
            digest_children(mirror, index);
    } else if (node->remapped == mirror->operation) {
        mirror_see(mirror, "phys");
    }
    if (node->hung == mirror->operation && node->order < 64) {
        check_hanging(mirror, node);
        const struct mirror_node *above = node_or_none(mirror, node->tree_parent);
        if (above->run == mirror->run)
            check_hanging(mirror, above);
    }
}
