/* move_quota */
#include "account.h"
#include "invoke.h"

enum abi_code invoke_move_quota(struct pd *from, struct pd *to, uint64_t pages) {
    if (from == to) {
        return ABI_OK;
    }
    if (pages > account_free(&from->account) / RESCIND_PAGE_BYTES) {
        return ABI_E_MEM;
    }
    account_move(&from->account, &to->account, pages * RESCIND_PAGE_BYTES);
    return ABI_OK;
}
