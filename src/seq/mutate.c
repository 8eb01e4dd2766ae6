/*
 * The mutator and the crossover: changes of whole operations and of their fields.
 */
#include "generate.h"
#include "step.h"

enum { RUN_MAX = 8, CONTEXT_OPS = 32, ROUNDS_MAX = 4 };

struct mutator {
    struct seq *seq;
    struct seq_random *random;
    const struct seq_profile *profile;
    uint32_t max_ops;
};

static uint32_t below(struct mutator *mutator, uint32_t bound) {
    return (uint32_t)seq_random_below(mutator->random, bound);
}

static struct seq_op *pick(struct mutator *mutator) {
    return &mutator->seq->op[below(mutator, mutator->seq->count)];
}

/* Makes room for `count` operations, or as many as may be; returns how many. */
static uint32_t open_gap(struct mutator *mutator, uint32_t at, uint32_t count) {
    struct seq *seq = mutator->seq;
    uint32_t room = mutator->max_ops - seq->count;
    count = count < room ? count : room;
    for (uint32_t i = seq->count; i > at; i--)
        seq->op[i - 1 + count] = seq->op[i - 1];
    seq->count += count;
    return count;
}

static void insert(struct mutator *mutator) {
    struct generator generator;
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count + 1), name = 0, count = 1 + below(mutator, 4) / 3;
    generator_begin(&generator, seq->geometry, mutator->random, mutator->profile);
    for (uint32_t i = 0; i < at; i++) {
        if (seq->op[i].code == SEQ_CREATE_PD || i + CONTEXT_OPS >= at)
            guess_apply(&generator.guess, &seq->op[i]);
    }
    for (uint32_t i = 0; i < seq->count; i++)
        name = seq->op[i].name > name ? seq->op[i].name : name;
    generator.next_name = name % (SEQ_NAMES - 1) + 1;
    count = open_gap(mutator, at, count);
    for (uint32_t i = 0; i < count; i++)
        generator_next(&generator, &seq->op[at + i], at + i, seq->count);
}

static void delete_run(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count), count = 1 + below(mutator, below(mutator, 2) ? 1 : RUN_MAX);
    count = count < seq->count - at ? count : seq->count - at;
    if (count == seq->count)
        count--;
    for (uint32_t i = at; i + count < seq->count; i++)
        seq->op[i] = seq->op[i + count];
    seq->count -= count;
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
    const struct seq_field *field = &operation->fields[below(mutator, operation->field_count)];
    uint32_t kinds = mutator->profile->kinds;
    if (below(mutator, 24) == 0)
        seq_spoil(mutator->seq->geometry, mutator->random, op, field);
    else
        seq_nudge(mutator->seq->geometry, mutator->random, op, field, pick(mutator));
    if (field->type == SEQ_TYPE_KIND && kinds && op->kind < ABI_KINDS && !(kinds >> op->kind & 1))
        *op = old;
}

/* A name that the sequence knows. */
static uint8_t some_name(struct mutator *mutator) {
    const struct seq_op *op = pick(mutator);
    for (uint32_t i = 0; i < 3 && op->code != SEQ_CREATE_PD; i++)
        op = pick(mutator);
    return op->code == SEQ_CREATE_PD ? op->name : op->caller;
}

/* The same once more, by or to another PD. */
static void duplicate(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count);
    struct seq_op copy = seq->op[at];
    uint8_t name = some_name(mutator);
    if (copy.pd.mode == SEQ_CAP_NAME && below(mutator, 2))
        copy.pd.value = name;
    else
        copy.caller = name;
    if (open_gap(mutator, at + 1, 1))
        seq->op[at + 1] = copy;
}

/* The same for the ranges that follow; now and then with the source staying where it is. */
static void repeat(struct mutator *mutator) {
    struct seq *seq = mutator->seq;
    uint32_t at = below(mutator, seq->count), count = 1 + below(mutator, RUN_MAX - 1);
    struct seq_op op = seq->op[at];
    const struct seq_operation *operation = &seq_operations[op.code];
    uint64_t size = (uint64_t)1 << (op.order & 31);
    bool stays = op.code == SEQ_DELEGATE && below(mutator, 8) == 0;
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
    uint32_t kept = 0, same = 0;
    for (uint32_t i = 0; i < seq->count; i++)
        same += seq->op[i].code == code;
    if (same == seq->count)
        return;
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq->op[i].code != code)
            seq->op[kept++] = seq->op[i];
    }
    seq->count = kept;
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
        if (op->caller == from)
            op->caller = to;
        rename_cap(&op->pd, from, to);
        rename_cap(&op->filter, from, to);
    }
}

static void mutate_once(struct mutator *mutator) {
    static const struct {
        uint32_t weight;
        void (*change)(struct mutator *mutator);
    } changes[] = {{36, nudge},    {18, insert}, {12, delete_run}, {12, splice}, {8, repeat},
                   {6, duplicate}, {5, swap},    {2, retarget},    {1, disable}};
    uint32_t total = 0, at = 0;
    for (uint32_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        total += changes[i].weight;
    uint32_t left = below(mutator, total);
    while (left >= changes[at].weight)
        left -= changes[at++].weight;
    if (mutator->seq->count == mutator->max_ops && below(mutator, 2))
        delete_run(mutator); /* or a full sequence could not take anything in */
    changes[at].change(mutator);
}

/* Keeps the whole sequence within the budget; what cannot be paid for goes. */
static void keep_budget(struct seq *seq, uint64_t budget) {
    uint64_t left = budget, delegated = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        struct seq_op op = seq->op[i];
        if (!seq_fit(seq->geometry, &op, delegated, left) && kept + (seq->count - i) > 1)
            continue;
        uint64_t units = seq_units(seq->geometry, &op, delegated);
        left -= units < left ? units : left;
        delegated += op.code == SEQ_DELEGATE ? units : 0;
        seq->op[kept++] = op;
    }
    seq->count = kept;
}

void seq_mutate(struct seq *seq, struct seq_random *random, const struct seq_profile *profile, uint32_t max_ops) {
    uint32_t most = max_ops < seq->capacity ? max_ops : seq->capacity;
    struct mutator mutator = {.seq = seq, .random = random, .profile = profile, .max_ops = most};
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
    out->geometry = a->geometry;
    out->count = 0;
    __builtin_memset(&out->meta, 0, sizeof(out->meta));
    append(out, a, 0, cut, most);
    append(out, b, first, last, most);
    if (inside)
        append(out, a, cut, a->count, most);
    if (out->count == 0)
        append(out, a->count ? a : b, 0, 1, most);
}
