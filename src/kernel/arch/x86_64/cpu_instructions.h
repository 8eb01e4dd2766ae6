/*
 * Instructions that C has no word for. The only inline assembly of the kernel; depends on nothing.
 */
#ifndef RESCIND_CPU_INSTRUCTIONS_H
#define RESCIND_CPU_INSTRUCTIONS_H

#include <stdint.h>

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpu_id(uint32_t leaf) {
    struct cpuid id = {.eax = leaf};
    __asm__ volatile("cpuid" : "+a"(id.eax), "=b"(id.ebx), "+c"(id.ecx), "=d"(id.edx));
    return id;
}

static inline void cpu_out8(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void cpu_out16(uint16_t port, uint16_t value) {
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void cpu_out32(uint16_t port, uint32_t value) {
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t cpu_in8(uint16_t port) {
    uint8_t value = 0;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t cpu_read_msr(uint32_t msr) {
    uint32_t low = 0;
    uint32_t high = 0;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void cpu_write_msr(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline void cpu_write_cr0(uint64_t value) {
    __asm__ volatile("movq %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t cpu_read_cr2(void) {
    uint64_t value = 0;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

static inline uint64_t cpu_read_cr3(void) {
    uint64_t value = 0;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}

/* Also forgets all translations: nothing is global, and there are no process-context identifiers. */
static inline void cpu_write_cr3(uint64_t value) {
    __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline void cpu_write_cr4(uint64_t value) {
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void cpu_invalidate_page(uint64_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void cpu_pause(void) {
    __asm__ volatile("pause" : : : "memory");
}

/* With interrupts off: takes those that came, and has them off again. */
static inline void cpu_take_pending(void) {
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

/* With interrupts off: waits for one, takes it, and has them off again. One that came before counts too. */
static inline void cpu_take_interrupt(void) {
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

/* What lgdt and lidt take. */
struct cpu_table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* Also loads the segment registers: code and data as given, the others with no segment. */
static inline void cpu_load_gdt(const struct cpu_table *table, uint64_t code, uint16_t data) {
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movw %2, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movw %%ax, %%ds\n\t"
                     "movw %%ax, %%es\n\t"
                     "movw %%ax, %%fs\n\t"
                     "movw %%ax, %%gs"
                     :
                     : "m"(*table), "r"(code), "r"(data)
                     : "rax", "memory");
}

static inline void cpu_load_idt(const struct cpu_table *table) {
    __asm__ volatile("lidt %0" : : "m"(*table) : "memory");
}

static inline void cpu_load_task_register(uint16_t selector) {
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

/* The 8 bytes at GS:16, in the kernel. */
static inline void *cpu_self(void) {
    void *self = 0;
    __asm__("movq %%gs:16, %0" : "=r"(self));
    return self;
}

static inline const uint64_t *cpu_frame_pointer(void) {
    return __builtin_frame_address(0);
}

/* Nothing happens on this CPU any more. */
_Noreturn static inline void cpu_halt(void) {
    for (;;) {
        __asm__ volatile("cli\n\thlt" : : : "memory");
    }
}

#endif
