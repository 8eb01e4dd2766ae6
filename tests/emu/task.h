/*
 * The root task of tests/emu: how it calls the kernel, what it agrees on with its agents, and what its parts offer to
 * each other.
 */
#ifndef RESCIND_TASK_H
#define RESCIND_TASK_H

#include "abi/control.h"
#include "abi/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum job_kind {
    JOB_READ,
    JOB_WRITE,
    JOB_EXECUTE,
    JOB_IN,
    JOB_OUT,
    JOB_CALL,
    JOB_CONTROL,
    JOB_UNDEFINED,
    JOB_CALL_BETWEEN, /* reads, a system call, reads once more */
    JOB_STEP,         /* an instruction with the trap flag set */
    /* For ever, counting turns: */
    JOB_KEEP_READING,
    JOB_KEEP_WRITING,
    JOB_KEEP_IN,
    JOB_KEEP_CALLING,
};

/* A mailbox: what the agent of that CPU is to do. */
struct job {
    struct control_mailbox mailbox;
    uint64_t kind, argument, value; /* value: of a write, or what came of it */
    uint64_t word[ABI_WORDS];       /* of a system call */
    uint64_t done, faulted;         /* how it ended */
    uint64_t count;
};

/* task.S: the instruction itself; `rax` goes in and comes out. */
uint64_t task_control(uint64_t rax, uint64_t rdi, uint64_t rsi, uint64_t rdx);
void task_system_call(uint64_t word[ABI_WORDS]);

/* task.c: the machine ends with TASK_FAILED where a check does not hold. */
enum { TASK_PASSED = 0x10, TASK_FAILED = 0x11 };
void task_check(bool holds, const char *text, uint64_t line);
#define CHECK(condition) task_check((condition), #condition, __LINE__)
void task_print(const char *text);
void task_print_number(const char *name, uint64_t number);

/* calls.c: operations by root's thread on a machine in its boot state, and jobs for agents. */
static inline struct job *job_of(uint32_t cpu) {
    return (struct job *)(uintptr_t)CONTROL_MAILBOX(cpu);
}

/* A code; the value goes to *value unless that is NULL. */
enum abi_code call(const uint64_t word[ABI_WORDS], uint64_t *value);
uint64_t call_head(enum abi_operation operation, enum abi_kind kind, unsigned order, unsigned mask);
/* A PD with that selector; its index. */
uint32_t make_pd(const struct control_info *info, uint64_t selector);
enum abi_code delegate_phys(enum abi_kind kind, uint64_t resource, uint64_t selector, uint64_t unit, unsigned order,
                            unsigned mask);
/* A remote revoke, scope self. */
void revoke_in(enum abi_kind kind, uint64_t selector, uint64_t unit, unsigned order, unsigned mask);
void destroy(uint64_t selector);

/* Runs an agent on this CPU until it is done; the code of CONTROL_RUN. */
uint64_t run_here(uint32_t pd, enum job_kind kind, uint64_t argument, uint64_t value);
/* The same must end well, with that value; or with that exception. */
void expect_value(uint32_t pd, enum job_kind kind, uint64_t argument, uint64_t value);
void expect_fault(uint32_t pd, enum job_kind kind, uint64_t argument, uint64_t vector, uint64_t error);
/* Starts an agent on another CPU. */
void run_there(uint32_t cpu, uint32_t pd, enum job_kind kind, uint64_t argument);
/* Waits until the agent there has counted a few turns more. */
void await_turns(uint32_t cpu);
void await_ticks(const struct control_info *info, uint32_t cpu);

/* A frame in the memory window. */
static inline uint64_t *memory_at(uint64_t frame) {
    return (uint64_t *)(uintptr_t)(CONTROL_MEMORY_WINDOW + frame * CONTROL_PAGE);
}

/* What is tried. */
void test_info(const struct control_info *info);
void test_memory(const struct control_info *info);
void test_own_memory(const struct control_info *info);
void test_large_leaves(const struct control_info *info);
void test_ports(const struct control_info *info);
void test_control(const struct control_info *info);
void test_death(const struct control_info *info);
void test_shootdown(const struct control_info *info);
void test_other_cpus(const struct control_info *info);

#endif
