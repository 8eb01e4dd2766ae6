/*
 * The generator of operations in a context; mutate.c inserts with it. Private to src/seq.
 */
#ifndef RESCIND_SEQ_GENERATE_H
#define RESCIND_SEQ_GENERATE_H

#include "guess.h"

enum { GENERATOR_SEEN = 8, GENERATOR_PENDING = 4, GENERATOR_ANY_PD = 0xff, GENERATOR_OTHER_PD = 0xfe };

struct generator {
    struct seq_random *random;
    const struct seq_geometry *geometry;
    struct guess guess;
    uint32_t weight[SEQ_CODES], weights; /* and their sum */
    bool late_revoke;                    /* revokes are rare in the first half */
    uint8_t mistakes, objects,
        repeats; /* how often, of 256: on purpose; kind OBJ; a delegate goes on with the next range */
    uint8_t phys, deep, remote,
        largest;        /* of 256: from PHYS; from the deepest; through capabilities; the largest order */
    uint16_t ports;     /* of 256: kind PIO where it is not OBJ */
    uint16_t elsewhere; /* of 256: executed by any CPU, not the first */
    uint8_t cpus;
    uint8_t quota;                  /* pages of most new PDs */
    uint64_t units_left, delegated; /* of the profile's budget; units delegated so far */
    struct seq_op last;             /* what is being repeated */
    uint32_t repeat;                /* how many times more */
    bool same_source;               /* each time from the same range: many children of one unit */
    uint32_t next_name;
    struct seq_op seen[GENERATOR_SEEN]; /* accesses, the last ones: translations that a CPU may remember */
    uint32_t seen_count;
    uint32_t operations;                      /* allowed, as a mask */
    uint8_t preempt, points;                  /* as in the profile */
    struct seq_op pending[GENERATOR_PENDING]; /* of the block of the last operation: to come next */
    uint32_t pending_count, pending_at;
    struct seq_op deferred; /* a revoke or destroy that waits until PDs run from which it takes something: */
    bool is_deferred;
    uint32_t victims; /* how many more */
};

static inline uint64_t generator_below(struct generator *generator, uint64_t bound) {
    return seq_random_below(generator->random, bound);
}

static inline bool generator_chance(struct generator *generator, uint32_t of_256) {
    return (seq_random_next(generator->random) >> 56) < of_256;
}

static inline bool generator_can_call(const struct generator *generator, uint8_t slot) {
    return slot == GUESS_ROOT || generator->guess.name_of[slot] != 0;
}

/* The operations that a profile allows, as a mask. */
uint32_t generator_operations(const struct seq_profile *profile);

/* Draws the swarm: which operations this sequence has, how often, and how they look. profile->cpus is what the sequence
 * has. What a profile allows and does not need takes no random numbers from what it does need: with the five operations
 * up to lookup and kinds MEM and OBJ, sequences are what they were before there was anything else. */
void generator_begin(struct generator *generator, const struct seq_geometry *geometry, struct seq_random *random,
                     const struct seq_profile *profile);

/* Makes operation `position` of `count` and applies it to the guess. */
void generator_next(struct generator *generator, struct seq_op *op, uint32_t position, uint32_t count);

/* ---- operations that run while another one is suspended (generate_block.c) ---- */

/* Gives some revokes and destroys, before they are applied to the guess, a schedule and what is to follow in their
 * block; `to_come` operations at most. */
void generator_suspend(struct generator *generator, struct seq_op *op, uint32_t to_come);

/* Makes a CPU run a PD from which the operation, which is not yet applied to the guess, takes memory: only what runs,
 * or has run, remembers translations. False: there is none that does not run. There is more than one CPU. */
bool generator_run_victim(struct generator *generator, const struct seq_op *taking, struct seq_op *op);

/* Makes an operation that has to do with what the suspended one takes, which is not yet applied to the guess. False: it
 * came to nothing. */
bool generator_interfere(struct generator *generator, const struct seq_op *suspended, struct seq_op *op);

/* Makes the operation around the innermost suspended one go on, to its end or to one of its next points. */
void generator_resume_outer(struct generator *generator, struct seq_op *op);

/* ---- parts of operations ---- */

/* Some range of that kind in that PD (or in any that can call), or GUESS_NONE. */
uint32_t generator_pick(struct generator *generator, uint8_t kind, uint8_t pd);

/* Some capability with that right, held by `pd` (or by anyone who can call), to `target` (or to any PD, or to any but
 * the holder). */
uint32_t generator_pick_cap(struct generator *generator, uint8_t pd, uint8_t target, uint8_t right);

/* An argument that stands for this capability: its PD's name if that finds it, else its selector. */
struct seq_cap generator_cap_argument(struct generator *generator, uint32_t index);

/* Where a range of that order is put: free, often at the end of another one. */
uint64_t generator_pick_place(struct generator *generator, uint8_t pd, uint8_t kind, uint8_t order);

/* What PHYS holds of that kind. */
uint64_t generator_pick_resource(struct generator *generator, uint8_t kind, uint8_t order);

/* A range that is this one, a part of it, or contains it. */
void generator_pick_range(struct generator *generator, struct seq_op *op, uint64_t base, uint8_t order);

/* The receiver of a delegate or grant; self if there is no other. Returns its slot. */
uint8_t generator_pick_receiver(struct generator *generator, struct seq_op *op, uint8_t caller);

/* Whose range it is that a revoke names, and through what. */
bool generator_pick_revoke_place(struct generator *generator, struct seq_op *op, uint8_t owner, uint8_t child_pd);

#endif
