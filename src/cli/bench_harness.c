/*
 * rescind bench harness: how fast sequences are checked, and what of that is the kernel.
 *
 * One run measures everything on the same sequences in interleaved rounds, so that what else the machine does falls on
 * all alike; the medians of the rounds are reported. The kernel alone is measured by giving it again, without harness
 * and oracle, the very calls (tear-down included) that the harness once made.
 */
#include "cli/bench.h"
#include "cli/progress.h"
#include "harness/host.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { OPTION_JSON = 256, OPTION_SEED, OPTION_GEOMETRY, OPTION_SECONDS, OPTION_CPUS };
enum { SEQUENCE_OPERATIONS = 32, ROUNDS_MAX = 4096, ROUNDS_MIN = 3, RESETS = 256 };

struct arguments {
    uint64_t seed, seconds;
    const struct cli_target *target;
    uint8_t cpus;
    bool json;
};

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {"seed", OPTION_SEED, "N", 0, "Chooses the sequences (default: 1)", 0},
    {"geometry", OPTION_GEOMETRY, "small|real", 0, "Sizes of the spaces (default: small)", 0},
    {"cpus", OPTION_CPUS, "N", 0, "CPUs that execute, switch and access, with TLBs (default: 1)", 0},
    {"seconds", OPTION_SECONDS, "N", 0, "Measure for about so long (default: 10)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_GEOMETRY:
        arguments->target = option_geometry(argument, state);
        return 0;
    case OPTION_CPUS:
        arguments->cpus = (uint8_t)option_number(argument, "cpus", 1, SEQ_CPUS, state);
        return 0;
    case OPTION_SECONDS:
        arguments->seconds = option_number(argument, "seconds", 1, 86400, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {options,
                                   parse,
                                   NULL,
                                   "Measures checked operations a second, and what of it is the kernel.\v"
                                   "Exit status: 0 measured (whether the limit is met is said), 1 a finding, 2 usage.",
                                   NULL,
                                   NULL,
                                   NULL};

/* ---- the workload ---- */

struct recorded_call {
    uint32_t cpu, pd;
    uint64_t word[ABI_WORDS]; /* word[0] is 0: the CPU is made to run the PD */
};

struct workload {
    const struct cli_target *target;
    uint64_t seed;
    uint32_t count, slice, full_slice; /* sequences: in all, in a round, in a round with full comparison */
    struct seq *seq;
    size_t *first_call; /* of each sequence; one more at the end */
    struct recorded_call *call;
    size_t calls, capacity;
    double executed; /* operations, and what they cost: */
    uint64_t invalidations, shootdowns;
    uint8_t cpus;
    double units_per_op, changing_share;
};

/* struct rescind_target has no place for a context, so what the recording target records to is found here. */
static struct workload *recorder;

static void record(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS]) {
    if (recorder->calls == recorder->capacity) {
        recorder->capacity = recorder->capacity ? 2 * recorder->capacity : 1 << 12;
        recorder->call = realloc(recorder->call, recorder->capacity * sizeof *recorder->call);
        if (!recorder->call) {
            complain("out of memory");
            exit(EXIT_BAD);
        }
    }
    struct recorded_call *call = &recorder->call[recorder->calls++];
    call->cpu = cpu;
    call->pd = pd;
    memcpy(call->word, word, sizeof call->word);
}

static void recording_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    struct rescind_log log;
    record(cpu, pd, word);
    recorder->target->target->call(cpu, pd, word);
    recorder->target->target->log(&log);
    recorder->invalidations += log.invalidations;
    recorder->shootdowns += log.shootdowns;
}

static void recording_switch(uint32_t cpu, uint32_t pd) {
    static const uint64_t word[ABI_WORDS];
    record(cpu, pd, word);
    recorder->target->target->switch_to(cpu, pd);
}

static void generate(struct workload *work) {
    struct seq_profile profile = {.unit_budget = default_unit_budget(work->target), .cpus = work->cpus};
    for (uint32_t i = 0; i < work->count; i++) {
        struct seq *seq = &work->seq[i];
        struct seq_random random;
        *seq = (struct seq){.geometry = work->target->geometry, .capacity = SEQUENCE_OPERATIONS};
        seq->op = allocate(SEQUENCE_OPERATIONS * sizeof *seq->op);
        seed_sequence(&random, work->seed, i);
        seq_generate(seq, &random, &profile, SEQUENCE_OPERATIONS);
    }
}

