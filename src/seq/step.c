/*
 * Changes of a single field, by its type.
 */
#include "step.h"

enum { FEW = 8 };

static struct seq_cap name_cap(uint64_t name) {
    return (struct seq_cap){.mode = SEQ_CAP_NAME, .value = (uint16_t)(name % SEQ_NAMES)};
}

/* Sets a place, and a capability exactly if it needs one. */
static void set_place(struct seq_op *op, uint64_t place, struct seq_cap cap) {
    op->place = (uint8_t)place;
    op->pd = place == ABI_PLACE_CAP ? cap : (struct seq_cap){0};
}

static struct seq_cap wrong_cap(const struct seq_geometry *geometry, struct seq_random *random) {
    uint64_t roll = seq_random_below(random, 3);
    if (roll == 0)
        return name_cap(SEQ_NAMES - 1 - seq_random_below(random, FEW));
    if (roll == 1)
        return name_cap(seq_random_below(random, FEW));
    uint64_t selectors = (uint64_t)2 << geometry->obj_log2;
    uint64_t selector = seq_random_below(random, seq_random_below(random, 2) ? selectors : FEW);
    return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)(selector & UINT16_MAX)};
}

static uint64_t wrong_unit(struct seq_random *random, const struct seq_op *op, uint64_t value, uint64_t limit) {
    switch (seq_random_below(random, 5)) {
    case 0: /* ends where sums wrap */
        return limit - ((uint64_t)1 << op->order);
    case 1:
        return limit / 2 + seq_random_below(random, limit / 2);
    case 2:
        return limit / 2;
    case 3:
        return seq_random_below(random, limit);
    default:
        return value + 1;
    }
}

/* As wrong_unit: of the numbers that a field of pages can hold, the last ones make sums wrap. */
static uint64_t wrong_pages(struct seq_random *random, uint64_t value, uint64_t limit) {
    const uint64_t values[4] = {0, value + 1, limit - 1 - seq_random_below(random, FEW), limit / 2};
    uint64_t roll = seq_random_below(random, 5);
    return roll < 4 ? values[roll] : seq_random_below(random, limit);
}

static uint64_t wrong_value(const struct seq_geometry *geometry, struct seq_random *random, const struct seq_op *op,
                            const struct seq_field *field, uint64_t value) {
    uint64_t limit = seq_field_limit(geometry, op, field);
    bool often = seq_random_below(random, 2) != 0;
    switch (field->type) {
    case SEQ_TYPE_RESULT:
        return 1 + seq_random_below(random, FEW);
    case SEQ_TYPE_NAME:
        return often ? seq_random_below(random, FEW) : seq_random_below(random, limit);
    case SEQ_TYPE_KIND:
        return often ? ABI_KINDS : ABI_PIO;
    case SEQ_TYPE_SCOPE:
        return often ? ABI_SCOPES : seq_random_below(random, limit);
    case SEQ_TYPE_ORDER:
        return often ? value + 1 + seq_random_below(random, 3) : seq_random_below(random, limit);
    case SEQ_TYPE_MASK:
        return often ? seq_random_below(random, limit) : value & ~(uint64_t)1;
    case SEQ_TYPE_PAGES:
    case SEQ_TYPE_QUOTA:
        return wrong_pages(random, value, limit);
    case SEQ_TYPE_NTH:
        return 1 + seq_random_below(random, limit - 1);
    case SEQ_TYPE_UNIT:
    case SEQ_TYPE_SELECTOR:
        return wrong_unit(random, op, value, limit);
    default:
        return seq_random_below(random, limit);
    }
}

