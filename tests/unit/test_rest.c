/*
 * A target at rest: what an honest kernel holds after any operations is agreed with, and each lie about it is found.
 *
 * Operations are played without an oracle, on several CPUs that access memory; between the kernel and the judge stands
 * a target that forwards everything but one thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/host.h"
#include "harness/player.h"

extern const struct rescind_target rescind_target_small;

enum { SEQUENCES = 300, OPS = 60, CPUS = 2, MAPPINGS = 1 << 14 };

enum lie { HONEST, RIGHTS, PARENT, RESOURCE, ACCOUNT, REFERENCES, COUNT, NODES, RUNS, REMEMBERED, PORTS, LIES };

static struct {
    struct rescind_target target;
    enum lie lie;
} liar;

static struct host_enter host;
static struct harness *harness;
static struct player *player;
static struct harness_outcome outcome;

/* ---- lies ---- */

static bool fake_node(uint32_t index, struct rescind_node_view *view) {
    if (!rescind_target_small.node(index, view))
        return false;
    if (view->kind != ABI_MEM || view->pd == RESCIND_PD_PHYS || view->parent == RESCIND_NONE)
        return true;
    if (liar.lie == RIGHTS && view->rights == ABI_R)
        view->rights |= ABI_W;
    else if (liar.lie == PARENT)
        view->parent = RESCIND_NONE;
    else if (liar.lie == RESOURCE && view->order == 0)
        view->resource ^= 1;
    return true;
}

static bool fake_pd(uint32_t index, struct rescind_pd_view *view) {
    static uint64_t ports[1 << 2];
    if (!rescind_target_small.pd(index, view))
        return false;
    view->used += liar.lie == ACCOUNT;
    view->references += liar.lie == REFERENCES;
    view->node_count[ABI_MEM] += liar.lie == COUNT;
    if (liar.lie == PORTS) {
        memcpy(ports, view->ports, sizeof ports);
        ports[3] ^= UINT64_C(1) << 63;
        view->ports = ports;
    }
    return true;
}

static void fake_usage(struct rescind_usage *usage) {
    rescind_target_small.usage(usage);
    usage->nodes += liar.lie == NODES;
}

static uint32_t fake_runs(uint32_t cpu) {
    return liar.lie == RUNS ? rescind_target_small.pd_limit - 1 : rescind_target_small.runs(cpu);
}

static bool fake_cached(uint32_t cpu, uint32_t place, struct rescind_cached *cached) {
    if (!rescind_target_small.cached(cpu, place, cached))
        return false;
    cached->frame ^= liar.lie == REMEMBERED && !cached->walk;
    return true;
}

/* ---- playing ---- */

static int set_up(void **state) {
    (void)state;
    struct arena arena = {0};
    liar.target = rescind_target_small;
    liar.target.node = fake_node;
    liar.target.pd = fake_pd;
    liar.target.usage = fake_usage;
    liar.target.runs = fake_runs;
    liar.target.cached = fake_cached;
    harness = host_harness_new(&host, &liar.target, MAPPINGS, &oracle_policy_exact);
    player_lay_out(NULL, &arena, &rescind_target_small);
    player = aligned_alloc(HARNESS_ALIGNMENT, sizeof *player + HARNESS_ALIGNMENT - sizeof *player % HARNESS_ALIGNMENT);
    arena = (struct arena){.base = aligned_alloc(HARNESS_ALIGNMENT, arena.used)};
    if (!harness || !player || !arena.base)
        return -1;
    memset(player, 0, sizeof *player);
    player_lay_out(player, &arena, &rescind_target_small);
    player->hooks = &host.hooks;
    player->enter = host_enter;
    player->enter_context = &host;
    return 0;
}

static void play(uint64_t seed) {
    static struct seq_op op[OPS];
    struct seq seq = {.geometry = &seq_geometry_small, .op = op, .capacity = OPS, .cpus = CPUS};
    const struct seq_profile profile = {.cpus = CPUS};
    struct seq_random random;
    liar.lie = HONEST;
    assert_int_equal(harness_rest_boot(harness, CPUS, &outcome), HARNESS_AGREE);
    seq_random_seed(&random, seed);
    seq_generate(&seq, &random, &profile, OPS);
    assert_int_equal(player_boot(player, &seq, seed), PLAYER_RETURNED);
    for (uint32_t i = 0; i < OPS; i++)
        assert_int_not_equal(player_perform(player, &op[i], i), PLAYER_STOPPED);
}

static void test_honest(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        play(seed);
        if (harness_rest(harness, false, &outcome) != HARNESS_AGREE)
            fail_msg("seed %d: %s", (int)seed, outcome.report);
    }
}

static void test_nothing_happened(void **state) {
    (void)state;
    assert_int_equal(harness_rest_boot(harness, CPUS, &outcome), HARNESS_AGREE);
    assert_int_equal(harness_rest(harness, true, &outcome), HARNESS_AGREE);
    play(1);
    assert_int_equal(harness_rest(harness, true, &outcome), HARNESS_FINDING);
    assert_non_null(strstr(outcome.signature, "O7.accounting/rest/"));
}

/* Each lie is found, and in most sequences by the check that it is about. */
static void test_lies(void **state) {
    static const char *const checks[LIES] = {
        [RIGHTS] = "O3.rights/rest/",        [PARENT] = "O5.structure/rest/",
        [RESOURCE] = "O2.over-revoke/rest",  [ACCOUNT] = "O7.accounting/rest",
        [REFERENCES] = "O9.references/rest", [COUNT] = "O7.accounting/rest",
        [NODES] = "O7.accounting/rest",      [RUNS] = "O13.dead/rest/",
        [REMEMBERED] = "O6.tlb/rest/",       [PORTS] = "O",
    };
    (void)state;
    for (enum lie lie = HONEST + 1; lie < LIES; lie++) {
        uint32_t found = 0;
        for (uint64_t seed = 1; seed <= SEQUENCES / 10; seed++) {
            play(seed);
            liar.lie = lie;
            bool differs = harness_rest(harness, false, &outcome) == HARNESS_FINDING;
            found += differs && strncmp(outcome.signature, checks[lie], strlen(checks[lie])) == 0;
        }
        if (!found)
            fail_msg("lie %d: last signature %s", (int)lie, outcome.signature);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_nothing_happened),
        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
