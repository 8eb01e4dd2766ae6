/*
 * The mutator and the crossover: changes of whole operations and of their fields.
 */
#include "blocks.h"
#include "generate.h"
#include "step.h"

enum { RUN_MAX = 8, CONTEXT_OPS = 32, ROUNDS_MAX = 4, TOTAL_WEIGHT = 115, SCHEDULES_WEIGHT = 35, POINT_MAX = 24 };

struct mutator {
    struct seq *seq;
    struct seq_random *random;
    struct seq_profile profile; /* with the CPUs of the sequence */
    uint32_t max_ops;
};

static bool has_caller(const struct seq_op *op) {
    return seq_is_call(op->code) || op->code == SEQ_SWITCH;
}

static bool may_insert(const struct mutator *mutator, uint8_t code) {
    return generator_operations(&mutator->profile) >> code & 1;
}

static uint32_t below(struct mutator *mutator, uint32_t bound) {
    return (uint32_t)seq_random_below(mutator->random, bound);
}

static struct seq_op *pick(struct mutator *mutator) {
    return &mutator->seq->op[below(mutator, mutator->seq->count)];
}

/* Makes room for `count` operations, or as many as may be; returns how many. */
static uint32_t open_gap(struct mutator *mutator, uint32_t at, uint32_t count) {
    uint32_t room = mutator->max_ops - mutator->seq->count;
    count = count < room ? count : room;
    seq_open_gap(mutator->seq, at, count);
    return count;
}

/* A generator that guesses what there is before operation `at`. */
static void prepare(struct mutator *mutator, struct generator *generator, uint32_t at) {
    struct seq *seq = mutator->seq;
    uint32_t name = 0;
    generator_begin(generator, seq->geometry, mutator->random, &mutator->profile);
    for (uint32_t i = 0; i < at; i++) {
        if (seq->op[i].code == SEQ_CREATE_PD || seq->op[i].code == SEQ_SWITCH || i + CONTEXT_OPS >= at)
            guess_apply(&generator->guess, &seq->op[i]);
    }
    for (uint32_t i = 0; i < seq->count; i++)
        name = seq->op[i].name > name ? seq->op[i].name : name;
    generator->next_name = name % (SEQ_NAMES - 1) + 1;
}

/* What was made for the block of the operation before `at`. */
static void insert_pending(struct mutator *mutator, struct generator *generator, uint32_t at) {
    struct seq *seq = mutator->seq;
    uint8_t length = seq->op[at - 1].nested;
    uint32_t count = open_gap(mutator, at, generator->pending_count);
    seq->op[at - 1].nested = length; /* the gap was in it already */
    for (uint32_t i = 0; i < count; i++)
        generator_next(generator, &seq->op[at + i], at + i, seq->count);
}

static void insert(struct mutator *mutator) {
    struct generator generator;
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count + 1), count = 1 + below(mutator, 4) / 3;
    prepare(mutator, &generator, at);
    count = open_gap(mutator, at, count);
    for (uint32_t i = 0; i < count; i++)
        generator_next(&generator, &seq->op[at + i], at + i, seq->count);
    if (generator.pending_count && generator.pending_at == 0)
        insert_pending(mutator, &generator, at + count);
}

static void delete_run(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count), count = 1 + below(mutator, below(mutator, 2) ? 1 : RUN_MAX);
    count = count < seq->count - at ? count : seq->count - at;
    if (count == seq->count)
        count--;
    seq_remove_run(seq, at, count);
}

static void swap(struct mutator *mutator) {
    struct seq_op *a = pick(mutator), *b = pick(mutator), op = *a;
    *a = *b;
    *b = op;
}

static void splice(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    struct seq_op run[RUN_MAX];
    uint32_t from = below(mutator, seq->count), count = 1 + below(mutator, RUN_MAX);
    count = count < seq->count - from ? count : seq->count - from;
    __builtin_memcpy(run, &seq->op[from], count * sizeof(run[0]));
    uint32_t at = below(mutator, seq->count + 1);
    count = open_gap(mutator, at, count);
    __builtin_memcpy(&seq->op[at], run, count * sizeof(run[0]));
}

