/*
 * The harness's own picture of a target: its nodes, its page tables and its accounts, followed by the target's log.
 *
 * The log comparison reads it instead of asking the target again; a full comparison does not use it. It keeps digests:
 * of the mappings that the nodes stand for, of the hardware form that these call for, of the hardware form there is,
 * and of all links between nodes, each of them taken from both of its ends. Numbers of runs and operations stand for
 * "in this run" and "in this operation", so that nothing has to be cleared. Depends on the walker, the target interface
 * and the oracle's digests.
 */
#ifndef RESCIND_HARNESS_MIRROR_H
#define RESCIND_HARNESS_MIRROR_H

#include "harness/walk.h"
#include "oracle/oracle.h"

#include <stddef.h>

struct mirror_node {
    uint64_t run;                  /* alive in the run of that number */
    uint64_t remapped;             /* what its units say changed in the operation of that number */
    uint64_t hung;                 /* its place in the ordered index changed in the operation of that number */
    uint64_t units, leaves, links; /* what it adds to the digests */
    struct rescind_node_view view; /* as it was seen last */
    uint32_t pd;                   /* slot in struct mirror */
    bool shrunk; /* with `remapped`: its children may lie beyond it now, or be children of another unit */
};

/* A page table that can be reached from the root table of a live PD. Slots are frame numbers modulo the number of
 * slots. */
struct mirror_table {
    uint64_t frame, unit;
    uint64_t run;        /* linked in the run of that number */
    uint64_t linked;     /* since the operation of that number */
    uint64_t leaves;     /* what its entries add to the digest of the hardware form */
    uint64_t entries;    /* a digest of the entries as they are stored */
    uint64_t key;        /* of its leaves, but for unit, frame and rights */
    uint32_t pd;         /* slot */
    uint32_t parent;     /* slot of the table that refers to it, or RESCIND_NONE */
    uint32_t children;   /* linked tables that it refers to */
    uint32_t used;       /* entries that are not zero */
    uint32_t place;      /* in the list of linked tables */
    uint8_t level, log2; /* an entry stands for 2^log2 units */
};

struct mirror_pd {
    uint64_t run;     /* known in the run of that number */
    uint64_t since;   /* the operation of that number */
    uint64_t touched; /* in the operation of that number */
    uint64_t root_table;
    uint64_t roots; /* what the roots of its ordered indices add to the digest of links */
    uint32_t root[ABI_KINDS];
    uint64_t ports;             /* what its port bitmap adds to the digest of the hardware form */
    uint32_t nodes[ABI_KINDS];  /* in its spaces */
    uint32_t firsts[ABI_KINDS]; /* of them, with none before in order */
    uint32_t charged, tables;   /* of them, and tables below the root table */
    uint32_t id;                /* the oracle's */
};

/* Sums over ordered indices. */
struct mirror_totals {
    uint64_t units;
    uint32_t parented; /* nodes that have a parent */
    uint32_t listed;   /* children that nodes list */
};

/* A node of PHYS after boot. */
struct mirror_phys {
    struct rescind_node_view view;
    uint64_t links;
    uint32_t index;
};

enum { MIRROR_PENDING = 32, MIRROR_PHYS = 64 };

struct mirror {
    const struct rescind_target *target;
    const uint32_t *object_id;  /* the oracle's ids of plain objects, by the target's index */
    struct mirror_node *node;   /* by the target's index; one more, that is never alive */
    struct mirror_table *table; /* by slot */
    struct mirror_pd *pd;       /* by slot: the target's index; the last one is PHYS */
    uint32_t *touched;          /* slots of PDs */
    uint32_t *linked;           /* slots of tables */
    uint32_t table_slots;       /* a power of two */
    uint32_t tables;            /* linked */
    uint32_t charged;           /* nodes */
    uint32_t pds;               /* alive, PHYS aside */
    uint32_t touched_count;
    uint64_t run, operation; /* numbers; never 0 */
    const char *seen;        /* the first thing that cannot be right, or NULL */
    bool taking;             /* everything is looked at: nodes of PHYS, too, which never change after boot */
    bool lost;               /* something that the picture has no room for: only a full comparison will do */

