/* grant: every piece of the source range moves, with what derives from it below it; rights are cut to the mask. */
#include "account.h"
#include "check.h"
#include "cover.h"
#include "index.h"
#include "invoke.h"
#include "mapdb.h"
#include "ptab.h"
#include "transfer.h"

/* What dividing the node takes that holds the whole source range and more, if there is one. */
static void count_cut(const struct transfer *transfer, uint32_t *nodes, uint32_t *tables) {
    const struct piece *piece = &transfer->first;
    if (transfer->pieces == 1) {
        uint64_t resource = piece->node->resource + (piece->base - piece->node->base);
        mapdb_count_cut(piece->node, resource, piece->order, nodes, tables);
    }
}

static bool reserve(const struct transfer *transfer) {
    struct account *caller = &transfer->source->space->pd->account;
    struct account *receiver = &transfer->destination->pd->account;
    uint32_t cut_nodes = 0;
    uint32_t cut_tables = 0;
    count_cut(transfer, &cut_nodes, &cut_tables);
    const struct need needs[] = {
        {caller, SITE_GRANT_CUT_NODE, cut_nodes, sizeof(struct node)},
        {caller, SITE_GRANT_CUT_TABLE, cut_tables, PTAB_TABLE_BYTES},
        {receiver, SITE_GRANT_NODE, caller == receiver ? 0 : transfer->charged, sizeof(struct node)},
        {receiver, SITE_GRANT_TABLE, transfer->tables, PTAB_TABLE_BYTES},
    };
    return account_reserve(needs, sizeof needs / sizeof *needs);
}

/* Whether a node that would move is being taken by another operation. */
static bool any_covered(const struct range *source) {
    struct node *node = work_others() ? index_in(source->space, source->base, range_end(source)) : NULL;
    while (node && node->base < range_end(source)) {
        KSTEP();
        if (rights_exist(source->space->kind, node->rights & source->mask) && cover_holds(node)) {
            return true;
        }
        node = index_next(node);
    }
    return false;
}

/* At once: who grants is not preempted. */
static void lower(struct node *node, unsigned mask) {
    struct walk *walk = &work_running->walk;
    mapdb_lower(walk, node, mask, 0);
    while (walk->at.node) {
        KSTEP();
        mapdb_lower_step(walk);
    }
}

enum abi_code invoke_grant(const struct range *source, struct space *destination, uint64_t base, uint64_t *moved) {
    struct transfer transfer = {.source = source, .destination = destination, .base = base};
    if (any_covered(source)) {
        return ABI_E_DEAD;
    }
    if (work_others()) {
        work_help(ABI_OBJ, false); /* with the last capability to a PD all goes that it has */
        work_help(destination->kind, false);
    }
    if (source->space->pd->referent.dying || destination->pd->referent.dying) {
        return ABI_E_DEAD; /* of what others did just now */
    }
    if (!transfer_check(&transfer)) {
        return ABI_E_OVERLAP;
    }
    if (!reserve(&transfer)) {
        return ABI_E_MEM;
    }
    work_running->phase = WORK_CASCADE;
    struct piece next = transfer.first;
    for (bool more = transfer.pieces > 0; more;) {
        KSTEP();
        const struct piece piece = next;
        more = transfer_next(&transfer, &next);
        uint64_t resource = piece.node->resource + (piece.base - piece.node->base);
        struct node *node = mapdb_cut(piece.node, resource, piece.order, &source->space->pd->account);
        lower(node, ~source->mask); /* removes no later piece: that has rights of the mask */
        mapdb_move(node, destination, transfer_target(&transfer, &piece));
        *moved += UINT64_C(1) << piece.order;
    }
    return ABI_OK;
}
