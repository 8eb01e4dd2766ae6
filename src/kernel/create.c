/* create_pd and create_object */
#include "account.h"
#include "index.h"
#include "invoke.h"
#include "mapdb.h"
#include "object.h"
#include "pd.h"

enum abi_code invoke_create_pd(struct space *caller, uint64_t selector, struct pd *payer, uint64_t pages) {
    uint64_t quota = pages * RESCIND_PAGE_BYTES;
    const struct need needs[] = {
        {&payer->account, SITE_CREATE_PD, 1, quota},
        {&caller->pd->account, SITE_CREATE_PD_NODE, 1, sizeof(struct node)},
    };
    if (index_covering(caller, selector)) {
        return ABI_E_OVERLAP;
    }
    if (!pd_available() || pages > GEO_QUOTA_PAGES || quota < PD_BYTES || !account_reserve(needs, 2)) {
        return ABI_E_MEM;
    }
    const struct pd *pd = pd_create(payer, quota);
    mapdb_create(caller, selector, 0, pd_index(pd), ABI_OBJ_RIGHTS, NULL, true);
    return ABI_OK;
}

enum abi_code invoke_create_object(struct space *caller, uint64_t selector, struct pd *payer) {
    const struct need needs[] = {
        {&payer->account, SITE_CREATE_OBJECT, 1, sizeof(struct object)},
        {&caller->pd->account, SITE_CREATE_OBJECT_NODE, 1, sizeof(struct node)},
    };
    if (index_covering(caller, selector)) {
        return ABI_E_OVERLAP;
    }
    if (!object_available() || !account_reserve(needs, 2)) {
        return ABI_E_MEM;
    }
    const struct object *object = object_create(payer);
    mapdb_create(caller, selector, 0, object_index(object) | RESCIND_OBJECT, ABI_OBJ_RIGHTS, NULL, true);
    return ABI_OK;
}
