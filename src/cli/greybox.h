/*
 * Sequences for a machine that are made on the host, guided by what ran: one that reached code of the kernel which none
 * before it had reached is kept in a directory, and most later ones are mutated from those that are kept.
 *
 * What ran is what the plug-in notes (emu/blocks), so it works with any image. The machine is the caller's.
 */
#ifndef RESCIND_CLI_GREYBOX_H
#define RESCIND_CLI_GREYBOX_H

#include "cli/hunt.h"

struct greybox_options {
    const char *directory; /* where they are kept; those that are there are taken up */
    const char *blocks;    /* the plug-in's file */
    uint64_t seed, ops, seconds;
    uint32_t length;
    uint8_t cpus, preempt;
    bool without_drop;
    bool unguided; /* nothing is mutated: to see what that adds */
};

struct greybox_counts {
    uint64_t operations, sequences, probes, lacking;
    uint64_t kept, taken_up;
    uint64_t bytes; /* of the kernel's code that ran, in all runs with that file of blocks */
};

/* Until enough is done; findings go to the hunt. False: the user was told what is wrong. */
bool greybox_run(struct qemu *qemu, struct hunt *hunt, const struct greybox_options *options,
                 struct greybox_counts *counts);

#endif
