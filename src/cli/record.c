/*
 * Writes down what a run did in the form that an executable model can check.
 */
#include "cli/record.h"

#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PD_NAME_MAX = 16, UNIT_NAME_MAX = 48 };

void record_init(struct record *record, const struct rescind_target *target) {
    *record = (struct record){.ops = json_array(), .results = json_array(), .kinds = target->kinds};
}

static const char *pd_name(const struct record *record, uint32_t pd, char name[PD_NAME_MAX]) {
    if (pd == ORACLE_PHYS)
        snprintf(name, PD_NAME_MAX, "PHYS");
    else if (pd == ORACLE_ROOT)
        snprintf(name, PD_NAME_MAX, "root");
    else if (pd & ORACLE_OBJECT)
        snprintf(name, PD_NAME_MAX, "r%u",
                 (pd ^ ORACLE_OBJECT) < record->objects ? record->objects_by[pd ^ ORACLE_OBJECT] : 0);
    else
        snprintf(name, PD_NAME_MAX, "r%u", pd < record->pds ? record->created_by[pd] : 0);
    return name;
}

static const char *kind_name(const struct record *record, uint8_t kind) {
    static const char *const names[ABI_KINDS] = {[ABI_MEM] = "MEM", [ABI_PIO] = "PIO", [ABI_OBJ] = "OBJ"};
    return kind < ABI_KINDS && (record->kinds >> kind & 1) ? names[kind] : "unknown";
}

/* Every field of an operation and every unit fits: the largest space has 2^35 units. */
static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

/* ---- operations ---- */

static json_t *delegate_json(const char *caller, const char *kind, const struct oracle_call *call) {
    static const char *const sources[] = {"own", "PHYS", "unknown", "unknown"};
    json_t *to = call->to_cap ? number(call->pd_selector) : json_string("self");
    return json_pack("[s, s, s, s, o, i, o, o, i]", call->operation == ABI_GRANT ? "grant" : "delegate", caller, kind,
                     sources[call->place & 3], number(call->base), call->order, to, number(call->destination),
                     call->mask);
}

static json_t *revoke_json(const char *caller, const char *kind, const struct oracle_call *call) {
    static const char *const scopes[] = {"children", "self", "drop", "unknown"};
    static const char *const places[] = {"own", "PHYS", NULL, "unknown"};
    const char *place = places[call->place & 3];
    return json_pack("[s, s, s, o, i, i, s, o, o]", "revoke", caller, kind, number(call->base), call->order, call->mask,
                     scopes[call->scope & 3], place ? json_string(place) : number(call->pd_selector),
                     call->filtered ? number(call->filter_selector) : json_null());
}

/* What the harness does itself. */
static json_t *harness_json(const struct harness_step *step, const char *kind, const char *pd) {
    switch (step->op->code) {
    case SEQ_ACCESS:
        return json_pack("[s, i, s, o, i]", "access", (int)step->cpu, kind, number(step->op->base), step->op->mask);
    case SEQ_SWITCH:
        return json_pack("[s, i, s]", "switch", (int)step->cpu, step->is_void ? "void" : pd);
    case SEQ_RESUME:
        return json_pack("[s]", "resume");
    default:
        return json_pack("[s, i]", "oom", step->op->mask);
    }
}

static json_t *op_json(const struct record *record, const struct harness_step *step, uint32_t index) {
    const struct oracle_call *call = &step->call;
    char caller_name[PD_NAME_MAX], own_name[OPERATION_NAME_MAX];
    const char *kind = kind_name(record, call->kind);
    const char *caller = pd_name(record, call->caller, caller_name);
    if (!step->is_call)
        return harness_json(step, kind, caller);
    if (step->is_void)
        return json_pack("[s, s]", cli_operation_name(step->op, own_name), "void");
    switch (call->operation) {
    case ABI_CREATE_PD:
        snprintf(own_name, sizeof own_name, "r%u", index);
        return json_pack("[s, s, o, o, o, s]", "create_pd", caller, number(call->pd_selector), number(call->base),
                         number(call->destination), own_name);
    case ABI_CREATE_OBJECT:
        snprintf(own_name, sizeof own_name, "r%u", index);
        return json_pack("[s, s, o, o, s]", "create_object", caller, number(call->pd_selector), number(call->base),
                         own_name);
    case ABI_MOVE_QUOTA:
        return json_pack("[s, s, o, o, o]", "move_quota", caller, number(call->pd_selector),
                         number(call->filter_selector), number(call->base));
    case ABI_DELEGATE:
    case ABI_GRANT:
        return delegate_json(caller, kind, call);
    case ABI_REVOKE:
        return revoke_json(caller, kind, call);
    case ABI_DESTROY_PD:
        return json_pack("[s, s, o]", "destroy_pd", caller, number(call->pd_selector));
    case ABI_LOOKUP:
        return json_pack("[s, s, s, o]", "lookup", caller, kind, number(call->base));
    }
    return json_pack("[s, s]", "unknown", caller);
}

