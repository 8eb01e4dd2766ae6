/*
 * The parts of the log comparison. Not for anyone else.
 */
#ifndef RESCIND_HARNESS_DETECT_H
#define RESCIND_HARNESS_DETECT_H

#include "harness/internal.h"

/* One log comparison in progress. */
struct detector {
    struct harness *harness;
    struct mirror *mirror;
    struct rescind_log log;
    const char *seen; /* the first difference, or NULL */
};

static inline void see(struct detector *detector, const char *what) {
    if (!detector->seen)
        detector->seen = what;
}

/* Compares the links of a node that was logged, alive or not. */
void detect_links(struct detector *detector, uint32_t index);

#endif
