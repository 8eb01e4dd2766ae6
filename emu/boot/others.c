/* Starts the other CPUs (Intel SDM vol. 3A, 8.4). */
#include "start.h"

enum { TRAMPOLINE_PAGE = 8, FW_CFG_SELECTOR = 0x510, FW_CFG_DATA = 0x511, FW_CFG_CPUS = 5, PAUSES = 1000 };

static uint32_t joined = 1;

/* As QEMU says; those beyond what the kernel can use stay asleep. */
static uint32_t count_cpus(void) {
    cpu_out16(FW_CFG_SELECTOR, FW_CFG_CPUS);
    uint32_t count = cpu_in8(FW_CFG_DATA);
    return count < CONTROL_CPUS ? count : CONTROL_CPUS;
}

void boot_start_others(void) {
    uint32_t count = count_cpus();
    __builtin_memcpy(machine_at(TRAMPOLINE_PAGE * CONTROL_PAGE), trampoline_start,
                     (uint64_t)(trampoline_end - trampoline_start));
    machine_reset_others();
    while (__atomic_load_n(&joined, __ATOMIC_ACQUIRE) < count) {
        machine_start_others(TRAMPOLINE_PAGE); /* one that was started, or not yet reset, does not notice */
        for (unsigned i = 0; i < PAUSES; i++) {
            cpu_pause();
        }
    }
    machine.cpus = count;
}

_Noreturn void boot_join(uint32_t index) {
    machine_set_up_cpu(index);
    machine_set_up_apic();
    __atomic_fetch_add(&joined, 1, __ATOMIC_RELEASE);
    machine_idle();
}
