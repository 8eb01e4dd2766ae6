/*
 * The world of the benches of revocation: a manager (root) and N programs, and the kernel calls between them, without
 * oracle, on any target: the kernel of the real geometry on the host, or the booted one, where programs really run.
 *
 * Freestanding (no libc, no allocation), no global mutable state. Depends on src/kernel/abi (abi.h, target.h) only.
 */
#ifndef RESCIND_BENCH_WORLD_H
#define RESCIND_BENCH_WORLD_H

#include "abi/target.h"

#include <stdbool.h>
#include <stdint.h>

/* Kernel calls must succeed, or the world fails. */
struct world {
    const struct rescind_target *target;
    struct rescind_hooks hooks; /* what the target is booted with */
    /* Ends all: something is not as it must be, or (`too_large`) what was asked for does not fit. */
    void (*fail)(const struct world *world, bool too_large, const char *what, uint64_t number);
    uint64_t (*last_steps)(void); /* of the last kernel call */
    uint64_t (*now)(void);        /* in whatever unit */
    /* Pages that are mapped in the manager's space, those that it has as a program left out. NULL: nobody can tell. */
    uint64_t (*manager_pages)(const struct world *world);
    /* A program really uses a range of the module: true if it could. NULL: no program can run. */
    bool (*run)(struct world *world, uint32_t program, uint32_t range);
    uint32_t programs, ranges; /* the module consists of `ranges` ranges */
    uint8_t order;             /* of 2^order pages each */
    bool setting_up;           /* no memory then is bad input: too many programs or pages */
    bool count_naming;         /* also count what finding capabilities takes */
    uint64_t calls, steps, naming_steps, naming_time;
    uint32_t *pd; /* index of the PD of each program */
};

/* Range `range` of the module, in the manager's space, in its n-th copy there, in a program's space and in PHYS. */
uint64_t world_manager_base(const struct world *world, uint32_t range);
uint64_t world_copy_base(const struct world *world, uint32_t copy, uint32_t range);
uint64_t world_program_base(const struct world *world, uint32_t program, uint32_t range);
uint64_t world_frame(const struct world *world, uint32_t range);

/* The manager's selector for a program. */
uint64_t world_selector(const struct world *world, uint32_t program);

/* Memory of one range: from `place` (ABI_OWN or ABI_PHYS) of the manager into its own space, or into a program's. */
void world_map_self(struct world *world, uint64_t frame, uint64_t base);
void world_map_program(struct world *world, enum abi_place place, uint64_t base, uint32_t program, uint32_t range);

/* The manager takes all rights to a memory range of 2^order pages: from its own space or PHYS, whoever has it or (if
 * `only` is not RESCIND_NONE) only in that program; or remotely, in a program's space. */
void world_revoke(struct world *world, enum abi_place place, enum abi_scope scope, uint64_t base, unsigned order,
                  uint32_t only);
void world_revoke_remote(struct world *world, uint64_t base, unsigned order, uint32_t program);
/* The same for the whole module in program 0 by program 1, which has one capability: to program 0, to revoke only. */
void world_revoke_by_pager(struct world *world);

/* Program 0, which has the module, gives a range of it to another one. */
void world_map_from_server(struct world *world, uint32_t program, uint32_t range);

void world_destroy(struct world *world, uint32_t program);

/* The order of all of the module. */
unsigned world_module_order(const struct world *world);

void world_boot(struct world *world);
/* Whether a program has the whole range, exactly so, or nothing of it; anything else is a failure. */
bool world_has(struct world *world, uint32_t program, uint32_t range);

/* ---- alternatives ---- */

struct alternative {
    const char *name;
    /* What the manager maps for itself, once; NULL: nothing. */
    void (*prepare)(struct world *world);
    /* A range of the module appears in a program. */
    void (*give)(struct world *world, uint32_t program, uint32_t range);
    /* Program 0 loses the module. */
    void (*take)(struct world *world);
    bool all_lose; /* must lose it with program 0; false: none may */
    bool destroys; /* program 0 is gone then */
    bool server;   /* the others have the module from program 0, and nobody is given it again */
};

/* What `rescind bench rom` compares. */
enum { BENCH_ROM_ALTERNATIVES = 5 };
extern const struct alternative bench_rom_alternatives[BENCH_ROM_ALTERNATIVES];

/* ---- measuring ---- */

/* What one alternative came to. */
struct bench_figures {
    uint64_t lost, faults; /* programs that lost the module; page faults until all others run again */
    uint64_t calls, steps, naming_steps, time;
    uint64_t nodes, bytes, manager_pages; /* that the module costs */
    uint64_t give_steps, give_time;       /* of giving it to program 0 */
};

/* Boots and measures once. `fault` has room for programs * ranges numbers. */
void bench_measure(struct world *world, const struct alternative *alternative, uint32_t *fault,
                   struct bench_figures *figures);

#endif
