/*
 * Findings that are known already, so that they do not hide new ones.
 *
 * A file of lines SIGNATURE [WORD]: a finding is known if its signature begins so and, where there is a word, it needs
 * an operation in whose text that word stands: without these operations the sequence has no finding. What still fails
 * without them has another cause, whatever its signature is. The word `in-flight` stands for findings about a unit that
 * operations in progress at the same time took from, as the machine tells that made them. Lines that begin with # say
 * nothing.
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

/* Whether a finding about a unit that operations in flight took from at the same time is known; counts it. */
bool known_in_flight(struct known *known, const char *signature);

/* The signature that a sequence fails with, or an empty one. */
typedef void known_run(void *context, const struct seq *seq, char signature[HARNESS_SIGNATURE_MAX]);

/*
 * Whether the finding of a sequence is known; counts it. Where it is not, what is known was taken out of the sequence
 * as far as it fails without, and `signature` is what it fails with then.
 */
bool known_has(struct known *known, struct seq *seq, char signature[HARNESS_SIGNATURE_MAX], known_run *run,
               void *context);

#endif
