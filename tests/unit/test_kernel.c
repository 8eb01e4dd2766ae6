/*
 * The kernel alone, through its target interface: what follows from its own promises (costs, canonical form, memory)
 * rather than from comparison with the oracle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/target.h"

extern const struct rescind_target rescind_target_small, rescind_target_real;

/* A kernel that is not expected to stop. */
static void on_stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)context;
    fail_msg("the kernel stopped (%d) in %s: %s", (int)why, function, text);
}

static const struct rescind_hooks hooks = {.stop = on_stop};

/* One that is. */
static jmp_buf stopped;
static enum rescind_stop stop_reason;

static void on_expected_stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)context;
    (void)text;
    (void)function;
    stop_reason = why;
    longjmp(stopped, 1);
}

static const struct rescind_hooks stopping_hooks = {.stop = on_expected_stop};

/* One call; returns the code. */
static uint64_t call(const struct rescind_target *target, uint32_t pd, const uint64_t words[ABI_WORDS]) {
    uint64_t word[ABI_WORDS];
    __builtin_memcpy(word, words, sizeof word);
    target->call(0, pd, word);
    return word[0];
}

/* Root makes a PD with that many pages of its own quota. */
static uint64_t create_with(const struct rescind_target *target, uint64_t selector, uint64_t quota, uint32_t *pd) {
    uint64_t code = call(target, target->root_pd, (uint64_t[ABI_WORDS]){ABI_CREATE_PD, selector, quota});
    struct rescind_log log;
    target->log(&log);
    if (code == ABI_OK) {
        assert_int_equal(log.pd_count, 1);
        *pd = log.pds[0];
    }
    return code;
}

/* Pages that a PD itself and `bytes` more take. */
static uint64_t pages_for(const struct rescind_target *target, uint64_t bytes) {
    return (target->costs.pd + bytes + RESCIND_PAGE_BYTES - 1) / RESCIND_PAGE_BYTES;
}

static uint64_t create(const struct rescind_target *target, uint64_t selector, uint32_t *pd) {
    return create_with(target, selector, pages_for(target, 3 * target->costs.table + 4 * target->costs.node), pd);
}

enum { RWX = ABI_MEM_RIGHTS };

static uint64_t word0(unsigned operation, unsigned place, unsigned scope, unsigned order) {
    return operation | (uint64_t)place << ABI_PLACE_SHIFT | (uint64_t)scope << ABI_SCOPE_SHIFT |
           (uint64_t)order << ABI_ORDER_SHIFT | (uint64_t)RWX << ABI_MASK_SHIFT;
}

/* Root delegates memory from PHYS or its own space to the PD at a selector (0: to itself). */
static uint64_t give(const struct rescind_target *target, unsigned place, uint64_t from, unsigned order,
                     uint64_t selector, uint64_t to) {
    uint64_t first = word0(ABI_DELEGATE, place, 0, order) | (uint64_t)1 << ABI_TO_CAP_SHIFT;
    return call(target, target->root_pd, (uint64_t[ABI_WORDS]){first, from, to, selector});
}

static uint64_t take(const struct rescind_target *target, unsigned place, unsigned scope, uint64_t base, unsigned order,
                     uint64_t selector) {
    return call(target, target->root_pd,
                (uint64_t[ABI_WORDS]){word0(ABI_REVOKE, place, scope, order), base, 0, selector});
}

static void assert_same_usage(const struct rescind_usage *a, const struct rescind_usage *b) {
    assert_int_equal(a->pds, b->pds);
    assert_int_equal(a->objects, b->objects);
    assert_int_equal(a->nodes, b->nodes);
    assert_int_equal(a->tables, b->tables);
    assert_int_equal(a->bytes, b->bytes);
}

static struct rescind_usage usage_of(const struct rescind_target *target) {
    struct rescind_usage usage;
    target->usage(&usage);
    return usage;
}

/*
 * Steps of a remote revoke of one page in one program, of `sharers` that share a module of 16 pages. Every PD that can
 * be paid for exists in each case, so that finding the capability among root's costs the same; root, which maps the
 * module too, is one of the sharers.
 */
enum { SHARERS = 1024 };

static uint64_t steps_of_remote_revoke(const struct rescind_target *target, unsigned sharers) {
    target->boot(&hooks, 1, 0);
    uint32_t pd = 0;
    assert_int_equal(give(target, ABI_PHYS, 0x100, 4, ABI_ROOT_SELECTOR, 0x200), ABI_OK);
    for (unsigned i = 1; i < SHARERS; i++) {
        assert_int_equal(create(target, i, &pd), ABI_OK);
    }
    for (unsigned i = 1; i < sharers; i++) {
        assert_int_equal(give(target, ABI_OWN, 0x200, 4, i, 0x400), ABI_OK);
    }
    assert_int_equal(take(target, ABI_PLACE_CAP, ABI_SELF, 0x403, 0, 1), ABI_OK);
    return target->steps();
}

static void remote_revoke_costs_the_same_for_any_number_of_sharers(void **state) {
    (void)state;
    assert_int_equal(steps_of_remote_revoke(&rescind_target_real, 2),
                     steps_of_remote_revoke(&rescind_target_real, SHARERS));
}

static void create_beyond_the_last_pd_is_refused(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    target->boot(&hooks, 1, 0);
    uint32_t pd = 0;
    for (uint64_t i = 1; i < target->geometry.pds; i++) {
        assert_int_equal(create(target, i, &pd), ABI_OK);
    }
    struct rescind_usage before = usage_of(target);
    assert_int_equal(create(target, 40, &pd), ABI_E_MEM);
    struct rescind_usage after = usage_of(target);
    assert_same_usage(&before, &after);
}

