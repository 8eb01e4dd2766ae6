/*
 * Lays parts out in memory that the caller gives; without memory it only counts. Private to src/harness.
 */
#ifndef RESCIND_HARNESS_ARENA_H
#define RESCIND_HARNESS_ARENA_H

#include "harness/harness.h"

struct arena {
    unsigned char *base; /* NULL: only counts */
    size_t used;
};

static inline void *take(struct arena *arena, size_t size) {
    void *memory = arena->base ? arena->base + arena->used : NULL;
    arena->used += (size + HARNESS_ALIGNMENT - 1) & ~(size_t)(HARNESS_ALIGNMENT - 1);
    return memory;
}

#endif
