/*
 * rescind cause: sorts failing sequences by what makes them fail.
 *
 * Each is shrunk, first as long as its signature stays, then as long as its check does. Around the result others are
 * looked for: generated sequences of the same operations that fail the same check are shrunk likewise. Sequences that
 * meet, in one such minimum, are of one cause; the simplest minimum that any of them has met shows it.
 *
 * Nothing but the kernel under test is asked. That the check has to stay keeps two causes in one kernel apart, mostly;
 * docs/triage.md has the figures.
 */
#include "cli/files.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/worker.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_BUDGET = 256, OPTION_TRIES };
enum { MEMO_COUNT = 1 << 16, BUDGET_DEFAULT = 40000, TRIES_DEFAULT = 300, TRIES_MAX = 100000, SHRINKS_MAX = 20 };
enum { TRY_OPS = 32, NEIGHBOURS = 200, NEIGHBOUR_OPS = 4, NEIGHBOUR_STEPS = 3, SECONDS_MAX = 8, MINIMA_FIRST = 256 };
enum {
    KINDS_WITH_UNITS = 1u << SEQ_DELEGATE | 1u << SEQ_GRANT | 1u << SEQ_REVOKE | 1u << SEQ_LOOKUP | 1u << SEQ_ACCESS
};

struct arguments {
    struct run_options run;
    uint32_t budget, tries;
    char **path;
    size_t path_count;
};

