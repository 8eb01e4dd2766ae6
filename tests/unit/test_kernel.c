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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
