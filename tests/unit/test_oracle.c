/*
 * The oracle against docs/semantics.md: every operation, the order of errors, exactness, destruction, the policy knobs.
 *
 * In the small geometry every operation is run between two snapshots of the whole state: decide must change nothing, an
 * error must change nothing, and the list of changes must name exactly the units that differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "oracle/oracle.h"

enum { SMALL_PDS = 16, SMALL_UNITS = 256, NONE = -1, OUTSIDE = 64, ALL_MEM = ABI_MEM_RIGHTS, ALL_OBJ = ABI_OBJ_RIGHTS };
enum { ROOT = ORACLE_ROOT, A = 2, B = 3, C = 4 }; /* PDs of the usual world, named by root's selectors 1, 2, 3 */
enum { MAPPINGS_SMALL = SMALL_PDS * (256 + 256 + 64) + 240 + 256, SMALL_OBJECTS = 5, ALL_KINDS = 7 };
enum { X = (int)ORACLE_OBJECT, Y, Z }; /* plain objects */

static const struct oracle_geometry geometry_small = {8, 8, 6, 8, 240, SMALL_PDS, SMALL_OBJECTS, ALL_KINDS};
static const struct oracle_geometry geometry_real = {35, 16, 16, 20, (1 << 20) - (1 << 15), 4096, 4096, ALL_KINDS};

struct unit_state {
    uint64_t resource, parent_unit;
    uint32_t parent_pd;
    bool mapped, has_parent;
    uint8_t rights;
};

struct snapshot {
    struct unit_state unit[SMALL_PDS + 1][ABI_KINDS][SMALL_UNITS];
    bool alive[SMALL_PDS + 1], object_alive[SMALL_OBJECTS];
    uint32_t payer[SMALL_PDS + 1], object_payer[SMALL_OBJECTS];
};

static struct snapshot before, after; /* of run(); too large for a stack */

/* ---- set-up ---- */

static struct oracle *new_oracle(const struct oracle_geometry *geometry, const struct oracle_policy *policy,
                                 uint32_t mappings) {
    const size_t size = oracle_size(geometry, mappings);
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    assert_non_null(memory);
    memset(memory, 0xa5, size < 1 << 20 ? size : 1 << 20);
    struct oracle *o = oracle_init(memory, size, geometry, policy, mappings);
    assert_ptr_equal(o, memory);
    return o;
}

static int set_up(void **state) {
    *state = new_oracle(&geometry_small, &oracle_policy_exact, MAPPINGS_SMALL);
    return 0;
}

static int set_up_real(void **state) {
    *state = new_oracle(&geometry_real, &oracle_policy_exact, 1 << 19);
    return 0;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static const uint8_t all_rights[ABI_KINDS] = {ALL_MEM, ABI_PIO_RIGHTS, ALL_OBJ};

/* ---- snapshots ---- */

static void snap_unit(const struct oracle *o, struct snapshot *s, const struct oracle_mapping *m) {
    struct unit_state *unit = &s->unit[m->pd][m->kind][m->unit];
    const struct oracle_mapping *parent = oracle_record(o, m->parent);
    unit->mapped = true;
    unit->resource = m->resource;
    unit->rights = m->rights;
    unit->has_parent = parent != NULL;
    if (parent != NULL) {
        unit->parent_pd = parent->pd;
        unit->parent_unit = parent->unit;
        assert_ptr_equal(oracle_at(o, parent->pd, parent->kind, parent->unit), parent);
        assert_int_equal(parent->kind, m->kind);
        assert_int_equal(parent->resource, m->resource);
        assert_int_equal(m->rights & ~parent->rights, 0);
    }
    uint32_t previous = ORACLE_NONE;
    for (uint32_t i = m->first_child; i != ORACLE_NONE; i = oracle_record(o, i)->next_sibling) {
        assert_int_equal(oracle_record(o, i)->previous_sibling, previous);
        assert_ptr_equal(oracle_record(o, oracle_record(o, i)->parent), m);
        previous = i;
    }
}

static void snap(const struct oracle *o, struct snapshot *s) {
    uint32_t references[SMALL_PDS + 1] = {0}, object_references[SMALL_OBJECTS] = {0};
    memset(s, 0, sizeof *s);
    for (uint32_t pd = 0; pd <= SMALL_PDS; pd++) {
        s->alive[pd] = oracle_alive(o, pd);
        s->payer[pd] = oracle_payer(o, pd);
        for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
            uint64_t units = 0;
            const struct oracle_mapping *m = oracle_next(o, pd, kind, 0);
            for (; m != NULL; m = oracle_next(o, pd, kind, m->unit + 1)) {
                snap_unit(o, s, m);
                if (kind == ABI_OBJ && m->resource >= ORACLE_OBJECT) {
                    object_references[m->resource - ORACLE_OBJECT]++;
                } else {
                    references[kind == ABI_OBJ ? m->resource : 0]++;
                }
                assert_ptr_equal(oracle_at(o, pd, kind, m->unit), m);
                units++;
            }
            assert_true(pd == ORACLE_PHYS || units == oracle_units(o, pd, kind));
            assert_true(s->alive[pd] || units == 0);
        }
    }
    for (uint32_t pd = ORACLE_ROOT; pd <= SMALL_PDS; pd++) {
        assert_int_equal(references[pd], oracle_references(o, pd));
        assert_true(pd == ORACLE_ROOT || s->alive[pd] == (references[pd] > 0));
        assert_int_equal(s->payer[pd] != ORACLE_NONE, s->alive[pd] && pd != ORACLE_ROOT);
        assert_true(s->payer[pd] == ORACLE_NONE || (s->payer[pd] != ORACLE_PHYS && s->alive[s->payer[pd]]));
    }
    for (uint32_t n = 0; n < SMALL_OBJECTS; n++) {
        s->object_alive[n] = oracle_alive(o, ORACLE_OBJECT | n);
        s->object_payer[n] = oracle_payer(o, ORACLE_OBJECT | n);
        assert_int_equal(object_references[n], oracle_references(o, ORACLE_OBJECT | n));
        assert_int_equal(s->object_alive[n], object_references[n] > 0);
        assert_true(!s->object_alive[n] || s->alive[s->object_payer[n]]);
    }
}

/* The digest is the sum over all mappings. */
static void check_digest(const struct oracle *o) {
    uint64_t digest = 0;
    for (uint32_t pd = ORACLE_ROOT; pd <= SMALL_PDS; pd++) {
        for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
            const struct oracle_mapping *m = oracle_next(o, pd, kind, 0);
            for (; m != NULL; m = oracle_next(o, pd, kind, m->unit + 1)) {
                const struct oracle_mapping *parent = oracle_record(o, m->parent);
                digest += oracle_hash_keys(oracle_key(pd, kind, m->unit, m->resource, m->rights,
                                                      parent ? parent->pd : ORACLE_NONE, parent ? parent->unit : 0),
                                           0, 1);
            }
        }
    }
    assert_true(digest == oracle_digest(o));
}

/* The change list names what differs, nothing else; PHYS never changes. */
static void check_changes(const struct oracle *o) {
    static bool listed[SMALL_PDS + 1][ABI_KINDS][SMALL_UNITS];
    uint32_t count, differing = 0;
    const struct oracle_change *change = oracle_changes(o, &count);
    memset(listed, 0, sizeof listed);
    for (uint32_t i = 0; i < count; i++) {
        listed[change[i].pd][change[i].kind][change[i].unit] = true;
    }
    for (uint32_t pd = ORACLE_ROOT; pd <= SMALL_PDS; pd++) {
        for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
            for (unsigned unit = 0; unit < SMALL_UNITS; unit++) {
                const bool differs =
                    memcmp(&before.unit[pd][kind][unit], &after.unit[pd][kind][unit], sizeof(struct unit_state)) != 0;
                assert_int_equal(differs, listed[pd][kind][unit]);
                differing += differs;
            }
        }
    }
    assert_true(count <= 2 * differing);
    const uint32_t *destroyed = oracle_destroyed(o, &count);
    for (uint32_t i = 0; i < count; i++) {
        const bool object = destroyed[i] >= ORACLE_OBJECT;
        const uint32_t n = destroyed[i] & ~ORACLE_OBJECT;
        bool *was = object ? &before.object_alive[n] : &before.alive[n];
        assert_true(*was && !(object ? after.object_alive[n] : after.alive[n]));
        *was = false; /* each is listed once */
    }
    for (uint32_t pd = 0; pd <= SMALL_PDS; pd++) {
        assert_true(!before.alive[pd] || after.alive[pd]);
    }
    for (uint32_t n = 0; n < SMALL_OBJECTS; n++) {
        assert_true(!before.object_alive[n] || after.object_alive[n]);
    }
    check_digest(o);
}

/* ---- operations ---- */

static struct oracle_result run(struct oracle *o, const struct oracle_call *call) {
    snap(o, &before);
    const struct oracle_result result = oracle_decide(o, call);
    snap(o, &after);
    assert_memory_equal(&before, &after, sizeof before);
    if (result.code == ABI_OK) {
        assert_true(oracle_commit(o, call));
        snap(o, &after);
        check_changes(o);
    } else {
        assert_int_equal(result.value, 0);
        assert_false(result.may_fail);
    }
    if (!result.may_fail) {
        assert_int_equal(result.payer, ORACLE_NONE);
    }
    return result;
}

static enum abi_code create(struct oracle *o, uint32_t caller, uint64_t payer, uint64_t selector) {
    return run(o,
               &(struct oracle_call){
                   .operation = ABI_CREATE_PD, .caller = caller, .pd_selector = payer, .base = selector})
        .code;
}

/* to: selector of the destination, or NONE: self. */
static struct oracle_call delegate_call(uint32_t caller, uint8_t kind, uint8_t place, uint64_t base, uint8_t order,
                                        int to, uint64_t destination, uint8_t mask) {
    return (struct oracle_call){.operation = ABI_DELEGATE,
                                .caller = caller,
                                .kind = kind,
                                .place = place,
                                .base = base,
                                .order = order,
                                .to_cap = to != NONE,
                                .pd_selector = to == NONE ? 0 : (uint64_t)to,
                                .destination = destination,
                                .mask = mask};
}

/* Delegates and returns the number of units mapped; fails unless OK. */
static uint64_t delegate(struct oracle *o, uint32_t caller, uint8_t kind, uint8_t place, uint64_t base, uint8_t order,
                         int to, uint64_t destination, uint8_t mask) {
    const struct oracle_call call = delegate_call(caller, kind, place, base, order, to, destination, mask);
    const struct oracle_result result = run(o, &call);
    assert_int_equal(result.code, ABI_OK);
    assert_true(result.may_fail);
    return result.value;
}

static enum abi_code delegate_code(struct oracle *o, uint32_t caller, uint8_t kind, uint8_t place, uint64_t base,
                                   uint8_t order, int to, uint64_t destination, uint8_t mask) {
    const struct oracle_call call = delegate_call(caller, kind, place, base, order, to, destination, mask);
    return run(o, &call).code;
}

/* cap: selector of the place if that is ABI_PLACE_CAP, or of the filter, or NONE. */
static enum abi_code revoke(struct oracle *o, uint32_t caller, uint8_t kind, uint8_t place, uint8_t scope,
                            uint64_t base, uint8_t order, uint8_t mask, int cap) {
    return run(o, &(struct oracle_call){.operation = ABI_REVOKE,
                                        .caller = caller,
                                        .kind = kind,
                                        .place = place,
                                        .scope = scope,
                                        .base = base,
                                        .order = order,
                                        .mask = mask,
                                        .filtered = cap != NONE && place != ABI_PLACE_CAP,
                                        .filter_selector = cap == NONE ? 0 : (uint64_t)cap,
                                        .pd_selector = cap == NONE ? 0 : (uint64_t)cap})
        .code;
}

static uint64_t grant(struct oracle *o, uint32_t caller, uint8_t kind, uint64_t base, uint8_t order, int to,
                      uint64_t destination, uint8_t mask) {
    struct oracle_call call = delegate_call(caller, kind, ABI_OWN, base, order, to, destination, mask);
    call.operation = ABI_GRANT;
    const struct oracle_result result = run(o, &call);
    assert_int_equal(result.code, ABI_OK);
    assert_true(result.may_fail);
    return result.value;
}

static enum abi_code grant_code(struct oracle *o, uint32_t caller, uint8_t kind, uint64_t base, uint8_t order, int to,
                                uint64_t destination, uint8_t mask) {
    struct oracle_call call = delegate_call(caller, kind, ABI_OWN, base, order, to, destination, mask);
    call.operation = ABI_GRANT;
    return run(o, &call).code;
}

static struct oracle_result move_quota(struct oracle *o, uint32_t caller, uint64_t from, uint64_t to, uint64_t pages) {
    return run(
        o,
        &(struct oracle_call){
            .operation = ABI_MOVE_QUOTA, .caller = caller, .pd_selector = from, .filter_selector = to, .base = pages});
}

static enum abi_code destroy_pd(struct oracle *o, uint32_t caller, uint64_t selector) {
    const struct oracle_call call = {.operation = ABI_DESTROY_PD, .caller = caller, .pd_selector = selector};
    const struct oracle_result result = run(o, &call);
    assert_false(result.may_fail);
    return result.code;
}

static uint64_t lookup(struct oracle *o, uint32_t caller, uint8_t kind, uint64_t unit) {
    const struct oracle_call call = {.operation = ABI_LOOKUP, .caller = caller, .kind = kind, .base = unit};
    const struct oracle_result result = run(o, &call);
    assert_int_equal(result.code, ABI_OK);
    assert_false(result.may_fail);
    return result.value;
}

static uint64_t looked_up(uint8_t rights, unsigned order) {
    return rights | (uint64_t)order << ABI_VALUE_ORDER_SHIFT;
}

static uint8_t rights_at(const struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit) {
    const struct oracle_mapping *m = oracle_at(o, pd, kind, unit);
    return m == NULL ? 0 : m->rights;
}

/* Asserts that a unit is mapped, below that unit of that PD (pd NONE: as a root mapping). */
static void assert_below(const struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit, int parent_pd,
                         uint64_t parent_unit) {
    const struct oracle_mapping *m = oracle_at(o, pd, kind, unit);
    assert_non_null(m);
    const struct oracle_mapping *parent = oracle_record(o, m->parent);
    assert_int_equal(parent == NULL ? NONE : (int)parent->pd, parent_pd);
    assert_true(parent == NULL || parent->unit == parent_unit);
}

