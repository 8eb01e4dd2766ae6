/*
 * Operations that stop at preemption points: any number in progress, finished in any order, with others in between.
 * What must come of it is what comes of the operations one after the other, or what semantics says of covered mappings;
 * and whenever nothing is in progress, the kernel's own structures agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/target.h"

extern const struct rescind_target rescind_target_small, rescind_target_real;

enum { ALL = ABI_MEM_RIGHTS, CAP = ABI_OBJ_RIGHTS, MOST_POINTS = 200, QUOTA = 8 };
enum { A = 1, B, C, D, PDS }; /* selectors of root's at which PDs are, and of all others' at which they get them */

static const struct rescind_target *target = &rescind_target_small;
static uint32_t pd[PDS];
static uint32_t cpus = 1, executing; /* and which of them executes operations */
static uint64_t speculation;

static void on_stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)context;
    fail_msg("the kernel stopped (%d) in %s: %s", (int)why, function, text);
}

static const struct rescind_hooks hooks = {.stop = on_stop};

/* ---- operations ---- */

struct op {
    uint32_t caller; /* 0: root; else one of pd */
    uint64_t word[ABI_WORDS];
};

static uint64_t head(unsigned operation, unsigned kind, unsigned order, unsigned mask) {
    return operation | kind << ABI_KIND_SHIFT | order << ABI_ORDER_SHIFT | (uint64_t)mask << ABI_MASK_SHIFT;
}

static struct op delegate(uint32_t caller, unsigned kind, uint64_t base, unsigned order, unsigned mask, uint64_t to,
                          uint64_t at) {
    return (struct op){
        caller, {head(ABI_DELEGATE, kind, order, mask) | (uint64_t)(to != 0) << ABI_TO_CAP_SHIFT, base, at, to, 0}};
}

static struct op from_phys(struct op op) {
    op.word[0] |= ABI_PHYS << ABI_PLACE_SHIFT;
    return op;
}

static struct op grant(struct op op) {
    op.word[0] ^= ABI_DELEGATE ^ ABI_GRANT;
    return op;
}

static struct op revoke(uint32_t caller, unsigned kind, uint64_t base, unsigned order, unsigned mask, unsigned scope) {
    return (struct op){caller, {head(ABI_REVOKE, kind, order, mask) | scope << ABI_SCOPE_SHIFT, base, 0, 0, 0}};
}

static struct op remote(struct op op, uint64_t selector) {
    op.word[0] |= ABI_PLACE_CAP << ABI_PLACE_SHIFT;
    op.word[3] = selector;
    return op;
}

static struct op filtered(struct op op, uint64_t selector) {
    op.word[0] |= UINT64_C(1) << ABI_FILTER_SHIFT;
    op.word[4] = selector;
    return op;
}

static struct op destroy(uint32_t caller, uint64_t selector) {
    return (struct op){caller, {ABI_DESTROY_PD, 0, 0, selector, 0}};
}

static uint64_t call(struct op op) {
    target->call(executing, op.caller ? pd[op.caller] : target->root_pd, op.word);
    assert_true(target->stretch() <= target->stretch_limit);
    return op.word[0];
}

/* The operation's number, or RESCIND_NONE if it returned, with *code. */
static uint32_t begin(struct op op, uint32_t points, uint64_t *code) {
    uint32_t number = target->begin(executing, op.caller ? pd[op.caller] : target->root_pd, op.word, points);
    *code = op.word[0];
    assert_true(target->stretch() <= target->stretch_limit);
    if (number != RESCIND_NONE) {
        assert_true(number < target->suspended_limit);
        assert_non_null(target->point(number));
    }
    return number;
}

static bool resume(uint32_t number, uint32_t points, uint64_t *code) {
    uint64_t word[ABI_WORDS];
    bool done = target->resume(number, points, word);
    assert_true(target->stretch() <= target->stretch_limit);
    *code = word[0];
    return done;
}

static void finish(uint32_t number) {
    uint64_t code = 0;
    if (number != RESCIND_NONE) {
        assert_true(resume(number, 0, &code));
        assert_int_equal(code, ABI_OK);
    }
}

