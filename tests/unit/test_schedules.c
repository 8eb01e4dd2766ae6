/*
 * Tests of the schedules that `rescind explore` runs, on operations that are nothing but a number of preemption points:
 * which of them are suspended in what order follows from the sequence alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE = 512, OPS = 64 };

/* A runner that does what a harness does. Operation i has seq->op[i].base points and is told apart by its `mask`; the
 * trace has `a1` where operation a does its first step, in the order in which steps are done. */
struct model {
    struct {
        uint32_t thread, points, done;
        bool in_progress;
    } open[SEQ_NESTING];
    struct seq_nesting nesting;
    uint32_t suspended;
    char trace[TRACE];
    size_t length;
};

static void do_step(struct model *model, uint32_t thread, uint32_t step) {
    assert_true(model->length + 4 < TRACE);
    model->trace[model->length++] = (char)('a' + thread);
    model->trace[model->length++] = (char)('0' + step);
    model->trace[model->length] = '\0';
}

/* Up to the points-th point from there; 0: to the end. */
static void go_on(struct model *model, uint32_t depth, uint32_t points) {
    for (uint32_t i = 0; model->open[depth].in_progress && (points == 0 || i < points); i++) {
        do_step(model, model->open[depth].thread, model->open[depth].done);
        model->open[depth].in_progress = model->open[depth].done++ < model->open[depth].points;
    }
}

static void resume(struct model *model, const struct seq_op *op) {
    uint32_t left = op->nested;
    for (uint32_t i = model->nesting.depth; i-- > 0;) {
        if (model->open[i].in_progress && --left == 0) {
            go_on(model, i, op->point);
            return;
        }
    }
    fail_msg("void resume");
}

static void run_model(struct model *model, const struct seq *seq) {
    uint32_t operation;
    memset(model, 0, sizeof *model);
    seq_nesting_begin(&model->nesting, seq->count);
    for (uint32_t i = 0; i <= seq->count; i++) {
        while (seq_nesting_close(&model->nesting, i, &operation))
            go_on(model, model->nesting.depth, 0);
        if (i == seq->count)
            break;
        const struct seq_op *op = &seq->op[i];
        if (op->code == SEQ_RESUME) {
            resume(model, op);
        } else if (seq_nesting_open(&model->nesting, op, i)) {
            uint32_t depth = model->nesting.depth - 1;
            model->open[depth].thread = op->mask;
            model->open[depth].points = (uint32_t)op->base;
            model->open[depth].done = 0;
            model->open[depth].in_progress = true;
            go_on(model, depth, op->point);
            model->suspended += model->open[depth].in_progress;
        } else {
            for (uint32_t step = 0; step <= op->base; step++)
                do_step(model, op->mask, step);
        }
    }
}

/* One digit for each operation: how many points it has; '.' is an operation that has no schedule. */
static void make(struct seq *seq, const char *points) {
    seq->count = (uint32_t)strlen(points);
    for (uint32_t i = 0; i < seq->count; i++) {
        seq->op[i] = (struct seq_op){.code = points[i] == '.' ? SEQ_LOOKUP : SEQ_REVOKE, .mask = (uint8_t)i};
        seq->op[i].base = points[i] == '.' ? 0 : (uint64_t)(points[i] - '0');
    }
}

/* ---- all of them ---- */

enum { SEEN = 1 << 16 };

struct seen {
    char *trace[SEEN];
    uint32_t count, runs, stop_at; /* 0: never */
};

