/*
 * What the kernel asks of the machine, on a host: page-table stores and node stores are logged, so that the harness can
 * judge each of them; a stop goes to the harness. Another machine provides the same names in its own arch.h (chosen by
 * include path).
 */
#ifndef RESCIND_ARCH_H
#define RESCIND_ARCH_H

#include "abi/target.h"
#include "geometry.h"
#include "mmu.h"
#include "ptab.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HOST_LOG_STORES = GEO_LEVEL_BITS < 9 ? 1 << 13 : 1 << 16,
    HOST_LOG_NODES = GEO_LEVEL_BITS < 9 ? 1 << 13 : 1 << 16,
    HOST_LOG_PDS = GEO_PDS * 2,
    HOST_LOG_OBJECTS = GEO_OBJECTS,
    HOST_LOG_PORTS = GEO_PIO_LOG2 < 16 ? 1 << 12 : 1 << 16,
};

/* Everything that the host keeps about the kernel; arch/host only, the kernel uses the functions below. */
struct host {
    struct rescind_hooks hooks;
    uint64_t steps; /* of the current call */
    /* Preemption points of the current call: at how many more it goes on until it stops (0: it does not); steps up to
     * the last, if there was one, and the most between two. */
    uint32_t points;
    bool point_seen;
    uint64_t point_steps, stretch;
    bool overflow;
    uint32_t store_count, node_count, pd_count, object_count, port_store_count;
    struct rescind_store stores[HOST_LOG_STORES];
    struct rescind_node_change nodes[HOST_LOG_NODES];
    uint32_t pds[HOST_LOG_PDS];
    uint32_t objects[HOST_LOG_OBJECTS];
    struct rescind_port_store port_stores[HOST_LOG_PORTS];
    uint32_t node_slot[GEO_NODES]; /* position in `nodes` + 1, or 0 */
    struct suspended {
        uint32_t cpu;
        uint64_t word[ABI_WORDS];
    } suspended[GEO_WORKS];
};
extern struct host host;

/* Never returns. `text` and `function` must be string literals. */
_Noreturn void arch_stop(enum rescind_stop why, const char *text, const char *function);

static inline void arch_step(const char *function) {
    if (__builtin_expect(++host.steps > GEO_STEP_LIMIT, 0)) {
        arch_stop(RESCIND_STOP_STEPS, "step budget of one operation used up", function);
    }
}

/* A preemption point, or the return of an operation that may be preempted: takes the time. */
static inline void host_point(void) {
    uint64_t steps = host.steps - host.point_steps;
    if (host.point_seen && steps > host.stretch) {
        host.stretch = steps;
    }
    host.point_seen = true;
    host.point_steps = host.steps;
}

/* An operation with points is decided: as bounded as between two of them is the way to the first, or to its return if
 * it comes to none. */
static inline void arch_decided(void) {
    host_point();
}

/* A preemption point; true: the operation is to stop here. */
static inline bool arch_point(void) {
    host_point();
    return host.points > 0 && --host.points == 0;
}

/* The highest level at which this machine's page tables may hold a leaf. */
static inline unsigned arch_leaf_level(void) {
    return GEO_LEAF_LEVEL;
}

/* The entries of a new root table that are no units of MEM: none. */
static inline void arch_space_created(uint64_t *root_table) {
    (void)root_table;
}

/* The only way in which the kernel changes a page-table entry that may be live. */
static inline void arch_store_entry(uint64_t *entry, uint64_t value) {
    uint64_t before = *entry;
    if (__builtin_expect(mmu.speculation != 0, 0)) {
        mmu_speculate();
    }
    *entry = value;
    if (__builtin_expect(mmu.speculation != 0, 0)) {
        mmu_speculate();
    }
    if (__builtin_expect(host.store_count == HOST_LOG_STORES, 0)) {
        host.overflow = true;
        return;
    }
    host.stores[host.store_count++] = (struct rescind_store){ptab_physical(entry), before, value};
}

/* To be called after storing to a mapping node; `what` are RESCIND_NODE_... bits. */
static inline void arch_node_stored(uint32_t node, uint32_t what) {
    if (host.node_slot[node]) {
        host.nodes[host.node_slot[node] - 1].what |= what;
        return;
    }
    if (__builtin_expect(host.node_count == HOST_LOG_NODES, 0)) {
        host.overflow = true;
        return;
    }
    host.nodes[host.node_count++] = (struct rescind_node_change){node, what};
    host.node_slot[node] = host.node_count;
}

/* To be called when a PD came to be or is gone. */
static inline void arch_pd_changed(uint32_t pd) {
    if (__builtin_expect(host.pd_count == HOST_LOG_PDS, 0)) {
        host.overflow = true;
        return;
    }
    host.pds[host.pd_count++] = pd;
}

/* Likewise for a plain object. */
static inline void arch_object_changed(uint32_t object) {
    if (__builtin_expect(host.object_count == HOST_LOG_OBJECTS, 0)) {
        host.overflow = true;
        return;
    }
    host.objects[host.object_count++] = object;
}

/* The only way in which the kernel changes the port bitmap of a live PD: word `index` of it. */
static inline void arch_store_ports(uint32_t pd, uint32_t index, uint64_t *word, uint64_t value) {
    uint64_t before = *word;
    *word = value;
    if (__builtin_expect(host.port_store_count == HOST_LOG_PORTS, 0)) {
        host.overflow = true;
        return;
    }
    host.port_stores[host.port_store_count++] = (struct rescind_port_store){pd, index, before, value};
}

/* The CPU that executes this forgets all that it remembers under a tag. */
static inline void arch_flush(uint32_t tag) {
    mmu_flush(tag);
}

/* The CPU that executes this goes on with that PD, under that tag. */
static inline void arch_run(uint32_t cpu, uint32_t pd, const uint64_t *root_table, uint32_t tag) {
    mmu_run(cpu, pd, ptab_physical(root_table), tag);
}

/* Makes a CPU, this one or another, forget units under the tag that it uses now, or everything under it. Done when
 * arch_await_requests returns. */
static inline void arch_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count) {
    mmu_request(cpu, tag, unit, count);
}
static inline void arch_request_flush(uint32_t cpu, uint32_t tag) {
    mmu_request_flush(cpu, tag);
}
static inline void arch_await_requests(void) {
    if (__builtin_expect(mmu.requests != 0, 0)) {
        mmu_handle_requests();
    }
}

/* Makes a CPU, this one or another, run no PD. */
static inline void arch_stop_running(uint32_t cpu) {
    mmu_run(cpu, RESCIND_NONE, 0, 0);
    mmu.shootdowns += cpu != mmu.executing;
}

/* A page table goes back to the pool. */
static inline void arch_table_freed(uint64_t physical) {
    if (__builtin_expect(mmu.remembered != 0, 0)) {
        mmu_table_freed(physical);
    }
}

/* Free memory may not be touched; a sanitizer build sees every access to it. */
void arch_forbid(const void *memory, size_t bytes);
void arch_permit(const void *memory, size_t bytes);

#endif
