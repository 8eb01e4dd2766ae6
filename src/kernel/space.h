/*
 * Mapping nodes, spaces and protection domains: the data that everything else works on.
 *
 * A node says that 2^order units of one space, from `base`, refer to 2^order resources from `resource`, with equal
 * rights and derived from one parent node. Base and resource are multiples of 2^order. OBJ nodes (capabilities) have
 * order 0; their resource is the index of the PD named, or that of a plain object with RESCIND_OBJECT. The forest over
 * the nodes is the mapping database (semantics, section 1).
 */
#ifndef RESCIND_SPACE_H
#define RESCIND_SPACE_H

#include "abi/target.h"
#include "geometry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node {
    struct node *parent, *first_child, *next_sibling, *previous_sibling; /* derivation; children in no order */
    struct node *tree_parent, *tree_left, *tree_right;                   /* ordered index of the space (index.h) */
    uint32_t next_in_order, previous_in_order;                           /* in that: pool indices, or RESCIND_NONE */
    struct node *next_listed, *previous_listed; /* OBJ: capabilities to the same; else: to be coalesced; or retired */
    struct space *space;
    uint64_t base, resource;
    uint8_t order, rights, tree_rank; /* rank: 1 where nothing was below when it was entered */
    bool charged;                     /* to the account of the PD whose space it is in; false for what exists at boot */
    bool listed;
    bool postponed; /* listed, but not to be coalesced yet */
    bool retired;   /* unlinked; its memory is not free yet */
};

struct space {
    struct pd *pd;
    struct node *tree_root; /* ordered index */
    uint64_t inserted;      /* into that since it was last empty */
    uint32_t nodes;
    uint8_t kind;
};

/* Kernel memory in bytes; what is reserved counts as used. */
struct account {
    uint64_t quota, used;
};

/* What a capability names: a PD or a plain object begins with this. */
struct referent {
    struct node *capabilities;                      /* all that name it */
    struct pd *payer;                               /* heir of a PD's account, pays for an object; NULL: root's */
    struct referent *next_client, *previous_client; /* others with this payer */
    struct referent *next_dying;
    uint32_t references; /* length of `capabilities` */
    bool plain;          /* an object, not a PD */
    bool dying;          /* its destruction has begun */
};

struct object {
    struct referent referent;
};

enum { STALE_UNITS = 4 };

/* What CPUs must forget of a PD at the end of the operation (tlb.h). */
struct stale {
    struct pd *next, *previous; /* in the list of those of which something must be forgotten */
    uint64_t unit[STALE_UNITS];
    uint8_t count; /* units; or everything */
    bool listed;
};

struct pd {
    struct referent referent; /* first */
    struct space space[ABI_KINDS];
    struct account account;
    struct referent *clients; /* those whose payer it is */
    uint64_t *root_table;     /* NULL in PHYS, which is no address space */
    struct stale stale;
    struct pd *next_dead;  /* empty, and not yet buried */
    uint8_t cpus;          /* bit: that CPU has a tag for it */
    uint8_t tag[GEO_CPUS]; /* which one */
};

static inline uint64_t node_size(const struct node *node) {
    return UINT64_C(1) << node->order;
}

/* A mapping without its existence right does not exist: R for memory, any right for the others. */
static inline bool rights_exist(unsigned kind, unsigned rights) {
    return kind == ABI_MEM ? (rights & ABI_R) != 0 : rights != 0;
}

/* Whether two aligned blocks of resources have any in common; then one contains the other. */
static inline bool blocks_meet(uint64_t a, unsigned a_order, uint64_t b, unsigned b_order) {
    unsigned order = a_order > b_order ? a_order : b_order;
    return a >> order == b >> order;
}

#endif
