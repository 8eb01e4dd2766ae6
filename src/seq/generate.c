/*
 * The generator: operations that mostly have an effect, chosen with a guess of the state, and some mistakes on purpose.
 */
#include "generate.h"
#include "step.h"

enum { PLACE_TRIES = 6, OP_TRIES = 4, FEW_PDS = 3, REPEAT_LOG2 = 2, CHILDREN = 8 };

static uint64_t space_size(const struct generator *generator, uint8_t kind) {
    return (uint64_t)1 << seq_space_log2(generator->geometry, kind);
}

uint32_t generator_pick(struct generator *generator, uint8_t kind, uint8_t pd) {
    uint32_t count = generator->guess.count;
    uint32_t at = count ? (uint32_t)generator_below(generator, count) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct guess_range *range = &generator->guess.range[at];
        if (range->kind == kind &&
            (range->pd == pd || (pd == GENERATOR_ANY_PD && generator_can_call(generator, range->pd))))
            return at;
        at = at + 1 < count ? at + 1 : 0;
    }
    return GUESS_NONE;
}

static uint32_t pick_deep(struct generator *generator, uint8_t kind) {
    uint32_t a = generator_pick(generator, kind, GENERATOR_ANY_PD);
    if (a == GUESS_NONE || !generator_chance(generator, generator->deep))
        return a;
    uint32_t b = generator_pick(generator, kind, GENERATOR_ANY_PD);
    return generator->guess.range[b].depth > generator->guess.range[a].depth ? b : a;
}

uint32_t generator_pick_cap(struct generator *generator, uint8_t pd, uint8_t target, uint8_t right) {
    uint32_t count = generator->guess.count;
    uint32_t at = count ? (uint32_t)generator_below(generator, count) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct guess_range *range = &generator->guess.range[at];
        bool holder = range->pd == pd || (pd == GENERATOR_ANY_PD && generator_can_call(generator, range->pd));
        bool wanted = target == GENERATOR_ANY_PD || range->resource == target;
        if (target == GENERATOR_OTHER_PD)
            wanted = range->resource != range->pd;
        if (guess_names_pd(range) && holder && wanted && (range->rights & right) == right)
            return at;
        at = at + 1 < count ? at + 1 : 0;
    }
    return GUESS_NONE;
}

struct seq_cap generator_cap_argument(struct generator *generator, uint32_t index) {
    const struct guess_range *range = &generator->guess.range[index];
    uint8_t target = guess_names_pd(range) ? (uint8_t)range->resource : GUESS_PDS;
    bool named = target < GUESS_PDS && generator_can_call(generator, target) &&
                 guess_cap(&generator->guess, range->pd, target) == index;
    if (named && !generator_chance(generator, 12))
        return (struct seq_cap){.mode = SEQ_CAP_NAME, .value = generator->guess.name_of[target]};
    return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)range->base};
}

/* Orders around those of the page-table levels. */
static uint8_t pick_order(struct generator *generator, uint8_t kind) {
    uint32_t level_bits = generator->geometry->level_bits;
    uint64_t roll = generator_below(generator, 64), order = 0;
    if (kind == ABI_OBJ)
        return (uint8_t)(roll < 56 ? 0 : 1 + roll % 3);
    if (roll < 24)
        order = generator_below(generator, level_bits + 1);
    else if (roll < 32)
        order = 0;
    else if (roll < 45)
        order = level_bits;
    else if (roll < 63)
        order = generator_below(generator, level_bits + 3);
    else
        order = level_bits + level_bits + generator_below(generator, 3);
    uint8_t most = seq_space_log2(generator->geometry, kind);
    if (most > generator->largest)
        most = generator->largest;
    return (uint8_t)(order < most ? order : most);
}

/* A place next to a boundary of a page table or of the space. */
static uint64_t pick_edge(struct generator *generator, uint8_t kind, uint8_t order) {
    uint32_t space_log2 = seq_space_log2(generator->geometry, kind);
    uint32_t levels = (space_log2 + generator->geometry->level_bits - 1) / generator->geometry->level_bits;
    uint64_t shift = (1 + generator_below(generator, levels)) * generator->geometry->level_bits;
    shift = shift < space_log2 ? shift : space_log2;
    uint64_t several = space_log2 - shift < 3 ? (uint64_t)1 << (space_log2 - shift) : 8;
    uint64_t edge = (1 + generator_below(generator, several)) << shift;
    return generator_chance(generator, 128) ? edge : edge - ((uint64_t)1 << order);
}

static uint64_t pick_anywhere(struct generator *generator, uint8_t kind, uint64_t size) {
    uint64_t usual = (uint64_t)16 << generator->geometry->level_bits;
    if (kind == ABI_OBJ)
        usual = 16;
    return generator_below(generator, size > usual && !generator_chance(generator, 48) ? usual : size);
}

