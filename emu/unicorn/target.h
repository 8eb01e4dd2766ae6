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

#endif
