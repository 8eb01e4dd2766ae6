/*
 * What is done with findings of a kernel on a machine while the search goes on: replayed alone, compared with what is
 * known, shrunk on the machine, and kept in a directory, one file for each signature.
 */
#ifndef RESCIND_CLI_HUNT_H
#define RESCIND_CLI_HUNT_H

#include "cli/known.h"
#include "cli/qemu_replay.h"

enum { HUNT_MAX = 64 };

struct hunt {
    struct qemu *qemu;
    const char *directory;
    uint64_t seed;
    struct known known;
    uint32_t budget;  /* runs that a shrinking may take */
    uint32_t masked;  /* findings that are known */
    uint32_t shy;     /* that do not show when they are replayed alone */
    uint32_t skipped; /* for lack of room */
    uint32_t count;
    struct {
        char signature[HARNESS_SIGNATURE_MAX], path[64];
        uint32_t seen, operations;
    } found[HUNT_MAX];
};

/* Takes a finding: the sequence as text, how it showed, and whether it is about a unit that operations in flight at the
 * same time took from. */
void hunt_take(struct hunt *hunt, const char *text, const char *signature, bool shared);

/* What there is, a line for each signature. */
void hunt_print(const struct hunt *hunt);

#endif
