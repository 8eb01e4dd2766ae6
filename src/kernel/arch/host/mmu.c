/* See mmu.h. */
#include "mmu.h"

#include "check.h"
#include "cpu.h"
#include "pd.h"

struct mmu mmu;

enum { LEVEL_MASK = (1 << GEO_LEVEL_BITS) - 1, SPECULATE_ONE_IN = 4, FRAME_SHIFT = 12 };
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_WRITE (UINT64_C(1) << 1)
#define ENTRY_USER (UINT64_C(1) << 2)
#define ENTRY_LARGE (UINT64_C(1) << 7)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)
#define ENTRY_FRAME ((UINT64_C(1) << 40) - 1)

static uint64_t next_random(void) {
    mmu.random ^= mmu.random << 13;
    mmu.random ^= mmu.random >> 7;
    mmu.random ^= mmu.random << 17;
    return mmu.random;
}

void mmu_speculate_from(uint64_t seed) {
    mmu.speculation = seed;
    mmu.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

void mmu_reset(uint32_t cpus) {
    for (uint32_t i = 0; i < GEO_CPUS; i++) {
        mmu.cpu[i].tlb_count = mmu.cpu[i].walk_count = 0;
        mmu.cpu[i].pd = RESCIND_NONE;
    }
    for (uint32_t i = 0; i < MMU_RECENT; i++) {
        mmu.recent[i] = 0;
    }
    mmu.cpus = cpus;
    mmu_speculate_from(0);
    mmu.executing = mmu.requests = mmu.remembered = mmu.invalidations = mmu.shootdowns = 0;
}

/* ---- what a CPU remembers ---- */

/* Whether an entry of that level translates the unit; of the walk cache: whether its table is on the way to it. */
static bool covers(const struct mmu_entry *entry, unsigned bits, uint64_t unit) {
    return (entry->unit ^ unit) >> bits == 0;
}

static bool translates(const struct mmu_entry *entry, uint64_t unit) {
    return covers(entry, entry->level * GEO_LEVEL_BITS, unit);
}

static bool leads_to(const struct mmu_entry *entry, uint64_t unit) {
    return covers(entry, (entry->level + 1U) * GEO_LEVEL_BITS, unit);
}

static void remember(struct mmu_entry *entries, uint32_t *count, uint32_t limit, const struct mmu_entry *entry) {
    uint32_t place = *count;
    if (place == limit) {
        place = (uint32_t)(next_random() % limit);
    } else {
        ++*count;
        mmu.remembered++;
    }
    entries[place] = *entry;
}

static void forget(struct mmu_entry *entries, uint32_t *count, uint32_t place) {
    entries[place] = entries[--*count];
    mmu.remembered--;
}

void mmu_run(uint32_t index, uint32_t pd, uint64_t root, uint32_t tag) {
    mmu.cpu[index].pd = pd;
    mmu.cpu[index].root = root;
    mmu.cpu[index].current = (uint8_t)tag;
}

static void flush(uint32_t index, uint32_t tag) {
    struct mmu_cpu *cpu = &mmu.cpu[index];
    for (uint32_t i = cpu->tlb_count; i-- > 0;) {
        if (cpu->tlb[i].tag == tag) {
            forget(cpu->tlb, &cpu->tlb_count, i);
        }
    }
    for (uint32_t i = cpu->walk_count; i-- > 0;) {
        if (cpu->walk[i].tag == tag) {
            forget(cpu->walk, &cpu->walk_count, i);
        }
    }
}

void mmu_flush(uint32_t tag) {
    flush(mmu.executing, tag);
}

/* INVLPG and INVPCID: all translations of the unit under the tag, whatever their size, and all tables under it. */
static void invalidate(uint32_t index, uint32_t tag, uint64_t unit) {
    struct mmu_cpu *cpu = &mmu.cpu[index];
    for (uint32_t i = cpu->tlb_count; i-- > 0;) {
        if (cpu->tlb[i].tag == tag && translates(&cpu->tlb[i], unit)) {
            forget(cpu->tlb, &cpu->tlb_count, i);
        }
    }
    for (uint32_t i = cpu->walk_count; i-- > 0;) {
        if (cpu->walk[i].tag == tag) {
            forget(cpu->walk, &cpu->walk_count, i);
        }
    }
}

/* ---- requests ---- */

static void handle(const struct mmu_request *request) {
    if (request->everything) {
        flush(request->cpu, request->tag);
    } else {
        invalidate(request->cpu, request->tag, request->unit);
    }
}

/* Done at once by the CPU that executes, else when it waits for others. */
static void request(const struct mmu_request *request) {
    if (request->cpu == mmu.executing) {
        mmu.invalidations++;
        handle(request);
        return;
    }
    if (mmu.requests == MMU_REQUESTS) {
        mmu_handle_requests();
    }
    mmu.request[mmu.requests++] = *request;
}

void mmu_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count) {
    mmu.shootdowns += cpu != mmu.executing;
    for (uint32_t i = 0; i < count; i++) {
        request(&(struct mmu_request){.unit = unit[i], .cpu = (uint8_t)cpu, .tag = (uint8_t)tag});
    }
}

