/*
 * The probe comparison: judges a target by what can be got at, knowing nothing of its inside.
 *
 * After each operation it tries accesses at the edges of every range that the oracle says was changed (where nothing
 * was: often of the ranges that the operation named), and at places chosen at random; now and then, and at the end, at
 * everything that the oracle has mapped. A PD is probed on each CPU that runs it, with what the CPU remembers, or else
 * afresh. What kernel memory accounts hold is compared where the target tells, and page tables where it shows them, but
 * no nodes.
 */
#include "harness/internal.h"
#include "harness/walk.h"

enum { SWEEP_EVERY = 64, RUN_WHOLE = 16, RUN_SAMPLES = 8, LOOKUP_ONE_IN = 8, ORDER_NEAR = 5 };
enum { CHANCE_ONE_IN = 4, UNCHANGED_ONE_IN = 2 };

static void note_probe(struct harness *harness, enum flaw flaw, uint32_t pd, const struct rescind_probe *probe) {
    if (flaw >= harness->finding.flaw)
        return;
    note(harness, flaw, pd, probe->kind, probe->unit);
    harness->finding.probed = true;
    harness->finding.expected = probe->reached;
    harness->finding.found = probe->resource;
}

/* While calls are in flight: nothing is asked of a PD that may be gone, and a mapping that they take is there or not.
 */
static bool is_uncertain(const struct harness *harness, uint32_t pd, uint8_t kind, uint64_t unit) {
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, kind, unit);
    bool between = oracle_is_between(harness->oracle);
    return between && (oracle_may_die(harness->oracle, pd) || (mapping && oracle_uncertain(mapping)));
}

/* ---- lookups ---- */

/* The lookup of a unit by its own PD: the only way to see a capability. */
static void look_up(struct harness *harness, uint32_t pd, uint8_t kind, uint64_t unit) {
    if (is_uncertain(harness, pd, kind, unit))
        return;
    struct oracle_call call = {.operation = ABI_LOOKUP, .caller = pd, .kind = kind, .base = unit};
    uint64_t word[ABI_WORDS];
    encode(&call, word);
    harness->target->call(harness->step.cpu, kernel_pd(harness, pd), word);
    harness->outcome->probes++;
    if (harness->target->poor && word[0] == ABI_E_MEM)
        return;
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, kind, unit);
    uint8_t found = word[0] == ABI_OK ? (uint8_t)word[1] : 0, rights = mapping ? mapping->rights : 0;
    bool capability = kind == ABI_OBJ;
    enum flaw flaw = FLAW_NONE;
    if (found && !mapping)
        flaw = capability ? FLAW_EXTRA : FLAW_NODE_EXTRA;
    else if (!found && mapping)
        flaw = capability ? FLAW_MISSING : FLAW_NODE_MISSING;
    else if (found != rights)
        flaw = !capability ? FLAW_NODE_RIGHTS : found & ~rights ? FLAW_WIDER : FLAW_NARROWER;
    struct rescind_probe probe = {.unit = unit, .kind = kind, .reached = found, .resource = RESCIND_NOWHERE};
    note_probe(harness, flaw, pd, &probe);
    uint64_t expected = oracle_decide(harness->oracle, &call).value;
    if (harness->target->silent)
        expected &= (1u << ABI_VALUE_ORDER_SHIFT) - 1;
    if (flaw == FLAW_NONE && word[1] != expected && !oracle_is_between(harness->oracle)) /* what is beside it counts */
        note_number(harness, FLAW_VALUE, pd, kind, expected, word[1]);
}

/* ---- accesses ---- */

/* What is wrong with what was reached; FLAW_NONE: nothing. */
static enum flaw flaw_of_probe(const struct harness *harness, const struct oracle_mapping *mapping,
                               const struct rescind_probe *probe) {
    uint8_t rights = mapping ? usable_rights(harness, mapping) & probe->rights : 0;
    if (probe->reached & ~rights)
        return mapping ? FLAW_WIDER : FLAW_EXTRA;
    if (rights & ~probe->reached)
        return probe->reached ? FLAW_NARROWER : FLAW_MISSING;
    return probe->reached && probe->resource != mapping->resource ? FLAW_WRONG_RESOURCE : FLAW_NONE;
}

