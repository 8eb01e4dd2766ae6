/*
 * The control interface of the booted kernel: what the root task has beside the system calls of abi.h, so that it can
 * stress them. Numbers and layouts only; shared by src/kernel/arch/x86_64, emu/boot and emu/roottask.
 *
 * No part of the capability system under test: only the root task's own thread may use it (CONTROL_E_DENIED for others,
 * but for CONTROL_RETURN, which is an agent's).
 *
 * Entry is by `syscall`. rax = CONTROL_SYSTEM_CALL: a system call of abi.h, words in rdi, rsi, rdx, r10, r8, results in
 * the same. rax = another number of enum control: arguments in rdi, rsi, rdx, result in rax. rcx and r11 are lost.
 *
 * Address space. All units of MEM (the lower half) are what sequences map and unmap. What the root task needs for
 * itself lies in the upper half, where no operation reaches: a window that all PDs share (the agent's code; mailbox and
 * stack of each CPU), one of root alone (its image, its heap, all physical memory), and the kernel's, not for user
 * mode.
 *
 * An agent is the same piece of code in each PD. A CPU that runs a PD runs the agent in it, from its entry on, with a
 * fresh stack, rdi = CONTROL_MAILBOX of the CPU and all other registers 0: agents keep nothing. Each CPU has one
 * mailbox, for whichever agent it runs. Page faults (#PF), protection faults (#GP) and other exceptions of an agent are
 * told it: the kernel writes struct control_fault into the mailbox and goes on in the agent at `on_fault`, with a fresh
 * stack, rdi and flags as at the entry, and other registers as they were. An exception of the root task itself is a
 * panic. There is no floating point: such instructions are exceptions.
 */
#ifndef RESCIND_CONTROL_H
#define RESCIND_CONTROL_H

#include "abi/abi.h"

#include <stdint.h>

#define CONTROL_MAGIC UINT64_C(0x31646e6963736572) /* "rescind1" */

enum control {
    CONTROL_SYSTEM_CALL = 0,
    /* Prints rsi bytes at rdi (root's own window) on the serial console. */
    CONTROL_WRITE = 1,
    /* Ends the machine: its exit status is (rdi << 1) | 1. */
    CONTROL_EXIT = 2,
    /* Makes CPU rdi run PD rsi (index; CONTROL_NOBODY: none), in whose agent it starts. Of the CPU that executes this:
     * comes back when the agent does CONTROL_RETURN, with root's thread running again. Of another CPU: comes back at
     * once when that CPU has left what it ran; then its agent goes on by itself. CONTROL_E_DEAD: there is no such PD,
     * or it died while its agent ran. CONTROL_E_ARG: no such CPU; nobody on this CPU; `entry` or `on_fault` of that
     * CPU's mailbox is not in the first GiB of the agent window. */
    CONTROL_RUN = 3,
    /* An agent is done: CONTROL_RUN on this CPU returns. On a CPU that runs an agent by itself: the CPU runs nobody. */
    CONTROL_RETURN = 4,
    /* The n-th (rdi, from 1; 0: none) allocation of the next system call fails. */
    CONTROL_FAIL_ALLOCATION = 5,
    /* Writes struct control_pd of PD rdi to rsi (root's own window). CONTROL_E_DEAD. */
    CONTROL_PD_REPORT = 6,
    /* Whether (rdi) a CPU pauses at preemption points: where an emulator's CPUs take turns, others get theirs there. */
    CONTROL_TAKE_TURNS = 7,
    CONTROL_CALLS,
};

/* Exit statuses of QEMU are (s << 1) | 1 with one of these, or with what the root task gave CONTROL_EXIT. 0 is none of
 * them: a triple fault (-no-reboot), which is never a pass. */
enum control_status { CONTROL_STATUS_PANIC = 0x7b };

enum control_code { CONTROL_OK = 0, CONTROL_E_ARG = 1, CONTROL_E_DENIED = 2, CONTROL_E_DEAD = 3 };

#define CONTROL_NOBODY UINT64_C(0xffffffff)

enum { CONTROL_CPUS = 4, CONTROL_PAGE = 4096, CONTROL_LISTED = 512, CONTROL_MODULES = 8, CONTROL_TEXT = 1024 };

/* Windows of the upper half, one entry of the root page table each. */
#define CONTROL_AGENT_WINDOW UINT64_C(0xffff800000000000)
#define CONTROL_ROOT_WINDOW UINT64_C(0xffff808000000000)
#define CONTROL_MEMORY_WINDOW UINT64_C(0xffff810000000000) /* physical address p at + p: read and write, no execute */

