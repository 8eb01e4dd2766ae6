/* Entry of root's thread, and the instructions that C has no word for; those for agents are in their section. */

    .section .text
    .globl task_entry
task_entry:
    xorl %ebp, %ebp
    call task_main
    ud2

    .macro SYSTEM_CALLS prefix
    /* uint64_t PREFIX_control(uint64_t rax, uint64_t rdi, uint64_t rsi, uint64_t rdx) */
    .globl \prefix\()_control
\prefix\()_control:
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    syscall
    ret

    /* void PREFIX_system_call(uint64_t word[5]) */
    .globl \prefix\()_system_call
\prefix\()_system_call:
    pushq %rbx
    movq %rdi, %rbx
    xorl %eax, %eax
    movq 0(%rbx), %rdi
    movq 8(%rbx), %rsi
    movq 16(%rbx), %rdx
    movq 24(%rbx), %r10
    movq 32(%rbx), %r8
    syscall
    movq %rdi, 0(%rbx)
    movq %rsi, 8(%rbx)
    movq %rdx, 16(%rbx)
    movq %r10, 24(%rbx)
    movq %r8, 32(%rbx)
    popq %rbx
    ret
    .endm

    SYSTEM_CALLS task

    .section .agent, "ax", @progbits
    SYSTEM_CALLS agent

    .section .rodata
    .balign 8
    .globl task_agent_entry, task_agent_on_fault
task_agent_entry:
    .quad agent_entry
task_agent_on_fault:
    .quad agent_on_fault

    .section .note.GNU-stack, "", @progbits
