/*
 * What delegate and grant have in common: a source range, divided by the nodes in it into pieces, and the place where
 * these go.
 */
#ifndef RESCIND_TRANSFER_H
#define RESCIND_TRANSFER_H

#include "invoke.h"

/* A part of the source range that one node covers, and that exists with the rights of the mask. */
struct piece {
    struct node *node;
    uint64_t base; /* in the source space */
    unsigned order, rights;
};

struct transfer {
    const struct range *source;
    struct space *destination;
    uint64_t base; /* in the destination space */
    /* From transfer_check: */
    uint64_t pieces, charged; /* all, and those of charged nodes */
    uint64_t tables;          /* that mapping all of them at the destination makes */
    struct piece first;       /* if there are any */
};

/* Finds out what there is to do. False: a unit to be filled is occupied. */
bool transfer_check(struct transfer *transfer);

/* The piece after this one, whose node is still in the source space; or false. */
bool transfer_next(const struct transfer *transfer, struct piece *piece);

/* Where a piece goes. */
static inline uint64_t transfer_target(const struct transfer *transfer, const struct piece *piece) {
    return transfer->base + (piece->base - transfer->source->base);
}

#endif
