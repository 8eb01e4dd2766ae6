/*
 * Changes that consist of several, each of which alone would end the failure: two operations that need each other, a
 * range and the revoke that names it, a PD and all that mentions it.
 *
 * Whatever makes the sequence smaller in the order of seq_compare is a candidate, so that changes which undo each other
 * do no harm: each success goes down.
 */
#include "shrinker.h"

enum { ALTERNATIVES = 12, FEW = 4, SPACE_BITS = 36, TRIPLE_OPS = 10, SPACE_PHYS = SEQ_NAMES, SPACES };

struct together {
    struct shrinker *shrinker;
    struct seq *seq;
    struct seq before; /* the best one so far */
    struct seq_op op[TOGETHER_OPS];
    bool changed;
};

static void remember(struct together *together) {
    const struct seq *seq = together->seq;
    together->before = *seq;
    together->before.op = together->op;
    __builtin_memcpy(together->op, seq->op, seq->count * sizeof(*seq->op));
}

static void restore(struct together *together) {
    struct seq *seq = together->seq;
    seq->count = together->before.count;
    seq->cpus = together->before.cpus;
    __builtin_memcpy(seq->op, together->op, seq->count * sizeof(*seq->op));
}

/* Asks about the sequence as it is now if it is simpler than before. Either way it is the best one afterwards. */
static bool try_now(struct together *together) {
    struct seq *seq = together->seq;
    if (seq->count == 0 || !shrinker_has_budget(together->shrinker)) {
        restore(together);
        return false;
    }
    shrinker_renumber(seq);
    if (seq_compare(seq, &together->before) >= 0 || !shrinker_attempt(together->shrinker)) {
        restore(together);
        return false;
    }
    remember(together);
    together->changed = true;
    return true;
}

static void remove_op(struct seq *seq, uint32_t at) {
    for (uint32_t i = at; i + 1 < seq->count; i++)
        seq->op[i] = seq->op[i + 1];
    seq->count--;
}

/* ---- operations ---- */

static void remove_pairs(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        for (uint32_t j = i + 1; j < seq->count; j++) {
            remove_op(seq, j);
            remove_op(seq, i);
            try_now(together);
        }
    }
}

static void remove_triples(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count && seq->count <= TRIPLE_OPS; i++) {
        for (uint32_t j = i + 1; j < seq->count; j++) {
            for (uint32_t k = j + 1; k < seq->count; k++) {
                remove_op(seq, k);
                remove_op(seq, j);
                remove_op(seq, i);
                try_now(together);
            }
        }
    }
}

static void move_op(struct seq *seq, uint32_t from, uint32_t to) {
    struct seq_op moved = seq->op[from];
    for (uint32_t i = from; i > to; i--)
        seq->op[i] = seq->op[i - 1];
    seq->op[to] = moved;
}

/* Operations of simpler codes come first, if the order does not matter. */
static void reorder(struct together *together) {
    for (uint32_t to = 0; to < together->seq->count; to++) {
        for (uint32_t from = to + 1; from < together->seq->count; from++) {
            move_op(together->seq, from, to);
            try_now(together);
        }
    }
}

/* What one operation delegates on, another delegates at once. */
static void skip_links(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        for (uint32_t j = i + 1; j < seq->count; j++) {
            struct seq_op first = seq->op[i], second = seq->op[j];
            if (first.code != SEQ_DELEGATE || (second.code != SEQ_DELEGATE && second.code != SEQ_GRANT))
                continue;
            seq->op[j] = first;
            seq->op[j].order = second.order;
            seq->op[j].pd = second.pd;
            seq->op[j].destination = second.destination;
            seq->op[j].mask = second.mask;
            remove_op(seq, i);
            if (try_now(together))
                continue;
            seq->op[i] = seq->op[j];
            seq->op[i].place = first.place;
            seq->op[i].caller = first.caller;
            seq->op[i].base = first.base;
            remove_op(seq, j);
            try_now(together);
        }
    }
}

