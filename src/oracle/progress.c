/*
 * Operations in progress: what they cover, which answers of others fit while they do, and their end (semantics, section
 * 3, "Preemption").
 *
 * What is covered stays in the state as it was when it was covered, marked with who covers it, until that operation
 * returns. A PD or object all of whose capabilities may go is doomed, and with it what lies in it and derives from
 * that.
 */
#include "oracle/internal.h"

/* Sets of codes. */
enum {
    SAYS_OK = 1 << ABI_OK,
    SAYS_ARG = 1 << ABI_E_ARG,
    SAYS_CAP = 1 << ABI_E_CAP,
    SAYS_RIGHT = 1 << ABI_E_RIGHT,
    SAYS_DEAD = 1 << ABI_E_DEAD,
    SAYS_OVERLAP = 1 << ABI_E_OVERLAP,
    SAYS_MEM = 1 << ABI_E_MEM,
};

/* ---- what is covered ---- */

/* The rights that the operations of a set of bits take. */
static uint8_t rights_taken(const struct oracle *o, uint8_t operations) {
    uint8_t rights = 0;
    for (uint32_t n = 0; n < ORACLE_IN_PROGRESS; n++) {
        rights |= operations >> n & 1 ? o->operation[n].call.mask : 0;
    }
    return rights;
}

/* The rights that a mapping, if it is there, has in any case. */
static uint8_t rights_kept(const struct oracle *o, uint32_t index) {
    const struct record *record = &o->records[index];
    return record->doomed != 0 ? 0 : record->mapping.rights & (uint8_t)~rights_taken(o, record->losing);
}

/* Whether it will be gone when all that covers it has returned. */
static bool will_go(const struct oracle *o, uint32_t index) {
    const struct record *record = &o->records[index];
    return record->dropping != 0 || !rights_exist(o, record->mapping.kind, rights_kept(o, index));
}

void inherit_cover(struct oracle *o, uint32_t index, uint32_t parent) {
    struct record *record = &o->records[index];
    const struct oracle_mapping *m = &record->mapping;
    if (parent != ORACLE_NONE) {
        record->losing = o->records[parent].losing;
        record->maybe = o->records[parent].maybe;
        record->doomed = o->records[parent].doomed;
    }
    record->doomed |= o->pds[m->pd].named.doomed;
    if (m->kind == ABI_OBJ) {
        record->doomed |= named_of(o, (uint32_t)m->resource)->doomed;
    }
}

/* What is dropped has no children any more: they have moved up. */
static void move_children_up(struct oracle *o, uint32_t index) {
    while (mapping_of(o, index)->first_child != ORACLE_NONE) {
        mapping_move(o, mapping_of(o, index)->first_child, mapping_of(o, index)->parent);
    }
}

void make_room(struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit) {
    const uint32_t index = o->in_progress == 0 ? ORACLE_NONE : space_at(o, space_of(o, pd, kind), unit);
    if (index == ORACLE_NONE) {
        return;
    }
    if (o->records[index].dropping != 0) {
        move_children_up(o, index);
    }
    for (uint32_t i = mapping_of(o, index)->first_child; i != ORACLE_NONE; i = mapping_of(o, i)->next_sibling) {
        o->records[i].orphaned |= o->records[index].doomed;
    }
    mapping_remove(o, index);
}

/* Dooms what is covered by the present walk. */
static void doom_covered(struct oracle *o, uint8_t operations) {
    for (uint32_t n = 0; n < o->covered_count; n++) {
        o->records[o->covered[n]].doomed |= operations;
    }
}

/* What lies in a PD or names it goes with it, with what derives from that. */
static void doom_contents(struct oracle *o, uint32_t id, uint8_t operations) {
    for (uint8_t kind = 0; kind < ABI_KINDS && (id & ORACLE_OBJECT) == 0; kind++) {
        struct cursor cursor;
        cursor_init(&cursor, space_of(o, id, kind), 0, UINT64_C(1) << space_of(o, id, kind)->log2);
        cover_all(o, &cursor);
        doom_covered(o, operations);
    }
    begin_walk(o);
    for (uint32_t i = named_of(o, id)->first_capability; i != ORACLE_NONE; i = o->records[i].next_capability) {
        cover(o, i);
    }
    cover_subtrees(o, 0);
    doom_covered(o, operations);
}

