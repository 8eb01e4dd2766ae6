/*
 * The harness: it agrees with an honest kernel, and every check fires when the kernel lies about just that.
 *
 * The kernel is the real one; between it and the harness stands a target that forwards everything and, from some call
 * on, changes one thing: an entry of a page table, a node, a PD, an account, the log, or what a call returns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/host.h"
#include "harness/mirror_hash.h"
#include "harness/walk.h"

extern const struct rescind_target rescind_target_small, rescind_target_real;

enum { MAPPINGS = 1 << 14, OPS = 64, P1 = 1, P2 = 2, LIES_FRAME = 0x3ff00, ENTRIES = 4 };

/* After this p1 holds 16 pages from 0x40 (cut where it lost a right), p2 some of them, and p1 a capability to p2. */
#define STORY                                                                                                          \
    "# rescind: 1\n# geometry: small\n\n"                                                                              \
    "p1 = create_pd root payer=root sel=1\n"                                                                           \
    "p2 = create_pd root payer=root sel=2\n"                                                                           \
    "delegate root mem from=phys base=0x10 order=4 to=p1 at=0x40 mask=rwx\n"                                           \
    "delegate root obj from=own base=0x2 order=0 to=p1 at=0x5 mask=0x1f\n"                                             \
    "delegate p1 mem from=own base=0x48 order=2 to=p2 at=0x88 mask=rwx\n"                                              \
    "revoke root mem base=0x45 order=0 mask=w scope=self place=p1 filter=none\n"                                       \
    "lookup p1 mem unit=0x44\n"                                                                                        \
    "lookup p2 mem unit=0x88\n"
static const char whole_story[] = STORY "destroy_pd root pd=p2\n";
static const char open_end[] = STORY;        /* p2 is still there */
enum { CUT = 6, LOOKUP = 7, DESTROYED = 9 }; /* calls made so far */

/* ---- the liar ---- */

struct lie {
    const char *signature; /* expected of a full comparison at every operation */
    uint32_t from;         /* in force once so many calls were made */
    void (*table)(uint64_t *entry);
    unsigned level; /* of the entry */
    uint32_t pd;    /* whose entry, node or view */
    uint64_t unit;
    void (*node)(struct rescind_node_view *view);
    uint8_t kind;
    void (*view)(struct rescind_pd_view *view);
    int presence; /* of the PD: -1 denied, 1 invented */
    void (*usage)(struct rescind_usage *usage);
    void (*log)(struct rescind_log *log);
    void (*call)(uint64_t word[ABI_WORDS]);
    enum rescind_stop stop;
};

static struct {
    const struct rescind_target *real;
    const struct lie *lie;
    const struct rescind_hooks *hooks;
    uint32_t calls;
    uint64_t copy[ENTRIES], below[ENTRIES];
    uint32_t invented[1];
    struct rescind_node_change nodes[OPS];
} liar;

static bool lying(void) {
    return liar.lie && liar.calls >= liar.lie->from;
}

static void fake_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    liar.hooks = hooks;
    liar.calls = 0;
    liar.real->boot(hooks, cpus, speculation);
}

static void fake_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    liar.real->call(cpu, pd, word);
    liar.calls++;
    if (liar.lie && liar.calls == liar.lie->from && liar.lie->call)
        liar.lie->call(word);
    if (liar.lie && liar.calls == liar.lie->from && liar.lie->stop)
        liar.hooks->stop(liar.hooks->context, liar.lie->stop, "text", "function");
}

static void fake_log(struct rescind_log *log) {
    liar.real->log(log);
    if (liar.lie && liar.calls == liar.lie->from && liar.lie->log)
        liar.lie->log(log);
}

static void fake_usage(struct rescind_usage *usage) {
    liar.real->usage(usage);
    if (lying() && liar.lie->usage)
        liar.lie->usage(usage);
}

static bool fake_pd(uint32_t pd, struct rescind_pd_view *view) {
    bool alive = liar.real->pd(pd, view);
    if (!lying() || liar.lie->pd != pd)
        return alive;
    if (liar.lie->presence > 0 && !alive)
        return liar.real->pd(0, view);
    if (alive && liar.lie->view)
        liar.lie->view(view);
    return liar.lie->presence < 0 ? false : alive;
}

static bool fake_node(uint32_t node, struct rescind_node_view *view) {
    bool alive = liar.real->node(node, view);
    if (alive && lying() && liar.lie->node && view->pd == liar.lie->pd && view->kind == liar.lie->kind &&
        view->base == liar.lie->unit)
        liar.lie->node(view);
    return alive;
}

/* The table that holds the entry to be lied about. */
static uint64_t lied_table(void) {
    struct rescind_pd_view view;
    if (!liar.real->pd(liar.lie->pd, &view))
        return 0;
    uint64_t physical = view.root_table;
    for (unsigned level = 3; level > liar.lie->level; level--) {
        uint64_t entry = liar.real->table(physical)[liar.lie->unit >> (2 * level) & 3];
        if (!(entry & 1))
            return 0;
        physical = entry & 0xfffffff000;
    }
    return physical;
}