static void simpler_codes(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        for (uint8_t code = 0; i < seq->count && code < seq->op[i].code; code++) {
            struct seq_op old = seq->op[i];
            const struct seq_operation *operation = &seq_operations[code];
            seq_blank(&seq->op[i], code);
            for (uint32_t f = 0; f < operation->field_count; f++) {
                const struct seq_field *field = &operation->fields[f];
                struct seq_cap *cap = seq_field_cap(&seq->op[i], field);
                if (seq_is_cap(field->type) && (old.pd.mode || seq_no_cap(field->type)))
                    *cap = old.pd;
                else if (field->type != SEQ_TYPE_PLACE && !seq_is_cap(field->type) && field->type != SEQ_TYPE_RESULT)
                    seq_set(&seq->op[i], field, seq_get(&old, field));
            }
            seq_clip(seq->geometry, &seq->op[i]);
            try_now(together);
        }
    }
}

/* ---- fields ---- */

static uint64_t other_number(const struct seq_op *op, uint8_t type, uint32_t number) {
    uint64_t size = (uint64_t)1 << op->order % 32;
    uint64_t base = op->base;
    const uint64_t units[ALTERNATIVES] = {
        0, 1, 2, 3, 4, 8, base / 2, base - (base != 0), base & (base - 1), base ^ size, base & ~(size - 1), base + 1,
    };
    static const uint64_t quotas[ALTERNATIVES] = {SEQ_QUOTA, 0, 1, 2, SEQ_QUOTA + 1};
    uint64_t all = seq_rights(op->kind), bit = (uint64_t)1 << (number + 1) / 2;
    if (seq_is_wide(type))
        return units[number];
    if (type == SEQ_TYPE_QUOTA)
        return quotas[number];
    if (type == SEQ_TYPE_MASK && op->code != SEQ_ACCESS)
        return number == 0 ? all : number % 2 ? all & ~bit : all & bit;
    return type == SEQ_TYPE_MASK || type == SEQ_TYPE_NTH || type == SEQ_TYPE_RESULT ? number + 1 : number;
}

static uint32_t numbers_of(uint8_t type) {
    static const uint8_t some[SEQ_TYPE_COUNT] = {
        [SEQ_TYPE_KIND] = 3,  [SEQ_TYPE_SOURCE] = 2, [SEQ_TYPE_PLACE] = 2, [SEQ_TYPE_SCOPE] = 3,
        [SEQ_TYPE_ORDER] = 6, [SEQ_TYPE_QUOTA] = 5,  [SEQ_TYPE_CPU] = 2,   [SEQ_TYPE_ON_CPU] = 2,
        [SEQ_TYPE_NAME] = 4,  [SEQ_TYPE_NTH] = 6,    [SEQ_TYPE_MASK] = 7};
    return seq_is_wide(type) ? ALTERNATIVES : some[type];
}

static bool other_cap(struct seq_op *op, const struct seq_field *field, uint32_t number) {
    struct seq_cap *cap = field->offset == offsetof(struct seq_op, filter) ? &op->filter : &op->pd;
    if (number == FEW)
        *cap = (struct seq_cap){0};
    else
        *cap = (struct seq_cap){.mode = SEQ_CAP_NAME, .value = (uint16_t)number};
    return number < FEW || (number == FEW && seq_no_cap(field->type));
}

/* Puts another value into a field, not always a simpler one. False: there is none of that number. */
static bool alternative(const struct seq_geometry *geometry, struct seq_op *op, const struct seq_field *field,
                        uint32_t number) {
    if (seq_is_cap(field->type))
        return other_cap(op, field, number);
    uint32_t numbers = numbers_of(field->type);
    if (field->type == SEQ_TYPE_PLACE) {
        op->place = (uint8_t)(number < numbers ? number : ABI_PLACE_CAP);
        op->pd = (struct seq_cap){0};
        return number < numbers || (number < numbers + FEW && other_cap(op, field, number - numbers));
    }
    if (number >= numbers)
        return false;
    struct seq_op from = *op;
    from.base = seq_get(op, field);
    seq_set(op, field, other_number(&from, field->type, number) & (seq_field_limit(geometry, op, field) - 1));
    seq_clip(geometry, op);
    return true;
}

