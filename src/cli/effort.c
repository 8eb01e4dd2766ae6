/*
 * See effort.h.
 */
#include "cli/effort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096, SCALE = 1000 };

static bool is_measured(const struct harness_step *step) {
    return step->is_call && !step->is_void && (step->op->code == SEQ_REVOKE || step->op->code == SEQ_DESTROY_PD);
}

/* What each account holds: those who are destroyed have none afterwards. */
static void on_call(void *context, const struct harness_step *step) {
    struct effort *effort = context;
    if (effort->measure != EFFORT_REVOKE || !is_measured(step))
        return;
    const struct rescind_target *target = effort->target->target;
    memset(effort->quota, 0, effort->pds * sizeof *effort->quota);
    for (uint32_t i = 0; i < target->geometry.pds; i++) {
        struct rescind_pd_view view;
        uint32_t id = harness_identify(effort->harness, i);
        if (id < effort->pds && target->pd(i, &view))
            effort->quota[id] = view.quota;
    }
}

/* Bytes of the accounts of the PDs whose mappings the operation changed, or that it destroyed. */
static uint64_t losers_bytes(struct effort *effort) {
    const struct oracle *oracle = harness_oracle(effort->harness);
    uint32_t changes, destroyed;
    const struct oracle_change *change = oracle_changes(oracle, &changes);
    const uint32_t *dead = oracle_destroyed(oracle, &destroyed);
    uint64_t bytes = 0;
    memset(effort->loses, 0, effort->pds * sizeof *effort->loses);
    for (uint32_t i = 0; i < changes; i++)
        if (change[i].pd < effort->pds)
            effort->loses[change[i].pd] = true;
    for (uint32_t i = 0; i < destroyed; i++)
        if (dead[i] < effort->pds)
            effort->loses[dead[i]] = true;
    for (uint32_t i = 0; i < effort->pds; i++)
        bytes += effort->loses[i] ? effort->quota[i] : 0;
    return bytes;
}

static void take(struct effort *effort, const struct effort_row *row) {
    uint32_t i = 0;
    while (i < effort->count && strcmp(effort->row[i].shape, row->shape) != 0)
        i++;
    if (i == EFFORT_SHAPES)
        return;
    if (i == effort->count)
        effort->row[effort->count++] = *row;
    else if (row->value > effort->row[i].value)
        effort->row[i] = *row;
}

static void measure(struct effort *effort, const struct harness_step *step) {
    const struct rescind_target *target = effort->target->target;
    struct effort_row row = {.steps = target->steps()};
    harness_step_name(step, row.shape);
    if (effort->measure == EFFORT_STRETCH) {
        row.value = target->stretch();
    } else {
        /* Between two operations in progress nobody can say who loses by which; and a part is not the whole. */
        if (step->point || step->resumed || oracle_is_between(harness_oracle(effort->harness)))
            return;
        row.nodes = (losers_bytes(effort) + PAGE_BYTES) / target->costs.node;
        row.value = row.steps * SCALE / row.nodes;
    }
    take(effort, &row);
}

static void on_step(void *context, const struct harness_step *step) {
    struct effort *effort = context;
    if (is_measured(step) && (step->code == ABI_OK || step->point))
        measure(effort, step);
}

struct effort *effort_new(const struct cli_target *target, enum effort_measure measure) {
    struct effort *effort = allocate(sizeof *effort);
    *effort = (struct effort){.target = target, .measure = measure, .harness = cli_harness(target)};
    effort->pds = target->target->geometry.pds + 1; /* and PHYS */
    effort->quota = allocate(effort->pds * sizeof *effort->quota);
    effort->loses = allocate(effort->pds * sizeof *effort->loses);
    return effort;
}

void effort_run(struct effort *effort, const struct seq *seq, struct harness_outcome *outcome) {
    const struct harness_options options = {
        .compare = HARNESS_LOG,
        .on_call = on_call,
        .on_step = on_step,
        .context = effort,
    };
    effort->count = 0;
    harness_run(effort->harness, seq, &options, outcome);
}

const struct effort_row *effort_find(const struct effort *effort, const char *shape) {
    for (uint32_t i = 0; i < effort->count; i++)
        if (strcmp(effort->row[i].shape, shape) == 0)
            return &effort->row[i];
    return NULL;
}

const char *effort_measure_name(enum effort_measure measure) {
    return measure == EFFORT_STRETCH ? "stretch" : "revoke";
}
