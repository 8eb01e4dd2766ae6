/* See transfer.h. */
#include "transfer.h"

#include "check.h"
#include "cover.h"
#include "index.h"
#include "pd.h"

/* The first piece of this node (may be NULL) or one after it, or false. */
static bool piece_from(const struct range *source, struct node *node, struct piece *piece) {
    uint64_t end = range_end(source);
    while (node && node->base < end && !rights_exist(source->space->kind, cover_rights(node) & source->mask)) {
        KSTEP();
        node = index_next(node);
    }
    if (!node || node->base >= end) {
        return false;
    }
    bool inside = node->order <= source->order;
    *piece = (struct piece){
        .node = node,
        .base = inside ? node->base : source->base,
        .order = inside ? node->order : source->order,
        .rights = cover_rights(node) & source->mask,
    };
    return true;
}

bool transfer_next(const struct transfer *transfer, struct piece *piece) {
    return piece_from(transfer->source, index_next(piece->node), piece);
}

bool transfer_check(struct transfer *transfer) {
    const struct range *source = transfer->source;
    const struct space *destination = transfer->destination;
    uint64_t counted = 0; /* tables that hold units below are there, or counted */
    if (!piece_from(source, index_in(source->space, source->base, range_end(source)), &transfer->first)) {
        return true;
    }
    struct piece piece = transfer->first;
    const struct node *occupant = index_in(destination, transfer->base, transfer->base + range_size(source));
    do {
        KSTEP();
        uint64_t target = transfer_target(transfer, &piece);
        uint64_t end = target + (UINT64_C(1) << piece.order);
        while (occupant && occupant->base + node_size(occupant) <= target) {
            KSTEP();
            occupant = index_next(occupant);
        }
        if (occupant && occupant->base < end) {
            return false;
        }
        transfer->pieces++;
        transfer->charged += piece.node->charged;
        if (destination->kind == ABI_MEM) {
            transfer->tables += ptab_missing(destination->pd->root_table, target, piece.order, counted);
        }
        counted = end;
    } while (transfer_next(transfer, &piece));
    return true;
}