static const uint64_t *fake_table(uint64_t physical) {
    const uint64_t *table = liar.real->table(physical);
    if (physical == (uint64_t)LIES_FRAME << 12 && lying())
        return liar.below;
    if (!table || !lying() || !liar.lie->table || lied_table() != physical)
        return table;
    memcpy(liar.copy, table, sizeof(liar.copy));
    liar.lie->table(&liar.copy[liar.lie->unit >> (2 * liar.lie->level) & 3]);
    return liar.copy;
}

static struct rescind_target fake_target(void) {
    struct rescind_target target = rescind_target_small;
    liar.real = &rescind_target_small;
    target.name = "liar";
    target.boot = fake_boot;
    target.call = fake_call;
    target.log = fake_log;
    target.usage = fake_usage;
    target.pd = fake_pd;
    target.node = fake_node;
    target.table = fake_table;
    return target;
}

/* ---- running ---- */

static void run(const struct rescind_target *target, const char *text, enum harness_compare compare, uint64_t seed,
                struct harness_outcome *outcome) {
    static struct seq_op ops[OPS];
    struct seq seq = {.op = ops, .capacity = OPS};
    struct seq_error error;
    struct host_enter host;
    const struct harness_options options = {.compare = compare, .seed = seed};
    assert_true(seq_parse(&seq, text, strlen(text), &error));
    struct harness *harness = host_harness_new(&host, target, MAPPINGS, &oracle_policy_exact);
    assert_non_null(harness);
    harness_run(harness, &seq, &options, outcome);
    host_harness_free(harness);
}

static void run_lie(const struct lie *lie, const char *text, enum harness_compare compare,
                    struct harness_outcome *outcome) {
    struct rescind_target target = fake_target();
    liar.lie = lie;
    run(&target, text, compare, 0, outcome);
    liar.lie = NULL;
}

/* ---- lies ---- */

static void entry_map(uint64_t *entry) {
    *entry = UINT64_C(0x80) << 12 | 7 | 1 << 7;
}

static void entry_clear(uint64_t *entry) {
    *entry = 0;
}

static void entry_write(uint64_t *entry) {
    *entry |= 2;
}

static void entry_read_only(uint64_t *entry) {
    *entry &= ~UINT64_C(2);
}

static void entry_supervisor(uint64_t *entry) {
    *entry &= ~UINT64_C(4);
}

static void entry_global(uint64_t *entry) {
    *entry |= 1 << 8;
}

static void entry_next_frame(uint64_t *entry) {
    *entry += 1 << 12;
}

static void entry_other_frames(uint64_t *entry) {
    *entry ^= UINT64_C(0x40) << 12;
}

static void entry_not_present(uint64_t *entry) {
    *entry = 2;
}

static void entry_dangling(uint64_t *entry) {
    *entry = UINT64_C(0x3fe00) << 12 | 7;
}

static void entry_empty_table(uint64_t *entry) {
    memset(liar.below, 0, sizeof(liar.below));
    *entry = (uint64_t)LIES_FRAME << 12 | 7;
}

static void entry_smaller(uint64_t *entry) {
    for (uint64_t i = 0; i < ENTRIES; i++)
        liar.below[i] = (*entry & ~UINT64_C(0x80)) + (i << 12);
    *entry = (uint64_t)LIES_FRAME << 12 | 7;
}

static void node_frame(struct rescind_node_view *view) {
    view->resource ^= 0x40;
}

static void node_small(struct rescind_node_view *view) {
    view->order = 1;
}

static void node_rights(struct rescind_node_view *view) {
    view->rights = ABI_R;
}

static void node_rwx(struct rescind_node_view *view) {
    view->rights = ABI_MEM_RIGHTS;
}

static void node_all_rights(struct rescind_node_view *view) {
    view->rights = ABI_OBJ_RIGHTS;
}

static void node_misaligned(struct rescind_node_view *view) {
    view->base += 2;
}

static void node_elsewhere(struct rescind_node_view *view) {
    view->base = 0xf0;
}

static void node_foreign(struct rescind_node_view *view) {
    view->pd = 0;
}

static void node_rank(struct rescind_node_view *view) {
    view->tree_rank = 0;
}

static void node_before_none(struct rescind_node_view *view) {
    view->next_in_order = view->next_in_order == RESCIND_NONE ? 0 : RESCIND_NONE;
}

static void node_after_none(struct rescind_node_view *view) {
    view->previous_in_order = view->previous_in_order == RESCIND_NONE ? 0 : RESCIND_NONE;
}

static void node_unhung(struct rescind_node_view *view) {
    view->tree_parent = view->tree_parent == RESCIND_NONE ? 0 : RESCIND_NONE;
}