uint64_t generator_pick_place(struct generator *generator, uint8_t pd, uint8_t kind, uint8_t order) {
    uint64_t size = space_size(generator, kind), base = 0;
    for (uint32_t tries = 0; tries < PLACE_TRIES; tries++) {
        uint64_t roll = generator_below(generator, 8);
        uint32_t near = roll < 3 && kind == ABI_MEM ? generator_pick(generator, kind, pd) : GUESS_NONE;
        if (near != GUESS_NONE) {
            const struct guess_range *range = &generator->guess.range[near];
            base = roll ? range->base + ((uint64_t)1 << range->order) : range->base - ((uint64_t)1 << order);
        } else if (roll < 5 && kind == ABI_MEM) {
            base = pick_edge(generator, kind, order);
        } else {
            base = pick_anywhere(generator, kind, size);
        }
        base = (base & (size - 1)) >> order << order;
        if (!guess_occupied(&generator->guess, pd, kind, base, order))
            break;
    }
    return base;
}

uint64_t generator_pick_resource(struct generator *generator, uint8_t kind, uint8_t order) {
    uint64_t count = kind == ABI_MEM ? generator->geometry->kernel_frame : space_size(generator, kind), resource;
    uint32_t shared = generator_chance(generator, 64) ? generator_pick(generator, kind, GENERATOR_ANY_PD) : GUESS_NONE;
    if (shared != GUESS_NONE)
        resource = generator->guess.range[shared].resource;
    else if (generator_chance(generator, 64))
        resource = pick_edge(generator, kind, order);
    else
        resource = pick_anywhere(generator, kind, count);
    return resource % count >> order << order;
}

static uint8_t pick_kind(struct generator *generator) {
    if (generator_chance(generator, generator->objects))
        return ABI_OBJ;
    return generator->ports && generator_chance(generator, generator->ports) ? ABI_PIO : ABI_MEM;
}

static uint8_t pick_mask(struct generator *generator, uint8_t kind, bool keep_existence) {
    uint8_t rights = seq_rights(kind);
    if (generator_chance(generator, kind == ABI_MEM ? 140 : 80))
        return rights;
    uint8_t mask = (uint8_t)(1 + generator_below(generator, rights));
    return kind == ABI_MEM && keep_existence ? mask | ABI_R : mask;
}

static uint64_t align(uint64_t base, uint8_t order) {
    return base >> order << order;
}

void generator_pick_range(struct generator *generator, struct seq_op *op, uint64_t base, uint8_t order) {
    uint64_t roll = generator_below(generator, 16);
    uint8_t space_log2 = seq_space_log2(generator->geometry, op->kind);
    op->order = order;
    if (roll < 4 && order > 0) {
        op->order = (uint8_t)generator_below(generator, order);
        base += align(generator_below(generator, (uint64_t)1 << order), op->order);
    } else if (roll < 7) {
        op->order = (uint8_t)(order + 1 + generator_below(generator, 2));
    } else if (roll == 7 && op->kind != ABI_OBJ && generator_chance(generator, 128)) {
        op->order = space_log2;
    }
    if (op->order > space_log2)
        op->order = space_log2;
    op->base = align(base, op->order);
}

static bool make_create(struct generator *generator, struct seq_op *op) {
    uint32_t cap = generator_pick_cap(generator, generator_chance(generator, 160) ? GUESS_ROOT : GENERATOR_ANY_PD,
                                      GENERATOR_ANY_PD, ABI_CREATE);
    if (cap == GUESS_NONE)
        return false;
    uint8_t caller = generator->guess.range[cap].pd;
    uint32_t name = generator->next_name;
    for (uint32_t i = 1; i < SEQ_NAMES && generator->guess.slot_of[name] < GUESS_PDS; i++)
        name = name % (SEQ_NAMES - 1) + 1;
    generator->next_name = name % (SEQ_NAMES - 1) + 1;
    op->name = (uint8_t)name;
    op->caller = generator->guess.name_of[caller];
    op->pd = generator_cap_argument(generator, cap);
    op->base = generator_pick_place(generator, caller, ABI_OBJ, 0);
    op->quota = generator->quota;
    if (generator->guess.accounts && generator_chance(generator, 64))
        op->quota = (uint16_t)(1 + generator_below(generator, 4 * (uint64_t)generator->quota));
    return true;
}

