/*
 * rescind laws: tries laws that revocation obeys on a kernel alone, without the model.
 */
#include "harness/laws.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "harness/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION_LAW = 256, OPTION_SEED, OPTION_COUNT, OPTION_OPS, OPTION_TRIES, OPTION_GEOMETRY };
enum { RUNS_SMALL = 1 << 13, RUNS_REAL = 1 << 18, MEMO_COUNT = 1 << 12, SHRINK_BUDGET = 2000, FINDINGS_MAX = 64 };

struct arguments {
    struct laws_options laws;
    uint64_t seed, count, ops;
    const struct cli_target *target; /* NULL: as each file says */
    const char *directory;
    char **path;
    size_t path_count;
};

static const struct argp_option options[] = {
    {"law", OPTION_LAW, "1..5", 0, "Try this law; may be given several times (default: all)", 0},
    {"seed", OPTION_SEED, "N", 0, "Chooses sequences, points and operations (default: a fresh one, printed)", 0},
    {"count", OPTION_COUNT, "N", 0, "Sequences to generate where no file is named (default: 100)", 0},
    {"ops", OPTION_OPS, "N", 0, "Operations in each (default: 32)", 0},
    {"tries", OPTION_TRIES, "N", 0,
     "Of each law on each sequence: on at most so many of its own operations, and as many made up (default: 16)", 0},
    {"geometry", OPTION_GEOMETRY, "small|real", 0, "Kernel to run on (default: what a file names, else small)", 0},
    {"output", 'o', "DIRECTORY", 0, "Write what shows a finding there, as law-<i>.rsq", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_LAW:
        arguments->laws.laws |= 1u << option_number(argument, "law", 1, LAWS, state);
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_COUNT:
        arguments->count = option_number(argument, "count", 1, UINT32_MAX, state);
        return 0;
    case OPTION_OPS:
        arguments->ops = option_number(argument, "ops", 1, SEQ_MAX_OPS, state);
        return 0;
    case OPTION_TRIES:
        arguments->laws.tries = (uint32_t)option_number(argument, "tries", 0, 1000000, state);
        return 0;
    case OPTION_GEOMETRY:
        arguments->target = option_geometry(argument, state);
        return 0;
    case 'o':
        arguments->directory = argument;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->path = state->argv + state->next;
        arguments->path_count = (size_t)(state->argc - state->next);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
    options,
    parse,
    "[FILE|DIRECTORY...]",
    "Tries laws that revocation obeys on a kernel alone, without the model.\v"
    "1: revoking twice is revoking once. 2: revoking a range is revoking its halves, in either order. 3: a delegate is "
    "undone by revoking what it filled. 4: emptying a PD and destroying it is destroying it. 5: operations on "
    "different units commute. "
    "Sequences are read, or generated. Exit status: 0 all hold, 1 a finding, 2 bad input or usage.",
    NULL,
    NULL,
    NULL};

struct session {
    const struct arguments *arguments;
    struct host_enter host[CLI_TARGETS];
    struct laws *laws[CLI_TARGETS];
    struct laws_outcome outcome;
    struct progress progress;
    uint64_t findings;
    uint32_t known; /* different signatures */
    char signature[FINDINGS_MAX][HARNESS_SIGNATURE_MAX];
    bool bad;
};

static struct laws *laws_for(struct session *session, const struct cli_target *target) {
    size_t i = (size_t)(target - cli_targets);
    uint32_t runs = target->geometry == &seq_geometry_small ? RUNS_SMALL : RUNS_REAL;
    if (session->laws[i])
        return session->laws[i];
    size_t size = laws_size(target->target, runs);
    host_enter_init(&session->host[i]);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, size);
    if (memory)
        session->laws[i] =
            laws_init(memory, size, target->target, runs, &session->host[i].hooks, host_enter, &session->host[i]);
    if (!session->laws[i]) {
        complain("target %s: no memory, or of another version", target->target->name);
        exit(EXIT_BAD);
    }
    return session->laws[i];
}

/* ---- what shows a finding ---- */

struct shrinking {
    struct laws *laws;
    const char *signature;
    uint32_t bits; /* the law broken */
};

/* A sequence shows a finding when a law is broken by its last operations. */
static bool shows(void *context, const struct seq *seq) {
    const struct shrinking *shrinking = context;
    struct laws_options alone = {.laws = shrinking->bits};
    struct laws_outcome *outcome = allocate(sizeof *outcome);
    memset(outcome, 0, sizeof *outcome);
    laws_check(shrinking->laws, seq, &alone, outcome);
    bool same = outcome->broken && strcmp(outcome->signature, shrinking->signature) == 0;
    free(outcome);
    return same;
}

static void show_finding(struct seq *shown, const struct seq *seq, const struct laws_outcome *outcome) {
    sequence_allocate(shown, seq->geometry);
    shown->cpus = seq->cpus;
    shown->count = outcome->prefix;
    memcpy(shown->op, seq->op, outcome->prefix * sizeof *seq->op);
    for (uint32_t i = 0; i < outcome->subjects && shown->count < SEQ_MAX_OPS; i++)
        shown->op[shown->count++] = outcome->subject[i];
}

