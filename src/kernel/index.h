/*
 * The ordered index of a space: a tree of its nodes by base, which also are a list in that order. No recursion.
 *
 * The tree is rebalanced by insertions alone (Sen and Tarjan, Deletion without rebalancing in balanced binary trees,
 * 2010): each node has a higher rank than its children, and an insertion raises ranks and rotates as in an AVL tree,
 * which it is until something is removed. So removal and the way to a neighbour take constant time, whatever the size:
 * what lies between two preemption points must. To find and to insert takes O(log m), m being the insertions since the
 * space was last empty: no more than 1.45 log2 m + 1 nodes lie on the way.
 */
#ifndef RESCIND_INDEX_H
#define RESCIND_INDEX_H

#include "space.h"

/* Enters a node, which must not overlap another of the space. O(log m). */
void index_insert(struct space *space, struct node *node);

/* Takes a node out. O(1). */
void index_remove(struct space *space, struct node *node);

/* The first node that covers a unit in unit..end-1, or NULL. O(log m). */
struct node *index_in(const struct space *space, uint64_t unit, uint64_t end);

/* The nodes after and before one of the space, or NULL. O(1). */
struct node *index_next(const struct node *node);
struct node *index_previous(const struct node *node);

/* The node that covers `unit`, or NULL. */
struct node *index_covering(const struct space *space, uint64_t unit);

#endif
