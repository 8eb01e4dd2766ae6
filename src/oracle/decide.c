/*
 * Decide: the checks of every operation, in the order in which its errors win, and its result. Changes nothing.
 */
#include "oracle/internal.h"

static bool kind_known(const struct oracle *o, uint8_t kind) {
    return kind < ABI_KINDS && (o->geometry.kinds >> kind & 1) != 0;
}

static uint8_t kind_log2(const struct oracle *o, uint32_t pd, uint8_t kind) {
    return space_of(o, pd, kind)->log2;
}

static bool mask_known(uint8_t kind, uint8_t mask) {
    return (mask & ~kind_rights(kind)) == 0;
}

static bool unit_inside(uint64_t unit, uint8_t log2) {
    return unit >> log2 == 0;
}

/* Aligned, and inside a space of that size: an aligned range is inside if its base is. */
static bool range_valid(uint64_t base, uint8_t order, uint8_t log2) {
    return order <= log2 && unit_inside(base, log2) && (base & ((UINT64_C(1) << order) - 1)) == 0;
}

/* Neither range nor flags. */
static bool is_plain(const struct oracle_call *call) {
    return (call->kind | call->place | call->scope | call->order | call->mask) == 0 && !call->to_cap && !call->filtered;
}

uint32_t named_pd(const struct oracle *o, uint32_t caller, uint64_t selector, uint8_t *rights) {
    if (!unit_inside(selector, o->geometry.obj_log2)) {
        return ORACLE_NONE;
    }
    const uint32_t index = space_at(o, space_of(o, caller, ABI_OBJ), selector);
    if (index == ORACLE_NONE || (mapping_of(o, index)->resource & ORACLE_OBJECT) != 0) {
        return ORACLE_NONE;
    }
    *rights = mapping_of(o, index)->rights;
    return (uint32_t)mapping_of(o, index)->resource;
}

/* What the caller's capability at a selector is good for: OK if it names a PD, *pd, and has that right (0: none
 * needed). */
static enum abi_code check_capability(const struct oracle *o, uint32_t caller, uint64_t selector, uint8_t right,
                                      uint32_t *pd) {
    uint8_t rights = 0;
    *pd = named_pd(o, caller, selector, &rights);
    if (*pd == ORACLE_NONE) {
        return ABI_E_CAP;
    }
    return (rights & right) == right ? ABI_OK : ABI_E_RIGHT;
}

uint8_t remote_right(const struct oracle *o, uint8_t right) {
    return o->policy.pd_cap_is_authority ? 0 : right;
}

/* create_pd, create_object; both need a free number. */
static enum abi_code check_create(struct oracle *o, const struct oracle_call *call, const struct numbers *numbers) {
    if (!is_plain(call) || !unit_inside(call->base, o->geometry.obj_log2)) {
        return ABI_E_ARG;
    }
    const enum abi_code payer = check_capability(o, call->caller, call->pd_selector, ABI_CREATE, &o->plan.to);
    if (payer != ABI_OK) {
        return payer;
    }
    if (space_at(o, space_of(o, call->caller, ABI_OBJ), call->base) != ORACLE_NONE) {
        return ABI_E_OVERLAP;
    }
    return numbers->lowest_free < numbers->limit ? ABI_OK : ABI_E_MEM;
}

static bool delegate_arguments_valid(const struct oracle *o, const struct oracle_call *call) {
    if (call->scope != 0 || call->filtered || !kind_known(o, call->kind) || call->place > ABI_PHYS) {
        return false;
    }
    const bool phys = call->place == ABI_PHYS, grant = call->operation == ABI_GRANT;
    if ((phys && (call->kind == ABI_OBJ || grant)) || (grant && o->policy.no_grant)) {
        return false;
    }
    return range_valid(call->base, call->order,
                       kind_log2(o, phys ? (uint32_t)ORACLE_PHYS : call->caller, call->kind)) &&
           range_valid(call->destination, call->order, kind_log2(o, call->caller, call->kind)) &&
           (call->kind != ABI_PIO || call->destination == call->base) && mask_known(call->kind, call->mask);
}

