/*
 * rescind show and rescind pack: the two forms of a sequence.
 */
#include "cli/files.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPTION_RAW = 256, OPTION_GEOMETRY, OPTION_CPUS };

struct arguments {
    struct raw_form form;
    const char *path, *output;
    bool raw;
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_RAW:
        arguments->raw = true;
        return 0;
    case OPTION_GEOMETRY:
        arguments->form.geometry = option_geometry(argument, state)->geometry;
        return 0;
    case OPTION_CPUS:
        arguments->form.cpus = (uint8_t)option_number(argument, "cpus", 1, SEQ_CPUS, state);
        return 0;
    case 'o':
        arguments->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "unexpected argument '%s'", argument);
        arguments->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path)
            argp_usage(state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int command_show(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"raw", OPTION_RAW, NULL, 0, "The file is bare packed operations, as fuzzers keep them", 0},
        {"geometry", OPTION_GEOMETRY, "small|real", 0, "Geometry of bare operations (default: small)", 0},
        {"cpus", OPTION_CPUS, "N", 0, "CPUs that bare operations are run with (default: 1)", 0},
        {0},
    };
    static const struct argp parser = {options, parse, "FILE", "Prints a sequence, text or packed, as canonical text.",
                                       NULL,    NULL,  NULL};
    struct arguments arguments = {.form = {&seq_geometry_small, 1}};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct seq seq;
    if (!sequence_load(&seq, arguments.path, arguments.raw ? &arguments.form : NULL))
        return EXIT_BAD;
    size_t length;
    char *text = sequence_text(&seq, &length);
    fwrite(text, 1, length, stdout);
    free(text);
    sequence_free(&seq);
    return EXIT_AGREE;
}

/* Bare operations: the packed form without its header. */
static size_t pack_operations(const struct seq *seq, uint8_t *bytes) {
    for (uint32_t i = 0; i < seq->count; i++)
        seq_pack_op(seq->geometry, &seq->op[i], bytes + (size_t)i * SEQ_OP_BYTES);
    return (size_t)seq->count * SEQ_OP_BYTES;
}

static bool write_packed(const struct arguments *arguments, const struct seq *seq) {
    size_t size = seq_pack(seq, &(uint8_t){0}, 0);
    uint8_t *bytes = allocate(size);
    size_t length = arguments->raw ? pack_operations(seq, bytes) : seq_pack(seq, bytes, size);
    bool good = file_replace(arguments->output, bytes, length);
    free(bytes);
    return good;
}

static error_t parse_pack(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    if (key == ARGP_KEY_END && arguments->path && !arguments->output)
        argp_error(state, "expected -o FILE");
    return parse(key, argument, state);
}

int command_pack(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"raw", OPTION_RAW, NULL, 0, "Write bare operations without the header, as fuzzers keep them", 0},
        {"output", 'o', "FILE", 0, "Where to write to", 0},
        {0},
    };
    static const struct argp parser = {
        options, parse_pack, "FILE -o FILE", "Writes a sequence in its packed form.", NULL, NULL, NULL};
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct seq seq;
    if (!sequence_load(&seq, arguments.path, NULL))
        return EXIT_BAD;
    bool good = write_packed(&arguments, &seq);
    sequence_free(&seq);
    return good ? EXIT_AGREE : EXIT_BAD;
}
