/*
 * The target interface: what a kernel build offers to the harness.
 *
 * Each kernel build (geometry, seeded fault, version) is one relocatable object that exports a single
 * struct rescind_target; all its other symbols are local, so that several builds live in one process. The system-call
 * entry is the thing under test; the rest lets the harness look inside without sharing code with the kernel. Depends on
 * abi.h only. A change of layout or meaning changes RESCIND_TARGET_VERSION.
 */
#ifndef RESCIND_TARGET_H
#define RESCIND_TARGET_H

#include "abi/abi.h"

#include <stdbool.h>
#include <stdint.h>

#define RESCIND_TARGET_VERSION 7u

/* "No such thing" where a view holds the index of a PD or node. */
#define RESCIND_NONE UINT32_MAX
/* The PD index of PHYS, the kernel's pseudo-PD. */
#define RESCIND_PD_PHYS (UINT32_MAX - 1)
/* Where a resource is told: there is none, or which one is not known. */
#define RESCIND_NOWHERE UINT64_MAX
/* The resource of an OBJ node is the index of a PD, or the index of a plain object with this bit. */
#define RESCIND_OBJECT (UINT32_C(1) << 31)

enum { RESCIND_PAGE_BYTES = 4096 /* of kernel memory: the unit of quota */ };

/* Sizes; all powers of two are given as exponents (log2 of units). Constants of a build (semantics, section 1). */
struct rescind_geometry {
    const char *name;
    uint8_t mem_log2, pio_log2, obj_log2, phys_log2;
    uint8_t level_bits;    /* entries of a page table: 1 << level_bits */
    uint8_t levels;        /* page-table levels; level 0 holds pages, level `levels - 1` is the root table */
    uint8_t leaf_level;    /* highest level that may hold a leaf */
    uint32_t pds;          /* PDs alive at a time, root included */
    uint32_t objects;      /* plain objects alive at a time */
    uint32_t cpus;         /* at most */
    uint32_t quota_pages;  /* of kernel memory; at boot all of it is root's */
    uint64_t kernel_frame; /* frames kernel_frame .. 2^phys_log2 - 1 are the kernel's, not in PHYS */
};

enum rescind_stop {
    RESCIND_STOP_ASSERT = 1,  /* a kernel assertion failed (O11) */
    RESCIND_STOP_STEPS = 2,   /* the step budget of one operation is used up: a hang (O10) */
    RESCIND_STOP_MEMORY = 3,  /* a poisoned free object was written to, or freed twice (O8) */
    RESCIND_STOP_WALK = 4,    /* a page table was freed while a CPU may walk it (O6) */
    RESCIND_STOP_MACHINE = 5, /* a CPU did, or was left with, what the kernel's interface to it does not allow (O11) */
};

/*
 * What the harness gives the kernel. `stop` is called when the kernel cannot go on; it must not return. `text` is the
 * assertion's own text, `function` the kernel function it stands in; both live as long as the target.
 */
struct rescind_hooks {
    void *context;
    void (*stop)(void *context, enum rescind_stop why, const char *text, const char *function);
};

/* One mapping node as stored. Indices of nodes are pool indices; RESCIND_NONE where there is none. */
struct rescind_node_view {
    uint64_t base;     /* first unit */
    uint64_t resource; /* first frame or port; OBJ: see RESCIND_OBJECT */
    uint32_t pd;       /* whose space; RESCIND_PD_PHYS for PHYS */
    uint8_t kind, order, rights;
    bool charged; /* to the account of the PD whose space it is; what exists at boot is not */
    uint32_t parent, first_child, next_sibling, previous_sibling; /* derivation tree */
    uint32_t tree_parent, tree_left, tree_right;                  /* ordered index of the space: a tree by base, */
    uint32_t next_in_order, previous_in_order;                    /* and a list */
    uint8_t tree_rank;                                            /* in that tree: higher than those of its children */
};

struct rescind_pd_view {
    uint64_t root_table;            /* physical address of the root page table */
    const uint64_t *ports;          /* permission bitmap of 2^pio_log2 bits, set: denied; NULL: PIO is not provided */
    uint64_t quota;                 /* bytes in its account, in use or free */
    uint64_t used;                  /* bytes of them in use */
    uint32_t payer;                 /* PD index: who gets the account back; RESCIND_NONE for root */
    uint32_t references;            /* capabilities to this PD, as the kernel counts them */
    uint32_t tree_root[ABI_KINDS];  /* node at the root of each space's ordered index, or RESCIND_NONE */
    uint32_t node_count[ABI_KINDS]; /* nodes in each space, as the kernel counts them */
    bool dying;                     /* its destruction has begun: it calls nothing more */
};

struct rescind_object_view {
    uint32_t references; /* capabilities to it, as the kernel counts them */
    uint32_t payer;      /* PD index: whose account it is charged to */
};

