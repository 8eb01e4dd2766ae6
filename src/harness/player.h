/*
 * Plays operations on a target alone, by system calls, without an oracle.
 *
 * What operations make is known by a label that does not depend on the target's numbers: 0 is root, i + 1 the PD or
 * object that operation i made. Names are resolved from the target's own nodes. Freestanding; depends on seq and the
 * target interface (and, for the form of a call only, on oracle.h).
 */
#ifndef RESCIND_HARNESS_PLAYER_H
#define RESCIND_HARNESS_PLAYER_H

#include "harness/arena.h"

#define PLAYER_NONE UINT32_MAX
#define PLAYER_PHYS (UINT32_MAX - 1)
#define PLAYER_ROOT 0u

enum { PLAYER_LABELS = SEQ_MAX_OPS + 1, PLAYER_DEPTH_MAX = 64 };

/* How an operation ended. */
enum player_end { PLAYER_RETURNED, PLAYER_VOID, PLAYER_STOPPED /* the kernel; `why`, `text`, `function` say more */ };

struct player {
    const struct rescind_target *target;
    const struct rescind_hooks *hooks;
    harness_enter *enter;
    void *enter_context;
    struct oracle_geometry geometry;

    uint32_t label_of_name[SEQ_NAMES];
    uint8_t name_of[PLAYER_LABELS];
    uint32_t kernel_of[PLAYER_LABELS]; /* PD index, or object index with RESCIND_OBJECT; RESCIND_NONE: made nothing */
    uint32_t labels;                   /* in use are below */
    uint32_t *pd_label, *object_label; /* by the target's index */

    uint32_t cpus, cpu;
    uint64_t speculation;
    uint8_t failing; /* the allocation of the next call that fails, or 0 */

    /* Of the last operation: what the call was (`call.caller` is a label), and what came back. */
    struct oracle_call call;
    uint64_t word[ABI_WORDS];
    bool changed_registers; /* words 2.. did not come back as they were */

    enum rescind_stop why;
    const char *text, *function;
};

/* Lays a player out for a target; with memory in the arena also initialises it. */
void player_lay_out(struct player *player, struct arena *arena, const struct rescind_target *target);

/* Boots for a sequence; `speculation` seeds what several CPUs translate on their own account. */
enum player_end player_boot(struct player *player, const struct seq *seq, uint64_t speculation);

/* Performs operation `index` of a sequence. */
enum player_end player_perform(struct player *player, const struct seq_op *op, uint32_t index);

/* The call that an operation stands for, with a label as its caller. False: its caller does not exist, or it is no
 * system call. */
bool player_resolve(struct player *player, const struct seq_op *op, struct oracle_call *call);

/* Performs a resolved call; void if its caller is gone. Makes no label. */
enum player_end player_call(struct player *player, const struct oracle_call *call);

/* Whether the PD or object of a label exists. */
bool player_alive(const struct player *player, uint32_t label);

/* The label of a target's PD index (RESCIND_PD_PHYS: PLAYER_PHYS), or object index with RESCIND_OBJECT. */
uint32_t player_label(const struct player *player, uint64_t kernel);

/* The name by which a sequence can call a live PD, or SEQ_NAMES: it has none any more. */
uint32_t player_name(const struct player *player, uint32_t label);

/* The label of what a live PD's selector holds, or PLAYER_NONE. *node, if not NULL, is its node. */
uint32_t player_capability(const struct player *player, uint32_t label, uint64_t selector,
                           struct rescind_node_view *node);

/* ---- nodes of a space in the order of units ---- */

struct player_nodes {
    const struct rescind_target *target;
    uint32_t stack[PLAYER_DEPTH_MAX];
    uint32_t depth, left; /* left: nodes that there can still be */
};

void player_nodes_begin(struct player_nodes *nodes, const struct rescind_target *target, uint32_t tree_root);
/* False: there are no more, or the index is no tree. */
bool player_nodes_next(struct player_nodes *nodes, struct rescind_node_view *node);

#endif
