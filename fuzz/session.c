/*
 * Counters, known signatures and findings of a fuzz target.
 */
#include "session.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SESSION_REPORT_MAX = 8192 };

static struct {
    struct session_counters own;
    struct session_counters *counters;
    char *known;   /* contents of RESCIND_KNOWN with a newline in front, or NULL */
    uint64_t *met; /* how often each of its lines was met, or NULL */
} session;

static _Noreturn void give_up(const char *what) {
    perror(what);
    exit(2);
}

static void *map_file(const char *path, size_t size) {
    int file = open(path, O_RDWR | O_CREAT, 0666);
    if (file < 0 || ftruncate(file, (off_t)size) != 0)
        give_up(path);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        give_up(path);
    close(file);
    return map;
}

static char *read_known(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        give_up(path);
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 2);
    if (!text)
        give_up(path);
    text[0] = '\n';
    text[1 + fread(text + 1, 1, (size_t)size, file)] = '\0';
    fclose(file);
    return text;
}

static size_t count_lines(const char *lines) {
    size_t count = 0;
    for (const char *at = lines; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

/* The number of a line, from 0, or -1. */
static ptrdiff_t find_line(const char *lines, const char *line) {
    size_t length = strlen(line);
    ptrdiff_t number = 0;
    for (const char *at = lines; (at = strchr(at, '\n')); at++, number++)
        if (strncmp(at + 1, line, length) == 0 && at[1 + length] == '\n')
            return number;
    return -1;
}

static bool is_known(const char *signature) {
    if (!session.known)
        return false;
    ptrdiff_t line = find_line(session.known, signature);
    if (line < 0)
        line = find_line(session.known, "*");
    if (line >= 0 && session.met)
        session.met[line]++;
    return line >= 0;
}

static uint64_t hash(const char *text) {
    uint64_t value = 0xcbf29ce484222325; /* FNV-1a */
    for (; *text; text++)
        value = (value ^ (uint8_t)*text) * 0x100000001b3;
    return value;
}

static void write_file(const char *path, const char *text, size_t length) {
    FILE *file = fopen(path, "w");
    if (!file || fwrite(text, 1, length, file) != length || fclose(file) != 0)
        give_up(path);
}

/* The report comes last and at one stroke: where it is, everything is. */
static void write_finding(const char *signature, const char *report, const char *text, size_t length) {
    char path[4096], unfinished[4096], all[SESSION_REPORT_MAX];
    const char *directory = getenv("RESCIND_FINDINGS");
    snprintf(path, sizeof path, "%s/%016" PRIx64 ".rsq", directory ? directory : ".", hash(signature));
    write_file(path, text, length);
    fprintf(stderr, "rescind: wrote %s\n", path);
    if (!directory) /* started by hand, which has seen the report */
        return;
    snprintf(unfinished, sizeof unfinished, "%s/%016" PRIx64 ".unfinished", directory, hash(signature));
    snprintf(path, sizeof path, "%s/%016" PRIx64 ".txt", directory, hash(signature));
    snprintf(all, sizeof all, "%s\n%s\n", signature, report);
    write_file(unfinished, all, strlen(all));
    if (rename(unfinished, path) != 0)
        give_up(path);
}

static void print_operations(void) {
    printf("rescind: operations=%" PRIu64 "\n", session.counters->operations);
}

struct session_counters *session_start(void) {
    const char *counters = getenv("RESCIND_COUNTERS");
    const char *known = getenv("RESCIND_KNOWN");
    const char *met = getenv("RESCIND_MET");
    session.counters = counters ? map_file(counters, sizeof(struct session_counters)) : &session.own;
    session.known = known ? read_known(known) : NULL;
    session.met = known && met ? map_file(met, count_lines(session.known) * sizeof(uint64_t)) : NULL;
    atexit(print_operations);
    return session.counters;
}

void session_finding(const char *signature, const char *report, const char *text, size_t length) {
    if (is_known(signature))
        return;
    fprintf(stderr, "rescind: finding %s\n%s\n", signature, report);
    write_finding(signature, report, text, length);
    abort();
}
