/*
 * AFL++'s custom mutator for targets that run sequences: a shared library that afl-fuzz loads, with the mutation of
 * libFuzzer's build. AFL_CUSTOM_MUTATOR_ONLY=1 belongs with it.
 *
 * An execution costs AFL++ a turn through pipes, which does not depend on the input. So inputs are longer here, and
 * each is changed more than once.
 */
#include "driver.h"
#include "mutation.h"

#include <stdlib.h>
#include <string.h>

void *afl_custom_init(void *afl, unsigned int seed);
void afl_custom_deinit(void *data);
size_t afl_custom_fuzz(void *data, uint8_t *buffer, size_t size, uint8_t **out, uint8_t *other, size_t other_size,
                       size_t max_size);
const char *afl_custom_describe(void *data, size_t most);
int32_t afl_custom_init_trim(void *data, uint8_t *buffer, size_t size);
size_t afl_custom_trim(void *data, uint8_t **out);
int32_t afl_custom_post_trim(void *data, unsigned char success);

enum {
    FRESH_OPS_MAX = 128, /* operations of a sequence generated anew */
    CROSS_ONE_IN = 4,    /* of inputs, with another of the queue */
    ROUNDS_MAX = 4,      /* changes to one input */
    TRIMS_MAX = 512,     /* tries to shorten one input */
    NAME_MAX_LENGTH = 32,
};

struct mutator {
    struct mutation mutation;
    uint8_t input[MUTATION_MAX_BYTES], trimmed[MUTATION_MAX_BYTES];
    char name[NAME_MAX_LENGTH];
    /* Trimming: `input` without `chunk` operations from `at` on is tried next. */
    size_t size;
    uint32_t chunk, at;
    int32_t tries;
};

static uint32_t below(struct mutator *mutator, uint32_t bound) {
    return (uint32_t)seq_random_below(&mutator->mutation.random, bound);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static void add_name(struct mutator *mutator, const char *name) {
    size_t length = strlen(mutator->name), more = strlen(name);
    if (length > 0 && length + 1 + more < sizeof mutator->name)
        mutator->name[length++] = '-';
    if (length + more < sizeof mutator->name)
        memcpy(mutator->name + length, name, more + 1);
}

/* What trimming would leave out, in bytes; never everything. */
static size_t trimmed_away(const struct mutator *mutator) {
    size_t at = (size_t)mutator->at * SEQ_OP_BYTES;
    size_t away = least((size_t)mutator->chunk * SEQ_OP_BYTES, mutator->size - at);
    return away < mutator->size ? away : mutator->size - SEQ_OP_BYTES;
}

void *afl_custom_init(void *afl, unsigned int seed) {
    (void)afl;
    struct mutator *mutator = calloc(1, sizeof *mutator);
    if (!mutator)
        return NULL;
    mutator->mutation.geometry = fuzz_target.geometry;
    mutator->mutation.profile = &fuzz_target.profile;
    mutator->mutation.fresh_ops = FRESH_OPS_MAX;
    seq_random_seed(&mutator->mutation.random, seed);
    return mutator;
}

void afl_custom_deinit(void *data) {
    free(data);
}

size_t afl_custom_fuzz(void *data, uint8_t *buffer, size_t size, uint8_t **out, uint8_t *other, size_t other_size,
                       size_t max_size) {
    static const char *const names[] = {[MUTATION_BYTES] = "bytes", [MUTATION_OPS] = "ops", [MUTATION_FRESH] = "fresh"};
    struct mutator *mutator = data;
    uint8_t *input = mutator->input;
    max_size = least(max_size, sizeof mutator->input);
    size = least(size, max_size);
    mutator->name[0] = '\0';
    *out = input;
    enum mutation_kind kind = MUTATION_OPS;
    if (other && other_size > 0 && below(mutator, CROSS_ONE_IN) == 0) {
        size = mutation_cross(&mutator->mutation, buffer, size, other, other_size, input, max_size);
        add_name(mutator, "cross");
    } else {
        memcpy(input, buffer, size);
        size = mutation_next(&mutator->mutation, input, size, max_size, &kind);
        add_name(mutator, names[kind]);
    }
    for (uint32_t i = 1; i < ROUNDS_MAX && kind != MUTATION_FRESH && below(mutator, 2); i++) {
        size = mutation_change(&mutator->mutation, input, size, max_size, &kind);
        add_name(mutator, names[kind]);
    }
    return size;
}

/* For the name of the file that keeps an input. */
const char *afl_custom_describe(void *data, size_t most) {
    struct mutator *mutator = data;
    if (most > 0 && most < sizeof mutator->name)
        mutator->name[most - 1] = '\0';
    return mutator->name;
}

int32_t afl_custom_init_trim(void *data, uint8_t *buffer, size_t size) {
    struct mutator *mutator = data;
    mutator->size = least(size, sizeof mutator->input);
    memcpy(mutator->input, buffer, mutator->size);
    mutator->chunk = (uint32_t)(mutator->size / SEQ_OP_BYTES + 1) / 2;
    mutator->at = 0;
    mutator->tries = 0;
    return mutator->size > SEQ_OP_BYTES ? TRIMS_MAX : 0;
}

size_t afl_custom_trim(void *data, uint8_t **out) {
    struct mutator *mutator = data;
    size_t at = (size_t)mutator->at * SEQ_OP_BYTES, away = trimmed_away(mutator);
    memcpy(mutator->trimmed, mutator->input, at);
    memcpy(mutator->trimmed + at, mutator->input + at + away, mutator->size - at - away);
    *out = mutator->trimmed;
    return mutator->size - away;
}

/* Returns the number of tries so far; TRIMS_MAX ends it. */
int32_t afl_custom_post_trim(void *data, unsigned char success) {
    struct mutator *mutator = data;
    if (success) {
        mutator->size -= trimmed_away(mutator);
        memcpy(mutator->input, mutator->trimmed, mutator->size);
    } else {
        mutator->at += mutator->chunk;
    }
    if ((size_t)mutator->at * SEQ_OP_BYTES >= mutator->size) {
        mutator->at = 0;
        mutator->chunk /= 2;
    }
    bool done = mutator->chunk == 0 || mutator->size <= SEQ_OP_BYTES;
    mutator->tries++;
    return done ? TRIMS_MAX : mutator->tries;
}
