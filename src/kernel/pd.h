/*
 * Protection domains: their table, birth, references and death.
 *
 * A PD or plain object lives while a capability to it exists; root lives for ever. Death is deferred until the
 * operation's own effect is complete, and cascades by a list, not by recursion (semantics, section 2, "Destroy"). A PD
 * is first emptied, then stopped; it is buried when all that it pays for is free.
 */
#ifndef RESCIND_PD_H
#define RESCIND_PD_H

#include "ports.h"
#include "ptab.h"
#include "space.h"

enum { PD_BYTES = sizeof(struct pd) + PTAB_TABLE_BYTES + PORTS_BYTES /* what a PD's account pays for the PD itself */ };

extern struct pd phys; /* the pseudo-PD that holds every frame and port */

/* Only root and PHYS; root has an account of that many bytes. */
void pd_reset(uint64_t quota);

/* Whether another one can be alive. */
bool pd_available(void);
/* A PD with empty spaces, no capability to it, and `quota` bytes (at least PD_BYTES) that the payer's account reserved;
 * pd_available() held. */
struct pd *pd_create(struct pd *payer, uint64_t quota);

/* A capability to it was removed. */
void pd_release(struct referent *referent);
/* It dies of the operation that is executing, whatever capabilities it has; if not of another already. */
void pd_doom(struct referent *referent);
/* A node in a dying PD's spaces or that names it, to be removed with all below it; NULL: there is none. */
struct node *pd_doomed_node(const struct pd *pd);
/* There is none: no CPU runs it or remembers anything of it. */
void pd_stop(struct pd *pd);
/* One step of giving a stopped PD's account to its heir, and then its memory; true: it is gone. */
bool pd_bury(struct pd *pd);

/* What the resource of a capability names; it must be alive. */
struct referent *pd_named(uint64_t resource);

/* Index in the table (RESCIND_PD_PHYS for phys); the PD of an index, which must be alive, or NULL where none is. */
uint32_t pd_index(const struct pd *pd);
struct pd *pd_by_index(uint32_t index);
struct pd *pd_find(uint32_t index);
struct pd *pd_root(void);
uint32_t pd_used(void);

#endif
