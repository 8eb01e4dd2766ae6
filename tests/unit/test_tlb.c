/*
 * Several CPUs and what they remember, through the target interface: after every operation no CPU may use what is gone,
 * and no CPU is bothered without need.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/target.h"

extern const struct rescind_target rescind_target_small, rescind_target_real;

enum { R = ABI_R, RW = ABI_R | ABI_W, RWX = ABI_MEM_RIGHTS, CPUS = 4 };

static jmp_buf stopped;
static bool stop_expected;
static enum rescind_stop stop_reason;

static void on_stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)context;
    if (!stop_expected) {
        fail_msg("the kernel stopped (%d) in %s: %s", (int)why, function, text);
    }
    stop_expected = false;
    stop_reason = why;
    longjmp(stopped, 1);
}

static const struct rescind_hooks hooks = {.stop = on_stop};

/* The target under test, and where its calls execute. */
static const struct rescind_target *target;
static uint32_t on_cpu;

static void start(const struct rescind_target *which, uint32_t cpus) {
    target = which;
    on_cpu = 0;
    target->boot(&hooks, cpus, 0);
}

static uint64_t call(uint32_t pd, const uint64_t words[ABI_WORDS]) {
    uint64_t word[ABI_WORDS];
    __builtin_memcpy(word, words, sizeof word);
    target->call(on_cpu, pd, word);
    return word[0];
}

static struct rescind_log last_log(void) {
    struct rescind_log log;
    target->log(&log);
    return log;
}

static void assert_costs(uint32_t invalidations, uint32_t shootdowns) {
    struct rescind_log log = last_log();
    assert_int_equal(log.invalidations, invalidations);
    assert_int_equal(log.shootdowns, shootdowns);
}

static uint32_t create(uint64_t selector) {
    uint64_t words[ABI_WORDS] = {ABI_CREATE_PD, selector, target->geometry.quota_pages / 32, ABI_ROOT_SELECTOR};
    assert_int_equal(call(target->root_pd, words), ABI_OK);
    return last_log().pds[0];
}

static uint64_t word0(unsigned operation, unsigned place, unsigned scope, unsigned order, unsigned mask) {
    return operation | (uint64_t)place << ABI_PLACE_SHIFT | (uint64_t)scope << ABI_SCOPE_SHIFT |
           (uint64_t)order << ABI_ORDER_SHIFT | (uint64_t)mask << ABI_MASK_SHIFT;
}

/* Root delegates PHYS frames, all rights, to the PD at a selector. */
static void give(uint64_t frame, unsigned order, uint64_t selector, uint64_t to) {
    uint64_t first = word0(ABI_DELEGATE, ABI_PHYS, 0, order, RWX) | (uint64_t)1 << ABI_TO_CAP_SHIFT;
    assert_int_equal(call(target->root_pd, (uint64_t[ABI_WORDS]){first, frame, to, selector}), ABI_OK);
}

/* Root takes rights of PHYS frames from whoever has them. */
static void take(uint64_t frame, unsigned order, unsigned mask) {
    uint64_t first = word0(ABI_REVOKE, ABI_PHYS, ABI_CHILDREN, order, mask);
    assert_int_equal(call(target->root_pd, (uint64_t[ABI_WORDS]){first, frame}), ABI_OK);
}

static void destroy(uint64_t selector) {
    assert_int_equal(call(target->root_pd, (uint64_t[ABI_WORDS]){ABI_DESTROY_PD, 0, 0, selector}), ABI_OK);
}

static bool reads(uint32_t cpu, uint64_t unit, uint64_t frame) {
    uint64_t resource = 0;
    bool done = target->access(cpu, ABI_MEM, unit, R, &resource);
    assert_true(!done || resource == frame);
    return done;
}

static bool writes(uint32_t cpu, uint64_t unit) {
    uint64_t resource = 0;
    return target->access(cpu, ABI_MEM, unit, ABI_W, &resource);
}

