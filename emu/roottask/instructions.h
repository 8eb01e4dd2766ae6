/*
 * The instructions that C has no word for. Used by the root task and by agents; inline, for they are linked apart.
 */
#ifndef RESCIND_ROOTTASK_INSTRUCTIONS_H
#define RESCIND_ROOTTASK_INSTRUCTIONS_H

#include <stdint.h>

static inline uint8_t instruction_in(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}

static inline void instruction_out(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port) : "memory");
}

/* Calls a program at an address that takes nothing and changes eax only. */
static inline uint32_t instruction_execute(uint64_t address) {
    uint64_t result = address;
    __asm__ volatile("call *%0" : "+a"(result) : : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    return (uint32_t)result;
}

static inline uint64_t instruction_ticks(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline void instruction_pause(void) {
    __asm__ volatile("pause" : : : "memory");
}

#endif
