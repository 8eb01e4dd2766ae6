/*
 * `rescind explore` against a kernel that sometimes lies: what it says, writes and returns, and that what it writes
 * shows the finding again. Which schedules are run is the business of unit/test_schedules.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/explore.h"
#include "cli/files.h"
#include "cli/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lookup of this unit is answered wrongly. */
enum { CURSED_UNIT = 0x66 };

static struct rescind_target target;
static struct cli_target lying_target;
static char directory[] = "/tmp/rescind-explore-XXXXXX", output[64], said[64];

static void call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    bool cursed = (word[0] & 0xf) == ABI_LOOKUP && word[1] == CURSED_UNIT;
    cli_targets[0].target->call(cpu, pd, word);
    if (cursed)
        word[0] = ABI_E_CAP;
}

/* Everything that is written to standard output meanwhile goes to the file `said`. */
static int explore_quietly(const struct explore_options *options, struct seq *seq) {
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_non_null(freopen(said, "w", stdout));
    int status = explore(options, &lying_target, seq);
    fflush(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    return status;
}

static const char *read_said(void) {
    static char text[1 << 14];
    FILE *file = fopen(said, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void make(struct seq *seq, uint64_t unit) {
    sequence_allocate(seq, &seq_geometry_small);
    seq->op[0] = (struct seq_op){.code = SEQ_REVOKE, .mask = ABI_R};
    seq->op[1] = (struct seq_op){.code = SEQ_LOOKUP, .base = unit};
    seq->op[2] = (struct seq_op){.code = SEQ_LOOKUP};
    seq->count = 3;
}

static struct explore_options options_of(uint32_t depth, bool json) {
    return (struct explore_options){.timeout = 5,
                                    .preemptions = 2,
                                    .depth = depth,
                                    .count = 20,
                                    .seed = 11,
                                    .json = json,
                                    .path = "some.rsq",
                                    .output = output};
}

static void test_finding_is_written(void **state) {
    (void)state;
    for (uint32_t depth = 0; depth <= 3; depth += 3) {
        struct seq seq, written;
        struct worker_answer answer;
        struct progress progress;
        struct explore_options options = options_of(depth, false);
        const struct worker_job job = {.target = &lying_target, .compare = HARNESS_LOG, .seed = 11};
        remove(output);
        make(&seq, CURSED_UNIT);
        assert_int_equal(explore_quietly(&options, &seq), EXIT_FINDING);
        assert_non_null(strstr(read_said(), "FINDING some.rsq O12.result/lookup"));
        assert_non_null(strstr(read_said(), "run again: rescind run --compare=log --seed=11 "));
        assert_true(sequence_load(&written, output, NULL));
        assert_int_equal(written.count, 3);
        assert_non_null(strstr(written.meta.origin, depth ? "--pct=3 --seed=11 some.rsq" : "--preemptions=2 some.rsq"));
        progress_start(&progress);
        struct worker *worker = worker_new(5, &progress);
        worker_run(worker, &written, &job, &answer);
        assert_int_equal(answer.outcome.verdict, HARNESS_FINDING);
        assert_string_equal(answer.outcome.signature, written.meta.check);
        worker_free(worker);
        sequence_free(&written);
        sequence_free(&seq);
    }
}

static void test_finding_as_json(void **state) {
    (void)state;
    struct seq seq, printed;
    struct seq_error error;
    struct explore_options options = options_of(0, true);
    options.output = NULL;
    make(&seq, CURSED_UNIT);
    assert_int_equal(explore_quietly(&options, &seq), EXIT_FINDING);
    json_t *object = json_loads(read_said(), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "verdict")), "finding");
    assert_string_equal(json_string_value(json_object_get(object, "mode")), "systematic");
    assert_false(json_is_true(json_object_get(object, "complete")));
    assert_int_equal(json_integer_value(json_object_get(object, "run")), 1);
    assert_non_null(strstr(json_string_value(json_object_get(object, "signature")), "O12.result/lookup"));
    const char *text = json_string_value(json_object_get(object, "sequence"));
    sequence_allocate(&printed, &seq_geometry_small);
    assert_true(seq_parse(&printed, text, strlen(text), &error));
    assert_int_equal(printed.count, 3);
    sequence_free(&printed);
    sequence_free(&seq);
    json_decref(object);
}

static void test_agreement(void **state) {
    (void)state;
    for (uint32_t depth = 0; depth <= 2; depth += 2) {
        struct seq seq;
        struct explore_options options = options_of(depth, true);
        remove(output);
        make(&seq, 0);
        assert_int_equal(explore_quietly(&options, &seq), EXIT_AGREE);
        json_t *object = json_loads(read_said(), 0, NULL);
        assert_string_equal(json_string_value(json_object_get(object, "verdict")), "agree");
        assert_true(json_is_true(json_object_get(object, "complete")));
        json_int_t schedules = json_integer_value(json_object_get(object, "schedules"));
        assert_int_equal(json_integer_value(json_object_get(object, "run")), schedules);
        assert_true(depth ? schedules == 20 : schedules >= 1);
        assert_true(json_is_null(json_object_get(object, "sequence")));
        assert_int_not_equal(access(output, F_OK), 0);
        json_decref(object);
        sequence_free(&seq);
    }
}

static void test_bound_is_named(void **state) {
    (void)state;
    struct seq seq;
    struct explore_options options = options_of(1, false);
    make(&seq, 0);
    assert_int_equal(explore_quietly(&options, &seq), EXIT_AGREE);
    assert_non_null(strstr(read_said(), "n = 3 operations, k = "));
    assert_non_null(strstr(read_said(), "depth 1 with probability 1/(n k^0) = 0.333 at least, 20 do with 1\n"));
    sequence_free(&seq);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding_is_written),
        cmocka_unit_test(test_finding_as_json),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_bound_is_named),
    };
    if (!mkdtemp(directory))
        return 1;
    snprintf(output, sizeof output, "%s/finding.rsq", directory);
    snprintf(said, sizeof said, "%s/said", directory);
    target = *cli_targets[0].target;
    target.call = call;
    lying_target = cli_targets[0];
    lying_target.target = &target;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(output);
    remove(said);
    rmdir(directory);
    return failed;
}
