/*
 * The CPUs of a host: what a processor's memory management unit does and remembers.
 *
 * Each CPU has a TLB and a walk cache (paging-structure cache), tagged, with deterministic replacement. It walks the
 * kernel's page tables by itself, at accesses and, if asked to speculate, whenever the kernel stores to a page table.
 * Written from the processor manual (Intel SDM vol. 3A, 4.10). It knows what a processor is told, root
 * table and tag of what it runs, and believes nothing that the kernel only writes down.
 */
#ifndef RESCIND_MMU_H
#define RESCIND_MMU_H

#include "abi/target.h"
#include "geometry.h"

enum {
    MMU_TLB = GEO_LEVEL_BITS < 9 ? 16 : 64,
    MMU_WALK = GEO_LEVEL_BITS < 9 ? 8 : 16,
    MMU_REQUESTS = 64,
    MMU_RECENT = 8,
};

/* A translation of a leaf, or the page table of some level on the way to a unit. */
struct mmu_entry {
    uint64_t unit;  /* first unit */
    uint64_t frame; /* of the leaf, or of the table */
    uint8_t tag, level, rights;
};

struct mmu_cpu {
    uint64_t root; /* physical address of the root table of the PD that it runs */
    uint32_t pd;   /* its index; RESCIND_NONE: it runs none */
    uint8_t current;
    struct mmu_entry tlb[MMU_TLB], walk[MMU_WALK];
    uint32_t tlb_count, walk_count; /* in use */
};

struct mmu_request {
    uint64_t unit;
    uint8_t cpu, tag;
    bool everything;
};

struct mmu {
    struct mmu_cpu cpu[GEO_CPUS];
    struct mmu_request request[MMU_REQUESTS];
    uint64_t recent[MMU_RECENT]; /* units accessed last: what a program is likely to use next */
    uint64_t random;
    uint64_t speculation; /* 0: none */
    uint32_t cpus, executing, requests;
    uint32_t remembered; /* entries in use on all CPUs */
    uint32_t invalidations, shootdowns;
};
extern struct mmu mmu;

/* No speculation until mmu_speculate_from (0: none). */
void mmu_reset(uint32_t cpus);
void mmu_speculate_from(uint64_t seed);

/* Makes a CPU run a PD under a tag, or (RESCIND_NONE) no PD. */
void mmu_run(uint32_t index, uint32_t pd, uint64_t root, uint32_t tag);

/* An access of a CPU by the PD that it runs; as struct rescind_target says. */
bool mmu_access(uint32_t index, enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource);

/* Accesses by a PD that leave what the CPU runs; as struct rescind_target says. */
void mmu_probe(uint32_t index, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count);

/* Some CPU translates something on its own account, perhaps. */
void mmu_speculate(void);

/* The executing CPU forgets everything under a tag. */
void mmu_flush(uint32_t tag);
/* A CPU forgets units under a tag, or everything: the executing one at once, others by mmu_handle_requests. */
void mmu_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count);
void mmu_request_flush(uint32_t cpu, uint32_t tag);
void mmu_handle_requests(void);

/* Stops the kernel if a CPU may still walk that table. */
void mmu_table_freed(uint64_t physical);

bool mmu_cached(uint32_t index, uint32_t place, struct rescind_cached *cached);

#endif
