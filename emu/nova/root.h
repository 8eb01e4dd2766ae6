/*
 * What the root task does with NOVA for itself: hypercalls by its own thread, windows into memory, PDs with their
 * agents. Used by kernel.c only.
 */
#ifndef RESCIND_NOVA_ROOT_H
#define RESCIND_NOVA_ROOT_H

#include "agent.h"
#include "layout.h"

#include <stdbool.h>

/* ---- calls.c ---- */

/* Ends the machine: what should never happen. */
_Noreturn void root_panic(const char *what, uint64_t number);

enum nova_status root_call(enum nova_call call, unsigned flags, uint64_t selector, uint64_t rsi, uint64_t rdx,
                           uint64_t rax, uint64_t r8);
/* The same, which must succeed. */
void root_must(const char *what, enum nova_call call, unsigned flags, uint64_t selector, uint64_t rsi, uint64_t rdx,
               uint64_t rax, uint64_t r8);

/* From the root task to a PD (selectors are the root task's), or from the kernel to the root task. False: the PD has no
 * kernel memory for it. */
bool root_try_give(uint64_t pd, uint64_t range, uint64_t window, bool from_kernel);
/* The same, which must succeed. */
void root_give(uint64_t pd, uint64_t range, uint64_t window, bool from_kernel);

/* The rights that the root task has there. */
unsigned root_lookup(uint64_t range);
void root_revoke(uint64_t range);

/* Free kernel memory of the root task, in pages. */
uint64_t root_free_pages(void);

/* Once, for a CPU other than the first: a thread of the root task that wakes up now and then, for a CPU where nothing
 * happens does not take part in giving memory back.. */
void ticker_start(uint32_t cpu);

/* Lets time pass, in which the kernel gives memory back. */
void root_sleep(uint64_t ticks);

/* ---- pds.c ---- */

/* Once: handlers of exceptions, portals for all that agents will run into. */
void pds_start(uint32_t cpus, uint8_t *memory);
enum { PDS_MEMORY = ROOT_FORMER * LAYOUT_PDS * LAYOUT_CPUS * 2 * NOVA_PAGE };

/* A PD with an agent on each CPU, none of which runs; `quota` pages of kernel memory. False: there is no such memory.
 */
bool pds_create(uint32_t pd, uint64_t quota);
void pds_destroy(uint32_t pd);
/* Takes everything away from it, by remote revokes: first what is a unit of a sequence, then what its agents need. */
void pds_empty_units(uint32_t pd);
void pds_empty_agent(uint32_t pd);

/* The mailbox as the root task sees it. */
struct agent_mailbox *pds_mailbox(uint32_t pd, uint32_t cpu);

/* The first CPU's agent does what stands in its mailbox. False: it died. */
bool pds_call(uint32_t pd);
/* Another CPU's agent looks at its mailbox again. */
void pds_wake(uint32_t pd, uint32_t cpu);

#endif
