/* delegate: every piece of the source range becomes one new child of its node. */
#include "account.h"
#include "check.h"
#include "invoke.h"
#include "mapdb.h"
#include "ptab.h"
#include "transfer.h"

enum abi_code invoke_delegate(const struct range *source, struct space *destination, uint64_t base, uint64_t *mapped) {
    struct transfer transfer = {.source = source, .destination = destination, .base = base};
    if (!transfer_check(&transfer)) {
        return ABI_E_OVERLAP;
    }
    struct account *account = &destination->pd->account;
    const struct need needs[] = {
        {account, SITE_DELEGATE_NODE, transfer.pieces, sizeof(struct node)},
        {account, SITE_DELEGATE_TABLE, transfer.tables, PTAB_TABLE_BYTES},
    };
    if (!account_reserve(needs, 2)) {
        return ABI_E_MEM;
    }
    struct piece piece = transfer.first;
    for (bool more = transfer.pieces > 0; more; more = transfer_next(&transfer, &piece)) {
        KSTEP();
        uint64_t offset = piece.base - piece.node->base;
        mapdb_create(destination, transfer_target(&transfer, &piece), piece.order, piece.node->resource + offset,
                     piece.rights, piece.node, true);
        *mapped += UINT64_C(1) << piece.order;
    }
    return ABI_OK;
}