static void node_lost_left(struct rescind_node_view *view) {
    view->tree_left = RESCIND_NONE;
}

static void node_dangles(struct rescind_node_view *view) {
    view->tree_left = rescind_target_small.node_limit - 1;
}

static void node_cycle(struct rescind_node_view *view) {
    view->tree_left = view->tree_parent;
}

static void node_orphan(struct rescind_node_view *view) {
    view->parent = RESCIND_NONE;
}

static void node_childless(struct rescind_node_view *view) {
    view->first_child = RESCIND_NONE;
}

static void node_sibling(struct rescind_node_view *view) {
    view->previous_sibling = 0;
}

static void view_reference(struct rescind_pd_view *view) {
    view->references++;
}

static void view_count(struct rescind_pd_view *view) {
    view->node_count[ABI_MEM]++;
}

static void view_table(struct rescind_pd_view *view) {
    view->root_table = UINT64_C(0x3fe00) << 12;
}

static void usage_nodes(struct rescind_usage *usage) {
    usage->nodes++;
}

static void usage_tables(struct rescind_usage *usage) {
    usage->tables++;
}

static void usage_pds(struct rescind_usage *usage) {
    usage->pds++;
}

static void usage_bytes(struct rescind_usage *usage) {
    usage->bytes++;
}

static void log_no_nodes(struct rescind_log *log) {
    log->node_count = 0;
}

static void log_no_stores(struct rescind_log *log) {
    log->store_count = 0;
}

static void log_no_pds(struct rescind_log *log) {
    log->pd_count = 0;
}

static void log_overflow(struct rescind_log *log) {
    log->overflow = true;
    log->node_count = log->store_count = log->pd_count = 0;
}

static void call_code(uint64_t word[ABI_WORDS]) {
    word[0] = ABI_E_OVERLAP;
}

static void call_wide_code(uint64_t word[ABI_WORDS]) {
    word[0] |= UINT64_C(1) << 32;
}

static void call_value(uint64_t word[ABI_WORDS]) {
    word[1]++;
}

static void call_register(uint64_t word[ABI_WORDS]) {
    word[4]++;
}

