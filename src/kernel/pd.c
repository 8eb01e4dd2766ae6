/* Protection domains; see pd.h. */
#include "pd.h"

#include "check.h"
#include "kmem.h"
#include "mapdb.h"
#include "ptab.h"

static struct pd pd_memory[GEO_PDS];
POOL(pds, pd_memory);
struct pd phys;
static struct pd *root;
static struct pd *dying;

static void init(struct pd *pd) {
    *pd = (struct pd){0};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        pd->space[kind] = (struct space){.pd = pd, .kind = (uint8_t)kind};
    }
}

void pd_reset(void) {
    pool_reset(&pds);
    dying = NULL;
    init(&phys);
    root = pd_create();
}

bool pd_available(void) {
    return pool_available(&pds) > 0 && ptab_available() > 0;
}

struct pd *pd_create(void) {
    struct pd *pd = &pd_memory[pool_take(&pds)];
    init(pd);
    pd->root_table = ptab_create_root();
    arch_pd_changed(pd_index(pd));
    return pd;
}

void pd_release(struct pd *pd) {
    KASSERT(pd->references > 0);
    pd->references--;
    if (pd->references == 0 && pd != root) {
        pd_doom(pd);
    }
}

void pd_doom(struct pd *pd) {
    KASSERT(pd != root);
    if (!pd->dying) {
        pd->dying = true;
        pd->next_dying = dying;
        dying = pd;
    }
}

static void destroy(struct pd *pd) {
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        while (pd->space[kind].tree_root) {
            KSTEP();
            mapdb_remove_subtree(pd->space[kind].tree_root);
        }
    }
    while (pd->capabilities) {
        KSTEP();
        mapdb_remove_subtree(pd->capabilities);
    }
    KASSERT(pd->references == 0);
    ptab_destroy_root(pd->root_table);
    arch_pd_changed(pd_index(pd));
    pool_give(&pds, pd_index(pd));
}

void pd_reap(void) {
    while (dying) {
        KSTEP();
        struct pd *pd = dying;
        dying = pd->next_dying;
        destroy(pd);
    }
}

uint32_t pd_index(const struct pd *pd) {
    return pd == &phys ? RESCIND_PD_PHYS : (uint32_t)(pd - pd_memory);
}

struct pd *pd_find(uint32_t index) {
    return pool_in_use(&pds, index) ? &pd_memory[index] : NULL;
}

struct pd *pd_by_index(uint32_t index) {
    struct pd *pd = pd_find(index);
    KASSERT(pd != NULL);
    return pd;
}

struct pd *pd_root(void) {
    return root;
}

uint32_t pd_used(void) {
    return pds.used;
}
