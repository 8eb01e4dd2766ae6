/*
 * The oracle's memory, its boot state, and looking into it. What operations do is in decide.c, delegate.c,
 * revoke.c and death.c.
 */
#include "oracle/internal.h"

enum { ALIGNMENT = 64 };

/* Offsets of the arrays behind struct oracle. */
struct layout {
    size_t pds, objects, records, extents, nodes, covered, changes, dying, destroyed, size;
    size_t node_bytes;
    uint32_t node_limit;
};

static uint8_t log2_of(const struct oracle_geometry *geometry, uint32_t pd, unsigned kind) {
    const uint8_t of_pd[ABI_KINDS] = {geometry->mem_log2, geometry->pio_log2, geometry->obj_log2};
    return pd == ORACLE_PHYS && kind == ABI_MEM ? geometry->phys_log2 : of_pd[kind];
}

static uint8_t levels_of(uint8_t log2) {
    return (uint8_t)(log2 <= NODE_BITS ? 1 : (log2 + NODE_BITS - 1) / NODE_BITS);
}

/* Nodes of a space of which every unit is mapped. */
static uint64_t nodes_of(uint8_t log2) {
    uint64_t nodes = 1;
    for (int left = log2 - NODE_BITS; left > 0; left -= NODE_BITS) {
        nodes += UINT64_C(1) << left;
    }
    return nodes;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Enough for any state of a small geometry. Of a large one, for 4096 ranges anywhere, and as many units as there are
 * records if most of them have neighbours. */
static uint32_t node_limit_of(const struct oracle_geometry *geometry, uint32_t mappings) {
    const uint64_t of_ports = nodes_of(geometry->pio_log2);
    const uint64_t of_pd = nodes_of(geometry->mem_log2) + of_ports + nodes_of(geometry->obj_log2);
    const uint64_t all = geometry->pds * of_pd + nodes_of(geometry->phys_log2) + of_ports;
    const uint64_t levels = levels_of(geometry->mem_log2);
    const uint64_t scattered = least(mappings, 4096) * levels + mappings / 64;
    return (uint32_t)least(all, scattered) + LEVELS_MAX;
}

static size_t place(size_t *size, uint64_t count, size_t bytes) {
    const size_t offset = *size;
    *size = (offset + (size_t)count * bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
}

static struct layout layout_of(const struct oracle_geometry *geometry, uint32_t mappings) {
    struct layout l = {.node_limit = node_limit_of(geometry, mappings)};
    unsigned bits = 0;
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        const uint8_t log2 = log2_of(geometry, ORACLE_ROOT, kind);
        bits = log2 > bits ? log2 : bits;
    }
    bits = geometry->phys_log2 > bits ? geometry->phys_log2 : bits;
    const size_t slots = bits < NODE_BITS ? (size_t)1 << bits : (size_t)NODE_SLOTS;
    l.node_bytes = (sizeof(struct node) + slots * sizeof(uint32_t) + 7) / 8 * 8;
    (void)place(&l.size, 1, sizeof(struct oracle));
    l.pds = place(&l.size, (uint64_t)geometry->pds + 1, sizeof(struct pd));
    l.objects = place(&l.size, geometry->objects, sizeof(struct named));
    l.records = place(&l.size, mappings, sizeof(struct record));
    l.extents =
        place(&l.size, (uint64_t)mappings + 2, sizeof(struct extent)); /* PHYS; one about to get its first unit */
    l.nodes = place(&l.size, l.node_limit, l.node_bytes);
    l.covered = place(&l.size, mappings, sizeof(uint32_t));
    /* A unit may lose rights or get another parent, and then go when its PD dies; or it moves, its rights cut as it
     * does. */
    l.changes = place(&l.size, (uint64_t)mappings * 2, sizeof(struct oracle_change));
    l.dying = place(&l.size, (uint64_t)geometry->pds + geometry->objects, sizeof(uint32_t));
    l.destroyed = place(&l.size, (uint64_t)geometry->pds + geometry->objects, sizeof(uint32_t));
    return l;
}

static void spaces_init(struct oracle *o, uint32_t id) {
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        const uint8_t log2 = log2_of(&o->geometry, id, kind);
        o->pds[id].spaces[kind] = (struct space){.levels = levels_of(log2), .log2 = log2};
    }
}

