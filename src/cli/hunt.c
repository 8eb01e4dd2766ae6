/*
 * See hunt.h.
 */
#include "cli/hunt.h"

#include "cli/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MEMO_COUNT = 1 << 12, PATH_BYTES = 4096, SHRINK_MILLISECONDS = 60000 };

/* One boot. */
static void run(void *context, const struct seq *seq, char signature[HARNESS_SIGNATURE_MAX]) {
    struct hunt *hunt = context;
    struct qemu_job job = {.seq = seq, .repeat = REPEAT_NEVER};
    signature[0] = '\0';
    if (seq->count == 0)
        return;
    qemu_replay(hunt->qemu, &job, 1, hunt->seed);
    if (job.outcome.verdict == HARNESS_FINDING)
        snprintf(signature, HARNESS_SIGNATURE_MAX, "%s", job.outcome.signature);
}

struct shrinking {
    struct hunt *hunt;
    const char *signature;
    int64_t until;
};

static bool still_fails(void *context, const struct seq *seq) {
    struct shrinking *shrinking = context;
    char signature[HARNESS_SIGNATURE_MAX];
    if (now_milliseconds() > shrinking->until)
        return false;
    run(shrinking->hunt, seq, signature);
    return strcmp(signature, shrinking->signature) == 0;
}

static void shrink(struct hunt *hunt, struct seq *seq, const char *signature) {
    struct shrinking shrinking = {hunt, signature, now_milliseconds() + SHRINK_MILLISECONDS};
    uint64_t *memo = allocate(MEMO_COUNT * sizeof *memo);
    memset(memo, 0, MEMO_COUNT * sizeof *memo);
    seq_shrink(seq, still_fails, &shrinking, hunt->budget, memo, MEMO_COUNT);
    free(memo);
}

static bool write_text(const char *path, const struct seq *seq) {
    size_t length;
    char *text = sequence_text(seq, &length);
    bool good = file_replace(path, text, length);
    free(text);
    return good;
}

/* Index of a signature, or hunt->count. */
static uint32_t find(const struct hunt *hunt, const char *signature) {
    uint32_t i = 0;
    while (i < hunt->count && strcmp(hunt->found[i].signature, signature) != 0)
        i++;
    return i;
}

static bool write_finding(struct hunt *hunt, struct seq *seq, const char *signature, const char *name) {
    char path[PATH_BYTES];
    snprintf(seq->meta.check, sizeof seq->meta.check, "%.*s", (int)sizeof seq->meta.check - 1, signature);
    snprintf(path, sizeof path, "%s/%s", hunt->directory, name);
    return write_text(path, seq);
}

static void keep(struct hunt *hunt, struct seq *seq, const struct qemu_job *job, const char *signature) {
    if (hunt->count == HUNT_MAX) {
        hunt->skipped++;
        return;
    }
    shrink(hunt, seq, signature);
    uint32_t at = hunt->count++;
    snprintf(hunt->found[at].path, sizeof hunt->found[at].path, "%02u.rsq", at);
    snprintf(hunt->found[at].signature, HARNESS_SIGNATURE_MAX, "%s", signature);
    hunt->found[at].seen = 1;
    hunt->found[at].operations = seq->count;
    if (write_finding(hunt, seq, signature, hunt->found[at].path))
        printf("FINDING %s: %u operations in %s/%s", signature, seq->count, hunt->directory, hunt->found[at].path);
    if (job->runs)
        printf("; all of it showed in %u of %u further runs", job->shown, job->runs);
    putchar('\n');
    fflush(stdout);
}

/* Nothing says that it was no finding: as it was made, for whoever runs it more often. */
static void keep_shy(struct hunt *hunt, struct seq *seq, const struct qemu_job *job, const char *signature,
                     bool shared) {
    char name[64];
    snprintf(name, sizeof name, "alone-%02u.rsq", hunt->shy++);
    if (hunt->shy <= HUNT_MAX && write_finding(hunt, seq, signature, name))
        printf("does not show alone, in %u runs: %s, %s (%s)\n", 1 + job->runs, signature, name,
               shared ? "operations in flight took from the same" : "no operations in flight took from the same");
    fflush(stdout);
}

static bool mask(struct hunt *hunt, const char *signature, bool shared) {
    bool known = shared && known_in_flight(&hunt->known, signature);
    hunt->masked += known;
    if (known)
        printf("known, as operations in flight took from the same: %s\n", signature);
    fflush(stdout);
    return known;
}

static void judge(struct hunt *hunt, struct seq *seq, const char *signature, bool shared) {
    struct qemu_job job = {.seq = seq, .repeat = REPEAT_ALWAYS};
    qemu_replay(hunt->qemu, &job, 1, hunt->seed);
    char *alone = job.outcome.signature;
    if (job.outcome.verdict != HARNESS_FINDING) {
        keep_shy(hunt, seq, &job, signature, shared);
    } else if (mask(hunt, alone, job.outcome.shared)) {
        return;
    } else if (known_has(&hunt->known, seq, alone, run, hunt)) {
        hunt->masked++;
    } else {
        uint32_t at = find(hunt, alone);
        if (at < hunt->count)
            hunt->found[at].seen++;
        else
            keep(hunt, seq, &job, alone);
    }
}

void hunt_take(struct hunt *hunt, const char *text, const char *signature, bool shared) {
    struct seq seq;
    char path[PATH_BYTES];
    if (mkdir(hunt->directory, 0777) != 0 && errno != EEXIST) {
        complain_errno("%s", hunt->directory);
        return;
    }
    snprintf(path, sizeof path, "%s/last.rsq", hunt->directory);
    if (mask(hunt, signature, shared) || !file_replace(path, text, strlen(text)) || !sequence_load(&seq, path, NULL))
        return;
    judge(hunt, &seq, signature, shared);
    sequence_free(&seq);
}

void hunt_print(const struct hunt *hunt) {
    for (uint32_t i = 0; i < hunt->count; i++)
        printf("%5u  %s  %u operations  %s\n", hunt->found[i].seen, hunt->found[i].path, hunt->found[i].operations,
               hunt->found[i].signature);
    for (uint32_t i = 0; i < hunt->known.count; i++)
        printf("%5u  known  %s %s\n", hunt->known.line[i].seen, hunt->known.line[i].signature,
               hunt->known.line[i].word);
    printf("%u signatures, %u findings that are known, %u that do not show alone, %u left out\n", hunt->count,
           hunt->masked, hunt->shy, hunt->skipped);
}
