/*
 * A cheap guess of the state after some operations: who exists, what is mapped where, which capabilities there are, who
 * has how much kernel memory, and what the CPUs run.
 *
 * It only steers the generator: it keeps aligned ranges, not units, forgets pieces of a range that is cut, and knows
 * few PDs. No oracle: nothing is judged by it. Private to src/seq.
 */
#ifndef RESCIND_SEQ_GUESS_H
#define RESCIND_SEQ_GUESS_H

#include "seq_table.h"

enum { GUESS_PDS = 16, GUESS_RANGES = 256, GUESS_NONE = 0xffff, GUESS_ROOT = 0, GUESS_OBJECT = 0x100 };

/* A mapped range. PDs are slots 0..GUESS_PDS - 1, 0 being root. Parents precede their children. */
struct guess_range {
    uint64_t base, resource; /* OBJ: resource is a PD slot, or GUESS_OBJECT for any plain object */
    uint16_t parent;         /* index, or GUESS_NONE: PHYS, or none */
    uint8_t pd, kind, order;
    uint8_t rights; /* 0 only while an operation is being applied */
    uint8_t depth;
};

/* Scratch of an operation that removes: the part of a range that is covered. */
struct guess_cover {
    uint64_t resource;
    uint8_t order;
    bool covered, loses;
};

struct guess {
    const struct seq_geometry *geometry;
    uint32_t count, alive;      /* ranges; bit 1 << slot: that PD exists */
    uint8_t slot_of[SEQ_NAMES]; /* GUESS_PDS: nothing */
    uint8_t name_of[GUESS_PDS]; /* 0, save for root: cannot be named any more */
    uint8_t payer[GUESS_PDS];   /* slot */
    uint32_t pages[GUESS_PDS];  /* not passed on from its account; what it uses itself is left out of account */
    uint32_t kinds;             /* bit 1 << enum abi_kind: provided; others are refused */
    bool accounts;              /* whether a create may fail for want of pages */
    uint8_t runs[SEQ_CPUS];     /* slot, or GUESS_PDS: nothing */
    uint8_t oom;                /* which allocation of the next call fails, or 0 */
    struct guess_range range[GUESS_RANGES];
    struct guess_cover cover[GUESS_RANGES];
};

/* The boot state. */
void guess_begin(struct guess *guess, const struct seq_geometry *geometry);

/* Applies an operation. True: it probably changed something. */
bool guess_apply(struct guess *guess, const struct seq_op *op);

/* The lowest capability of a PD to another, or GUESS_NONE. */
uint32_t guess_cap(const struct guess *guess, uint8_t pd, uint8_t target);

/* Whether a range is a capability to a PD. */
static inline bool guess_names_pd(const struct guess_range *range) {
    return range->kind == ABI_OBJ && range->resource < GUESS_PDS;
}

bool guess_occupied(const struct guess *guess, uint8_t pd, uint8_t kind, uint64_t base, uint8_t order);

#endif
