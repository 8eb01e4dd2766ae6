/*
 * The engine's entry points for targets that run sequences: decode, run, compare; mutation.c mutates and crosses, for
 * libFuzzer here.
 */
#include "driver.h"
#include "harness/host.h"
#include "moments.h"
#include "mutation.h"
#include "session.h"
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned int seed);

enum {
    FRESH_OPS_MAX = 32, /* operations of a sequence generated anew */
    AIMED_ONE_IN = 2,   /* inputs of targets that preempt */
    TEXT_BYTES = (MUTATION_MAX_OPS + 16) * 2 * SEQ_TEXT_MAX,
};

/* Where libFuzzer's inputs come from: the value of RESCIND_MUTATOR, read once at the start. All but the first are there
 * to be compared with it (scripts/bench-search). */
enum inputs {
    INPUTS_OPERATIONS, /* the default, of mutation.c */
    INPUTS_RAW,        /* the engine's own mutations of bytes, and nothing else */
    INPUTS_GENERATE,   /* each time a fresh sequence, whatever the engine holds */
    INPUTS_KINDS,
};

static struct {
    enum inputs inputs;
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

static enum inputs chosen_inputs(const char *wanted) {
    static const char *const names[INPUTS_KINDS] = {"operations", "raw", "generate"};
    unsigned int at = 0;
    while (wanted && at < INPUTS_KINDS && strcmp(wanted, names[at]) != 0)
        at++;
    if (at == INPUTS_KINDS) {
        fprintf(stderr, "rescind: RESCIND_MUTATOR is operations, raw or generate, not %s\n", wanted);
        exit(2);
    }
    return (enum inputs)at;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    trial_start(*argc, *argv);
    driver.inputs = chosen_inputs(getenv("RESCIND_MUTATOR"));
    driver.counters = session_start();
    driver.harness = host_harness_new(&driver.host, fuzz_kernel(), fuzz_target.mappings, &oracle_policy_exact);
    if (!driver.harness) {
        fprintf(stderr, "rescind: the target cannot be used\n");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct harness_options atomic = {.compare = HARNESS_LOG};
    static const struct harness_options scheduled = {
        .compare = HARNESS_LOG, .on_start = moments_start, .on_step = moments_step};
    struct seq seq = mutation_decode(fuzz_target.geometry, fuzz_target.profile.cpus, driver.ops, data, size);
    harness_run(driver.harness, &seq, fuzz_target.profile.preempt ? &scheduled : &atomic, &driver.outcome);
    driver.counters->executions++;
    driver.counters->operations += driver.outcome.executed;
    if (driver.outcome.verdict == HARNESS_FINDING)
        report_finding(&seq);
    return 0;
}

static void aim_some(struct mutation *mutation, uint8_t *data, size_t size) {
    if (!fuzz_target.profile.preempt || fuzz_target.profile.points || seq_random_below(&mutation->random, AIMED_ONE_IN))
        return;
    struct seq seq = mutation_decode(mutation->geometry, mutation->profile->cpus, driver.ops, data, size);
    trial_aim(driver.harness, &seq, &mutation->random);
    mutation_encode(&seq, data);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    struct mutation *mutation = seeded(seed);
    enum mutation_kind kind;
    if (driver.inputs == INPUTS_RAW)
        return LLVMFuzzerMutate(data, size, max_size);
    if (driver.inputs == INPUTS_GENERATE)
        size = 0; /* nothing to change: a fresh sequence */
    size = mutation_next(mutation, data, size, max_size, &kind);
    if (kind != MUTATION_BYTES)
        aim_some(mutation, data, size);
    return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned int seed) {
    if (driver.inputs != INPUTS_OPERATIONS)
        return 0; /* the engine takes another mutation */
    return mutation_cross(seeded(seed), a, a_size, b, b_size, out, max_size);
}
