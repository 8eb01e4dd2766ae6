/*
 * Runs sequences in a process of its own.
 *
 * The job and its progress lie in memory shared with the worker. One byte through the request pipe starts a run; the
 * answer comes through the reply pipe: its length, the outcome, and what was recorded, as JSON. What the worker writes
 * to its standard error goes to a file without a name, for the signature of a sanitizer report.
 */
#include "cli/worker.h"

#include "cli/record.h"
#include "cli/sanitizer.h"
#include "cli/trace.h"
#include "harness/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERROR_TEXT_MAX = 1 << 16, REPORT_TEXT_MAX = 3000, POLL_MILLISECONDS = 100 };

struct shared {
    struct worker_job job;
    uint32_t count;
    uint8_t cpus;
    _Atomic uint32_t at; /* index of the operation that is being executed; count: tear-down */
    struct seq_op op[SEQ_MAX_OPS];
};

struct worker {
    struct shared *shared;
    pid_t process; /* 0: none */
    int request, reply, error;
    uint32_t timeout;
    struct progress *progress;
};

/* ---- in the worker ---- */

struct run {
    struct shared *shared;
    struct record *record; /* NULL: not asked for */
    struct trace *trace;   /* likewise */
    struct harness *harness;
};

static void on_start(void *context) {
    struct run *run = context;
    if (run->record) {
        json_decref(record_take(run->record));
        record_init(run->record, run->shared->job.target->target);
    }
    if (run->trace)
        trace_start(run->trace);
    atomic_store_explicit(&run->shared->at, 0, memory_order_release);
}

/* A step of an operation that was suspended comes after those of later operations: no operation is begun by it. */
static void on_step(void *context, const struct harness_step *step) {
    struct run *run = context;
    uint32_t index = (uint32_t)(step->op - run->shared->op);
    bool begins = index >= atomic_load_explicit(&run->shared->at, memory_order_relaxed);
    if (run->record && begins)
        record_step(run->record, step, index);
    if (run->trace)
        trace_step(run->trace, step, index, !begins);
    if (begins)
        atomic_store_explicit(&run->shared->at, index + 1, memory_order_release);
}

static void on_end(void *context) {
    struct run *run = context;
    if (run->record)
        record_state(run->record, harness_oracle(run->harness), run->shared->count);
}

static void write_or_exit(int file, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t put = write(file, at, length);
        if (put < 0 && errno != EINTR)
            _exit(EXIT_BAD);
        if (put > 0) {
            at += put;
            length -= (size_t)put;
        }
    }
}

static void serve(struct shared *shared, struct harness *harness, int reply) {
    const struct worker_job *job = &shared->job;
    static struct harness_outcome outcome;
    struct record record;
    struct trace trace;
    struct run run = {shared, job->record == RECORD_RUN ? &record : NULL, job->record == RECORD_TRACE ? &trace : NULL,
                      harness};
    struct seq seq = {.geometry = job->target->geometry,
                      .op = shared->op,
                      .count = shared->count,
                      .capacity = SEQ_MAX_OPS,
                      .cpus = shared->cpus};
    struct harness_options options = {.compare = job->compare,
                                      .seed = job->seed,
                                      .on_start = on_start,
                                      .on_step = on_step,
                                      .on_end = on_end,
                                      .context = &run};
    if (run.record)
        record_init(run.record, job->target->target);
    if (run.trace)
        trace_init(run.trace, job->target->target, harness);
    memset(&outcome, 0, sizeof outcome);
    harness_run(harness, &seq, &options, &outcome);
    json_t *recorded = run.record ? record_take(run.record) : run.trace ? trace_take(run.trace, &outcome) : NULL;
    char *text = recorded ? json_dumps(recorded, JSON_COMPACT) : NULL;
    size_t length = text ? strlen(text) : 0;
    write_or_exit(reply, &length, sizeof length);
    write_or_exit(reply, &outcome, sizeof outcome);
    write_or_exit(reply, text, length);
    free(text);
    json_decref(recorded);
}

/* The harness of a target, made when first asked for. */
static struct harness *harness_for(const struct cli_target *target) {
    static struct {
        const struct cli_target *target;
        struct harness *harness;
    } known[CLI_TARGETS];
    size_t i = 0;
    while (i < CLI_TARGETS - 1 && known[i].target && known[i].target != target)
        i++;
    if (known[i].target != target) {
        host_harness_free(known[i].harness);
        known[i].harness = cli_harness(target);
        known[i].target = target;
    }
    return known[i].harness;
}

static _Noreturn void work(struct shared *shared, int request, int reply) {
    char command;
    for (;;) {
        ssize_t got = read(request, &command, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != 1)
            _exit(EXIT_AGREE);
        serve(shared, harness_for(shared->job.target), reply);
    }
}

/* ---- in the parent ---- */

static _Noreturn void die(const char *what) {
    complain_errno("%s", what);
    exit(EXIT_BAD);
}

struct worker *worker_new(uint32_t timeout, struct progress *progress) {
    struct worker *worker = allocate(sizeof *worker);
    *worker = (struct worker){.timeout = timeout, .progress = progress};
    worker->shared = mmap(NULL, sizeof *worker->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    worker->error = memfd_create("rescind-worker-stderr", MFD_CLOEXEC);
    if (worker->shared == MAP_FAILED || worker->error < 0 || fcntl(worker->error, F_SETFL, O_APPEND) != 0)
        die("worker");
    return worker;
}

static void become_worker(struct worker *worker, int request, int reply, pid_t parent) {
    static const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(worker->error, STDERR_FILENO) < 0)
        _exit(EXIT_BAD);
    work(worker->shared, request, reply);
}

