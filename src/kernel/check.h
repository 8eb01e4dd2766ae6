/*
 * Assertions and the step counter. On in all builds: failing loudly is a feature.
 */
#ifndef RESCIND_CHECK_H
#define RESCIND_CHECK_H

#include "arch.h"

#include <stdbool.h>

/* One condition each, so that branch coverage counts the code and not the checks. Stops the kernel where it does not
 * hold. */
#define KASSERT(condition) kassert((condition), #condition, __func__)

static inline void kassert(bool holds, const char *text, const char *function) {
    if (__builtin_expect(!holds, 0)) {
        arch_stop(RESCIND_STOP_ASSERT, text, function);
    }
}

/* To be called once in every iteration of a loop whose length depends on the kernel's state; bounds every operation. */
#define KSTEP() arch_step(__func__)

#endif
