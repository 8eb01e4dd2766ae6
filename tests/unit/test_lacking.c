/*
 * Targets that lack operations, tell no values, and need to be told who is dead: what another kernel's backend is to
 * the harness.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/host.h"

extern const struct rescind_target rescind_target_small;

enum { MAPPINGS = 1 << 14, OPS_MAX = 32 };

static struct { uint32_t calls, grants, bad, ended; } seen;

static const char *lack_grants(uint32_t pd, const uint64_t word[ABI_WORDS]) {
    (void)pd;
    return (word[0] & 0xff) == ABI_GRANT ? "grant" : NULL;
}

/* What comes back beyond the code is rubbish, but for a lookup's rights. */
static void silent_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    uint64_t operation = word[0] & 0xff;
    seen.calls++;
    seen.grants += operation == ABI_GRANT;
    rescind_target_small.call(cpu, pd, word);
    seen.bad += word[0] == ABI_E_ARG;
    word[1] = operation == ABI_LOOKUP ? word[1] & 0xff : 0;
}

static void count_end(uint32_t what) {
    (void)what;
    seen.ended++;
}

static void hiding_log(struct rescind_log *log) {
    struct rescind_log all;
    rescind_target_small.log(&all);
    *log = (struct rescind_log){
        .pds = all.pds, .objects = all.objects, .pd_count = all.pd_count, .object_count = all.object_count};
}

/* Every call of p1's is refused for want of memory, and so is a delegate to it; with `made` after all was done. */
static bool made;
static void poor_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    bool refused = pd != rescind_target_small.root_pd || (word[0] & 0xff) == ABI_DELEGATE;
    if (refused && made)
        silent_call(cpu, pd, word);
    if (!refused)
        silent_call(cpu, pd, word);
    else
        word[0] = ABI_E_MEM;
    word[1] = refused ? 0 : word[1];
}

static struct harness_outcome run_on(struct rescind_target target, const char *text, bool silent) {
    static struct harness_outcome outcome;
    const struct harness_options options = {.compare = HARNESS_PROBE};
    struct seq_op ops[OPS_MAX];
    struct seq seq = {.op = ops, .capacity = OPS_MAX};
    struct seq_error error;
    struct host_enter host;
    target.node_limit = target.cached_limit = 0;
    target.log = hiding_log;
    target.lacks = lack_grants;
    target.end = count_end;
    target.silent = silent;
    target.fail_allocation = NULL;
    memset(&seen, 0, sizeof seen);
    assert_true(seq_parse(&seq, text, strlen(text), &error));
    struct harness *harness = host_harness_new(&host, &target, MAPPINGS, &oracle_policy_exact);
    assert_non_null(harness);
    harness_run(harness, &seq, &options, &outcome);
    host_harness_free(harness);
    return outcome;
}

static struct harness_outcome run(const char *text, bool silent) {
    struct rescind_target target = rescind_target_small;
    target.call = silent_call;
    return run_on(target, text, silent);
}

static struct harness_outcome run_poor(const char *text, bool poor) {
    struct rescind_target target = rescind_target_small;
    target.call = poor_call;
    target.costs = (struct rescind_costs){0};
    target.poor = poor;
    return run_on(target, text, true);
}

static const char story[] = "# rescind: 1\n# geometry: small\n\n"
                            "p1 = create_pd root payer=root sel=1 quota=14\n"
                            "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x40 mask=rwx\n"
                            "grant p1 mem from=own base=0x40 order=0 to=self at=0x80 mask=rwx\n"
                            "delegate root mem from=phys base=0x11 order=2 to=p1 at=0x50 mask=rwx\n"
                            "oom n=1\n"
                            "lookup p1 mem unit=0x40\n"
                            "destroy_pd root pd=p1\n";

static void test_what_is_lacking_is_left_out_and_counted(void **state) {
    (void)state;
    struct harness_outcome outcome = run(story, true);
    assert_int_equal(outcome.verdict, HARNESS_AGREE);
    assert_int_equal(outcome.lacking, 3); /* the grant, the range that is not aligned, oom */
    assert_int_equal(seen.grants, 0);
    assert_int_equal(seen.bad, 0);
    assert_int_equal(outcome.executed, 7);
}

static void test_the_dead_are_told(void **state) {
    (void)state;
    assert_int_equal(run(story, true).verdict, HARNESS_AGREE);
    assert_int_equal(seen.ended, 1);
}

static void test_values_count_unless_silent(void **state) {
    (void)state;
    struct harness_outcome outcome = run(story, false);
    assert_int_equal(outcome.verdict, HARNESS_FINDING);
    assert_memory_equal(outcome.signature, "O12.result/delegate", 19);
}

static void test_the_poor_are_refused(void **state) {
    static const char text[] = "# rescind: 1\n# geometry: small\n\n"
                               "p1 = create_pd root payer=root sel=1 quota=14\n"
                               "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x40 mask=rwx\n"
                               "lookup p1 mem unit=0x40\n"
                               "revoke p1 mem base=0x40 order=0 mask=rwx scope=self place=own filter=none\n"
                               "destroy_pd root pd=p1\n";
    (void)state;
    made = false;
    assert_int_equal(run_poor(text, true).verdict, HARNESS_AGREE);
    struct harness_outcome outcome = run_poor(text, false);
    assert_int_equal(outcome.verdict, HARNESS_FINDING);
    made = true;
    outcome = run_poor(text, true);
    assert_int_equal(outcome.verdict, HARNESS_FINDING);
    assert_memory_equal(outcome.signature, "O1.reach/delegate.phys.cap/mem/extra", 37);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_lacking_is_left_out_and_counted),
        cmocka_unit_test(test_the_dead_are_told),
        cmocka_unit_test(test_values_count_unless_silent),
        cmocka_unit_test(test_the_poor_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
