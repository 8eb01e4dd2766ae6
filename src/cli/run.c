/*
 * rescind run: runs sequences, compares kernel and model after every operation, and says what came of it.
 */
#include "cli/files.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/qemu_replay.h"
#include "cli/unicorn.h"
#include "cli/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_JSON = 256 };

struct arguments {
    struct run_options run;
    struct qemu_options qemu;
    bool json, verbose;
    char **path;
    size_t path_count;
};

struct totals {
    size_t agreed, findings, bad;
};

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "One JSON object a line for each file, with operations, results and final mappings",
     0},
    {"verbose", 'v', NULL, 0, "Say how much each sequence changed", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    (void)argument;
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->qemu;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
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

static const struct argp_child children[] = {
    {&run_options_parser, 0, NULL, 0}, {&qemu_options_parser, 0, "On a virtual machine:", 0}, {0}};

static const struct argp parser = {
    options,
    parse,
    "FILE|DIRECTORY...",
    "Runs sequences and compares kernel and model after every operation.\v"
    "Of directories, every *.rsq and *.bin below is run. Exit status: 0 all agree, 1 a finding, 2 bad input or usage.",
    children,
    NULL,
    NULL};

/* ---- one file ---- */

/* One file, from its name to its verdict. */
struct run_job {
    const char *path;
    struct seq seq;
    bool bad; /* there is no sequence */
    struct worker_answer answer;
    uint32_t runs, shown; /* see struct qemu_job */
};

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

/* The command that shows a finding again. */
static void print_again(const struct arguments *arguments, const struct run_job *job) {
    const char *compare = cli_compare_name(arguments->run.compare), *raw = arguments->run.raw ? " --raw" : "";
    unsigned long long seed = (unsigned long long)arguments->run.seed;
    if (job->runs)
        printf("showed in %u of %u further runs\n", job->shown, job->runs);
    if (arguments->qemu.unicorn)
        printf("run again: rescind run --on=unicorn%s%s --seed=%llu%s %s\n", arguments->qemu.kernel ? " --kernel=" : "",
               arguments->qemu.kernel ? arguments->qemu.kernel : "", seed, raw, job->path);
    else if (arguments->qemu.on)
        qemu_print_again(&arguments->qemu, arguments->run.seed, job->path);
    else
        printf("run again: rescind run --compare=%s --target=%s --seed=%llu%s %s\n", compare,
               arguments->run.target ? arguments->run.target_name : job->seq.geometry->name, seed, raw, job->path);
}

static void print_text(const struct arguments *arguments, const struct run_job *job, enum judgement judgement) {
    const struct harness_outcome *outcome = &job->answer.outcome;
    const struct seq *seq = &job->seq;
    const char *signature = outcome->signature, *path = job->path;
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
        printf("FINDING %s %s\n%s\n", path, signature, outcome->report);
        print_again(arguments, job);
        break;
    }
    if (arguments->verbose)
        printf(
            "    geometry %s, %u operations done, %u changed something, %llu units changed, %llu probes, seed %llu\n",
            seq->geometry->name, outcome->executed, outcome->changed_operations,
            (unsigned long long)outcome->changed_units, (unsigned long long)outcome->probes,
            (unsigned long long)arguments->run.seed);
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

static void print_json(const struct arguments *arguments, const struct run_job *job, enum judgement judgement) {
    const struct harness_outcome *outcome = &job->answer.outcome;
    const struct seq *seq = &job->seq;
    bool finding = outcome->verdict == HARNESS_FINDING;
    json_t *object =
        json_pack("{s: o, s: s, s: s, s: I, s: I, s: I, s: I, s: I}", "path", text_json(job->path), "verdict",
                  judgement_name(judgement), "geometry", seq->geometry->name, "seed", (json_int_t)arguments->run.seed,
                  "operations", (json_int_t)seq->count, "executed", (json_int_t)outcome->executed, "changed_operations",
                  (json_int_t)outcome->changed_operations, "changed_units", (json_int_t)outcome->changed_units);
    json_object_set_new(object, "signature", finding ? text_json(outcome->signature) : json_null());
    json_object_set_new(object, "failed_at", finding ? json_integer(outcome->failed_at) : json_null());
    json_object_set_new(object, "report", finding ? text_json(outcome->report) : json_null());
    if (job->runs)
        json_object_set_new(object, "showed_again", json_pack("[i, i]", (int)job->shown, (int)job->runs));
    if (job->answer.record)
        json_object_update(object, job->answer.record);
    print_object(object);
}

static void print_bad(const struct arguments *arguments, const char *path) {
    if (arguments->json)
        print_object(json_pack("{s: o, s: s}", "path", text_json(path), "verdict", "bad-input"));
}

/* What only the root task of a machine does: `registers` are options for it, words KEY=NUMBER. */
static bool can_run(const struct arguments *arguments, const char *path, const struct seq_meta *meta) {
    if (!meta->registers[0])
        return true;
    if (strspn(meta->registers, "abcdefghijklmnopqrstuvwxyz=0123456789 ") != strlen(meta->registers)) {
        complain("%s: registers: expected words KEY=NUMBER, found '%s'", path, meta->registers);
        return false;
    }
    if (!arguments->qemu.on)
        complain("%s: its calls with any registers are made on a machine only: --on=qemu", path);
    return arguments->qemu.on;
}

static void load(const struct arguments *arguments, const char *path, struct run_job *job) {
    struct raw_form form;
    memset(job, 0, sizeof *job);
    job->path = path;
    job->bad = !sequence_load(&job->seq, path, raw_form(&arguments->run, &form));
    if (!job->bad && !can_run(arguments, path, &job->seq.meta)) {
        sequence_free(&job->seq);
        job->bad = true;
    }
    if (!job->bad && arguments->run.target)
        job->seq.geometry = arguments->run.target->geometry;
}

static void finish(const struct arguments *arguments, struct run_job *job, struct totals *totals) {
    if (job->bad) {
        totals->bad++;
        print_bad(arguments, job->path);
        return;
    }
    enum judgement judgement = judge(&job->seq.meta, &job->answer.outcome);
    if (arguments->json)
        print_json(arguments, job, judgement);
    else
        print_text(arguments, job, judgement);
    totals->agreed += judgement == JUDGED_AGREE || judgement == JUDGED_EXPECTED;
    totals->findings += judgement == JUDGED_FINDING || judgement == JUDGED_UNEXPECTED;
    totals->bad += judgement == JUDGED_TOO_LARGE;
    json_decref(job->answer.record);
    sequence_free(&job->seq);
}

/* ---- all files ---- */

static void run_here(const struct arguments *arguments, const struct file_list *list, struct progress *progress,
                     struct totals *totals) {
    struct worker *worker = worker_new(arguments->run.timeout, progress);
    struct run_job *job = allocate(sizeof *job);
    for (size_t i = 0; i < list->count; i++) {
        progress_set(progress, "%zu of %zu files, %zu findings", i, list->count, totals->findings);
        load(arguments, list->path[i], job);
        if (!job->bad) {
            const struct cli_target *target = arguments->run.target ? arguments->run.target : cli_target_of(&job->seq);
            struct worker_job work = {target, arguments->run.compare, arguments->run.seed,
                                      arguments->json ? RECORD_RUN : RECORD_NOTHING};
            worker_run(worker, &job->seq, &work, &job->answer);
        }
        progress_hide(progress);
        finish(arguments, job, totals);
    }
    free(job);
    worker_free(worker);
}

static void run_on_machines(const struct arguments *arguments, const struct file_list *list, struct progress *progress,
                            struct totals *totals) {
    struct qemu *qemu = allocate(sizeof *qemu);
    struct run_job *jobs = allocate(list->count * sizeof *jobs);
    struct qemu_job *machine_jobs = allocate(list->count * sizeof *machine_jobs);
    size_t count = 0;
    qemu_open(qemu, &arguments->qemu, progress);
    for (size_t i = 0; i < list->count; i++) {
        load(arguments, list->path[i], &jobs[i]);
        if (!jobs[i].bad)
            machine_jobs[count++] = (struct qemu_job){.seq = &jobs[i].seq};
    }
    qemu_replay(qemu, machine_jobs, count, arguments->run.seed);
    qemu_close(qemu);
    progress_hide(progress);
    for (size_t i = 0, next = 0; i < list->count; i++) {
        if (!jobs[i].bad) {
            const struct qemu_job *machine_job = &machine_jobs[next++];
            jobs[i].answer.outcome = machine_job->outcome;
            jobs[i].runs = machine_job->runs;
            jobs[i].shown = machine_job->shown;
        }
        finish(arguments, &jobs[i], totals);
    }
    free(machine_jobs);
    free(jobs);
    free(qemu);
}

int command_run(int argc, char **argv) {
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.run.timeout_given)
        arguments.qemu.timeout = arguments.run.timeout;
    const struct unicorn_options unicorn = {arguments.qemu.unicorn, arguments.qemu.kernel};
    if (unicorn.on)
        arguments.run.target = unicorn_cli_target(&unicorn);
    struct file_list list;
    file_list_collect(&list, arguments.path, arguments.path_count);
    struct totals totals = {0};
    struct progress progress;
    progress_start(&progress);
    if (arguments.qemu.on)
        run_on_machines(&arguments, &list, &progress, &totals);
    else
        run_here(&arguments, &list, &progress, &totals);
    if (!arguments.json && list.count > 1)
        printf("%zu files: %zu ok, %zu findings, %zu not judged; seed %llu\n", list.count, totals.agreed,
               totals.findings, totals.bad, (unsigned long long)arguments.run.seed);
    file_list_free(&list);
    return totals.bad || list.bad ? EXIT_BAD : totals.findings ? EXIT_FINDING : EXIT_AGREE;
}
