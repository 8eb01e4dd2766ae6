/*
 * The operations after decoding. Each first finds out whether it can succeed, changing nothing, and then cannot fail
 * (semantics, section 2). Arguments were checked by the decoder: ranges lie in their spaces and are aligned, masks are
 * defined, capabilities give the rights needed. What comes after each operation is said in work.h.
 */
#ifndef RESCIND_INVOKE_H
#define RESCIND_INVOKE_H

#include "space.h"

/* A range of one space with a mask of rights. */
struct range {
    struct space *space;
    uint64_t base;
    unsigned order, mask;
};

static inline uint64_t range_size(const struct range *range) {
    return UINT64_C(1) << range->order;
}

static inline uint64_t range_end(const struct range *range) {
    return range->base + range_size(range);
}

struct revoke {
    struct range range;
    enum abi_scope scope;
    const struct pd *filter; /* of the descendants only those in this PD; NULL: all */
    struct account *payer;   /* the caller's: pays for what is cut, in any space */
    const struct pd *caller; /* until it is decided */
};

/* pages: quota of the new PD, any number. */
enum abi_code invoke_create_pd(struct space *caller, uint64_t selector, struct pd *payer, uint64_t pages);
enum abi_code invoke_create_object(struct space *caller, uint64_t selector, struct pd *payer);
/* *mapped: units mapped. */
enum abi_code invoke_delegate(const struct range *source, struct space *destination, uint64_t base, uint64_t *mapped);
/* The source lies in the caller's space. *moved: units moved. */
enum abi_code invoke_grant(const struct range *source, struct space *destination, uint64_t base, uint64_t *moved);
/* OK: decided, and to be done by steps (work.h). */
enum abi_code invoke_revoke(const struct revoke *revoke);
/* pages: any number. */
enum abi_code invoke_move_quota(struct pd *from, struct pd *to, uint64_t pages);
/* rights | order << ABI_VALUE_ORDER_SHIFT, or 0. */
uint64_t invoke_lookup(const struct space *space, uint64_t unit);

#endif