/* Takes the lowest free number; `flag` makes it an id. */
static uint32_t take_id(struct oracle *o, struct numbers *numbers, uint32_t flag) {
    const uint32_t id = numbers->lowest_free | flag;
    if (numbers->lowest_free == numbers->top) {
        numbers->top++;
    }
    do {
        numbers->lowest_free++;
    } while (oracle_alive(o, numbers->lowest_free | flag));
    return id;
}

/* A new PD or object without capabilities. Spaces of a PD that died are empty and stay as they are. */
static uint32_t named_make(struct oracle *o, bool is_object, uint32_t payer) {
    struct numbers *numbers = is_object ? &o->object_numbers : &o->pd_numbers;
    const bool fresh = numbers->lowest_free == numbers->top;
    const uint32_t id = take_id(o, numbers, is_object ? ORACLE_OBJECT : 0);
    if (fresh && !is_object) {
        spaces_init(o, id);
    }
    *named_of(o, id) = (struct named){.first_capability = ORACLE_NONE, .payer = payer, .alive = true};
    return id;
}

/* A new PD or object, named by a root mapping with these rights. */
static bool create(struct oracle *o, bool is_object, uint32_t payer, uint32_t creator, uint64_t selector,
                   uint8_t rights) {
    const struct numbers *numbers = is_object ? &o->object_numbers : &o->pd_numbers;
    if (numbers->lowest_free == numbers->limit) {
        return false; /* those that an operation in progress destroys may be gone: it cannot be judged */
    }
    make_room(o, creator, ABI_OBJ, selector);
    const struct oracle_mapping as = {.unit = selector,
                                      .resource = named_make(o, is_object, payer),
                                      .pd = creator,
                                      .kind = ABI_OBJ,
                                      .rights = rights,
                                      .parent = ORACLE_NONE,
                                      .first_child = ORACLE_NONE,
                                      .next_sibling = ORACLE_NONE,
                                      .previous_sibling = ORACLE_NONE,
                                      .extent = extent_make(o, selector)};
    return mapping_make(o, ORACLE_NONE, &as) != ORACLE_NONE;
}

/* Nodes, records and extents that were used are simply forgotten: each is set up when it is taken for the first time.
 */
static void boot(struct oracle *o) {
    o->record_fresh = 0;
    o->record_free = ORACLE_NONE;
    o->node_fresh = o->node_free = o->node_count = 0;
    o->extent_fresh = EXTENT_PHYS + 1;
    o->extent_free = ORACLE_NONE;
    o->extents[EXTENT_PHYS] = (struct extent){.copy = ORACLE_NONE};
    o->stamp = 0;
    o->digest = 0;
    o->pd_numbers = (struct numbers){.limit = o->geometry.pds + 1};
    o->object_numbers = (struct numbers){.limit = o->geometry.objects};
    o->dying_count = o->destroyed_count = o->change_count = 0;
    o->in_progress = o->ending = 0;
    for (uint32_t n = 0; n < ORACLE_IN_PROGRESS; n++) {
        o->operation[n].victim = ORACLE_NONE;
    }
    (void)named_make(o, false, ORACLE_NONE); /* PHYS */
    (void)create(o, false, ORACLE_NONE, ORACLE_ROOT, ABI_ROOT_SELECTOR,
                 ABI_CREATE | ABI_MAP | ABI_REVOKE_RIGHT | ABI_QUOTA);
    o->change_count = 0;
}

/* ---- taking over ---- */

void oracle_adopt_nothing(struct oracle *o) {
    boot(o);
    o->digest = 0;
    mapping_remove(o, space_at(o, space_of(o, ORACLE_ROOT, ABI_OBJ), ABI_ROOT_SELECTOR));
    o->change_count = 0;
}