/* How many translations a CPU keeps for that PD (RESCIND_NONE: for nobody). */
static unsigned kept(uint32_t cpu, uint32_t pd, bool walk) {
    unsigned count = 0;
    for (uint32_t place = 0; place < target->cached_limit; place++) {
        struct rescind_cached cached;
        count += target->cached(cpu, place, &cached) && cached.pd == pd && cached.walk == walk;
    }
    return count;
}

/* ---- what page tables say, decoded once more ---- */

struct truth {
    uint64_t frame, table[8]; /* of each level, or 0 */
    unsigned rights;          /* 0: not mapped */
};

static struct truth truth_of(uint32_t pd, uint64_t unit) {
    struct truth truth = {.rights = RWX};
    struct rescind_pd_view view;
    assert_true(target->pd(pd, &view));
    uint64_t physical = view.root_table;
    for (unsigned level = target->geometry.levels - 1U;; level--) {
        unsigned shift = level * target->geometry.level_bits;
        const uint64_t *table = target->table(physical);
        assert_non_null(table);
        truth.table[level] = physical >> 12;
        uint64_t entry = table[unit >> shift & ((1U << target->geometry.level_bits) - 1)];
        if (!(entry & 1)) {
            truth.rights = 0;
            return truth;
        }
        truth.rights &= ~((entry & 2 ? 0U : ABI_W) | (entry >> 63 ? ABI_X : 0U));
        physical = entry & UINT64_C(0x000ffffffffff000);
        if (level == 0 || entry & 0x80) {
            truth.frame = (physical >> 12) + (unit & ((UINT64_C(1) << shift) - 1));
            return truth;
        }
    }
}

/* No CPU may use anything that is not so: O6. Small geometry, where every unit can be looked at. */
static void assert_nothing_stale(uint32_t cpus) {
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        for (uint32_t place = 0; place < target->cached_limit; place++) {
            struct rescind_cached cached;
            if (!target->cached(cpu, place, &cached) || cached.pd == RESCIND_NONE) {
                continue;
            }
            if (cached.walk) {
                assert_int_equal(truth_of(cached.pd, cached.unit).table[cached.level], cached.frame);
                continue;
            }
            for (uint64_t i = 0; i < UINT64_C(1) << (cached.level * target->geometry.level_bits); i++) {
                struct truth truth = truth_of(cached.pd, cached.unit + i);
                assert_int_equal(truth.frame, cached.frame + i);
                assert_int_equal(cached.rights & ~truth.rights, 0);
            }
        }
    }
}

/* ---- access ---- */

static void a_cpu_translates_as_the_tables_say(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        start(targets[t], CPUS);
        uint64_t resource = 0;
        assert_int_equal(target->runs(0), target->root_pd);
        assert_int_equal(target->runs(3), RESCIND_NONE);
        assert_false(reads(0, 5, 0));
        give(0x11, 0, ABI_ROOT_SELECTOR, 5);
        assert_true(reads(0, 5, 0x11));
        assert_false(reads(3, 5, 0x11));
        assert_true(writes(0, 5));
        assert_false(target->access(0, ABI_MEM, UINT64_C(1) << target->geometry.mem_log2, R, &resource));
        assert_false(target->access(0, ABI_OBJ, 0, R, &resource));
        assert_int_equal(kept(0, target->root_pd, false), 1);
        assert_int_equal(kept(0, target->root_pd, true), target->geometry.levels - 1);
        uint64_t large = UINT64_C(2) << target->geometry.level_bits;
        give(large, target->geometry.level_bits, ABI_ROOT_SELECTOR, large);
        assert_true(reads(0, large + 2, large + 2));
        assert_true(reads(0, large + 3, large + 3));
        assert_int_equal(kept(0, target->root_pd, false), 2);
    }
}

static void more_translations_than_a_tlb_holds(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        start(targets[t], 1);
        for (uint64_t i = 0; i < 100; i++) {
            give(i * 2, 0, ABI_ROOT_SELECTOR, i * 2);
        }
        for (uint64_t i = 0; i < 300; i++) {
            assert_true(reads(0, i % 100 * 2, i % 100 * 2));
        }
        assert_int_equal(kept(0, target->root_pd, false), t ? 64 : 16);
    }
}

