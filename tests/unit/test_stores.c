/*
 * The store log, judged store by store: whatever a CPU walks between two stores of an operation, it finds each unit as
 * it was before the operation, as it is after it, with fewer rights than one of these, or not mapped. Nothing else is
 * ever reachable, not even for a moment.
 */
#include "harness/harness.h"
#include "harness/host.h"
#include "harness/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct rescind_target rescind_target_small;

enum { ENTRIES = 4, LEVELS = 4, UNITS = 256, PDS = 16, FIRST_FRAME = 256, FRAMES = 4096, OPS = 40, RUNS = 60 };

/* The page tables, by frame, as they are at some moment. */
struct memory {
    uint64_t entry[FRAMES][ENTRIES];
};

/* What a PD's unit leads to: frame << 3 | rights; 0: nothing. */
typedef uint64_t reached[PDS][UNITS];

static struct {
    struct memory before, now;
    uint64_t root[PDS], root_before[PDS];
    reached at_start, at_end, between;
    uint64_t stores, worst;
    const char *wrong;
} judge;

static void copy_tables(struct memory *memory) {
    for (uint64_t frame = 0; frame < FRAMES; frame++) {
        const uint64_t *table = rescind_target_small.table((FIRST_FRAME + frame) << 12);
        if (table)
            memcpy(memory->entry[frame], table, sizeof memory->entry[frame]);
        else
            memset(memory->entry[frame], 0, sizeof memory->entry[frame]); /* as a new table begins */
    }
}

static void copy_roots(uint64_t root[PDS]) {
    struct rescind_pd_view view;
    for (uint32_t pd = 0; pd < PDS; pd++)
        root[pd] = rescind_target_small.pd(pd, &view) ? view.root_table : 0;
}

static uint64_t walk(const struct memory *memory, uint64_t table, uint64_t unit) {
    uint8_t rights = ABI_MEM_RIGHTS;
    for (unsigned level = LEVELS; table && level-- > 0;) {
        struct walk_item item;
        uint64_t entry = memory->entry[(table >> 12) - FIRST_FRAME][unit >> (2 * level) & 3];
        enum walk_what what = walk_decode(&rescind_target_small.geometry, level, unit, entry, &item);
        rights &= item.rights;
        if (what == WALK_LEAF)
            return (item.frame + (unit & ((UINT64_C(1) << (2 * level)) - 1))) << 3 | rights;
        table = what == WALK_TABLE ? item.frame << 12 : 0;
    }
    return 0;
}

static void walk_all(const struct memory *memory, const uint64_t root[PDS], reached found) {
    for (uint32_t pd = 0; pd < PDS; pd++) {
        for (uint64_t unit = 0; unit < UNITS; unit++)
            found[pd][unit] = root[pd] ? walk(memory, root[pd], unit) : 0;
    }
}

/* The same frame, and no right more. */
static bool within(uint64_t found, uint64_t whole) {
    return found >> 3 == whole >> 3 && !(found & ~whole & ABI_MEM_RIGHTS) && whole;
}

/* A PD that lives through the operation, or the tables of one that dies in it. */
static void compare_between(void) {
    for (uint32_t pd = 0; pd < PDS; pd++) {
        for (uint32_t unit = 0; unit < UNITS; unit++) {
            uint64_t found = judge.between[pd][unit];
            if (found && !within(found, judge.at_start[pd][unit]) && !within(found, judge.at_end[pd][unit]))
                judge.wrong = "a unit was reachable between two stores that is so neither before nor after";
        }
    }
}

static void on_step(void *context, const struct harness_step *step) {
    struct rescind_log log;
    uint64_t roots[PDS];
    (void)context;
    rescind_target_small.log(&log);
    copy_roots(judge.root);
    copy_tables(&judge.now);
    walk_all(&judge.now, judge.root, judge.at_end);
    if (step->is_call && !step->is_void) {
        for (uint32_t pd = 0; pd < PDS; pd++)
            roots[pd] = judge.root_before[pd] ? judge.root_before[pd] : judge.root[pd];
        for (uint32_t i = 0; i < log.store_count; i++) {
            const struct rescind_store *store = &log.stores[i];
            judge.before.entry[(store->entry >> 12) - FIRST_FRAME][(store->entry & 0xfff) / 8] = store->value;
            walk_all(&judge.before, roots, judge.between);
            compare_between();
        }
        judge.stores += log.store_count;
        judge.worst = log.store_count > judge.worst ? log.store_count : judge.worst;
    }
    judge.before = judge.now;
    memcpy(judge.root_before, judge.root, sizeof judge.root);
    memcpy(judge.at_start, judge.at_end, sizeof judge.at_end);
}

static void on_start(void *context) {
    (void)context;
    memset(&judge.before, 0, sizeof judge.before);
    memset(judge.root_before, 0, sizeof judge.root_before);
    memset(judge.at_start, 0, sizeof judge.at_start);
}

static void test_every_state_between_two_stores(void **state) {
    static struct seq_op ops[OPS];
    static struct harness_outcome outcome;
    struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .capacity = OPS};
    const struct seq_profile profile = {.kinds = 1u << ABI_MEM | 1u << ABI_OBJ};
    const struct harness_options options = {.compare = HARNESS_FULL, .on_start = on_start, .on_step = on_step};
    struct seq_random random;
    struct host_enter host;
    (void)state;
    struct harness *harness = host_harness_new(&host, &rescind_target_small, 1 << 14, &oracle_policy_exact);
    assert_non_null(harness);
    for (uint32_t run = 0; run < RUNS; run++) {
        seq_random_seed(&random, run);
        seq_generate(&seq, &random, &profile, OPS);
        harness_run(harness, &seq, &options, &outcome);
        assert_int_equal(outcome.verdict, HARNESS_AGREE);
        if (judge.wrong)
            fail_msg("sequence of seed %u: %s", run, judge.wrong);
    }
    host_harness_free(harness);
    assert_true(judge.stores > 1000 && judge.worst > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_state_between_two_stores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
