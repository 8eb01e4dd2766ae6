/*
 * rescind explore: runs a sequence with many schedules, until one of them shows a finding; under Unicorn, with each
 * preemption of its system calls.
 */
#include "cli/explore.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/schedules.h"

enum { OPTION_PREEMPTIONS = 256, OPTION_PCT, OPTION_COUNT, OPTION_JSON, OPTION_CALL };

struct arguments {
    struct run_options run;
    struct explore_options explore;
    struct explore_image_options image;
    bool schedules; /* there are options that are of schedules only */
};

static const struct argp_option options[] = {
    {"preemptions", OPTION_PREEMPTIONS, "P", 0, "Run all schedules with at most so many preemptions (default: 1)", 0},
    {"pct", OPTION_PCT, "D", 0, "Run random schedules instead, by PCT for defects of depth D", 0},
    {"count", OPTION_COUNT, "N", 0, "How many random schedules (default: 1000)", 0},
    {"output", 'o', "FILE", 0, "Write the sequence with the schedule that shows a finding there", 0},
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {"call", OPTION_CALL, "N", 0, "--on=unicorn: preempt only the N-th system call, from 0 (default: each)", 0},
    {0},
};

static error_t parse_schedules(int key, char *argument, struct argp_state *state) {
    struct explore_options *explore = &((struct arguments *)state->input)->explore;
    switch (key) {
    case OPTION_PREEMPTIONS:
        explore->preemptions = (uint32_t)option_number(argument, "preemptions", 0, SCHEDULE_PREEMPTIONS_MAX, state);
        return 0;
    case OPTION_PCT:
        explore->depth = (uint32_t)option_number(argument, "pct", 1, SCHEDULE_DEPTH_MAX, state);
        return 0;
    case OPTION_COUNT:
        explore->count = option_number(argument, "count", 1, UINT32_MAX, state);
        return 0;
    case OPTION_JSON:
        explore->json = true;
        return 0;
    case 'o':
        explore->output = argument;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->image.unicorn;
        return 0;
    case OPTION_CALL:
        arguments->image.first = (uint32_t)option_number(argument, "call", 0, EXPLORE_CALLS_MAX, state);
        arguments->image.last = arguments->image.first;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->explore.path)
            argp_error(state, "unexpected argument '%s'", argument);
        arguments->explore.path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->explore.path)
            argp_usage(state);
        if (arguments->schedules && arguments->image.unicorn.on)
            argp_error(state, "--on=unicorn: there are no schedules to choose, and nothing is written");
        return 0;
    }
    error_t unknown = parse_schedules(key, argument, state);
    arguments->schedules = arguments->schedules || !unknown;
    return unknown;
}

static const struct argp_child children[] = {
    {&run_options_parser, 0, NULL, 0}, {&unicorn_options_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    options,
    parse,
    "FILE",
    "Runs a sequence with many schedules: which revokes and destroys are preempted where, and what runs meanwhile.\v"
    "The schedules that FILE has itself are not among them. With --on=unicorn each system call is preempted before "
    "each of "
    "its stores by the next one, on another CPU. It stops at the first finding. Exit status: 0 all agree, 1 a finding, "
    "2 "
    "bad input or usage, or interrupted.",
    children,
    NULL,
    NULL};

int command_explore(int argc, char **argv) {
    struct arguments arguments = {.explore = {.preemptions = 1, .count = 1000}, .image = {.last = EXPLORE_CALLS_MAX}};
    struct explore_options *chosen = &arguments.explore;
    struct raw_form form;
    struct seq seq;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    chosen->compare = arguments.run.compare;
    chosen->seed = arguments.run.seed;
    chosen->timeout = arguments.run.timeout;
    if (!sequence_load(&seq, chosen->path, raw_form(&arguments.run, &form)))
        return EXIT_BAD;
    if (arguments.image.unicorn.on) {
        int status = explore_image(&arguments.image, &seq);
        sequence_free(&seq);
        return status;
    }
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
