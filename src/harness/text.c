/*
 * A bounded appender of text.
 */
#include "harness/internal.h"

void text_init(struct text *text, char *buffer, size_t size) {
    *text = (struct text){.at = buffer, .size = size};
    buffer[0] = '\0';
}

void text_add(struct text *text, const char *string) {
    while (*string && text->length + 1 < text->size)
        text->at[text->length++] = *string++;
    text->at[text->length] = '\0';
}

static void add_digits(struct text *text, uint64_t number, unsigned base) {
    char digits[24];
    size_t first = sizeof(digits) - 1;
    digits[first] = '\0';
    do {
        digits[--first] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    text_add(text, &digits[first]);
}

void text_hex(struct text *text, uint64_t number) {
    text_add(text, "0x");
    add_digits(text, number, 16);
}

void text_number(struct text *text, uint64_t number) {
    add_digits(text, number, 10);
}
