/*
 * rescind diff: runs the same sequences on two builds of the kernel and compares results and states.
 */
#include "harness/diff.h"

#include "cli/files.h"
#include "cli/plugin.h"
#include "cli/progress.h"
#include "harness/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_WITH = 256, OPTION_SEED, OPTION_COUNT, OPTION_OPS };
enum { RUNS_SMALL = 1 << 13, RUNS_REAL = 1 << 18, SHOWN_MAX = 20 };

struct arguments {
    const char *with;
    uint64_t seed, count, ops;
    char **path;
    size_t path_count;
};

static const struct argp_option options[] = {
    {"with", OPTION_WITH, "KERNEL.so|NAME", 0, "The other kernel: a library, or NAME.so beside this program", 0},
    {"count", OPTION_COUNT, "N", 0, "Sequences to generate where no file is named (default: 100)", 0},
    {"ops", OPTION_OPS, "N", 0, "Operations in each (default: 32)", 0},
    {"seed", OPTION_SEED, "N", 0, "Chooses the generated sequences (default: a fresh one, printed)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_WITH:
        arguments->with = argument;
        return 0;
    case OPTION_COUNT:
        arguments->count = option_number(argument, "count", 1, UINT32_MAX, state);
        return 0;
    case OPTION_OPS:
        arguments->ops = option_number(argument, "ops", 1, SEQ_MAX_OPS, state);
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case ARGP_KEY_ARGS:
        arguments->path = state->argv + state->next;
        arguments->path_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (!arguments->with)
            argp_error(state, "--with is needed: the other kernel");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
    options,
    parse,
    "--with=KERNEL [FILE|DIRECTORY...]",
    "Runs the same sequences on two builds of the kernel, without the model: results and states after every operation "
    "must be equal.\v"
    "The kernel of the other's geometry that is built into this program is compared with it. A library is made by the "
    "build target rescind_kernel_plugin, for each geometry one, from the sources that RESCIND_KERNEL_DIR names. "
    "Sequences are read, those of another geometry passed over, or generated. Exit status: 0 all equal, 1 a "
    "difference, 2 bad input or usage.",
    NULL,
    NULL,
    NULL};

struct session {
    const struct cli_target *target;
    struct diff_side side[DIFF_SIDES];
    struct host_enter host[DIFF_SIDES];
    struct diff *diff;
    struct diff_outcome outcome;
    struct progress progress;
    uint64_t equal, different, too_large, other_geometry;
    bool bad;
};

static bool begin(struct session *session, const char *with) {
    const struct rescind_target *other = plugin_load(with);
    session->target = other ? cli_target_by_name(other->geometry.name) : NULL;
    if (!session->target) {
        if (other)
            complain("%s: geometry %s is not built in", with, other->geometry.name);
        return false;
    }
    for (uint32_t i = 0; i < DIFF_SIDES; i++) {
        host_enter_init(&session->host[i]);
        session->side[i] = (struct diff_side){
            .target = i ? other : session->target->target,
            .hooks = &session->host[i].hooks,
            .enter = host_enter,
            .enter_context = &session->host[i],
        };
    }
    uint32_t runs = session->target->geometry == &seq_geometry_small ? RUNS_SMALL : RUNS_REAL;
    size_t size = diff_size(session->side, runs);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, size);
    session->diff = memory ? diff_init(memory, size, session->side, runs) : NULL;
    if (!session->diff)
        complain("%s: no memory, or another geometry or other kinds than %s", with, session->target->target->name);
    return session->diff;
}

static void compare(struct session *session, const struct seq *seq, const char *origin) {
    const struct diff_outcome *outcome = &session->outcome;
    diff_run(session->diff, seq, &session->outcome);
    session->equal += outcome->verdict == DIFF_EQUAL;
    session->different += outcome->verdict == DIFF_DIFFERENT;
    session->too_large += outcome->verdict == DIFF_TOO_LARGE;
    if (outcome->verdict == DIFF_EQUAL || session->different > SHOWN_MAX)
        return;
    progress_hide(&session->progress);
    if (outcome->verdict == DIFF_TOO_LARGE)
        printf("too large  %s (from operation %u on)\n", origin, outcome->executed);
    else
        printf("DIFFERENT %s %s\n%s\n", origin, outcome->signature, outcome->report);
}

static void compare_files(struct session *session, const struct arguments *arguments) {
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
        if (seq.geometry == session->target->geometry)
            compare(session, &seq, list.path[i]);
        else
            session->other_geometry++;
        sequence_free(&seq);
    }
    file_list_free(&list);
}

static void compare_generated(struct session *session, const struct arguments *arguments) {
    struct seq_profile profile = {.unit_budget = default_unit_budget(session->target)};
    struct seq seq;
    sequence_allocate(&seq, session->target->geometry);
    for (uint64_t i = 0; i < arguments->count; i++) {
        char origin[96];
        struct seq_random random;
        progress_set(&session->progress, "%llu of %llu sequences", (unsigned long long)i,
                     (unsigned long long)arguments->count);
        seed_sequence(&random, arguments->seed, i);
        seq_generate(&seq, &random, &profile, (uint32_t)arguments->ops);
        snprintf(origin, sizeof origin, "seed %llu, %llu operations, sequence %llu",
                 (unsigned long long)arguments->seed, (unsigned long long)arguments->ops, (unsigned long long)i);
        compare(session, &seq, origin);
    }
    sequence_free(&seq);
}

int command_diff(int argc, char **argv) {
    struct arguments arguments = {.seed = fresh_seed(), .count = 100, .ops = 32};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct session *session = allocate(sizeof *session);
    memset(session, 0, sizeof *session);
    if (!begin(session, arguments.with)) {
        free(session->diff);
        free(session);
        return EXIT_BAD;
    }
    progress_start(&session->progress);
    if (arguments.path_count)
        compare_files(session, &arguments);
    else
        compare_generated(session, &arguments);
    progress_hide(&session->progress);
    printf("%llu equal, %llu different, %llu not judged, %llu of another geometry; seed %llu\n",
           (unsigned long long)session->equal, (unsigned long long)session->different,
           (unsigned long long)session->too_large, (unsigned long long)session->other_geometry,
           (unsigned long long)arguments.seed);
    int status = session->bad || session->too_large ? EXIT_BAD : session->different ? EXIT_FINDING : EXIT_AGREE;
    free(session->diff);
    free(session);
    return status;
}
