/*
 * The instructions that C has no word for. Used by the root task and by agents; inline, for they are linked apart.
 */
#ifndef RESCIND_ROOTTASK_INSTRUCTIONS_H
#define RESCIND_ROOTTASK_INSTRUCTIONS_H

#include "abi/abi.h"

static inline uint64_t instruction_control(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    __asm__ volatile("syscall" : "+a"(number), "+D"(a), "+S"(b), "+d"(c) : : "rcx", "r8", "r9", "r10", "r11", "memory");
    return number;
}

/* Any registers; returns rax. */
static inline uint64_t instruction_syscall(uint64_t rax, uint64_t word[ABI_WORDS]) {
    register uint64_t r10 __asm__("r10") = word[3];
    register uint64_t r8 __asm__("r8") = word[4];
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(word[0]), "+S"(word[1]), "+d"(word[2]), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r9", "r11", "memory");
    word[3] = r10;
    word[4] = r8;
    return rax;
}

static inline uint8_t instruction_in(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
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