static bool see(void *context, const struct seq *seq, uint32_t *suspended) {
    struct seen *seen = context;
    static struct model model;
    uint32_t scheduled = 0;
    run_model(&model, seq);
    for (uint32_t i = 0; i < seq->count; i++)
        scheduled += seq->op[i].point != 0;
    *suspended = model.suspended;
    assert_in_range(scheduled - model.suspended, 0, 1);
    if (model.suspended == scheduled) {
        assert_in_range(seen->count, 0, SEEN - 1);
        seen->trace[seen->count++] = strdup(model.trace);
    }
    return ++seen->runs != seen->stop_at;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The number of different traces; forgets them. */
static uint32_t forget(struct seen *seen) {
    uint32_t different = 0;
    qsort(seen->trace, seen->count, sizeof seen->trace[0], by_text);
    for (uint32_t i = 0; i < seen->count; i++)
        different += i == 0 || strcmp(seen->trace[i], seen->trace[i - 1]) != 0;
    for (uint32_t i = 0; i < seen->count; i++)
        free(seen->trace[i]);
    seen->count = seen->runs = 0;
    return different;
}

/* The same by another way: what can be chosen for operation `at` and those behind, with the blocks that end there. */
static uint32_t count_schedules(const char *points, uint32_t at, const uint32_t *end, uint32_t depth, uint32_t left) {
    uint32_t length = (uint32_t)strlen(points), inner[SEQ_NESTING + 1] = {0};
    while (depth && end[depth - 1] <= at)
        depth--;
    if (at == length)
        return 1;
    uint32_t total = count_schedules(points, at + 1, end, depth, left),
             most = (depth ? end[depth - 1] : length) - at - 1;
    if (points[at] == '.' || left == 0 || depth == SEQ_NESTING)
        return total;
    memcpy(inner, end, depth * sizeof *end);
    for (uint32_t run = 1; run <= most; run++) {
        inner[depth] = at + 1 + run;
        total += (uint32_t)(points[at] - '0') * count_schedules(points, at + 1, inner, depth + 1, left - 1);
    }
    return total;
}

static void all_schedules_are_run_once(void **state) {
    static const struct {
        const char *points;
        uint32_t preemptions, schedules, measured; /* 0: not counted by hand */
    } cases[] = {
        {"...", 2, 1, 0},    {"2..", 0, 1, 0},    {"2..", 1, 5, 1},      {"0..", 2, 1, 1},     {"..2", 2, 1, 0},
        {"21.", 1, 6, 2},    {"21.", 2, 8, 0},    {"3.12.2", 2, 0, 0},   {"3.12.2.", 3, 0, 0}, {"2222", 4, 0, 0},
        {"111111", 1, 0, 0}, {"111111", 6, 0, 0}, {"1111111.", 7, 0, 0},
    };
    static struct seen seen;
    static struct seq_op ops[OPS];
    struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .capacity = OPS};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schedule_counts counts;
        const struct schedule_runner runner = {see, &seen};
        make(&seq, cases[i].points);
        schedule_all(&seq, cases[i].preemptions, &runner, &counts);
        assert_true(counts.complete);
        assert_int_equal(counts.existing, counts.run);
        assert_int_equal(counts.run, count_schedules(cases[i].points, 0, (uint32_t[]){0}, 0, cases[i].preemptions));
        assert_int_equal(counts.run + counts.measured, seen.runs);
        assert_int_equal(forget(&seen), counts.run); /* no schedule twice */
        assert_true(!cases[i].schedules || counts.run == cases[i].schedules);
        assert_true(!cases[i].measured || counts.measured == cases[i].measured);
        for (uint32_t k = 0; k < seq.count; k++)
            assert_true(seq.op[k].point == 0 && seq.op[k].nested == 0);
    }
}

/* With the schedule in place that it stopped at, and those of fewer preemptions before. */
static void a_search_stops_where_it_is_told(void **state) {
    static struct seen seen;
    static struct seq_op ops[OPS];
    struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .capacity = OPS};
    const struct schedule_runner runner = {see, &seen};
    uint32_t most = 0;
    (void)state;
    for (uint32_t stop = 1; stop < 40; stop++) {
        struct schedule_counts counts;
        uint32_t scheduled = 0;
        make(&seq, "22.2.");
        seen.stop_at = stop;
        schedule_all(&seq, 2, &runner, &counts);
        assert_int_equal(seen.runs, stop);
        assert_false(counts.complete);
        assert_int_equal(counts.run + counts.measured, stop);
        assert_true(counts.existing >= counts.run);
        for (uint32_t k = 0; k < seq.count; k++)
            scheduled += seq.op[k].point != 0;
        assert_true(scheduled >= most);
        most = scheduled;
        forget(&seen);
    }
    assert_int_equal(most, 2);
}

static void schedules_that_are_there_go(void **state) {
    struct seq_op ops[3] = {{.code = SEQ_REVOKE, .point = 2, .nested = 1},
                            {.code = SEQ_RESUME, .point = 2, .nested = 1},
                            {.code = SEQ_DESTROY_PD, .point = 1}};
    struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .count = 3, .capacity = 3};
    (void)state;
    schedule_clear(&seq);
    assert_int_equal(seq.count, 2);
    assert_true(ops[0].code == SEQ_REVOKE && ops[0].point == 0 && ops[0].nested == 0);
    assert_true(ops[1].code == SEQ_DESTROY_PD && ops[1].point == 0);
}

/* ---- random ones ---- */

