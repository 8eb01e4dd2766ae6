/*
 * The oracle while operations are in progress (semantics, section 3, "Preemption"): what is uncertain, which answers
 * fit, and that all is exact again when they have returned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "oracle/oracle.h"
#include "seq/seq.h"

enum { PDS = 16, OBJECTS = 5, MAPPINGS = PDS * (256 + 256 + 64) + 240 + 256 };
enum { ROOT = ORACLE_ROOT, A = 2, B = 3, ALL_MEM = ABI_MEM_RIGHTS, ALL_OBJ = ABI_OBJ_RIGHTS };
static const struct oracle_geometry small = {8, 8, 6, 8, 240, PDS, OBJECTS, 7};

static struct oracle *new_oracle(void) {
    const size_t size = (oracle_size(&small, MAPPINGS) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    return oracle_init(memory, size, &small, &oracle_policy_exact, MAPPINGS);
}

static int set_up(void **state) {
    *state = new_oracle();
    return 0;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

/* ---- calls ---- */

static struct oracle_call create(uint32_t caller, uint64_t selector) {
    return (struct oracle_call){
        .operation = ABI_CREATE_PD, .caller = caller, .base = selector, .destination = 7, .pd_selector = 0};
}

static struct oracle_call delegate(uint32_t caller, uint8_t kind, uint8_t place, uint64_t base, uint8_t order,
                                   uint64_t to, uint64_t at, uint8_t mask) {
    return (struct oracle_call){.operation = ABI_DELEGATE,
                                .caller = caller,
                                .kind = kind,
                                .place = place,
                                .order = order,
                                .mask = mask,
                                .to_cap = true,
                                .base = base,
                                .destination = at,
                                .pd_selector = to};
}

static struct oracle_call revoke(uint32_t caller, uint8_t kind, uint8_t scope, uint64_t base, uint8_t order,
                                 uint8_t mask) {
    return (struct oracle_call){.operation = ABI_REVOKE,
                                .caller = caller,
                                .kind = kind,
                                .scope = scope,
                                .order = order,
                                .mask = mask,
                                .base = base};
}

static struct oracle_call lookup(uint32_t caller, uint8_t kind, uint64_t unit) {
    return (struct oracle_call){.operation = ABI_LOOKUP, .caller = caller, .kind = kind, .base = unit};
}

static void done(struct oracle *o, struct oracle_call call) {
    assert_int_equal(oracle_decide(o, &call).code, ABI_OK);
    assert_true(oracle_commit(o, &call));
}

static uint32_t begun(struct oracle *o, struct oracle_call call) {
    assert_int_equal(oracle_decide(o, &call).code, ABI_OK);
    return oracle_begin(o, &call);
}

static bool none_made(void *context, const struct oracle_mapping *child, const struct oracle_mapping *parent) {
    (void)context;
    (void)child;
    (void)parent;
    return false;
}

static bool all_made(void *context, const struct oracle_mapping *child, const struct oracle_mapping *parent) {
    (void)none_made(context, child, parent);
    return true;
}

static enum oracle_fit fits(struct oracle *o, struct oracle_call call, enum abi_code code, uint64_t value,
                            oracle_made *made) {
    struct oracle_result result = oracle_decide(o, &call);
    return oracle_fits(o, &call, &result, code, value, made, NULL);
}

/* Root's pages 0x10..0x13 are A's and B's, at selectors 1 and 2; A can delegate into B by its selector 2. */
static void usual_world(struct oracle *o) {
    done(o, create(ROOT, 1));
    done(o, create(ROOT, 2));
    done(o, delegate(ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 2, ALL_OBJ));
    done(o, delegate(ROOT, ABI_MEM, ABI_PHYS, 0x10, 2, 1, 0x40, ALL_MEM));
    done(o, delegate(A, ABI_MEM, ABI_OWN, 0x40, 1, 2, 0x80, ABI_R | ABI_W));
}

/* ---- what is uncertain ---- */

static void test_covered_until_returned(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 0, ALL_MEM));
    assert_true(oracle_is_between(o));
    assert_true(oracle_uncertain(oracle_at(o, A, ABI_MEM, 0x40)));
    assert_true(oracle_uncertain(oracle_at(o, B, ABI_MEM, 0x80)));
    assert_false(oracle_uncertain(oracle_at(o, A, ABI_MEM, 0x41)));
    assert_false(oracle_uncertain(oracle_at(o, B, ABI_MEM, 0x81)));
    oracle_end(o, number);
    assert_false(oracle_is_between(o));
    assert_null(oracle_at(o, A, ABI_MEM, 0x40));
    assert_null(oracle_at(o, B, ABI_MEM, 0x80));
    assert_false(oracle_uncertain(oracle_at(o, A, ABI_MEM, 0x41)));
}

