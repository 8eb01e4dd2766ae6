/*
 * rescind bench explore: how many schedules a second are run.
 *
 * Every round runs all schedules of one sequence twice: as `rescind explore` does, each in the worker's process, by the
 * clock; and without that, by what the processor spends. The medians of the rounds are reported. Counts do not depend
 * on the machine.
 */
#include "cli/bench.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/schedules.h"
#include "cli/worker.h"
#include "harness/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_JSON = 256, OPTION_PREEMPTIONS, OPTION_SECONDS };
enum { ROUNDS_MAX = 1024, ROUNDS_MIN = 3 };

/* Memory is passed on while it is being taken, by who dies meanwhile; and taken twice. */
static const char sequence_default[] =
    "# rescind: 1\n# geometry: small\n\n"
    "p1 = create_pd root payer=root sel=1\n"
    "p2 = create_pd root payer=root sel=2\n"
    "delegate root obj from=own base=2 order=0 to=p1 at=2 mask=m\n"
    "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x40 mask=rw\n"
    "revoke root mem base=0x10 order=2 mask=rw scope=children place=phys filter=none\n"
    "delegate p1 mem from=own base=0x40 order=2 to=p2 at=0x80 mask=r\n"
    "revoke p1 mem base=0x42 order=0 mask=rw scope=self place=own filter=none\n"
    "destroy_pd root pd=p1\n"
    "lookup p2 mem unit=0x80\n";

struct arguments {
    uint64_t seconds;
    uint32_t preemptions;
    const char *path;
    bool json;
};

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {"preemptions", OPTION_PREEMPTIONS, "P", 0, "At most so many in a schedule (default: 3)", 0},
    {"seconds", OPTION_SECONDS, "N", 0, "Measure for about so long (default: 5)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_PREEMPTIONS:
        arguments->preemptions = (uint32_t)option_number(argument, "preemptions", 0, SCHEDULE_PREEMPTIONS_MAX, state);
        return 0;
    case OPTION_SECONDS:
        arguments->seconds = option_number(argument, "seconds", 1, 86400, state);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "unexpected argument '%s'", argument);
        arguments->path = argument;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {options,
                                   parse,
                                   "[FILE]",
                                   "Measures schedules a second, of a sequence of nine operations or of FILE's.\v"
                                   "Exit status: 0 measured, 1 a finding, 2 bad input or usage.",
                                   NULL,
                                   NULL,
                                   NULL};

struct measurement {
    struct seq seq;
    struct worker *worker;
    struct worker_job job;
    struct harness *harness;
    struct worker_answer answer; /* of the last run */
    struct schedule_counts counts;
    uint64_t operations; /* of all runs of a round */
    double worker_rates[ROUNDS_MAX], processor_rates[ROUNDS_MAX];
    uint32_t rounds;
};

static bool take_answer(struct measurement *measurement, const struct seq *seq, uint32_t *suspended) {
    *suspended = measurement->answer.outcome.suspended;
    measurement->operations += seq->count;
    return measurement->answer.outcome.verdict == HARNESS_AGREE;
}

static bool run_in_worker(void *context, const struct seq *seq, uint32_t *suspended) {
    struct measurement *measurement = context;
    worker_run(measurement->worker, seq, &measurement->job, &measurement->answer);
    return take_answer(measurement, seq, suspended);
}

static bool run_here(void *context, const struct seq *seq, uint32_t *suspended) {
    struct measurement *measurement = context;
    const struct harness_options harness_options = {.compare = measurement->job.compare};
    harness_run(measurement->harness, seq, &harness_options, &measurement->answer.outcome);
    return take_answer(measurement, seq, suspended);
}

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Runs a second; negative: a finding. */
static double measure(struct measurement *measurement, const struct arguments *arguments, schedule_run *run,
                      clockid_t clock) {
    const struct schedule_runner runner = {run, measurement};
    double start = seconds_of(clock);
    measurement->operations = 0;
    schedule_all(&measurement->seq, arguments->preemptions, &runner, &measurement->counts);
    double runs = (double)(measurement->counts.run + measurement->counts.measured);
    return measurement->counts.complete ? runs / (seconds_of(clock) - start) : -1;
}

/* False: a finding. */
static bool measure_rounds(struct measurement *measurement, const struct arguments *arguments) {
    struct progress progress;
    progress_start(&progress);
    int64_t end = now_milliseconds() + (int64_t)arguments->seconds * 1000;
    bool good = true;
    while (good && measurement->rounds < ROUNDS_MAX && (measurement->rounds < ROUNDS_MIN || now_milliseconds() < end)) {
        double by_worker = measure(measurement, arguments, run_in_worker, CLOCK_MONOTONIC);
        double by_processor = by_worker < 0 ? -1 : measure(measurement, arguments, run_here, CLOCK_THREAD_CPUTIME_ID);
        good = by_processor >= 0;
        measurement->worker_rates[measurement->rounds] = by_worker;
        measurement->processor_rates[measurement->rounds++] = by_processor;
        progress_set(&progress, "%u rounds", measurement->rounds);
    }
    progress_hide(&progress);
    return good;
}

static void print(struct measurement *measurement, const struct arguments *arguments) {
    const struct schedule_counts *counts = &measurement->counts;
    uint64_t runs = counts->run + counts->measured;
    json_t *summary = json_pack("{s:i, s:i, s:I, s:I, s:i, s:f, s:f, s:f}", "operations", (int)measurement->seq.count,
                                "preemptions", (int)arguments->preemptions, "schedules", (json_int_t)counts->run,
                                "runs", (json_int_t)runs, "rounds", (int)measurement->rounds, "runs_per_second",
                                bench_median(measurement->worker_rates, measurement->rounds), "runs_per_cpu_second",
                                bench_median(measurement->processor_rates, measurement->rounds), "operations_per_run",
                                (double)measurement->operations / (double)runs);
    if (arguments->json)
        json_dumpf(summary, stdout, JSON_REAL_PRECISION(6)), putchar('\n');
    else
        bench_print_summary(summary);
    json_decref(summary);
}

static bool load(struct seq *seq, const char *path) {
    struct seq_error error;
    bool good = true;
    if (path) {
        good = sequence_load(seq, path, NULL);
    } else {
        sequence_allocate(seq, &seq_geometry_small);
        good = seq_parse(seq, sequence_default, sizeof sequence_default - 1, &error);
    }
    if (good)
        schedule_clear(seq);
    return good;
}

int bench_explore(int argc, char **argv) {
    struct arguments arguments = {.seconds = 5, .preemptions = 3};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct measurement *measurement = allocate(sizeof *measurement);
    struct progress quiet;
    memset(measurement, 0, sizeof *measurement);
    if (!load(&measurement->seq, arguments.path)) {
        free(measurement);
        return EXIT_BAD;
    }
    const struct cli_target *target = cli_target_of(&measurement->seq);
    progress_start(&quiet);
    measurement->worker = worker_new(WORKER_TIMEOUT_DEFAULT, &quiet);
    measurement->job = (struct worker_job){target, HARNESS_LOG, 0, RECORD_NOTHING};
    measurement->harness = cli_harness(target);
    bool good = measure_rounds(measurement, &arguments);
    if (good)
        print(measurement, &arguments);
    else
        complain("a schedule does not agree; rescind explore shows it\n%s", measurement->answer.outcome.report);
    worker_free(measurement->worker);
    host_harness_free(measurement->harness);
    sequence_free(&measurement->seq);
    free(measurement);
    return good ? EXIT_AGREE : EXIT_FINDING;
}
