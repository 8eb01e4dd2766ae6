/*
 * Several CPUs in one kernel: the lock, and what CPUs ask of each other. For machines whose CPUs really run at the same
 * time (arch/x86_64, arch/threads), which chose by include path what is done while waiting and how a CPU is
 * interrupted: their arch.h has the hooks that smp.c calls.
 *
 * One lock guards the kernel's state. Who holds it may ask other CPUs for something; a CPU that waits for the lock does
 * what it is asked meanwhile, so that nobody waits for ever. Who waits long halts until an interrupt.
 *
 * There are three things that a CPU can be at, in this order (enum smp_rank); each CPU keeps which, and an assertion
 * fails when it begins one while it is at that or a later one.
 */
#ifndef RESCIND_SMP_H
#define RESCIND_SMP_H

#include "geometry.h"

#include <stdbool.h>
#include <stdint.h>

enum smp_rank {
    SMP_LOCK,    /* holds the lock */
    SMP_ANSWER,  /* waits until another CPU has done what it was asked; with the lock */
    SMP_SERVICE, /* does what it was asked; neither takes the lock nor asks, for who asked holds it and waits */
};

enum smp_request { SMP_NOTHING, SMP_FORGET_UNITS, SMP_FORGET_ALL, SMP_STOP, SMP_RUN };

enum { SMP_UNITS = 4 };

struct smp_cpu {
    uint32_t dozes; /* it waits for another CPU, and for an interrupt from it; accessed atomically */
    /* Asked by the CPU that holds the lock; SMP_NOTHING again when it is done. */
    uint32_t request; /* enum smp_request, accessed atomically */
    uint32_t count, pd;
    uint64_t unit[SMP_UNITS];
    /* This CPU's own: a bit for each enum smp_rank; how often it let others in at a preemption point. */
    uint32_t at;
    uint64_t handed;
};

struct smp {
    uint32_t lock;    /* accessed atomically; likewise... */
    uint32_t waiting; /* ...CPUs that wait for it */
    struct smp_cpu cpu[GEO_CPUS];
};
extern struct smp smp;

/* False: this CPU was made to do something else meanwhile, as arch_is_elsewhere says; it does not hold the lock. */
bool smp_lock(void);
void smp_unlock(void);

/* Whether this CPU holds the lock. */
bool smp_holds(void);
/* To be called when it leaves the kernel: it holds nothing. */
void smp_leave(void);

/* By the CPU that holds the lock: makes another run a PD (or RESCIND_NONE); it has left what it ran. */
void smp_request_run(uint32_t cpu, uint32_t pd);
/* Does what this CPU is asked, if it is. */
void smp_serve(void);

#endif