/* The operations that will leave it without a capability, if all they cover is all it has. */
static uint8_t who_dooms(const struct oracle *o, const struct named *named) {
    uint8_t operations = 0;
    for (uint32_t i = named->first_capability; i != ORACLE_NONE; i = o->records[i].next_capability) {
        if (!will_go(o, i)) {
            return 0;
        }
        operations |= uncertainty(o, i);
    }
    return operations;
}

/* True: more operations doom it than was known. */
static bool doom(struct oracle *o, uint32_t id) {
    struct named *named = named_of(o, id);
    if (!named->alive || id == ORACLE_PHYS || id == ORACLE_ROOT) {
        return false;
    }
    const uint8_t operations = named->doomed | named->condemned | who_dooms(o, named);
    const bool more = operations != named->doomed;
    named->doomed = operations;
    if (operations != 0) {
        doom_contents(o, id, operations);
    }
    return more;
}

void spread_doom(struct oracle *o) {
    bool more = o->in_progress != 0;
    while (more) {
        more = false;
        for (uint32_t id = ORACLE_ROOT; id < o->pd_numbers.top; id++) {
            more |= doom(o, id);
        }
        for (uint32_t number = 0; number < o->object_numbers.top; number++) {
            more |= doom(o, ORACLE_OBJECT | number);
        }
    }
}

/* ---- begin and end ---- */

/* The nearest of a mapping and those that it derives from that an operation covers, or, if there is one further up, a
 * certain one; or ORACLE_NONE. */
static uint32_t covered_above(const struct oracle *o, uint32_t index, uint8_t bit) {
    uint32_t nearest = ORACLE_NONE;
    for (uint32_t above = index; above != ORACLE_NONE; above = mapping_of(o, above)->parent) {
        const struct record *record = &o->records[above];
        if ((record->losing & (uint8_t)~record->maybe & bit) != 0) {
            return above;
        }
        nearest = nearest == ORACLE_NONE && (record->losing & bit) != 0 ? above : nearest;
    }
    return nearest;
}

/* What the operation changes is covered, and what derives from that, changed or not. What others in progress are
 * taking may have been taken by now: then it changes nothing there. */
static void cover_losing(struct oracle *o, uint8_t bit, uint8_t mask) {
    for (uint32_t n = 0; n < o->covered_count; n++) {
        struct record *record = &o->records[o->covered[n]];
        const bool loses = (record->mapping.rights & mask) != 0, for_sure = (rights_kept(o, o->covered[n]) & mask) != 0;
        record->losing |= loses ? bit : 0;
        record->maybe |= loses && !for_sure ? bit : 0;
    }
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const uint32_t above = covered_above(o, o->covered[n], bit);
        struct record *record = &o->records[o->covered[n]];
        if (above != ORACLE_NONE) {
            record->losing |= bit;
            record->maybe = (uint8_t)((record->maybe & ~bit) | (o->records[above].maybe & bit));
        }
    }
}

uint32_t oracle_begin(struct oracle *o, const struct oracle_call *call) {
    uint32_t number = 0;
    while (number < ORACLE_IN_PROGRESS && (o->in_progress >> number & 1) != 0) {
        number++;
    }
    if (number == ORACLE_IN_PROGRESS) {
        return ORACLE_NONE;
    }
    const uint8_t bit = (uint8_t)(1U << number);
    o->change_count = o->destroyed_count = 0;
    o->in_progress |= bit;
    o->operation[number] = (struct operation){.call = *call, .victim = ORACLE_NONE};
    if (call->operation == ABI_DESTROY_PD) {
        named_of(o, o->plan.to)->condemned |= bit;
        o->operation[number].victim = o->plan.to;
    }
    const bool drops = call->operation == ABI_REVOKE && call->scope == ABI_DROP;
    for (uint32_t n = 0; n < o->covered_count && drops; n++) {
        o->records[o->covered[n]].dropping |= bit;
    }
    if (call->operation == ABI_REVOKE && !drops) {
        cover_losing(o, bit, call->mask);
    }
    spread_doom(o);
    return number;
}

