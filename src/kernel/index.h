/*
 * The ordered index of a space: an AVL tree of its nodes by base. O(log n) everywhere, no recursion.
 */
#ifndef RESCIND_INDEX_H
#define RESCIND_INDEX_H

#include "space.h"

/* Enters a node, which must not overlap another of the space. */
void index_insert(struct space *space, struct node *node);

/* Takes a node out. */
void index_remove(struct space *space, struct node *node);

/* The first node that covers a unit in unit..end-1, or NULL. */
struct node *index_in(const struct space *space, uint64_t unit, uint64_t end);

/* The nodes after and before one of the space, or NULL. Cheaper than finding them by unit. */
struct node *index_next(const struct node *node);
struct node *index_previous(const struct node *node);

/* The node that covers `unit`, or NULL. */
struct node *index_covering(const struct space *space, uint64_t unit);

#endif
