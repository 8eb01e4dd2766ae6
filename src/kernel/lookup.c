/* lookup */
#include "check.h"
#include "index.h"
#include "invoke.h"

/* Whether all units of an aligned range are mapped like `model`: equal rights, resources rising by one a unit. */
static bool uniform(const struct space *space, uint64_t base, unsigned order, const struct node *model) {
    uint64_t end = base + (UINT64_C(1) << order);
    while (base < end) {
        KSTEP();
        const struct node *node = index_covering(space, base);
        if (!node || node->rights != model->rights || node->resource - node->base != model->resource - model->base) {
            return false;
        }
        base = node->base + node_size(node);
    }
    return true;
}

uint64_t invoke_lookup(const struct space *space, uint64_t unit) {
    const struct node *node = index_covering(space, unit);
    if (!node || !node->rights) {
        return 0;
    }
    unsigned order = node->order;
    unsigned largest = space->kind == ABI_MEM ? GEO_MEM_LOG2 : space->kind == ABI_PIO ? GEO_PIO_LOG2 : 0;
    while (order < largest) {
        KSTEP();
        uint64_t size = UINT64_C(1) << order;
        if (!uniform(space, (unit & ~(size - 1)) ^ size, order, node)) {
            break;
        }
        order++;
    }
    return node->rights | (uint64_t)order << ABI_VALUE_ORDER_SHIFT;
}