/* The entry of a unit at a level of a PD's page tables; 0 where there is none. */
static uint64_t entry_at(const struct rescind_target *target, uint32_t pd, uint64_t unit, unsigned level) {
    struct rescind_pd_view view;
    assert_true(target->pd(pd, &view));
    uint64_t physical = view.root_table;
    for (unsigned l = target->geometry.levels - 1u;; l--) {
        const uint64_t *table = target->table(physical);
        assert_non_null(table);
        uint64_t entry = table[unit >> (l * target->geometry.level_bits) & ((1u << target->geometry.level_bits) - 1)];
        if (l == level || !(entry & 1) || entry & 0x80) {
            return l == level ? entry : 0;
        }
        physical = entry & UINT64_C(0x000ffffffffff000);
    }
}

static void pages_become_a_large_leaf_and_back(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        const struct rescind_target *target = targets[t];
        unsigned order = target->geometry.level_bits;
        target->boot(&hooks, 1, 0);
        struct rescind_usage boot = usage_of(target);
        for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
            assert_int_equal(give(target, ABI_PHYS, i, 0, ABI_ROOT_SELECTOR, i), ABI_OK);
        }
        assert_int_equal(usage_of(target).nodes, 1);
        assert_int_equal(entry_at(target, target->root_pd, 1, 1) & 0x81, 0x81);
        assert_int_equal(take(target, ABI_OWN, ABI_SELF, 1, 0, 0), ABI_OK);
        assert_int_equal(usage_of(target).nodes, order);
        assert_int_equal(entry_at(target, target->root_pd, 1, 0), 0);
        assert_int_equal(entry_at(target, target->root_pd, 0, 0) & 1, 1);
        assert_int_equal(give(target, ABI_PHYS, 1, 0, ABI_ROOT_SELECTOR, 1), ABI_OK);
        assert_int_equal(usage_of(target).nodes, 1);
        assert_int_equal(take(target, ABI_PHYS, ABI_CHILDREN, 0, order, 0), ABI_OK);
        struct rescind_usage after = usage_of(target);
        assert_same_usage(&boot, &after);
    }
}

/* 2^12 pages in every second place: more nodes than a linear search could pretend to find fast. */
static void lookup_among_many_nodes_takes_logarithmic_steps(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_real;
    target->boot(&hooks, 1, 0);
    for (uint64_t i = 0; i < 4096; i++) {
        assert_int_equal(give(target, ABI_PHYS, i * 2, 0, ABI_ROOT_SELECTOR, i * 2), ABI_OK);
    }
    for (uint64_t i = 0; i < 4096; i += 97) {
        uint64_t word[ABI_WORDS] = {ABI_LOOKUP, i * 2};
        target->call(0, target->root_pd, word);
        assert_int_equal(word[1], RWX);
        assert_in_range(target->steps(), 1, 2 * 18);
    }
}

/* A chain of as many PDs as can be paid for, each holding the only capability to the next, dies without recursion. */
static void a_chain_of_pds_dies_with_its_head(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_real;
    target->boot(&hooks, 1, 0);
    struct rescind_usage boot = usage_of(target);
    uint32_t pd = 0;
    uint32_t caller = target->root_pd;
    /* Each PD gets root's capability at selector 0, then creates the next one at selector 1. */
    uint64_t quota = pages_for(target, 2 * target->costs.node);
    for (uint32_t i = 1; i < target->geometry.pds && i < target->geometry.quota_pages / quota; i++) {
        uint64_t code = call(target, caller, (uint64_t[ABI_WORDS]){ABI_CREATE_PD, 1, quota});
        assert_int_equal(code, ABI_OK);
        struct rescind_log log;
        target->log(&log);
        pd = log.pds[0];
        uint64_t first = ABI_DELEGATE | (uint64_t)ABI_OBJ << ABI_KIND_SHIFT | (uint64_t)1 << ABI_TO_CAP_SHIFT |
                         (uint64_t)ABI_CREATE << ABI_MASK_SHIFT;
        assert_int_equal(call(target, caller, (uint64_t[ABI_WORDS]){first, 0, 0, 1}), ABI_OK);
        caller = pd;
    }
    uint64_t destroy[ABI_WORDS] = {ABI_DESTROY_PD, 0, 0, 1};
    assert_int_equal(call(target, target->root_pd, destroy), ABI_OK);
    struct rescind_usage after = usage_of(target);
    assert_same_usage(&boot, &after);
}

static void bits_that_an_operation_does_not_use_are_refused(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    const struct {
        unsigned operation;
        uint64_t used;
    } rows[] = {
        {ABI_CREATE_PD, 0xff}, {ABI_DELEGATE, 0xffff4fff}, {ABI_REVOKE, 0xffffbfff}, {ABI_DESTROY_PD, 0xff},
        {ABI_LOOKUP, 0x3ff},   {ABI_CREATE_OBJECT, 0xff},  {ABI_GRANT, 0xffff4fff},  {ABI_MOVE_QUOTA, 0xff},
    };
    target->boot(&hooks, 1, 0);
    for (unsigned r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (unsigned bit = 8; bit < 64; bit++) {
            if (!(rows[r].used >> bit & 1)) {
                uint64_t first = rows[r].operation | UINT64_C(1) << bit;
                assert_int_equal(call(target, target->root_pd, (uint64_t[ABI_WORDS]){first, 5, 0, 0}), ABI_E_ARG);
            }
        }
    }
    for (unsigned operation = 0; operation < 256; operation++) {
        if (operation < ABI_CREATE_PD || operation > ABI_MOVE_QUOTA) {
            assert_int_equal(call(target, target->root_pd, (uint64_t[ABI_WORDS]){operation}), ABI_E_ARG);
        }
    }
}

/* The tables that several pieces of one delegate share are needed once; PD 1 gets 120 separate pages. */
static void a_delegate_of_many_pieces_counts_shared_tables_once(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    target->boot(&hooks, 1, 0);
    uint32_t pd = 0;
    assert_int_equal(create_with(target, 1, 6, &pd), ABI_OK);
    for (uint64_t page = 0; page < target->geometry.kernel_frame; page += 2) {
        assert_int_equal(give(target, ABI_PHYS, page, 0, ABI_ROOT_SELECTOR, page), ABI_OK);
    }
    assert_int_equal(give(target, ABI_OWN, 0, target->geometry.mem_log2, 1, 0), ABI_OK);
}