/* Begins an operation and goes on to the first point of that name; false: there is none, and it returned. */
static bool begin_to(struct op op, const char *name, uint32_t *number) {
    uint64_t code = 0;
    *number = begin(op, 1, &code);
    while (*number != RESCIND_NONE && strcmp(target->point(*number), name) != 0) {
        if (resume(*number, 1, &code)) {
            *number = RESCIND_NONE;
        }
    }
    return *number != RESCIND_NONE;
}

/* ---- what can be seen ---- */

static bool is_mapped(uint32_t which, uint64_t unit, uint64_t *rights) {
    struct op op = {which, {head(ABI_LOOKUP, ABI_MEM, 0, 0), unit, 0, 0, 0}};
    target->call(0, pd[which], op.word);
    *rights = op.word[1] & 0xff;
    return *rights != 0;
}

static bool alive(uint32_t which) {
    struct rescind_pd_view view;
    return target->pd(pd[which], &view) && !view.dying;
}

/* The rights with which the tables of a PD lead to the unit, and the frame. */
static unsigned walk(const struct rescind_pd_view *view, uint64_t unit, uint64_t *frame) {
    uint64_t physical = view->root_table;
    for (unsigned level = target->geometry.levels; level-- > 0;) {
        const uint64_t *table = target->table(physical);
        assert_non_null(table);
        uint64_t entry =
            table[unit >> (level * target->geometry.level_bits) & ((1U << target->geometry.level_bits) - 1)];
        if (!(entry & 1)) {
            return 0;
        }
        *frame = entry << 1 >> 13 & ((UINT64_C(1) << 40) - 1);
        if (level == 0 || entry >> 7 & 1) {
            *frame += unit & ((UINT64_C(1) << (level * target->geometry.level_bits)) - 1);
            return ABI_R | (entry & 2 ? ABI_W : 0U) | (entry >> 63 ? 0U : ABI_X);
        }
        physical = *frame << 12;
    }
    return 0;
}

static uint32_t tables_below(uint64_t physical, unsigned level) {
    const uint64_t *table = target->table(physical);
    uint32_t count = 0;
    assert_non_null(table);
    for (unsigned i = 0; level > 0 && i < 1U << target->geometry.level_bits; i++) {
        if ((table[i] & 1) && !(table[i] >> 7 & 1)) {
            count += 1 + tables_below(table[i] << 1 >> 1 & ~UINT64_C(0xfff), level - 1);
        }
    }
    return count;
}

/* With the tables of its PD, and with its parent. */
static void check_node(uint32_t index, const struct rescind_node_view *node) {
    struct rescind_pd_view view;
    struct rescind_node_view parent;
    assert_true(node->kind == ABI_MEM ? node->rights & ABI_R : node->rights);
    if (node->parent != RESCIND_NONE) {
        assert_true(target->node(node->parent, &parent));
        assert_int_equal(node->rights & ~parent.rights, 0);
        assert_int_equal(node->resource >> parent.order, parent.resource >> parent.order);
        assert_true(node->order <= parent.order);
    }
    if (node->next_sibling != RESCIND_NONE) {
        struct rescind_node_view sibling;
        assert_true(target->node(node->next_sibling, &sibling));
        assert_int_equal(sibling.previous_sibling, index);
    }
    if (node->pd == RESCIND_PD_PHYS) {
        return;
    }
    assert_true(target->pd(node->pd, &view));
    for (uint64_t i = 0; node->kind == ABI_MEM && i < UINT64_C(1) << node->order; i++) {
        uint64_t frame = 0;
        assert_int_equal(walk(&view, node->base + i, &frame), node->rights);
        assert_int_equal(frame, node->resource + i);
    }
}

