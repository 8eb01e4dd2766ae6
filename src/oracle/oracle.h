/*
 * The oracle: a naive, page-granular model of docs/semantics.md (../shared/semantics.md), against which a kernel is
 * judged.
 *
 * One record for every mapping of one unit, linked into a derivation forest, tagged with its extent. Obviously right
 * before fast. Shares no code with the kernel, only the numbers of abi.h. Freestanding: no libc, no allocation, no
 * global mutable state; all memory is given by the caller. Deterministic: nothing depends on addresses.
 */
#ifndef RESCIND_ORACLE_H
#define RESCIND_ORACLE_H

#include "abi/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_NONE UINT32_MAX
/* Ids of plain objects have this bit; the rest is the lowest free number. */
#define ORACLE_OBJECT (UINT32_C(1) << 31)

enum { ORACLE_PHYS = 0, ORACLE_ROOT = 1 }; /* PD ids; further PDs get the lowest free id */

struct oracle_geometry {
    uint8_t mem_log2, pio_log2, obj_log2, phys_log2;
    uint64_t kernel_frame; /* first frame that is not in PHYS */
    uint32_t pds;          /* PDs alive at a time, root included, PHYS not */
    uint32_t objects;      /* plain objects alive at a time */
    uint32_t kinds;        /* bit 1 << enum abi_kind: known kinds; others are E_ARG */
};

enum oracle_grain { ORACLE_UNIT, ORACLE_EXTENT };

/* How a kernel answers the questions of semantics.md, section 5. */
struct oracle_policy {
    const char *name;           /* "exact", "nova" */
    enum oracle_grain own_self; /* revoke self: what goes of the own mappings */
    enum oracle_grain child;    /* a child overlapping the range: what goes of it */
    bool any_bit_exists;        /* memory exists while it has any right, not only with R */
    bool keep_old;              /* mapping onto occupied: old wins silently, not E_OVERLAP */
    bool pd_cap_is_authority;   /* remote operations need a PD capability, but no right of it */
    bool no_grant;              /* grant is an unknown operation */
    uint8_t object_rights;      /* that the first capability to a plain object has */
};
extern const struct oracle_policy oracle_policy_exact, oracle_policy_nova;

/* One mapping of one unit. Read-only for others. */
struct oracle_mapping {
    uint64_t unit, resource; /* OBJ: resource is the oracle's id of the PD or plain object named */
    uint32_t pd;             /* oracle's PD id, ORACLE_PHYS included */
    uint8_t kind, rights;
    uint32_t parent; /* record index or ORACLE_NONE */
    uint32_t first_child, next_sibling, previous_sibling;
    uint32_t extent; /* identity of the delegate call and source extent that made it */
};

/* One unit whose mapping changed in the last commit; listed at least once, at most a few times. */
struct oracle_change {
    uint64_t unit;
    uint32_t pd;
    uint8_t kind;
};

struct oracle_call {
    enum abi_operation operation;
    uint32_t caller;                         /* PD id; must be alive and not PHYS */
    uint8_t kind, place, scope, order, mask; /* raw: may be undefined values */
    bool to_cap;                             /* delegate, grant: destination is pd_selector, not self */
    bool filtered;                           /* revoke: filter_selector is given */
    uint64_t base;                           /* or the selector to be filled, or the pages to move */
    uint64_t destination;                    /* or the quota of a new PD in pages */
    uint64_t pd_selector;                    /* PD capability: see word[3] in abi.h */
    uint64_t filter_selector;                /* or that of the PD to which quota is moved */
};

struct oracle_result {
    enum abi_code code;
    uint64_t value;   /* as in ABI word 1 */
    uint32_t created; /* id of the new PD or object, else ORACLE_NONE */
    uint32_t payer;   /* with may_fail: the PD, beside the caller, that may have to pay; else ORACLE_NONE */
    bool may_fail;    /* E_MEM is a possible answer of a kernel where this says OK; a revoke: ask oracle_may_cut */
};

struct oracle; /* lives at the start of the memory given */

/*
 * Bytes that an oracle needs for at most `mappings` records at a time: one for each mapped unit, one for each PHYS
 * unit with children. pds * (2^mem_log2 + 2^pio_log2 + 2^obj_log2) + kernel_frame + 2^pio_log2 records are never too
 * few.
 */
size_t oracle_size(const struct oracle_geometry *geometry, uint32_t mappings);

/* Builds an oracle in memory (aligned to 64 bytes) in the boot state. NULL: size < oracle_size, or mappings is 0. */
struct oracle *oracle_init(void *memory, size_t size, const struct oracle_geometry *geometry,
                           const struct oracle_policy *policy, uint32_t mappings);

/* Back to the boot state, in constant time. */
void oracle_reset(struct oracle *oracle);