static void other_words_come_back_as_they_were(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    target->boot(&hooks, 1, 0);
    uint64_t word[ABI_WORDS] = {ABI_LOOKUP, 3, 111, 222, 333};
    target->call(0, target->root_pd, word);
    assert_int_equal(word[0], ABI_OK);
    assert_int_equal(word[1], 0);
    assert_int_equal(word[2], 111);
    assert_int_equal(word[3], 222);
    assert_int_equal(word[4], 333);
}

static void a_call_by_a_dead_pd_is_an_assertion(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    if (!setjmp(stopped)) {
        target->boot(&stopping_hooks, 1, 0);
        uint64_t word[ABI_WORDS] = {ABI_LOOKUP};
        target->call(0, 7, word);
        fail_msg("the kernel went on");
    }
    assert_int_equal(stop_reason, RESCIND_STOP_ASSERT);
}

/* What a wild pointer of the kernel would do, unseen by the address sanitizer. */
__attribute__((no_sanitize("address"))) static void store_wildly(uint64_t *word, uint64_t value) {
    *word = value;
}

static void a_store_to_a_free_table_is_found(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint64_t *volatile freed = NULL;
    if (!setjmp(stopped)) {
        target->boot(&stopping_hooks, 1, 0);
        assert_int_equal(give(target, ABI_PHYS, 0, 0, ABI_ROOT_SELECTOR, 0), ABI_OK);
        uint64_t physical = entry_at(target, target->root_pd, 0, 1) & UINT64_C(0x000ffffffffff000);
        freed = (uint64_t *)(uintptr_t)target->table(physical);
        assert_int_equal(take(target, ABI_OWN, ABI_SELF, 0, 0, 0), ABI_OK);
        assert_null(target->table(physical));
        store_wildly(freed, 1);
        give(target, ABI_PHYS, 0, 0, ABI_ROOT_SELECTOR, 0);
        fail_msg("the kernel went on");
    }
    assert_int_equal(stop_reason, RESCIND_STOP_MEMORY);
    target->boot(&hooks, 1, 0);
    assert_int_equal(give(target, ABI_PHYS, 0, 0, ABI_ROOT_SELECTOR, 0), ABI_OK);
}

/* ---- any operation ---- */

/* One call by a PD; `first` is word 0. Returns the code; the value of the last call is in last_value. */
static uint64_t last_value;

static uint64_t ask(const struct rescind_target *target, uint32_t pd, uint64_t first, uint64_t base, uint64_t to,
                    uint64_t selector, uint64_t other) {
    uint64_t word[ABI_WORDS] = {first, base, to, selector, other};
    target->call(0, pd, word);
    last_value = word[1];
    return word[0];
}

enum { TO_SELF = -1, ALL_OBJ = ABI_OBJ_RIGHTS };

static uint64_t first_word(enum abi_operation operation, enum abi_kind kind, unsigned order, unsigned mask) {
    return (uint64_t)operation | (uint64_t)kind << ABI_KIND_SHIFT | (uint64_t)order << ABI_ORDER_SHIFT |
           (uint64_t)mask << ABI_MASK_SHIFT;
}

/* delegate or grant from the caller's own space to the PD at a selector, or TO_SELF. */
static uint64_t transfer(const struct rescind_target *target, uint32_t pd, enum abi_operation operation,
                         enum abi_kind kind, uint64_t from, unsigned order, unsigned mask, int selector, uint64_t to) {
    uint64_t by_capability = selector == TO_SELF ? 0 : (uint64_t)1 << ABI_TO_CAP_SHIFT;
    return ask(target, pd, first_word(operation, kind, order, mask) | by_capability, from, to, (uint64_t)selector, 0);
}

/* Root maps what PHYS holds into itself. */
static void fetch(const struct rescind_target *target, enum abi_kind kind, uint64_t from, unsigned order, uint64_t to) {
    unsigned mask = kind == ABI_MEM ? ABI_MEM_RIGHTS : ABI_PIO_RIGHTS;
    uint64_t first = first_word(ABI_DELEGATE, kind, order, mask) | (uint64_t)ABI_PHYS << ABI_PLACE_SHIFT;
    assert_int_equal(ask(target, target->root_pd, first, from, to, 0, 0), ABI_OK);
}

/* Own revoke with all rights. */
static uint64_t revoke(const struct rescind_target *target, uint32_t pd, enum abi_kind kind, enum abi_scope scope,
                       uint64_t base, unsigned order) {
    unsigned mask = kind == ABI_MEM ? ABI_MEM_RIGHTS : kind == ABI_PIO ? ABI_PIO_RIGHTS : ABI_OBJ_RIGHTS;
    uint64_t first = first_word(ABI_REVOKE, kind, order, mask) | (uint64_t)scope << ABI_SCOPE_SHIFT;
    return ask(target, pd, first, base, 0, 0, 0);
}

static uint64_t create_object(const struct rescind_target *target, uint32_t pd, uint64_t payer, uint64_t selector,
                              uint32_t *object) {
    uint64_t code = ask(target, pd, ABI_CREATE_OBJECT, selector, 0, payer, 0);
    struct rescind_log log;
    target->log(&log);
    if (code == ABI_OK) {
        assert_int_equal(log.object_count, 1);
        *object = log.objects[0];
    }
    return code;
}

static uint64_t move_quota(const struct rescind_target *target, uint64_t from, uint64_t to, uint64_t pages) {
    return ask(target, target->root_pd, ABI_MOVE_QUOTA, pages, 0, from, to);
}

static struct rescind_pd_view view_of(const struct rescind_target *target, uint32_t pd) {
    struct rescind_pd_view view;
    assert_true(target->pd(pd, &view));
    return view;
}

/* The node that covers a unit; all zero, with rights 0, where there is none. Its index is in last_node. */
static uint32_t last_node;