/* Both fields of all pairs of alternatives; i and j may be the same operation. */
static void change_both(struct together *together, uint32_t i, const struct seq_field *first, uint32_t j,
                        const struct seq_field *second) {
    struct seq *seq = together->seq;
    for (uint32_t a = 0; j < seq->count; a++) {
        struct seq_op op = seq->op[i];
        if (!alternative(seq->geometry, &op, first, a))
            return;
        for (uint32_t b = 0; j < seq->count; b++) {
            seq->op[i] = op;
            if (!alternative(seq->geometry, &seq->op[j], second, b)) {
                restore(together);
                break;
            }
            if (try_now(together))
                return;
        }
    }
}

static void pairs_in_one(struct together *together) {
    for (uint32_t i = 0; i < together->seq->count; i++) {
        const struct seq_operation *operation = &seq_operations[together->seq->op[i].code];
        for (uint32_t f = 0; f < operation->field_count; f++)
            for (uint32_t g = f + 1; g < operation->field_count; g++)
                change_both(together, i, &operation->fields[f], i, &operation->fields[g]);
    }
}

static bool alike(uint8_t a, uint8_t b) {
    bool a_cap = seq_is_cap(a) || a == SEQ_TYPE_NAME || a == SEQ_TYPE_PLACE;
    bool b_cap = seq_is_cap(b) || b == SEQ_TYPE_NAME || b == SEQ_TYPE_PLACE;
    return a == b || (a_cap && b_cap) || (seq_is_wide(a) && seq_is_wide(b)) ||
           (seq_is_wide(a) && b == SEQ_TYPE_ORDER) || (a == SEQ_TYPE_ORDER && seq_is_wide(b));
}

static void pairs_in_two(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        for (uint32_t j = i + 1; j < seq->count; j++) {
            const struct seq_operation *first = &seq_operations[seq->op[i].code];
            const struct seq_operation *second = &seq_operations[seq->op[j].code];
            for (uint32_t f = 0; f < first->field_count; f++) {
                for (uint32_t g = 0; g < second->field_count && j < seq->count; g++) {
                    if (alike(first->fields[f].type, second->fields[g].type))
                        change_both(together, i, &first->fields[f], j, &second->fields[g]);
                }
            }
        }
    }
}

/* One operation goes, another gets simpler. */
static void remove_and_simplify(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        for (uint32_t j = 0; j < seq->count; j++) {
            const struct seq_operation *operation = &seq_operations[seq->op[j].code];
            for (uint32_t f = 0; f < operation->field_count; f++) {
                for (uint32_t number = 0; i != j && i < seq->count && j < seq->count; number++) {
                    if (!alternative(seq->geometry, &seq->op[j], &operation->fields[f], number)) {
                        restore(together);
                        break;
                    }
                    remove_op(seq, i);
                    if (try_now(together))
                        break;
                }
            }
        }
    }
}

/* A selector moves with the capabilities that are named by it. */
static void rename_selectors(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        const struct seq_cap caps[2] = {seq->op[i].pd, seq->op[i].filter};
        for (uint32_t which = 0; which < 2; which++) {
            for (uint16_t value = 0; value < caps[which].value && caps[which].mode == SEQ_CAP_SELECTOR; value++) {
                for (uint32_t j = 0; j < seq->count; j++) {
                    struct seq_op *op = &seq->op[j];
                    if (op->pd.mode == SEQ_CAP_SELECTOR && op->pd.value == caps[which].value)
                        op->pd.value = value;
                    if (op->filter.mode == SEQ_CAP_SELECTOR && op->filter.value == caps[which].value)
                        op->filter.value = value;
                    if (op->base == caps[which].value)
                        op->base = value;
                    if (op->destination == caps[which].value)
                        op->destination = value;
                }
                if (try_now(together))
                    return;
            }
        }
    }
}

/* ---- PDs and spaces ---- */

static void rename_in(struct seq_cap *cap, uint8_t from, uint8_t to) {
    if (cap->mode == SEQ_CAP_NAME && cap->value == from)
        cap->value = to;
}