/* PDs A, B, C at root's selectors 1, 2, 3. */
static void make_world(struct oracle *o) {
    for (uint64_t selector = 1; selector <= 3; selector++) {
        assert_int_equal(create(o, ROOT, ABI_ROOT_SELECTOR, selector), ABI_OK);
    }
}

/* Frame f -> root's page f -> A's page f -> B's page f -> C's page f, for frames 16..31, all rights. */
static void make_chain(struct oracle *o) {
    make_world(o);
    assert_int_equal(delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 2, ALL_OBJ), 1); /* A: B at 2 */
    assert_int_equal(delegate(o, ROOT, ABI_OBJ, ABI_OWN, 3, 0, 2, 3, ALL_OBJ), 1); /* B: C at 3 */
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 16, 4, NONE, 16, ALL_MEM), 16);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 16, 4, 1, 16, ALL_MEM), 16);
    assert_int_equal(delegate(o, A, ABI_MEM, ABI_OWN, 16, 4, 2, 16, ALL_MEM), 16);
    assert_int_equal(delegate(o, B, ABI_MEM, ABI_OWN, 16, 4, 3, 16, ALL_MEM), 16);
}

/* ---- boot ---- */

static void test_boot(void **state) {
    struct oracle *o = *state;
    assert_true(oracle_alive(o, ORACLE_PHYS));
    assert_true(oracle_alive(o, ROOT));
    assert_false(oracle_alive(o, A));
    assert_false(oracle_alive(o, UINT32_MAX));
    assert_int_equal(oracle_pd_limit(o), ORACLE_ROOT + 1);
    assert_int_equal(rights_at(o, ROOT, ABI_OBJ, ABI_ROOT_SELECTOR), ALL_OBJ & ~ABI_DESTROY);
    assert_below(o, ROOT, ABI_OBJ, ABI_ROOT_SELECTOR, NONE, 0);
    assert_int_equal(oracle_units(o, ROOT, ABI_OBJ), 1);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 0);
    assert_int_equal(oracle_units(o, ORACLE_PHYS, ABI_MEM), 240);
    assert_int_equal(oracle_references(o, ROOT), 1);
    assert_int_equal(oracle_selector(o, ROOT, ROOT), ABI_ROOT_SELECTOR);
    assert_int_equal(oracle_selector(o, ROOT, A), OUTSIDE);
    assert_null(oracle_at(o, ORACLE_PHYS, ABI_MEM, 0));
    assert_null(oracle_at(o, 999, ABI_MEM, 0));
    assert_null(oracle_at(o, ROOT, 3, 0));
    assert_null(oracle_at(o, ROOT, ABI_OBJ, OUTSIDE));
    assert_null(oracle_at(o, ROOT, ABI_MEM, UINT64_MAX));
    assert_null(oracle_next(o, ROOT, ABI_OBJ, 1));
    assert_null(oracle_next(o, ROOT, ABI_OBJ, UINT64_MAX));
    assert_null(oracle_record(o, ORACLE_NONE));
}

static void test_init_refuses_too_little_memory(void **state) {
    (void)state;
    const size_t size = oracle_size(&geometry_small, 8);
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    assert_null(oracle_init(memory, size - 1, &geometry_small, &oracle_policy_exact, 8));
    assert_null(oracle_init(memory, size, &geometry_small, &oracle_policy_exact, 0));
    assert_non_null(oracle_init(memory, size, &geometry_small, &oracle_policy_exact, 8));
    free(memory);
}

static void test_reset_is_boot(void **state) {
    struct oracle *o = *state;
    static struct snapshot boot, now;
    snap(o, &boot);
    make_chain(o);
    oracle_reset(o);
    snap(o, &now);
    assert_memory_equal(&boot, &now, sizeof boot);
    uint32_t count;
    (void)oracle_changes(o, &count);
    assert_int_equal(count, 0);
    make_chain(o);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    oracle_reset(o);
    snap(o, &now);
    assert_memory_equal(&boot, &now, sizeof boot);
}

/* ---- unknown operations, unused bits ---- */

static void test_unused_fields_must_be_zero(void **state) {
    struct oracle *o = *state;
    make_world(o);
    const struct oracle_call good[] = {
        {.operation = ABI_CREATE_PD, .caller = ROOT, .base = 9},
        {.operation = ABI_DESTROY_PD, .caller = ROOT, .pd_selector = 1},
        {.operation = ABI_LOOKUP, .caller = ROOT},
        {.operation = ABI_CREATE_OBJECT, .caller = ROOT, .base = 10},
        {.operation = ABI_MOVE_QUOTA, .caller = ROOT, .filter_selector = 2, .base = 1},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct oracle_call bad[7];
        for (size_t n = 0; n < 7; n++) {
            bad[n] = good[i];
        }
        bad[0].place = bad[1].scope = bad[2].order = bad[3].mask = 1;
        bad[4].to_cap = bad[5].filtered = true;
        bad[6].kind = good[i].operation == ABI_LOOKUP ? 3 : ABI_OBJ;
        for (size_t n = 0; n < 7; n++) {
            assert_int_equal(run(o, &bad[n]).code, ABI_E_ARG);
        }
        assert_int_equal(run(o, &good[i]).code, ABI_OK);
    }
    struct oracle_call delegate = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 0, ALL_MEM);
    delegate.scope = 1;
    assert_int_equal(run(o, &delegate).code, ABI_E_ARG);
    delegate.scope = 0;
    delegate.filtered = true;
    assert_int_equal(run(o, &delegate).code, ABI_E_ARG);
    delegate.filtered = false;
    assert_int_equal(run(o, &delegate).code, ABI_OK);
    struct oracle_call revoke = {.operation = ABI_REVOKE, .caller = ROOT, .to_cap = true};
    assert_int_equal(run(o, &revoke).code, ABI_E_ARG);
    revoke.to_cap = false;
    assert_int_equal(run(o, &revoke).code, ABI_OK);
    assert_int_equal(run(o, &(struct oracle_call){.operation = (enum abi_operation)0, .caller = ROOT}).code, ABI_E_ARG);
    assert_int_equal(run(o, &(struct oracle_call){.operation = (enum abi_operation)9, .caller = ROOT}).code, ABI_E_ARG);
}

/* ---- create_pd ---- */

static void test_create_pd(void **state) {
    struct oracle *o = *state;
    const struct oracle_call call = {.operation = ABI_CREATE_PD, .caller = ROOT, .base = 63};
    const struct oracle_result result = run(o, &call);
    assert_int_equal(result.code, ABI_OK);
    assert_int_equal(result.value, 0);
    assert_int_equal(result.created, A);
    assert_true(result.may_fail);
    assert_int_equal(result.payer, ROOT);
    assert_true(oracle_alive(o, A));
    assert_int_equal(rights_at(o, ROOT, ABI_OBJ, 63), ALL_OBJ);
    assert_int_equal(oracle_at(o, ROOT, ABI_OBJ, 63)->resource, A);
    assert_below(o, ROOT, ABI_OBJ, 63, NONE, 0);
    assert_int_equal(oracle_references(o, A), 1);
    assert_int_equal(oracle_selector(o, ROOT, A), 63);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 63, 0, NONE, 7, ALL_OBJ);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 63, 0, NONE, 9, ALL_OBJ);
    assert_int_equal(oracle_selector(o, ROOT, A), 7); /* the lowest */
    assert_int_equal(oracle_selector(o, A, A), OUTSIDE);
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        assert_int_equal(oracle_units(o, A, kind), 0); /* holds nothing, not even a capability to itself */
    }
}

static void test_create_pd_errors_in_order(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, NONE, 4, ALL_OBJ & ~ABI_CREATE);
    assert_int_equal(create(o, ROOT, 5, OUTSIDE), ABI_E_ARG);    /* before E_CAP */
    assert_int_equal(create(o, ROOT, 4, 1ull << 40), ABI_E_ARG); /* before E_RIGHT */
    assert_int_equal(create(o, ROOT, 5, 1), ABI_E_CAP);          /* before E_OVERLAP */
    assert_int_equal(create(o, ROOT, OUTSIDE, 9), ABI_E_CAP);    /* outside the space */
    assert_int_equal(create(o, ROOT, UINT64_MAX, 9), ABI_E_CAP);
    assert_int_equal(create(o, ROOT, 4, 1), ABI_E_RIGHT); /* before E_OVERLAP */
    assert_int_equal(create(o, ROOT, 0, 1), ABI_E_OVERLAP);
    assert_int_equal(create(o, A, 0, 1), ABI_E_CAP); /* a new PD holds nothing */
    for (uint64_t selector = 10; selector < 10 + SMALL_PDS - 4; selector++) {
        assert_int_equal(create(o, ROOT, 0, selector), ABI_OK);
    }
    assert_int_equal(create(o, ROOT, 0, 1), ABI_E_OVERLAP); /* before E_MEM */
    assert_int_equal(create(o, ROOT, 0, 40), ABI_E_MEM);
    assert_int_equal(destroy_pd(o, ROOT, 12), ABI_OK);
    assert_int_equal(create(o, ROOT, 0, 40), ABI_OK);
}

static void test_ids_are_recycled_lowest_first(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(destroy_pd(o, ROOT, 3), ABI_OK);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    const struct oracle_call call = {.operation = ABI_CREATE_PD, .caller = ROOT, .base = 20};
    assert_int_equal(run(o, &call).created, A);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 0);
    assert_int_equal(oracle_units(o, A, ABI_OBJ), 0);
    assert_int_equal(oracle_references(o, A), 1);
    assert_int_equal(create(o, ROOT, 0, 21), ABI_OK);
    assert_int_equal(oracle_at(o, ROOT, ABI_OBJ, 21)->resource, C);
    assert_int_equal(create(o, ROOT, 0, 22), ABI_OK);
    assert_int_equal(oracle_at(o, ROOT, ABI_OBJ, 22)->resource, C + 1);
}

/* ---- delegate ---- */

static void test_delegate_from_phys(void **state) {
    struct oracle *o = *state;
    make_world(o);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 8, 3, NONE, 64, ABI_R | ABI_X), 8);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 8, 0, 1, 5, ALL_MEM), 1); /* handed out twice */
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(rights_at(o, ROOT, ABI_MEM, 64 + n), ABI_R | ABI_X);
        assert_int_equal(oracle_at(o, ROOT, ABI_MEM, 64 + n)->resource, 8 + n);
        assert_below(o, ROOT, ABI_MEM, 64 + n, ORACLE_PHYS, 8 + n);
    }
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 8);
    assert_below(o, A, ABI_MEM, 5, ORACLE_PHYS, 8);
    assert_int_equal(oracle_at(o, ORACLE_PHYS, ABI_MEM, 8)->rights, ALL_MEM);
    assert_null(oracle_at(o, ORACLE_PHYS, ABI_MEM, 7));
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 64, 0, ABI_R, NONE), ABI_OK);
    assert_non_null(oracle_at(o, ORACLE_PHYS, ABI_MEM, 8));
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 5, 0, ABI_R, NONE), ABI_OK);
    assert_null(oracle_at(o, ORACLE_PHYS, ABI_MEM, 8)); /* a record only while there are children */
    assert_int_equal(oracle_units(o, ORACLE_PHYS, ABI_MEM), 240);
    /* The kernel's frames are not in PHYS: holes. */
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 224, 5, 2, 32, ALL_MEM), 16);
    assert_non_null(oracle_at(o, B, ABI_MEM, 47));
    assert_null(oracle_at(o, B, ABI_MEM, 48));
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 240, 4, 2, 64, ALL_MEM), 0);
}

static void test_delegate_rights_and_holes(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 0, ABI_R);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 0, NONE, 2, ABI_R | ABI_W);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 2, 1, 8, ABI_R | ABI_W), 2);
    assert_int_equal(rights_at(o, A, ABI_MEM, 8), ABI_R);
    assert_null(oracle_at(o, A, ABI_MEM, 9));
    assert_int_equal(rights_at(o, A, ABI_MEM, 10), ABI_R | ABI_W);
    assert_below(o, A, ABI_MEM, 10, ROOT, 2);
    assert_int_equal(oracle_at(o, A, ABI_MEM, 10)->resource, 2);
    /* A mask without R delegates nothing, and what is skipped does not overlap. */
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 2, 1, 8, ABI_W | ABI_X), 0);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 2, 1, 8, 0), 0);
    /* A hole does not overlap what is mapped at its place. */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 77, 0, 2, 17, ALL_MEM);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 2, 2, 16, ALL_MEM), 2);
    assert_int_equal(oracle_at(o, B, ABI_MEM, 17)->resource, 77);
    /* The whole space, onto itself: what would be filled is occupied. */
    assert_int_equal(delegate_code(o, ROOT, ABI_MEM, ABI_OWN, 0, 8, NONE, 0, ALL_MEM), ABI_E_OVERLAP);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 8, 3, 0, ALL_MEM), 2);
}

static void test_delegate_overlap_is_atomic(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 4, NONE, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 100, 0, 1, 15, ALL_MEM);
    assert_int_equal(delegate_code(o, ROOT, ABI_MEM, ABI_OWN, 0, 4, 1, 0, ALL_MEM), ABI_E_OVERLAP);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 1);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 3, 1, 0, ALL_MEM), 8);
    assert_int_equal(delegate_code(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, NONE, 2, ALL_OBJ), ABI_E_OVERLAP);
}

static void test_delegate_objects(void **state) {
    struct oracle *o = *state;
    make_world(o);
    assert_int_equal(delegate(o, ROOT, ABI_OBJ, ABI_OWN, 0, 6, 1, 0, ABI_MAP | ABI_DESTROY), 4);
    assert_int_equal(rights_at(o, A, ABI_OBJ, 0), ABI_MAP); /* root's own has no DESTROY */
    assert_int_equal(rights_at(o, A, ABI_OBJ, 1), ABI_MAP | ABI_DESTROY);
    assert_int_equal(oracle_at(o, A, ABI_OBJ, 3)->resource, C);
    assert_below(o, A, ABI_OBJ, 3, ROOT, 3);
    assert_int_equal(oracle_references(o, C), 2);
    assert_int_equal(delegate(o, A, ABI_OBJ, ABI_OWN, 0, 1, NONE, 10, ABI_DESTROY),
                     1); /* 0 would be left without rights */
    assert_null(oracle_at(o, A, ABI_OBJ, 10));
    assert_int_equal(rights_at(o, A, ABI_OBJ, 11), ABI_DESTROY);
    assert_int_equal(oracle_selector(o, A, A), 1);
}

