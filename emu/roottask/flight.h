/*
 * Calls of several CPUs at once: what stands for an operation that stops at a preemption point where there are CPUs
 * that really run beside each other (`overlaps` in abi/target.h).
 *
 * A call that is to be in flight is only planned at first. It starts right before the next call that changes anything,
 * or the next access, on another CPU than that, so that the two meet in the kernel. Nobody decides where: "the K-th
 * point" is how far the first has about gone when the other starts. Over kernel.h alone.
 */
#ifndef RESCIND_ROOTTASK_FLIGHT_H
#define RESCIND_ROOTTASK_FLIGHT_H

#include "kernel.h"

/* Its number, or RESCIND_NONE: no CPU is left for it. */
uint32_t flight_plan(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS], uint32_t points);

/* Starts all that are planned, in that order: the model takes each for decided when the next is. */
void flight_start_all(void);

/* `points` 0: waits for its end. True: it is over, with these words. */
bool flight_resume(uint32_t flight, uint32_t points, uint64_t word[ABI_WORDS]);

/* A call that is awaited, on that CPU if it has nothing else to do. */
void flight_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]);

/* What happened, by the clocks of the programs that made the calls: the proof that calls overlap. */
struct flight_counts {
    uint64_t begun;    /* calls that others were made beside */
    uint64_t meetings; /* pairs of such a call and another whose times intersect... */
    uint64_t inside;   /* ...and of these the ones where the other began and ended while the first was made */
    uint64_t shared;   /* preemption points of theirs at which calls of other CPUs were made */
};
struct flight_counts flight_counts(void);

/* What must not meet: nothing may, each call is awaited before the next starts; or revokes and destroys each other. */
enum flight_apart { FLIGHT_TOGETHER, FLIGHT_APART, FLIGHT_REVOKES_APART };
void flight_keep_apart(enum flight_apart apart);

#endif
