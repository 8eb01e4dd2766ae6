/*
 * rescind worst: searches for the sequences whose revokes and destroys cost the kernel most.
 *
 * For each shape of operation the sequence is kept that shows its highest value; what is tried next is one of these,
 * changed. So the search does not stay with the one shape that is dearest.
 */
#include "cli/effort.h"
#include "cli/files.h"
#include "cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION_SECONDS = 256, OPTION_RUNS, OPTION_SEED, OPTION_MEASURE, OPTION_GEOMETRY, OPTION_CPUS, OPTION_OPS };
enum { SECONDS_DEFAULT = 60, OPS_DEFAULT = 48, OPS_MAX = 256, MUTATIONS_MAX = 4, FRESH = 8, CROSSED = 8 };
enum { PREEMPT = 64, SHRINK_BUDGET = 4000, MEMO_COUNT = 1 << 12, NAME_BYTES = 64, PATH_BYTES = 4096 };

struct arguments {
    uint64_t seconds, runs, seed; /* runs: 0, as many as there is time for */
    uint32_t ops;
    uint8_t cpus;
    enum effort_measure measure;
    const struct cli_target *target;
    const char *directory;
};

struct kept {
    struct effort_row row;
    struct seq seq;
};

struct search {
    const struct arguments *arguments;
    struct effort *effort;
    struct seq_random random;
    struct seq_profile profile;
    struct harness_outcome outcome;
    struct seq trial, other;
    uint64_t runs;
    uint32_t count;
    struct kept kept[EFFORT_SHAPES];
};