/* delegate, grant */
static enum abi_code check_delegate(struct oracle *o, const struct oracle_call *call, uint64_t *count) {
    bool occupied;
    if (!delegate_arguments_valid(o, call)) {
        return ABI_E_ARG;
    }
    o->plan.from = call->place == ABI_PHYS ? (uint32_t)ORACLE_PHYS : call->caller;
    o->plan.to = call->caller;
    if (call->to_cap) {
        const enum abi_code destination =
            check_capability(o, call->caller, call->pd_selector, remote_right(o, ABI_MAP), &o->plan.to);
        if (destination != ABI_OK) {
            return destination;
        }
    }
    if (call->place == ABI_PHYS && call->caller != ORACLE_ROOT) {
        return ABI_E_RIGHT;
    }
    *count = delegate_plan(o, call, &occupied);
    return occupied ? ABI_E_OVERLAP : ABI_OK;
}

static bool revoke_arguments_valid(const struct oracle *o, const struct oracle_call *call) {
    if (call->to_cap || !kind_known(o, call->kind) || call->place >= ABI_PLACES || call->scope >= ABI_SCOPES) {
        return false;
    }
    const bool phys = call->place == ABI_PHYS;
    if (phys && (call->kind == ABI_OBJ || call->scope != ABI_CHILDREN)) {
        return false;
    }
    if (call->filtered && (call->place == ABI_PLACE_CAP || call->scope != ABI_CHILDREN)) {
        return false;
    }
    return range_valid(call->base, call->order,
                       kind_log2(o, phys ? (uint32_t)ORACLE_PHYS : call->caller, call->kind)) &&
           mask_known(call->kind, call->mask);
}

static enum abi_code check_revoke(struct oracle *o, const struct oracle_call *call) {
    if (!revoke_arguments_valid(o, call)) {
        return ABI_E_ARG;
    }
    if (call->filtered) {
        const enum abi_code filter = check_capability(o, call->caller, call->filter_selector, 0, &o->plan.to);
        if (filter != ABI_OK) {
            return filter;
        }
    }
    if (call->place == ABI_PLACE_CAP) {
        return check_capability(o, call->caller, call->pd_selector, remote_right(o, ABI_REVOKE_RIGHT), &o->plan.from);
    }
    o->plan.from = call->place == ABI_PHYS ? (uint32_t)ORACLE_PHYS : call->caller;
    return call->place == ABI_PHYS && call->caller != ORACLE_ROOT ? ABI_E_RIGHT : ABI_OK;
}

static enum abi_code check_destroy_pd(struct oracle *o, const struct oracle_call *call) {
    if (!is_plain(call)) {
        return ABI_E_ARG;
    }
    return check_capability(o, call->caller, call->pd_selector, ABI_DESTROY, &o->plan.to);
}

/* Both capabilities are looked up before the rights of either. */
static enum abi_code check_move_quota(struct oracle *o, const struct oracle_call *call) {
    if (!is_plain(call)) {
        return ABI_E_ARG;
    }
    const enum abi_code from = check_capability(o, call->caller, call->pd_selector, ABI_QUOTA, &o->plan.from);
    const enum abi_code to = check_capability(o, call->caller, call->filter_selector, ABI_QUOTA, &o->plan.to);
    if (from == ABI_E_CAP || to == ABI_E_CAP) {
        return ABI_E_CAP;
    }
    return from != ABI_OK ? from : to;
}

static enum abi_code check_lookup(const struct oracle *o, const struct oracle_call *call) {
    if (call->place != 0 || call->scope != 0 || call->order != 0 || call->mask != 0 || call->to_cap || call->filtered ||
        !kind_known(o, call->kind) || !unit_inside(call->base, kind_log2(o, call->caller, call->kind))) {
        return ABI_E_ARG;
    }
    return ABI_OK;
}