static bool make_create_object(struct generator *generator, struct seq_op *op) {
    uint32_t cap = generator_pick_cap(generator, GENERATOR_ANY_PD, GENERATOR_ANY_PD, ABI_CREATE);
    if (cap == GUESS_NONE)
        return false;
    uint8_t caller = generator->guess.range[cap].pd;
    op->caller = generator->guess.name_of[caller];
    op->pd = generator_cap_argument(generator, cap);
    op->base = generator_pick_place(generator, caller, ABI_OBJ, 0);
    return true;
}

uint8_t generator_pick_receiver(struct generator *generator, struct seq_op *op, uint8_t caller) {
    uint32_t cap = generator_pick_cap(generator, caller,
                                      generator_chance(generator, 24) ? GENERATOR_ANY_PD : GENERATOR_OTHER_PD, ABI_MAP);
    if (generator_chance(generator, 40))
        cap = GUESS_NONE;
    if (cap == GUESS_NONE)
        return caller;
    op->pd = generator_cap_argument(generator, cap);
    return (uint8_t)generator->guess.range[cap].resource;
}

/* Root gives a PD a capability to another one: something to pass on to. False: it cannot. */
static bool introduce(struct generator *generator, struct seq_op *op, uint8_t pd) {
    if (!generator->objects || !(generator->operations >> SEQ_GRANT & 1))
        return false;
    uint32_t cap = generator_pick_cap(generator, GUESS_ROOT, pd, ABI_MAP);
    uint32_t other = generator_pick_cap(generator, GUESS_ROOT, GENERATOR_ANY_PD, ABI_MAP);
    if (cap == GUESS_NONE || other == GUESS_NONE || generator->guess.range[other].resource == pd)
        return false;
    seq_blank(op, SEQ_DELEGATE);
    op->kind = ABI_OBJ;
    op->base = generator->guess.range[other].base;
    op->pd = generator_cap_argument(generator, cap);
    op->mask = ABI_OBJ_RIGHTS;
    op->destination = generator_pick_place(generator, pd, ABI_OBJ, 0);
    return true;
}

static bool make_delegate(struct generator *generator, struct seq_op *op) {
    op->kind = pick_kind(generator);
    uint32_t source = pick_deep(generator, op->kind);
    uint8_t caller = GUESS_ROOT;
    if (op->kind != ABI_OBJ && (source == GUESS_NONE || generator_chance(generator, generator->phys))) {
        op->place = ABI_PHYS;
        op->order = pick_order(generator, op->kind);
        op->base = generator_pick_resource(generator, op->kind, op->order);
    } else if (source == GUESS_NONE) {
        return false;
    } else {
        caller = generator->guess.range[source].pd;
        generator_pick_range(generator, op, generator->guess.range[source].base, generator->guess.range[source].order);
    }
    op->caller = generator->guess.name_of[caller];
    op->mask = pick_mask(generator, op->kind, true);
    uint8_t to = generator_pick_receiver(generator, op, caller);
    if (to == caller && caller != GUESS_ROOT && generator_chance(generator, 128))
        return introduce(generator, op, caller); /* rather something that another PD takes part in */
    if (op->kind == ABI_PIO) {
        op->destination = op->base; /* anything else is refused, and so is a range where it is already */
        return to != caller || op->place == ABI_PHYS;
    }
    if (op->kind == ABI_OBJ) {
        if (to == caller && generator_chance(generator, 208))
            return false;
        if (generator_chance(generator, 192))
            op->mask |= ABI_MAP; /* the receiver can pass something on */
    }
    bool repeats = op->kind == ABI_MEM && generator_chance(generator, generator->repeats);
    uint8_t wide = (uint8_t)(op->order + (repeats ? REPEAT_LOG2 : 0));
    if (wide > seq_space_log2(generator->geometry, op->kind))
        wide = op->order;
    op->destination = generator_pick_place(generator, to, op->kind, wide);
    if (repeats) {
        op->base = align(op->base, op->place == ABI_PHYS ? wide : op->order);
        generator->repeat = 1 + (uint32_t)generator_below(generator, (1 << REPEAT_LOG2) - 1);
        generator->same_source =
            op->place != ABI_PHYS && generator->operations >> SEQ_GRANT & 1 && generator_chance(generator, 48);
        if (generator->same_source)
            generator->repeat += CHILDREN;
    }
    return true;
}

static bool make_grant(struct generator *generator, struct seq_op *op) {
    op->kind = pick_kind(generator);
    uint32_t source = pick_deep(generator, op->kind);
    if (source == GUESS_NONE)
        return false;
    const struct guess_range *range = &generator->guess.range[source];
    uint8_t caller = range->pd;
    if (op->kind == ABI_OBJ && caller == GUESS_ROOT && range->parent == GUESS_NONE && !generator_chance(generator, 48))
        return false; /* or root would soon hold nothing */
    generator_pick_range(generator, op, range->base, range->order);
    op->caller = generator->guess.name_of[caller];
    op->mask = generator_chance(generator, 160) ? seq_rights(op->kind) : pick_mask(generator, op->kind, true);
    uint8_t to = generator_pick_receiver(generator, op, caller);
    if (op->kind == ABI_PIO)
        op->destination = op->base;
    else
        op->destination = generator_pick_place(generator, to, op->kind, op->order);
    return to != caller || op->kind == ABI_MEM;
}

