/* Decoding, in the order in which errors win: E_ARG, E_CAP, E_RIGHT, E_DEAD; then the invocation's own (semantics,
 * section 2). */
#include "syscall.h"

#include "account.h"
#include "cover.h"
#include "index.h"
#include "invoke.h"
#include "pd.h"
#include "tlb.h"

enum {
    FIELD_OPERATION = 0xff,
    FIELD_KIND = 3 << ABI_KIND_SHIFT,
    FIELD_PLACE = 3 << ABI_PLACE_SHIFT,
    FIELD_SCOPE = 3 << ABI_SCOPE_SHIFT,
    FIELD_TO_CAP = 1 << ABI_TO_CAP_SHIFT,
    FIELD_FILTER = 1 << ABI_FILTER_SHIFT,
    FIELD_ORDER = 0xff << ABI_ORDER_SHIFT,
};
#define FIELD_MASK (UINT64_C(0xff) << ABI_MASK_SHIFT)

/* A system call being decoded. */
struct call {
    struct pd *caller;
    const uint64_t *word;
    unsigned kind, place, scope, order, mask;
    bool to_cap, filtered;
};

static bool only_fields(const struct call *call, uint64_t fields) {
    return (call->word[0] & ~(fields | FIELD_OPERATION)) == 0;
}

static unsigned space_log2(unsigned kind) {
    static const uint8_t log2[ABI_KINDS] = {GEO_MEM_LOG2, GEO_PIO_LOG2, GEO_OBJ_LOG2};
    return log2[kind];
}

/* Of a PD's space, or of the one in PHYS. */
static unsigned place_log2(const struct call *call) {
    return call->place == ABI_PHYS && call->kind == ABI_MEM ? GEO_PHYS_LOG2 : space_log2(call->kind);
}

static bool mask_defined(unsigned kind, unsigned mask) {
    static const uint8_t rights[ABI_KINDS] = {ABI_MEM_RIGHTS, ABI_PIO_RIGHTS, ABI_OBJ_RIGHTS};
    return (mask & ~(unsigned)rights[kind]) == 0;
}

/* Whether 2^order units from base are an aligned range in a space of 2^log2 units. */
static bool range_valid(unsigned log2, uint64_t base, unsigned order) {
    return order <= log2 && base >> log2 == 0 && (base & ((UINT64_C(1) << order) - 1)) == 0;
}

/* The PD that the caller's selector names, if the capability is one and has the right. */
static enum abi_code find_pd(const struct call *call, uint64_t selector, struct pd **pd, bool *has, unsigned right) {
    const struct node *capability = index_covering(&call->caller->space[ABI_OBJ], selector);
    unsigned rights = capability ? cover_authority(capability) : 0;
    if (!rights || capability->resource & RESCIND_OBJECT) {
        return ABI_E_CAP;
    }
    *pd = pd_by_index((uint32_t)capability->resource);
    *has = (rights & right) == right;
    return ABI_OK;
}

static bool is_dying(const struct pd *pd) {
    return pd && pd->referent.dying;
}

static enum abi_code find_pd_with(const struct call *call, uint64_t selector, struct pd **pd, unsigned right) {
    bool has = false;
    enum abi_code code = find_pd(call, selector, pd, &has, right);
    if (code != ABI_OK) {
        return code;
    }
    return !has ? ABI_E_RIGHT : is_dying(*pd) ? ABI_E_DEAD : ABI_OK;
}

static enum abi_code create_pd(const struct call *call, uint64_t *value) {
    (void)value;
    struct pd *payer = NULL;
    if (!only_fields(call, 0) || !range_valid(GEO_OBJ_LOG2, call->word[1], 0)) {
        return ABI_E_ARG;
    }
    enum abi_code code = find_pd_with(call, call->word[3], &payer, ABI_CREATE);
    struct space *caller = &call->caller->space[ABI_OBJ];
    return code == ABI_OK ? invoke_create_pd(caller, call->word[1], payer, call->word[2]) : code;
}

