/*
 * Delegate and grant: which source units they take, and mapping or moving them. What they need was checked before
 * (decide.c).
 *
 * From an own space the plan is the list of covered records, in ascending order of units; from PHYS, whose units have
 * all rights and no holes but at the end, it is the whole range or nothing.
 */
#include "oracle/internal.h"

static inline uint64_t range_end(const struct oracle_call *call) {
    return call->base + (UINT64_C(1) << call->order);
}

/* PHYS: the end of those units of the range that exist. */
static uint64_t phys_range_end(const struct oracle *o, const struct oracle_call *call) {
    const uint64_t end = range_end(call), limit = phys_end(o, call->kind);
    return end < limit ? end : limit;
}

static inline uint64_t destination_of(const struct oracle_call *call, uint64_t unit) {
    return call->destination + (unit - call->base);
}

/* Whether any unit is mapped where the source range would go. */
static bool destination_used(const struct oracle *o, const struct oracle_call *call) {
    struct cursor cursor;
    cursor_init(&cursor, space_of(o, o->plan.to, call->kind), call->destination, destination_of(call, range_end(call)));
    return cursor_next(o, &cursor) != ORACLE_NONE;
}

static bool is_occupied(const struct oracle *o, const struct oracle_call *call, uint64_t unit) {
    return space_at(o, space_of(o, o->plan.to, call->kind), destination_of(call, unit)) != ORACLE_NONE;
}

static uint64_t plan_from_phys(struct oracle *o, const struct oracle_call *call, bool *occupied) {
    const uint64_t end = phys_range_end(o, call);
    *occupied = false;
    if (end <= call->base || !rights_exist(o, call->kind, call->mask)) {
        return 0;
    }
    struct cursor cursor;
    cursor_init(&cursor, space_of(o, o->plan.to, call->kind), call->destination, destination_of(call, end));
    *occupied = cursor_next(o, &cursor) != ORACLE_NONE;
    return end - call->base;
}

/* Old wins, judged for each new extent: nothing is made from a source extent any unit of which would hit an old
 * mapping. */
static void exclude_occupied(struct oracle *o, const struct oracle_call *call) {
    uint32_t kept = 0;
    o->stamp++;
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const struct oracle_mapping *m = mapping_of(o, o->covered[n]);
        if (is_occupied(o, call, m->unit)) {
            o->extents[m->extent].stamp = o->stamp;
        }
    }
    for (uint32_t n = 0; n < o->covered_count; n++) {
        if (o->extents[mapping_of(o, o->covered[n])->extent].stamp != o->stamp) {
            o->covered[kept++] = o->covered[n];
        }
    }
    o->covered_count = kept;
}

static uint64_t plan_from_own(struct oracle *o, const struct oracle_call *call, bool *occupied) {
    struct cursor cursor;
    begin_walk(o);
    cursor_init(&cursor, space_of(o, o->plan.from, call->kind), call->base, range_end(call));
    for (uint32_t i = cursor_next(o, &cursor); i != ORACLE_NONE; i = cursor_next(o, &cursor)) {
        if (rights_exist(o, call->kind, mapping_of(o, i)->rights & call->mask)) {
            o->covered[o->covered_count++] = i;
        }
    }
    *occupied = false;
    /* To look at a few units costs less than to see that there are none. */
    if (o->covered_count <= 4 || destination_used(o, call)) {
        for (uint32_t n = 0; n < o->covered_count && !*occupied; n++) {
            *occupied = is_occupied(o, call, mapping_of(o, o->covered[n])->unit);
        }
    }
    return o->covered_count;
}

uint64_t delegate_plan(struct oracle *o, const struct oracle_call *call, bool *occupied) {
    const bool phys = o->plan.from == ORACLE_PHYS;
    uint64_t count = phys ? plan_from_phys(o, call, occupied) : plan_from_own(o, call, occupied);
    o->plan.units = count;
    if (*occupied && o->policy.keep_old) {
        *occupied = false;
        if (!phys) {
            exclude_occupied(o, call);
        }
        o->plan.units = phys ? 0 : o->covered_count;
    }
    return o->plan.units;
}

