/* See cover.h. */
#include "cover.h"

#include "check.h"
#include "mapdb.h"
#include "pd.h"

_Static_assert((int)GEO_WORKS < (int)HISTORY_AT, "a bit for each operation");

/* Whether a node lost rights to an operation in progress. */
static bool was_lost(const struct work *work, const struct node *node) {
    uint64_t lost = mapdb_history(node)->lost;
    return lost >> work_index(work) & 1 && work->start <= lost >> HISTORY_AT;
}

/* Whether the node, if it is where the revoke takes rights, is one that it changes or changed. */
static bool is_changed(const struct work *work, const struct node *node) {
    return mapdb_history(node)->born < work->start &&
           ((node->rights & work->revoke.range.mask) != 0 || was_lost(work, node));
}

static bool meets_range(const struct range *range, const struct node *node) {
    return node->space == range->space && blocks_meet(node->base, node->order, range->base, range->order);
}

/* Scope self: the node or an ancestor lies in the range. */
static bool self_covers(const struct work *work, const struct node *node) {
    const struct range *range = &work->revoke.range;
    for (; node; node = node->parent) {
        KSTEP();
        if (node->order <= range->order && meets_range(range, node) && is_changed(work, node)) {
            return true;
        }
    }
    return false;
}

/* Whether it lies, as a descendant of `top`, in the part of that that is in the range. */
static bool below_range(const struct work *work, const struct node *top, const struct node *node) {
    const struct range *range = &work->revoke.range;
    if (!meets_range(range, top) || mapdb_history(top)->born >= work->start) {
        return false;
    }
    bool inside = top->order <= range->order;
    uint64_t resource = top->resource + (inside ? 0 : range->base - top->base);
    unsigned order = inside ? top->order : range->order;
    return node->order <= order && blocks_meet(node->resource, node->order, resource, order);
}

/* Scope children: the node or an ancestor derives from a unit in the range. Of those that are changed the lowest is the
 * smallest: if it does not lie in some block, the others do not. */
static bool children_covers(const struct work *work, const struct node *node) {
    const struct pd *filter = work->revoke.filter;
    const struct node *lowest = NULL;
    for (; node; node = node->parent) {
        KSTEP();
        if (lowest && below_range(work, node, lowest)) {
            return true;
        }
        if (!lowest && (!filter || node->space->pd == filter) && is_changed(work, node)) {
            lowest = node;
        }
    }
    return false;
}

/* Whether the revoke took rights from the node or an ancestor already: where these were found may have moved since. */
static bool has_taken(const struct work *work, const struct node *node) {
    for (; node; node = node->parent) {
        KSTEP();
        if (was_lost(work, node)) {
            return true;
        }
    }
    return false;
}

unsigned cover_tells(const struct work *work, const struct node *node) {
    return (unsigned)was_lost(work, node) << 1 | (mapdb_history(node)->born < work->start);
}

/* Whether a revoke in progress covers the node. */
static bool covers(const struct work *work, const struct node *node) {
    if (work->tidies) { /* not suspended any more, but it lets CPUs in that wait for the lock */
        return false;
    }
    if (has_taken(work, node)) {
        return true;
    }
    if (!work->revoke.range.space || work->revoke.scope == ABI_DROP) {
        return false;
    }
    return work->revoke.scope == ABI_SELF ? self_covers(work, node) : children_covers(work, node);
}

/* Whether the node or an ancestor is in a space of a dying PD. */
static bool is_dying(const struct node *node) {
    for (; node; node = node->parent) {
        KSTEP();
        if (node->space->pd->referent.dying) {
            return true;
        }
    }
    return false;
}

static bool names_dying(const struct node *node) {
    return node->space->kind == ABI_OBJ && pd_named(node->resource)->dying;
}

unsigned cover_authority(const struct node *node) {
    unsigned rights = node->rights;
    if (!work_others()) {
        return rights;
    }
    for (uint32_t i = 0; i <= GEO_WORKS; i++) {
        const struct work *work = work_by_index(i);
        if (work && covers(work, node)) {
            rights &= ~work->revoke.range.mask;
        }
    }
    return is_dying(node) ? 0 : rights;
}

unsigned cover_rights(const struct node *node) {
    return work_others() && names_dying(node) ? 0 : cover_authority(node);
}

bool cover_holds(const struct node *node) {
    for (uint32_t i = 0; i <= GEO_WORKS; i++) {
        const struct work *work = work_by_index(i);
        if (work && covers(work, node)) {
            return true;
        }
    }
    return !node->rights || is_dying(node) || names_dying(node);
}

void cover_note_lost(const struct node *node, uint32_t bits) {
    for (uint32_t i = 0; i <= GEO_WORKS; i++) {
        const struct work *work = work_by_index(i);
        bits |= work && was_lost(work, node) ? UINT32_C(1) << i : 0;
    }
    mapdb_history(node)->lost = bits | work_now << HISTORY_AT;
}
