/*
 * How the kernel of src/kernel is entered (abi/control.h). Used by the root task and by agents; inline, for they are
 * linked apart.
 */
#ifndef RESCIND_OWN_SYSTEM_CALL_H
#define RESCIND_OWN_SYSTEM_CALL_H

#include "abi/control.h"

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

#endif
