/* create_pd */
#include "index.h"
#include "invoke.h"
#include "mapdb.h"
#include "pd.h"

enum abi_code invoke_create_pd(struct space *caller, uint64_t selector) {
    if (index_covering(caller, selector)) {
        return ABI_E_OVERLAP;
    }
    if (!pd_available() || mapdb_available() == 0) {
        return ABI_E_MEM;
    }
    const struct pd *pd = pd_create();
    mapdb_create(caller, selector, 0, pd_index(pd), ABI_OBJ_RIGHTS, NULL, true);
    return ABI_OK;
}
