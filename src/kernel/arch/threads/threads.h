/*
 * The kernel on the threads of a host, each of which is a CPU: what a program has that runs it.
 *
 * A thread says first which CPU it is. Then it enters the kernel by calls, under the lock, as a CPU does; between calls
 * it accesses memory as a user program would, and takes interrupts at places of its own choice, one of which must come
 * again and again. The program provides how a thread waits (struct threads_hooks). Depends on the target interface.
 */
#ifndef RESCIND_THREADS_H
#define RESCIND_THREADS_H

#include "abi/target.h"

struct threads_hooks {
    /* Another thread may run now. */
    void (*yield)(void);
    /* Makes a CPU's thread that waits look again; waits until somebody wants the calling CPU's thread to. Neither may
     * order memory: the kernel has to. */
    void (*wake)(uint32_t cpu);
    void (*wait)(uint32_t cpu);
};

struct threads_kernel {
    /* Views, what CPUs remember and what they run, for when nobody is in the kernel; boot, in CPU 0's thread. Of
     * `stop`, in the hooks given to boot, more than one thread may make use at a time. */
    struct rescind_target target;
    /* Before boot. */
    void (*start)(const struct threads_hooks *hooks);
    /* The calling thread is that CPU. */
    void (*become)(uint32_t cpu);
    /* A system call by the PD that this CPU runs. False: it runs none, or it was stopped before it got the lock. */
    bool (*call)(uint64_t word[ABI_WORDS]);
    /* This CPU, or (`elsewhere`) another one, goes on with a PD. False: no such PD is alive whose account came from
     * that of `payer`, through any number of others, or is it: a number may have become another PD's. */
    bool (*run)(uint32_t pd, uint32_t payer);
    bool (*run_elsewhere)(uint32_t cpu, uint32_t pd, uint32_t payer);
    /* The PD that this CPU runs, as its MMU knows. */
    uint32_t (*runs)(void);
    /* The lowest selector of a PD with a capability to another one, or 2^obj_log2; the PD that a selector names, or
     * RESCIND_NONE. They take the lock. */
    uint64_t (*selector)(uint32_t pd, uint32_t named);
    uint32_t (*named)(uint32_t pd, uint64_t selector);
    /* An access by what this CPU runs, as struct rescind_target says. */
    bool (*access)(enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource);
    /* Takes interrupts that came, as a user program does at any time. */
    void (*interruptible)(void);
    /* Of this CPU since boot: requests to others; how often it let others in at a preemption point. */
    uint64_t (*shootdowns)(void);
    uint64_t (*handed)(void);
};
extern const struct threads_kernel threads_kernel;

#endif
