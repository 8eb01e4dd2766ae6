/* The kernel's lock, and what CPUs ask of each other; see smp.h. */
#include "arch/smp/smp.h"

#include "check.h"
#include "cpu.h"
#include "pd.h"
#include "work.h"

enum {
    PATIENCE = 200,  /* turns before a CPU that waits halts */
    COURTESY = 20000 /* turns that an operation waits at a point for a CPU that waits for the lock */
};

struct smp smp;

static struct smp_cpu *self(void) {
    return &smp.cpu[arch_self()];
}

/* ---- what a CPU is at ---- */

static void enter(enum smp_rank rank) {
    struct smp_cpu *cpu = self();
    KASSERT(cpu->at >> rank == 0);
    cpu->at |= 1U << rank;
}

static void leave(enum smp_rank rank) {
    struct smp_cpu *cpu = self();
    KASSERT(cpu->at >> rank == 1);
    cpu->at &= ~(1U << rank);
}

bool smp_holds(void) {
    return self()->at >> SMP_LOCK & 1;
}

void smp_leave(void) {
    KASSERT(self()->at == 0);
}

/* ---- waiting ---- */

static bool lock_is_free(const struct smp_cpu *unused) {
    (void)unused;
    return !__atomic_load_n(&smp.lock, __ATOMIC_SEQ_CST);
}

static bool request_is_done(const struct smp_cpu *cpu) {
    return __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST) == SMP_NOTHING;
}

/* Halts until an interrupt, unless what is waited for is there: whoever makes it be there wakes those that doze. */
static void doze(bool (*is_there)(const struct smp_cpu *), const struct smp_cpu *cpu) {
    __atomic_store_n(&self()->dozes, 1, __ATOMIC_SEQ_CST);
    if (!is_there(cpu)) {
        arch_take_interrupt();
    }
    __atomic_store_n(&self()->dozes, 0, __ATOMIC_SEQ_CST);
}

static void wake(void) {
    for (uint32_t i = 0; i < arch_cpus(); i++) {
        if (__atomic_load_n(&smp.cpu[i].dozes, __ATOMIC_SEQ_CST)) {
            arch_interrupt(i);
        }
    }
}

/* False: this CPU has something else to do, and does not go `anyway`. */
static bool lock(bool anyway) {
    KASSERT(self()->at == 0);
    for (uint32_t turn = 1; __atomic_exchange_n(&smp.lock, 1, __ATOMIC_ACQUIRE); turn++) {
        if (turn % PATIENCE == 0) {
            doze(lock_is_free, NULL); /* and perhaps serves a request */
        }
        smp_serve();
        if (!anyway && arch_is_elsewhere()) {
            return false;
        }
        arch_pause();
    }
    enter(SMP_LOCK);
    return true;
}

bool smp_lock(void) {
    __atomic_add_fetch(&smp.waiting, 1, __ATOMIC_SEQ_CST);
    bool locked = lock(false);
    __atomic_sub_fetch(&smp.waiting, 1, __ATOMIC_SEQ_CST);
    return locked;
}

void smp_unlock(void) {
    leave(SMP_LOCK);
    __atomic_store_n(&smp.lock, 0, __ATOMIC_SEQ_CST);
    wake();
}

/* With the lock held, at a point where the kernel's state is whole: takes interrupts, and lets another CPU in that
 * waits. */
bool arch_point(void) {
    KASSERT(self()->at == 1U << SMP_LOCK);
    KASSERT(work_unsettled == 0);
    __atomic_store_n(&self()->dozes, 1, __ATOMIC_SEQ_CST); /* so that the interrupt comes back here */
    arch_take_pending();
    __atomic_store_n(&self()->dozes, 0, __ATOMIC_SEQ_CST);
    uint64_t calls = arch_tell_point();
    if (__atomic_load_n(&smp.waiting, __ATOMIC_SEQ_CST) == 0) {
        return false;
    }
    self()->handed++;
    smp_unlock();
    for (uint32_t turn = 0; turn < COURTESY && lock_is_free(NULL); turn++) {
        smp_serve();
        arch_pause();
    }
    lock(true); /* what else it may have to do comes after the operation */
    arch_tell_let_in(calls);
    return false;
}

/* ---- asking ---- */

static void await(const struct smp_cpu *cpu) {
    KASSERT(smp_holds());
    enter(SMP_ANSWER);
    for (uint32_t turn = 1; !request_is_done(cpu); turn++) {
        if (turn % PATIENCE == 0) {
            doze(request_is_done, cpu);
        }
        arch_pause();
    }
    leave(SMP_ANSWER);
}

/* What is asked is written already. */
static void ask(uint32_t cpu, enum smp_request what) {
    KASSERT(smp_holds());
    __atomic_store_n(&smp.cpu[cpu].request, what, __ATOMIC_RELEASE);
    arch_interrupt(cpu);
}

void smp_request_run(uint32_t cpu, uint32_t pd) {
    await(&smp.cpu[cpu]);
    smp.cpu[cpu].pd = pd;
    ask(cpu, SMP_RUN);
    await(&smp.cpu[cpu]);
}

/* ---- doing ---- */

/* The lock is held by the CPU that asks, which waits until this is done. */
static void run(const struct smp_cpu *cpu) {
    uint32_t index = arch_self();
    cpu_stop(index);
    if (cpu->pd != RESCIND_NONE) {
        cpu_switch(index, pd_by_index(cpu->pd));
        arch_started();
    }
}

void smp_serve(void) {
    struct smp_cpu *cpu = self();
    enum smp_request request = (enum smp_request)__atomic_load_n(&cpu->request, __ATOMIC_ACQUIRE);
    if (request == SMP_NOTHING) {
        return;
    }
    enter(SMP_SERVICE);
    switch (request) {
    case SMP_FORGET_UNITS:
        arch_forget_units(cpu->unit, cpu->count);
        break;
    case SMP_FORGET_ALL:
        arch_forget_all();
        break;
    case SMP_STOP:
        arch_stopped();
        break;
    default:
        run(cpu);
        break;
    }
    leave(SMP_SERVICE);
    __atomic_store_n(&cpu->request, SMP_NOTHING, __ATOMIC_SEQ_CST);
    wake();
}

/* ---- what the kernel asks of the machine ---- */

void arch_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count) {
    struct smp_cpu *other = &smp.cpu[cpu];
    (void)tag;
    if (other == self()) {
        arch_forget_units(unit, count);
        arch_count_invalidations(count);
        return;
    }
    KASSERT(count <= SMP_UNITS);
    await(other);
    for (uint32_t i = 0; i < count; i++) {
        other->unit[i] = unit[i];
    }
    other->count = count;
    arch_count_shootdown();
    ask(cpu, SMP_FORGET_UNITS);
}

void arch_request_flush(uint32_t cpu, uint32_t tag) {
    struct smp_cpu *other = &smp.cpu[cpu];
    (void)tag;
    if (other == self()) {
        arch_forget_all();
        arch_count_invalidations(1);
        return;
    }
    await(other);
    arch_count_shootdown();
    ask(cpu, SMP_FORGET_ALL);
}

void arch_await_requests(void) {
    for (uint32_t i = 0; i < arch_cpus(); i++) {
        await(&smp.cpu[i]);
    }
}

void arch_stop_running(uint32_t cpu) {
    struct smp_cpu *other = &smp.cpu[cpu];
    if (other == self()) {
        arch_stopped();
        return;
    }
    await(other);
    arch_count_shootdown();
    ask(cpu, SMP_STOP);
    await(other);
}