static enum abi_code create_object(const struct call *call, uint64_t *value) {
    (void)value;
    struct pd *payer = NULL;
    if (!only_fields(call, 0) || !range_valid(GEO_OBJ_LOG2, call->word[1], 0)) {
        return ABI_E_ARG;
    }
    enum abi_code code = find_pd_with(call, call->word[3], &payer, ABI_CREATE);
    return code == ABI_OK ? invoke_create_object(&call->caller->space[ABI_OBJ], call->word[1], payer) : code;
}

static bool transfer_valid(const struct call *call) {
    return only_fields(call, FIELD_KIND | FIELD_PLACE | FIELD_TO_CAP | FIELD_ORDER | FIELD_MASK) &&
           call->kind < ABI_KINDS && (call->place == ABI_OWN || (call->place == ABI_PHYS && call->kind != ABI_OBJ)) &&
           range_valid(place_log2(call), call->word[1], call->order) &&
           range_valid(space_log2(call->kind), call->word[2], call->order) && mask_defined(call->kind, call->mask) &&
           (call->kind != ABI_PIO || call->word[1] == call->word[2]);
}

/* delegate and grant */
static enum abi_code transfer(const struct call *call, uint64_t *value) {
    bool grants = (call->word[0] & FIELD_OPERATION) == ABI_GRANT;
    bool from_phys = call->place == ABI_PHYS;
    if (!transfer_valid(call) || (grants && from_phys)) {
        return ABI_E_ARG;
    }
    struct pd *destination = call->caller;
    if (call->to_cap) {
        enum abi_code code = find_pd_with(call, call->word[3], &destination, ABI_MAP);
        if (code != ABI_OK && code != ABI_E_DEAD) {
            return code;
        }
    }
    if (from_phys && call->caller != pd_root()) {
        return ABI_E_RIGHT;
    }
    if (is_dying(destination)) {
        return ABI_E_DEAD;
    }
    const struct range source = {
        .space = &(from_phys ? &phys : call->caller)->space[call->kind],
        .base = call->word[1],
        .order = call->order,
        .mask = call->mask,
    };
    struct space *space = &destination->space[call->kind];
    if (grants) {
        return invoke_grant(&source, space, call->word[2], value);
    }
    enum abi_code code = invoke_delegate(&source, space, call->word[2], value);
    if (work_others() && tlb_noted(destination)) {
        work_running->phase = WORK_STALE; /* CPUs remember what was there before */
    }
    return code;
}

static bool revoke_valid(const struct call *call) {
    bool in_phys = call->place == ABI_PHYS;
    return only_fields(call, FIELD_KIND | FIELD_PLACE | FIELD_SCOPE | FIELD_FILTER | FIELD_ORDER | FIELD_MASK) &&
           call->kind < ABI_KINDS && call->place < ABI_PLACES && call->scope < ABI_SCOPES &&
           (!in_phys || (call->kind != ABI_OBJ && call->scope == ABI_CHILDREN)) &&
           (!call->filtered || (call->scope == ABI_CHILDREN && call->place != ABI_PLACE_CAP)) &&
           range_valid(place_log2(call), call->word[1], call->order) && mask_defined(call->kind, call->mask);
}

static enum abi_code revoke(const struct call *call, uint64_t *value) {
    (void)value;
    if (!revoke_valid(call)) {
        return ABI_E_ARG;
    }
    struct pd *pd = call->caller;
    struct pd *filter = NULL;
    bool may = true;
    if (call->place == ABI_PLACE_CAP && find_pd(call, call->word[3], &pd, &may, ABI_REVOKE_RIGHT) != ABI_OK) {
        return ABI_E_CAP;
    }
    bool unused = false;
    if (call->filtered && find_pd(call, call->word[4], &filter, &unused, 0) != ABI_OK) {
        return ABI_E_CAP;
    }
    if (!may || (call->place == ABI_PHYS && call->caller != pd_root())) {
        return ABI_E_RIGHT;
    }
    if (is_dying(pd) || is_dying(filter)) {
        return ABI_E_DEAD;
    }
    const struct revoke revoke = {
        .range =
            {
                .space = &(call->place == ABI_PHYS ? &phys : pd)->space[call->kind],
                .base = call->word[1],
                .order = call->order,
                .mask = call->mask,
            },
        .scope = (enum abi_scope)call->scope,
        .filter = filter,
        .payer = &call->caller->account,
        .caller = call->caller,
    };
    return invoke_revoke(&revoke);
}