/* With what its account says. */
static void check_pd(uint32_t index, const struct rescind_pd_view *view, const uint32_t *charged, uint64_t units) {
    uint64_t objects = 0;
    uint64_t leaves = 0;
    assert_false(view->dying);
    for (uint32_t i = 0; i < target->object_limit; i++) {
        struct rescind_object_view object;
        objects += target->object(i, &object) && object.payer == index;
    }
    uint64_t tables = tables_below(view->root_table, target->geometry.levels - 1U);
    assert_int_equal(view->used, target->costs.pd + charged[index] * (uint64_t)target->costs.node +
                                     tables * target->costs.table + objects * target->costs.object);
    for (uint64_t unit = 0; unit < UINT64_C(1) << target->geometry.mem_log2; unit++) {
        uint64_t frame = 0;
        leaves += walk(view, unit, &frame) != 0;
    }
    assert_int_equal(leaves, units);
}

/* What CPUs get to is what the tables say. */
static void check_cpus(void) {
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        struct rescind_pd_view view;
        uint32_t runs = target->runs(cpu);
        if (runs == RESCIND_NONE) {
            continue;
        }
        assert_true(target->pd(runs, &view));
        for (uint64_t unit = 0; unit < 32; unit++) {
            for (uint8_t right = 1; right <= ABI_X; right = (uint8_t)(right << 1)) {
                uint64_t frame = 0;
                uint64_t reached = RESCIND_NOWHERE;
                unsigned rights = walk(&view, unit, &frame);
                bool may = target->access(cpu, ABI_MEM, unit, right, &reached);
                assert_int_equal(may, (rights & right) != 0);
                assert_true(!may || reached == frame);
            }
        }
    }
}

/* Of the small geometry, with nothing in progress: nodes, tables and accounts agree. */
static void check(void) {
    static uint32_t charged[64];
    static uint64_t units[64];
    struct rescind_node_view node;
    struct rescind_pd_view view;
    struct rescind_usage usage;
    uint32_t nodes = 0;
    uint32_t pds = 0;
    memset(charged, 0, sizeof charged);
    memset(units, 0, sizeof units);
    for (uint32_t i = 0; i < target->node_limit; i++) {
        if (target->node(i, &node)) {
            check_node(i, &node);
            nodes += node.charged;
            if (node.pd != RESCIND_PD_PHYS) {
                charged[node.pd] += node.charged;
                units[node.pd] += node.kind == ABI_MEM ? UINT64_C(1) << node.order : 0;
            }
        }
    }
    for (uint32_t i = 0; i < target->pd_limit; i++) {
        if (target->pd(i, &view)) {
            check_pd(i, &view, charged, units[i]);
            pds++;
        }
    }
    check_cpus();
    target->usage(&usage);
    assert_int_equal(usage.nodes, nodes);
    assert_int_equal(usage.pds, pds);
}

/* A number for the abstract state: mappings with their parents, and accounts. */
static uint64_t digest(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < target->node_limit; i++) {
        struct rescind_node_view node;
        struct rescind_node_view parent = {.pd = RESCIND_NONE};
        if (!target->node(i, &node) || node.pd == RESCIND_PD_PHYS) {
            continue;
        }
        if (node.parent != RESCIND_NONE) {
            assert_true(target->node(node.parent, &parent));
        }
        const uint64_t of[] = {node.base,   node.resource, node.pd,     node.kind,   node.order,
                               node.rights, parent.pd,     parent.kind, parent.base, parent.order};
        uint64_t hash = 1;
        for (size_t j = 0; j < sizeof of / sizeof *of; j++) {
            hash = (hash ^ of[j]) * UINT64_C(0x9e3779b97f4a7c15);
            hash ^= hash >> 29;
        }
        sum += hash;
    }
    for (uint32_t i = 0; i < target->pd_limit; i++) {
        struct rescind_pd_view view;
        if (target->pd(i, &view)) {
            sum += (i + 1) * (view.quota * 31 + view.used) * UINT64_C(0xd6e8feb86659fd93);
        }
    }
    return sum;
}

/* ---- a small tree ---- */

static void create(uint32_t which) {
    struct op op = {0, {ABI_CREATE_PD, which, QUOTA, 0, 0}};
    struct rescind_log log;
    assert_int_equal(call(op), ABI_OK);
    target->log(&log);
    pd[which] = log.pds[0];
}