/* What a CPU gets at that remembers nothing is in the tables; what it does not get at so, another remembered. */
static void judge_probe(struct harness *harness, uint32_t pd, uint32_t cpu, const struct rescind_probe *probe) {
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, probe->kind, probe->unit);
    enum flaw flaw = flaw_of_probe(harness, mapping, probe);
    if (flaw == FLAW_NONE)
        return;
    if (harness->runs[cpu] == pd) {
        struct rescind_probe again = *probe;
        again.resource = mapping ? mapping->resource : RESCIND_NOWHERE;
        harness->target->probe(cpu, kernel_pd(harness, pd), true, &again, 1);
        if (flaw_of_probe(harness, mapping, &again) == FLAW_NONE)
            flaw = FLAW_STALE;
    }
    note_probe(harness, flaw, pd, probe);
}

static void try_on(struct harness *harness, uint32_t cpu, bool fresh) {
    struct prober *prober = &harness->prober;
    harness->target->probe(cpu, kernel_pd(harness, prober->pd), fresh, prober->probe, prober->count);
    harness->outcome->probes += prober->count;
    for (uint32_t i = 0; i < prober->count; i++)
        judge_probe(harness, prober->pd, cpu, &prober->probe[i]);
}

/* Makes the probes that were collected. */
static void flush(struct harness *harness) {
    struct prober *prober = &harness->prober;
    bool anywhere = false;
    for (uint32_t cpu = 0; cpu < harness->cpus && prober->count; cpu++) {
        if (harness->runs[cpu] != prober->pd)
            continue;
        for (uint32_t i = 0; anywhere && i < prober->count; i++)
            prober->probe[i].resource = prober->resource[i];
        try_on(harness, cpu, false);
        anywhere = true;
    }
    if (!anywhere && prober->count)
        try_on(harness, 0, true);
    prober->count = 0;
}

/* Collects a probe; units beyond the space, dead PDs and unknown kinds are left out. */
static void probe_unit(struct harness *harness, uint32_t pd, uint8_t kind, uint64_t unit) {
    struct prober *prober = &harness->prober;
    if (kind >= ABI_KINDS || !(harness->target->kinds >> kind & 1) || unit >> space_log2(harness, pd, kind) ||
        is_uncertain(harness, pd, kind, unit))
        return;
    if (kind == ABI_OBJ) {
        look_up(harness, pd, kind, unit);
        return;
    }
    if (prober->pd != pd || prober->count == PROBES)
        flush(harness);
    for (uint32_t i = 0; i < prober->count; i++) {
        if (prober->probe[i].unit == unit && prober->probe[i].kind == kind)
            return;
    }
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, kind, unit);
    uint64_t resource = mapping ? mapping->resource : RESCIND_NOWHERE;
    prober->pd = pd;
    prober->resource[prober->count] = resource;
    prober->probe[prober->count++] =
        (struct rescind_probe){.unit = unit, .kind = kind, .rights = all_rights(kind), .resource = resource};
}

/* ---- what an operation changed ---- */

static bool joins(struct prober_range *range, const struct oracle_change *change) {
    if (range->pd != change->pd || range->kind != change->kind)
        return false;
    if (change->unit == range->last + 1)
        range->last++;
    else if (change->unit + 1 == range->first)
        range->first--;
    return change->unit >= range->first && change->unit <= range->last;
}

/* Collects the changed units into ranges. What does not fit is left to the next sweep. */
static uint32_t changed_ranges(struct harness *harness, struct prober_range range[PROBE_RANGES]) {
    uint32_t changes = 0, ranges = 0, hit = 0;
    const struct oracle_change *change = oracle_changes(harness->oracle, &changes);
    for (uint32_t i = 0; i < changes; i++) {
        if (change[i].pd == ORACLE_PHYS || !oracle_alive(harness->oracle, change[i].pd))
            continue;
        bool joined = ranges && joins(&range[hit], &change[i]);
        for (uint32_t k = 0; !joined && k < ranges; k++) {
            joined = joins(&range[k], &change[i]);
            hit = joined ? k : hit;
        }
        if (!joined && ranges < PROBE_RANGES) {
            hit = ranges;
            range[ranges++] = (struct prober_range){change[i].unit, change[i].unit, change[i].pd, change[i].kind};
        }
    }
    return ranges;
}

static void remember_range(struct harness *harness, const struct prober_range *range) {
    struct prober *prober = &harness->prober;
    if (range->kind != ABI_OBJ)
        prober->recent[prober->recent_count++ % PROBE_RECENT] = *range;
}

