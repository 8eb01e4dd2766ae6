/* Where the root task, and agents, begin. */
    .section .text.entry, "ax"
    .globl root_entry
root_entry:
    xor %ebp, %ebp
    and $-16, %rsp
    call root_main
    ud2

    /* The mailbox is the page below that of the stack. */
    .section .agent.text, "ax"
agent_entry:
    lea -1(%rsp), %rdi
    and $-4096, %rdi
    sub $4096, %rdi
    xor %ebp, %ebp
    call agent_main
    ud2

agent_on_fault:
    lea -1(%rsp), %rdi
    and $-4096, %rdi
    sub $4096, %rdi
    xor %ebp, %ebp
    call agent_fault
    ud2

    .section .rodata
    .balign 8
    .globl agent_entry_address, agent_on_fault_address
agent_entry_address:
    .quad agent_entry
agent_on_fault_address:
    .quad agent_on_fault

    .section .note.GNU-stack, "", @progbits
