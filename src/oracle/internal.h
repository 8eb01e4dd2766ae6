/*
 * The oracle's memory: what is shared between its files and seen by nobody else.
 *
 * Records (one for each mapping of one unit), extents, PDs, plain objects, and for each (PD, kind) a sparse array from
 * unit to record: a tree of nodes of up to 512 slots, one level deep where the space is that small. Depends on oracle.h
 * only.
 */
#ifndef RESCIND_ORACLE_INTERNAL_H
#define RESCIND_ORACLE_INTERNAL_H

#include "oracle/oracle.h"

enum { NODE_BITS = 9, NODE_SLOTS = 1 << NODE_BITS, NODE_WORDS = NODE_SLOTS / 64, LEVELS_MAX = 7 };

/* The extent of all PHYS units: there is one boot memory record. It is never counted nor freed. Where the policy does
 * not look at extents, it is the extent of everything. */
enum { EXTENT_PHYS = 0 };

struct record {
    struct oracle_mapping mapping;
    uint64_t hash; /* what the mapping adds to the digest; PHYS: nothing */
    uint32_t mark; /* stamp of the last walk that covered it */
    /* Operations in progress, a bit for each, that take rights from it; that drop it; that destroy the PD in whose
     * space it or an ancestor lies, or which it or an ancestor names. */
    uint8_t losing, dropping, doomed;
    uint8_t maybe;    /* those of `losing` that may have found it without these rights, since others were taking them */
    uint8_t orphaned; /* those that doomed its parent, which is gone: it goes when they have returned */
    uint32_t next_capability, previous_capability; /* OBJ: further capabilities to the same PD or object */
    uint32_t next_free;
};

/* Units made by one delegate call from one source extent, or moved together by a grant. */
struct extent {
    uint64_t first, last; /* its units are in between; other extents' may be, too */
    uint32_t units;
    uint32_t stamp; /* of the last walk that met it */
    uint32_t copy;  /* made from it by that walk, a delegate or grant; ORACLE_NONE: nothing is made from it */
    uint32_t next_free;
};

/* Handles of nodes are index + 1, so that an all-zero node is an empty one. */
struct node {
    uint64_t used[NODE_WORDS]; /* bit set: slot is not zero */
    uint32_t count;            /* slots that are not zero */
    uint32_t next_free;
    uint32_t slot[]; /* level 0: record index + 1; above: handle of a node */
};

struct space {
    uint64_t units;
    uint32_t root; /* handle of the topmost node; 0: nothing is mapped */
    uint8_t levels, log2;
};

/* What capabilities name: a PD or a plain object. */
struct named {
    uint32_t references;       /* capabilities to it */
    uint32_t first_capability; /* list of them */
    uint32_t payer;            /* PD; ORACLE_NONE for root and PHYS */
    bool alive;
    bool dying;        /* in the work list of what is to be destroyed */
    uint8_t doomed;    /* operations in progress, a bit for each, that will or may destroy it */
    uint8_t condemned; /* those of them that were called to */
};

struct pd {
    struct space spaces[ABI_KINDS];
    struct named named;
};

/* Numbers of PDs or of plain objects, given out lowest first. */
struct numbers {
    uint32_t limit;
    uint32_t top;         /* none from here on has been used since reset */
    uint32_t lowest_free; /* `limit` if there is none */
};

/* What decide found out and commit needs. Which PD is which is said below, at the functions of each operation; create
 * has the payer in `to`, destroy_pd the PD to destroy. */
struct plan {
    uint32_t from, to; /* PDs */
    uint64_t units;    /* delegate, grant: to be mapped or moved */
};

/* An operation that has begun and not returned. */
struct operation {
    struct oracle_call call;
    uint32_t victim; /* destroy_pd: the PD; ORACLE_NONE: it is gone */
};

struct oracle {
    struct oracle_geometry geometry;
    struct oracle_policy policy;
    bool keeps_extents; /* the policy looks at them */
    struct pd *pds;
    struct named *objects;
    struct numbers pd_numbers, object_numbers;
    uint64_t digest; /* of all mappings but those of PHYS */
    uint32_t stamp;  /* of the present walk; every walk has its own */

    struct record *records;
    uint32_t record_limit, record_fresh, record_free; /* indices from `fresh` on were never used since reset */
    struct extent *extents;
    uint32_t extent_fresh, extent_free;
    unsigned char *nodes;
    size_t node_bytes;
    uint32_t node_limit, node_fresh, node_free, node_count;

    struct plan plan;
    uint32_t *covered; /* records found by the present walk, each once */
    uint32_t covered_count;
    struct oracle_change *changes;
    uint32_t change_count;
    uint32_t *dying, *destroyed; /* ids */
    uint32_t dying_count, destroyed_count;

