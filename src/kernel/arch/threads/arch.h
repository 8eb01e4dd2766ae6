/*
 * What the kernel asks of the machine, when CPUs are threads of a host: entries and port bitmaps are stored atomically,
 * since other CPUs walk them meanwhile; CPUs wait and are interrupted by the program's hooks (threads.h). The same
 * names as in ../host/arch.h; chosen by include path.
 */
#ifndef RESCIND_ARCH_H
#define RESCIND_ARCH_H

#include "abi/target.h"
#include "arch/smp/smp.h"
#include "geometry.h"

#include <stddef.h>
#include <stdint.h>

enum { THREADS_TLB = 8, THREADS_WALK = 4 };

/* A translation of a leaf, or the page table of some level on the way to a unit. */
struct threads_entry {
    uint64_t unit, frame;
    uint8_t tag, level, rights;
};

/* A CPU: of all this only `pending` is for others. */
struct threads_cpu {
    uint32_t pending; /* interrupts; accessed atomically */
    uint32_t index;
    uint32_t pd; /* that it runs, or RESCIND_NONE */
    uint32_t tag;
    uint64_t root; /* physical address of its root table */
    uint64_t steps, shootdowns, random;
    bool elsewhere; /* it was stopped or made to run another PD; what it was doing is lost */
    struct threads_entry tlb[THREADS_TLB], walk[THREADS_WALK];
    uint32_t tlb_count, walk_count;
};
extern struct threads_cpu threads_cpu[GEO_CPUS];
extern uint32_t threads_cpus;

/* cpus.c: the one that executes this. */
struct threads_cpu *threads_self(void);

/* mmu.c */
void threads_mmu_reset(void);
bool threads_access(enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource);
bool threads_cached(uint32_t cpu, uint32_t place, struct rescind_cached *cached);

/* Never returns. `text` and `function` must be string literals. */
_Noreturn void arch_stop(enum rescind_stop why, const char *text, const char *function);

static inline void arch_step(const char *function) {
    if (__builtin_expect(++threads_self()->steps > GEO_STEP_LIMIT, 0)) {
        arch_stop(RESCIND_STOP_STEPS, "step budget of one operation used up", function);
    }
}

/* An operation with points is decided. */
static inline void arch_decided(void) {}

/* arch/smp: a preemption point. No operation stops for longer. */
bool arch_point(void);

static inline unsigned arch_leaf_level(void) {
    return GEO_LEAF_LEVEL;
}

static inline void arch_space_created(uint64_t *root_table) {
    (void)root_table;
}

static inline void arch_store_entry(uint64_t *entry, uint64_t value) {
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static inline void arch_store_ports(uint32_t pd, uint32_t index, uint64_t *word, uint64_t value) {
    (void)pd;
    (void)index;
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Nobody follows what is stored. */
static inline void arch_node_stored(uint32_t node, uint32_t what) {
    (void)node;
    (void)what;
}
static inline void arch_pd_changed(uint32_t pd) {
    (void)pd;
}
static inline void arch_object_changed(uint32_t object) {
    (void)object;
}

/* The CPU that executes this forgets all that it remembers under a tag; goes on with that PD. */
void arch_flush(uint32_t tag);
void arch_run(uint32_t cpu, uint32_t pd, const uint64_t *root_table, uint32_t tag);

/* arch/smp */
void arch_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count);
void arch_request_flush(uint32_t cpu, uint32_t tag);
void arch_await_requests(void);
void arch_stop_running(uint32_t cpu);

/* ---- hooks of arch/smp ---- */

static inline uint32_t arch_self(void) {
    return threads_self()->index;
}
static inline uint32_t arch_cpus(void) {
    return threads_cpus;
}
void arch_pause(void);
void arch_take_pending(void);
void arch_take_interrupt(void);
void arch_interrupt(uint32_t cpu);
static inline bool arch_is_elsewhere(void) {
    return threads_self()->elsewhere;
}
static inline void arch_started(void) {
    threads_self()->elsewhere = true;
}
void arch_stopped(void);
void arch_forget_units(const uint64_t *unit, uint32_t count);
void arch_forget_all(void);
static inline uint64_t arch_tell_point(void) {
    return 0;
}
static inline void arch_tell_let_in(uint64_t calls) {
    (void)calls;
}
static inline void arch_count_invalidations(uint32_t count) {
    (void)count;
}
static inline void arch_count_shootdown(void) {
    threads_self()->shootdowns++;
}

void arch_table_freed(uint64_t physical);

/* Pools poison free memory, and look at it; whoever touches it while another CPU does is in a race. */
static inline void arch_forbid(const void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}
static inline void arch_permit(const void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}

#endif
