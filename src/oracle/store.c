/*
 * The oracle's records: sparse arrays, derivation forest, extents, capability counts; each of them kept by the same few
 * functions, so that a mapping is never half there.
 */
#include "oracle/internal.h"

/* ---- sparse arrays ---- */

static uint32_t node_take(struct oracle *o) {
    uint32_t handle = o->node_free;
    if (handle != 0) {
        o->node_free = node_at(o, handle)->next_free;
        node_at(o, handle)->next_free = 0;
    } else {
        handle = ++o->node_fresh;
        __builtin_memset(node_at(o, handle), 0, o->node_bytes);
    }
    o->node_count++;
    return handle;
}

/* The node is empty, hence zero. */
static void node_give(struct oracle *o, uint32_t handle) {
    node_at(o, handle)->next_free = o->node_free;
    o->node_free = handle;
    o->node_count--;
}

static inline void node_set(struct node *node, unsigned slot, uint32_t value) {
    node->used[slot / 64] |= UINT64_C(1) << slot % 64;
    node->slot[slot] = value;
    node->count++;
}

/* The lowest used slot >= from, or NODE_SLOTS. */
static unsigned node_next(const struct node *node, unsigned from) {
    unsigned word = from / 64;
    uint64_t bits = node->used[word] & (~UINT64_C(0) << from % 64);
    while (bits == 0 && ++word < NODE_WORDS) {
        bits = node->used[word];
    }
    return bits == 0 ? (unsigned)NODE_SLOTS : word * 64 + (unsigned)__builtin_ctzll(bits);
}

/* Returns whether the node is empty now. */
static inline bool node_clear(struct node *node, unsigned slot) {
    node->slot[slot] = 0;
    node->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    return --node->count == 0;
}

static inline bool space_insert(struct oracle *o, struct space *space, uint64_t unit, uint32_t index) {
    const bool has_node = space->levels == 1 && space->root != 0;
    if (!has_node && o->node_limit - o->node_count < space->levels) {
        return false;
    }
    if (space->root == 0) {
        space->root = node_take(o);
    }
    struct node *node = node_at(o, space->root);
    for (unsigned level = space->levels - 1u; level > 0; level--) {
        const unsigned slot = slot_index(unit, level);
        if (node->slot[slot] == 0) {
            node_set(node, slot, node_take(o));
        }
        node = node_at(o, node->slot[slot]);
    }
    node_set(node, slot_index(unit, 0), index + 1);
    space->units++;
    return true;
}

/* Gives back the bottom node above a unit, which is empty, and those above it that become so. */
static void space_prune(struct oracle *o, struct space *space, uint64_t unit) {
    uint32_t path[LEVELS_MAX] = {0};
    uint32_t handle = space->root;
    for (unsigned level = space->levels; level-- > 0;) {
        path[level] = handle;
        handle = node_at(o, handle)->slot[slot_index(unit, level)];
    }
    for (unsigned level = 0; level < space->levels; level++) {
        if (level > 0 && !node_clear(node_at(o, path[level]), slot_index(unit, level))) {
            return;
        }
        node_give(o, path[level]);
    }
    space->root = 0;
}

static inline void space_erase(struct oracle *o, struct space *space, uint64_t unit) {
    struct node *node = node_at(o, space->root);
    for (unsigned level = space->levels - 1u; level > 0; level--) {
        node = node_at(o, node->slot[slot_index(unit, level)]);
    }
    space->units--;
    if (node_clear(node, slot_index(unit, 0))) {
        space_prune(o, space, unit);
    }
}

/* The only node of a space is small enough to be searched word by word. */
static bool refill_from_only_node(const struct oracle *o, struct cursor *cursor) {
    if (cursor->space->root == 0) {
        return false;
    }
    const struct node *node = node_at(o, cursor->space->root);
    while (cursor->next < cursor->end) {
        const uint64_t word = cursor->next / 64, beyond = (word + 1) * 64;
        cursor->bits = node->used[word] & (~UINT64_C(0) << cursor->next % 64);
        if (cursor->end < beyond) {
            cursor->bits &= (UINT64_C(1) << cursor->end % 64) - 1;
        }
        cursor->next = beyond;
        if (cursor->bits != 0) {
            cursor->slot = &node->slot[word * 64];
            return true;
        }
    }
    return false;
}

