/*
 * rescind bench stretch: the most steps of the kernel between two preemption points of a revoke, by how much it takes.
 */
#include "cli/bench.h"

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

static struct row measure(const char *made_of, uint64_t pages, unsigned order) {
    struct row row = {.made_of = made_of, .pages = pages, .points = 1};
    uint32_t pd = make_program(pages, order);
    uint64_t word[ABI_WORDS] = {head(ABI_REVOKE, RANGE_ORDER) | (uint64_t)ABI_SELF << ABI_SCOPE_SHIFT};
    uint32_t operation = target->begin(0, pd, word, 1);
    for (bool done = operation == RESCIND_NONE; !done; row.points++) {
        done = target->resume(operation, 1, word);
        row.steps += target->steps();
        row.longest = target->stretch() > row.longest ? target->stretch() : row.longest;
    }
    if (word[0] != ABI_OK || row.longest > target->stretch_limit) {
        complain("%" PRIu64 " pages: %s, %" PRIu64 " steps between two points", pages, cli_code_name((uint32_t)word[0]),
                 row.longest);
        exit(EXIT_FINDING);
    }
    return row;
}

static void print(const struct row *row, bool json, bool first, bool last) {
    if (json) {
        printf("%s{\"made_of\": \"%s\", \"pages\": %" PRIu64 ", \"points\": %" PRIu64 ", \"steps\": %" PRIu64
               ", \"longest\": %" PRIu64 ", \"limit\": %" PRIu64 "}%s\n",
               first ? "[" : " ", row->made_of, row->pages, row->points, row->steps, row->longest,
               target->stretch_limit, last ? "]" : ",");
        return;
    }
    if (first)
        printf("made_of    pages   points    steps  longest    limit\n");
    printf("%-7s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n", row->made_of, row->pages,
           row->points, row->steps, row->longest, target->stretch_limit);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    (void)argument;
    (void)state;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    *(bool *)state->input = true;
    return 0;
}

int bench_stretch(int argc, char **argv) {
    static const struct argp_option options[] = {{"json", 'j', NULL, 0, "Write an array of objects", 0}, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .doc =
            "The most steps between two preemption points of revoking 1, 512 and 262,144 pages, held as single pages "
            "or as aligned ranges of 256.",
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
    bool json = false;
    enum { CASES = sizeof cases / sizeof cases[0] };
    argp_parse(&parser, argc, argv, 0, NULL, &json);
    for (unsigned i = 0; i < CASES; i++) {
        struct row row = measure(cases[i].made_of, cases[i].pages, cases[i].order);
        print(&row, json, i == 0, i == CASES - 1);
    }
    return EXIT_SUCCESS;
}
