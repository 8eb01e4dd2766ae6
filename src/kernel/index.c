/* Ranked tree with parent links, and a list in order; see index.h. */
#include "index.h"

#include "check.h"
#include "mapdb.h"

static int rank(const struct node *node) {
    return node ? node->tree_rank : 0;
}

static void links_stored(const struct node *node) {
    arch_node_stored(mapdb_index(node), RESCIND_NODE_LINKS);
}

static uint32_t index_of(const struct node *node) {
    return node ? mapdb_index(node) : RESCIND_NONE;
}

static struct node *node_of(uint32_t index) {
    return index == RESCIND_NONE ? NULL : &mapdb_nodes[index];
}

/* Puts `node` (may be NULL) where `old` hangs below `parent` (NULL: at the root). */
static void replace_below(struct space *space, struct node *parent, const struct node *old, struct node *node) {
    if (!parent) {
        space->tree_root = node;
    } else if (parent->tree_left == old) {
        parent->tree_left = node;
        links_stored(parent);
    } else {
        parent->tree_right = node;
        links_stored(parent);
    }
    if (node) {
        node->tree_parent = parent;
        links_stored(node);
    }
}

/* The child takes the place of its parent, which becomes its child on the other side. */
static void rotate(struct space *space, struct node *child) {
    struct node *parent = child->tree_parent;
    bool left = parent->tree_left == child;
    struct node *inner = left ? child->tree_right : child->tree_left;
    replace_below(space, parent->tree_parent, parent, child);
    *(left ? &parent->tree_left : &parent->tree_right) = inner;
    if (inner) {
        inner->tree_parent = parent;
        links_stored(inner);
    }
    *(left ? &child->tree_right : &child->tree_left) = parent;
    parent->tree_parent = child;
    links_stored(parent);
}

/* The parent is of no higher rank than the node, which has a child one rank below: two or three nodes change places. */
static void lift(struct space *space, struct node *node) {
    struct node *parent = node->tree_parent;
    struct node *inner = parent->tree_left == node ? node->tree_right : node->tree_left;
    if (rank(inner) == node->tree_rank - 1) {
        rotate(space, inner);
        inner->tree_rank++;
        node->tree_rank--;
        node = inner;
    }
    rotate(space, node);
    parent->tree_rank--;
}

/* Whether an index can have a root of that rank after so many insertions: a Fibonacci number of them at least. */
static bool is_paid(unsigned rank, uint64_t inserted) {
    uint64_t needed = 1, next = 2;
    for (; rank > 1 && needed <= inserted; rank--) {
        KSTEP();
        uint64_t sum = needed + next;
        needed = next;
        next = sum;
    }
    return needed <= inserted;
}

/* Raises ranks above a node that has come to be as high as its parent. */
static void promote(struct space *space, struct node *node) {
    for (struct node *parent = node->tree_parent; parent && parent->tree_rank == node->tree_rank;) {
        KSTEP();
        const struct node *sibling = parent->tree_left == node ? parent->tree_right : parent->tree_left;
        if (rank(sibling) < parent->tree_rank - 1) {
            lift(space, node);
            return;
        }
        parent->tree_rank++;
        links_stored(parent);
        node = parent;
        parent = node->tree_parent;
        KASSERT(parent || is_paid(node->tree_rank, space->inserted));
    }
}

/* Tells a node, if there is one, its next or previous neighbour in order. */
static void set_next(struct node *node, const struct node *next) {
    if (node) {
        node->next_in_order = index_of(next);
        links_stored(node);
    }
}

static void set_previous(struct node *node, const struct node *previous) {
    if (node) {
        node->previous_in_order = index_of(previous);
        links_stored(node);
    }
}

void index_insert(struct space *space, struct node *node) {
    struct node *parent = NULL;
    struct node **link = &space->tree_root;
    while (*link) {
        KSTEP();
        parent = *link;
        KASSERT(!blocks_meet(node->base, node->order, parent->base, parent->order));
        link = node->base < parent->base ? &parent->tree_left : &parent->tree_right;
    }
    bool left = parent && link == &parent->tree_left;
    struct node *previous = left ? index_previous(parent) : parent;
    struct node *next = left || !parent ? parent : index_next(parent);
    *link = node;
    node->tree_parent = parent;
    node->tree_left = NULL;
    node->tree_right = NULL;
    node->tree_rank = 1;
    node->previous_in_order = index_of(previous);
    node->next_in_order = index_of(next);
    set_next(previous, node);
    set_previous(next, node);
    space->inserted = space->nodes ? space->inserted + 1 : 1;
    space->nodes++;
    promote(space, node);
}

/* The next node in order, which has no left child, takes the place of a node with two children. */
static void replace_by_next(struct space *space, struct node *node) {
    struct node *next = index_next(node);
    if (next != node->tree_right) {
        replace_below(space, next->tree_parent, next, next->tree_right);
        next->tree_right = node->tree_right;
        next->tree_right->tree_parent = next;
        links_stored(next->tree_right);
    }
    next->tree_left = node->tree_left;
    next->tree_left->tree_parent = next;
    links_stored(next->tree_left);
    next->tree_rank = node->tree_rank;
    replace_below(space, node->tree_parent, node, next);
}

void index_remove(struct space *space, struct node *node) {
    if (node->tree_left && node->tree_right) {
        replace_by_next(space, node);
    } else {
        replace_below(space, node->tree_parent, node, node->tree_left ? node->tree_left : node->tree_right);
    }
    set_next(index_previous(node), index_next(node));
    set_previous(index_next(node), index_previous(node));
    KASSERT(space->nodes > 0);
    space->nodes--;
}

struct node *index_in(const struct space *space, uint64_t unit, uint64_t end) {
    if (unit >= end) {
        return NULL;
    }
    struct node *found = NULL;
    struct node *node = space->tree_root;
    while (node) {
        KSTEP();
        if (node->base > unit) {
            found = node;
            node = node->tree_left;
        } else if (node->base + node_size(node) > unit) {
            return node;
        } else {
            node = node->tree_right;
        }
    }
    return found && found->base < end ? found : NULL;
}

struct node *index_next(const struct node *node) {
    return node_of(node->next_in_order);
}

struct node *index_previous(const struct node *node) {
    return node_of(node->previous_in_order);
}

struct node *index_covering(const struct space *space, uint64_t unit) {
    return index_in(space, unit, unit + 1);
}