bool cursor_refill(const struct oracle *o, struct cursor *cursor) {
    if (cursor->space->levels == 1) {
        return refill_from_only_node(o, cursor);
    }
    while (cursor->next < cursor->end && cursor->space->root != 0) {
        const struct node *node = node_at(o, cursor->space->root);
        unsigned level = cursor->space->levels, found;
        do {
            const unsigned wanted = slot_index(cursor->next, --level), shift = NODE_BITS * level;
            found = node_next(node, wanted);
            if (found != wanted) {
                cursor->next = ((cursor->next >> shift) + found - wanted) << shift;
            }
            node = level > 0 && found < NODE_SLOTS ? node_at(o, node->slot[found]) : node;
        } while (level > 0 && found < NODE_SLOTS);
        if (found < NODE_SLOTS && cursor->next < cursor->end) {
            const uint64_t left = cursor->end - cursor->next, word = found / 64;
            cursor->bits = node->used[word] & (~UINT64_C(0) << found % 64);
            cursor->slot = &node->slot[word * 64];
            cursor->next += 64 - found % 64;
            if (left < 64 - found % 64) {
                cursor->bits &= (UINT64_C(1) << (found % 64 + left)) - 1;
            }
            return true;
        }
    }
    return false;
}

/* ---- records ---- */

/* Makes a record and puts it into its space, without any links. */
static inline uint32_t record_make(struct oracle *o, const struct oracle_mapping *as) {
    uint32_t index = o->record_free;
    if (index != ORACLE_NONE) {
        o->record_free = o->records[index].next_free;
    } else if (o->record_fresh < o->record_limit) {
        index = o->record_fresh++;
    } else {
        return ORACLE_NONE;
    }
    struct record *record = &o->records[index];
    record->mapping = *as;
    record->hash = 0;
    record->mark = 0;
    record->losing = record->dropping = record->doomed = record->maybe = record->orphaned = 0;
    record->next_capability = record->previous_capability = ORACLE_NONE;
    return space_insert(o, space_of(o, as->pd, as->kind), as->unit, index) ? index : ORACLE_NONE;
}

/* The record has no links left. */
static inline void record_free(struct oracle *o, uint32_t index) {
    struct record *record = &o->records[index];
    space_erase(o, space_of(o, record->mapping.pd, record->mapping.kind), record->mapping.unit);
    record->next_free = o->record_free;
    o->record_free = index;
}

/* ---- derivation forest ---- */

static inline void attach(struct oracle *o, uint32_t index, uint32_t parent) {
    if (parent == ORACLE_NONE) {
        return;
    }
    struct oracle_mapping *m = mapping_of(o, index), *above = mapping_of(o, parent);
    m->parent = parent;
    m->next_sibling = above->first_child;
    if (above->first_child != ORACLE_NONE) {
        mapping_of(o, above->first_child)->previous_sibling = index;
    }
    above->first_child = index;
}

static inline void detach(struct oracle *o, uint32_t index) {
    struct oracle_mapping *m = mapping_of(o, index);
    if (m->parent == ORACLE_NONE) {
        return;
    }
    const uint32_t parent = m->parent;
    struct oracle_mapping *above = mapping_of(o, parent);
    if (m->previous_sibling != ORACLE_NONE) {
        mapping_of(o, m->previous_sibling)->next_sibling = m->next_sibling;
    } else {
        above->first_child = m->next_sibling;
    }
    if (m->next_sibling != ORACLE_NONE) {
        mapping_of(o, m->next_sibling)->previous_sibling = m->previous_sibling;
    }
    m->parent = m->next_sibling = m->previous_sibling = ORACLE_NONE;
    if (above->pd == ORACLE_PHYS && above->first_child == ORACLE_NONE) {
        record_free(o, parent);
    }
}

/* Adds a mapping, as it is now, to the digest, instead of as it was. */
static inline void rehash(struct oracle *o, uint32_t index) {
    struct record *record = &o->records[index];
    const struct oracle_mapping *m = &record->mapping;
    const struct oracle_mapping *above = m->parent == ORACLE_NONE ? NULL : mapping_of(o, m->parent);
    const uint64_t key = oracle_key(m->pd, m->kind, m->unit, m->resource, m->rights, above ? above->pd : ORACLE_NONE,
                                    above ? above->unit : 0);
    o->digest -= record->hash;
    record->hash = oracle_hash_keys(key, 0, 1);
    o->digest += record->hash;
}

void mapping_rehash(struct oracle *o, uint32_t index) {
    rehash(o, index);
}

void mapping_move(struct oracle *o, uint32_t index, uint32_t parent) {
    detach(o, index);
    attach(o, index, parent);
    rehash(o, index);
}

void mapping_lower(struct oracle *o, uint32_t index, uint8_t rights) {
    mapping_of(o, index)->rights = rights;
    rehash(o, index);
    note_change(o, mapping_of(o, index));
}

