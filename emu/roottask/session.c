/* See session.h. */
#include "session.h"

#include "flight.h"
#include "harness/soak.h"
#include "kernel.h"
#include "print.h"
#include "protocol.h"
#include "series.h"
#include "target.h"

enum { MAPPINGS_DEFAULT = 1 << 18, PAGE = 4096 };

/* ---- the command line ---- */

static bool starts(const char *text, const char *with) {
    while (*with && *text == *with) {
        text++;
        with++;
    }
    return !*with;
}

/* The next word, or NULL. */
static const char *next_word(const char *text) {
    while (*text && *text != ' ')
        text++;
    while (*text == ' ')
        text++;
    return *text ? text : NULL;
}

uint64_t session_option(const char *key, uint64_t otherwise) {
    size_t length = __builtin_strlen(key);
    for (const char *word = kernel_command_line(); word; word = next_word(word)) {
        if (!starts(word, key) || word[length] != '=')
            continue;
        uint64_t number = 0;
        for (const char *digit = word + length + 1; *digit >= '0' && *digit <= '9'; digit++)
            number = number * 10 + (uint64_t)(*digit - '0');
        return number;
    }
    return otherwise;
}

bool session_is_mode(const char *mode) {
    const char *word = next_word(kernel_command_line());
    size_t length = __builtin_strlen(mode);
    return word && starts(word, mode) && (word[length] == ' ' || !word[length]);
}

/* ---- start and end ---- */

/* There is nowhere to go when the kernel stops: the machine ends, and the host reads why. */
static bool enter(void *context, void (*body)(void *argument), void *argument, enum rescind_stop *why,
                  const char **text, const char **function) {
    (void)context;
    (void)why;
    (void)text;
    (void)function;
    body(argument);
    return true;
}

/* Cuts a piece off the front of free memory. */
static void *take(uint8_t **memory, size_t *left, size_t bytes) {
    bytes = (bytes + PAGE - 1) / PAGE * PAGE;
    if (bytes > *left)
        session_bad("not enough memory");
    void *piece = *memory;
    *memory += bytes;
    *left -= bytes;
    return piece;
}

void session_start(struct session *session, const char *mode) {
    static const struct rescind_hooks hooks;
    struct line line = {0};
    size_t left = 0;
    struct kernel_description what;
    kernel_describe(&what);
    struct oracle_policy control = *what.policy;
    if (session_option("exact", 0)) { /* a model that is wrong on purpose */
        control.name = "control";
        control.own_self = control.child = ORACLE_UNIT;
        what.policy = &control;
    }
    uint8_t *memory = kernel_heap(&left);
    session->target = target_make();
    uint32_t mappings = (uint32_t)session_option("mappings", MAPPINGS_DEFAULT);
    size_t size = harness_size(session->target, mappings);
    session->ops = take(&memory, &left, SEQ_MAX_OPS * sizeof(struct seq_op));
    session->text_size = (size_t)SEQ_MAX_OPS * SEQ_TEXT_MAX;
    session->text = take(&memory, &left, session->text_size);
    session->harness =
        harness_init(take(&memory, &left, size), size, session->target, mappings, what.policy, &hooks, enter, NULL);
    if (!session->harness)
        session_bad("no harness");
    session->spare_size = soak_size();
    session->spare = take(&memory, &left, session->spare_size);
    session->options = (struct harness_options){.compare = HARNESS_PROBE, .seed = session_option("seed", 0)};
    session->started = kernel_ticks();
    flight_keep_apart((enum flight_apart)session_option("apart", 0));
    line_text(&line, PROTOCOL_HELLO);
    line_text(&line, mode);
    line_text(&line, " on ");
    line_text(&line, what.name);
    line_text(&line, " by ");
    line_text(&line, what.policy->name);
    line_text(&line, " ");
    line_number(&line, "cpus=", kernel_cpus());
    line_number(&line, "leaf-level=", session->target->geometry.leaf_level);
    line_number(&line, "heap=", left + size);
    line_end(&line);
}

void session_count(void *context, const struct harness_step *step) {
    struct session *session = context;
    if (!step->is_void && step->op->code < SEQ_CODES)
        session->performed[step->op->code]++;
}

/* Since the machine was started. */
static void print_tally(const struct session *session) {
    static const char *const keys[SEQ_CODES] = {
        [SEQ_CREATE_PD] = "create_pd=",
        [SEQ_DELEGATE] = "delegate=",
        [SEQ_REVOKE] = "revoke=",
        [SEQ_DESTROY_PD] = "destroy_pd=",
        [SEQ_LOOKUP] = "lookup=",
        [SEQ_CREATE_OBJECT] = "create_object=",
        [SEQ_GRANT] = "grant=",
        [SEQ_MOVE_QUOTA] = "move_quota=",
        [SEQ_ACCESS] = "access=",
        [SEQ_SWITCH] = "switch=",
        [SEQ_OOM] = "oom=",
    };
    struct target_counts counts = target_counts();
    struct line line = {0};
    line_text(&line, PROTOCOL_TALLY);
    for (unsigned code = 0; code < SEQ_CODES; code++) {
        if (keys[code] && session->performed[code])
            line_number(&line, keys[code], session->performed[code]);
    }
    line_number(&line, "reached=", counts.reached);
    line_number(&line, "refused=", counts.refused);
    line_end(&line);
}