static void count_shared(void *context, const struct oracle_mapping *mapping) {
    (void)mapping;
    ++*(unsigned *)context;
}

static unsigned shared_by(struct oracle *o, struct oracle_call call) {
    unsigned count = 0;
    assert_int_equal(oracle_decide(o, &call).code, ABI_OK);
    oracle_each_shared(o, &call, count_shared, &count);
    return count;
}

/* What two operations cover, each mapping once. */
static void test_shared_by_two(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const struct oracle_call destroy = {.operation = ABI_DESTROY_PD, .caller = ROOT, .pd_selector = 1};
    struct oracle_call above = revoke(ROOT, ABI_MEM, ABI_CHILDREN, 0x10, 0, ALL_MEM);
    above.place = ABI_PHYS;
    assert_int_equal(shared_by(o, above), 0);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 0, ALL_MEM));
    assert_int_equal(shared_by(o, above), 2);
    assert_int_equal(shared_by(o, revoke(A, ABI_MEM, ABI_CHILDREN, 0x40, 1, ALL_MEM)), 1);
    assert_int_equal(shared_by(o, revoke(A, ABI_MEM, ABI_SELF, 0x41, 0, ALL_MEM)), 0);
    assert_int_equal(shared_by(o, destroy), 2);
    oracle_end(o, number);
    assert_int_equal(shared_by(o, destroy), 0);
}

static void test_new_child_of_a_unit_that_stays_is_not_covered(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_CHILDREN, 0x40, 1, ALL_MEM));
    struct oracle_call again = delegate(A, ABI_MEM, ABI_OWN, 0x40, 0, 2, 0x90, ABI_R);
    assert_int_equal(fits(o, again, ABI_OK, 1, none_made), ORACLE_FITS);
    assert_true(oracle_commit(o, &again));
    assert_false(oracle_uncertain(oracle_at(o, B, ABI_MEM, 0x90)));
    oracle_end(o, number);
    assert_non_null(oracle_at(o, B, ABI_MEM, 0x90));
    assert_null(oracle_at(o, B, ABI_MEM, 0x80));
}

static void test_what_derives_from_covered_is_covered(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 1, ABI_W));
    struct oracle_call derive = delegate(A, ABI_MEM, ABI_OWN, 0x40, 1, 2, 0x90, ABI_R | ABI_W);
    assert_int_equal(fits(o, derive, ABI_OK, 1, none_made), ORACLE_WRONG_VALUE);
    assert_int_equal(fits(o, derive, ABI_OK, 0, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, derive, ABI_OK, 2, all_made), ORACLE_FITS);
    assert_true(oracle_commit(o, &derive));
    assert_true(oracle_uncertain(oracle_at(o, B, ABI_MEM, 0x91)));
    oracle_end(o, number);
    assert_int_equal(oracle_at(o, B, ABI_MEM, 0x91)->rights, ABI_R);
}

/* ---- answers ---- */

static void test_answers_while_in_progress(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 0, ALL_MEM));
    const uint64_t order0 = ALL_MEM, order2 = ALL_MEM | 2 << ABI_VALUE_ORDER_SHIFT;
    assert_int_equal(fits(o, lookup(A, ABI_MEM, 0x40), ABI_OK, 0, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, lookup(A, ABI_MEM, 0x40), ABI_OK, order2, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, lookup(A, ABI_MEM, 0x41), ABI_OK, 0, none_made), ORACLE_WRONG_VALUE);
    assert_int_equal(fits(o, lookup(A, ABI_MEM, 0x41), ABI_OK, order0, none_made), ORACLE_FITS);
    /* Onto a covered unit: occupied, or free. */
    struct oracle_call onto = delegate(ROOT, ABI_MEM, ABI_PHYS, 0x20, 0, 1, 0x40, ABI_R);
    assert_int_equal(fits(o, onto, ABI_E_OVERLAP, 0, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, onto, ABI_OK, 1, none_made), ORACLE_FITS);
    onto.destination = 0x41;
    assert_int_equal(fits(o, onto, ABI_OK, 1, none_made), ORACLE_WRONG_CODE);
    /* A covered mapping is not granted; another one must be. */
    struct oracle_call grant = delegate(A, ABI_MEM, ABI_OWN, 0x40, 0, 2, 0x90, ALL_MEM);
    grant.operation = ABI_GRANT;
    assert_int_equal(fits(o, grant, ABI_E_DEAD, 0, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, grant, ABI_OK, 1, all_made), ORACLE_WRONG_VALUE);
    grant.base = 0x41;
    assert_int_equal(fits(o, grant, ABI_E_DEAD, 0, none_made), ORACLE_WRONG_CODE);
    assert_int_equal(fits(o, grant, ABI_OK, 1, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, revoke(A, ABI_MEM, ABI_DROP, 0x40, 0, 0), ABI_E_DEAD, 0, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, revoke(A, ABI_MEM, ABI_DROP, 0x41, 0, 0), ABI_E_DEAD, 0, none_made), ORACLE_WRONG_CODE);
    oracle_end(o, number);
}

