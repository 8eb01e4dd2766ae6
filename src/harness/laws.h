/*
 * Laws that revocation obeys, tried on a target without an oracle (semantics, section 4, O14).
 *
 * A try runs a prefix of a sequence and then the operations that a law speaks of, its subjects, in the ways that the
 * law says come to the same, and compares the abstract states of the target with each other. Subjects are operations of
 * the sequence itself, and ones made up from what the target holds at some point. Freestanding; all memory is the
 * caller's.
 */
#ifndef RESCIND_HARNESS_LAWS_H
#define RESCIND_HARNESS_LAWS_H

#include "harness/harness.h"

enum { LAWS = 5, LAW_SUBJECTS = 2 };

struct laws_options {
    uint32_t laws;  /* bit 1 << number of the law (1..5) */
    uint64_t seed;  /* chooses points, and what is made up */
    uint32_t tries; /* of each law: on the sequence's own operations at most so many, and as many made up */
};

/* Counts add up over sequences; the rest is of the last one. Zero it first. */
struct laws_outcome {
    uint64_t tried[LAWS + 1]; /* premises held */
    uint64_t unmet[LAWS + 1]; /* they did not */
    bool broken;              /* a law, or a stopped kernel: */
    uint32_t prefix;          /* operations of the sequence before the subjects */
    uint32_t subjects;
    struct seq_op subject[LAW_SUBJECTS];
    char signature[HARNESS_SIGNATURE_MAX]; /* O14.law-N/<operation shape> */
    char report[HARNESS_REPORT_MAX];
};

struct laws;

/* Bytes for states of at most `runs` runs of mappings; what has more is not judged. */
size_t laws_size(const struct rescind_target *target, uint32_t runs);

/* `memory` is a multiple of HARNESS_ALIGNMENT. NULL: too small, or the target's version is not ours. */
struct laws *laws_init(void *memory, size_t size, const struct rescind_target *target, uint32_t runs,
                       const struct rescind_hooks *hooks, harness_enter *enter, void *enter_context);

/* Tries laws on a sequence until one is broken. */
void laws_check(struct laws *laws, const struct seq *seq, const struct laws_options *options,
                struct laws_outcome *outcome);

#endif
