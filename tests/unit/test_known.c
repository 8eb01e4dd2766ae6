/*
 * Known findings: masking one of two causes does not mask the other, whatever the signatures. A stand-in for a kernel
 * has the two causes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/known.h"

enum { OPS_MAX = 16 };

/* Two causes, one signature: fails if there is a revoke with scope drop, or a destroy. */
static void run(void *context, const struct seq *seq, char signature[HARNESS_SIGNATURE_MAX]) {
    bool fails = false;
    ++*(unsigned *)context;
    for (uint32_t i = 0; i < seq->count; i++) {
        const struct seq_op *op = &seq->op[i];
        fails |= op->code == SEQ_DESTROY_PD || (op->code == SEQ_REVOKE && op->scope == ABI_DROP);
    }
    snprintf(signature, HARNESS_SIGNATURE_MAX, "%s", fails ? "O2.over-revoke/lookup/mem/missing" : "");
}

static void load(struct known *known, const char *text) {
    char path[] = "/tmp/test_known-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    bool good = known_load(known, path);
    unlink(path);
    assert_true(good);
}

static bool has(struct known *known, const char *operations, unsigned *runs, uint32_t *left) {
    char text[1024], signature[HARNESS_SIGNATURE_MAX];
    struct seq_op ops[OPS_MAX];
    struct seq seq = {.op = ops, .capacity = OPS_MAX};
    struct seq_error error;
    snprintf(text, sizeof text, "# rescind: 1\n# geometry: small\n\n%s", operations);
    assert_true(seq_parse(&seq, text, strlen(text), &error));
    *runs = 0;
    run(runs, &seq, signature);
    bool found = known_has(known, &seq, signature, run, runs);
    *left = seq.count;
    return found;
}

#define DROP "revoke root mem base=0x10 order=0 mask=rwx scope=drop place=own filter=none\n"
#define DESTROY "destroy_pd root pd=p1\n"
#define LOOKUP "lookup root mem unit=0x10\n"

static void test_masking_one_does_not_mask_another(void **state) {
    (void)state;
    static struct known known;
    unsigned runs;
    uint32_t left;
    load(&known, "# a comment\n\nO2.over-revoke/ scope=drop\n");
    assert_int_equal(known.count, 1);
    assert_true(has(&known, LOOKUP DROP, &runs, &left));
    assert_int_equal(known.line[0].seen, 1);
    assert_false(has(&known, LOOKUP DESTROY, &runs, &left));
    assert_false(has(&known, DROP LOOKUP DESTROY, &runs, &left)); /* both causes: the other one is left */
    assert_int_equal(left, 2);
    assert_int_equal(known.line[0].seen, 1);
    load(&known, "O2.over-revoke/ scope=drop\nO2.over-revoke/ destroy_pd\n");
    assert_true(has(&known, DROP LOOKUP DESTROY, &runs, &left));
}

static void test_other_signatures_are_not_masked(void **state) {
    (void)state;
    static struct known known;
    unsigned runs;
    uint32_t left;
    load(&known, "O1.reach/ scope=drop\n");
    assert_false(has(&known, LOOKUP DROP, &runs, &left));
    assert_int_equal(runs, 1); /* nothing to try */
    load(&known, "O2.over-revoke/lookup/\n");
    assert_true(has(&known, LOOKUP DESTROY, &runs, &left));
}

static void test_in_flight_masks_what_was_told_so_alone(void **state) {
    (void)state;
    static struct known known;
    unsigned runs;
    uint32_t left;
    load(&known, "O2.over-revoke/ in-flight\n");
    assert_true(known_in_flight(&known, "O2.over-revoke/lookup/mem/missing"));
    assert_false(known_in_flight(&known, "O1.reach/lookup/mem/extra"));
    assert_false(has(&known, LOOKUP DESTROY, &runs, &left));
    assert_int_equal(known.line[0].seen, 1);
    load(&known, "O2.over-revoke/\n");
    assert_false(known_in_flight(&known, "O2.over-revoke/lookup/mem/missing"));
}

static void test_bad_files(void **state) {
    (void)state;
    static struct known known;
    char path[] = "/tmp/test_known-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, "O1.reach one two\n", 17) == 17);
    close(file);
    assert_false(known_load(&known, path));
    unlink(path);
    assert_false(known_load(&known, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masking_one_does_not_mask_another),
        cmocka_unit_test(test_other_signatures_are_not_masked),
        cmocka_unit_test(test_in_flight_masks_what_was_told_so_alone),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
