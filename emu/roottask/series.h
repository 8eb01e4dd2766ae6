/*
 * Whether runs of one and the same sequence lose kernel memory. What is dead may keep its memory for a while, and more
 * of it after one run than after another, so the least that is in use is compared, over a quarter of the runs each.
 */
#ifndef RESCIND_ROOTTASK_SERIES_H
#define RESCIND_ROOTTASK_SERIES_H

#include <stdint.h>

enum { SERIES_PARTS = 4, SERIES_EARLY = 1, SERIES_LATE = 3 }; /* in the first one things settle */

struct series {
    uint64_t runs, done;
    uint64_t least[SERIES_PARTS];
};

/* Of so many runs, at least SERIES_PARTS. */
static inline void series_start(struct series *series, uint64_t runs) {
    *series = (struct series){.runs = runs};
    for (unsigned part = 0; part < SERIES_PARTS; part++)
        series->least[part] = UINT64_MAX;
}

/* What is in use before the next run. */
static inline void series_note(struct series *series, uint64_t in_use) {
    uint64_t *least = &series->least[series->done++ * SERIES_PARTS / series->runs];
    *least = in_use < *least ? in_use : *least;
}

/* After all runs: what was lost from the second quarter of them to the last, half of the runs later. */
static inline uint64_t series_lost(const struct series *series) {
    uint64_t early = series->least[SERIES_EARLY], late = series->least[SERIES_LATE];
    return late > early ? late - early : 0;
}

#endif