static void ports_are_those_of_the_pd_that_runs(void **state) {
    (void)state;
    start(&rescind_target_small, 2);
    uint32_t pd = create(1);
    uint64_t first =
        word0(ABI_DELEGATE, ABI_PHYS, 0, 1, 1) | (uint64_t)ABI_PIO << ABI_KIND_SHIFT | (uint64_t)1 << ABI_TO_CAP_SHIFT;
    assert_int_equal(call(target->root_pd, (uint64_t[ABI_WORDS]){first, 0x60, 0x60, 1}), ABI_OK);
    uint64_t port = 0;
    assert_false(target->access(0, ABI_PIO, 0x60, 1, &port));
    assert_false(target->access(1, ABI_PIO, 0x60, 1, &port));
    target->switch_to(1, pd);
    assert_true(target->access(1, ABI_PIO, 0x61, 1, &port));
    assert_int_equal(port, 0x61);
    assert_false(target->access(1, ABI_PIO, 0x62, 1, &port));
    assert_false(target->access(1, ABI_PIO, 1 << target->geometry.pio_log2, 1, &port));
    destroy(1);
    assert_false(target->access(1, ABI_PIO, 0x61, 1, &port));
}

/* ---- what has to go, goes ---- */

static void a_revoke_reaches_the_cpu_that_executes_it(void **state) {
    (void)state;
    start(&rescind_target_small, CPUS);
    give(3, 0, ABI_ROOT_SELECTOR, 9);
    assert_true(writes(0, 9));
    take(3, 0, ABI_W);
    assert_costs(1, 0);
    assert_false(writes(0, 9));
    assert_true(reads(0, 9, 3));
    take(3, 0, RWX);
    assert_costs(1, 0);
    assert_false(reads(0, 9, 3));
}

static void a_revoke_reaches_other_cpus(void **state) {
    (void)state;
    start(&rescind_target_small, CPUS);
    uint32_t pd = create(1);
    give(3, 0, 1, 9);
    for (uint32_t cpu = 1; cpu < CPUS; cpu++) {
        target->switch_to(cpu, pd);
        assert_true(writes(cpu, 9));
    }
    take(3, 0, ABI_W);
    assert_costs(0, 3);
    for (uint32_t cpu = 1; cpu < CPUS; cpu++) {
        assert_false(writes(cpu, 9));
        assert_true(reads(cpu, 9, 3));
    }
    on_cpu = 2;
    take(3, 0, RWX);
    assert_costs(1, 2);
    for (uint32_t cpu = 1; cpu < CPUS; cpu++) {
        assert_false(reads(cpu, 9, 3));
    }
}

static void a_pd_that_does_not_run_loses_its_tag(void **state) {
    (void)state;
    start(&rescind_target_small, CPUS);
    uint32_t pd = create(1);
    give(3, 0, 1, 9);
    target->switch_to(1, pd);
    assert_true(reads(1, 9, 3));
    target->switch_to(1, target->root_pd);
    assert_int_equal(kept(1, pd, false), 1);
    target->switch_to(1, pd);
    assert_int_equal(kept(1, pd, false), 1);
    target->switch_to(1, target->root_pd);
    take(3, 0, RWX);
    assert_costs(0, 0);
    assert_int_equal(kept(1, pd, false), 0);
    assert_int_equal(kept(1, RESCIND_NONE, false), 1);
    target->switch_to(1, pd);
    assert_int_equal(kept(1, RESCIND_NONE, false), 0);
    assert_false(reads(1, 9, 3));
}

