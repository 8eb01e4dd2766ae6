/* See agent.h: what an agent asks of NOVA. Words: rdi, rsi, rdx, and a typed item, or nothing (0). */
#include "agent.h"

#include "layout.h"

_Noreturn void agent_reply(uint64_t stack_top);
_Noreturn void agent_again(struct agent_mailbox *mailbox, uint64_t stack_top);

static unsigned cpu_of(const struct agent_mailbox *mailbox) {
    return (unsigned)(((uint64_t)mailbox - LAYOUT_AGENT_DATA) / LAYOUT_AGENT_STRIDE);
}

void agent_call(struct agent_mailbox *mailbox) {
    struct nova_registers registers = {
        .rdi = mailbox->word[0], .rsi = mailbox->word[1], .rdx = mailbox->word[2], .rax = mailbox->rax};
    struct nova_utcb *utcb = (struct nova_utcb *)LAYOUT_AGENT_UTCB(cpu_of(mailbox));
    utcb->count = 0;
    if (mailbox->word[3])
        nova_put_item(utcb, mailbox->word[3], mailbox->word[4]);
    nova_enter(&registers);
    mailbox->word[0] = registers.rdi;
    mailbox->word[1] = registers.rsi;
}

/* The agent of the first CPU was called; those of others wait until they are needed again. */
_Noreturn void agent_return(struct agent_mailbox *mailbox) {
    unsigned cpu = cpu_of(mailbox);
    if (cpu == 0)
        agent_reply(LAYOUT_STACK_TOP(0));
    struct nova_registers registers = {.rdi = nova_word(NOVA_SM_CTRL, NOVA_SM_DOWN, HIDDEN_SM + cpu)};
    __atomic_store_n(&mailbox->away, 1, __ATOMIC_RELEASE);
    nova_enter(&registers);
    agent_again(mailbox, LAYOUT_STACK_TOP(cpu));
}
