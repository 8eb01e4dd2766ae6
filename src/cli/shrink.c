/*
 * rescind shrink: reduces a failing sequence to what its signature needs.
 */
#include "cli/files.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/qemu_replay.h"
#include "cli/unicorn.h"
#include "cli/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_BUDGET = 256, OPTION_SECONDS };
enum { MEMO_COUNT = 1 << 16, BUDGET_DEFAULT = 40000, SECONDS_DEFAULT = 8 };

struct arguments {
    struct run_options run;
    struct qemu_options qemu;
    uint32_t budget, seconds;
    const char *path, *output;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Where to write the shrunk sequence to", 0},
    {"budget", OPTION_BUDGET, "N", 0, "Run at most so many candidates (default: 40000)", 0},
    {"seconds", OPTION_SECONDS, "N", 0, "Be content with what has been reached after so long (default: 8)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->qemu;
        return 0;
    case 'o':
        arguments->output = argument;
        return 0;
    case OPTION_BUDGET:
        arguments->budget = (uint32_t)option_number(argument, "budget", 1, UINT32_MAX, state);
        return 0;
    case OPTION_SECONDS:
        arguments->seconds = (uint32_t)option_number(argument, "seconds", 1, WORKER_TIMEOUT_MAX, state);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "unexpected argument '%s'", argument);
        arguments->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path || !arguments->output)
            argp_usage(state);
        if (arguments->qemu.nova)
            argp_error(state, "--on=nova: findings of NOVA are shrunk by rescind stress --findings");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {
    {&run_options_parser, 0, NULL, 0}, {&qemu_options_parser, 0, "On a virtual machine:", 0}, {0}};

static const struct argp parser = {options,
                                   parse,
                                   "FILE -o FILE",
                                   "Reduces a failing sequence as far as it keeps its signature.\v"
                                   "Exit status: 0 shrunk, 2 bad input or usage, or the sequence does not fail.",
                                   children,
                                   NULL,
                                   NULL};

struct shrinking {
    struct qemu *qemu;     /* or NULL: it fails in */
    struct worker *worker; /* this one */
    struct progress *progress;
    struct worker_job job;
    uint32_t tried, smallest;
    int64_t deadline;
    char signature[HARNESS_SIGNATURE_MAX];
};

/* The signature that the sequence fails with is put into `outcome`; false if it does not fail. */
static bool fails(struct shrinking *shrinking, const struct seq *seq, struct harness_outcome *outcome) {
    struct worker_answer answer;
    struct qemu_job boot = {.seq = seq};
    if (shrinking->qemu) {
        qemu_replay(shrinking->qemu, &boot, 1, shrinking->job.seed);
        *outcome = boot.outcome;
    } else {
        worker_run(shrinking->worker, seq, &shrinking->job, &answer);
        *outcome = answer.outcome;
    }
    return outcome->verdict == HARNESS_FINDING;
}

static bool still_fails(void *context, const struct seq *seq) {
    struct shrinking *shrinking = context;
    struct harness_outcome outcome;
    if (now_milliseconds() >= shrinking->deadline)
        return false;
    bool same = fails(shrinking, seq, &outcome) && strcmp(outcome.signature, shrinking->signature) == 0;
    shrinking->tried++;
    if (same && seq->count < shrinking->smallest)
        shrinking->smallest = seq->count;
    progress_set(shrinking->progress, "%u candidates tried, %u operations left", shrinking->tried, shrinking->smallest);
    return same;
}

static void describe(struct seq *seq, const struct arguments *arguments, const char *signature, uint32_t before) {
    struct seq_meta *meta = &seq->meta;
    snprintf(meta->check, sizeof meta->check, "%.*s", (int)sizeof meta->check - 1, signature);
    if (!meta->origin[0])
        snprintf(meta->origin, sizeof meta->origin, "shrunk from %.100s, %u operations", file_name(arguments->path),
                 before);
}

static int shrink(struct shrinking *shrinking, struct seq *seq, const struct arguments *arguments) {
    struct harness_outcome outcome;
    if (!fails(shrinking, seq, &outcome)) {
        progress_hide(shrinking->progress);
        complain("%s: does not fail, so there is nothing to shrink", arguments->path);
        return EXIT_BAD;
    }
    memcpy(shrinking->signature, outcome.signature, sizeof shrinking->signature);
    uint32_t before = shrinking->smallest = seq->count;
    shrinking->deadline = now_milliseconds() + (int64_t)arguments->seconds * 1000;
    uint64_t *memo = allocate(MEMO_COUNT * sizeof *memo);
    memset(memo, 0, MEMO_COUNT * sizeof *memo);
    uint32_t calls = seq_shrink(seq, still_fails, shrinking, arguments->budget, memo, MEMO_COUNT);
    free(memo);
    progress_hide(shrinking->progress);
    describe(seq, arguments, shrinking->signature, before);
    size_t length;
    char *text = sequence_text(seq, &length);
    bool good = file_replace(arguments->output, text, length);
    free(text);
    if (good)
        printf("%s: %u operations before, %u after, %u candidates run; seed %llu\n%s\n", arguments->output, before,
               seq->count, calls, (unsigned long long)arguments->run.seed, shrinking->signature);
    return good ? EXIT_AGREE : EXIT_BAD;
}

/* On a machine: each candidate takes a boot. */
static int shrink_on_qemu(struct shrinking *shrinking, struct seq *seq, const struct arguments *arguments) {
    struct qemu *qemu = allocate(sizeof *qemu);
    qemu_open(qemu, &arguments->qemu, NULL);
    shrinking->qemu = qemu;
    int status = shrink(shrinking, seq, arguments);
    qemu_close(qemu);
    free(qemu);
    return status;
}

static int shrink_here(struct shrinking *shrinking, struct seq *seq, const struct arguments *arguments) {
    const struct cli_target *target = arguments->run.target ? arguments->run.target : cli_target_of(seq);
    seq->geometry = target->geometry;
    shrinking->job.target = target;
    shrinking->worker = worker_new(arguments->run.timeout, shrinking->progress);
    int status = shrink(shrinking, seq, arguments);
    worker_free(shrinking->worker);
    return status;
}

int command_shrink(int argc, char **argv) {
    struct arguments arguments = {.budget = BUDGET_DEFAULT, .seconds = SECONDS_DEFAULT};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.run.timeout_given)
        arguments.qemu.timeout = arguments.run.timeout;
    const struct unicorn_options unicorn = {.on = arguments.qemu.unicorn, .kernel = arguments.qemu.kernel};
    if (unicorn.on)
        arguments.run.target = unicorn_cli_target(&unicorn);
    struct seq seq;
    struct raw_form form;
    if (!sequence_load(&seq, arguments.path, raw_form(&arguments.run, &form)))
        return EXIT_BAD;
    struct progress progress;
    progress_start(&progress);
    struct shrinking shrinking = {
        .progress = &progress,
        .job = {NULL, arguments.run.compare, arguments.run.seed, RECORD_NOTHING},
    };
    int status =
        arguments.qemu.on ? shrink_on_qemu(&shrinking, &seq, &arguments) : shrink_here(&shrinking, &seq, &arguments);
    sequence_free(&seq);
    return status;
}
