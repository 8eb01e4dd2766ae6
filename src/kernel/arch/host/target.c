/*
 * The host target: the kernel as a library behind struct rescind_target (abi/target.h), with a log of its stores.
 */
#include "abi/target.h"

#include "account.h"
#include "arch/host/views.h"
#include "boot.h"
#include "check.h"
#include "cpu.h"
#include "pd.h"
#include "ptab.h"
#include "syscall.h"
#include "usage.h"
#include "work.h"

struct host host;

_Noreturn void arch_stop(enum rescind_stop why, const char *text, const char *function) {
    host.hooks.stop(host.hooks.context, why, text, function);
    __builtin_trap();
}

#if defined(__SANITIZE_ADDRESS__)
#define HOST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#endif

#ifdef HOST_ASAN
void __asan_poison_memory_region(const volatile void *memory, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *memory, size_t bytes);

void arch_forbid(const void *memory, size_t bytes) {
    __asan_poison_memory_region(memory, bytes);
}

void arch_permit(const void *memory, size_t bytes) {
    __asan_unpoison_memory_region(memory, bytes);
}
#else
void arch_forbid(const void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}

void arch_permit(const void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}
#endif

static void begin(void) {
    for (uint32_t i = 0; i < host.node_count; i++) {
        host.node_slot[host.nodes[i].node] = 0;
    }
    host.steps = 0;
    host.points = 0;
    host.point_seen = false;
    host.point_steps = host.stretch = 0;
    host.overflow = false;
    host.store_count = 0;
    host.node_count = 0;
    host.pd_count = 0;
    host.object_count = 0;
    host.port_store_count = 0;
    mmu.invalidations = 0;
    mmu.shootdowns = 0;
    arch_await_requests();
}

static void target_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    host.hooks = *hooks;
    begin();
    mmu_reset(cpus);
    boot();
    mmu_speculate_from(speculation);
}

static uint32_t target_begin(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS], uint32_t points) {
    begin();
    mmu.executing = cpu;
    host.points = work_count < GEO_WORKS ? points : 0;
    const struct work *work = syscall_enter(pd_by_index(pd), word);
    if (!work) {
        host_point();
        return RESCIND_NONE;
    }
    struct suspended *suspended = &host.suspended[work_index(work)];
    suspended->cpu = cpu;
    __builtin_memcpy(suspended->word, word, sizeof suspended->word);
    return work_index(work);
}

static void target_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    target_begin(cpu, pd, word, 0);
}

static bool target_resume(uint32_t operation, uint32_t points, uint64_t word[ABI_WORDS]) {
    const struct suspended *suspended = &host.suspended[operation];
    struct work *work = work_by_index(operation);
    KASSERT(work != NULL);
    begin();
    mmu.executing = suspended->cpu;
    host.points = points;
    host.point_seen = true;
    __builtin_memcpy(word, suspended->word, sizeof suspended->word);
    bool done = syscall_resume(work, word);
    host_point();
    return done;
}

static const char *target_point(uint32_t operation) {
    return work_point_name(work_by_index(operation));
}

static uint64_t target_stretch(void) {
    return host.stretch;
}

static void target_log(struct rescind_log *log) {
    *log = (struct rescind_log){
        .stores = host.stores,
        .nodes = host.nodes,
        .pds = host.pds,
        .objects = host.objects,
        .port_stores = host.port_stores,
        .store_count = host.store_count,
        .node_count = host.node_count,
        .pd_count = host.pd_count,
        .object_count = host.object_count,
        .port_store_count = host.port_store_count,
        .invalidations = mmu.invalidations,
        .shootdowns = mmu.shootdowns,
        .cached = mmu.remembered,
        .overflow = host.overflow,
    };
}

static uint64_t target_steps(void) {
    return host.steps;
}

static void target_switch_to(uint32_t cpu, uint32_t pd) {
    begin();
    mmu.executing = cpu;
    if (pd == RESCIND_NONE) {
        cpu_stop(cpu);
    } else {
        cpu_switch(cpu, pd_by_index(pd));
    }
}

static uint32_t target_runs(uint32_t cpu) {
    return mmu.cpu[cpu].pd;
}

const struct rescind_target GEO_TARGET = {
    .version = RESCIND_TARGET_VERSION,
    .size = sizeof(struct rescind_target),
    .name = "host-" GEO_NAME,
    .geometry =
        {
            .name = GEO_NAME,
            .mem_log2 = GEO_MEM_LOG2,
            .pio_log2 = GEO_PIO_LOG2,
            .obj_log2 = GEO_OBJ_LOG2,
            .phys_log2 = GEO_PHYS_LOG2,
            .level_bits = GEO_LEVEL_BITS,
            .levels = GEO_LEVELS,
            .leaf_level = GEO_LEAF_LEVEL,
            .pds = GEO_PDS,
            .objects = GEO_OBJECTS,
            .quota_pages = GEO_QUOTA_PAGES,
            .cpus = GEO_CPUS,
            .kernel_frame = GEO_KERNEL_FRAME,
        },
    .operations = 1u << ABI_CREATE_PD | 1u << ABI_DELEGATE | 1u << ABI_REVOKE | 1u << ABI_DESTROY_PD |
                  1u << ABI_LOOKUP | 1u << ABI_CREATE_OBJECT | 1u << ABI_GRANT | 1u << ABI_MOVE_QUOTA,
    .kinds = 1u << ABI_MEM | 1u << ABI_PIO | 1u << ABI_OBJ,
    .costs = USAGE_COSTS,
    .boot = target_boot,
    .call = target_call,
    .begin = target_begin,
    .resume = target_resume,
    .point = target_point,
    .suspended_limit = GEO_WORKS,
    .stretch = target_stretch,
    .stretch_limit = GEO_STRETCH_LIMIT,
    .joining = view_joining,
    .fail_allocation = account_fail,
    .sites = account_sites,
    .switch_to = target_switch_to,
    .runs = target_runs,
    .access = mmu_access,
    .probe = mmu_probe,
    .cached = mmu_cached,
    .cached_limit = MMU_TLB + MMU_WALK,
    .log = target_log,
    .steps = target_steps,
    .usage = usage_read,
    .pd = view_pd,
    .node = view_node,
    .object = view_object,
    .object_limit = GEO_OBJECTS,
    .pd_limit = GEO_PDS,
    .node_limit = GEO_NODES,
    .root_pd = 0,
    .phys_tree_root = view_phys_tree_root,
    .table = ptab_by_physical,
};
