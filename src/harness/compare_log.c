/*
 * The log comparison: looks only at what the last call stored, and at what the oracle says it should have changed.
 *
 * Everything agreed before the call. The mirror follows the log and keeps digests of what nodes stand for, of the
 * hardware form that they call for and of the one there is, and of links; the oracle keeps one of its mappings. All
 * agrees when these are equal, and counts and accounts are those of the nodes and tables. It only detects: a run that
 * detected something is done again with full comparisons, which find the first operation that went wrong and name what
 * is wrong with it.
 */
#include "harness/internal.h"

/* ---- PDs and accounts ---- */

/* The PDs that the call named, whatever came of it, and the one that inherits from those that died. The registers tell
 * which selectors an operation has: the others hold what is none. */
static void touch_named(struct harness *harness) {
    uint32_t caller = harness->step.call.caller;
    const uint64_t *word = harness->step.word_in;
    struct mirror *mirror = &harness->mirror;
    mirror_touch(mirror, mirror_slot(mirror, kernel_pd(harness, caller)));
    for (unsigned i = ABI_WORDS - 2; i < ABI_WORDS; i++) {
        const struct oracle_mapping *mapping = oracle_at(harness->oracle, caller, ABI_OBJ, word[i]);
        if (mapping)
            mirror_touch(mirror, mirror_slot(mirror, kernel_pd(harness, (uint32_t)mapping->resource)));
    }
}

static void detect_account(struct harness *harness, const struct mirror_pd *pd, const struct rescind_pd_view *view) {
    const struct rescind_costs *costs = &harness->target->costs;
    uint64_t used = costs->pd + (uint64_t)costs->node * pd->charged + (uint64_t)costs->table * pd->tables +
                    (uint64_t)costs->object * oracle_paid(harness->oracle, pd->id);
    uint32_t payer = oracle_payer(harness->oracle, pd->id);
    if (!ledger_fits(harness, pd->id, view))
        mirror_see(&harness->mirror, "quota");
    ledger_update(harness, pd->id, view);
    if ((view->used != used) | (view->used > view->quota))
        mirror_see(&harness->mirror, "account");
    if (view->payer != (payer == ORACLE_NONE ? RESCIND_NONE : kernel_pd(harness, payer)))
        mirror_see(&harness->mirror, "payer");
}

static void detect_pd(struct harness *harness, uint32_t slot) {
    struct mirror *mirror = &harness->mirror;
    const struct mirror_pd *pd = &mirror->pd[slot];
    struct rescind_pd_view view;
    if (pd->id == ORACLE_PHYS || !mirror_alive(mirror, slot))
        return;
    if (!harness->target->pd(slot, &view)) {
        mirror_see(mirror, "pd");
        return;
    }
    mirror_set_roots(mirror, slot, view.tree_root);
    mirror->quota += view.quota;
    uint32_t differing = 0;
    for (unsigned kind = 0; kind < ABI_KINDS; kind++)
        differing |= (pd->nodes[kind] ^ view.node_count[kind]) | (pd->firsts[kind] ^ (pd->nodes[kind] > 0));
    if (differing)
        mirror_see(mirror, "node-count");
    if (view.references != oracle_references(harness->oracle, pd->id))
        mirror_see(mirror, "references");
    if (view.root_table != pd->root_table)
        mirror_see(mirror, "root-table");
    if (harness->target->costs.pd)
        detect_account(harness, pd, &view);
}

static void detect_usage(struct harness *harness) {
    const struct rescind_usage *boot = &harness->boot_usage;
    const struct mirror *mirror = &harness->mirror;
    struct rescind_usage usage;
    harness->target->usage(&usage);
    if ((usage.nodes - boot->nodes - mirror->charged) | (usage.tables - boot->tables - (mirror->tables - 1)) |
        (usage.pds - boot->pds - (mirror->pds - 1)) | (usage.objects - oracle_objects(harness->oracle)))
        mirror_see(&harness->mirror, "usage");
}

