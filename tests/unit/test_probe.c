/*
 * The probe comparison: on a target that tells nothing of its inside it agrees with an honest kernel, and sees each
 * kind of lie about what can be got at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "harness/host.h"
#include "harness/soak.h"

extern const struct rescind_target rescind_target_small, rescind_target_real;

enum { RANDOM_SEQUENCES = 2000, RANDOM_OPS = 60, REAL_EVERY = 8 };

/* ---- a target that tells nothing of its inside ---- */

static struct {
    const struct rescind_target *real;
    bool once;                                                           /* boots once */
    void (*probe)(uint32_t pd, bool fresh, struct rescind_probe *probe); /* the lie; NULL: none */
    void (*view)(struct rescind_pd_view *view);                          /* likewise */
    uint64_t lookup_without;                                             /* rights that lookups lose */
    uint32_t calls, from;                                                /* the lies begin with so many calls made */
    enum { APART, IN_PROGRESS, OVER_AT_ONCE } overlap;                   /* how calls in flight really go */
} hider;

/* Calls in flight that are over, and what came of them. */
enum { OVER_MAX = 3 };
static struct {
    bool used;
    uint64_t word[ABI_WORDS];
} over[OVER_MAX];

static bool lying(void) {
    return hider.calls >= hider.from;
}

static bool booted;

static void hiding_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    hider.calls = 0;
    if (!hider.once || !booted)
        hider.real->boot(hooks, cpus, speculation);
    booted = true;
}

static void hiding_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    bool lookup = (word[0] & 0xff) == ABI_LOOKUP;
    hider.real->call(cpu, pd, word);
    hider.calls += !lookup;
    if (lookup && lying())
        word[1] &= ~hider.lookup_without;
}

static void hiding_log(struct rescind_log *log) {
    struct rescind_log all;
    hider.real->log(&all);
    *log = (struct rescind_log){
        .pds = all.pds, .objects = all.objects, .pd_count = all.pd_count, .object_count = all.object_count};
}

static bool hiding_pd(uint32_t pd, struct rescind_pd_view *view) {
    struct rescind_pd_view all;
    if (!hider.real->pd(pd, &all))
        return false;
    *view = (struct rescind_pd_view){
        .quota = all.quota, .used = all.used, .payer = all.payer, .references = all.references};
    memcpy(view->node_count, all.node_count, sizeof view->node_count);
    if (hider.view && lying())
        hider.view(view);
    return true;
}

static bool hiding_object(uint32_t object, struct rescind_object_view *view) {
    struct rescind_object_view all;
    *view = (struct rescind_object_view){.references = RESCIND_NONE, .payer = RESCIND_NONE};
    return hider.real->object(object, &all);
}

static void hiding_probe(uint32_t cpu, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count) {
    hider.real->probe(cpu, pd, fresh, probes, count);
    for (uint32_t i = 0; i < count && hider.probe && lying(); i++)
        hider.probe(pd, fresh, &probes[i]);
}

static uint32_t hiding_begin(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS], uint32_t points) {
    hider.calls++;
    if (hider.overlap == IN_PROGRESS)
        return hider.real->begin(cpu, pd, word, points);
    uint32_t n = 0;
    while (n < OVER_MAX && over[n].used)
        n++;
    if (n == OVER_MAX) {
        hider.real->call(cpu, pd, word);
        return RESCIND_NONE;
    }
    over[n].used = true;
    memcpy(over[n].word, word, sizeof over[n].word);
    hider.real->call(cpu, pd, over[n].word);
    return n;
}

static bool hiding_resume(uint32_t operation, uint32_t points, uint64_t word[ABI_WORDS]) {
    if (hider.overlap == IN_PROGRESS)
        return hider.real->resume(operation, points, word);
    over[operation].used = false;
    memcpy(word, over[operation].word, sizeof over[operation].word);
    return true;
}

static const char *hiding_point(uint32_t operation) {
    (void)operation;
    return "in-flight";
}

static struct rescind_target hiding_target(const struct rescind_target *real) {
    struct rescind_target target = *real;
    hider.real = real;
    target.name = "hider";
    target.boot = hiding_boot;
    target.call = hiding_call;
    target.log = hiding_log;
    target.pd = hiding_pd;
    target.object = hiding_object;
    target.probe = hiding_probe;
    target.overlaps = hider.overlap != APART;
    target.begin = hiding_begin;
    target.resume = hiding_resume;
    target.point = hiding_point;
    target.node_limit = target.cached_limit = 0;
    target.node = NULL;
    target.table = NULL;
    target.cached = NULL;
    target.phys_tree_root = NULL;
    target.boots_once = hider.once;
    return target;
}

