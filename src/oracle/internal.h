/*
 * The oracle's memory: what is shared between its files and seen by nobody else.
 *
 * Records (one for each mapping of one unit), extents, PDs, and for each (PD, kind) a sparse array from unit to record:
 * a tree of nodes of up to 512 slots, one level deep where the space is that small. Depends on oracle.h only.
 */
#ifndef RESCIND_ORACLE_INTERNAL_H
#define RESCIND_ORACLE_INTERNAL_H

#include "oracle/oracle.h"

enum { NODE_BITS = 9, NODE_SLOTS = 1 << NODE_BITS, NODE_WORDS = NODE_SLOTS / 64, LEVELS_MAX = 7 };

/* The extent of all PHYS memory: there is one boot memory record. It is never counted nor freed. */
enum { EXTENT_PHYS = 0 };

struct record {
    struct oracle_mapping mapping;
    uint32_t mark;                                 /* stamp of the last walk that covered it */
    uint32_t next_capability, previous_capability; /* OBJ: further capabilities to the same PD */
    uint32_t next_free;
};

/* Units made by one delegate call from one source extent. */
struct extent {
    uint64_t first, last; /* its units are in between; other extents' may be, too */
    uint32_t units;
    uint32_t stamp; /* of the last walk that met it */
    uint32_t copy;  /* made from it by that walk, a delegate; ORACLE_NONE: nothing is made from it */
    uint32_t next_free;
};

/* Handles of nodes are index + 1, so that an all-zero node is an empty one. */
struct node {
    uint64_t used[NODE_WORDS]; /* bit set: slot is not zero */
    uint32_t next_free;
    uint32_t slot[]; /* level 0: record index + 1; above: handle of a node */
};

struct space {
    uint64_t units;
    uint32_t root; /* handle of the topmost node; 0: nothing is mapped */
    uint8_t levels, log2;
};

struct pd {
    struct space spaces[ABI_KINDS];
    uint32_t references;       /* capabilities to it */
    uint32_t first_capability; /* list of them */
    bool alive;
    bool dying; /* in the work list of PDs to be destroyed */
};

struct oracle {
    struct oracle_geometry geometry;
    struct oracle_policy policy;
    struct pd *pds;          /* by id; only those below pd_top are initialized */
    uint32_t pd_top;         /* no PD with this id or above has lived since reset */
    uint32_t pd_count;       /* alive, root included, PHYS not */
    uint32_t pd_lowest_free; /* id; beyond the last one if there is none */
    uint64_t digest;         /* of all mappings but those of PHYS */
    uint32_t stamp;          /* of the present walk; every walk has its own */

    struct record *records;
    uint32_t record_limit, record_fresh, record_free; /* indices from `fresh` on were never used since reset */
    struct extent *extents;
    uint32_t extent_fresh, extent_free;
    unsigned char *nodes;
    size_t node_bytes;
    uint32_t node_limit, node_fresh, node_free, node_count;

    uint32_t *covered; /* records found by the present walk */
    uint32_t covered_count;
    struct oracle_change *changes;
    uint32_t change_count;
    uint32_t *dying, *destroyed; /* PD ids */
    uint32_t dying_count, destroyed_count;
};

static inline struct node *node_at(const struct oracle *o, uint32_t handle) {
    return (struct node *)(void *)(o->nodes + (handle - 1) * o->node_bytes);
}

static inline unsigned slot_index(uint64_t unit, unsigned level) {
    return (unsigned)(unit >> (NODE_BITS * level)) & (NODE_SLOTS - 1);
}

/* The record of a unit inside the space, or ORACLE_NONE. */
static inline uint32_t space_at(const struct oracle *o, const struct space *space, uint64_t unit) {
    uint32_t handle = space->root;
    for (unsigned level = space->levels; handle != 0 && level-- > 0;) {
        handle = node_at(o, handle)->slot[slot_index(unit, level)];
    }
    return handle - 1;
}

/* Walks the mapped units of a range in ascending order. What is outside the range may change meanwhile. */
struct cursor {
    const struct space *space;
    uint64_t next, end;   /* the rest of the range, beyond the present word */
    uint64_t bits;        /* mapped units not yet visited of the present word of 64 */
    const uint32_t *slot; /* of the present word */
};