typedef void visitor(struct oracle *o, uint32_t index, uint8_t operations);

/* Visits all mappings, PHYS aside. */
static void visit_all(struct oracle *o, uint8_t operations, visitor *visit) {
    for (uint32_t id = ORACLE_ROOT; id < o->pd_numbers.top; id++) {
        for (uint8_t kind = 0; kind < ABI_KINDS && o->pds[id].named.alive; kind++) {
            struct cursor cursor;
            cursor_init(&cursor, space_of(o, id, kind), 0, UINT64_C(1) << space_of(o, id, kind)->log2);
            for (uint32_t i = cursor_next(o, &cursor); i != ORACLE_NONE; i = cursor_next(o, &cursor)) {
                visit(o, i, operations);
            }
        }
    }
}

static void cover_taken(struct oracle *o, uint32_t index, uint8_t operations) {
    if (((o->records[index].losing | o->records[index].dropping) & operations) != 0) {
        cover(o, index);
    }
}

static void uncover(struct oracle *o, uint32_t index, uint8_t operations) {
    struct record *record = &o->records[index];
    record->losing &= (uint8_t)~operations;
    record->maybe &= (uint8_t)~operations;
    record->dropping &= (uint8_t)~operations;
    record->doomed &= (uint8_t)~operations;
}

static void cover_orphans(struct oracle *o, uint32_t index, uint8_t operations) {
    struct record *record = &o->records[index];
    const bool waits = (record->orphaned & operations) != 0;
    record->orphaned &= (uint8_t)~operations;
    if (waits && record->orphaned == 0) {
        cover(o, index);
    }
}

static void adopt(struct oracle *o, uint32_t index, uint8_t operations) {
    o->records[index].orphaned &= (uint8_t)~operations;
}

static void cover_dropping(struct oracle *o, uint32_t index, uint8_t operations) {
    if ((o->records[index].dropping & operations) != 0) {
        cover(o, index);
    }
}

void oracle_catch_up(struct oracle *o, oracle_there *there, void *context) {
    if (o->in_progress == 0) {
        return;
    }
    begin_walk(o);
    o->change_count = o->destroyed_count = 0;
    visit_all(o, o->in_progress, cover_dropping);
    for (uint32_t n = 0; n < o->covered_count; n++) {
        if (!there(context, mapping_of(o, o->covered[n]))) {
            move_children_up(o, o->covered[n]);
        }
    }
    spread_doom(o);
}

static void acquit(struct oracle *o, uint32_t id, uint8_t bit) {
    struct named *named = named_of(o, id);
    if (!named->alive || id == ORACLE_PHYS || id == ORACLE_ROOT) {
        return;
    }
    named->doomed &= (uint8_t)~bit;
    named->condemned &= (uint8_t)~bit;
    if (named->references == 0) {
        condemn_unnamed(o, id);
    }
}

void oracle_end(struct oracle *o, uint32_t number) {
    const struct oracle_call call = o->operation[number].call;
    const uint32_t victim = o->operation[number].victim;
    o->change_count = o->destroyed_count = 0;
    o->ending = (uint8_t)(1U << number);
    begin_walk(o);
    visit_all(o, o->ending, cover_taken);
    if (call.operation == ABI_REVOKE) {
        revoke_commit(o, &call);
    }
    begin_walk(o);
    visit_all(o, o->ending, cover_orphans);
    cover_subtrees(o, 0);
    take_rights(o, UINT8_MAX);
    visit_all(o, o->ending, uncover);
    for (uint32_t id = ORACLE_ROOT; id < o->pd_numbers.top; id++) {
        acquit(o, id, o->ending);
    }
    for (uint32_t n = 0; n < o->object_numbers.top; n++) {
        acquit(o, ORACLE_OBJECT | n, o->ending);
    }
    if (victim != ORACLE_NONE) {
        condemn(o, victim);
    }
    destroy_dying(o);
    o->in_progress &= (uint8_t)~o->ending;
    o->ending = 0;
    spread_doom(o);
}