static void test_a_pd_that_is_being_destroyed(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const struct oracle_call destroy = {.operation = ABI_DESTROY_PD, .caller = ROOT, .pd_selector = 2};
    const uint32_t number = begun(o, destroy);
    assert_true(oracle_is_dying(o, B));
    assert_false(oracle_may_die(o, A));
    assert_true(oracle_uncertain(oracle_at(o, B, ABI_MEM, 0x80)));
    assert_false(oracle_uncertain(oracle_at(o, A, ABI_MEM, 0x40)));
    assert_true(oracle_uncertain(oracle_at(o, A, ABI_OBJ, 2)));
    struct oracle_call into = delegate(A, ABI_MEM, ABI_OWN, 0x42, 0, 2, 0x90, ABI_R);
    assert_int_equal(fits(o, into, ABI_OK, 1, none_made), ORACLE_WRONG_CODE);
    assert_int_equal(fits(o, into, ABI_E_DEAD, 0, none_made), ORACLE_FITS);
    assert_int_equal(fits(o, into, ABI_E_CAP, 0, none_made), ORACLE_FITS);
    oracle_end(o, number);
    assert_false(oracle_alive(o, B));
    assert_null(oracle_at(o, A, ABI_OBJ, 2));
}

/* The last two capabilities are covered by two operations: the PD goes with the later of them, whichever that is. */
static void test_a_pd_that_two_operations_leave_without_capability(void **state) {
    for (unsigned first = 0; first < 2; first++) {
        struct oracle *o = *state;
        oracle_reset(o);
        usual_world(o);
        const uint32_t number[] = {begun(o, revoke(A, ABI_OBJ, ABI_SELF, 2, 0, ALL_OBJ)),
                                   begun(o, revoke(ROOT, ABI_OBJ, ABI_DROP, 2, 0, 0))};
        assert_true(oracle_may_die(o, B));
        assert_false(oracle_is_dying(o, B));
        oracle_end(o, number[first]);
        assert_true(oracle_alive(o, B));
        assert_true(oracle_may_die(o, B));
        oracle_end(o, number[!first]);
        assert_false(oracle_alive(o, B));
        assert_int_equal(oracle_units(o, B, ABI_MEM), 0);
    }
}

/* ---- one possible kernel: what is revoked is gone at the start ---- */

struct world {
    struct oracle *judge, *kernel;
    struct seq_random random;
    uint32_t number[3], count;
    bool blind; /* nobody tells what derives from what; operations in progress may be over */
};

static uint64_t below(struct world *w, uint64_t bound) {
    return seq_random_below(&w->random, bound);
}

static struct oracle_call any_call(struct world *w) {
    static const uint8_t operations[] = {ABI_DELEGATE, ABI_DELEGATE,   ABI_DELEGATE,      ABI_GRANT,     ABI_REVOKE,
                                         ABI_REVOKE,   ABI_DESTROY_PD, ABI_CREATE_OBJECT, ABI_CREATE_PD, ABI_LOOKUP};
    struct oracle_call call = {.operation = (enum abi_operation)operations[below(w, sizeof(operations))]};
    const bool ranged = call.operation == ABI_DELEGATE || call.operation == ABI_GRANT || call.operation == ABI_REVOKE;
    do {
        call.caller = (uint32_t)(ROOT + below(w, 4));
    } while (!oracle_alive(w->kernel, call.caller));
    call.kind = ranged || call.operation == ABI_LOOKUP ? (uint8_t)(below(w, 2) ? ABI_OBJ : ABI_MEM) : 0;
    call.base = below(w, call.kind == ABI_MEM && ranged ? 8 : 6);
    call.pd_selector = below(w, 5);
    if (!ranged)
        return call;
    call.order = (uint8_t)below(w, 3);
    call.base &= ~((UINT64_C(1) << call.order) - 1);
    call.destination = below(w, 8) & ~((UINT64_C(1) << call.order) - 1);
    call.mask = (uint8_t)(below(w, 2) ? 0xff : below(w, 0x100)) & (call.kind == ABI_OBJ ? ALL_OBJ : ALL_MEM);
    if (call.operation == ABI_REVOKE) {
        call.scope = (uint8_t)below(w, 3);
        call.place = below(w, 3) ? ABI_OWN : ABI_PLACE_CAP;
        call.filtered = call.scope == ABI_CHILDREN && call.place == ABI_OWN && !below(w, 3);
        call.filter_selector = below(w, 4);
    } else {
        call.to_cap = below(w, 4) != 0;
        call.place = call.operation == ABI_DELEGATE && call.kind == ABI_MEM && call.caller == ROOT && below(w, 2)
                         ? ABI_PHYS
                         : ABI_OWN;
    }
    return call;
}

