/*
 * Who is who: names of the sequence, the oracle's ids, and the target's indices of PDs and plain objects.
 */
#include "harness/internal.h"

uint32_t kernel_pd(const struct harness *harness, uint32_t id) {
    if (id == ORACLE_PHYS)
        return RESCIND_PD_PHYS;
    return id < harness->id_limit ? harness->kernel_of[id] : RESCIND_NONE;
}

uint32_t oracle_id(const struct harness *harness, uint64_t kernel) {
    if (kernel == RESCIND_PD_PHYS)
        return ORACLE_PHYS;
    if (kernel < harness->target->pd_limit)
        return harness->id_of[kernel];
    uint64_t object = kernel ^ RESCIND_OBJECT;
    return object < harness->target->object_limit ? harness->object_id_of[object] : ORACLE_NONE;
}

static uint32_t *kernel_slot(struct harness *harness, uint32_t id) {
    return id & ORACLE_OBJECT ? &harness->object_kernel_of[id ^ ORACLE_OBJECT] : &harness->kernel_of[id];
}

/* Whether the target has a PD or object of that index (RESCIND_OBJECT: an object). */
static bool target_has(const struct harness *harness, uint32_t kernel) {
    struct rescind_pd_view pd;
    struct rescind_object_view object;
    return kernel & RESCIND_OBJECT ? harness->target->object(kernel ^ RESCIND_OBJECT, &object)
                                   : harness->target->pd(kernel, &pd);
}

void bind_id(struct harness *harness, uint32_t id, uint32_t kernel) {
    *kernel_slot(harness, id) = kernel;
    if (kernel & RESCIND_OBJECT)
        harness->object_id_of[kernel ^ RESCIND_OBJECT] = id;
    else
        harness->id_of[kernel] = id;
}

static void unbind(struct harness *harness, uint32_t id) {
    uint32_t *kernel = kernel_slot(harness, id);
    if (*kernel != RESCIND_NONE && (id & ORACLE_OBJECT))
        harness->object_id_of[*kernel ^ RESCIND_OBJECT] = ORACLE_NONE;
    else if (*kernel != RESCIND_NONE)
        harness->id_of[*kernel] = ORACLE_NONE;
    *kernel = RESCIND_NONE;
    if (id & ORACLE_OBJECT)
        return;
    for (uint32_t i = 0; i < harness->nesting.depth; i++)
        harness->suspended[i].caller_died |= harness->suspended[i].step.call.caller == id;
    if (harness->id_of_name[harness->name_of[id]] == id)
        harness->id_of_name[harness->name_of[id]] = ORACLE_NONE;
    for (uint32_t cpu = 0; cpu < harness->cpus; cpu++) {
        if (harness->runs[cpu] == id)
            harness->runs[cpu] = ORACLE_NONE;
    }
}

void bind_boot(struct harness *harness) {
    for (uint32_t name = 0; name < SEQ_NAMES; name++)
        harness->id_of_name[name] = ORACLE_NONE;
    for (uint32_t id = 0; id < harness->id_limit; id++)
        harness->kernel_of[id] = RESCIND_NONE;
    for (uint32_t pd = 0; pd < harness->target->pd_limit; pd++)
        harness->id_of[pd] = ORACLE_NONE;
    for (uint32_t i = 0; i < harness->objects_bound; i++) {
        if (harness->object_kernel_of[i] != RESCIND_NONE)
            harness->object_id_of[harness->object_kernel_of[i] ^ RESCIND_OBJECT] = ORACLE_NONE;
        harness->object_kernel_of[i] = RESCIND_NONE;
    }
    harness->objects_bound = 0;
    for (uint32_t cpu = 0; cpu < HARNESS_CPUS; cpu++)
        harness->runs[cpu] = ORACLE_NONE;
    harness->runs[0] = ORACLE_ROOT;
    harness->id_of_name[0] = ORACLE_ROOT;
    harness->name_of[ORACLE_ROOT] = 0;
    bind_id(harness, ORACLE_ROOT, harness->target->root_pd);
}