/* Frames 0..3 go to A, from there to B, from there to C; 4..7 to B, from there to C. All but C can name those after. */
static void set_up(void) {
    target->boot(&hooks, cpus, speculation);
    for (uint32_t which = A; which < PDS; which++) {
        create(which);
    }
    for (uint32_t which = A; which < PDS; which++) {
        for (uint32_t named = A; named < PDS; named++) {
            assert_int_equal(call(delegate(0, ABI_OBJ, named, 0, CAP, which, named)), ABI_OK);
        }
    }
    assert_int_equal(call(from_phys(delegate(0, ABI_MEM, 0, 2, ALL, A, 0))), ABI_OK);
    assert_int_equal(call(delegate(A, ABI_MEM, 0, 2, ALL, B, 8)), ABI_OK);
    assert_int_equal(call(delegate(B, ABI_MEM, 8, 2, ALL, C, 16)), ABI_OK);
    assert_int_equal(call(from_phys(delegate(0, ABI_MEM, 4, 2, ALL, B, 0))), ABI_OK);
    assert_int_equal(call(delegate(B, ABI_MEM, 0, 2, ALL, C, 0)), ABI_OK);
    target->switch_to(0, pd[B]);
}

enum { THREE = 3, ORDERS = 6 };
static const uint8_t orders[ORDERS][THREE] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

/* Each of three operations is suspended at each of its points, then they are finished in all orders. */
static void try_three(const struct op ops[THREE], const uint32_t points[THREE], const uint8_t order[THREE],
                      uint64_t expected, bool all[THREE]) {
    uint32_t number[THREE];
    set_up();
    for (uint32_t i = 0; i < THREE; i++) {
        uint64_t code = 0;
        number[i] = begin(ops[i], points[i], &code);
        all[i] = number[i] == RESCIND_NONE;
        if (all[i]) {
            assert_int_equal(code, ABI_OK);
        }
    }
    for (uint32_t i = 0; i < THREE; i++) {
        finish(number[order[i]]);
    }
    assert_true(digest() == expected);
}

static uint32_t points_of(struct op op) {
    uint64_t code = 0;
    uint32_t points = 1;
    for (;; points++) {
        set_up();
        uint32_t number = begin(op, points, &code);
        if (number == RESCIND_NONE) {
            return points;
        }
        finish(number);
        assert_true(points < MOST_POINTS);
    }
}

static void in_all_orders(const struct op ops[THREE], uint32_t stride) {
    uint32_t most[THREE];
    for (uint32_t i = 0; i < THREE; i++) {
        most[i] = points_of(ops[i]);
        assert_true(most[i] > 3);
    }
    set_up();
    for (uint32_t i = 0; i < THREE; i++) {
        assert_int_equal(call(ops[i]), ABI_OK);
    }
    check();
    uint64_t expected = digest();
    uint32_t points[THREE];
    bool returned[THREE];
    for (points[0] = 1; points[0] <= most[0]; points[0] += stride) {
        for (points[1] = 1; points[1] <= most[1]; points[1]++) {
            for (points[2] = 1; points[2] <= most[2]; points[2] += stride) {
                for (uint32_t order = 0; order < ORDERS; order++) {
                    try_three(ops, points, orders[order], expected, returned);
                }
            }
        }
        check();
    }
}

static void two_revokes_and_a_destroy(void **state) {
    (void)state;
    in_all_orders((const struct op[THREE]){revoke(A, ABI_MEM, 0, 1, ALL, ABI_SELF),
                                           from_phys(revoke(0, ABI_MEM, 4, 2, ABI_W, ABI_CHILDREN)), destroy(0, C)},
                  1);
}

static void overlapping_revokes(void **state) {
    (void)state;
    in_all_orders((const struct op[THREE]){revoke(A, ABI_MEM, 0, 2, ALL, ABI_CHILDREN),
                                           from_phys(revoke(0, ABI_MEM, 0, 3, ABI_W, ABI_CHILDREN)),
                                           remote(revoke(0, ABI_MEM, 8, 2, ALL, ABI_SELF), B)},
                  1);
    in_all_orders((const struct op[THREE]){from_phys(filtered(revoke(0, ABI_MEM, 0, 3, ALL, ABI_CHILDREN), C)),
                                           from_phys(revoke(0, ABI_MEM, 0, 1, ABI_X, ABI_CHILDREN)), destroy(0, B)},
                  1);
}

