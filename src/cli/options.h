/*
 * The options of every subcommand that runs sequences, parsed in one place.
 */
#ifndef RESCIND_CLI_OPTIONS_H
#define RESCIND_CLI_OPTIONS_H

#include "cli/cli.h"

struct run_options {
    enum harness_compare compare;
    const struct cli_target *target; /* NULL: as each file says */
    uint64_t seed;
    uint32_t timeout; /* seconds */
    bool raw;
};

/* A child parser (argp.h). The parent's, at ARGP_KEY_INIT, sets its child input to a struct run_options, which this
 * fills with defaults first. */
extern const struct argp_child run_options_child[];

/* The geometry to read a file's bare operations in, or NULL: the file says. */
const struct seq_geometry *raw_geometry(const struct run_options *options);

#endif
