/*
 * The benches of revocation: options, the measuring of each alternative, and its row in a table or in JSON.
 */
#include "cli/bench.h"
#include "cli/qemu.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_JSON = 256, OPTION_PROGRAMS, OPTION_PAGES, OPTION_LEAVES };
enum { LIST_MAX = 16, PAGES_MAX = 1 << 16, LEAVES_MAX = 1 << 12 };
enum { MACHINE_SECONDS = 1200 /* in which a booted kernel is measured without a word */ };
enum { REPEATS_MIN = 3, REPEATS_MAX = 101, REPEAT_FOR_NS = 30 * 1000 * 1000 };

/* What an option gives: some numbers, each a case to be measured. */
struct list {
    uint64_t value[LIST_MAX];
    uint32_t count;
};

struct arguments {
    const struct rescind_target *target;
    struct list programs, pages, leaves;
    bool leaves_given, json;
    struct qemu_options qemu;
    struct qemu *machine; /* or NULL: the kernel here */
};

/* The columns of a row, in the order in which they are printed. */
enum column {
    PROGRAMS,
    PAGES,
    LEAVES,
    LOST,
    FAULTS,
    CALLS,
    STEPS,
    NAMING_STEPS,
    NANOSECONDS,
    NODES,
    MEMORY,
    MANAGER_PAGES,
    GIVE_STEPS,
    GIVE_NANOSECONDS,
    COLUMNS
};

static const char *const column_name[COLUMNS] = {
    [PROGRAMS] = "programs",     [PAGES] = "pages",
    [LEAVES] = "leaves",         [LOST] = "lost_programs",
    [FAULTS] = "faults",         [CALLS] = "calls",
    [STEPS] = "steps",           [NAMING_STEPS] = "naming_steps",
    [NANOSECONDS] = "ns",        [NODES] = "nodes",
    [MEMORY] = "memory_bytes",   [MANAGER_PAGES] = "manager_pages",
    [GIVE_STEPS] = "give_steps", [GIVE_NANOSECONDS] = "give_ns",
};

/* Of a booted kernel. */
static const char *const machine_column_name[COLUMNS] = {
    [NANOSECONDS] = "instructions",
    [GIVE_NANOSECONDS] = "give_instructions",
};

static const char *name_of(const struct arguments *arguments, int column) {
    const char *name = arguments->machine ? machine_column_name[column] : NULL;
    return name ? name : column_name[column];
}

/* What no booted kernel tells: its mappings are its own. */
static bool is_known(const struct arguments *arguments, int column) {
    return !arguments->machine || column != MANAGER_PAGES;
}

struct row {
    const char *alternative;
    uint64_t value[COLUMNS];
};

struct rows {
    struct row *row;
    uint32_t count;
};

/* ---- options ---- */

#define COMMON_OPTIONS                                                                                                 \
    {"json", OPTION_JSON, NULL, 0, "Print a JSON array of rows", 0},                                                   \
        {"programs", OPTION_PROGRAMS, "N[,N...]", 0, "Programs, 2 to 4096", 0}, {                                      \
        "pages", OPTION_PAGES, "P[,P...]", 0, "Pages of the module, powers of two, 1 to 65536", 0                      \
    }

static const struct argp_option module_options[] = {COMMON_OPTIONS, {0}};
static const struct argp_option leaf_options[] = {
    COMMON_OPTIONS,
    {"leaves", OPTION_LEAVES, "L[,L...]", 0, "Dataspaces that it is made of, powers of two, 1 to 4096", 0},
    {0},
};

/* Numbers separated by commas. */
static void parse_list(struct list *list, char *argument, const char *option, uint64_t low, uint64_t high, bool powers,
                       struct argp_state *state) {
    list->count = 0;
    for (char *text = argument; text;) {
        char *comma = strchr(text, ',');
        if (comma)
            *comma = '\0';
        if (list->count == LIST_MAX)
            argp_error(state, "--%s: more than %d numbers", option, LIST_MAX);
        uint64_t value = option_number(text, option, low, high, state);
        if (powers && (value & (value - 1)) != 0)
            argp_error(state, "--%s: expected a power of two, found '%s'", option, text);
        list->value[list->count++] = value;
        text = comma ? comma + 1 : NULL;
    }
}

/* Nobody asked for these leaves: those stay that every module has pages for. */
static void limit_leaves(struct arguments *arguments) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < arguments->leaves.count; i++) {
        bool fits = true;
        for (uint32_t k = 0; k < arguments->pages.count; k++)
            fits = fits && arguments->leaves.value[i] <= arguments->pages.value[k];
        if (fits)
            arguments->leaves.value[kept++] = arguments->leaves.value[i];
    }
    arguments->leaves.count = kept;
}

