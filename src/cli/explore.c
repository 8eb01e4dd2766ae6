/*
 * Runs a sequence with many schedules: each is an ordinary sequence, and runs in a worker.
 */
#include "cli/explore.h"

#include "cli/files.h"
#include "cli/progress.h"
#include "cli/schedules.h"
#include "cli/worker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum end { END_COMPLETE, END_FINDING, END_TOO_LARGE, END_INTERRUPTED };

struct session {
    const struct explore_options *options;
    struct worker *worker;
    struct progress *progress;
    struct worker_job job;
    struct seq seq; /* with the schedule that was run last */
    enum end end;
    struct harness_outcome outcome;
    struct schedule_counts counts; /* random ones: existing is how many were wanted */
    struct pct pct;                /* random ones */
    uint64_t inexact;              /* random ones that needed too many operations in progress */
};

/* ---- running ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* The worker, which Ctrl-C in a terminal reaches too, goes on: that it was interrupted is no finding. */
static void catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static bool run_schedule(void *context, const struct seq *seq, uint32_t *suspended) {
    struct session *session = context;
    struct worker_answer answer;
    worker_run(session->worker, seq, &session->job, &answer);
    *suspended = answer.outcome.suspended;
    if (answer.outcome.verdict == HARNESS_FINDING)
        session->end = END_FINDING;
    else if (answer.outcome.verdict == HARNESS_TOO_LARGE)
        session->end = END_TOO_LARGE;
    else if (interrupted)
        session->end = END_INTERRUPTED;
    if (session->options->depth)
        progress_set(session->progress, "%" PRIu64 " of %" PRIu64 " schedules", session->counts.run,
                     session->counts.existing);
    else
        progress_set(session->progress, "%" PRIu64 " schedules run of %" PRIu64 " known to exist", session->counts.run,
                     session->counts.existing);
    if (session->end == END_COMPLETE)
        return true;
    session->outcome = answer.outcome;
    return false;
}

/* Leaves the schedule that was run last, or the first that shows a finding, in session->seq. */
static void run_random(struct session *session, const struct schedule_runner *runner) {
    const struct explore_options *options = session->options;
    struct seq made;
    struct seq_random random;
    session->counts.existing = options->count;
    if (!pct_measure(&session->pct, &session->seq, options->depth, runner))
        return;
    sequence_allocate(&made, session->seq.geometry);
    bool goes_on = true;
    for (uint64_t i = 0; i < options->count && goes_on; i++) {
        uint32_t suspended;
        seed_sequence(&random, options->seed, i);
        session->inexact += !pct_schedule(&session->pct, &session->seq, &made, &random);
        goes_on = run_schedule(session, &made, &suspended);
        session->counts.run++;
    }
    session->counts.complete = goes_on;
    if (session->end == END_FINDING) {
        struct seq plain = session->seq;
        session->seq = made;
        made = plain;
    }
    sequence_free(&made);
}

/* ---- saying what came of it ---- */

static const char *verdict(enum end end) {
    static const char *const names[] = {"agree", "finding", "too-large", "interrupted"};
    return names[end];
}

static void describe(const struct session *session, struct seq_meta *meta) {
    const struct explore_options *options = session->options;
    const char *file = file_name(options->path);
    snprintf(meta->check, sizeof meta->check, "%.*s", (int)sizeof meta->check - 1, session->outcome.signature);
    if (options->depth)
        snprintf(meta->origin, sizeof meta->origin,
                 "rescind explore --pct=%u --seed=%" PRIu64 " %.100s, schedule %" PRIu64, options->depth, options->seed,
                 file, session->counts.run - 1);
    else
        snprintf(meta->origin, sizeof meta->origin, "rescind explore --preemptions=%u %.100s, schedule %" PRIu64,
                 options->preemptions, file, session->counts.run - 1);
}

/* The chance that at least one of the schedules run finds a defect of the depth; by squaring. */
static double chance_of_all(const struct session *session) {
    double one = pct_bound(&session->pct), all = 0;
    for (uint64_t count = session->counts.run; count; count >>= 1) {
        if (count & 1)
            all += one - all * one;
        one += one - one * one;
    }
    return all;
}

