/* See tlb.h. */
#include "tlb.h"

#include "cpu.h"
#include "ptab.h"

static struct pd *listed;

void tlb_reset(void) {
    listed = NULL;
}

/* Enters a PD into the list, if it is not there. */
static void list(struct pd *pd) {
    struct stale *stale = &pd->stale;
    if (stale->listed) {
        return;
    }
    *stale = (struct stale){.listed = true, .next = listed};
    if (listed) {
        listed->stale.previous = pd;
    }
    listed = pd;
}

static void add(struct stale *stale, uint64_t unit) {
    for (unsigned i = 0; i < stale->count; i++) {
        if (stale->unit[i] == unit) {
            return;
        }
    }
    if (stale->count == STALE_UNITS) {
        stale->count = TLB_EVERYTHING;
    } else {
        stale->unit[stale->count++] = unit;
    }
}

void tlb_note_leaves(struct pd *pd, uint64_t base, unsigned order, unsigned leaf_order) {
    struct stale *stale = &pd->stale;
    uint64_t leaves = UINT64_C(1) << (order - leaf_order);
    list(pd);
    if (leaves > STALE_UNITS) {
        stale->count = TLB_EVERYTHING;
    }
    for (uint64_t i = 0; i < leaves && stale->count != TLB_EVERYTHING; i++) {
        add(stale, base + (i << leaf_order));
    }
}

void tlb_forget(struct pd *pd) {
    struct stale *stale = &pd->stale;
    KASSERT(pd->cpus == 0);
    if (!stale->listed) {
        return;
    }
    if (stale->previous) {
        stale->previous->stale.next = stale->next;
    } else {
        listed = stale->next;
    }
    if (stale->next) {
        stale->next->stale.previous = stale->previous;
    }
    stale->listed = false;
}

/* Makes each CPU that has a tag for the PD forget what was noted of it. */
static void settle(struct pd *pd) {
    const struct stale *stale = &pd->stale;
    for (uint32_t cpu = 0; cpu < GEO_CPUS; cpu++) {
        if (!(pd->cpus >> cpu & 1)) {
            continue;
        }
        if (cpu_runs(cpu) != pd) {
            cpu_give_up(cpu, pd);
        } else if (stale->count == TLB_EVERYTHING) {
            arch_request_flush(cpu, cpu_tag(cpu, pd));
        } else {
            arch_request(cpu, cpu_tag(cpu, pd), stale->unit, stale->count);
        }
    }
}

bool tlb_pending(void) {
    return listed != NULL;
}

void tlb_settle(void) {
    struct pd *pd = listed;
    settle(pd);
    listed = pd->stale.next;
    if (listed) {
        listed->stale.previous = NULL;
    }
    pd->stale.listed = false;
}
