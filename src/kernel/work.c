/* See work.h. */
#include "work.h"

#include "check.h"
#include "index.h"
#include "mapdb.h"
#include "object.h"
#include "pd.h"
#include "ptab.h"
#include "revoke.h"
#include "tlb.h"

enum {
    WORKS = GEO_WORKS + 1,
    LOOKED = 8, /* in one step, of those that die */
    FREED = 8,  /* nodes and tables in one step */
    /* Of one operation, points included: each node and each table is come to a few times. Who takes more waits for
     * something that does not happen. */
    TURNS = 16 * (GEO_NODES + GEO_TABLES),
};

static struct work works[WORKS];
struct work *work_running;
uint32_t work_count;
uint64_t work_now;
uint32_t work_unsettled;

void work_reset(void) {
    for (uint32_t i = 0; i < WORKS; i++) {
        works[i].phase = WORK_FREE_SLOT;
    }
    work_count = 0;
    work_now = 0;
    work_unsettled = 0;
}

struct work *work_begin(void) {
    struct work *work = works;
    while (work->phase != WORK_FREE_SLOT) {
        work++;
        KASSERT(work < works + WORKS);
    }
    *work = (struct work){.phase = WORK_DECIDE, .start = ++work_now};
    work_count++;
    work_running = work;
    return work;
}

uint32_t work_index(const struct work *work) {
    return (uint32_t)(work - works);
}

struct work *work_by_index(uint32_t index) {
    return index < WORKS && works[index].phase != WORK_FREE_SLOT ? &works[index] : NULL;
}

const char *work_point_name(const struct work *work) {
    static const char *const names[][2] = {
        [POINT_NONE] = {"revoke", "destroy"},
        [POINT_WALK] = {"revoke.walk", "destroy.walk"},
        [POINT_CHILDREN] = {"revoke.children", "destroy.children"},
        [POINT_LOWERED] = {"revoke.lowered", "destroy.lowered"},
        [POINT_TAKEN] = {"revoke.taken", "destroy.taken"},
        [POINT_TABLES] = {"revoke.tables", "destroy.tables"},
        [POINT_UNLINKED] = {"revoke.unlinked", "destroy.unlinked"},
        [POINT_OBJECT] = {"revoke.object", "destroy.object"},
        [POINT_EMPTY] = {"revoke.empty", "destroy.empty"},
        [POINT_JOINED] = {"revoke.joined", "destroy.joined"},
        [POINT_STALE] = {"revoke.stale", "destroy.stale"},
        [POINT_REQUESTED] = {"revoke.requested", "destroy.requested"},
        [POINT_HANDLED] = {"revoke.handled", "destroy.handled"},
        [POINT_FREED] = {"revoke.freed", "destroy.freed"},
        [POINT_INHERITED] = {"revoke.inherited", "destroy.inherited"},
        [POINT_BURIED] = {"revoke.buried", "destroy.buried"},
    };
    return names[work->point][work->destroys];
}

/* ---- steps ---- */

/* Goes on with emptying a PD, or with the next that dies; false: there is none. */
static bool next_doomed(struct work *work) {
    struct referent *referent = work->dying;
    if (!referent) {
        return false;
    }
    work->dying = referent->next_dying;
    if (referent->plain) {
        object_destroy((struct object *)referent);
    } else {
        work->emptied = (struct pd *)referent;
    }
    return true;
}

static enum point cascade_step(struct work *work) {
    if (work->walk.at.node) {
        return mapdb_lower_step(&work->walk);
    }
    for (unsigned looked = 0; looked < LOOKED && !work->emptied; looked++) {
        KSTEP();
        if (!next_doomed(work)) {
            return looked ? POINT_OBJECT : POINT_NONE;
        }
    }
    struct pd *pd = work->emptied;
    if (!pd) {
        return POINT_OBJECT;
    }
    struct node *node = pd_doomed_node(pd);
    if (node) {
        mapdb_lower(&work->walk, node, ~0U, 0);
        return mapdb_lower_step(&work->walk);
    }
    pd_stop(pd);
    pd->next_dead = work->dead;
    work->dead = pd;
    work->emptied = NULL;
    return POINT_EMPTY;
}

static enum point join_step(void) {
    return work_others() ? POINT_NONE : mapdb_settle();
}

static enum point stale_step(struct work *work) {
    work->nodes_mark = mapdb_retired;
    work->tables_mark = ptab_retired;
    work->shoots = tlb_pending();
    if (!work->shoots) {
        return POINT_NONE;
    }
    work->phase = WORK_SHOOT;
    return POINT_STALE;
}

static enum point shoot_step(void) {
    if (!tlb_pending()) {
        return POINT_NONE;
    }
    tlb_settle();
    return POINT_REQUESTED;
}

static enum point await_step(struct work *work) {
    arch_await_requests();
    work->phase = WORK_RECLAIM;
    return work->shoots ? POINT_HANDLED : POINT_NONE;
}

