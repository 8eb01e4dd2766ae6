/*
 * Taking away: revoke in its three scopes, and the destruction of PDs. What they need was checked before (decide.c).
 *
 * Both first collect the mappings that are covered, each once, then take rights from these and remove what no longer
 * exists.
 */
#include "oracle/internal.h"

static void begin_walk(struct oracle *o) {
    o->stamp++;
    o->covered_count = 0;
}

static inline bool is_covered(const struct oracle *o, uint32_t index) {
    return o->records[index].mark == o->stamp;
}

static inline void cover(struct oracle *o, uint32_t index) {
    if (!is_covered(o, index)) {
        o->records[index].mark = o->stamp;
        o->covered[o->covered_count++] = index;
    }
}

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

/* Covers everything that descends from what was covered as number `from` or later. */
static void cover_subtrees(struct oracle *o, uint32_t from) {
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

/* Scope self: the range and what descends from it. */
static void cover_all(struct oracle *o, struct cursor *range) {
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

/* What is covered loses rights. Backwards, so that most children go before their parents: fewer links to mend. */
static void take_rights(struct oracle *o, uint8_t rights) {
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
static void drop(struct oracle *o, struct cursor *range) {
    begin_walk(o);
    cover_units(o, range);
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

void revoke_commit(struct oracle *o, const struct oracle_call *call) {
    uint8_t rights = 0;
    const uint32_t pd = call->place == ABI_PHYS        ? (uint32_t)ORACLE_PHYS
                        : call->place == ABI_PLACE_CAP ? named_pd(o, call->caller, call->pd_selector, &rights)
                                                       : call->caller;
    struct cursor range;
    cursor_init(&range, space_of(o, pd, call->kind), call->base, call->base + (UINT64_C(1) << call->order));
    if (call->scope == ABI_DROP) {
        drop(o, &range);
        return;
    }
    if (call->scope == ABI_SELF) {
        cover_all(o, &range);
    } else {
        cover_below(o, &range);
    }
    if (call->filtered) {
        keep_subtrees_of(o, named_pd(o, call->caller, call->filter_selector, &rights));
    }
    take_rights(o, call->mask);
}

void condemn(struct oracle *o, uint32_t pd) {
    if (!o->pds[pd].dying) {
        o->pds[pd].dying = true;
        o->dying[o->dying_count++] = pd;
    }
}

static void destroy(struct oracle *o, uint32_t id) {
    struct pd *pd = &o->pds[id];
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        struct cursor range;
        cursor_init(&range, &pd->spaces[kind], 0, UINT64_C(1) << pd->spaces[kind].log2);
        cover_all(o, &range);
        take_rights(o, kind_rights(kind));
    }
    while (pd->first_capability != ORACLE_NONE) {
        mapping_remove(o, pd->first_capability);
    }
    pd->alive = pd->dying = false;
    o->pd_count--;
    if (id < o->pd_lowest_free) {
        o->pd_lowest_free = id;
    }
    o->destroyed[o->destroyed_count++] = id;
}

void destroy_dying(struct oracle *o) {
    while (o->dying_count > 0) {
        destroy(o, o->dying[--o->dying_count]);
    }
}