static void test_delegate_needs_map(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 1, 0, ALL_OBJ & ~ABI_MAP); /* A: A at 0, without MAP */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, 1, 0, ALL_MEM);
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_OWN, 0, 0, 0, 1, ALL_MEM),
                     ABI_E_RIGHT); /* though it names the caller */
    assert_int_equal(delegate(o, A, ABI_MEM, ABI_OWN, 0, 0, NONE, 1, ALL_MEM), 1);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 9, 0, 0, 9, ALL_MEM), 1); /* root's own has MAP */
}

static void test_delegate_argument_errors(void **state) {
    struct oracle *o = *state;
    make_world(o);
    const struct {
        uint8_t kind, place;
        uint64_t base;
        uint8_t order;
        int to;
        uint64_t destination;
        uint8_t mask;
    } bad[] = {
        {3, ABI_OWN, 0, 0, NONE, 0, 1},          /* unknown kind */
        {ABI_MEM, ABI_PLACE_CAP, 0, 0, 1, 0, 7}, /* no source */
        {ABI_MEM, 3, 0, 0, NONE, 0, 7},          /* unknown source */
        {ABI_MEM, ABI_OWN, 2, 2, NONE, 8, 7},    /* source not aligned */
        {ABI_MEM, ABI_OWN, 8, 2, NONE, 2, 7},    /* destination not aligned */
        {ABI_MEM, ABI_OWN, 0, 9, NONE, 0, 7},    /* order too large */
        {ABI_MEM, ABI_OWN, 0, 63, NONE, 0, 7},   /* order too large */
        {ABI_MEM, ABI_OWN, 0, 255, NONE, 0, 7},  /* order too large */
        {ABI_MEM, ABI_OWN, 256, 0, NONE, 0, 7},  /* source outside */
        {ABI_MEM, ABI_PHYS, 256, 0, NONE, 0, 7}, /* source outside */
        {ABI_MEM, ABI_OWN, 0, 0, NONE, 256, 7},  /* destination outside */
        {ABI_MEM, ABI_OWN, 0, 0, NONE, UINT64_MAX, 7},
        {ABI_MEM, ABI_OWN, 0, 0, NONE, 0, 8},    /* undefined right */
        {ABI_OBJ, ABI_OWN, 0, 0, NONE, 10, 32},  /* undefined right */
        {ABI_OBJ, ABI_OWN, 0, 7, NONE, 0, 31},   /* order too large */
        {ABI_OBJ, ABI_OWN, 0, 0, NONE, 64, 31},  /* destination outside */
        {ABI_OBJ, ABI_PHYS, 0, 0, NONE, 10, 31}, /* there are no objects in PHYS */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(delegate_code(o, ROOT, bad[i].kind, bad[i].place, bad[i].base, bad[i].order, bad[i].to,
                                       bad[i].destination, bad[i].mask),
                         ABI_E_ARG);
    }
}

static void test_delegate_errors_in_order(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 2, ABI_CREATE); /* A: B at 2, without MAP */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 3, ABI_MAP);    /* A: B at 3 */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, 1, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, 2, 0, ALL_MEM);
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_OWN, 0, 0, 9, 0, 8), ABI_E_ARG);       /* before E_CAP */
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_PHYS, 0, 0, NONE, 0, 8), ABI_E_ARG);   /* before E_RIGHT */
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_PHYS, 0, 0, 9, 0, 7), ABI_E_CAP);      /* before E_RIGHT */
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_OWN, 0, 0, OUTSIDE, 0, 7), ABI_E_CAP); /* before E_OVERLAP */
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_OWN, 0, 0, 2, 0, 7), ABI_E_RIGHT);     /* before E_OVERLAP */
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_PHYS, 0, 0, 3, 0, 7), ABI_E_RIGHT);    /* PHYS is root's */
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_PHYS, 0, 0, NONE, 9, 7), ABI_E_RIGHT);
    assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_OWN, 0, 0, 3, 0, 7), ABI_E_OVERLAP);
    assert_int_equal(delegate(o, A, ABI_MEM, ABI_OWN, 0, 0, 3, 2, 7), 1);
}

/* ---- revoke ---- */

static void test_revoke_children_keeps_the_units(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_CHILDREN, 20, 2, ABI_R, NONE), ABI_OK);
    for (unsigned unit = 16; unit < 32; unit++) {
        const bool revoked = unit >= 20 && unit < 24;
        assert_int_equal(rights_at(o, ROOT, ABI_MEM, unit), ALL_MEM);
        assert_int_equal(rights_at(o, A, ABI_MEM, unit), ALL_MEM);
        assert_int_equal(rights_at(o, B, ABI_MEM, unit), revoked ? 0 : ALL_MEM); /* exact: neighbours stay */
        assert_int_equal(rights_at(o, C, ABI_MEM, unit), revoked ? 0 : ALL_MEM);
    }
}

static void test_revoke_self(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 20, 0, ABI_W, NONE), ABI_OK);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 20), ALL_MEM);
    assert_int_equal(rights_at(o, A, ABI_MEM, 20), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 20), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 21), ALL_MEM);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 20, 0, ABI_W | ABI_X, NONE), ABI_OK);
    assert_int_equal(rights_at(o, B, ABI_MEM, 20), ABI_R); /* W and X go, it stays */
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 20, 0, ABI_R, NONE), ABI_OK);
    assert_non_null(oracle_at(o, ROOT, ABI_MEM, 20));
    assert_null(oracle_at(o, A, ABI_MEM, 20));
    assert_null(oracle_at(o, C, ABI_MEM, 20));
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 20, 0, ALL_MEM, NONE), ABI_OK); /* nothing: OK */
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 16, 4, 0, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 15);
}

static void test_revoke_existence_right_takes_all(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 8, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM) + oracle_units(o, B, ABI_MEM) + oracle_units(o, C, ABI_MEM), 0);
    /* A capability goes with its last right. */
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_CHILDREN, 2, 0, ALL_OBJ & ~ABI_MAP, NONE), ABI_OK);
    assert_int_equal(rights_at(o, A, ABI_OBJ, 2), ABI_MAP);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_CHILDREN, 2, 0, ABI_MAP, NONE), ABI_OK);
    assert_null(oracle_at(o, A, ABI_OBJ, 2));
    assert_int_equal(rights_at(o, ROOT, ABI_OBJ, 2), ALL_OBJ);
}

static void test_revoke_unit_below_unit_of_the_range(void **state) {
    struct oracle *o = *state;
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 3, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 3, 0, NONE, 1, ALL_MEM); /* 1 below 3 */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 1, 0, NONE, 2, ALL_MEM); /* 2 below 1 */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 3, 0, NONE, 9, ALL_MEM);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 2, ABI_W, NONE), ABI_OK);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 3), ALL_MEM);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 1), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 2), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 9), ABI_R | ABI_X);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 0, 2, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 0);
}

static void test_remote_revoke(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 3, 0, ABI_REVOKE_RIGHT);            /* C: B at 0, revoke only */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 3, 1, ALL_OBJ & ~ABI_REVOKE_RIGHT); /* C: B at 1 */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 3, 0, 3, 3, ABI_MAP);                     /* C: C at 3 */
    assert_int_equal(revoke(o, C, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 16, 0, 7, 1), ABI_E_RIGHT);
    assert_int_equal(revoke(o, C, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 16, 0, 7, 3),
                     ABI_E_RIGHT); /* though it names the caller */
    assert_int_equal(revoke(o, C, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 16, 0, 7, 0), ABI_OK);
    assert_non_null(oracle_at(o, A, ABI_MEM, 16));
    assert_null(oracle_at(o, B, ABI_MEM, 16));
    assert_null(oracle_at(o, C, ABI_MEM, 16));
    assert_int_equal(revoke(o, C, ABI_MEM, ABI_PLACE_CAP, ABI_CHILDREN, 17, 0, 7, 0), ABI_OK);
    assert_non_null(oracle_at(o, B, ABI_MEM, 17));
    assert_null(oracle_at(o, C, ABI_MEM, 17));
    assert_int_equal(revoke(o, C, ABI_MEM, ABI_PLACE_CAP, ABI_DROP, 18, 0, 0, 0), ABI_OK);
    assert_null(oracle_at(o, B, ABI_MEM, 18));
    assert_below(o, C, ABI_MEM, 18, A, 18);
}

static void test_revoke_from_phys(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 20, 0, 3, 200, ALL_MEM);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 20, 0, 7, NONE), ABI_E_RIGHT);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 20, 1, ABI_W, NONE), ABI_OK);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 20), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 21), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 200), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 22), ALL_MEM);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 0, 8, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM) + oracle_units(o, C, ABI_MEM), 0);
    assert_null(oracle_next(o, ORACLE_PHYS, ABI_MEM, 0));
}

static void test_drop_moves_children_up(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_DROP, 16, 1, 0, NONE), ABI_OK); /* whatever the mask */
    assert_null(oracle_at(o, A, ABI_MEM, 16));
    assert_below(o, B, ABI_MEM, 16, ROOT, 16);
    assert_int_equal(rights_at(o, B, ABI_MEM, 16), ALL_MEM);
    assert_below(o, C, ABI_MEM, 16, B, 16);
    assert_below(o, B, ABI_MEM, 18, A, 18);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_DROP, 16, 4, 7, NONE), ABI_OK);
    assert_below(o, B, ABI_MEM, 16, ORACLE_PHYS, 16);
    assert_below(o, A, ABI_MEM, 18, ORACLE_PHYS, 18);
    assert_int_equal(revoke(o, C, ABI_MEM, ABI_OWN, ABI_DROP, 0, 8, 7, NONE), ABI_OK); /* a leaf has nobody to move */
    assert_int_equal(oracle_units(o, C, ABI_MEM), 0);
    assert_int_equal(oracle_units(o, B, ABI_MEM), 16);
}

static void test_drop_of_a_chain_inside_the_range(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 8, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 8, 0, NONE, 2, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 2, 0, NONE, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 0, NONE, 3, ALL_MEM); /* 8 > 2 > 0 > 3 */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 0, 1, 50, ABI_R);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 3, 0, 1, 51, ABI_R);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_DROP, 0, 2, 0, NONE), ABI_OK);
    uint32_t count;
    (void)oracle_changes(o, &count);
    assert_int_equal(count, 5); /* three gone, two moved, each listed once */
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 1);
    assert_below(o, A, ABI_MEM, 50, ROOT, 8); /* to the nearest that stays */
    assert_below(o, A, ABI_MEM, 51, ROOT, 8);
}

static void test_drop_of_objects(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 2, 5, ABI_MAP);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, NONE, 9, ABI_CREATE);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 1, 0, 0, NONE), ABI_OK);
    assert_true(oracle_alive(o, A)); /* children keep it alive, as root mappings */
    assert_below(o, B, ABI_OBJ, 5, NONE, 0);
    assert_below(o, ROOT, ABI_OBJ, 9, NONE, 0);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 9, 0, 0, NONE), ABI_OK);
    assert_true(oracle_alive(o, A));
    assert_int_equal(revoke(o, B, ABI_OBJ, ABI_OWN, ABI_DROP, 5, 0, 0, NONE), ABI_OK); /* the last one */
    assert_false(oracle_alive(o, A));
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 0, 0, 0, NONE), ABI_OK);
    assert_true(oracle_alive(o, ROOT)); /* the kernel holds a reference to root */
    assert_int_equal(oracle_references(o, ROOT), 0);
    assert_int_equal(create(o, ROOT, 0, 20), ABI_E_CAP);
}

static void test_directed_revoke(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 3, 1, ABI_MAP);    /* C: A at 1 */
    (void)delegate(o, C, ABI_MEM, ABI_OWN, 16, 0, 1, 100, ABI_R);      /* nested: C's 16 -> A's 100 */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 16, 0, 2, 200, ALL_MEM); /* B has another one directly */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 16, 0, NONE, 40, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 40, 0, 3, 41, ALL_MEM);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 1, ABI_W, 2), ABI_OK); /* filter: B */
    assert_int_equal(rights_at(o, A, ABI_MEM, 16), ALL_MEM);
    assert_int_equal(rights_at(o, B, ABI_MEM, 16), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, B, ABI_MEM, 17), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 16), ABI_R | ABI_X); /* with the whole subtree */
    assert_int_equal(rights_at(o, B, ABI_MEM, 200), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 41), ALL_MEM);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 0, ABI_R, 3), ABI_OK); /* filter: C */
    assert_non_null(oracle_at(o, B, ABI_MEM, 16));
    assert_null(oracle_at(o, C, ABI_MEM, 16));
    assert_null(oracle_at(o, A, ABI_MEM, 100));
    assert_null(oracle_at(o, C, ABI_MEM, 41));
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 0, ABI_R, 0), ABI_OK); /* filter: the caller */
    assert_non_null(oracle_at(o, ROOT, ABI_MEM, 16));
    assert_null(oracle_at(o, ROOT, ABI_MEM, 40));
    assert_non_null(oracle_at(o, A, ABI_MEM, 16));
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 0, 8, ABI_R, 1), ABI_OK); /* PHYS, filter: A */
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 16);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 0);
    assert_non_null(oracle_at(o, B, ABI_MEM, 200));
    assert_null(oracle_at(o, B, ABI_MEM, 17));
}

