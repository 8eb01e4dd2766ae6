/*
 * The agent: the program of every PD, which does what the root task asks through a mailbox. One mailbox for each CPU.
 *
 * The agent's code and the mailboxes are in all address spaces, out of reach of every operation. It keeps nothing:
 * after a fault it goes on from what the mailbox says, on an empty stack. Knows no kernel: what is a backend's is said
 * below.
 */
#ifndef RESCIND_ROOTTASK_AGENT_H
#define RESCIND_ROOTTASK_AGENT_H

#include "kernel.h"

enum agent_command { AGENT_CALL, AGENT_ACCESS };

/* What the agent is about, so that it knows after a fault. */
enum agent_stage { AGENT_NOTHING, AGENT_READS, AGENT_WRITES, AGENT_EXECUTES, AGENT_PORT, AGENT_BUSY };

/* What an agent was stopped by. */
struct agent_fault {
    uint64_t vector;  /* 14: page fault, 13: protection fault, ... */
    uint64_t error;   /* error code as pushed by the CPU, or 0 */
    uint64_t address; /* CR2, of a page fault */
    uint64_t rip;
};

enum { AGENT_PAGE = 4096 };

struct agent_mailbox {
    uint64_t entry, on_fault; /* where agents start; where they go on after an exception, with a fresh stack */
    struct agent_fault fault;
    uint32_t request, done; /* numbers of the request made last, and answered last */
    uint32_t command;
    uint32_t stage;
    uint8_t resident; /* stays when it has answered */
    uint8_t busy;     /* uses memory while it waits */
    uint32_t away;    /* a backend's: it has stopped looking at the mailbox */
    uint8_t lost;     /* an exception that has nothing to do with what was asked for */
    uint32_t at, count;
    uint32_t busy_at, busy_count;
    uint64_t rax, word[ABI_WORDS];
    uint64_t began, ended; /* of the last system call, in ticks; ended 0: not yet */
    struct kernel_access access[KERNEL_ACCESSES];
    uint64_t busy_address[KERNEL_ACCESSES];
};
_Static_assert(sizeof(struct agent_mailbox) <= AGENT_PAGE, "a mailbox is a page");

/* Where an agent starts, and goes on after an exception; from code of the backend's, on an empty stack. */
_Noreturn void agent_main(struct agent_mailbox *mailbox);
_Noreturn void agent_fault(struct agent_mailbox *mailbox);

/* A backend's, linked with the agent: the system call that rax and words of the mailbox say, and the agent's end, until
 * it is started anew. */
void agent_call(struct agent_mailbox *mailbox);
_Noreturn void agent_return(struct agent_mailbox *mailbox);

/* Where agents start, and go on after a fault: addresses in the agent window, which code of the root task cannot name
 * otherwise. */
extern const uint64_t agent_entry_address, agent_on_fault_address;

#endif
