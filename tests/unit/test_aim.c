/*
 * Tests of schedules that are moved to where they meet something.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/aim.h"
#include "harness/host.h"

#include <stdlib.h>
#include <string.h>

extern const struct rescind_target rescind_target_small;

enum { OPS = 16, SEEDS = 400, MAPPINGS = 1 << 12, NAMES = 16 };

/* A revoke that two CPUs have to be told of; blindly, it is suspended after all its points, and so not at all. */
static const char *const text = "# rescind: 1\n# geometry: small\n# cpus: 3\n"
                                "p1 = create_pd root payer=root sel=1\n"
                                "p2 = create_pd root payer=root sel=2\n"
                                "delegate root mem from=phys base=0x0 order=1 to=p1 at=0x0 mask=rwx\n"
                                "delegate root mem from=phys base=0x0 order=1 to=p2 at=0x0 mask=rwx\n"
                                "switch cpu=1 to=p1\n"
                                "switch cpu=2 to=p2\n"
                                "revoke root mem base=0x0 order=1 mask=rwx scope=children place=phys filter=none "
                                "preempt=200 run=2\n"
                                "  lookup p1 mem unit=0x0\n"
                                "  lookup p2 mem unit=0x0\n"
                                "destroy_pd root pd=p1\n";

struct rig {
    struct host_enter host;
    struct harness *harness;
    struct seq_op op[OPS], aimed_op[OPS];
    struct seq seq, aimed;
    struct aim aim;
    struct harness_outcome outcome;
    const char *point; /* at which an operation stood last */
};

static int set_up(void **state) {
    struct seq_error error;
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->harness = host_harness_new(&rig->host, &rescind_target_small, MAPPINGS, &oracle_policy_exact);
    assert_non_null(rig->harness);
    rig->seq = (struct seq){.op = rig->op, .capacity = OPS};
    assert_true(seq_parse(&rig->seq, text, strlen(text), &error));
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    host_harness_free(rig->harness);
    free(rig);
    return 0;
}

static void take_aim(struct rig *rig, uint64_t seed) {
    struct seq_random random;
    seq_random_seed(&random, seed);
    rig->aimed = rig->seq;
    rig->aimed.op = rig->aimed_op;
    memcpy(rig->aimed_op, rig->op, sizeof rig->op);
    for (uint32_t i = 0; i < rig->aimed.count; i++)
        aim_schedule(&rig->aim, rig->harness, &rig->aimed, i, &random);
}

static void on_step(void *context, const struct harness_step *step) {
    struct rig *rig = context;
    if (step->point)
        rig->point = step->point;
}

/* The point at which an operation of the aimed sequence stands, or NULL. */
static const char *run(struct rig *rig) {
    const struct harness_options options = {.compare = HARNESS_FULL, .on_step = on_step, .context = rig};
    rig->point = NULL;
    harness_run(rig->harness, &rig->aimed, &options, &rig->outcome);
    assert_int_equal(rig->outcome.verdict, HARNESS_AGREE);
    return rig->point;
}

static void schedules_meet_something(void **state) {
    struct rig *rig = *state;
    const char *seen[NAMES];
    uint32_t times[NAMES] = {0}, names = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        take_aim(rig, seed);
        const char *point = run(rig);
        uint32_t i = 0;
        assert_non_null(point);
        while (i < names && strcmp(seen[i], point) != 0)
            i++;
        assert_true(i < NAMES);
        if (i == names)
            seen[names++] = point;
        times[i]++;
    }
    assert_true(names >= 6);
    for (uint32_t i = 0; i < names; i++) /* also the rare ones */
        assert_true(times[i] > SEEDS / names / 3);
}

static void nothing_else_is_changed(void **state) {
    struct rig *rig = *state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        take_aim(rig, seed);
        rig->aimed_op[6].point = rig->op[6].point;
        assert_memory_equal(rig->aimed_op, rig->op, sizeof rig->op);
        assert_int_equal(rig->aimed.count, rig->seq.count);
    }
}

static void what_is_refused_stays(void **state) {
    struct rig *rig = *state;
    rig->op[6].order = 63;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        take_aim(rig, seed);
        assert_int_equal(rig->aimed_op[6].point, 200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(schedules_meet_something, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else_is_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_refused_stays, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
