/*
 * Runs a sequence with many schedules, until one of them shows a finding; that one is written down, and reproduces the
 * finding by itself.
 */
#ifndef RESCIND_CLI_EXPLORE_H
#define RESCIND_CLI_EXPLORE_H

#include "cli/cli.h"
#include "cli/unicorn.h"

struct explore_options {
    enum harness_compare compare;
    uint64_t seed;
    uint32_t timeout;     /* seconds, as of worker_new */
    uint32_t preemptions; /* all schedules with at most so many */
    uint32_t depth;       /* or, if not 0, `count` random ones by PCT for defects of that depth */
    uint64_t count;
    bool json;
    const char *path;   /* of the sequence, for messages */
    const char *output; /* where a finding goes to, or NULL */
};

/* Says what came of it, and returns the exit status. The sequence has operations but no schedules; afterwards it is the
 * one that shows the finding, if there is one. */
int explore(const struct explore_options *options, const struct cli_target *target, struct seq *seq);

enum { EXPLORE_CALLS_MAX = 64 };

struct explore_image_options {
    struct unicorn_options unicorn;
    uint32_t first, last; /* system calls to be preempted, of the first EXPLORE_CALLS_MAX */
};

/* The same for the kernel's machine code: instead of schedules, each system call is preempted at each of its stores. */
int explore_image(const struct explore_image_options *options, const struct seq *seq);

#endif
