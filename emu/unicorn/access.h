/*
 * Accesses to memory and ports by single instructions of user mode, and what they came to. Depends on machine.h.
 */
#ifndef RESCIND_UNICORN_ACCESS_H
#define RESCIND_UNICORN_ACCESS_H

#include "unicorn/machine.h"

enum { ACCESS_UNITS_TOLD_APART = 4096 };

/* What frames show of themselves. */
struct access_tags {
    uint64_t *tagged; /* bit by frame */
    uint32_t nonce;   /* of the last store */
    /* Programs executed by CPUs that remember, by (some bits of) the unit: the next is at another place. */
    uint16_t executed[ACCESS_UNITS_TOLD_APART];
};

/* Whatever memory_restore has cleared is to be tagged anew. */
void access_forget(struct access_tags *tags, struct memory *memory);

/*
 * Tries a probe of MEM on an engine that is at rest in user mode, with the registers that it remembers, which it has
 * afterwards too. A page is known by what its frame holds: a tag, and programs; a CPU that remembers executes each
 * once, since an emulator may go on executing what it has translated. What is stored must arrive in the frame. Stops
 * the machine where a fault has an error code that the access cannot have.
 */
void access_memory(struct machine *machine, struct access_tags *tags, struct engine *engine,
                   struct rescind_probe *probe);

/* A probe of PIO. Unicorn lets anybody use any port; so it is looked up what a CPU looks up: the bitmap behind the
 * CPU's task state segment, through the page tables that it uses (Intel SDM vol. 1, section 19.5.2). */
void access_port(const struct machine *machine, const struct engine *engine, struct rescind_probe *probe);

#endif