/* One that is alive; who should be was compared before. */
static void detect_object(struct harness *harness, uint32_t object) {
    struct rescind_object_view view;
    uint32_t id = harness->object_id_of[object];
    if (!harness->target->object(object, &view))
        return;
    if (view.references != oracle_references(harness->oracle, id))
        mirror_see(&harness->mirror, "references");
    if (view.payer != kernel_pd(harness, oracle_payer(harness->oracle, id)))
        mirror_see(&harness->mirror, "payer");
}

static void detect_bound_object(struct harness *harness, uint32_t number) {
    uint32_t kernel = harness->object_kernel_of[number];
    struct rescind_object_view view;
    if (kernel == RESCIND_NONE || !harness->target->object(kernel ^ RESCIND_OBJECT, &view))
        mirror_see(&harness->mirror, "object");
    else
        detect_object(harness, kernel ^ RESCIND_OBJECT);
}

/* What is kept of everything. */
static void detect_sums(struct harness *harness) {
    struct mirror *mirror = &harness->mirror;
    detect_usage(harness);
    if (mirror->units != oracle_digest(harness->oracle))
        mirror_see(mirror, "mappings");
    if (mirror->wanted != mirror->hardware)
        mirror_see(mirror, "hardware");
    if (mirror->links)
        mirror_see(mirror, "links");
}

/* ---- following the log ---- */

static void follow_births(struct harness *harness, const struct rescind_log *log) {
    struct rescind_pd_view view;
    for (uint32_t i = 0; i < log->pd_count; i++) {
        uint32_t pd = log->pds[i];
        if (!mirror_alive(&harness->mirror, pd) && harness->target->pd(pd, &view))
            mirror_add_pd(&harness->mirror, pd, &view, oracle_id(harness, pd));
    }
}

static void follow_deaths(struct harness *harness, const struct rescind_log *log) {
    struct rescind_pd_view view;
    for (uint32_t i = 0; i < log->pd_count; i++) {
        uint32_t pd = log->pds[i];
        if (mirror_alive(&harness->mirror, pd) && !harness->target->pd(pd, &view))
            mirror_remove_pd(&harness->mirror, pd);
    }
}

static void detect(struct harness *harness) {
    struct mirror *mirror = &harness->mirror;
    const struct rescind_log *log = &harness->log;
    follow_births(harness, log);
    for (uint32_t i = 0; i < log->node_count; i++)
        mirror_update_node(mirror, log->nodes[i].node);
    mirror_update_tables(mirror, log->stores, log->store_count);
    mirror_update_ports(mirror, log->port_stores, log->port_store_count);
    follow_deaths(harness, log);
    for (uint32_t i = 0; i < log->node_count; i++)
        mirror_digest_node(mirror, log->nodes[i].node);
    touch_named(harness);
    for (uint32_t i = 0; i < mirror->touched_count; i++)
        detect_pd(harness, mirror->touched[i]);
    for (uint32_t i = 0; i < log->object_count; i++)
        detect_object(harness, log->objects[i]);
    detect_sums(harness);
}

const char *compare_log(struct harness *harness) {
    const struct rescind_log *log = &harness->log;
    if (!log->overflow) {
        mirror_next(&harness->mirror);
        detect(harness);
    }
    if (!log->overflow && !harness->mirror.lost) {
        if (log->cached)
            compare_cpus(harness);
        return harness->mirror.seen;
    }
    compare_full(harness);
    if (harness->finding.flaw == FLAW_NONE)
        compare_log_start(harness);
    return NULL;
}

/* ---- without a log ---- */

static void take_pds(struct harness *harness, bool phys_is_taken) {
    const struct rescind_target *target = harness->target;
    struct mirror *mirror = &harness->mirror;
    struct rescind_pd_view view;
    uint32_t limit = oracle_pd_limit(harness->oracle), root[ABI_KINDS];
    for (uint32_t kind = 0; kind < ABI_KINDS; kind++)
        root[kind] = target->phys_tree_root(kind);
    if (!phys_is_taken)
        mirror_set_roots(mirror, target->pd_limit, root);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        uint32_t pd = kernel_pd(harness, id);
        if (!oracle_alive(harness->oracle, id))
            continue;
        if (target->pd(pd, &view)) {
            mirror_add_pd(mirror, pd, &view, id);
            mirror_set_roots(mirror, pd, view.tree_root);
        } else {
            mirror_see(mirror, "pd");
        }
    }
}

