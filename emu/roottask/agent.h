/*
 * The agent: the program of every PD, which does what the root task asks through a mailbox. One mailbox for each CPU.
 *
 * The agent's code and the mailboxes are in all address spaces, out of reach of every operation (abi/control.h). It
 * keeps nothing: after a fault it goes on from what the mailbox says, on an empty stack.
 */
#ifndef RESCIND_ROOTTASK_AGENT_H
#define RESCIND_ROOTTASK_AGENT_H

#include "abi/control.h"
#include "kernel.h"

enum agent_command { AGENT_CALL, AGENT_ACCESS };

/* What the agent is about, so that it knows after a fault. */
enum agent_stage { AGENT_NOTHING, AGENT_READS, AGENT_WRITES, AGENT_EXECUTES, AGENT_PORT, AGENT_BUSY };

struct agent_mailbox {
    struct control_mailbox control;
    uint32_t request, done; /* numbers of the request made last, and answered last */
    uint32_t command;
    uint32_t stage;
    uint8_t resident; /* stays when it has answered */
    uint8_t busy;     /* uses memory while it waits */
    uint8_t lost;     /* an exception that has nothing to do with what was asked for */
    uint32_t at, count;
    uint32_t busy_at, busy_count;
    uint64_t rax, word[ABI_WORDS];
    struct kernel_access access[KERNEL_ACCESSES];
    uint64_t busy_address[KERNEL_ACCESSES];
};
_Static_assert(sizeof(struct agent_mailbox) <= CONTROL_PAGE, "a mailbox is a page");

/* Where agents start, and go on after a fault: addresses in the agent window, which code of the root task cannot name
 * otherwise. */
extern const uint64_t agent_entry_address, agent_on_fault_address;

#endif
