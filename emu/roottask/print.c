/* See print.h. */
#include "print.h"

#include "kernel.h"

enum { DIGITS_MAX = 24 };

void line_text(struct line *line, const char *text) {
    while (*text && line->length + 1 < LINE_MAX)
        line->text[line->length++] = *text++;
}

void line_number(struct line *line, const char *key, uint64_t number) {
    char digits[DIGITS_MAX];
    size_t first = DIGITS_MAX - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    line_text(line, key);
    line_text(line, &digits[first]);
    line_text(line, " ");
}

void line_end(struct line *line) {
    while (line->length && line->text[line->length - 1] == ' ')
        line->length--;
    line->text[line->length++] = '\n';
    kernel_write(line->text, line->length);
    line->length = 0;
}
