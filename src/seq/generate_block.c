/*
 * The generator's blocks: operations that run while a revoke or destroy is suspended, and that have to do with what it
 * takes. They are made with the guess as it is before it: while it is in progress, some of what it takes is still
 * there.
 */
#include "generate.h"

enum { TRIES = 4, LATE_POINT = 12 };

static bool is_allowed(const struct generator *generator, uint8_t code) {
    return generator->operations >> code & 1;
}

static bool overlaps(uint64_t a, uint8_t a_order, uint64_t b, uint8_t b_order) {
    uint8_t order = (a_order > b_order ? a_order : b_order) & 63;
    return a >> order == b >> order;
}

/* The slot that a capability argument names, or GUESS_PDS. */
static uint8_t named_slot(const struct generator *generator, const struct seq_cap *cap) {
    return cap->mode == SEQ_CAP_NAME ? generator->guess.slot_of[cap->value % SEQ_NAMES] : (uint8_t)GUESS_PDS;
}

/* Whether an operation takes this range, what descends from it left aside. */
static bool takes_range(const struct generator *generator, const struct seq_op *op, const struct guess_range *range) {
    if (op->code == SEQ_DESTROY_PD) {
        uint8_t slot = named_slot(generator, &op->pd);
        return slot < GUESS_PDS && (range->pd == slot || (range->kind == ABI_OBJ && range->resource == slot));
    }
    if (range->kind != op->kind)
        return false;
    if (op->place == ABI_PHYS)
        return overlaps(range->resource, range->order, op->base, op->order);
    uint8_t slot = op->place == ABI_PLACE_CAP ? named_slot(generator, &op->pd) : generator->guess.slot_of[op->caller];
    return range->pd == slot && overlaps(range->base, range->order, op->base, op->order);
}

static bool takes(const struct generator *generator, const struct seq_op *op, uint32_t index) {
    for (; index != GUESS_NONE; index = generator->guess.range[index].parent) {
        if (takes_range(generator, op, &generator->guess.range[index]))
            return true;
    }
    return false;
}

/* Some range that it takes, from a random one on, or GUESS_NONE. */
static uint32_t pick_taken(struct generator *generator, const struct seq_op *op) {
    uint32_t count = generator->guess.count, at = count ? (uint32_t)generator_below(generator, count) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (takes(generator, op, at))
            return at;
        at = at + 1 < count ? at + 1 : 0;
    }
    return GUESS_NONE;
}

/* The range is passed on. */
static bool pass_on(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    seq_blank(op, generator_chance(generator, 32) && is_allowed(generator, SEQ_GRANT) ? SEQ_GRANT : SEQ_DELEGATE);
    op->pd = (struct seq_cap){0};
    op->kind = range->kind;
    op->caller = generator->guess.name_of[range->pd];
    op->mask = seq_rights(range->kind);
    if (generator_chance(generator, 24))
        op->mask = (uint8_t)(1 + generator_below(generator, op->mask));
    generator_pick_range(generator, op, range->base, range->order);
    uint8_t to = generator_pick_receiver(generator, op, range->pd);
    op->destination = op->kind == ABI_PIO ? op->base : generator_pick_place(generator, to, op->kind, op->order);
    return is_allowed(generator, op->code) && generator_can_call(generator, range->pd);
}

/* Something else appears at its units. */
static bool map_into(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    uint32_t cap = generator_pick_cap(generator, GUESS_ROOT, range->pd, ABI_MAP);
    seq_blank(op, SEQ_DELEGATE);
    op->pd = (struct seq_cap){0};
    op->kind = range->kind;
    op->order = range->order;
    op->mask = seq_rights(range->kind);
    op->destination = range->base;
    if (range->pd != GUESS_ROOT && cap != GUESS_NONE)
        op->pd = generator_cap_argument(generator, cap);
    else if (range->pd != GUESS_ROOT)
        return false;
    if (op->kind == ABI_OBJ) {
        uint32_t source = generator_pick(generator, ABI_OBJ, GUESS_ROOT);
        op->base = source == GUESS_NONE ? ABI_ROOT_SELECTOR : generator->guess.range[source].base;
    } else {
        op->place = ABI_PHYS;
        op->base = op->kind == ABI_PIO ? range->base : generator_pick_resource(generator, op->kind, op->order);
    }
    return is_allowed(generator, SEQ_DELEGATE);
}

/* Something else comes beside it, where they may share a page table that goes with the last of them. */
static bool move_beside(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    uint32_t index = generator_pick(generator, range->kind, range->pd);
    seq_blank(op, generator_chance(generator, 128) && is_allowed(generator, SEQ_GRANT) ? SEQ_GRANT : SEQ_DELEGATE);
    if (index == GUESS_NONE || range->kind != ABI_MEM)
        return false;
    const struct guess_range *other = &generator->guess.range[index];
    op->pd = (struct seq_cap){0};
    op->kind = range->kind;
    op->caller = generator->guess.name_of[range->pd];
    op->base = other->base;
    op->order = generator_chance(generator, 128) ? 0 : other->order;
    op->mask = seq_rights(range->kind);
    op->destination = range->base ^ ((1 + generator_below(generator, 3)) << op->order);
    return is_allowed(generator, op->code) && generator_can_call(generator, range->pd);
}