/* What kernel memory costs in bytes; `pd` 0: the target keeps no accounts. A PD's account is charged `pd` for itself
 * (its root table and port bitmap included), and for each node in its spaces, each further page table below its root
 * table, and each plain object that it pays for. */
struct rescind_costs {
    uint32_t pd, object, node, table;
};

/* A translation that a CPU remembers. */
struct rescind_cached {
    uint32_t pd; /* for whom the CPU would use it now: the owner of its tag; RESCIND_NONE: for nobody */
    bool walk;   /* it is of the walk cache: it names a page table */
    uint8_t level, rights;
    uint64_t unit;  /* first unit */
    uint64_t frame; /* first frame, or the frame of the page table of level `level` */
};

/* One store to a word of a port bitmap. */
struct rescind_port_store {
    uint32_t pd, word; /* ports 64 * word .. 64 * word + 63 */
    uint64_t before, value;
};

/* One store to a page-table entry, in program order. */
struct rescind_store {
    uint64_t entry;  /* physical address of the entry: frame of the table << 12 | index * 8 */
    uint64_t before; /* what it held */
    uint64_t value;
};

enum {
    RESCIND_NODE_RANGE =
        1, /* the node appeared, vanished, or its base, order, resource, rights, PD or parent was stored */
    RESCIND_NODE_LINKS = 2, /* another link of it (children, siblings, ordered index) was stored */
};

struct rescind_node_change {
    uint32_t node;
    uint32_t what; /* RESCIND_NODE_... bits */
};

/*
 * What the last call stored. Every node appears at most once; a node that vanished appears too. `pds` lists PDs created
 * or destroyed, in order, each at most once; `objects` plain objects likewise. With `overflow` the log is incomplete
 * and only a full comparison will do.
 */
struct rescind_log {
    const struct rescind_store *stores;
    const struct rescind_node_change *nodes;
    const uint32_t *pds, *objects;
    const struct rescind_port_store *port_stores;
    uint32_t store_count, node_count, pd_count, object_count, port_store_count;
    uint32_t invalidations; /* of single translations or whole tags, on the CPU that the operation executed on */
    uint32_t shootdowns;    /* requests to other CPUs */
    uint32_t cached;        /* what all CPUs remember now; 0: nothing, so nobody need look */
    bool overflow;
};

/* An access to be tried (see `probe`). */
struct rescind_probe {
    uint64_t unit;
    /* What it should get to, or RESCIND_NOWHERE. Afterwards, if anything was reached, what it got to; RESCIND_NOWHERE:
     * something else than it should, and it is not known what. */
    uint64_t resource;
    uint8_t kind;    /* MEM or PIO */
    uint8_t rights;  /* to be tried, each alone */
    uint8_t reached; /* afterwards: those with which it did not fault */
};

/* Kernel memory in use: objects handed out by the pools and not yet returned. Boot-time nodes of PHYS and root's own
 * capability are not counted (semantics: charged to no account). */
struct rescind_usage {
    uint32_t pds, objects, nodes, tables;
    uint64_t bytes;
};

/* A place in the kernel that asks for memory. The numbers grow from when the kernel was loaded; boot leaves them. */
struct rescind_site {
    const char *name; /* operation and what is asked for, such as "delegate.node" */
    uint64_t asked;   /* objects */
    uint64_t refused; /* requests, each for any number of objects */
};

/*
 * A target need not tell of its inside: with node_limit 0 there are no views of nodes and tables, the log tells only of
 * PDs and objects, and views of PDs and objects hold RESCIND_NONE where they tell nothing (costs.pd 0: no accounts
 * either). Such a target is judged by results, accesses and probes.
 */
struct rescind_target {
    uint32_t version; /* RESCIND_TARGET_VERSION */
    uint32_t size;    /* sizeof(struct rescind_target) */
    const char *name; /* such as "host-small" */
    struct rescind_geometry geometry;
    uint32_t operations; /* bit 1 << enum abi_operation: provided */
    uint32_t kinds;      /* bit 1 << enum abi_kind: provided; others are unknown kinds (E_ARG) */

    struct rescind_costs costs;

    /*
     * Brings the kernel into its boot state, from any state, with that many CPUs (1..geometry.cpus). CPU 0 runs root,
     * the others run no PD. `hooks` must outlive the target's use. `speculation` seeds what CPUs translate on their own
     * account while the kernel stores to page tables; 0: nothing.
     */
    void (*boot)(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation);
    /* `boot` only takes CPUs back: that the rest is as at boot is left to whoever tears down, who leaves root its
     * capability to itself for that. Once that is lost, there is no way back to the boot state. */
    bool boots_once;