/* ---- agreement ---- */

struct judge {
    struct host_enter host;
    struct rescind_target target;
    struct harness *harness;
};

static void judge_start(struct judge *judge, const struct rescind_target *real, uint32_t mappings) {
    judge->target = hiding_target(real);
    judge->harness = host_harness_new(&judge->host, &judge->target, mappings, &oracle_policy_exact);
    assert_non_null(judge->harness);
}

static uint64_t suspended; /* operations, in all sequences */

static uint64_t expect_agreement(struct judge *judge, const struct rescind_target *real, const struct seq *seq,
                                 uint64_t seed) {
    static struct harness_outcome outcome;
    const struct harness_options options = {.compare = HARNESS_PROBE, .seed = seed};
    hider.real = real;
    memset(over, 0, sizeof over);
    harness_run(judge->harness, seq, &options, &outcome);
    if (outcome.verdict != HARNESS_AGREE)
        fail_msg("seed %llu: %s\n%s", (unsigned long long)seed, outcome.signature, outcome.report);
    booted = !outcome.spent;
    suspended += outcome.suspended;
    return outcome.probes;
}

static void test_corpus_agrees(void **state) {
    (void)state;
    static char path[] = "corpus";
    static char *const paths[] = {path};
    struct judge small, real;
    struct file_list list;
    file_list_collect(&list, paths, 1);
    assert_true(list.count > 100);
    judge_start(&small, &rescind_target_small, 1u << 14);
    judge_start(&real, &rescind_target_real, 1u << 18);
    for (size_t i = 0; i < list.count; i++) {
        struct seq seq;
        assert_true(sequence_load(&seq, list.path[i], NULL));
        bool is_small = seq.geometry == &seq_geometry_small;
        expect_agreement(is_small ? &small : &real, is_small ? &rescind_target_small : &rescind_target_real, &seq, i);
        sequence_free(&seq);
    }
    host_harness_free(small.harness);
    host_harness_free(real.harness);
    file_list_free(&list);
}

static void test_random_sequences_agree(void **state) {
    (void)state;
    struct judge small, real;
    struct seq_op ops[RANDOM_OPS];
    uint64_t probes = 0;
    judge_start(&small, &rescind_target_small, 1u << 14);
    judge_start(&real, &rescind_target_real, 1u << 19);
    for (uint64_t seed = 0; seed < RANDOM_SEQUENCES; seed++) {
        bool is_real = seed % REAL_EVERY == 0;
        struct seq seq = {.geometry = is_real ? &seq_geometry_real : &seq_geometry_small,
                          .op = ops,
                          .capacity = RANDOM_OPS,
                          .cpus = (uint8_t)(1 + seed % SEQ_CPUS)};
        struct seq_profile profile = {.cpus = seq.cpus, .unit_budget = is_real ? 1u << 16 : 0};
        struct seq_random random;
        seq_random_seed(&random, seed);
        seq_generate(&seq, &random, &profile, RANDOM_OPS);
        probes += expect_agreement(is_real ? &real : &small, is_real ? &rescind_target_real : &rescind_target_small,
                                   &seq, seed);
    }
    assert_true(probes > (uint64_t)RANDOM_SEQUENCES * RANDOM_OPS);
    host_harness_free(small.harness);
    host_harness_free(real.harness);
}

/* Where calls overlap for real nobody knows how far one is when another is made: all that is known to be possible
 * agrees, from barely begun to over. */
static void test_calls_in_flight_agree(void **state) {
    (void)state;
    for (hider.overlap = IN_PROGRESS; hider.overlap <= OVER_AT_ONCE; hider.overlap++) {
        struct judge judge;
        struct seq_op ops[RANDOM_OPS];
        judge_start(&judge, &rescind_target_small, 1u << 14);
        suspended = 0;
        for (uint64_t seed = 0; seed < RANDOM_SEQUENCES; seed++) {
            struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .capacity = RANDOM_OPS};
            seq.cpus = (uint8_t)(1 + seed % SEQ_CPUS);
            struct seq_profile profile = {.cpus = seq.cpus, .preempt = 160};
            struct seq_random random;
            seq_random_seed(&random, seed);
            seq_generate(&seq, &random, &profile, RANDOM_OPS);
            expect_agreement(&judge, &rescind_target_small, &seq, seed);
        }
        assert_true(suspended > RANDOM_SEQUENCES);
        host_harness_free(judge.harness);
    }
    hider.overlap = APART;
}