/* Another revoke of it. */
static bool take_too(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    seq_blank(op, SEQ_REVOKE);
    op->kind = range->kind;
    op->scope = (uint8_t)generator_below(generator, ABI_SCOPES);
    op->mask = seq_rights(range->kind);
    if (op->kind != ABI_PIO && generator_chance(generator, 64))
        op->mask = op->kind == ABI_MEM ? ABI_W : (uint8_t)(1 + generator_below(generator, ABI_OBJ_RIGHTS));
    generator_pick_range(generator, op, range->base, range->order);
    return generator_pick_revoke_place(generator, op, range->pd, range->pd) && is_allowed(generator, SEQ_REVOKE);
}

/* Some range of that kind in that PD, best one that it has passed on, or GUESS_NONE. */
static uint32_t pick_passed_on(struct generator *generator, uint8_t kind, uint8_t pd) {
    const struct guess *guess = &generator->guess;
    uint32_t at = guess->count ? (uint32_t)generator_below(generator, guess->count) : 0;
    for (uint32_t i = 0; i < guess->count; i++) {
        const struct guess_range *child = &guess->range[at];
        if (child->kind == kind && child->pd != pd && child->parent != GUESS_NONE &&
            guess->range[child->parent].pd == pd)
            return child->parent;
        at = at + 1 < guess->count ? at + 1 : 0;
    }
    return generator_pick(generator, kind, pd);
}

/* A PD whose capability goes does something with what it has itself: with its last capability it dies. */
static bool act_of(struct generator *generator, uint8_t pd, struct seq_op *op) {
    uint8_t kind = generator->objects && generator_chance(generator, 96) ? ABI_OBJ : ABI_MEM;
    uint32_t index = pick_passed_on(generator, kind, pd);
    if (index == GUESS_NONE)
        return false;
    const struct guess_range *range = &generator->guess.range[index];
    if (generator_chance(generator, 112))
        return take_too(generator, range, op);
    if (!pass_on(generator, range, op))
        return false;
    if (generator_chance(generator, 96) && is_allowed(generator, SEQ_GRANT)) {
        op->code = SEQ_GRANT;
        op->pd = (struct seq_cap){0};
    }
    return true;
}

/* A PD concerned dies, or a new one comes. */
static bool change_pds(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    bool named = guess_names_pd(range) && generator_chance(generator, 128);
    uint8_t victim = named ? (uint8_t)range->resource : range->pd;
    bool makes = generator_chance(generator, 64);
    uint32_t cap = makes ? generator_pick_cap(generator, GUESS_ROOT, GENERATOR_ANY_PD, ABI_CREATE)
                         : generator_pick_cap(generator, GENERATOR_ANY_PD, victim, ABI_DESTROY);
    seq_blank(op, makes ? SEQ_CREATE_PD : SEQ_DESTROY_PD);
    if (cap == GUESS_NONE)
        return false;
    uint8_t caller = generator->guess.range[cap].pd;
    op->caller = generator->guess.name_of[caller];
    op->pd = generator_cap_argument(generator, cap);
    if (makes) {
        op->name = (uint8_t)(victim == GUESS_ROOT ? generator->next_name : generator->guess.name_of[victim]);
        op->name = op->name ? op->name : 1;
        op->base = generator_pick_place(generator, caller, ABI_OBJ, 0);
        op->quota = generator->quota;
    }
    return is_allowed(generator, op->code);
}

/* A PD that may be dying is named: as payer, as one of two accounts, or as filter. */
static bool name_pd(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    static const uint8_t codes[4] = {SEQ_CREATE_PD, SEQ_CREATE_OBJECT, SEQ_MOVE_QUOTA, SEQ_REVOKE},
                         needed[4] = {ABI_CREATE, ABI_CREATE, ABI_QUOTA, 0};
    bool named = guess_names_pd(range) && generator_chance(generator, 128);
    uint64_t which = generator_below(generator, 4);
    uint32_t cap =
        generator_pick_cap(generator, GENERATOR_ANY_PD, named ? (uint8_t)range->resource : range->pd, needed[which]);
    seq_blank(op, codes[which]);
    if (cap == GUESS_NONE || !is_allowed(generator, op->code))
        return false;
    uint8_t caller = generator->guess.range[cap].pd;
    struct seq_cap argument = generator_cap_argument(generator, cap);
    op->caller = generator->guess.name_of[caller];
    op->pd = argument;
    if (op->code == SEQ_REVOKE) {
        uint32_t index = generator_pick(generator, ABI_MEM, caller);
        op->filter = argument;
        op->pd = (struct seq_cap){0};
        op->mask = ABI_MEM_RIGHTS;
        if (index != GUESS_NONE)
            generator_pick_range(generator, op, generator->guess.range[index].base,
                                 generator->guess.range[index].order);
    } else if (op->code == SEQ_MOVE_QUOTA) {
        uint32_t other = generator_pick_cap(generator, caller, GENERATOR_ANY_PD, ABI_QUOTA);
        bool gives = generator_chance(generator, 128);
        op->filter = gives ? generator_cap_argument(generator, other) : argument;
        op->pd = gives ? argument : generator_cap_argument(generator, other);
        op->base = 1;
    } else {
        op->base = generator_pick_place(generator, caller, ABI_OBJ, 0);
    }
    if (op->code == SEQ_CREATE_PD) {
        op->name = (uint8_t)generator->next_name;
        op->quota = generator->quota;
    }
    return true;
}