/* It keeps its translations, and gets nothing by them. */
static void a_cpu_that_stops_runs_nobody(void **state) {
    (void)state;
    start(&rescind_target_small, 2);
    uint32_t pd = create(1);
    give(3, 0, 1, 9);
    target->switch_to(1, RESCIND_NONE);
    target->switch_to(1, pd);
    assert_true(reads(1, 9, 3));
    target->switch_to(1, RESCIND_NONE);
    assert_int_equal(target->runs(1), RESCIND_NONE);
    assert_false(reads(1, 9, 3));
    target->switch_to(1, pd);
    assert_int_equal(kept(1, pd, false), 1);
    assert_true(reads(1, 9, 3));
    target->switch_to(1, RESCIND_NONE);
    take(3, 0, RWX);
    assert_costs(0, 0);
    target->switch_to(1, pd);
    assert_false(reads(1, 9, 3));
}

/* The least recently used tag is flushed before another PD gets it. */
static void tags_are_recycled(void **state) {
    (void)state;
    start(&rescind_target_small, 2);
    uint32_t pd[3];
    for (uint64_t i = 0; i < 3; i++) {
        pd[i] = create(i + 1);
        give(0x10 * i, 0, i + 1, 9);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3; i++) {
            target->switch_to(1, pd[i]);
            assert_int_equal(kept(1, pd[i], false), 0);
            assert_true(reads(1, 9, 0x10 * i));
            assert_nothing_stale(2);
        }
    }
    target->switch_to(1, pd[1]);
    assert_int_equal(kept(1, pd[1], false), 1);
    target->switch_to(1, pd[0]);
    assert_int_equal(kept(1, pd[0], false), 0);
    assert_int_equal(kept(1, pd[1], false), 1);
    assert_int_equal(kept(1, pd[2], false), 0);
}

static void a_large_translation_goes_with_any_part(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        start(targets[t], 2);
        unsigned order = 2U * target->geometry.level_bits;
        uint64_t base = UINT64_C(1) << order;
        uint32_t pd = create(1);
        target->switch_to(1, pd);
        give(0, order, 1, base);
        assert_true(reads(1, base + 1, 1));
        take(6, 0, RWX);
        assert_costs(0, 1);
        assert_false(reads(1, base + 6, 6));
        assert_true(reads(1, base + 7, 7));
        take(7, 0, ABI_W);
        assert_false(writes(1, base + 7));
        assert_true(writes(1, base + 5));
    }
}

/* Pages become one leaf: what the CPU keeps of the pages would not be found when the leaf goes. */
static void small_translations_do_not_survive_a_join(void **state) {
    (void)state;
    const struct rescind_target *targets[] = {&rescind_target_small, &rescind_target_real};
    for (unsigned t = 0; t < 2; t++) {
        start(targets[t], 2);
        unsigned order = target->geometry.level_bits;
        uint64_t last = (UINT64_C(1) << order) - 1;
        uint32_t pd = create(1);
        target->switch_to(1, pd);
        for (uint64_t i = 0; i < last; i++) {
            give(i, 0, 1, i);
            assert_costs(0, 0);
            assert_true(reads(1, i, i));
        }
        assert_true(kept(1, pd, true) > 0);
        give(last, 0, 1, last);
        assert_costs(0, 1); /* a table was freed */
        assert_int_equal(kept(1, pd, true), 0);
        assert_int_equal(kept(1, pd, false), 0);
        take(0, order, RWX);
        assert_costs(0, 1);
        for (uint64_t i = 0; i <= last; i++) {
            assert_false(reads(1, i, i));
        }
    }
}

static void a_new_table_is_walked_after_the_old_one_went(void **state) {
    (void)state;
    start(&rescind_target_small, 2);
    uint32_t pd = create(1);
    target->switch_to(1, pd);
    give(1, 0, 1, 1);
    assert_true(reads(1, 1, 1));
    take(1, 0, RWX);
    give(2, 0, ABI_ROOT_SELECTOR, 0x80); /* takes the tables freed */
    give(8, 0, 1, 0);
    assert_true(reads(1, 0, 8));
    assert_false(reads(1, 1, 1));
    give(4, 2, 1, 4);
    assert_true(reads(1, 5, 5));
}

