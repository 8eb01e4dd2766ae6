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

enum { OPTION_SEED = 256, OPTION_CPUS, OPTION_OPS, OPTION_ROUNDS };
enum { OPERATIONS = 32, SEQUENCES = 512, ROUNDS = 7, WAYS = 3, PARTS = 10 };

struct arguments {
    struct unicorn_options unicorn;
    uint64_t seed, ops;
    uint32_t rounds;
    uint8_t cpus;
};

static const struct argp_option options[] = {
    {"seed", OPTION_SEED, "N", 0, "Of the sequences, which are 512 (default: 1)", 0},
    {"cpus", OPTION_CPUS, "N", 0, "CPUs of the sequences (default: 1)", 0},
    {"ops", OPTION_OPS, "N", 0,
     "Then check at least so many operations under Unicorn, and say after each tenth what memory that takes", 0},
    {"rounds", OPTION_ROUNDS, "N", 0,
     "Check the sequences once, and N times for the rates (default and most: 7; 0: to count instructions)", 0},
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
    case OPTION_ROUNDS:
        arguments->rounds = (uint32_t)option_number(argument, "rounds", 0, ROUNDS, state);
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

static void print(struct way *way, uint32_t rounds) {
    double nanoseconds = bench_median(way->nanoseconds, rounds);
    printf("%-22s %10.0f operations/s %8.0f sequences/s %8.2f us/operation %6.1f probes/operation\n", way->name,
           1e9 / nanoseconds, 1e9 / nanoseconds / OPERATIONS, nanoseconds / 1e3, way->probes);
}

/* ---- what no operation can do without ---- */

enum { FLOOR_TIMES = 20000, FLOOR_BOOTS = 500 };

struct floor {
    const struct rescind_target *target;
    struct host_enter host;
    double boot, call, access; /* nanoseconds */
};

static double nanoseconds_since(double start, uint32_t times) {
    return (now_nanoseconds() - start) / times;
}

/* A system call that the kernel refuses at once; one instruction that the PD in user mode executes. */
static void measure_floor(void *argument) {
    struct floor *floor = argument;
    const struct rescind_target *target = floor->target;
    double start = now_nanoseconds();
    for (uint32_t i = 0; i < FLOOR_BOOTS; i++)
        target->boot(&floor->host.hooks, 1, 0);
    floor->boot = nanoseconds_since(start, FLOOR_BOOTS);
    start = now_nanoseconds();
    for (uint32_t i = 0; i < FLOOR_TIMES; i++) {
        uint64_t word[ABI_WORDS] = {UINT8_MAX};
        target->call(0, target->root_pd, word);
    }
    floor->call = nanoseconds_since(start, FLOOR_TIMES);
    start = now_nanoseconds();
    for (uint32_t i = 0; i < FLOOR_TIMES; i++) {
        struct rescind_probe probe = {.resource = 0, .kind = ABI_MEM, .rights = ABI_R};
        target->probe(0, target->root_pd, false, &probe, 1);
    }
    floor->access = nanoseconds_since(start, FLOOR_TIMES);
}

static bool print_floor(const struct rescind_target *target) {
    static struct floor floor;
    enum rescind_stop why;
    const char *text, *function;
    floor.target = target;
    host_enter_init(&floor.host);
    if (!host_enter(&floor.host, measure_floor, &floor, &why, &text, &function)) {
        complain("the kernel stopped: %s: %s", function, text);
        return false;
    }
    printf("unicorn alone: system call that is refused %.2f us, load %.2f us, back to boot %.2f us\n", floor.call / 1e3,
           floor.access / 1e3, floor.boot / 1e3);
    return true;
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

/* What is filled once, such as the buffers for translated code, is full after some hundred thousand operations. */
static bool watch_memory(struct way *way, struct seq *seq, struct arguments *arguments) {
    uint64_t done = 0, parts = 0;
    printf("resident before: %.1f MiB\n", resident_mib());
    while (done < arguments->ops) {
        for (uint32_t i = 0; i < SEQUENCES; i++)
            free(seq[i].op);
        arguments->seed++;
        generate(seq, arguments);
        if (!check_all(way, seq, arguments))
            return false;
        done += (uint64_t)SEQUENCES * OPERATIONS;
        if (done * PARTS / arguments->ops == parts)
            continue;
        parts = done * PARTS / arguments->ops;
        printf("resident after %llu operations: %.1f MiB\n", (unsigned long long)done, resident_mib());
        fflush(stdout);
    }
    return true;
}

int bench_unicorn(int argc, char **argv) {
    struct arguments arguments = {.seed = 1, .rounds = ROUNDS, .cpus = 1};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    const struct cli_target *unicorn = unicorn_cli_target(&arguments.unicorn);
    struct way ways[WAYS] = {
        {.name = "unicorn", .harness = cli_harness(unicorn), .compare = HARNESS_PROBE},
        {.name = "host, by probes", .harness = cli_harness(&cli_targets[0]), .compare = HARNESS_PROBE},
        {.name = "host, by its log", .harness = cli_harness(&cli_targets[0]), .compare = HARNESS_LOG},
    };
    struct seq *seq = allocate(SEQUENCES * sizeof *seq);
    generate(seq, &arguments);
    bool good = true;
    for (uint32_t i = 0; i < WAYS && good; i++)
        good = check_all(&ways[i], seq, &arguments);
    for (uint32_t round = 0; round < arguments.rounds && good; round++) {
        for (uint32_t i = 0; i < WAYS && good; i++)
            good = measure(&ways[i], seq, &arguments, round);
    }
    for (uint32_t i = 0; i < WAYS && good && arguments.rounds; i++)
        print(&ways[i], arguments.rounds);
    good = good && (!arguments.rounds || print_floor(unicorn->target));
    good = good && (!arguments.ops || watch_memory(&ways[0], seq, &arguments));
    return good ? EXIT_AGREE : EXIT_FINDING;
}
