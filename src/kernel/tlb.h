/*
 * What CPUs must forget: translations that an operation took away, and page tables that it made free.
 *
 * Notes are taken during an operation and dealt with near its end, once for each CPU: those that there are then, be
 * they of this operation or of others in progress. A CPU that does not run the PD concerned is not disturbed: it uses
 * no translation of it, and the PD's tag there is given up, which costs nothing but a flush when the tag is taken
 * again. Page tables that were released before go back to the pool only after that.
 *
 * What needs invalidation (Intel SDM vol. 3A, section 4.10):
 * - an entry made present: nothing (4.10.4.3); nor does a leaf that is split: the large translation that a CPU may keep
 *   says the same as the small ones, and invalidating any unit in it drops it (4.10.2.3, 4.10.4.1);
 * - a leaf removed, or with fewer rights: one unit of it. That drops all page tables that are remembered under the tag
 *   too (INVLPG, 4.10.4.1; on AMD with EFER.TCE clear, as at reset), so tables that become empty need nothing more;
 * - leaves joined to a large one: all of them. What is remembered of the table that goes is dropped with them, and
 * small translations kept beyond this would not be found when one unit is invalidated for the large leaf (4.10.2.3).
 */
#ifndef RESCIND_TLB_H
#define RESCIND_TLB_H

#include "check.h"
#include "space.h"

enum { TLB_EVERYTHING = 0xff /* in struct stale: no single units are noted */ };

void tlb_reset(void);

/* Leaves of 2^leaf_order units each, which map 2^order units from `base` of a PD, went, lost rights, or became one. */
void tlb_note_leaves(struct pd *pd, uint64_t base, unsigned order, unsigned leaf_order);

static inline void tlb_note(struct pd *pd, uint64_t base, unsigned order, unsigned leaf_order) {
    if (__builtin_expect(pd->cpus != 0, 0)) {
        tlb_note_leaves(pd, base, order, leaf_order);
    }
}

/* The PD is dying, and no CPU remembers anything of it. */
void tlb_forget(struct pd *pd);

/* Whether there are notes, and of a PD. */
bool tlb_pending(void);
static inline bool tlb_noted(const struct pd *pd) {
    return pd->stale.listed;
}
/* Deals with those of one PD, of which there are some: no CPU remembers them when arch_await_requests returns. */
void tlb_settle(void);

#endif
