/*
 * The abstract state of a target, read from the target alone.
 *
 * A sorted list of runs: who is alive; each space's mappings with their parents, by the nodes; what the page tables
 * and port bitmaps let through. Neighbouring units that continue each other are one run, however the kernel stores
 * them, and everything is named by labels (player.h), so two states are equal exactly when their lists are.
 */
#ifndef RESCIND_HARNESS_STATE_H
#define RESCIND_HARNESS_STATE_H

#include "harness/player.h"

enum state_source {
    STATE_COUNTS, /* of all: unit PDs, resource plain objects */
    STATE_ALIVE,  /* a PD (kind 0) or plain object (kind 1) and its payer (resource) */
    STATE_NODES,  /* mappings by the nodes */
    STATE_TABLES, /* leaves by the page tables, as a CPU decodes them */
    STATE_PORTS,  /* ports that a bitmap allows */
};

/* Units unit .. unit + count - 1 of a space; resource and parent's unit rise with the unit. */
struct state_run {
    uint32_t label; /* whose */
    uint8_t source, kind, rights;
    uint64_t unit, count;
    uint64_t resource;    /* OBJ: a label */
    uint64_t parent_unit; /* 0 without a parent */
    uint32_t parent;      /* label of the PD, PLAYER_PHYS, or PLAYER_NONE */
};

struct state {
    struct state_run *run;
    uint32_t count, capacity;
    bool overflow; /* not everything found room: nothing can be said */
};

void state_read(struct state *state, const struct player *player);

/* The first unit in which two states differ, with the run of each that covers it, or NULL. */
struct state_difference {
    uint64_t unit;
    struct state_run place; /* of which space, by what source */
    const struct state_run *a, *b;
};

/* False: they are equal. Neither may have overflowed. */
bool state_differ(const struct state *a, const struct state *b, struct state_difference *difference);

/* PDs and plain objects alive. */
uint64_t state_alive(const struct state *state);

struct text;
/* Says for people where two states differ, and what each has there. */
void text_difference(struct text *text, const struct player *player, const struct state_difference *difference,
                     const char *name_a, const char *name_b);

#endif
