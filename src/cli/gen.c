/*
 * rescind gen: writes generated sequences, all or only those that fail.
 */
#include "cli/files.h"
#include "cli/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    OPTION_SEED = 256,
    OPTION_COUNT,
    OPTION_OPS,
    OPTION_GEOMETRY,
    OPTION_UNIT_BUDGET,
    OPTION_CPUS,
    OPTION_OOM,
    OPTION_PREEMPT,
    OPTION_POINTS,
    OPTION_KINDS,
    OPTION_FAILING
};

struct arguments {
    uint64_t seed, count, ops, unit_budget, tries;
    const struct cli_target *target;
    const char *directory;
    uint32_t kinds;
    uint8_t cpus, preempt, points;
    bool oom;
};

static const struct argp_option options[] = {
    {"seed", OPTION_SEED, "N", 0, "The same seed gives the same sequences (default: a fresh one, named in the output)",
     0},
    {"count", OPTION_COUNT, "N", 0, "How many sequences (default: 1); more than one need -o", 0},
    {"ops", OPTION_OPS, "N", 0, "Operations in each (default: 32)", 0},
    {"geometry", OPTION_GEOMETRY, "small|real", 0, "Sizes of the spaces (default: small)", 0},
    {"cpus", OPTION_CPUS, "N", 0, "CPUs that execute, switch and access (default: 1, which only executes)", 0},
    {"oom", OPTION_OOM, NULL, 0, "Let allocations fail as well", 0},
    {"preempt", OPTION_PREEMPT, "N", 0, "Give N of 256 revokes and destroys a schedule (default: 0)", 0},
    {"points", OPTION_POINTS, "N", 0,
     "Let these stop at any of the first N points (default: mostly 3); under Unicorn they are stores", 0},
    {"unit-budget", OPTION_UNIT_BUDGET, "N", 0, "At most so many units may change (default: real 2^18, small no limit)",
     0},
    {"kinds", OPTION_KINDS, "WORDS", 0, "Of mem, pio and obj those that occur, apart by commas (default: all)", 0},
    {"failing", OPTION_FAILING, "N", 0, "Run up to N sequences, and write only the first --count that fail", 0},
    {"output", 'o', "DIRECTORY", 0, "Write gen-<seed>-<i>.rsq there instead of standard output", 0},
    {0},
};

/* Bits 1 << enum abi_kind. */
static uint32_t option_kinds(const char *text, struct argp_state *state) {
    static const char *const names[] = {"mem", "pio", "obj"};
    uint32_t kinds = 0;
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < sizeof names / sizeof *names && (strlen(names[i]) != length || strncmp(at, names[i], length) != 0))
            i++;
        if (i == sizeof names / sizeof *names)
            argp_error(state, "--kinds: expected mem, pio or obj, apart by commas, found '%s'", text);
        kinds |= 1u << i;
        at += length;
        if (!*at)
            return kinds;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_KINDS:
        arguments->kinds = option_kinds(argument, state);
        return 0;
    case OPTION_FAILING:
        arguments->tries = option_number(argument, "failing", 1, UINT32_MAX, state);
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_COUNT:
        arguments->count = option_number(argument, "count", 1, 1000000, state);
        return 0;
    case OPTION_OPS:
        arguments->ops = option_number(argument, "ops", 1, SEQ_MAX_OPS, state);
        return 0;
    case OPTION_GEOMETRY:
        arguments->target = option_geometry(argument, state);
        return 0;
    case OPTION_CPUS:
        arguments->cpus = (uint8_t)option_number(argument, "cpus", 1, SEQ_CPUS, state);
        return 0;
    case OPTION_OOM:
        arguments->oom = true;
        return 0;
    case OPTION_PREEMPT:
        arguments->preempt = (uint8_t)option_number(argument, "preempt", 0, UINT8_MAX, state);
        return 0;
    case OPTION_POINTS:
        arguments->points = (uint8_t)option_number(argument, "points", 0, UINT8_MAX, state);
        return 0;
    case OPTION_UNIT_BUDGET:
        arguments->unit_budget = option_number(argument, "unit-budget", 0, UINT64_MAX, state);
        return 0;
    case 'o':
        arguments->directory = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
        return 0;
    case ARGP_KEY_END:
        if (arguments->count > 1 && !arguments->directory)
            argp_error(state, "more than one sequence needs -o DIRECTORY");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
    options, parse, NULL, "Writes generated sequences. Which one is number i of a seed does not depend on --count.",
    NULL,    NULL,  NULL};