/* The extent that this delegate or grant makes from that one. */
static inline uint32_t copy_of_extent(struct oracle *o, uint32_t extent, uint64_t first) {
    if (o->keeps_extents && o->extents[extent].stamp != o->stamp) {
        o->extents[extent].copy = extent_make(o, first);
        o->extents[extent].stamp = o->stamp;
    }
    return o->keeps_extents ? o->extents[extent].copy : (uint32_t)EXTENT_PHYS;
}

static struct oracle_mapping child_of(const struct oracle *o, const struct oracle_call *call) {
    return (struct oracle_mapping){.pd = o->plan.to,
                                   .kind = call->kind,
                                   .parent = ORACLE_NONE,
                                   .first_child = ORACLE_NONE,
                                   .next_sibling = ORACLE_NONE,
                                   .previous_sibling = ORACLE_NONE};
}

static bool delegate_from_phys(struct oracle *o, const struct oracle_call *call) {
    struct oracle_mapping child = child_of(o, call);
    child.rights = call->mask;
    child.extent = o->plan.units == 0 ? (uint32_t)EXTENT_PHYS : copy_of_extent(o, EXTENT_PHYS, call->destination);
    for (uint64_t n = 0; n < o->plan.units; n++) {
        child.unit = call->destination + n;
        child.resource = call->base + n;
        make_room(o, o->plan.to, call->kind, child.unit); /* a record of PHYS may go with what was there */
        const uint32_t parent = phys_record(o, call->kind, call->base + n);
        if (parent == ORACLE_NONE || mapping_make(o, parent, &child) == ORACLE_NONE) {
            return false;
        }
    }
    return true;
}

bool delegate_commit(struct oracle *o, const struct oracle_call *call) {
    o->stamp++;
    if (o->plan.from == ORACLE_PHYS) {
        return delegate_from_phys(o, call);
    }
    struct oracle_mapping child = child_of(o, call);
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const struct oracle_mapping *m = mapping_of(o, o->covered[n]);
        child.unit = destination_of(call, m->unit);
        child.resource = m->resource;
        child.rights = m->rights & call->mask;
        child.extent = copy_of_extent(o, m->extent, child.unit);
        make_room(o, o->plan.to, call->kind, child.unit);
        if (mapping_make(o, o->covered[n], &child) == ORACLE_NONE) {
            return false;
        }
    }
    return true;
}

/* Children of what moved, unless they have moved, too: their parent is elsewhere now. */
static void follow_parent(struct oracle *o, uint32_t index) {
    for (uint32_t i = mapping_of(o, index)->first_child; i != ORACLE_NONE; i = mapping_of(o, i)->next_sibling) {
        if (!is_covered(o, i)) {
            mapping_rehash(o, i);
            note_change(o, mapping_of(o, i));
        }
    }
}

/* Only the places of units change; then what descends from them loses what they lost. */
bool grant_commit(struct oracle *o, const struct oracle_call *call) {
    const uint8_t lost = kind_rights(call->kind) & (uint8_t)~call->mask;
    const uint32_t moved = o->covered_count;
    o->stamp++;
    for (uint32_t n = 0; n < moved; n++) {
        const struct oracle_mapping *m = mapping_of(o, o->covered[n]);
        const uint64_t unit = destination_of(call, m->unit);
        const uint32_t extent = copy_of_extent(o, m->extent, unit);
        o->records[o->covered[n]].mark = o->stamp;
        make_room(o, o->plan.to, call->kind, unit);
        if (!mapping_transfer(o, o->covered[n], o->plan.to, unit, m->rights & call->mask)) {
            return false;
        }
        extent_change(o, o->covered[n], extent);
    }
    for (uint32_t n = 0; n < moved; n++) {
        mapping_rehash(o, o->covered[n]);
        follow_parent(o, o->covered[n]);
    }
    cover_subtrees(o, 0);
    take_rights(o, lost);
    return true;
}
