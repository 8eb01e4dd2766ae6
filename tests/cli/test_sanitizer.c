/*
 * Signatures of sanitizer reports: the same for the same defect, whoever compiled it and wherever it was loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/sanitizer.h"

#include <string.h>

static const char address_report[] = //
    "noise\n=================================================================\n"
    "==15375==ERROR: AddressSanitizer: use-after-poison on address 0x56187cb786a8 at pc 0x5618 bp 0x7ffd sp 0x7ffe\n"
    "WRITE of size 8 at 0x56187cb786a8 thread T0\n"
    "    #0 0x55a943ad09ed in __interceptor_memset (/tmp/rescind+0x1)\n"
    "    #1 0x55a943ad09ee in mapdb_cut.constprop.0 /home/u/src/kernel/mapdb.c:27:53\n"
    "    #2 0x55a943ade9ca in apply /home/u/src/kernel/revoke.c:166\n"
    "    #3 0x55a943ade9ca in visit_targets /home/u/src/kernel/revoke.c:181:16\n"
    "    #4 0x55a943ade9ca in syscall_enter /home/u/src/kernel/syscall.c:200:26\n"
    "    #5 0x55a943a721f5 in body_call /home/u/src/harness/harness.c:286:5\n"
    "\n"
    "    #0 0x1 in another_stack /home/u/src/kernel/pd.c:1\n";

static void expect_signature(const char *text, const char *expected) {
    char signature[192];
    assert_true(sanitizer_signature(text, "revoke", signature, sizeof signature));
    assert_string_equal(signature, expected);
}

static void test_address(void **state) {
    (void)state;
    expect_signature(address_report, "O8.sanitizer/revoke/use-after-poison/mapdb_cut<apply<visit_targets");
    expect_signature("==1==ERROR: AddressSanitizer: attempting double-free on 0x1 in thread T0:\n",
                     "O8.sanitizer/revoke/attempting double-free/no stack");
    expect_signature("AddressSanitizer:DEADLYSIGNAL\n==1==ERROR: AddressSanitizer: SEGV on unknown address 0x8\n"
                     "    #0 0x1 in invoke_lookup /x/src/kernel/lookup.c:27:53\n",
                     "O8.sanitizer/revoke/SEGV/invoke_lookup");
}

static void test_undefined(void **state) {
    (void)state;
    static const char *const kinds[][2] = {
        {"shift exponent 72 is too large for 32-bit type 'int'", "shift-exponent-is-too-large"},
        {"index 5 out of bounds for type 'struct node [4]'", "index-out-of-bounds"},
        {"signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'", "signed-integer-overflow"},
        {"left shift of 1 by 31 places cannot be represented in type 'int'", "left-shift"},
        {"member access within null pointer of type 'struct node'", "member-access-within-null-pointer"},
        {"member access within misaligned address 0x7ffd1 for type 'x'", "member-access-within-misaligned-address"},
        {"load of value 190, which is not a valid value for type '_Bool'", "load-of-value"},
        {"division by zero", "division-by-zero"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char text[512] = "/home/u/src/kernel/pd.c:12:3: runtime error: ", expected[128] = "O8.sanitizer/revoke/";
        strcat(strcat(text, kinds[i][0]), "\n    #0 0x1 in pd_reap /home/u/src/kernel/pd.c:12:3\n");
        strcat(strcat(expected, kinds[i][1]), "/pd_reap");
        expect_signature(text, expected);
    }
}

static void test_stack_outside_the_kernel(void **state) {
    (void)state;
    expect_signature("==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1\n"
                     "    #0 0x1 in __asan_memcpy (/tmp/rescind+0x1)\n"
                     "    #1 0x1 in walk_next /home/u/src/harness/walk.c:1:1\n",
                     "O8.sanitizer/revoke/heap-buffer-overflow/walk_next");
}

/* Whichever end of a race came first: the same. */
static void test_race(void **state) {
    (void)state;
    static const char *const texts[] = {
        "==================\nWARNING: ThreadSanitizer: data race (pid=7)\n"
        "  Write of size 4 at 0x1 by thread T1:\n"
        "    #0 memset <null> (threads+0x1)\n"
        "    #1 smp_serve /home/u/src/kernel/arch/smp/smp.c:1:5 (threads+0x2)\n"
        "    #2 lock /home/u/src/kernel/arch/smp/smp.c:2:5 (threads+0x2)\n\n"
        "  Previous atomic read of size 4 at 0x1 by main thread:\n"
        "    #0 ask /home/u/src/kernel/arch/smp/smp.c:3:5 (threads+0x3)\n\n"
        "  Location is global 'smp' of size 9 at 0x1 (threads+0x4)\n",
        "WARNING: ThreadSanitizer: data race (pid=8)\n"
        "  Atomic read of size 4 at 0x1 by main thread:\n"
        "    #0 ask /home/u/src/kernel/arch/smp/smp.c:3:5 (threads+0x3)\n\n"
        "  Previous write of size 4 at 0x1 by thread T1:\n"
        "    #0 smp_serve /home/u/src/kernel/arch/smp/smp.c:1:5 (threads+0x2)\n\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_signature(texts[i], "O8.sanitizer/revoke/data-race/ask~smp_serve");
    expect_signature("WARNING: ThreadSanitizer: thread leak (pid=8)\n    #0 f /home/u/src/kernel/a.c:1 (t+0x1)\n",
                     "O8.sanitizer/revoke/thread-leak/f");
}

static void test_no_report(void **state) {
    (void)state;
    static const char *const texts[] = {"", "hello\n", "ERROR: of another kind\n", "runtime\nerror: \n",
                                        "#0 0x1 in f\n"};
    char signature[192];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(sanitizer_signature(texts[i], "revoke", signature, sizeof signature));
}

static void test_short_buffers(void **state) {
    (void)state;
    char whole[192];
    sanitizer_signature(address_report, "revoke", whole, sizeof whole);
    for (size_t size = 1; size < sizeof whole; size++) {
        char signature[192];
        memset(signature, 'x', sizeof signature);
        assert_true(sanitizer_signature(address_report, "revoke", signature, size));
        assert_true(strlen(signature) < size);
        assert_memory_equal(signature, whole, strlen(signature));
        assert_int_equal(signature[size], 'x');
    }
}

static void test_report_is_the_same_in_every_run(void **state) {
    (void)state;
    char report[4096];
    sanitizer_report(address_report, report, sizeof report);
    assert_non_null(strstr(report, "ERROR: AddressSanitizer: use-after-poison on address ? at pc ?"));
    assert_non_null(strstr(report, "#4 ? in syscall_enter /home/u/src/kernel/syscall.c:200:26"));
    assert_null(strstr(report, "15375"));
    assert_null(strstr(report, "0x"));
    assert_null(strstr(report, "another_stack"));
    sanitizer_report(address_report, report, 16);
    assert_true(strlen(report) < 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_undefined),
        cmocka_unit_test(test_stack_outside_the_kernel),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_no_report),
        cmocka_unit_test(test_short_buffers),
        cmocka_unit_test(test_report_is_the_same_in_every_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
