/*
 * The kernel under test, as the root task needs it: the thin layer that another kernel gets anew.
 *
 * A backend implements it, in a folder of its own: emu/own for the kernel of src/kernel (abi/control.h), emu/nova for
 * NOVA. Nothing above this file knows how a PD is made to make a system call or an access. PDs are named by the
 * backend's own indices, of which 0 is root's.
 */
#ifndef RESCIND_ROOTTASK_KERNEL_H
#define RESCIND_ROOTTASK_KERNEL_H

#include "abi/target.h"
#include "oracle/oracle.h"

#include <stddef.h>

/* Before anything else; `information` is what the kernel gave the root task. */
void kernel_start(const void *information);

void kernel_write(const char *text, size_t length);
_Noreturn void kernel_exit(uint32_t status);

/* The command line, and boot modules from 0, the root task's own not counted. NULL: there is none. */
const char *kernel_command_line(void);
const void *kernel_module(uint32_t index, size_t *bytes);

/* Memory that is the root task's own, zero, a multiple of 4096 from its start. */
void *kernel_heap(size_t *bytes);

uint32_t kernel_cpus(void);

/* What kernel it is. */
struct kernel_description {
    const char *name;
    const struct oracle_policy *policy; /* the record by which it is judged */
    struct rescind_geometry geometry;
    struct rescind_costs costs; /* pd 0: there are no accounts to look into */
    bool silent;                /* see struct rescind_target */
    bool boots_once;            /* likewise */
    bool poor;                  /* likewise */
    bool overlaps;              /* kernel_begin_call works */
    bool unordered;             /* see struct rescind_target */
    /* The next call gets no memory at its n-th request. NULL: there is no way to ask for that. */
    void (*fail_allocation)(uint32_t n);
};
void kernel_describe(struct kernel_description *description);

/* Brings it into its boot state, as far as it goes. */
void kernel_boot(void);

/* Kernel memory in use in the boot state, in units of the kernel's own, but for what all that is dead may still keep
 * after the same history. */
uint64_t kernel_memory_in_use(void);

/* Whether frames hold memory that the root task may write to; then where it sees one of them. */
bool kernel_is_memory(uint64_t frame);
void *kernel_frame(uint64_t frame);

/* Why the kernel has no such operation, in a word; NULL: it has. */
const char *kernel_lacks(uint32_t pd, const uint64_t word[ABI_WORDS]);

/* Nobody names that PD, or object (RESCIND_OBJECT), any more: for kernels that do not end it by themselves. Listed in
 * the log. */
void kernel_end(uint32_t what);

/* A system call by a live PD, executed on a CPU. */
void kernel_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]);

/* The same, but the answer is not awaited: made on a CPU other than the first, of which nothing else may be asked until
 * kernel_finish_call; what it runs goes on then. Comes back when, as far as can be told, the kernel has decided what
 * will come of the call and has gone on by about so many preemption points, or the call is over. */
bool kernel_can_begin(uint32_t pd, const uint64_t word[ABI_WORDS]);
void kernel_begin_call(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS], uint32_t points);
bool kernel_call_is_over(uint32_t cpu);
void kernel_finish_call(uint32_t cpu, uint64_t word[ABI_WORDS]);

/* The last call that was made on a CPU, as told by the program that made it. */
struct kernel_call_time {
    uint64_t began, ended; /* in ticks; ended 0: the program did not live to tell */
    uint64_t shared;       /* at so many of its preemption points calls of other CPUs were made, as far as is known */
};
void kernel_call_time(uint32_t cpu, struct kernel_call_time *time);

/* What a page that the model knows of starts with, in the upper half of eight bytes; the lower one is its frame. */
#define KERNEL_TAG UINT64_C(0x7ea51c3d)

/* What an access came to. */
struct kernel_access {
    uint64_t unit;
    uint64_t read;     /* what was read at the start of the page */
    uint32_t nonce;    /* to be written at `offset` */
    uint32_t returned; /* by the program in the page */
    uint16_t offset, entry;
    uint8_t kind, rights; /* to be tried */
    uint8_t reached;      /* those with which it did not fault */
    bool astray;          /* what was executed, or would have been, was not what should be in the page */
};
enum { KERNEL_ACCESSES = 64 };

/* Accesses by a live PD; `fresh`: the CPU remembers nothing. What it runs stays. */
void kernel_access(uint32_t cpu, uint32_t pd, bool fresh, struct kernel_access *access, uint32_t count);

/* Makes a CPU run a live PD, or (RESCIND_NONE) nobody. The first CPU is shared with the root task: what it is said to
 * run runs only while something is asked of it. Others go on remembering what they remember until it is taken away. */
void kernel_switch(uint32_t cpu, uint32_t pd);
uint32_t kernel_runs(uint32_t cpu);

/* Programs of PDs that CPUs run use memory that they got at last, all the time. */
void kernel_keep_busy(bool busy);

/* False: there is no such PD. */
bool kernel_pd_report(uint32_t pd, struct rescind_pd_view *view);
void kernel_usage(struct rescind_usage *usage);
/* Of all that was done since it was asked for last, valid until the next call; also forgets CPUs' PDs that are gone. */
void kernel_log(struct rescind_log *log);

/* Time, in the processor's own unit. */
uint64_t kernel_ticks(void);

#endif
