/*
 * rescind trace: runs one sequence and prints what each operation left behind.
 */
#include "cli/files.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/unicorn.h"
#include "cli/worker.h"

#include <stdio.h>
#include <string.h>

struct arguments {
    struct run_options run;
    struct unicorn_options unicorn;
    const char *path;
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->unicorn;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "unexpected argument '%s'", argument);
        arguments->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path)
            argp_usage(state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {
    {&run_options_parser, 0, NULL, 0}, {&unicorn_options_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    NULL,
    parse,
    "FILE",
    "Runs a sequence and prints, one JSON object a line, what came of it and then the state after boot and after each "
    "operation: mapping nodes, page tables, what CPUs remember, and the model's mappings. See docs/triage.md.\v"
    "Exit status: 0 all agree, 1 a finding, 2 bad input or usage.",
    children,
    NULL,
    NULL};

static void print_line(json_t *object) {
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

static json_t *text_or_null(bool there, const char *text) {
    return there ? json_stringn_nocheck(text, strlen(text)) : json_null();
}

/* What came of the run; the states follow. */
static void print_header(const struct seq *seq, const struct worker_job *job, const struct worker_answer *answer) {
    const struct harness_outcome *outcome = &answer->outcome;
    const struct rescind_geometry *geometry = &job->target->target->geometry;
    bool finding = outcome->verdict == HARNESS_FINDING;
    json_t *at = answer->record ? json_incref(json_object_get(answer->record, "at")) : json_null();
    json_t *object =
        json_pack("{s: s, s: s, s: i, s: i, s: I, s: o, s: o, s: o, s: o}", "target", job->target->target->name,
                  "geometry", geometry->name, "level_bits", geometry->level_bits, "levels", geometry->levels,
                  "operations", (json_int_t)seq->count, "signature", text_or_null(finding, outcome->signature),
                  "failed_at", finding ? json_integer(outcome->failed_at) : json_null(), "report",
                  text_or_null(finding, outcome->report), "at", at);
    print_line(object);
    json_decref(object);
}

int command_trace(int argc, char **argv) {
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.unicorn.on)
        arguments.run.target = unicorn_cli_target(&arguments.unicorn);
    struct seq seq;
    struct raw_form form;
    if (!sequence_load(&seq, arguments.path, raw_form(&arguments.run, &form)))
        return EXIT_BAD;
    const struct cli_target *target = arguments.run.target ? arguments.run.target : cli_target_of(&seq);
    seq.geometry = target->geometry;
    struct progress progress;
    progress_start(&progress);
    struct worker *worker = worker_new(arguments.run.timeout, &progress);
    struct worker_job job = {target, arguments.run.compare, arguments.run.seed, RECORD_TRACE};
    struct worker_answer answer;
    worker_run(worker, &seq, &job, &answer);
    progress_hide(&progress);
    print_header(&seq, &job, &answer);
    size_t index;
    json_t *step;
    json_array_foreach(json_object_get(answer.record, "steps"), index, step) print_line(step);
    json_decref(answer.record);
    worker_free(worker);
    sequence_free(&seq);
    return answer.outcome.verdict == HARNESS_AGREE     ? EXIT_AGREE
           : answer.outcome.verdict == HARNESS_FINDING ? EXIT_FINDING
                                                       : EXIT_BAD;
}