void oracle_cancel(struct oracle *o, uint32_t number) {
    o->change_count = o->destroyed_count = 0;
    o->ending = (uint8_t)(1U << number);
    visit_all(o, o->ending, uncover);
    visit_all(o, o->ending, adopt);
    for (uint32_t id = ORACLE_ROOT; id < o->pd_numbers.top; id++) {
        acquit(o, id, o->ending);
    }
    for (uint32_t n = 0; n < o->object_numbers.top; n++) {
        acquit(o, ORACLE_OBJECT | n, o->ending);
    }
    destroy_dying(o);
    o->in_progress &= (uint8_t)~o->ending;
    o->ending = 0;
    spread_doom(o);
}

bool oracle_is_between(const struct oracle *o) {
    return o->in_progress != 0;
}

bool oracle_uncertain(const struct oracle_mapping *mapping) {
    const struct record *record = (const struct record *)(const void *)mapping; /* its first member */
    return (record->losing | record->dropping | record->doomed) != 0;
}

/* Of what is covered by the present walk, what operations in progress cover too. */
static void tell_shared(const struct oracle *o, oracle_shared *shared, void *context) {
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const struct record *record = &o->records[o->covered[n]];
        if ((record->losing | record->dropping) != 0) {
            shared(context, &record->mapping);
        }
    }
}

void oracle_each_shared(struct oracle *o, const struct oracle_call *call, oracle_shared *shared, void *context) {
    if (call->operation == ABI_REVOKE) {
        tell_shared(o, shared, context);
    }
    for (uint8_t kind = 0; kind < ABI_KINDS && call->operation == ABI_DESTROY_PD; kind++) {
        struct cursor cursor;
        cursor_init(&cursor, space_of(o, o->plan.to, kind), 0, UINT64_C(1) << space_of(o, o->plan.to, kind)->log2);
        cover_all(o, &cursor);
        tell_shared(o, shared, context);
    }
}

bool oracle_may_die(const struct oracle *o, uint32_t id) {
    return oracle_alive(o, id) && named_of(o, id)->doomed != 0;
}

bool oracle_is_dying(const struct oracle *o, uint32_t id) {
    return oracle_alive(o, id) && named_of(o, id)->condemned != 0;
}

/* ---- which answers fit ---- */

/* What can come of a capability's being looked up, with the right that is needed of it. */
static unsigned capability_says(const struct oracle *o, uint32_t caller, uint64_t selector, uint8_t right) {
    uint8_t rights = 0;
    const uint32_t pd = named_pd(o, caller, selector, &rights);
    if (pd == ORACLE_NONE) {
        return SAYS_CAP;
    }
    const uint32_t index = space_at(o, space_of(o, caller, ABI_OBJ), selector);
    const uint8_t doomed = named_of(o, pd)->doomed, least = rights_kept(o, index);
    const bool may_have = (rights & right) == right, must_have = (least & right) == right;
    unsigned says = uncertainty(o, index) != 0 ? (unsigned)SAYS_CAP : 0;
    says |= must_have ? 0 : (unsigned)SAYS_RIGHT;
    says |= may_have && doomed != 0 ? (unsigned)SAYS_DEAD : 0;
    says |= may_have && named_of(o, pd)->condemned == 0 ? (unsigned)SAYS_OK : 0;
    return says;
}

