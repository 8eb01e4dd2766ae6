/* Reservation, heirs and deliberate failure; see account.h. */
#include "account.h"

#include "pd.h"

enum { PIECE = 8 /* clients that get another payer in one step */ };

uint64_t account_reserved;
static uint64_t failing; /* that many objects from now, one is refused; 0: none */

static struct rescind_site sites[SITES] = {
    [SITE_CREATE_PD] = {.name = "create_pd.pd"},
    [SITE_CREATE_PD_NODE] = {.name = "create_pd.node"},
    [SITE_CREATE_OBJECT] = {.name = "create_object.object"},
    [SITE_CREATE_OBJECT_NODE] = {.name = "create_object.node"},
    [SITE_DELEGATE_NODE] = {.name = "delegate.node"},
    [SITE_DELEGATE_TABLE] = {.name = "delegate.table"},
    [SITE_REVOKE_CUT_NODE] = {.name = "revoke.cut-node"},
    [SITE_REVOKE_CUT_TABLE] = {.name = "revoke.cut-table"},
    [SITE_GRANT_CUT_NODE] = {.name = "grant.cut-node"},
    [SITE_GRANT_CUT_TABLE] = {.name = "grant.cut-table"},
    [SITE_GRANT_NODE] = {.name = "grant.node"},
    [SITE_GRANT_TABLE] = {.name = "grant.table"},
};

/* Whether the failure asked for falls on one of the next `count` objects. */
static bool failure_due(uint64_t count) {
    bool due = failing > 0 && failing <= count;
    failing = failing > count ? failing - count : 0;
    return due;
}

static bool reserve(const struct need *need) {
    struct rescind_site *site = &sites[need->site];
    uint64_t bytes = need->count * need->bytes;
    site->asked += need->count;
    if (failure_due(need->count) || bytes > account_free(need->account)) {
        site->refused++;
        return false;
    }
    need->account->used += bytes;
    account_reserved += bytes;
    return true;
}

static void give_back(const struct need *need) {
    uint64_t bytes = need->count * need->bytes;
    account_reserved -= bytes;
    account_give(need->account, bytes);
}

void account_reset(void) {
    account_reserved = 0;
    failing = 0;
}

bool account_reserve(const struct need *needs, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (needs[i].count > 0 && !reserve(&needs[i])) {
            while (i-- > 0) {
                give_back(&needs[i]);
            }
            return false;
        }
    }
    return true;
}

/* Moves what is in use, and as much quota. */
static void move_used(struct account *from, struct account *to, uint64_t bytes) {
    KASSERT(from->used >= bytes);
    from->used -= bytes;
    from->quota -= bytes;
    to->used += bytes;
    to->quota += bytes;
}

void account_move(struct account *from, struct account *to, uint64_t bytes) {
    KASSERT(account_free(from) >= bytes);
    from->quota -= bytes;
    to->quota += bytes;
}

void account_finish(void) {
    KASSERT(account_reserved == 0);
    failing = 0;
}

void account_attach(struct referent *client, struct pd *payer) {
    client->payer = payer;
    client->previous_client = NULL;
    client->next_client = payer->clients;
    if (payer->clients) {
        payer->clients->previous_client = client;
    }
    payer->clients = client;
}

void account_detach(struct referent *client) {
    if (client->previous_client) {
        client->previous_client->next_client = client->next_client;
    } else {
        KASSERT(client->payer->clients == client);
        client->payer->clients = client->next_client;
    }
    if (client->next_client) {
        client->next_client->previous_client = client->previous_client;
    }
}

bool account_inherit(struct pd *pd) {
    struct pd *heir = pd->referent.payer;
    uint64_t objects = 0;
    for (unsigned moved = 0; pd->clients && moved < PIECE; moved++) {
        KSTEP();
        struct referent *client = pd->clients;
        objects += client->plain;
        account_detach(client);
        account_attach(client, heir);
    }
    move_used(&pd->account, &heir->account, objects * sizeof(struct object));
    if (pd->clients) {
        return false;
    }
    KASSERT(pd->account.used == PD_BYTES);
    heir->account.quota += pd->account.quota;
    account_detach(&pd->referent);
    return true;
}

void account_fail(uint32_t n) {
    failing = n;
}

const struct rescind_site *account_sites(uint32_t *count) {
    *count = SITES;
    return sites;
}