/* Whether all units of a range are mapped as if they belonged to one uniform range with m. */
static bool is_uniform(const struct oracle *o, const struct oracle_mapping *m, uint64_t first, uint64_t units) {
    struct cursor cursor;
    cursor_init(&cursor, space_of(o, m->pd, m->kind), first, first + units);
    for (uint64_t n = 0; n < units; n++) {
        const uint32_t index = cursor_next(o, &cursor);
        if (index == ORACLE_NONE) {
            return false;
        }
        const struct oracle_mapping *other = mapping_of(o, index);
        if (other->rights != m->rights || other->resource - m->resource != other->unit - m->unit) {
            return false;
        }
    }
    return true;
}

/* The rights of a unit and the largest uniform range around it, as lookup returns them. */
static uint64_t lookup_value(const struct oracle *o, const struct oracle_call *call) {
    const uint32_t index = space_at(o, space_of(o, call->caller, call->kind), call->base);
    if (index == ORACLE_NONE) {
        return 0;
    }
    const struct oracle_mapping *m = mapping_of(o, index);
    uint64_t order = 0;
    /* Uniform up to `order`: what is missing for the next one is the other half. */
    while (call->kind != ABI_OBJ && order < kind_log2(o, call->caller, call->kind) &&
           is_uniform(o, m, ((m->unit >> order) ^ 1) << order, UINT64_C(1) << order)) {
        order++;
    }
    return m->rights | order << ABI_VALUE_ORDER_SHIFT;
}

static void decide_create(struct oracle *o, const struct oracle_call *call, struct oracle_result *result) {
    const bool is_object = call->operation == ABI_CREATE_OBJECT;
    const struct numbers *numbers = is_object ? &o->object_numbers : &o->pd_numbers;
    result->code = check_create(o, call, numbers);
    if (result->code == ABI_OK) {
        result->created = numbers->lowest_free | (is_object ? ORACLE_OBJECT : 0);
        result->payer = o->plan.to;
        result->may_fail = true;
    }
}

static void decide_delegate(struct oracle *o, const struct oracle_call *call, struct oracle_result *result) {
    uint64_t count = 0;
    result->code = check_delegate(o, call, &count);
    if (result->code == ABI_OK) {
        result->value = count;
        result->payer = o->plan.to;
        result->may_fail = true;
    }
}

static void decide_move_quota(struct oracle *o, const struct oracle_call *call, struct oracle_result *result) {
    result->code = check_move_quota(o, call);
    result->may_fail = result->code == ABI_OK && call->base != 0 && o->plan.from != o->plan.to;
    result->payer = result->may_fail ? o->plan.from : ORACLE_NONE;
}

struct oracle_result oracle_decide(struct oracle *o, const struct oracle_call *call) {
    struct oracle_result result = {.code = ABI_E_ARG, .created = ORACLE_NONE, .payer = ORACLE_NONE};
    switch (call->operation) {
    case ABI_CREATE_PD:
    case ABI_CREATE_OBJECT:
        decide_create(o, call, &result);
        break;
    case ABI_DELEGATE:
    case ABI_GRANT:
        decide_delegate(o, call, &result);
        break;
    case ABI_REVOKE:
        result.code = check_revoke(o, call);
        result.may_fail = result.code == ABI_OK;
        if (result.code == ABI_OK) {
            revoke_plan(o, call);
        }
        break;
    case ABI_DESTROY_PD:
        result.code = check_destroy_pd(o, call);
        break;
    case ABI_MOVE_QUOTA:
        decide_move_quota(o, call, &result);
        break;
    case ABI_LOOKUP:
        result.code = check_lookup(o, call);
        result.value = result.code == ABI_OK ? lookup_value(o, call) : 0;
        break;
    }
    return result;
}