static void generate(struct seq *seq, const struct arguments *arguments, uint64_t index) {
    struct seq_profile profile = {.kinds = arguments->kinds,
                                  .unit_budget = arguments->unit_budget,
                                  .cpus = arguments->cpus,
                                  .preempt = arguments->preempt,
                                  .points = arguments->points};
    char preempt[32] = "", points[32] = "";
    if (arguments->oom)
        profile.operations = (1u << (arguments->cpus > 1 ? SEQ_OOM : SEQ_ACCESS)) - 1 + (1u << SEQ_OOM);
    if (arguments->preempt)
        snprintf(preempt, sizeof preempt, " --preempt=%u", arguments->preempt);
    if (arguments->points)
        snprintf(points, sizeof points, " --points=%u", arguments->points);
    struct seq_random random;
    seed_sequence(&random, arguments->seed, index);
    seq_generate(seq, &random, &profile, (uint32_t)arguments->ops);
    snprintf(seq->meta.origin, sizeof seq->meta.origin,
             "rescind gen --seed=%llu --ops=%llu --geometry=%s --unit-budget=%llu --cpus=%u%s%s%s, sequence %llu",
             (unsigned long long)arguments->seed, (unsigned long long)arguments->ops, arguments->target->geometry->name,
             (unsigned long long)arguments->unit_budget, arguments->cpus, arguments->oom ? " --oom" : "", preempt,
             points, (unsigned long long)index);
}

static bool write_one(const struct arguments *arguments, const struct seq *seq, uint64_t index) {
    size_t length;
    char *text = sequence_text(seq, &length);
    bool good = true;
    if (!arguments->directory) {
        fwrite(text, 1, length, stdout);
    } else {
        size_t size = strlen(arguments->directory) + 64;
        char *path = allocate(size);
        snprintf(path, size, "%s/gen-%llu-%llu.rsq", arguments->directory, (unsigned long long)arguments->seed,
                 (unsigned long long)index);
        good = file_replace(path, text, length);
        free(path);
    }
    free(text);
    return good;
}

static bool write_all(const struct arguments *arguments, struct seq *seq) {
    bool good = true;
    for (uint64_t i = 0; i < arguments->count && good; i++) {
        generate(seq, arguments, i);
        good = write_one(arguments, seq, i);
    }
    return good;
}

static bool write_failing(const struct arguments *arguments, struct seq *seq) {
    struct progress progress;
    progress_start(&progress);
    struct worker *worker = worker_new(WORKER_TIMEOUT_DEFAULT, &progress);
    struct worker_job job = {arguments->target, HARNESS_LOG, 0, RECORD_NOTHING};
    struct worker_answer answer;
    uint64_t tried = 0, found = 0;
    bool good = true;
    for (; tried < arguments->tries && found < arguments->count && good; tried++) {
        progress_set(&progress, "%llu tried, %llu failed", (unsigned long long)tried, (unsigned long long)found);
        generate(seq, arguments, tried);
        worker_run(worker, seq, &job, &answer);
        if (answer.outcome.verdict != HARNESS_FINDING)
            continue;
        good = write_one(arguments, seq, tried);
        found++;
    }
    worker_free(worker);
    progress_hide(&progress);
    if (good && arguments->directory)
        printf("%llu of %llu sequences failed; seed %llu\n", (unsigned long long)found, (unsigned long long)tried,
               (unsigned long long)arguments->seed);
    return good;
}

int command_gen(int argc, char **argv) {
    struct arguments arguments = {
        .seed = fresh_seed(), .count = 1, .cpus = 1, .ops = 32, .unit_budget = UINT64_MAX, .target = &cli_targets[0]};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.unit_budget == UINT64_MAX)
        arguments.unit_budget = default_unit_budget(arguments.target);
    if (arguments.directory && mkdir(arguments.directory, 0777) != 0 && errno != EEXIST) {
        complain_errno("%s", arguments.directory);
        return EXIT_BAD;
    }
    struct seq seq;
    sequence_allocate(&seq, arguments.target->geometry);
    seq.cpus = arguments.cpus;
    bool good = arguments.tries ? write_failing(&arguments, &seq) : write_all(&arguments, &seq);
    sequence_free(&seq);
    if (good && arguments.directory && !arguments.tries)
        printf("%llu sequences in %s; seed %llu\n", (unsigned long long)arguments.count, arguments.directory,
               (unsigned long long)arguments.seed);
    return good ? EXIT_AGREE : EXIT_BAD;
}
