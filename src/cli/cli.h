/*
 * What the subcommands of `rescind` share: exit statuses, messages, numbers on the command line, and the targets linked
 * in.
 *
 * src/cli is a host program: libc, argp and jansson are allowed here. It depends on harness, oracle, seq and the target
 * interface, never on kernel internals.
 */
#ifndef RESCIND_CLI_H
#define RESCIND_CLI_H

#include "abi/target.h"
#include "harness/harness.h"
#include "seq/seq.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

enum exit_status { EXIT_AGREE = 0, EXIT_FINDING = 1, EXIT_BAD = 2 };

/* A kernel build linked into this program, with what it takes to run sequences on it. */
struct cli_target {
    const struct rescind_target *target;
    const struct seq_geometry *geometry;
    uint32_t mappings; /* records of the oracle */
};

enum { CLI_TARGETS = 2 };
extern const struct cli_target cli_targets[CLI_TARGETS];

/* The target of that geometry, or NULL. */
const struct cli_target *cli_target_by_name(const char *name);
const struct cli_target *cli_target_of(const struct seq *seq);

/* A harness for it in new memory, never NULL; lives as long as the program. */
struct harness *cli_harness(const struct cli_target *target);

/* A message on standard error, after the program's name. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As complain, for what went wrong in a system call: adds errno's text. */
void complain_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* malloc that ends the program with EXIT_BAD when there is no memory. */
void *allocate(size_t size);

/* Parses an option's argument; a bad one is a usage error, which ends the program. */
uint64_t option_number(const char *text, const char *option, uint64_t low, uint64_t high, struct argp_state *state);
const struct cli_target *option_geometry(const char *text, struct argp_state *state);
const struct cli_target *option_target(const char *text, struct argp_state *state); /* auto: NULL */
enum harness_compare option_compare(const char *text, struct argp_state *state);

/* The most units that a generated sequence may change, if nobody said: what the oracle holds and is judged in good
 * time. */
uint64_t default_unit_budget(const struct cli_target *target);

/* A seed for those who gave none; always printed by who uses it. */
uint64_t fresh_seed(void);

/* The generator's state for sequence number `index` of a seed: `gen` and `bench` agree on what that sequence is. */
void seed_sequence(struct seq_random *random, uint64_t seed, uint64_t index);

/* As --compare takes it. */
const char *cli_compare_name(enum harness_compare compare);

/* Names as the semantics page writes them. */
const char *cli_code_name(uint32_t code);
enum { OPERATION_NAME_MAX = 32 };
const char *cli_operation_name(const struct seq_op *op, char name[OPERATION_NAME_MAX]);

/* The subcommands; each parses its own arguments and returns an exit status. */
int command_run(int argc, char **argv);
int command_gen(int argc, char **argv);
int command_show(int argc, char **argv);
int command_pack(int argc, char **argv);
int command_shrink(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_laws(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_soak(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_stress(int argc, char **argv);
int command_explore(int argc, char **argv);
int command_cause(int argc, char **argv);
int command_worst(int argc, char **argv);

#endif
