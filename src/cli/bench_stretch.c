/*
 * rescind bench stretch: the most steps of the kernel between two preemption points of a revoke, by how much it takes;
 * and likewise of stored sequences, with the steps of a revoke relative to what those who lose by it could have built.
 */
#include "cli/bench.h"
#include "cli/effort.h"
#include "cli/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct rescind_target rescind_target_real;
static const struct rescind_target *const target = &rescind_target_real;

enum { SELECTOR = 1, QUOTA = 1 << 14, LARGEST_ORDER = 18, RANGE_ORDER = 20 };

struct row {
    const char *made_of;
    uint64_t pages, points, steps, longest;
};

_Noreturn static void stopped(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)context;
    (void)why;
    complain("the kernel stopped: %s in %s", text, function);
    exit(EXIT_FINDING);
}

static void call(uint32_t pd, uint64_t word[ABI_WORDS]) {
    target->call(0, pd, word);
    if (word[0] != ABI_OK) {
        complain("an operation returned %s", cli_code_name((uint32_t)word[0]));
        exit(EXIT_FINDING);
    }
}

static uint64_t head(unsigned operation, unsigned order) {
    return operation | (uint64_t)order << ABI_ORDER_SHIFT | (uint64_t)ABI_MEM_RIGHTS << ABI_MASK_SHIFT;
}

/* A program gets that many pages, in ranges of 2^order that cannot become one; returns its index. */
static uint32_t make_program(uint64_t pages, unsigned order) {
    struct rescind_log log;
    target->boot(&(struct rescind_hooks){.stop = stopped}, 1, 0);
    call(target->root_pd, (uint64_t[ABI_WORDS]){ABI_CREATE_PD, SELECTOR, QUOTA, ABI_ROOT_SELECTOR});
    target->log(&log);
    uint32_t pd = log.pds[0];
    uint64_t flags = UINT64_C(1) << ABI_TO_CAP_SHIFT | (uint64_t)ABI_PHYS << ABI_PLACE_SHIFT;
    for (uint64_t i = 0; i < pages >> order; i++)
        call(target->root_pd,
             (uint64_t[ABI_WORDS]){head(ABI_DELEGATE, order) | flags, (i ^ 1) << order, i << order, SELECTOR});
    target->switch_to(0, pd);
    return pd;
}

/* Adds up the last call: from where it was decided on, or from a point, to the next. */
static void take(struct row *row) {
    row->steps += target->steps();
    row->longest = target->stretch() > row->longest ? target->stretch() : row->longest;
}

static struct row measure(const char *made_of, uint64_t pages, unsigned order) {
    struct row row = {.made_of = made_of, .pages = pages, .points = 1};
    uint32_t pd = make_program(pages, order);
    uint64_t word[ABI_WORDS] = {head(ABI_REVOKE, RANGE_ORDER) | (uint64_t)ABI_SELF << ABI_SCOPE_SHIFT};
    uint32_t operation = target->begin(0, pd, word, 1);
    take(&row);
    for (bool done = operation == RESCIND_NONE; !done; row.points++) {
        done = target->resume(operation, 1, word);
        take(&row);
    }
    if (word[0] != ABI_OK || row.longest > target->stretch_limit) {
        complain("%" PRIu64 " pages: %s, %" PRIu64 " steps between two points", pages, cli_code_name((uint32_t)word[0]),
                 row.longest);
        exit(EXIT_FINDING);
    }
    return row;
}

static void print(const struct row *row, bool json, bool first) {
    if (json) {
        printf("%s{\"made_of\": \"%s\", \"pages\": %" PRIu64 ", \"points\": %" PRIu64 ", \"steps\": %" PRIu64
               ", \"longest\": %" PRIu64 ", \"limit\": %" PRIu64 "}",
               first ? "[" : ",\n ", row->made_of, row->pages, row->points, row->steps, row->longest,
               target->stretch_limit);
        return;
    }
    if (first)
        printf("made_of    pages   points    steps  longest    limit\n");
    printf("%-7s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n", row->made_of, row->pages,
           row->points, row->steps, row->longest, target->stretch_limit);
}

/* ---- stored sequences ---- */

static const struct effort_row *dearest(const struct effort *effort) {
    const struct effort_row *best = NULL;
    for (uint32_t i = 0; i < effort->count; i++)
        if (!best || effort->row[i].value > best->value)
            best = &effort->row[i];
    return best;
}