static struct rescind_node_view node_at(const struct rescind_target *target, uint32_t pd, enum abi_kind kind,
                                        uint64_t unit) {
    struct rescind_node_view view;
    for (last_node = 0; last_node < target->node_limit; last_node++) {
        if (target->node(last_node, &view) && view.pd == pd && view.kind == kind &&
            unit >> view.order == view.base >> view.order) {
            return view;
        }
    }
    return (struct rescind_node_view){0};
}

static void assert_node(const struct rescind_target *target, uint32_t pd, enum abi_kind kind, uint64_t unit,
                        uint64_t resource, unsigned rights, uint32_t parent_pd, uint64_t parent_unit) {
    struct rescind_node_view node = node_at(target, pd, kind, unit);
    assert_int_equal(node.rights, rights);
    if (rights) {
        assert_int_equal(node.resource + (kind == ABI_OBJ ? 0 : unit - node.base), resource);
        node_at(target, parent_pd, kind, parent_unit);
        assert_int_equal(node.parent, last_node);
    }
}

/* All balances: nothing is lost, and what is used is what is there. */
struct accounts {
    uint64_t quota[16], used[16];
};

static struct accounts accounts_of(const struct rescind_target *target) {
    struct accounts accounts = {0};
    uint64_t quota = 0;
    uint64_t used = 0;
    for (uint32_t pd = 0; pd < 16; pd++) {
        struct rescind_pd_view view;
        if (target->pd(pd, &view)) {
            quota += accounts.quota[pd] = view.quota;
            used += accounts.used[pd] = view.used;
            assert_true(view.used <= view.quota);
        }
    }
    assert_int_equal(quota, (uint64_t)target->geometry.quota_pages * RESCIND_PAGE_BYTES);
    assert_int_equal(used, usage_of(target).bytes);
    return accounts;
}

/* ---- I/O ports ---- */

static bool port_open(const struct rescind_target *target, uint32_t pd, uint64_t port) {
    return !(view_of(target, pd).ports[port / 64] >> port % 64 & 1);
}

static void the_port_bitmap_follows_the_mappings(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        const struct rescind_target *target = targets[t];
        uint32_t pd = 0;
        struct rescind_log log;
        target->boot(&hooks, 1, 0);
        struct rescind_usage boot = usage_of(target);
        fetch(target, ABI_PIO, 0, 7, 0);
        target->log(&log);
        assert_int_equal(log.port_store_count, 2);
        assert_int_equal(log.port_stores[1].pd, target->root_pd);
        assert_int_equal(log.port_stores[1].word, 1);
        assert_int_equal(log.port_stores[1].before, UINT64_MAX);
        assert_int_equal(log.port_stores[1].value, 0);
        assert_int_equal(create(target, 1, &pd), ABI_OK);
        assert_int_equal(transfer(target, 0, ABI_DELEGATE, ABI_PIO, 64, 2, 1, 1, 64), ABI_OK);
        assert_int_equal(last_value, 4);
        assert_false(port_open(target, pd, 63));
        assert_true(port_open(target, pd, 64));
        assert_true(port_open(target, pd, 67));
        assert_false(port_open(target, pd, 68));
        assert_int_equal(revoke(target, target->root_pd, ABI_PIO, ABI_SELF, 66, 0), ABI_OK);
        assert_false(port_open(target, pd, 66));
        assert_false(port_open(target, target->root_pd, 66));
        assert_true(port_open(target, target->root_pd, 67));
        fetch(target, ABI_PIO, 66, 0, 66);
        assert_int_equal(node_at(target, target->root_pd, ABI_PIO, 66).order, 7);
        assert_int_equal(ask(target, target->root_pd, ABI_LOOKUP | ABI_PIO << ABI_KIND_SHIFT, 5, 0, 0, 0), ABI_OK);
        assert_int_equal(last_value, 1 | 7 << ABI_VALUE_ORDER_SHIFT);
        uint64_t phys = first_word(ABI_REVOKE, ABI_PIO, target->geometry.pio_log2, 1) | ABI_PHYS << ABI_PLACE_SHIFT;
        assert_int_equal(ask(target, target->root_pd, phys, 0, 0, 0, 0), ABI_OK);
        assert_false(port_open(target, target->root_pd, 0));
        assert_false(port_open(target, pd, 64));
        assert_int_equal(ask(target, target->root_pd, ABI_DESTROY_PD, 0, 0, 1, 0), ABI_OK);
        struct rescind_usage after = usage_of(target);
        assert_same_usage(&boot, &after);
    }
}

static void ports_keep_their_numbers(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t pd = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create(target, 1, &pd), ABI_OK);
    fetch(target, ABI_PIO, 8, 3, 8);
    uint64_t from_phys = first_word(ABI_DELEGATE, ABI_PIO, 0, 1) | ABI_PHYS << ABI_PLACE_SHIFT;
    assert_int_equal(ask(target, target->root_pd, from_phys, 0, 1, 0, 0), ABI_E_ARG);
    assert_int_equal(transfer(target, 0, ABI_DELEGATE, ABI_PIO, 8, 3, 1, 1, 16), ABI_E_ARG);
    assert_int_equal(transfer(target, 0, ABI_GRANT, ABI_PIO, 8, 3, 1, 1, 16), ABI_E_ARG);
    assert_int_equal(transfer(target, 0, ABI_DELEGATE, ABI_PIO, 8, 3, 2, 1, 8), ABI_E_ARG);
    assert_int_equal(transfer(target, 0, ABI_DELEGATE, ABI_PIO, 8, 3, 1, TO_SELF, 8), ABI_E_OVERLAP);
    assert_int_equal(transfer(target, 0, ABI_GRANT, ABI_PIO, 8, 2, 1, 1, 8), ABI_OK);
    assert_false(port_open(target, target->root_pd, 11));
    assert_true(port_open(target, pd, 11));
    assert_true(port_open(target, target->root_pd, 12));
}

/* ---- plain objects ---- */