/* Of the story's state after the cut, p1 has nodes 0x40/2, 0x44/0, 0x45/0 (without W), 0x46/1, 0x48/3. */
static const struct lie lies[] = {
    {.signature = "O1.reach/lookup/mem/extra", .from = LOOKUP, .pd = P1, .table = entry_map, .level = 2, .unit = 0x50},
    {.signature = "O2.over-revoke/lookup/mem/missing",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_clear,
     .level = 0,
     .unit = 0x46},
    {.signature = "O2.over-revoke/lookup/mem/wrong-resource",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_other_frames,
     .level = 0,
     .unit = 0x46},
    {.signature = "O3.rights/lookup/mem/wider",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_write,
     .level = 0,
     .unit = 0x45},
    {.signature = "O3.rights/lookup/mem/narrower",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_read_only,
     .level = 3,
     .unit = 0x40},
    {.signature = "O3.rights/lookup/mem/narrower",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_supervisor,
     .level = 0,
     .unit = 0x44},
    {.signature = "O3.rights/lookup/mem/reserved",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_global,
     .level = 0,
     .unit = 0x44},
    {.signature = "O3.rights/lookup/mem/misaligned",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_next_frame,
     .level = 1,
     .unit = 0x40},
    {.signature = "O5.structure/lookup/mem/leftover",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_not_present,
     .level = 2,
     .unit = 0x50},
    {.signature = "O8.memory/lookup/mem/dangling-table",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_dangling,
     .level = 2,
     .unit = 0x50},
    {.signature = "O5.structure/lookup/mem/empty-table",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_empty_table,
     .level = 2,
     .unit = 0x50},
    {.signature = "O5.structure/lookup/mem/leaf-size",
     .from = LOOKUP,
     .pd = P1,
     .table = entry_smaller,
     .level = 1,
     .unit = 0x40},
    {.signature = "O5.structure/lookup/mem/containment", .from = LOOKUP, .pd = P1, .node = node_small, .unit = 0x48},
    {.signature = "O4.tree-table/lookup/mem/rights", .from = LOOKUP, .pd = P1, .node = node_rights, .unit = 0x48},
    {.signature = "O4.tree-table/lookup/mem/extra", .from = LOOKUP, .pd = P2, .node = node_elsewhere, .unit = 0x88},
    {.signature = "O3.rights/lookup/obj/wider",
     .from = LOOKUP,
     .pd = 0,
     .node = node_all_rights,
     .kind = ABI_OBJ,
     .unit = 0},
    {.signature = "O5.structure/lookup/mem/unmerged", .from = LOOKUP, .pd = P1, .node = node_rwx, .unit = 0x45},
    {.signature = "O5.structure/lookup/mem/shape", .from = LOOKUP, .pd = P1, .node = node_misaligned, .unit = 0x40},
    {.signature = "O5.structure/lookup/mem/owner", .from = LOOKUP, .pd = P2, .node = node_foreign, .unit = 0x88},
    {.signature = "O5.structure/lookup/mem/rank", .from = LOOKUP, .pd = P2, .node = node_rank, .unit = 0x88},
    {.signature = "O5.structure/lookup/mem/order-link",
     .from = LOOKUP,
     .pd = P1,
     .node = node_before_none,
     .unit = 0x46},
    {.signature = "O5.structure/lookup/mem/order-link",
     .from = LOOKUP,
     .pd = P1,
     .node = node_after_none,
     .unit = 0x46},
    {.signature = "O5.structure/lookup/mem/index-link", .from = LOOKUP, .pd = P1, .node = node_unhung, .unit = 0x46},
    {.signature = "O8.memory/lookup/mem/dangling-node", .from = LOOKUP, .pd = P2, .node = node_dangles, .unit = 0x88},
    {.signature = "O5.structure/lookup/mem/cycle", .from = LOOKUP, .pd = P1, .node = node_cycle, .unit = 0x45},
    {.signature = "O5.structure/lookup/mem/parent", .from = LOOKUP, .pd = P1, .node = node_orphan, .unit = 0x46},
    {.signature = "O5.structure/lookup/mem/unlisted", .from = LOOKUP, .pd = P1, .node = node_childless, .unit = 0x48},
    {.signature = "O5.structure/lookup/mem/siblings", .from = LOOKUP, .pd = P2, .node = node_sibling, .unit = 0x88},
    {.signature = "O5.structure/lookup/mem/root-table", .from = LOOKUP, .pd = P2, .view = view_table},
    {.signature = "O9.references/lookup/obj/count", .from = LOOKUP, .pd = P2, .view = view_reference},
    {.signature = "O9.references/lookup/obj/died", .from = LOOKUP, .pd = P2, .presence = -1},
    {.signature = "O13.dead/destroy_pd/obj/survived", .from = DESTROYED, .pd = P2, .presence = 1},
    {.signature = "O9.references/create_pd/obj/absent", .from = 1, .log = log_no_pds},
    {.signature = "O7.accounting/lookup/mem/node-count", .from = LOOKUP, .pd = P1, .view = view_count},
    {.signature = "O7.accounting/lookup/mem/nodes", .from = LOOKUP, .usage = usage_nodes},
    {.signature = "O7.accounting/lookup/mem/tables", .from = LOOKUP, .usage = usage_tables},
    {.signature = "O7.accounting/lookup/obj/pds", .from = LOOKUP, .usage = usage_pds},
    {.signature = "O7.accounting/teardown/mem/bytes", .from = LOOKUP, .usage = usage_bytes},
    {.signature = "O12.result/delegate.own.cap/mem/E_OVERLAP-for-OK", .from = 5, .call = call_code},
    {.signature = "O12.result/delegate.own.cap/mem/undefined-for-OK", .from = 5, .call = call_wide_code},
    {.signature = "O12.result/delegate.own.cap/mem/value", .from = 5, .call = call_value},
    {.signature = "O12.result/delegate.own.cap/mem/register", .from = 5, .call = call_register},
    {.signature = "O11.assert/revoke.self.cap/function: text", .from = CUT, .stop = RESCIND_STOP_ASSERT},
    {.signature = "O10.progress/revoke.self.cap/function: text", .from = CUT, .stop = RESCIND_STOP_STEPS},
    {.signature = "O8.memory/revoke.self.cap/function: text", .from = CUT, .stop = RESCIND_STOP_MEMORY},
};

static void test_every_lie_is_found(void **state) {
    static struct harness_outcome full, log;
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        run_lie(&lies[i], whole_story, HARNESS_FULL, &full);
        assert_string_equal(full.signature, lies[i].signature);
        assert_int_equal(full.verdict, HARNESS_FINDING);
        assert_int_equal(full.failed_at, strstr(full.signature, "/teardown/") ? 9 : lies[i].from - 1);
        assert_non_null(strstr(full.report, full.signature));
        run_lie(&lies[i], lies[i].from < DESTROYED ? open_end : whole_story, HARNESS_LOG, &log);
        assert_int_equal(log.verdict, HARNESS_FINDING);
    }
}

