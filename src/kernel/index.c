/* AVL tree with parent links; see index.h. */
#include "index.h"

#include "check.h"
#include "mapdb.h"

static int height(const struct node *node) {
    return node ? node->tree_height : 0;
}

static void links_stored(const struct node *node) {
    arch_node_stored(mapdb_index(node), RESCIND_NODE_LINKS);
}

static void update_height(struct node *node) {
    int left = height(node->tree_left);
    int right = height(node->tree_right);
    node->tree_height = (uint8_t)(1 + (left > right ? left : right));
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

/* The right child takes the node's place. */
static struct node *rotate_left(struct space *space, struct node *node) {
    struct node *top = node->tree_right;
    replace_below(space, node->tree_parent, node, top);
    node->tree_right = top->tree_left;
    if (node->tree_right) {
        node->tree_right->tree_parent = node;
        links_stored(node->tree_right);
    }
    top->tree_left = node;
    node->tree_parent = top;
    update_height(node);
    update_height(top);
    links_stored(node);
    return top;
}

static struct node *rotate_right(struct space *space, struct node *node) {
    struct node *top = node->tree_left;
    replace_below(space, node->tree_parent, node, top);
    node->tree_left = top->tree_right;
    if (node->tree_left) {
        node->tree_left->tree_parent = node;
        links_stored(node->tree_left);
    }
    top->tree_right = node;
    node->tree_parent = top;
    update_height(node);
    update_height(top);
    links_stored(node);
    return top;
}

/* Restores heights and balance from `node` upwards. */
static void rebalance(struct space *space, struct node *node) {
    while (node) {
        KSTEP();
        int before = node->tree_height;
        int lean = height(node->tree_left) - height(node->tree_right);
        if (lean > 1) {
            if (height(node->tree_left->tree_left) < height(node->tree_left->tree_right)) {
                rotate_left(space, node->tree_left);
            }
            node = rotate_right(space, node);
        } else if (lean < -1) {
            if (height(node->tree_right->tree_right) < height(node->tree_right->tree_left)) {
                rotate_right(space, node->tree_right);
            }
            node = rotate_left(space, node);
        } else {
            update_height(node);
        }
        if (node->tree_height == before) {
            return;
        }
        links_stored(node);
        node = node->tree_parent;
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
    *link = node;
    node->tree_parent = parent;
    node->tree_left = NULL;
    node->tree_right = NULL;
    node->tree_height = 1;
    space->nodes++;
    if (parent) {
        links_stored(parent);
        rebalance(space, parent);
    }
}

/* The leftmost node of the right subtree takes the place of a node with two children; returns where to rebalance from.
 */
static struct node *replace_by_successor(struct space *space, struct node *node) {
    struct node *successor = node->tree_right;
    while (successor->tree_left) {
        KSTEP();
        successor = successor->tree_left;
    }
    struct node *lowest = successor;
    if (successor != node->tree_right) {
        lowest = successor->tree_parent;
        replace_below(space, lowest, successor, successor->tree_right);
        successor->tree_right = node->tree_right;
        successor->tree_right->tree_parent = successor;
        links_stored(successor->tree_right);
    }
    successor->tree_left = node->tree_left;
    successor->tree_left->tree_parent = successor;
    links_stored(successor->tree_left);
    successor->tree_height = node->tree_height;
    replace_below(space, node->tree_parent, node, successor);
    return lowest;
}

void index_remove(struct space *space, struct node *node) {
    struct node *lowest = node->tree_parent;
    if (node->tree_left && node->tree_right) {
        lowest = replace_by_successor(space, node);
    } else {
        replace_below(space, lowest, node, node->tree_left ? node->tree_left : node->tree_right);
    }
    KASSERT(space->nodes > 0);
    space->nodes--;
    rebalance(space, lowest);
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
    if (node->tree_right) {
        struct node *next = node->tree_right;
        while (next->tree_left) {
            KSTEP();
            next = next->tree_left;
        }
        return next;
    }
    struct node *next = node->tree_parent;
    while (next && next->tree_right == node) {
        KSTEP();
        node = next;
        next = node->tree_parent;
    }
    return next;
}

struct node *index_previous(const struct node *node) {
    if (node->tree_left) {
        struct node *previous = node->tree_left;
        while (previous->tree_right) {
            KSTEP();
            previous = previous->tree_right;
        }
        return previous;
    }
    struct node *previous = node->tree_parent;
    while (previous && previous->tree_left == node) {
        KSTEP();
        node = previous;
        previous = node->tree_parent;
    }
    return previous;
}

struct node *index_covering(const struct space *space, uint64_t unit) {
    return index_in(space, unit, unit + 1);
}
