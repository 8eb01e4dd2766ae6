/*
 * Accounts of kernel memory: what a call moves between them by whole pages, and whether a refusal for lack of memory
 * can be believed. What memory each account pays for is compared elsewhere.
 */
#include "harness/internal.h"

static uint32_t named_by(const struct harness *harness, uint64_t selector) {
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, harness->step.call.caller, ABI_OBJ, selector);
    return mapping ? (uint32_t)mapping->resource : ORACLE_NONE;
}

static bool view_of(const struct harness *harness, uint32_t id, struct rescind_pd_view *view) {
    uint32_t kernel = kernel_pd(harness, id);
    return kernel != RESCIND_NONE && harness->target->pd(kernel, view);
}

static uint64_t pages(uint64_t count) {
    return count * RESCIND_PAGE_BYTES;
}

void note_accounts(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    struct rescind_pd_view view;
    harness->account[0].pd = harness->account[1].pd = ORACLE_NONE;
    if (harness->result.code != ABI_OK || !harness->target->costs.pd)
        return;
    if (call->operation == ABI_CREATE_PD || call->operation == ABI_MOVE_QUOTA)
        harness->account[0].pd = named_by(harness, call->pd_selector);
    if (call->operation == ABI_MOVE_QUOTA)
        harness->account[1].pd = named_by(harness, call->filter_selector);
    for (unsigned i = 0; i < 2; i++) {
        if (harness->account[i].pd != ORACLE_NONE && view_of(harness, harness->account[i].pd, &view))
            harness->account[i].quota = view.quota;
    }
}

static void judge_quota(struct harness *harness, uint32_t id, uint64_t quota) {
    struct rescind_pd_view view;
    if (id != ORACLE_NONE && view_of(harness, id, &view) && view.quota != quota)
        note_number(harness, FLAW_QUOTA, id, ABI_OBJ, quota, view.quota);
}

void judge_accounts(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    const struct account_note *from = &harness->account[0], *to = &harness->account[1];
    if (from->pd == ORACLE_NONE)
        return;
    uint64_t moved = 0;
    if (harness->committed && from->pd != to->pd)
        moved = pages(call->operation == ABI_CREATE_PD ? call->destination : call->base);
    judge_quota(harness, from->pd, from->quota - moved);
    judge_quota(harness, to->pd, from->pd == to->pd ? to->quota : to->quota + moved);
    if (harness->committed && harness->result.created != ORACLE_NONE)
        judge_quota(harness, harness->result.created, moved);
}

/* ---- refusals ---- */

static uint64_t free_of(const struct harness *harness, uint32_t id) {
    struct rescind_pd_view view;
    return id != ORACLE_NONE && view_of(harness, id, &view) && view.used < view.quota ? view.quota - view.used : 0;
}

/* Page tables that a range of 2^order pages can need at most. */
static uint64_t tables_of(const struct harness *harness, const struct oracle_call *call) {
    const struct rescind_geometry *geometry = &harness->target->geometry;
    uint64_t tables = 0;
    for (unsigned level = 1; level < geometry->levels && call->kind == ABI_MEM; level++)
        tables += ((UINT64_C(1) << call->order) >> (level * geometry->level_bits)) + 1;
    return tables;
}

/*
 * What cutting a range out of larger ones can cost at most. Only what is stored as one range with the first unit and
 * reaches beyond the range is cut: that unit's node, and those of its descendants. Each is halved once for an order.
 */
static uint64_t cost_of_cuts(const struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    const struct rescind_costs *costs = &harness->target->costs;
    uint32_t pd = call->place == ABI_PHYS                                         ? (uint32_t)ORACLE_PHYS
                  : call->operation == ABI_REVOKE && call->place == ABI_PLACE_CAP ? named_by(harness, call->pd_selector)
                                                                                  : call->caller;
    const struct oracle_mapping *top = oracle_at(harness->oracle, pd, call->kind, call->base), *at = top;
    uint64_t nodes = 0;
    while (at) {
        nodes++;
        const struct oracle_mapping *next = oracle_record(harness->oracle, at->first_child);
        while (!next && at != top) {
            next = oracle_record(harness->oracle, at->next_sibling);
            if (!next)
                at = oracle_record(harness->oracle, at->parent);
        }
        at = next;
    }
    uint64_t halvings = harness->geometry.mem_log2 - (uint64_t)call->order;
    return call->kind == ABI_OBJ ? 0 : nodes * halvings * ((uint64_t)costs->node + costs->table);
}

void judge_refusal(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    const struct rescind_costs *costs = &harness->target->costs;
    uint64_t own = 0, others = 0; /* what the caller, and what the other payer, may have to pay */
    uint64_t units = UINT64_C(1) << (call->order < 63 ? call->order : 63);
    switch (call->operation) {
    case ABI_CREATE_PD:
        own = costs->node;
        others = call->destination > UINT32_MAX ? UINT64_MAX / 2 : pages(call->destination);
        if (others < costs->pd)
            return;
        break;
    case ABI_CREATE_OBJECT:
        own = costs->node;
        others = costs->object;
        break;
    case ABI_MOVE_QUOTA:
        others = call->base > UINT32_MAX ? UINT64_MAX / 2 : pages(call->base);
        break;
    case ABI_GRANT:
    case ABI_DELEGATE:
        own = call->operation == ABI_GRANT ? cost_of_cuts(harness) : 0;
        others = units * costs->node + tables_of(harness, call) * costs->table;
        break;
    default:
        own = cost_of_cuts(harness);
        break;
    }
    uint32_t payer = harness->result.payer;
    bool one = payer == call->caller || payer == ORACLE_NONE;
    uint64_t had = free_of(harness, call->caller);
    uint64_t short_of = one ? own + others : own;
    if (had < short_of || (!one && free_of(harness, payer) < others))
        return;
    note_number(harness, FLAW_REFUSED, call->caller, call->kind, short_of, had);
}
