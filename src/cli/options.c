/*
 * The options of every subcommand that runs sequences.
 */
#include "cli/options.h"

#include "cli/plugin.h"
#include "cli/worker.h"

#include <stdlib.h>
#include <string.h>

/* Beyond the keys of any parent. */
enum { OPTION_COMPARE = 512, OPTION_TARGET, OPTION_SEED, OPTION_TIMEOUT, OPTION_RAW, OPTION_CPUS };

static const struct argp_option list[] = {
    {"compare", OPTION_COMPARE, "log|full|probe", 0,
     "Compare what the kernel logged, or everything, or only what accesses and lookups show (default: log)", 0},
    {"target", OPTION_TARGET, "small|real|auto|KERNEL.so", 0,
     "Kernel to run on: one that is built in, or a library as for `rescind diff` (default: auto, the geometry the file "
     "names)",
     0},
    {"seed", OPTION_SEED, "N", 0, "Chooses which operations get a full comparison too (default: 0)", 0},
    {"timeout", OPTION_TIMEOUT, "SECONDS", 0,
     "Without any progress for so long, a run is a finding (default: 10; on a machine 30)", 0},
    {"raw", OPTION_RAW, NULL, 0, "Files are bare packed operations, as fuzzers keep them (auto: small geometry)", 0},
    {"cpus", OPTION_CPUS, "N", 0, "CPUs that bare operations are run with (default: 1)", 0},
    {0},
};

/* A path has a dot or a slash in it. */
static void choose_target(struct run_options *options, const char *name, struct argp_state *state) {
    options->target_name = name;
    if (!strpbrk(name, "./")) {
        options->target = option_target(name, state);
        return;
    }
    const struct rescind_target *library = plugin_load(name);
    if (!library)
        exit(EXIT_BAD);
    const struct cli_target *alike = cli_target_by_name(library->geometry.name);
    if (!alike) {
        argp_error(state, "%s: geometry %s is not built in", name, library->geometry.name);
        return;
    }
    options->loaded = *alike;
    options->loaded.target = library;
    options->target = &options->loaded;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct run_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        *options = (struct run_options){.compare = HARNESS_LOG, .timeout = WORKER_TIMEOUT_DEFAULT, .cpus = 1};
        return 0;
    case OPTION_COMPARE:
        options->compare = option_compare(argument, state);
        return 0;
    case OPTION_TARGET:
        choose_target(options, argument, state);
        return 0;
    case OPTION_SEED:
        options->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_TIMEOUT:
        options->timeout = (uint32_t)option_number(argument, "timeout", 1, WORKER_TIMEOUT_MAX, state);
        options->timeout_given = true;
        return 0;
    case OPTION_RAW:
        options->raw = true;
        return 0;
    case OPTION_CPUS:
        options->cpus = (uint8_t)option_number(argument, "cpus", 1, SEQ_CPUS, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp run_options_parser = {list, parse, NULL, NULL, NULL, NULL, NULL};

const struct raw_form *raw_form(const struct run_options *options, struct raw_form *form) {
    const struct cli_target *target = options->target ? options->target : &cli_targets[0];
    *form = (struct raw_form){target->geometry, options->cpus};
    return options->raw ? form : NULL;
}
