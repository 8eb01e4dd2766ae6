/*
 * Runs sequences on virtual machines, many a boot. Whatever ends a machine early is a finding of the sequence that it
 * was about, and the rest goes on with the next boot.
 */
#ifndef RESCIND_CLI_QEMU_REPLAY_H
#define RESCIND_CLI_QEMU_REPLAY_H

#include "cli/qemu.h"

struct qemu_job {
    const struct seq *seq;
    enum { REPEAT_A_FINDING, REPEAT_ALWAYS, REPEAT_NEVER } repeat; /* see `runs` */
    bool judged;
    struct harness_outcome outcome;
    /* With several CPUs that run at once, where a finding need not show each time: how often it was run again, and how
     * often it showed then. */
    uint32_t runs, shown;
    void (*on_judged)(void *context); /* as soon as the machine told its verdict; or NULL */
    void *context;
};

/* Judges them all; `seed` chooses random probes. */
void qemu_replay(struct qemu *qemu, struct qemu_job *jobs, size_t count, uint64_t seed);

#endif