struct rig {
    struct pct pct;
    struct seq from, made, parsed;
    struct seq_op op[3][SEQ_MAX_OPS];
    struct seq_random random;
    struct model model;
    char text[SEQ_MAX_OPS * 32];
};

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig)
        return -1;
    struct seq *seqs[3] = {&rig->from, &rig->made, &rig->parsed};
    for (int i = 0; i < 3; i++)
        *seqs[i] = (struct seq){.geometry = &seq_geometry_small, .op = rig->op[i], .capacity = SEQ_MAX_OPS, .cpus = 1};
    seq_random_seed(&rig->random, 7);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static bool count_run(void *context, const struct seq *seq, uint32_t *suspended) {
    static struct model model;
    uint32_t *left = context;
    run_model(&model, seq);
    *suspended = model.suspended;
    return --*left != 0;
}

static void measure(struct rig *rig, const char *points, uint32_t depth) {
    uint32_t left = 1000;
    const struct schedule_runner runner = {count_run, &left};
    make(&rig->from, points);
    assert_true(pct_measure(&rig->pct, &rig->from, depth, &runner));
    assert_int_equal(rig->from.count, strlen(points));
}

static void points_are_counted(void **state) {
    struct rig *rig = *state;
    for (uint32_t points = 0; points < 200; points++) {
        uint32_t left = 1 + 1 + 16 + 2;
        const struct schedule_runner runner = {count_run, &left};
        make(&rig->from, ".0.");
        rig->from.op[1].base = points;
        assert_true(pct_measure(&rig->pct, &rig->from, 3, &runner));
        assert_int_equal(rig->pct.points[1], points);
        assert_int_equal(rig->pct.threads, 3);
        assert_int_equal(rig->pct.steps, 3 + points);
        assert_true(rig->from.op[1].point == 0);
    }
    measure(rig, "2.03", 3);
    assert_int_equal(rig->pct.steps, 4 + 5);
    assert_true(pct_bound(&rig->pct) * 4 * 9 * 9 > 0.999 && pct_bound(&rig->pct) * 4 * 9 * 9 < 1.001);
    uint32_t left = 1;
    const struct schedule_runner stops = {count_run, &left};
    assert_false(pct_measure(&rig->pct, &rig->from, 3, &stops));
}

/* One random schedule, as text and back; its trace is in the model. */
static bool draw(struct rig *rig) {
    bool exact = pct_schedule(&rig->pct, &rig->from, &rig->made, &rig->random);
    struct seq_error error;
    size_t length = seq_print(&rig->made, rig->text, sizeof rig->text);
    assert_in_range(length, 1, sizeof rig->text - 1);
    if (!seq_parse(&rig->parsed, rig->text, length, &error))
        fail_msg("%u:%u: %s\n%s", error.line, error.column, error.message, rig->text);
    assert_int_equal(rig->parsed.count, rig->made.count);
    for (uint32_t i = 0; i < rig->made.count; i++)
        assert_true(rig->parsed.op[i].nested == rig->made.op[i].nested);
    run_model(&rig->model, &rig->made);
    return exact;
}

/* Every operation does every step once, in order, and they begin in the order of the sequence. */
static void assert_runs_all(const struct rig *rig) {
    uint32_t done[OPS] = {0}, begun = 0;
    for (size_t i = 0; i < rig->model.length; i += 2) {
        uint32_t thread = (uint32_t)(rig->model.trace[i] - 'a'), step = (uint32_t)(rig->model.trace[i + 1] - '0');
        assert_int_equal(step, done[thread]++);
        if (step == 0)
            assert_int_equal(thread, begun++);
    }
    for (uint32_t i = 0; i < rig->from.count; i++)
        assert_int_equal(done[i], rig->from.op[i].base + 1);
}

static void random_schedules_run_everything(void **state) {
    static const char *const cases[] = {".", "5", "2.", "...", "3.2.1.", "1111", "11111111", "90909090", "9.9.9.9.9.9"};
    struct rig *rig = *state;
    uint32_t inexact = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint32_t depth = 1; depth <= 6; depth++) {
            measure(rig, cases[i], depth);
            for (int round = 0; round < 200; round++) {
                bool exact = draw(rig);
                inexact += !exact;
                assert_true(exact || strlen(cases[i]) > SEQ_NESTING);
                assert_runs_all(rig);
            }
        }
    }
    assert_true(inexact > 0);
}

