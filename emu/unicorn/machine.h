/*
 * The machine that the kernel is booted on, and the root task's part in it: n CPUs over one memory, their local APICs,
 * a serial line, and what the root task may ask of the kernel (abi/control.h).
 *
 * CPU 0 runs root's thread or an agent, the others an agent or nobody. Between calls of this module each CPU is at
 * rest: in user mode, or halted. An interrupt that was sent to a CPU is taken when somebody waits for it, or when that
 * CPU is to run the next time, so as late as can be: what it remembers until then is used until then.
 */
#ifndef RESCIND_UNICORN_MACHINE_H
#define RESCIND_UNICORN_MACHINE_H

#include "unicorn/engine.h"
#include "unicorn/image.h"
#include "unicorn/strand.h"

#include "abi/control.h"
#include "abi/target.h"

enum { MACHINE_CPUS = CONTROL_CPUS, MACHINE_LINE = 256 };

/* Why the kernel cannot go on. */
struct machine_stop {
    bool stopped;
    enum rescind_stop why;
    char text[MACHINE_LINE], function[MACHINE_LINE];
};

/* Of blocks of the kernel's code; none: 0. */
struct machine_counters {
    uint8_t *counter;
    uint32_t count; /* a power of two */
};

enum { MACHINE_REGISTERS = 6 };

/* A system call that may stand before one of the kernel's stores to what is not its own stack. */
struct machine_flight {
    struct machine *machine;
    struct strand strand;
    bool goes;                             /* it has begun, and the CPU has not come back to rest */
    bool decided;                          /* only stores count that follow the kernel's beginning to decide */
    uint64_t registers[MACHINE_REGISTERS]; /* as given, and as returned */
    bool back;                             /* see machine_call */
    uint32_t store;                        /* before which of the stores that count it is to stand; 0: before none */
    uint32_t stores;                       /* that counted so far */
    uint64_t returns, stack, begun;        /* where to, whose last byte is where, and how many calls had begun before */
    const struct machine_cpu *awaits;      /* it stands as soon as that one can go on */
};

struct machine_cpu {
    struct engine engine;
    struct machine_flight flight;
    bool stores_seen; /* by the engine's hook */
    uint64_t at;      /* where it is at rest */
    uint64_t system_call_entry;
    bool halted;
    bool going;       /* it is not at rest: it waits for who is asked, or stands before a store */
    bool known;       /* its engine remembers the registers that it is at rest with */
    bool agent;       /* it is in an agent... */
    uint32_t runs;    /* ...of that PD; otherwise, RESCIND_NONE: in root's thread, or halted */
    uint32_t pending; /* bit n: it was sent vector MACHINE_VECTORS + n */
    uint32_t command; /* of its APIC: whom the next one goes to */
};

/* Two system calls at once: machine_call_preempted. */
struct machine_pair {
    uint64_t registers[2][MACHINE_REGISTERS]; /* of CPU 0 and 1 */
    uint32_t store;                           /* from 1; 0: CPU 1 makes its call when CPU 0's is done */
    uint32_t stores;                          /* afterwards: how many CPU 0 made */
    bool preempted, waited;                   /* afterwards: CPU 1 began in between, and had to wait */
    bool back[2];                             /* see machine_call */
};

struct machine {
    struct memory memory;
    struct image image;
    struct engine_world world;
    struct machine_cpu cpu[MACHINE_CPUS];
    struct engine watcher; /* a CPU that the kernel does not know of */
    uint32_t cpus;
    const struct control_info *info;
    struct control_mailbox *mailbox[MACHINE_CPUS];
    uint64_t waits;          /* where the kernel is when a CPU has nothing to do */
    uint64_t resumes;        /* where the kernel leaves for user mode */
    uint64_t lock_at;        /* physical: its lock, and how many wait for that */
    char line[MACHINE_LINE]; /* what has been printed of a line */
    size_t line_bytes;
    struct machine_stop stop;
    const char *trouble; /* in booting */
};
enum { MACHINE_VECTORS = 0x40 };

/* Boots the kernel of a file with so many CPUs. False: *why, for as long as the machine is not opened again. */
bool machine_open(struct machine *machine, const char *kernel, uint32_t cpus, struct machine_counters counters,
                  const char **why);
void machine_close(struct machine *machine);

/* How it was after boot. `thorough`: whatever was written. */
void machine_reset(struct machine *machine, bool thorough);

/* Where the machine's memory has what is at a virtual address under that root table (physical), or NULL. */
void *machine_see(const struct machine *machine, uint64_t root_table, uint64_t address);

/* Copies from there; false: not all of it is mapped. */
bool machine_load(const struct machine *machine, uint64_t root_table, uint64_t address, void *to, size_t bytes);

/* The entry that maps a block of 2 MiB there, or NULL. */
uint64_t *machine_see_leaf(const struct machine *machine, uint64_t root_table, uint64_t address);

/* A system call with these registers, by whoever a CPU at rest runs: rax, rdi, rsi, rdx, r10, r8; also what they are
 * afterwards, if the CPU comes back to whoever made it (`back`), with all other registers as they were but rcx and r11.
 * False: the machine has stopped. */
bool machine_call(struct machine *machine, uint32_t cpu, uint64_t registers[MACHINE_REGISTERS], bool *back);

/* As machine_call, but the CPU stands before the n-th store (from 1) that it makes for that to what is not the kernel's
 * stack, counted from where the kernel begins to decide (nor to its lock: Unicorn tells
 * of a store when an atomic instruction has loaded already): true. Until machine_go_on says that it came back, the CPU
 * is not at rest. It goes on when others wait for it, until they do not. False: it came back; see machine_call. */
bool machine_begin(struct machine *machine, uint32_t cpu, uint64_t registers[MACHINE_REGISTERS], uint32_t store,
                   bool *back);
/* Lets it go on to the n-th store from there (0: to its end). True: it came back, or (registers left alone) the machine
 * has stopped. */
bool machine_go_on(struct machine *machine, uint32_t cpu, uint32_t store, uint64_t registers[MACHINE_REGISTERS],
                   bool *back);

/* CPU 0 is stopped before its n-th store to what is not its own stack, CPU 1 makes its call until that is done or waits
 * for CPU 0, then CPU 0 goes on. False: the machine has stopped. */
bool machine_call_preempted(struct machine *machine, struct machine_pair *pair);

/* A control call by root's thread; its result. */
uint64_t machine_control(struct machine *machine, enum control call, uint64_t a, uint64_t b);

/* Makes a CPU run the agent of a PD, or (RESCIND_NONE; CPU 0: root's thread) nobody. False: there is no such PD, or the
 * machine has stopped. */
bool machine_switch(struct machine *machine, uint32_t cpu, uint32_t pd);

/* The machine stops, for what was seen from outside. */
void machine_complain(struct machine *machine, const char *text, const char *function);

/* Sets what is the same in all registers at the start of the kernel's entry for system calls. */
void machine_prepare_call(struct engine *engine);

/* boot.c: whether the file has what booting needs to know. */
bool boot_knows(struct machine *machine);
/* From the file to the root task's first instruction. False: `trouble`. */
bool boot_machine(struct machine *machine);
/* A CPU starts in real mode at a page. */
void boot_start_cpu(struct machine *machine, uint32_t cpu, uint32_t page);

#endif