bool generator_pick_revoke_place(struct generator *generator, struct seq_op *op, uint8_t owner, uint8_t child_pd) {
    uint8_t caller = owner;
    bool remote = !generator_can_call(generator, owner) || generator_chance(generator, generator->remote);
    uint32_t cap = remote ? generator_pick_cap(generator, GENERATOR_ANY_PD, owner, ABI_REVOKE_RIGHT) : GUESS_NONE;
    if (cap != GUESS_NONE) {
        caller = generator->guess.range[cap].pd;
        op->place = ABI_PLACE_CAP;
        op->pd = generator_cap_argument(generator, cap);
    }
    op->caller = generator->guess.name_of[caller];
    if (op->scope == ABI_CHILDREN && op->place != ABI_PLACE_CAP && generator_chance(generator, 80)) {
        uint32_t filter = guess_cap(&generator->guess, caller, child_pd);
        if (filter != GUESS_NONE)
            op->filter = generator_cap_argument(generator, filter);
    }
    return generator_can_call(generator, caller);
}

/* Root's capability to a PD that has memory, all of it to be taken: what the PD does meanwhile matters. */
static bool make_doom(struct generator *generator, struct seq_op *op) {
    uint32_t index = generator_pick(generator, ABI_MEM, GENERATOR_ANY_PD);
    if (index == GUESS_NONE || generator->guess.range[index].pd == GUESS_ROOT)
        return false;
    uint32_t cap = generator_pick_cap(generator, GUESS_ROOT, generator->guess.range[index].pd, 0);
    if (cap == GUESS_NONE)
        return false;
    op->scope = ABI_SELF;
    op->mask = ABI_OBJ_RIGHTS;
    op->base = generator->guess.range[cap].base;
    return true;
}

static bool make_revoke(struct generator *generator, struct seq_op *op) {
    static const uint8_t scopes[8] = {ABI_CHILDREN, ABI_CHILDREN, ABI_CHILDREN, ABI_SELF,
                                      ABI_SELF,     ABI_SELF,     ABI_DROP,     ABI_CHILDREN};
    op->kind = pick_kind(generator);
    op->scope = scopes[generator_below(generator, 8)];
    op->mask = pick_mask(generator, op->kind, false);
    if (op->kind == ABI_OBJ && generator->preempt && generator_chance(generator, 64) && make_doom(generator, op))
        return true;
    uint32_t index = generator_pick(generator, op->kind, GENERATOR_ANY_PD);
    if (index == GUESS_NONE)
        return false;
    for (uint32_t i = 0; i < 3 && op->kind == ABI_OBJ && generator->guess.range[index].parent == GUESS_NONE; i++)
        index = generator_pick(generator, op->kind, GENERATOR_ANY_PD);
    const struct guess_range *range = &generator->guess.range[index];
    uint8_t child_pd = range->pd;
    bool orphan = range->parent == GUESS_NONE;
    if (op->kind == ABI_OBJ && orphan && !generator_chance(generator, 32))
        op->scope = ABI_CHILDREN; /* or whole PDs would vanish too often */
    if (op->kind != ABI_OBJ && op->scope == ABI_CHILDREN &&
        (orphan ? generator_chance(generator, 128) : generator_chance(generator, 32))) {
        generator_pick_range(generator, op, range->resource, range->order);
        generator_pick_revoke_place(generator, op, GUESS_ROOT, child_pd);
        op->place = ABI_PHYS;
        op->caller = 0;
        op->pd = (struct seq_cap){0};
        return true;
    }
    while (op->scope == ABI_CHILDREN && range->parent != GUESS_NONE) {
        range = &generator->guess.range[range->parent];
        if (!generator_chance(generator, 64))
            break;
    }
    generator_pick_range(generator, op, range->base, range->order);
    return generator_pick_revoke_place(generator, op, range->pd, child_pd);
}

static bool make_destroy(struct generator *generator, struct seq_op *op) {
    uint32_t cap = generator_pick_cap(generator, GENERATOR_ANY_PD, GENERATOR_ANY_PD, ABI_DESTROY);
    if (cap == GUESS_NONE)
        return false;
    op->caller = generator->guess.name_of[generator->guess.range[cap].pd];
    op->pd = generator_cap_argument(generator, cap);
    return true;
}

