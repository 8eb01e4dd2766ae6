/*
 * The log comparison's view of one node's links: derivation tree and ordered index. Reads the mirror only.
 *
 * A link is looked at from the node that was logged, and, where the node's link is a new one, from what it referred to
 * before: so a link that one side has forgotten is seen although only the other side was stored to.
 */
#include "harness/detect.h"

static uint64_t end_of(const struct rescind_node_view *view) {
    return view->base + (UINT64_C(1) << view->order);
}

/* The view of a live node, or NULL. */
static const struct rescind_node_view *live(const struct detector *detector, uint32_t index) {
    const struct mirror_node *node = mirror_node_at(detector->mirror, index);
    return node ? &node->view : NULL;
}

/* ---- derivation tree ---- */

static void detect_siblings(struct detector *detector, uint32_t index, const struct rescind_node_view *view) {
    const struct rescind_node_view *parent = live(detector, view->parent);
    const struct rescind_node_view *previous = live(detector, view->previous_sibling);
    const struct rescind_node_view *next = live(detector, view->next_sibling);
    if (view->parent == RESCIND_NONE)
        return;
    if (!parent)
        see(detector, "parent-dead");
    else if (view->previous_sibling == RESCIND_NONE ? parent->first_child != index
                                                    : !previous || previous->next_sibling != index)
        see(detector, "siblings");
    else if (view->next_sibling != RESCIND_NONE &&
             (!next || next->previous_sibling != index || next->parent != view->parent))
        see(detector, "siblings");
}

static void detect_children(struct detector *detector, uint32_t index, const struct rescind_node_view *view) {
    const struct rescind_node_view *first = live(detector, view->first_child);
    bool childless = mirror_children(detector->mirror, index) == 0;
    if (childless != (view->first_child == RESCIND_NONE))
        see(detector, "children");
    else if (!childless && (!first || first->previous_sibling != RESCIND_NONE || first->parent != index))
        see(detector, "children");
}

/* ---- ordered index ---- */

static uint8_t height_of(const struct rescind_node_view *view) {
    return view ? view->tree_height : 0;
}

static void detect_height(struct detector *detector, const struct rescind_node_view *view) {
    uint8_t left = height_of(live(detector, view->tree_left));
    uint8_t right = height_of(live(detector, view->tree_right));
    int balance = left - right;
    if (view->tree_height != 1 + (left > right ? left : right) || balance < -1 || balance > 1)
        see(detector, "height");
}

static bool is_child_of(const struct rescind_node_view *view, uint32_t index) {
    return view && view->tree_parent == index;
}

/* The links to and from a node's neighbours in the tree. */
static void detect_tree_links(struct detector *detector, uint32_t index, const struct rescind_node_view *view) {
    const struct rescind_node_view *left = live(detector, view->tree_left);
    const struct rescind_node_view *right = live(detector, view->tree_right);
    const struct rescind_node_view *parent = live(detector, view->tree_parent);
    const struct mirror_pd *pd = mirror_pd_at(detector->mirror, view->pd);
    bool hangs = view->tree_parent == RESCIND_NONE
                     ? pd && pd->space[view->kind].root == index
                     : parent && (parent->tree_left == index) != (parent->tree_right == index);
    if (!hangs || (view->tree_left != RESCIND_NONE && !is_child_of(left, index)) ||
        (view->tree_right != RESCIND_NONE && !is_child_of(right, index)))
        see(detector, "index-link");
    else if ((parent && (parent->pd != view->pd || parent->kind != view->kind)) ||
             (left && (left->pd != view->pd || left->kind != view->kind || end_of(left) > view->base)) ||
             (right && (right->pd != view->pd || right->kind != view->kind || right->base < end_of(view))))
        see(detector, "index-order");
    detect_height(detector, view);
    if (parent)
        detect_height(detector, parent);
}

/* The outermost node of a subtree on one side; NULL: no end is found. */
static const struct rescind_node_view *outermost(const struct detector *detector, const struct rescind_node_view *view,
                                                 bool right) {
    for (unsigned depth = 0; view && depth < TREE_DEPTH_MAX; depth++) {
        uint32_t next = right ? view->tree_right : view->tree_left;
        if (next == RESCIND_NONE)
            return view;
        view = live(detector, next);
    }
    return NULL;
}

