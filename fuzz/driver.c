/*
 * The engine's entry points for targets that run sequences: decode, run, compare; mutation.c mutates and crosses, for
 * libFuzzer here.
 */
#include "driver.h"
#include "harness/host.h"
#include "mutation.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned int seed);

enum {
    FRESH_OPS_MAX = 32, /* operations of a sequence generated anew */
    TEXT_BYTES = (MUTATION_MAX_OPS + 16) * 2 * SEQ_TEXT_MAX,
};

extern const struct rescind_target FUZZ_KERNEL;

static struct {
    struct host_enter host;
    struct harness *harness;
    struct session_counters *counters;
    struct harness_outcome outcome;
    struct mutation mutation;
    struct seq_op ops[MUTATION_MAX_OPS];
    char text[TEXT_BYTES];
} driver;

static struct mutation *seeded(unsigned int seed) {
    driver.mutation.geometry = fuzz_target.geometry;
    driver.mutation.profile = &fuzz_target.profile;
    driver.mutation.fresh_ops = FRESH_OPS_MAX;
    seq_random_seed(&driver.mutation.random, seed);
    return &driver.mutation;
}

static void report_finding(struct seq *seq) {
    snprintf(seq->meta.check, sizeof seq->meta.check, "%s", driver.outcome.signature);
    size_t length = seq_print(seq, driver.text, sizeof driver.text);
    if (length >= sizeof driver.text)
        abort();
    session_finding(driver.outcome.signature, driver.outcome.report, driver.text, length);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    driver.counters = session_start();
    driver.harness = host_harness_new(&driver.host, &FUZZ_KERNEL, fuzz_target.mappings, &oracle_policy_exact);
    if (!driver.harness) {
        fprintf(stderr, "rescind: the target cannot be used\n");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct harness_options options = {.compare = HARNESS_LOG};
    struct seq seq = mutation_decode(fuzz_target.geometry, fuzz_target.profile.cpus, driver.ops, data, size);
    harness_run(driver.harness, &seq, &options, &driver.outcome);
    driver.counters->executions++;
    driver.counters->operations += driver.outcome.executed;
    if (driver.outcome.verdict == HARNESS_FINDING)
        report_finding(&seq);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    enum mutation_kind kind;
    return mutation_next(seeded(seed), data, size, max_size, &kind);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned int seed) {
    return mutation_cross(seeded(seed), a, a_size, b, b_size, out, max_size);
}