/* What an operation has just stored is judged at that operation by the log comparison too. */
static void test_fresh_lies_are_found_by_the_log(void **state) {
    static const struct lie fresh[] = {
        {.from = 3, .pd = P1, .table = entry_clear, .level = 2, .unit = 0x40},
        {.from = 3, .pd = P1, .table = entry_read_only, .level = 3, .unit = 0x40},
        {.from = 3, .pd = P1, .table = entry_smaller, .level = 2, .unit = 0x40},
        {.from = 3, .pd = P1, .node = node_rights, .unit = 0x40},
        {.from = 3, .pd = P1, .node = node_frame, .unit = 0x40},
        {.from = 5, .pd = P2, .node = node_orphan, .unit = 0x88},
        {.from = 5, .pd = P2, .node = node_sibling, .unit = 0x88},
        {.from = 5, .pd = P1, .node = node_childless, .unit = 0x40},
        {.from = CUT, .pd = P1, .table = entry_write, .level = 0, .unit = 0x45},
        {.from = CUT, .pd = P1, .table = entry_clear, .level = 0, .unit = 0x47},
        {.from = CUT, .pd = P1, .table = entry_next_frame, .level = 1, .unit = 0x4c},
        {.from = CUT, .pd = P1, .node = node_rank, .unit = 0x46},
        {.from = CUT, .pd = P1, .node = node_before_none, .unit = 0x46},
        {.from = CUT, .pd = P1, .node = node_after_none, .unit = 0x46},
        {.from = CUT, .pd = P1, .node = node_lost_left, .unit = 0x46},
        {.from = CUT, .pd = P1, .node = node_rwx, .unit = 0x45},
        {.from = CUT, .pd = P1, .view = view_count},
        {.from = CUT, .pd = P1, .view = view_reference},
        {.from = CUT, .usage = usage_nodes},
        {.from = CUT, .usage = usage_tables},
        {.from = 2, .usage = usage_pds},
    };
    static struct harness_outcome full, log;
    (void)state;
    for (size_t i = 0; i < sizeof(fresh) / sizeof(*fresh); i++) {
        run_lie(&fresh[i], whole_story, HARNESS_FULL, &full);
        run_lie(&fresh[i], whole_story, HARNESS_LOG, &log);
        assert_int_equal(full.verdict, HARNESS_FINDING);
        assert_int_equal(full.failed_at, fresh[i].from - 1);
        assert_int_equal(log.failed_at, full.failed_at);
        assert_string_equal(log.signature, full.signature);
        assert_string_equal(log.report, full.report);
    }
}

/* After tear-down there is no log to follow: what is left is looked at as a whole. */
static void test_lies_after_tear_down_are_found(void **state) {
    static const struct lie left[] = {
        {.pd = 0, .table = entry_not_present, .level = 3, .unit = 0x40},
        {.pd = RESCIND_PD_PHYS, .node = node_rights, .unit = 0},
        {.pd = RESCIND_PD_PHYS, .node = node_rank, .unit = 0x80},
        {.pd = RESCIND_PD_PHYS, .node = node_rank, .unit = 0, .kind = ABI_PIO},
        {.pd = RESCIND_PD_PHYS, .node = node_before_none, .unit = 0},
        {.pd = 0, .view = view_table},
        {.pd = 0, .view = view_reference},
        {.usage = usage_nodes},
    };
    static struct harness_outcome full, log;
    (void)state;
    run_lie(NULL, whole_story, HARNESS_LOG, &log);
    assert_int_equal(log.verdict, HARNESS_AGREE);
    uint32_t last = liar.calls;
    for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
        struct lie lie = left[i];
        lie.from = last;
        run_lie(&lie, whole_story, HARNESS_FULL, &full);
        run_lie(&lie, whole_story, HARNESS_LOG, &log);
        assert_int_equal(full.verdict, HARNESS_FINDING);
        assert_int_equal(log.verdict, HARNESS_FINDING);
        assert_string_equal(log.signature, full.signature);
    }
}

static void test_log_that_hides_changes(void **state) {
    static const struct lie no_nodes = {.from = CUT, .log = log_no_nodes};
    static const struct lie no_stores = {.from = 3, .log = log_no_stores};
    static struct harness_outcome outcome;
    (void)state;
    run_lie(&no_nodes, whole_story, HARNESS_FULL, &outcome);
    assert_int_equal(outcome.verdict, HARNESS_AGREE);
    run_lie(&no_nodes, whole_story, HARNESS_LOG, &outcome);
    assert_int_equal(outcome.verdict, HARNESS_FINDING);
    assert_memory_equal(outcome.signature, "harness.log-disagrees/revoke.self.cap/", 38);
    run_lie(&no_stores, whole_story, HARNESS_LOG, &outcome);
    assert_int_equal(outcome.verdict, HARNESS_FINDING);
    assert_memory_equal(outcome.signature, "harness.log-disagrees/delegate.phys.cap/", 40);
}

static void test_overflowing_log_is_no_finding(void **state) {
    static struct harness_outcome outcome;
    (void)state;
    for (uint32_t from = 3; from < DESTROYED; from++) {
        const struct lie overflow = {.from = from, .log = log_overflow};
        run_lie(&overflow, whole_story, HARNESS_LOG, &outcome);
        assert_int_equal(outcome.verdict, HARNESS_AGREE);
    }
}