static void a_move_reaches_other_cpus(void **state) {
    (void)state;
    start(&rescind_target_small, 2);
    uint32_t pd = create(1);
    give(1, 0, ABI_ROOT_SELECTOR, 1);
    target->switch_to(1, target->root_pd);
    assert_true(reads(1, 1, 1));
    uint64_t first = word0(ABI_GRANT, ABI_OWN, 0, 0, R) | (uint64_t)1 << ABI_TO_CAP_SHIFT;
    assert_int_equal(call(target->root_pd, (uint64_t[ABI_WORDS]){first, 1, 7, 1}), ABI_OK);
    assert_costs(1, 1); /* once for the rights and the unit together */
    assert_false(reads(1, 1, 1));
    target->switch_to(1, pd);
    assert_true(reads(1, 7, 1));
    assert_false(writes(1, 7));
}

static void a_cpu_that_ran_a_destroyed_pd_runs_none(void **state) {
    (void)state;
    start(&rescind_target_small, CPUS);
    uint32_t pd = create(1);
    give(0, 3, 1, 0);
    target->switch_to(1, pd);
    target->switch_to(2, pd);
    assert_true(reads(1, 1, 1));
    assert_true(reads(2, 1, 1));
    target->switch_to(2, target->root_pd);
    destroy(1);
    assert_costs(0, 1);
    assert_int_equal(target->runs(1), RESCIND_NONE);
    assert_int_equal(target->runs(2), target->root_pd);
    assert_false(reads(1, 1, 1));
    assert_int_equal(kept(1, pd, false) + kept(2, pd, false), 0);
    assert_int_equal(create(1), pd);
    target->switch_to(1, pd);
    target->switch_to(2, pd);
    assert_false(reads(1, 1, 1));
    assert_false(reads(2, 1, 1));
    on_cpu = 2;
    destroy(1);
    assert_costs(0, 1);
    assert_int_equal(target->runs(2), RESCIND_NONE);
}

/* ---- no more than needed ---- */

static void requests_are_batched(void **state) {
    (void)state;
    start(&rescind_target_small, CPUS);
    uint32_t pd = create(1);
    for (uint64_t i = 0; i < 8; i++) {
        give(2 * i, 0, 1, 2 * i);
        give(2 * i, 0, ABI_ROOT_SELECTOR, 2 * i);
    }
    target->switch_to(1, pd);
    target->switch_to(2, pd);
    target->switch_to(3, target->root_pd);
    take(0, 2, RWX); /* two pages each */
    assert_costs(2, 3);
    take(4, 2, ABI_W);
    assert_costs(2, 3);
    take(0, 4, RWX); /* six: everything at once */
    assert_costs(1, 3);
}

static void nobody_is_bothered_without_need(void **state) {
    (void)state;
    start(&rescind_target_small, CPUS);
    uint32_t pd = create(1);
    target->switch_to(2, pd);
    create(2);
    /* No CPU has a tag for it. */
    give(0, 4, 2, 0);
    take(0, 4, ABI_W);
    assert_costs(0, 0);
    take(1, 0, RWX);
    assert_costs(0, 0);
    take(0, 4, RWX);
    assert_costs(0, 0);
    /* New translations. */
    give(0x20, 4, 1, 0x20);
    assert_costs(0, 0);
    give(0x30, 1, 1, 0);
    assert_costs(0, 0);
    give(0x40, 4, ABI_ROOT_SELECTOR, 0x40);
    assert_costs(0, 0);
    /* A revoke of what nobody has, of rights that nobody has, and one that is refused. */
    take(0x80, 4, RWX);
    assert_costs(0, 0);
    take(0x20, 4, ABI_W);
    assert_costs(0, 1);
    take(0x20, 4, ABI_W);
    assert_costs(0, 0);
    assert_int_not_equal(call(pd, (uint64_t[ABI_WORDS]){word0(ABI_REVOKE, ABI_PHYS, 0, 8, RWX)}), ABI_OK);
    assert_costs(0, 0);
    uint64_t words[ABI_WORDS] = {ABI_LOOKUP, 0x20};
    assert_int_equal(call(pd, words), ABI_OK);
    assert_costs(0, 0);
    destroy(2);
    assert_costs(0, 0);
}