static void an_object_dies_with_its_last_capability(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    struct rescind_object_view view;
    struct rescind_log log;
    uint32_t object = 0;
    uint32_t pd = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create_with(target, 1, 3, &pd), ABI_OK);
    struct rescind_usage before = usage_of(target);
    assert_int_equal(create_object(target, target->root_pd, 1, 2, &object), ABI_OK);
    assert_int_equal(node_at(target, target->root_pd, ABI_OBJ, 2).resource, object | RESCIND_OBJECT);
    assert_int_equal(usage_of(target).bytes, before.bytes + target->costs.object + target->costs.node);
    assert_int_equal(transfer(target, 0, ABI_DELEGATE, ABI_OBJ, 2, 0, ABI_CREATE, 1, 9), ABI_OK);
    assert_true(target->object(object, &view));
    assert_int_equal(view.references, 2);
    assert_int_equal(view.payer, pd);
    assert_int_equal(revoke(target, target->root_pd, ABI_OBJ, ABI_DROP, 2, 0), ABI_OK);
    assert_true(target->object(object, &view));
    assert_int_equal(view.references, 1);
    assert_int_equal(revoke(target, pd, ABI_OBJ, ABI_SELF, 9, 0), ABI_OK);
    target->log(&log);
    assert_int_equal(log.object_count, 1);
    assert_int_equal(log.objects[0], object);
    assert_false(target->object(object, &view));
    struct rescind_usage after = usage_of(target);
    assert_same_usage(&before, &after);
    for (uint32_t i = 0; i < target->geometry.objects; i++) {
        assert_int_equal(create_object(target, target->root_pd, 0, 2, &object), ABI_OK);
        assert_int_equal(transfer(target, 0, ABI_GRANT, ABI_OBJ, 2, 0, ALL_OBJ, 1, i % 60),
                         i < 60 ? ABI_OK : ABI_E_OVERLAP);
        if (i >= 60) {
            assert_int_equal(revoke(target, target->root_pd, ABI_OBJ, ABI_SELF, 2, 0), ABI_OK);
        }
    }
}

static void a_plain_object_is_no_pd(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t object = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create_object(target, root, 0, 2, &object), ABI_OK);
    assert_int_equal(create_object(target, root, 0, 2, &object), ABI_E_OVERLAP);
    assert_int_equal(ask(target, root, ABI_CREATE_PD, 3, 1, 2, 0), ABI_E_CAP);
    assert_int_equal(ask(target, root, ABI_CREATE_OBJECT, 3, 0, 2, 0), ABI_E_CAP);
    assert_int_equal(ask(target, root, ABI_DESTROY_PD, 0, 0, 2, 0), ABI_E_CAP);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 2, 0, ALL_OBJ, 2, 9), ABI_E_CAP);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_OBJ, 2, 0, ALL_OBJ, 2, 9), ABI_E_CAP);
    assert_int_equal(take(target, ABI_PLACE_CAP, ABI_SELF, 0, 0, 2), ABI_E_CAP);
    assert_int_equal(move_quota(target, 0, 2, 0), ABI_E_CAP);
    assert_int_equal(move_quota(target, 2, 0, 0), ABI_E_CAP);
    assert_int_equal(ask(target, root, ABI_CREATE_OBJECT, 64, 0, 0, 0), ABI_E_ARG);
}

/* ---- grant ---- */

static void a_grant_takes_the_place_in_the_tree(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t a = 0, b = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create(target, 1, &a), ABI_OK);
    assert_int_equal(create(target, 2, &b), ABI_OK);
    fetch(target, ABI_MEM, 0, 2, 0);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_MEM, 0, 2, RWX, TO_SELF, 16), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_MEM, 16, 2, RWX, 1, 0), ABI_OK);
    struct accounts before = accounts_of(target);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_MEM, 16, 2, ABI_R | ABI_X, 2, 8), ABI_OK);
    assert_int_equal(last_value, 4);
    struct accounts after = accounts_of(target);
    assert_node(target, root, ABI_MEM, 16, 0, 0, 0, 0);
    assert_node(target, b, ABI_MEM, 8, 0, ABI_R | ABI_X, root, 0);
    assert_node(target, a, ABI_MEM, 0, 0, ABI_R | ABI_X, b, 8);
    assert_int_equal(entry_at(target, b, 8, 1) & 0x83, 0x81);
    assert_int_equal(entry_at(target, a, 0, 1) & 0x83, 0x81);
    assert_int_equal(entry_at(target, root, 16, 1), 0);
    assert_int_equal(before.used[root] - after.used[root], target->costs.node + target->costs.table);
    assert_int_equal(after.used[b] - before.used[b], target->costs.node + 2 * target->costs.table);
    assert_int_equal(after.quota[b], before.quota[b]);
    assert_int_equal(revoke(target, root, ABI_MEM, ABI_CHILDREN, 0, 2), ABI_OK);
    assert_node(target, b, ABI_MEM, 8, 0, 0, 0, 0);
    assert_node(target, a, ABI_MEM, 0, 0, 0, 0, 0);
}

