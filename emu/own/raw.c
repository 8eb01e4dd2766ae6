/*
 * Mode raw: any registers, by programs without privileges. Before each round a few operations put the kernel into some
 * state. System calls are judged like operations; what only the root task may ask for must be refused.
 *
 * Options: seed, ops (calls), first, dump (1: print the first round's operations and do nothing), replay (1: only the
 * round `first`, with the operations of the next boot module).
 */
#include "raw.h"
#include "abi/control.h"
#include "kernel.h"
#include "print.h"
#include "protocol.h"
#include "seq/archive.h"
#include "session.h"

enum { SETUP_OPS = 24, ROUND_CALLS = 512, CALLS_DEFAULT = 1000000, CALLERS = 8, CONTROL_ONE_IN = 8, CHOICES = 4 };

struct round {
    struct session *session;
    struct seq_random random; /* of the calls */
    uint64_t number, left;
    struct seq *seq; /* the operations before them */
};

/* What makes the round again, for the header of its sequence. */
static void name_round(const struct round *round, uint64_t calls) {
    struct line line = {0};
    line_number(&line, "seed=", session_option("seed", 0));
    line_number(&line, "first=", round->number);
    line_number(&line, "ops=", calls);
    line.text[line.length - 1] = '\0';
    __builtin_memcpy(round->seq->meta.registers, line.text, sizeof(round->seq->meta.registers));
}

/* So that it is known what the kernel died of. */
static void on_call(void *context, const struct harness_step *step) {
    struct line line = {0};
    char name[HARNESS_SIGNATURE_MAX];
    (void)context;
    harness_step_name(step, name);
    line_number(&line, PROTOCOL_OP, 0);
    line_text(&line, name);
    line_end(&line);
}

/* A number that may mean something: small, about a power of two, the negative of such a one, or a pointer. */
static uint64_t any_number(struct seq_random *random) {
    uint64_t bits = seq_random_next(random), small = bits & 0x1ff, shift = bits >> 16 & 63;
    switch (bits >> 32 & (2 * CHOICES - 1)) {
    case 0:
        return bits;
    case 1:
        return (UINT64_C(1) << shift) + (small & 3) - 1;
    case 2:
        return -small;
    case 3:
        return small << shift;
    case 4:
        return CONTROL_MEMORY_WINDOW + (bits >> 40 << 8);
    case 5:
        return CONTROL_INFO + small;
    default:
        return small;
    }
}

static uint64_t first_register(struct seq_random *random) {
    uint64_t bits = seq_random_next(random);
    if (bits >> 60 == 0)
        return any_number(random);
    uint64_t operation = 1 + (bits & 7), order = bits >> 8 & 15, mask = bits >> 16 & 31;
    return operation | (bits >> 24 & 0xff) << 8 | order << ABI_ORDER_SHIFT | mask << ABI_MASK_SHIFT;
}

/* What is not for a PD's program, it must not get: whatever rax says, but for what is a system call, or the end. */
static void ask_for_control(struct round *round, uint32_t pd, uint64_t calls) {
    static const char signature[] = "O12.result/control/not-denied";
    struct session *session = round->session;
    uint64_t word[ABI_WORDS], rax = any_number(&round->random);
    for (unsigned i = 0; i < ABI_WORDS; i++)
        word[i] = any_number(&round->random);
    if (rax == CONTROL_SYSTEM_CALL || rax == CONTROL_RETURN)
        rax = CONTROL_EXIT;
    uint64_t answer = kernel_raw(0, pd, rax, word);
    if (answer == CONTROL_E_DENIED || answer == CONTROL_E_ARG)
        return;
    struct line line = {0};
    line_number(&line, PROTOCOL_FINDING, round->number);
    line_text(&line, "at=0 executed=0 changed=0 units=0 probes=0 ");
    line_text(&line, signature);
    line_end(&line);
    line_number(&line, "rescind: rax=", rax);
    line_number(&line, "answer=", answer);
    line_end(&line);
    name_round(round, calls);
    __builtin_memcpy(session->outcome.signature, signature, sizeof(signature));
    session_dump(session, round->seq);
    session_end(session, ROOT_FINDING);
}

/* A live PD other than root. */
static uint32_t some_pd(struct round *round) {
    struct rescind_pd_view view;
    uint32_t pd = 1 + (uint32_t)seq_random_below(&round->random, CALLERS);
    return kernel_pd_report(pd, &view) ? pd : RESCIND_NONE;
}

static void make_calls(void *context) {
    struct round *round = context;
    enum harness_verdict verdict = HARNESS_AGREE;
    uint64_t calls = 0;
    for (uint32_t i = 0; i < ROUND_CALLS && round->left && verdict == HARNESS_AGREE; i++) {
        uint64_t word[ABI_WORDS] = {first_register(&round->random)};
        for (unsigned k = 1; k < ABI_WORDS; k++)
            word[k] = any_number(&round->random);
        uint32_t pd = some_pd(round);
        bool control = pd != RESCIND_NONE && seq_random_below(&round->random, CONTROL_ONE_IN) == 0;
        if (control)
            ask_for_control(round, pd, calls + 1);
        else
            verdict = harness_call(round->session->harness,
                                   ORACLE_ROOT + (uint32_t)seq_random_below(&round->random, CALLERS), word);
        round->left--;
        calls++;
    }
    name_round(round, calls);
    struct line line = {0};
    line_number(&line, PROTOCOL_CALLS, calls);
    line_end(&line);
}

/* The operations before the calls, made up; these are independent of them. */
static void make_setup(struct round *round) {
    static const struct seq_profile profile;
    struct seq_random random;
    seq_random_seed(&random, session_option("seed", 0));
    seq_random_seed(&random, seq_random_next(&random) + round->number);
    seq_random_seed(&round->random, seq_random_next(&random));
    seq_generate(round->seq, &random, &profile, SETUP_OPS);
}

/* The same round with operations from a file. */
static void load_setup(struct round *round) {
    struct archive archive;
    const uint8_t *packed;
    size_t bytes = 0, length = 0;
    const void *module = kernel_module(0, &bytes);
    make_setup(round);
    if (!module || !archive_open(&archive, module, bytes) || !archive_next(&archive, &packed, &length))
        session_bad("the second boot module is no archive of sequences");
    seq_unpack(round->seq, packed, length);
}

static void show_setup(struct round *round) {
    make_setup(round);
    name_round(round, round->left < ROUND_CALLS ? round->left : ROUND_CALLS);
    session_dump(round->session, round->seq);
    session_end(round->session, ROOT_DONE);
}

_Noreturn void raw(struct session *session) {
    struct seq_geometry geometry = seq_geometry_small;
    struct seq seq = {.geometry = &geometry, .op = session->ops, .capacity = SEQ_MAX_OPS, .cpus = 1};
    struct round round = {.session = session, .left = session_option("ops", CALLS_DEFAULT), .seq = &seq};
    geometry.quota_pages = seq_geometry_real.quota_pages;
    geometry.pd_pages = seq_geometry_real.pd_pages;
    session->options.on_end = make_calls;
    session->options.context = &round;
    round.number = session_option("first", 0);
    if (!round.left)
        round.left = UINT64_MAX;
    if (session_option("dump", 0))
        show_setup(&round);
    if (session_option("replay", 0)) {
        session->options.on_call = on_call;
        load_setup(&round);
        session_run(session, &seq, 0);
        session_end(session, ROOT_DONE);
    }
    for (; round.left; round.number++) {
        make_setup(&round);
        session_run(session, &seq, round.number);
    }
    session_end(session, ROOT_DONE);
}