/* One PD does what another does, too; the other is not made. */
static void merge_pds(struct together *together) {
    struct seq *seq = together->seq;
    for (uint8_t from = TOGETHER_OPS; from > 0; from--) {
        for (uint8_t to = 0; to < from; to++) {
            for (uint32_t i = seq->count; i-- > 0;) {
                struct seq_op *op = &seq->op[i];
                if (op->code == SEQ_CREATE_PD && op->name == from) {
                    remove_op(seq, i);
                    continue;
                }
                op->caller = op->caller == from ? to : op->caller;
                rename_in(&op->pd, from, to);
                rename_in(&op->filter, from, to);
            }
            try_now(together);
        }
    }
}

static uint32_t space_of(const struct seq_cap *cap, uint8_t otherwise) {
    return cap->mode == SEQ_CAP_NAME ? cap->value % SEQ_NAMES : otherwise;
}

/* In which space a unit of the operation lies: a PD's name, or PHYS. */
static uint32_t base_space(const struct seq_op *op) {
    if (op->place == ABI_PHYS)
        return SPACE_PHYS;
    return op->code == SEQ_REVOKE ? space_of(&op->pd, op->caller) : op->caller;
}

static uint64_t moved(uint64_t unit, uint32_t bit, uint64_t block, bool within) {
    if (within && unit >> bit != block)
        return unit;
    return unit ^ (uint64_t)1 << bit;
}

/* Flips a bit in all units of a kind that lie in a space, or in that block of it. */
static void flip(struct together *together, uint8_t kind, uint32_t space, uint32_t bit, uint64_t block, bool within) {
    struct seq *seq = together->seq;
    bool any = space == SPACES;
    for (uint32_t i = 0; i < seq->count; i++) {
        struct seq_op *op = &seq->op[i];
        bool has_destination = op->code == SEQ_DELEGATE || op->code == SEQ_GRANT;
        bool has_base = has_destination || op->code == SEQ_REVOKE || op->code == SEQ_LOOKUP || op->code == SEQ_ACCESS;
        bool fills = op->code == SEQ_CREATE_PD || op->code == SEQ_CREATE_OBJECT;
        if (has_destination && op->kind == kind && (any || space_of(&op->pd, op->caller) == space))
            op->destination = moved(op->destination, bit, block, within);
        if (((has_base && op->kind == kind) || (fills && kind == ABI_OBJ)) && (any || base_space(op) == space))
            op->base = moved(op->base, bit, block, within);
    }
    try_now(together);
}

static void move_spaces(struct together *together) {
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        for (uint32_t bit = seq_space_log2(together->seq->geometry, kind); bit-- > 0;) {
            flip(together, kind, SPACES, bit, 0, false);
            for (uint32_t space = 0; space < FEW; space++)
                flip(together, kind, space, bit, 0, false);
            flip(together, kind, SPACE_PHYS, bit, 0, false);
        }
    }
}

/* What lies in one block moves to a lower one, in all spaces or in one. */
static void move_blocks(struct together *together) {
    struct seq *seq = together->seq;
    for (uint32_t i = 0; i < seq->count; i++) {
        for (uint32_t which = 0; which < 2; which++) {
            uint64_t unit = which ? seq->op[i].destination : seq->op[i].base;
            uint8_t kind = seq->op[i].kind;
            uint32_t space = which ? space_of(&seq->op[i].pd, seq->op[i].caller) : base_space(&seq->op[i]);
            for (uint32_t bit = 0; bit < SPACE_BITS; bit++) {
                if ((unit >> bit & 1) == 0)
                    continue;
                flip(together, kind, space, bit, unit >> bit, true);
                flip(together, kind, SPACES, bit, unit >> bit, true);
            }
        }
    }
}

bool shrinker_together(struct shrinker *shrinker) {
    static void (*const moves[])(struct together *) = {
        remove_pairs, merge_pds, skip_links,       remove_triples,      simpler_codes, move_spaces,
        move_blocks,  reorder,   rename_selectors, remove_and_simplify, pairs_in_one,  pairs_in_two,
    };
    struct together together = {.shrinker = shrinker, .seq = shrinker->seq};
    if (shrinker->seq->count > TOGETHER_OPS)
        return false;
    remember(&together);
    for (uint32_t i = 0; i < sizeof(moves) / sizeof(*moves) && !together.changed; i++)
        moves[i](&together);
    return together.changed;
}
