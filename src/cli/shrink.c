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

/* On which of them a candidate must fail as the whole sequence did. With a machine the worker has its kernel under
 * Unicorn. */
enum where { IN_WORKER = 1, ON_MACHINE = 2, IN_BOTH = IN_WORKER | ON_MACHINE };

struct shrinking {
    struct qemu *qemu;     /* or NULL */
    struct worker *worker; /* or NULL: there is no Unicorn */
    enum where where;
    struct progress *progress;
    struct worker_job job;
    uint32_t tried, booted, smallest;
    int64_t deadline;
    char signature[HARNESS_SIGNATURE_MAX];
};

/* The signature that the sequence fails with is put into `signature`; false if it does not fail. */
static bool fails_in_worker(struct shrinking *shrinking, const struct seq *seq, char signature[HARNESS_SIGNATURE_MAX]) {
    struct worker_answer answer;
    worker_run(shrinking->worker, seq, &shrinking->job, &answer);
    memcpy(signature, answer.outcome.signature, HARNESS_SIGNATURE_MAX);
    return answer.outcome.verdict == HARNESS_FINDING;
}

static bool fails_on_machine(struct shrinking *shrinking, const struct seq *seq,
                             char signature[HARNESS_SIGNATURE_MAX]) {
    struct qemu_job boot = {.seq = seq};
    qemu_replay(shrinking->qemu, &boot, 1, shrinking->job.seed);
    shrinking->booted++;
    memcpy(signature, boot.outcome.signature, HARNESS_SIGNATURE_MAX);
    return boot.outcome.verdict == HARNESS_FINDING;
}

/* Likewise as the whole sequence did. */
static bool fails_alike(struct shrinking *shrinking, const struct seq *seq, enum where where) {
    char signature[HARNESS_SIGNATURE_MAX];
    bool in_worker = !(where & IN_WORKER) ||
                     (fails_in_worker(shrinking, seq, signature) && strcmp(signature, shrinking->signature) == 0);
    return in_worker && (!(where & ON_MACHINE) ||
                         (fails_on_machine(shrinking, seq, signature) && strcmp(signature, shrinking->signature) == 0));
}

static bool still_fails(void *context, const struct seq *seq) {
    struct shrinking *shrinking = context;
    if (now_milliseconds() >= shrinking->deadline)
        return false;
    bool same = fails_alike(shrinking, seq, shrinking->where);
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

static void reduce(struct shrinking *shrinking, struct seq *seq, enum where where, uint32_t budget) {
    uint64_t *memo = allocate(MEMO_COUNT * sizeof *memo);
    memset(memo, 0, MEMO_COUNT * sizeof *memo);
    shrinking->where = where;
    if (shrinking->tried < budget)
        seq_shrink(seq, still_fails, shrinking, budget - shrinking->tried, memo, MEMO_COUNT);
    free(memo);
}

/* A boot takes some hundred times what Unicorn takes. So what shows there alike is shrunk there, and if the result does
 * not show on the machine, what fails there is all that is booted. */
static void reduce_by_unicorn(struct shrinking *shrinking, struct seq *seq, uint32_t budget) {
    if (!fails_alike(shrinking, seq, IN_WORKER))
        return;
    const struct seq whole = *seq;
    struct seq_op *operations = allocate(whole.count * sizeof *operations);
    int64_t deadline = shrinking->deadline;
    memcpy(operations, seq->op, whole.count * sizeof *operations);
    shrinking->deadline -= (deadline - now_milliseconds()) / 2;
    reduce(shrinking, seq, IN_WORKER, budget);
    shrinking->deadline = deadline;
    if (!fails_alike(shrinking, seq, ON_MACHINE)) {
        *seq = whole;
        memcpy(seq->op, operations, whole.count * sizeof *operations);
        shrinking->smallest = whole.count;
        reduce(shrinking, seq, IN_BOTH, budget);
    }
    free(operations);
}

static int shrink(struct shrinking *shrinking, struct seq *seq, const struct arguments *arguments) {
    bool fails = shrinking->qemu ? fails_on_machine(shrinking, seq, shrinking->signature)
                                 : fails_in_worker(shrinking, seq, shrinking->signature);
    if (!fails) {
        progress_hide(shrinking->progress);
        complain("%s: does not fail, so there is nothing to shrink", arguments->path);
        return EXIT_BAD;
    }
    uint32_t before = shrinking->smallest = seq->count;
    shrinking->deadline = now_milliseconds() + (int64_t)arguments->seconds * 1000;
    if (shrinking->qemu && shrinking->worker)
        reduce_by_unicorn(shrinking, seq, arguments->budget);
    reduce(shrinking, seq, shrinking->qemu ? ON_MACHINE : IN_WORKER, arguments->budget);
    progress_hide(shrinking->progress);
    describe(seq, arguments, shrinking->signature, before);
    size_t length;
    char *text = sequence_text(seq, &length);
    bool good = file_replace(arguments->output, text, length);
    free(text);
    if (good) {
        printf("%s: %u operations before, %u after, %u candidates run", arguments->output, before, seq->count,
               shrinking->tried);
        if (shrinking->qemu)
            printf(", %u boots", shrinking->booted);
        printf("; seed %llu\n%s\n", (unsigned long long)arguments->run.seed, shrinking->signature);
    }
    return good ? EXIT_AGREE : EXIT_BAD;
}

static int shrink_on_qemu(struct shrinking *shrinking, struct seq *seq, const struct arguments *arguments) {
    const struct unicorn_options unicorn = {.on = true, .kernel = arguments->qemu.kernel};
    struct qemu *qemu = allocate(sizeof *qemu);
    qemu_open(qemu, &arguments->qemu, NULL);
    shrinking->qemu = qemu;
    if (unicorn_cli_is_built()) {
        shrinking->job.target = unicorn_cli_target(&unicorn);
        shrinking->worker = worker_new(arguments->run.timeout, shrinking->progress);
    }
    int status = shrink(shrinking, seq, arguments);
    if (shrinking->worker)
        worker_free(shrinking->worker);
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
