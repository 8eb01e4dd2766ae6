/*
 * CPUs: what they run, what they get at, and what they remember.
 */
#include "harness/internal.h"
#include "harness/walk.h"

/* What the oracle lets a CPU do. */
static const struct oracle_mapping *allowed(const struct harness *harness, uint32_t pd, uint8_t kind, uint64_t unit,
                                            uint8_t rights) {
    const struct oracle_mapping *mapping = pd == ORACLE_NONE ? NULL : oracle_at(harness->oracle, pd, kind, unit);
    return mapping && !(rights & ~usable_rights(harness, mapping)) ? mapping : NULL;
}

static void perform_access(struct harness *harness) {
    const struct seq_op *op = harness->step.op;
    uint32_t cpu = harness->step.cpu, pd = harness->runs[cpu];
    uint8_t rights = op->mask & all_rights(op->kind);
    /* There is no such access, and none of nothing. */
    if (op->kind >= ABI_OBJ || op->base >> space_log2(harness, ORACLE_ROOT, op->kind) || !rights) {
        harness->step.is_void = true;
        return;
    }
    const struct oracle_mapping *mapping = allowed(harness, pd, op->kind, op->base, rights);
    uint64_t resource = mapping ? mapping->resource : RESCIND_NOWHERE;
    bool got = harness->target->access(cpu, op->kind, op->base, rights, &resource);
    harness->step.faulted = !got;
    harness->step.value = got ? resource : 0;
    if (got && !mapping)
        note(harness, FLAW_ACCESS_ALLOWED, pd, op->kind, op->base);
    else if (!got && mapping && !oracle_uncertain(mapping))
        note(harness, FLAW_ACCESS_DENIED, pd, op->kind, op->base);
    else if (got && resource != mapping->resource)
        note(harness, FLAW_ACCESS_ASTRAY, pd, op->kind, op->base);
}

static void perform_switch(struct harness *harness) {
    uint32_t cpu = harness->step.cpu, pd = harness->step.call.caller;
    if (pd == ORACLE_NONE || !can_call(harness, pd)) {
        harness->step.is_void = true;
        return;
    }
    harness->target->switch_to(cpu, kernel_pd(harness, pd));
    harness->runs[cpu] = pd;
    compare_cpus(harness);
}

static void body_on_cpu(void *argument) {
    struct harness *harness = argument;
    if (harness->step.op->code == SEQ_ACCESS)
        perform_access(harness);
    else
        perform_switch(harness);
}

void perform_on_cpu(struct harness *harness) {
    harness->step.is_void = !harness->target->access;
    if (!harness->step.is_void)
        harness_enter_target(harness, body_on_cpu, harness);
}

/* ---- what CPUs remember ---- */

static void compare_translation(struct harness *harness, uint32_t pd, const struct rescind_cached *cached) {
    uint64_t units = UINT64_C(1) << (cached->level * harness->target->geometry.level_bits);
    for (uint64_t i = 0; i < units; i++) {
        const struct oracle_mapping *mapping = allowed(harness, pd, ABI_MEM, cached->unit + i, cached->rights);
        if (!mapping || mapping->resource != cached->frame + i) {
            note(harness, FLAW_STALE, pd, ABI_MEM, cached->unit + i);
            return;
        }
    }
}

/* A table that a CPU would go on from must be the one that the tables lead to. */
static void compare_way(struct harness *harness, uint32_t pd, const struct rescind_cached *cached) {
    const struct rescind_geometry *geometry = &harness->target->geometry;
    struct rescind_pd_view view;
    if (!harness->target->pd(kernel_pd(harness, pd), &view))
        return;
    uint64_t table = view.root_table;
    for (unsigned level = geometry->levels - 1u; level > cached->level; level--) {
        const uint64_t *entries = harness->target->table(table);
        uint64_t index = (cached->unit >> (level * geometry->level_bits)) & ((UINT64_C(1) << geometry->level_bits) - 1);
        struct walk_item item;
        if (!entries || walk_decode(geometry, level, cached->unit, entries[index], &item) != WALK_TABLE) {
            note(harness, FLAW_STALE_TABLE, pd, ABI_MEM, cached->unit);
            return;
        }
        table = item.frame << 12;
    }
    if (table >> 12 != cached->frame)
        note(harness, FLAW_STALE_TABLE, pd, ABI_MEM, cached->unit);
}

static void compare_cached(struct harness *harness, const struct rescind_cached *cached) {
    uint32_t pd = oracle_id(harness, cached->pd);
    if (pd == ORACLE_NONE)
        note(harness, FLAW_STALE, ORACLE_NONE, ABI_MEM, cached->unit);
    else if (cached->walk && !oracle_is_between(harness->oracle))
        compare_way(harness, pd, cached);
    else if (!cached->walk)
        compare_translation(harness, pd, cached);
}

void compare_running(struct harness *harness) {
    for (uint32_t cpu = 0; cpu < harness->cpus && harness->target->runs; cpu++) {
        uint32_t runs = harness->target->runs(cpu);
        uint32_t expected = harness->runs[cpu] == ORACLE_NONE ? RESCIND_NONE : kernel_pd(harness, harness->runs[cpu]);
        bool may_have_died = runs == RESCIND_NONE && oracle_may_die(harness->oracle, harness->runs[cpu]);
        if (runs != expected && !may_have_died)
            note_number(harness, FLAW_CPU, harness->runs[cpu], ABI_OBJ, expected, runs);
    }
}

void compare_cpus(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    struct rescind_cached cached;
    compare_running(harness);
    if (!target->cached_limit)
        return;
    for (uint32_t cpu = 0; cpu < harness->cpus; cpu++) {
        for (uint32_t place = 0; place < target->cached_limit; place++) {
            if (target->cached(cpu, place, &cached) && cached.pd != RESCIND_NONE)
                compare_cached(harness, &cached);
        }
    }
}