static void nudge(struct mutator *mutator) {
    struct seq_op *op = pick(mutator), old = *op;
    const struct seq_operation *operation = &seq_operations[op->code];
    uint32_t fields = mutator->profile.preempt ? operation->field_count : seq_plain_fields(operation);
    const struct seq_field *field = &operation->fields[below(mutator, fields)];
    uint32_t kinds = mutator->profile.kinds;
    if (below(mutator, 24) == 0)
        seq_spoil(mutator->seq->geometry, mutator->random, op, field);
    else
        seq_nudge(mutator->seq->geometry, mutator->random, op, field, pick(mutator));
    if (field->type == SEQ_TYPE_KIND && kinds && op->kind < ABI_KINDS && !(kinds >> op->kind & 1))
        *op = old;
    if (op->cpu >= mutator->profile.cpus)
        op->cpu = (uint8_t)below(mutator, mutator->profile.cpus);
}

/* A name that the sequence knows. */
static uint8_t some_name(struct mutator *mutator) {
    const struct seq_op *op = pick(mutator);
    for (uint32_t i = 0; i < 3 && op->code != SEQ_CREATE_PD; i++)
        op = pick(mutator);
    return op->code == SEQ_CREATE_PD ? op->name : op->caller;
}

/* The operation without its schedule. */
static struct seq_op plain(const struct seq_op *op) {
    struct seq_op copy = *op;
    if (seq_has_schedule(op))
        copy.point = copy.nested = 0;
    return copy;
}

/* The same once more, by or to another PD. */
static void duplicate(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count);
    struct seq_op copy = plain(&seq->op[at]);
    uint8_t name = some_name(mutator);
    if (copy.pd.mode == SEQ_CAP_NAME && below(mutator, 2))
        copy.pd.value = name;
    else if (has_caller(&copy))
        copy.caller = name;
    else if (copy.code == SEQ_ACCESS)
        copy.cpu = (uint8_t)below(mutator, mutator->profile.cpus);
    if (open_gap(mutator, at + 1, 1))
        seq->op[at + 1] = copy;
}

/* The same for the ranges that follow; now and then with the source staying where it is. */
static void repeat(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count), count = 1 + below(mutator, RUN_MAX - 1);
    struct seq_op op = plain(&seq->op[at]);
    const struct seq_operation *operation = &seq_operations[op.code];
    uint64_t size = (uint64_t)1 << (op.order & 31);
    bool stays = op.code == SEQ_DELEGATE && op.kind != ABI_PIO && below(mutator, 8) == 0;
    count = open_gap(mutator, at + 1, count);
    for (uint32_t i = 1; i <= count; i++) {
        for (uint32_t k = 0; k < operation->field_count; k++) {
            const struct seq_field *field = &operation->fields[k];
            if (seq_is_wide(field->type) && !(stays && field->slot == SEQ_SLOT_BASE))
                seq_set(&op, field, seq_get(&op, field) + size);
        }
        seq_clip(seq->geometry, &op);
        seq->op[at + i] = op;
    }
}

/* Swarm: all operations of one code go. */
static void disable(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint8_t code = pick(mutator)->code;
    struct seq_marks marks = {{0}};
    uint32_t same = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq->op[i].code != code)
            continue;
        seq_mark(&marks, i);
        same++;
    }
    if (same < seq->count)
        seq_remove_marked(seq, &marks);
}

static void rename_cap(struct seq_cap *cap, uint8_t from, uint8_t to) {
    if (cap->mode == SEQ_CAP_NAME && cap->value == from)
        cap->value = to;
}

/* From one place on, one PD takes another's part. */
static void retarget(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint8_t from = some_name(mutator), to = some_name(mutator);
    for (uint32_t i = below(mutator, seq->count); i < seq->count; i++) {
        struct seq_op *op = &seq->op[i];
        if (op->caller == from && has_caller(op))
            op->caller = to;
        rename_cap(&op->pd, from, to);
        rename_cap(&op->filter, from, to);
    }
}

