/*
 * The harness's own copy of a target's nodes and of the links between its page tables, kept up by the target's log.
 *
 * The log comparison reads it instead of asking the target again; a full comparison does not use it. Numbers of runs
 * and operations stand for "in this run" and "in this operation", so that nothing has to be cleared. Keeps digests of
 * what nodes and tables say. Depends on the walker, the target interface and the oracle's digests.
 */
#ifndef RESCIND_HARNESS_MIRROR_H
#define RESCIND_HARNESS_MIRROR_H

#include "harness/walk.h"
#include "oracle/oracle.h"

#include <stddef.h>

struct mirror_node {
    struct rescind_node_view view, before; /* now; before the operation in which it was logged last */
    uint64_t run;                          /* alive in the run of that number */
    uint64_t run_before;                   /* likewise, before that operation */
    uint64_t logged;                       /* in the operation of that number */
    uint64_t units;                        /* what its units add to the mirror's digest of mappings */
    uint64_t digest_run;                   /* `units` and `leaves` are 0 in any other run */
    uint64_t leaves;                       /* what its leaves must add to the digest of the tables */
    uint64_t children_run;                 /* `children` is 0 in any other run */
    uint32_t children;                     /* live nodes whose parent it is */
};

/* A page table that can be reached from the root table of a live PD. Slots are frame numbers modulo the number of
 * slots. */
struct mirror_table {
    uint64_t frame, unit;
    uint64_t run;                       /* linked in the run of that number */
    uint64_t linked;                    /* since the operation of that number */
    uint64_t leaves;                    /* what its entries add to the digest of the tables */
    uint32_t pd;                        /* the target's index */
    uint32_t parent, index;             /* slot and entry of the table that refers to it */
    uint32_t first_child, next_sibling; /* slots */
    uint8_t level;
};

struct mirror_space {
    uint64_t units; /* covered by nodes */
    uint32_t nodes;
    uint32_t root; /* of the ordered index */
};

struct mirror_pd {
    struct mirror_space space[ABI_KINDS];
    uint64_t root_table;
    uint32_t id;      /* the oracle's */
    uint64_t run;     /* known in the run of that number */
    uint64_t touched; /* in the operation of that number */
};

struct mirror {
    const struct rescind_target *target;
    struct mirror_node *node;   /* by the target's index */
    struct mirror_table *table; /* by slot */
    struct mirror_pd *pd;       /* by the target's index; the last one is PHYS */
    uint32_t *touched;          /* PDs, as in `pd` */
    uint32_t table_slots;       /* a power of two */
    uint32_t nodes;             /* alive, those of PHYS aside */
    uint32_t tables;            /* linked */
    uint32_t pds;               /* alive, PHYS aside */
    uint32_t touched_count;
    uint64_t run, operation; /* numbers; never 0 */

    /* Digests as in oracle.h; of table leaves with their level in place of the parent's PD, and no parent's unit. */
    bool doubtful; /* an entry that refers to a table takes rights away: digests, which look at leaves only, mean
                      nothing */
    uint64_t units_digest;  /* of the mappings that the nodes stand for, those of PHYS aside */
    uint64_t leaves_digest; /* of the leaves that the nodes call for */
    uint64_t tables_digest; /* of the leaves in the linked tables */
};

/* The live node of that index, or NULL. */
static inline struct mirror_node *mirror_node_at(const struct mirror *mirror, uint32_t node) {
    if (node >= mirror->target->node_limit || mirror->node[node].run != mirror->run)
        return NULL;
    return &mirror->node[node];
}

/* The linked table in that frame, or NULL. */
static inline struct mirror_table *mirror_table_at(const struct mirror *mirror, uint64_t frame) {
    struct mirror_table *table = &mirror->table[frame & (mirror->table_slots - 1)];
    return table->run == mirror->run && table->frame == frame ? table : NULL;
}

/* A PD by the target's index, PHYS included, or NULL. */
static inline struct mirror_pd *mirror_pd_at(const struct mirror *mirror, uint32_t pd) {
    uint32_t index = pd == RESCIND_PD_PHYS ? mirror->target->pd_limit : pd;
    if (index > mirror->target->pd_limit || mirror->pd[index].run != mirror->run)
        return NULL;
    return &mirror->pd[index];
}

static inline uint32_t mirror_children(const struct mirror *mirror, uint32_t node) {
    return mirror->node[node].children_run == mirror->run ? mirror->node[node].children : 0;
}

/* Forgets everything: a new run. */
void mirror_start(struct mirror *mirror);

/* Begins the next operation. */
void mirror_next(struct mirror *mirror);

/* Notes that a PD is to be looked at in this operation. */
void mirror_touch(struct mirror *mirror, uint32_t pd);

/* A PD came (with its root table, and the oracle's id) or went. False: its root table is linked somewhere already, or
 * not live, or an entry in it is not what a kernel may store. */
bool mirror_add_pd(struct mirror *mirror, uint32_t pd, uint64_t root_table, uint32_t id);
void mirror_remove_pd(struct mirror *mirror, uint32_t pd);

/* Copies a node as it is now; once in an operation. False: its PD is not known. */
bool mirror_update_node(struct mirror *mirror, uint32_t node);

/* Enters what a live node, whose view is well-formed, stands for into the digests, or, where it is gone, takes it out.
 * The node's parent was updated before, if it had to be. False: the node does not lie within its parent. */
bool mirror_digest_node(struct mirror *mirror, uint32_t node);

/* Follows stores to tables: first all that unlink, then those that change leaves, then all that link. False: a table is
 * linked twice or has become empty, or an entry does not hold what was stored last, or nothing that a kernel may store.
 */
bool mirror_update_tables(struct mirror *mirror, const struct rescind_store *stores, uint32_t count);

#endif
