/*
 * Accesses to memory and ports by single instructions of user mode, and what they came to. Depends on machine.h.
 */
#ifndef RESCIND_UNICORN_ACCESS_H
#define RESCIND_UNICORN_ACCESS_H

#include "unicorn/machine.h"

/* What frames show of themselves. */
struct access_tags {
    uint64_t *tagged; /* bit by frame */
    uint32_t nonce;   /* of the last store */
    uint32_t program; /* the next place in a page where something is executed */
};

/* Whatever memory_restore has cleared is to be tagged anew. */
void access_forget(struct access_tags *tags, struct memory *memory);

/*
 * Tries a probe of MEM on an engine that is at rest in user mode, with the registers that it remembers, which it has
 * afterwards too. A page is known by what its frame holds: a tag, and programs, each at a place of its own, since an
 * emulator may go on executing what it has translated. What is stored must arrive in the frame. Stops the machine where a
 * fault has an error code that the access cannot have.
 */
void access_memory(struct machine *machine, struct access_tags *tags, struct engine *engine,
                   struct rescind_probe *probe);

/* Likewise a probe of PIO: a port is read. */
void access_port(struct machine *machine, struct engine *engine, struct rescind_probe *probe);

#endif