/* Of two capabilities: the first error in order wins. */
static unsigned both_say(unsigned a, unsigned b) {
    static const unsigned order[] = {SAYS_CAP, SAYS_RIGHT, SAYS_DEAD, SAYS_OK};
    unsigned says = 0;
    for (unsigned i = 0; i < sizeof(order) / sizeof(*order); i++) {
        unsigned later = 0;
        for (unsigned j = i; j < sizeof(order) / sizeof(*order); j++) {
            later |= order[j];
        }
        if (((a & order[i]) != 0 && (b & later) != 0) || ((b & order[i]) != 0 && (a & later) != 0)) {
            says |= order[i];
        }
    }
    return says;
}

/* Where OK may be said, so may E_MEM. */
static unsigned may_lack_memory(unsigned says) {
    return says | ((says & SAYS_OK) != 0 ? (unsigned)SAYS_MEM : 0);
}

/* What comes of a unit's having to be free; `filled`: it will be in any case. */
static unsigned obstacle_says(const struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit, bool filled) {
    const uint32_t index = space_at(o, space_of(o, pd, kind), unit);
    if (index == ORACLE_NONE) {
        return SAYS_OK;
    }
    return uncertainty(o, index) == 0 && filled ? (unsigned)SAYS_OVERLAP : (unsigned)(SAYS_OVERLAP | SAYS_OK);
}

/* One obstacle more: OK is said only if all say it. */
static unsigned and_says(unsigned a, unsigned b) {
    return ((a | b) & (unsigned)~SAYS_OK) | (a & b & SAYS_OK);
}

static unsigned create_says(const struct oracle *o, const struct oracle_call *call) {
    const bool is_object = call->operation == ABI_CREATE_OBJECT;
    const struct numbers *numbers = is_object ? &o->object_numbers : &o->pd_numbers;
    unsigned says = capability_says(o, call->caller, call->pd_selector, ABI_CREATE);
    if ((says & SAYS_OK) != 0) {
        says = and_says(says, obstacle_says(o, call->caller, ABI_OBJ, call->base, true));
    }
    if (numbers->lowest_free == numbers->limit && (says & SAYS_OK) != 0) {
        bool doomed = false;
        for (uint32_t n = 0; n < (is_object ? o->object_numbers.top : o->pd_numbers.top); n++) {
            doomed |= oracle_may_die(o, is_object ? n | ORACLE_OBJECT : n);
        }
        says = (says & ~(doomed ? 0u : (unsigned)SAYS_OK)) | SAYS_MEM;
    }
    return may_lack_memory(says);
}

/* Where a unit of the range would go. */
static uint64_t goes_to(const struct oracle *o, const struct oracle_call *call, uint32_t source) {
    return call->destination + (mapping_of(o, source)->unit - call->base);
}

/* Of the units to be filled. Each source in the plan is one whose rights may suffice. */
static unsigned units_say(const struct oracle *o, const struct oracle_call *call) {
    unsigned says = SAYS_OK;
    if (o->plan.from == ORACLE_PHYS) {
        for (uint64_t n = 0; n < o->plan.units; n++) {
            says = and_says(says, obstacle_says(o, o->plan.to, call->kind, call->destination + n, true));
        }
        return says;
    }
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const uint32_t source = o->covered[n];
        const bool certain = uncertainty(o, source) == 0;
        says = and_says(says, obstacle_says(o, o->plan.to, call->kind, goes_to(o, call, source), certain));
        says |= !certain && call->operation == ABI_GRANT ? (unsigned)SAYS_DEAD : 0;
    }
    return says;
}

static unsigned delegate_says(const struct oracle *o, const struct oracle_call *call) {
    unsigned says = call->to_cap ? capability_says(o, call->caller, call->pd_selector, remote_right(o, ABI_MAP))
                                 : (unsigned)SAYS_OK;
    if (call->place == ABI_PHYS && call->caller != ORACLE_ROOT) {
        return both_say(says, SAYS_RIGHT);
    }
    if ((says & SAYS_OK) != 0) {
        says = and_says(says, units_say(o, call));
    }
    return may_lack_memory(says);
}