static void test_revoke_argument_errors(void **state) {
    struct oracle *o = *state;
    make_world(o);
    const struct {
        uint8_t kind, place, scope;
        uint64_t base;
        uint8_t order, mask;
        int cap; /* filter, or place */
    } bad[] = {
        {3, ABI_OWN, ABI_SELF, 0, 0, 1, NONE},
        {ABI_MEM, 3, ABI_SELF, 0, 0, 7, NONE},
        {ABI_MEM, ABI_OWN, 3, 0, 0, 7, NONE},
        {ABI_MEM, ABI_OWN, ABI_SELF, 1, 1, 7, NONE},
        {ABI_MEM, ABI_OWN, ABI_SELF, 0, 9, 7, NONE},
        {ABI_MEM, ABI_OWN, ABI_SELF, 0, 64, 7, NONE},
        {ABI_MEM, ABI_OWN, ABI_SELF, 256, 0, 7, NONE},
        {ABI_MEM, ABI_PHYS, ABI_CHILDREN, 256, 0, 7, NONE},
        {ABI_MEM, ABI_OWN, ABI_SELF, 0, 0, 8, NONE},
        {ABI_MEM, ABI_OWN, ABI_DROP, 0, 0, 8, NONE},
        {ABI_OBJ, ABI_OWN, ABI_SELF, 0, 0, 32, NONE},
        {ABI_OBJ, ABI_OWN, ABI_SELF, 64, 0, 1, NONE},
        {ABI_OBJ, ABI_PHYS, ABI_CHILDREN, 0, 0, 1, NONE},
        {ABI_MEM, ABI_PHYS, ABI_SELF, 0, 0, 7, NONE},
        {ABI_MEM, ABI_PHYS, ABI_DROP, 0, 0, 7, NONE},
        {ABI_MEM, ABI_OWN, ABI_SELF, 0, 0, 7, 1}, /* no filter here */
        {ABI_MEM, ABI_OWN, ABI_DROP, 0, 0, 7, 1},
        {ABI_MEM, ABI_OWN, ABI_SELF, 0, 0, 7, 50}, /* before E_CAP */
        {ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 0, 0, 8, 50},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(revoke(o, ROOT, bad[i].kind, bad[i].place, bad[i].scope, bad[i].base, bad[i].order,
                                bad[i].mask, bad[i].cap),
                         ABI_E_ARG);
    }
    const struct oracle_call filtered_remote = {
        .operation = ABI_REVOKE, .caller = ROOT, .place = ABI_PLACE_CAP, .pd_selector = 1, .filtered = true};
    assert_int_equal(run(o, &filtered_remote).code, ABI_E_ARG);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_PHYS, ABI_SELF, 0, 0, 7, NONE), ABI_E_ARG);     /* before E_RIGHT */
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 0, 7, 50), ABI_E_CAP); /* filter: empty */
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 0, 7, 64), ABI_E_CAP); /* filter: outside */
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 0, 0, 7, 50), ABI_E_CAP);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 0, 0, 7, 50), ABI_E_CAP); /* before E_RIGHT */
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 0, 0, 7, NONE), ABI_E_RIGHT);
}

static void test_filter_needs_no_right(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 3, 0, 1, 30, ABI_QUOTA); /* A: C at 30 */
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 8, ABI_R, 30), ABI_OK);
    assert_int_equal(oracle_units(o, C, ABI_MEM), 0);
    assert_int_equal(oracle_units(o, B, ABI_MEM), 16);
}

/* ---- I/O ports ---- */

static void test_ports(void **state) {
    struct oracle *o = *state;
    make_world(o);
    assert_int_equal(oracle_units(o, ORACLE_PHYS, ABI_PIO), 256);
    assert_int_equal(delegate(o, ROOT, ABI_PIO, ABI_PHYS, 0, 8, NONE, 0, 1), 256); /* every port exists */
    assert_below(o, ROOT, ABI_PIO, 255, ORACLE_PHYS, 255);
    assert_int_equal(oracle_at(o, ROOT, ABI_PIO, 255)->resource, 255);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 0);
    assert_int_equal(delegate(o, ROOT, ABI_PIO, ABI_PHYS, 16, 2, 1, 16, 1), 4); /* handed out twice */
    assert_int_equal(delegate(o, ROOT, ABI_PIO, ABI_OWN, 16, 3, 2, 16, 1), 8);
    assert_int_equal(delegate(o, ROOT, ABI_PIO, ABI_OWN, 16, 3, 3, 16, 0), 0); /* its one right is its existence */
    assert_int_equal(lookup(o, ROOT, ABI_PIO, 99), looked_up(1, 8));
    assert_int_equal(lookup(o, B, ABI_PIO, 17), looked_up(1, 3));
    assert_int_equal(lookup(o, B, ABI_PIO, 24), 0);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_OWN, ABI_CHILDREN, 16, 1, 0, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, B, ABI_PIO), 8);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_OWN, ABI_CHILDREN, 16, 1, 1, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, B, ABI_PIO), 6);
    assert_int_equal(oracle_units(o, A, ABI_PIO), 4);
    assert_int_equal(revoke(o, A, ABI_PIO, ABI_PHYS, ABI_CHILDREN, 16, 1, 1, NONE), ABI_E_RIGHT);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_PHYS, ABI_CHILDREN, 18, 1, 1, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_PIO), 2);
    assert_int_equal(oracle_units(o, B, ABI_PIO), 4);
    assert_int_equal(oracle_units(o, ROOT, ABI_PIO), 254);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_PIO), 0);
    assert_int_equal(oracle_units(o, ORACLE_PHYS, ABI_PIO), 256);
}

static void test_port_numbers_stay(void **state) {
    struct oracle *o = *state;
    make_world(o);
    assert_int_equal(delegate_code(o, ROOT, ABI_PIO, ABI_PHYS, 8, 0, 1, 9, 1), ABI_E_ARG);
    assert_int_equal(delegate_code(o, ROOT, ABI_PIO, ABI_OWN, 8, 0, 50, 16, 1), ABI_E_ARG); /* before E_CAP */
    assert_int_equal(delegate_code(o, A, ABI_PIO, ABI_PHYS, 8, 0, NONE, 8, 1), ABI_E_RIGHT);
    assert_int_equal(delegate_code(o, ROOT, ABI_PIO, ABI_PHYS, 8, 0, 1, 8, 2), ABI_E_ARG); /* there is one right */
    assert_int_equal(delegate_code(o, ROOT, ABI_PIO, ABI_PHYS, 256, 0, 1, 256, 1), ABI_E_ARG);
    assert_int_equal(delegate_code(o, ROOT, ABI_PIO, ABI_PHYS, 0, 9, 1, 0, 1), ABI_E_ARG);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_OWN, ABI_SELF, 0, 0, 2, NONE), ABI_E_ARG);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_PHYS, ABI_SELF, 0, 0, 1, NONE), ABI_E_ARG);
    (void)delegate(o, ROOT, ABI_PIO, ABI_PHYS, 8, 0, NONE, 8, 1);
    assert_int_equal(delegate_code(o, ROOT, ABI_PIO, ABI_OWN, 8, 0, NONE, 8, 1), ABI_E_OVERLAP);
    assert_int_equal(grant_code(o, ROOT, ABI_PIO, 8, 0, 1, 9, 1), ABI_E_ARG);
    assert_int_equal(grant(o, ROOT, ABI_PIO, 8, 0, 1, 8, 1), 1);
    assert_below(o, A, ABI_PIO, 8, ORACLE_PHYS, 8);
}

static void test_kinds_not_provided(void **state) {
    (void)state;
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        struct oracle_geometry geometry = geometry_small;
        geometry.kinds = ALL_KINDS & ~(1u << kind);
        struct oracle *o = new_oracle(&geometry, &oracle_policy_exact, MAPPINGS_SMALL);
        for (uint8_t asked = 0; asked < ABI_KINDS; asked++) {
            const enum abi_code expected = asked == kind ? ABI_E_ARG : ABI_OK;
            const struct oracle_call call = {.operation = ABI_LOOKUP, .caller = ROOT, .kind = asked};
            assert_int_equal(run(o, &call).code, expected);
            assert_int_equal(delegate_code(o, ROOT, asked, ABI_OWN, 32, 0, NONE, 32, 1), expected);
            assert_int_equal(grant_code(o, ROOT, asked, 32, 0, NONE, 32, 1), expected);
            assert_int_equal(revoke(o, ROOT, asked, ABI_OWN, ABI_SELF, 32, 0, 1, NONE), expected);
        }
        free(o);
    }
}

/* ---- plain objects ---- */

static struct oracle_result create_object(struct oracle *o, uint32_t caller, uint64_t payer, uint64_t selector) {
    return run(o, &(struct oracle_call){
                      .operation = ABI_CREATE_OBJECT, .caller = caller, .pd_selector = payer, .base = selector});
}

static void test_create_object(void **state) {
    struct oracle *o = *state;
    make_world(o);
    const struct oracle_result result = create_object(o, ROOT, 1, 63);
    assert_int_equal(result.code, ABI_OK);
    assert_int_equal(result.value, 0);
    assert_true(result.created == ORACLE_OBJECT);
    assert_true(result.may_fail);
    assert_int_equal(result.payer, A);
    assert_true(oracle_alive(o, ORACLE_OBJECT));
    assert_false(oracle_alive(o, ORACLE_OBJECT | 1));
    assert_int_equal(oracle_object_limit(o), 1);
    assert_int_equal(rights_at(o, ROOT, ABI_OBJ, 63), ALL_OBJ);
    assert_true(oracle_at(o, ROOT, ABI_OBJ, 63)->resource == ORACLE_OBJECT);
    assert_below(o, ROOT, ABI_OBJ, 63, NONE, 0);
    assert_int_equal(oracle_references(o, ORACLE_OBJECT), 1);
    assert_int_equal(oracle_selector(o, ROOT, ORACLE_OBJECT), 63);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 63, 0, 2, 7, ABI_QUOTA | ABI_MAP); /* its rights are cut alike */
    assert_int_equal(rights_at(o, B, ABI_OBJ, 7), ABI_QUOTA | ABI_MAP);
    assert_int_equal(oracle_references(o, ORACLE_OBJECT), 2);
    assert_int_equal(lookup(o, B, ABI_OBJ, 7), looked_up(ABI_QUOTA | ABI_MAP, 0));
}

static void test_create_object_errors_in_order(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, NONE, 4, ALL_OBJ & ~ABI_CREATE);
    assert_int_equal(create_object(o, ROOT, 5, OUTSIDE).code, ABI_E_ARG); /* before E_CAP */
    assert_int_equal(create_object(o, ROOT, 5, 1).code, ABI_E_CAP);       /* before E_OVERLAP */
    assert_int_equal(create_object(o, ROOT, OUTSIDE, 9).code, ABI_E_CAP);
    assert_int_equal(create_object(o, ROOT, 4, 1).code, ABI_E_RIGHT); /* before E_OVERLAP */
    assert_int_equal(create_object(o, ROOT, 0, 1).code, ABI_E_OVERLAP);
    for (uint64_t n = 0; n < SMALL_OBJECTS; n++) {
        assert_true(create_object(o, ROOT, 0, 10 + n).created == (ORACLE_OBJECT | n));
    }
    assert_int_equal(create_object(o, ROOT, 0, 1).code, ABI_E_OVERLAP); /* before E_MEM */
    assert_int_equal(create_object(o, ROOT, 0, 40).code, ABI_E_MEM);
    assert_int_equal(create(o, ROOT, 0, 40), ABI_OK); /* PDs have numbers of their own */
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 12, 1, ALL_OBJ, NONE), ABI_OK);
    assert_true(create_object(o, ROOT, 0, 41).created == (ORACLE_OBJECT | 2)); /* the lowest free one */
}

static void test_an_object_is_no_pd(void **state) {
    struct oracle *o = *state;
    make_world(o);
    assert_int_equal(create_object(o, ROOT, 0, 9).code, ABI_OK);
    assert_int_equal(create_object(o, ROOT, 9, 10).code, ABI_E_CAP);
    assert_int_equal(create(o, ROOT, 9, 10), ABI_E_CAP);
    assert_int_equal(delegate_code(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, 9, 0, ALL_MEM), ABI_E_CAP);
    assert_int_equal(grant_code(o, ROOT, ABI_OBJ, 1, 0, 9, 0, ALL_OBJ), ABI_E_CAP);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 0, 0, ALL_MEM, 9), ABI_E_CAP);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 0, ALL_MEM, 9), ABI_E_CAP);
    assert_int_equal(destroy_pd(o, ROOT, 9), ABI_E_CAP);
    assert_int_equal(move_quota(o, ROOT, 9, 0, 1).code, ABI_E_CAP);
    assert_int_equal(move_quota(o, ROOT, 0, 9, 1).code, ABI_E_CAP);
}

static void test_death_of_objects(void **state) {
    struct oracle *o = *state;
    uint32_t count;
    make_world(o);
    assert_int_equal(create_object(o, ROOT, 1, 9).code, ABI_OK);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 9, 0, 2, 9, ABI_MAP);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK); /* its payer: the object lives on */
    assert_true(oracle_alive(o, ORACLE_OBJECT));
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 9, 0, 0, NONE), ABI_OK);
    assert_true(oracle_alive(o, ORACLE_OBJECT)); /* the child keeps it alive */
    assert_below(o, B, ABI_OBJ, 9, NONE, 0);
    assert_int_equal(revoke(o, B, ABI_OBJ, ABI_OWN, ABI_SELF, 9, 0, ABI_CREATE, NONE), ABI_OK);
    assert_true(oracle_alive(o, ORACLE_OBJECT));
    assert_int_equal(revoke(o, B, ABI_OBJ, ABI_OWN, ABI_DROP, 9, 0, 0, NONE), ABI_OK);
    assert_true(*oracle_destroyed(o, &count) == ORACLE_OBJECT && count == 1);
    /* With the PD that held the last capability, in one cascade. */
    assert_int_equal(create_object(o, ROOT, 0, 9).code, ABI_OK);
    assert_int_equal(create_object(o, ROOT, 0, 10).code, ABI_OK);
    assert_int_equal(grant(o, ROOT, ABI_OBJ, 9, 0, 2, 9, ALL_OBJ), 1);
    assert_int_equal(grant(o, ROOT, ABI_OBJ, 2, 0, 3, 2, ALL_OBJ), 1); /* C: B at 2, which has the object at 9 */
    assert_int_equal(destroy_pd(o, ROOT, 3), ABI_OK);
    (void)oracle_destroyed(o, &count);
    assert_int_equal(count, 3);
    assert_false(oracle_alive(o, B) || oracle_alive(o, ORACLE_OBJECT));
    assert_true(oracle_alive(o, ORACLE_OBJECT | 1));
}

/* ---- grant ---- */

