/*
 * The generator of operations in a context; mutate.c inserts with it. Private to src/seq.
 */
#ifndef RESCIND_SEQ_GENERATE_H
#define RESCIND_SEQ_GENERATE_H

#include "guess.h"

enum { GENERATOR_SEEN = 8 };

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
    uint32_t next_name;
    struct seq_op seen[GENERATOR_SEEN]; /* accesses, the last ones: translations that a CPU may remember */
    uint32_t seen_count;
};

/* The operations that a profile allows, as a mask. */
uint32_t generator_operations(const struct seq_profile *profile);

/* Draws the swarm: which operations this sequence has, how often, and how they look. profile->cpus is what the sequence
 * has. What a profile allows and does not need takes no random numbers from what it does need: with the five operations
 * up to lookup and kinds MEM and OBJ, sequences are what they were before there was anything else. */
void generator_begin(struct generator *generator, const struct seq_geometry *geometry, struct seq_random *random,
                     const struct seq_profile *profile);

/* Makes operation `position` of `count` and applies it to the guess. */
void generator_next(struct generator *generator, struct seq_op *op, uint32_t position, uint32_t count);

#endif