uint32_t oracle_adopt(struct oracle *o, uint32_t bit) {
    const struct numbers *numbers = bit != 0 ? &o->object_numbers : &o->pd_numbers;
    return numbers->lowest_free == numbers->limit ? ORACLE_NONE : named_make(o, bit != 0, ORACLE_NONE);
}

void oracle_adopt_payer(struct oracle *o, uint32_t id, uint32_t payer) {
    named_of(o, id)->payer = payer;
}

bool oracle_adopt_mapping(struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit, uint64_t resource,
                          uint8_t rights) {
    if (oracle_at(o, pd, kind, unit) != NULL) {
        return false;
    }
    o->change_count = 0;
    return mapping_make(o, ORACLE_NONE,
                        &(struct oracle_mapping){.unit = unit,
                                                 .resource = resource,
                                                 .pd = pd,
                                                 .kind = kind,
                                                 .rights = rights,
                                                 .parent = ORACLE_NONE,
                                                 .first_child = ORACLE_NONE,
                                                 .next_sibling = ORACLE_NONE,
                                                 .previous_sibling = ORACLE_NONE,
                                                 .extent = extent_make(o, unit)}) != ORACLE_NONE;
}

bool oracle_adopt_parent(struct oracle *o, uint8_t kind, uint32_t pd, uint64_t unit, uint32_t parent_pd,
                         uint64_t parent_unit) {
    const bool is_phys = parent_pd == ORACLE_PHYS && parent_unit < phys_end(o, kind);
    const uint32_t parent =
        is_phys ? phys_record(o, kind, parent_unit) : space_at(o, space_of(o, parent_pd, kind), parent_unit);
    if (parent == ORACLE_NONE) {
        return false;
    }
    mapping_move(o, space_at(o, space_of(o, pd, kind), unit), parent);
    return true;
}

size_t oracle_size(const struct oracle_geometry *geometry, uint32_t mappings) {
    return layout_of(geometry, mappings).size;
}

struct oracle *oracle_init(void *memory, size_t size, const struct oracle_geometry *geometry,
                           const struct oracle_policy *policy, uint32_t mappings) {
    const struct layout l = layout_of(geometry, mappings);
    if (size < l.size || mappings == 0) {
        return NULL;
    }
    unsigned char *bytes = memory;
    struct oracle *o = memory;
    *o = (struct oracle){
        .geometry = *geometry,
        .policy = *policy,
        .keeps_extents = policy->own_self == ORACLE_EXTENT || policy->child == ORACLE_EXTENT || policy->keep_old,
        .pds = (void *)(bytes + l.pds),
        .objects = (void *)(bytes + l.objects),
        .records = (void *)(bytes + l.records),
        .record_limit = mappings,
        .extents = (void *)(bytes + l.extents),
        .nodes = bytes + l.nodes,
        .node_bytes = l.node_bytes,
        .node_limit = l.node_limit,
        .covered = (void *)(bytes + l.covered),
        .changes = (void *)(bytes + l.changes),
        .dying = (void *)(bytes + l.dying),
        .destroyed = (void *)(bytes + l.destroyed),
    };
    boot(o);
    return o;
}

void oracle_reset(struct oracle *o) {
    boot(o);
}

bool oracle_commit(struct oracle *o, const struct oracle_call *call) {
    bool done = true;
    o->change_count = o->destroyed_count = 0;
    switch (call->operation) {
    case ABI_CREATE_PD:
    case ABI_CREATE_OBJECT:
        done = create(o, call->operation == ABI_CREATE_OBJECT, o->plan.to, call->caller, call->base,
                      call->operation == ABI_CREATE_OBJECT ? o->policy.object_rights : (uint8_t)ABI_OBJ_RIGHTS);
        break;
    case ABI_DELEGATE:
        done = delegate_commit(o, call);
        break;
    case ABI_GRANT:
        done = grant_commit(o, call);
        break;
    case ABI_REVOKE:
        revoke_commit(o, call);
        break;
    case ABI_DESTROY_PD:
        condemn(o, o->plan.to);
        break;
    case ABI_MOVE_QUOTA:
    case ABI_LOOKUP:
        break;
    }
    destroy_dying(o);
    spread_doom(o);
    return done;
}

