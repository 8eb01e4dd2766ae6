/* Nodes and their derivation tree; see mapdb.h. */
#include "mapdb.h"

#include "account.h"
#include "check.h"
#include "cover.h"
#include "index.h"
#include "kmem.h"
#include "pd.h"
#include "ptab.h"
#include "tlb.h"

enum { PIECE = 8 /* nodes moved, or looked at, in one step */ };

struct node mapdb_nodes[GEO_NODES];
POOL(nodes, mapdb_nodes);
_Static_assert(sizeof(struct node) >= GEO_NODE_BYTES, "more nodes can be paid for than the pool has");
static uint32_t charged_nodes;
static struct node *uncoalesced; /* nodes that may have a buddy to coalesce with */
static struct node *postponed;   /* likewise, but an operation covers one of the two */
static struct { struct node *node, *buddy; /* node NULL: none */ } absorbing; /* half done */
static struct node *first_retired, *last_retired; /* in the order in which they were unlinked */
uint64_t mapdb_retired, mapdb_reclaimed;
static struct history history[GEO_NODES];

static void range_stored(const struct node *node) {
    arch_node_stored(mapdb_index(node), RESCIND_NODE_RANGE);
}

static void links_stored(const struct node *node) {
    arch_node_stored(mapdb_index(node), RESCIND_NODE_LINKS);
}

static struct account *account_of(const struct node *node) {
    return &node->space->pd->account;
}

static bool has_tables(const struct node *node) {
    return node->space->kind == ABI_MEM && node->space->pd->root_table;
}

/* ---- hardware form of memory and ports; that of a capability does not depend on the space it is in ---- */

static void map(const struct node *node) {
    const struct pd *pd = node->space->pd;
    if (has_tables(node)) {
        uint32_t made = ptab_map(pd->root_table, node->base, node->order, node->resource, node->rights);
        account_take(account_of(node), account_of(node), (uint64_t)made * PTAB_TABLE_BYTES);
    } else if (node->space->kind == ABI_PIO && pd != &phys) {
        ports_permit(pd_index(pd), node->base, node->order);
    }
}

static void unmap(struct space *space, uint64_t base, unsigned order) {
    if (space->kind == ABI_MEM) {
        uint32_t released = ptab_unmap(space->pd->root_table, base, order);
        tlb_note(space->pd, base, order, ptab_leaf_order(order));
        ptab_owe(&space->pd->account, released);
    } else if (space->kind == ABI_PIO) {
        ports_deny(pd_index(space->pd), base, order);
    }
}

/* ---- lists ---- */

static void list_add(struct node **head, struct node *node) {
    node->listed = true;
    node->previous_listed = NULL;
    node->next_listed = *head;
    if (*head) {
        (*head)->previous_listed = node;
    }
    *head = node;
}

static void list_remove(struct node **head, struct node *node) {
    if (node->previous_listed) {
        node->previous_listed->next_listed = node->next_listed;
    } else {
        KASSERT(*head == node);
        *head = node->next_listed;
    }
    if (node->next_listed) {
        node->next_listed->previous_listed = node->previous_listed;
    }
    node->listed = false;
}

/* The node may have become able to coalesce with its buddy. */
static void touch(struct node *node) {
    if (node->space->kind != ABI_OBJ && node->parent && !node->listed) {
        list_add(&uncoalesced, node);
    }
}

/* ---- derivation tree ---- */

static void link_child(struct node *parent, struct node *child) {
    child->parent = parent;
    child->previous_sibling = NULL;
    child->next_sibling = parent->first_child;
    if (parent->first_child) {
        parent->first_child->previous_sibling = child;
        links_stored(parent->first_child);
    }
    parent->first_child = child;
    links_stored(parent);
    range_stored(child);
}

static void unlink_child(struct node *child) {
    struct node *parent = child->parent;
    if (!parent) {
        return;
    }
    if (child->previous_sibling) {
        child->previous_sibling->next_sibling = child->next_sibling;
        links_stored(child->previous_sibling);
    } else {
        KASSERT(parent->first_child == child);
        parent->first_child = child->next_sibling;
        links_stored(parent);
    }
    if (child->next_sibling) {
        child->next_sibling->previous_sibling = child->previous_sibling;
        links_stored(child->next_sibling);
    }
}

