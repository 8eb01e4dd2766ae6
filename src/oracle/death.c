/*
 * Destruction of PDs and plain objects: a work list, so that a cascade of any length needs no stack.
 */
#include "oracle/internal.h"

void condemn(struct oracle *o, uint32_t id) {
    struct named *named = named_of(o, id);
    if (!named->dying) {
        named->dying = true;
        o->dying[o->dying_count++] = id;
    }
}

void condemn_unnamed(struct oracle *o, uint32_t id) {
    if ((named_of(o, id)->doomed & (uint8_t)~o->ending) == 0) {
        condemn(o, id);
    }
}

/* Everything in a space goes, with what others derived from it. */
static void clear_space(struct oracle *o, uint32_t pd, uint8_t kind) {
    struct cursor cursor;
    if (space_of(o, pd, kind)->units == 0) {
        return;
    }
    cursor_init(&cursor, space_of(o, pd, kind), 0, UINT64_C(1) << space_of(o, pd, kind)->log2);
    cover_all(o, &cursor);
    take_rights(o, kind_rights(kind));
}

/* Whoever was to get something back from that PD's account gives to its payer from now on. */
static void hand_over(struct oracle *o, uint32_t pd) {
    const uint32_t heir = o->pds[pd].named.payer;
    for (uint32_t id = ORACLE_ROOT; id < o->pd_numbers.top; id++) {
        struct named *named = &o->pds[id].named;
        named->payer = named->payer == pd ? heir : named->payer;
    }
    for (uint32_t number = 0; number < o->object_numbers.top; number++) {
        struct named *named = &o->objects[number];
        named->payer = named->payer == pd ? heir : named->payer;
    }
}

static void destroy(struct oracle *o, uint32_t id) {
    const bool is_object = (id & ORACLE_OBJECT) != 0;
    const uint32_t number = id & ~ORACLE_OBJECT;
    struct numbers *numbers = is_object ? &o->object_numbers : &o->pd_numbers;
    struct named *named = named_of(o, id);
    for (uint8_t kind = 0; kind < ABI_KINDS && !is_object; kind++) {
        clear_space(o, id, kind);
    }
    while (named->first_capability != ORACLE_NONE) {
        mapping_remove(o, named->first_capability);
    }
    if (!is_object) {
        hand_over(o, id);
    }
    for (uint32_t n = 0; n < ORACLE_IN_PROGRESS; n++) {
        o->operation[n].victim = o->operation[n].victim == id ? ORACLE_NONE : o->operation[n].victim;
    }
    named->alive = named->dying = false;
    named->doomed = named->condemned = 0;
    numbers->lowest_free = number < numbers->lowest_free ? number : numbers->lowest_free;
    o->destroyed[o->destroyed_count++] = id;
}

void destroy_dying(struct oracle *o) {
    while (o->dying_count > 0) {
        destroy(o, o->dying[--o->dying_count]);
    }
}
