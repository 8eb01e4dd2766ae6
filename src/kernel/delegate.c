/* delegate: every part of a source node in the range becomes one new child of it. */
#include "check.h"
#include "index.h"
#include "invoke.h"
#include "mapdb.h"
#include "pd.h"
#include "ptab.h"

/* A part of the source range that one node covers. */
struct piece {
    struct node *node;
    uint64_t base;
    unsigned order, rights;
};

/* The first piece at or after `unit` that would be mapped, or false. */
static bool next_piece(const struct range *source, uint64_t unit, struct piece *piece) {
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

static uint64_t piece_end(const struct piece *piece) {
    return piece->base + (UINT64_C(1) << piece->order);
}

static bool occupied(const struct space *space, uint64_t base, unsigned order) {
    return index_in(space, base, base + (UINT64_C(1) << order)) != NULL;
}

static enum abi_code check(const struct range *source, const struct space *destination, uint64_t base) {
    struct piece piece;
    uint32_t nodes = 0;
    uint32_t tables = 0;
    uint64_t counted = 0;
    for (uint64_t unit = source->base; next_piece(source, unit, &piece); unit = piece_end(&piece)) {
        KSTEP();
        uint64_t target = base + (piece.base - source->base);
        if (occupied(destination, target, piece.order)) {
            return ABI_E_OVERLAP;
        }
        nodes++;
        if (destination->kind == ABI_MEM) {
            tables += ptab_missing(destination->pd->root_table, target, piece.order, counted);
        }
        counted = target + (UINT64_C(1) << piece.order);
    }
    return nodes <= mapdb_available() && tables <= ptab_available() ? ABI_OK : ABI_E_MEM;
}

enum abi_code invoke_delegate(const struct range *source, struct space *destination, uint64_t base, uint64_t *mapped) {
    enum abi_code code = check(source, destination, base);
    if (code != ABI_OK) {
        return code;
    }
    struct piece piece;
    *mapped = 0;
    for (uint64_t unit = source->base; next_piece(source, unit, &piece); unit = piece_end(&piece)) {
        KSTEP();
        uint64_t offset = piece.node->space->kind == ABI_OBJ ? 0 : piece.base - piece.node->base;
        mapdb_create(destination, base + (piece.base - source->base), piece.order, piece.node->resource + offset,
                     piece.rights, piece.node, true);
        *mapped += UINT64_C(1) << piece.order;
    }
    return ABI_OK;
}