void seq_spoil(const struct seq_geometry *geometry, struct seq_random *random, struct seq_op *op,
               const struct seq_field *field) {
    if (seq_is_cap(field->type)) {
        *seq_field_cap(op, field) = wrong_cap(geometry, random);
        return;
    }
    uint64_t limit = seq_field_limit(geometry, op, field);
    uint64_t value = wrong_value(geometry, random, op, field, seq_get(op, field)) & (limit - 1);
    if (field->type == SEQ_TYPE_PLACE)
        set_place(op, value, wrong_cap(geometry, random));
    else
        seq_set_reduced(op, field, value);
    if (field->type == SEQ_TYPE_KIND)
        seq_clip(geometry, op);
}

/* A name that the other operation has to do with. */
static uint64_t related_name(struct seq_random *random, const struct seq_op *other) {
    switch (seq_random_below(random, 4)) {
    case 0:
        return 0;
    case 1:
        return other->caller;
    case 2:
        return other->name ? other->name : other->caller;
    default:
        return other->pd.mode == SEQ_CAP_NAME ? other->pd.value % SEQ_NAMES : 0;
    }
}

static struct seq_cap related_cap(struct seq_random *random, const struct seq_op *other) {
    uint64_t roll = seq_random_below(random, 8);
    if (roll == 0 && (other->code == SEQ_CREATE_PD || other->code == SEQ_CREATE_OBJECT))
        return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)(other->base & UINT16_MAX)};
    if (roll == 1 && other->pd.mode != SEQ_CAP_NONE)
        return other->pd;
    if (roll == 2)
        return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)seq_random_below(random, FEW)};
    return name_cap(related_name(random, other));
}

static uint64_t next_unit(const struct seq_geometry *geometry, struct seq_random *random, const struct seq_op *op,
                          const struct seq_op *other, uint64_t unit) {
    uint8_t order = op->order & 31;
    uint64_t size = (uint64_t)1 << order, other_size = (uint64_t)1 << (other->order & 31);
    uint64_t last = ((uint64_t)1 << seq_space_log2(geometry, op->kind)) - 1;
    uint64_t roll = seq_random_below(random, 32);
    uint64_t level = seq_random_below(random, 4) * geometry->level_bits;
    const uint64_t steps[16] = {unit + size,
                                unit - size,
                                unit ^ size,
                                other->base,
                                other->base,
                                other->destination,
                                other->destination,
                                other->base + other_size,
                                other->destination + other_size,
                                other->base - size,
                                other->destination - size,
                                unit ^ (uint64_t)1 << level,
                                unit >> level << level,
                                0,
                                last,
                                seq_random_next(random)};
    uint64_t value = steps[roll & 15];
    if (roll == 31)
        return value; /* as it is: not aligned, perhaps outside */
    return (value & last) >> order << order;
}

static uint64_t next_order(const struct seq_geometry *geometry, struct seq_random *random, const struct seq_op *op,
                           const struct seq_op *other) {
    uint64_t most = seq_space_log2(geometry, op->kind), order = op->order;
    const uint64_t steps[8] = {order + 1,
                               order + 1,
                               order ? order - 1 : 0,
                               order ? order - 1 : 0,
                               other->order,
                               seq_random_below(random, 4) * geometry->level_bits,
                               0,
                               seq_random_below(random, most + 1)};
    order = steps[seq_random_below(random, 8)];
    return order < most ? order : most;
}

static uint64_t next_mask(struct seq_random *random, const struct seq_op *op, const struct seq_op *other) {
    uint64_t rights = seq_rights(op->kind);
    switch (seq_random_below(random, 4)) {
    case 0:
        return rights;
    case 1:
        return other->mask & rights;
    case 2:
        return op->mask ^ 1u << seq_random_below(random, 3);
    default:
        return seq_random_below(random, rights + 1);
    }
}

static uint64_t next_pages(const struct seq_geometry *geometry, struct seq_random *random, uint64_t pages,
                           const struct seq_op *other) {
    const uint64_t steps[8] = {
        pages + 1,    pages ? pages - 1 : 0,
        pages / 2,    2 * pages,
        SEQ_QUOTA,    geometry->pd_pages,
        other->quota, other->code == SEQ_MOVE_QUOTA ? other->base : seq_random_below(random, FEW)};
    return steps[seq_random_below(random, 8)];
}

