/*
 * Archives of sequences to machines, and lines back to outcomes.
 */
#include "cli/qemu_replay.h"

#include "roottask/protocol.h"
#include "seq/archive.h"

#include "abi/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_OF_A_FINDING = 20, LAST_LINES = 16, LINE_BYTES = 200, COMMAND_BYTES = 128 };

/* One boot. */
struct boot {
    struct qemu_job **job; /* as in the archive */
    size_t count;
    struct qemu_job *current; /* that the machine is about */
    bool begun;               /* any */
    char op[HARNESS_SIGNATURE_MAX], panic[HARNESS_SIGNATURE_MAX];
    struct harness_outcome *reporting; /* whose report the lines belong to */
    bool skipping;                     /* lines of a block that is not wanted */
    const char *trouble;               /* of the kernel, as a line told; or NULL */
    char last[LAST_LINES][LINE_BYTES]; /* for reports */
    uint32_t lines;
};

/* ---- what is sent ---- */

static void *pack_all(const struct boot *boot, size_t *bytes) {
    *bytes = ARCHIVE_HEADER_BYTES;
    for (size_t i = 0; i < boot->count; i++)
        *bytes += ARCHIVE_HEADER_BYTES + seq_pack(boot->job[i]->seq, NULL, 0);
    uint8_t *archive = allocate(*bytes), *at = archive + ARCHIVE_HEADER_BYTES;
    archive_put_header(archive, (uint32_t)boot->count);
    for (size_t i = 0; i < boot->count; i++) {
        size_t length = seq_pack(boot->job[i]->seq, NULL, 0);
        archive_put_length(at, (uint32_t)length);
        seq_pack(boot->job[i]->seq, at + ARCHIVE_HEADER_BYTES, length);
        at += ARCHIVE_HEADER_BYTES + length;
    }
    return archive;
}

/* ---- what comes back ---- */

