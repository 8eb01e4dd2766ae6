/*
 * A line on the terminal for whatever takes longer than two seconds.
 */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MILLISECONDS = 2000, AGAIN_MILLISECONDS = 200 };

int64_t now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_start(struct progress *progress) {
    *progress = (struct progress){.started = now_milliseconds(), .terminal = isatty(STDERR_FILENO)};
}

void progress_set(struct progress *progress, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(progress->text, sizeof progress->text, format, arguments);
    va_end(arguments);
    progress_tick(progress);
}

void progress_tick(struct progress *progress) {
    if (!progress->terminal)
        return;
    int64_t now = now_milliseconds();
    if (now - progress->started < FIRST_MILLISECONDS || now - progress->drawn < AGAIN_MILLISECONDS)
        return;
    fflush(stdout);
    fprintf(stderr, "\r\033[K%s (%lld s)", progress->text, (long long)(now - progress->started) / 1000);
    fflush(stderr);
    progress->drawn = now;
    progress->shown = true;
}

void progress_hide(struct progress *progress) {
    if (progress->shown)
        fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
