/*
 * The `rescind` command: picks the subcommand, which parses its own arguments.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef RESCIND_VERSION
#define RESCIND_VERSION "0.1.0"
#endif

static const struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"run", command_run},       {"gen", command_gen},       {"show", command_show},   {"pack", command_pack},
    {"shrink", command_shrink}, {"bench", command_bench},   {"laws", command_laws},   {"diff", command_diff},
    {"soak", command_soak},     {"stress", command_stress}, {"trace", command_trace}, {"explore", command_explore},
    {"cause", command_cause},   {"worst", command_worst},
};

static const char top_doc[] = "Checks the revocation of a capability microkernel against a model of it.\v"
                              "Commands (each with its own --help):\n"
                              "  run     run sequences and compare kernel and model\n"
                              "  gen     generate sequences\n"
                              "  show    print a sequence as text\n"
                              "  pack    write a sequence in its packed form\n"
                              "  shrink  reduce a failing sequence, keeping its signature\n"
                              "  explore run a sequence with many schedules, or preempt the kernel's machine code\n"
                              "  cause   sort failing sequences by what makes them fail\n"
                              "  bench   measure the harness, or what ways of taking memory back cost\n"
                              "  laws    try laws that revocation obeys, on the kernel alone\n"
                              "  diff    compare two kernels with each other\n"
                              "  worst   search for what costs the kernel most steps\n"
                              "  soak    run one system for a long time\n"
                              "  trace   print the state after each operation of a sequence\n"
                              "  stress  stress a booted kernel on a virtual machine\n"
                              "\n"
                              "Exit status: 0 all agree, 1 a finding, 2 bad input or usage.";

static void print_version(FILE *stream, struct argp_state *state) {
    (void)state;
    fprintf(stream, "rescind %s\n", RESCIND_VERSION);
    for (size_t i = 0; i < CLI_TARGETS; i++) {
        const struct rescind_geometry *g = &cli_targets[i].target->geometry;
        fprintf(stream,
                "geometry %s: MEM 2^%u pages, PIO 2^%u ports, OBJ 2^%u selectors, PHYS 2^%u frames (kernel from %llu), "
                "%u PDs, %u plain objects, up to %u CPUs, %u pages of kernel memory, %u page-table levels of %u bits, "
                "leaves "
                "up to level %u\n",
                g->name, g->mem_log2, g->pio_log2, g->obj_log2, g->phys_log2, (unsigned long long)g->kernel_frame,
                g->pds, g->objects, g->cpus, g->quota_pages, g->levels, g->level_bits, g->leaf_level);
    }
}

/* Output that could not be written must not pass for success, whichever way the program ends. */
static void close_standard_output(void) {
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fclose(stdout) != 0 || failed) {
        complain_errno("standard output");
        _exit(EXIT_BAD);
    }
}

static const struct subcommand *subcommand_by_name(const char *name) {
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static error_t parse_top(int key, char *argument, struct argp_state *state) {
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

int main(int argc, char **argv) {
    static const struct argp top = {.parser = parse_top, .args_doc = "COMMAND [ARGUMENT...]", .doc = top_doc};
    argp_program_version_hook = print_version;
    argp_err_exit_status = EXIT_BAD;
    atexit(close_standard_output);
    /* A full disk or a closed pipe shall be an error that is reported, not a silent death. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int first = argc;
    argp_parse(&top, argc, argv, ARGP_IN_ORDER, NULL, &first);
    const struct subcommand *subcommand = subcommand_by_name(argv[first]);
    if (!subcommand) {
        complain("unknown command '%s'; see rescind --help", argv[first]);
        return EXIT_BAD;
    }
    char name[32];
    snprintf(name, sizeof name, "rescind %s", subcommand->name);
    argv[first] = name;
    return subcommand->run(argc - first, argv + first);
}
