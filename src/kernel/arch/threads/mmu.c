/*
 * The MMU of a CPU that is a thread: a TLB and a walk cache of its own, which it alone reads and writes. It walks the
 * tables whenever the thread accesses something, whatever other CPUs store to them meanwhile (as ../host/mmu.c, which
 * models all CPUs in one thread; Intel SDM vol. 3A, 4.10).
 */
#include "check.h"
#include "cpu.h"
#include "pd.h"
#include "ptab.h"

enum { LEVEL_MASK = (1 << GEO_LEVEL_BITS) - 1, FRAME_SHIFT = 12 };
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_WRITE (UINT64_C(1) << 1)
#define ENTRY_USER (UINT64_C(1) << 2)
#define ENTRY_LARGE (UINT64_C(1) << 7)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)
#define ENTRY_FRAME ((UINT64_C(1) << 40) - 1)

void threads_mmu_reset(void) {
    for (uint32_t i = 0; i < GEO_CPUS; i++) {
        threads_cpu[i] = (struct threads_cpu){.index = i, .pd = RESCIND_NONE, .random = i + 1};
    }
}

/* ---- what a CPU remembers ---- */

static bool covers(const struct threads_entry *entry, unsigned bits, uint64_t unit) {
    return (entry->unit ^ unit) >> bits == 0;
}

static void remember(struct threads_cpu *cpu, struct threads_entry *entries, uint32_t *count, uint32_t limit,
                     const struct threads_entry *entry) {
    cpu->random ^= cpu->random << 13;
    cpu->random ^= cpu->random >> 7;
    cpu->random ^= cpu->random << 17;
    entries[*count == limit ? cpu->random % limit : (*count)++] = *entry;
}

static void forget(struct threads_entry *entries, uint32_t *count, uint32_t place) {
    entries[place] = entries[--*count];
}

/* INVLPG: translations of the unit, of any size, and all tables; or (`everything`) all that there is under the tag. */
static void invalidate(struct threads_cpu *cpu, uint32_t tag, uint64_t unit, bool everything) {
    for (uint32_t i = cpu->tlb_count; i-- > 0;) {
        const struct threads_entry *entry = &cpu->tlb[i];
        if (entry->tag == tag && (everything || covers(entry, entry->level * GEO_LEVEL_BITS, unit))) {
            forget(cpu->tlb, &cpu->tlb_count, i);
        }
    }
    for (uint32_t i = cpu->walk_count; i-- > 0;) {
        if (cpu->walk[i].tag == tag) {
            forget(cpu->walk, &cpu->walk_count, i);
        }
    }
}

void arch_flush(uint32_t tag) {
    invalidate(threads_self(), tag, 0, true);
}

void arch_forget_units(const uint64_t *unit, uint32_t count) {
    struct threads_cpu *cpu = threads_self();
    for (uint32_t i = 0; i < count; i++) {
        invalidate(cpu, cpu->tag, unit[i], false);
    }
}

void arch_forget_all(void) {
    arch_flush(threads_self()->tag);
}

void arch_run(uint32_t cpu, uint32_t pd, const uint64_t *root_table, uint32_t tag) {
    struct threads_cpu *self = threads_self();
    KASSERT(self->index == cpu);
    self->pd = pd;
    self->root = ptab_physical(root_table);
    self->tag = tag;
}

void arch_stopped(void) {
    struct threads_cpu *self = threads_self();
    self->pd = RESCIND_NONE;
    self->root = 0;
    self->elsewhere = true;
}

void arch_table_freed(uint64_t physical) {
    for (uint32_t i = 0; i < threads_cpus; i++) {
        KASSERT(threads_cpu[i].root != physical);
    }
}

/* ---- walking ---- */

static uint8_t rights_of(uint64_t entry) {
    if (!(entry & ENTRY_USER)) {
        return 0;
    }
    return (uint8_t)(ABI_R | (entry & ENTRY_WRITE ? ABI_W : 0) | (entry & ENTRY_NO_EXECUTE ? 0 : ABI_X));
}