static enum point reclaim_step(const struct work *work) {
    uint32_t freed = mapdb_reclaim(work->nodes_mark, FREED);
    freed += ptab_release(work->tables_mark, FREED - freed);
    return freed ? POINT_FREED : POINT_NONE;
}

static enum point bury_step(struct work *work) {
    struct pd *pd = work->dead;
    if (!pd) {
        return POINT_NONE;
    }
    struct pd *next = pd->next_dead;
    if (!pd_bury(pd)) {
        return POINT_INHERITED;
    }
    work->dead = next;
    return POINT_BURIED;
}

/* What is done in a phase; POINT_NONE: it is over. */
static enum point phase_step(struct work *work) {
    switch (work->phase) {
    case WORK_DROP:
        return revoke_drop_step(work);
    case WORK_REVOKE:
        return revoke_step(work);
    case WORK_CASCADE:
        return cascade_step(work);
    case WORK_JOIN:
        return join_step();
    case WORK_STALE:
        return stale_step(work);
    case WORK_SHOOT:
        return shoot_step();
    case WORK_AWAIT:
        return await_step(work);
    case WORK_RECLAIM:
        return reclaim_step(work);
    case WORK_BURY:
        return bury_step(work);
    default:
        return POINT_NONE;
    }
}

/* After what is removed: the first phase of the rest in which there is something to do. */
static enum work_phase joining_phase(const struct work *work) {
    if (!work_others() && !mapdb_settled()) {
        return WORK_JOIN;
    }
    return tlb_pending() || mapdb_retired != mapdb_reclaimed || ptab_retired != ptab_reclaimed || work->dead
               ? WORK_STALE
               : WORK_END;
}

/* The phase after one that is over. */
static enum work_phase next_phase(const struct work *work) {
    switch (work->phase) {
    case WORK_DECIDE:
        return work_others() ? WORK_END : joining_phase(work);
    case WORK_DROP:
    case WORK_REVOKE:
        return work->dying ? WORK_CASCADE : joining_phase(work);
    case WORK_CASCADE:
        return joining_phase(work);
    case WORK_STALE: /* no CPU has anything to forget; but others may have asked */
        return WORK_AWAIT;
    default:
        return work->phase + 1;
    }
}

/* On to the next point, or (POINT_NONE) into the next phase. */
static enum point step(struct work *work) {
    struct work *outer = work_running;
    enum work_phase phase = work->phase;
    work_running = work;
    work_unsettled++;
    enum point point = phase_step(work);
    work_unsettled--;
    if (point != POINT_NONE) {
        work->point = point;
    } else if (work->phase == phase) {
        work->phase = next_phase(work);
    }
    work_running = outer;
    return point;
}

/* Who is the last in progress joins what others left; and at the very end, when nobody can ask any more what the
 * operation covers, also nodes of which it covers one. */
static bool joins_once_more(struct work *work) {
    if (work_others() || (mapdb_settled() && !mapdb_postponed())) {
        return false;
    }
    work->tidies |= mapdb_settled();
    work->phase = WORK_JOIN;
    return true;
}

bool work_step(struct work *work) {
    while (work->phase != WORK_END || joins_once_more(work)) {
        if (++work->turns > TURNS) {
            arch_stop(RESCIND_STOP_STEPS, "an operation does not come to its end", work_point_name(work));
        }
        if (step(work) != POINT_NONE) {
            return false;
        }
    }
    work->phase = WORK_FREE_SLOT;
    work_count--;
    return true;
}

/* ---- others ---- */

void work_complete(void) {
    mapdb_complete();
    for (uint32_t i = 0; work_count > 0 && i < WORKS; i++) {
        while (works[i].phase == WORK_DROP) {
            KSTEP();
            step(&works[i]);
        }
    }
}

static bool walks(const struct work *work, unsigned kind, bool lowering_only) {
    const struct space *space = work->revoke.range.space;
    bool same = work->phase == WORK_REVOKE && space && space->kind == kind;
    return lowering_only ? same && work->lowers : same || work->phase == WORK_CASCADE;
}

void work_help(unsigned kind, bool lowering_only) {
    for (uint32_t i = 0; i < WORKS; i++) {
        struct work *work = &works[i];
        while (work != work_running && walks(work, kind, lowering_only)) {
            KSTEP();
            step(work);
        }
    }
}

void work_forget_node(const struct node *node) {
    uint32_t left = work_count;
    for (struct work *work = works; left > 0; work++) {
        if (work->phase != WORK_FREE_SLOT) {
            left--;
            work->next = work->next == node ? index_next(node) : work->next;
            cursor_forget(&work->search, node);
            cursor_forget(&work->walk.at, node);
        }
    }
}

void work_forget_pd(const struct pd *pd) {
    for (uint32_t i = 0; i < WORKS; i++) {
        struct revoke *revoke = &works[i].revoke;
        if (revoke->range.space && (revoke->range.space->pd == pd || revoke->filter == pd)) {
            revoke->range.space = NULL;
            works[i].next = NULL;
            works[i].search.node = NULL;
        }
    }
}