struct node *mapdb_next(const struct node *top, struct node *node, bool skip) {
    KSTEP();
    if (!skip && node->first_child) {
        return node->first_child;
    }
    while (node != top && !node->next_sibling) {
        KSTEP();
        node = node->parent;
    }
    return node == top ? NULL : node->next_sibling;
}

/* ---- nodes ---- */

void mapdb_reset(void) {
    pool_reset(&nodes);
    charged_nodes = 0;
    uncoalesced = NULL;
    postponed = NULL;
    absorbing.node = NULL;
    mapdb_retired = mapdb_reclaimed = 0;
}

uint32_t mapdb_charged(void) {
    return charged_nodes;
}

const struct node *mapdb_by_index(uint32_t index) {
    return pool_in_use(&nodes, index) && !mapdb_nodes[index].retired ? &mapdb_nodes[index] : NULL;
}

struct history *mapdb_history(const struct node *node) {
    return &history[mapdb_index(node)];
}

/* A node in the index and below the parent, without hardware form; if charged, reserved by `payer`. */
static struct node *new_node(struct space *space, uint64_t base, unsigned order, uint64_t resource, unsigned rights,
                             struct node *parent, bool charged, struct account *payer) {
    struct node *node = &mapdb_nodes[pool_take(&nodes)];
    *node = (struct node){
        .space = space,
        .base = base,
        .resource = resource,
        .order = (uint8_t)order,
        .rights = (uint8_t)rights,
        .charged = charged,
    };
    *mapdb_history(node) = (struct history){.born = work_now};
    if (charged) {
        charged_nodes++;
        account_take(payer, account_of(node), sizeof *node);
    }
    index_insert(space, node);
    if (parent) {
        link_child(parent, node);
    } else {
        range_stored(node);
    }
    return node;
}

static void retire(struct node *node) {
    node->retired = true;
    node->next_listed = NULL;
    if (mapdb_retired == mapdb_reclaimed) {
        first_retired = node;
    } else {
        last_retired->next_listed = node;
    }
    last_retired = node;
    mapdb_retired++;
}

/* The node is gone; its hardware form and its children are already someone else's, or gone. Its memory is not yet free.
 */
static void free_node(struct node *node) {
    KASSERT(!node->first_child);
    work_forget_node(node);
    if (node->listed && node->space->kind != ABI_OBJ) {
        list_remove(node->postponed ? &postponed : &uncoalesced, node);
    }
    range_stored(node);
    index_remove(node->space, node);
    unlink_child(node);
    retire(node);
}

static void reclaim(struct node *node) {
    if (node->charged) {
        KASSERT(charged_nodes > 0);
        charged_nodes--;
        account_give(account_of(node), sizeof *node);
    }
    pool_give(&nodes, mapdb_index(node));
}

uint32_t mapdb_reclaim(uint64_t mark, uint32_t most) {
    uint64_t before = mapdb_reclaimed;
    while (mapdb_reclaimed < mark && mapdb_reclaimed < before + most) {
        KSTEP();
        struct node *node = first_retired;
        first_retired = node->next_listed;
        mapdb_reclaimed++;
        reclaim(node);
    }
    return (uint32_t)(mapdb_reclaimed - before);
}

struct node *mapdb_create(struct space *space, uint64_t base, unsigned order, uint64_t resource, unsigned rights,
                          struct node *parent, bool charged) {
    KASSERT(rights_exist(space->kind, rights));
    KASSERT(((base | resource) & ((UINT64_C(1) << order) - 1)) == 0);
    KASSERT(!parent || (rights & ~(unsigned)parent->rights) == 0);
    struct node *node = new_node(space, base, order, resource, rights, parent, charged, &space->pd->account);
    if (space->kind == ABI_OBJ) {
        struct referent *named = pd_named(resource);
        list_add(&named->capabilities, node);
        named->references++;
    } else {
        map(node);
    }
    touch(node);
    return node;
}

/* Takes all rights of a node without children. It stays linked, so that nothing else comes to be in its place. */
static enum point take(struct node *node) {
    uint64_t tables = ptab_retired;
    if (node->space->kind != ABI_OBJ) {
        unmap(node->space, node->base, node->order);
    }
    node->rights = 0;
    range_stored(node);
    return ptab_retired == tables ? POINT_TAKEN : POINT_TABLES;
}

/* One step of removing a node without children. */
static enum point remove_leaf(struct node *node) {
    if (node->rights) {
        return take(node);
    }
    if (node->space->kind == ABI_OBJ) {
        struct referent *named = pd_named(node->resource);
        list_remove(&named->capabilities, node);
        pd_release(named);
    }
    free_node(node);
    return POINT_UNLINKED;
}