/* Likewise; of calls in flight. */
static void print_flights(void) {
    struct flight_counts counts = flight_counts();
    struct line line = {0};
    if (!counts.begun)
        return;
    line_text(&line, PROTOCOL_FLIGHTS);
    line_number(&line, "begun=", counts.begun);
    line_number(&line, "meetings=", counts.meetings);
    line_number(&line, "inside=", counts.inside);
    line_number(&line, "shared=", counts.shared);
    line_end(&line);
}

static void print_totals(struct session *session, const char *what) {
    struct line line = {0};
    line_text(&line, what);
    line_number(&line, "operations=", session->operations);
    line_number(&line, "probes=", session->probes);
    line_number(&line, "sequences=", session->sequences);
    line_number(&line, "ticks=", kernel_ticks() - session->started);
    line_end(&line);
}

_Noreturn void session_end(struct session *session, uint32_t status) {
    print_totals(session, PROTOCOL_DONE);
    kernel_exit(status);
}

_Noreturn void session_bad(const char *why) {
    struct line line = {0};
    line_text(&line, "rescind: ");
    line_text(&line, why);
    line_end(&line);
    kernel_exit(ROOT_BAD);
}

/* ---- one sequence ---- */

static void print_block(const char *name, const char *text) {
    struct line line = {0};
    line_text(&line, name);
    line_end(&line);
    kernel_write(text, __builtin_strlen(text));
    line_text(&line, PROTOCOL_CLOSE);
    line_end(&line);
}

void session_dump(struct session *session, const struct seq *seq) {
    struct seq named = *seq;
    __builtin_memcpy(named.meta.check, session->outcome.signature, sizeof(named.meta.check) - 1);
    seq_print(&named, session->text, session->text_size);
    print_block(PROTOCOL_SEQUENCE, session->text);
}

static void print_outcome(const struct session *session, uint64_t number) {
    static const char *const words[] = {PROTOCOL_AGREE, PROTOCOL_FINDING, PROTOCOL_TOO_LARGE};
    const struct harness_outcome *outcome = &session->outcome;
    struct line line = {0};
    line_number(&line, words[outcome->verdict], number);
    if (outcome->verdict != HARNESS_AGREE)
        line_number(&line, "at=", outcome->failed_at);
    line_number(&line, "executed=", outcome->executed);
    line_number(&line, "changed=", outcome->changed_operations);
    line_number(&line, "units=", outcome->changed_units);
    line_number(&line, "lacking=", outcome->lacking);
    if (outcome->verdict == HARNESS_FINDING)
        line_number(&line, "shared=", outcome->shared);
    line_number(&line, "probes=", outcome->probes);
    line_text(&line, outcome->signature);
    line_end(&line);
}

void session_begin(uint64_t number) {
    struct line line = {0};
    line_number(&line, PROTOCOL_BEGIN, number);
    line_end(&line);
}

void session_tell(struct session *session, const struct seq *seq, uint64_t number) {
    print_tally(session);
    print_flights();
    print_outcome(session, number);
    session->sequences++;
    if (session->outcome.verdict != HARNESS_FINDING)
        return;
    print_block(PROTOCOL_REPORT, session->outcome.report);
    session_dump(session, seq);
    session_end(session, ROOT_FINDING);
}

static void run_once(struct session *session, const struct seq *seq) {
    harness_run(session->harness, seq, &session->options, &session->outcome);
    session->operations += session->outcome.executed;
    session->probes += session->outcome.probes;
}

/* ---- the same again and again ---- */

static void add_line(struct session *session, struct line *line) {
    size_t length = __builtin_strlen(session->outcome.report);
    if (length + line->length + 2 > sizeof(session->outcome.report))
        return;
    __builtin_memcpy(session->outcome.report + length, line->text, line->length);
    session->outcome.report[length + line->length] = '\n';
    session->outcome.report[length + line->length + 1] = '\0';
    line->length = 0;
}

/* Semantics, O7: what is torn down holds nothing. */
static void note_loss(struct session *session, const struct series *series) {
    static const char signature[] = "O7.accounting/teardown/memory-lost";
    struct harness_outcome *outcome = &session->outcome;
    struct line line = {0};
    outcome->verdict = HARNESS_FINDING;
    outcome->report[0] = '\0';
    __builtin_memcpy(outcome->signature, signature, sizeof(signature));
    line_text(&line, "signature:    ");
    line_text(&line, signature);
    add_line(session, &line);
    line_text(&line, "violated:     O7.accounting: with each run of the sequence less kernel memory comes back");
    add_line(session, &line);
    line_number(&line, "lost:         ", series_lost(series));
    line_number(&line, "bytes or pages, as the kernel counts, within half of ", series->runs);
    line_text(&line, "runs");
    add_line(session, &line);
}

static void run_series(struct session *session, const struct seq *seq, uint64_t runs) {
    struct series series;
    series_start(&series, runs);
    while (series.done < runs) {
        kernel_boot();
        series_note(&series, kernel_memory_in_use());
        run_once(session, seq);
        if (session->outcome.verdict != HARNESS_AGREE || session->outcome.spent)
            return;
    }
    if (series_lost(&series))
        note_loss(session, &series);
}

void session_run(struct session *session, const struct seq *seq, uint64_t number) {
    uint64_t runs = session_option("repeat", 0);
    session_begin(number);
    if (runs)
        run_series(session, seq, runs);
    else
        run_once(session, seq);
    session_tell(session, seq, number);
    if (session->outcome.verdict == HARNESS_TOO_LARGE)
        session_end(session, ROOT_TOO_LARGE);
    if (session->outcome.spent)
        session_end(session, ROOT_AGAIN);
}
