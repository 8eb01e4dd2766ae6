/*
 * Accounts of kernel memory: what each PD may use, and who gets it back.
 *
 * An operation that needs memory reserves all of it before it changes anything, in one call; that is the only place
 * that can say no. What is reserved is paid at once; the operation then takes each object, and must take all. The
 * account of a PD that dies goes to its payer, and so do the PDs and plain objects whose payer it was.
 */
#ifndef RESCIND_ACCOUNT_H
#define RESCIND_ACCOUNT_H

#include "check.h"
#include "space.h"

/* The places that ask for memory; names in account.c. */
enum account_site {
    SITE_CREATE_PD,
    SITE_CREATE_PD_NODE,
    SITE_CREATE_OBJECT,
    SITE_CREATE_OBJECT_NODE,
    SITE_DELEGATE_NODE,
    SITE_DELEGATE_TABLE,
    SITE_REVOKE_CUT_NODE,
    SITE_REVOKE_CUT_TABLE,
    SITE_GRANT_CUT_NODE,
    SITE_GRANT_CUT_TABLE,
    SITE_GRANT_NODE,
    SITE_GRANT_TABLE,
    SITES,
};

/* `count` objects of `bytes` each, to be paid by an account. */
struct need {
    struct account *account;
    enum account_site site;
    uint64_t count, bytes;
};

void account_reset(void);

/* Reserves all that is needed, or nothing: false, an account has too little or the failure asked for is due. */
bool account_reserve(const struct need *needs, unsigned count);

/* Bytes reserved and not yet taken; zero between operations. */
extern uint64_t account_reserved;

/* Takes bytes that `payer` reserved, for an object that is charged to `owner`: free balance moves first if these are
 * two. */
static inline void account_take(struct account *payer, struct account *owner, uint64_t bytes) {
    KASSERT(account_reserved >= bytes);
    account_reserved -= bytes;
    if (payer != owner) {
        payer->quota -= bytes;
        payer->used -= bytes;
        owner->quota += bytes;
        owner->used += bytes;
    }
}

/* An object charged to the account is gone. */
static inline void account_give(struct account *account, uint64_t bytes) {
    KASSERT(account->used >= bytes);
    account->used -= bytes;
}

static inline uint64_t account_free(const struct account *account) {
    return account->quota - account->used;
}

/* Moves free balance, which must be there. */
void account_move(struct account *from, struct account *to, uint64_t bytes);

/* The end of what may allocate in an operation: all that was reserved was taken. */
void account_finish(void);

/* Makes a PD the payer of another, or of an object; undoes that. */
void account_attach(struct referent *client, struct pd *payer);
void account_detach(struct referent *client);
/* The payer of a dying PD, for which nothing but itself is charged any more, gets some of its clients, and after the
 * last its account: true. */
bool account_inherit(struct pd *pd);

/* The n-th object (from 1) asked for before the next account_finish is refused; 0: none. */
void account_fail(uint32_t n);
const struct rescind_site *account_sites(uint32_t *count);

#endif