/* A target that boots once comes back to the boot state by tear-down, as long as root keeps its capability. */
static void test_boots_once(void **state) {
    (void)state;
    enum { TRIES = 200 };
    struct judge judge;
    struct seq_op ops[RANDOM_OPS];
    uint32_t spent = 0;
    hider.once = true;
    judge_start(&judge, &rescind_target_small, 1u << 14);
    booted = false;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct seq seq = {.geometry = &seq_geometry_small, .op = ops, .capacity = RANDOM_OPS, .cpus = 1};
        struct seq_profile profile = {0};
        struct seq_random random;
        seq_random_seed(&random, seed);
        seq_generate(&seq, &random, &profile, RANDOM_OPS);
        expect_agreement(&judge, &rescind_target_small, &seq, seed);
        spent += !booted;
    }
    assert_true(spent > 0 && spent < TRIES / 2);
    hider.once = false;
    host_harness_free(judge.harness);
}

/* ---- lies ---- */

static void reached_by_all(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1 && probe->kind == ABI_MEM && !probe->reached)
        probe->reached = ABI_R;
}

static void reached_where_it_began(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1 && probe->kind == ABI_MEM && (probe->unit == 0x40 || probe->unit == 0x80) && !probe->reached)
        probe->reached = ABI_R;
}

static void port_reached(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1 && probe->kind == ABI_PIO)
        probe->reached = ABI_PIO_RIGHTS;
}

static void not_reached(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1 && probe->kind == ABI_MEM)
        probe->reached = 0;
}

static void writable(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1 && probe->reached == (ABI_R | ABI_X))
        probe->reached |= ABI_W;
}

static void not_executable(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1)
        probe->reached &= (uint8_t)~ABI_X;
}

static void elsewhere(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    (void)fresh;
    if (pd == 1 && probe->kind == ABI_MEM && probe->reached)
        probe->resource = RESCIND_NOWHERE;
}

static void remembered(uint32_t pd, bool fresh, struct rescind_probe *probe) {
    if (pd == 1 && !fresh && probe->kind == ABI_MEM && !probe->reached)
        probe->reached = ABI_R;
}

static void poorer(struct rescind_pd_view *view) {
    view->quota -= 1;
}

static void counted_once_more(struct rescind_pd_view *view) {
    view->references++;
}

/* One long life, without views. */
static void test_long_life(void **state) {
    (void)state;
    enum { CHUNKS = 40, LOW_EVERY = 8 };
    static struct harness_outcome outcome;
    struct judge judge;
    hider.once = false;
    judge_start(&judge, &rescind_target_small, 1u << 14);
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, soak_size());
    struct soak *soak = soak_init(memory, soak_size(), judge.harness, &seq_geometry_small, 1);
    assert_int_equal(soak_boot(soak, &outcome), HARNESS_AGREE);
    for (uint32_t i = 1; i <= CHUNKS; i++) {
        if (soak_chunk(soak, i % LOW_EVERY == 0, &outcome) != HARNESS_AGREE)
            fail_msg("chunk %u: %s\n%s", i, outcome.signature, outcome.report);
    }
    assert_true(outcome.probes > soak_counts(soak)->operations);
    hider.probe = reached_by_all;
    hider.from = 0;
    enum harness_verdict verdict = HARNESS_AGREE;
    for (uint32_t i = 0; i < CHUNKS && verdict == HARNESS_AGREE; i++)
        verdict = soak_chunk(soak, false, &outcome);
    hider.probe = NULL;
    assert_int_equal(verdict, HARNESS_FINDING);
    assert_non_null(strstr(outcome.signature, "O1.reach/"));
    free(memory);
    host_harness_free(judge.harness);
}

#define STORY                                                                                                          \
    "# rescind: 1\n# geometry: small\n# cpus: 2\n\n"                                                                   \
    "p1 = create_pd root payer=root sel=1\n"                                                                           \
    "switch cpu=1 to=p1\n"                                                                                             \
    "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x40 mask=rwx\n"                                           \
    "delegate root pio from=phys base=0x10 order=2 to=p1 at=0x10 mask=a\n"                                             \
    "delegate root obj from=own base=0x1 order=0 to=p1 at=0x5 mask=0x1f\n"                                             \
    "revoke root mem base=0x41 order=0 mask=w scope=self place=p1 filter=none\n"                                       \
    "revoke root mem base=0x40 order=0 mask=r scope=self place=p1 filter=none\n"                                       \
    "revoke root pio base=0x10 order=0 mask=a scope=self place=p1 filter=none\n"                                       \
    "revoke root obj base=0x5 order=0 mask=d scope=self place=p1 filter=none\n"