/* An operation goes to another CPU: system calls from the first and back to it. */
static void toggle_cpu(struct mutator *mutator) {
    uint32_t cpus = mutator->profile.cpus;
    struct seq_op *op = pick(mutator);
    if (cpus == 1 || op->code == SEQ_OOM)
        nudge(mutator);
    else if (seq_is_call(op->code) && op->cpu)
        op->cpu = 0;
    else
        op->cpu = (uint8_t)((op->cpu + 1 + below(mutator, cpus - 1)) % cpus);
}

static void insert_oom(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count);
    if (!may_insert(mutator, SEQ_OOM) || !seq_is_call(seq->op[at].code)) {
        nudge(mutator);
        return;
    }
    if (open_gap(mutator, at, 1) == 0)
        return;
    seq_blank(&seq->op[at], SEQ_OOM);
    seq->op[at].mask = (uint8_t)(1 + below(mutator, 1 + below(mutator, 8)));
}

/* A unit, and the name of the PD that has it. */
struct victim {
    uint64_t unit;
    uint8_t name;
};

static uint8_t name_of(const struct seq_cap *cap, uint8_t otherwise) {
    return cap->mode == SEQ_CAP_NAME ? (uint8_t)cap->value : otherwise;
}

/* What a revoke takes: a unit of the range, or what the last delegate before made of one. */
static struct victim find_victim(struct mutator *mutator, uint32_t at) {
    const struct seq *seq = mutator->seq;
    const struct seq_op *revoke = &seq->op[at];
    bool phys = revoke->place == ABI_PHYS;
    uint64_t space = (uint64_t)1 << seq_space_log2(seq->geometry, revoke->kind);
    uint64_t size = revoke->order < 32 ? (uint64_t)1 << revoke->order : space;
    struct victim victim = {.unit = revoke->base + seq_random_below(mutator->random, size < space ? size : space),
                            .name = revoke->caller};
    if (revoke->place == ABI_PLACE_CAP)
        victim.name = name_of(&revoke->pd, revoke->caller);
    bool itself = revoke->scope != ABI_CHILDREN && !phys && below(mutator, 2);
    for (uint32_t i = at; i-- > 0 && !itself;) {
        const struct seq_op *op = &seq->op[i];
        if (op->code != SEQ_DELEGATE || op->kind != revoke->kind || (op->place == ABI_PHYS) != phys ||
            (!phys && op->caller != victim.name))
            continue;
        uint64_t offset = victim.unit - op->base;
        if (offset >> (op->order & 31))
            continue;
        victim = (struct victim){.unit = op->destination + offset, .name = name_of(&op->pd, op->caller)};
        break;
    }
    victim.unit &= space - 1;
    return victim;
}

/* The CPU that runs the PD of that name when operation `at` comes, or the number of CPUs. */
static uint8_t find_cpu(const struct mutator *mutator, uint32_t at, uint8_t name) {
    uint32_t later = 0; /* CPUs that were switched again */
    for (uint32_t i = at; i-- > 0;) {
        const struct seq_op *op = &mutator->seq->op[i];
        if (op->code != SEQ_SWITCH || later >> op->cpu & 1)
            continue;
        if (op->caller == name)
            return op->cpu;
        later |= 1u << op->cpu;
    }
    return name == 0 && !(later & 1) ? 0 : mutator->profile.cpus;
}

static void put_before(struct mutator *mutator, uint32_t at, const struct seq_op *op) {
    if (open_gap(mutator, at, 1))
        mutator->seq->op[at] = *op;
}

/* A CPU that runs the PD uses a unit that a revoke has just taken, and mostly used it before. */
static void insert_access(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count), tries = may_insert(mutator, SEQ_ACCESS) ? 0 : seq->count;
    while (tries < seq->count && (seq->op[at].code != SEQ_REVOKE || seq->op[at].kind > ABI_PIO)) {
        at = at + 1 < seq->count ? at + 1 : 0;
        tries++;
    }
    if (tries == seq->count) {
        nudge(mutator);
        return;
    }
    struct victim victim = find_victim(mutator, at);
    uint8_t cpu = find_cpu(mutator, at, victim.name);
    struct seq_op access = {.code = SEQ_ACCESS, .kind = seq->op[at].kind, .mask = 1, .base = victim.unit};
    bool runs = cpu < mutator->profile.cpus;
    access.cpu = runs ? cpu : (uint8_t)below(mutator, mutator->profile.cpus);
    if (access.kind == ABI_MEM && below(mutator, 4) == 0)
        access.mask = (uint8_t)(ABI_R << below(mutator, 3));
    const struct seq_op change = {.code = SEQ_SWITCH, .caller = victim.name, .cpu = access.cpu};
    put_before(mutator, at + 1, &access);
    if (below(mutator, 4))
        put_before(mutator, at, &access);
    if (!runs && may_insert(mutator, SEQ_SWITCH))
        put_before(mutator, at, &change);
}

