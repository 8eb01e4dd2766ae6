/*
 * What each CPU is set up with: control registers, segments, interrupt table, kernel stack, and a task state segment
 * whose port bitmap is that of the PD it runs.
 *
 * The task state segment ends at a page boundary; two pages with the bitmap follow, and one byte of all ones. The two
 * pages are mapped anew when the CPU runs another PD, so that what the kernel stores to a bitmap counts at once.
 */
#include "arch/x86_64/machine.h"
#include "check.h"

enum {
    EFER_SYSTEM_CALL = 1 << 0,
    EFER_NO_EXECUTE = 1 << 11,
    /* Trap, interrupt, direction, nested task, alignment check. */
    RFLAGS_MASKED = 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14 | 1 << 18,
    CR4_PAE = 1 << 5,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    TASK_STATE_BYTES = 104,
    TASK_STATE_PAGES = 4,
    PORT_PAGES = 2,
    INTERRUPT_STACK = 1, /* of what must not rely on the kernel's: NMI, double fault, machine check */
    VECTOR_NMI = 2,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_MACHINE_CHECK = 18,
    TRAP_ENTRY_BYTES = 16,
};
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define CR0_VALUE UINT64_C(0x80010037) /* PG WP NE ET EM MP PE: no coprocessor for anybody */

struct task_state {
    uint32_t reserved_0;
    uint64_t rsp[3];
    uint64_t reserved_1;
    uint64_t interrupt_stack[7];
    uint64_t reserved_2;
    uint16_t reserved_3, ports_at;
} __attribute__((packed));
_Static_assert(sizeof(struct task_state) == TASK_STATE_BYTES, "as the CPU has it");

struct task_state_page {
    uint8_t unused[CONTROL_PAGE - TASK_STATE_BYTES];
    struct task_state state;
} __attribute__((aligned(CONTROL_PAGE)));

struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

static struct task_state_page task_states[CONTROL_CPUS];
static uint8_t all_denied[CONTROL_PAGE] __attribute__((aligned(CONTROL_PAGE)));
static uint8_t stacks[CONTROL_CPUS][2][LAYOUT_STACK_BYTES] __attribute__((aligned(16)));
static uint64_t gdt[LAYOUT_TASK_STATE / 8 + 2 * CONTROL_CPUS];
static struct gate idt[256];
uint64_t machine_task_state_table[512] __attribute__((aligned(CONTROL_PAGE)));

uint64_t machine_features(void) {
    uint32_t most = cpu_id(0).eax;
    uint32_t extended = cpu_id(0x80000000).eax > 0x80000000 ? cpu_id(0x80000001).edx : 0;
    uint32_t structured = most >= 7 ? cpu_id(7).ebx : 0;
    return CONTROL_WP | (extended >> 20 & 1 ? CONTROL_NX : 0U) | (extended >> 26 & 1 ? CONTROL_PAGES_1G : 0U) |
           (structured >> 7 & 1 ? CONTROL_SMEP : 0U) | (structured >> 20 & 1 ? CONTROL_SMAP : 0U);
}

bool machine_stack_overflowed(uint32_t index) {
    const uint64_t *last = (const uint64_t *)(const void *)stacks[index][0];
    return *last != 0;
}

static uint64_t *task_state_entries(uint32_t index) {
    return &machine_task_state_table[index * TASK_STATE_PAGES];
}

static uint64_t task_state_address(uint32_t index) {
    return LAYOUT_TASK_STATES + (uint64_t)(index + 1) * TASK_STATE_PAGES * CONTROL_PAGE -
           (TASK_STATE_PAGES - 1) * CONTROL_PAGE - TASK_STATE_BYTES;
}

void machine_show_ports(uint32_t index, uint64_t physical) {
    KASSERT(physical % CONTROL_PAGE == 0);
    for (uint64_t i = 0; i < PORT_PAGES; i++) {
        task_state_entries(index)[1 + i] = (physical + i * CONTROL_PAGE) | PTE_PRESENT | PTE_WRITE | PTE_NO_EXECUTE;
    }
}

static void map_task_state(uint32_t index) {
    uint64_t *entry = task_state_entries(index);
    entry[0] = machine_physical(&task_states[index]) | PTE_PRESENT | PTE_WRITE | PTE_NO_EXECUTE;
    entry[1] = entry[2] = entry[3] = machine_physical(all_denied) | PTE_PRESENT | PTE_NO_EXECUTE;
}

