/*
 * Fuzz target: raw system-call registers, by any PD, against a kernel in some state.
 *
 * An input is a seed (8 bytes), from which a few operations are generated that put the kernel into some state, and then
 * calls: the PD (1 byte), register 0 (8 bytes, or built from its fields), the others (3 bytes each: small numbers,
 * edges and their negatives).
 */
#include "harness/host.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct rescind_target rescind_target_small;

enum { SETUP_OPS = 24, CALL_BYTES = 1 + 8 + 4 * 3, CALLS_MAX = 16, MAPPINGS = 1 << 14 };

static struct {
    struct host_enter host;
    struct harness *harness;
    struct session_counters *counters;
    struct harness_outcome outcome;
    struct seq_op ops[SETUP_OPS];
    struct seq setup;
    const uint8_t *calls;
    size_t count;
    uint64_t word[CALLS_MAX][ABI_WORDS];
    uint32_t caller[CALLS_MAX];
    char text[(SETUP_OPS + 16) * 2 * SEQ_TEXT_MAX + CALLS_MAX * 128];
} fuzz;

static uint64_t little(const uint8_t *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* A number that may mean something: small, about a power of two, or the negative of such a one. */
static uint64_t number(const uint8_t bytes[3]) {
    uint64_t value = little(bytes, 2) & 0x1ff;
    switch (bytes[2] >> 6) {
    case 0:
        return value;
    case 1:
        return (UINT64_C(1) << (bytes[2] & 63)) + (value & 3) - 1;
    case 2:
        return -value;
    default:
        return value << (bytes[2] & 63);
    }
}

/* Register 0: as it comes, or with the undefined bits clear. */
static uint64_t first_register(const uint8_t bytes[8]) {
    uint64_t word = little(bytes, 8);
    if (bytes[7] & 0x80)
        return word;
    uint64_t operation = 1 + bytes[0] % 8, order = bytes[2] & 15, mask = bytes[3] & 31;
    return operation | (uint64_t)(bytes[1]) << 8 | order << ABI_ORDER_SHIFT | mask << ABI_MASK_SHIFT;
}

static void make_calls(void *context) {
    (void)context;
    enum harness_verdict verdict = HARNESS_AGREE;
    for (size_t i = 0; i < fuzz.count && verdict == HARNESS_AGREE; i++) {
        const uint8_t *bytes = fuzz.calls + i * CALL_BYTES;
        fuzz.caller[i] = bytes[0] % 8;
        fuzz.word[i][0] = first_register(bytes + 1);
        for (unsigned k = 1; k < ABI_WORDS; k++)
            fuzz.word[i][k] = number(bytes + 9 + (size_t)(k - 1) * 3);
        verdict = harness_call(fuzz.harness, ORACLE_ROOT + fuzz.caller[i], fuzz.word[i]);
    }
}

static void report_finding(void) {
    size_t size = sizeof fuzz.text;
    snprintf(fuzz.setup.meta.check, sizeof fuzz.setup.meta.check, "%s", fuzz.outcome.signature);
    size_t length = seq_print(&fuzz.setup, fuzz.text, size);
    for (size_t i = 0; i < fuzz.count && length < size; i++) {
        const uint64_t *w = fuzz.word[i];
        length += (size_t)snprintf(fuzz.text + length, size - length,
                                   "# registers, PD %" PRIu32 ": %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %#" PRIx64
                                   " %#" PRIx64 "\n",
                                   fuzz.caller[i], w[0], w[1], w[2], w[3], w[4]);
    }
    if (length >= size)
        abort();
    session_finding(fuzz.outcome.signature, fuzz.outcome.report, fuzz.text, length);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz.counters = session_start();
    fuzz.harness = host_harness_new(&fuzz.host, &rescind_target_small, MAPPINGS, &oracle_policy_exact);
    if (!fuzz.harness) {
        fprintf(stderr, "rescind: the target cannot be used\n");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct harness_options options = {.compare = HARNESS_LOG, .on_end = make_calls};
    static const struct seq_profile profile;
    struct seq_random random;
    uint8_t seed[8] = {0};
    memcpy(seed, data, size < sizeof seed ? size : sizeof seed);
    fuzz.setup = (struct seq){.geometry = &seq_geometry_small, .op = fuzz.ops, .capacity = SETUP_OPS};
    seq_random_seed(&random, little(seed, sizeof seed));
    seq_generate(&fuzz.setup, &random, &profile, SETUP_OPS);
    fuzz.calls = data + sizeof seed;
    fuzz.count = size > sizeof seed ? (size - sizeof seed) / CALL_BYTES : 0;
    fuzz.count = fuzz.count < CALLS_MAX ? fuzz.count : CALLS_MAX;
    harness_run(fuzz.harness, &fuzz.setup, &options, &fuzz.outcome);
    fuzz.counters->executions++;
    fuzz.counters->operations += fuzz.outcome.executed + fuzz.count;
    if (fuzz.outcome.verdict == HARNESS_FINDING)
        report_finding();
    return 0;
}