static unsigned revoke_says(const struct oracle *o, const struct oracle_call *call) {
    unsigned says = SAYS_OK;
    if (call->filtered) {
        says = capability_says(o, call->caller, call->filter_selector, 0);
    }
    if (call->place == ABI_PLACE_CAP) {
        says = capability_says(o, call->caller, call->pd_selector, remote_right(o, ABI_REVOKE_RIGHT));
    } else if (call->place == ABI_PHYS && call->caller != ORACLE_ROOT) {
        return both_say(says, SAYS_RIGHT);
    }
    if ((says & SAYS_OK) == 0) {
        return says;
    }
    for (uint32_t n = 0; n < o->covered_count && call->scope == ABI_DROP; n++) {
        says |= uncertainty(o, o->covered[n]) != 0 ? (unsigned)SAYS_DEAD : 0;
    }
    /* What is stored as one range depends on how far the others are. */
    const bool may_cut = call->kind != ABI_OBJ && call->order < space_of(o, o->plan.from, call->kind)->log2;
    return may_cut ? may_lack_memory(says) : says;
}

static unsigned answers(const struct oracle *o, const struct oracle_call *call) {
    switch (call->operation) {
    case ABI_CREATE_PD:
    case ABI_CREATE_OBJECT:
        return create_says(o, call);
    case ABI_DELEGATE:
    case ABI_GRANT:
        return delegate_says(o, call);
    case ABI_REVOKE:
        return revoke_says(o, call);
    case ABI_DESTROY_PD:
        return capability_says(o, call->caller, call->pd_selector, ABI_DESTROY);
    case ABI_MOVE_QUOTA:
        return may_lack_memory(both_say(capability_says(o, call->caller, call->pd_selector, ABI_QUOTA),
                                        capability_says(o, call->caller, call->filter_selector, ABI_QUOTA)));
    case ABI_LOOKUP:
        return SAYS_OK;
    }
    return SAYS_ARG;
}

bool oracle_is_sure(const struct oracle *o, const struct oracle_call *call) {
    return (answers(o, call) & ~(unsigned)SAYS_MEM) == SAYS_OK;
}

/* ---- lookup ---- */

/* Whether a unit can look as if it belonged to a uniform range with m of which the rights are these. */
static bool may_be_uniform(const struct oracle *o, const struct oracle_mapping *m, uint64_t unit, uint8_t rights) {
    const uint32_t index = space_at(o, space_of(o, m->pd, m->kind), unit);
    if (index == ORACLE_NONE || mapping_of(o, index)->resource - m->resource != unit - m->unit) {
        return false;
    }
    const uint8_t most = mapping_of(o, index)->rights;
    const uint8_t least = uncertainty(o, index) == 0 ? most : rights_kept(o, index);
    return (rights & ~most) == 0 && (least & ~rights) == 0;
}

static bool lookup_fits(const struct oracle *o, const struct oracle_call *call, uint64_t value) {
    const struct space *space = space_of(o, call->caller, call->kind);
    const uint32_t index = space_at(o, space, call->base);
    const uint8_t rights = (uint8_t)(value & ((1U << ABI_VALUE_ORDER_SHIFT) - 1));
    const uint64_t order = value >> ABI_VALUE_ORDER_SHIFT;
    if (index == ORACLE_NONE || value == 0) {
        return value == 0 && (index == ORACLE_NONE || uncertainty(o, index) != 0);
    }
    const struct oracle_mapping *m = mapping_of(o, index);
    if (!rights_exist(o, call->kind, rights) || order > space->log2 || (call->kind == ABI_OBJ && order != 0) ||
        !may_be_uniform(o, m, m->unit, rights)) {
        return false;
    }
    const uint64_t units = UINT64_C(1) << order, first = m->unit & ~(units - 1);
    for (uint64_t n = 0; n < units; n++) {
        if (!may_be_uniform(o, m, first + n, rights)) {
            return false;
        }
    }
    bool ends = call->kind == ABI_OBJ || order == space->log2;
    for (uint64_t n = 0; n < units && !ends; n++) {
        const uint32_t other = space_at(o, space, (first ^ units) + n);
        ends = other == ORACLE_NONE || uncertainty(o, other) != 0 || !may_be_uniform(o, m, (first ^ units) + n, rights);
    }
    return ends;
}

