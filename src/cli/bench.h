/*
 * What the benches share: their entries, the options and rows of those that measure revocation, and the world that
 * these run in: a manager (root) and N programs, directly on the kernel of the real geometry, without oracle.
 *
 * A bench is a list of alternatives. For each of them, N and P, the world is booted several times: the manager gives a
 * module of P pages to every program, program 0 loses it again in the alternative's way, and whoever lost it
 * although it should not have is given it again. Whether a program has the module is always asked of the kernel.
 */
#ifndef RESCIND_CLI_BENCH_H
#define RESCIND_CLI_BENCH_H

#include "cli/cli.h"

#include <jansson.h>

/* One bench each; arguments after its name, exit status as a subcommand. */
int bench_harness(int argc, char **argv);
int bench_rom(int argc, char **argv);
int bench_nested(int argc, char **argv);
int bench_direct(int argc, char **argv);
int bench_destroy(int argc, char **argv);
int bench_explore(int argc, char **argv);
int bench_stretch(int argc, char **argv);
int bench_unicorn(int argc, char **argv);

/* Sorts the values; count > 0. */
double bench_median(double *values, uint32_t count);

/* One figure a line. */
void bench_print_summary(json_t *summary);

/* ---- the world: kernel calls that must succeed, or the program ends with EXIT_FINDING ---- */

struct world {
    const struct rescind_target *target;
    struct rescind_hooks hooks;
    uint32_t programs, ranges; /* the module consists of `ranges` ranges */
    uint8_t order;             /* of 2^order pages each */
    bool setting_up;           /* no memory then is bad input: too many programs or pages */
    bool count_naming;         /* also count what finding capabilities takes */
    uint64_t calls, steps, naming_steps;
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

struct bench {
    const char *name, *doc;
    const struct alternative *alternatives;
    uint32_t count;
    bool leaves; /* the module consists of several ranges: option --leaves */
};

/* Parses the arguments, measures and prints. Returns an exit status. */
int bench_alternatives(const struct bench *bench, int argc, char **argv);

/* ---- for bench_alternatives ---- */

void world_boot(struct world *world);
/* Whether a program has the whole range, exactly so, or nothing of it; anything else is a finding. */
bool world_has(struct world *world, uint32_t program, uint32_t range);
/* Pages that are mapped in the manager's space, those that it has as a program left out. */
uint64_t world_manager_pages(const struct world *world);
/* Ends the program. */
_Noreturn void world_finding(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
