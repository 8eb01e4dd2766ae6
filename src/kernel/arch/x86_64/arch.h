/*
 * What the kernel asks of the machine, on a real one: stores are plain stores, CPUs are asked by interrupts. The same
 * names as in ../host/arch.h; chosen by include path.
 */
#ifndef RESCIND_ARCH_H
#define RESCIND_ARCH_H

#include "abi/target.h"
#include "arch/smp/smp.h"
#include "arch/x86_64/machine.h"
#include "geometry.h"

#include <stddef.h>
#include <stdint.h>

/* Never returns. `text` and `function` must be string literals. */
_Noreturn void arch_stop(enum rescind_stop why, const char *text, const char *function);

static inline void arch_step(const char *function) {
    if (__builtin_expect(++machine.steps > GEO_STEP_LIMIT, 0)) {
        arch_stop(RESCIND_STOP_STEPS, "step budget of one operation used up", function);
    }
}

/* An operation with points is decided. */
static inline void arch_decided(void) {}

/* A preemption point: other CPUs may do system calls here. No operation stops for longer. */
bool arch_point(void);

/* The highest level at which this machine's page tables may hold a leaf. */
static inline unsigned arch_leaf_level(void) {
    return machine.leaf_level;
}

/* The entries of a new root table that are no units of MEM. */
static inline void arch_space_created(uint64_t *root_table) {
    root_table[LAYOUT_SLOT_AGENT] = machine.agent_entry;
    root_table[LAYOUT_SLOT_KERNEL] = machine.kernel_entry;
}

/* The only way in which the kernel changes a page-table entry that may be live. */
static inline void arch_store_entry(uint64_t *entry, uint64_t value) {
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Nobody looks at nodes here. */
static inline void arch_node_stored(uint32_t node, uint32_t what) {
    (void)node;
    (void)what;
}

/* To be called when a PD, or a plain object, came to be or is gone. */
void arch_pd_changed(uint32_t pd);
void arch_object_changed(uint32_t object);

/* The only way in which the kernel changes the port bitmap of a live PD: word `index` of it. CPUs keep no copy. */
static inline void arch_store_ports(uint32_t pd, uint32_t index, uint64_t *word, uint64_t value) {
    (void)pd;
    (void)index;
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The CPU that executes this forgets all that it remembers under a tag: arch_run does so. */
static inline void arch_flush(uint32_t tag) {
    (void)tag;
}

/* The CPU that executes this goes on with that PD. */
void arch_run(uint32_t cpu, uint32_t pd, const uint64_t *root_table, uint32_t tag);

/* Makes a CPU, this one or another, forget units under the tag that it uses now, or everything under it. Done when
 * arch_await_requests returns. */
void arch_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count);
void arch_request_flush(uint32_t cpu, uint32_t tag);
void arch_await_requests(void);

/* Makes a CPU, this one or another, run no PD. */
void arch_stop_running(uint32_t cpu);

/* ---- hooks of arch/smp ---- */

static inline uint32_t arch_self(void) {
    return machine_self()->index;
}
static inline uint32_t arch_cpus(void) {
    return machine.cpus;
}
static inline void arch_pause(void) {
    cpu_pause();
}
static inline void arch_take_pending(void) {
    cpu_take_pending();
}
static inline void arch_take_interrupt(void) {
    cpu_take_interrupt();
}
static inline void arch_interrupt(uint32_t cpu) {
    machine_interrupt(machine.cpu[cpu].apic_id, LAYOUT_VECTOR_REQUEST);
}
static inline bool arch_is_elsewhere(void) {
    return machine_self()->way != MACHINE_GO_ON;
}
/* This CPU runs another PD, since it was asked to. */
static inline void arch_started(void) {
    machine_self()->way = MACHINE_START_AGENT;
}
/* This CPU runs no PD any more; what it was doing is lost. */
void arch_stopped(void);
/* This CPU forgets single units of what it runs, or all. */
void arch_forget_units(const uint64_t *unit, uint32_t count);
void arch_forget_all(void);
/* This CPU's operation came to a point: how many system calls were begun until now. And when it goes on after others
 * were let in. */
static inline uint64_t arch_tell_point(void) {
    machine_tell_point(machine_self()->index);
    return machine.calls;
}
static inline void arch_tell_let_in(uint64_t calls) {
    machine.info->calls[machine_self()->index].shared += machine.calls != calls;
}
static inline void arch_count_invalidations(uint32_t count) {
    machine.info->invalidations += count;
}
static inline void arch_count_shootdown(void) {
    machine.info->shootdowns++;
}

/* A page table goes back to the pool. */
void arch_table_freed(uint64_t physical);

/* Pools poison free memory, and look at it; nothing else watches it. */
static inline void arch_forbid(const void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}
static inline void arch_permit(const void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}

#endif
