/*
 * Decide: the checks of every operation, in the order in which its errors win, and its result. Changes nothing.
 */
#include "oracle/internal.h"

static bool kind_known(const struct oracle *o, uint8_t kind) {
    return (kind == ABI_MEM || kind == ABI_OBJ) && (o->geometry.kinds >> kind & 1) != 0;
}

static uint8_t kind_log2(const struct oracle *o, uint8_t kind) {
    return kind == ABI_MEM ? o->geometry.mem_log2 : o->geometry.obj_log2;
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

/* What the caller's capability at a selector is good for: OK if it names a PD and has that right (0: none needed). */
static enum abi_code check_capability(const struct oracle *o, uint32_t caller, uint64_t selector, uint8_t right) {
    uint8_t rights = 0;
    if (named_pd(o, caller, selector, &rights) == ORACLE_NONE) {
        return ABI_E_CAP;
    }
    return (rights & right) == right ? ABI_OK : ABI_E_RIGHT;
}

static uint8_t remote_right(const struct oracle *o, uint8_t right) {
    return o->policy.pd_cap_is_authority ? 0 : right;
}

static enum abi_code check_create_pd(const struct oracle *o, const struct oracle_call *call) {
    if (call->kind != 0 || call->place != 0 || call->scope != 0 || call->order != 0 || call->mask != 0 ||
        call->to_cap || call->filtered || !unit_inside(call->base, o->geometry.obj_log2)) {
        return ABI_E_ARG;
    }
    const enum abi_code payer = check_capability(o, call->caller, call->pd_selector, ABI_CREATE);
    if (payer != ABI_OK) {
        return payer;
    }
    if (space_at(o, space_of(o, call->caller, ABI_OBJ), call->base) != ORACLE_NONE) {
        return ABI_E_OVERLAP;
    }
    return o->pd_count < o->geometry.pds ? ABI_OK : ABI_E_MEM;
}

static bool delegate_arguments_valid(const struct oracle *o, const struct oracle_call *call) {
    if (call->scope != 0 || call->filtered || !kind_known(o, call->kind)) {
        return false;
    }
    const uint8_t log2 = kind_log2(o, call->kind);
    const bool phys = call->place == ABI_PHYS;
    return (call->place == ABI_OWN || (phys && call->kind != ABI_OBJ)) &&
           range_valid(call->base, call->order, phys ? o->geometry.phys_log2 : log2) &&
           range_valid(call->destination, call->order, log2) && mask_known(call->kind, call->mask);
}

static enum abi_code check_delegate(struct oracle *o, const struct oracle_call *call, uint64_t *count) {
    bool occupied;
    if (!delegate_arguments_valid(o, call)) {
        return ABI_E_ARG;
    }
    if (call->to_cap) {
        const enum abi_code destination =
            check_capability(o, call->caller, call->pd_selector, remote_right(o, ABI_MAP));
        if (destination != ABI_OK) {
            return destination;
        }
    }
    if (call->place == ABI_PHYS && call->caller != ORACLE_ROOT) {
        return ABI_E_RIGHT;
    }
    *count = delegate_count(o, call, &occupied);
    return occupied ? ABI_E_OVERLAP : ABI_OK;
}

static uint8_t revoke_log2(const struct oracle *o, const struct oracle_call *call) {
    return call->place == ABI_PHYS ? o->geometry.phys_log2 : kind_log2(o, call->kind);
}

static bool revoke_arguments_valid(const struct oracle *o, const struct oracle_call *call) {
    if (call->to_cap || !kind_known(o, call->kind) || call->place >= ABI_PLACES || call->scope >= ABI_SCOPES ||
        !range_valid(call->base, call->order, revoke_log2(o, call)) || !mask_known(call->kind, call->mask)) {
        return false;
    }
    if (call->place == ABI_PHYS && (call->kind == ABI_OBJ || call->scope != ABI_CHILDREN)) {
        return false;
    }
    return !call->filtered || (call->place != ABI_PLACE_CAP && call->scope == ABI_CHILDREN);
}

static enum abi_code check_revoke(const struct oracle *o, const struct oracle_call *call) {
    if (!revoke_arguments_valid(o, call)) {
        return ABI_E_ARG;
    }
    if (call->filtered) {
        const enum abi_code filter = check_capability(o, call->caller, call->filter_selector, 0);
        if (filter != ABI_OK) {
            return filter;
        }
    }
    if (call->place == ABI_PLACE_CAP) {
        return check_capability(o, call->caller, call->pd_selector, remote_right(o, ABI_REVOKE_RIGHT));
    }
    return call->place == ABI_PHYS && call->caller != ORACLE_ROOT ? ABI_E_RIGHT : ABI_OK;
}

static enum abi_code check_destroy_pd(const struct oracle *o, const struct oracle_call *call) {
    if (call->kind != 0 || call->place != 0 || call->scope != 0 || call->order != 0 || call->mask != 0 ||
        call->to_cap || call->filtered) {
        return ABI_E_ARG;
    }
    return check_capability(o, call->caller, call->pd_selector, ABI_DESTROY);
}

static enum abi_code check_lookup(const struct oracle *o, const struct oracle_call *call) {
    if (call->place != 0 || call->scope != 0 || call->order != 0 || call->mask != 0 || call->to_cap || call->filtered ||
        !kind_known(o, call->kind) || !unit_inside(call->base, kind_log2(o, call->kind))) {
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
    while (call->kind != ABI_OBJ && order < kind_log2(o, call->kind) &&
           is_uniform(o, m, ((m->unit >> order) ^ 1) << order, UINT64_C(1) << order)) {
        order++;
    }
    return m->rights | order << ABI_VALUE_ORDER_SHIFT;
}

struct oracle_result oracle_decide(struct oracle *o, const struct oracle_call *call) {
    struct oracle_result result = {.code = ABI_E_ARG, .value = 0, .created = ORACLE_NONE, .may_fail = false};
    switch (call->operation) {
    case ABI_CREATE_PD:
        result.code = check_create_pd(o, call);
        result.created = result.code == ABI_OK ? o->pd_lowest_free : ORACLE_NONE;
        result.may_fail = result.code == ABI_OK;
        break;
    case ABI_DELEGATE:
        result.code = check_delegate(o, call, &result.value);
        result.value = result.code == ABI_OK ? result.value : 0;
        result.may_fail = result.code == ABI_OK;
        break;
    case ABI_REVOKE:
        result.code = check_revoke(o, call);
        /* Only a revoke of less than the space can cut what a kernel stores as one range; an OBJ range is one unit. */
        result.may_fail = result.code == ABI_OK && call->kind == ABI_MEM && call->order < revoke_log2(o, call);
        break;
    case ABI_DESTROY_PD:
        result.code = check_destroy_pd(o, call);
        break;
    case ABI_CREATE_OBJECT:
    case ABI_GRANT:
    case ABI_MOVE_QUOTA:
        break;
    case ABI_LOOKUP:
        result.code = check_lookup(o, call);
        result.value = result.code == ABI_OK ? lookup_value(o, call) : 0;
        break;
    }
    return result;
}
