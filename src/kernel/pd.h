/*
 * Protection domains: their table, birth, references and death.
 *
 * A PD lives while a capability to it exists; root lives for ever. Death is deferred to pd_reap, the end of the
 * operation, and cascades by a list, not by recursion (semantics, section 2, "Destroy").
 */
#ifndef RESCIND_PD_H
#define RESCIND_PD_H

#include "space.h"

extern struct pd phys; /* the pseudo-PD that holds every frame */

void pd_reset(void);

/* Whether create can succeed: a PD and the tables it is made with are available. */
bool pd_available(void);
/* A PD with empty spaces and no capability to it; pd_available() held. */
struct pd *pd_create(void);

/* A capability to the PD was removed. */
void pd_release(struct pd *pd);
/* The PD dies at the next pd_reap, whatever capabilities it has. */
void pd_doom(struct pd *pd);
/* Destroys every PD that is to die, and what dies of that. */
void pd_reap(void);

/* Index in the table (RESCIND_PD_PHYS for phys); the PD of an index, which must be alive, or NULL where none is. */
uint32_t pd_index(const struct pd *pd);
struct pd *pd_by_index(uint32_t index);
struct pd *pd_find(uint32_t index);
struct pd *pd_root(void);
uint32_t pd_used(void);

#endif
