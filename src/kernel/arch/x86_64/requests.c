/* What this machine's CPUs do when they are asked, or switch; see machine.h. */
#include "check.h"
#include "cpu.h"
#include "pd.h"
#include "ports.h"

static void load(struct machine_cpu *self, uint32_t pd, uint64_t root_table) {
    self->ran = pd;
    self->root_table = root_table;
    cpu_write_cr3(root_table);
}

void arch_stopped(void) {
    struct machine_cpu *self = machine_self();
    load(self, RESCIND_NONE, machine.kernel_root);
    self->way = MACHINE_LEAVE;
}

void arch_forget_units(const uint64_t *unit, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        cpu_invalidate_page(unit[i] << PTE_FRAME_SHIFT);
    }
}

void arch_forget_all(void) {
    cpu_write_cr3(machine_self()->root_table);
}

void arch_run(uint32_t cpu, uint32_t pd, const uint64_t *root_table, uint32_t tag) {
    struct machine_cpu *self = machine_self();
    (void)tag;
    KASSERT(self->index == cpu);
    machine_show_ports(cpu, machine_physical(ports_of(pd)));
    load(self, pd, machine_physical(root_table));
}

void arch_table_freed(uint64_t physical) {
    for (uint32_t i = 0; i < machine.cpus; i++) {
        KASSERT(machine.cpu[i].root_table != physical);
    }
}
