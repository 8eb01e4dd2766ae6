/* See greybox.h. */
#include "cli/greybox.h"

#include "cli/files.h"
#include "seq/blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH = 32 /* sequences of a boot */, KEPT_MAX = 4096, FRESH_ONE_IN = 4, SMALL_ONE_IN = 2, MUTATIONS_MAX = 4 };
enum { UNIT_BUDGET = 1 << 11, PATH_BYTES = 4096, CODE_LOG2 = 31 /* where kernels' code is: the top 2 GiB */ };
enum { REPORT_EVERY = 1000 /* operations */ };

struct trial {
    struct seq seq;
    struct greybox *greybox;
    uint64_t reached; /* bytes that nothing before had reached */
};

struct greybox {
    const struct greybox_options *options;
    struct greybox_counts *counts;
    struct seq_random random;
    struct seq_profile profile;
    struct seq_geometry small; /* with the quotas of a machine */
    uint8_t *ran;              /* a bit for each byte of code */
    long blocks_read;          /* bytes of the file of blocks */
    uint64_t said;             /* operations when figures were printed last */
    uint32_t kept_count;
    struct seq kept[KEPT_MAX];
    struct trial trial[BATCH];
};

/* ---- what ran ---- */

static void mark(struct greybox *greybox, uint64_t address, uint64_t bytes) {
    for (uint64_t i = 0; i < bytes; i++) {
        uint64_t at = (address + i) & ((UINT64_C(1) << CODE_LOG2) - 1);
        uint8_t bit = (uint8_t)(1U << at % 8);
        greybox->counts->bytes += !(greybox->ran[at / 8] & bit);
        greybox->ran[at / 8] |= bit;
    }
}

/* How many bytes of code ran for the first time. Blocks are no measure: one that is cut by the clock is another. */
static uint64_t look(struct greybox *greybox) {
    uint64_t before = greybox->counts->bytes, address, bytes;
    FILE *file = fopen(greybox->options->blocks, "r");
    char line[64];
    if (!file || fseek(file, greybox->blocks_read, SEEK_SET) != 0) {
        if (file)
            fclose(file);
        return 0;
    }
    while (fgets(line, sizeof line, file) && strchr(line, '\n')) {
        if (sscanf(line, "%" SCNx64 " %" SCNx64, &address, &bytes) == 2)
            mark(greybox, address, bytes);
        greybox->blocks_read = ftell(file);
    }
    fclose(file);
    return greybox->counts->bytes - before;
}

/* ---- sequences ---- */

static uint64_t below(struct greybox *greybox, uint64_t bound) {
    return seq_random_below(&greybox->random, bound);
}

/* Numbers of the small geometry collide more often; what memory PDs need is the machine's. */
static const struct seq_geometry *geometry_of(const struct greybox *greybox, bool small) {
    return small ? &greybox->small : &seq_geometry_real;
}

static void copy(struct seq *to, const struct seq *from) {
    struct seq_op *op = to->op;
    *to = *from;
    to->op = op;
    memcpy(op, from->op, from->count * sizeof *op);
}

static void leave_drops_out(struct seq *seq) {
    struct seq_marks marks = {{0}};
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq->op[i].code == SEQ_REVOKE && seq->op[i].scope == ABI_DROP)
            seq_mark(&marks, i);
    }
    seq_remove_marked(seq, &marks);
}

static void make(struct greybox *greybox, struct seq *seq) {
    const struct greybox_options *options = greybox->options;
    bool fresh = options->unguided || greybox->kept_count == 0 || below(greybox, FRESH_ONE_IN) == 0;
    if (fresh) {
        seq->geometry = geometry_of(greybox, below(greybox, SMALL_ONE_IN) == 0);
        seq->cpus = options->cpus;
        seq_generate(seq, &greybox->random, &greybox->profile, options->length);
    } else {
        copy(seq, &greybox->kept[below(greybox, greybox->kept_count)]);
        for (uint64_t i = 1 + below(greybox, MUTATIONS_MAX); i > 0; i--)
            seq_mutate(seq, &greybox->random, &greybox->profile, options->length);
    }
    if (options->without_drop)
        leave_drops_out(seq);
}

static void enter(struct greybox *greybox, const struct seq *seq) {
    if (greybox->kept_count == KEPT_MAX)
        return;
    struct seq *kept = &greybox->kept[greybox->kept_count++];
    sequence_allocate(kept, seq->geometry);
    copy(kept, seq);
    kept->geometry = geometry_of(greybox, strcmp(seq->geometry->name, seq_geometry_small.name) == 0);
}

static bool keep(struct greybox *greybox, const struct trial *trial) {
    char path[PATH_BYTES];
    size_t length;
    enter(greybox, &trial->seq);
    snprintf(path, sizeof path, "%s/%" PRIu64 "-%05" PRIu64 ".rsq", greybox->options->directory, greybox->options->seed,
             greybox->counts->kept++);
    char *text = sequence_text(&trial->seq, &length);
    bool good = file_replace(path, text, length);
    free(text);
    return good;
}

