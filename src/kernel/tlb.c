/* See tlb.h. */
#include "tlb.h"

#include "cpu.h"
#include "ptab.h"

static struct pd *listed;

void tlb_reset(void) {
    listed = NULL;
}

void tlb_list(struct pd *pd) {
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

void tlb_note_units(struct pd *pd, uint64_t base, unsigned order) {
    struct stale *stale = &pd->stale;
    tlb_list(pd);
    uint64_t units = UINT64_C(1) << order;
    if (stale->count == TLB_EVERYTHING || stale->count + units > STALE_UNITS) {
        stale->count = TLB_EVERYTHING;
        return;
    }
    for (uint64_t i = 0; i < units; i++) {
        stale->unit[stale->count++] = base + i;
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

void tlb_settle(void) {
    while (listed) {
        KSTEP();
        struct pd *pd = listed;
        settle(pd);
        listed = pd->stale.next;
        if (listed) {
            listed->stale.previous = NULL;
        }
        pd->stale.listed = false;
    }
    arch_await_requests();
    ptab_release();
}