/* Mostly less than there is, so that the account does not run dry at once. */
static bool make_move_quota(struct generator *generator, struct seq_op *op) {
    uint32_t from = generator_pick_cap(generator, GENERATOR_ANY_PD, GENERATOR_ANY_PD, ABI_QUOTA);
    if (from == GUESS_NONE)
        return false;
    const struct guess_range *range = &generator->guess.range[from];
    uint32_t to = generator_pick_cap(generator, range->pd, GENERATOR_ANY_PD, ABI_QUOTA),
             pages = generator->guess.pages[range->resource];
    op->caller = generator->guess.name_of[range->pd];
    op->pd = generator_cap_argument(generator, from);
    op->filter = generator_cap_argument(generator, to);
    op->base = pages ? 1 + generator_below(generator, generator_chance(generator, 224) ? (pages + 3) / 4 : pages) : 0;
    return pages && range->resource != generator->guess.range[to].resource;
}

/* A CPU that runs something, from a random one on; or any. */
static uint8_t pick_busy_cpu(struct generator *generator) {
    uint8_t cpus = generator->cpus, first = (uint8_t)generator_below(generator, cpus);
    for (uint8_t i = 0; i < cpus; i++) {
        uint8_t cpu = (uint8_t)((first + i) % cpus);
        if (generator->guess.runs[cpu] < GUESS_PDS)
            return cpu;
    }
    return first;
}

/* What was accessed before is accessed again: it may have been taken away meanwhile. */
static bool make_access(struct generator *generator, struct seq_op *op) {
    uint32_t seen = generator->seen_count < GENERATOR_SEEN ? generator->seen_count : GENERATOR_SEEN;
    if (seen && generator_chance(generator, 112)) {
        *op = generator->seen[generator_below(generator, seen)];
        return true;
    }
    op->kind = pick_kind(generator);
    if (op->kind == ABI_OBJ)
        op->kind = ABI_MEM;
    op->cpu = pick_busy_cpu(generator);
    op->mask = (uint8_t)(op->kind == ABI_MEM ? ABI_R << generator_below(generator, 3) : ABI_PIO_RIGHTS);
    uint8_t pd = generator->guess.runs[op->cpu];
    uint32_t index = pd < GUESS_PDS ? generator_pick(generator, op->kind, pd) : GUESS_NONE;
    if (index == GUESS_NONE) {
        op->base = pick_anywhere(generator, op->kind, space_size(generator, op->kind));
        return false;
    }
    const struct guess_range *range = &generator->guess.range[index];
    op->base = range->base + generator_below(generator, (uint64_t)1 << range->order);
    if (!(range->rights & op->mask) && !generator_chance(generator, 48))
        op->mask = range->rights & ABI_R ? ABI_R : range->rights;
    generator->seen[generator->seen_count++ % GENERATOR_SEEN] = *op;
    return true;
}

/* Some PD that is alive and has a name; often one with something mapped. */
static bool make_switch(struct generator *generator, struct seq_op *op) {
    uint32_t index = generator_pick(generator, ABI_MEM, GENERATOR_ANY_PD);
    uint8_t slot = (uint8_t)generator_below(generator, GUESS_PDS);
    if (index != GUESS_NONE && generator_chance(generator, 160))
        slot = generator->guess.range[index].pd;
    for (uint32_t i = 0; i < GUESS_PDS && !(generator->guess.alive >> slot & 1 && generator_can_call(generator, slot));
         i++)
        slot = (uint8_t)((slot + 1) % GUESS_PDS);
    op->cpu = (uint8_t)generator_below(generator, generator->cpus);
    op->caller = generator->guess.name_of[slot];
    return true;
}

static bool make_oom(struct generator *generator, struct seq_op *op) {
    op->mask = (uint8_t)(1 + generator_below(generator, generator_chance(generator, 192) ? 4 : 24));
    return true;
}

static bool make_lookup(struct generator *generator, struct seq_op *op) {
    op->kind = pick_kind(generator);
    uint32_t index = generator_pick(generator, op->kind, GENERATOR_ANY_PD);
    if (index == GUESS_NONE)
        return true;
    const struct guess_range *range = &generator->guess.range[index];
    op->caller = generator->guess.name_of[range->pd];
    op->base = range->base + generator_below(generator, (uint64_t)1 << range->order);
    return true;
}