static void probe_edges(struct harness *harness, const struct prober_range *range) {
    struct prober *prober = &harness->prober;
    const uint64_t edges[] = {range->first - 1, range->first, range->last, range->last + 1};
    for (unsigned i = 0; i < 4; i++) {
        if (i != 2 || range->last != range->first)
            probe_unit(harness, range->pd, range->kind, edges[i]);
    }
    if (range->kind != ABI_OBJ && seq_random_below(&prober->random, LOOKUP_ONE_IN) == 0)
        look_up(harness, range->pd, range->kind, seq_random_next(&prober->random) & 1 ? range->first : range->last);
    remember_range(harness, range);
}

/* By PD, so that each is visited once. */
static void probe_changes(struct harness *harness) {
    struct prober_range range[PROBE_RANGES];
    uint32_t ranges = changed_ranges(harness, range);
    for (uint32_t i = 0; i < ranges; i++) {
        uint32_t pd = range[i].pd;
        for (uint32_t k = i; k < ranges && pd != ORACLE_NONE; k++) {
            if (range[k].pd != pd)
                continue;
            probe_edges(harness, &range[k]);
            range[k].pd = ORACLE_NONE;
        }
        while (i + 1 < ranges && range[i + 1].pd == ORACLE_NONE)
            i++;
    }
}

static uint32_t named_pd(const struct harness *harness, uint64_t selector) {
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, harness->step.call.caller, ABI_OBJ, selector);
    bool is_pd = mapping && !(mapping->resource & ORACLE_OBJECT);
    return is_pd ? (uint32_t)mapping->resource : ORACLE_NONE;
}

static void probe_named_range(struct harness *harness, uint32_t pd, uint64_t base) {
    const struct oracle_call *call = &harness->step.call;
    if (pd == ORACLE_NONE || call->order > space_log2(harness, ORACLE_ROOT, ABI_MEM))
        return;
    probe_unit(harness, pd, call->kind, base);
    probe_unit(harness, pd, call->kind, base + (UINT64_C(1) << call->order) - 1);
}

/* Nothing was changed: what the operation named is as it was. */
static void probe_named(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    bool maps = call->operation == ABI_DELEGATE || call->operation == ABI_GRANT;
    if (!oracle_alive(harness->oracle, call->caller))
        return;
    if (maps)
        probe_named_range(harness, call->to_cap ? named_pd(harness, call->pd_selector) : call->caller,
                          call->destination);
    if ((maps || call->operation == ABI_REVOKE) && call->place == ABI_OWN)
        probe_named_range(harness, call->caller, call->base);
    if (call->operation == ABI_REVOKE && call->place == ABI_PLACE_CAP)
        probe_named_range(harness, named_pd(harness, call->pd_selector), call->base);
}

/* ---- by chance ---- */

static uint32_t random_pd(struct harness *harness) {
    uint32_t limit = oracle_pd_limit(harness->oracle) - ORACLE_ROOT;
    uint32_t id = ORACLE_ROOT + (uint32_t)seq_random_below(&harness->prober.random, limit);
    return oracle_alive(harness->oracle, id) ? id : ORACLE_ROOT;
}

/* A unit at or near some range that was changed lately, of a PD or of another. */
static void probe_by_chance(struct harness *harness, uint32_t pd) {
    struct prober *prober = &harness->prober;
    uint32_t known = prober->recent_count < PROBE_RECENT ? prober->recent_count : PROBE_RECENT;
    if (!known)
        return;
    const struct prober_range *range = &prober->recent[seq_random_below(&prober->random, known)];
    uint64_t unit = range->first + seq_random_below(&prober->random, range->last - range->first + 1);
    if (seq_random_next(&prober->random) & 1)
        unit ^= UINT64_C(1) << seq_random_below(&prober->random, ORDER_NEAR);
    probe_unit(harness, pd, range->kind, unit);
}

/* As many as if there were two after each operation, but going to a PD is what costs. */
static void probe_somewhere(struct harness *harness) {
    uint32_t pd = random_pd(harness);
    for (uint32_t i = 0; i < 2 * CHANCE_ONE_IN; i++)
        probe_by_chance(harness, pd);
}

/* ---- page tables, where the target shows them ---- */

static void judge_leaf_unit(struct harness *harness, uint32_t pd, const struct walk_item *item, uint64_t unit) {
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, pd, ABI_MEM, unit);
    struct rescind_probe probe = {
        .unit = unit, .kind = ABI_MEM, .rights = ABI_MEM_RIGHTS, .reached = item->rights, .resource = item->frame};
    probe.resource += unit - item->unit;
    note_probe(harness, flaw_of_probe(harness, mapping, &probe), pd, &probe);
}

