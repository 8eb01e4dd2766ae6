/*
 * Schedules of new inputs are aimed (harness/aim.h) before the engine runs them. When the kernel dies of that under a
 * sanitizer, the engine would put aside what it ran last; what was tried is put aside instead.
 */
#ifndef RESCIND_FUZZ_TRIAL_H
#define RESCIND_FUZZ_TRIAL_H

#include "harness/aim.h"

/* Reads where the engine puts inputs aside from libFuzzer's arguments. */
void trial_start(int argc, char *const *argv);

/* Moves the schedules of about half of the operations that have one. */
void trial_aim(struct harness *harness, struct seq *seq, struct seq_random *random);

#endif
