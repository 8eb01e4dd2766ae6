/* Where the root task, and agents, begin. */
    .section .text.entry, "ax"
    .globl root_entry
root_entry:
    xor %ebp, %ebp
    and $-16, %rsp
    call root_main
    ud2

    /* Both with the mailbox in rdi, and an empty stack. */
    .section .agent.text, "ax"
agent_entry:
    call agent_main
    ud2

agent_on_fault:
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