static void print_counts(const struct session *session) {
    const struct schedule_counts *counts = &session->counts;
    const struct explore_options *options = session->options;
    if (!options->depth) {
        printf("%s: %s%" PRIu64 " schedules with at most %u preemptions, %" PRIu64 " run; %" PRIu64
               " runs more to count preemption points\n",
               options->path, counts->complete ? "" : "at least ", counts->existing, options->preemptions, counts->run,
               counts->measured);
        return;
    }
    const struct pct *pct = &session->pct;
    printf("%s: %" PRIu64 " of %" PRIu64 " random schedules run; seed %" PRIu64 "\n", options->path, counts->run,
           counts->existing, options->seed);
    printf("n = %u operations, k = %u steps: a schedule finds a defect of depth %u with probability 1/(n k^%u) = %.3g "
           "at least, %" PRIu64 " do with %.3g\n",
           pct->threads, pct->steps, pct->depth, pct->depth - 1, pct_bound(pct), counts->run, chance_of_all(session));
    if (session->inexact)
        printf("%" PRIu64
               " of them would have needed more than %d operations in progress at once, and run some to their "
               "end earlier\n",
               session->inexact, SEQ_NESTING);
}

static void print_text(const struct session *session, const char *text) {
    const struct explore_options *options = session->options;
    if (session->end == END_FINDING) {
        printf("FINDING %s %s\n%s\n", options->path, session->outcome.signature, session->outcome.report);
        if (options->output)
            printf("written: %s\nrun again: rescind run --compare=%s --seed=%" PRIu64 " %s\n", options->output,
                   cli_compare_name(options->compare), options->seed, options->output);
        else
            printf("the sequence with the schedule (-o FILE writes it):\n%s\n", text);
    }
    if (session->end == END_TOO_LARGE)
        printf("too large  %s: more mapped units than the model can hold\n", options->path);
    if (session->end == END_INTERRUPTED)
        printf("interrupted\n");
    print_counts(session);
}

static void print_json(const struct session *session, const char *text) {
    const struct explore_options *options = session->options;
    const struct schedule_counts *counts = &session->counts;
    const struct harness_outcome *outcome = &session->outcome;
    bool finding = session->end == END_FINDING;
    json_t *object =
        json_pack("{s: s, s: s, s: s, s: I, s: b, s: I, s: I, s: I}", "path", options->path, "verdict",
                  verdict(session->end), "mode", options->depth ? "pct" : "systematic", "schedules",
                  (json_int_t)counts->existing, "complete", counts->complete, "run", (json_int_t)counts->run,
                  "measured", (json_int_t)counts->measured, "seed", (json_int_t)options->seed);
    if (options->depth)
        json_object_update_new(object, json_pack("{s: i, s: i, s: i, s: f, s: f, s: I}", "depth", (int)options->depth,
                                                 "threads", (int)session->pct.threads, "steps", (int)session->pct.steps,
                                                 "bound", pct_bound(&session->pct), "bound_of_all",
                                                 chance_of_all(session), "inexact", (json_int_t)session->inexact));
    else
        json_object_set_new(object, "preemptions", json_integer(options->preemptions));
    json_object_set_new(object, "signature", finding ? json_string(outcome->signature) : json_null());
    json_object_set_new(object, "report", finding ? json_string(outcome->report) : json_null());
    json_object_set_new(object, "sequence", finding ? json_string(text) : json_null());
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static int conclude(struct session *session) {
    static const int status[] = {EXIT_AGREE, EXIT_FINDING, EXIT_BAD, EXIT_BAD};
    const struct explore_options *options = session->options;
    size_t length;
    if (session->end == END_FINDING)
        describe(session, &session->seq.meta);
    char *text = sequence_text(&session->seq, &length);
    bool good = session->end != END_FINDING || !options->output || file_replace(options->output, text, length);
    if (options->json)
        print_json(session, text);
    else
        print_text(session, text);
    free(text);
    return good ? status[session->end] : EXIT_BAD;
}

int explore(const struct explore_options *options, const struct cli_target *target, struct seq *seq) {
    struct progress progress;
    struct session *session = allocate(sizeof *session);
    memset(session, 0, sizeof *session);
    session->options = options;
    session->seq = *seq;
    session->job = (struct worker_job){target, options->compare, options->seed, RECORD_NOTHING};
    catch_interrupts();
    progress_start(&progress);
    session->progress = &progress;
    session->worker = worker_new(options->timeout, &progress);
    const struct schedule_runner runner = {run_schedule, session};
    if (options->depth)
        run_random(session, &runner);
    else
        schedule_all(&session->seq, options->preemptions, &runner, &session->counts);
    progress_hide(&progress);
    int status = conclude(session);
    worker_free(session->worker);
    *seq = session->seq;
    free(session);
    return status;
}