static struct threads_entry start_of(const struct threads_cpu *cpu, uint64_t unit) {
    struct threads_entry start = {.frame = cpu->root >> FRAME_SHIFT, .level = GEO_LEVELS - 1, .rights = ABI_MEM_RIGHTS};
    for (uint32_t i = 0; i < cpu->walk_count; i++) {
        const struct threads_entry *entry = &cpu->walk[i];
        if (entry->tag == cpu->tag && entry->level < start.level &&
            covers(entry, (entry->level + 1U) * GEO_LEVEL_BITS, unit)) {
            start = *entry;
        }
    }
    return start;
}

/* A processor does not ask whether a table is free: it reads what is there. */
static uint64_t read_entry(uint64_t frame, uint64_t unit, unsigned level) {
    uint64_t table = frame - GEO_TABLE_FRAME;
    KASSERT(table < GEO_TABLES);
    return __atomic_load_n(&table_memory[table].entry[unit >> (level * GEO_LEVEL_BITS) & LEVEL_MASK], __ATOMIC_ACQUIRE);
}

static bool walk(struct threads_cpu *cpu, uint64_t unit, struct threads_entry *leaf) {
    struct threads_entry at = start_of(cpu, unit);
    for (;;) {
        uint64_t entry = read_entry(at.frame, unit, at.level);
        if (!(entry & ENTRY_PRESENT)) {
            return false;
        }
        bool is_leaf = at.level == 0 || entry & ENTRY_LARGE;
        at.unit = unit & ~((UINT64_C(1) << (at.level * GEO_LEVEL_BITS)) - 1);
        at.frame = (entry & ENTRY_FRAME) >> FRAME_SHIFT;
        at.rights &= rights_of(entry);
        at.tag = (uint8_t)cpu->tag;
        if (is_leaf) {
            *leaf = at;
            remember(cpu, cpu->tlb, &cpu->tlb_count, THREADS_TLB, &at);
            return true;
        }
        at.level--;
        remember(cpu, cpu->walk, &cpu->walk_count, THREADS_WALK, &at);
    }
}

static bool access_memory(struct threads_cpu *cpu, uint64_t unit, uint8_t rights, uint64_t *frame) {
    struct threads_entry leaf;
    for (uint32_t i = cpu->tlb_count; i-- > 0;) {
        const struct threads_entry *entry = &cpu->tlb[i];
        if (entry->tag != cpu->tag || !covers(entry, entry->level * GEO_LEVEL_BITS, unit)) {
            continue;
        }
        if (!(rights & ~entry->rights)) {
            *frame = entry->frame + (unit - entry->unit);
            return true;
        }
        forget(cpu->tlb, &cpu->tlb_count, i); /* a fault drops what caused it */
    }
    if (!walk(cpu, unit, &leaf)) {
        return false;
    }
    *frame = leaf.frame + (unit - leaf.unit);
    return !(rights & ~leaf.rights);
}

bool threads_access(enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource) {
    struct threads_cpu *cpu = threads_self();
    if (cpu->pd == RESCIND_NONE || kind == ABI_OBJ || unit >> (kind == ABI_MEM ? GEO_MEM_LOG2 : GEO_PIO_LOG2)) {
        return false;
    }
    if (kind == ABI_MEM) {
        return access_memory(cpu, unit, rights, resource);
    }
    *resource = unit;
    return !(__atomic_load_n(&ports_of(cpu->pd)[unit / 64], __ATOMIC_ACQUIRE) >> unit % 64 & 1);
}

bool threads_cached(uint32_t index, uint32_t place, struct rescind_cached *cached) {
    const struct threads_cpu *cpu = &threads_cpu[index];
    bool is_walk = place >= THREADS_TLB;
    uint32_t at = is_walk ? place - THREADS_TLB : place;
    if (at >= (is_walk ? cpu->walk_count : cpu->tlb_count)) {
        return false;
    }
    const struct threads_entry *entry = is_walk ? &cpu->walk[at] : &cpu->tlb[at];
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