/* What is taken over after an overflow includes nodes whose parents are in PDs taken over later. */
static void test_overflow_with_parents_in_later_pds(void **state) {
    static const char backwards[] = "# rescind: 1\n# geometry: small\n"
                                    "p1 = create_pd root payer=root sel=1\n"
                                    "p2 = create_pd root payer=root sel=2\n"
                                    "delegate root obj from=own base=0x1 order=0 to=p2 at=0x1 mask=m\n"
                                    "delegate root mem from=phys base=0x10 order=2 to=p2 at=0x10 mask=rw\n"
                                    "delegate p2 mem from=own base=0x10 order=2 to=p1 at=0x20 mask=rw\n"
                                    "lookup p1 mem unit=0x20\n"
                                    "revoke p2 mem base=0x11 order=0 mask=w scope=self place=own filter=none\n";
    static struct harness_outcome outcome;
    (void)state;
    for (uint32_t from = 3; from < 8; from++) {
        const struct lie overflow = {.from = from, .log = log_overflow};
        run_lie(&overflow, backwards, HARNESS_LOG, &outcome);
        assert_int_equal(outcome.verdict, HARNESS_AGREE);
    }
}

/* ---- honest kernels ---- */

static void run_random(const struct rescind_target *target, const struct seq_geometry *geometry, uint32_t runs,
                       uint64_t unit_budget) {
    static struct seq_op ops[OPS];
    static struct harness_outcome outcome;
    struct seq seq = {.geometry = geometry, .op = ops, .capacity = OPS};
    struct seq_profile profile = {.unit_budget = unit_budget};
    struct seq_random random;
    struct host_enter host;
    struct harness *harness = host_harness_new(&host, target, 1 << 18, &oracle_policy_exact);
    assert_non_null(harness);
    for (uint32_t i = 0; i < runs; i++) {
        struct harness_options options = {.seed = i, .compare = i % 2 ? HARNESS_LOG : HARNESS_FULL};
        seq_random_seed(&random, i / 2);
        seq_generate(&seq, &random, &profile, OPS);
        harness_run(harness, &seq, &options, &outcome);
        if (outcome.verdict != HARNESS_AGREE)
            print_error("%s", outcome.report);
        assert_int_equal(outcome.verdict, HARNESS_AGREE);
        assert_int_equal(outcome.executed, OPS);
    }
    host_harness_free(harness);
}

static void test_honest_kernel_agrees(void **state) {
    static struct harness_outcome outcome;
    (void)state;
    struct rescind_target target = fake_target();
    for (enum harness_compare compare = HARNESS_LOG; compare <= HARNESS_OFF; compare++) {
        run(&target, whole_story, compare, 0, &outcome);
        assert_int_equal(outcome.verdict, HARNESS_AGREE);
        assert_int_equal(outcome.executed, 9);
        assert_int_equal(outcome.changed_operations, 7);
        assert_string_equal(outcome.signature, "");
    }
    run_random(&rescind_target_small, &seq_geometry_small, 300, 0);
    run_random(&rescind_target_real, &seq_geometry_real, 20, 4096);
}

/* ---- names, steps, options ---- */

struct seen {
    uint32_t steps, voids, ends;
    uint32_t code[16];
};

static void on_step(void *context, const struct harness_step *step) {
    struct seen *seen = context;
    seen->voids += step->is_void;
    seen->code[seen->steps++] = step->is_void ? 99 : step->code;
}

static void on_end(void *context) {
    struct seen *seen = context;
    seen->ends++;
}

static void test_names(void **state) {
    static const char text[] = "# rescind: 1\n# geometry: small\n\n"
                               "p1 = create_pd root payer=root sel=1\n"       /* OK */
                               "lookup p2 mem unit=0x0\n"                     /* void: never created */
                               "p2 = create_pd root payer=p1 sel=2 quota=1\n" /* OK */
                               "p1 = create_pd root payer=root sel=2\n"       /* occupied: p1 names nothing now */
                               "lookup p1 mem unit=0x0\n"                     /* void */
                               "destroy_pd root pd=p1\n"                      /* E_CAP */
                               "destroy_pd root pd=@1\n"                      /* OK: the first p1 */
                               "destroy_pd root pd=p2\n"                      /* OK */
                               "p3 = create_pd root payer=root sel=2\n"       /* OK, with p2's number */
                               "lookup p2 mem unit=0x0\n";                    /* void: not p3 */
    static const uint32_t expected[] = {ABI_OK, 99, ABI_OK, ABI_E_OVERLAP, 99, ABI_E_CAP, ABI_OK, ABI_OK, ABI_OK, 99};
    static struct seq_op ops[OPS];
    static struct harness_outcome outcome;
    (void)state;
    struct seq seq = {.op = ops, .capacity = OPS};
    struct seq_error error;
    struct host_enter host;
    struct seen seen = {0};
    const struct harness_options options = {
        .compare = HARNESS_FULL, .on_step = on_step, .on_end = on_end, .context = &seen};
    assert_true(seq_parse(&seq, text, strlen(text), &error));
    struct harness *harness = host_harness_new(&host, &rescind_target_small, MAPPINGS, &oracle_policy_exact);
    harness_run(harness, &seq, &options, &outcome);
    assert_int_equal(outcome.verdict, HARNESS_AGREE);
    assert_int_equal(seen.steps, 10);
    assert_int_equal(seen.ends, 1);
    assert_memory_equal(seen.code, expected, sizeof(expected));
    host_harness_free(harness);
}