static void test_grant_takes_the_place(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(grant(o, A, ABI_MEM, 16, 2, NONE, 64, ALL_MEM), 4); /* within its own space */
    assert_null(oracle_at(o, A, ABI_MEM, 16));
    assert_below(o, A, ABI_MEM, 65, ROOT, 17);
    assert_below(o, B, ABI_MEM, 17, A, 65);
    assert_below(o, C, ABI_MEM, 17, B, 17);
    assert_int_equal(oracle_at(o, A, ABI_MEM, 65)->resource, 17);
    assert_int_equal(grant(o, A, ABI_MEM, 64, 2, 2, 128, ALL_MEM), 4); /* to B, which holds the children */
    assert_int_equal(oracle_units(o, A, ABI_MEM), 12);
    assert_below(o, B, ABI_MEM, 129, ROOT, 17);
    assert_below(o, B, ABI_MEM, 17, B, 129);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 17, 0, ABI_R, NONE), ABI_OK);
    assert_null(oracle_at(o, B, ABI_MEM, 129));
    assert_null(oracle_at(o, C, ABI_MEM, 17));
    /* Onto what is derived from it: occupied. Holes stay holes, and do not overlap. */
    assert_int_equal(grant_code(o, ROOT, ABI_MEM, 0, 8, 2, 0, ALL_MEM), ABI_E_OVERLAP);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 77, 0, 3, 128, ALL_MEM);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 16);
    assert_int_equal(grant_code(o, ROOT, ABI_MEM, 16, 4, 3, 128, ALL_MEM), ABI_E_OVERLAP);
    assert_int_equal(grant(o, ROOT, ABI_MEM, 16, 4, 3, 144, ALL_MEM), 16);
}

static void test_grant_cuts_rights(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(revoke(o, B, ABI_MEM, ABI_OWN, ABI_SELF, 16, 0, ABI_X, NONE), ABI_OK);
    assert_int_equal(grant(o, A, ABI_MEM, 16, 1, 2, 64, ABI_R | ABI_X), 2);
    assert_int_equal(rights_at(o, B, ABI_MEM, 64), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, B, ABI_MEM, 16), ABI_R);
    assert_int_equal(rights_at(o, B, ABI_MEM, 17), ABI_R | ABI_X);
    assert_int_equal(rights_at(o, C, ABI_MEM, 17), ABI_R | ABI_X); /* all descendants */
    assert_int_equal(rights_at(o, C, ABI_MEM, 18), ALL_MEM);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 16), ALL_MEM); /* the parent keeps what it has */
    /* What would come out empty stays, with its descendants. */
    assert_int_equal(grant(o, B, ABI_MEM, 16, 3, 3, 64, ABI_W | ABI_X), 0);
    assert_below(o, B, ABI_MEM, 17, B, 65);
    assert_int_equal(rights_at(o, C, ABI_MEM, 17), ABI_R | ABI_X);
}

static void test_grant_removes_descendants(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 3, 0, 1, 5, ABI_MAP | ABI_CREATE);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 1, 1, ALL_OBJ);
    (void)delegate(o, A, ABI_OBJ, ABI_OWN, 5, 0, NONE, 6, ABI_MAP); /* 5 > 6 > 7 */
    (void)delegate(o, A, ABI_OBJ, ABI_OWN, 6, 0, NONE, 7, ABI_MAP);
    (void)delegate(o, A, ABI_OBJ, ABI_OWN, 5, 0, NONE, 8, ABI_CREATE); /* 5 > 8 */
    /* 6 is left without any right and goes, but its unit is occupied as long as the operation lasts. */
    assert_int_equal(grant_code(o, A, ABI_OBJ, 5, 0, NONE, 6, ABI_CREATE), ABI_E_OVERLAP);
    assert_int_equal(grant_code(o, A, ABI_OBJ, 5, 0, 1, 7, ABI_CREATE), ABI_E_OVERLAP);
    assert_int_equal(grant(o, A, ABI_OBJ, 5, 0, NONE, 9, ABI_CREATE), 1);
    assert_null(oracle_at(o, A, ABI_OBJ, 6));
    assert_null(oracle_at(o, A, ABI_OBJ, 7)); /* with its subtree */
    assert_below(o, A, ABI_OBJ, 8, A, 9);
    assert_below(o, A, ABI_OBJ, 9, ROOT, 3);
    assert_int_equal(oracle_references(o, C), 3);
}

static void test_grant_of_units_that_descend_from_each_other(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 3, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 3, 0, NONE, 1, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 1, 0, NONE, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 1, 0, 2, 9, ALL_MEM);
    assert_int_equal(grant(o, ROOT, ABI_MEM, 0, 2, 1, 8, ABI_R | ABI_W), 3);
    uint32_t count;
    (void)oracle_changes(o, &count);
    assert_int_equal(count, 8); /* two for each that moved; B's unit for its parent and for its right */
    assert_below(o, A, ABI_MEM, 11, ORACLE_PHYS, 0);
    assert_below(o, A, ABI_MEM, 9, A, 11);
    assert_below(o, A, ABI_MEM, 8, A, 9);
    assert_below(o, B, ABI_MEM, 9, A, 9);
    assert_int_equal(rights_at(o, A, ABI_MEM, 8), ABI_R | ABI_W);
    assert_int_equal(rights_at(o, B, ABI_MEM, 9), ABI_R | ABI_W);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 0);
    /* A unit that is skipped goes all the same if it descends from one that is not: its parent has lost its rights. */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, NONE, 16, ABI_MAP | ABI_CREATE);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 16, 0, NONE, 17, ABI_MAP);
    assert_int_equal(grant(o, ROOT, ABI_OBJ, 16, 1, NONE, 18, ABI_CREATE), 1);
    assert_null(oracle_at(o, ROOT, ABI_OBJ, 17));
    assert_null(oracle_at(o, ROOT, ABI_OBJ, 19));
    assert_int_equal(rights_at(o, ROOT, ABI_OBJ, 18), ABI_CREATE);
}

static void test_grant_overlap_is_atomic(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 4, NONE, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 100, 0, 1, 15, ALL_MEM);
    assert_int_equal(grant_code(o, ROOT, ABI_MEM, 0, 4, 1, 0, ALL_MEM), ABI_E_OVERLAP);
    /* The units that a grant leaves are not free for it yet. */
    assert_int_equal(grant_code(o, ROOT, ABI_MEM, 0, 4, NONE, 0, ALL_MEM), ABI_E_OVERLAP);
    assert_int_equal(grant_code(o, ROOT, ABI_OBJ, 1, 0, NONE, 1, ALL_OBJ), ABI_E_OVERLAP);
    assert_int_equal(grant(o, ROOT, ABI_MEM, 0, 4, NONE, 0, ABI_W), 0); /* nothing to be filled */
    assert_int_equal(grant(o, ROOT, ABI_MEM, 0, 3, 1, 0, ALL_MEM), 8);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 8);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 9);
}

static void test_grant_moves_the_reference(void **state) {
    struct oracle *o = *state;
    uint32_t count;
    make_world(o);
    assert_int_equal(grant(o, ROOT, ABI_OBJ, 1, 0, 2, 5, ABI_MAP), 1);
    assert_true(oracle_alive(o, A));
    assert_int_equal(oracle_references(o, A), 1);
    assert_int_equal(oracle_selector(o, ROOT, A), OUTSIDE);
    assert_int_equal(oracle_selector(o, B, A), 5);
    assert_int_equal(grant(o, ROOT, ABI_OBJ, 2, 0, 2, 6, ALL_OBJ), 1); /* B: its own last capability */
    assert_true(oracle_alive(o, B));
    assert_int_equal(grant(o, ROOT, ABI_OBJ, 0, 0, 3, 0, ABI_CREATE), 1); /* root's own is an ordinary mapping */
    assert_int_equal(create(o, ROOT, 0, 9), ABI_E_CAP);
    assert_int_equal(create(o, C, 0, 9), ABI_OK);
    assert_int_equal(revoke(o, B, ABI_OBJ, ABI_OWN, ABI_DROP, 6, 0, 0, NONE), ABI_OK);
    (void)oracle_destroyed(o, &count);
    assert_int_equal(count, 2);
}

static void test_grant_errors_in_order(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 2, ABI_CREATE); /* A: B at 2, without MAP */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 3, ABI_MAP);    /* A: B at 3 */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 1, 4, ABI_QUOTA);  /* A: A at 4, without MAP */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, 1, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, 2, 0, ALL_MEM);
    struct oracle_call phys = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 9, ALL_MEM);
    phys.operation = ABI_GRANT;
    assert_int_equal(run(o, &phys).code, ABI_E_ARG); /* own space only */
    phys.place = ABI_PLACE_CAP;
    assert_int_equal(run(o, &phys).code, ABI_E_ARG);
    phys.place = ABI_OWN;
    phys.scope = 1;
    assert_int_equal(run(o, &phys).code, ABI_E_ARG);
    assert_int_equal(grant_code(o, A, ABI_MEM, 1, 1, NONE, 8, 7), ABI_E_ARG);
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 1, NONE, 9, 7), ABI_E_ARG);
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 9, NONE, 0, 7), ABI_E_ARG);
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, NONE, 256, 7), ABI_E_ARG);
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, 9, 0, 8), ABI_E_ARG);       /* before E_CAP */
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, 9, 0, 7), ABI_E_CAP);       /* before E_OVERLAP */
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, OUTSIDE, 0, 7), ABI_E_CAP); /* outside the space */
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, 2, 0, 7), ABI_E_RIGHT);     /* before E_OVERLAP */
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, 4, 9, 7), ABI_E_RIGHT);     /* though it names the caller */
    assert_int_equal(grant_code(o, A, ABI_MEM, 0, 0, 3, 0, 7), ABI_E_OVERLAP);
    assert_int_equal(grant(o, A, ABI_MEM, 0, 0, NONE, 9, 7), 1);
    assert_int_equal(grant(o, A, ABI_MEM, 1, 0, 3, 2, 7), 1);
}

/* ---- accounts ---- */

static void test_move_quota(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, NONE, 4, ALL_OBJ & ~ABI_QUOTA);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, NONE, 5, ABI_QUOTA);
    const struct oracle_result moved = move_quota(o, ROOT, 2, 5, 3);
    assert_int_equal(moved.code, ABI_OK);
    assert_int_equal(moved.value, 0);
    assert_true(moved.may_fail);
    assert_int_equal(moved.payer, B);
    assert_int_equal(move_quota(o, ROOT, 50, 4, 3).code, ABI_E_CAP);
    assert_int_equal(move_quota(o, ROOT, 4, 50, 3).code, ABI_E_CAP); /* before E_RIGHT on the first one */
    assert_int_equal(move_quota(o, ROOT, 4, OUTSIDE, 3).code, ABI_E_CAP);
    assert_int_equal(move_quota(o, ROOT, 4, 5, 3).code, ABI_E_RIGHT); /* QUOTA on both */
    assert_int_equal(move_quota(o, ROOT, 5, 4, 3).code, ABI_E_RIGHT);
    assert_int_equal(move_quota(o, ROOT, 4, 4, 0).code, ABI_E_RIGHT);
    /* Nothing is moved: memory cannot be short. */
    assert_false(move_quota(o, ROOT, 2, 3, 0).may_fail);
    assert_false(move_quota(o, ROOT, 1, 5, UINT64_MAX).may_fail); /* two capabilities to one PD */
    assert_int_equal(move_quota(o, ROOT, 1, 5, UINT64_MAX).code, ABI_OK);
    assert_true(move_quota(o, ROOT, 1, 2, UINT64_MAX).may_fail);
}

static void test_who_may_have_to_pay(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    struct oracle_call call = {.operation = ABI_CREATE_PD, .caller = ROOT, .pd_selector = 2, .base = 20};
    assert_int_equal(oracle_decide(o, &call).payer, B); /* the payer named */
    call.operation = ABI_CREATE_OBJECT;
    assert_int_equal(oracle_decide(o, &call).payer, B);
    call = delegate_call(ROOT, ABI_MEM, ABI_OWN, 16, 0, 3, 99, ALL_MEM);
    assert_int_equal(oracle_decide(o, &call).payer, C); /* the destination */
    call.operation = ABI_GRANT;
    assert_int_equal(oracle_decide(o, &call).payer, C);
    call.to_cap = false;
    assert_int_equal(oracle_decide(o, &call).payer, ROOT);
    call = (struct oracle_call){.operation = ABI_REVOKE, .caller = ROOT, .scope = ABI_SELF, .base = 16, .mask = ABI_R};
    assert_true(oracle_decide(o, &call).may_fail);
    assert_int_equal(oracle_decide(o, &call).payer, ORACLE_NONE); /* the caller alone */
}

static uint32_t create_for(struct oracle *o, uint32_t caller, uint64_t payer, uint64_t selector) {
    const struct oracle_call call = {
        .operation = ABI_CREATE_PD, .caller = caller, .pd_selector = payer, .base = selector, .destination = 2};
    const struct oracle_result result = run(o, &call);
    assert_int_equal(result.code, ABI_OK);
    return result.created;
}

static void test_payers_and_heirs(void **state) {
    struct oracle *o = *state;
    assert_int_equal(create_for(o, ROOT, 0, 1), A);
    assert_int_equal(create_for(o, ROOT, 1, 2), B); /* root calls, A pays */
    assert_int_equal(create_for(o, ROOT, 2, 3), C);
    assert_int_equal(create_object(o, ROOT, 3, 4).code, ABI_OK);
    assert_int_equal(create_object(o, ROOT, 2, 5).code, ABI_OK);
    assert_int_equal(oracle_payer(o, ROOT), ORACLE_NONE);
    assert_int_equal(oracle_payer(o, A), ROOT);
    assert_int_equal(oracle_payer(o, B), A);
    assert_int_equal(oracle_payer(o, C), B);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT), C);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT | 1), B);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT | 2), ORACLE_NONE);
    assert_int_equal(oracle_payer(o, 9), ORACLE_NONE);
    assert_int_equal(move_quota(o, ROOT, 0, 3, 1).code, ABI_OK);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, NONE, 9, ABI_MAP);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 2, 0, 0, NONE), ABI_OK);
    assert_int_equal(oracle_payer(o, C), B); /* only death ends it */
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 9, 0, ALL_OBJ, NONE), ABI_OK);
    assert_false(oracle_alive(o, B));
    assert_int_equal(oracle_payer(o, C), A);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT), C);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT | 1), A);
    assert_int_equal(create_for(o, ROOT, 0, 2), B); /* the number is used again: nobody's heir */
    assert_int_equal(oracle_payer(o, C), A);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    assert_int_equal(oracle_payer(o, C), ROOT);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT | 1), ROOT);
    assert_int_equal(oracle_payer(o, A), ORACLE_NONE);
}

