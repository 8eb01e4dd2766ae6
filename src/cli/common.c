/*
 * Messages, numbers and names shared by the subcommands.
 */
#include "cli/cli.h"

#include "harness/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

extern const struct rescind_target rescind_target_small, rescind_target_real;

/* Records: small, every unit of every space at once; real, what generated sequences stay below by far. */
const struct cli_target cli_targets[CLI_TARGETS] = {
    {&rescind_target_small, &seq_geometry_small, 1u << 14},
    {&rescind_target_real, &seq_geometry_real, 1u << 20},
};

const struct cli_target *cli_target_by_name(const char *name) {
    for (size_t i = 0; i < CLI_TARGETS; i++)
        if (strcmp(cli_targets[i].target->geometry.name, name) == 0)
            return &cli_targets[i];
    return NULL;
}

const struct cli_target *cli_target_of(const struct seq *seq) {
    return cli_target_by_name(seq->geometry->name);
}

struct harness *cli_harness(const struct cli_target *target) {
    struct host_enter *host = allocate(sizeof *host);
    struct harness *harness = host_harness_new(host, target->target, target->mappings, &oracle_policy_exact);
    if (!harness) {
        complain("target %s: no memory, or of another version", target->target->name);
        exit(EXIT_BAD);
    }
    return harness;
}

static void complain_with(const char *format, va_list arguments, int error) {
    fflush(stdout);
    fprintf(stderr, "rescind: ");
    vfprintf(stderr, format, arguments);
    if (error)
        fprintf(stderr, ": %s", strerror(error));
    fputc('\n', stderr);
}

void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain_with(format, arguments, 0);
    va_end(arguments);
}

void complain_errno(const char *format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    complain_with(format, arguments, error);
    va_end(arguments);
}

void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) {
        complain("out of memory");
        exit(EXIT_BAD);
    }
    return memory;
}

uint64_t option_number(const char *text, const char *option, uint64_t low, uint64_t high, struct argp_state *state) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    bool digits = *text >= '0' && *text <= '9';
    if (!digits || *end || errno || value < low || value > high)
        argp_error(state, "--%s: expected a number from %llu to %llu, found '%s'", option, (unsigned long long)low,
                   (unsigned long long)high, text);
    return value;
}

const struct cli_target *option_geometry(const char *text, struct argp_state *state) {
    const struct cli_target *target = cli_target_by_name(text);
    if (!target)
        argp_error(state, "expected geometry small or real, found '%s'", text);
    return target;
}

const struct cli_target *option_target(const char *text, struct argp_state *state) {
    return strcmp(text, "auto") == 0 ? NULL : option_geometry(text, state);
}

enum harness_compare option_compare(const char *text, struct argp_state *state) {
    for (enum harness_compare compare = HARNESS_LOG; compare <= HARNESS_PROBE; compare++) {
        if (strcmp(text, cli_compare_name(compare)) == 0)
            return compare;
    }
    argp_error(state, "--compare: expected log, full or probe, found '%s'", text);
    return HARNESS_LOG;
}

uint64_t default_unit_budget(const struct cli_target *target) {
    return target->geometry == &seq_geometry_real ? 1u << 18 : 0;
}

uint64_t fresh_seed(void) {
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint32_t)time(NULL);
    return seed;
}

void seed_sequence(struct seq_random *random, uint64_t seed, uint64_t index) {
    seq_random_seed(random, seed);
    seq_random_seed(random, seq_random_next(random) + index);
}

const char *cli_compare_name(enum harness_compare compare) {
    static const char *const names[] = {"log", "full", "probe", "off"};
    return names[compare];
}

const char *cli_code_name(uint32_t code) {
    static const char *const names[ABI_CODES] = {
        [ABI_OK] = "OK",         [ABI_E_ARG] = "E_ARG",         [ABI_E_CAP] = "E_CAP", [ABI_E_RIGHT] = "E_RIGHT",
        [ABI_E_DEAD] = "E_DEAD", [ABI_E_OVERLAP] = "E_OVERLAP", [ABI_E_MEM] = "E_MEM",
    };
    return code < ABI_CODES ? names[code] : "unknown";
}

/* The printer's own word, so that the operation table stays the only list of operations. */
const char *cli_operation_name(const struct seq_op *op, char name[OPERATION_NAME_MAX]) {
    char line[SEQ_TEXT_MAX];
    seq_print_op(op, line);
    const char *assigned = strstr(line, " = ");
    const char *word = assigned ? assigned + 3 : line;
    snprintf(name, OPERATION_NAME_MAX, "%.*s", (int)strcspn(word, " "), word);
    return name;
}