/* In the agent window: code (from the root task's image: its segments there; read and execute), then a mailbox page and
 * a stack page for each CPU (read and write). */
#define CONTROL_MAILBOX(cpu) (CONTROL_AGENT_WINDOW + 0x40000000 + (uint64_t)(cpu)*2 * CONTROL_PAGE)
#define CONTROL_STACK_TOP(cpu) (CONTROL_MAILBOX(cpu) + 2 * (uint64_t)CONTROL_PAGE)

/* In the root window: the root task's image, then the information page (read), then the heap (read and write). */
#define CONTROL_INFO (CONTROL_ROOT_WINDOW + 0x40000000)
#define CONTROL_HEAP (CONTROL_ROOT_WINDOW + 0x80000000)

/* What an agent was stopped by. */
struct control_fault {
    uint64_t vector;  /* 14: page fault, 13: protection fault, ... */
    uint64_t error;   /* error code as pushed by the CPU, or 0 */
    uint64_t address; /* CR2, of a page fault */
    uint64_t rip;
};

/* The start of a mailbox page; the rest of the page is root task's and agents' business. */
struct control_mailbox {
    uint64_t entry;    /* where agents start; written by the root task before the first CONTROL_RUN */
    uint64_t on_fault; /* where they go on after an exception, with a fresh stack */
    struct control_fault fault;
};

/* The root task's thread starts at its ELF entry with rdi = CONTROL_INFO, rsp at the top of its own stack, which the
 * kernel places at the end of the heap. */
struct control_module {
    uint64_t physical, bytes;
    char text[64]; /* its command line, cut to that */
};

/* What a CPU's system calls have come to since boot. `points` and `ended` are stored after the rest. */
struct control_calls {
    uint64_t begun;       /* decided about, or being so */
    uint64_t points;      /* preemption points that they came to */
    uint64_t shared;      /* of these, those at which system calls of other CPUs were made */
    uint64_t code, value; /* results of the last that ended, also if the PD that made it is gone */
    uint64_t ended;
};

/* Kept up to date by the kernel: memory in use after each system call, on whatever CPU, and what that call created or
 * destroyed. */
struct control_info {
    uint64_t magic;
    uint32_t cpus;       /* that run, from 0 on */
    uint32_t leaf_level; /* highest level of page tables that may hold a leaf on this CPU: 1 without 1 GiB pages */
    uint32_t pds, objects, nodes, tables; /* in use, as struct rescind_usage counts them */
    uint64_t bytes;
    uint32_t pd_count, object_count; /* of the last system call, in order, each at most once */
    uint32_t overflow;               /* of them there were more than fit */
    uint32_t listed_pd[CONTROL_LISTED], listed_object[CONTROL_LISTED];
    uint32_t invalidations, shootdowns;       /* of the last system call, as struct rescind_log counts them */
    uint64_t steps;                           /* likewise */
    uint64_t code, value;                     /* its results, also if the PD that made it is gone with it */
    struct control_calls calls[CONTROL_CPUS]; /* by the CPU that they are made on */
    /* All that was created or destroyed since boot; the n-th is changed[n % CONTROL_LISTED]. */
    uint32_t changed_count, changed[CONTROL_LISTED];      /* PDs, and with RESCIND_OBJECT (abi/target.h) objects */
    uint64_t ticks[CONTROL_CPUS];                         /* timer interrupts that each CPU took */
    uint64_t heap_bytes;                                  /* from CONTROL_HEAP on */
    uint64_t memory_bytes;                                /* of the memory window */
    uint64_t kernel_frame;                                /* frames from here on are not in PHYS */
    uint64_t cost_pd, cost_object, cost_node, cost_table; /* struct rescind_costs */
    uint64_t features;                                    /* enum control_feature bits */
    uint32_t module_count;                                /* boot modules but the first, which is the root task */
    struct control_module module[CONTROL_MODULES];
    char
        command_line[CONTROL_TEXT]; /* of the root task: QEMU makes it of what -initrd says, the file's name included */
};

enum control_feature {
    CONTROL_NX = 1,
    CONTROL_SMEP = 2,
    CONTROL_SMAP = 4,
    CONTROL_PAGES_1G = 8,
    CONTROL_PCID = 16,
    CONTROL_WP = 32,
};

struct control_pd {
    uint64_t quota, used;
    uint32_t payer; /* PD index, or RESCIND_NONE */
    uint32_t references;
    uint32_t node_count[ABI_KINDS];
    uint32_t cpus; /* bit n: CPU n runs it */
};

#endif