static void judge_leaf(struct harness *harness, uint32_t pd, const struct walk_item *item) {
    uint64_t units = walk_units(&harness->target->geometry, item->level);
    if (item->reserved || item->misaligned)
        note(harness, item->reserved ? FLAW_RESERVED : FLAW_MISALIGNED, pd, ABI_MEM, item->unit);
    for (uint64_t unit = 0; unit < units; unit += units <= RUN_WHOLE ? 1 : units / RUN_WHOLE)
        judge_leaf_unit(harness, pd, item, item->unit + unit);
    judge_leaf_unit(harness, pd, item, item->unit + units - 1);
}

/* Every leaf below a PD's root table, of a target that shows nothing else of its inside. What lies outside of the space
 * may be the kernel's. */
static void sweep_tables(struct harness *harness, uint32_t pd, uint64_t root) {
    static const enum flaw flaws[] = {
        [WALK_EMPTY] = FLAW_EMPTY_TABLE, [WALK_DANGLING] = FLAW_DANGLING_TABLE, [WALK_LEFTOVER] = FLAW_LEFTOVER};
    struct walk walk;
    struct walk_item item;
    if (harness->target->node_limit || !harness->target->table || !walk_start(&walk, harness->target, root))
        return;
    while (walk_next(&walk, &item) != WALK_END) {
        if (item.what == WALK_LEAF)
            judge_leaf(harness, pd, &item);
        else if (item.what == WALK_EMPTY || item.what == WALK_DANGLING || item.what == WALK_LEFTOVER)
            note(harness, flaws[item.what], pd, ABI_MEM, item.unit);
    }
}

/* ---- accounts ---- */

static bool told(uint32_t number) {
    return number != RESCIND_NONE;
}

/* False: the target has no such PD. */
static bool probe_account(struct harness *harness, uint32_t id, struct rescind_pd_view *view) {
    uint32_t kernel = kernel_pd(harness, id), payer = oracle_payer(harness->oracle, id);
    uint32_t references = oracle_references(harness->oracle, id);
    if (kernel == RESCIND_NONE || !harness->target->pd(kernel, view)) {
        note(harness, FLAW_PD_DIED, id, ABI_OBJ, 0);
        return false;
    }
    if (told(view->references) && view->references != references)
        note_number(harness, FLAW_REFERENCES, id, ABI_OBJ, references, view->references);
    if (!harness->target->costs.pd)
        return true;
    uint32_t expected = payer == ORACLE_NONE ? RESCIND_NONE : kernel_pd(harness, payer);
    if (view->payer != expected)
        note_number(harness, FLAW_PAYER, id, ABI_OBJ, expected, view->payer);
    if (!ledger_fits(harness, id, view))
        note_number(harness, FLAW_QUOTA, id, ABI_OBJ, harness->ledger[id].quota, view->quota);
    if (view->used > view->quota)
        note_number(harness, FLAW_OVERDRAWN, id, ABI_OBJ, view->quota, view->used);
    return true;
}

static uint64_t probe_all_accounts(struct harness *harness) {
    uint32_t limit = oracle_pd_limit(harness->oracle);
    uint64_t quota = 0;
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        struct rescind_pd_view view;
        if (!oracle_alive(harness->oracle, id) || !probe_account(harness, id, &view))
            continue;
        ledger_update(harness, id, &view);
        quota += view.quota;
        sweep_tables(harness, id, view.root_table);
    }
    return quota;
}

/* What calls in flight pay or leave is known when they have ended. */
static bool knows_accounts(const struct harness *harness) {
    return !oracle_is_between(harness->oracle);
}

/* A cut may have moved something to other accounts; only if the account that pays lost some of it. */
static void probe_accounts(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    struct rescind_pd_view view;
    if (harness->cutter != ORACLE_NONE) {
        uint64_t before = harness->ledger[harness->cutter].quota;
        if (probe_account(harness, harness->cutter, &view) && view.quota != before)
            probe_all_accounts(harness);
        harness->cutter = ORACLE_NONE;
    }
    const uint32_t ids[] = {
        call->caller,
        named_pd(harness, call->pd_selector),
        call->operation == ABI_MOVE_QUOTA ? named_pd(harness, call->filter_selector) : ORACLE_NONE,
    };
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        if (ids[i] != ORACLE_NONE && oracle_alive(harness->oracle, ids[i]) && probe_account(harness, ids[i], &view))
            ledger_update(harness, ids[i], &view);
    }
}

