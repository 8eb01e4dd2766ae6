/*
 * The worker against kernels that crash, hang, end the process or only lie: each is a finding about one sequence, named
 * alike every time, and the next sequence runs as if nothing had been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum misdeed { NONE, TRAP, HANG, EXIT, PRINT, PRINT_AND_DIE, LIE };

/* The lookup of this unit makes the target misbehave. */
enum { CURSED_UNIT = 0x66 };

static const char undefined_report[] = "/x/src/kernel/lookup.c:9:1: runtime error: division by zero\n"
                                       "    #0 0x1 in invoke_lookup /x/src/kernel/lookup.c:9:1\n";

static void misbehave(enum misdeed misdeed, uint64_t word[ABI_WORDS]) {
    switch (misdeed) {
    case TRAP:
        kill(getpid(), SIGKILL);
        break;
    case HANG:
        for (;;)
            pause();
    case EXIT:
        _exit(0);
    case PRINT_AND_DIE:
    case PRINT:
        fputs(undefined_report, stderr);
        if (misdeed == PRINT_AND_DIE)
            _exit(1);
        break;
    case LIE:
        word[0] = ABI_E_CAP;
        break;
    case NONE:
        break;
    }
}

/* The worker is another process: an earlier lookup, of a unit from FIRST_CHOICE on, tells it which misdeed to do. */
enum { FIRST_CHOICE = 0xf0 };
static enum misdeed chosen;

static void call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    bool cursed = (word[0] & 0xff) == ABI_LOOKUP && word[1] == CURSED_UNIT;
    bool choice = (word[0] & 0xff) == ABI_LOOKUP && word[1] >= FIRST_CHOICE;
    if (choice)
        chosen = (enum misdeed)(word[1] - FIRST_CHOICE);
    cli_targets[0].target->call(cpu, pd, word);
    if (cursed)
        misbehave(chosen, word);
}

static struct rescind_target target;
static struct cli_target cursed_target;
static struct progress progress;

static void judge(struct worker *worker, enum misdeed misdeed, bool record, struct worker_answer *answer) {
    struct seq_op ops[4] = {{.code = SEQ_LOOKUP, .base = 1},
                            {.code = SEQ_LOOKUP, .base = FIRST_CHOICE + (uint64_t)misdeed},
                            {.code = SEQ_LOOKUP, .base = CURSED_UNIT},
                            {.code = SEQ_LOOKUP, .base = 2}};
    struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .count = 4, .capacity = 4};
    struct worker_job job = {.target = &cursed_target, .compare = HARNESS_LOG, .record = record};
    worker_run(worker, &seq, &job, answer);
}

static void expect_finding(enum misdeed misdeed, const char *signature) {
    struct worker *worker = worker_new(1, &progress);
    for (int turn = 0; turn < 2; turn++) {
        struct worker_answer answer;
        judge(worker, misdeed, false, &answer);
        assert_int_equal(answer.outcome.verdict, HARNESS_FINDING);
        assert_string_equal(answer.outcome.signature, signature);
        assert_non_null(strstr(answer.outcome.report, "unit=0x66"));
        judge(worker, NONE, true, &answer);
        assert_int_equal(answer.outcome.verdict, HARNESS_AGREE);
        assert_int_equal(json_array_size(json_object_get(answer.record, "results")), 4);
        json_decref(answer.record);
    }
    worker_free(worker);
}

static void test_death_by_signal(void **state) {
    (void)state;
    expect_finding(TRAP, "O8.signal/lookup/SIGKILL");
}

static void test_hang(void **state) {
    (void)state;
    expect_finding(HANG, "O10.progress/lookup/watchdog");
}

static void test_exit(void **state) {
    (void)state;
    expect_finding(EXIT, "O8.exit/lookup/the worker ended");
}

static void test_sanitizer_report(void **state) {
    (void)state;
    expect_finding(PRINT_AND_DIE, "O8.sanitizer/lookup/division-by-zero/invoke_lookup");
}

static void test_sanitizer_report_that_went_on(void **state) {
    (void)state;
    struct worker *worker = worker_new(1, &progress);
    struct worker_answer answer;
    judge(worker, PRINT, false, &answer);
    assert_int_equal(answer.outcome.verdict, HARNESS_FINDING);
    assert_non_null(strstr(answer.outcome.signature, "/division-by-zero/invoke_lookup"));
    worker_free(worker);
}

static void test_failing_operation_is_known(void **state) {
    (void)state;
    struct worker *worker = worker_new(1, &progress);
    struct worker_answer answer;
    judge(worker, TRAP, true, &answer);
    assert_int_equal(answer.outcome.failed_at, 2);
    assert_null(answer.record);
    worker_free(worker);
}

static void test_wrong_result_does_not_end_the_worker(void **state) {
    (void)state;
    struct worker *worker = worker_new(1, &progress);
    struct worker_answer answer;
    judge(worker, LIE, true, &answer);
    assert_int_equal(answer.outcome.verdict, HARNESS_FINDING);
    assert_int_equal(answer.outcome.failed_at, 2);
    assert_non_null(strstr(answer.outcome.signature, "O12.result/lookup"));
    assert_int_equal(json_array_size(json_object_get(answer.record, "results")), 3);
    assert_true(json_is_null(json_object_get(answer.record, "state")));
    json_decref(answer.record);
    worker_free(worker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death_by_signal),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_exit),
        cmocka_unit_test(test_sanitizer_report),
        cmocka_unit_test(test_sanitizer_report_that_went_on),
        cmocka_unit_test(test_failing_operation_is_known),
        cmocka_unit_test(test_wrong_result_does_not_end_the_worker),
    };
    target = *cli_targets[0].target;
    target.call = call;
    cursed_target = cli_targets[0];
    cursed_target.target = &target;
    progress_start(&progress);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
