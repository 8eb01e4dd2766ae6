/*
 * rescind bench: picks the bench, which parses its own arguments.
 */
#include "cli/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct entry {
    const char *name;
    int (*run)(int argc, char **argv);
} entries[] = {
    {"harness", bench_harness}, {"rom", bench_rom},         {"nested", bench_nested},
    {"direct", bench_direct},   {"destroy", bench_destroy}, {"explore", bench_explore},
    {"stretch", bench_stretch}, {"unicorn", bench_unicorn}, {"visits", bench_visits},
};

static const char doc[] =
    "Measures the harness, or what the ways of taking memory back cost.\v"
    "Benches (each with its own --help; docs/benchmarks.md says how to read them):\n"
    "  harness  checked operations a second, and what of it is the kernel\n"
    "  rom      one program detaches a module that N programs share\n"
    "  nested   one program detaches a dataspace made of many: leaf by leaf, or one remote revoke\n"
    "  direct   memory handed out from PHYS, or through the manager's mappings\n"
    "  destroy  a program that shares memory is destroyed\n"
    "  explore  schedules a second\n"
    "  stretch  the longest way between two preemption points of a revoke\n"
    "  unicorn  checked operations a second on kernel.elf under Unicorn, beside the host\n"
    "  visits   what the parts of a probed operation take on a booted kernel\n"
    "\n"
    "How many executions finding a seeded fault takes, by how inputs are made, is measured by scripts/bench-search.\n"
    "\n"
    "Exit status: 0 measured, 1 a finding, 2 bad usage.";

static error_t parse(int key, char *argument, struct argp_state *state) {
    (void)argument;
    if (key == ARGP_KEY_NO_ARGS)
        argp_usage(state);
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    state->next--;
    *(int *)state->input = state->next;
    state->next = state->argc;
    return 0;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, uint32_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void bench_print_summary(json_t *summary) {
    const char *name;
    json_t *value;
    json_object_foreach(summary, name, value) {
        if (json_is_string(value))
            printf("%-24s %s\n", name, json_string_value(value));
        else if (json_is_boolean(value))
            printf("%-24s %s\n", name, json_is_true(value) ? "yes" : "no");
        else if (json_is_integer(value))
            printf("%-24s %lld\n", name, (long long)json_integer_value(value));
        else
            printf("%-24s %.*f\n", name, json_real_value(value) < 100 ? 3 : 0, json_real_value(value));
    }
}

int command_bench(int argc, char **argv) {
    static const struct argp parser = {.parser = parse, .args_doc = "BENCH [OPTION...]", .doc = doc};
    int first = argc;
    argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &first);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (strcmp(entries[i].name, argv[first]) == 0) {
            char name[32];
            snprintf(name, sizeof name, "rescind bench %s", entries[i].name);
            argv[first] = name;
            return entries[i].run(argc - first, argv + first);
        }
    }
    complain("unknown bench '%s'; see rescind bench --help", argv[first]);
    return EXIT_BAD;
}