static bool made_by_kernel(void *context, const struct oracle_mapping *child, const struct oracle_mapping *parent) {
    struct world *w = context;
    const struct oracle_mapping *m = oracle_at(w->kernel, child->pd, child->kind, child->unit);
    const struct oracle_mapping *above = m ? oracle_record(w->kernel, m->parent) : NULL;
    return above && above->pd == parent->pd && above->unit == parent->unit;
}

static bool there_in_kernel(void *context, const struct oracle_mapping *mapping) {
    const struct world *w = context;
    return oracle_at(w->kernel, mapping->pd, mapping->kind, mapping->unit) != NULL;
}

/* Everything that the kernel has, the judge knows of; what the judge is certain of, the kernel has. */
static void compare(const struct world *w) {
    const struct oracle *sides[] = {w->judge, w->kernel};
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t pd = ROOT; pd <= PDS; pd++) {
            for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
                const struct oracle_mapping *m = oracle_next(sides[side], pd, kind, 0);
                for (; m; m = oracle_next(sides[side], pd, kind, m->unit + 1)) {
                    const struct oracle_mapping *other = oracle_at(sides[!side], pd, kind, m->unit);
                    const struct oracle_mapping *judged = side ? other : m;
                    assert_true(other || (judged && oracle_uncertain(judged)));
                    if (other && !oracle_uncertain(judged))
                        assert_true(m->rights == other->rights && m->resource == other->resource);
                }
            }
        }
    }
}

static void end_one(struct world *w) {
    const uint32_t which = (uint32_t)below(w, w->count);
    oracle_catch_up(w->judge, there_in_kernel, w);
    oracle_end(w->judge, w->number[which]);
    w->number[which] = w->number[--w->count];
    compare(w);
    if (w->count == 0)
        assert_int_equal(oracle_digest(w->judge), oracle_digest(w->kernel));
}

/* Whether a call may drop or grant what is covered and still there: it must be refused, which this kernel knows nothing
 * of. */
static bool moves_covered(const struct world *w, const struct oracle_call *call) {
    const bool drops = call->operation == ABI_REVOKE && call->scope == ABI_DROP;
    bool covered = false;
    for (uint32_t pd = ROOT; pd <= PDS && (drops || call->operation == ABI_GRANT); pd++) {
        for (uint64_t unit = call->base; unit < call->base + (UINT64_C(1) << call->order); unit++) {
            const struct oracle_mapping *m = oracle_at(w->judge, pd, call->kind, unit);
            covered |= m && oracle_uncertain(m) && oracle_at(w->kernel, pd, call->kind, unit);
        }
    }
    return covered;
}

static void one_call(struct world *w) {
    const struct oracle_call call = any_call(w);
    const bool creates = call.operation == ABI_CREATE_PD || call.operation == ABI_CREATE_OBJECT;
    const bool stops = call.operation == ABI_DESTROY_PD || call.operation == ABI_REVOKE;
    /* Numbers that are free here are not yet there. */
    if ((creates && w->count) || (!w->blind && moves_covered(w, &call)))
        return;
    oracle_catch_up(w->judge, there_in_kernel, w);
    const struct oracle_result said = oracle_decide(w->kernel, &call);
    if (said.code == ABI_OK)
        assert_true(oracle_commit(w->kernel, &call));
    struct oracle_result result = oracle_decide(w->judge, &call);
    const bool sure = w->count == 0 || oracle_is_sure(w->judge, &call);
    assert_true(!sure || w->count == 0 || said.code == ABI_OK);
    if (w->count)
        assert_int_equal(
            oracle_fits(w->judge, &call, &result, said.code, said.value, w->blind ? NULL : made_by_kernel, w),
            ORACLE_FITS);
    assert_int_equal(result.code, said.code);
    if (said.code != ABI_OK)
        return;
    const bool drops = call.operation == ABI_REVOKE && call.scope == ABI_DROP;
    const bool can_stop = w->blind ? stops && sure && !drops : stops;
    if (can_stop && w->count < 3 && below(w, 2))
        w->number[w->count++] = oracle_begin(w->judge, &call);
    else
        assert_true(oracle_commit(w->judge, &call));
    compare(w);
}