static const struct lie {
    const char *signature;
    uint32_t from;
    void (*probe)(uint32_t pd, bool fresh, struct rescind_probe *probe);
    void (*view)(struct rescind_pd_view *view);
    uint64_t lookup_without;
} lies[] = {
    {"O1.reach/revoke.self.cap/mem/extra", 6, reached_by_all, NULL, 0},
    {"O1.reach/revoke.self.cap/pio/extra", 7, port_reached, NULL, 0},
    {"O2.over-revoke/delegate.phys.cap/mem/missing", 2, not_reached, NULL, 0},
    {"O3.rights/revoke.self.cap/mem/wider", 5, writable, NULL, 0},
    {"O3.rights/delegate.phys.cap/mem/narrower", 2, not_executable, NULL, 0},
    {"O2.over-revoke/delegate.phys.cap/mem/wrong-resource", 2, elsewhere, NULL, 0},
    {"O6.tlb/revoke.self.cap/mem/stale", 6, remembered, NULL, 0},
    {"O7.accounting/delegate.phys.cap/obj/quota", 2, NULL, poorer, 0},
    {"O9.references/delegate.own.cap/obj/count", 4, NULL, counted_once_more, 0},
    {"O3.rights/delegate.own.cap/obj/narrower", 4, NULL, NULL, ABI_CREATE},
};

static void test_each_lie_is_seen(void **state) {
    (void)state;
    static struct harness_outcome outcome;
    struct seq_op ops[16];
    struct seq seq = {.op = ops, .capacity = 16};
    struct seq_error error;
    struct judge judge;
    assert_true(seq_parse(&seq, STORY, sizeof STORY - 1, &error));
    judge_start(&judge, &rescind_target_small, 1u << 14);
    expect_agreement(&judge, &rescind_target_small, &seq, 0);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const struct harness_options options = {.compare = HARNESS_PROBE};
        hider.probe = lies[i].probe;
        hider.view = lies[i].view;
        hider.lookup_without = lies[i].lookup_without;
        hider.from = lies[i].from;
        harness_run(judge.harness, &seq, &options, &outcome);
        assert_int_equal(outcome.verdict, HARNESS_FINDING);
        assert_string_equal(outcome.signature, lies[i].signature);
        assert_non_null(strstr(outcome.report, "last operations:"));
    }
    hider.probe = NULL;
    hider.view = NULL;
    hider.lookup_without = 0;
    host_harness_free(judge.harness);
}

#define AT_ONCE(inner)                                                                                                 \
    "# rescind: 1\n# geometry: small\n# cpus: 2\n\n"                                                                   \
    "p1 = create_pd root payer=root sel=1\n"                                                                           \
    "delegate root mem from=phys base=0x10 order=1 to=p1 at=0x40 mask=rwx\n"                                           \
    "delegate root mem from=phys base=0x10 order=1 to=p1 at=0x80 mask=rwx\n"                                           \
    "revoke root mem base=0x40 order=1 mask=rwx scope=self place=p1 filter=none preempt=1 run=1\n"                     \
    "  revoke root mem base=" inner " order=1 mask=rwx scope=self place=p1 filter=none\n"

/* A finding says whether it is about a unit that operations in progress at the same time took from. */
static void test_what_two_took_from_is_told(void **state) {
    (void)state;
    static const char *const stories[] = {AT_ONCE("0x80"), AT_ONCE("0x40")};
    static struct harness_outcome outcome;
    const struct harness_options options = {.compare = HARNESS_PROBE};
    enum { LAST_CALL = 5 };
    struct seq_op ops[16];
    struct seq_error error;
    struct judge judge;
    hider.overlap = OVER_AT_ONCE;
    judge_start(&judge, &rescind_target_small, 1u << 14);
    for (unsigned same = 0; same < 2; same++) {
        struct seq seq = {.op = ops, .capacity = 16};
        assert_true(seq_parse(&seq, stories[same], strlen(stories[same]), &error));
        expect_agreement(&judge, &rescind_target_small, &seq, 0);
        hider.probe = reached_where_it_began;
        hider.from = LAST_CALL;
        harness_run(judge.harness, &seq, &options, &outcome);
        hider.probe = NULL;
        assert_int_equal(outcome.verdict, HARNESS_FINDING);
        assert_int_equal(outcome.shared, same);
        assert_true(same == (strstr(outcome.report, "in progress at the same time") != NULL));
    }
    hider.overlap = APART;
    host_harness_free(judge.harness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_agrees),
        cmocka_unit_test(test_random_sequences_agree),
        cmocka_unit_test(test_calls_in_flight_agree),
        cmocka_unit_test(test_boots_once),
        cmocka_unit_test(test_long_life),
        cmocka_unit_test(test_each_lie_is_seen),
        cmocka_unit_test(test_what_two_took_from_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
