/*
 * System-call entry: decodes registers, checks everything that may refuse an operation, then invokes it.
 */
#ifndef RESCIND_SYSCALL_H
#define RESCIND_SYSCALL_H

#include "space.h"

/* One system call by `caller`; registers as abi.h says. */
void syscall_enter(struct pd *caller, uint64_t word[ABI_WORDS]);

#endif