static void expect_that_gone_at_once_fits(struct oracle *judge, bool blind) {
    struct world w = {.judge = judge, .kernel = new_oracle(), .blind = blind};
    uint32_t overlapping = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        seq_random_seed(&w.random, i);
        oracle_reset(w.judge);
        oracle_reset(w.kernel);
        usual_world(w.judge);
        usual_world(w.kernel);
        w.count = 0;
        for (uint32_t n = 0; n < 40; n++) {
            one_call(&w);
            overlapping += w.count > 1;
            if (w.count && !below(&w, 4))
                end_one(&w);
        }
        while (w.count)
            end_one(&w);
    }
    assert_true(overlapping > 3000);
    free(w.kernel);
}

static void test_gone_at_once_always_fits(void **state) {
    expect_that_gone_at_once_fits(*state, false);
}

static void test_over_at_once_always_fits(void **state) {
    expect_that_gone_at_once_fits(*state, true);
}

/* ---- where nobody tells what was taken ---- */

static void test_a_grant_takes_what_only_lost_rights(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 1, ABI_W));
    struct oracle_call grant = delegate(A, ABI_MEM, ABI_OWN, 0x40, 1, 2, 0x90, ALL_MEM);
    grant.operation = ABI_GRANT;
    assert_int_equal(fits(o, grant, ABI_E_DEAD, 0, NULL), ORACLE_FITS);
    assert_int_equal(fits(o, grant, ABI_OK, 1, NULL), ORACLE_WRONG_VALUE);
    assert_int_equal(fits(o, grant, ABI_OK, 2, NULL), ORACLE_FITS);
    assert_true(oracle_commit(o, &grant));
    oracle_end(o, number);
    assert_null(oracle_at(o, A, ABI_MEM, 0x40));
    assert_int_equal(oracle_at(o, B, ABI_MEM, 0x91)->rights, ABI_R | ABI_X);
}

static void test_a_delegate_takes_some_of_what_goes(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint32_t number = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 0, ALL_MEM));
    struct oracle_call again = delegate(A, ABI_MEM, ABI_OWN, 0x40, 1, 2, 0x90, ABI_R);
    assert_int_equal(fits(o, again, ABI_OK, 0, NULL), ORACLE_WRONG_VALUE);
    assert_int_equal(fits(o, again, ABI_OK, 3, NULL), ORACLE_WRONG_VALUE);
    assert_int_equal(fits(o, again, ABI_OK, 2, NULL), ORACLE_FITS);
    assert_int_equal(fits(o, again, ABI_OK, 1, NULL), ORACLE_FITS);
    assert_true(oracle_commit(o, &again));
    oracle_end(o, number);
    assert_null(oracle_at(o, B, ABI_MEM, 0x90));
    assert_non_null(oracle_at(o, B, ABI_MEM, 0x91));
}

static void test_cancelled(void **state) {
    struct oracle *o = *state;
    usual_world(o);
    const uint64_t before = oracle_digest(o);
    const uint32_t revoked = begun(o, revoke(A, ABI_MEM, ABI_SELF, 0x40, 0, ALL_MEM));
    const struct oracle_call destroy = {.operation = ABI_DESTROY_PD, .caller = ROOT, .pd_selector = 2};
    const uint32_t destroyed = begun(o, destroy);
    assert_false(oracle_is_sure(o, &destroy));
    oracle_cancel(o, destroyed);
    assert_true(oracle_is_between(o));
    assert_false(oracle_may_die(o, B));
    oracle_cancel(o, revoked);
    assert_false(oracle_is_between(o));
    assert_false(oracle_uncertain(oracle_at(o, A, ABI_MEM, 0x40)));
    assert_int_equal(oracle_digest(o), before);
    done(o, destroy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_covered_until_returned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_by_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_child_of_a_unit_that_stays_is_not_covered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_derives_from_covered_is_covered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_while_in_progress, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pd_that_is_being_destroyed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pd_that_two_operations_leave_without_capability, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_at_once_always_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_over_at_once_always_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_grant_takes_what_only_lost_rights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_delegate_takes_some_of_what_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