/* ---- OK ---- */

/* Whether all that covers it may have found nothing to take: then it is as if none did. */
static bool may_be_uncovered(const struct oracle *o, uint32_t index) {
    const struct record *record = &o->records[index];
    return record->losing == record->maybe && record->dropping == 0 && record->doomed == 0;
}

/* Whether the destination of an uncertain source held a child of it before: then it does not tell that one was made. */
static bool had_child(const struct oracle *o, const struct oracle_call *call, uint32_t source) {
    const uint32_t there = space_at(o, space_of(o, o->plan.to, call->kind), goes_to(o, call, source));
    return there != ORACLE_NONE && mapping_of(o, there)->parent == source;
}

/* Whether an uncertain source was taken. A grant of what is covered is refused. */
static bool was_taken(const struct oracle *o, const struct oracle_call *call, uint32_t source, oracle_made *made,
                      void *context) {
    if (call->operation == ABI_GRANT) {
        return may_be_uncovered(o, source);
    }
    const struct oracle_mapping *m = mapping_of(o, source);
    struct oracle_mapping child = *m;
    child.pd = o->plan.to;
    child.unit = goes_to(o, call, source);
    child.rights = m->rights & call->mask;
    return made(context, &child, m);
}

/* Leaves in the plan what was really taken, which were so many. False: that needs a unit that is taken to be free. */
static bool plan_made(struct oracle *o, const struct oracle_call *call, uint64_t count, oracle_made *made,
                      void *context) {
    uint32_t kept = 0;
    uint64_t sure = 0;
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const uint32_t source = o->covered[n];
        sure +=
            uncertainty(o, source) == 0 || (!had_child(o, call, source) && was_taken(o, call, source, made, context));
    }
    o->stamp++;
    for (uint32_t n = 0; n < o->covered_count; n++) {
        const uint32_t source = o->covered[n];
        bool taken = uncertainty(o, source) == 0 || was_taken(o, call, source, made, context);
        if (taken && uncertainty(o, source) != 0 && had_child(o, call, source)) {
            taken = sure < count;
            sure += taken;
        }
        if (taken) {
            o->covered[kept++] = source;
            o->records[source].mark = o->stamp;
        }
    }
    o->covered_count = kept;
    o->plan.units = kept;
    for (uint32_t n = 0; n < kept; n++) {
        const uint32_t there = space_at(o, space_of(o, o->plan.to, call->kind), goes_to(o, call, o->covered[n]));
        if (there != ORACLE_NONE && is_covered(o, there)) {
            return false;
        }
    }
    return true;
}

static void mark_plan(struct oracle *o) {
    o->stamp++;
    for (uint32_t n = 0; n < o->covered_count; n++) {
        o->records[o->covered[n]].mark = o->stamp;
    }
}

/* Whether the kernel's OK says that an uncertain source was gone: where it would go is taken, by what stays or by
 * another source; or it would have been a grant of what is being revoked. */
static bool was_gone(const struct oracle *o, const struct oracle_call *call, uint32_t source, bool stays) {
    const uint32_t there = space_at(o, space_of(o, o->plan.to, call->kind), goes_to(o, call, source));
    const bool in_the_way = there != ORACLE_NONE && (is_covered(o, there) || !will_go(o, there));
    return uncertainty(o, source) != 0 && (in_the_way || (call->operation == ABI_GRANT && !stays));
}

/* The same where nobody can tell, and operations in progress may be over. What is certain, or only loses rights, was
 * taken; each of the rest may have been, which changes nothing that lasts: what derives from it goes with it. */