bool mapping_transfer(struct oracle *o, uint32_t index, uint32_t pd, uint64_t unit, uint8_t rights) {
    struct oracle_mapping *m = mapping_of(o, index);
    note_change(o, m);
    space_erase(o, space_of(o, m->pd, m->kind), m->unit);
    m->pd = pd;
    m->unit = unit;
    m->rights = rights;
    note_change(o, m);
    return space_insert(o, space_of(o, pd, m->kind), unit, index);
}

/* ---- extents ---- */

uint32_t extent_make(struct oracle *o, uint64_t first) {
    if (!o->keeps_extents) {
        return EXTENT_PHYS;
    }
    uint32_t extent = o->extent_free;
    if (extent != ORACLE_NONE) {
        o->extent_free = o->extents[extent].next_free;
    } else {
        extent = o->extent_fresh++;
    }
    o->extents[extent] = (struct extent){.first = first, .last = first};
    return extent;
}

static inline void extent_add(struct oracle *o, uint32_t extent, uint64_t unit) {
    o->extents[extent].units++;
    o->extents[extent].last = unit;
}

static inline void extent_remove(struct oracle *o, uint32_t extent) {
    if (--o->extents[extent].units == 0) {
        o->extents[extent].next_free = o->extent_free;
        o->extent_free = extent;
    }
}

void extent_change(struct oracle *o, uint32_t index, uint32_t extent) {
    struct oracle_mapping *m = mapping_of(o, index);
    if (o->keeps_extents) {
        extent_remove(o, m->extent);
        m->extent = extent;
        extent_add(o, extent, m->unit);
    }
}

/* ---- capabilities ---- */

static void capability_add(struct oracle *o, uint32_t index) {
    struct record *record = &o->records[index];
    struct named *named = named_of(o, (uint32_t)record->mapping.resource);
    record->next_capability = named->first_capability;
    if (named->first_capability != ORACLE_NONE) {
        o->records[named->first_capability].previous_capability = index;
    }
    named->first_capability = index;
    named->references++;
}

/* The kernel holds a reference to root; nothing else outlives its last capability. */
static void capability_remove(struct oracle *o, uint32_t index) {
    const struct record *record = &o->records[index];
    const uint32_t id = (uint32_t)record->mapping.resource;
    struct named *named = named_of(o, id);
    if (record->previous_capability != ORACLE_NONE) {
        o->records[record->previous_capability].next_capability = record->next_capability;
    } else {
        named->first_capability = record->next_capability;
    }
    if (record->next_capability != ORACLE_NONE) {
        o->records[record->next_capability].previous_capability = record->previous_capability;
    }
    if (--named->references == 0 && id != ORACLE_ROOT) {
        condemn_unnamed(o, id);
    }
}

/* ---- mappings ---- */

void note_change(struct oracle *o, const struct oracle_mapping *mapping) {
    o->changes[o->change_count++] =
        (struct oracle_change){.unit = mapping->unit, .pd = mapping->pd, .kind = mapping->kind};
}

uint32_t mapping_make(struct oracle *o, uint32_t parent, const struct oracle_mapping *as) {
    const uint32_t index = record_make(o, as);
    if (index == ORACLE_NONE) {
        return index;
    }
    attach(o, index, parent);
    if (o->keeps_extents) {
        extent_add(o, as->extent, as->unit);
    }
    if (as->kind == ABI_OBJ) {
        capability_add(o, index);
    }
    if (o->in_progress != 0) {
        inherit_cover(o, index, parent);
    }
    rehash(o, index);
    note_change(o, as);
    return index;
}

uint32_t phys_record(struct oracle *o, uint8_t kind, uint64_t unit) {
    const uint32_t index = space_at(o, space_of(o, ORACLE_PHYS, kind), unit);
    if (index != ORACLE_NONE) {
        return index;
    }
    return record_make(o, &(struct oracle_mapping){.unit = unit,
                                                   .resource = unit,
                                                   .pd = ORACLE_PHYS,
                                                   .kind = kind,
                                                   .rights = kind_rights(kind),
                                                   .parent = ORACLE_NONE,
                                                   .first_child = ORACLE_NONE,
                                                   .next_sibling = ORACLE_NONE,
                                                   .previous_sibling = ORACLE_NONE,
                                                   .extent = EXTENT_PHYS});
}

void mapping_remove(struct oracle *o, uint32_t index) {
    const struct oracle_mapping *m = mapping_of(o, index);
    note_change(o, m);
    while (m->first_child != ORACLE_NONE) {
        mapping_move(o, m->first_child, ORACLE_NONE);
    }
    o->digest -= o->records[index].hash;
    detach(o, index);
    if (o->keeps_extents) {
        extent_remove(o, m->extent);
    }
    if (m->kind == ABI_OBJ) {
        capability_remove(o, index);
    }
    record_free(o, index);
}
