/*
 * What the kernel holds, as struct rescind_target shows it: PDs, objects, nodes. For machines on a host, whose harness
 * looks inside. Depends on the kernel's data; not for the kernel itself.
 */
#ifndef RESCIND_VIEWS_H
#define RESCIND_VIEWS_H

#include "abi/target.h"

bool view_pd(uint32_t index, struct rescind_pd_view *view);
bool view_object(uint32_t index, struct rescind_object_view *view);
uint32_t view_joining(void);
bool view_node(uint32_t index, struct rescind_node_view *view);
uint32_t view_phys_tree_root(enum abi_kind kind);

#endif