static void test_too_many_mappings(void **state) {
    static const char text[] = "# rescind: 1\n# geometry: small\n\n"
                               "delegate root mem from=phys base=0x0 order=6 to=self at=0x0 mask=rwx\n"
                               "delegate root mem from=phys base=0x0 order=6 to=self at=0x40 mask=rwx\n";
    static struct seq_op ops[OPS];
    static struct harness_outcome outcome;
    (void)state;
    struct seq seq = {.op = ops, .capacity = OPS};
    struct seq_error error;
    struct host_enter host;
    const struct harness_options options = {.compare = HARNESS_LOG};
    assert_true(seq_parse(&seq, text, strlen(text), &error));
    struct harness *harness = host_harness_new(&host, &rescind_target_small, 160, &oracle_policy_exact);
    harness_run(harness, &seq, &options, &outcome);
    assert_int_equal(outcome.verdict, HARNESS_TOO_LARGE);
    seq.count = 1;
    harness_run(harness, &seq, &options, &outcome);
    assert_int_equal(outcome.verdict, HARNESS_AGREE);
    host_harness_free(harness);
}

static void test_foreign_target_is_refused(void **state) {
    (void)state;
    struct host_enter host;
    struct rescind_target target = rescind_target_small;
    target.version++;
    assert_null(host_harness_new(&host, &target, MAPPINGS, &oracle_policy_exact));
}

static void test_report_tells_all(void **state) {
    static struct harness_outcome outcome;
    (void)state;
    run_lie(&lies[3], whole_story, HARNESS_FULL, &outcome); /* wider */
    assert_non_null(strstr(outcome.report, "p1 mem 0x45"));
    assert_non_null(strstr(outcome.report, "expected:   frame 0x15, rights R-X, derived from PHYS mem 0x15"));
    assert_non_null(strstr(outcome.report, "page table: frame 0x15, rights RWX"));
    assert_non_null(strstr(outcome.report, "node:       base 0x45 order 0, frame 0x15, rights R-X"));
    assert_non_null(strstr(outcome.report, "lookup p1 mem unit=0x44  -> OK"));
    assert_true(strlen(outcome.report) < HARNESS_REPORT_MAX);
}

/* ---- the walker, in the real geometry ---- */

enum { PAGE = 512 };
static uint64_t pages[4][PAGE]; /* frame i is pages[i - 1] */

static const uint64_t *page_at(uint64_t physical) {
    return physical >> 12 >= 1 && physical >> 12 <= 4 ? pages[(physical >> 12) - 1] : NULL;
}

static const struct rescind_target paper = {
    .geometry = {.mem_log2 = 35, .phys_log2 = 20, .level_bits = 9, .levels = 4, .leaf_level = 2},
    .table = page_at,
};

static void link_pages(void) {
    memset(pages, 0, sizeof(pages));
    for (unsigned i = 0; i < 3; i++)
        pages[i][1] = (uint64_t)(i + 2) << 12 | 7;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Links are digested as products of numbers that are made of small indices: sums of two must not coincide. */
static void test_digests_of_links_differ(void **state) {
    enum { NODES = 32, LINKS = (NODES + 1) * NODES, SUMS = LINKS * (LINKS - 1) / 2 };
    uint64_t link[LINKS], *sum = malloc(SUMS * sizeof(*sum));
    uint32_t links = 0, sums = 0;
    (void)state;
    assert_non_null(sum);
    for (uint32_t from = 0; from <= NODES; from++) {
        for (uint32_t to = 0; to < NODES; to++)
            link[links++] = hash_from(from < NODES ? from : RESCIND_NONE) * hash_to(to) * hash_list(to % 3);
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        for (uint32_t j = 0; j < i; j++)
            sum[sums++] = link[i] + link[j];
    }
    qsort(sum, SUMS, sizeof(*sum), by_number);
    for (uint32_t i = 1; i < SUMS; i++)
        assert_true(sum[i] != sum[i - 1]);
    assert_int_equal(hash_to(RESCIND_NONE), 0);
    assert_int_equal(hash_list(RESCIND_NONE), 0);
    free(sum);
}

static void test_walker_rights(void **state) {
    struct walk_item item;
    uint64_t unit = (UINT64_C(1) << 27) + (1 << 18) + (1 << 9) + 5;
    (void)state;
    link_pages();
    pages[3][5] = UINT64_C(0x1234) << 12 | 7 | 1 << 5 | 1 << 6;
    assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_LEAF);
    assert_int_equal(item.frame, 0x1234);
    assert_int_equal(item.rights, ABI_R | ABI_W | ABI_X);
    assert_false(item.reserved);
    pages[0][1] |= UINT64_C(1) << 63; /* no-execute holds for all below */
    pages[1][1] &= ~UINT64_C(2);      /* so does read-only */
    assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_LEAF);
    assert_int_equal(item.rights, ABI_R);
    pages[2][1] &= ~UINT64_C(4); /* supervisor only */
    assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_LEAF);
    assert_int_equal(item.rights, 0);
    assert_int_equal(walk_at(&paper, 1 << 12, unit + 1, &item), WALK_END);
    pages[2][1] = 0;
    assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_END);
    assert_int_equal(item.level, 1);
}

