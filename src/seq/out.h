/*
 * Text into a buffer of fixed size: what does not fit is counted, not written. Private to src/seq.
 */
#ifndef RESCIND_SEQ_OUT_H
#define RESCIND_SEQ_OUT_H

#include <stddef.h>
#include <stdint.h>

struct out {
    char *text;
    size_t size, length; /* length may exceed size */
};

void out_char(struct out *out, char c);
void out_text(struct out *out, const char *text);
void out_decimal(struct out *out, uint64_t value);
void out_hex(struct out *out, uint64_t value); /* with 0x */

/* In quotes, cut after 24 bytes, anything but printable ASCII escaped. */
void out_quoted(struct out *out, const char *bytes, size_t length);

/* Terminates with NUL (if there is room for anything) and returns the length needed. */
size_t out_end(struct out *out);

#endif