static uint8_t pick_code(struct generator *generator, uint32_t position, uint32_t count) {
    const uint32_t *weight = generator->weight;
    uint32_t revoke = weight[SEQ_REVOKE], create = weight[SEQ_CREATE_PD];
    uint32_t pds = (uint32_t)__builtin_popcount(generator->guess.alive), code = 0;
    if (generator->late_revoke && position < count / 2)
        revoke = (revoke + 7) / 8;
    if (pds == GUESS_PDS)
        create = (create + 15) / 16;
    else if (pds < FEW_PDS)
        create *= 3;
    uint32_t total = generator->weights - weight[SEQ_REVOKE] - weight[SEQ_CREATE_PD] + revoke + create;
    for (uint64_t left = generator_below(generator, total); code < SEQ_CODES - 1; code++) {
        uint32_t mine = code == SEQ_CREATE_PD ? create : code == SEQ_REVOKE ? revoke : weight[code];
        if (left < mine)
            break;
        left -= mine;
    }
    return (uint8_t)code;
}

static bool make(struct generator *generator, struct seq_op *op, uint8_t code) {
    static bool (*const makers[SEQ_CODES])(struct generator *, struct seq_op *) = {
        [SEQ_CREATE_PD] = make_create, [SEQ_DELEGATE] = make_delegate,
        [SEQ_REVOKE] = make_revoke,    [SEQ_DESTROY_PD] = make_destroy,
        [SEQ_LOOKUP] = make_lookup,    [SEQ_CREATE_OBJECT] = make_create_object,
        [SEQ_GRANT] = make_grant,      [SEQ_MOVE_QUOTA] = make_move_quota,
        [SEQ_ACCESS] = make_access,    [SEQ_SWITCH] = make_switch,
        [SEQ_OOM] = make_oom,
    };
    seq_blank(op, code);
    return makers[code](generator, op);
}

/* Goes on with the ranges behind those of the last delegate, as long as there are any. */
static bool make_repeat(struct generator *generator, struct seq_op *op) {
    if (generator->repeat == 0)
        return false;
    *op = generator->last;
    uint64_t size = (uint64_t)1 << op->order, end = space_size(generator, op->kind);
    op->base += generator->same_source ? 0 : size;
    op->destination += size;
    bool inside = op->base < end && op->destination < end;
    generator->repeat = inside ? generator->repeat - 1 : 0;
    return inside;
}

/* A capability of the caller that lacks a right that is needed, or names no PD. False: it has none. */
static bool take_weak_cap(struct generator *generator, struct seq_op *op, uint8_t caller) {
    static const uint8_t needed[SEQ_CODES] = {
        [SEQ_CREATE_PD] = ABI_CREATE,   [SEQ_DELEGATE] = ABI_MAP,         [SEQ_REVOKE] = ABI_REVOKE_RIGHT,
        [SEQ_DESTROY_PD] = ABI_DESTROY, [SEQ_CREATE_OBJECT] = ABI_CREATE, [SEQ_GRANT] = ABI_MAP,
        [SEQ_MOVE_QUOTA] = ABI_QUOTA};
    for (uint32_t i = 0; i < generator->guess.count; i++) {
        const struct guess_range *range = &generator->guess.range[i];
        bool fits = guess_names_pd(range) && range->rights & needed[op->code];
        if (range->kind != ABI_OBJ || range->pd != caller || fits)
            continue;
        op->pd = generator_cap_argument(generator, i);
        if (op->code == SEQ_REVOKE) {
            op->place = ABI_PLACE_CAP;
            op->filter = (struct seq_cap){0};
        }
        return true;
    }
    return false;
}

/* Aims at a capability that is too weak, or at an occupied place. False: there is none. */
static bool make_refused(struct generator *generator, struct seq_op *op) {
    uint8_t caller = generator->guess.slot_of[op->caller];
    bool fills = op->code == SEQ_DELEGATE || op->code == SEQ_GRANT;
    if (caller == GUESS_PDS || op->code == SEQ_LOOKUP || !seq_is_call(op->code))
        return false;
    if (generator_chance(generator, 128) && take_weak_cap(generator, op, caller))
        return true;
    uint32_t there = generator_pick(generator, fills ? op->kind : ABI_OBJ, caller);
    if (there == GUESS_NONE)
        return false;
    if (op->code == SEQ_CREATE_PD || op->code == SEQ_CREATE_OBJECT) {
        op->base = generator->guess.range[there].base;
        return true;
    }
    if (!fills)
        return false;
    op->pd = (struct seq_cap){0};
    op->destination = align(generator->guess.range[there].base, op->order);
    return true;
}

/* All but schedule and CPU, of which none is wrong, and the quota where there are no accounts. */
static uint32_t fields_in_play(const struct generator *generator, const struct seq_operation *operation) {
    uint32_t count = seq_plain_fields(operation);
    while (operation->fields[count - 1].type == SEQ_TYPE_ON_CPU ||
           (operation->fields[count - 1].type == SEQ_TYPE_QUOTA && !generator->guess.accounts))
        count--;
    return count;
}

