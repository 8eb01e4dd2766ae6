/*
 * A line on the terminal for whatever takes longer than two seconds. Shows nothing where standard error is no terminal.
 */
#ifndef RESCIND_CLI_PROGRESS_H
#define RESCIND_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_TEXT_MAX = 120 };

struct progress {
    int64_t started, drawn; /* milliseconds */
    bool terminal, shown;
    char text[PROGRESS_TEXT_MAX];
};

void progress_start(struct progress *progress);

/* What to show; draws it if it is time to. */
void progress_set(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* To be called now and then while waiting. */
void progress_tick(struct progress *progress);

/* Takes the line away, before anything else is printed. */
void progress_hide(struct progress *progress);

/* A clock that only ever rises. */
int64_t now_milliseconds(void);

#endif