/* Root's 16 pages go to `a`, from there to `b` and, a part of them, back to root; `a` then grants one page. */
static void a_grant_of_a_part_splits_what_is_nested(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t a = 0, b = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create_with(target, 1, 2, &a), ABI_OK);
    assert_int_equal(create_with(target, 2, 2, &b), ABI_OK);
    assert_int_equal(give(target, ABI_PHYS, 0, 4, 1, 0), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 2, 0, ALL_OBJ, 1, 2), ABI_OK);
    assert_int_equal(transfer(target, a, ABI_DELEGATE, ABI_MEM, 0, 4, ABI_R, 2, 32), ABI_OK);
    assert_int_equal(transfer(target, a, ABI_DELEGATE, ABI_MEM, 4, 2, RWX, 2, 16), ABI_OK);
    struct accounts before = accounts_of(target);
    assert_int_equal(transfer(target, a, ABI_GRANT, ABI_MEM, 5, 0, RWX, TO_SELF, 64), ABI_OK);
    assert_int_equal(last_value, 1);
    struct accounts after = accounts_of(target);
    assert_node(target, a, ABI_MEM, 5, 0, 0, 0, 0);
    assert_node(target, a, ABI_MEM, 4, 4, RWX, RESCIND_PD_PHYS, 4);
    assert_node(target, a, ABI_MEM, 64, 5, RWX, RESCIND_PD_PHYS, 5);
    assert_node(target, b, ABI_MEM, 37, 5, ABI_R, a, 64);
    assert_node(target, b, ABI_MEM, 36, 4, ABI_R, a, 4);
    assert_node(target, b, ABI_MEM, 17, 5, RWX, a, 64);
    assert_node(target, b, ABI_MEM, 18, 6, RWX, a, 6);
    /* a's own node: 4 more, 2 tables by splits, 3 at page 64; b's nodes: 4 and 2 more, 3 tables by splits. */
    uint64_t in_b = 6 * target->costs.node + 3 * target->costs.table;
    uint64_t in_a = 4 * target->costs.node + 5 * target->costs.table;
    assert_int_equal(after.used[a] - before.used[a], in_a);
    assert_int_equal(after.used[b] - before.used[b], in_b);
    assert_int_equal(after.quota[b] - before.quota[b], in_b);
    assert_int_equal(before.quota[a] - after.quota[a], in_b);
    assert_int_equal(transfer(target, a, ABI_GRANT, ABI_MEM, 64, 0, RWX, TO_SELF, 5), ABI_OK);
    struct accounts back = accounts_of(target);
    assert_int_equal(back.used[a], before.used[a]);
    assert_int_equal(back.used[b], before.used[b]);
}

/* Selectors 8 and 9 hold capabilities that a grant of both moves, although one derives from the other; 10 is one that
 * is skipped, but loses all as a descendant; the destination unit of what is removed is occupied all the same. */
static void a_grant_of_what_derives_from_each_other(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t a = 0, named = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create(target, 1, &a), ABI_OK);
    assert_int_equal(create(target, 8, &named), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 8, 0, ABI_CREATE | ABI_MAP, TO_SELF, 9), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 9, 0, ABI_MAP, TO_SELF, 10), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 9, 0, ABI_MAP, 1, 1), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 1, 0, ABI_MAP, TO_SELF, 11), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_OBJ, 8, 2, ABI_CREATE, 1, 0), ABI_E_OVERLAP);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_OBJ, 8, 2, ABI_CREATE, 1, 4), ABI_OK);
    assert_int_equal(last_value, 2);
    assert_node(target, a, ABI_OBJ, 5, named, ABI_CREATE, a, 4);
    assert_int_equal(node_at(target, a, ABI_OBJ, 4).parent, RESCIND_NONE);
    assert_int_equal(node_at(target, a, ABI_OBJ, 4).rights, ABI_CREATE);
    assert_int_equal(node_at(target, root, ABI_OBJ, 8).rights, 0);
    assert_int_equal(node_at(target, root, ABI_OBJ, 10).rights, 0);
    assert_int_equal(node_at(target, a, ABI_OBJ, 1).rights, 0);
    assert_int_equal(node_at(target, root, ABI_OBJ, 11).rights, ABI_MAP);
    assert_int_equal(view_of(target, named).references, 2);
    accounts_of(target);
}

static void a_grant_to_oneself_moves_within_the_space(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    target->boot(&hooks, 1, 0);
    struct rescind_usage boot = usage_of(target);
    fetch(target, ABI_MEM, 0, 1, 0);
    fetch(target, ABI_MEM, 6, 1, 2);
    struct accounts before = accounts_of(target);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_MEM, 0, 2, RWX, TO_SELF, 0), ABI_E_OVERLAP);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_MEM, 0, 2, RWX, TO_SELF, 4), ABI_OK);
    assert_int_equal(last_value, 4);
    assert_node(target, root, ABI_MEM, 5, 1, RWX, RESCIND_PD_PHYS, 1);
    assert_node(target, root, ABI_MEM, 6, 6, RWX, RESCIND_PD_PHYS, 6);
    assert_int_equal(accounts_of(target).used[root], before.used[root]);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_MEM, 4, 2, ABI_W, TO_SELF, 0), ABI_OK);
    assert_int_equal(last_value, 0);
    /* Joins at the new place: PHYS 4 and 5 before 6 and 7. */
    fetch(target, ABI_MEM, 4, 1, 8);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_MEM, 4, 1, RWX, TO_SELF, 12), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_MEM, 8, 1, RWX, TO_SELF, 4), ABI_OK);
    assert_int_equal(node_at(target, root, ABI_MEM, 4).order, 2);
    assert_int_equal(revoke(target, root, ABI_MEM, ABI_SELF, 0, 8), ABI_OK);
    struct rescind_usage after = usage_of(target);
    assert_same_usage(&boot, &after);
    /* Root's capability to itself is charged to nobody, wherever it goes. */
    uint32_t a = 0;
    assert_int_equal(create(target, 1, &a), ABI_OK);
    before = accounts_of(target);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_OBJ, 0, 0, ALL_OBJ, 1, 7), ABI_OK);
    assert_int_equal(accounts_of(target).used[a], before.used[a]);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_OBJ, 1, 0, ALL_OBJ, TO_SELF, 1 << 6), ABI_E_ARG);
}

/* ---- accounts ---- */

