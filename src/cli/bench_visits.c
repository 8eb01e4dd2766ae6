/*
 * rescind bench visits: what the parts of a probed operation take on a booted kernel, in time of the processor, and
 * with them how many operations a second there can be at most.
 */
#include "cli/bench.h"
#include "cli/qemu.h"
#include "roottask/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { OPTION_ROUNDS = 256, OPTION_JSON, ROUNDS_DEFAULT = 20000, COMMAND_BYTES = 64 };

struct arguments {
    struct qemu_options qemu;
    uint64_t rounds;
    bool json;
};

static const struct argp_option options[] = {
    {"rounds", OPTION_ROUNDS, "N", 0, "Each part so many times (default: 20000)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print a JSON object", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->qemu;
        return 0;
    case OPTION_ROUNDS:
        arguments->rounds = option_number(argument, "rounds", 1, UINT32_MAX, state);
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_END:
        if (arguments->qemu.unicorn || arguments->qemu.nova)
            argp_error(state, "--on: expected qemu");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static double processor_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Seconds of the processor, from the start of the machine to its end. */
static double boot(struct qemu *qemu, enum visits_part part, uint64_t rounds) {
    char command[COMMAND_BYTES], how[64];
    double started = processor_seconds();
    int status;
    snprintf(command, sizeof command, "visits part=%d rounds=%" PRIu64, part, rounds);
    qemu_start(qemu, command, NULL, 0, 1, false);
    while (qemu_line(qemu))
        continue;
    if (qemu_end(qemu, &status, how) != QEMU_EXITED || status != ROOT_DONE) {
        complain("bench visits: %s", how);
        qemu_close(qemu);
        exit(EXIT_FINDING);
    }
    return processor_seconds() - started;
}

static json_t *measure(struct qemu *qemu, uint64_t rounds) {
    static const char *const names[VISITS_PARTS] = {
        [VISITS_ROOT_CALL] = "root_call_us", [VISITS_PD_CALL] = "pd_call_us",       [VISITS_REACHED] = "two_reached_us",
        [VISITS_REFUSED] = "two_refused_us", [VISITS_LEAST] = "least_operation_us", [VISITS_BOTH] = "pd_operation_us",
    };
    json_t *summary = json_object();
    double nothing = boot(qemu, VISITS_NOTHING, 1), least = 0;
    for (int part = VISITS_ROOT_CALL; part < VISITS_PARTS; part++) {
        double seconds = boot(qemu, (enum visits_part)part, rounds) - nothing;
        json_object_set_new(summary, names[part], json_real(seconds * 1e6 / (double)rounds));
        least = part == VISITS_LEAST ? seconds : least;
    }
    json_object_set_new(summary, "least_operations_per_cpu_second", json_real(least > 0 ? (double)rounds / least : 0));
    return summary;
}

int bench_visits(int argc, char **argv) {
    static const struct argp_child children[] = {{&qemu_options_parser, 0, "The virtual machine:", 0}, {0}};
    static const struct argp parser = {
        options,
        parse,
        NULL,
        "What the parts of a probed operation take on a booted kernel (QEMU): microseconds of the processor.\v"
        "Exit status: 0 measured, 1 the machine did not do it, 2 bad usage.",
        children,
        NULL,
        NULL};
    struct arguments arguments = {.rounds = ROUNDS_DEFAULT};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct qemu *qemu = allocate(sizeof *qemu);
    arguments.qemu.timeout = 600; /* a part is measured without a word */
    qemu_open(qemu, &arguments.qemu, NULL);
    json_t *summary = measure(qemu, arguments.rounds);
    qemu_close(qemu);
    if (arguments.json)
        json_dumpf(summary, stdout, 0), putchar('\n');
    else
        bench_print_summary(summary);
    json_decref(summary);
    free(qemu);
    return EXIT_AGREE;
}
