/*
 * System-call entry: decodes registers, checks everything that may refuse an operation, then invokes it and brings it
 * on, past the preemption points at which arch_point lets it.
 */
#ifndef RESCIND_SYSCALL_H
#define RESCIND_SYSCALL_H

#include "space.h"

struct work;

/* One system call by `caller`, which is not dying; registers as abi.h says. Returns the operation if it stopped at a
 * point. */
struct work *syscall_enter(struct pd *caller, uint64_t word[ABI_WORDS]);
/* Goes on with one that stopped; false: it did again. */
bool syscall_resume(struct work *work, uint64_t word[ABI_WORDS]);

#endif