static void write_finding(struct session *session, struct laws *laws, const struct seq *seq, const char *origin) {
    const struct laws_outcome *outcome = &session->outcome;
    struct shrinking shrinking = {laws, outcome->signature, session->arguments->laws.laws};
    struct seq shown;
    show_finding(&shown, seq, outcome);
    uint64_t *memo = allocate(MEMO_COUNT * sizeof *memo);
    memset(memo, 0, MEMO_COUNT * sizeof *memo);
    bool alone = shows(&shrinking, &shown);
    if (alone)
        seq_shrink(&shown, shows, &shrinking, SHRINK_BUDGET, memo, MEMO_COUNT);
    free(memo);
    snprintf(shown.meta.check, sizeof shown.meta.check, "%.*s", (int)sizeof shown.meta.check - 1, outcome->signature);
    snprintf(shown.meta.origin, sizeof shown.meta.origin, "rescind laws, %.150s", origin);
    size_t length, size = strlen(session->arguments->directory) + 32;
    char *text = sequence_text(&shown, &length), *path = allocate(size);
    snprintf(path, size, "%s/law-%u.rsq", session->arguments->directory, session->known);
    if (file_replace(path, text, length))
        printf("written: %s%s\nrun again: rescind laws %s\n\n", path, alone ? "" : " (it does not show it by itself)",
               path);
    else
        session->bad = true;
    free(text);
    free(path);
    sequence_free(&shown);
}

static void report_finding(struct session *session, struct laws *laws, const struct seq *seq, const char *origin) {
    const struct laws_outcome *outcome = &session->outcome;
    session->findings++;
    for (uint32_t i = 0; i < session->known; i++)
        if (strcmp(session->signature[i], outcome->signature) == 0)
            return;
    if (session->known == FINDINGS_MAX)
        return;
    progress_hide(&session->progress);
    printf("FINDING %s %s\n%s\n", origin, outcome->signature, outcome->report);
    memcpy(session->signature[session->known], outcome->signature, HARNESS_SIGNATURE_MAX);
    if (session->arguments->directory)
        write_finding(session, laws, seq, origin);
    session->known++;
}

/* ---- sequences ---- */

static void check(struct session *session, const struct cli_target *target, const struct seq *seq, uint64_t seed,
                  const char *origin) {
    struct laws_options chosen = session->arguments->laws;
    chosen.seed = seed;
    struct laws *laws = laws_for(session, target);
    laws_check(laws, seq, &chosen, &session->outcome);
    if (session->outcome.broken)
        report_finding(session, laws, seq, origin);
}

static void check_files(struct session *session) {
    const struct arguments *arguments = session->arguments;
    struct file_list list;
    file_list_collect(&list, arguments->path, arguments->path_count);
    session->bad |= list.bad;
    for (size_t i = 0; i < list.count; i++) {
        struct seq seq;
        progress_set(&session->progress, "%zu of %zu files", i, list.count);
        if (!sequence_load(&seq, list.path[i], NULL)) {
            session->bad = true;
            continue;
        }
        const struct cli_target *target = arguments->target ? arguments->target : cli_target_of(&seq);
        seq.geometry = target->geometry;
        check(session, target, &seq, arguments->seed, list.path[i]);
        sequence_free(&seq);
    }
    file_list_free(&list);
}

static void check_generated(struct session *session) {
    const struct arguments *arguments = session->arguments;
    const struct cli_target *target = arguments->target ? arguments->target : &cli_targets[0];
    struct seq_profile profile = {.unit_budget = default_unit_budget(target)};
    struct seq seq;
    sequence_allocate(&seq, target->geometry);
    for (uint64_t i = 0; i < arguments->count; i++) {
        char origin[96];
        struct seq_random random;
        progress_set(&session->progress, "%llu of %llu sequences", (unsigned long long)i,
                     (unsigned long long)arguments->count);
        seed_sequence(&random, arguments->seed, i);
        seq_generate(&seq, &random, &profile, (uint32_t)arguments->ops);
        snprintf(origin, sizeof origin, "seed %llu, %llu operations, sequence %llu",
                 (unsigned long long)arguments->seed, (unsigned long long)arguments->ops, (unsigned long long)i);
        check(session, target, &seq, seq_random_next(&random), origin);
    }
    sequence_free(&seq);
}

static void print_totals(const struct session *session) {
    const struct laws_outcome *outcome = &session->outcome;
    for (uint32_t law = 1; law <= LAWS; law++)
        if (session->arguments->laws.laws >> law & 1)
            printf("law %u: %llu tries, %llu more whose premises did not hold\n", law,
                   (unsigned long long)outcome->tried[law], (unsigned long long)outcome->unmet[law]);
    printf("%llu findings, %u different; seed %llu\n", (unsigned long long)session->findings, session->known,
           (unsigned long long)session->arguments->seed);
}

int command_laws(int argc, char **argv) {
    struct arguments arguments = {.seed = fresh_seed(), .count = 100, .ops = 32, .laws = {.tries = 16}};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (!arguments.laws.laws)
        arguments.laws.laws = (1u << (LAWS + 1)) - 2;
    if (arguments.directory && mkdir(arguments.directory, 0777) != 0 && errno != EEXIST) {
        complain_errno("%s", arguments.directory);
        return EXIT_BAD;
    }
    struct session *session = allocate(sizeof *session);
    memset(session, 0, sizeof *session);
    session->arguments = &arguments;
    progress_start(&session->progress);
    if (arguments.path_count)
        check_files(session);
    else
        check_generated(session);
    progress_hide(&session->progress);
    print_totals(session);
    int status = session->bad ? EXIT_BAD : session->findings ? EXIT_FINDING : EXIT_AGREE;
    for (size_t i = 0; i < CLI_TARGETS; i++)
        free(session->laws[i]);
    free(session);
    return status;
}