void mmu_request_flush(uint32_t cpu, uint32_t tag) {
    mmu.shootdowns += cpu != mmu.executing;
    request(&(struct mmu_request){.cpu = (uint8_t)cpu, .tag = (uint8_t)tag, .everything = true});
}

void mmu_handle_requests(void) {
    for (uint32_t i = 0; i < mmu.requests; i++) {
        handle(&mmu.request[i]);
    }
    mmu.requests = 0;
}

/* ---- walking ---- */

static uint8_t rights_of(uint64_t entry) {
    if (!(entry & ENTRY_USER)) {
        return 0;
    }
    return (uint8_t)(ABI_R | (entry & ENTRY_WRITE ? ABI_W : 0) | (entry & ENTRY_NO_EXECUTE ? 0 : ABI_X));
}

/* The table of the lowest level on the way to a unit that the CPU remembers, or the root table. */
static struct mmu_entry start_of(const struct mmu_cpu *cpu, uint64_t unit) {
    struct mmu_entry start = {.frame = cpu->root >> FRAME_SHIFT, .level = GEO_LEVELS - 1, .rights = ABI_MEM_RIGHTS};
    for (uint32_t i = 0; i < cpu->walk_count; i++) {
        if (cpu->walk[i].tag == cpu->current && cpu->walk[i].level < start.level && leads_to(&cpu->walk[i], unit)) {
            start = cpu->walk[i];
        }
    }
    return start;
}

/* Walks to the leaf of a unit and remembers what it passes. False: there is none. */
static bool walk(struct mmu_cpu *cpu, uint64_t unit, struct mmu_entry *leaf) {
    struct mmu_entry at = start_of(cpu, unit);
    for (;;) {
        const uint64_t *table = ptab_by_physical(at.frame << FRAME_SHIFT);
        if (!table) {
            arch_stop(RESCIND_STOP_WALK, "a CPU walks a page table that is free", __func__);
        }
        uint64_t entry = table[unit >> (at.level * GEO_LEVEL_BITS) & LEVEL_MASK];
        if (!(entry & ENTRY_PRESENT)) {
            return false;
        }
        bool is_leaf = at.level == 0 || entry & ENTRY_LARGE;
        uint64_t below = (UINT64_C(1) << (at.level * GEO_LEVEL_BITS)) - 1;
        at.unit = unit & ~below;
        at.frame = (entry & ENTRY_FRAME) >> FRAME_SHIFT;
        at.rights &= rights_of(entry);
        at.tag = cpu->current;
        if (is_leaf) {
            *leaf = at;
            remember(cpu->tlb, &cpu->tlb_count, MMU_TLB, &at);
            return true;
        }
        at.level--;
        remember(cpu->walk, &cpu->walk_count, MMU_WALK, &at);
    }
}

/* ---- accesses ---- */

static bool access_memory(struct mmu_cpu *cpu, uint64_t unit, uint8_t rights, uint64_t *frame) {
    struct mmu_entry leaf;
    for (uint32_t i = cpu->tlb_count; i-- > 0;) {
        const struct mmu_entry *entry = &cpu->tlb[i];
        if (entry->tag != cpu->current || !translates(entry, unit)) {
            continue;
        }
        if (!(rights & ~entry->rights)) {
            *frame = entry->frame + (unit - entry->unit);
            return true;
        }
        /* A fault drops what caused it; the tables may say otherwise. */
        forget(cpu->tlb, &cpu->tlb_count, i);
    }
    if (!walk(cpu, unit, &leaf)) {
        return false;
    }
    *frame = leaf.frame + (unit - leaf.unit);
    return !(rights & ~leaf.rights);
}

bool mmu_access(uint32_t index, enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource) {
    struct mmu_cpu *cpu = &mmu.cpu[index];
    if (cpu->pd == RESCIND_NONE || kind == ABI_OBJ || unit >> (kind == ABI_MEM ? GEO_MEM_LOG2 : GEO_PIO_LOG2)) {
        return false;
    }
    mmu.recent[next_random() % MMU_RECENT] = unit;
    if (kind == ABI_MEM) {
        return access_memory(cpu, unit, rights, resource);
    }
    *resource = unit;
    return !(ports_of(cpu->pd)[unit / 64] >> unit % 64 & 1);
}

/* ---- probes ---- */

