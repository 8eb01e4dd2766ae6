/*
 * Kernel memory: fixed pools of equal objects. A released object is poisoned, so that a store to it is found when it is
 * taken again; a second release is found at once.
 */
#ifndef RESCIND_KMEM_H
#define RESCIND_KMEM_H

#include <stdbool.h>
#include <stdint.h>

struct pool {
    unsigned char *memory;
    uint32_t *freed;   /* stack of released objects */
    uint8_t *in_use;   /* one byte an object */
    uint32_t bytes;    /* size of an object */
    uint32_t capacity; /* objects */
    uint32_t fresh;    /* objects below were taken since boot: those that are free hold poison */
    uint32_t freed_count, used;
    bool booted;
};

/* Declares a pool of the objects of an array. */
#define POOL(name, array)                                                                                              \
    static uint32_t name##_freed[sizeof(array) / sizeof *(array)];                                                     \
    static uint8_t name##_in_use[sizeof(array) / sizeof *(array)];                                                     \
    static struct pool name = {                                                                                        \
        .memory = (unsigned char *)(array),                                                                            \
        .freed = name##_freed,                                                                                         \
        .in_use = name##_in_use,                                                                                       \
        .bytes = sizeof *(array),                                                                                      \
        .capacity = sizeof(array) / sizeof *(array),                                                                   \
    }

/* Everything becomes free again, in time proportional to what was in use at most since the last call. */
void pool_reset(struct pool *pool);

/* Objects that can still be taken. */
static inline uint32_t pool_available(const struct pool *pool) {
    return pool->capacity - pool->used;
}

/* The index of an object with undefined content; the caller made sure that one is available. The last one released is
 * taken first. */
uint32_t pool_take(struct pool *pool);

/* Releases an object taken before. */
void pool_give(struct pool *pool, uint32_t index);

static inline bool pool_in_use(const struct pool *pool, uint32_t index) {
    return index < pool->capacity && pool->in_use[index];
}

#endif