/* What the operation must return; changes nothing that can be seen, but prepares commit. created is the id that commit
 * will use. */
struct oracle_result oracle_decide(struct oracle *oracle, const struct oracle_call *call);

/* Performs the operation for which the last decide said OK (no other decide, commit or reset in between). False: more
 * units than the oracle has records for; the state is then unusable until oracle_reset (the sequence is too large to be
 * judged). */
bool oracle_commit(struct oracle *oracle, const struct oracle_call *call);

/* Whether the revoke for which the last decide said OK may have to cut a range however a kernel stores them, and so may
 * need memory: only then E_MEM is a possible answer. Changes nothing that can be seen. */
bool oracle_may_cut(struct oracle *oracle, const struct oracle_call *call);

/*
 * ---- Operations in progress (semantics, section 3, "Preemption") ----
 *
 * A revoke or destroy_pd that stopped before it returned covers the mappings that it would change if it ran alone at
 * its start, and what is derived from them. Until it returns a covered mapping is uncertain: it may be there, with
 * rights between old and new, or gone. The state still holds it as it was. Policy `exact` only.
 */
enum { ORACLE_IN_PROGRESS = 8 /* at most */ };

/* The operation for which the last decide said OK, or oracle_fits agreed to OK, has begun. Its number; ORACLE_NONE: too
 * many are in progress. */
uint32_t oracle_begin(struct oracle *oracle, const struct oracle_call *call);

/* It has returned: as oracle_commit. */
void oracle_end(struct oracle *oracle, uint32_t number);
/* It was refused after all: nothing is covered on its account any more, and nothing was done. */
void oracle_cancel(struct oracle *oracle, uint32_t number);

/* Whether the last call that was decided, with OK, comes to OK, or E_MEM, whatever operations in progress have done. */
bool oracle_is_sure(const struct oracle *oracle, const struct oracle_call *call);

/* Whether anything is in progress. */
bool oracle_is_between(const struct oracle *oracle);

bool oracle_uncertain(const struct oracle_mapping *mapping);

/* For a revoke or destroy_pd that was decided, and is not yet begun or committed: what it covers although an operation
 * in progress covers it already. */
typedef void oracle_shared(void *context, const struct oracle_mapping *mapping);
void oracle_each_shared(struct oracle *oracle, const struct oracle_call *call, oracle_shared *shared, void *context);
/* Whether a PD or object may have been destroyed already; whether its destruction has begun in any case. */
bool oracle_may_die(const struct oracle *oracle, uint32_t id);
bool oracle_is_dying(const struct oracle *oracle, uint32_t id);

/*
 * Of what operations in progress drop and the target has dropped by now, the children have moved up: what others do
 * next depends on it. To be called before the next decide or end. `there`: whether the target has a mapping at that
 * unit.
 */
typedef bool oracle_there(void *context, const struct oracle_mapping *mapping);
void oracle_catch_up(struct oracle *oracle, oracle_there *there, void *context);

/* Whether the target now has a mapping like `child`, derived from `parent`. */
typedef bool oracle_made(void *context, const struct oracle_mapping *child, const struct oracle_mapping *parent);

enum oracle_fit { ORACLE_FITS, ORACLE_WRONG_CODE, ORACLE_WRONG_VALUE };

/*
 * Whether the answer to the last decided call fits a choice of each uncertain mapping as there or gone. Then *result is
 * made to be that answer, and commit or begin may follow, if it is OK; for a wrong code its code is one that fits.
 * `made` tells what was derived from uncertain mappings. NULL: that cannot be told, and operations in progress may be
 * over without its being known.
 */
enum oracle_fit oracle_fits(struct oracle *oracle, const struct oracle_call *call, struct oracle_result *result,
                            enum abi_code code, uint64_t value, oracle_made *made, void *context);

/*
 * ---- Taking over a state that nobody followed ----
 *
 * After oracle_adopt_nothing there are PHYS, and root without any capability. The same calls in any order of mappings
 * make the same state; mappings without their parents, first.
 */
void oracle_adopt_nothing(struct oracle *oracle);
/* A PD or plain object (ORACLE_OBJECT) without capabilities; ORACLE_NONE: too many. */
uint32_t oracle_adopt(struct oracle *oracle, uint32_t bit);
void oracle_adopt_payer(struct oracle *oracle, uint32_t id, uint32_t payer);
/* A mapping without a parent. False: there is one already, or too many. */
bool oracle_adopt_mapping(struct oracle *oracle, uint32_t pd, uint8_t kind, uint64_t unit, uint64_t resource,
                          uint8_t rights);
/* Gives a mapping its parent, which exists, or is a unit that PHYS has. */
bool oracle_adopt_parent(struct oracle *oracle, uint8_t kind, uint32_t pd, uint64_t unit, uint32_t parent_pd,
                         uint64_t parent_unit);