    uint64_t units;    /* digest as in oracle.h of the mappings that the nodes stand for, those of PHYS aside */
    uint64_t wanted;   /* of the hardware form that the nodes call for */
    uint64_t hardware; /* of the hardware form */
    uint64_t links;    /* each link added by one end and subtracted by the other: 0 */
    uint64_t quota;    /* of the PDs looked at in this operation */

    struct mirror_phys phys[MIRROR_PHYS];
    uint32_t phys_root[ABI_KINDS], phys_count; /* none: there is no picture */
};

/* A PD by the target's index, PHYS included: its slot, which may be none of a live one. */
static inline uint32_t mirror_slot(const struct mirror *mirror, uint32_t pd) {
    uint32_t phys = mirror->target->pd_limit;
    return pd < phys ? pd : phys + (pd != RESCIND_PD_PHYS);
}

static inline bool mirror_alive(const struct mirror *mirror, uint32_t slot) {
    return slot <= mirror->target->pd_limit && mirror->pd[slot].run == mirror->run;
}

/* Cold: what honest kernels do not come to stays out of the way of what they do. */
__attribute__((cold)) void mirror_see(struct mirror *mirror, const char *what);

/* Notes that a PD is to be looked at in this operation. */
static inline void mirror_touch(struct mirror *mirror, uint32_t slot) {
    if (mirror_alive(mirror, slot) && mirror->pd[slot].touched != mirror->operation) {
        mirror->pd[slot].touched = mirror->operation;
        mirror->touched[mirror->touched_count++] = slot;
    }
}

/* Forgets everything but PHYS, which has no nodes yet: a new run. */
void mirror_start(struct mirror *mirror);

/* Begins the next operation. */
void mirror_next(struct mirror *mirror);

/* A PD came (with its root table, what that leads to, and its port bitmap), or went. */
void mirror_add_pd(struct mirror *mirror, uint32_t pd, const struct rescind_pd_view *view, uint32_t id);
void mirror_remove_pd(struct mirror *mirror, uint32_t pd);

/* The roots of a PD's ordered indices are these now. PHYS: of its kinds. */
void mirror_set_roots(struct mirror *mirror, uint32_t slot, const uint32_t root[ABI_KINDS]);

/* Takes a node over as it is now: links and counts. */
void mirror_update_node(struct mirror *mirror, uint32_t index);

/* Then, with every node taken over that was stored to: what it stands for, and its place among its neighbours. */
void mirror_digest_node(struct mirror *mirror, uint32_t index);

/* Without a log: takes over each node of an ordered index; digests each of one, when all of all indices are taken over.
 */
void mirror_take_index(struct mirror *mirror, uint32_t root);
void mirror_digest_index(struct mirror *mirror, uint32_t root);

/* Whether the nodes of an ordered index are what the log made of them. Sees also what takes more than neighbours to be
 * seen: the order of the whole index, nodes that could be one, and children that their parent does not list. */
void mirror_check_index(struct mirror *mirror, uint32_t slot, unsigned kind, struct mirror_totals *totals);

/* The nodes of PHYS after boot, which are the same each time: keeps a picture of them; takes them over by it. False:
 * there is none that fits. */
void mirror_keep_phys(struct mirror *mirror);
bool mirror_take_phys(struct mirror *mirror);

/* Whether page tables and port bitmaps are what the log made of them. */
void mirror_check_tables(struct mirror *mirror);

/* Follows the stores of one operation to page tables and port bitmaps. */
void mirror_update_tables(struct mirror *mirror, const struct rescind_store *stores, uint32_t count);
void mirror_update_ports(struct mirror *mirror, const struct rescind_port_store *stores, uint32_t count);

#endif
