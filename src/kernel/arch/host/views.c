/* See views.h. */
#include "arch/host/views.h"

#include "mapdb.h"
#include "object.h"
#include "pd.h"
#include "ptab.h"

/* Without a branch: which links there are cannot be predicted, and this is asked seven times a node. */
static uint32_t index_or_none(const struct node *node) {
    uintptr_t offset = (uintptr_t)node - (uintptr_t)mapdb_nodes;
    return (uint32_t)(offset / sizeof(struct node)) | -(uint32_t)(node == NULL);
}

bool view_pd(uint32_t index, struct rescind_pd_view *view) {
    const struct pd *pd = pd_find(index);
    if (!pd) {
        return false;
    }
    *view = (struct rescind_pd_view){.payer = RESCIND_NONE};
    view->root_table = ptab_physical(pd->root_table);
    view->ports = ports_of(index);
    view->quota = pd->account.quota;
    view->used = pd->account.used;
    view->payer = pd->referent.payer ? pd_index(pd->referent.payer) : RESCIND_NONE;
    view->references = pd->referent.references;
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        view->tree_root[kind] = index_or_none(pd->space[kind].tree_root);
        view->node_count[kind] = pd->space[kind].nodes;
    }
    view->dying = pd->referent.dying;
    return true;
}

bool view_object(uint32_t index, struct rescind_object_view *view) {
    const struct object *object = object_find(index);
    if (!object) {
        return false;
    }
    view->references = object->referent.references;
    view->payer = pd_index(object->referent.payer);
    return true;
}

uint32_t view_joining(void) {
    return index_or_none(mapdb_joining());
}

bool view_node(uint32_t index, struct rescind_node_view *view) {
    const struct node *node = mapdb_by_index(index);
    if (!node) {
        return false;
    }
    *view = (struct rescind_node_view){
        .base = node->base,
        .resource = node->resource,
        .pd = pd_index(node->space->pd),
        .kind = node->space->kind,
        .order = node->order,
        .rights = node->rights,
        .charged = node->charged,
        .parent = index_or_none(node->parent),
        .first_child = index_or_none(node->first_child),
        .next_sibling = index_or_none(node->next_sibling),
        .previous_sibling = index_or_none(node->previous_sibling),
        .tree_parent = index_or_none(node->tree_parent),
        .tree_left = index_or_none(node->tree_left),
        .tree_right = index_or_none(node->tree_right),
        .next_in_order = node->next_in_order,
        .previous_in_order = node->previous_in_order,
        .tree_rank = node->tree_rank,
    };
    return true;
}

uint32_t view_phys_tree_root(enum abi_kind kind) {
    return index_or_none(phys.space[kind].tree_root);
}