static bool moved_likely(struct oracle *o, const struct oracle_call *call, uint64_t value, uint64_t *fits) {
    uint32_t kept = 0;
    uint64_t least = 0;
    const uint64_t most = o->covered_count;
    mark_plan(o);
    for (uint32_t n = 0; n < most; n++) {
        const uint32_t source = o->covered[n];
        const bool stays = !will_go(o, source) && rights_exist(o, call->kind, rights_kept(o, source) & call->mask);
        if (!was_gone(o, call, source, stays)) {
            least += uncertainty(o, source) == 0 || stays;
            o->covered[kept++] = source;
        }
    }
    o->plan.units = o->covered_count = kept;
    const uint64_t limit = call->operation == ABI_GRANT ? least : most;
    *fits = value < least ? least : value > limit ? limit : value;
    mark_plan(o);
    for (uint32_t n = 0; n < kept; n++) {
        const uint32_t there = space_at(o, space_of(o, o->plan.to, call->kind), goes_to(o, call, o->covered[n]));
        if (there != ORACLE_NONE && is_covered(o, there)) {
            return false;
        }
    }
    return true;
}

/* What is dropped was there, and is not being revoked, for all that is known; `over`: unless that is over. */
static void drop_certain_only(struct oracle *o, bool over) {
    uint32_t kept = 0;
    for (uint32_t n = 0; n < o->covered_count; n++) {
        if (may_be_uncovered(o, o->covered[n]) || (over && !will_go(o, o->covered[n]))) {
            o->covered[kept++] = o->covered[n];
        }
    }
    o->covered_count = kept;
}

/* Of the codes that may be said the one that was decided is what was expected, or that something is being taken, or
 * else the lowest. */
static enum oracle_fit wrong_code(struct oracle_result *result, unsigned says) {
    if (says != 0 && (says >> result->code & 1) == 0) {
        result->code = says & SAYS_DEAD ? ABI_E_DEAD : (enum abi_code)__builtin_ctz(says);
    }
    return ORACLE_WRONG_CODE;
}

enum oracle_fit oracle_fits(struct oracle *o, const struct oracle_call *call, struct oracle_result *result,
                            enum abi_code code, uint64_t value, oracle_made *made, void *context) {
    const bool creates = call->operation == ABI_CREATE_PD || call->operation == ABI_CREATE_OBJECT;
    const bool moves = call->operation == ABI_DELEGATE || call->operation == ABI_GRANT;
    const unsigned says = result->code == ABI_E_ARG ? (unsigned)SAYS_ARG : answers(o, call);
    if ((says >> code & 1) == 0) {
        return wrong_code(result, says);
    }
    result->code = code;
    if (call->operation == ABI_LOOKUP && code == ABI_OK) {
        result->value = lookup_fits(o, call, value) ? value : result->value;
        return lookup_fits(o, call, value) ? ORACLE_FITS : ORACLE_WRONG_VALUE;
    }
    result->value = 0;
    result->created = ORACLE_NONE;
    if (code == ABI_OK && creates) {
        const struct numbers *numbers = call->operation == ABI_CREATE_PD ? &o->pd_numbers : &o->object_numbers;
        result->created = numbers->lowest_free | (call->operation == ABI_CREATE_PD ? 0 : ORACLE_OBJECT);
    }
    if (code == ABI_OK && moves && made == NULL && o->plan.from != ORACLE_PHYS) {
        if (!moved_likely(o, call, value, &result->value)) {
            return wrong_code(result, SAYS_OVERLAP);
        }
    } else if (code == ABI_OK && moves) {
        if (o->plan.from != ORACLE_PHYS && !plan_made(o, call, value, made, context)) {
            return wrong_code(result, SAYS_OVERLAP);
        }
        result->value = o->plan.units;
    }
    if (code == ABI_OK && call->operation == ABI_REVOKE && call->scope == ABI_DROP) {
        drop_certain_only(o, made == NULL);
    }
    return result->value == value ? ORACLE_FITS : ORACLE_WRONG_VALUE;
}
