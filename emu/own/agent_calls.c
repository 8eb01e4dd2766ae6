/* See agent.h: what an agent asks of the kernel of src/kernel. */
#include "agent.h"

#include "system_call.h"

void agent_call(struct agent_mailbox *mailbox) {
    mailbox->rax = instruction_syscall(mailbox->rax, mailbox->word);
}

_Noreturn void agent_return(struct agent_mailbox *mailbox) {
    (void)mailbox;
    for (;;)
        instruction_control(CONTROL_RETURN, 0, 0, 0);
}
