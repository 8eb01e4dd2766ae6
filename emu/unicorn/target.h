/*
 * The kernel's linked image under Unicorn as a struct rescind_target: system calls by its own entry, accesses by
 * instructions of user mode, through the page tables that it wrote.
 *
 * One for each process: struct rescind_target has no place for a context. Depends on machine.h.
 */
#ifndef RESCIND_UNICORN_TARGET_H
#define RESCIND_UNICORN_TARGET_H

#include "abi/target.h"

/* Before unicorn_target: the kernel's blocks are counted there when they run, each after the one before. */
void unicorn_count_blocks(uint8_t *counters, uint32_t count);

/* The target for the kernel in a file (kernel.elf, which QEMU boots too), which is booted for that; NULL: *why. */
const struct rescind_target *unicorn_target(const char *kernel, const char **why);

/* Two system calls by live PDs, of which CPU 0 makes the first and CPU 1 the second: see machine_call_preempted. The
 * machine was booted with two CPUs. */
struct unicorn_pair {
    uint32_t pd[2];
    uint64_t word[2][ABI_WORDS]; /* as given, and as returned; RESCIND_NOWHERE of who did not live to see it */
    uint32_t store, stores;
    bool preempted, waited;
};
typedef void unicorn_call_pair_function(struct unicorn_pair *pair);
unicorn_call_pair_function unicorn_call_pair;

#endif