static void set_task_state(uint32_t index) {
    struct task_state *state = &task_states[index].state;
    uint64_t address = task_state_address(index);
    uint64_t limit = TASK_STATE_BYTES + PORT_PAGES * CONTROL_PAGE;
    map_task_state(index);
    *state = (struct task_state){.ports_at = TASK_STATE_BYTES};
    state->rsp[0] = (uint64_t)(uintptr_t)(stacks[index][0] + LAYOUT_STACK_BYTES);
    state->interrupt_stack[INTERRUPT_STACK - 1] = (uint64_t)(uintptr_t)(stacks[index][1] + LAYOUT_STACK_BYTES);
    uint64_t *descriptor = &gdt[LAYOUT_TASK_STATE / 8 + 2 * index];
    descriptor[0] = limit | (address & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (address >> 24 & 0xff) << 56;
    descriptor[1] = address >> 32;
}

static void set_segments(uint32_t index) {
    const struct cpu_table table = {.limit = sizeof gdt - 1, .base = (uint64_t)(uintptr_t)gdt};
    cpu_load_gdt(&table, LAYOUT_KERNEL_CODE, LAYOUT_KERNEL_DATA);
    set_task_state(index);
    cpu_load_task_register((uint16_t)(LAYOUT_TASK_STATE + 16 * index));
}

static void set_gate(unsigned vector) {
    uint64_t entry = (uint64_t)(uintptr_t)machine_trap_entries + (uint64_t)vector * TRAP_ENTRY_BYTES;
    bool apart = vector == VECTOR_NMI || vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_MACHINE_CHECK;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)entry,
        .selector = LAYOUT_KERNEL_CODE,
        .stack = apart ? INTERRUPT_STACK : 0,
        .type = 0x8e, /* interrupts off, not to be called by users */
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}

/* What all CPUs share. */
static void make_tables(void) {
    gdt[LAYOUT_KERNEL_CODE / 8] = UINT64_C(0x00209a0000000000);
    gdt[LAYOUT_KERNEL_DATA / 8] = UINT64_C(0x0000920000000000);
    gdt[LAYOUT_USER_DATA / 8] = UINT64_C(0x0000f20000000000);
    gdt[LAYOUT_USER_CODE / 8] = UINT64_C(0x0020fa0000000000);
    __builtin_memset(all_denied, 0xff, sizeof all_denied);
    KASSERT(machine_trap_entries_end - machine_trap_entries == 256 * TRAP_ENTRY_BYTES);
    for (unsigned vector = 0; vector < LAYOUT_EXCEPTIONS; vector++) {
        set_gate(vector);
    }
    set_gate(LAYOUT_VECTOR_TIMER);
    set_gate(LAYOUT_VECTOR_REQUEST);
    set_gate(LAYOUT_VECTOR_SPURIOUS);
}

static void set_interrupt_table(void) {
    const struct cpu_table table = {.limit = sizeof idt - 1, .base = (uint64_t)(uintptr_t)idt};
    cpu_load_idt(&table);
}

/* EFER has long mode and no-execute on already: the page tables in use need them. */
static void set_registers(struct machine_cpu *cpu) {
    uint64_t features = machine_features();
    cpu_write_cr0(CR0_VALUE);
    cpu_write_cr4(CR4_PAE | (features & CONTROL_SMEP ? CR4_SMEP : 0U) | (features & CONTROL_SMAP ? CR4_SMAP : 0U));
    cpu_write_msr(MSR_EFER, cpu_read_msr(MSR_EFER) | EFER_SYSTEM_CALL | EFER_NO_EXECUTE);
    cpu_write_msr(MSR_STAR, (uint64_t)LAYOUT_KERNEL_CODE << 32);
    cpu_write_msr(MSR_LSTAR, (uint64_t)(uintptr_t)machine_system_call_entry);
    cpu_write_msr(MSR_FMASK, RFLAGS_MASKED);
    cpu_write_msr(MSR_GS_BASE, (uint64_t)(uintptr_t)cpu);
    cpu_write_msr(MSR_KERNEL_GS_BASE, 0);
}

void machine_set_up_cpu(uint32_t index) {
    struct machine_cpu *cpu = &machine.cpu[index];
    *cpu = (struct machine_cpu){
        .self = cpu,
        .index = index,
        .stack_top = stacks[index][0] + LAYOUT_STACK_BYTES,
        .ran = RESCIND_NONE,
        .root_table = cpu_read_cr3(),
    };
    if (index == 0) {
        make_tables();
    }
    set_segments(index);
    set_interrupt_table();
    set_registers(cpu);
}