/* The payer and its payer die in one operation. */
static void test_heirs_in_a_cascade(void **state) {
    struct oracle *o = *state;
    assert_int_equal(create_for(o, ROOT, 0, 1), A);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 1, 0, ALL_OBJ);
    assert_int_equal(create_for(o, A, 0, 1), B);
    (void)delegate(o, A, ABI_OBJ, ABI_OWN, 1, 0, 1, 0, ALL_OBJ);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 0, 0, 1, 5, ABI_MAP); /* A: root at 5 */
    (void)delegate(o, A, ABI_OBJ, ABI_OWN, 5, 0, 1, 5, ABI_MAP);    /* B: root at 5 */
    assert_int_equal(create_for(o, B, 0, 1), C);
    assert_int_equal(create_object(o, B, 0, 2).code, ABI_OK);
    assert_int_equal(grant(o, B, ABI_OBJ, 1, 0, 5, 11, ALL_OBJ), 1);
    assert_int_equal(grant(o, B, ABI_OBJ, 2, 0, 5, 12, ALL_OBJ), 1);
    assert_int_equal(oracle_payer(o, C), B);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    assert_false(oracle_alive(o, A) || oracle_alive(o, B));
    assert_int_equal(oracle_payer(o, C), ROOT);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT), ROOT);
}

/* ---- when memory may be short ---- */

static bool may_fail(struct oracle *o, uint32_t caller, uint8_t kind, uint8_t place, uint8_t scope, uint64_t base,
                     uint8_t order, uint8_t mask, int filter) {
    const struct oracle_call call = {.operation = ABI_REVOKE,
                                     .caller = caller,
                                     .kind = kind,
                                     .place = place,
                                     .scope = scope,
                                     .base = base,
                                     .order = order,
                                     .mask = mask,
                                     .filtered = filter != NONE,
                                     .filter_selector = filter == NONE ? 0 : (uint64_t)filter};
    const struct oracle_result result = oracle_decide(o, &call);
    assert_int_equal(result.code, ABI_OK);
    return oracle_may_cut(o, &call);
}

static void test_cutting_revokes_may_fail(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    for (uint8_t scope = 0; scope < ABI_SCOPES; scope++) {
        assert_true(may_fail(o, A, ABI_MEM, ABI_OWN, scope, 20, 2, ABI_R, NONE));
        assert_true(may_fail(o, A, ABI_MEM, ABI_OWN, scope, 31, 0, ABI_R, NONE));
        assert_false(may_fail(o, A, ABI_MEM, ABI_OWN, scope, 16, 4, ABI_R, NONE)); /* as large as the ranges are */
        assert_false(may_fail(o, A, ABI_MEM, ABI_OWN, scope, 0, 5, ABI_R, NONE));
        assert_false(may_fail(o, A, ABI_MEM, ABI_OWN, scope, 0, 8, ABI_R, NONE));
        assert_false(may_fail(o, A, ABI_MEM, ABI_OWN, scope, 40, 0, ABI_R, NONE)); /* nothing there */
        assert_false(may_fail(o, ROOT, ABI_OBJ, ABI_OWN, scope, 0, 0, ALL_OBJ, NONE));
    }
    assert_false(may_fail(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 20, 2, 0, NONE)); /* nothing is lost */
    assert_true(may_fail(o, A, ABI_MEM, ABI_OWN, ABI_DROP, 20, 2, 0, NONE));
    assert_false(may_fail(o, C, ABI_MEM, ABI_OWN, ABI_CHILDREN, 20, 2, ABI_R, NONE)); /* no children */
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 16, 4, ABI_R, NONE));
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 0, 8, ABI_R, NONE));
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 32, 4, ABI_R, NONE)); /* nothing given out */
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 3, ABI_R, 2));
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 4, ABI_R, 2));
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 3, ABI_R, 0)); /* none in that PD */
}

static void test_revokes_along_the_seams(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 3, NONE, 8, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 16, 3, NONE, 16, ALL_MEM); /* other frames: not one range with 8..15 */
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 8, 3, ABI_R, NONE));
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 8, 2, ABI_R, NONE));
    (void)revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 12, 0, ABI_W, NONE); /* a seam by rights */
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 8, 2, ABI_R, NONE));
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 12, 0, ABI_R, NONE));
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 14, 0, ABI_R, NONE));
    /* Children in one range, though their parents are not: it depends on the kernel. */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 12, 2, 1, 12, ABI_R);
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 12, 0, ABI_R, NONE));
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_DROP, 12, 0, 0, NONE)); /* they get different parents */
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 12, 0, ABI_R, NONE));
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 12, 0, ABI_W, NONE)); /* has no W to lose */
    /* A seam by parents: 4..7 below 8..11, and below nothing that rises with it. */
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 8, 1, 2, 4, ABI_R);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 1, 2, 6, ABI_R);
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_PHYS, ABI_CHILDREN, 200, 1, ABI_R, NONE));
    assert_false(may_fail(o, B, ABI_MEM, ABI_OWN, ABI_SELF, 4, 1, ABI_R, NONE));
    (void)delegate(o, ROOT, ABI_PIO, ABI_PHYS, 8, 3, NONE, 8, 1);
    assert_true(may_fail(o, ROOT, ABI_PIO, ABI_OWN, ABI_SELF, 8, 2, 1, NONE));
    assert_false(may_fail(o, ROOT, ABI_PIO, ABI_OWN, ABI_SELF, 8, 3, 1, NONE));
}

/* The first descendant is alone, a later one in the same PD shares a range. */
static void test_revokes_that_cut_only_the_last_descendant(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, NONE, 8, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 0, NONE, 10, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 8, 0, 1, 4, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 9, 0, 1, 20, ALL_MEM);
    assert_false(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 8, 1, ABI_R, NONE));
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 10, 0, 1, 21, ALL_MEM);
    assert_true(may_fail(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 8, 1, ABI_R, NONE));
}

/* Neighbours that look alike at first sight, but that no kernel can store as one range. */
static void test_revokes_beside_what_cannot_be_joined(void **state) {
    struct oracle *o = *state;
    make_world(o);
    for (uint64_t frame = 0; frame < 4; frame++) {
        static const uint64_t page[] = {8, 12, 10, 20};
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, frame, 0, NONE, page[frame], ALL_MEM);
    }
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 5, 0, NONE, 9, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 8, 1, 1, 4, ALL_MEM); /* parents rise, frames do not */
    assert_false(may_fail(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 4, 0, ABI_R, NONE));
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 8, 0, 2, 4, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 12, 0, 2, 5, ALL_MEM); /* frames rise, parents do not */
    assert_false(may_fail(o, B, ABI_MEM, ABI_OWN, ABI_SELF, 4, 0, ABI_R, NONE));
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 1, 0, 3, 9, ALL_MEM);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 3, 2, ALL_OBJ);
    (void)delegate(o, C, ABI_MEM, ABI_OWN, 9, 0, 2, 9, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 8, 0, 2, 8, ALL_MEM); /* both rise, but in two PDs */
    assert_false(may_fail(o, B, ABI_MEM, ABI_OWN, ABI_SELF, 8, 0, ABI_R, NONE));
    assert_false(may_fail(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 2, 0, ALL_OBJ, NONE)); /* selectors never are */
}

/* What was decided and then not done, because memory was short, leaves no trace. */
static void test_decided_and_not_done(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    const struct oracle_call calls[] = {
        {.operation = ABI_REVOKE, .caller = ROOT, .base = 16, .order = 3, .mask = ABI_R, .scope = ABI_DROP},
        {.operation = ABI_GRANT, .caller = ROOT, .base = 16, .order = 3, .destination = 64, .mask = ABI_R},
        {.operation = ABI_CREATE_PD, .caller = ROOT, .base = 30, .pd_selector = 2},
        {.operation = ABI_CREATE_OBJECT, .caller = ROOT, .base = 30, .pd_selector = 2},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        assert_int_equal(oracle_decide(o, &calls[i]).code, ABI_OK);
    }
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 20, 0, ABI_W, NONE), ABI_OK);
    assert_int_equal(rights_at(o, ROOT, ABI_MEM, 20), ALL_MEM);
    assert_int_equal(create_for(o, ROOT, 0, 30), C + 1);
    assert_int_equal(oracle_payer(o, C + 1), ROOT);
}

/* ---- lookup ---- */

static void test_lookup(void **state) {
    struct oracle *o = *state;
    make_world(o);
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 0), 0);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 3, NONE, 32, ALL_MEM);
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 32), looked_up(ALL_MEM, 3));
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 39), looked_up(ALL_MEM, 3));
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 40), 0);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 32, 2, NONE, 44, ALL_MEM); /* other resources: not uniform with 40 */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 8, 2, NONE, 40, ALL_MEM);
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 40), looked_up(ALL_MEM, 2));
    (void)revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 44, 2, 7, NONE);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 12, 2, NONE, 44, ALL_MEM); /* made by parts, uniform all the same */
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 33), looked_up(ALL_MEM, 4));
    (void)revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 46, 0, ABI_W, NONE);
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 33), looked_up(ALL_MEM, 3));
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 41), looked_up(ALL_MEM, 2));
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 44), looked_up(ALL_MEM, 1));
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 46), looked_up(ABI_R | ABI_X, 0));
    assert_int_equal(lookup(o, ROOT, ABI_MEM, 47), looked_up(ALL_MEM, 0));
    /* A hole is not skipped, even where the resource behind it would fit. */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, 2, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 1, 0, 2, 2, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 0, 2, 3, ALL_MEM);
    assert_int_equal(lookup(o, B, ABI_MEM, 0), looked_up(ALL_MEM, 0));
    /* Resources need not be aligned as the units are. */
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 1, 0, 1, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 0, 1, 1, ALL_MEM);
    assert_int_equal(lookup(o, A, ABI_MEM, 1), looked_up(ALL_MEM, 1));
    /* Selectors are never a range, not even if the numbers of their PDs rise. */
    assert_int_equal(lookup(o, ROOT, ABI_OBJ, 2), looked_up(ALL_OBJ, 0));
    assert_int_equal(lookup(o, ROOT, ABI_OBJ, 9), 0);
}

static void test_lookup_of_the_whole_space_and_errors(void **state) {
    struct oracle *o = *state;
    const struct oracle_geometry all = {8, 8, 6, 8, 256, 4, 64, 1 << ABI_MEM | 1 << ABI_OBJ};
    struct oracle *whole = new_oracle(&all, &oracle_policy_exact, 1024);
    const struct oracle_call fill = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 8, NONE, 0, ABI_R);
    assert_int_equal(run(whole, &fill).value, 256);
    assert_int_equal(lookup(whole, ROOT, ABI_MEM, 77), looked_up(ABI_R, 8));
    free(whole);
    struct oracle_call call = {.operation = ABI_LOOKUP, .caller = ROOT, .kind = ABI_OBJ, .base = 64};
    assert_int_equal(run(o, &call).code, ABI_E_ARG);
    call = (struct oracle_call){.operation = ABI_LOOKUP, .caller = ROOT, .kind = ABI_MEM, .base = 256};
    assert_int_equal(run(o, &call).code, ABI_E_ARG);
    call = (struct oracle_call){.operation = ABI_LOOKUP, .caller = ROOT, .kind = 3};
    assert_int_equal(run(o, &call).code, ABI_E_ARG);
}

/* ---- destruction ---- */

static void test_destroy_takes_everything(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 3, 9, ABI_MAP); /* C: A at 9 */
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    assert_false(oracle_alive(o, A));
    uint32_t count;
    assert_int_equal(*oracle_destroyed(o, &count), A);
    assert_int_equal(count, 1);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 16);
    assert_int_equal(oracle_units(o, B, ABI_MEM) + oracle_units(o, C, ABI_MEM), 0); /* derived from A's */
    assert_null(oracle_at(o, ROOT, ABI_OBJ, 1));
    assert_null(oracle_at(o, C, ABI_OBJ, 9));
    assert_true(oracle_alive(o, B));
    assert_int_equal(oracle_references(o, B), 1);
    assert_int_equal(oracle_references(o, A), 0);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_E_CAP);
}

static void test_destroy_errors_in_order(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 0, ALL_OBJ & ~ABI_DESTROY);
    assert_int_equal(destroy_pd(o, ROOT, 50), ABI_E_CAP);
    assert_int_equal(destroy_pd(o, ROOT, OUTSIDE), ABI_E_CAP);
    assert_int_equal(destroy_pd(o, ROOT, ABI_ROOT_SELECTOR), ABI_E_RIGHT); /* root cannot be destroyed */
    assert_int_equal(destroy_pd(o, A, 0), ABI_E_RIGHT);
    const struct oracle_call bad = {.operation = ABI_DESTROY_PD, .caller = ROOT, .pd_selector = 50, .mask = 1};
    assert_int_equal(run(o, &bad).code, ABI_E_ARG); /* before E_CAP */
}

static void test_self_destruction(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 1, 0, ABI_DESTROY); /* A: A at 0 */
    assert_int_equal(destroy_pd(o, A, 0), ABI_OK);
    assert_false(oracle_alive(o, A));
    assert_null(oracle_at(o, ROOT, ABI_OBJ, 1));
    assert_int_equal(oracle_units(o, C, ABI_MEM), 0);
}

static void test_last_capability_by_revoke(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 2, 0, ALL_OBJ & ~ABI_QUOTA, NONE), ABI_OK);
    assert_true(oracle_alive(o, B)); /* QUOTA is left */
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 2, 0, ABI_QUOTA, NONE), ABI_OK);
    assert_false(oracle_alive(o, B));
    assert_true(oracle_alive(o, C));
    assert_int_equal(oracle_units(o, C, ABI_MEM), 0); /* it descended from B's */
    assert_int_equal(oracle_units(o, A, ABI_MEM), 16);
}

