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

/* More than there can be stays more than there can be. */
static uint64_t pages(uint64_t count) {
    return count >> 40 ? UINT64_MAX / 2 : count * RESCIND_PAGE_BYTES;
}

/* ---- the ledger: what each account must hold ---- */

void ledger_start(struct harness *harness, const struct rescind_pd_view *root) {
    harness->ledger[ORACLE_ROOT] = (struct ledger){.quota = root->quota, .used = root->used, .payer = ORACLE_NONE};
    harness->cutter = ORACLE_NONE;
}

/* A PD died: its payer gets everything, and pays for those that it paid for. */
static void inherit(struct harness *harness, uint32_t dead) {
    struct ledger *ledger = harness->ledger;
    uint32_t heir = ledger[dead].payer, limit = oracle_pd_limit(harness->oracle);
    ledger[heir].quota += ledger[dead].quota;
    ledger[heir].used += ledger[dead].used;
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        if (ledger[id].payer == dead)
            ledger[id].payer = heir;
    }
    if (harness->cutter == dead)
        harness->cutter = heir;
}

void ledger_accept(struct harness *harness) {
    uint32_t limit = oracle_pd_limit(harness->oracle);
    harness->cutter = ORACLE_NONE;
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        struct rescind_pd_view view;
        if (!oracle_alive(harness->oracle, id) || !view_of(harness, id, &view))
            continue;
        harness->ledger[id].payer = oracle_payer(harness->oracle, id);
        ledger_update(harness, id, &view);
    }
}

void ledger_expect(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    struct ledger *ledger = harness->ledger;
    uint32_t count = 0, from, to;
    harness->cutter = ORACLE_NONE;
    if (!harness->committed || !harness->target->costs.pd)
        return;
    if (call->operation == ABI_REVOKE || call->operation == ABI_GRANT)
        harness->cutter = call->caller;
    if (call->operation == ABI_CREATE_PD) {
        from = named_by(harness, call->pd_selector);
        ledger[from].quota -= pages(call->destination);
        ledger[harness->result.created] = (struct ledger){.quota = pages(call->destination), .payer = from};
    } else if (call->operation == ABI_MOVE_QUOTA) {
        from = named_by(harness, call->pd_selector);
        to = named_by(harness, call->filter_selector);
        ledger[from].quota -= from == to ? 0 : pages(call->base);
        ledger[to].quota += from == to ? 0 : pages(call->base);
    }
    const uint32_t *destroyed = oracle_destroyed(harness->oracle, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!(destroyed[i] & ORACLE_OBJECT))
            inherit(harness, destroyed[i]);
    }
}

/*
 * What a cut costs in another PD's space moves from the caller's account to that PD's, where it is used at once: the
 * caller's loses, no other's does, and nobody but a receiver has less free than before. Everything else is exact.
 */
bool ledger_fits(const struct harness *harness, uint32_t id, const struct rescind_pd_view *view) {
    const struct ledger *ledger = &harness->ledger[id];
    if (harness->cutter == ORACLE_NONE)
        return view->quota == ledger->quota;
    if (harness->cutter == id)
        return view->quota <= ledger->quota;
    /* Probes do not look at every account after each operation: what it used before is not known. */
    bool receives = harness->result.payer == id || harness->mode == HARNESS_PROBE;
    return view->quota >= ledger->quota && (receives || view->quota + ledger->used >= ledger->quota + view->used);
}

void ledger_update(struct harness *harness, uint32_t id, const struct rescind_pd_view *view) {
    harness->ledger[id].quota = view->quota;
    harness->ledger[id].used = view->used;
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
        others = pages(call->destination);
        if (others < costs->pd)
            return;
        break;
    case ABI_CREATE_OBJECT:
        own = costs->node;
        others = costs->object;
        break;
    case ABI_MOVE_QUOTA:
        others = pages(call->base);
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