static void destroyed_in_its_own_revoke(void **state) {
    (void)state;
    in_all_orders((const struct op[THREE]){revoke(B, ABI_MEM, 8, 2, ALL, ABI_CHILDREN), destroy(0, B), destroy(0, C)},
                  1);
    in_all_orders((const struct op[THREE]){revoke(B, ABI_OBJ, 0, 3, CAP, ABI_SELF), destroy(0, B),
                                           remote(revoke(0, ABI_MEM, 0, 5, ALL, ABI_SELF), C)},
                  2);
}

static void destroy_of_the_caller(void **state) {
    (void)state;
    uint64_t refused = ABI_E_DEAD;
    for (uint32_t points = 1;; points++) {
        uint64_t code = 0;
        set_up();
        uint32_t number = begin(destroy(B, B), points, &code);
        if (number == RESCIND_NONE) {
            assert_int_equal(code, ABI_OK);
            assert_int_equal(refused, ABI_E_CAP);
            break;
        }
        struct rescind_pd_view view;
        assert_false(alive(B));
        assert_int_equal(call(delegate(0, ABI_OBJ, B, 0, CAP, 0, 9)), ABI_OK); /* skipped, as if gone */
        uint64_t last = refused;
        refused = call(from_phys(delegate(0, ABI_MEM, 9, 0, ALL, B, 60)));
        assert_true(refused == last || (refused == ABI_E_CAP && last == ABI_E_DEAD));
        assert_int_equal(call((struct op){0, {ABI_CREATE_OBJECT, 11, 0, B, 0}}), refused);
        assert_int_equal(call((struct op){0, {ABI_MOVE_QUOTA, 1, 0, B, 0}}), refused);
        finish(number);
        assert_false(target->pd(pd[B], &view));
        check();
    }
}

static void delegate_out_of_what_is_being_revoked(void **state) {
    (void)state;
    for (unsigned partial = 0; partial < 2; partial++) {
        for (uint32_t points = 1;; points++) {
            uint64_t code = 0;
            uint64_t rights = 0;
            unsigned mask = partial ? ABI_W : ALL;
            set_up();
            uint32_t number = begin(revoke(A, ABI_MEM, 0, 2, mask, ABI_CHILDREN), points, &code);
            if (number == RESCIND_NONE) {
                assert_true(points > 5);
                break;
            }
            assert_int_equal(call(delegate(B, ABI_MEM, 8, 2, ALL, D, 40)), ABI_OK);
            assert_int_equal(call(delegate(A, ABI_MEM, 0, 0, ALL, D, 50)), ABI_OK); /* what keeps its rights */
            finish(number);
            assert_int_equal(is_mapped(D, 40, &rights), partial);
            assert_int_equal(rights & ABI_W, 0);
            assert_true(is_mapped(D, 50, &rights));
            assert_int_equal(rights, ALL);
            check();
        }
    }
}

static void what_appears_in_the_range_survives(void **state) {
    (void)state;
    for (uint32_t points = 1;; points++) {
        uint64_t code = 0;
        uint64_t rights = 0;
        set_up();
        uint32_t number = begin(revoke(B, ABI_MEM, 0, 4, ALL, ABI_SELF), points, &code);
        if (number == RESCIND_NONE) {
            break;
        }
        assert_int_equal(call(from_phys(delegate(0, ABI_MEM, 20, 1, ALL, B, 6))), ABI_OK); /* was free */
        uint64_t over = call(from_phys(delegate(0, ABI_MEM, 24, 2, ALL, B, 8)));           /* was not */
        assert_true(over == ABI_OK || over == ABI_E_OVERLAP);
        if (over == ABI_OK) {
            for (uint64_t unit = 8; unit < 12; unit++) {
                uint64_t frame = 24 + unit - 8;
                assert_true(target->access(0, ABI_MEM, unit, ABI_W, &frame));
                assert_int_equal(frame, 24 + unit - 8);
            }
        }
        finish(number);
        assert_true(is_mapped(B, 6, &rights));
        assert_int_equal(is_mapped(B, 8, &rights), over == ABI_OK);
        assert_false(is_mapped(B, 0, &rights));
        check();
    }
}

