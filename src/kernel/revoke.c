/*
 * revoke: finds the nodes that lose rights (targets), as blocks of resources; first reserves what cutting them takes,
 * if any is to be cut, then cuts them. That is decided at once; then it lowers them, step by step.
 */
#include "revoke.h"
#include "account.h"
#include "check.h"
#include "cover.h"
#include "index.h"
#include "invoke.h"
#include "mapdb.h"
#include "pd.h"
#include "ptab.h"
#include "work.h"

enum { PIECE = 8 /* nodes looked at in one step */ };

struct cut_need {
    uint32_t nodes, tables;
};

/* What is done with each target; may divide it and its descendants. */
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

/* The part of a node of the range's space that lies in the range. */
static struct block block_of(const struct range *range, struct node *node) {
    bool inside = node->order <= range->order;
    uint64_t base = inside ? node->base : range->base;
    return (struct block){
        .node = node,
        .resource = node->resource + (base - node->base),
        .order = inside ? node->order : range->order,
    };
}

/* `node`: one that holds the whole range, and more. */
static void visit_targets(const struct revoke *revoke, struct node *node, visitor *visit, struct cut_need *need) {
    const struct block block = block_of(&revoke->range, node);
    if (revoke->scope == ABI_CHILDREN) {
        visit_descendants(revoke, &block, visit, need);
    } else {
        visit(revoke, &block, need);
    }
}

/* A node without rights is one that another operation was about to unlink: it is not to be left to that. */
static bool changes(const struct revoke *revoke, const struct node *node) {
    return revoke->scope == ABI_DROP || !node->rights || (node->rights & revoke->range.mask) != 0;
}

static void count(const struct revoke *revoke, const struct block *target, struct cut_need *need) {
    if (changes(revoke, target->node)) {
        mapdb_count_cut(target->node, target->resource, target->order, &need->nodes, &need->tables);
    }
}

static void cut(const struct revoke *revoke, const struct block *target, struct cut_need *need) {
    (void)need;
    if (changes(revoke, target->node)) {
        mapdb_cut(target->node, target->resource, target->order, revoke->payer);
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

/* Whether it leaves nodes with some of their rights. */
static bool only_lowers(const struct revoke *revoke) {
    unsigned kind = revoke->range.space->kind;
    unsigned kept = kind == ABI_MEM ? ABI_R : kind == ABI_OBJ ? ABI_OBJ_RIGHTS : 0;
    return (revoke->range.mask & kept) != kept;
}

/* Whether a node in the range is being taken by another operation. */
static bool any_covered(const struct range *range) {
    struct node *node = work_others() ? index_in(range->space, range->base, range_end(range)) : NULL;
    while (node && node->base < range_end(range)) {
        KSTEP();
        if (cover_holds(node)) {
            return true;
        }
        node = index_next(node);
    }
    return false;
}

/* A node that lies in the range is not cut, nor is what derives from it, which is no larger. */
static struct node *to_be_cut(const struct range *range) {
    struct node *first = index_in(range->space, range->base, range_end(range));
    return first && first->order > range->order ? first : NULL;
}

/* Brings others so far that what this one does with nodes is none of their business; false: the caller, or the PD in
 * whose space it is, died of that. */
static bool make_way(const struct revoke *revoke) {
    const struct range *range = &revoke->range;
    bool restructures = revoke->scope == ABI_DROP || to_be_cut(range);
    if (work_others() && revoke->scope == ABI_DROP) {
        work_help(ABI_OBJ, false); /* with the last capability to a PD all goes that it has */
    }
    if (work_others() && (restructures || only_lowers(revoke))) {
        work_help(range->space->kind, !restructures);
    }
    return !revoke->caller->referent.dying && !range->space->pd->referent.dying;
}

enum abi_code invoke_revoke(const struct revoke *revoke) {
    struct cut_need unused = {0};
    if ((revoke->scope == ABI_DROP && any_covered(&revoke->range)) || !make_way(revoke)) {
        return ABI_E_DEAD;
    }
    struct node *first = to_be_cut(&revoke->range);
    if (first && !reserve(revoke, first)) {
        return ABI_E_MEM;
    }
    if (first) {
        visit_targets(revoke, first, cut, &unused);
    }
    work_running->revoke = *revoke;
    work_running->next = index_in(revoke->range.space, revoke->range.base, range_end(&revoke->range));
    work_running->preemptible = true;
    work_running->lowers = only_lowers(revoke);
    work_running->phase = revoke->scope == ABI_DROP ? WORK_DROP : WORK_REVOKE;
    return ABI_OK;
}

/* The next node in the range, or NULL. */
static struct node *next_of(const struct work *work) {
    return work->next && work->next->base < range_end(&work->revoke.range) ? work->next : NULL;
}

/* What appeared since the operation began is none of its business. */
static bool was_there(const struct work *work, const struct node *node) {
    return mapdb_history(node)->born < work->start;
}

/* Looks at the node at which the search among the descendants of a unit that keeps its rights stands. */
static void search(struct work *work) {
    struct cursor *at = &work->search;
    struct node *node = at->node;
    if (at->up) {
        cursor_past(at);
        return;
    }
    if (node == at->top) {
        cursor_into(at);
        return;
    }
    bool met = was_there(work, node) && meets(node, &work->block);
    bool hit = met && (!work->revoke.filter || node->space->pd == work->revoke.filter);
    if (hit || !met) {
        cursor_past(at);
    } else {
        cursor_into(at);
    }
    if (hit && changes(&work->revoke, node)) {
        mapdb_lower(&work->walk, node, work->revoke.range.mask, UINT32_C(1) << work_index(work));
    }
}

/* Goes on to the next node in the range; false: there is none. */
static bool next_in_range(struct work *work) {
    const struct range *range = &work->revoke.range;
    struct node *node = next_of(work);
    if (!node) {
        return false;
    }
    work->block = block_of(range, node);
    work->next = index_next(node);
    if (!was_there(work, node)) {
        return true;
    }
    if (work->revoke.scope == ABI_CHILDREN) {
        cursor_start(&work->search, node);
    } else if (changes(&work->revoke, node)) {
        mapdb_lower(&work->walk, node, range->mask, UINT32_C(1) << work_index(work));
    }
    return true;
}

enum point revoke_step(struct work *work) {
    for (unsigned looked = 0; looked < PIECE; looked++) {
        KSTEP();
        if (work->walk.at.node) {
            return mapdb_lower_step(&work->walk);
        }
        if (work->search.node) {
            search(work);
        } else if (!next_in_range(work)) {
            return POINT_NONE;
        }
    }
    return POINT_WALK;
}

enum point revoke_drop_step(struct work *work) {
    struct node *node = next_of(work);
    return node ? mapdb_drop(node) : POINT_NONE;
}
