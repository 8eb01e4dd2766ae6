/*
 * What a law is tried on: operations of the sequence, or made up from what the target holds.
 */
#include "harness/laws_internal.h"

#include "harness/internal.h"

enum { PICK_TRIES = 16, ORDER_MAX = 5 };

/* The operations that each law speaks of, bit 1 << enum seq_code. */
enum {
    MOVES = 1u << SEQ_DELEGATE | 1u << SEQ_GRANT | 1u << SEQ_REVOKE,
};
static const uint32_t subjects_of[LAWS + 1] = {
    0, 1u << SEQ_REVOKE, 1u << SEQ_REVOKE, 1u << SEQ_DELEGATE, 1u << SEQ_DESTROY_PD, MOVES};

bool law_takes(struct laws *laws, uint32_t law, uint32_t at) {
    const struct seq *seq = laws->seq;
    uint32_t count = law == 5 ? 2 : 1;
    laws->try = (struct law_try){.law = law, .prefix = at, .subjects = count};
    if (at + count > seq->count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        laws->try.subject[i] = seq->op[at + i];
        if (!(subjects_of[law] >> seq->op[at + i].code & 1))
            return false;
    }
    return law != 2 || seq->op[at].order > 0;
}

/* ---- made up ---- */

static uint64_t below(struct laws *laws, uint64_t bound) {
    return seq_random_below(&laws->random, bound);
}

/* A run of mappings of that kind (ABI_KINDS: any) in the space of that label (PLAYER_NONE: of any PD that has a name).
 * NULL: not found. */
static const struct state_run *pick(struct laws *laws, uint32_t kind, uint32_t label) {
    uint32_t count = laws->before.count;
    for (uint32_t tries = 0; tries < PICK_TRIES && count; tries++) {
        const struct state_run *run = &laws->before.run[below(laws, count)];
        bool wanted = run->source == STATE_NODES && (kind == ABI_KINDS || kind == run->kind);
        if (wanted && (label == PLAYER_NONE || label == run->label) &&
            player_name(&laws->player, run->label) < SEQ_NAMES)
            return run;
    }
    return NULL;
}

static uint64_t align(uint64_t unit, uint8_t order) {
    return unit >> order << order;
}

static uint8_t log2_of(const struct laws *laws, uint8_t kind) {
    const struct oracle_geometry *geometry = &laws->player.geometry;
    return kind == ABI_MEM ? geometry->mem_log2 : kind == ABI_PIO ? geometry->pio_log2 : geometry->obj_log2;
}

/* A range that holds a unit of a run. */
static void make_range(struct laws *laws, struct seq_op *op, const struct state_run *run, uint8_t order_min) {
    uint8_t order = (uint8_t)(order_min + below(laws, ORDER_MAX + 1u));
    op->caller = (uint8_t)player_name(&laws->player, run->label);
    op->kind = run->kind;
    op->order = order < log2_of(laws, run->kind) ? order : log2_of(laws, run->kind);
    op->base = align(run->unit + below(laws, run->count), op->order);
    op->mask = all_rights(run->kind);
    if (below(laws, 3) == 0)
        op->mask = (uint8_t)(1 + below(laws, op->mask));
}

static bool make_revoke(struct laws *laws, struct seq_op *op, uint8_t order_min) {
    static const uint8_t scopes[] = {ABI_CHILDREN, ABI_CHILDREN, ABI_SELF, ABI_DROP};
    const struct state_run *run = pick(laws, ABI_KINDS, PLAYER_NONE);
    if (!run)
        return false;
    *op = (struct seq_op){.code = SEQ_REVOKE, .scope = scopes[below(laws, 4)]};
    make_range(laws, op, run, order_min);
    if (run->parent == PLAYER_PHYS && below(laws, 4) == 0) {
        op->place = ABI_PHYS;
        op->scope = ABI_CHILDREN;
        op->caller = 0;
        op->base = align(run->resource + below(laws, run->count), op->order);
    }
    const struct state_run *filter = op->scope == ABI_CHILDREN && below(laws, 4) == 0
                                         ? pick(laws, ABI_OBJ, laws->player.label_of_name[op->caller])
                                         : NULL;
    if (filter)
        op->filter = (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)filter->unit};
    return true;
}

static bool make_move(struct laws *laws, struct seq_op *op, uint8_t code) {
    const struct state_run *run = pick(laws, ABI_KINDS, PLAYER_NONE);
    if (!run)
        return false;
    *op = (struct seq_op){.code = code, .place = ABI_OWN};
    make_range(laws, op, run, 0);
    const struct state_run *to = pick(laws, ABI_OBJ, run->label);
    if (to)
        op->pd = (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)to->unit};
    uint64_t place = below(laws, UINT64_C(1) << log2_of(laws, run->kind));
    op->destination = run->kind == ABI_PIO ? op->base : align(place, op->order);
    return true;
}

static bool make_destroy(struct laws *laws, struct seq_op *op) {
    const struct state_run *run = pick(laws, ABI_OBJ, PLAYER_NONE);
    if (!run || run->resource == run->label)
        return false;
    *op = (struct seq_op){.code = SEQ_DESTROY_PD,
                          .caller = (uint8_t)player_name(&laws->player, run->label),
                          .pd = {.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)run->unit}};
    return true;
}

static bool make_any(struct laws *laws, struct seq_op *op) {
    uint64_t roll = below(laws, 4);
    return roll < 2 ? make_revoke(laws, op, 0) : make_move(laws, op, roll == 2 ? SEQ_DELEGATE : SEQ_GRANT);
}

bool law_make(struct laws *laws, uint32_t law, uint32_t prefix) {
    struct seq_op *op = laws->try.subject;
    laws->try = (struct law_try){.law = law, .prefix = prefix, .subjects = law == 5 ? 2 : 1};
    switch (law) {
    case 1:
        return make_revoke(laws, op, 0);
    case 2:
        return make_revoke(laws, op, 1);
    case 3:
        return make_move(laws, op, SEQ_DELEGATE);
    case 4:
        return make_destroy(laws, op);
    default:
        return make_any(laws, &op[0]) && make_any(laws, &op[1]);
    }
}
