/*
 * What CPUs must forget: translations that an operation took away, and page tables that it made free.
 *
 * Notes are taken during an operation and dealt with at its end, once for each CPU. A CPU that does not run the PD
 * concerned is not disturbed: it uses no translation of it, and the PD's tag there is given up, which costs nothing but
 * a flush when the tag is taken again. Freed page tables go back to the pool only then (Intel SDM vol. 3A, 4.10.4 and
 * 4.10.5: invalidation, and what may be done before it).
 */
#ifndef RESCIND_TLB_H
#define RESCIND_TLB_H

#include "check.h"
#include "space.h"

enum { TLB_EVERYTHING = 0xff /* in struct stale: no single units are noted */ };

void tlb_reset(void);

/* Enters a PD that some CPU may remember into the list, if it is not there. */
void tlb_list(struct pd *pd);

/* Notes that 2^order units from `base` of a PD are mapped no longer, or with fewer rights. */
void tlb_note_units(struct pd *pd, uint64_t base, unsigned order);

static inline void tlb_note(struct pd *pd, uint64_t base, unsigned order) {
    if (__builtin_expect(pd->cpus != 0, 0)) {
        tlb_note_units(pd, base, order);
    }
}

/* Notes that a page table of the PD is no longer linked, whatever became of the units. Forgetting one unit is enough:
 * an invalidation drops all tables on the way to any unit that are remembered under the tag. */
static inline void tlb_note_table(struct pd *pd, uint64_t unit) {
    tlb_note(pd, unit, 0);
}

/* The PD is dying, and no CPU remembers anything of it. */
void tlb_forget(struct pd *pd);

/* The end of an operation: when it returns, no CPU remembers what was noted. */
void tlb_settle(void);

#endif
