/*
 * Fuzz target: the sequence formats. What parses is printed and parsed again, and packed and unpacked again; both must
 * give the same sequence back.
 */
#include "seq/seq.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_BYTES = SEQ_MAX_OPS * SEQ_TEXT_MAX, PACKED_BYTES = (SEQ_MAX_OPS + 1) * SEQ_OP_BYTES };

static struct {
    struct session_counters *counters;
    struct seq_op ops[2][SEQ_MAX_OPS];
    char text[2][TEXT_BYTES];
    uint8_t packed[PACKED_BYTES];
} state;

static struct seq empty_sequence(unsigned int slot) {
    return (struct seq){.geometry = &seq_geometry_small, .op = state.ops[slot], .capacity = SEQ_MAX_OPS};
}

static size_t print(const struct seq *seq, unsigned int slot) {
    size_t length = seq_print(seq, state.text[slot], TEXT_BYTES);
    if (length >= TEXT_BYTES)
        abort();
    return length;
}

static bool prints_as(const struct seq *seq, size_t length) {
    return print(seq, 1) == length && memcmp(state.text[0], state.text[1], length) == 0;
}

static bool text_is_identity(size_t length) {
    struct seq again = empty_sequence(1);
    struct seq_error error;
    return seq_parse(&again, state.text[0], length, &error) && prints_as(&again, length);
}

/* The packed form has no header lines. */
static bool packing_is_identity(const struct seq *seq) {
    struct seq bare = *seq;
    bare.meta = (struct seq_meta){0};
    size_t length = print(&bare, 0);
    size_t size = seq_pack(&bare, state.packed, sizeof state.packed);
    struct seq again = empty_sequence(1);
    if (size > sizeof state.packed)
        return false;
    seq_unpack(&again, state.packed, size);
    return prints_as(&again, length);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    state.counters = session_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct seq seq = empty_sequence(0);
    struct seq_error error;
    state.counters->executions++;
    if (!seq_parse(&seq, (const char *)data, size, &error))
        return 0;
    if (!text_is_identity(print(&seq, 0)))
        session_finding("text.print/parse", "what was printed does not parse to the same sequence", (const char *)data,
                        size);
    if (!packing_is_identity(&seq))
        session_finding("text.pack/unpack", "what was packed does not unpack to the same sequence", (const char *)data,
                        size);
    return 0;
}
