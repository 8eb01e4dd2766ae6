/*
 * The laws: they hold on an honest kernel, and each is found broken when the kernel lies about just what it compares.
 *
 * Between the real kernel and the laws stands a target that forwards everything, but shows root's own capability with
 * one right less while the calls since the last boot are of a certain kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/diff.h"
#include "harness/host.h"
#include "harness/laws.h"

extern const struct rescind_target rescind_target_small, rescind_target_real;

enum { RUNS = 1 << 13, OPS = 64, ALL_LAWS = (1 << (LAWS + 1)) - 2 };

/* ---- the liar ---- */

static struct {
    struct rescind_target target;
    struct host_enter host;
    struct rescind_hooks hooks;
    bool (*lies)(void); /* NULL: never */
    uint32_t calls, revokes, last;
    uint32_t stop_at; /* call at which the kernel "stops"; 0: never */
} liar;

static bool after_revoke(void) {
    return liar.revokes >= 1;
}

static bool after_two_revokes(void) {
    return liar.revokes >= 2;
}

static bool revoked_last(void) {
    return liar.last == ABI_REVOKE;
}

static void fake_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    liar.hooks = *hooks;
    liar.calls = liar.revokes = liar.last = 0;
    rescind_target_small.boot(hooks, cpus, speculation);
}

static void fake_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    liar.last = word[0] & 0xff;
    liar.revokes += liar.last == ABI_REVOKE;
    if (++liar.calls == liar.stop_at)
        liar.hooks.stop(liar.hooks.context, RESCIND_STOP_ASSERT, "text", "function");
    rescind_target_small.call(cpu, pd, word);
}

static bool fake_node(uint32_t node, struct rescind_node_view *view) {
    bool alive = rescind_target_small.node(node, view);
    if (alive && liar.lies && liar.lies() && view->pd == 0 && view->kind == ABI_OBJ && view->base == ABI_ROOT_SELECTOR)
        view->rights &= (uint8_t)~ABI_QUOTA;
    return alive;
}

static const struct rescind_target *liar_target(bool (*lies)(void), uint32_t stop_at) {
    liar.lies = lies;
    liar.stop_at = stop_at;
    liar.target = rescind_target_small;
    liar.target.boot = fake_boot;
    liar.target.call = fake_call;
    liar.target.node = fake_node;
    return &liar.target;
}

/* ---- one sequence ---- */

static void parse(struct seq *seq, struct seq_op op[OPS], const char *text) {
    struct seq_error error;
    *seq = (struct seq){.op = op, .capacity = OPS};
    assert_true(seq_parse(seq, text, strlen(text), &error));
}

static void check(const struct rescind_target *target, const struct seq *seq, const struct laws_options *options,
                  struct laws_outcome *outcome) {
    size_t size = laws_size(target, RUNS);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, size);
    host_enter_init(&liar.host);
    assert_null(laws_init(memory, size - 1, target, RUNS, &liar.host.hooks, host_enter, &liar.host));
    struct laws *laws = laws_init(memory, size, target, RUNS, &liar.host.hooks, host_enter, &liar.host);
    assert_non_null(laws);
    laws_check(laws, seq, options, outcome);
    free(memory);
}

#define HEADER "# rescind: 1\n# geometry: small\n\n"
#define MADE HEADER "p1 = create_pd root payer=root sel=1\np2 = create_pd root payer=root sel=2\n"
#define FILLED MADE "delegate root mem from=phys base=0x10 order=4 to=p1 at=0x40 mask=rwx\n"
#define REVOKE "revoke p1 mem base=0x40 order=3 mask=w scope=self place=own filter=none\n"
#define DELEGATE "delegate p1 mem from=own base=0x48 order=2 to=self at=0x88 mask=rx\n"

/* Each ends with what its law speaks of. */
static const struct {
    const char *text, *signature;
    bool (*lies)(void);
    uint32_t prefix;
} stories[LAWS + 1] = {
    [1] = {FILLED REVOKE, "O14.law-1/revoke.self.own.mem", after_two_revokes, 3},
    [2] = {FILLED REVOKE, "O14.law-2/revoke.self.own.mem", after_two_revokes, 3},
    [3] = {FILLED DELEGATE, "O14.law-3/delegate.own.self.mem", after_revoke, 3},
    [4] = {FILLED "destroy_pd root pd=p1\n", "O14.law-4/destroy_pd", after_revoke, 3},
    [5] = {FILLED REVOKE DELEGATE, "O14.law-5/revoke.self.own.mem+delegate.own.self.mem", revoked_last, 3},
};

static void test_each_law_can_fail(void **state) {
    (void)state;
    for (uint32_t law = 1; law <= LAWS; law++) {
        struct seq_op op[OPS];
        struct seq seq;
        struct laws_options options = {.laws = 1u << law};
        static struct laws_outcome outcome;
        memset(&outcome, 0, sizeof outcome);
        parse(&seq, op, stories[law].text);
        check(liar_target(NULL, 0), &seq, &options, &outcome);
        assert_false(outcome.broken);
        assert_int_equal(outcome.tried[law], 1);
        assert_int_equal(outcome.unmet[law], 0);
        check(liar_target(stories[law].lies, 0), &seq, &options, &outcome);
        assert_true(outcome.broken);
        assert_string_equal(outcome.signature, stories[law].signature);
        assert_int_equal(outcome.prefix, stories[law].prefix);
        assert_int_equal(outcome.subjects, law == 5 ? 2 : 1);
        assert_non_null(strstr(outcome.report, "root, nodes, obj 0x0"));
    }
}

