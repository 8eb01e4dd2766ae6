/* Fixed pools with poisoned free objects; see kmem.h. */
#include "kmem.h"

#include "check.h"

enum { POISON = 0xdf, LARGEST_OBJECT = 1 << 14 };

/* What a free object looks like; filled at the first boot. */
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
    if (pool->poisoned == 0) {
        __builtin_memset(poisoned, POISON, pool->bytes);
        arch_forbid(pool->memory, (uint64_t)pool->capacity * pool->bytes);
    }
    for (uint32_t i = 0; i < pool->fresh; i++) {
        pool->in_use[i] = 0;
        arch_permit(object_at(pool, i), pool->bytes);
        poison_object(pool, i);
    }
    pool->fresh = 0;
    pool->freed_count = 0;
    pool->used = 0;
}

uint32_t pool_take(struct pool *pool) {
    KASSERT(pool->used < pool->capacity);
    uint32_t index = pool->freed_count > 0 ? pool->freed[--pool->freed_count] : pool->fresh++;
    arch_permit(object_at(pool, index), pool->bytes);
    if (index >= pool->poisoned) {
        pool->poisoned = index + 1;
    } else if (!still_poisoned(pool, index)) {
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
