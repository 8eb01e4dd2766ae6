/*
 * The physical memory of the emulated machine: 2 GiB of host memory that all engines map, and the way back to how it
 * was after boot.
 *
 * Few pages are not zero after boot, and few are touched by a sequence. Which blocks of 2 MiB of the kernel's part were
 * written to is in the dirty bits of the kernel's own mapping of them, which the emulated CPU sets; which pages in them
 * were touched is asked of the host (mincore). Of the part below, frames that are handed out, whoever writes there says
 * so. Depends on the host's system calls alone.
 */
#ifndef RESCIND_UNICORN_MEMORY_H
#define RESCIND_UNICORN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_PAGE = 4096 };
#define MEMORY_BYTES UINT64_C(0x80000000)
#define MEMORY_BLOCK UINT64_C(0x200000)
#define MEMORY_KERNEL UINT64_C(0x60000000) /* where the kernel's part starts */
enum {
    MEMORY_KERNEL_PAGES = (MEMORY_BYTES - MEMORY_KERNEL) / MEMORY_PAGE,
    MEMORY_KERNEL_BLOCKS = (MEMORY_BYTES - MEMORY_KERNEL) / MEMORY_BLOCK
};

struct memory {
    uint8_t *bytes; /* MEMORY_BYTES, by physical address */
    uint64_t
        *mapping[MEMORY_KERNEL_BLOCKS]; /* the entry that maps a block for the kernel; NULL: look at it each time */
    uint8_t *saved;                     /* pages as they were after boot... */
    uint32_t *saved_page;               /* ...their numbers in the kernel's part, ascending, */
    uint32_t *saved_at;                 /* and by page: place in `saved`, plus one; 0: zero */
    uint32_t saved_count;
    uint32_t *frame; /* that memory_note was told of */
    uint32_t frames;
};

/* False: the host has no memory. All of it is zero. */
bool memory_open(struct memory *memory);
void memory_close(struct memory *memory);

/* How it is now is what memory_restore comes back to, with `mapping` as the caller has filled it. Everything below the
 * kernel's part becomes zero. */
bool memory_save(struct memory *memory);

/* A frame below the kernel's part is about to be written to. */
void memory_note(struct memory *memory, uint64_t frame);

/* Whether `frame` has all frames that were told. */
bool memory_knows_frames(const struct memory *memory);

/* `thorough`: wherever anything was written. What engines remember of the mapping must be forgotten then. */
void memory_restore(struct memory *memory, bool thorough);

#endif
