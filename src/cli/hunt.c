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
    struct qemu_job job = {.seq = seq};
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

static void keep(struct hunt *hunt, struct seq *seq, const char *signature) {
    char path[PATH_BYTES];
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
    snprintf(seq->meta.check, sizeof seq->meta.check, "%.*s", (int)sizeof seq->meta.check - 1, signature);
    snprintf(path, sizeof path, "%s/%s", hunt->directory, hunt->found[at].path);
    if (write_text(path, seq))
        printf("FINDING %s: %u operations in %s\n", signature, seq->count, path);
    fflush(stdout);
}

void hunt_take(struct hunt *hunt, const char *text, const char *signature) {
    struct seq seq;
    char path[PATH_BYTES], alone[HARNESS_SIGNATURE_MAX];
    if (mkdir(hunt->directory, 0777) != 0 && errno != EEXIST) {
        complain_errno("%s", hunt->directory);
        return;
    }
    snprintf(path, sizeof path, "%s/last.rsq", hunt->directory);
    if (!file_replace(path, text, strlen(text)) || !sequence_load(&seq, path, NULL))
        return;
    run(hunt, &seq, alone);
    if (!alone[0]) {
        hunt->shy++;
        printf("does not show alone: %s\n", signature);
    } else if (known_has(&hunt->known, &seq, alone, run, hunt)) {
        hunt->masked++;
    } else {
        uint32_t at = find(hunt, alone);
        if (at < hunt->count)
            hunt->found[at].seen++;
        else
            keep(hunt, &seq, alone);
    }
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