/* ---- a table that is freed too early ---- */

/* PD 1's table becomes part of root's space too, behind the kernel's back; so the kernel frees it without a word to
 * CPUs that run root. */
static void free_a_shared_table(uint32_t runs_root) {
    uint32_t pd = create(1);
    give(1, 0, 1, 0x41);
    give(2, 0, ABI_ROOT_SELECTOR, 1);
    target->switch_to(runs_root, target->root_pd);
    struct rescind_pd_view view;
    assert_true(target->pd(target->root_pd, &view));
    uint64_t *root_table = (uint64_t *)(uintptr_t)target->table(view.root_table);
    root_table[1] = truth_of(pd, 0x41).table[2] << 12 | 7;
    assert_true(reads(runs_root, 0x41, 1));
    root_table[1] = 0;
    take(1, 0, RWX);
}

static enum rescind_stop stop_of_shared_table(uint32_t runs_root) {
    start(&rescind_target_small, 2);
    stop_expected = true;
    stop_reason = 0;
    if (!setjmp(stopped)) {
        free_a_shared_table(runs_root);
        fail_msg("the kernel went on");
    }
    return stop_reason;
}

static void a_table_freed_while_a_cpu_may_walk_it_stops(void **state) {
    (void)state;
    assert_int_equal(stop_of_shared_table(0), RESCIND_STOP_WALK);
    assert_int_equal(stop_of_shared_table(1), RESCIND_STOP_WALK);
    start(&rescind_target_small, 2);
    assert_int_equal(kept(0, target->root_pd, true), 0);
}

/* ---- CPUs that translate on their own account ---- */

struct random {
    uint64_t state;
};

static uint64_t below(struct random *random, uint64_t limit) {
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random->state >> 33) % limit;
}

static uint32_t random_pd(struct random *random) {
    struct rescind_pd_view view;
    for (;;) {
        uint32_t pd = (uint32_t)below(random, target->pd_limit);
        if (target->pd(pd, &view)) {
            return pd;
        }
    }
}

static uint64_t random_base(struct random *random, unsigned order) {
    return below(random, 32) >> order << order;
}

/* One operation, often on the same few pages; selectors 1..5 name PDs, in every PD as far as it has them. */
static void random_operation(struct random *random) {
    static const unsigned operations[] = {ABI_DELEGATE, ABI_DELEGATE, ABI_DELEGATE,  ABI_REVOKE,
                                          ABI_REVOKE,   ABI_GRANT,    ABI_CREATE_PD, ABI_DESTROY_PD};
    static const unsigned orders[] = {0, 0, 1, 2, 2, 3, 4};
    static const unsigned masks[] = {RWX, RWX, RWX, RW, R, ABI_W, ABI_X};
    unsigned operation = operations[below(random, 8)];
    unsigned order = orders[below(random, 7)];
    bool revokes = operation == ABI_REVOKE;
    bool moves = operation == ABI_DELEGATE || operation == ABI_GRANT;
    unsigned place = operation == ABI_GRANT ? ABI_OWN : (unsigned)below(random, revokes ? 3 : 2);
    unsigned scope = place == ABI_PHYS || !revokes ? 0 : (unsigned)below(random, 3);
    uint32_t pd = below(random, 2) ? target->root_pd : random_pd(random);
    uint64_t word[ABI_WORDS] = {operation, 1 + below(random, 5), 1, below(random, 6)};
    if (revokes || moves) {
        word[0] = word0(operation, place, scope, order, masks[below(random, 7)]);
        word[1] = random_base(random, order);
        word[2] = revokes || below(random, 2) ? word[1] : random_base(random, order); /* equal: leaves get joined */
    }
    if (moves) {
        word[0] |= below(random, 3) << ABI_TO_CAP_SHIFT & 1 << ABI_TO_CAP_SHIFT;
    } else if (operation == ABI_DESTROY_PD && below(random, 3) > 0) {
        return;
    }
    if (operation == ABI_CREATE_PD) {
        word[3] = ABI_ROOT_SELECTOR;
    }
    call(pd, word);
}

