/*
 * The machine-dependent kernel: what it keeps of each CPU and of the machine, and what its parts offer to each other
 * and to emu/boot. The kernel proper sees arch.h only.
 *
 * Each CPU runs root's thread (CPU 0 alone), an agent, or nobody; interrupts are on in these three states, off in the
 * kernel. The lock and what CPUs ask of each other are arch/smp's. Who waits long halts until an interrupt: another CPU
 * may need the processor that an emulator runs both on.
 */
#ifndef RESCIND_MACHINE_H
#define RESCIND_MACHINE_H

#include "abi/control.h"
#include "abi/target.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/pte.h"
#include "geometry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a CPU did before it entered the kernel, as entry.S leaves it on the stack. */
struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct frame) == LAYOUT_FRAME_BYTES, "entry.S knows the frame");

/* How a CPU leaves the kernel. */
enum machine_way {
    MACHINE_GO_ON,       /* with what it did */
    MACHINE_START_AGENT, /* with the agent of the PD that it runs now, from its entry on */
    MACHINE_LEAVE,       /* with what it does when it runs no PD: CPU 0 root's thread, the others nothing */
};

struct machine_cpu {
    uint8_t *stack_top; /* of the kernel's stack: its last word is never used; the first three are known to entry.S */
    uint64_t user_stack;
    struct machine_cpu *self;
    uint32_t index;
    uint32_t apic_id;
    uint32_t ran;                /* PD whose root table is loaded, or RESCIND_NONE */
    uint64_t root_table;         /* that is loaded: physical address */
    bool agent;                  /* what it runs is an agent */
    bool root_waits;             /* in CONTROL_RUN, while this CPU runs an agent; then... */
    struct frame root_frame;     /* ...that is where it goes on, and... */
    enum control_code root_code; /* ...with what */
    enum machine_way way;
};
_Static_assert(offsetof(struct machine_cpu, stack_top) == LAYOUT_CPU_STACK_TOP, "entry.S");
_Static_assert(offsetof(struct machine_cpu, user_stack) == LAYOUT_CPU_USER_STACK, "entry.S");
_Static_assert(offsetof(struct machine_cpu, self) == LAYOUT_CPU_SELF, "entry.S");

struct machine {
    struct machine_cpu cpu[CONTROL_CPUS];
    uint32_t cpus; /* that run, from 0 on */
    uint32_t leaf_level;
    bool take_turns;                               /* CPUs pause at preemption points */
    uint64_t calls;                                /* system calls begun, on all CPUs */
    uint64_t steps;                                /* of the current system call */
    uint64_t kernel_root;                          /* physical address of the root table that maps the kernel alone */
    uint64_t agent_entry, kernel_entry;            /* of every PD's root table */
    struct control_info *info;                     /* what root's thread reads */
    struct control_mailbox *mailbox[CONTROL_CPUS]; /* as the kernel sees them */
};
extern struct machine machine;

static inline struct machine_cpu *machine_self(void) {
    return cpu_self();
}

/* Kernel virtual addresses of physical ones below 2 GiB, and back. */
static inline void *machine_at(uint64_t physical) {
    return (void *)(uintptr_t)(LAYOUT_KERNEL_BASE + physical);
}
static inline uint64_t machine_physical(const void *address) {
    return (uint64_t)(uintptr_t)address - LAYOUT_KERNEL_BASE;
}

/* cpu_setup.c: what this CPU can do, and its registers, tables and kernel stack. */
uint64_t machine_features(void); /* enum control_feature */
/* CPU 0 first: it makes the tables that all share. */
void machine_set_up_cpu(uint32_t index);
/* Whether this CPU's kernel stack was ever used up. */
bool machine_stack_overflowed(uint32_t index);
/* Makes this CPU obey the port bitmap at that physical address, once its translations are flushed. */
void machine_show_ports(uint32_t index, uint64_t physical);

/* apic.c: the local APIC of this CPU. */
void machine_set_up_apic(void);
void machine_end_of_interrupt(void);
void machine_interrupt(uint32_t apic_id, uint8_t vector);
/* Resets all other CPUs; makes those that were reset start in real mode at a page below 1 MiB. */
void machine_reset_others(void);
void machine_start_others(uint8_t page);

/* trap.c */
/* Root's thread starts; on other CPUs: this CPU waits for something to do. */
_Noreturn void machine_start_root(uint64_t entry, uint64_t stack);
_Noreturn void machine_idle(void);
/* Something that this CPU's agent did is told it. */
void machine_tell_agent(struct machine_cpu *self, struct frame *frame, uint64_t vector, uint64_t error);
/* Whether the mailbox of a CPU says where agents start and go on. */
bool machine_agent_can_start(uint32_t cpu);

/* control.c: a system call or control call; results in the frame. */
void machine_control(struct machine_cpu *self, struct frame *frame);
/* This CPU's agent is done; CONTROL_RUN, if root's thread is in it, returns that. */
void machine_agent_returns(struct machine_cpu *self, enum control_code code);
/* A system call of that CPU came to a preemption point. */
void machine_tell_point(uint32_t cpu);
/* Writes what is in use to the information page. */
void machine_tell_usage(void);

/* entry.S */
extern const uint8_t machine_system_call_entry[], machine_trap_entries[], machine_trap_entries_end[];
_Noreturn void machine_resume(const struct frame *frame);
_Noreturn void machine_wait(uint8_t *stack_top);

#endif
