/*
 * The local APIC of each CPU: a timer, so that interrupts come in the middle of everything, and interrupts from CPU to
 * CPU (Intel SDM vol. 3A, chapter 11). The other interrupt controller is switched off.
 */
#include "arch/x86_64/machine.h"

enum {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_END_OF_INTERRUPT = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_COMMAND_LOW = 0x300,
    APIC_COMMAND_HIGH = 0x310,
    APIC_TIMER = 0x320,
    APIC_LINE_0 = 0x350,
    APIC_LINE_1 = 0x360,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_ON = 1 << 8,
    APIC_MASKED = 1 << 16,
    APIC_PERIODIC = 1 << 17,
    APIC_DIVIDE_BY_1 = 0xb,
    COMMAND_PENDING = 1 << 12,
    COMMAND_ASSERT = 1 << 14,
    COMMAND_INIT = 5 << 8,
    COMMAND_START = 6 << 8,
    COMMAND_OTHERS = 3 << 18,
    TIMER_PERIOD = 10000000, /* 10 ms of QEMU's, whose bus runs at 1 GHz */
    PIC_MASTER_MASK = 0x21,
    PIC_SLAVE_MASK = 0xa1,
};

static volatile uint32_t *reg(uint32_t offset) {
    return (volatile uint32_t *)(uintptr_t)(LAYOUT_APIC + offset);
}

static void command(uint32_t apic_id, uint32_t what) {
    *reg(APIC_COMMAND_HIGH) = apic_id << 24;
    *reg(APIC_COMMAND_LOW) = what;
    while (*reg(APIC_COMMAND_LOW) & COMMAND_PENDING) {
        cpu_pause();
    }
}

void machine_set_up_apic(void) {
    machine_self()->apic_id = *reg(APIC_ID) >> 24;
    cpu_out8(PIC_MASTER_MASK, 0xff);
    cpu_out8(PIC_SLAVE_MASK, 0xff);
    *reg(APIC_TASK_PRIORITY) = 0;
    *reg(APIC_LINE_0) = APIC_MASKED;
    *reg(APIC_LINE_1) = APIC_MASKED;
    *reg(APIC_SPURIOUS) = APIC_ON | LAYOUT_VECTOR_SPURIOUS;
    *reg(APIC_TIMER_DIVIDE) = APIC_DIVIDE_BY_1;
    *reg(APIC_TIMER) = APIC_PERIODIC | LAYOUT_VECTOR_TIMER;
    *reg(APIC_TIMER_COUNT) = TIMER_PERIOD;
}

void machine_end_of_interrupt(void) {
    *reg(APIC_END_OF_INTERRUPT) = 0;
}

void machine_interrupt(uint32_t apic_id, uint8_t vector) {
    command(apic_id, COMMAND_ASSERT | vector);
}

void machine_reset_others(void) {
    command(0, COMMAND_OTHERS | COMMAND_ASSERT | COMMAND_INIT);
}

void machine_start_others(uint8_t page) {
    command(0, COMMAND_OTHERS | COMMAND_ASSERT | COMMAND_START | page);
}