/* ---- batches ---- */

/* What ran until the verdict was read: the machine may be a little ahead, with the next sequence. */
static void on_judged(void *context) {
    struct trial *trial = context;
    trial->reached += look(trial->greybox);
}

static bool settle(struct greybox *greybox, struct hunt *hunt, const struct qemu_job *job, const struct trial *trial) {
    const struct harness_outcome *outcome = &job->outcome;
    struct greybox_counts *counts = greybox->counts;
    size_t length;
    counts->operations += outcome->executed;
    counts->probes += outcome->probes;
    counts->lacking += outcome->lacking;
    counts->sequences++;
    if (outcome->verdict == HARNESS_FINDING) {
        char *text = sequence_text(&trial->seq, &length);
        hunt_take(hunt, text, outcome->signature, outcome->shared);
        free(text);
    }
    return trial->reached == 0 || outcome->verdict != HARNESS_AGREE || keep(greybox, trial);
}

static bool run_batch(struct greybox *greybox, struct qemu *qemu, struct hunt *hunt) {
    struct qemu_job job[BATCH];
    bool good = true;
    for (uint32_t i = 0; i < BATCH; i++) {
        struct trial *trial = &greybox->trial[i];
        trial->reached = 0;
        make(greybox, &trial->seq);
        job[i] =
            (struct qemu_job){.seq = &trial->seq, .repeat = REPEAT_NEVER, .on_judged = on_judged, .context = trial};
    }
    qemu_replay(qemu, job, BATCH, greybox->options->seed);
    look(greybox); /* what a finding ran into is nobody's */
    for (uint32_t i = 0; i < BATCH && good; i++)
        good = settle(greybox, hunt, &job[i], &greybox->trial[i]);
    return good;
}

static void say(struct greybox *greybox) {
    const struct greybox_counts *counts = greybox->counts;
    if (counts->operations / REPORT_EVERY == greybox->said / REPORT_EVERY)
        return;
    greybox->said = counts->operations;
    printf("after %" PRIu64 " operations: %" PRIu64 " bytes of code, %u sequences kept\n", counts->operations,
           counts->bytes, greybox->kept_count);
    fflush(stdout);
}

/* ---- all ---- */

static bool take_up(struct greybox *greybox) {
    char *directory[] = {strdup(greybox->options->directory)};
    struct file_list list = {0};
    struct stat blocks;
    bool good = true;
    if (mkdir(*directory, 0777) != 0 && errno != EEXIST) {
        complain_errno("%s", *directory);
        good = false;
    } else if (stat(greybox->options->blocks, &blocks) == 0 && blocks.st_size > 0) {
        file_list_collect(&list, directory, 1);
    }
    for (size_t i = 0; i < list.count && good; i++) {
        struct seq seq;
        good = sequence_load(&seq, list.path[i], NULL);
        if (!good)
            break;
        enter(greybox, &seq);
        sequence_free(&seq);
    }
    greybox->counts->taken_up = greybox->kept_count;
    file_list_free(&list);
    free(*directory);
    return good;
}

static struct greybox *open_all(const struct greybox_options *options, struct greybox_counts *counts) {
    struct greybox *greybox = calloc(1, sizeof *greybox);
    uint8_t *ran = calloc(1, (size_t)1 << (CODE_LOG2 - 3)); /* only pages that are used take memory */
    if (!greybox || !ran) {
        complain("out of memory");
        exit(EXIT_BAD);
    }
    *counts = (struct greybox_counts){0};
    greybox->options = options;
    greybox->counts = counts;
    greybox->ran = ran;
    greybox->profile =
        (struct seq_profile){.cpus = options->cpus, .preempt = options->preempt, .unit_budget = UNIT_BUDGET};
    greybox->small = seq_geometry_small;
    greybox->small.quota_pages = seq_geometry_real.quota_pages;
    greybox->small.pd_pages = seq_geometry_real.pd_pages;
    seq_random_seed(&greybox->random, options->seed);
    for (uint32_t i = 0; i < BATCH; i++) {
        sequence_allocate(&greybox->trial[i].seq, &greybox->small);
        greybox->trial[i].greybox = greybox;
    }
    return greybox;
}

static void close_all(struct greybox *greybox) {
    for (uint32_t i = 0; i < BATCH; i++)
        sequence_free(&greybox->trial[i].seq);
    for (uint32_t i = 0; i < greybox->kept_count; i++)
        sequence_free(&greybox->kept[i]);
    free(greybox->ran);
    free(greybox);
}

bool greybox_run(struct qemu *qemu, struct hunt *hunt, const struct greybox_options *options,
                 struct greybox_counts *counts) {
    struct greybox *greybox = open_all(options, counts);
    int64_t until = now_milliseconds() + (int64_t)options->seconds * 1000;
    bool good = take_up(greybox);
    look(greybox);
    while (good && (!options->ops || counts->operations < options->ops) &&
           (!options->seconds || now_milliseconds() < until)) {
        good = run_batch(greybox, qemu, hunt);
        say(greybox);
    }
    close_all(greybox);
    return good;
}
