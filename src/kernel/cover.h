/*
 * What operations in progress take: other operations see that as taken already, where they would derive from it or act
 * by its authority (semantics, section 3, "Preemption").
 *
 * Covered is what a revoke in progress would have changed had it run alone at its start, what is in the spaces of a PD
 * that is being destroyed, the capabilities to such a PD, and all that derives from these. Only asked while something
 * is in progress.
 */
#ifndef RESCIND_COVER_H
#define RESCIND_COVER_H

#include "work.h"

/* The rights of a node without those that operations in progress take. */
unsigned cover_rights(const struct node *node);
/* Likewise, but what it names may be dying. */
unsigned cover_authority(const struct node *node);
/* What of a node's history decides whether an operation covers it: equal for two nodes that can be one. */
unsigned cover_tells(const struct work *work, const struct node *node);
/* Whether the node is covered. */
bool cover_holds(const struct node *node);
/* The operation takes rights from a node, which stays. */
void cover_note_lost(const struct node *node, uint32_t bits);

#endif