    /* One system call by the PD with that index, which must be alive and not dying, executed on a CPU. Takes and
     * returns registers as abi.h says. */
    void (*call)(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]);

    /*
     * As `call`, but a revoke or destroy_pd stops at the `points`-th preemption point (from 1) that it comes to, after
     * everything but OK was decided; then its number below suspended_limit is returned. It is in progress, and other
     * calls may be made, on any CPU, until `resume` said that it returned. RESCIND_NONE: it returned, as `call` does;
     * so it does when suspended_limit operations are in progress. NULL: nothing stops in this target. (Semantics,
     * section 3, "Preemption".)
     */
    uint32_t (*begin)(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS], uint32_t points);
    /* Goes on with an operation in progress, on the CPU where it began, to the `points`-th point that it comes to (0:
     * to its end). True: it returned, with registers as after `call`. */
    bool (*resume)(uint32_t operation, uint32_t points, uint64_t word[ABI_WORDS]);
    /* Nothing stops here, but there are CPUs that really run at once: `begin` is asked for what the model is sure to be
     * decided with OK, starts it or will, and the calls after it run beside it. How far it is nobody knows, it may be
     * over; the views of PDs do not tell who is dying. What `resume` brings may also be E_MEM: then nothing happened.
     */
    bool overlaps;
    /* Not even whether such a call was decided before the calls after it. */
    bool unordered;
    /* The name of the point at which an operation in progress stands, such as "revoke.unlinked". */
    const char *(*point)(uint32_t operation);
    uint32_t suspended_limit;
    /* The most steps of the last call, begin or resume from one point to the next or to the return, from its first
     * point on; a constant bounds it (0: none is known). */
    uint64_t (*stretch)(void);
    uint64_t stretch_limit;
    /* The node that is taking in its buddy, the equal block beside it, while an operation stands in the middle of that:
     * children of the buddy may hang from it already. RESCIND_NONE if there is none. May be NULL: there never is. */
    uint32_t (*joining)(void);

    /* Why there is no such operation, in a word, or NULL: there is. What is not there is left out and counted, and with
     * this function so is what the model calls a bad argument. NULL: everything is there. */
    const char *(*lacks)(uint32_t pd, const uint64_t word[ABI_WORDS]);

    /* By the model nobody names that PD, or object (RESCIND_OBJECT), any more. For kernels where somebody has to end
     * it; told after the call and before its log is asked for. NULL: they end by themselves. */
    void (*end)(uint32_t what);

    /* Calls return a code and nothing more, but for a lookup the rights. */
    bool silent;
    /* Any call may come back with E_MEM, when and why nobody tells; then nothing has happened. */
    bool poor;

    /* The n-th allocation (from 1) of kernel memory in the next call fails. 0: none does. NULL: there is no way to ask
     * for that. */
    void (*fail_allocation)(uint32_t n);
    /* All places that ask for memory. */
    const struct rescind_site *(*sites)(uint32_t *count);

    /* Makes a CPU run a live PD, or (RESCIND_NONE) none. */
    void (*switch_to)(uint32_t cpu, uint32_t pd);
    /* The PD that a CPU runs, or RESCIND_NONE. */
    uint32_t (*runs)(uint32_t cpu);
    /* Does what a CPU does at an access by the PD that it runs, with the rights of `kind` (MEM or PIO): its TLB first,
     * then tables or port bitmap. False: a fault; else *resource is what it got to. Before, *resource is what it should
     * get to, or RESCIND_NOWHERE, for those who can only tell whether it did. A target without CPUs of its own leaves
     * this and the two above NULL. */
    bool (*access)(uint32_t cpu, enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource);
    /* Tries accesses by a live PD, with what a CPU remembers of it if the CPU runs that PD and `fresh` is false,
     * otherwise as if it remembered nothing. What the CPU runs stays. NULL: there are no probes. */
    void (*probe)(uint32_t cpu, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count);
    /* What a CPU remembers in that place (0..cached_limit - 1); false: nothing. A target with cached_limit 0 tells
     * nothing of its CPUs: it may be NULL. */
    bool (*cached)(uint32_t cpu, uint32_t place, struct rescind_cached *cached);
    uint32_t cached_limit;

    /* The log of the last call (or of boot). Valid until the next call or boot. */
    void (*log)(struct rescind_log *log);

    /* Steps (loop iterations of the kernel) of the last call. */
    uint64_t (*steps)(void);

    void (*usage)(struct rescind_usage *usage);

    /* False where there is no such PD or node; then the view is untouched. Indices below pd_limit and node_limit exist.
     */
    bool (*pd)(uint32_t pd, struct rescind_pd_view *view);
    bool (*node)(uint32_t node, struct rescind_node_view *view);
    bool (*object)(uint32_t object, struct rescind_object_view *view);
    uint32_t pd_limit, node_limit, object_limit;
    uint32_t root_pd; /* index of the root PD */

    /* Ordered index of PHYS (root node index) is found as the tree root of this pseudo-PD's spaces. */
    uint32_t (*phys_tree_root)(enum abi_kind kind);

    /* The entries of the live page table at this physical address (a multiple of 4096), or NULL: there is no live
     * table. */
    const uint64_t *(*table)(uint64_t physical);
};

#endif
