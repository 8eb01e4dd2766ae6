/*
 * Findings that are known already, so that they do not hide new ones.
 *
 * A file of lines SIGNATURE [WORD]: a finding is known if its signature begins so and, where there is a word, it needs
 * an operation in whose text that word stands: without these operations the sequence has no finding. What still fails
 * without them has another cause, whatever its signature is. Lines that begin with # say nothing.
 */
#ifndef RESCIND_CLI_KNOWN_H
#define RESCIND_CLI_KNOWN_H

#include "cli/cli.h"

enum { KNOWN_MAX = 64, KNOWN_WORD_MAX = 48 };

struct known {
    uint32_t count;
    struct {
        char signature[HARNESS_SIGNATURE_MAX], word[KNOWN_WORD_MAX];
        uint32_t seen;
    } line[KNOWN_MAX];
};

/* False: the user was told. */
bool known_load(struct known *known, const char *path);

/* The signature that a sequence fails with, or an empty one. */
typedef void known_run(void *context, const struct seq *seq, char signature[HARNESS_SIGNATURE_MAX]);

/*
 * Whether the finding of a sequence is known; counts it. Where it is not, what is known was taken out of the sequence
 * as far as it fails without, and `signature` is what it fails with then.
 */
bool known_has(struct known *known, struct seq *seq, char signature[HARNESS_SIGNATURE_MAX], known_run *run,
               void *context);

#endif
