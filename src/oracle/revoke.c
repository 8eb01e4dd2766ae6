/*
 * Revoke in its three scopes. What it needs was checked before (decide.c).
 *
 * The plan collects the mappings that are covered, each once; commit takes rights from these and removes what no longer
 * exists.
 */
#include "oracle/internal.h"

/* Covers the extent of a mapping. */
static void cover_extent(struct oracle *o, const struct oracle_mapping *m) {
    struct extent *extent = &o->extents[m->extent];
    if (extent->stamp == o->stamp) {
        return;
    }
    extent->stamp = o->stamp;
    struct cursor cursor;
    cursor_init(&cursor, space_of(o, m->pd, m->kind), extent->first, extent->last + 1);
    for (uint32_t i = cursor_next(o, &cursor); i != ORACLE_NONE; i = cursor_next(o, &cursor)) {
        if (mapping_of(o, i)->extent == m->extent) {
            cover(o, i);
        }
    }
}

/* Covers a mapping and, at that grain, the rest of its extent. */
static inline void cover_grain(struct oracle *o, uint32_t index, enum oracle_grain grain) {
    cover(o, index);
    if (grain == ORACLE_EXTENT) {
        cover_extent(o, mapping_of(o, index));
    }
}

static void cover_units(struct oracle *o, struct cursor *range) {
    for (uint32_t i = cursor_next(o, range); i != ORACLE_NONE; i = cursor_next(o, range)) {
        cover_grain(o, i, o->policy.own_self);
    }
}

static void cover_children(struct oracle *o, uint32_t index) {
    for (uint32_t i = mapping_of(o, index)->first_child; i != ORACLE_NONE; i = mapping_of(o, i)->next_sibling) {
        cover_grain(o, i, o->policy.child);
    }
}

void cover_subtrees(struct oracle *o, uint32_t from) {
    for (uint32_t n = from; n < o->covered_count; n++) {
        for (uint32_t i = mapping_of(o, o->covered[n])->first_child; i != ORACLE_NONE;
             i = mapping_of(o, i)->next_sibling) {
            cover(o, i);
        }
    }
}

/* Scope children: what descends from the range. */
static void cover_below(struct oracle *o, struct cursor *range) {
    begin_walk(o);
    for (uint32_t i = cursor_next(o, range); i != ORACLE_NONE; i = cursor_next(o, range)) {
        cover_children(o, i);
    }
    cover_subtrees(o, 0);
}

void cover_all(struct oracle *o, struct cursor *range) {
    begin_walk(o);
    cover_units(o, range);
    const uint32_t own = o->covered_count;
    for (uint32_t n = 0; n < own; n++) {
        cover_children(o, o->covered[n]);
    }
    cover_subtrees(o, own);
}

/* Directed: of what is covered, only what lives in that PD, each with its whole subtree. */
static void keep_subtrees_of(struct oracle *o, uint32_t pd) {
    const uint32_t count = o->covered_count;
    begin_walk(o);
    for (uint32_t n = 0; n < count; n++) {
        if (mapping_of(o, o->covered[n])->pd == pd) {
            cover(o, o->covered[n]);
        }
    }
    cover_subtrees(o, 0);
}

/* Backwards, so that most children go before their parents: fewer links to mend. */
void take_rights(struct oracle *o, uint8_t rights) {
    for (uint32_t n = o->covered_count; n-- > 0;) {
        struct oracle_mapping *m = mapping_of(o, o->covered[n]);
        const uint8_t left = m->rights & (uint8_t)~rights;
        if (!rights_exist(o, m->kind, left)) {
            mapping_remove(o, o->covered[n]);
        } else if (left != m->rights) {
            mapping_lower(o, o->covered[n], left);
        }
    }
}

/* Scope drop: only the units go; their children move up to the nearest ancestor that stays. */
static void drop(struct oracle *o) {
    o->stamp++;
    for (uint32_t n = 0; n < o->covered_count; n++) {
        o->records[o->covered[n]].mark = o->stamp;
    }
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const struct oracle_mapping *m = mapping_of(o, o->covered[n]);
        uint32_t heir = m->parent;
        while (heir != ORACLE_NONE && is_covered(o, heir)) {
            heir = mapping_of(o, heir)->parent;
        }
        while (m->first_child != ORACLE_NONE) {
            const uint32_t child = m->first_child;
            mapping_move(o, child, heir);
            if (!is_covered(o, child)) {
                note_change(o, mapping_of(o, child));
            }
        }
    }
    while (o->covered_count > 0) {
        mapping_remove(o, o->covered[--o->covered_count]);
    }
}

void revoke_plan(struct oracle *o, const struct oracle_call *call) {
    struct cursor range;
    cursor_init(&range, space_of(o, o->plan.from, call->kind), call->base, call->base + (UINT64_C(1) << call->order));
    if (call->scope == ABI_DROP) {
        begin_walk(o);
        cover_units(o, &range);
    } else if (call->scope == ABI_SELF) {
        cover_all(o, &range);
    } else {
        cover_below(o, &range);
    }
    if (call->filtered) {
        keep_subtrees_of(o, o->plan.to);
    }
}

void revoke_commit(struct oracle *o, const struct oracle_call *call) {
    if (call->scope == ABI_DROP) {
        drop(o);
    } else {
        take_rights(o, call->mask);
    }
}