/* At least 1, mostly few. */
static uint64_t next_nth(struct seq_random *random, uint64_t nth, uint64_t limit) {
    const uint64_t steps[4] = {nth + 1, nth - 1, 1, 1 + seq_random_below(random, FEW)};
    uint64_t value = steps[seq_random_below(random, 4)];
    return value && value < limit ? value : 1;
}

/* One more or less, none, or few. */
static uint64_t next_few(struct seq_random *random, uint64_t value, uint64_t limit) {
    const uint64_t steps[4] = {value + 1, value ? value - 1 : 0, 0, 1 + seq_random_below(random, FEW)};
    value = steps[seq_random_below(random, 4)];
    return value < limit ? value : limit - 1;
}

static uint64_t next_value(const struct seq_geometry *geometry, struct seq_random *random, const struct seq_op *op,
                           const struct seq_field *field, const struct seq_op *other) {
    uint64_t limit = seq_field_limit(geometry, op, field);
    switch (field->type) {
    case SEQ_TYPE_RESULT:
        return other->name ? other->name : 1 + seq_random_below(random, FEW);
    case SEQ_TYPE_NAME:
        return related_name(random, other);
    case SEQ_TYPE_KIND:
        return (op->kind + 1 + seq_random_below(random, 2)) % ABI_KINDS;
    case SEQ_TYPE_SOURCE:
        return op->place == ABI_OWN ? ABI_PHYS : ABI_OWN;
    case SEQ_TYPE_QUOTA:
    case SEQ_TYPE_PAGES:
        return next_pages(geometry, random, seq_get(op, field), other) & (limit - 1);
    case SEQ_TYPE_NTH:
        return next_nth(random, seq_get(op, field), limit);
    case SEQ_TYPE_POINT:
    case SEQ_TYPE_RUN:
    case SEQ_TYPE_DEPTH:
        return next_few(random, seq_get(op, field), limit);
    case SEQ_TYPE_CPU:
    case SEQ_TYPE_ON_CPU:
        return seq_random_below(random, 2) ? other->cpu : seq_random_below(random, limit);
    case SEQ_TYPE_PLACE:
        return seq_random_below(random, ABI_PLACES);
    case SEQ_TYPE_SCOPE:
        return seq_random_below(random, ABI_SCOPES);
    case SEQ_TYPE_ORDER:
        return next_order(geometry, random, op, other);
    case SEQ_TYPE_MASK:
        return next_mask(random, op, other) & (limit - 1);
    case SEQ_TYPE_SELECTOR:
        return (seq_random_below(random, 2) ? other->base + 1 : seq_random_below(random, FEW)) & (limit - 1);
    default:
        return next_unit(geometry, random, op, other, seq_get(op, field)) & (limit - 1);
    }
}

void seq_nudge(const struct seq_geometry *geometry, struct seq_random *random, struct seq_op *op,
               const struct seq_field *field, const struct seq_op *other) {
    if (seq_is_cap(field->type)) {
        bool none = seq_no_cap(field->type) && seq_random_below(random, 4) == 0;
        *seq_field_cap(op, field) = none ? (struct seq_cap){0} : related_cap(random, other);
        return;
    }
    uint64_t value = next_value(geometry, random, op, field, other);
    if (field->type == SEQ_TYPE_PLACE)
        set_place(op, value, related_cap(random, other));
    else
        seq_set_reduced(op, field, value);
    bool both = op->kind == ABI_PIO && (op->code == SEQ_DELEGATE || op->code == SEQ_GRANT);
    if (both && seq_random_below(random, 8)) { /* or it is refused */
        uint64_t port = field->slot == SEQ_SLOT_DESTINATION ? op->destination : op->base;
        op->base = op->destination = port;
    }
    if (field->type == SEQ_TYPE_KIND)
        seq_clip(geometry, op);
}
