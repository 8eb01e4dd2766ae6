/*
 * Judges a target at rest, whatever led there: the oracle takes over what the nodes say, and the full comparison finds
 * what does not follow from it.
 */
#include "harness/internal.h"

static const struct harness_options rest_options = {.compare = HARNESS_FULL};

static void prepare(struct harness *harness, struct harness_outcome *outcome) {
    harness->options = &rest_options;
    harness->mode = HARNESS_FULL;
    harness->outcome = outcome;
    *outcome = (struct harness_outcome){.verdict = HARNESS_AGREE};
}

enum harness_verdict harness_rest_boot(struct harness *harness, uint8_t cpus, struct harness_outcome *outcome) {
    struct seq nothing = {.cpus = cpus};
    prepare(harness, outcome);
    outcome->verdict = start(harness, &nothing);
    return outcome->verdict;
}

/* ---- who is there ---- */

static void adopt_one(struct harness *harness, uint32_t kernel, uint32_t bit) {
    uint32_t id = oracle_adopt(harness->oracle, bit);
    if (id == ORACLE_NONE) {
        note(harness, FLAW_PD_APPEARED, ORACLE_NONE, ABI_OBJ, kernel);
        return;
    }
    bind_id(harness, id, kernel | bit);
    if (!bit) { /* for the report */
        harness->name_of[id] = (uint8_t)(kernel % SEQ_NAMES);
        harness->id_of_name[kernel % SEQ_NAMES] = id;
    }
}

static void adopt_payer(struct harness *harness, uint32_t id, uint32_t payer) {
    uint32_t heir = oracle_id(harness, payer);
    if (heir == ORACLE_NONE)
        note_number(harness, FLAW_PAYER, id, ABI_OBJ, RESCIND_NONE, payer);
    else
        oracle_adopt_payer(harness->oracle, id, heir);
}

static void adopt_all(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    struct rescind_pd_view pd;
    struct rescind_object_view object;
    for (uint32_t i = 0; i < target->pd_limit; i++) {
        if (i != target->root_pd && target->pd(i, &pd))
            adopt_one(harness, i, 0);
    }
    for (uint32_t i = 0; i < target->object_limit; i++) {
        if (target->object(i, &object))
            adopt_one(harness, i, RESCIND_OBJECT);
    }
    harness->objects_bound = oracle_object_limit(harness->oracle);
    for (uint32_t i = 0; i < target->pd_limit; i++) {
        if (i != target->root_pd && target->pd(i, &pd))
            adopt_payer(harness, oracle_id(harness, i), pd.payer);
    }
    for (uint32_t i = 0; i < target->object_limit; i++) {
        if (target->object(i, &object))
            adopt_payer(harness, oracle_id(harness, i | RESCIND_OBJECT), object.payer);
    }
}

/* ---- what they have ---- */

static uint64_t units_of(const struct rescind_node_view *node) {
    return UINT64_C(1) << node->order;
}

/* Those that have no space or no place in it are the comparison's business. */
static bool has_place(struct harness *harness, const struct rescind_node_view *node) {
    uint32_t pd = oracle_id(harness, node->pd);
    if (pd == ORACLE_NONE || (node->kind == ABI_OBJ && oracle_id(harness, node->resource) == ORACLE_NONE)) {
        note(harness, FLAW_DEAD_SPACE, ORACLE_NONE, node->kind, node->base);
        return false;
    }
    uint64_t end = UINT64_C(1) << space_log2(harness, pd, node->kind);
    return pd != ORACLE_PHYS && node->base < end && units_of(node) <= end - node->base;
}

static void adopt_node(struct harness *harness, const struct rescind_node_view *node) {
    uint32_t pd = oracle_id(harness, node->pd);
    for (uint64_t i = 0; i < units_of(node); i++) {
        uint64_t resource = node->kind == ABI_OBJ ? oracle_id(harness, node->resource) : node->resource + i;
        if (!oracle_adopt_mapping(harness->oracle, pd, node->kind, node->base + i, resource, node->rights)) {
            note(harness, FLAW_NODE_OVERLAP, pd, node->kind, node->base + i);
            return;
        }
    }
}

static void adopt_parent(struct harness *harness, const struct rescind_node_view *node) {
    uint32_t pd = oracle_id(harness, node->pd);
    struct rescind_node_view parent;
    if (node->parent == RESCIND_NONE)
        return;
    uint32_t above = harness->target->node(node->parent, &parent) ? oracle_id(harness, parent.pd) : ORACLE_NONE;
    uint64_t offset = node->kind == ABI_OBJ ? 0 : node->resource - parent.resource;
    for (uint64_t i = 0; i < units_of(node); i++) {
        bool contained = above != ORACLE_NONE && parent.kind == node->kind && offset + i < units_of(&parent);
        if (!contained ||
            !oracle_adopt_parent(harness->oracle, node->kind, pd, node->base + i, above, parent.base + offset + i)) {
            note(harness, FLAW_CONTAINMENT, pd, node->kind, node->base + i);
            return;
        }
    }
}

static void adopt_nodes(struct harness *harness) {
    struct rescind_node_view node;
    for (uint32_t i = 0; i < harness->target->node_limit; i++) {
        if (harness->target->node(i, &node) && has_place(harness, &node))
            adopt_node(harness, &node);
    }
    for (uint32_t i = 0; i < harness->target->node_limit && harness->finding.flaw == FLAW_NONE; i++) {
        if (harness->target->node(i, &node) && has_place(harness, &node))
            adopt_parent(harness, &node);
    }
}

/* ---- judging ---- */

/* What nobody names any more must be gone. */
static void judge_unnamed(struct harness *harness) {
    uint32_t limit = oracle_pd_limit(harness->oracle), objects = oracle_object_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT + 1; id < limit; id++) {
        if (oracle_alive(harness->oracle, id) && !oracle_references(harness->oracle, id))
            note(harness, FLAW_PD_SURVIVED, id, ABI_OBJ, 0);
    }
    for (uint32_t number = 0; number < objects; number++) {
        if (!oracle_references(harness->oracle, ORACLE_OBJECT | number))
            note(harness, FLAW_PD_SURVIVED, ORACLE_OBJECT | number, ABI_OBJ, 0);
    }
}

static void judge_rest(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    bind_boot(harness);
    oracle_adopt_nothing(harness->oracle);
    adopt_all(harness);
    if (harness->finding.flaw != FLAW_NONE)
        return;
    adopt_nodes(harness);
    for (uint32_t cpu = 0; cpu < harness->cpus; cpu++) {
        uint32_t pd = target->runs(cpu);
        harness->runs[cpu] = pd == RESCIND_NONE ? ORACLE_NONE : oracle_id(harness, pd);
        if (pd != RESCIND_NONE && harness->runs[cpu] == ORACLE_NONE)
            note_number(harness, FLAW_CPU, ORACLE_NONE, ABI_OBJ, RESCIND_NONE, pd);
    }
    judge_unnamed(harness);
    ledger_accept(harness);
    if (harness->finding.flaw == FLAW_NONE)
        compare_full(harness);
}

enum harness_verdict harness_rest(struct harness *harness, bool empty, struct harness_outcome *outcome) {
    static const struct seq_op nothing;
    prepare(harness, outcome);
    harness->step = (struct harness_step){.op = &nothing, .is_void = true};
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    harness->at_rest = true;
    judge_rest(harness);
    if (empty && harness->finding.flaw == FLAW_NONE)
        judge_empty(harness);
    outcome->verdict = judge(harness);
    return outcome->verdict;
}