static void a_pd_pays_for_itself_and_its_payer_inherits(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t a = 0, b = 0, object = 0;
    struct rescind_object_view view;
    struct rescind_log log;
    target->boot(&hooks, 1, 0);
    struct accounts boot = accounts_of(target);
    assert_int_equal(boot.used[root], target->costs.pd);
    assert_int_equal(create_with(target, 1, 0, &a), ABI_E_MEM);
    assert_int_equal(create_with(target, 1, target->geometry.quota_pages, &a), ABI_E_MEM);
    assert_int_equal(create_with(target, 1, UINT64_C(1) << 52, &a), ABI_E_MEM);
    assert_int_equal(create_with(target, 1, 4, &a), ABI_OK);
    assert_int_equal(view_of(target, a).quota, 4 * RESCIND_PAGE_BYTES);
    assert_int_equal(view_of(target, a).used, target->costs.pd);
    assert_int_equal(view_of(target, a).payer, root);
    assert_int_equal(view_of(target, root).payer, RESCIND_NONE);
    assert_int_equal(accounts_of(target).used[root] - boot.used[root], target->costs.node);
    /* b and an object on a's account, in root's hands */
    assert_int_equal(ask(target, root, ABI_CREATE_PD, 2, 2, 1, 0), ABI_OK);
    target->log(&log);
    b = log.pds[0];
    assert_int_equal(view_of(target, b).payer, a);
    assert_int_equal(view_of(target, a).quota, 2 * RESCIND_PAGE_BYTES);
    assert_int_equal(create_object(target, root, 1, 3, &object), ABI_OK);
    assert_int_equal(create_object(target, root, 2, 4, &object), ABI_OK);
    assert_int_equal(view_of(target, a).used, target->costs.pd + target->costs.object);
    assert_int_equal(ask(target, root, ABI_DESTROY_PD, 0, 0, 1, 0), ABI_OK);
    assert_int_equal(view_of(target, b).payer, root);
    assert_int_equal(view_of(target, root).quota, boot.quota[root] - 2 * RESCIND_PAGE_BYTES);
    accounts_of(target);
    assert_int_equal(ask(target, root, ABI_DESTROY_PD, 0, 0, 2, 0), ABI_OK);
    assert_true(target->object(object, &view));
    assert_int_equal(view.payer, root);
    assert_int_equal(accounts_of(target).used[root],
                     target->costs.pd + 2 * target->costs.object + 2 * target->costs.node);
    assert_int_equal(revoke(target, root, ABI_OBJ, ABI_SELF, 2, 1), ABI_OK);
    assert_int_equal(revoke(target, root, ABI_OBJ, ABI_SELF, 4, 0), ABI_OK);
    struct accounts after = accounts_of(target);
    assert_memory_equal(&after, &boot, sizeof boot);
}

static void quota_moves_between_pds(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t a = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create_with(target, 1, 2, &a), ABI_OK);
    assert_int_equal(move_quota(target, 0, 1, 3), ABI_OK);
    assert_int_equal(view_of(target, a).quota, 5 * RESCIND_PAGE_BYTES);
    assert_int_equal(move_quota(target, 1, 0, 5), ABI_E_MEM);
    assert_int_equal(move_quota(target, 1, 0, 4), ABI_OK);
    assert_int_equal(move_quota(target, 1, 0, 0), ABI_OK);
    assert_int_equal(move_quota(target, 1, 1, 100), ABI_OK);
    assert_int_equal(move_quota(target, 0, 1, UINT64_C(1) << 52), ABI_E_MEM);
    assert_int_equal(view_of(target, a).quota, RESCIND_PAGE_BYTES);
    assert_int_equal(transfer(target, root, ABI_DELEGATE, ABI_OBJ, 1, 0, ABI_OBJ_RIGHTS & ~ABI_QUOTA, TO_SELF, 2),
                     ABI_OK);
    assert_int_equal(move_quota(target, 0, 2, 0), ABI_E_RIGHT);
    assert_int_equal(move_quota(target, 2, 0, 0), ABI_E_RIGHT);
    assert_int_equal(move_quota(target, 2, 9, 0), ABI_E_CAP);
    accounts_of(target);
}

/* `a` holds 16 pages, `b` has them from `a`; `a` or root takes single pages, and pays for what that divides. */
static void who_cuts_pays(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    uint32_t root = target->root_pd;
    uint32_t a = 0, b = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create_with(target, 1, 1, &a), ABI_OK);
    assert_int_equal(create_with(target, 2, 1, &b), ABI_OK);
    assert_int_equal(give(target, ABI_PHYS, 0, 4, 1, 0), ABI_OK);
    assert_int_equal(transfer(target, root, ABI_GRANT, ABI_OBJ, 2, 0, ALL_OBJ, 1, 2), ABI_OK);
    assert_int_equal(transfer(target, a, ABI_DELEGATE, ABI_MEM, 0, 4, RWX, 2, 0), ABI_OK);
    uint64_t cost = 4 * target->costs.node + 2 * target->costs.table;
    struct accounts before = accounts_of(target);
    assert_int_equal(take(target, ABI_PLACE_CAP, ABI_SELF, 0, 0, 1), ABI_OK);
    struct accounts after = accounts_of(target);
    assert_int_equal(after.used[root], before.used[root]);
    assert_int_equal(before.quota[root] - after.quota[root], 2 * cost);
    assert_int_equal(after.quota[a] - before.quota[a], cost);
    assert_int_equal(after.quota[b] - before.quota[b], cost);
    /* One node is gone again. */
    assert_int_equal(after.used[a] - before.used[a], cost - target->costs.node);
    assert_int_equal(revoke(target, a, ABI_MEM, ABI_CHILDREN, 5, 0), ABI_OK);
    before = accounts_of(target);
    assert_int_equal(before.quota[b] - after.quota[b], 2 * target->costs.node + target->costs.table);
    assert_int_equal(after.quota[a] - before.quota[a], 2 * target->costs.node + target->costs.table);
    /* Until `a` cannot pay any more: cuts are refused, and change nothing; what cuts nothing is not. */
    for (uint64_t page = 64; transfer(target, a, ABI_DELEGATE, ABI_MEM, 2, 0, RWX, TO_SELF, page) == ABI_OK;) {
        page += 2;
    }
    before = accounts_of(target);
    assert_int_equal(revoke(target, a, ABI_MEM, ABI_CHILDREN, 8, 0), ABI_E_MEM);
    after = accounts_of(target);
    assert_memory_equal(&after, &before, sizeof before);
    assert_int_equal(revoke(target, a, ABI_MEM, ABI_CHILDREN, 0, 4), ABI_OK);
    assert_node(target, b, ABI_MEM, 8, 8, 0, 0, 0);
}

/* ---- failing allocations ---- */

enum { PROBES = 5 };