/* Units changed by the last commit: made, removed, rights lost, or parent changed. */
const struct oracle_change *oracle_changes(const struct oracle *oracle, uint32_t *count);
/* PDs and plain objects destroyed by the last commit, in any order. */
const uint32_t *oracle_destroyed(const struct oracle *oracle, uint32_t *count);

/*
 * The mapping of a unit, or NULL. Any pd id, kind and unit may be asked for. PHYS has a mapping of every frame below
 * kernel_frame and of every port for ever, but a record of it only while it has children: NULL for PHYS means no more
 * than that.
 */
struct oracle_mapping *oracle_at(const struct oracle *oracle, uint32_t pd, uint8_t kind, uint64_t unit);
struct oracle_mapping *oracle_record(const struct oracle *oracle, uint32_t index); /* ORACLE_NONE: NULL */

/* The lowest mapped unit >= from, or NULL (PHYS: the lowest with a record). Cost: proportional to the part of the space
 * skipped in steps of a chunk at most. */
struct oracle_mapping *oracle_next(const struct oracle *oracle, uint32_t pd, uint8_t kind, uint64_t from);

/* Mapped units of a space; PHYS included. */
uint64_t oracle_units(const struct oracle *oracle, uint32_t pd, uint8_t kind);

/*
 * Digests: sums, modulo 2^64, of one hashed number for each mapping. Equal sets of mappings have equal sums, and a sum
 * follows every change at once, so that whoever keeps one of his own need not compare set with set. Unequal sets with
 * equal sums are as likely as a guessed 64-bit number.
 *
 * A mapping's key is a sum of multiples, so that the keys of neighbouring units of a range, whose resource and parent's
 * unit rise with the unit, differ by a constant (ORACLE_KEY_STEP).
 */
#define ORACLE_KEY_UNIT UINT64_C(0x9e3779b97f4a7c15)
#define ORACLE_KEY_RESOURCE UINT64_C(0xc2b2ae3d27d4eb4f)
#define ORACLE_KEY_PARENT_UNIT UINT64_C(0x165667b19e3779f9)
#define ORACLE_KEY_STEP (ORACLE_KEY_UNIT + ORACLE_KEY_RESOURCE + ORACLE_KEY_PARENT_UNIT)

/* parent_pd ORACLE_NONE: a root mapping. */
static inline uint64_t oracle_key(uint32_t pd, unsigned kind, uint64_t unit, uint64_t resource, unsigned rights,
                                  uint32_t parent_pd, uint64_t parent_unit) {
    return (((uint64_t)pd << 2 | kind) * UINT64_C(0xff51afd7ed558ccd)) + unit * ORACLE_KEY_UNIT +
           resource * ORACLE_KEY_RESOURCE + rights * UINT64_C(0xc4ceb9fe1a85ec53) +
           (parent_pd + UINT64_C(1)) * UINT64_C(0x27d4eb2f165667c5) + parent_unit * ORACLE_KEY_PARENT_UNIT;
}

/* What `count` mappings add to a digest whose keys start at `key` and differ by `step`. */
static inline uint64_t oracle_hash_keys(uint64_t key, uint64_t step, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++, key += step) {
        uint64_t x = (key ^ key >> 32) * UINT64_C(0xd6e8feb86659fd93);
        x = (x ^ x >> 29) * UINT64_C(0xa0761d6478bd642f);
        sum += x ^ x >> 32;
    }
    return sum;
}

/* The policy that it was made with. */
const struct oracle_policy *oracle_policy_of(const struct oracle *oracle);

/* Of all mappings, those of PHYS aside. */
uint64_t oracle_digest(const struct oracle *oracle);

bool oracle_alive(const struct oracle *oracle, uint32_t id);          /* PD or object; PHYS always is */
uint32_t oracle_pd_limit(const struct oracle *oracle);                /* PD ids given out since reset are below */
uint32_t oracle_object_limit(const struct oracle *oracle);            /* likewise of objects, ORACLE_OBJECT aside */
uint32_t oracle_references(const struct oracle *oracle, uint32_t id); /* capabilities to it */

/* Plain objects alive; those that a PD's account pays for. */
uint32_t oracle_objects(const struct oracle *oracle);
uint32_t oracle_paid(const struct oracle *oracle, uint32_t pd);

/* Who gets back what a PD's account holds, or pays for an object: its payer, or that one's payer if it is gone, and so
 * on (semantics, "Destroy"). ORACLE_NONE for root. */
uint32_t oracle_payer(const struct oracle *oracle, uint32_t id);

/* The lowest selector of the caller's OBJ space with a capability to a PD or object, or 2^obj_log2 if there is none. */
uint64_t oracle_selector(const struct oracle *oracle, uint32_t caller, uint32_t id);

#endif
