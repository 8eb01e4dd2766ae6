/*
 * rescind run: runs sequences, compares kernel and model after every operation, and says what came of it.
 */
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_COMPARE = 256, OPTION_JSON, OPTION_TARGET, OPTION_SEED, OPTION_TIMEOUT, OPTION_RAW };

struct arguments {
    enum harness_compare compare;
    const struct cli_target *target; /* NULL: as each file says */
    uint64_t seed;
    uint32_t timeout;
    bool json, raw, verbose;
    char **path;
    size_t path_count;
};

struct totals {
    size_t agreed, findings, bad;
};

static const struct argp_option options[] = {
    {"compare", OPTION_COMPARE, "log|full", 0, "Compare what the kernel logged, or everything (default: log)", 0},
    {"json", OPTION_JSON, NULL, 0, "One JSON object a line for each file, with operations, results and final mappings",
     0},
    {"target", OPTION_TARGET, "small|real|auto", 0, "Kernel to run on (default: auto, the geometry the file names)", 0},
    {"seed", OPTION_SEED, "N", 0, "Chooses which operations get a full comparison too (default: 0)", 0},
    {"timeout", OPTION_TIMEOUT, "SECONDS", 0, "Without any progress for so long, a run is a finding (default: 10)", 0},
    {"raw", OPTION_RAW, NULL, 0, "Files are bare packed operations, as fuzzers keep them (auto: small geometry)", 0},
    {"verbose", 'v', NULL, 0, "Say how much each sequence changed", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_COMPARE:
        arguments->compare = option_compare(argument, state);
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_TARGET:
        arguments->target = option_target(argument, state);
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_TIMEOUT:
        arguments->timeout = (uint32_t)option_number(argument, "timeout", 1, WORKER_TIMEOUT_MAX, state);
        return 0;
    case OPTION_RAW:
        arguments->raw = true;
        return 0;
    case 'v':
        arguments->verbose = true;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->path = state->argv + state->next;
        arguments->path_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
    options,
    parse,
    "FILE|DIRECTORY...",
    "Runs sequences and compares kernel and model after every operation.\v"
    "Of directories, every *.rsq and *.bin below is run. Exit status: 0 all agree, 1 a finding, 2 bad input or usage.",
    NULL,
    NULL,
    NULL};

/* ---- one file ---- */

/* How a run is to be taken once the file's header has been asked what to expect. */
enum judgement { JUDGED_AGREE, JUDGED_EXPECTED, JUDGED_FINDING, JUDGED_UNEXPECTED, JUDGED_TOO_LARGE };

/* `expected: fail` asks for a finding, with `check:` for one whose signature begins so. */
static enum judgement judge(const struct seq_meta *meta, const struct harness_outcome *outcome) {
    bool expect_failure = strcmp(meta->expected, "fail") == 0;
    if (outcome->verdict == HARNESS_TOO_LARGE)
        return JUDGED_TOO_LARGE;
    if (outcome->verdict == HARNESS_AGREE)
        return expect_failure ? JUDGED_UNEXPECTED : JUDGED_AGREE;
    bool same = strncmp(outcome->signature, meta->check, strlen(meta->check)) == 0;
    return expect_failure && same ? JUDGED_EXPECTED : JUDGED_FINDING;
}

static const char *judgement_name(enum judgement judgement) {
    static const char *const names[] = {"agree", "expected-finding", "finding", "unexpected-agreement", "too-large"};
    return names[judgement];
}

static void print_text(const struct arguments *arguments, const char *path, const struct seq *seq,
                       enum judgement judgement, const struct harness_outcome *outcome) {
    const char *signature = outcome->signature, *compare = arguments->compare == HARNESS_FULL ? "full" : "log";
    switch (judgement) {
    case JUDGED_AGREE:
        printf("ok  %s (%u operations)\n", path, seq->count);
        break;
    case JUDGED_EXPECTED:
        printf("ok  %s (%u operations; fails as expected: %s)\n", path, seq->count, signature);
        break;
    case JUDGED_UNEXPECTED:
        printf("FINDING %s agrees, but is expected to fail: %s\n", path, seq->meta.check);
        break;
    case JUDGED_TOO_LARGE:
        printf("too large  %s (%u operations; more mapped units than the model can hold from operation %u on)\n", path,
               seq->count, outcome->failed_at);
        break;
    case JUDGED_FINDING:
        printf("FINDING %s %s\n%s\nrun again: rescind run --compare=%s --target=%s --seed=%llu%s %s\n", path, signature,
               outcome->report, compare, seq->geometry->name, (unsigned long long)arguments->seed,
               arguments->raw ? " --raw" : "", path);
        break;
    }
    if (arguments->verbose)
        printf("    geometry %s, %u operations done, %u changed something, %llu units changed, seed %llu\n",
               seq->geometry->name, outcome->executed, outcome->changed_operations,
               (unsigned long long)outcome->changed_units, (unsigned long long)arguments->seed);
}

/* Strings that a file or a kernel made up need not be UTF-8. */
static json_t *text_json(const char *text) {
    json_t *string = json_string(text);
    if (string)
        return string;
    size_t length = strlen(text);
    char *plain = memcpy(allocate(length + 1), text, length + 1);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(plain);
    free(plain);
    return string;
}

static void print_object(json_t *object) {
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_json(const struct arguments *arguments, const char *path, const struct seq *seq,
                       enum judgement judgement, struct worker_answer *answer) {
    const struct harness_outcome *outcome = &answer->outcome;
    bool finding = outcome->verdict == HARNESS_FINDING;
    json_t *object =
        json_pack("{s: o, s: s, s: s, s: I, s: I, s: I, s: I, s: I}", "path", text_json(path), "verdict",
                  judgement_name(judgement), "geometry", seq->geometry->name, "seed", (json_int_t)arguments->seed,
                  "operations", (json_int_t)seq->count, "executed", (json_int_t)outcome->executed, "changed_operations",
                  (json_int_t)outcome->changed_operations, "changed_units", (json_int_t)outcome->changed_units);
    json_object_set_new(object, "signature", finding ? text_json(outcome->signature) : json_null());
    json_object_set_new(object, "failed_at", finding ? json_integer(outcome->failed_at) : json_null());
    json_object_set_new(object, "report", finding ? text_json(outcome->report) : json_null());
    if (answer->record)
        json_object_update(object, answer->record);
    print_object(object);
}

static void print_bad(const struct arguments *arguments, const char *path) {
    if (arguments->json)
        print_object(json_pack("{s: o, s: s}", "path", text_json(path), "verdict", "bad-input"));
}

static void run_file(const struct arguments *arguments, struct worker *worker, struct progress *progress,
                     const char *path, struct totals *totals) {
    const struct cli_target *raw_target = arguments->target ? arguments->target : &cli_targets[0];
    struct seq seq;
    if (!sequence_load(&seq, path, arguments->raw ? raw_target->geometry : NULL)) {
        totals->bad++;
        print_bad(arguments, path);
        return;
    }
    const struct cli_target *target = arguments->target ? arguments->target : cli_target_of(&seq);
    seq.geometry = target->geometry;
    struct worker_job job = {target, arguments->compare, arguments->seed, arguments->json};
    struct worker_answer answer;
    worker_run(worker, &seq, &job, &answer);
    progress_hide(progress);
    enum judgement judgement = judge(&seq.meta, &answer.outcome);
    if (arguments->json)
        print_json(arguments, path, &seq, judgement, &answer);
    else
        print_text(arguments, path, &seq, judgement, &answer.outcome);
    totals->agreed += judgement == JUDGED_AGREE || judgement == JUDGED_EXPECTED;
    totals->findings += judgement == JUDGED_FINDING || judgement == JUDGED_UNEXPECTED;
    totals->bad += judgement == JUDGED_TOO_LARGE;
    json_decref(answer.record);
    sequence_free(&seq);
}

/* ---- all files ---- */

int command_run(int argc, char **argv) {
    struct arguments arguments = {.compare = HARNESS_LOG, .timeout = WORKER_TIMEOUT_DEFAULT};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct file_list list;
    file_list_collect(&list, arguments.path, arguments.path_count);
    struct totals totals = {0};
    struct progress progress;
    progress_start(&progress);
    struct worker *worker = worker_new(arguments.timeout, &progress);
    for (size_t i = 0; i < list.count; i++) {
        progress_set(&progress, "%zu of %zu files, %zu findings", i, list.count, totals.findings);
        run_file(&arguments, worker, &progress, list.path[i], &totals);
    }
    worker_free(worker);
    if (!arguments.json && list.count > 1)
        printf("%zu files: %zu ok, %zu findings, %zu not judged; seed %llu\n", list.count, totals.agreed,
               totals.findings, totals.bad, (unsigned long long)arguments.seed);
    file_list_free(&list);
    return totals.bad || list.bad ? EXIT_BAD : totals.findings ? EXIT_FINDING : EXIT_AGREE;
}
