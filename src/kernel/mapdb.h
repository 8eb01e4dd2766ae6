/*
 * The mapping database: nodes, their derivation tree, and their division.
 *
 * Canonical form: at the end of every operation no two buddies that could be one node are left (same space, order,
 * rights and parent; bases and resources differ in bit `order` alone). Every change keeps ordered index, derivation
 * tree hardware form (page tables, port bitmaps, capability lists) and accounts in step. Nothing here checks authority,
 * and nothing can fail: the caller has reserved the memory.
 */
#ifndef RESCIND_MAPDB_H
#define RESCIND_MAPDB_H

#include "space.h"
#include "work.h"

enum { HISTORY_AT = 16 };

/* When a node was made, or last moved to another space; which operations (a bit each) took rights from it, and when the
 * last of these was in progress. Kept for those that are in progress. */
struct history {
    uint64_t born;
    uint64_t lost; /* bits, and from HISTORY_AT on, when */
};

void mapdb_reset(void);

/* Nodes in use that are charged. */
uint32_t mapdb_charged(void);

/* All nodes, free ones included; for mapdb_index. */
extern struct node mapdb_nodes[];

/* Pool index of a node, and the live node of that index or NULL. */
static inline uint32_t mapdb_index(const struct node *node) {
    return (uint32_t)(node - mapdb_nodes);
}
const struct node *mapdb_by_index(uint32_t index);
struct history *mapdb_history(const struct node *node);

/* A new mapping; its units must be free. parent NULL: a root mapping. If charged, the PD's account reserved it and the
 * tables that it needs. */
struct node *mapdb_create(struct space *space, uint64_t base, unsigned order, uint64_t resource, unsigned rights,
                          struct node *parent, bool charged);

/* Nodes and tables that `mapdb_cut` takes (added to *nodes and *tables). */
void mapdb_count_cut(struct node *node, uint64_t resource, unsigned order, uint32_t *nodes, uint32_t *tables);

/* Divides a node, and descendants as needed, until one node covers just that block of its resources; returns that. What
 * it takes was reserved by `payer`, and goes to the accounts of the spaces where nodes are divided. */
struct node *mapdb_cut(struct node *node, uint64_t resource, unsigned order, struct account *payer);

/* Moves a node to free units of a space; its place in the derivation tree stays. The account there reserved the tables
 * needed, and, if it is another one and the node is charged, the node. */
void mapdb_move(struct node *node, struct space *space, uint64_t base);

/* Begins to take rights from a node and its descendants; those left without existence are removed, from the leaves up.
 */
void mapdb_lower(struct walk *walk, struct node *top, unsigned mask, uint32_t lost);
/* One step of that, while walk->at.node is not NULL. */
enum point mapdb_lower_step(struct walk *walk);

/* One step of removing a node alone; its children become its parent's, or root mappings. */
enum point mapdb_drop(struct node *node);

/* One step of restoring the canonical form after any of the above; POINT_NONE: it is. */
enum point mapdb_settle(void);
bool mapdb_settled(void);
/* Whether some were left alone because an operation covers one of two. */
bool mapdb_postponed(void);
/* Completes what is half done of that. */
void mapdb_complete(void);
/* The node that has taken some of its buddy's children and not yet all, or NULL. */
const struct node *mapdb_joining(void);

/* Nodes that were ever unlinked, and of them those that were freed. Frees those of the first `mark` that are not
 * free yet, but no more than `most`. Returns how many. */
extern uint64_t mapdb_retired, mapdb_reclaimed;
uint32_t mapdb_reclaim(uint64_t mark, uint32_t most);

/* The next node of the subtree below `top` in preorder, without descending below `node` if `skip`; NULL at the end. */
struct node *mapdb_next(const struct node *top, struct node *node, bool skip);

#endif
