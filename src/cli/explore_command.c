/*
 * rescind explore: runs a sequence with many schedules, until one of them shows a finding.
 */
#include "cli/explore.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/schedules.h"

enum { OPTION_PREEMPTIONS = 256, OPTION_PCT, OPTION_COUNT, OPTION_JSON };

struct arguments {
    struct run_options run;
    struct explore_options explore;
};

static const struct argp_option options[] = {
    {"preemptions", OPTION_PREEMPTIONS, "P", 0, "Run all schedules with at most so many preemptions (default: 1)", 0},
    {"pct", OPTION_PCT, "D", 0, "Run random schedules instead, by PCT for defects of depth D", 0},
    {"count", OPTION_COUNT, "N", 0, "How many random schedules (default: 1000)", 0},
    {"output", 'o', "FILE", 0, "Write the sequence with the schedule that shows a finding there", 0},
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        return 0;
    case OPTION_PREEMPTIONS:
        arguments->explore.preemptions =
            (uint32_t)option_number(argument, "preemptions", 0, SCHEDULE_PREEMPTIONS_MAX, state);
        return 0;
    case OPTION_PCT:
        arguments->explore.depth = (uint32_t)option_number(argument, "pct", 1, SCHEDULE_DEPTH_MAX, state);
        return 0;
    case OPTION_COUNT:
        arguments->explore.count = option_number(argument, "count", 1, UINT32_MAX, state);
        return 0;
    case OPTION_JSON:
        arguments->explore.json = true;
        return 0;
    case 'o':
        arguments->explore.output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->explore.path)
            argp_error(state, "unexpected argument '%s'", argument);
        arguments->explore.path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->explore.path)
            argp_usage(state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&run_options_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    options,
    parse,
    "FILE",
    "Runs a sequence with many schedules: which revokes and destroys are preempted where, and what runs meanwhile.\v"
    "The schedules that FILE has itself are not among them. It stops at the first finding. Exit status: 0 all agree, 1 "
    "a finding, 2 bad input or usage, or interrupted.",
    children,
    NULL,
    NULL};

int command_explore(int argc, char **argv) {
    struct arguments arguments = {.explore = {.preemptions = 1, .count = 1000}};
    struct explore_options *chosen = &arguments.explore;
    struct raw_form form;
    struct seq seq;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    chosen->compare = arguments.run.compare;
    chosen->seed = arguments.run.seed;
    chosen->timeout = arguments.run.timeout;
    if (!sequence_load(&seq, chosen->path, raw_form(&arguments.run, &form)))
        return EXIT_BAD;
    const struct cli_target *target = arguments.run.target ? arguments.run.target : cli_target_of(&seq);
    seq.geometry = target->geometry;
    schedule_clear(&seq);
    int status = EXIT_BAD;
    if (seq.count == 0)
        complain("%s: no operations, so there are no schedules", chosen->path);
    else
        status = explore(chosen, target, &seq);
    sequence_free(&seq);
    return status;
}
