/* Protection domains; see pd.h. */
#include "pd.h"

#include "account.h"
#include "check.h"
#include "cpu.h"
#include "kmem.h"
#include "object.h"
#include "tlb.h"
#include "work.h"

static struct pd pd_memory[GEO_PDS];
POOL(pds, pd_memory);
struct pd phys;
static struct pd *root;

static void init(struct pd *pd) {
    *pd = (struct pd){0};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        pd->space[kind] = (struct space){.pd = pd, .kind = (uint8_t)kind};
    }
}

/* A PD with an empty account. */
static struct pd *new_pd(void) {
    struct pd *pd = &pd_memory[pool_take(&pds)];
    init(pd);
    pd->root_table = ptab_create_root();
    ports_create(pd_index(pd));
    arch_pd_changed(pd_index(pd));
    return pd;
}

void pd_reset(uint64_t quota) {
    pool_reset(&pds);
    ports_reset();
    init(&phys);
    root = new_pd();
    root->account = (struct account){.quota = quota, .used = PD_BYTES};
}

bool pd_available(void) {
    return pool_available(&pds) > 0;
}

struct pd *pd_create(struct pd *payer, uint64_t quota) {
    KASSERT(quota >= PD_BYTES);
    struct pd *pd = new_pd();
    account_take(&payer->account, &pd->account, quota);
    account_give(&pd->account, quota - PD_BYTES);
    account_attach(&pd->referent, payer);
    return pd;
}

void pd_release(struct referent *referent) {
    KASSERT(referent->references > 0);
    referent->references--;
    if (referent->references == 0 && referent != &root->referent) {
        pd_doom(referent);
    }
}

void pd_doom(struct referent *referent) {
    KASSERT(referent != &root->referent);
    if (!referent->dying) {
        referent->dying = true;
        referent->next_dying = work_running->dying;
        work_running->dying = referent;
    }
}

struct node *pd_doomed_node(const struct pd *pd) {
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        if (pd->space[kind].tree_root) {
            return pd->space[kind].tree_root;
        }
    }
    return pd->referent.capabilities;
}

void pd_stop(struct pd *pd) {
    KASSERT(pd->referent.references == 0);
    cpu_forget(pd);
    tlb_forget(pd);
}

bool pd_bury(struct pd *pd) {
    if (!account_inherit(pd)) {
        return false;
    }
    work_forget_pd(pd);
    cpu_forget(pd); /* one may have begun to run it again; it could reach nothing */
    ptab_destroy_root(pd->root_table);
    ports_destroy(pd_index(pd));
    arch_pd_changed(pd_index(pd));
    pool_give(&pds, pd_index(pd));
    return true;
}

struct referent *pd_named(uint64_t resource) {
    if (resource & RESCIND_OBJECT) {
        struct object *object = object_find((uint32_t)resource & ~RESCIND_OBJECT);
        KASSERT(object != NULL);
        return &object->referent;
    }
    return &pd_by_index((uint32_t)resource)->referent;
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