enum point mapdb_drop(struct node *node) {
    struct node *parent = node->parent;
    for (unsigned moved = 0; node->first_child; moved++) {
        KSTEP();
        if (moved == PIECE) {
            return POINT_CHILDREN;
        }
        struct node *child = node->first_child;
        unlink_child(child);
        if (parent) {
            link_child(parent, child);
            touch(child);
        } else {
            child->parent = NULL;
            child->next_sibling = NULL;
            child->previous_sibling = NULL;
            range_stored(child);
        }
    }
    return remove_leaf(node);
}

void mapdb_move(struct node *node, struct space *space, uint64_t base) {
    struct space *from = node->space;
    uint64_t old_base = node->base;
    index_remove(from, node);
    node->space = space;
    node->base = base;
    mapdb_history(node)->born = work_now;
    index_insert(space, node);
    range_stored(node);
    map(node); /* before unmap: a table that both places need stays */
    unmap(from, old_base, node->order);
    if (node->charged && from->pd != space->pd) {
        account_take(account_of(node), account_of(node), sizeof *node);
        account_give(&from->pd->account, sizeof *node);
    }
    touch(node);
}

void mapdb_lower(struct walk *walk, struct node *top, unsigned mask, uint32_t lost) {
    *walk = (struct walk){.mask = mask, .lost = lost};
    cursor_start(&walk->at, top);
}

/* Looks at the node at which a walk stands, and goes on. */
static enum point lower_node(struct walk *walk) {
    struct node *node = walk->at.node;
    unsigned rights = node->rights & ~walk->mask;
    if (!rights_exist(node->space->kind, rights)) {
        if (!node->first_child) {
            return remove_leaf(node); /* which makes the walk go on */
        }
        cursor_into(&walk->at);
        walk->at.up = false;
    } else if (walk->at.up || rights == node->rights) {
        cursor_past(&walk->at);
    } else {
        node->rights = (uint8_t)rights;
        range_stored(node);
        cover_note_lost(node, walk->lost);
        if (has_tables(node)) {
            ptab_protect(node->space->pd->root_table, node->base, node->order, rights);
            tlb_note(node->space->pd, node->base, node->order, ptab_leaf_order(node->order));
        }
        touch(node);
        cursor_into(&walk->at);
        return POINT_LOWERED;
    }
    return POINT_NONE;
}

enum point mapdb_lower_step(struct walk *walk) {
    enum point point = POINT_WALK;
    for (unsigned looked = 0; walk->at.node && looked < PIECE; looked++) {
        KSTEP();
        point = lower_node(walk);
        if (point != POINT_NONE) {
            return point;
        }
        point = POINT_WALK;
    }
    return point;
}

/* ---- division ---- */

void mapdb_count_cut(struct node *node, uint64_t resource, unsigned order, uint32_t *nodes_needed,
                     uint32_t *tables_needed) {
    for (struct node *n = node; n;) {
        bool divided = n->order > order && blocks_meet(n->resource, n->order, resource, order);
        if (divided) {
            *nodes_needed += n->order - order;
            for (unsigned o = order + 1; o <= n->order && has_tables(n); o++) {
                *tables_needed += ptab_is_large_leaf(o);
            }
        }
        n = mapdb_next(node, n, !divided);
    }
}

/* The upper half of a node that was halved just now: nothing can be between them. */
static struct node *twin_of(const struct node *node) {
    return index_next(node);
}

/* Halves one node, whose parent, if it must be halved too, was already. Children of its old order stay: they come next.
 */
static void halve_node(struct node *node, struct node *twin_parent, struct account *payer) {
    if (has_tables(node) && ptab_is_large_leaf(node->order)) {
        account_take(payer, account_of(node), PTAB_TABLE_BYTES);
        ptab_split(node->space->pd->root_table, node->base, node->order);
    }
    node->order--;
    range_stored(node);
    struct node *twin = new_node(node->space, node->base + node_size(node), node->order,
                                 node->resource + node_size(node), node->rights, twin_parent, node->charged, payer);
    *mapdb_history(twin) = *mapdb_history(node);
    for (struct node *child = node->first_child; child;) {
        KSTEP();
        struct node *next = child->next_sibling;
        if (child->order <= node->order && child->resource >= twin->resource) {
            unlink_child(child);
            link_child(twin, child);
        }
        child = next;
    }
}