static void start(struct worker *worker) {
    int request[2], reply[2];
    pid_t parent = getpid();
    fflush(NULL);
    if (pipe2(request, O_CLOEXEC) != 0 || pipe2(reply, O_CLOEXEC) != 0)
        die("worker: pipe");
    worker->process = fork();
    if (worker->process < 0)
        die("worker: fork");
    if (worker->process == 0) {
        close(request[1]);
        close(reply[0]);
        become_worker(worker, request[0], reply[1], parent);
    }
    close(request[0]);
    close(reply[1]);
    worker->request = request[1];
    worker->reply = reply[0];
}

/* Closes the pipes, which ends a worker that is waiting, and returns its status. */
static int stop(struct worker *worker) {
    int status = 0;
    close(worker->request);
    close(worker->reply);
    while (waitpid(worker->process, &status, 0) < 0 && errno == EINTR)
        continue;
    worker->process = 0;
    return status;
}

void worker_free(struct worker *worker) {
    if (worker->process)
        stop(worker);
    munmap(worker->shared, sizeof *worker->shared);
    close(worker->error);
    free(worker);
}

/* Waits until the worker has said something or died. False: it has made no step for too long. */
static bool wait_for_reply(struct worker *worker) {
    struct pollfd waiting = {.fd = worker->reply, .events = POLLIN};
    uint32_t seen = 0;
    int64_t limit = (int64_t)worker->timeout * 1000, deadline = now_milliseconds() + limit;
    while (poll(&waiting, 1, POLL_MILLISECONDS) <= 0) {
        uint32_t at = atomic_load(&worker->shared->at);
        int64_t now = now_milliseconds();
        if (at != seen)
            deadline = now + limit;
        if (now > deadline)
            return false;
        seen = at;
        progress_tick(worker->progress);
    }
    return true;
}

/* A worker that somebody ended while it was idle says nothing about the next sequence. */
static void ask(struct worker *worker) {
    if (worker->process && write(worker->request, "r", 1) == 1)
        return;
    if (worker->process)
        stop(worker);
    start(worker);
    if (write(worker->request, "r", 1) != 1)
        die("worker: request");
}

static bool read_exactly(int file, void *bytes, size_t length) {
    char *at = bytes;
    while (length > 0) {
        ssize_t got = read(file, at, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        length -= (size_t)got;
    }
    return true;
}

static bool read_answer(struct worker *worker, struct worker_answer *answer) {
    size_t length;
    if (!read_exactly(worker->reply, &length, sizeof length) ||
        !read_exactly(worker->reply, &answer->outcome, sizeof answer->outcome))
        return false;
    if (length == 0)
        return true;
    char *text = allocate(length);
    if (read_exactly(worker->reply, text, length))
        answer->record = json_loadb(text, length, 0, NULL);
    free(text);
    return answer->record != NULL;
}

/* What the worker wrote to its standard error since the last run; free() it. */
static char *take_error_text(struct worker *worker) {
    char *text = allocate(ERROR_TEXT_MAX + 1);
    ssize_t got = pread(worker->error, text, ERROR_TEXT_MAX, 0);
    text[got > 0 ? got : 0] = '\0';
    if (ftruncate(worker->error, 0) != 0)
        die("worker: standard error");
    return text;
}

static void sign_death(int status, bool hung, const char *operation, char *signature) {
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (hung)
        snprintf(signature, HARNESS_SIGNATURE_MAX, "O10.progress/%s/watchdog", operation);
    else if (WIFSIGNALED(status))
        snprintf(signature, HARNESS_SIGNATURE_MAX, "O8.signal/%s/SIG%s", operation, name ? name : "?");
    else
        snprintf(signature, HARNESS_SIGNATURE_MAX, "O8.exit/%s/the worker ended", operation);
}

/* Makes a finding of a run that killed the worker, hung it, or drew a sanitizer report. */
static void judge_death(struct worker *worker, const struct seq *seq, int status, bool hung, const char *text,
                        struct harness_outcome *outcome) {
    uint32_t at = atomic_load(&worker->shared->at);
    char operation[OPERATION_NAME_MAX] = "teardown", line[SEQ_TEXT_MAX] = "tear-down";
    memset(outcome, 0, sizeof *outcome);
    outcome->verdict = HARNESS_FINDING;
    outcome->failed_at = outcome->executed = at;
    if (at < seq->count) {
        cli_operation_name(&seq->op[at], operation);
        seq_print_op(&seq->op[at], line);
    }
    if (!sanitizer_signature(text, operation, outcome->signature, sizeof outcome->signature))
        sign_death(status, hung, operation, outcome->signature);
    char report[REPORT_TEXT_MAX];
    sanitizer_report(text, report, sizeof report);
    snprintf(outcome->report, sizeof outcome->report, "%s\nin operation %u: %s\n%s", outcome->signature, at, line,
             report);
}

void worker_run(struct worker *worker, const struct seq *seq, const struct worker_job *job,
                struct worker_answer *answer) {
    struct shared *shared = worker->shared;
    memset(answer, 0, sizeof *answer);
    shared->job = *job;
    shared->count = seq->count;
    shared->cpus = seq_cpus(seq);
    memcpy(shared->op, seq->op, seq->count * sizeof *seq->op);
    atomic_store(&shared->at, 0);
    ask(worker);
    bool hung = !wait_for_reply(worker);
    bool complete = !hung && read_answer(worker, answer);
    int status = 0;
    if (hung)
        kill(worker->process, SIGKILL);
    if (!complete)
        status = stop(worker);
    char *text = take_error_text(worker);
    char unused[HARNESS_SIGNATURE_MAX];
    if (!complete || sanitizer_signature(text, "", unused, sizeof unused))
        judge_death(worker, seq, status, hung, text, &answer->outcome);
    else if (*text)
        fputs(text, stderr);
    free(text);
}
