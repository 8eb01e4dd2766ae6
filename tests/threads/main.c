/*
 * threads [--threads=N] [--rounds=N] [--seed=N] [--seconds=N]: N rounds of operations on N CPUs that are threads.
 *
 * They run in a child, so that what a sanitizer says, and a hang, become findings like any other: FINDING and a
 * signature. Exit status: 0 nothing was found, 1 something was, 2 usage error or unable.
 */
#include "cli/sanitizer.h"
#include "threads.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOUND = 1, UNABLE = 2, TEXT_MAX = 1 << 16 };

static const char usage[] = "usage: threads [--threads=2..4] [--rounds=N] [--seed=N] [--seconds=N]\n";

/* ---- the child ---- */

static int run(const struct test *as) {
    static struct test test;
    uint64_t calls = 0, done = 0, accesses = 0;
    test = *as;
    test_run(&test);
    for (uint32_t i = 0; i < test.threads; i++) {
        calls += test.worker[i].calls;
        done += test.worker[i].done;
        accesses += test.worker[i].accesses;
    }
    printf("%u threads, seed %llu: %llu calls, %llu OK, %llu accesses, %llu shootdowns, %llu times let others in\n",
           test.threads, (unsigned long long)test.seed, (unsigned long long)calls, (unsigned long long)done,
           (unsigned long long)accesses, (unsigned long long)test.shootdowns, (unsigned long long)test.handed);
    return 0;
}

/* ---- the parent ---- */

/* Reads what the child says until its end. False: it took too long. */
static bool read_all(int from, char text[TEXT_MAX], uint32_t seconds) {
    size_t used = 0;
    time_t end = time(NULL) + (time_t)seconds;
    for (;;) {
        struct pollfd poll_from = {.fd = from, .events = POLLIN};
        time_t now = time(NULL);
        if (now >= end)
            return false;
        if (poll(&poll_from, 1, (int)(end - now) * 1000) <= 0)
            continue;
        char scrap[4096];
        bool full = used + 1 >= TEXT_MAX;
        ssize_t got = read(from, full ? scrap : text + used, full ? sizeof scrap : TEXT_MAX - 1 - used);
        if (got <= 0)
            return true;
        used += full ? 0 : (size_t)got;
        text[used] = '\0';
    }
}

static int tell(bool ended, int status, const char *text) {
    static const char found[] = "FINDING ";
    char signature[HARNESS_SIGNATURE_MAX];
    if (!ended) {
        printf("%sO10.progress/threads/watchdog\n%s", found, text);
        return FOUND;
    }
    if (sanitizer_signature(text, "threads", signature, sizeof signature)) {
        printf("%s%s\n%s", found, signature, text);
        return FOUND;
    }
    fputs(text, stdout);
    if (WIFSIGNALED(status)) {
        printf("%sO8.crash/threads/signal %d\n", found, WTERMSIG(status));
        return FOUND;
    }
    return WEXITSTATUS(status);
}

static int watch(const struct test *test, uint32_t seconds) {
    static char text[TEXT_MAX];
    int ends[2], status = 0;
    if (pipe(ends)) {
        perror("pipe");
        return UNABLE;
    }
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return UNABLE;
    }
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        exit(run(test));
    }
    close(ends[1]);
    bool ended = read_all(ends[0], text, seconds);
    if (!ended)
        kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return tell(ended, status, text);
}

static bool number(const char *argument, const char *name, uint64_t low, uint64_t high, uint64_t *value) {
    size_t length = strlen(name);
    char *end = NULL;
    if (strncmp(argument, name, length) != 0)
        return false;
    *value = strtoull(argument + length, &end, 10);
    return *end == '\0' && argument[length] != '\0' && *value >= low && *value <= high;
}

int main(int count, char **arguments) {
    static struct test test;
    uint64_t threads = THREADS_MAX, rounds = 100, seed = 1, seconds = 120;
    for (int i = 1; i < count; i++) {
        bool known = number(arguments[i], "--threads=", 2, THREADS_MAX, &threads) ||
                     number(arguments[i], "--rounds=", 1, UINT32_MAX, &rounds) ||
                     number(arguments[i], "--seed=", 0, UINT32_MAX, &seed) ||
                     number(arguments[i], "--seconds=", 1, 100000, &seconds);
        if (!known) {
            fputs(usage, stderr);
            return UNABLE;
        }
    }
    test.threads = (uint32_t)threads;
    test.rounds = (uint32_t)rounds;
    test.seed = seed;
    return watch(&test, (uint32_t)seconds);
}
