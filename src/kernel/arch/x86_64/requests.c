/* The kernel's lock, and what CPUs ask of each other; see machine.h. */
#include "check.h"
#include "cpu.h"
#include "pd.h"
#include "ports.h"

enum {
    PATIENCE = 200,  /* turns before a CPU that waits halts */
    COURTESY = 20000 /* turns that an operation waits at a point for a CPU that waits for the lock */
};

/* ---- waiting ---- */

static bool lock_is_free(const struct machine_cpu *unused) {
    (void)unused;
    return !__atomic_load_n(&machine.lock, __ATOMIC_SEQ_CST);
}

static bool request_is_done(const struct machine_cpu *cpu) {
    return __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST) == MACHINE_NOTHING;
}

/* Halts until an interrupt, unless what is waited for is there: whoever makes it be there wakes those that doze. */
static void doze(bool (*is_there)(const struct machine_cpu *), const struct machine_cpu *cpu) {
    struct machine_cpu *self = machine_self();
    __atomic_store_n(&self->dozes, 1, __ATOMIC_SEQ_CST);
    if (!is_there(cpu)) {
        cpu_take_interrupt();
    }
    __atomic_store_n(&self->dozes, 0, __ATOMIC_SEQ_CST);
}

static void wake(void) {
    for (uint32_t i = 0; i < machine.cpus; i++) {
        if (__atomic_load_n(&machine.cpu[i].dozes, __ATOMIC_SEQ_CST)) {
            machine_interrupt(machine.cpu[i].apic_id, LAYOUT_VECTOR_REQUEST);
        }
    }
}

/* False: this CPU has something else to do, and does not go `anyway`. */
static bool lock(bool anyway) {
    const struct machine_cpu *self = machine_self();
    for (uint32_t turn = 1; __atomic_exchange_n(&machine.lock, 1, __ATOMIC_ACQUIRE); turn++) {
        if (turn % PATIENCE == 0) {
            doze(lock_is_free, NULL); /* and perhaps serves a request */
        }
        machine_serve_request();
        if (!anyway && self->way != MACHINE_GO_ON) {
            return false;
        }
        cpu_pause();
    }
    return true;
}

bool machine_lock(void) {
    __atomic_add_fetch(&machine.waiting, 1, __ATOMIC_SEQ_CST);
    bool locked = lock(false);
    __atomic_sub_fetch(&machine.waiting, 1, __ATOMIC_SEQ_CST);
    return locked;
}

void machine_unlock(void) {
    __atomic_store_n(&machine.lock, 0, __ATOMIC_SEQ_CST);
    wake();
}

/* With the lock held, at a point where the kernel's state is whole: takes interrupts, and lets another CPU in that
 * waits. */
bool arch_point(void) {
    struct machine_cpu *self = machine_self();
    __atomic_store_n(&self->dozes, 1, __ATOMIC_SEQ_CST); /* so that the interrupt comes back here */
    cpu_take_pending();
    __atomic_store_n(&self->dozes, 0, __ATOMIC_SEQ_CST);
    machine_tell_point(self->index);
    if (__atomic_load_n(&machine.waiting, __ATOMIC_SEQ_CST) == 0) {
        return false;
    }
    uint64_t calls = machine.calls;
    machine_unlock();
    for (uint32_t turn = 0; turn < COURTESY && lock_is_free(NULL); turn++) {
        machine_serve_request();
        cpu_pause();
    }
    lock(true); /* what else it may have to do comes after the operation */
    machine.info->calls[self->index].shared += machine.calls != calls;
    return false;
}

/* ---- asking ---- */

static void await(const struct machine_cpu *cpu) {
    for (uint32_t turn = 1; !request_is_done(cpu); turn++) {
        if (turn % PATIENCE == 0) {
            doze(request_is_done, cpu);
        }
        cpu_pause();
    }
}

static void ask(struct machine_cpu *cpu, enum machine_request what) {
    __atomic_store_n(&cpu->request, what, __ATOMIC_RELEASE);
    machine_interrupt(cpu->apic_id, LAYOUT_VECTOR_REQUEST);
}