static inline void cursor_init(struct cursor *cursor, const struct space *space, uint64_t first, uint64_t end) {
    cursor->space = space;
    cursor->next = first;
    cursor->end = end;
    cursor->bits = 0;
}

/* Goes on to the next word with a mapped unit, or returns false. Skips what is empty a node at a time. */
bool cursor_refill(const struct oracle *o, struct cursor *cursor);

/* The record of the next mapped unit, or ORACLE_NONE. */
static inline uint32_t cursor_next(const struct oracle *o, struct cursor *cursor) {
    if (cursor->bits == 0 && !cursor_refill(o, cursor)) {
        return ORACLE_NONE;
    }
    const int bit = __builtin_ctzll(cursor->bits);
    cursor->bits &= cursor->bits - 1;
    return cursor->slot[bit] - 1;
}

static inline struct space *space_of(const struct oracle *o, uint32_t pd, uint8_t kind) {
    return &o->pds[pd].spaces[kind];
}

static inline struct oracle_mapping *mapping_of(const struct oracle *o, uint32_t index) {
    return &o->records[index].mapping;
}

/* The PD that a selector of the caller names, or ORACLE_NONE; *rights are those of the capability. */
static inline uint32_t named_pd(const struct oracle *o, uint32_t caller, uint64_t selector, uint8_t *rights) {
    const uint32_t index =
        selector >> o->geometry.obj_log2 != 0 ? ORACLE_NONE : space_at(o, space_of(o, caller, ABI_OBJ), selector);
    if (index == ORACLE_NONE) {
        return ORACLE_NONE;
    }
    *rights = mapping_of(o, index)->rights;
    return (uint32_t)mapping_of(o, index)->resource;
}

/* Whether a mapping with these rights exists. */
static inline bool rights_exist(const struct oracle *o, uint8_t kind, uint8_t rights) {
    return kind == ABI_MEM && !o->policy.any_bit_exists ? (rights & ABI_R) != 0 : rights != 0;
}

static inline uint8_t kind_rights(uint8_t kind) {
    return kind == ABI_MEM ? ABI_MEM_RIGHTS : ABI_OBJ_RIGHTS;
}

/* ---- store.c ---- */

/* Forgets what a space holds; the records stay as they are. */
void space_clear(struct oracle *o, struct space *space);

/* Makes a mapping; parent and extent exist. Its index, or ORACLE_NONE: too many. In PHYS: only the record is new. */
uint32_t mapping_make(struct oracle *o, uint32_t parent, uint32_t extent, const struct oracle_mapping *as);

/* Removes a mapping. Its children, if any are left, become root mappings. */
void mapping_remove(struct oracle *o, uint32_t index);

/* Gives a mapping other rights. */
void mapping_lower(struct oracle *o, uint32_t index, uint8_t rights);

/* Puts a mapping below another parent (ORACLE_NONE: makes it a root mapping). */
void mapping_move(struct oracle *o, uint32_t index, uint32_t parent);

/* The record of a PHYS unit, made if it has none, or ORACLE_NONE: too many. It goes with its last child. */
uint32_t phys_record(struct oracle *o, uint64_t unit);

/* A new extent, to which units will be added in ascending order. It goes with its last unit. */
uint32_t extent_make(struct oracle *o, uint64_t first);

/* Adds a unit to the list of changes. */
void note_change(struct oracle *o, const struct oracle_mapping *mapping);

/* ---- delegate.c ---- */

/* How many units the delegate would map. With *occupied: so many destination units that need to be free are not. */
uint64_t delegate_count(struct oracle *o, const struct oracle_call *call, bool *occupied);
bool delegate_commit(struct oracle *o, const struct oracle_call *call);

/* ---- revoke.c ---- */

void revoke_commit(struct oracle *o, const struct oracle_call *call);

/* Destroys the PDs in the work list, and every PD that this leaves without a capability. */
void destroy_dying(struct oracle *o);
/* Puts a PD into the work list, unless it is there. */
void condemn(struct oracle *o, uint32_t pd);

#endif
