/*
 * Text into a buffer of fixed size.
 */
#include "out.h"

enum { QUOTE_MAX = 24 };

static const char digits[] = "0123456789abcdef";

static void out_number(struct out *out, uint64_t value, unsigned base) {
    char text[20];
    unsigned count = 0;
    do {
        text[count++] = digits[value % base];
        value /= base;
    } while (value);
    while (count)
        out_char(out, text[--count]);
}

void out_char(struct out *out, char c) {
    if (out->length < out->size)
        out->text[out->length] = c;
    out->length++;
}

void out_text(struct out *out, const char *text) {
    while (*text)
        out_char(out, *text++);
}

void out_decimal(struct out *out, uint64_t value) {
    out_number(out, value, 10);
}

void out_hex(struct out *out, uint64_t value) {
    out_text(out, "0x");
    out_number(out, value, 16);
}

void out_quoted(struct out *out, const char *bytes, size_t length) {
    out_char(out, '\'');
    for (size_t i = 0; i < length && i < QUOTE_MAX; i++) {
        uint8_t byte = (uint8_t)bytes[i];
        if (byte >= ' ' && byte < 0x7f) {
            out_char(out, bytes[i]);
            continue;
        }
        out_text(out, "\\x");
        out_char(out, digits[byte >> 4]);
        out_char(out, digits[byte & 15]);
    }
    out_text(out, length > QUOTE_MAX ? "...'" : "'");
}

size_t out_end(struct out *out) {
    if (out->size)
        out->text[out->length < out->size ? out->length : out->size - 1] = '\0';
    return out->length;
}