void machine_request_run(uint32_t cpu, uint32_t pd) {
    machine.cpu[cpu].request_pd = pd;
    ask(&machine.cpu[cpu], MACHINE_RUN);
    await(&machine.cpu[cpu]);
}

/* ---- doing ---- */

static void load(struct machine_cpu *self, uint32_t pd, uint64_t root_table) {
    self->ran = pd;
    self->root_table = root_table;
    cpu_write_cr3(root_table);
}

void machine_stop(void) {
    struct machine_cpu *self = machine_self();
    load(self, RESCIND_NONE, machine.kernel_root);
    self->way = MACHINE_LEAVE;
}

static void forget_units(const uint64_t *unit, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        cpu_invalidate_page(unit[i] << PTE_FRAME_SHIFT);
    }
}

/* The lock is held by the CPU that asks, which waits until this is done. */
static void run(struct machine_cpu *self) {
    cpu_stop(self->index);
    if (self->request_pd != RESCIND_NONE) {
        cpu_switch(self->index, pd_by_index(self->request_pd));
        self->way = MACHINE_START_AGENT;
    }
}

void machine_serve_request(void) {
    struct machine_cpu *self = machine_self();
    switch ((enum machine_request)__atomic_load_n(&self->request, __ATOMIC_ACQUIRE)) {
    case MACHINE_NOTHING:
        return;
    case MACHINE_FORGET_UNITS:
        forget_units(self->request_unit, self->request_count);
        break;
    case MACHINE_FORGET_ALL:
        cpu_write_cr3(self->root_table);
        break;
    case MACHINE_STOP:
        machine_stop();
        break;
    case MACHINE_RUN:
        run(self);
        break;
    }
    __atomic_store_n(&self->request, MACHINE_NOTHING, __ATOMIC_SEQ_CST);
    wake();
}

/* ---- what the kernel asks of the machine ---- */

void arch_run(uint32_t cpu, uint32_t pd, const uint64_t *root_table, uint32_t tag) {
    struct machine_cpu *self = machine_self();
    (void)tag;
    KASSERT(self->index == cpu);
    machine_show_ports(cpu, machine_physical(ports_of(pd)));
    load(self, pd, machine_physical(root_table));
}

void arch_request(uint32_t cpu, uint32_t tag, const uint64_t *unit, uint32_t count) {
    struct machine_cpu *other = &machine.cpu[cpu];
    (void)tag;
    if (other == machine_self()) {
        forget_units(unit, count);
        machine.info->invalidations += count;
        return;
    }
    KASSERT(count <= MACHINE_REQUEST_UNITS);
    await(other);
    for (uint32_t i = 0; i < count; i++) {
        other->request_unit[i] = unit[i];
    }
    other->request_count = count;
    machine.info->shootdowns++;
    ask(other, MACHINE_FORGET_UNITS);
}

void arch_request_flush(uint32_t cpu, uint32_t tag) {
    struct machine_cpu *other = &machine.cpu[cpu];
    (void)tag;
    if (other == machine_self()) {
        cpu_write_cr3(other->root_table);
        machine.info->invalidations++;
        return;
    }
    await(other);
    machine.info->shootdowns++;
    ask(other, MACHINE_FORGET_ALL);
}

void arch_await_requests(void) {
    for (uint32_t i = 0; i < machine.cpus; i++) {
        await(&machine.cpu[i]);
    }
}

void arch_stop_running(uint32_t cpu) {
    struct machine_cpu *other = &machine.cpu[cpu];
    if (other == machine_self()) {
        machine_stop();
        return;
    }
    await(other);
    machine.info->shootdowns++;
    ask(other, MACHINE_STOP);
    await(other);
}

void arch_table_freed(uint64_t physical) {
    for (uint32_t i = 0; i < machine.cpus; i++) {
        KASSERT(machine.cpu[i].root_table != physical);
    }
}