static void drop_and_grant_of_what_is_covered(void **state) {
    (void)state;
    for (uint32_t points = 1;; points++) {
        uint64_t code = 0;
        set_up();
        uint32_t number = begin(revoke(A, ABI_MEM, 0, 2, ABI_W, ABI_CHILDREN), points, &code);
        if (number == RESCIND_NONE) {
            break;
        }
        assert_int_equal(call(revoke(B, ABI_MEM, 8, 0, 0, ABI_DROP)), ABI_E_DEAD);
        assert_int_equal(call(grant(delegate(B, ABI_MEM, 8, 2, ALL, D, 8))), ABI_E_DEAD);
        assert_int_equal(call(grant(delegate(B, ABI_MEM, 0, 2, ALL, D, 8))), ABI_OK);
        assert_int_equal(call(revoke(A, ABI_MEM, 0, 0, 0, ABI_DROP)), ABI_OK); /* keeps its rights: not covered */
        finish(number);
        check();
        uint64_t rights = 0;
        assert_true(is_mapped(B, 8, &rights));
        assert_int_equal(rights, ABI_R | ABI_X);
    }
}

static void quota_exhausted_in_the_middle(void **state) {
    (void)state;
    for (uint32_t points = 1;; points++) {
        uint64_t code = 0;
        struct rescind_pd_view view;
        set_up();
        uint32_t number = begin(revoke(A, ABI_MEM, 0, 2, ALL, ABI_SELF), points, &code);
        if (number == RESCIND_NONE) {
            break;
        }
        assert_int_equal(call((struct op){0, {ABI_MOVE_QUOTA, QUOTA - 2, 0, B, 0}}), ABI_OK);
        for (uint64_t i = 0; call(from_phys(delegate(0, ABI_MEM, 2 * i % 200, 0, ALL, B, 100 + i))) == ABI_OK; i++) {
            assert_true(i < 150);
        }
        assert_int_equal(call(revoke(A, ABI_MEM, 0, 0, ALL, ABI_SELF)), ABI_OK);
        finish(number);
        assert_true(target->pd(pd[B], &view));
        assert_true(view.used <= view.quota);
        check();
    }
}

/* At points of these names is what they say. */
static void points_say_where_they_stand(void **state) {
    (void)state;
    static const char *const names[] = {"revoke.taken",     "revoke.unlinked", "revoke.tables", "revoke.stale",
                                        "revoke.requested", "revoke.handled",  "revoke.freed"};
    struct rescind_usage before;
    struct rescind_usage now;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t number = RESCIND_NONE;
        uint64_t rights = 0;
        set_up();
        uint64_t frame = RESCIND_NOWHERE;
        assert_true(target->access(0, ABI_MEM, 8, ABI_R, &frame));
        target->usage(&before);
        assert_true(begin_to(revoke(A, ABI_MEM, 0, 2, ALL, ABI_SELF), names[i], &number));
        target->usage(&now);
        assert_int_equal(now.bytes < before.bytes, strcmp(names[i], "revoke.freed") == 0); /* freed last */
        if (strcmp(names[i], "revoke.unlinked") == 0) {
            assert_false(is_mapped(C, 16, &rights));
        }
        if (strcmp(names[i], "revoke.handled") == 0) {
            assert_false(target->access(0, ABI_MEM, 8, ABI_R, &frame));
        }
        finish(number);
    }
}

