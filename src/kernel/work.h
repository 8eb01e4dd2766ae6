/*
 * Operations in progress: each has its own continuation, in a fixed table, and is brought on by bounded steps, so that
 * any number of them may stand at preemption points and be finished in any order.
 *
 * An operation is decided, pays and divides nodes before its first step. Then it takes rights away and removes nodes
 * (revoke, drop), empties what dies of that (cascade), joins what can be one, makes CPUs forget, frees what was
 * removed, and buries the dead. What is changed between two steps is whole: index, tree and tables agree, nothing is
 * reserved. Whoever removes a node tells the walks of all operations, which then stand elsewhere. Operations that move
 * nodes in the derivation tree first bring others past the phases that walk it (work_help); so no walk sees that. What
 * of an operation in progress others take as done already is said in cover.h.
 *
 * Nothing here knows who called: a caller may die before its operation ends.
 */
#ifndef RESCIND_WORK_H
#define RESCIND_WORK_H

#include "invoke.h"
#include "space.h"
#include "walk.h"

enum work_phase {
    WORK_FREE_SLOT,
    WORK_DECIDE, /* not yet come to its first step; after this, if there is nothing to be removed, it joins nodes */
    WORK_DROP,
    WORK_REVOKE,
    WORK_CASCADE,
    WORK_JOIN,  /* once more at the end, if others left something or it covers one of two */
    WORK_STALE, /* before the shootdown */
    WORK_SHOOT,
    WORK_AWAIT,
    WORK_RECLAIM,
    WORK_BURY,
    WORK_END,
};

/* Where an operation may be preempted; names in work.c. */
enum point {
    POINT_NONE,
    POINT_WALK,      /* so far on the way to the next node */
    POINT_CHILDREN,  /* children of a node that is dropped were moved up */
    POINT_LOWERED,   /* a node lost rights, and stays */
    POINT_TAKEN,     /* a node lost all rights, and is linked yet */
    POINT_TABLES,    /* likewise, and page tables with it, which CPUs may walk yet */
    POINT_UNLINKED,  /* a node is unlinked, and not free yet */
    POINT_OBJECT,    /* a plain object is gone */
    POINT_EMPTY,     /* a PD has neither mappings nor capabilities any more */
    POINT_JOINED,    /* two nodes are one, or so far on the way to that */
    POINT_STALE,     /* before the shootdown */
    POINT_REQUESTED, /* CPUs are asked to forget what they remember of a PD */
    POINT_HANDLED,   /* they did */
    POINT_FREED,     /* some nodes or tables are free */
    POINT_INHERITED, /* some of what a PD paid for has another payer */
    POINT_BURIED,    /* a PD is gone */
};

/* A block of a node's resources. */
struct block {
    struct node *node;
    uint64_t resource;
    unsigned order;
};

struct work {
    uint64_t start;       /* when it began */
    struct revoke revoke; /* range.space NULL: it revokes nothing, or what it named is gone */
    struct node *next;    /* of the space: those in the range before it are done, or being done; NULL: all are */
    struct block block;   /* of the node in the range whose descendants are looked at */
    struct cursor search; /* among these */
    struct walk walk;     /* of what loses rights */
    struct referent *dying;
    struct pd *emptied;               /* being emptied */
    struct pd *dead;                  /* empty, and to be buried */
    uint64_t nodes_mark, tables_mark; /* what was retired before the shootdown */
    uint64_t value;
    uint32_t turns; /* steps and ends of phases so far */
    enum abi_code code;
    enum work_phase phase;
    enum point point; /* at which it stands */
    bool preemptible, destroys, lowers, shoots;
    bool tidies; /* it is over for everybody but itself: it covers nothing, and is not suspended any more */
};

void work_reset(void);

/* A new operation: one at most beside GEO_WORKS that are suspended. */
struct work *work_begin(void);
/* One bounded step; true: the operation has returned. Else it stands at a point. */
bool work_step(struct work *work);
/* Its number; those that may be suspended have one below GEO_WORKS. The operation in progress of a number, or NULL. */
uint32_t work_index(const struct work *work);
struct work *work_by_index(uint32_t index);
const char *work_point_name(const struct work *work);

/* The operation that is executing; those in progress, this one included; a number that each new operation raises. */
extern struct work *work_running;
extern uint32_t work_count;
extern uint64_t work_now;
static inline bool work_others(void) {
    return work_count > 1;
}

/* Decisions and steps that are being made: none at a preemption point. */
extern uint32_t work_unsettled;

/* Completes what is half done of moving nodes in the derivation tree: before each operation. */
void work_complete(void);
/* Brings other operations that may walk nodes of a kind past that, or only those that leave nodes with fewer rights. */
void work_help(unsigned kind, bool lowering_only);

/* A node is about to be unlinked; a PD is about to be gone. */
void work_forget_node(const struct node *node);
void work_forget_pd(const struct pd *pd);

#endif
