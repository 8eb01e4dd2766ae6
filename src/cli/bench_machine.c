/*
 * The benches of revocation on a booted kernel: one boot for each alternative, measured by the root task itself.
 */
#include "cli/bench.h"
#include "cli/qemu.h"
#include "roottask/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_BYTES = 128, TEXT_BYTES = 256 };

static const char *after(const char *line, const char *word) {
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static void read_figures(const char *line, struct bench_figures *figures) {
    const struct {
        const char *key;
        uint64_t *value;
    } fields[] = {
        {"lost=", &figures->lost},           {"faults=", &figures->faults},       {"calls=", &figures->calls},
        {"steps=", &figures->steps},         {"naming=", &figures->naming_steps}, {"time=", &figures->time},
        {"nodes=", &figures->nodes},         {"bytes=", &figures->bytes},         {"give-steps=", &figures->give_steps},
        {"give-time=", &figures->give_time},
    };
    for (const char *word = line; word; word = strchr(word, ' ')) {
        word += strspn(word, " ");
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            const char *number = after(word, fields[i].key);
            if (number)
                *fields[i].value = strtoull(number, NULL, 10);
        }
    }
}

void bench_measure_on_qemu(struct qemu *qemu, uint32_t alternative, uint64_t programs, uint64_t pages,
                           struct bench_figures *figures) {
    char command[COMMAND_BYTES], how[64], last[TEXT_BYTES] = "";
    bool measured = false;
    int status;
    *figures = (struct bench_figures){0};
    snprintf(command, sizeof command, "bench alternative=%u programs=%" PRIu64 " order=%d", alternative, programs,
             __builtin_ctzll(pages));
    qemu_start(qemu, command, NULL, 0, qemu->options->cpus ? qemu->options->cpus : 1, true);
    for (const char *line = qemu_line(qemu); line; line = qemu_line(qemu)) {
        const char *rest = after(line, PROTOCOL_BENCH);
        if (rest)
            read_figures(rest, figures);
        measured |= rest != NULL;
        if (!after(line, PROTOCOL_DONE))
            snprintf(last, sizeof last, "%s", line);
    }
    if (qemu_end(qemu, &status, how) == QEMU_EXITED && status == ROOT_DONE && measured)
        return;
    complain("%s, %" PRIu64 " programs, %" PRIu64 " pages: %s", bench_rom_alternatives[alternative].name, programs,
             pages, last[0] ? last : how);
    qemu_close(qemu);
    exit(status == ROOT_TOO_LARGE ? EXIT_BAD : EXIT_FINDING);
}
