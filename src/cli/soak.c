/*
 * rescind soak: one system that is booted once and then runs millions of operations.
 */
#include "harness/soak.h"

#include "cli/files.h"
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_SEED = 256, OPTION_OPS, OPTION_GEOMETRY };
enum { LOW_POINTS = 100, TENTHS = 10 };

struct arguments {
    uint64_t seed, ops;
    const struct cli_target *target;
    const char *output;
};

static const struct argp_option options[] = {
    {"ops", OPTION_OPS, "N", 0, "Operations (default: 1000000)", 0},
    {"seed", OPTION_SEED, "N", 0, "Chooses them (default: a fresh one, printed)", 0},
    {"geometry", OPTION_GEOMETRY, "small|real", 0, "Kernel to run on (default: small)", 0},
    {"output", 'o', "FILE", 0, "Where to write what shows a finding (default: soak-<seed>.rsq)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_OPS:
        arguments->ops = option_number(argument, "ops", 1, UINT32_MAX, state);
        return 0;
    case OPTION_GEOMETRY:
        arguments->target = option_geometry(argument, state);
        return 0;
    case 'o':
        arguments->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
    options,
    parse,
    NULL,
    "Runs one system for a long time, and compares kernel and model after every operation.\v"
    "It is never reset: about half of what exists is cleared now and then, and sometimes everything. "
    "Exit status: 0 all agree, 1 a finding, 2 bad input or usage.",
    NULL,
    NULL,
    NULL};

/* Where a tenth of the life begins. Of the processor's time, so that whoever else uses the machine makes no difference.
 */
struct tenth {
    double seconds;
    uint64_t operations;
};

struct session {
    const struct arguments *arguments;
    struct harness *harness;
    struct soak *soak;
    struct harness_outcome outcome;
    struct progress progress;
    struct tenth tenth[TENTHS + 1]; /* at their starts, and at the end */
    int64_t milliseconds;           /* that the life took */
};

static double processor_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double speed(const struct tenth *tenth) {
    double seconds = tenth[1].seconds - tenth[0].seconds;
    return seconds > 0 ? (double)(tenth[1].operations - tenth[0].operations) / seconds : 0;
}

/* Lives until all operations are done, or a finding. */
static enum harness_verdict live(struct session *session) {
    const struct soak_counts *counts = soak_counts(session->soak);
    uint64_t ops = session->arguments->ops, lows = 0;
    uint32_t tenth = 0;
    enum harness_verdict verdict = soak_boot(session->soak, &session->outcome);
    while (verdict == HARNESS_AGREE && counts->operations < ops) {
        for (; tenth < TENTHS && counts->operations >= ops / TENTHS * tenth; tenth++)
            session->tenth[tenth] = (struct tenth){processor_seconds(), counts->operations};
        progress_set(&session->progress, "%" PRIu64 " of %" PRIu64 " operations", counts->operations, ops);
        bool low = counts->operations >= ops / LOW_POINTS * (lows + 1);
        lows += low;
        verdict = soak_chunk(session->soak, low, &session->outcome);
    }
    if (verdict == HARNESS_AGREE)
        verdict = soak_chunk(session->soak, true, &session->outcome);
    for (; tenth <= TENTHS; tenth++)
        session->tenth[tenth] = (struct tenth){processor_seconds(), counts->operations};
    return verdict;
}

/* Where the kernel asks for memory, and how often it was refused there. */
static void print_sites(const struct rescind_target *target) {
    uint32_t count = 0;
    const struct rescind_site *sites = target->sites ? target->sites(&count) : NULL;
    printf("%-24s %12s %12s\n", "allocation site", "asked", "refused");
    for (uint32_t i = 0; i < count; i++)
        printf("%-24s %12" PRIu64 " %12" PRIu64 "\n", sites[i].name, sites[i].asked, sites[i].refused);
}

static void print_counts(const struct session *session) {
    const struct soak_counts *counts = soak_counts(session->soak);
    const struct tenth *tenth = session->tenth;
    printf("%" PRIu64 " operations in %.1f s (%.1f s of the processor), %" PRIu64 " changed something, %" PRIu64
           " full comparisons; seed %" PRIu64 "\n",
           counts->operations, (double)session->milliseconds / 1000, tenth[TENTHS].seconds - tenth[0].seconds,
           counts->changed, counts->full, session->arguments->seed);
    printf("speed: %.0f operations a processor second in the first tenth, %.0f in the last\n", speed(tenth),
           speed(&tenth[TENTHS - 1]));
    printf("kernel memory: %" PRIu64 " bytes after boot, %" PRIu64 " at the last of %" PRIu64 " low points%s\n",
           counts->bytes_at_boot, counts->bytes, counts->low_points,
           session->outcome.verdict == HARNESS_AGREE ? ", the same at each" : "");
    printf("identifiers: %" PRIu64 " PDs made on %u, %" PRIu64 " objects on %u; used again %" PRIu64 " times\n",
           counts->pds, counts->pd_ids, counts->objects, counts->object_ids,
           counts->pds - counts->pd_ids + counts->objects - counts->object_ids);
    print_sites(session->arguments->target->target);
}

/* The operations since all was last found to agree are kept if they show the finding on a fresh system. */
static bool write_finding(struct session *session) {
    const struct arguments *arguments = session->arguments;
    char path[64];
    struct seq seq;
    struct harness_options full = {.compare = HARNESS_FULL};
    struct harness_outcome *alone = allocate(sizeof *alone);
    const struct seq *recent = soak_recent(session->soak);
    sequence_allocate(&seq, recent->geometry);
    seq.count = recent->count;
    seq.cpus = recent->cpus;
    memcpy(seq.op, recent->op, recent->count * sizeof *recent->op);
    harness_run(session->harness, &seq, &full, alone);
    bool good = true;
    if (alone->verdict != HARNESS_FINDING) {
        printf("the last %u operations do not show it by themselves; run again: rescind soak --seed=%" PRIu64
               " --ops=%" PRIu64 " --geometry=%s\n",
               seq.count, arguments->seed, arguments->ops, arguments->target->target->geometry.name);
    } else {
        size_t length;
        snprintf(path, sizeof path, "soak-%" PRIu64 ".rsq", arguments->seed);
        const char *output = arguments->output ? arguments->output : path;
        snprintf(seq.meta.origin, sizeof seq.meta.origin, "rescind soak --seed=%" PRIu64 " --ops=%" PRIu64,
                 arguments->seed, arguments->ops);
        snprintf(seq.meta.check, sizeof seq.meta.check, "%.*s", (int)sizeof seq.meta.check - 1, alone->signature);
        char *text = sequence_text(&seq, &length);
        good = file_replace(output, text, length);
        if (good)
            printf("the last %u operations show by themselves: %s\nwritten: %s\nrun again: rescind run %s\n", seq.count,
                   alone->signature, output, output);
        free(text);
    }
    sequence_free(&seq);
    free(alone);
    return good;
}

int command_soak(int argc, char **argv) {
    struct arguments arguments = {.seed = fresh_seed(), .ops = 1000000, .target = &cli_targets[0]};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct session *session = allocate(sizeof *session);
    memset(session, 0, sizeof *session);
    session->arguments = &arguments;
    session->harness = cli_harness(arguments.target);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, soak_size());
    if (memory)
        session->soak = soak_init(memory, soak_size(), session->harness, arguments.target->geometry, arguments.seed);
    if (!session->soak) {
        complain("out of memory");
        return EXIT_BAD;
    }
    progress_start(&session->progress);
    int64_t started = now_milliseconds();
    enum harness_verdict verdict = live(session);
    session->milliseconds = now_milliseconds() - started;
    progress_hide(&session->progress);
    print_counts(session);
    int status = verdict == HARNESS_AGREE ? EXIT_AGREE : verdict == HARNESS_FINDING ? EXIT_FINDING : EXIT_BAD;
    if (verdict == HARNESS_TOO_LARGE)
        complain("more mapped units than the model can hold");
    if (verdict == HARNESS_FINDING) {
        printf("FINDING %s\n%s\n", session->outcome.signature, session->outcome.report);
        if (!write_finding(session))
            status = EXIT_BAD;
    }
    free(memory);
    free(session);
    return status;
}