/* A PD of which CPUs have yet to forget something is gone when the shootdown goes on. */
static void destroyed_during_a_shootdown(void **state) {
    (void)state;
    cpus = 3;
    for (uint32_t victim = A; victim <= C; victim++) {
        uint32_t number = RESCIND_NONE;
        set_up();
        for (uint32_t which = A; which <= C; which++) {
            uint64_t frame = RESCIND_NOWHERE;
            target->switch_to(which - A, pd[which]);
            assert_true(target->access(which - A, ABI_MEM, (which - A) * 8, ABI_R, &frame));
        }
        assert_true(begin_to(from_phys(revoke(0, ABI_MEM, 0, 3, ALL, ABI_CHILDREN)), "revoke.requested", &number));
        assert_int_equal(call(destroy(0, victim)), ABI_OK);
        finish(number);
        check();
    }
    cpus = 1;
}

/* All slots in use: one more does not stop. */
static void more_than_can_be_suspended(void **state) {
    (void)state;
    uint64_t code = 0;
    uint32_t number[16];
    set_up();
    for (uint32_t i = 0; i < 2 * target->suspended_limit; i++) {
        assert_int_equal(call(from_phys(delegate(0, ABI_MEM, 100 + i, 0, ALL, D, i * 2))), ABI_OK);
    }
    for (uint32_t i = 0; i < target->suspended_limit; i++) {
        number[i] = begin(revoke(D, ABI_MEM, i * 2, 0, ALL, ABI_SELF), 1, &code);
        assert_true(number[i] != RESCIND_NONE);
    }
    assert_int_equal(begin(revoke(D, ABI_MEM, 20, 0, ALL, ABI_SELF), 1, &code), RESCIND_NONE);
    assert_int_equal(code, ABI_OK);
    for (uint32_t i = target->suspended_limit; i-- > 0;) {
        finish(number[i]);
    }
    check();
}

/* ---- many ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % bound;
}

static struct op random_revoke(uint32_t caller) {
    unsigned kind = random_below(3) ? ABI_MEM : ABI_OBJ;
    unsigned order = random_below(4);
    uint64_t base = (uint64_t)random_below(24) >> order << order;
    unsigned mask = random_below(2) ? (kind == ABI_MEM ? ALL : CAP) : random_below(kind == ABI_MEM ? 8 : 32);
    struct op op = revoke(caller, kind, base, order, mask, random_below(6) ? random_below(2) : (unsigned)ABI_DROP);
    bool children = (op.word[0] >> ABI_SCOPE_SHIFT & 3) == ABI_CHILDREN;
    if (random_below(3) == 0) {
        return remote(op, A + random_below(PDS - 1));
    }
    if (children && random_below(4) == 0) {
        op = filtered(op, A + random_below(PDS - 1));
    }
    return caller == 0 && children && kind == ABI_MEM && random_below(2) ? from_phys(op) : op;
}

static struct op random_op(void) {
    uint32_t caller = random_below(PDS);
    uint32_t to = random_below(PDS);
    unsigned order = random_below(4);
    uint64_t base = (uint64_t)random_below(24) >> order << order;
    uint64_t at = (uint64_t)random_below(24) >> order << order;
    unsigned mask = random_below(4) ? ALL : random_below(8);
    struct op op = delegate(caller, ABI_MEM, base, order, mask, to, at);
    switch (random_below(10)) {
    case 0:
        return destroy(caller, A + random_below(PDS - 1));
    case 1:
        return grant(op);
    case 2:
        return delegate(caller, ABI_OBJ, random_below(8), 0, CAP, to, random_below(8));
    case 3:
        return grant(delegate(caller, ABI_OBJ, random_below(8), 0, CAP, to, random_below(8)));
    case 4:
        return (struct op){caller, {ABI_CREATE_OBJECT, random_below(8), 0, A + random_below(PDS - 1), 0}};
    case 5:
        return caller == 0 ? from_phys(op) : op;
    case 6:
        return op;
    default:
        return random_revoke(caller);
    }
}

/* PDs that are gone are made again. */
static void make_up(void) {
    for (uint32_t which = A; which < PDS; which++) {
        struct rescind_pd_view view;
        struct op op = {0, {ABI_CREATE_PD, which, QUOTA, 0, 0}};
        struct rescind_log log;
        if (target->pd(pd[which], &view)) {
            continue;
        }
        call(revoke(0, ABI_OBJ, which, 0, CAP, ABI_SELF));
        if (call(op) == ABI_OK) {
            target->log(&log);
            pd[which] = log.pds[0];
        }
        for (uint32_t other = A; other < PDS; other++) {
            call(delegate(0, ABI_OBJ, which, 0, CAP, other, which));
            call(delegate(0, ABI_OBJ, other, 0, CAP, which, other));
        }
    }
}

