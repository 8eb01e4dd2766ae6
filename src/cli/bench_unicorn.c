/*
 * rescind bench unicorn: sequences checked on kernel.elf under Unicorn beside the same on the host, and whether memory
 * grows.
 */
#include "cli/bench.h"
#include "cli/unicorn.h"
#include "harness/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPTION_SEED = 256, OPTION_CPUS, OPTION_OPS };
enum { OPERATIONS = 32, SEQUENCES = 512, ROUNDS = 7, WAYS = 3 };

struct arguments {
    struct unicorn_options unicorn;
    uint64_t seed, ops;
    uint8_t cpus;
};

static const struct argp_option options[] = {
    {"seed", OPTION_SEED, "N", 0, "Of the sequences, which are 512 (default: 1)", 0},
    {"cpus", OPTION_CPUS, "N", 0, "CPUs of the sequences (default: 1)", 0},
    {"ops", OPTION_OPS, "N", 0, "Then check at least so many operations under Unicorn, and say what memory that took",
     0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->unicorn;
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_CPUS:
        arguments->cpus = (uint8_t)option_number(argument, "cpus", 1, SEQ_CPUS, state);
        return 0;
    case OPTION_OPS:
        arguments->ops = option_number(argument, "ops", 0, INT64_MAX, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&unicorn_options_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    options,
    parse,
    NULL,
    "Checks the same generated sequences of 32 operations on kernel.elf under Unicorn, and on "
    "the host's kernel by probes and by its log; processor time, medians of 7 rounds.\v"
    "Exit status: 0 all agree, 1 a finding, 2 bad usage, or no Unicorn.",
    children,
    NULL,
    NULL};

/* One way of checking them. */
struct way {
    const char *name;
    struct harness *harness;
    enum harness_compare compare;
    double nanoseconds[ROUNDS]; /* an operation */
    double probes;              /* an operation */
};

static double now_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void generate(struct seq *seq, const struct arguments *arguments) {
    struct seq_profile profile = {.cpus = arguments->cpus};
    for (uint32_t i = 0; i < SEQUENCES; i++) {
        struct seq_random random;
        seq[i] = (struct seq){.geometry = &seq_geometry_small, .capacity = OPERATIONS};
        seq[i].op = allocate(OPERATIONS * sizeof *seq[i].op);
        seed_sequence(&random, arguments->seed, i);
        seq_generate(&seq[i], &random, &profile, OPERATIONS);
    }
}

/* Runs all of them once. False: a finding. */
static bool check_all(struct way *way, const struct seq *seq, const struct arguments *arguments) {
    static struct harness_outcome outcome;
    const struct harness_options harness_options = {.compare = way->compare, .seed = arguments->seed};
    uint64_t probes = 0;
    for (uint32_t i = 0; i < SEQUENCES; i++) {
        harness_run(way->harness, &seq[i], &harness_options, &outcome);
        probes += outcome.probes;
        if (outcome.verdict == HARNESS_AGREE)
            continue;
        complain("%s: sequence %u of seed %llu does not agree\n%s", way->name, i, (unsigned long long)arguments->seed,
                 outcome.report);
        return false;
    }
    way->probes = (double)probes / (SEQUENCES * OPERATIONS);
    return true;
}

static bool measure(struct way *way, const struct seq *seq, const struct arguments *arguments, uint32_t round) {
    double start = now_nanoseconds();
    if (!check_all(way, seq, arguments))
        return false;
    way->nanoseconds[round] = (now_nanoseconds() - start) / (SEQUENCES * OPERATIONS);
    return true;
}

static void print(struct way *way) {
    double nanoseconds = bench_median(way->nanoseconds, ROUNDS);
    printf("%-22s %10.0f operations/s %8.0f sequences/s %8.2f us/operation %6.1f probes/operation\n", way->name,
           1e9 / nanoseconds, 1e9 / nanoseconds / OPERATIONS, nanoseconds / 1e3, way->probes);
}

/* ---- memory ---- */

static double resident_mib(void) {
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* The first tenth is left to fill what is filled once, such as the buffers for translated code. */
static bool watch_memory(struct way *way, struct seq *seq, struct arguments *arguments) {
    uint64_t done = 0;
    double first = 0, now;
    while (done < arguments->ops) {
        for (uint32_t i = 0; i < SEQUENCES; i++)
            free(seq[i].op);
        arguments->seed++;
        generate(seq, arguments);
        if (!check_all(way, seq, arguments))
            return false;
        done += (uint64_t)SEQUENCES * OPERATIONS;
        now = resident_mib();
        first = first == 0 && done >= arguments->ops / 10 ? now : first;
    }
    printf("memory after %llu operations: %.1f MiB, after the first tenth of them: %.1f MiB\n",
           (unsigned long long)done, resident_mib(), first);
    return true;
}

int bench_unicorn(int argc, char **argv) {
    struct arguments arguments = {.seed = 1, .cpus = 1};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct way ways[WAYS] = {
        {.name = "unicorn", .harness = cli_harness(unicorn_cli_target(&arguments.unicorn)), .compare = HARNESS_PROBE},
        {.name = "host, by probes", .harness = cli_harness(&cli_targets[0]), .compare = HARNESS_PROBE},
        {.name = "host, by its log", .harness = cli_harness(&cli_targets[0]), .compare = HARNESS_LOG},
    };
    struct seq *seq = allocate(SEQUENCES * sizeof *seq);
    generate(seq, &arguments);
    bool good = true;
    for (uint32_t i = 0; i < WAYS && good; i++)
        good = check_all(&ways[i], seq, &arguments);
    for (uint32_t round = 0; round < ROUNDS && good; round++) {
        for (uint32_t i = 0; i < WAYS && good; i++)
            good = measure(&ways[i], seq, &arguments, round);
    }
    for (uint32_t i = 0; i < WAYS && good; i++)
        print(&ways[i]);
    good = good && (!arguments.ops || watch_memory(&ways[0], seq, &arguments));
    return good ? EXIT_AGREE : EXIT_FINDING;
}
