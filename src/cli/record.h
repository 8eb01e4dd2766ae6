/*
 * Writes down what a run did in the form that an executable model can check: resolved operations, results, final
 * mappings.
 *
 * PDs and plain objects are called "root" and "r<i>", i being the index of the operation that created it. Operations,
 * results and state have exactly the form of the model's input and output (see docs/semantics.md), which knows nothing
 * of what the harness itself does: ["access", cpu, kind, unit, rights], ["switch", cpu, PD], ["oom", n],
 * ["resume"]. Nor does it know schedules: an operation that is suspended is recorded when it begins, without.
 */
#ifndef RESCIND_CLI_RECORD_H
#define RESCIND_CLI_RECORD_H

#include "harness/harness.h"

#include <jansson.h>

struct record {
    json_t *ops, *results, *state; /* state stays NULL until record_state */
    uint32_t *created_by;          /* oracle id of a PD -> index of the operation that created it */
    uint32_t *objects_by;          /* likewise of a plain object, ORACLE_OBJECT aside */
    uint32_t pds, objects, kinds;  /* oracle ids are below; kinds that the target provides */
};

void record_init(struct record *record, const struct rescind_target *target);
/* Operation `index` was begun. Of those between it and the one recorded before, nothing is known but that they let
 * others go on. */
void record_step(struct record *record, const struct harness_step *step, uint32_t index);
void record_state(struct record *record, const struct oracle *oracle, uint32_t operations);

/* {"results", "ops", "state"}; the record is then empty. */
json_t *record_take(struct record *record);

#endif
