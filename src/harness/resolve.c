/*
 * From an operation of a sequence to a call of the oracle, and to the registers of a system call.
 */
#include "harness/internal.h"

/* Words that an operation does not use hold this: the kernel must not look at them. */
static const uint64_t unused_word = UINT64_MAX;

static uint64_t selector_of(const struct harness *harness, uint32_t caller, struct seq_cap cap) {
    uint64_t nothing = UINT64_C(1) << harness->geometry.obj_log2;
    if (cap.mode == SEQ_CAP_SELECTOR)
        return cap.value;
    if (cap.mode != SEQ_CAP_NAME || cap.value >= SEQ_NAMES || harness->id_of_name[cap.value] == ORACLE_NONE)
        return nothing;
    return oracle_selector(harness->oracle, caller, harness->id_of_name[cap.value]);
}

/* Sequences write units up to twice a space's size. The last quarter of these counts back from 2^64, so that sums may
 * wrap. */
static uint64_t unit_of(const struct oracle_geometry *geometry, const struct seq_op *op, uint64_t unit) {
    bool selector = op->code == SEQ_CREATE_PD || op->code == SEQ_CREATE_OBJECT;
    uint8_t kind = selector ? (uint8_t)ABI_OBJ : op->kind;
    uint8_t log2 = kind == ABI_MEM ? geometry->mem_log2 : kind == ABI_PIO ? geometry->pio_log2 : geometry->obj_log2;
    uint64_t size = UINT64_C(1) << log2;
    return unit < size + size / 2 ? unit : unit - 2 * size;
}

/* As with units: the last quarter of what a sequence can write counts back from 2^64. */
static uint64_t amount_of(uint64_t amount) {
    return amount < 3 * (SEQ_PAGES / 4) ? amount : amount - SEQ_PAGES;
}

/* The selectors and the flags of a delegate, grant or revoke. */
static void resolve_range(const struct oracle_geometry *geometry, const struct seq_op *op, uint64_t filter_selector,
                          struct oracle_call *call) {
    call->kind = op->kind;
    call->place = op->place;
    call->order = op->order;
    call->mask = op->mask;
    call->base = unit_of(geometry, op, op->base);
    if (op->pd.mode == SEQ_CAP_NONE)
        call->pd_selector = 0;
    if (op->code == SEQ_REVOKE) {
        call->operation = ABI_REVOKE;
        call->scope = op->scope;
        call->filtered = op->filter.mode != SEQ_CAP_NONE;
        call->filter_selector = call->filtered ? filter_selector : 0;
        if (call->place == ABI_PLACE_CAP && op->pd.mode == SEQ_CAP_NONE)
            call->pd_selector = UINT64_C(1) << geometry->obj_log2;
    } else {
        call->operation = op->code == SEQ_GRANT ? ABI_GRANT : ABI_DELEGATE;
        call->to_cap = op->pd.mode != SEQ_CAP_NONE;
        call->destination = unit_of(geometry, op, op->destination);
    }
}

struct oracle_call resolve_with(const struct oracle_geometry *geometry, const struct seq_op *op, uint32_t caller,
                                uint64_t pd_selector, uint64_t filter_selector) {
    struct oracle_call call = {.caller = caller, .pd_selector = pd_selector};
    switch (op->code) {
    case SEQ_CREATE_PD:
        call.operation = ABI_CREATE_PD;
        call.base = unit_of(geometry, op, op->base);
        call.destination = op->quota;
        break;
    case SEQ_CREATE_OBJECT:
        call.operation = ABI_CREATE_OBJECT;
        call.base = unit_of(geometry, op, op->base);
        break;
    case SEQ_DESTROY_PD:
        call.operation = ABI_DESTROY_PD;
        break;
    case SEQ_MOVE_QUOTA:
        call.operation = ABI_MOVE_QUOTA;
        call.base = amount_of(op->base);
        call.filter_selector = filter_selector;
        break;
    case SEQ_LOOKUP:
        call.operation = ABI_LOOKUP;
        call.kind = op->kind;
        call.base = unit_of(geometry, op, op->base);
        call.pd_selector = 0;
        break;
    default:
        resolve_range(geometry, op, filter_selector, &call);
        break;
    }
    return call;
}

struct oracle_call resolve(const struct harness *harness, const struct seq_op *op, uint32_t caller) {
    return resolve_with(&harness->geometry, op, caller, selector_of(harness, caller, op->pd),
                        selector_of(harness, caller, op->filter));
}

void encode(const struct oracle_call *call, uint64_t word[ABI_WORDS]) {
    enum { BASE = 1, DESTINATION = 2, PD = 4, FILTER = 8 };
    static const uint8_t words_of[] = {
        [ABI_CREATE_PD] = BASE | DESTINATION | PD,
        [ABI_DELEGATE] = BASE | DESTINATION,
        [ABI_REVOKE] = BASE,
        [ABI_DESTROY_PD] = PD,
        [ABI_LOOKUP] = BASE,
        [ABI_CREATE_OBJECT] = BASE | PD,
        [ABI_GRANT] = BASE | DESTINATION,
        [ABI_MOVE_QUOTA] = BASE | PD | FILTER,
    };
    unsigned uses = words_of[call->operation];
    bool of_cap = call->to_cap | ((call->operation == ABI_REVOKE) & (call->place == ABI_PLACE_CAP));
    uses |= (of_cap ? PD : 0u) | (call->filtered ? FILTER : 0u);
    word[0] = (uint64_t)call->operation | (uint64_t)call->kind << ABI_KIND_SHIFT |
              (uint64_t)call->place << ABI_PLACE_SHIFT | (uint64_t)call->scope << ABI_SCOPE_SHIFT |
              (uint64_t)call->to_cap << ABI_TO_CAP_SHIFT | (uint64_t)call->filtered << ABI_FILTER_SHIFT |
              (uint64_t)call->order << ABI_ORDER_SHIFT | (uint64_t)call->mask << ABI_MASK_SHIFT;
    word[1] = uses & BASE ? call->base : unused_word;
    word[2] = uses & DESTINATION ? call->destination : unused_word;
    word[3] = uses & PD ? call->pd_selector : unused_word;
    word[4] = uses & FILTER ? call->filter_selector : unused_word;
}

struct oracle_call decode(uint32_t caller, const uint64_t word[ABI_WORDS]) {
    return (struct oracle_call){
        /* Bits that no operation has make it an undefined one. */
        .operation = word[0] >> 32 ? 0 : word[0] & 0xff,
        .caller = caller,
        .kind = word[0] >> ABI_KIND_SHIFT & 3,
        .place = word[0] >> ABI_PLACE_SHIFT & 3,
        .scope = word[0] >> ABI_SCOPE_SHIFT & 3,
        .to_cap = word[0] >> ABI_TO_CAP_SHIFT & 1,
        .filtered = word[0] >> ABI_FILTER_SHIFT & 1,
        .order = word[0] >> ABI_ORDER_SHIFT & 0xff,
        .mask = word[0] >> ABI_MASK_SHIFT & 0xff,
        .base = word[1],
        .destination = word[2],
        .pd_selector = word[3],
        .filter_selector = word[4],
    };
}