/* Walks from a root table as a CPU does that remembers nothing, and goes on remembering nothing. */
static bool peek(uint64_t root, uint64_t unit, uint8_t *rights, uint64_t *frame) {
    *rights = ABI_MEM_RIGHTS;
    *frame = root >> FRAME_SHIFT;
    for (unsigned level = GEO_LEVELS; level-- > 0;) {
        const uint64_t *table = ptab_by_physical(*frame << FRAME_SHIFT);
        if (!table) {
            arch_stop(RESCIND_STOP_WALK, "a CPU walks a page table that is free", __func__);
        }
        uint64_t entry = table[unit >> (level * GEO_LEVEL_BITS) & LEVEL_MASK];
        if (!(entry & ENTRY_PRESENT)) {
            return false;
        }
        *rights &= rights_of(entry);
        *frame = (entry & ENTRY_FRAME) >> FRAME_SHIFT;
        if (level == 0 || entry & ENTRY_LARGE) {
            *frame += unit & ((UINT64_C(1) << (level * GEO_LEVEL_BITS)) - 1);
            return true;
        }
    }
    return false;
}

static void probe_afresh(const struct pd *pd, struct rescind_probe *probe) {
    uint8_t rights = 0;
    uint64_t frame = 0;
    if (probe->kind == ABI_PIO) {
        bool denied = ports_of(pd_index(pd))[probe->unit / 64] >> probe->unit % 64 & 1;
        probe->reached = denied ? 0 : probe->rights;
        probe->resource = probe->unit;
    } else if (peek(ptab_physical(pd->root_table), probe->unit, &rights, &frame)) {
        probe->reached = probe->rights & rights;
        probe->resource = frame;
    }
}

/* Each right alone: with all at once, one that is missing would hide the others. */
static void probe_remembering(uint32_t index, struct rescind_probe *probe) {
    for (uint8_t right = 1; right <= ABI_X; right = (uint8_t)(right << 1)) {
        uint64_t resource = 0;
        if (probe->rights & right && mmu_access(index, (enum abi_kind)probe->kind, probe->unit, right, &resource)) {
            probe->reached |= right;
            probe->resource = resource;
        }
    }
}

void mmu_probe(uint32_t index, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        probes[i].reached = 0;
        if (probes[i].kind == ABI_OBJ || probes[i].unit >> (probes[i].kind == ABI_MEM ? GEO_MEM_LOG2 : GEO_PIO_LOG2)) {
            continue;
        }
        if (fresh || mmu.cpu[index].pd != pd) {
            probe_afresh(pd_by_index(pd), &probes[i]);
        } else {
            probe_remembering(index, &probes[i]);
        }
    }
}

void mmu_speculate(void) {
    uint64_t random = next_random();
    struct mmu_cpu *cpu = &mmu.cpu[(uint32_t)(random >> 8) % mmu.cpus];
    uint64_t frame = 0;
    if (random % SPECULATE_ONE_IN != 0 || cpu->pd == RESCIND_NONE) {
        return;
    }
    uint64_t unit = random >> 16 & ((UINT64_C(1) << GEO_MEM_LOG2) - 1);
    if (random >> 12 & 1) {
        unit = mmu.recent[unit % MMU_RECENT] ^ (random >> 60);
    }
    access_memory(cpu, unit, ABI_R, &frame);
}

/* ---- judging ---- */

void mmu_table_freed(uint64_t physical) {
    for (uint32_t index = 0; index < mmu.cpus; index++) {
        const struct mmu_cpu *cpu = &mmu.cpu[index];
        for (uint32_t i = 0; i < cpu->walk_count; i++) {
            if (cpu->walk[i].frame == physical >> FRAME_SHIFT && cpu_owner(index, cpu->walk[i].tag)) {
                arch_stop(RESCIND_STOP_WALK, "a page table is freed that a CPU may walk", __func__);
            }
        }
    }
}

bool mmu_cached(uint32_t index, uint32_t place, struct rescind_cached *cached) {
    const struct mmu_cpu *cpu = &mmu.cpu[index];
    bool is_walk = place >= MMU_TLB;
    uint32_t at = is_walk ? place - MMU_TLB : place;
    if (at >= (is_walk ? cpu->walk_count : cpu->tlb_count)) {
        return false;
    }
    const struct mmu_entry *entry = is_walk ? &cpu->walk[at] : &cpu->tlb[at];
    const struct pd *owner = cpu_owner(index, entry->tag);
    *cached = (struct rescind_cached){
        .pd = owner ? pd_index(owner) : RESCIND_NONE,
        .walk = is_walk,
        .level = entry->level,
        .rights = entry->rights,
        .unit = entry->unit,
        .frame = entry->frame,
    };
    return true;
}