static void test_what_is_no_try(void **state) {
    /* 1: the revoke is refused. 2: a half is not: p1 takes its own capability. 3: occupied. 4: the destroyer's own
     * capability goes with what the victim holds. 5: the units overlap; a grant whose mask the other operation makes it
     * skip a unit. */
    static const struct {
        uint32_t law;
        const char *text;
    } cases[] = {
        {1, FILLED "revoke p1 mem base=0x41 order=3 mask=w scope=self place=own filter=none\n"},
        {2, FILLED "revoke p1 mem base=0x40 order=9 mask=w scope=self place=own filter=none\n"},
        {3, FILLED "delegate p1 mem from=own base=0x48 order=2 to=self at=0x44 mask=rx\n"},
        {4, MADE "delegate root obj from=own base=0x2 order=0 to=p2 at=0x5 mask=0x1f\n"
                 "delegate p2 obj from=own base=0x5 order=0 to=self at=0x6 mask=0x1f\ndestroy_pd p2 pd=@6\n"},
        {5, FILLED REVOKE "delegate p1 mem from=own base=0x40 order=2 to=self at=0x88 mask=rx\n"},
        {5, MADE "delegate root obj from=own base=0 order=0 to=p1 at=0 mask=cmrdq\n"
                 "grant p1 obj from=own base=0 order=0 to=self at=1 mask=crdq\n"
                 "revoke root obj base=0 order=0 mask=crdq scope=children place=own filter=none\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seq_op op[OPS];
        struct seq seq;
        struct laws_options options = {.laws = 1u << cases[i].law};
        static struct laws_outcome outcome;
        memset(&outcome, 0, sizeof outcome);
        parse(&seq, op, cases[i].text);
        check(liar_target(NULL, 0), &seq, &options, &outcome);
        assert_false(outcome.broken);
        assert_int_equal(outcome.tried[cases[i].law], 0);
        assert_int_equal(outcome.unmet[cases[i].law], 1);
    }
}

static void test_a_stop_is_a_finding(void **state) {
    (void)state;
    struct seq_op op[OPS];
    struct seq seq;
    struct laws_options options = {.laws = 1u << 1};
    static struct laws_outcome outcome;
    parse(&seq, op, stories[1].text);
    check(liar_target(NULL, 2), &seq, &options, &outcome);
    assert_true(outcome.broken);
    assert_int_equal(outcome.subjects, 0);
    assert_int_equal(outcome.prefix, 2);
    assert_string_equal(outcome.signature, "O11.assert/create_pd/function: text");
    check(liar_target(NULL, 5), &seq, &options, &outcome);
    assert_true(outcome.broken);
    assert_int_equal(outcome.subjects, 1);
}

/* Many sequences, each with many points and operations made up; the same seed tries the same. */
static void test_laws_hold(void **state) {
    static const struct rescind_target *const targets[] = {&rescind_target_small, &rescind_target_real};
    (void)state;
    for (uint32_t t = 0; t < 2; t++) {
        static struct laws_outcome first, second;
        struct seq_op op[OPS];
        memset(&first, 0, sizeof first);
        memset(&second, 0, sizeof second);
        for (uint64_t i = 0; i < (t ? 10 : 60); i++) {
            struct seq seq = {.geometry = t ? &seq_geometry_real : &seq_geometry_small, .op = op, .capacity = OPS};
            struct seq_profile profile = {.unit_budget = t ? 1 << 18 : 0};
            struct seq_random random;
            seq_random_seed(&random, i);
            seq_generate(&seq, &random, &profile, OPS);
            struct laws_options options = {.laws = ALL_LAWS, .seed = i, .tries = 12};
            check(targets[t], &seq, &options, &first);
            assert_false(first.broken);
            check(targets[t], &seq, &options, &second);
        }
        for (uint32_t law = 1; law <= LAWS; law++)
            assert_true(first.tried[law] > 20);
        assert_memory_equal(&first, &second, sizeof first);
    }
}

/* ---- two kernels ---- */

static void differ(const struct rescind_target *other, const char *text, struct diff_outcome *outcome) {
    struct host_enter host[DIFF_SIDES];
    const struct rescind_target *targets[DIFF_SIDES] = {&rescind_target_real, other};
    struct diff_side side[DIFF_SIDES];
    struct seq_op op[OPS];
    struct seq seq;
    for (uint32_t i = 0; i < DIFF_SIDES; i++) {
        host_enter_init(&host[i]);
        side[i] = (struct diff_side){targets[i], &host[i].hooks, host_enter, &host[i]};
    }
    size_t size = diff_size(side, RUNS);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, size);
    struct diff *diff = diff_init(memory, size, side, RUNS);
    outcome->verdict = DIFF_TOO_LARGE;
    if (diff) {
        parse(&seq, op, text);
        diff_run(diff, &seq, outcome);
    }
    free(memory);
}

/* One kernel cannot stand on both sides, nor can two of different geometry; tests/cli/test_modes.py compares builds. */
static void test_diff_needs_two_like_kernels(void **state) {
    (void)state;
    static struct diff_outcome outcome;
    differ(&rescind_target_small, FILLED, &outcome);
    assert_int_equal(outcome.verdict, DIFF_TOO_LARGE);
    differ(&rescind_target_real, FILLED, &outcome);
    assert_int_equal(outcome.verdict, DIFF_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_law_can_fail),           cmocka_unit_test(test_what_is_no_try),
        cmocka_unit_test(test_a_stop_is_a_finding),         cmocka_unit_test(test_laws_hold),
        cmocka_unit_test(test_diff_needs_two_like_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
