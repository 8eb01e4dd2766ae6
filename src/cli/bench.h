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

#include "bench/world.h"
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
int bench_visits(int argc, char **argv);

/* Sorts the values; count > 0. */
double bench_median(double *values, uint32_t count);

/* One figure a line. */
void bench_print_summary(json_t *summary);

struct bench {
    const char *name, *doc;
    const struct alternative *alternatives;
    uint32_t count;
    bool leaves; /* the module consists of several ranges: option --leaves */
    bool boots;  /* --on=qemu: the alternatives are those that the root task knows (emu/own/bench.c) */
};

/* Parses the arguments, measures and prints. Returns an exit status. */
int bench_alternatives(const struct bench *bench, int argc, char **argv);

/* ---- for bench_alternatives ---- */

/* A world on the host, which ends the program when it fails. */
void world_init(struct world *world, const struct rescind_target *target, uint32_t programs, uint32_t ranges);
/* Ends the program. */
_Noreturn void world_finding(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same as bench_measure, of one alternative of `rom`, with the root task of a booted kernel as the manager. The
 * time is in instructions. Ends the program when that fails. */
struct qemu;
void bench_measure_on_qemu(struct qemu *qemu, uint32_t alternative, uint64_t programs, uint64_t pages,
                           struct bench_figures *figures);

#endif
