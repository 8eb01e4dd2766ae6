/*
 * CPUs: which PD each one runs, and under which tag it remembers the translations of which PD.
 *
 * A tag (PCID) is a small number; what a CPU translates while a PD runs is remembered under that PD's tag on that CPU,
 * also while others run. There are few tags: one that is taken for another PD is flushed first. A CPU uses only the tag
 * of the PD that it runs.
 */
#ifndef RESCIND_CPU_H
#define RESCIND_CPU_H

#include "space.h"

/* CPU 0 runs that PD, the others run none. */
void cpu_reset(struct pd *pd);

/* Makes a CPU run no PD. */
void cpu_stop(uint32_t index);

/* Makes a CPU, which is the one that executes this, run a PD. */
void cpu_switch(uint32_t index, struct pd *pd);

/* The PD is dying: no CPU runs it, and no tag is its. */
void cpu_forget(struct pd *pd);

/* The PD's tag on a CPU that does not run it is anybody's. */
void cpu_give_up(uint32_t index, struct pd *pd);

/* The PD that a CPU runs, or NULL; the owner of a tag on it, or NULL; the tag of a PD that has one there. */
struct pd *cpu_runs(uint32_t cpu);
struct pd *cpu_owner(uint32_t cpu, uint32_t tag);
static inline uint32_t cpu_tag(uint32_t cpu, const struct pd *pd) {
    return pd->tag[cpu];
}

#endif