/* ---- schedules ---- */

static bool can_be_suspended(const struct seq_op *op) {
    return op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD;
}

/* The next operation that can be suspended, from `at` on, and from the start then; count: there is none. */
static uint32_t find_suspendable(const struct seq *seq, uint32_t at) {
    for (uint32_t i = 0; i < seq->count; i++, at++) {
        at = at < seq->count ? at : 0;
        if (can_be_suspended(&seq->op[at]))
            return at;
    }
    return seq->count;
}

/* Mostly the first points, unless the profile asks for others, and short blocks. */
static void set_schedule(struct mutator *mutator, struct seq_op *op) {
    uint32_t points = mutator->profile.points;
    if (!points)
        points = below(mutator, 4) ? 4 : POINT_MAX;
    op->point = (uint8_t)(1 + below(mutator, points));
    op->nested = (uint8_t)(1 + below(mutator, below(mutator, 4) ? 3 : RUN_MAX));
}

static void move_schedule(struct mutator *mutator, uint32_t at) {
    struct seq_op *from = &mutator->seq->op[at], *to = &mutator->seq->op[find_suspendable(mutator->seq, at + 1)];
    uint8_t point = from->point, nested = from->nested;
    from->point = to->point;
    from->nested = to->nested;
    to->point = point;
    to->nested = nested;
}

/* Into the block of operation `at`: what has to do with what it takes, or what lets a suspended one go on. */
static void fill_block(struct mutator *mutator, uint32_t at) {
    struct seq *seq = mutator->seq;
    struct generator generator;
    struct seq_op made;
    prepare(mutator, &generator, at);
    if (below(mutator, 4) == 0 || !generator_interfere(&generator, &seq->op[at], &made))
        made = (struct seq_op){.code = SEQ_RESUME,
                               .nested = (uint8_t)(SEQ_INNERMOST + below(mutator, 2)),
                               .point = (uint8_t)below(mutator, 4)};
    uint32_t nested = seq->op[at].nested, left = seq->count - at - 1;
    uint32_t place = at + 1 + below(mutator, (nested < left ? nested : left) + 1);
    if (open_gap(mutator, place, 1) == 0)
        return;
    seq->op[place] = made;
    if (place > at + nested && nested < UINT8_MAX)
        seq->op[at].nested = (uint8_t)(nested + 1); /* at its end */
}

/* An operation is suspended, is not, is elsewhere; or something else runs meanwhile. */
static void change_schedule(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = find_suspendable(seq, below(mutator, seq->count));
    if (at == seq->count) {
        insert(mutator);
        return;
    }
    struct seq_op *op = &seq->op[at];
    uint32_t roll = below(mutator, 16);
    if (op->point == 0 || roll < 2)
        set_schedule(mutator, op);
    else if (roll < 4)
        op->point = op->nested = 0;
    else if (roll < 6)
        op->point = (uint8_t)(1 + op->point % UINT8_MAX);
    else if (roll < 7)
        op->point = (uint8_t)(op->point > 1 ? op->point - 1 : 1);
    else if (roll < 9)
        op->nested = (uint8_t)(op->nested < UINT8_MAX ? op->nested + 1 : UINT8_MAX);
    else if (roll < 10)
        op->nested = (uint8_t)(op->nested ? op->nested - 1 : 0);
    else if (roll < 12)
        move_schedule(mutator, at);
    else
        fill_block(mutator, at);
}

