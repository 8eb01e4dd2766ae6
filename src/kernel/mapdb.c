/* Nodes and their derivation tree; see mapdb.h. */
#include "mapdb.h"

#include "account.h"
#include "check.h"
#include "index.h"
#include "kmem.h"
#include "pd.h"
#include "ptab.h"
#include "tlb.h"

struct node mapdb_nodes[GEO_NODES];
POOL(nodes, mapdb_nodes);
_Static_assert(sizeof(struct node) >= GEO_NODE_BYTES, "more nodes can be paid for than the pool has");
static uint32_t charged_nodes;
static struct node *uncoalesced; /* nodes that may have a buddy to coalesce with */

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
        account_give(&space->pd->account, (uint64_t)released * PTAB_TABLE_BYTES);
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
}

uint32_t mapdb_charged(void) {
    return charged_nodes;
}

const struct node *mapdb_by_index(uint32_t index) {
    return pool_in_use(&nodes, index) ? &mapdb_nodes[index] : NULL;
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

/* The node is gone; its hardware form and its children are already someone else's, or gone. */
static void free_node(struct node *node) {
    KASSERT(!node->first_child);
    if (node->listed && node->space->kind != ABI_OBJ) {
        list_remove(&uncoalesced, node);
    }
    range_stored(node);
    index_remove(node->space, node);
    unlink_child(node);
    if (node->charged) {
        KASSERT(charged_nodes > 0);
        charged_nodes--;
        account_give(account_of(node), sizeof *node);
    }
    pool_give(&nodes, mapdb_index(node));
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

static void remove_leaf(struct node *node) {
    if (node->space->kind == ABI_OBJ) {
        struct referent *named = pd_named(node->resource);
        list_remove(&named->capabilities, node);
        pd_release(named);
    } else {
        unmap(node->space, node->base, node->order);
    }
    free_node(node);
}

void mapdb_remove_subtree(struct node *top) {
    for (struct node *node = top;;) {
        KSTEP();
        if (node->first_child) {
            node = node->first_child;
            continue;
        }
        struct node *parent = node->parent;
        bool last = node == top;
        remove_leaf(node);
        if (last) {
            return;
        }
        node = parent;
    }
}

void mapdb_drop(struct node *node) {
    struct node *parent = node->parent;
    while (node->first_child) {
        KSTEP();
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
    remove_leaf(node);
}

void mapdb_move(struct node *node, struct space *space, uint64_t base) {
    struct space *from = node->space;
    uint64_t old_base = node->base;
    index_remove(from, node);
    node->space = space;
    node->base = base;
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

void mapdb_lower(struct node *top, unsigned mask) {
    for (struct node *node = top; node;) {
        unsigned rights = node->rights & ~mask;
        if (rights == node->rights) {
            node = mapdb_next(top, node, true);
        } else if (rights_exist(node->space->kind, rights)) {
            node->rights = (uint8_t)rights;
            range_stored(node);
            if (has_tables(node)) {
                ptab_protect(node->space->pd->root_table, node->base, node->order, rights);
                tlb_note(node->space->pd, node->base, node->order, ptab_leaf_order(node->order));
            }
            touch(node);
            node = mapdb_next(top, node, false);
        } else {
            struct node *next = mapdb_next(top, node, true);
            mapdb_remove_subtree(node);
            node = next;
        }
    }
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
    node->twin = twin;
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
            halve_node(node, node == top ? node->parent : node->parent->twin, payer);
        }
        node = mapdb_next(top, node, !whole);
    }
}

struct node *mapdb_cut(struct node *node, uint64_t resource, unsigned order, struct account *payer) {
    KASSERT(node->order >= order);
    while (node->order > order) {
        halve(node, payer);
        node = resource >= node->twin->resource ? node->twin : node;
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

/* The buddy becomes part of the node. */
static void absorb(struct node *node, struct node *buddy) {
    while (buddy->first_child) {
        KSTEP();
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
        account_give(account_of(node), PTAB_TABLE_BYTES);
    }
}

void mapdb_settle(void) {
    while (uncoalesced) {
        KSTEP();
        struct node *node = uncoalesced;
        list_remove(&uncoalesced, node);
        for (struct node *buddy = buddy_of(node); buddy; buddy = buddy_of(node)) {
            absorb(node, buddy);
        }
    }
}
