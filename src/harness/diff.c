/*
 * Runs a sequence on two kernels side by side.
 */
#include "harness/diff.h"

#include "harness/internal.h"
#include "harness/state.h"

struct diff {
    struct player player[DIFF_SIDES];
    struct state state[DIFF_SIDES];
};

size_t diff_size(const struct diff_side *side, uint32_t runs) {
    struct arena arena = {0};
    take(&arena, sizeof(struct diff));
    for (uint32_t i = 0; i < DIFF_SIDES; i++) {
        player_lay_out(NULL, &arena, side[i].target);
        take(&arena, runs * sizeof(struct state_run));
    }
    return arena.used;
}

static bool ours(const struct rescind_target *target) {
    return target->version == RESCIND_TARGET_VERSION && target->size == sizeof(struct rescind_target);
}

/* What an operation means depends on these. */
static bool comparable(const struct rescind_target *a, const struct rescind_target *b) {
    const struct rescind_geometry *x = &a->geometry, *y = &b->geometry;
    return x->mem_log2 == y->mem_log2 && x->pio_log2 == y->pio_log2 && x->obj_log2 == y->obj_log2 &&
           x->phys_log2 == y->phys_log2 && x->kernel_frame == y->kernel_frame && a->kinds == b->kinds;
}

struct diff *diff_init(void *memory, size_t size, const struct diff_side *side, uint32_t runs) {
    if (side[0].target == side[1].target || !ours(side[0].target) || !ours(side[1].target) ||
        !comparable(side[0].target, side[1].target) || size < diff_size(side, runs))
        return NULL;
    struct arena arena = {.base = memory};
    struct diff *diff = take(&arena, sizeof(*diff));
    for (uint32_t i = 0; i < DIFF_SIDES; i++) {
        struct player *player = &diff->player[i];
        player_lay_out(player, &arena, side[i].target);
        player->hooks = side[i].hooks;
        player->enter = side[i].enter;
        player->enter_context = side[i].enter_context;
        diff->state[i] = (struct state){.run = take(&arena, runs * sizeof(struct state_run)), .capacity = runs};
    }
    return diff;
}

/* ---- findings ---- */

/* What was performed: NULL is the boot. */
static void begin_finding(struct diff *diff, struct diff_outcome *outcome, const struct seq_op *op, const char *what,
                          struct text *report) {
    struct text signature;
    outcome->verdict = DIFF_DIFFERENT;
    text_init(&signature, outcome->signature, sizeof(outcome->signature));
    text_add(&signature, "diff/");
    if (op && seq_is_call(op->code))
        text_call(&signature, &diff->player[0].call);
    else
        text_add(&signature, !op                      ? "boot"
                             : op->code == SEQ_ACCESS ? "access"
                             : op->code == SEQ_SWITCH ? "switch"
                             : op->code == SEQ_RESUME ? "resume"
                                                      : "oom");
    text_add(&signature, "/");
    text_add(&signature, what);
    text_init(report, outcome->report, sizeof(outcome->report));
    text_add(report, "signature:    ");
    text_add(report, outcome->signature);
    if (op) {
        char line[SEQ_TEXT_MAX];
        seq_print_op(op, line);
        text_add(report, "\n  operation ");
        text_number(report, outcome->executed - 1);
        text_add(report, ":  ");
        text_add(report, line);
    }
}

static void text_end(struct text *text, const struct player *player, enum player_end end) {
    if (end == PLAYER_STOPPED) {
        text_add(text, "stopped in ");
        text_add(text, player->function);
        text_add(text, ": ");
        text_add(text, player->text);
    } else if (end == PLAYER_VOID) {
        text_add(text, "void");
    } else {
        text_add(text, code_name(player->word[0]));
        text_add(text, " ");
        text_hex(text, player->word[1]);
        text_add(text, player->changed_registers ? ", other registers changed" : "");
    }
}

static void different_results(struct diff *diff, struct diff_outcome *outcome, const struct seq_op *op,
                              const enum player_end end[DIFF_SIDES]) {
    struct text text;
    bool stopped = end[0] == PLAYER_STOPPED || end[1] == PLAYER_STOPPED;
    begin_finding(diff, outcome, op, stopped ? "stopped" : "result", &text);
    for (uint32_t i = 0; i < DIFF_SIDES; i++) {
        text_add(&text, i ? "\n  the other: " : "\n  this: ");
        text_end(&text, &diff->player[i], end[i]);
    }
    text_add(&text, "\n");
}

/* ---- comparing ---- */

static bool same_result(const struct diff *diff, const enum player_end end[DIFF_SIDES]) {
    const struct player *a = &diff->player[0], *b = &diff->player[1];
    if (end[0] != end[1])
        return false;
    if (end[0] == PLAYER_STOPPED)
        return a->why == b->why;
    if (end[0] == PLAYER_VOID)
        return true;
    return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->changed_registers == b->changed_registers;
}

/* False: the sequence ends here. */
static bool compare(struct diff *diff, struct diff_outcome *outcome, const struct seq_op *op,
                    const enum player_end end[DIFF_SIDES]) {
    struct state_difference difference;
    struct text text;
    if (!same_result(diff, end)) {
        different_results(diff, outcome, op, end);
        return false;
    }
    if (end[0] == PLAYER_STOPPED)
        return false;
    for (uint32_t i = 0; i < DIFF_SIDES; i++)
        state_read(&diff->state[i], &diff->player[i]);
    if (diff->state[0].overflow || diff->state[1].overflow) {
        outcome->verdict = DIFF_TOO_LARGE;
        return false;
    }
    if (!state_differ(&diff->state[0], &diff->state[1], &difference))
        return true;
    begin_finding(diff, outcome, op, "state", &text);
    text_difference(&text, &diff->player[0], &difference, "this", "the other");
    text_add(&text, "\n");
    return false;
}

void diff_run(struct diff *diff, const struct seq *seq, struct diff_outcome *outcome) {
    enum player_end end[DIFF_SIDES];
    *outcome = (struct diff_outcome){.verdict = DIFF_EQUAL};
    for (uint32_t i = 0; i < DIFF_SIDES; i++)
        end[i] = player_boot(&diff->player[i], seq, 0);
    diff->player[0].word[0] = diff->player[1].word[0] = 0;
    diff->player[0].word[1] = diff->player[1].word[1] = 0;
    diff->player[0].changed_registers = diff->player[1].changed_registers = false;
    bool goes_on = compare(diff, outcome, NULL, end);
    for (uint32_t i = 0; i < seq->count && goes_on; i++) {
        for (uint32_t side = 0; side < DIFF_SIDES; side++)
            end[side] = player_perform(&diff->player[side], &seq->op[i], i);
        outcome->executed = i + 1;
        goes_on = compare(diff, outcome, &seq->op[i], end);
    }
}