/* Two PDs and mappings, so that each of the probes needs all that it may need. */
static void prepare_probes(const struct rescind_target *target) {
    uint32_t a = 0;
    target->boot(&hooks, 1, 0);
    assert_int_equal(create_with(target, 1, 2, &a), ABI_OK);
    fetch(target, ABI_MEM, 0, 4, 0);
    assert_int_equal(give(target, ABI_OWN, 0, 4, 1, 0), ABI_OK);
}

static uint64_t probe(const struct rescind_target *target, unsigned which) {
    uint32_t root = target->root_pd;
    switch (which) {
    case 0:
        return ask(target, root, ABI_CREATE_PD, 2, 1, 0, 0);
    case 1:
        return ask(target, root, ABI_CREATE_OBJECT, 2, 0, 0, 0);
    case 2:
        return transfer(target, root, ABI_DELEGATE, ABI_MEM, 0, 0, RWX, 1, 64);
    case 3:
        return transfer(target, root, ABI_GRANT, ABI_MEM, 5, 0, RWX, 1, 64);
    default:
        return revoke(target, root, ABI_MEM, ABI_SELF, 5, 0);
    }
}

static void each_allocation_may_fail_and_nothing_changes(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    const unsigned allocations[PROBES] = {2, 2, 1 + 3, 4 + 4 + 2 + 2 + 1 + 3, 4 + 4 + 2 + 2};
    uint32_t count = 0;
    for (unsigned which = 0; which < PROBES; which++) {
        prepare_probes(target);
        struct accounts accounts = accounts_of(target);
        struct rescind_usage usage = usage_of(target);
        for (uint32_t n = 1; n <= allocations[which]; n++) {
            target->fail_allocation(n);
            assert_int_equal(probe(target, which), ABI_E_MEM);
            struct accounts now = accounts_of(target);
            struct rescind_usage used = usage_of(target);
            assert_memory_equal(&now, &accounts, sizeof now);
            assert_same_usage(&used, &usage);
        }
        target->fail_allocation(allocations[which] + 1);
        assert_int_equal(probe(target, which), ABI_OK);
    }
    const struct rescind_site *sites = target->sites(&count);
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(sites[i].name);
        assert_true(sites[i].asked > sites[i].refused);
        assert_true(sites[i].refused > 0);
    }
}

static void what_allocates_nothing_never_fails(void **state) {
    (void)state;
    const struct rescind_target *target = &rescind_target_small;
    prepare_probes(target);
    target->fail_allocation(1);
    assert_int_equal(revoke(target, target->root_pd, ABI_MEM, ABI_CHILDREN, 0, 4), ABI_OK);
    target->fail_allocation(1);
    assert_int_equal(ask(target, target->root_pd, ABI_LOOKUP, 0, 0, 0, 0), ABI_OK);
    target->fail_allocation(1);
    assert_int_equal(move_quota(target, 0, 1, 1), ABI_OK);
    target->fail_allocation(1);
    assert_int_equal(ask(target, target->root_pd, ABI_DESTROY_PD, 0, 0, 1, 0), ABI_OK);
    /* The wish ends with the call that it was for. */
    assert_int_equal(ask(target, target->root_pd, ABI_CREATE_PD, 2, 1, 0, 0), ABI_OK);
}

/* Everything that can be bought with the whole quota: no pool runs out before the account does. */
static void accounts_run_out_before_pools(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        const struct rescind_target *target = targets[t];
        uint64_t ports = UINT64_C(1) << target->geometry.pio_log2;
        target->boot(&hooks, 1, 0);
        uint64_t code = ABI_OK;
        for (uint64_t page = 0; page < target->geometry.kernel_frame / 2 && code == ABI_OK; page++) {
            code = give(target, ABI_PHYS, 0, 0, ABI_ROOT_SELECTOR, page * 2);
        }
        for (uint64_t port = 0; port < ports / 2; port++) {
            uint64_t first = first_word(ABI_DELEGATE, ABI_PIO, 0, 1) | ABI_PHYS << ABI_PLACE_SHIFT;
            code = ask(target, target->root_pd, first, port * 2, port * 2, 0, 0);
        }
        struct rescind_pd_view root = view_of(target, target->root_pd);
        assert_true(code == ABI_OK || root.quota - root.used < target->costs.node);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_revoke_costs_the_same_for_any_number_of_sharers),
        cmocka_unit_test(create_beyond_the_last_pd_is_refused),
        cmocka_unit_test(pages_become_a_large_leaf_and_back),
        cmocka_unit_test(lookup_among_many_nodes_takes_logarithmic_steps),
        cmocka_unit_test(a_chain_of_pds_dies_with_its_head),
        cmocka_unit_test(bits_that_an_operation_does_not_use_are_refused),
        cmocka_unit_test(a_delegate_of_many_pieces_counts_shared_tables_once),
        cmocka_unit_test(other_words_come_back_as_they_were),
        cmocka_unit_test(a_call_by_a_dead_pd_is_an_assertion),
        cmocka_unit_test(a_store_to_a_free_table_is_found),
        cmocka_unit_test(the_port_bitmap_follows_the_mappings),
        cmocka_unit_test(ports_keep_their_numbers),
        cmocka_unit_test(an_object_dies_with_its_last_capability),
        cmocka_unit_test(a_plain_object_is_no_pd),
        cmocka_unit_test(a_grant_takes_the_place_in_the_tree),
        cmocka_unit_test(a_grant_of_a_part_splits_what_is_nested),
        cmocka_unit_test(a_grant_of_what_derives_from_each_other),
        cmocka_unit_test(a_grant_to_oneself_moves_within_the_space),
        cmocka_unit_test(a_pd_pays_for_itself_and_its_payer_inherits),
        cmocka_unit_test(quota_moves_between_pds),
        cmocka_unit_test(who_cuts_pays),
        cmocka_unit_test(each_allocation_may_fail_and_nothing_changes),
        cmocka_unit_test(what_allocates_nothing_never_fails),
        cmocka_unit_test(accounts_run_out_before_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