static const struct argp_option options[] = {
    {"measure", OPTION_MEASURE, "stretch|revoke", 0,
     "Steps between two preemption points, or those of a whole revoke for each node that the losers could pay for "
     "(default: stretch)",
     0},
    {"seconds", OPTION_SECONDS, "N", 0, "Search for so long (default: 60)", 0},
    {"runs", OPTION_RUNS, "N", 0, "Run so many sequences instead: then a seed always finds the same", 0},
    {"seed", OPTION_SEED, "N", 0, "Start of the random numbers (default: a fresh one, printed)", 0},
    {"geometry", OPTION_GEOMETRY, "small|real", 0, "Kernel to run on (default: small)", 0},
    {"cpus", OPTION_CPUS, "N", 0, "CPUs (default: 2)", 0},
    {"ops", OPTION_OPS, "N", 0, "Operations of a sequence, at most (default: 48)", 0},
    {"output", 'o', "DIR", 0, "Write the worst of each shape there, shrunk", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_MEASURE:
        if (strcmp(argument, "stretch") != 0 && strcmp(argument, "revoke") != 0)
            argp_error(state, "--measure: expected stretch or revoke, found '%s'", argument);
        arguments->measure = strcmp(argument, "revoke") == 0 ? EFFORT_REVOKE : EFFORT_STRETCH;
        return 0;
    case OPTION_SECONDS:
        arguments->seconds = option_number(argument, "seconds", 1, UINT32_MAX, state);
        return 0;
    case OPTION_RUNS:
        arguments->runs = option_number(argument, "runs", 1, UINT32_MAX, state);
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
    case OPTION_OPS:
        arguments->ops = (uint32_t)option_number(argument, "ops", 1, OPS_MAX, state);
        return 0;
    case 'o':
        arguments->directory = argument;
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
    "Searches for the sequences whose revokes and destroys take the most steps of the kernel.\v"
    "Exit status: 0 the worst is printed, 1 a finding, 2 bad input or usage.",
    NULL,
    NULL,
    NULL};

static void copy(struct seq *to, const struct seq *from) {
    to->count = from->count;
    to->cpus = from->cpus;
    memcpy(to->op, from->op, from->count * sizeof *from->op);
}

/* ---- searching ---- */

static uint32_t below(struct search *search, uint32_t bound) {
    return (uint32_t)seq_random_below(&search->random, bound);
}

static void make_trial(struct search *search) {
    uint32_t ops = search->arguments->ops;
    struct seq *trial = &search->trial;
    trial->cpus = search->arguments->cpus;
    if (search->count == 0 || below(search, FRESH) == 0) {
        seq_generate(trial, &search->random, &search->profile, 1 + below(search, ops));
        return;
    }
    copy(trial, &search->kept[below(search, search->count)].seq);
    if (below(search, CROSSED) == 0) {
        copy(&search->other, trial);
        seq_crossover(trial, &search->other, &search->kept[below(search, search->count)].seq, &search->random, ops);
    }
    for (uint32_t i = 1 + below(search, MUTATIONS_MAX); i > 0; i--)
        seq_mutate(trial, &search->random, &search->profile, ops);
}

static void keep(struct search *search, const struct effort_row *row) {
    uint32_t i = 0;
    while (i < search->count && strcmp(search->kept[i].row.shape, row->shape) != 0)
        i++;
    if (i == EFFORT_SHAPES || (i < search->count && search->kept[i].row.value >= row->value))
        return;
    if (i == search->count) {
        sequence_allocate(&search->kept[i].seq, search->arguments->target->geometry);
        search->count++;
    }
    search->kept[i].row = *row;
    copy(&search->kept[i].seq, &search->trial);
}

/* False: a finding. */
static bool hunt_worst(struct search *search, struct progress *progress) {
    const struct arguments *arguments = search->arguments;
    int64_t until = now_milliseconds() + (int64_t)arguments->seconds * 1000;
    while (arguments->runs ? search->runs < arguments->runs : now_milliseconds() < until) {
        make_trial(search);
        effort_run(search->effort, &search->trial, &search->outcome);
        search->runs++;
        if (search->outcome.verdict == HARNESS_FINDING)
            return false;
        for (uint32_t i = 0; search->outcome.verdict == HARNESS_AGREE && i < search->effort->count; i++)
            keep(search, &search->effort->row[i]);
        progress_set(progress, "%" PRIu64 " sequences run, %u shapes", search->runs, search->count);
    }
    return true;
}

/* ---- shrinking ---- */

struct shrinking {
    struct search *search;
    const struct effort_row *row;
};

static bool is_as_bad(void *context, const struct seq *seq) {
    const struct shrinking *shrinking = context;
    struct search *search = shrinking->search;
    if (seq->count == 0)
        return false;
    effort_run(search->effort, seq, &search->outcome);
    const struct effort_row *row = effort_find(search->effort, shrinking->row->shape);
    return search->outcome.verdict == HARNESS_AGREE && row && row->value >= shrinking->row->value;
}

static void shrink(struct search *search, struct kept *kept) {
    struct shrinking shrinking = {search, &kept->row};
    uint64_t *memo = allocate(MEMO_COUNT * sizeof *memo);
    memset(memo, 0, MEMO_COUNT * sizeof *memo);
    seq_shrink(&kept->seq, is_as_bad, &shrinking, SHRINK_BUDGET, memo, MEMO_COUNT);
    free(memo);
    effort_run(search->effort, &kept->seq, &search->outcome);
    kept->row = *effort_find(search->effort, kept->row.shape);
}

/* ---- telling ---- */

static bool write_sequence(const struct search *search, struct seq *seq, const char *name) {
    const struct arguments *arguments = search->arguments;
    char path[PATH_BYTES];
    size_t length;
    snprintf(path, sizeof path, "%s/%s.rsq", arguments->directory, name);
    snprintf(seq->meta.dialect, sizeof seq->meta.dialect, "exact");
    snprintf(seq->meta.origin, sizeof seq->meta.origin,
             "rescind worst --measure=%s --geometry=%s --cpus=%u --ops=%u --seed=%" PRIu64 " --runs=%" PRIu64,
             effort_measure_name(arguments->measure), arguments->target->target->geometry.name, arguments->cpus,
             arguments->ops, arguments->seed, search->runs);
    char *text = sequence_text(seq, &length);
    bool good = file_replace(path, text, length);
    free(text);
    return good;
}

static bool write_kept(const struct search *search, struct kept *kept) {
    const struct effort_row row = kept->row;
    const char *measure = effort_measure_name(search->arguments->measure);
    char name[NAME_BYTES + HARNESS_SIGNATURE_MAX];
    snprintf(name, sizeof name, "%s-%s", measure, row.shape);
    for (char *c = name; *c; c++)
        *c = *c == '.' ? '-' : *c;
    snprintf(kept->seq.meta.title, sizeof kept->seq.meta.title, "The worst %.*s found: %s %" PRIu64, NAME_BYTES,
             row.shape, measure, row.value);
    return write_sequence(search, &kept->seq, name);
}

static int tell(struct search *search) {
    const struct arguments *arguments = search->arguments;
    bool good = true;
    printf("%" PRIu64 " sequences run; seed %" PRIu64 "\n", search->runs, arguments->seed);
    printf("%8s %8s %8s %4s  shape\n", effort_measure_name(arguments->measure), "steps", "nodes", "ops");
    for (uint32_t i = 0; i < search->count; i++) {
        struct kept *kept = &search->kept[i];
        if (arguments->directory)
            shrink(search, kept);
        printf("%8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %4u  %s\n", kept->row.value, kept->row.steps, kept->row.nodes,
               kept->seq.count, kept->row.shape);
        good = good && (!arguments->directory || write_kept(search, kept));
    }
    return good ? EXIT_AGREE : EXIT_BAD;
}

static int tell_finding(struct search *search) {
    printf("FINDING %s\n%s\n", search->outcome.signature, search->outcome.report);
    bool good = !search->arguments->directory || write_sequence(search, &search->trial, "finding");
    return good ? EXIT_FINDING : EXIT_BAD;
}

int command_worst(int argc, char **argv) {
    struct arguments arguments = {
        .seconds = SECONDS_DEFAULT, .seed = fresh_seed(), .ops = OPS_DEFAULT, .cpus = 2, .target = &cli_targets[0]};
    struct progress progress;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.directory && mkdir(arguments.directory, 0777) != 0 && errno != EEXIST) {
        complain_errno("%s", arguments.directory);
        return EXIT_BAD;
    }
    struct search *search = allocate(sizeof *search);
    memset(search, 0, sizeof *search);
    search->arguments = &arguments;
    search->effort = effort_new(arguments.target, arguments.measure);
    search->profile.cpus = arguments.cpus;
    search->profile.preempt = PREEMPT;
    search->profile.unit_budget = default_unit_budget(arguments.target);
    seq_random_seed(&search->random, arguments.seed);
    sequence_allocate(&search->trial, arguments.target->geometry);
    sequence_allocate(&search->other, arguments.target->geometry);
    progress_start(&progress);
    bool good = hunt_worst(search, &progress);
    progress_hide(&progress);
    int status = good ? tell(search) : tell_finding(search);
    for (uint32_t i = 0; i < search->count; i++)
        sequence_free(&search->kept[i].seq);
    sequence_free(&search->trial);
    sequence_free(&search->other);
    free(search);
    return status;
}