static const struct argp_option options[] = {
    {"budget", OPTION_BUDGET, "N", 0, "Run at most so many candidates for each that is shrunk (default: 40000)", 0},
    {"tries", OPTION_TRIES, "N", 0, "Run so many generated sequences for each file (default: 300)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        return 0;
    case OPTION_BUDGET:
        arguments->budget = (uint32_t)option_number(argument, "budget", 1, UINT32_MAX, state);
        return 0;
    case OPTION_TRIES:
        arguments->tries = (uint32_t)option_number(argument, "tries", 0, TRIES_MAX, state);
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

static const struct argp_child children[] = {{&run_options_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    options,
    parse,
    "FILE...",
    "Sorts failing sequences by cause: prints one JSON object a line for each file, with its signature, the operations "
    "of its shrunk form and how long that took, the cause's name, and the signature and the text of the simplest "
    "sequence that shows it.\v"
    "Exit status: 0 all sorted, 2 bad input or usage; a sequence that does not fail has the signature null.",
    children,
    NULL,
    NULL};

/* A sequence that nothing simplifies any more. */
struct minimum {
    uint64_t hash;
    size_t file; /* that met it first */
    struct seq seq;
    char signature[HARNESS_SIGNATURE_MAX];
};

struct entry {
    const char *path;
    bool fails;
    size_t group; /* an earlier file of the same cause, or itself */
    size_t least; /* of a group's first: the simplest minimum; SIZE_MAX: none */
    struct seq shrunk;
    int64_t milliseconds; /* that shrinking took */
    char signature[HARNESS_SIGNATURE_MAX];
};

struct sorter {
    const struct arguments *arguments;
    struct worker *worker;
    struct progress progress;
    struct worker_job job;
    uint64_t *memo;
    int64_t deadline;
    const char *wanted; /* signature */
    struct minimum *minima;
    size_t minima_count, minima_capacity;
    struct entry *entries;
};

static bool signature_of(struct sorter *sorter, const struct seq *seq, char signature[HARNESS_SIGNATURE_MAX]) {
    struct worker_answer answer;
    worker_run(sorter->worker, seq, &sorter->job, &answer);
    memcpy(signature, answer.outcome.signature, HARNESS_SIGNATURE_MAX);
    return answer.outcome.verdict == HARNESS_FINDING;
}

static bool same_check(const char *a, const char *b) {
    size_t length = strcspn(a, "/");
    return length == strcspn(b, "/") && strncmp(a, b, length) == 0;
}

static bool has_time(const struct sorter *sorter) {
    return now_milliseconds() < sorter->deadline;
}

static bool keeps_signature(void *context, const struct seq *seq) {
    struct sorter *sorter = context;
    char signature[HARNESS_SIGNATURE_MAX];
    return has_time(sorter) && signature_of(sorter, seq, signature) && strcmp(signature, sorter->wanted) == 0;
}

static bool keeps_check(void *context, const struct seq *seq) {
    struct sorter *sorter = context;
    char signature[HARNESS_SIGNATURE_MAX];
    return has_time(sorter) && signature_of(sorter, seq, signature) && same_check(signature, sorter->wanted);
}

static void shrink(struct sorter *sorter, struct seq *seq, seq_still_fails *fails) {
    seq_shrink(seq, fails, sorter, sorter->arguments->budget, sorter->memo, MEMO_COUNT);
}

/* FNV-1a. */
static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of(const struct seq *seq, const char *signature) {
    uint64_t hash = add_bytes(0xcbf29ce484222325u, seq->geometry->name, strlen(seq->geometry->name));
    uint8_t bytes[SEQ_OP_BYTES] = {seq_cpus(seq)};
    hash = add_bytes(hash, bytes, 1);
    for (uint32_t i = 0; i < seq->count; i++) {
        seq_pack_op(seq->geometry, &seq->op[i], bytes);
        hash = add_bytes(hash, bytes, sizeof bytes);
    }
    return add_bytes(hash, signature, strlen(signature));
}

static struct seq copy_of(const struct seq *seq) {
    struct seq copy = *seq;
    copy.op = memcpy(allocate(seq->count * sizeof *copy.op), seq->op, seq->count * sizeof *copy.op);
    copy.capacity = seq->count;
    return copy;
}

/* ---- groups ---- */

static size_t group_of(const struct sorter *sorter, size_t file) {
    while (sorter->entries[file].group != file)
        file = sorter->entries[file].group;
    return file;
}

static void offer(struct sorter *sorter, size_t group, size_t minimum) {
    size_t *least = &sorter->entries[group].least;
    if (*least == SIZE_MAX || seq_compare(&sorter->minima[minimum].seq, &sorter->minima[*least].seq) < 0)
        *least = minimum;
}

static void join(struct sorter *sorter, size_t a, size_t b) {
    size_t first = group_of(sorter, a), second = group_of(sorter, b);
    if (first == second)
        return;
    size_t into = first < second ? first : second, from = first < second ? second : first;
    sorter->entries[from].group = into;
    if (sorter->entries[from].least != SIZE_MAX)
        offer(sorter, into, sorter->entries[from].least);
}

/* A file has come down to this sequence. True: so had an earlier one. */
static bool meet(struct sorter *sorter, size_t file, const struct seq *seq) {
    char signature[HARNESS_SIGNATURE_MAX];
    if (!signature_of(sorter, seq, signature))
        return false;
    uint64_t hash = hash_of(seq, signature);
    for (size_t i = 0; i < sorter->minima_count; i++) {
        if (sorter->minima[i].hash != hash)
            continue;
        bool others = sorter->minima[i].file != file;
        join(sorter, sorter->minima[i].file, file);
        return others;
    }
    if (sorter->minima_count == sorter->minima_capacity) {
        struct minimum *larger = allocate(2 * sorter->minima_capacity * sizeof *larger);
        memcpy(larger, sorter->minima, sorter->minima_count * sizeof *larger);
        free(sorter->minima);
        sorter->minima = larger;
        sorter->minima_capacity *= 2;
    }
    struct minimum *minimum = &sorter->minima[sorter->minima_count];
    *minimum = (struct minimum){.hash = hash, .file = file, .seq = copy_of(seq)};
    memcpy(minimum->signature, signature, sizeof signature);
    offer(sorter, group_of(sorter, file), sorter->minima_count++);
    return false;
}

/* ---- one file ---- */

/* What the generator is to make: what the sequence consists of, now and then with other kinds, or one operation more.
 */
static struct seq_profile profile_of(const struct seq *seq, struct seq_random *random) {
    struct seq_profile profile = {.cpus = seq_cpus(seq), .unit_budget = 1u << 12};
    for (uint32_t i = 0; i < seq->count; i++) {
        profile.operations |= 1u << seq->op[i].code;
        if (1u << seq->op[i].code & KINDS_WITH_UNITS && seq->op[i].kind < ABI_KINDS)
            profile.kinds |= 1u << seq->op[i].kind;
    }
    if (seq_random_below(random, 2))
        profile.kinds = 0;
    if (seq_random_below(random, 4) == 0)
        profile.operations |= 1u << seq_random_below(random, SEQ_OOM);
    return profile;
}

/* Looks for other minima with the same check, until one is met that an earlier file has met. */
static void look_around(struct sorter *sorter, size_t file, const struct seq *minimum) {
    struct seq tried;
    struct seq_random random;
    char signature[HARNESS_SIGNATURE_MAX];
    sequence_allocate(&tried, minimum->geometry);
    seq_random_seed(&random, hash_of(minimum, ""));
    bool met = false;
    uint32_t shrinks = 0;
    for (uint32_t i = 0; i < sorter->arguments->tries && shrinks < SHRINKS_MAX && !met && has_time(sorter); i++) {
        const struct seq *like = &sorter->minima[sorter->entries[group_of(sorter, file)].least].seq;
        struct seq_profile profile = profile_of(i % 2 ? like : minimum, &random);
        tried.cpus = seq_cpus(minimum);
        seq_generate(&tried, &random, &profile, i / 2 % 2 ? TRY_OPS : TRY_OPS / 2);
        if (!signature_of(sorter, &tried, signature) || !same_check(signature, sorter->wanted))
            continue;
        shrink(sorter, &tried, keeps_check);
        met = meet(sorter, file, &tried);
        shrinks++;
    }
    sequence_free(&tried);
}

static void sort_file(struct sorter *sorter, size_t file, struct seq *seq) {
    struct entry *entry = &sorter->entries[file];
    sorter->deadline = now_milliseconds() + SECONDS_MAX * 1000;
    entry->fails = signature_of(sorter, seq, entry->signature);
    if (!entry->fails)
        return;
    sorter->wanted = entry->signature;
    int64_t started = now_milliseconds();
    shrink(sorter, seq, keeps_signature);
    entry->milliseconds = now_milliseconds() - started;
    entry->shrunk = copy_of(seq);
    shrink(sorter, seq, keeps_check);
    bool met = meet(sorter, file, seq);
    entry->fails = sorter->entries[group_of(sorter, file)].least != SIZE_MAX; /* else it is flaky */
    if (entry->fails && !met)
        look_around(sorter, file, seq);
}

/* ---- what is printed ---- */

/* What the kernel does with sequences that are nearly this one: a digest of which of them fail alike. */
static uint64_t surroundings(struct sorter *sorter, const struct minimum *minimum) {
    struct seq near;
    struct seq_random random;
    char signature[HARNESS_SIGNATURE_MAX];
    uint64_t digest = minimum->hash;
    sequence_allocate(&near, minimum->seq.geometry);
    seq_random_seed(&random, minimum->hash);
    for (uint32_t i = 0; i < NEIGHBOURS; i++) {
        struct seq_profile profile = {.cpus = seq_cpus(&minimum->seq), .unit_budget = 1u << 12};
        near.cpus = seq_cpus(&minimum->seq);
        near.count = minimum->seq.count;
        memcpy(near.op, minimum->seq.op, near.count * sizeof *near.op);
        for (uint64_t steps = 1 + seq_random_below(&random, NEIGHBOUR_STEPS); steps > 0; steps--)
            seq_mutate(&near, &random, &profile, minimum->seq.count + NEIGHBOUR_OPS);
        bool alike = signature_of(sorter, &near, signature) && strcmp(signature, minimum->signature) == 0;
        digest = add_bytes(digest, &alike, 1);
    }
    sequence_free(&near);
    return digest;
}

static json_t *text_of(const struct seq *seq) {
    size_t length;
    char *text = sequence_text(seq, &length);
    json_t *string = json_stringn(text, length);
    free(text);
    return string;
}

static void describe(const struct sorter *sorter, const struct entry *entry, uint64_t digest) {
    json_t *object =
        json_pack("{s: s, s: s?}", "path", entry->path, "signature", entry->fails ? entry->signature : NULL);
    if (entry->fails) {
        const struct minimum *least =
            &sorter->minima[sorter->entries[group_of(sorter, (size_t)(entry - sorter->entries))].least];
        struct seq shown = least->seq;
        char name[16];
        snprintf(name, sizeof name, "%08x", (unsigned)(digest >> 32 ^ digest) & UINT32_MAX);
        memset(&shown.meta, 0, sizeof shown.meta);
        snprintf(shown.meta.check, sizeof shown.meta.check, "%.*s", (int)sizeof shown.meta.check - 1, least->signature);
        json_object_set_new(object, "operations", json_integer(entry->shrunk.count));
        json_object_set_new(object, "shrink_milliseconds", json_integer(entry->milliseconds));
        json_object_set_new(object, "cause", json_string(name));
        json_object_set_new(object, "shown_as", json_string(least->signature));
        json_object_set_new(object, "sequence", text_of(&shown));
        shown = entry->shrunk;
        memset(&shown.meta, 0, sizeof shown.meta);
        json_object_set_new(object, "shrunk", text_of(&shown));
    }
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static bool sort_all(struct sorter *sorter) {
    const struct arguments *arguments = sorter->arguments;
    for (size_t i = 0; i < arguments->path_count; i++) {
        struct seq seq;
        struct raw_form form;
        progress_set(&sorter->progress, "%zu of %zu files", i, arguments->path_count);
        if (!sequence_load(&seq, arguments->path[i], raw_form(&arguments->run, &form)))
            return false;
        const struct cli_target *target = arguments->run.target ? arguments->run.target : cli_target_of(&seq);
        seq.geometry = target->geometry;
        sorter->entries[i] = (struct entry){.path = arguments->path[i], .group = i, .least = SIZE_MAX};
        sorter->job = (struct worker_job){target, arguments->run.compare, arguments->run.seed, RECORD_NOTHING};
        sort_file(sorter, i, &seq);
        sequence_free(&seq);
    }
    return true;
}

static void print_all(struct sorter *sorter) {
    size_t count = sorter->arguments->path_count;
    uint64_t *digest = allocate(count * sizeof *digest);
    for (size_t i = 0; i < count; i++) {
        size_t group = group_of(sorter, i);
        if (group == i && sorter->entries[i].fails) {
            const struct minimum *least = &sorter->minima[sorter->entries[i].least];
            sorter->job.target = cli_target_of(&least->seq);
            digest[i] = surroundings(sorter, least);
        }
        describe(sorter, &sorter->entries[i], sorter->entries[i].fails ? digest[group] : 0);
    }
    free(digest);
}

int command_cause(int argc, char **argv) {
    struct arguments arguments = {.budget = BUDGET_DEFAULT, .tries = TRIES_DEFAULT};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct sorter sorter = {.arguments = &arguments, .minima_capacity = MINIMA_FIRST};
    progress_start(&sorter.progress);
    sorter.worker = worker_new(arguments.run.timeout, &sorter.progress);
    sorter.memo = allocate(MEMO_COUNT * sizeof *sorter.memo);
    sorter.minima = allocate(MINIMA_FIRST * sizeof *sorter.minima);
    sorter.entries = allocate(arguments.path_count * sizeof *sorter.entries);
    bool good = sort_all(&sorter);
    progress_hide(&sorter.progress);
    if (good)
        print_all(&sorter);
    worker_free(sorter.worker);
    for (size_t i = 0; i < sorter.minima_count; i++)
        sequence_free(&sorter.minima[i].seq);
    free(sorter.entries);
    free(sorter.minima);
    free(sorter.memo);
    return good ? EXIT_AGREE : EXIT_BAD;
}