/* Root makes A; each PD holds a capability to itself, with which it makes the next one. */
static void make_creators(struct oracle *o, uint32_t pds) {
    struct oracle_call call = {.operation = ABI_CREATE_PD, .caller = ROOT, .base = 1};
    for (uint32_t n = 0; n < pds; n++) {
        assert_int_equal(oracle_decide(o, &call).code, ABI_OK);
        const uint32_t created = oracle_decide(o, &call).created;
        assert_true(oracle_commit(o, &call));
        const struct oracle_call self = delegate_call(call.caller, ABI_OBJ, ABI_OWN, 1, 0, 1, 0, ALL_OBJ);
        assert_int_equal(oracle_decide(o, &self).code, ABI_OK);
        assert_true(oracle_commit(o, &self));
        call.caller = created;
    }
}

static void test_cascade(void **state) {
    struct oracle *o = *state;
    make_creators(o, SMALL_PDS - 1);
    assert_true(oracle_alive(o, SMALL_PDS));
    assert_int_equal(destroy_pd(o, A, 1), ABI_OK); /* B, and all that follow */
    assert_true(oracle_alive(o, A));
    uint32_t count;
    (void)oracle_destroyed(o, &count);
    assert_int_equal(count, SMALL_PDS - 2);
    for (uint32_t pd = B; pd <= SMALL_PDS; pd++) {
        assert_false(oracle_alive(o, pd));
    }
}

static void test_cyclic_capabilities(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 2, 1, ALL_OBJ); /* B: A at 1 */
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 2, ALL_OBJ); /* A: B at 2 */
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 1, 0, 0, NONE), ABI_OK);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 2, 0, 0, NONE), ABI_OK);
    assert_true(oracle_alive(o, A) && oracle_alive(o, B)); /* each holds the other */
    assert_int_equal(destroy_pd(o, A, 2), ABI_OK);
    assert_false(oracle_alive(o, A)); /* its last capability was in B */
    assert_false(oracle_alive(o, B));
}

static void test_capability_in_its_own_space(void **state) {
    struct oracle *o = *state;
    make_world(o);
    (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 1, 0, 1, 0, ALL_OBJ);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_DROP, 1, 0, 0, NONE), ABI_OK);
    assert_true(oracle_alive(o, A));
    assert_int_equal(revoke(o, A, ABI_OBJ, ABI_OWN, ABI_SELF, 0, 6, ALL_OBJ, NONE), ABI_OK); /* ends its caller */
    assert_false(oracle_alive(o, A));
}

static void test_revoking_everything_leaves_only_root(void **state) {
    struct oracle *o = *state;
    make_chain(o);
    for (uint32_t pd = ROOT; pd <= C; pd++) {
        for (uint8_t kind = 0; kind < ABI_KINDS && oracle_alive(o, pd); kind++) {
            assert_int_equal(revoke(o, pd, kind, ABI_OWN, ABI_SELF, 0, kind == ABI_OBJ ? 6 : 8, all_rights[kind], NONE),
                             ABI_OK);
        }
    }
    assert_false(oracle_alive(o, A) || oracle_alive(o, B) || oracle_alive(o, C));
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM) + oracle_units(o, ROOT, ABI_OBJ), 0);
    assert_null(oracle_next(o, ORACLE_PHYS, ABI_MEM, 0));
    assert_int_equal(oracle_digest(o), 0);
}

/* ---- many random operations ---- */

static uint64_t below(uint64_t *random, uint64_t bound) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % bound;
}

static struct oracle_call random_call(struct oracle *o, uint64_t *random) {
    static const uint8_t operations[] = {1, 2, 2, 2, 2, 3, 3, 3, 6, 7, 7};
    struct oracle_call call = {.operation = operations[below(random, sizeof operations)], .caller = ROOT};
    const uint32_t caller = (uint32_t)below(random, 5) + 1, named = (uint32_t)below(random, 5) + 1;
    call.caller = oracle_alive(o, caller) && below(random, 2) ? caller : (uint32_t)ROOT;
    call.pd_selector = oracle_selector(o, call.caller, named);
    call.filter_selector = oracle_selector(o, call.caller, caller);
    call.base = below(random, 24);
    if (call.operation == ABI_CREATE_PD || call.operation == ABI_CREATE_OBJECT) {
        call.pd_selector = oracle_selector(o, call.caller, below(random, 2) ? (uint32_t)ROOT : named);
        return call;
    }
    call.kind = (uint8_t)below(random, ABI_KINDS);
    call.order = (uint8_t)below(random, 4);
    call.base = call.base >> call.order << call.order;
    call.mask = (uint8_t)(below(random, 3) ? all_rights[call.kind] : below(random, 8) & all_rights[call.kind]);
    if (call.operation != ABI_REVOKE) {
        call.place = (uint8_t)(call.operation == ABI_GRANT ? ABI_OWN : below(random, 2));
        call.to_cap = below(random, 4) != 0;
        call.destination = call.kind == ABI_PIO ? call.base : below(random, 24) >> call.order << call.order;
    } else {
        call.place = (uint8_t)below(random, 3);
        call.scope = (uint8_t)below(random, 3);
        call.filtered = call.scope == ABI_CHILDREN && call.place == ABI_OWN && below(random, 2);
    }
    if (below(random, 60) == 0) {
        call =
            (struct oracle_call){.operation = ABI_DESTROY_PD, .caller = call.caller, .pd_selector = call.pd_selector};
    }
    return call;
}

/* run() checks links, monotone rights, counts, and the change list. Also law 1: revoking twice is revoking once. */
static void test_random_operations(void **state) {
    struct oracle *o = *state;
    uint64_t random = 1;
    unsigned done = 0;
    for (unsigned n = 0; n < 4000; n++) {
        if (n % 60 == 0) {
            oracle_reset(o);
        }
        const struct oracle_call call = random_call(o, &random);
        if (run(o, &call).code != ABI_OK) {
            continue;
        }
        done++;
        if (call.operation == ABI_REVOKE && oracle_alive(o, call.caller)) {
            static struct snapshot once;
            once = after;
            (void)run(o, &call);
            assert_memory_equal(&once, &after, sizeof once);
        }
    }
    assert_true(done > 1000);
}

/* ---- real geometry and limits ---- */

static struct oracle_result run_real(struct oracle *o, const struct oracle_call *call) {
    const struct oracle_result result = oracle_decide(o, call);
    if (result.code == ABI_OK) {
        assert_true(oracle_commit(o, call));
    }
    return result;
}

static void test_real_large_ranges(void **state) {
    struct oracle *o = *state;
    const uint64_t far = UINT64_C(1) << 34;
    struct oracle_call call = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 17, NONE, far, ALL_MEM);
    assert_int_equal(run_real(o, &call).value, 1 << 17);
    call = (struct oracle_call){.operation = ABI_LOOKUP, .caller = ROOT, .base = far + 12345};
    assert_int_equal(run_real(o, &call).value, looked_up(ALL_MEM, 17));
    call = delegate_call(ROOT, ABI_MEM, ABI_OWN, far, 34, NONE, 0, ABI_R);
    assert_int_equal(run_real(o, &call).value, 1 << 17);
    assert_ptr_equal(oracle_next(o, ROOT, ABI_MEM, 1 << 17), oracle_at(o, ROOT, ABI_MEM, far));
    assert_null(oracle_next(o, ROOT, ABI_MEM, far + (1 << 17)));
    call = (struct oracle_call){
        .operation = ABI_REVOKE, .caller = ROOT, .scope = ABI_SELF, .base = far, .order = 9, .mask = ABI_R};
    assert_int_equal(run_real(o, &call).code, ABI_OK);
    uint32_t count;
    (void)oracle_changes(o, &count);
    assert_int_equal(count, 1024);
    assert_ptr_equal(oracle_next(o, ROOT, ABI_MEM, 0), oracle_at(o, ROOT, ABI_MEM, 512));
    call.base = 0;
    call.order = 35;
    assert_int_equal(run_real(o, &call).code, ABI_OK);
    assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 0);
    assert_null(oracle_next(o, ROOT, ABI_MEM, 0));
    assert_null(oracle_next(o, ORACLE_PHYS, ABI_MEM, 0));
    assert_int_equal(oracle_units(o, ORACLE_PHYS, ABI_MEM), (1 << 20) - (1 << 15));
}

static void test_real_limits_of_ranges(void **state) {
    struct oracle *o = *state;
    struct oracle_call call = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 21, NONE, 0, ALL_MEM);
    assert_int_equal(run_real(o, &call).code, ABI_E_ARG); /* larger than PHYS */
    call = delegate_call(ROOT, ABI_MEM, ABI_OWN, 0, 36, NONE, 0, ALL_MEM);
    assert_int_equal(run_real(o, &call).code, ABI_E_ARG);
    call = delegate_call(ROOT, ABI_MEM, ABI_OWN, 0, 0, NONE, UINT64_C(1) << 35, ALL_MEM);
    assert_int_equal(run_real(o, &call).code, ABI_E_ARG);
    call = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, (UINT64_C(1) << 35) - 1, ALL_MEM);
    assert_int_equal(run_real(o, &call).value, 1);
    assert_non_null(oracle_next(o, ROOT, ABI_MEM, 0));
    call = (struct oracle_call){.operation = ABI_REVOKE, .caller = ROOT, .place = ABI_PHYS, .order = 20, .mask = ABI_R};
    assert_int_equal(oracle_decide(o, &call).code, ABI_OK);
    assert_false(oracle_may_cut(o, &call));
    assert_int_equal(run_real(o, &call).code, ABI_OK);
    assert_null(oracle_next(o, ROOT, ABI_MEM, 0));
}

static void test_real_long_cascade(void **state) {
    struct oracle *o = *state;
    make_creators(o, 4095);
    struct oracle_call call = {.operation = ABI_CREATE_PD, .caller = ROOT, .base = 60000};
    assert_int_equal(oracle_decide(o, &call).code, ABI_E_MEM);
    call = (struct oracle_call){.operation = ABI_DESTROY_PD, .caller = ROOT, .pd_selector = 1};
    assert_int_equal(run_real(o, &call).code, ABI_OK);
    uint32_t count;
    (void)oracle_destroyed(o, &count);
    assert_int_equal(count, 4095);
    assert_int_equal(oracle_units(o, ROOT, ABI_OBJ), 1);
    call = (struct oracle_call){.operation = ABI_CREATE_PD, .caller = ROOT, .base = 65535};
    assert_int_equal(run_real(o, &call).created, A);
}

static void test_too_many_units(void **state) {
    (void)state;
    struct oracle *o = new_oracle(&geometry_small, &oracle_policy_exact, 33);
    const struct oracle_call fits = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 0, 4, NONE, 0, ALL_MEM);
    const struct oracle_call too_many = delegate_call(ROOT, ABI_MEM, ABI_OWN, 0, 4, NONE, 16, ALL_MEM);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(oracle_decide(o, &fits).code, ABI_OK);
        assert_true(oracle_commit(o, &fits)); /* 16 units, 16 PHYS frames, root's capability */
        assert_int_equal(oracle_decide(o, &too_many).code, ABI_OK);
        assert_false(oracle_commit(o, &too_many));
        oracle_reset(o);
        assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 0);
    }
    snap(o, &after);
    free(o);
}

static void test_too_scattered_units(void **state) {
    (void)state;
    const uint32_t mappings = 20000;
    struct oracle *o = new_oracle(&geometry_real, &oracle_policy_exact, mappings);
    for (int round = 0; round < 2; round++) {
        bool done = true;
        uint32_t mapped = 0;
        for (; done && mapped < mappings / 2; mapped++) {
            const struct oracle_call call =
                delegate_call(ROOT, ABI_MEM, ABI_PHYS, mapped, 0, NONE, (uint64_t)mapped << 18, ALL_MEM);
            assert_int_equal(oracle_decide(o, &call).code, ABI_OK);
            done = oracle_commit(o, &call);
        }
        assert_false(done);
        assert_true(mapped > 4096);
        oracle_reset(o);
        assert_null(oracle_next(o, ROOT, ABI_MEM, 0));
        assert_null(oracle_next(o, ORACLE_PHYS, ABI_MEM, 0));
    }
    free(o);
}

/* ---- policy knobs: each one alone, beside the exact answer ---- */

static struct oracle *with_policy(const struct oracle_policy *policy) {
    return new_oracle(&geometry_small, policy, MAPPINGS_SMALL);
}

static void test_policy_records(void **state) {
    (void)state;
    assert_string_equal(oracle_policy_exact.name, "exact");
    assert_true(oracle_policy_exact.own_self == ORACLE_UNIT && oracle_policy_exact.child == ORACLE_UNIT);
    assert_false(oracle_policy_exact.any_bit_exists || oracle_policy_exact.keep_old ||
                 oracle_policy_exact.pd_cap_is_authority || oracle_policy_exact.no_grant);
    assert_string_equal(oracle_policy_nova.name, "nova");
    assert_true(oracle_policy_nova.own_self == ORACLE_EXTENT && oracle_policy_nova.child == ORACLE_EXTENT);
    assert_int_equal(oracle_policy_exact.object_rights, ALL_OBJ);
    assert_int_equal(oracle_policy_nova.object_rights, ABI_CREATE | ABI_MAP);
    assert_true(oracle_policy_nova.any_bit_exists && oracle_policy_nova.keep_old &&
                oracle_policy_nova.pd_cap_is_authority && oracle_policy_nova.no_grant);
}

static void test_policy_own_self(void **state) {
    (void)state;
    for (int extent = 0; extent < 2; extent++) {
        struct oracle_policy policy = oracle_policy_exact;
        policy.own_self = extent ? ORACLE_EXTENT : ORACLE_UNIT;
        struct oracle *o = with_policy(&policy);
        make_chain(o);
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 32, 4, NONE, 32, ALL_MEM); /* a neighbour of its own extent */
        assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 20, 0, ABI_R, NONE), ABI_OK);
        assert_int_equal(oracle_units(o, ROOT, ABI_MEM), extent ? 16 : 31);
        assert_int_equal(oracle_units(o, C, ABI_MEM), extent ? 0 : 15);
        assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_DROP, 32, 0, 0, NONE), ABI_OK);
        assert_int_equal(oracle_units(o, ROOT, ABI_MEM), extent ? 0 : 30);
        /* OBJ extents are one unit. */
        (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 0, 2, NONE, 8, ALL_OBJ);
        assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 9, 0, ALL_OBJ, NONE), ABI_OK);
        assert_int_equal(oracle_units(o, ROOT, ABI_OBJ), 7);
        free(o);
    }
}

