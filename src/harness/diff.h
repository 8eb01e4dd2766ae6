/*
 * Two builds of a kernel on the same sequence: results and abstract states after every operation must be equal.
 *
 * Needs no oracle: it says whether a change of a kernel can be seen, not which of the two is right. Freestanding; all
 * memory is the caller's.
 */
#ifndef RESCIND_HARNESS_DIFF_H
#define RESCIND_HARNESS_DIFF_H

#include "harness/harness.h"

enum { DIFF_SIDES = 2 };

/* One of the two. `hooks` must be what `enter` understands. */
struct diff_side {
    const struct rescind_target *target;
    const struct rescind_hooks *hooks;
    harness_enter *enter;
    void *enter_context;
};

enum diff_verdict {
    DIFF_EQUAL,
    DIFF_DIFFERENT,
    DIFF_TOO_LARGE, /* a state did not fit, nothing is said about the rest */
};

struct diff_outcome {
    enum diff_verdict verdict;
    uint32_t executed;                     /* operations done on both, the differing one included */
    char signature[HARNESS_SIGNATURE_MAX]; /* diff/<operation shape>/<what differs> */
    char report[HARNESS_REPORT_MAX];
};

struct diff;

/* Bytes for states of at most `runs` runs of mappings; `side`: both sides. */
size_t diff_size(const struct diff_side *side, uint32_t runs);

/* `memory` is a multiple of HARNESS_ALIGNMENT. NULL: too small, a target's version is not ours, or the two have not the
 * same geometry and kinds, or are the same kernel. */
struct diff *diff_init(void *memory, size_t size, const struct diff_side *side, uint32_t runs);

/* Runs a sequence on both. Where both kernels stop for the same reason they are equal, and the sequence ends. */
void diff_run(struct diff *diff, const struct seq *seq, struct diff_outcome *outcome);

#endif
