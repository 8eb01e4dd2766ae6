/* Ways into the kernel and out of it. */
#include "arch/x86_64/layout.h"

    .section .text
    .code64

/* The instruction `syscall`: rcx and r11 hold rip and rflags, the stack is still the user's. */
    .globl machine_system_call_entry
machine_system_call_entry:
    swapgs
    movq %rsp, %gs:LAYOUT_CPU_USER_STACK
    movq %gs:LAYOUT_CPU_STACK_TOP, %rsp
    pushq $LAYOUT_USER_DATA
    pushq %gs:LAYOUT_CPU_USER_STACK
    pushq %r11
    pushq $LAYOUT_USER_CODE
    pushq %rcx
    pushq $0
    pushq $LAYOUT_VECTOR_SYSTEM_CALL
    jmp save

/* One entry for each vector, 16 bytes each. Those of exceptions without error code push one. */
    .balign 16
    .globl machine_trap_entries
machine_trap_entries:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21
    pushq $0
    .endif
    pushq $vector
    jmp trap
    .set vector, vector + 1
    .endr
    .balign 16
    .globl machine_trap_entries_end
machine_trap_entries_end:

trap:
    testb $3, 24(%rsp) /* cs */
    jz save
    swapgs
    pushfq /* what `clac` does, which not all CPUs have: users may set AC, which lets the kernel at their memory */
    btrq $18, (%rsp)
    popfq
save:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbx
    xorl %ebp, %ebp
    andq $-16, %rsp
    call machine_trap
    movq %rbx, %rdi

/* void machine_resume(const struct frame *): goes on where that says. */
    .globl machine_resume
machine_resume:
    movq %rdi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    testb $3, 8(%rsp)
    jz 1f
    swapgs
1:  iretq

/* void machine_wait(uint8_t *stack_top): waits for interrupts, on an empty stack. */
    .globl machine_wait
machine_wait:
    movq %rdi, %rsp
    xorl %ebp, %ebp
1:  sti
    hlt
    jmp 1b

    .section .note.GNU-stack, "", @progbits