static bool finding(const struct workload *work, const struct harness_outcome *outcome, uint32_t index) {
    if (outcome->verdict == HARNESS_AGREE)
        return false;
    complain("sequence %u does not agree; get it by rescind gen --seed=%llu --ops=%d --geometry=%s --count=%u -o "
             "DIRECTORY\n%s",
             index, (unsigned long long)work->seed, SEQUENCE_OPERATIONS, work->target->geometry->name, index + 1,
             outcome->report);
    return true;
}

/* Runs everything once and writes down the calls. False: a finding. */
static bool record_calls(struct workload *work) {
    struct rescind_target recording = *work->target->target;
    recording.call = recording_call;
    recording.switch_to = recording_switch;
    recorder = work;
    struct cli_target target = *work->target;
    target.target = &recording;
    struct harness *harness = cli_harness(&target);
    struct harness_options harness_options = {.compare = HARNESS_LOG};
    struct harness_outcome *outcome = allocate(sizeof *outcome);
    uint64_t executed = 0, changed = 0, units = 0;
    bool good = true;
    for (uint32_t i = 0; i < work->count && good; i++) {
        work->first_call[i] = work->calls;
        harness_run(harness, &work->seq[i], &harness_options, outcome);
        good = !finding(work, outcome, i);
        executed += outcome->executed;
        changed += outcome->changed_operations;
        units += outcome->changed_units;
    }
    work->first_call[work->count] = work->calls;
    work->units_per_op = (double)units / (double)executed;
    work->changing_share = (double)changed / (double)executed;
    work->executed = (double)executed;
    free(outcome);
    host_harness_free(harness);
    return good;
}

/* ---- measuring ---- */

struct rounds {
    double log[ROUNDS_MAX], full[ROUNDS_MAX], kernel[ROUNDS_MAX], check[ROUNDS_MAX]; /* ns an operation */
    uint32_t count;
};

static double now_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds an operation of `count` sequences from `first` on; negative: a finding. */
static double measure_checked(const struct workload *work, struct harness *harness, enum harness_compare compare,
                              uint32_t first, uint32_t count) {
    static struct harness_outcome outcome;
    struct harness_options harness_options = {.compare = compare, .seed = work->seed};
    double start = now_nanoseconds();
    for (uint32_t i = first; i < first + count; i++) {
        harness_run(harness, &work->seq[i], &harness_options, &outcome);
        if (finding(work, &outcome, i))
            return -1;
    }
    return (now_nanoseconds() - start) / ((double)count * SEQUENCE_OPERATIONS);
}

struct replay {
    const struct workload *work;
    const struct rescind_hooks *hooks;
    uint32_t first, count;
};

static void replay_calls(void *argument) {
    const struct replay *replay = argument;
    const struct workload *work = replay->work;
    const struct rescind_target *target = work->target->target;
    for (uint32_t i = replay->first; i < replay->first + replay->count; i++) {
        target->boot(replay->hooks, work->cpus, 0);
        for (size_t k = work->first_call[i]; k < work->first_call[i + 1]; k++) {
            const struct recorded_call *call = &work->call[k];
            uint64_t word[ABI_WORDS];
            memcpy(word, call->word, sizeof word);
            if (word[0])
                target->call(call->cpu, call->pd, word);
            else
                target->switch_to(call->cpu, call->pd);
        }
    }
}

static double measure_kernel(const struct workload *work, uint32_t first, uint32_t count) {
    struct host_enter host;
    host_enter_init(&host);
    struct replay replay = {work, &host.hooks, first, count};
    enum rescind_stop why;
    const char *text, *function;
    double start = now_nanoseconds();
    if (!host_enter(&host, replay_calls, &replay, &why, &text, &function)) {
        complain("the kernel stopped when given the same calls again: %s in %s", text, function);
        return -1;
    }
    return (now_nanoseconds() - start) / ((double)count * SEQUENCE_OPERATIONS);
}

/* What lies between two sequences: booting the kernel and resetting the oracle. */
static double measure_reset(const struct cli_target *target) {
    struct oracle_geometry geometry = harness_oracle_geometry(target->target);
    size_t size = (oracle_size(&geometry, target->mappings) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, size);
    struct oracle *oracle =
        memory ? oracle_init(memory, size, &geometry, &oracle_policy_exact, target->mappings) : NULL;
    struct host_enter host;
    host_enter_init(&host);
    if (!oracle) {
        complain("no memory for an oracle");
        exit(EXIT_BAD);
    }
    double start = now_nanoseconds();
    for (int i = 0; i < RESETS; i++) {
        target->target->boot(&host.hooks, 1, 0);
        oracle_reset(oracle);
    }
    double spent = (now_nanoseconds() - start) / RESETS;
    free(memory);
    return spent;
}