static void test_walker_reserved_bits(void **state) {
    static const unsigned bad_leaf[] = {3, 4, 7, 8, 9, 10, 11, 40, 51, 52, 62};
    struct walk_item item;
    uint64_t unit = (UINT64_C(1) << 27) + (1 << 18) + (1 << 9) + 5;
    (void)state;
    for (unsigned i = 0; i < sizeof(bad_leaf) / sizeof(*bad_leaf); i++) {
        link_pages();
        pages[3][5] = 1 << 12 | 7 | UINT64_C(1) << bad_leaf[i];
        assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_LEAF);
        assert_true(item.reserved);
        pages[3][5] = 1 << 12 | 7;
        if (bad_leaf[i] != 7) {
            pages[1][1] |= UINT64_C(1) << bad_leaf[i];
            assert_true(walk_at(&paper, 1 << 12, unit, &item) == WALK_DANGLING || item.reserved);
        }
    }
    pages[0][1] = 7 | 1 << 7; /* no leaf is that large */
    assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_LEAF);
    assert_true(item.reserved);
}

static void test_walker_large_leaves(void **state) {
    struct walk_item item;
    uint64_t unit = (UINT64_C(1) << 27) + (1 << 18) + 0x100;
    (void)state;
    link_pages();
    pages[1][1] = UINT64_C(1) << 30 | 7 | 1 << 7;
    assert_int_equal(walk_at(&paper, 1 << 12, unit, &item), WALK_LEAF);
    assert_int_equal(item.level, 2);
    assert_int_equal(item.unit, unit - 0x100);
    assert_int_equal(item.frame, 1 << 18);
    assert_false(item.misaligned || item.reserved);
    pages[1][1] |= 1 << 12; /* PAT of a large leaf is an address bit below its size */
    walk_at(&paper, 1 << 12, unit, &item);
    assert_true(item.misaligned);
}

static void test_walker_order(void **state) {
    struct walk walk;
    struct walk_item item;
    (void)state;
    link_pages();
    pages[3][7] = 9 << 12 | 7;
    pages[3][9] = 2;
    pages[2][5] = 8 << 12 | 7;
    pages[0][300] = 1;
    assert_false(walk_start(&walk, &paper, 9 << 12));
    assert_true(walk_start(&walk, &paper, 1 << 12));
    static const enum walk_what expected[] = {WALK_TABLE,    WALK_TABLE,    WALK_TABLE,   WALK_LEAF,
                                              WALK_LEFTOVER, WALK_DANGLING, WALK_OUTSIDE, WALK_END};
    for (unsigned i = 0; i < sizeof(expected) / sizeof(*expected); i++)
        assert_int_equal(walk_next(&walk, &item), expected[i]);
    link_pages();
    assert_true(walk_start(&walk, &paper, 1 << 12));
    static const enum walk_what empty[] = {WALK_TABLE, WALK_TABLE, WALK_TABLE, WALK_EMPTY, WALK_END};
    for (unsigned i = 0; i < sizeof(empty) / sizeof(*empty); i++)
        assert_int_equal(walk_next(&walk, &item), empty[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests_of_links_differ),
        cmocka_unit_test(test_walker_rights),
        cmocka_unit_test(test_walker_reserved_bits),
        cmocka_unit_test(test_walker_large_leaves),
        cmocka_unit_test(test_walker_order),
        cmocka_unit_test(test_honest_kernel_agrees),
        cmocka_unit_test(test_every_lie_is_found),
        cmocka_unit_test(test_fresh_lies_are_found_by_the_log),
        cmocka_unit_test(test_lies_after_tear_down_are_found),
        cmocka_unit_test(test_log_that_hides_changes),
        cmocka_unit_test(test_overflowing_log_is_no_finding),
        cmocka_unit_test(test_overflow_with_parents_in_later_pds),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_too_many_mappings),
        cmocka_unit_test(test_foreign_target_is_refused),
        cmocka_unit_test(test_report_tells_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