static enum abi_code destroy_pd(const struct call *call, uint64_t *value) {
    (void)value;
    struct pd *pd = NULL;
    if (!only_fields(call, 0)) {
        return ABI_E_ARG;
    }
    enum abi_code code = find_pd_with(call, call->word[3], &pd, ABI_DESTROY);
    if (code == ABI_OK) {
        work_running->preemptible = work_running->destroys = true;
        work_running->phase = WORK_CASCADE;
        pd_doom(&pd->referent);
    }
    return code;
}

static enum abi_code move_quota(const struct call *call, uint64_t *value) {
    (void)value;
    struct pd *from = NULL;
    struct pd *to = NULL;
    bool from_may = false;
    bool to_may = false;
    if (!only_fields(call, 0)) {
        return ABI_E_ARG;
    }
    if (find_pd(call, call->word[3], &from, &from_may, ABI_QUOTA) != ABI_OK ||
        find_pd(call, call->word[4], &to, &to_may, ABI_QUOTA) != ABI_OK) {
        return ABI_E_CAP;
    }
    if (!from_may || !to_may) {
        return ABI_E_RIGHT;
    }
    return is_dying(from) || is_dying(to) ? ABI_E_DEAD : invoke_move_quota(from, to, call->word[1]);
}

static enum abi_code lookup(const struct call *call, uint64_t *value) {
    if (!only_fields(call, FIELD_KIND) || call->kind >= ABI_KINDS ||
        !range_valid(space_log2(call->kind), call->word[1], 0)) {
        return ABI_E_ARG;
    }
    *value = invoke_lookup(&call->caller->space[call->kind], call->word[1]);
    return ABI_OK;
}

static enum abi_code dispatch(const struct call *call, uint64_t *value) {
    switch (call->word[0] & FIELD_OPERATION) {
    case ABI_CREATE_PD:
        return create_pd(call, value);
    case ABI_DELEGATE:
    case ABI_GRANT:
        return transfer(call, value);
    case ABI_REVOKE:
        return revoke(call, value);
    case ABI_DESTROY_PD:
        return destroy_pd(call, value);
    case ABI_LOOKUP:
        return lookup(call, value);
    case ABI_CREATE_OBJECT:
        return create_object(call, value);
    case ABI_MOVE_QUOTA:
        return move_quota(call, value);
    default:
        return ABI_E_ARG;
    }
}

static bool go_on(struct work *work, uint64_t word[ABI_WORDS]) {
    while (!work_step(work)) {
        if (work->preemptible && arch_point() && !work->tidies) {
            return false;
        }
    }
    word[0] = work->code;
    word[1] = work->value;
    return true;
}

struct work *syscall_enter(struct pd *caller, uint64_t word[ABI_WORDS]) {
    KASSERT(!caller->referent.dying);
    const struct call call = {
        .caller = caller,
        .word = word,
        .kind = word[0] >> ABI_KIND_SHIFT & 3,
        .place = word[0] >> ABI_PLACE_SHIFT & 3,
        .scope = word[0] >> ABI_SCOPE_SHIFT & 3,
        .to_cap = word[0] >> ABI_TO_CAP_SHIFT & 1,
        .filtered = word[0] >> ABI_FILTER_SHIFT & 1,
        .order = word[0] >> ABI_ORDER_SHIFT & 0xff,
        .mask = word[0] >> ABI_MASK_SHIFT & 0xff,
    };
    work_complete();
    struct work *work = work_begin();
    work_unsettled++;
    work->code = dispatch(&call, &work->value);
    account_finish();
    work_unsettled--;
    if (work->preemptible) {
        arch_decided();
    }
    return go_on(work, word) ? NULL : work;
}

bool syscall_resume(struct work *work, uint64_t word[ABI_WORDS]) {
    return go_on(work, word);
}