/* The highest value of a sequence by a measure; 0 where there is none. False: the user was told of a finding. */
static bool measure_sequence(const char *path, const struct seq *seq, struct effort *effort, struct effort_row *row) {
    struct harness_outcome *outcome = allocate(sizeof *outcome);
    effort_run(effort, seq, outcome);
    const struct effort_row *best = dearest(effort);
    bool good = outcome->verdict == HARNESS_AGREE;
    *row = best ? *best : (struct effort_row){.value = 0};
    if (!good)
        complain("%s: %s", path,
                 outcome->verdict == HARNESS_FINDING ? outcome->signature : "more than the model can hold");
    free(outcome);
    return good;
}

static void print_sequence(const char *path, const struct cli_target *chosen, const struct effort_row row[2],
                           bool json) {
    if (json)
        printf(",\n {\"sequence\": \"%s\", \"longest\": %" PRIu64 ", \"limit\": %" PRIu64
               ", \"stretch_of\": \"%s\", \"steps\": %" PRIu64 ", \"nodes\": %" PRIu64 ", \"steps_of\": \"%s\"}",
               file_name(path), row[EFFORT_STRETCH].value, chosen->target->stretch_limit, row[EFFORT_STRETCH].shape,
               row[EFFORT_REVOKE].steps, row[EFFORT_REVOKE].nodes, row[EFFORT_REVOKE].shape);
    else
        printf("%7" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "  %s\n", row[EFFORT_STRETCH].value,
               chosen->target->stretch_limit, row[EFFORT_REVOKE].steps, row[EFFORT_REVOKE].nodes, file_name(path));
}

static int run_sequences(const struct file_list *list, bool json) {
    struct effort *effort[CLI_TARGETS][2] = {{NULL}};
    int status = list->bad ? EXIT_BAD : EXIT_SUCCESS;
    if (!json)
        printf("\nlongest    limit    steps    nodes  sequence\n");
    for (size_t i = 0; i < list->count; i++) {
        struct effort_row row[2];
        struct seq seq;
        if (!sequence_load(&seq, list->path[i], NULL))
            return EXIT_BAD;
        const struct cli_target *chosen = cli_target_of(&seq);
        bool good = true;
        for (enum effort_measure measure = EFFORT_STRETCH; measure <= EFFORT_REVOKE && good; measure++) {
            struct effort **by = &effort[chosen - cli_targets][measure];
            *by = *by ? *by : effort_new(chosen, measure);
            good = measure_sequence(list->path[i], &seq, *by, &row[measure]);
        }
        if (good)
            print_sequence(list->path[i], chosen, row, json);
        status = good ? status : EXIT_FINDING;
        sequence_free(&seq);
    }
    return status;
}

struct arguments {
    bool json;
    char **path;
    size_t count;
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    (void)argument;
    switch (key) {
    case 'j':
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->path = state->argv + state->next;
        arguments->count = (size_t)(state->argc - state->next);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int bench_stretch(int argc, char **argv) {
    static const struct argp_option options[] = {{"json", 'j', NULL, 0, "Write an array of objects", 0}, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .args_doc = "[PATH...]",
        .doc =
            "The most steps between two preemption points of revoking 1, 512 and 262,144 pages, held as single pages "
            "or as aligned ranges of 256; then those of the sequences named, and the steps of the revoke that takes "
            "the most for each node that those who lose by it could have paid for.",
    };
    static const struct {
        const char *made_of;
        uint64_t pages;
        unsigned order;
    } cases[] = {
        {"pages", 1, 0},
        {"pages", 512, 0},
        {"pages", UINT64_C(1) << LARGEST_ORDER, 0},
        {"ranges", 512, 8},
        {"ranges", UINT64_C(1) << LARGEST_ORDER, 8},
    };
    struct arguments arguments = {0};
    struct file_list list = {0};
    enum { CASES = sizeof cases / sizeof cases[0] };
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    for (unsigned i = 0; i < CASES; i++) {
        struct row row = measure(cases[i].made_of, cases[i].pages, cases[i].order);
        print(&row, arguments.json, i == 0);
    }
    file_list_collect(&list, arguments.path, arguments.count);
    int status = list.count > 0 || list.bad ? run_sequences(&list, arguments.json) : EXIT_SUCCESS;
    file_list_free(&list);
    if (arguments.json)
        printf("]\n");
    return status;
}
