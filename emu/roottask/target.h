/*
 * The kernel under test as the harness sees it: struct rescind_target over kernel.h.
 *
 * Frames are told apart by what stands in them: a tag at the start, and a program that returns the frame's number. They
 * are written when a frame is first expected somewhere, and stay; nobody else uses this memory.
 */
#ifndef RESCIND_ROOTTASK_TARGET_H
#define RESCIND_ROOTTASK_TARGET_H

#include "abi/target.h"

/* The target; once, after kernel_start. */
const struct rescind_target *target_make(void);

#endif
