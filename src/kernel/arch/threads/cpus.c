/*
 * How threads of a host enter the kernel as CPUs, leave it, wait, and are interrupted; see threads.h.
 */
#include "arch/host/views.h"
#include "arch/threads/threads.h"
#include "boot.h"
#include "check.h"
#include "cpu.h"
#include "index.h"
#include "mapdb.h"
#include "object.h"
#include "pd.h"
#include "ptab.h"
#include "syscall.h"
#include "usage.h"

struct threads_cpu threads_cpu[GEO_CPUS];
uint32_t threads_cpus;
static struct rescind_hooks stop_hooks;
static struct threads_hooks wait_hooks;
static _Thread_local struct threads_cpu *self;

struct threads_cpu *threads_self(void) {
    return self;
}

_Noreturn void arch_stop(enum rescind_stop why, const char *text, const char *function) {
    stop_hooks.stop(stop_hooks.context, why, text, function);
    __builtin_trap();
}

/* ---- interrupts: as on a machine they come in some order, and order nothing else ---- */

void arch_pause(void) {
    wait_hooks.yield();
}

void arch_interrupt(uint32_t cpu) {
    __atomic_store_n(&threads_cpu[cpu].pending, 1, __ATOMIC_RELAXED);
    wait_hooks.wake(cpu);
}

static void take_pending(void) {
    if (__atomic_exchange_n(&self->pending, 0, __ATOMIC_RELAXED)) {
        smp_serve();
    }
}

/* Threads may be more than processors: at a preemption point others get as far as to wait for the lock. */
void arch_take_pending(void) {
    wait_hooks.yield();
    take_pending();
}

void arch_take_interrupt(void) {
    while (!__atomic_load_n(&self->pending, __ATOMIC_RELAXED)) {
        wait_hooks.wait(self->index);
    }
    take_pending();
}

/* ---- entering ---- */

/* False: there is something else to do than what this CPU was about to do. */
static bool enter(void) {
    self->elsewhere = false;
    if (smp_lock()) {
        smp_serve(); /* what it is to forget is of the PD that it runs: before it may run another one */
        return true;
    }
    smp_leave();
    return false;
}

static void leave(void) {
    smp_unlock();
    smp_leave();
    take_pending();
}

static bool call(uint64_t word[ABI_WORDS]) {
    if (!enter()) {
        return false;
    }
    struct pd *caller = cpu_runs(self->index);
    bool can = caller && !caller->referent.dying;
    self->steps = 0;
    if (can) {
        syscall_enter(caller, word);
    } else {
        cpu_stop(self->index);
    }
    leave();
    return can;
}

static struct pd *alive(uint32_t index) {
    struct pd *pd = index < GEO_PDS ? pd_find(index) : NULL;
    return pd && !pd->referent.dying ? pd : NULL;
}

static struct pd *alive_of(uint32_t index, uint32_t payer) {
    struct pd *pd = alive(index);
    const struct pd *above = pd;
    while (above && pd_index(above) != payer) {
        above = above->referent.payer;
    }
    return above ? pd : NULL;
}

/* Whether this CPU was stopped before does not matter to one that begins something else. */
static void enter_anyhow(void) {
    while (!enter()) {
    }
}

static bool run(uint32_t index, uint32_t payer) {
    enter_anyhow();
    struct pd *pd = alive_of(index, payer);
    if (pd) {
        cpu_switch(self->index, pd);
    }
    leave();
    return pd;
}

static bool run_elsewhere(uint32_t cpu, uint32_t index, uint32_t payer) {
    enter_anyhow();
    bool can = cpu != self->index && alive_of(index, payer);
    if (can) {
        smp_request_run(cpu, index);
    }
    leave();
    return can;
}

static uint64_t selector(uint32_t index, uint32_t named) {
    uint64_t end = UINT64_C(1) << GEO_OBJ_LOG2;
    enter_anyhow();
    const struct pd *pd = alive(index);
    const struct node *node = pd ? index_in(&pd->space[ABI_OBJ], 0, end) : NULL;
    while (node && node->resource != named) {
        node = index_next(node);
    }
    uint64_t found = node ? node->base : end;
    leave();
    return found;
}

static uint32_t named(uint32_t index, uint64_t unit) {
    enter_anyhow();
    const struct pd *pd = alive(index);
    const struct node *node = pd ? index_covering(&pd->space[ABI_OBJ], unit) : NULL;
    uint32_t found = node ? (uint32_t)node->resource : RESCIND_NONE;
    leave();
    return found;
}

/* ---- the kernel as a target ---- */

static void start(const struct threads_hooks *hooks) {
    wait_hooks = *hooks;
}

static void become(uint32_t cpu) {
    self = &threads_cpu[cpu];
}

static void target_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    (void)speculation;
    stop_hooks = *hooks;
    threads_cpus = cpus;
    smp = (struct smp){0};
    threads_mmu_reset();
    become(0);
    boot();
}

static uint32_t target_runs(uint32_t cpu) {
    return threads_cpu[cpu].pd;
}

static uint32_t runs(void) {
    return self->pd;
}

static void interruptible(void) {
    self->elsewhere = false;
    take_pending();
}

static uint64_t shootdowns(void) {
    return self->shootdowns;
}

static uint64_t handed(void) {
    return smp.cpu[self->index].handed;
}

const struct threads_kernel threads_kernel = {
    .target =
        {
            .version = RESCIND_TARGET_VERSION,
            .size = sizeof(struct rescind_target),
            .name = "threads-" GEO_NAME,
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
            .operations = 1U << ABI_CREATE_PD | 1U << ABI_DELEGATE | 1U << ABI_REVOKE | 1U << ABI_DESTROY_PD |
                          1U << ABI_LOOKUP | 1U << ABI_CREATE_OBJECT | 1U << ABI_GRANT | 1U << ABI_MOVE_QUOTA,
            .kinds = 1U << ABI_MEM | 1U << ABI_PIO | 1U << ABI_OBJ,
            .costs = USAGE_COSTS,
            .boot = target_boot,
            .runs = target_runs,
            .cached = threads_cached,
            .cached_limit = THREADS_TLB + THREADS_WALK,
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
        },
    .start = start,
    .become = become,
    .call = call,
    .run = run,
    .run_elsewhere = run_elsewhere,
    .runs = runs,
    .selector = selector,
    .named = named,
    .access = threads_access,
    .interruptible = interruptible,
    .shootdowns = shootdowns,
    .handed = handed,
};