static void random_access(struct random *random, uint32_t cpus) {
    uint32_t cpu = (uint32_t)below(random, cpus);
    uint64_t unit = below(random, 40);
    unsigned rights = R | (unsigned)below(random, 8);
    uint64_t frame = 0;
    bool done = target->access(cpu, ABI_MEM, unit, (uint8_t)rights, &frame);
    if (target->runs(cpu) == RESCIND_NONE) {
        assert_false(done);
        return;
    }
    struct truth truth = truth_of(target->runs(cpu), unit);
    assert_int_equal(done, truth.rights && (rights & ~truth.rights) == 0);
    assert_true(!done || frame == truth.frame);
}

/* Number of CPUs' translations, mixed with which they are; of a run that is random but for its seed. */
static uint64_t random_run(uint64_t seed, uint32_t cpus, uint64_t speculation, unsigned operations) {
    struct random random = {seed};
    uint64_t digest = 0;
    target = &rescind_target_small;
    target->boot(&hooks, cpus, speculation);
    for (unsigned i = 0; i < operations; i++) {
        on_cpu = (uint32_t)below(&random, cpus);
        random_operation(&random);
        assert_nothing_stale(cpus);
        if (below(&random, 3) == 0) {
            target->switch_to((uint32_t)below(&random, cpus), random_pd(&random));
            assert_nothing_stale(cpus);
        }
        for (unsigned k = 0; k < 4; k++) {
            random_access(&random, cpus);
        }
        for (uint32_t place = 0; place < target->cached_limit; place++) {
            struct rescind_cached cached;
            if (target->cached(cpus - 1, place, &cached)) {
                digest = digest * 31 + cached.unit * 7 + cached.frame * 3 + place + 1;
            }
        }
    }
    return digest;
}

static void no_cpu_uses_what_is_gone(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        random_run(seed, 1 + (uint32_t)seed % CPUS, seed % 3 ? seed : 0, 500);
    }
}

static void speculation_is_deterministic(void **state) {
    (void)state;
    uint64_t digest = random_run(7, CPUS, 99, 300);
    random_run(8, CPUS, 5, 200);
    assert_true(random_run(7, CPUS, 99, 300) == digest);
    assert_false(random_run(7, CPUS, 98, 300) == digest);
    assert_false(random_run(7, CPUS, 0, 300) == digest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_translates_as_the_tables_say),
        cmocka_unit_test(more_translations_than_a_tlb_holds),
        cmocka_unit_test(ports_are_those_of_the_pd_that_runs),
        cmocka_unit_test(a_revoke_reaches_the_cpu_that_executes_it),
        cmocka_unit_test(a_revoke_reaches_other_cpus),
        cmocka_unit_test(a_pd_that_does_not_run_loses_its_tag),
        cmocka_unit_test(a_cpu_that_stops_runs_nobody),
        cmocka_unit_test(tags_are_recycled),
        cmocka_unit_test(a_large_translation_goes_with_any_part),
        cmocka_unit_test(small_translations_do_not_survive_a_join),
        cmocka_unit_test(a_new_table_is_walked_after_the_old_one_went),
        cmocka_unit_test(a_move_reaches_other_cpus),
        cmocka_unit_test(a_cpu_that_ran_a_destroyed_pd_runs_none),
        cmocka_unit_test(requests_are_batched),
        cmocka_unit_test(nobody_is_bothered_without_need),
        cmocka_unit_test(a_table_freed_while_a_cpu_may_walk_it_stops),
        cmocka_unit_test(no_cpu_uses_what_is_gone),
        cmocka_unit_test(speculation_is_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
