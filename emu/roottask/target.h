/*
 * The kernel under test as the harness sees it: struct rescind_target over kernel.h.
 *
 * Frames are told apart by what stands in them: a tag at the start, and a program that returns the frame's number. They
 * are written when a frame is first expected somewhere, and stay; nobody else uses this memory.
 *
 * The program stands there many times over. QEMU 7.2 keeps translated code by its address; when a CPU is told to forget
 * a page, it finds all of a large page's translations, but not all code in it, which can then be executed although it
 * cannot be read. Where a CPU is not made to forget everything in between, no address is executed twice.
 */
#ifndef RESCIND_ROOTTASK_TARGET_H
#define RESCIND_ROOTTASK_TARGET_H

#include "abi/target.h"

/* The target; once, after kernel_start. */
const struct rescind_target *target_make(void);

/* What accesses came to so far, each right by itself. */
struct target_counts {
    uint64_t reached, refused;
};
struct target_counts target_counts(void);

#endif
