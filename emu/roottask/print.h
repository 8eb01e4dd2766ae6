/*
 * Lines to the host. What does not fit a line is cut.
 */
#ifndef RESCIND_ROOTTASK_PRINT_H
#define RESCIND_ROOTTASK_PRINT_H

#include <stddef.h>
#include <stdint.h>

enum { LINE_MAX = 512 };

struct line {
    size_t length;
    char text[LINE_MAX];
};

void line_text(struct line *line, const char *text);
void line_number(struct line *line, const char *key, uint64_t number); /* "key=number " */
/* Prints it and empties it. */
void line_end(struct line *line);

#endif
