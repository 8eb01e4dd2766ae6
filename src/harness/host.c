/*
 * The host's enter hook (setjmp) and memory.
 */
#include "harness/host.h"

#include <stdlib.h>

_Noreturn static void stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    struct host_enter *host = context;
    host->why = why;
    host->text = text;
    host->function = function;
    longjmp(host->frame, 1);
}

void host_enter_init(struct host_enter *host) {
    host->hooks = (struct rescind_hooks){.context = host, .stop = stop};
}

bool host_enter(void *enter_context, void (*body)(void *argument), void *argument, enum rescind_stop *why,
                const char **text, const char **function) {
    struct host_enter *host = enter_context;
    if (!setjmp(host->frame)) {
        body(argument);
        return true;
    }
    *why = host->why;
    *text = host->text;
    *function = host->function;
    return false;
}

struct harness *host_harness_new(struct host_enter *host, const struct rescind_target *target, uint32_t mappings,
                                 const struct oracle_policy *policy) {
    size_t size = harness_size(target, mappings);
    host_enter_init(host);
    /* Most of it is never used: pages that calloc gets from the system cost nothing until they are. In front of the
     * harness stands what free must be given. */
    unsigned char *start = calloc(1, size + 2 * HARNESS_ALIGNMENT);
    if (!start)
        return NULL;
    unsigned char *memory = start + HARNESS_ALIGNMENT;
    memory += -(uintptr_t)memory & (HARNESS_ALIGNMENT - 1);
    ((void **)(void *)memory)[-1] = start;
    struct harness *harness = harness_init(memory, size, target, mappings, policy, &host->hooks, host_enter, host);
    if (!harness)
        free(start);
    return harness;
}

void host_harness_free(struct harness *harness) {
    if (harness)
        free(((void **)(void *)harness)[-1]);
}
