/* Where the root task, its handlers of exceptions, and agents begin. */
    .section .text.entry, "ax"
    .globl root_entry
root_entry:
    mov %rsp, %rdi
    lea root_stack_top(%rip), %rsp
    xor %ebp, %ebp
    call root_main
    ud2

    /* A portal of the root task: its number in rdi. What the reply leaves in rsp is what the next call finds. */
    .globl handler_entry
handler_entry:
    call handle_event
    mov $1, %edi
    syscall
    ud2

    /* The portal by which a ticker starts, and what it does: the semaphore's selector in rdi. */
    .globl ticker_portal
ticker_portal:
    call start_ticker
    mov $1, %edi
    syscall
    ud2

    .globl ticker_entry
ticker_entry:
    call tick
    ud2

    .section .bss
    .balign 4096
    .skip 0x40000
root_stack_top:

    .section .agent.text, "ax"
    /* The mailbox in rdi, an empty stack. */
agent_entry:
    call agent_main
    ud2

    /* The same, of the agent that is called through a portal, whose number is in rdi. */
agent_portal_entry:
    movabs $0x300040000000, %rdi
    call agent_main
    ud2

agent_on_fault:
    call agent_fault
    ud2

    /* agent_again(mailbox, top of the stack) */
    .globl agent_again
agent_again:
    mov %rsi, %rsp
    jmp agent_entry

    /* agent_reply(top of the stack): back to who called. */
    .globl agent_reply
agent_reply:
    mov %rdi, %rsp
    mov $1, %edi
    syscall
    ud2

    .section .rodata
    .balign 8
    .globl agent_entry_address, agent_on_fault_address, agent_portal_address, agent_code_end_address
agent_entry_address:
    .quad agent_entry
agent_on_fault_address:
    .quad agent_on_fault
agent_portal_address:
    .quad agent_portal_entry
agent_code_end_address:
    .quad agent_code_end

    .section .note.GNU-stack, "", @progbits