static void make_mistake(struct generator *generator, struct seq_op *op) {
    const struct seq_operation *operation = &seq_operations[op->code];
    uint32_t at = (uint32_t)generator_below(generator, fields_in_play(generator, operation));
    if (generator_chance(generator, 96) || !make_refused(generator, op))
        seq_spoil(generator->geometry, generator->random, op, &operation->fields[at]);
}

/* Keeps within the budget, leaving one unit for each operation to come. */
static void fit(const struct generator *generator, struct seq_op *op, uint64_t to_come) {
    uint64_t left = generator->units_left;
    if (!seq_fit(generator->geometry, op, generator->delegated, left > to_come ? left - to_come : left != 0))
        *op = (struct seq_op){
            .code = SEQ_LOOKUP, .caller = op->caller, .kind = op->kind, .cpu = op->cpu, .base = op->base};
}

static void charge(struct generator *generator, const struct seq_op *op) {
    uint64_t units = seq_units(generator->geometry, op, generator->delegated);
    generator->units_left -= units;
    if (op->code == SEQ_DELEGATE)
        generator->delegated += units;
}

static void draw_weights(struct generator *generator, uint32_t operations) {
    static const uint8_t factors[8] = {0, 1, 2, 2, 2, 4, 4, 8};
    uint32_t total = 0;
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        bool allowed = operations >> code & 1;
        uint32_t factor = allowed || code <= SEQ_LOOKUP ? factors[generator_below(generator, 8)] : 0;
        if (code == SEQ_DELEGATE && factor < 2)
            factor = 2; /* without it nothing else has an effect */
        if ((code == SEQ_LOOKUP || !seq_is_call((uint8_t)code)) && factor > 2)
            factor = 2; /* changes nothing */
        generator->weight[code] = allowed ? seq_operations[code].weight * factor : 0;
        total += generator->weight[code];
    }
    generator->weights = total ? total : (uint32_t)__builtin_popcount(operations);
    for (uint32_t code = 0; code < SEQ_CODES && total == 0; code++)
        generator->weight[code] = operations >> code & 1;
}

static void draw_kinds(struct generator *generator, uint32_t kinds, uint64_t dice) {
    kinds &= (1u << ABI_KINDS) - 1;
    if (kinds == 0)
        kinds = (1u << ABI_KINDS) - 1;
    bool memory = kinds >> ABI_MEM & 1, ports = kinds >> ABI_PIO & 1, objects = kinds >> ABI_OBJ & 1;
    generator->guess.kinds = kinds | 1u << ABI_OBJ | 1u << ABI_MEM;
    generator->objects = (uint8_t)(dice >> 40 & 3 ? 40 + (dice >> 42 & 63) : 0);
    if (!objects)
        generator->objects = 0;
    else if (!memory && !ports)
        generator->objects = UINT8_MAX;
    generator->ports = (uint16_t)(dice >> 50 & 3 ? 24 + (dice >> 52 & 63) : 0);
    if (!ports)
        generator->ports = 0;
    else if (!memory)
        generator->ports = 256;
}

uint32_t generator_operations(const struct seq_profile *profile) {
    uint32_t operations = profile->operations & ((1u << SEQ_RESUME) - 1), calls = (1u << SEQ_ACCESS) - 1;
    if (operations)
        return operations;
    return profile->cpus > 1 ? calls | 1u << SEQ_ACCESS | 1u << SEQ_SWITCH : calls;
}

void generator_begin(struct generator *generator, const struct seq_geometry *geometry, struct seq_random *random,
                     const struct seq_profile *profile) {
    uint32_t operations = generator_operations(profile);
    generator->random = random;
    generator->geometry = geometry;
    guess_begin(&generator->guess, geometry);
    draw_weights(generator, operations);
    uint64_t dice = seq_random_next(random);
    generator->late_revoke = dice & 1;
    generator->mistakes = (uint8_t)(16 + (dice >> 1 & 31));
    generator->repeats = (uint8_t)(dice >> 8 & 127);
    generator->phys = (uint8_t)(32 + (dice >> 16 & 127));
    generator->deep = (uint8_t)(dice >> 24);
    generator->remote = (uint8_t)(dice >> 32 & 191);
    generator->largest = dice >> 48 & 1 ? geometry->phys_log2 : (uint8_t)(geometry->level_bits + (dice >> 49 & 1));
    draw_kinds(generator, profile->kinds, dice);
    generator->guess.accounts = operations >> SEQ_MOVE_QUOTA & 1;
    generator->quota = (uint8_t)(2 * geometry->pd_pages);
    generator->cpus = profile->cpus > 1 ? profile->cpus : 1;
    if (generator->cpus > SEQ_CPUS)
        generator->cpus = SEQ_CPUS;
    if (generator->cpus > 2 && dice >> 15 & 1)
        generator->cpus = 2; /* the others run nothing: what two do with each other comes sooner */
    generator->elsewhere = (uint16_t)(dice >> 58 & 3 ? 16 + (dice >> 60 & 7) * 16 : 0);
    generator->units_left = profile->unit_budget ? profile->unit_budget : UINT64_MAX;
    generator->delegated = 0;
    generator->repeat = 0;
    generator->operations = operations;
    generator->preempt = profile->preempt;
    generator->points = profile->points;
    generator->pending_count = generator->pending_at = 0;
    generator->is_deferred = false;
    generator->next_name = 1;
    generator->seen_count = 0;
}

