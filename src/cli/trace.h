/*
 * What each operation of a run leaves behind, for people and pictures: the kernel's mapping nodes and page tables, what
 * CPUs remember, accounts, and what the model holds. The form is described in docs/triage.md.
 */
#ifndef RESCIND_CLI_TRACE_H
#define RESCIND_CLI_TRACE_H

#include "harness/harness.h"

#include <jansson.h>

struct trace {
    const struct rescind_target *target;
    struct harness *harness; /* the run's */
    json_t *steps;
    uint8_t *name_of;  /* by oracle id of a PD: the name that it was created under */
    uint32_t *made_by; /* by oracle id of a PD: the operation that created it */
    uint32_t id_limit; /* of both */
};

void trace_init(struct trace *trace, const struct rescind_target *target, struct harness *harness);

/* Forgets what there is; the boot state becomes the first step. */
void trace_start(struct trace *trace);

/* A step of operation `index`, which begins there or (`goes_on`) was suspended before. */
void trace_step(struct trace *trace, const struct harness_step *step, uint32_t index, bool goes_on);

/* {"steps", "at"}, where `at` says what unit the outcome is about, or is null; the trace is then empty. */
json_t *trace_take(struct trace *trace, const struct harness_outcome *outcome);

#endif