/* ---- everything ---- */

static void sweep_run(struct harness *harness, const struct prober_range *range) {
    struct prober *prober = &harness->prober;
    uint64_t units = range->last - range->first + 1;
    probe_unit(harness, range->pd, range->kind, range->first - 1);
    if (units <= RUN_WHOLE) {
        for (uint64_t unit = range->first; unit <= range->last; unit++)
            probe_unit(harness, range->pd, range->kind, unit);
    } else {
        probe_unit(harness, range->pd, range->kind, range->first);
        probe_unit(harness, range->pd, range->kind, range->last);
        for (uint32_t i = 0; i < RUN_SAMPLES; i++)
            probe_unit(harness, range->pd, range->kind, range->first + seq_random_below(&prober->random, units));
    }
    probe_unit(harness, range->pd, range->kind, range->last + 1);
}

/* The mapped units of a space, in runs of neighbours. */
static void sweep_space(struct harness *harness, uint32_t pd, uint8_t kind) {
    const struct oracle_mapping *mapping = oracle_next(harness->oracle, pd, kind, 0);
    while (mapping) {
        struct prober_range range = {mapping->unit, mapping->unit, pd, kind};
        while (oracle_at(harness->oracle, pd, kind, range.last + 1))
            range.last++;
        sweep_run(harness, &range);
        mapping = oracle_next(harness->oracle, pd, kind, range.last + 1);
    }
}

static void sweep_usage(struct harness *harness, uint64_t quota) {
    const struct rescind_usage *boot = &harness->boot_usage;
    struct rescind_usage usage;
    uint32_t limit = oracle_pd_limit(harness->oracle), pds = 0, objects = oracle_objects(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++)
        pds += oracle_alive(harness->oracle, id);
    harness->target->usage(&usage);
    if (usage.pds != boot->pds + pds - 1)
        note_number(harness, FLAW_USED_PDS, ORACLE_NONE, ABI_OBJ, boot->pds + pds - 1, usage.pds);
    if (usage.objects != objects)
        note_number(harness, FLAW_USED_OBJECTS, ORACLE_NONE, ABI_OBJ, objects, usage.objects);
    if (harness->target->costs.pd && quota != harness->boot_root.quota)
        note_number(harness, FLAW_QUOTA, ORACLE_NONE, ABI_OBJ, harness->boot_root.quota, quota);
}

static void body_sweep(void *argument) {
    struct harness *harness = argument;
    uint32_t limit = oracle_pd_limit(harness->oracle);
    harness->cutter = ORACLE_NONE;
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        for (uint8_t kind = 0; kind < ABI_KINDS && oracle_alive(harness->oracle, id); kind++)
            sweep_space(harness, id, kind);
    }
    for (uint32_t i = 0; i < PROBE_RECENT; i++)
        probe_by_chance(harness, random_pd(harness));
    flush(harness);
    if (knows_accounts(harness))
        sweep_usage(harness, probe_all_accounts(harness));
    compare_running(harness);
}

static void body_operation(void *argument) {
    struct harness *harness = argument;
    uint32_t changes = 0, died = 0;
    if (harness->committed) {
        oracle_changes(harness->oracle, &changes);
        oracle_destroyed(harness->oracle, &died);
    }
    if (changes)
        probe_changes(harness);
    else if (harness->word[0] == ABI_E_MEM || seq_random_below(&harness->prober.random, UNCHANGED_ONE_IN) == 0)
        probe_named(harness); /* what ran out of memory may have been half done */
    if (seq_random_below(&harness->prober.random, CHANCE_ONE_IN) == 0)
        probe_somewhere(harness);
    flush(harness);
    if (knows_accounts(harness))
        probe_accounts(harness);
    if (died)
        compare_running(harness);
}

void probe_start(struct harness *harness) {
    seq_random_seed(&harness->prober.random, harness->options->seed);
    harness->prober.recent_count = harness->prober.operations = harness->prober.count = 0;
}

void probe_operation(struct harness *harness) {
    if (!harness_enter_target(harness, body_operation, harness) || harness->finding.flaw != FLAW_NONE)
        return;
    if (++harness->prober.operations % SWEEP_EVERY == 0)
        probe_all(harness);
}

void probe_all(struct harness *harness) {
    harness_enter_target(harness, body_sweep, harness);
}