/* A system call goes to any CPU. */
static void scatter(struct generator *generator, struct seq_op *op, uint32_t of_256) {
    if (generator->cpus > 1 && seq_is_call(op->code) && generator_chance(generator, of_256))
        op->cpu = (uint8_t)generator_below(generator, generator->cpus);
}

/* The next operation of a block. One that can be suspended may have a block itself, of what is left of this one; and
 * there the outer one often goes on first, past what the inner one has left half done. */
static void take_pending(struct generator *generator, struct seq_op *op, uint32_t to_come) {
    enum { OUTER_FIRST = 85 };
    *op = generator->pending[generator->pending_at++];
    fit(generator, op, to_come);
    guess_apply(&generator->guess, op);
    uint32_t left = generator->pending_count - generator->pending_at;
    if ((op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD) && generator_chance(generator, 96)) {
        op->point = (uint8_t)(1 + generator_below(generator, 3));
        op->nested = (uint8_t)generator_below(generator, left + 1);
        if (op->nested && generator_chance(generator, OUTER_FIRST))
            generator_resume_outer(generator, &generator->pending[generator->pending_at]);
    }
    scatter(generator, op, 128);
    charge(generator, op);
    generator->last = *op;
}

/* What was deferred, or something new. */
static bool make_next(struct generator *generator, struct seq_op *op, uint32_t position, uint32_t count) {
    if (!generator->is_deferred)
        return make_repeat(generator, op) || make(generator, op, pick_code(generator, position, count));
    *op = generator->deferred;
    return true;
}

/* Some revokes and destroys wait until PDs run from which they take something. */
static void defer(struct generator *generator, struct seq_op *op) {
    enum { OF_256 = 96, VICTIMS = 2 };
    bool takes = op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD;
    if (generator->cpus == 1 || !takes || !(generator->operations >> SEQ_SWITCH & 1))
        return;
    if (!generator->is_deferred)
        generator->victims =
            generator_chance(generator, OF_256) ? 1 + (uint32_t)generator_below(generator, VICTIMS) : 0;
    struct seq_op change;
    generator->is_deferred = generator->victims && generator_run_victim(generator, op, &change);
    if (!generator->is_deferred)
        return;
    generator->victims--;
    generator->deferred = *op;
    *op = change;
}

void generator_next(struct generator *generator, struct seq_op *op, uint32_t position, uint32_t count) {
    if (generator->pending_at < generator->pending_count) {
        take_pending(generator, op, count - position - 1);
        return;
    }
    bool mistake = generator_chance(generator, generator->mistakes), done = false;
    for (uint32_t tries = 0; tries < OP_TRIES && !done; tries++) {
        bool made = make_next(generator, op, position, count);
        if (mistake)
            make_mistake(generator, op);
        else
            defer(generator, op);
        fit(generator, op, count - position - 1);
        generator->pending_count = generator->pending_at = 0;
        if (!mistake)
            generator_suspend(generator, op, count - position - 1);
        bool observes = op->code == SEQ_LOOKUP || op->code == SEQ_ACCESS || op->code == SEQ_OOM;
        done = guess_apply(&generator->guess, op) || mistake || (made && observes);
        if (mistake || !done)
            generator->repeat = 0;
    }
    scatter(generator, op, generator->elsewhere);
    if (op->cpu >= generator->cpus)
        op->cpu = 0; /* a mistake */
    charge(generator, op);
    generator->last = *op;
}

void seq_generate(struct seq *seq, struct seq_random *random, const struct seq_profile *profile, uint32_t count) {
    struct generator generator;
    generator_begin(&generator, seq->geometry, random, profile);
    seq->cpus = profile->cpus > 1 ? profile->cpus : 1;
    if (seq->cpus > SEQ_CPUS)
        seq->cpus = SEQ_CPUS;
    seq->count = count < seq->capacity ? count : seq->capacity;
    __builtin_memset(&seq->meta, 0, sizeof(seq->meta));
    for (uint32_t i = 0; i < seq->count; i++)
        generator_next(&generator, &seq->op[i], i, seq->count);
}