/* What CPUs do by themselves. */
static void disturb(void) {
    uint32_t cpu = random_below(cpus);
    uint32_t which = random_below(PDS);
    struct rescind_pd_view view;
    if (which > 0 && random_below(3) == 0 && target->pd(pd[which], &view)) {
        target->switch_to(cpu, pd[which]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t frame = RESCIND_NOWHERE;
        target->access(cpu, ABI_MEM, random_below(24), ABI_R, &frame);
    }
    executing = random_below(cpus);
}

static void at_random(void **state) {
    (void)state;
    cpus = 4;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint32_t open[16];
        uint32_t count = 0;
        uint64_t code = 0;
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
        speculation = seed % 2 * seed;
        executing = 0;
        set_up();
        for (uint32_t i = 0; i < 200; i++) {
            disturb();
            if (count > 0 && random_below(3) == 0) {
                uint32_t chosen = random_below(count);
                if (resume(open[chosen], random_below(4), &code)) {
                    open[chosen] = open[--count];
                }
            } else if (count == 0 && random_below(4) == 0) {
                check();
                make_up();
            } else {
                struct op op = random_op();
                if (op.caller == 0 || alive(op.caller)) {
                    uint32_t number = begin(op, 1 + random_below(6), &code);
                    if (number != RESCIND_NONE) {
                        open[count++] = number;
                    }
                }
            }
        }
        while (count > 0) {
            finish(open[--count]);
        }
        check();
    }
    cpus = 1;
    executing = 0;
    speculation = 0;
}

/* ---- steps ---- */

/* The longest stretch, from the decision on, of revoking that many pages that were delegated one by one to another PD.
 */
static uint64_t stretch_of(uint32_t pages) {
    uint64_t code = 0;
    uint64_t longest = 0;
    target->boot(&hooks, 1, 0);
    struct op op = {0, {ABI_CREATE_PD, A, 4096, 0, 0}};
    struct rescind_log log;
    assert_int_equal(call(op), ABI_OK);
    target->log(&log);
    pd[A] = log.pds[0];
    for (uint32_t i = 0; i < pages; i++) {
        assert_int_equal(call(from_phys(delegate(0, ABI_MEM, 2 * (uint64_t)i, 0, ALL, A, i))), ABI_OK);
    }
    uint32_t number = begin(revoke(A, ABI_MEM, 0, 12, ALL, ABI_SELF), 1, &code);
    longest = target->stretch();
    while (!resume(number, 1, &code)) {
        longest = target->stretch() > longest ? target->stretch() : longest;
    }
    assert_int_equal(code, ABI_OK);
    return longest;
}

static void steps_do_not_grow(void **state) {
    (void)state;
    target = &rescind_target_real;
    uint64_t one = stretch_of(1);
    uint64_t many = stretch_of(512);
    uint64_t most = stretch_of(4096);
    target = &rescind_target_small;
    assert_true(one > 0 && one <= 16);
    assert_int_equal(many, one);
    assert_int_equal(most, one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_revokes_and_a_destroy),
        cmocka_unit_test(overlapping_revokes),
        cmocka_unit_test(destroyed_in_its_own_revoke),
        cmocka_unit_test(destroy_of_the_caller),
        cmocka_unit_test(delegate_out_of_what_is_being_revoked),
        cmocka_unit_test(what_appears_in_the_range_survives),
        cmocka_unit_test(drop_and_grant_of_what_is_covered),
        cmocka_unit_test(quota_exhausted_in_the_middle),
        cmocka_unit_test(points_say_where_they_stand),
        cmocka_unit_test(destroyed_during_a_shootdown),
        cmocka_unit_test(more_than_can_be_suspended),
        cmocka_unit_test(at_random),
        cmocka_unit_test(steps_do_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
