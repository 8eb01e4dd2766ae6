/*
 * One long life: it agrees on an honest kernel, and sees what goes wrong late.
 *
 * Between the real kernel and the harness stands a target that forwards everything, but after so many calls shows
 * root's own capability with one right less, or kernel memory that does not come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/host.h"
#include "harness/soak.h"

extern const struct rescind_target rescind_target_small;

enum { MAPPINGS = 1 << 13, CHUNKS = 60, LATE = 5000, LOW_EVERY = 10 };

static struct {
    struct rescind_target target;
    uint64_t calls, node_from, leak_from; /* 0: never */
} liar;

static void fake_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    liar.calls = 0;
    rescind_target_small.boot(hooks, cpus, speculation);
}

static void fake_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    liar.calls++;
    rescind_target_small.call(cpu, pd, word);
}

static bool fake_node(uint32_t node, struct rescind_node_view *view) {
    bool alive = rescind_target_small.node(node, view);
    if (alive && liar.node_from && liar.calls >= liar.node_from && view->pd == 0 && view->kind == ABI_OBJ &&
        view->base == ABI_ROOT_SELECTOR)
        view->rights &= (uint8_t)~ABI_QUOTA;
    return alive;
}

static void fake_usage(struct rescind_usage *usage) {
    rescind_target_small.usage(usage);
    if (liar.leak_from && liar.calls >= liar.leak_from)
        usage->bytes++;
}

struct life {
    struct host_enter host;
    struct harness *harness;
    struct soak *soak;
    struct harness_outcome outcome;
};

static void begin(struct life *life, uint64_t node_from, uint64_t leak_from) {
    liar.target = rescind_target_small;
    liar.target.boot = fake_boot;
    liar.target.call = fake_call;
    liar.target.node = fake_node;
    liar.target.usage = fake_usage;
    liar.node_from = node_from;
    liar.leak_from = leak_from;
    life->harness = host_harness_new(&life->host, &liar.target, MAPPINGS, &oracle_policy_exact);
    assert_non_null(life->harness);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, soak_size());
    assert_null(soak_init(memory, soak_size() - 1, life->harness, &seq_geometry_small, 1));
    life->soak = soak_init(memory, soak_size(), life->harness, &seq_geometry_small, 1);
    assert_non_null(life->soak);
}

static enum harness_verdict live(struct life *life) {
    enum harness_verdict verdict = soak_boot(life->soak, &life->outcome);
    for (uint32_t i = 1; i <= CHUNKS && verdict == HARNESS_AGREE; i++)
        verdict = soak_chunk(life->soak, i % LOW_EVERY == 0, &life->outcome);
    assert_int_equal(verdict, life->outcome.verdict);
    return verdict;
}

static void end(struct life *life) {
    free(life->soak);
    host_harness_free(life->harness);
}

static void test_agrees(void **state) {
    (void)state;
    struct life life;
    begin(&life, 0, 0);
    assert_int_equal(live(&life), HARNESS_AGREE);
    const struct soak_counts *counts = soak_counts(life.soak);
    assert_int_equal(counts->low_points, CHUNKS / LOW_EVERY);
    assert_int_equal(counts->bytes, counts->bytes_at_boot);
    assert_true(counts->operations > CHUNKS * 200);
    assert_true(counts->changed * 3 > counts->operations);
    assert_true(counts->pds > counts->pd_ids * 10);
    assert_true(counts->objects > counts->object_ids * 5);
    assert_int_equal(soak_recent(life.soak)->count, 0); /* the last chunk ended with a full comparison */
    end(&life);
}

/* A lie that begins late does not show on a fresh system; one that is always told does. */
static void test_finds_what_goes_wrong_late(void **state) {
    (void)state;
    struct life life;
    static struct harness_outcome alone;
    struct harness_options full = {.compare = HARNESS_FULL};
    begin(&life, LATE, 0);
    assert_int_equal(live(&life), HARNESS_FINDING);
    assert_non_null(strstr(life.outcome.signature, "/obj/narrower"));
    assert_true(soak_counts(life.soak)->operations > LATE);
    assert_in_range(soak_recent(life.soak)->count, 1, SEQ_MAX_OPS);
    harness_run(life.harness, soak_recent(life.soak), &full, &alone);
    assert_int_equal(alone.verdict, HARNESS_AGREE);
    end(&life);
    begin(&life, 1, 0);
    assert_int_equal(live(&life), HARNESS_FINDING);
    harness_run(life.harness, soak_recent(life.soak), &full, &alone);
    assert_int_equal(alone.verdict, HARNESS_FINDING);
    end(&life);
}

static void test_finds_a_leak(void **state) {
    (void)state;
    struct life life;
    begin(&life, 0, LATE);
    assert_int_equal(live(&life), HARNESS_FINDING);
    assert_non_null(strstr(life.outcome.signature, "O7"));
    end(&life);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_finds_what_goes_wrong_late),
        cmocka_unit_test(test_finds_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