const struct oracle_change *oracle_changes(const struct oracle *o, uint32_t *count) {
    *count = o->change_count;
    return o->changes;
}

const uint32_t *oracle_destroyed(const struct oracle *o, uint32_t *count) {
    *count = o->destroyed_count;
    return o->destroyed;
}

/* A space without mappings where there is no such PD or kind. */
static const struct space *space_asked_for(const struct oracle *o, uint32_t pd, uint8_t kind) {
    static const struct space empty = {0};
    return pd < o->pd_numbers.top && kind < ABI_KINDS ? space_of(o, pd, kind) : &empty;
}

static struct oracle_mapping *mapping_or_null(const struct oracle *o, uint32_t index) {
    return index == ORACLE_NONE ? NULL : mapping_of(o, index);
}

struct oracle_mapping *oracle_at(const struct oracle *o, uint32_t pd, uint8_t kind, uint64_t unit) {
    const struct space *space = space_asked_for(o, pd, kind);
    return unit >> space->log2 != 0 ? NULL : mapping_or_null(o, space_at(o, space, unit));
}

struct oracle_mapping *oracle_record(const struct oracle *o, uint32_t index) {
    return mapping_or_null(o, index);
}

struct oracle_mapping *oracle_next(const struct oracle *o, uint32_t pd, uint8_t kind, uint64_t from) {
    const struct space *space = space_asked_for(o, pd, kind);
    struct cursor cursor;
    cursor_init(&cursor, space, from, UINT64_C(1) << space->log2);
    return mapping_or_null(o, cursor_next(o, &cursor));
}

uint64_t oracle_units(const struct oracle *o, uint32_t pd, uint8_t kind) {
    const bool in_phys = pd == ORACLE_PHYS && (kind == ABI_MEM || kind == ABI_PIO);
    return in_phys ? phys_end(o, kind) : space_asked_for(o, pd, kind)->units;
}

const struct oracle_policy *oracle_policy_of(const struct oracle *o) {
    return &o->policy;
}

uint64_t oracle_digest(const struct oracle *o) {
    return o->digest;
}

bool oracle_alive(const struct oracle *o, uint32_t id) {
    const struct numbers *numbers = (id & ORACLE_OBJECT) != 0 ? &o->object_numbers : &o->pd_numbers;
    return (id & ~ORACLE_OBJECT) < numbers->top && named_of(o, id)->alive;
}

uint32_t oracle_pd_limit(const struct oracle *o) {
    return o->pd_numbers.top;
}

uint32_t oracle_object_limit(const struct oracle *o) {
    return o->object_numbers.top;
}

uint32_t oracle_references(const struct oracle *o, uint32_t id) {
    return oracle_alive(o, id) ? named_of(o, id)->references : 0;
}

uint32_t oracle_payer(const struct oracle *o, uint32_t id) {
    return oracle_alive(o, id) ? named_of(o, id)->payer : ORACLE_NONE;
}

uint64_t oracle_selector(const struct oracle *o, uint32_t caller, uint32_t id) {
    uint64_t lowest = UINT64_C(1) << o->geometry.obj_log2;
    for (uint32_t i = oracle_references(o, id) == 0 ? ORACLE_NONE : named_of(o, id)->first_capability; i != ORACLE_NONE;
         i = o->records[i].next_capability) {
        const struct oracle_mapping *m = mapping_of(o, i);
        if (m->pd == caller && m->unit < lowest) {
            lowest = m->unit;
        }
    }
    return lowest;
}

uint32_t oracle_objects(const struct oracle *o) {
    uint32_t count = 0;
    for (uint32_t number = 0; number < o->object_numbers.top; number++) {
        count += named_of(o, ORACLE_OBJECT | number)->alive;
    }
    return count;
}

uint32_t oracle_paid(const struct oracle *o, uint32_t pd) {
    uint32_t count = 0;
    for (uint32_t number = 0; number < o->object_numbers.top; number++) {
        const struct named *object = named_of(o, ORACLE_OBJECT | number);
        count += object->alive && object->payer == pd;
    }
    return count;
}