static void test_policy_child(void **state) {
    (void)state;
    for (int extent = 0; extent < 2; extent++) {
        struct oracle_policy policy = oracle_policy_exact;
        policy.child = extent ? ORACLE_EXTENT : ORACLE_UNIT;
        struct oracle *o = with_policy(&policy);
        make_chain(o);
        (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 24, 3, 3, 72, ALL_MEM); /* an extent that does not overlap */
        assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 16, 0, ABI_R, NONE), ABI_OK);
        assert_int_equal(oracle_units(o, ROOT, ABI_MEM), 16);
        assert_int_equal(oracle_units(o, A, ABI_MEM), extent ? 0 : 15);
        assert_int_equal(oracle_units(o, C, ABI_MEM), 8 + (extent ? 0 : 15)); /* with its subtree */
        assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 24, 0, ABI_W, NONE), ABI_OK);
        assert_int_equal(rights_at(o, ROOT, ABI_MEM, 25), ALL_MEM); /* own mappings: by unit */
        assert_int_equal(rights_at(o, C, ABI_MEM, 73), extent ? ABI_R | ABI_X : ALL_MEM);
        free(o);
    }
}

/* An extent is what one call made from one source extent, wherever its units lie. */
static void test_policy_extents_by_source(void **state) {
    (void)state;
    struct oracle *o = with_policy(&oracle_policy_nova);
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, NONE, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 1, NONE, 2, ALL_MEM);
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 2, 1, 8, ALL_MEM), 4); /* two extents */
    assert_int_equal(oracle_at(o, A, ABI_MEM, 8)->extent, oracle_at(o, A, ABI_MEM, 9)->extent);
    assert_int_not_equal(oracle_at(o, A, ABI_MEM, 9)->extent, oracle_at(o, A, ABI_MEM, 10)->extent);
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 9, 0, ALL_MEM, NONE), ABI_OK);
    assert_null(oracle_at(o, A, ABI_MEM, 8));
    assert_non_null(oracle_at(o, A, ABI_MEM, 10));
    assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 1, 1, 8, ALL_MEM), 2); /* another call: another extent */
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 11, 0, ALL_MEM, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 2);
    free(o);
}

/* Units of two extents may lie in turn; only those of the one go. */
static void test_policy_extents_in_turn(void **state) {
    (void)state;
    struct oracle_policy policy = oracle_policy_exact;
    policy.child = ORACLE_EXTENT;
    struct oracle *o = with_policy(&policy);
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 2, NONE, 0, ALL_MEM);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 1, 0, ABI_R, NONE), ABI_OK);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 1, 0, NONE, 1, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_OWN, 0, 2, 1, 8, ALL_MEM);
    assert_int_equal(oracle_at(o, A, ABI_MEM, 8)->extent, oracle_at(o, A, ABI_MEM, 10)->extent);
    assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_CHILDREN, 0, 0, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 1);
    assert_non_null(oracle_at(o, A, ABI_MEM, 9));
    free(o);
}

static void test_policy_any_bit_exists(void **state) {
    (void)state;
    for (int any = 0; any < 2; any++) {
        struct oracle_policy policy = oracle_policy_exact;
        policy.any_bit_exists = any != 0;
        struct oracle *o = with_policy(&policy);
        make_world(o);
        assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, NONE, 0, ABI_W), any ? 2 : 0);
        assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 4, 0, NONE, 4, ALL_MEM), 1);
        assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 4, 0, ABI_R, NONE), ABI_OK);
        assert_int_equal(rights_at(o, ROOT, ABI_MEM, 4), any ? ABI_W | ABI_X : 0);
        assert_int_equal(delegate(o, ROOT, ABI_MEM, ABI_PHYS, 8, 0, NONE, 8, 0), 0);
        assert_int_equal(revoke(o, ROOT, ABI_MEM, ABI_OWN, ABI_SELF, 4, 0, ABI_W | ABI_X, NONE), ABI_OK);
        assert_null(oracle_at(o, ROOT, ABI_MEM, 4));
        free(o);
    }
}

static void test_policy_keep_old(void **state) {
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct oracle_policy policy = oracle_policy_exact;
        policy.keep_old = keep != 0;
        struct oracle *o = with_policy(&policy);
        make_world(o);
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 1, NONE, 0, ALL_MEM);
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 2, 1, NONE, 2, ALL_MEM);
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 99, 0, 1, 11, ALL_MEM);
        const struct oracle_call call = delegate_call(ROOT, ABI_MEM, ABI_OWN, 0, 2, 1, 8, ALL_MEM);
        const struct oracle_result result = run(o, &call);
        assert_int_equal(result.code, keep ? ABI_OK : ABI_E_OVERLAP);
        assert_int_equal(result.value, keep ? 2 : 0);
        assert_int_equal(oracle_units(o, A, ABI_MEM), keep ? 3 : 1); /* judged per new extent: 10 is not filled */
        assert_null(oracle_at(o, A, ABI_MEM, 10));
        assert_int_equal(oracle_at(o, A, ABI_MEM, 11)->resource, 99);
        const struct oracle_call phys = delegate_call(ROOT, ABI_MEM, ABI_PHYS, 8, 2, 1, 8, ALL_MEM);
        assert_int_equal(run(o, &phys).code, keep ? ABI_OK : ABI_E_OVERLAP);
        assert_int_equal(oracle_units(o, A, ABI_MEM), keep ? 3 : 1);
        const struct oracle_call objects = delegate_call(ROOT, ABI_OBJ, ABI_OWN, 0, 2, NONE, 0, ALL_OBJ);
        assert_int_equal(run(o, &objects).code, keep ? ABI_OK : ABI_E_OVERLAP);
        free(o);
    }
}

static void test_policy_pd_cap_is_authority(void **state) {
    (void)state;
    for (int any = 0; any < 2; any++) {
        struct oracle_policy policy = oracle_policy_exact;
        policy.pd_cap_is_authority = any != 0;
        struct oracle *o = with_policy(&policy);
        const enum abi_code expected = any ? ABI_OK : ABI_E_RIGHT;
        make_world(o);
        (void)delegate(o, ROOT, ABI_OBJ, ABI_OWN, 2, 0, 1, 2, ABI_QUOTA); /* A: B at 2 */
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, 1, 0, ALL_MEM);
        assert_int_equal(delegate_code(o, A, ABI_MEM, ABI_OWN, 0, 0, 2, 0, ALL_MEM), expected);
        assert_int_equal(revoke(o, A, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 0, 0, ALL_MEM, 2), expected);
        assert_int_equal(revoke(o, A, ABI_MEM, ABI_PLACE_CAP, ABI_SELF, 0, 0, ALL_MEM, 3), ABI_E_CAP);
        assert_int_equal(create(o, A, 2, 9), ABI_E_RIGHT);
        assert_int_equal(destroy_pd(o, A, 2), ABI_E_RIGHT);
        free(o);
    }
}

static void test_policy_no_grant(void **state) {
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct oracle_policy policy = oracle_policy_exact;
        policy.no_grant = refused != 0;
        struct oracle *o = with_policy(&policy);
        (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 0, NONE, 0, ALL_MEM);
        assert_int_equal(grant_code(o, ROOT, ABI_MEM, 0, 0, NONE, 1, ALL_MEM), refused ? ABI_E_ARG : ABI_OK);
        assert_int_equal(grant_code(o, ROOT, ABI_MEM, 1, 0, 9, 2, ALL_MEM), refused ? ABI_E_ARG : ABI_E_CAP);
        free(o);
    }
}

/* What a grant moves out of one extent is one extent again; what stays is another one. */
static void test_policy_extents_of_moved_pieces(void **state) {
    (void)state;
    struct oracle_policy policy = oracle_policy_nova;
    policy.no_grant = policy.keep_old = policy.any_bit_exists = false;
    struct oracle *o = with_policy(&policy);
    make_world(o);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 0, 2, NONE, 0, ALL_MEM);
    (void)delegate(o, ROOT, ABI_MEM, ABI_PHYS, 4, 2, NONE, 4, ALL_MEM);
    assert_int_equal(grant(o, ROOT, ABI_MEM, 2, 1, 1, 2, ALL_MEM), 2);
    assert_int_equal(grant(o, ROOT, ABI_MEM, 0, 3, 1, 8, ALL_MEM), 6); /* two pieces */
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 3, 0, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 6);
    assert_null(oracle_at(o, A, ABI_MEM, 2));
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 9, 0, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 4);
    assert_null(oracle_at(o, A, ABI_MEM, 8));
    assert_int_equal(revoke(o, A, ABI_MEM, ABI_OWN, ABI_SELF, 15, 0, ABI_R, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_MEM), 0);
    free(o);
}

/* Ports have extents like memory, and every other kind of operation works under nova alike. */
static void test_policy_nova_ports_and_objects(void **state) {
    (void)state;
    struct oracle *o = with_policy(&oracle_policy_nova);
    make_world(o);
    (void)delegate(o, ROOT, ABI_PIO, ABI_PHYS, 8, 3, NONE, 8, 1);
    (void)delegate(o, ROOT, ABI_PIO, ABI_OWN, 8, 2, 1, 8, 1);
    (void)delegate(o, ROOT, ABI_PIO, ABI_PHYS, 12, 1, 1, 12, 1);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_OWN, ABI_CHILDREN, 9, 0, 1, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, A, ABI_PIO), 2);
    assert_int_equal(revoke(o, ROOT, ABI_PIO, ABI_OWN, ABI_SELF, 9, 0, 1, NONE), ABI_OK);
    assert_int_equal(oracle_units(o, ROOT, ABI_PIO), 0);
    assert_int_equal(create_object(o, ROOT, 1, 9).code, ABI_OK);
    assert_int_equal(rights_at(o, ROOT, ABI_OBJ, 9), oracle_policy_nova.object_rights);
    assert_int_equal(move_quota(o, ROOT, 1, 2, 1).code, ABI_OK);
    assert_int_equal(destroy_pd(o, ROOT, 1), ABI_OK);
    assert_int_equal(oracle_payer(o, ORACLE_OBJECT), ROOT);
    assert_int_equal(revoke(o, ROOT, ABI_OBJ, ABI_OWN, ABI_SELF, 9, 0, ALL_OBJ, NONE), ABI_OK);
    assert_false(oracle_alive(o, ORACLE_OBJECT));
    free(o);
}

#define SMALL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define REAL(test) cmocka_unit_test_setup_teardown(test, set_up_real, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SMALL(test_boot),
        cmocka_unit_test(test_init_refuses_too_little_memory),
        SMALL(test_reset_is_boot),
        SMALL(test_unused_fields_must_be_zero),
        SMALL(test_create_pd),
        SMALL(test_create_pd_errors_in_order),
        SMALL(test_ids_are_recycled_lowest_first),
        SMALL(test_delegate_from_phys),
        SMALL(test_delegate_rights_and_holes),
        SMALL(test_delegate_overlap_is_atomic),
        SMALL(test_delegate_objects),
        SMALL(test_delegate_needs_map),
        SMALL(test_delegate_argument_errors),
        SMALL(test_delegate_errors_in_order),
        SMALL(test_revoke_children_keeps_the_units),
        SMALL(test_revoke_self),
        SMALL(test_revoke_existence_right_takes_all),
        SMALL(test_revoke_unit_below_unit_of_the_range),
        SMALL(test_remote_revoke),
        SMALL(test_revoke_from_phys),
        SMALL(test_drop_moves_children_up),
        SMALL(test_drop_of_a_chain_inside_the_range),
        SMALL(test_drop_of_objects),
        SMALL(test_directed_revoke),
        SMALL(test_revoke_argument_errors),
        SMALL(test_filter_needs_no_right),
        SMALL(test_ports),
        SMALL(test_port_numbers_stay),
        cmocka_unit_test(test_kinds_not_provided),
        SMALL(test_create_object),
        SMALL(test_create_object_errors_in_order),
        SMALL(test_an_object_is_no_pd),
        SMALL(test_death_of_objects),
        SMALL(test_grant_takes_the_place),
        SMALL(test_grant_cuts_rights),
        SMALL(test_grant_removes_descendants),
        SMALL(test_grant_of_units_that_descend_from_each_other),
        SMALL(test_grant_overlap_is_atomic),
        SMALL(test_grant_moves_the_reference),
        SMALL(test_grant_errors_in_order),
        SMALL(test_move_quota),
        SMALL(test_who_may_have_to_pay),
        SMALL(test_payers_and_heirs),
        SMALL(test_heirs_in_a_cascade),
        SMALL(test_cutting_revokes_may_fail),
        SMALL(test_revokes_along_the_seams),
        SMALL(test_revokes_that_cut_only_the_last_descendant),
        SMALL(test_revokes_beside_what_cannot_be_joined),
        SMALL(test_decided_and_not_done),
        SMALL(test_lookup),
        SMALL(test_lookup_of_the_whole_space_and_errors),
        SMALL(test_destroy_takes_everything),
        SMALL(test_destroy_errors_in_order),
        SMALL(test_self_destruction),
        SMALL(test_last_capability_by_revoke),
        SMALL(test_cascade),
        SMALL(test_cyclic_capabilities),
        SMALL(test_capability_in_its_own_space),
        SMALL(test_revoking_everything_leaves_only_root),
        SMALL(test_random_operations),
        REAL(test_real_large_ranges),
        REAL(test_real_limits_of_ranges),
        REAL(test_real_long_cascade),
        cmocka_unit_test(test_too_many_units),
        cmocka_unit_test(test_too_scattered_units),
        cmocka_unit_test(test_policy_records),
        cmocka_unit_test(test_policy_own_self),
        cmocka_unit_test(test_policy_child),
        cmocka_unit_test(test_policy_extents_by_source),
        cmocka_unit_test(test_policy_extents_in_turn),
        cmocka_unit_test(test_policy_any_bit_exists),
        cmocka_unit_test(test_policy_keep_old),
        cmocka_unit_test(test_policy_pd_cap_is_authority),
        cmocka_unit_test(test_policy_no_grant),
        cmocka_unit_test(test_policy_extents_of_moved_pieces),
        cmocka_unit_test(test_policy_nova_ports_and_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
