/*
 * What is done while something else is suspended, as coverage: the kernel's own code runs whatever it interrupts, so
 * edges alone do not tell a destroy in the middle of a shootdown from one at any other point. Each pair of a preemption
 * point and what is done there, and comes of it, counts for the engine like an edge.
 */
#ifndef RESCIND_FUZZ_MOMENTS_H
#define RESCIND_FUZZ_MOMENTS_H

#include "harness/harness.h"

/* For struct harness_options; no context. libFuzzer finds the counters by their section; other engines do not. */
void moments_start(void *context);
void moments_step(void *context, const struct harness_step *step);

#endif
