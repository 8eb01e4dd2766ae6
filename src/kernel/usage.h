/*
 * Kernel memory in use, and what things cost: told to whoever watches the kernel. Nothing in the kernel asks.
 */
#ifndef RESCIND_USAGE_H
#define RESCIND_USAGE_H

#include "object.h"
#include "pd.h"

/* Initializer of a struct rescind_costs. */
#define USAGE_COSTS                                                                                                    \
    { .pd = PD_BYTES, .object = sizeof(struct object), .node = sizeof(struct node), .table = PTAB_TABLE_BYTES }

void usage_read(struct rescind_usage *usage);

#endif
