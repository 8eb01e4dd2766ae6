/*
 * One emulated CPU: a Unicorn engine over memory that others share, with what it takes to start it and to learn why it
 * stopped.
 *
 * Knows nothing of the kernel. Depends on libunicorn and memory.h.
 */
#ifndef RESCIND_UNICORN_ENGINE_H
#define RESCIND_UNICORN_ENGINE_H

#include "unicorn/memory.h"

#include <unicorn/unicorn.h>

enum engine_end {
    ENGINE_RESTS,   /* it came to a place of rest: `at` */
    ENGINE_FAULTED, /* an exception: `vector`, and of a page fault `error` and `address` */
    ENGINE_HALTED,  /* it waits for an interrupt */
    ENGINE_PAUSES,  /* it waits for others, which have something to do */
    ENGINE_ENDED,   /* who answers its ports wants the machine to end */
    ENGINE_LOST,    /* Unicorn cannot go on: `why` */
};

struct engine;

/* What is around CPUs. */
struct engine_world {
    void *context;
    uint32_t (*in)(void *context, uint16_t port);
    bool (*out)(void *context, uint16_t port, uint32_t value); /* false: the machine ends */
    uint32_t (*apic_read)(struct engine *engine, uint32_t offset);
    void (*apic_write)(struct engine *engine, uint32_t offset, uint32_t value);
    bool (*may_wait)(const struct engine *engine); /* whether others have something to do */
};

struct engine {
    uc_engine *uc;
    const struct engine_world *world;
    uint32_t index;
    enum engine_end end;
    bool passing;     /* see engine_pass_at */
    uint32_t steps;   /* see engine_count_below */
    uint32_t pieces;  /* see engine_note_code */
    uint64_t *noted;  /* bit by number */
    uint8_t *counter; /* see engine_count_blocks */
    uint32_t counters, block;
    uint64_t at;      /* place of rest */
    uint64_t address; /* of a page fault */
    uint32_t vector, error;
    uc_err why;
    uc_context *booted;  /* see engine_keep */
    uc_context *state;   /* see engine_remember */
    uc_context *kernel;  /* see engine_keep_kernel */
    uc_context *scratch; /* to read error codes from */
    size_t state_bytes;
    size_t error_at, root_at; /* where in such a state the last exception's error code is, and CR3; 0: not known yet */
};

/* A CPU in Unicorn's mode of that name. False: `why`. */
bool engine_open(struct engine *engine, uc_mode mode, uint32_t index, const struct engine_world *world,
                 const struct memory *memory);
void engine_close(struct engine *engine);

/* The instruction there is not executed: the CPU is at rest. */
void engine_rest_at(struct engine *engine, uint64_t address);
/* Likewise, but only while `passing` is set. */
void engine_pass_at(struct engine *engine, uint64_t address);

/* The instruction there is executed while a CPU waits for others: see `may_wait`. */
void engine_pause_at(struct engine *engine, uint64_t address);
/* Below that address no more than `steps` instructions are executed; then the CPU is at rest. */
void engine_count_below(struct engine *engine, uint64_t address);

/* Counts each block of code above that address, after the one before it, in one of `count` (a power of two) counters.
 */
void engine_count_blocks(struct engine *engine, uint64_t address, uint8_t *counter, uint32_t count);

/* Unicorn can crash when it has to throw away translated code because there is too much of it. So engine_run does, in
 * time, if it is told of each piece of code that is executed and is not always there. A piece with the number of one
 * before must be that piece, at the same addresses; ENGINE_NEW_CODE: it has none. */
enum { ENGINE_CODES_LOG2 = 24 };
#define ENGINE_NEW_CODE UINT64_MAX
void engine_note_code(struct engine *engine, uint64_t number);
/* All of it is to be thrown away: what is at those addresses may no longer be what was. */
void engine_forget_code(struct engine *engine);

/* Goes on from `address` until something of enum engine_end happens. */
enum engine_end engine_run(struct engine *engine, uint64_t address);

uint64_t engine_get(const struct engine *engine, int reg);
void engine_set(struct engine *engine, int reg, uint64_t value);
uint64_t engine_get_msr(const struct engine *engine, uint32_t msr);
void engine_set_msr(struct engine *engine, uint32_t msr, uint64_t value);

/* Registers, as they are now, are what engine_recall comes back to, with no trace of an exception: after one Unicorn
 * takes the next for a double fault. What the CPU remembers of page tables stays. */
void engine_remember(struct engine *engine);
void engine_recall(struct engine *engine);

/* Registers, as they are now, are what engine_reset comes back to; then the CPU remembers nothing of page tables. */
void engine_keep(struct engine *engine);
void engine_reset(struct engine *engine);
/* Keeps what another engine keeps. */
void engine_copy(struct engine *engine, const struct engine *from);

/*
 * Unicorn executes neither `syscall` nor interrupts: there is no way for a CPU in user mode into the kernel. So
 * registers are kept as they are while it is in the kernel, and taken back then, but for CR3, which stays; so do the
 * translations that the CPU remembers. What else the CPU does at such an entry is the caller's.
 */
void engine_keep_kernel(struct engine *engine);
void engine_enter_kernel(struct engine *engine);

/* Unicorn does not tell error codes, nor can it set CR3 without forgetting translations. Both are in the states that it
 * saves; where, is found out by making states in which they are known. `candidate` has a flag for each byte of a state,
 * at first all set; those stay set where the present state holds `value`. If one is left: its place; else 0. */
size_t engine_find(struct engine *engine, uint64_t value, size_t bytes, bool *candidate);

#endif