static void mutate_once(struct mutator *mutator) {
    static const struct {
        uint32_t until; /* sums of weights */
        void (*change)(struct mutator *mutator);
    } changes[] = {{36, nudge},
                   {54, insert},
                   {66, delete_run},
                   {78, splice},
                   {86, repeat},
                   {92, duplicate},
                   {97, swap},
                   {99, retarget},
                   {100, disable},
                   {108, insert_access},
                   {112, toggle_cpu},
                   {TOTAL_WEIGHT, insert_oom},
                   {TOTAL_WEIGHT + SCHEDULES_WEIGHT, change_schedule}};
    uint32_t total = TOTAL_WEIGHT + (mutator->profile.preempt ? SCHEDULES_WEIGHT : 0);
    uint32_t roll = below(mutator, total), at = 0;
    while (roll >= changes[at].until)
        at++;
    if (mutator->seq->count == mutator->max_ops && below(mutator, 2))
        delete_run(mutator); /* or a full sequence could not take anything in */
    changes[at].change(mutator);
}

/* Keeps the whole sequence within the budget; what cannot be paid for goes. */
static void keep_budget(struct seq *seq, uint64_t budget) {
    uint64_t left = budget, delegated = 0;
    struct seq_marks marks = {{0}};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        struct seq_op *op = &seq->op[i];
        if (!seq_fit(seq->geometry, op, delegated, left) && kept + (seq->count - i) > 1) {
            seq_mark(&marks, i);
            continue;
        }
        uint64_t units = seq_units(seq->geometry, op, delegated);
        left -= units < left ? units : left;
        delegated += op->code == SEQ_DELEGATE ? units : 0;
        kept++;
    }
    seq_remove_marked(seq, &marks);
}

void seq_mutate(struct seq *seq, struct seq_random *random, const struct seq_profile *profile, uint32_t max_ops) {
    uint32_t most = max_ops < seq->capacity ? max_ops : seq->capacity;
    struct mutator mutator = {.seq = seq, .random = random, .profile = *profile, .max_ops = most};
    mutator.profile.cpus = seq_cpus(seq);
    if (most == 0)
        return;
    if (seq->count > most)
        seq->count = most;
    if (seq->count == 0)
        insert(&mutator);
    uint32_t rounds = 1;
    while (rounds < ROUNDS_MAX && below(&mutator, 2))
        rounds++;
    for (uint32_t i = 0; i < rounds; i++)
        mutate_once(&mutator);
    if (profile->unit_budget)
        keep_budget(seq, profile->unit_budget);
}

static void append(struct seq *out, const struct seq *from, uint32_t first, uint32_t last, uint32_t max_ops) {
    for (uint32_t i = first; i < last && out->count < max_ops; i++) {
        struct seq_op *op = &out->op[out->count++];
        *op = from->op[i];
        if (from->geometry != out->geometry)
            seq_clip(out->geometry, op);
    }
}

void seq_crossover(struct seq *out, const struct seq *a, const struct seq *b, struct seq_random *random,
                   uint32_t max_ops) {
    uint32_t most = max_ops < out->capacity ? max_ops : out->capacity;
    uint32_t cut = (uint32_t)seq_random_below(random, (uint64_t)a->count + 1);
    uint32_t first = (uint32_t)seq_random_below(random, (uint64_t)b->count + 1);
    uint32_t last = b->count;
    bool inside = seq_random_below(random, 2) != 0;
    if (inside)
        last = first + (uint32_t)seq_random_below(random, (uint64_t)b->count - first + 1);
    cut = seq_block_boundary(a, cut);
    first = seq_block_boundary(b, first);
    last = seq_block_boundary(b, last);
    out->geometry = a->geometry;
    out->cpus = seq_cpus(a) > seq_cpus(b) ? seq_cpus(a) : seq_cpus(b);
    out->count = 0;
    __builtin_memset(&out->meta, 0, sizeof(out->meta));
    append(out, a, 0, cut, most);
    append(out, b, first, last, most);
    if (inside)
        append(out, a, cut, a->count, most);
    if (out->count == 0)
        append(out, a->count ? a : b, 0, 1, most);
}