/* Halves a node and the descendants that are as large as it is. */
static void halve(struct node *top, struct account *payer) {
    unsigned order = top->order;
    for (struct node *node = top; node;) {
        bool whole = node->order == order;
        if (whole) {
            halve_node(node, node == top ? node->parent : twin_of(node->parent), payer);
        }
        node = mapdb_next(top, node, !whole);
    }
}

struct node *mapdb_cut(struct node *node, uint64_t resource, unsigned order, struct account *payer) {
    KASSERT(node->order >= order);
    while (node->order > order) {
        halve(node, payer);
        node = resource >= twin_of(node)->resource ? twin_of(node) : node;
    }
    KASSERT(node->resource == resource);
    return node;
}

/* ---- coalescing ---- */

/* The node that could be one with this, or NULL. */
static struct node *buddy_of(const struct node *node) {
    uint64_t size = node_size(node);
    if (((node->base ^ node->resource) & size) != 0) {
        return NULL;
    }
    struct node *buddy = node->base & size ? index_previous(node) : index_next(node);
    bool fits = buddy && buddy->base == (node->base ^ size) && buddy->order == node->order &&
                buddy->parent == node->parent && buddy->rights == node->rights &&
                buddy->resource == (node->resource ^ size);
    return fits ? buddy : NULL;
}

/* The buddy becomes part of the node. False: it is not yet, and the next step is the same. */
static bool absorb(struct node *node, struct node *buddy) {
    for (unsigned moved = 0; buddy->first_child; moved++) {
        KSTEP();
        if (moved == PIECE) {
            return false;
        }
        struct node *child = buddy->first_child;
        unlink_child(child);
        link_child(node, child);
        if (child->order == node->order) {
            touch(child);
        }
    }
    uint64_t base = node->base & ~node_size(node);
    uint64_t resource = node->resource & ~node_size(node);
    free_node(buddy);
    node->base = base;
    node->resource = resource;
    node->order++;
    range_stored(node);
    if (has_tables(node) && ptab_is_large_leaf(node->order)) {
        ptab_join(node->space->pd->root_table, node->base, node->order);
        tlb_note(node->space->pd, node->base, node->order, node->order - GEO_LEVEL_BITS);
        ptab_owe(account_of(node), 1);
    }
    return true;
}

/* Begins with the next node that may have a buddy; false: there is none. */
static bool take_uncoalesced(void) {
    struct node **head = uncoalesced || !work_running->tidies ? &uncoalesced : &postponed;
    struct node *node = *head;
    if (!node) {
        return false;
    }
    list_remove(head, node);
    node->postponed = false;
    absorbing.node = node;
    absorbing.buddy = buddy_of(node);
    return true;
}

/* Whether the operation covers one of two nodes and not the other: they are one when it has returned. */
static bool differ(const struct node *node, const struct node *buddy) {
    return !work_running->tidies && cover_tells(work_running, node) != cover_tells(work_running, buddy);
}

static void postpone(struct node *node) {
    if (!node->listed) {
        list_add(&postponed, node);
        node->postponed = true;
    }
}

enum point mapdb_settle(void) {
    for (unsigned looked = 0; looked < PIECE && (absorbing.node || take_uncoalesced()); looked++) {
        KSTEP();
        if (absorbing.buddy && differ(absorbing.node, absorbing.buddy)) {
            postpone(absorbing.node);
            absorbing.buddy = NULL;
        }
        if (!absorbing.buddy) {
            absorbing.node = NULL;
            continue;
        }
        if (absorb(absorbing.node, absorbing.buddy)) {
            absorbing.buddy = buddy_of(absorbing.node);
        }
        return POINT_JOINED;
    }
    return mapdb_settled() && !(work_running->tidies && postponed) ? POINT_NONE : POINT_WALK;
}

bool mapdb_settled(void) {
    return !absorbing.node && !uncoalesced;
}

bool mapdb_postponed(void) {
    return postponed != NULL;
}

const struct node *mapdb_joining(void) {
    return absorbing.buddy ? absorbing.node : NULL;
}

void mapdb_complete(void) {
    if (absorbing.node) {
        while (absorbing.buddy && !absorb(absorbing.node, absorbing.buddy)) {
            KSTEP();
        }
        touch(absorbing.node);
        absorbing.node = NULL;
    }
}
