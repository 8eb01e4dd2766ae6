/*
 * Whether a revoke may have to cut what a kernel stores as one range, and so may need memory.
 *
 * A stored range is aligned, and uniform: equal rights, resources and parents rising by one a unit. A revoke cuts one
 * only if such a range has units of both sorts: those that the revoke works on (members: the units that it names, and
 * what changes) and others. That holds for every kernel that stores ranges, whatever it joins.
 */
#include "oracle/internal.h"

/* Whether two units of a space may belong to one stored range. */
static bool may_join(const struct oracle *o, const struct oracle_mapping *m, const struct oracle_mapping *other) {
    const uint64_t distance = other->unit - m->unit;
    if (other->rights != m->rights || other->resource - m->resource != distance) {
        return false;
    }
    if (m->parent == ORACLE_NONE || other->parent == ORACLE_NONE) {
        return m->parent == other->parent;
    }
    const struct oracle_mapping *above = mapping_of(o, m->parent), *other_above = mapping_of(o, other->parent);
    return above->pd == other_above->pd && other_above->unit - above->unit == distance;
}

enum half { CANNOT_JOIN, MEMBERS_ONLY, HAS_OTHERS };

/* The units that a range stored around m, of 2^order units, would have to be joined with. */
static enum half other_half(const struct oracle *o, const struct oracle_mapping *m, unsigned order) {
    const uint64_t first = ((m->unit >> order) ^ 1) << order, units = UINT64_C(1) << order;
    const struct space *space = space_of(o, m->pd, m->kind);
    enum half half = MEMBERS_ONLY;
    for (uint64_t n = 0; n < units; n++) {
        const uint32_t i = space_at(o, space, first + n);
        if (i == ORACLE_NONE || !may_join(o, m, mapping_of(o, i))) {
            return CANNOT_JOIN;
        }
        half = is_covered(o, i) ? half : HAS_OTHERS;
    }
    return half;
}

/* Whether a member may be in one range with others. *order: the largest range around it, which has members only. */
static bool has_others(const struct oracle *o, const struct oracle_mapping *m, unsigned *order) {
    enum half half = MEMBERS_ONLY;
    *order = 0;
    while (*order < space_of(o, m->pd, m->kind)->log2 && half == MEMBERS_ONLY) {
        half = other_half(o, m, *order);
        *order += half == MEMBERS_ONLY;
    }
    return half == HAS_OTHERS;
}

/* Adds what is a member without being covered: units whose descendants lose rights, children whose parent goes. */
static void add_members(struct oracle *o, const struct oracle_call *call) {
    if (call->scope == ABI_CHILDREN) {
        struct cursor range;
        cursor_init(&range, space_of(o, o->plan.from, call->kind), call->base,
                    call->base + (UINT64_C(1) << call->order));
        for (uint32_t i = cursor_next(o, &range); i != ORACLE_NONE; i = cursor_next(o, &range)) {
            cover(o, i);
        }
    }
    const uint32_t units = call->scope == ABI_DROP ? o->covered_count : 0;
    for (uint32_t n = 0; n < units; n++) {
        for (uint32_t i = mapping_of(o, o->covered[n])->first_child; i != ORACLE_NONE;
             i = mapping_of(o, i)->next_sibling) {
            cover(o, i);
        }
    }
}

static bool changes_anything(const struct oracle *o, const struct oracle_call *call) {
    bool changes = call->scope == ABI_DROP && o->covered_count > 0;
    for (uint32_t n = 0; n < o->covered_count && !changes; n++) {
        changes = (mapping_of(o, o->covered[n])->rights & call->mask) != 0;
    }
    return changes;
}

bool oracle_may_cut(struct oracle *o, const struct oracle_call *call) {
    const uint32_t covered = o->covered_count;
    /* Beyond the space there is nothing to cut from, and a selector is never stored together with another one. */
    if (call->kind == ABI_OBJ || call->order == space_of(o, o->plan.from, call->kind)->log2 ||
        !changes_anything(o, call)) {
        return false;
    }
    if (o->plan.from == ORACLE_PHYS) {
        return true;
    }
    add_members(o, call);
    const uint32_t members = o->covered_count;
    o->covered_count = covered;
    const struct oracle_mapping *last = mapping_of(o, o->covered[0]);
    unsigned order = 0;
    for (uint32_t n = 0; n < members; n++) {
        const struct oracle_mapping *m = mapping_of(o, o->covered[n]);
        const bool seen = n > 0 && m->pd == last->pd && m->unit >> order == last->unit >> order;
        if (!seen && has_others(o, m, &order)) {
            return true;
        }
        last = seen ? last : m;
    }
    return false;
}
