/*
 * revoke: finds the nodes that lose rights (targets), as blocks of resources; first reserves what cutting them takes,
 * if any is to be cut, then cuts and lowers them.
 */
#include "account.h"
#include "check.h"
#include "index.h"
#include "invoke.h"
#include "mapdb.h"
#include "pd.h"
#include "ptab.h"

/* A block of a node's resources. */
struct block {
    struct node *node;
    uint64_t resource;
    unsigned order;
};

struct cut_need {
    uint32_t nodes, tables;
};

/* What is done with each target; may remove or divide it and its descendants. */
typedef void visitor(const struct revoke *revoke, const struct block *target, struct cut_need *need);

/* The part of a node that lies in a block of its ancestor's resources. */
static struct block part_in(struct node *node, const struct block *outer) {
    bool inside = node->order <= outer->order;
    return (struct block){
        .node = node,
        .resource = inside ? node->resource : outer->resource,
        .order = inside ? node->order : outer->order,
    };
}

static bool meets(const struct node *node, const struct block *block) {
    return blocks_meet(node->resource, node->order, block->resource, block->order);
}

static void visit_descendants(const struct revoke *revoke, const struct block *block, visitor *visit,
                              struct cut_need *need) {
    struct node *top = block->node;
    for (struct node *node = mapdb_next(top, top, false); node;) {
        bool met = meets(node, block);
        bool hit = met && (!revoke->filter || node->space->pd == revoke->filter);
        struct node *next = mapdb_next(top, node, hit || !met);
        if (hit) {
            const struct block target = part_in(node, block);
            visit(revoke, &target, need);
        }
        node = next;
    }
}

/* `node`: the first of the range, or NULL. */
static void visit_targets(const struct revoke *revoke, struct node *node, visitor *visit, struct cut_need *need) {
    const struct range *range = &revoke->range;
    while (node) {
        KSTEP();
        bool inside = node->order <= range->order;
        uint64_t base = inside ? node->base : range->base;
        const struct block block = {
            .node = node,
            .resource = node->resource + (base - node->base),
            .order = inside ? node->order : range->order,
        };
        if (revoke->scope == ABI_CHILDREN) {
            visit_descendants(revoke, &block, visit, need);
        } else {
            visit(revoke, &block, need);
        }
        node = index_in(range->space, base + (UINT64_C(1) << block.order), range_end(range));
    }
}

static bool changes(const struct revoke *revoke, const struct node *node) {
    return revoke->scope == ABI_DROP || (node->rights & revoke->range.mask) != 0;
}

static void count(const struct revoke *revoke, const struct block *target, struct cut_need *need) {
    if (changes(revoke, target->node)) {
        mapdb_count_cut(target->node, target->resource, target->order, &need->nodes, &need->tables);
    }
}

static void apply(const struct revoke *revoke, const struct block *target, struct cut_need *need) {
    (void)need;
    if (!changes(revoke, target->node)) {
        return;
    }
    struct node *node = mapdb_cut(target->node, target->resource, target->order, revoke->payer);
    if (revoke->scope == ABI_DROP) {
        mapdb_drop(node);
    } else {
        mapdb_lower(node, revoke->range.mask);
    }
}

static bool reserve(const struct revoke *revoke, struct node *first) {
    struct cut_need need = {0};
    visit_targets(revoke, first, count, &need);
    const struct need needs[] = {
        {revoke->payer, SITE_REVOKE_CUT_NODE, need.nodes, sizeof(struct node)},
        {revoke->payer, SITE_REVOKE_CUT_TABLE, need.tables, PTAB_TABLE_BYTES},
    };
    return account_reserve(needs, 2);
}

enum abi_code invoke_revoke(const struct revoke *revoke) {
    const struct range *range = &revoke->range;
    struct cut_need unused = {0};
    struct node *first = index_in(range->space, range->base, range_end(range));
    /* A node that lies in the range is not cut, nor is what derives from it, which is no larger. */
    if (first && first->order > range->order && !reserve(revoke, first)) {
        return ABI_E_MEM;
    }
    visit_targets(revoke, first, apply, &unused);
    return ABI_OK;
}