/* What follows `word` at the start of a line, or NULL. */
static const char *after(const char *line, const char *word) {
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static uint64_t value_of(const char *line, const char *key) {
    const char *at = strstr(line, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static struct qemu_job *job_of(const struct boot *boot, const char *number) {
    size_t index = strtoul(number, NULL, 10);
    return index < boot->count ? boot->job[index] : NULL;
}

static void take_outcome(struct boot *boot, const char *rest, enum harness_verdict verdict) {
    struct qemu_job *job = job_of(boot, rest);
    if (!job)
        return;
    job->judged = true;
    job->outcome = (struct harness_outcome){
        .verdict = verdict,
        .failed_at = (uint32_t)(verdict == HARNESS_AGREE ? job->seq->count : value_of(rest, "at=")),
        .executed = (uint32_t)value_of(rest, "executed="),
        .changed_operations = (uint32_t)value_of(rest, "changed="),
        .changed_units = value_of(rest, "units="),
        .lacking = (uint32_t)value_of(rest, "lacking="),
        .probes = value_of(rest, "probes="),
        .shared = value_of(rest, "shared=") != 0,
    };
    if (verdict == HARNESS_FINDING) {
        const char *at = strstr(rest, "probes="), *signature = at ? strchr(at, ' ') : NULL;
        snprintf(job->outcome.signature, sizeof job->outcome.signature, "%s", signature ? signature + 1 : "?");
    }
    boot->current = verdict == HARNESS_FINDING ? job : NULL;
    if (job->on_judged)
        job->on_judged(job->context);
}

static void add_to_report(struct harness_outcome *outcome, const char *line) {
    size_t length = strlen(outcome->report);
    snprintf(outcome->report + length, sizeof outcome->report - length, "%s\n", line);
}

/* Lines between braces. True: this was one. */
static bool take_block(struct boot *boot, const char *line) {
    if (!boot->reporting && !boot->skipping)
        return false;
    if (strcmp(line, PROTOCOL_CLOSE) == 0) {
        boot->reporting = NULL;
        boot->skipping = false;
    } else if (boot->reporting) {
        add_to_report(boot->reporting, line);
    }
    return true;
}

static void take_op(struct boot *boot, const char *rest) {
    char *name;
    unsigned long index = strtoul(rest, &name, 10);
    if (boot->current)
        boot->current->outcome.executed = boot->current->outcome.failed_at = (uint32_t)index;
    snprintf(boot->op, sizeof boot->op, "%s", *name == ' ' ? name + 1 : name);
}

static void take_line(struct boot *boot, const char *line) {
    const char *rest;
    if (take_block(boot, line))
        return;
    snprintf(boot->last[boot->lines++ % LAST_LINES], LINE_BYTES, "%s", line);
    if ((rest = after(line, PROTOCOL_BEGIN))) {
        boot->begun = true;
        boot->current = job_of(boot, rest);
        snprintf(boot->op, sizeof boot->op, "boot");
    } else if ((rest = after(line, PROTOCOL_OP))) {
        take_op(boot, rest);
    } else if ((rest = after(line, PROTOCOL_AGREE))) {
        take_outcome(boot, rest, HARNESS_AGREE);
    } else if ((rest = after(line, PROTOCOL_FINDING))) {
        take_outcome(boot, rest, HARNESS_FINDING);
    } else if ((rest = after(line, PROTOCOL_TOO_LARGE))) {
        take_outcome(boot, rest, HARNESS_TOO_LARGE);
    } else if ((rest = after(line, "panic: "))) {
        snprintf(boot->panic, sizeof boot->panic, "%s", rest);
    } else if (strcmp(line, PROTOCOL_REPORT) == 0 && boot->current) {
        boot->reporting = &boot->current->outcome;
    } else if (strcmp(line, PROTOCOL_SEQUENCE) == 0) {
        boot->skipping = true;
    }
}

/* ---- deaths ---- */

/* A panic is signed as the same stop is on the host (harness/signature.c). */
static void sign_panic(const char *panic, const char *op, char *signature) {
    static const struct {
        const char *why, *check;
    } checks[] = {{"assert ", "O11.assert"},     {"steps ", "O10.progress"},         {"memory ", "O8.memory"},
                  {"walk ", "O6.tlb"},           {"nova memory: ", "O7.accounting"}, {"nova ", "O11.machine"},
                  {"exception ", "O8.exception"}};
    const char *check = "O11.panic", *text = panic;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        const char *rest = after(panic, checks[i].why);
        check = rest ? checks[i].check : check;
        text = rest ? rest : text;
    }
    snprintf(signature, HARNESS_SIGNATURE_MAX, "%s/%.64s/%.100s", check, op, text);
}

static void sign_death(const struct boot *boot, enum qemu_end end, const char *how, char *signature) {
    if (boot->panic[0])
        sign_panic(boot->panic, boot->op, signature);
    else if (end == QEMU_HUNG)
        snprintf(signature, HARNESS_SIGNATURE_MAX, "O10.progress/%.64s/watchdog", boot->op);
    else
        snprintf(signature, HARNESS_SIGNATURE_MAX, "O11.machine/%.64s/%.64s", boot->op, how);
}

static void judge_death(struct boot *boot, struct qemu_job *job, enum qemu_end end, const char *how) {
    struct harness_outcome *outcome = &job->outcome;
    job->judged = true;
    outcome->verdict = HARNESS_FINDING;
    sign_death(boot, end, how, outcome->signature);
    snprintf(outcome->report, sizeof outcome->report, "signature:    %s\nthe machine:  %s\nlast lines:\n",
             outcome->signature, how);
    uint32_t first = boot->lines > LAST_LINES ? boot->lines - LAST_LINES : 0;
    for (uint32_t i = first; i < boot->lines; i++) {
        add_to_report(outcome, boot->last[i % LAST_LINES]);
    }
}

/* QEMU itself did not start the machine: that says nothing about any kernel. */
static void check_started(struct qemu *qemu, const struct boot *boot, const char *how) {
    for (uint32_t i = 0; i < boot->lines && i < LAST_LINES; i++) {
        if (!after(boot->last[i], "qemu-system-x86_64:"))
            continue;
        complain("%s", boot->last[i]);
        complain("%s", how);
        qemu_close(qemu);
        exit(EXIT_BAD);
    }
}

static struct qemu_job *first_left(const struct boot *boot) {
    size_t i = 0;
    while (i + 1 < boot->count && boot->job[i]->judged)
        i++;
    return boot->job[i];
}

static void judge_end(struct qemu *qemu, struct boot *boot) {
    int status;
    char how[64];
    if (boot->trouble) {
        snprintf(boot->panic, sizeof boot->panic, "nova %s", boot->trouble);
        qemu_kill(qemu);
        judge_death(boot, boot->current ? boot->current : first_left(boot), QEMU_EXITED, "stopped");
        return;
    }
    enum qemu_end end = qemu_end(qemu, &status, how);
    bool told = status == ROOT_DONE || status == ROOT_AGAIN || status == ROOT_FINDING || status == ROOT_TOO_LARGE;
    if (end == QEMU_EXITED && told)
        return;
    if (boot->begun && boot->current) {
        judge_death(boot, boot->current, end, how);
        return;
    }
    check_started(qemu, boot, how);
    snprintf(boot->op, sizeof boot->op, "boot");
    for (size_t i = 0; i < boot->count; i++) {
        if (!boot->job[i]->judged)
            judge_death(boot, boot->job[i], end, how);
    }
}

/* ---- boots ---- */

/* Calls with any registers are made up by the root task, as the file says; such a file has a boot of its own. */
static void make_command(const struct qemu *qemu, const struct seq *seq, uint64_t seed, char command[COMMAND_BYTES]) {
    if (seq->meta.registers[0])
        snprintf(command, COMMAND_BYTES, "raw replay=1 %s", seq->meta.registers);
    else
        snprintf(command, COMMAND_BYTES, "replay seed=%" PRIu64 " empty=%d exact=%d quota=%u repeat=%u", seed,
                 qemu->options->empty, qemu->options->control, qemu->options->quota, qemu->options->repeat);
}

/* Boots once for jobs that are not judged yet; at least one of them is afterwards. */
static void boot_once(struct qemu *qemu, struct qemu_job **jobs, size_t count, uint32_t cpus, uint64_t seed) {
    char command[COMMAND_BYTES];
    struct boot *boot = allocate(sizeof *boot);
    size_t bytes, now = 0;
    memset(boot, 0, sizeof *boot);
    boot->job = jobs;
    boot->count = count;
    void *archive = pack_all(boot, &bytes);
    make_command(qemu, jobs[0]->seq, seed, command);
    qemu_start(qemu, command, archive, bytes, cpus, true);
    const char *line;
    while (!boot->trouble && (line = qemu_line(qemu))) {
        take_line(boot, line);
        boot->trouble = qemu_trouble(qemu, line);
    }
    judge_end(qemu, boot);
    for (size_t i = 0; i < count; i++)
        now += jobs[i]->judged;
    /* The machine said that it was done with what it was not: there is something wrong with the root task. */
    if (now == 0)
        judge_death(boot, jobs[0], QEMU_EXITED, "ended without a verdict");
    free(archive);
    free(boot);
}

static uint32_t cpus_of(const struct qemu *qemu, const struct qemu_job *job) {
    return qemu->options->cpus ? qemu->options->cpus : seq_cpus(job->seq);
}

/* The check that failed: at which operation it shows depends on which calls meet. */
static bool same_check(const char *a, const char *b) {
    size_t length = strcspn(a, "/");
    return length == strcspn(b, "/") && strncmp(a, b, length) == 0;
}

static void judge_all(struct qemu *qemu, struct qemu_job **jobs, size_t count, uint32_t cpus, uint64_t seed) {
    size_t left = count;
    struct qemu_job **pending = allocate(count * sizeof(struct qemu_job *));
    while (left > 0) {
        left = 0;
        for (size_t i = 0; i < count; i++) {
            if (!jobs[i]->judged)
                pending[left++] = jobs[i];
        }
        if (qemu->progress)
            progress_set(qemu->progress, "%zu sequences left for machines with %u CPUs", left, cpus);
        if (left > 0)
            boot_once(qemu, pending, left, cpus, seed);
    }
    free(pending);
}

/* With several CPUs that run at once, a finding need not show each time. The first that shows is the job's outcome. */
static void repeat(struct qemu *qemu, struct qemu_job *job, uint32_t cpus, uint64_t seed) {
    struct qemu_job *again = allocate(RUNS_OF_A_FINDING * sizeof *again),
                    **jobs = allocate(sizeof(struct qemu_job *[RUNS_OF_A_FINDING]));
    for (size_t i = 0; i < RUNS_OF_A_FINDING; i++) {
        again[i] = (struct qemu_job){.seq = job->seq};
        jobs[i] = &again[i];
    }
    judge_all(qemu, jobs, RUNS_OF_A_FINDING, cpus, seed);
    for (size_t i = 0; i < RUNS_OF_A_FINDING; i++) {
        if (again[i].outcome.verdict != HARNESS_FINDING)
            continue;
        if (job->outcome.verdict != HARNESS_FINDING)
            job->outcome = again[i].outcome;
        job->shown += same_check(again[i].outcome.signature, job->outcome.signature);
    }
    job->runs = RUNS_OF_A_FINDING;
    free(jobs);
    free(again);
}

static void replay_group(struct qemu *qemu, struct qemu_job **jobs, size_t count, uint32_t cpus, uint64_t seed) {
    judge_all(qemu, jobs, count, cpus, seed);
    for (size_t i = 0; i < count && cpus > 1 && qemu->options->threads; i++) {
        bool found = jobs[i]->outcome.verdict == HARNESS_FINDING;
        if (jobs[i]->repeat == REPEAT_ALWAYS || (jobs[i]->repeat == REPEAT_A_FINDING && found))
            repeat(qemu, jobs[i], cpus, seed);
    }
}

void qemu_replay(struct qemu *qemu, struct qemu_job *jobs, size_t count, uint64_t seed) {
    struct qemu_job **group = allocate(count * sizeof(struct qemu_job *));
    for (uint32_t cpus = 1; cpus <= SEQ_CPUS; cpus++) {
        size_t size = 0;
        for (size_t i = 0; i < count; i++) {
            if (cpus_of(qemu, &jobs[i]) == cpus && !jobs[i].seq->meta.registers[0])
                group[size++] = &jobs[i];
        }
        replay_group(qemu, group, size, cpus, seed);
    }
    for (size_t i = 0; i < count; i++) {
        *group = &jobs[i];
        if (jobs[i].seq->meta.registers[0])
            replay_group(qemu, group, 1, cpus_of(qemu, &jobs[i]), seed);
    }
    free(group);
}
