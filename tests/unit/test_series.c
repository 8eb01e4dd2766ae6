/* What runs of one sequence leave behind (emu/roottask/series.h). */
#include "roottask/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t lost(uint64_t runs, uint64_t a_run, uint64_t now_and_then) {
    struct series series;
    series_start(&series, runs);
    for (uint64_t run = 0; run < runs; run++)
        series_note(&series, 1000 + run * a_run + (run % 3 ? now_and_then : 0));
    return series_lost(&series);
}

static void what_each_run_loses_is_seen(void **state) {
    (void)state;
    assert_int_equal(lost(40, 2, 0), 40);
    assert_true(lost(16, 1, 0) > 0);
}

static void what_is_late_is_not_lost(void **state) {
    (void)state;
    assert_int_equal(lost(40, 0, 0), 0);
    assert_int_equal(lost(40, 0, 500), 0);
    assert_int_equal(lost(16, 0, 500), 0);
}

static void what_is_late_does_not_hide_a_loss(void **state) {
    (void)state;
    assert_true(lost(40, 1, 500) > 0);
}

/* A pool that fills in the first runs stays so. */
static void what_the_first_runs_take_is_not_lost(void **state) {
    struct series series;
    (void)state;
    series_start(&series, 16);
    for (uint64_t run = 0; run < 16; run++)
        series_note(&series, run < 4 ? run : 4);
    assert_int_equal(series_lost(&series), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_each_run_loses_is_seen),
        cmocka_unit_test(what_is_late_is_not_lost),
        cmocka_unit_test(what_is_late_does_not_hide_a_loss),
        cmocka_unit_test(what_the_first_runs_take_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
