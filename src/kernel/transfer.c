/* See transfer.h. */
#include "transfer.h"

#include "check.h"
#include "index.h"
#include "pd.h"

/* The first piece at or after `unit`, or false. */
static bool piece_from(const struct range *source, uint64_t unit, struct piece *piece) {
    struct node *node = index_in(source->space, unit, range_end(source));
    while (node && !rights_exist(source->space->kind, node->rights & source->mask)) {
        KSTEP();
        node = index_in(source->space, node->base + node_size(node), range_end(source));
    }
    if (!node) {
        return false;
    }
    bool inside = node->order <= source->order;
    *piece = (struct piece){
        .node = node,
        .base = inside ? node->base : source->base,
        .order = inside ? node->order : source->order,
        .rights = node->rights & source->mask,
    };
    return true;
}

static bool occupied(const struct space *space, uint64_t base, unsigned order) {
    return index_in(space, base, base + (UINT64_C(1) << order)) != NULL;
}

bool transfer_next(const struct transfer *transfer, struct piece *piece) {
    return piece_from(transfer->source, piece->base + (UINT64_C(1) << piece->order), piece);
}

bool transfer_check(struct transfer *transfer) {
    struct piece piece;
    uint64_t counted = 0; /* tables that hold units below are there, or counted */
    bool more = piece_from(transfer->source, transfer->source->base, &piece);
    for (transfer->first = piece; more; more = transfer_next(transfer, &piece)) {
        KSTEP();
        uint64_t target = transfer_target(transfer, &piece);
        if (occupied(transfer->destination, target, piece.order)) {
            return false;
        }
        transfer->pieces++;
        transfer->charged += piece.node->charged;
        if (transfer->destination->kind == ABI_MEM) {
            transfer->tables += ptab_missing(transfer->destination->pd->root_table, target, piece.order, counted);
        }
        counted = target + (UINT64_C(1) << piece.order);
    }
    return true;
}