/* False: a finding. */
static bool measure_round(const struct workload *work, struct harness *harness, struct rounds *rounds) {
    uint32_t i = rounds->count, first = i * work->slice % work->count;
    rounds->log[i] = measure_checked(work, harness, HARNESS_LOG, first, work->slice);
    rounds->kernel[i] = measure_kernel(work, first, work->slice);
    rounds->full[i] = measure_checked(work, harness, HARNESS_FULL, first, work->full_slice);
    rounds->check[i] = rounds->log[i] - rounds->kernel[i];
    rounds->count++;
    return rounds->log[i] >= 0 && rounds->kernel[i] >= 0 && rounds->full[i] >= 0;
}

static bool measure_rounds(const struct workload *work, const struct arguments *arguments, struct rounds *rounds) {
    struct harness *harness = cli_harness(work->target);
    struct progress progress;
    progress_start(&progress);
    int64_t end = now_milliseconds() + (int64_t)arguments->seconds * 1000;
    bool good = true;
    while (good && rounds->count < ROUNDS_MAX && (rounds->count < ROUNDS_MIN || now_milliseconds() < end)) {
        good = measure_round(work, harness, rounds);
        progress_set(&progress, "%u rounds", rounds->count);
    }
    progress_hide(&progress);
    host_harness_free(harness);
    return good;
}

/* ---- reporting ---- */

static json_t *summarize(const struct workload *work, const struct arguments *arguments, struct rounds *rounds,
                         double reset) {
    double log = bench_median(rounds->log, rounds->count), full = bench_median(rounds->full, rounds->count);
    double kernel = bench_median(rounds->kernel, rounds->count), check = bench_median(rounds->check, rounds->count);
    double limit = (400 + 15 * work->units_per_op) * (SANITIZED ? 3 : 1);
    return json_pack(
        "{s:s, s:b, s:I, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:f, s:f, s:f, s:f}", "geometry",
        work->target->geometry->name, "address_sanitizer", SANITIZED, "seed", (json_int_t)arguments->seed, "cpus",
        work->cpus, "sequences", (int)work->count, "operations_a_sequence", SEQUENCE_OPERATIONS, "rounds",
        (int)rounds->count, "checked_ops_per_second", 1e9 / log, "full_ops_per_second", 1e9 / full,
        "kernel_ops_per_second", 1e9 / kernel, "check_ns_per_op", check, "changed_units_per_op", work->units_per_op,
        "changing_share", work->changing_share, "limit_ns_per_op", limit, "limit_met", check <= limit, "reset_ns",
        reset, "checked_op_ns", log, "invalidations_per_op", (double)work->invalidations / work->executed,
        "shootdowns_per_op", (double)work->shootdowns / work->executed);
}

int bench_harness(int argc, char **argv) {
    struct arguments arguments = {.seed = 1, .seconds = 10, .target = &cli_targets[0], .cpus = 1};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    bool small = arguments.target->geometry == &seq_geometry_small;
    struct workload work = {.target = arguments.target,
                            .seed = arguments.seed,
                            .cpus = arguments.cpus,
                            .count = small ? 4096 : 256,
                            .slice = small ? 256 : 16,
                            .full_slice = small ? 16 : 1};
    struct rounds *rounds = allocate(sizeof *rounds);
    rounds->count = 0;
    work.seq = allocate(work.count * sizeof *work.seq);
    work.first_call = allocate((work.count + 1) * sizeof *work.first_call);
    generate(&work);
    bool good = record_calls(&work) && measure_rounds(&work, &arguments, rounds);
    if (good) {
        json_t *summary = summarize(&work, &arguments, rounds, measure_reset(work.target));
        if (arguments.json)
            json_dumpf(summary, stdout, JSON_REAL_PRECISION(6)), putchar('\n');
        else
            bench_print_summary(summary);
        json_decref(summary);
    }
    for (uint32_t i = 0; i < work.count; i++)
        free(work.seq[i].op);
    free(work.seq);
    free(work.first_call);
    free(work.call);
    free(rounds);
    return good ? EXIT_AGREE : EXIT_FINDING;
}
