/*
 * The engine's entry points for targets that run sequences: decode, run, compare; mutate and cross by operations.
 *
 * Inputs are packed operations without a file header; any bytes are a sequence.
 */
#include "driver.h"
#include "harness/host.h"
#include "session.h"

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
    FRESH_ONE_IN = 2,   /* mutations that start over: a guided search alone stays too long where it was */
    RAW_ONE_IN = 8,     /* mutations and crossings of bytes, not of operations */
    SEQUENCES = 3,
};

/* Where inputs come from: the value of RESCIND_MUTATOR, read once at the start. All but the first are there to be
 * compared with it (scripts/bench-search). */
enum mutation {
    MUTATE_OPERATIONS, /* the default: fresh sequences, and mutation and crossing of operations */
    MUTATE_RAW,        /* the engine's own mutations of bytes, and nothing else */
    MUTATE_GENERATE,   /* each time a fresh sequence, whatever the engine holds */
    MUTATIONS,
};

static struct {
    enum mutation mutation;
    struct host_enter host;
    struct harness *harness;
    struct session_counters *counters;
    struct harness_outcome outcome;
    struct seq_op ops[SEQUENCES][FUZZ_MAX_OPS + 1];
    char text[(FUZZ_MAX_OPS + 16) * 2 * SEQ_TEXT_MAX];
} driver;

static struct seq sequence_in(unsigned int slot) {
    return (struct seq){.geometry = fuzz_target.geometry,
                        .op = driver.ops[slot],
                        .capacity = FUZZ_MAX_OPS,
                        .cpus = fuzz_target.profile.cpus};
}

static struct seq decode(unsigned int slot, const uint8_t *data, size_t size) {
    struct seq seq = sequence_in(slot);
    size_t most = (size_t)FUZZ_MAX_OPS * SEQ_OP_BYTES;
    seq_unpack_ops(&seq, data, size < most ? size : most);
    return seq;
}

static size_t encode(const struct seq *seq, uint8_t *data) {
    for (uint32_t i = 0; i < seq->count; i++)
        seq_pack_op(seq->geometry, &seq->op[i], data + (size_t)i * SEQ_OP_BYTES);
    return (size_t)seq->count * SEQ_OP_BYTES;
}

static uint32_t ops_in(size_t bytes) {
    size_t ops = bytes / SEQ_OP_BYTES;
    return ops < FUZZ_MAX_OPS ? (uint32_t)ops : FUZZ_MAX_OPS;
}

static void report_finding(struct seq *seq) {
    snprintf(seq->meta.check, sizeof seq->meta.check, "%s", driver.outcome.signature);
    size_t length = seq_print(seq, driver.text, sizeof driver.text);
    if (length >= sizeof driver.text)
        abort();
    session_finding(driver.outcome.signature, driver.outcome.report, driver.text, length);
}

static enum mutation chosen_mutation(const char *wanted) {
    static const char *const names[MUTATIONS] = {"operations", "raw", "generate"};
    unsigned int at = 0;
    while (wanted && at < MUTATIONS && strcmp(wanted, names[at]) != 0)
        at++;
    if (at == MUTATIONS) {
        fprintf(stderr, "rescind: RESCIND_MUTATOR is operations, raw or generate, not %s\n", wanted);
        exit(2);
    }
    return (enum mutation)at;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    driver.mutation = chosen_mutation(getenv("RESCIND_MUTATOR"));
    driver.counters = session_start();
    driver.harness = host_harness_new(&driver.host, fuzz_target.kernel, fuzz_target.mappings, &oracle_policy_exact);
    if (!driver.harness) {
        fprintf(stderr, "rescind: the target cannot be used\n");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct harness_options options = {.compare = HARNESS_LOG};
    struct seq seq = decode(0, data, size);
    harness_run(driver.harness, &seq, &options, &driver.outcome);
    driver.counters->executions++;
    driver.counters->operations += driver.outcome.executed;
    if (driver.outcome.verdict == HARNESS_FINDING)
        report_finding(&seq);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    struct seq_random random;
    seq_random_seed(&random, seed);
    uint32_t max_ops = ops_in(max_size);
    bool generates = driver.mutation == MUTATE_GENERATE;
    if (max_ops == 0 || driver.mutation == MUTATE_RAW ||
        (!generates && size > 0 && seq_random_below(&random, RAW_ONE_IN) == 0))
        return LLVMFuzzerMutate(data, size, max_size);
    struct seq seq = decode(0, data, size);
    if (generates || seq.count == 0 || seq_random_below(&random, FRESH_ONE_IN) == 0) {
        uint32_t most = max_ops < FRESH_OPS_MAX ? max_ops : FRESH_OPS_MAX;
        seq_generate(&seq, &random, &fuzz_target.profile, 1 + (uint32_t)seq_random_below(&random, most));
    } else {
        seq_mutate(&seq, &random, &fuzz_target.profile, max_ops);
    }
    return encode(&seq, data);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max_size, unsigned int seed) {
    struct seq_random random;
    seq_random_seed(&random, seed);
    uint32_t max_ops = ops_in(max_size);
    if (max_ops == 0 || driver.mutation != MUTATE_OPERATIONS)
        return 0; /* the engine takes another mutation */
    struct seq first = decode(0, a, a_size);
    struct seq second = decode(1, b, b_size);
    struct seq crossed = sequence_in(2);
    seq_crossover(&crossed, &first, &second, &random, max_ops);
    return encode(&crossed, out);
}