/* What a node stands for depends on its parent, which may be anywhere: first all are taken over. False: PHYS is not
 * what it is known to be after boot. */
static bool take_everything(struct harness *harness) {
    struct mirror *mirror = &harness->mirror;
    mirror_start(mirror);
    bool pictured = mirror_take_phys(mirror);
    take_pds(harness, pictured);
    const struct mirror_pd *phys = &mirror->pd[harness->target->pd_limit];
    uint32_t pds = mirror->touched_count;
    for (uint32_t kind = 0; kind < ABI_KINDS; kind++) {
        if (!pictured)
            mirror_take_index(mirror, phys->root[kind]);
        for (uint32_t i = 0; i < pds; i++)
            mirror_take_index(mirror, mirror->pd[mirror->touched[i]].root[kind]);
    }
    for (uint32_t kind = 0; kind < ABI_KINDS; kind++) {
        if (!pictured)
            mirror_digest_index(mirror, phys->root[kind]);
        for (uint32_t i = 0; i < pds; i++)
            mirror_digest_index(mirror, mirror->pd[mirror->touched[i]].root[kind]);
    }
    return pictured;
}

/* Each node is what the log made of it, PHYS is whole, and every child is listed by its parent. */
static void detect_unlogged(struct harness *harness) {
    struct mirror *mirror = &harness->mirror;
    uint32_t phys = harness->target->pd_limit;
    struct mirror_totals totals = {0};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        uint64_t units = totals.units;
        mirror_check_index(mirror, phys, kind, &totals);
        bool provided = kind != ABI_OBJ && harness->target->kinds >> kind & 1;
        if (provided && totals.units - units != oracle_units(harness->oracle, ORACLE_PHYS, (uint8_t)kind))
            mirror_see(mirror, "phys");
    }
    for (uint32_t pd = 0; pd < phys; pd++) {
        for (unsigned kind = 0; mirror_alive(mirror, pd) && kind < ABI_KINDS; kind++)
            mirror_check_index(mirror, pd, kind, &totals);
    }
    if (totals.parented != totals.listed)
        mirror_see(mirror, "children");
    mirror_check_tables(mirror);
}

/* Everything that no log tells, or that a log may have left out. */
static const char *detect_all(struct harness *harness) {
    struct mirror *mirror = &harness->mirror;
    uint32_t objects = oracle_object_limit(harness->oracle);
    for (uint32_t pd = 0; pd < harness->target->pd_limit; pd++)
        mirror_touch(mirror, pd);
    for (uint32_t i = 0; i < mirror->touched_count; i++)
        detect_pd(harness, mirror->touched[i]);
    for (uint32_t number = 0; number < objects; number++) {
        if (oracle_alive(harness->oracle, ORACLE_OBJECT | number))
            detect_bound_object(harness, number);
    }
    if (mirror->quota != harness->boot_root.quota)
        mirror_see(mirror, "quota");
    detect_sums(harness);
    if (mirror->lost) {
        compare_full(harness);
        return NULL;
    }
    compare_cpus(harness);
    return mirror->seen;
}

void compare_log_start(struct harness *harness) {
    struct mirror *mirror = &harness->mirror;
    take_everything(harness);
    if (!mirror->phys_count) {
        detect_unlogged(harness);
        if (!mirror->seen)
            mirror_keep_phys(mirror);
    }
    mirror_next(mirror);
}

const char *compare_log_end(struct harness *harness) {
    mirror_next(&harness->mirror);
    detect_unlogged(harness);
    return detect_all(harness);
}

const char *compare_torn_down(struct harness *harness) {
    if (!take_everything(harness))
        detect_unlogged(harness);
    return detect_all(harness);
}
