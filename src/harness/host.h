/*
 * The host's way to run a harness: leaving a stopped kernel by longjmp, memory from malloc.
 *
 * The only part of the harness that uses the C library.
 */
#ifndef RESCIND_HARNESS_HOST_H
#define RESCIND_HARNESS_HOST_H

#include "harness/harness.h"

#include <setjmp.h>

/* Where a stopped kernel returns to. One for each harness; must not move while the harness exists. */
struct host_enter {
    jmp_buf frame;
    struct rescind_hooks hooks; /* for the target; filled by host_harness_new or host_enter_init */
    enum rescind_stop why;
    const char *text, *function;
};

void host_enter_init(struct host_enter *host);

/* A harness_enter; enter_context is the struct host_enter. */
bool host_enter(void *enter_context, void (*body)(void *argument), void *argument, enum rescind_stop *why,
                const char **text, const char **function);

/* A harness in memory of its own, or NULL. Initialises *host. Free it with host_harness_free. */
struct harness *host_harness_new(struct host_enter *host, const struct rescind_target *target, uint32_t mappings,
                                 const struct oracle_policy *policy);
void host_harness_free(struct harness *harness);

#endif