/* ---- results ---- */

static json_t *value_json(const struct harness_step *step) {
    uint64_t value = step->value;
    if (step->code != ABI_OK)
        return json_null();
    if (!step->is_call)
        return step->op->code == SEQ_ACCESS ? number(value) : json_null();
    if (step->call.operation == ABI_DELEGATE || step->call.operation == ABI_GRANT)
        return number(value);
    if (step->call.operation == ABI_LOOKUP && value != 0)
        return json_pack("[i, i]", (int)(value & 0xff), (int)(value >> ABI_VALUE_ORDER_SHIFT & 0xff));
    return json_null();
}

static json_t *result_json(const struct harness_step *step) {
    if (step->is_void)
        return json_pack("[s, n]", "VOID");
    if (step->faulted)
        return json_pack("[s, n]", "FAULT");
    return json_pack("[s, o]", cli_code_name(step->code), value_json(step));
}

/* Notes at an id by which operation it was created. */
static void bind_name(uint32_t **created_by, uint32_t *limit, uint32_t id, uint32_t index) {
    if (id >= *limit) {
        uint32_t grown = 2 * id + 64;
        uint32_t *ids = allocate(grown * sizeof *ids);
        if (*limit)
            memcpy(ids, *created_by, *limit * sizeof *ids);
        free(*created_by);
        *created_by = ids;
        *limit = grown;
    }
    (*created_by)[id] = index;
}

/* Operations up to `index` that have no step of their own. */
static void record_resumes(struct record *record, uint32_t index) {
    while (json_array_size(record->ops) < index) {
        json_array_append_new(record->ops, json_pack("[s]", "resume"));
        json_array_append_new(record->results, json_pack("[s, n]", cli_code_name(ABI_OK)));
    }
}

void record_step(struct record *record, const struct harness_step *step, uint32_t index) {
    record_resumes(record, index);
    json_array_append_new(record->ops, op_json(record, step, index));
    json_array_append_new(record->results, result_json(step));
    if (step->created == ORACLE_NONE)
        return;
    if (step->created & ORACLE_OBJECT)
        bind_name(&record->objects_by, &record->objects, step->created ^ ORACLE_OBJECT, index);
    else
        bind_name(&record->created_by, &record->pds, step->created, index);
}

/* ---- state ---- */

static json_t *mapping_json(const struct record *record, const struct oracle *oracle,
                            const struct oracle_mapping *mapping) {
    char name[PD_NAME_MAX], parent_name[UNIT_NAME_MAX];
    json_t *resource = mapping->kind == ABI_OBJ ? json_string(pd_name(record, (uint32_t)mapping->resource, name))
                                                : number(mapping->resource);
    json_t *parent = json_null();
    if (mapping->parent != ORACLE_NONE) {
        const struct oracle_mapping *above = oracle_record(oracle, mapping->parent);
        snprintf(parent_name, sizeof parent_name, "%s/%s/%llu", pd_name(record, above->pd, name),
                 kind_name(record, above->kind), (unsigned long long)above->unit);
        parent = json_string(parent_name);
    }
    return json_pack("[o, i, o]", resource, mapping->rights, parent);
}

static json_t *space_json(const struct record *record, const struct oracle *oracle, uint32_t pd, uint8_t kind) {
    json_t *space = json_object();
    struct oracle_mapping *mapping = oracle_next(oracle, pd, kind, 0);
    while (mapping) {
        char unit[UNIT_NAME_MAX];
        uint64_t next = mapping->unit + 1;
        snprintf(unit, sizeof unit, "%llu", (unsigned long long)mapping->unit);
        json_object_set_new(space, unit, mapping_json(record, oracle, mapping));
        mapping = oracle_next(oracle, pd, kind, next);
    }
    return space;
}

void record_state(struct record *record, const struct oracle *oracle, uint32_t operations) {
    static const char *const kinds[ABI_KINDS] = {[ABI_MEM] = "MEM", [ABI_PIO] = "PIO", [ABI_OBJ] = "OBJ"};
    record_resumes(record, operations);
    record->state = json_object();
    for (uint32_t pd = ORACLE_ROOT; pd < oracle_pd_limit(oracle); pd++) {
        for (uint8_t kind = 0; kind < ABI_KINDS && oracle_alive(oracle, pd); kind++) {
            char name[PD_NAME_MAX], space[UNIT_NAME_MAX];
            bool known = record->kinds >> kind & 1;
            snprintf(space, sizeof space, "%s/%s", pd_name(record, pd, name), kinds[kind]);
            json_object_set_new(record->state, space, known ? space_json(record, oracle, pd, kind) : json_object());
        }
    }
}

json_t *record_take(struct record *record) {
    json_t *state = record->state ? record->state : json_null();
    json_t *taken = json_pack("{s: o, s: o, s: o}", "results", record->results, "ops", record->ops, "state", state);
    free(record->created_by);
    free(record->objects_by);
    *record = (struct record){0};
    return taken;
}