/* A CPU that runs its PD uses it, or the PD looks. */
static bool observe(struct generator *generator, const struct guess_range *range, struct seq_op *op) {
    uint8_t cpu = 0;
    while (cpu < generator->cpus && generator->guess.runs[cpu] != range->pd)
        cpu++;
    bool access = cpu < generator->cpus && range->kind != ABI_OBJ && is_allowed(generator, SEQ_ACCESS);
    seq_blank(op, access ? SEQ_ACCESS : SEQ_LOOKUP);
    op->kind = range->kind;
    op->base = range->base + generator_below(generator, (uint64_t)1 << range->order);
    if (access) {
        op->cpu = cpu;
        op->mask = range->kind == ABI_PIO ? (uint8_t)ABI_PIO_RIGHTS : (uint8_t)(range->rights & -range->rights);
        return true;
    }
    op->caller = generator->guess.name_of[range->pd];
    return generator_can_call(generator, range->pd) && is_allowed(generator, SEQ_LOOKUP);
}

static bool resume(struct generator *generator, uint32_t which, struct seq_op *op) {
    seq_blank(op, SEQ_RESUME);
    op->nested = (uint8_t)(SEQ_INNERMOST + which);
    op->point = (uint8_t)(generator_chance(generator, 128) ? 0 : 1 + generator_below(generator, 3));
    return true;
}

void generator_resume_outer(struct generator *generator, struct seq_op *op) {
    resume(generator, 1, op);
}

static bool runs(const struct generator *generator, uint8_t pd) {
    for (uint8_t cpu = 0; cpu < generator->cpus; cpu++) {
        if (generator->guess.runs[cpu] == pd)
            return true;
    }
    return false;
}

bool generator_run_victim(struct generator *generator, const struct seq_op *taking, struct seq_op *op) {
    uint32_t index = pick_taken(generator, taking);
    if (index == GUESS_NONE)
        return false;
    const struct guess_range *range = &generator->guess.range[index];
    seq_blank(op, SEQ_SWITCH);
    op->cpu = (uint8_t)(1 + generator_below(generator, generator->cpus - 1u));
    op->caller = generator->guess.name_of[range->pd];
    return range->kind == ABI_MEM && generator_can_call(generator, range->pd) && !runs(generator, range->pd);
}

bool generator_interfere(struct generator *generator, const struct seq_op *suspended, struct seq_op *op) {
    uint32_t index = pick_taken(generator, suspended);
    uint64_t roll = generator_below(generator, 16);
    if (index == GUESS_NONE)
        return false;
    if (roll == 0)
        return resume(generator, (uint32_t)generator_below(generator, 2), op);
    const struct guess_range *range = &generator->guess.range[index];
    if (range->kind == ABI_OBJ && generator->objects == 0)
        return roll >= 11 && change_pds(generator, range, op);
    if (roll < 6 && guess_names_pd(range) && suspended->code == SEQ_REVOKE)
        return act_of(generator, (uint8_t)range->resource, op);
    if (roll < 4)
        return pass_on(generator, range, op);
    if (roll < 7)
        return take_too(generator, range, op);
    if (roll < 10)
        return roll == 9 ? move_beside(generator, range, op) : map_into(generator, range, op);
    if (roll < 12)
        return change_pds(generator, range, op);
    return roll == 12 ? name_pd(generator, range, op) : observe(generator, range, op);
}

void generator_suspend(struct generator *generator, struct seq_op *op, uint32_t to_come) {
    bool possible = op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD;
    if (!generator->preempt || !possible || !generator_chance(generator, generator->preempt))
        return;
    uint32_t most = to_come < GENERATOR_PENDING ? to_come : GENERATOR_PENDING;
    uint32_t wanted = most ? 1 + (uint32_t)generator_below(generator, most) : 0;
    uint32_t points = generator->points ? generator->points : generator_chance(generator, 96) ? LATE_POINT : 3;
    op->point = (uint8_t)(1 + generator_below(generator, points));
    for (uint32_t tries = 0; tries < TRIES * wanted && generator->pending_count < wanted; tries++) {
        if (generator_interfere(generator, op, &generator->pending[generator->pending_count]))
            generator->pending_count++;
    }
    uint32_t more = generator_chance(generator, 64) ? (uint32_t)generator_below(generator, 3) : 0;
    uint32_t length = generator->pending_count ? generator->pending_count + more : 1 + more;
    op->nested = (uint8_t)(length < to_come ? length : to_come < UINT8_MAX ? to_come : UINT8_MAX);
}