static void check_leaves(struct arguments *arguments, struct argp_state *state) {
    uint32_t asked = arguments->leaves.count;
    limit_leaves(arguments);
    if (arguments->leaves_given && arguments->leaves.count < asked)
        argp_error(state, "--leaves: more than --pages");
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        if (state->child_inputs) /* only of a bench that has them */
            state->child_inputs[0] = &arguments->qemu;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_PROGRAMS:
        parse_list(&arguments->programs, argument, "programs", 2, arguments->target->geometry.pds, false, state);
        return 0;
    case OPTION_PAGES:
        parse_list(&arguments->pages, argument, "pages", 1, PAGES_MAX, true, state);
        return 0;
    case OPTION_LEAVES:
        arguments->leaves_given = true;
        parse_list(&arguments->leaves, argument, "leaves", 1, LEAVES_MAX, true, state);
        return 0;
    case ARGP_KEY_END:
        check_leaves(arguments, state);
        if (arguments->qemu.unicorn || arguments->qemu.nova)
            argp_error(state, "--on: expected host or qemu");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* ---- measuring ---- */

static uint64_t now_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fill(uint64_t value[COLUMNS], const struct bench_figures *figures) {
    value[LOST] = figures->lost;
    value[FAULTS] = figures->faults;
    value[CALLS] = figures->calls;
    value[STEPS] = figures->steps;
    value[NAMING_STEPS] = figures->naming_steps;
    value[NANOSECONDS] = figures->time;
    value[NODES] = figures->nodes;
    value[MEMORY] = figures->bytes;
    value[MANAGER_PAGES] = figures->manager_pages;
    value[GIVE_STEPS] = figures->give_steps;
    value[GIVE_NANOSECONDS] = figures->give_time;
}

static void measure_once(struct world *world, const struct alternative *alternative, uint32_t *fault,
                         uint64_t value[COLUMNS]) {
    struct bench_figures figures;
    bench_measure(world, alternative, fault, &figures);
    fill(value, &figures);
}

/* The first time counts, also what finding capabilities takes; the others take the time, and must count the same. */
static void measure(struct world *world, const struct alternative *alternative, struct row *row) {
    uint32_t *fault = allocate((size_t)world->programs * world->ranges * sizeof *fault);
    double taken[REPEATS_MAX], given[REPEATS_MAX];
    uint64_t again[COLUMNS] = {0};
    uint32_t count = 0;
    uint64_t end_at = now_nanoseconds() + REPEAT_FOR_NS;
    world->count_naming = true;
    measure_once(world, alternative, fault, row->value);
    world->count_naming = false;
    while (count < REPEATS_MIN || (count < REPEATS_MAX && now_nanoseconds() < end_at)) {
        measure_once(world, alternative, fault, again);
        taken[count] = (double)again[NANOSECONDS];
        given[count++] = (double)again[GIVE_NANOSECONDS];
        again[NANOSECONDS] = row->value[NANOSECONDS];
        again[GIVE_NANOSECONDS] = row->value[GIVE_NANOSECONDS];
        again[NAMING_STEPS] = row->value[NAMING_STEPS];
        if (memcmp(again, row->value, sizeof again) != 0)
            world_finding(world, "%s: not the same figures when done again", alternative->name);
    }
    row->value[NANOSECONDS] = (uint64_t)bench_median(taken, count);
    row->value[GIVE_NANOSECONDS] = (uint64_t)bench_median(given, count);
    free(fault);
}

/* All alternatives with so many programs, pages and leaves. */
static void measure_case(const struct bench *bench, struct qemu *machine, struct world *world, struct rows *rows,
                         uint64_t pages) {
    world->order = (uint8_t)__builtin_ctzll(pages / world->ranges);
    world->pd = allocate(world->programs * sizeof *world->pd);
    for (uint32_t i = 0; i < bench->count; i++) {
        struct row *row = &rows->row[rows->count++];
        *row = (struct row){.alternative = bench->alternatives[i].name};
        if (machine) {
            struct bench_figures figures;
            bench_measure_on_qemu(machine, i, world->programs, pages, &figures);
            fill(row->value, &figures);
        } else {
            measure(world, &bench->alternatives[i], row);
        }
        row->value[PROGRAMS] = world->programs;
        row->value[PAGES] = pages;
        row->value[LEAVES] = world->ranges;
    }
    free(world->pd);
}

static void measure_cases(const struct bench *bench, const struct arguments *arguments, struct rows *rows) {
    for (uint32_t n = 0; n < arguments->programs.count; n++)
        for (uint32_t p = 0; p < arguments->pages.count; p++)
            for (uint32_t l = 0; l < arguments->leaves.count; l++) {
                struct world world;
                world_init(&world, arguments->target, (uint32_t)arguments->programs.value[n],
                           (uint32_t)arguments->leaves.value[l]);
                measure_case(bench, arguments->machine, &world, rows, arguments->pages.value[p]);
            }
}

/* ---- printing ---- */

static int format(const struct arguments *arguments, const struct row *row, int column, char text[24]) {
    if (!is_known(arguments, column))
        return snprintf(text, 24, "-");
    return snprintf(text, 24, "%" PRIu64, row->value[column]);
}

static void print_table(const struct arguments *arguments, const struct rows *rows) {
    static const char first[] = "alternative";
    int first_width = (int)strlen(first), width[COLUMNS];
    char text[24];
    for (int c = 0; c < COLUMNS; c++)
        width[c] = (int)strlen(name_of(arguments, c));
    for (uint32_t i = 0; i < rows->count; i++) {
        int length = (int)strlen(rows->row[i].alternative);
        first_width = length > first_width ? length : first_width;
        for (int c = 0; c < COLUMNS; c++) {
            length = format(arguments, &rows->row[i], c, text);
            width[c] = length > width[c] ? length : width[c];
        }
    }
    printf("%-*s", first_width, first);
    for (int c = 0; c < COLUMNS; c++)
        printf("  %*s", width[c], name_of(arguments, c));
    putchar('\n');
    for (uint32_t i = 0; i < rows->count; i++) {
        printf("%-*s", first_width, rows->row[i].alternative);
        for (int c = 0; c < COLUMNS; c++) {
            format(arguments, &rows->row[i], c, text);
            printf("  %*s", width[c], text);
        }
        putchar('\n');
    }
}

static void print_json(const struct arguments *arguments, const struct bench *bench, const struct rows *rows) {
    json_t *array = json_array();
    for (uint32_t i = 0; i < rows->count; i++) {
        json_t *object = json_pack("{s:s, s:s}", "bench", bench->name, "alternative", rows->row[i].alternative);
        for (int c = 0; c < COLUMNS; c++)
            json_object_set_new(object, name_of(arguments, c),
                                is_known(arguments, c) ? json_integer((json_int_t)rows->row[i].value[c]) : json_null());
        json_array_append_new(array, object);
    }
    json_dumpf(array, stdout, 0);
    putchar('\n');
    json_decref(array);
}

int bench_alternatives(const struct bench *bench, int argc, char **argv) {
    static const char tail[] =
        "\vEvery figure but the nanoseconds is the same in every run; docs/benchmarks.md says what "
        "each column means.\nExit status: 0 measured, 1 a finding, 2 usage or more than fits.";
    char doc[512];
    snprintf(doc, sizeof doc, "%s%s", bench->doc, tail);
    static const struct argp_child machine[] = {{&qemu_options_parser, 0, "On a virtual machine:", 0}, {0}};
    const struct argp parser = {
        bench->leaves ? leaf_options : module_options, parse, NULL, doc, bench->boots ? machine : NULL, NULL, NULL};
    struct arguments arguments = {.target = cli_target_by_name("real")->target,
                                  .programs = {{2, 64, 4096}, 3},
                                  .pages = {{1, 512}, 2},
                                  .leaves = {{1}, 1}};
    if (bench->leaves) {
        arguments.programs = (struct list){{2, 64}, 2};
        arguments.pages = (struct list){{4096}, 1};
        arguments.leaves = (struct list){{1, 16, 256}, 3};
    }
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    uint32_t most = bench->count * arguments.programs.count * arguments.pages.count * arguments.leaves.count;
    struct rows rows = {.row = allocate(most * sizeof *rows.row)};
    if (arguments.qemu.on) {
        arguments.qemu.timeout = MACHINE_SECONDS;
        arguments.machine = allocate(sizeof *arguments.machine);
        qemu_open(arguments.machine, &arguments.qemu, NULL);
    }
    measure_cases(bench, &arguments, &rows);
    if (arguments.machine)
        qemu_close(arguments.machine);
    if (arguments.json)
        print_json(&arguments, bench, &rows);
    else
        print_table(&arguments, &rows);
    free(arguments.machine);
    free(rows.row);
    return EXIT_AGREE;
}
