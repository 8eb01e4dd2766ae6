/*
 * Walks of the derivation tree in constant steps, which stand removals of nodes by others. Data only.
 */
#ifndef RESCIND_WALK_H
#define RESCIND_WALK_H

#include "space.h"

/* A place in the subtree below `top`, in preorder. */
struct cursor {
    struct node *top, *node; /* node NULL: at the end */
    bool up;                 /* the subtree of the node is done */
};

/* Takes rights of `mask` from a subtree. */
struct walk {
    struct cursor at;
    unsigned mask;
    uint32_t lost; /* to be noted with each node that loses rights and stays: bit of the operation */
};

static inline void cursor_start(struct cursor *cursor, struct node *top) {
    *cursor = (struct cursor){.top = top, .node = top};
}

/* On from a node whose subtree is done. */
static inline void cursor_past(struct cursor *cursor) {
    const struct node *node = cursor->node;
    if (node == cursor->top) {
        cursor->node = NULL;
    } else if (node->next_sibling) {
        cursor->node = node->next_sibling;
        cursor->up = false;
    } else {
        cursor->node = node->parent;
        cursor->up = true;
    }
}

/* On from a node to its first child, if there is one. */
static inline void cursor_into(struct cursor *cursor) {
    if (cursor->node->first_child) {
        cursor->node = cursor->node->first_child;
    } else {
        cursor_past(cursor);
    }
}

/* The node is about to be unlinked. */
static inline void cursor_forget(struct cursor *cursor, const struct node *node) {
    if (cursor->node == node) {
        cursor_past(cursor);
    }
}

#endif