    struct operation operation[ORACLE_IN_PROGRESS];
    uint8_t in_progress; /* a bit for each */
    uint8_t ending;      /* that of the one that is about to return */
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
    if (space->levels == 1) {
        return handle == 0 ? ORACLE_NONE : node_at(o, handle)->slot[unit] - 1;
    }
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

/* The PD or plain object with that id, which is or was alive since reset. */
static inline struct named *named_of(const struct oracle *o, uint32_t id) {
    return (id & ORACLE_OBJECT) != 0 ? &o->objects[id & ~ORACLE_OBJECT] : &o->pds[id].named;
}

/* Whether a mapping with these rights exists. */
static inline bool rights_exist(const struct oracle *o, uint8_t kind, uint8_t rights) {
    return kind == ABI_MEM && !o->policy.any_bit_exists ? (rights & ABI_R) != 0 : rights != 0;
}

static inline uint8_t kind_rights(uint8_t kind) {
    static const uint8_t all[ABI_KINDS] = {ABI_MEM_RIGHTS, ABI_PIO_RIGHTS, ABI_OBJ_RIGHTS};
    return all[kind];
}

/* The first unit of PHYS that does not exist. */
static inline uint64_t phys_end(const struct oracle *o, uint8_t kind) {
    return kind == ABI_MEM ? o->geometry.kernel_frame : UINT64_C(1) << o->geometry.pio_log2;
}

static inline void begin_walk(struct oracle *o) {
    o->stamp++;
    o->covered_count = 0;
}

static inline bool is_covered(const struct oracle *o, uint32_t index) {
    return o->records[index].mark == o->stamp;
}

static inline void cover(struct oracle *o, uint32_t index) {
    if (!is_covered(o, index)) {
        o->records[index].mark = o->stamp;
        o->covered[o->covered_count++] = index;
    }
}

/* ---- store.c ---- */

/* Makes a mapping like *as, whose links and parent are ORACLE_NONE, below a parent that exists or is ORACLE_NONE. Its
 * index, or ORACLE_NONE: too many. Not in PHYS. */
uint32_t mapping_make(struct oracle *o, uint32_t parent, const struct oracle_mapping *as);

/* Removes a mapping. Its children, if any are left, become root mappings. */
void mapping_remove(struct oracle *o, uint32_t index);

/* Gives a mapping other rights. */
void mapping_lower(struct oracle *o, uint32_t index, uint8_t rights);

/* Puts a mapping below another parent (ORACLE_NONE: makes it a root mapping). */
void mapping_move(struct oracle *o, uint32_t index, uint32_t parent);

/* Puts a mapping, with fewer rights, at a free unit, with its place in the tree. False: too many. Its children's
 * digests are left to mapping_rehash. */
bool mapping_transfer(struct oracle *o, uint32_t index, uint32_t pd, uint64_t unit, uint8_t rights);

/* Brings the digest up to date after the place of a mapping's parent has changed. */
void mapping_rehash(struct oracle *o, uint32_t index);

/* The record of a PHYS unit, made if it has none, or ORACLE_NONE: too many. It goes with its last child. */
uint32_t phys_record(struct oracle *o, uint8_t kind, uint64_t unit);

/* A new extent, to which units will be added in ascending order. It goes with its last unit. EXTENT_PHYS where extents
 * are not kept. */
uint32_t extent_make(struct oracle *o, uint64_t first);

/* Puts a mapping that was just transferred into another extent. */
void extent_change(struct oracle *o, uint32_t index, uint32_t extent);

/* Adds a unit to the list of changes. */
void note_change(struct oracle *o, const struct oracle_mapping *mapping);

/* ---- delegate.c: delegate and grant; plan.from and plan.to are source and destination ---- */

/* How many units would be mapped or moved. With *occupied: so many destination units that need to be free are not. */
uint64_t delegate_plan(struct oracle *o, const struct oracle_call *call, bool *occupied);
bool delegate_commit(struct oracle *o, const struct oracle_call *call);
bool grant_commit(struct oracle *o, const struct oracle_call *call);

/* ---- revoke.c: plan.from is the place, plan.to the filter, if any ---- */

/* Collects what is covered. */
void revoke_plan(struct oracle *o, const struct oracle_call *call);
void revoke_commit(struct oracle *o, const struct oracle_call *call);

/* Starts a walk and covers the range and what descends from it. */
void cover_all(struct oracle *o, struct cursor *range);
/* Covers everything that descends from what was covered as number `from` or later. */
void cover_subtrees(struct oracle *o, uint32_t from);
/* What is covered loses rights; what no longer exists goes. */
void take_rights(struct oracle *o, uint8_t rights);

/* ---- death.c ---- */

/* Destroys what is in the work list, and all that this leaves without a capability. */
void destroy_dying(struct oracle *o);
/* Puts a PD or object into the work list, unless it is there. */
void condemn(struct oracle *o, uint32_t id);
/* Likewise, where its last capability went; one that an operation in progress destroys is left to that. */
void condemn_unnamed(struct oracle *o, uint32_t id);

/* ---- progress.c ---- */

static inline uint8_t uncertainty(const struct oracle *o, uint32_t index) {
    const struct record *record = &o->records[index];
    return record->losing | record->dropping | record->doomed;
}

/* A new mapping is covered by what covers its parent, its PD and what it names. */
void inherit_cover(struct oracle *o, uint32_t index, uint32_t parent);
/* Takes away an uncertain mapping where another one is about to be made: it is gone. */
void make_room(struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit);
/* Brings up to date what is doomed. */
void spread_doom(struct oracle *o);

/* ---- decide.c ---- */

/* The PD that a selector of the caller names, or ORACLE_NONE; *rights are those of the capability. */
uint32_t named_pd(const struct oracle *o, uint32_t caller, uint64_t selector, uint8_t *rights);
uint8_t remote_right(const struct oracle *o, uint8_t right);

#endif