static void random_schedules_are_the_same_again(void **state) {
    struct rig *rig = *state;
    char first[TRACE];
    measure(rig, "3.2.1.4.", 4);
    for (uint64_t seed = 0; seed < 20; seed++) {
        seq_random_seed(&rig->random, seed);
        draw(rig);
        memcpy(first, rig->model.trace, sizeof first);
        seq_random_seed(&rig->random, seed);
        draw(rig);
        assert_string_equal(first, rig->model.trace);
    }
}

static size_t place(const struct rig *rig, const char step[3]) {
    const char *at = strstr(rig->model.trace, step);
    assert_non_null(at);
    return (size_t)(at - rig->model.trace);
}

/* Defects that need steps in a certain order: the published bound holds for as many orders as the depth says. */
static void the_bound_holds(void **state) {
    enum { ROUNDS = 20000 };
    static const struct {
        const char *points;
        uint32_t depth;
        const char *before[3][2]; /* the first step of a pair comes before the second */
    } cases[] = {
        {"3.", 1, {{"b0", "a1"}}},
        {"3.", 1, {{"a3", "b0"}}},
        {"3.", 2, {{"a2", "b0"}, {"b0", "a3"}}},
        {"3..", 2, {{"b0", "a1"}, {"a3", "c0"}}},
        {"22.", 2, {{"b1", "a1"}, {"a2", "b2"}}},
        {"22.", 3, {{"b1", "a1"}, {"a1", "b2"}, {"b2", "a2"}}},
        {"2.2.", 3, {{"b0", "a1"}, {"c1", "a2"}, {"a2", "c2"}}},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t found = 0;
        measure(rig, cases[i].points, cases[i].depth);
        for (int round = 0; round < ROUNDS; round++) {
            bool all = true;
            draw(rig);
            for (uint32_t k = 0; k < 3 && cases[i].before[k][0]; k++)
                all &= place(rig, cases[i].before[k][0]) < place(rig, cases[i].before[k][1]);
            found += all;
        }
        if (found < 0.95 * ROUNDS * pct_bound(&rig->pct))
            fail_msg("case %zu: %u of %d, but at least %.0f are promised", i, found, ROUNDS,
                     ROUNDS * pct_bound(&rig->pct));
    }
}

/* Operations that are in progress together end in all orders. */
static void operations_end_in_any_order(void **state) {
    static const char *const orders[6] = {"a1b1c1", "a1c1b1", "b1a1c1", "b1c1a1", "c1a1b1", "c1b1a1"};
    struct rig *rig = *state;
    uint32_t found[6] = {0};
    measure(rig, "111", 3);
    for (int round = 0; round < 5000; round++) {
        draw(rig);
        for (uint32_t i = 0; i < 6; i++)
            found[i] += strncmp(rig->model.trace, "a0b0c0", 6) == 0 && strcmp(rig->model.trace + 6, orders[i]) == 0;
    }
    for (uint32_t i = 0; i < 6; i++)
        assert_true(found[i] > 20);
}

/* Blocks hold 255 operations, and a sequence 4096. */
static void long_sequences_have_schedules(void **state) {
    struct rig *rig = *state;
    uint32_t longest = 0;
    rig->from.count = SEQ_MAX_OPS;
    rig->pct = (struct pct){.threads = SEQ_MAX_OPS, .steps = 3 * SEQ_MAX_OPS, .depth = 3};
    memset(rig->pct.points, 2, sizeof rig->pct.points);
    for (uint32_t i = 0; i < SEQ_MAX_OPS; i++)
        rig->from.op[i] = (struct seq_op){.code = SEQ_REVOKE};
    for (uint32_t count = 300; count <= SEQ_MAX_OPS; count += 949) {
        rig->from.count = rig->pct.threads = count;
        rig->pct.steps = 3 * count;
        pct_schedule(&rig->pct, &rig->from, &rig->made, &rig->random);
        uint32_t operations = 0;
        for (uint32_t i = 0; i < rig->made.count; i++) {
            operations += rig->made.op[i].code == SEQ_REVOKE;
            longest = rig->made.op[i].nested > longest ? rig->made.op[i].nested : longest;
        }
        assert_int_equal(operations, count);
        assert_in_range(rig->made.count, count, SEQ_MAX_OPS);
    }
    assert_true(longest > 100);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_schedules_are_run_once),
        cmocka_unit_test(a_search_stops_where_it_is_told),
        cmocka_unit_test(schedules_that_are_there_go),
        TEST(points_are_counted),
        TEST(random_schedules_run_everything),
        TEST(random_schedules_are_the_same_again),
        TEST(the_bound_holds),
        TEST(operations_end_in_any_order),
        TEST(long_sequences_have_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
