/* Fixed pools with poisoned free objects; see kmem.h. */
#include "kmem.h"

#include "check.h"

enum { POISON = 0xdf, LARGEST_OBJECT = 1 << 14 };

/* What a released object looks like. */
static unsigned char poisoned[LARGEST_OBJECT];

static void *object_at(const struct pool *pool, uint32_t index) {
    return pool->memory + (uint64_t)index * pool->bytes;
}

static void poison_object(const struct pool *pool, uint32_t index) {
    void *object = object_at(pool, index);
    __builtin_memset(object, POISON, pool->bytes);
    arch_forbid(object, pool->bytes);
}

static bool still_poisoned(const struct pool *pool, uint32_t index) {
    return __builtin_memcmp(object_at(pool, index), poisoned, pool->bytes) == 0;
}

void pool_reset(struct pool *pool) {
    KASSERT(pool->bytes <= LARGEST_OBJECT);
    __builtin_memset(poisoned, POISON, pool->bytes);
    arch_forbid(pool->memory, (uint64_t)(pool->booted ? pool->fresh : pool->capacity) * pool->bytes);
    __builtin_memset(pool->in_use, 0, pool->fresh);
    pool->booted = true;
    pool->fresh = 0;
    pool->freed_count = 0;
    pool->used = 0;
}

uint32_t pool_take(struct pool *pool) {
    KASSERT(pool->used < pool->capacity);
    bool again = pool->freed_count > 0;
    uint32_t index = again ? pool->freed[--pool->freed_count] : pool->fresh++;
    arch_permit(object_at(pool, index), pool->bytes);
    if (again && !still_poisoned(pool, index)) {
        arch_stop(RESCIND_STOP_MEMORY, "a free object was written to", __func__);
    }
    pool->in_use[index] = 1;
    pool->used++;
    return index;
}

void pool_give(struct pool *pool, uint32_t index) {
    KASSERT(index < pool->fresh);
    if (!pool->in_use[index]) {
        arch_stop(RESCIND_STOP_MEMORY, "an object was released twice", __func__);
    }
    pool->in_use[index] = 0;
    poison_object(pool, index);
    pool->freed[pool->freed_count++] = index;
    pool->used--;
}