/* Of what the log says came or went, the PD or object that is alive and not bound. RESCIND_NONE: there is none. */
static uint32_t find_created(const struct harness *harness, bool object) {
    const struct rescind_target *target = harness->target;
    const struct rescind_log *log = &harness->log;
    uint32_t limit = object ? target->object_limit : target->pd_limit;
    uint32_t count = log->overflow ? limit : object ? log->object_count : log->pd_count;
    const uint32_t *listed = object ? log->objects : log->pds;
    uint32_t bit = object ? RESCIND_OBJECT : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kernel = (log->overflow ? i : listed[i]) | bit;
        if (oracle_id(harness, kernel) == ORACLE_NONE && target_has(harness, kernel))
            return kernel;
    }
    return RESCIND_NONE;
}

/* Where calls overlap, the index may be that of one that died a moment ago, of which it is not known yet that it is
 * gone. Nothing else is made meanwhile: it is the last of the list that is alive. */
static uint32_t find_replaced(struct harness *harness, bool object) {
    const struct rescind_log *log = &harness->log;
    const uint32_t *listed = object ? log->objects : log->pds;
    uint32_t bit = object ? RESCIND_OBJECT : 0;
    for (uint32_t i = object ? log->object_count : log->pd_count; i-- > 0 && harness->target->overlaps;) {
        uint32_t kernel = listed[i] | bit, id = oracle_id(harness, kernel);
        if (id == ORACLE_NONE || !target_has(harness, kernel) || !oracle_may_die(harness->oracle, id))
            continue;
        unbind(harness, id);
        return kernel;
    }
    return RESCIND_NONE;
}

static void bind_created(struct harness *harness, uint32_t id) {
    bool object = id & ORACLE_OBJECT;
    uint32_t kernel = find_created(harness, object);
    kernel = kernel == RESCIND_NONE ? find_replaced(harness, object) : kernel;
    if (object) {
        uint32_t number = id ^ ORACLE_OBJECT;
        harness->objects_bound = number >= harness->objects_bound ? number + 1 : harness->objects_bound;
    } else {
        harness->name_of[id] = harness->step.op->name;
        harness->id_of_name[harness->step.op->name] = id;
    }
    if (kernel == RESCIND_NONE)
        note(harness, FLAW_PD_ABSENT, id, ABI_OBJ, 0);
    else
        bind_id(harness, id, kernel);
}

/* What came or went is what the oracle says. */
static void compare_listed(struct harness *harness, const uint32_t *listed, uint32_t count, uint32_t bit) {
    for (uint32_t i = 0; i < count; i++) {
        bool alive = target_has(harness, listed[i] | bit);
        uint32_t id = oracle_id(harness, listed[i] | bit);
        bool just_died = harness->target->overlaps && !alive && oracle_may_die(harness->oracle, id);
        if (alive != (id != ORACLE_NONE) && !just_died)
            note(harness, alive ? FLAW_PD_APPEARED : FLAW_PD_DIED, id, ABI_OBJ, 0);
    }
}

static void unbind_one(struct harness *harness, uint32_t kernel) {
    uint32_t id = kernel == RESCIND_NONE ? ORACLE_NONE : oracle_id(harness, kernel);
    if (id != ORACLE_NONE && oracle_may_die(harness->oracle, id) && !target_has(harness, kernel))
        unbind(harness, id);
}

void unbind_gone(struct harness *harness) {
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++)
        unbind_one(harness, harness->kernel_of[id]);
    for (uint32_t i = 0; i < harness->objects_bound; i++)
        unbind_one(harness, harness->object_kernel_of[i]);
}

void bind_changes(struct harness *harness) {
    const struct rescind_log *log = &harness->log;
    uint32_t count = 0;
    const uint32_t *destroyed = harness->committed ? oracle_destroyed(harness->oracle, &count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kernel = *kernel_slot(harness, destroyed[i]);
        if (kernel != RESCIND_NONE && target_has(harness, kernel))
            note(harness, FLAW_PD_SURVIVED, destroyed[i], ABI_OBJ, 0);
        unbind(harness, destroyed[i]);
    }
    if (harness->committed && harness->result.created != ORACLE_NONE)
        bind_created(harness, harness->result.created);
    compare_listed(harness, log->pds, log->pd_count, 0);
    compare_listed(harness, log->objects, log->object_count, RESCIND_OBJECT);
}
