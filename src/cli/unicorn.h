/*
 * The kernel's linked image under Unicorn (emu/unicorn) as a target, for every subcommand that runs sequences on one.
 */
#ifndef RESCIND_CLI_UNICORN_H
#define RESCIND_CLI_UNICORN_H

#include "cli/cli.h"

struct unicorn_options {
    bool on;
    const char *kernel; /* NULL: emu/kernel.elf beside this program */
};

/* A child parser; its input is a struct unicorn_options. For subcommands that do not take qemu_options_parser, which
 * has these options too. */
extern const struct argp unicorn_options_parser;

/* Whether this build has one. */
bool unicorn_cli_is_built(void);

/* Loads it, or ends the program with EXIT_BAD: the user was told why it cannot. */
const struct cli_target *unicorn_cli_target(const struct unicorn_options *options);

struct unicorn_pair;
/* After that: unicorn_call_pair of emu/unicorn/target.h. */
void unicorn_cli_call_pair(struct unicorn_pair *pair);

#endif
