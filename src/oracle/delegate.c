/*
 * Delegate: which units it maps, and mapping them. What it needs was checked before (decide.c).
 */
#include "oracle/internal.h"

/* A delegate, and a walk over those source units whose children would exist. */
struct delegation {
    uint32_t source, destination; /* PDs */
    uint8_t kind, mask;
    uint64_t base, end, destination_base;
    struct cursor cursor; /* source: own space */
    uint64_t next_frame;  /* source: PHYS */

    /* the present unit */
    uint64_t unit, resource;
    uint32_t index; /* of its record; PHYS units may have none */
    uint32_t extent;
    uint8_t rights; /* of the child */
};

static void rewind(const struct oracle *o, struct delegation *d) {
    cursor_init(&d->cursor, space_of(o, d->source, d->kind), d->base, d->end);
    d->next_frame = d->base;
}

static void begin(const struct oracle *o, const struct oracle_call *call, struct delegation *d) {
    uint8_t rights = 0;
    d->source = call->place == ABI_PHYS ? (uint32_t)ORACLE_PHYS : call->caller;
    d->destination = call->to_cap ? named_pd(o, call->caller, call->pd_selector, &rights) : call->caller;
    d->kind = call->kind;
    d->mask = call->mask;
    d->base = call->base;
    d->end = call->base + (UINT64_C(1) << call->order);
    d->destination_base = call->destination;
    rewind(o, d);
}

/* Every frame that exists and is not the kernel's is mapped in PHYS, with all rights. */
static inline bool next_phys(const struct oracle *o, struct delegation *d) {
    d->unit = d->resource = d->next_frame++;
    d->index = ORACLE_NONE;
    d->extent = EXTENT_PHYS;
    d->rights = d->mask & ABI_MEM_RIGHTS;
    return d->unit < d->end && d->unit < o->geometry.kernel_frame && rights_exist(o, ABI_MEM, d->rights);
}

static inline bool next(const struct oracle *o, struct delegation *d) {
    if (d->source == ORACLE_PHYS) {
        return next_phys(o, d);
    }
    const struct oracle_mapping *m;
    do {
        d->index = cursor_next(o, &d->cursor);
        if (d->index == ORACLE_NONE) {
            return false;
        }
        m = mapping_of(o, d->index);
        d->rights = m->rights & d->mask;
    } while (!rights_exist(o, d->kind, d->rights));
    d->unit = m->unit;
    d->resource = m->resource;
    d->extent = m->extent;
    return true;
}

static inline uint64_t destination_of(const struct delegation *d) {
    return d->destination_base + (d->unit - d->base);
}

static bool is_occupied(const struct oracle *o, const struct delegation *d) {
    return space_at(o, space_of(o, d->destination, d->kind), destination_of(d)) != ORACLE_NONE;
}

/* Whether no unit at all is mapped where the source range would go. */
static bool destination_empty(const struct oracle *o, const struct delegation *d) {
    struct cursor cursor;
    cursor_init(&cursor, space_of(o, d->destination, d->kind), d->destination_base,
                d->destination_base + (d->end - d->base));
    return cursor_next(o, &cursor) == ORACLE_NONE;
}

/* Old wins, judged for each new extent: nothing is made from a source extent any unit of which would hit an old
 * mapping. */
static void exclude_occupied(struct oracle *o, struct delegation *d) {
    o->stamp++;
    if (!o->policy.keep_old) {
        return;
    }
    while (next(o, d)) {
        if (is_occupied(o, d)) {
            o->extents[d->extent].stamp = o->stamp;
            o->extents[d->extent].copy = ORACLE_NONE;
        }
    }
    rewind(o, d);
}

static inline bool is_excluded(const struct oracle *o, const struct delegation *d) {
    const struct extent *extent = &o->extents[d->extent];
    return o->policy.keep_old && extent->stamp == o->stamp && extent->copy == ORACLE_NONE;
}

/* The extent that this delegate makes from the present unit's extent. */
static inline uint32_t copy_of_extent(struct oracle *o, const struct delegation *d) {
    if (o->extents[d->extent].stamp != o->stamp) {
        o->extents[d->extent].copy = extent_make(o, destination_of(d));
        o->extents[d->extent].stamp = o->stamp;
    }
    return o->extents[d->extent].copy;
}

uint64_t delegate_count(struct oracle *o, const struct oracle_call *call, bool *occupied) {
    struct delegation d;
    uint64_t count = 0;
    begin(o, call, &d);
    const bool all_free = destination_empty(o, &d);
    *occupied = false;
    exclude_occupied(o, &d);
    while (next(o, &d)) {
        if (!is_excluded(o, &d)) {
            *occupied |= !all_free && is_occupied(o, &d);
            count++;
        }
    }
    return count;
}

bool delegate_commit(struct oracle *o, const struct oracle_call *call) {
    struct delegation d;
    begin(o, call, &d);
    exclude_occupied(o, &d);
    while (next(o, &d)) {
        if (is_excluded(o, &d)) {
            continue;
        }
        const struct oracle_mapping child = {.unit = destination_of(&d),
                                             .resource = d.resource,
                                             .pd = d.destination,
                                             .kind = d.kind,
                                             .rights = d.rights};
        const uint32_t parent = d.source == ORACLE_PHYS ? phys_record(o, d.unit) : d.index;
        if (parent == ORACLE_NONE || mapping_make(o, parent, copy_of_extent(o, &d), &child) == ORACLE_NONE) {
            return false;
        }
    }
    return true;
}
