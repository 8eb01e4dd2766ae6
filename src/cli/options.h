/*
 * The options of every subcommand that runs sequences, parsed in one place.
 */
#ifndef RESCIND_CLI_OPTIONS_H
#define RESCIND_CLI_OPTIONS_H

#include "cli/cli.h"
#include "cli/files.h"

struct run_options {
    enum harness_compare compare;
    const struct cli_target *target; /* NULL: as each file says */
    const char *target_name;         /* as given */
    struct cli_target loaded;        /* that target, if it came from a library */
    uint64_t seed;
    uint32_t timeout; /* seconds */
    bool timeout_given;
    bool raw;
    uint8_t cpus; /* of raw files */
};

/* A child parser (argp.h). The parent's, at ARGP_KEY_INIT, sets its child input to a struct run_options, which this
 * fills with defaults first. */
extern const struct argp run_options_parser;

/* The form of a file's bare operations, or NULL: the file says. */
const struct raw_form *raw_form(const struct run_options *options, struct raw_form *form);

#endif