/* The whole subtree of a node must lie on the right side of each node above it. */
static void detect_tree_order(struct detector *detector, uint32_t index, const struct rescind_node_view *view) {
    const struct rescind_node_view *first = outermost(detector, view, false);
    const struct rescind_node_view *last = outermost(detector, view, true);
    const struct rescind_node_view *before = live(detector, view->tree_left);
    const struct rescind_node_view *after = live(detector, view->tree_right);
    before = before ? outermost(detector, before, true) : view;
    after = after ? outermost(detector, after, false) : view;
    if (!first || !last || !before || !after || (before != view && end_of(before) > view->base) ||
        (after != view && after->base < end_of(view))) {
        see(detector, "index-order");
        return;
    }
    uint32_t below = index, above = view->tree_parent;
    for (unsigned depth = 0; above != RESCIND_NONE; depth++) {
        const struct rescind_node_view *node = live(detector, above);
        if (!node || depth == TREE_DEPTH_MAX ||
            (node->tree_left == below ? end_of(last) > node->base : end_of(node) > first->base)) {
            see(detector, "index-order");
            return;
        }
        below = above;
        above = node->tree_parent;
    }
}

/* ---- what a node referred to before ---- */

/* The live node at the other end of a link that was given up, or NULL. */
static const struct rescind_node_view *given_up(const struct detector *detector, uint32_t before, uint32_t now) {
    return before == now || before == RESCIND_NONE ? NULL : live(detector, before);
}

/* A live neighbour of before must not go on referring to a node that no longer refers to it. */
static void detect_forgotten(struct detector *detector, uint32_t index, const struct rescind_node_view *before,
                             const struct rescind_node_view *now) {
    const struct rescind_node_view *other;
    if ((other = given_up(detector, before->next_sibling, now->next_sibling)) && other->previous_sibling == index)
        see(detector, "siblings");
    if ((other = given_up(detector, before->previous_sibling, now->previous_sibling)) && other->next_sibling == index)
        see(detector, "siblings");
    if ((other = given_up(detector, before->first_child, now->first_child)) && other->parent == index &&
        other->previous_sibling == RESCIND_NONE)
        see(detector, "children");
    if ((other = given_up(detector, before->parent, now->parent)) && other->first_child == index)
        see(detector, "children");
    if ((other = given_up(detector, before->tree_parent, now->tree_parent)) &&
        (other->tree_left == index || other->tree_right == index))
        see(detector, "index-link");
    const uint32_t below[] = {before->tree_left, before->tree_right};
    for (unsigned i = 0; i < 2; i++) {
        if (below[i] != now->tree_left && below[i] != now->tree_right && is_child_of(live(detector, below[i]), index))
            see(detector, "index-link");
    }
}

static bool same_family(const struct rescind_node_view *before, const struct rescind_node_view *now) {
    return before->parent == now->parent && before->next_sibling == now->next_sibling &&
           before->previous_sibling == now->previous_sibling;
}

static bool same_place(const struct rescind_node_view *before, const struct rescind_node_view *now) {
    return before->tree_parent == now->tree_parent && before->tree_left == now->tree_left &&
           before->tree_right == now->tree_right && before->base == now->base && before->order == now->order &&
           before->pd == now->pd && before->kind == now->kind;
}

void detect_links(struct detector *detector, uint32_t index) {
    static const struct rescind_node_view unlinked = {
        .parent = RESCIND_NONE,
        .first_child = RESCIND_NONE,
        .next_sibling = RESCIND_NONE,
        .previous_sibling = RESCIND_NONE,
        .tree_parent = RESCIND_NONE,
        .tree_left = RESCIND_NONE,
        .tree_right = RESCIND_NONE,
    };
    const struct mirror_node *node = &detector->mirror->node[index];
    const struct rescind_node_view *now = live(detector, index);
    const struct rescind_node_view *before = node->run_before == detector->mirror->run ? &node->before : NULL;
    if (before)
        detect_forgotten(detector, index, before, now ? now : &unlinked);
    if (!now) {
        if (mirror_children(detector->mirror, index))
            see(detector, "orphans");
        return;
    }
    if (!before || !same_family(before, now))
        detect_siblings(detector, index, now);
    if (!before || before->first_child != now->first_child)
        detect_children(detector, index, now);
    bool settled = before && same_place(before, now);
    if (settled && before->tree_height == now->tree_height)
        return;
    detect_tree_links(detector, index, now);
    if (!settled && !detector->seen)
        detect_tree_order(detector, index, now);
}
