/*
 * Reads the abstract state of a target, and finds where two differ.
 */
#include "harness/state.h"

#include "harness/internal.h"
#include "harness/walk.h"

enum { PORT_BITS = 64 /* of a word of a port bitmap */ };

/* ---- reading ---- */

/* Whether `next` goes on where `run` ends. */
static bool continues(const struct state_run *run, const struct state_run *next) {
    return run->label == next->label && run->source == next->source && run->kind == next->kind &&
           run->rights == next->rights && run->parent == next->parent && run->kind != ABI_OBJ &&
           run->source >= STATE_NODES && next->unit == run->unit + run->count &&
           next->resource == run->resource + run->count &&
           (next->parent == PLAYER_NONE || next->parent_unit == run->parent_unit + run->count);
}

static void add(struct state *state, const struct state_run *run) {
    if (state->count && continues(&state->run[state->count - 1], run)) {
        state->run[state->count - 1].count += run->count;
    } else if (state->count == state->capacity) {
        state->overflow = true;
    } else {
        state->run[state->count++] = *run;
    }
}

static void read_nodes(struct state *state, const struct player *player, uint32_t label, uint8_t kind,
                       uint32_t tree_root) {
    struct player_nodes nodes;
    struct rescind_node_view node, parent;
    player_nodes_begin(&nodes, player->target, tree_root);
    while (player_nodes_next(&nodes, &node)) {
        struct state_run run = {.label = label, .source = STATE_NODES, .kind = kind, .rights = node.rights};
        run.unit = node.base;
        run.count = UINT64_C(1) << node.order;
        run.resource = kind == ABI_OBJ ? player_label(player, node.resource) : node.resource;
        run.parent = PLAYER_NONE;
        if (node.parent != RESCIND_NONE && player->target->node(node.parent, &parent)) {
            run.parent = player_label(player, parent.pd);
            run.parent_unit = parent.base + (kind == ABI_OBJ ? 0 : node.resource - parent.resource);
        }
        add(state, &run);
    }
}

static void read_tables(struct state *state, const struct player *player, uint32_t label, uint64_t root) {
    struct walk walk;
    struct walk_item item;
    uint64_t left = UINT64_C(4) * state->capacity; /* tables may form a cycle */
    if (!walk_start(&walk, player->target, root))
        return;
    while (walk_next(&walk, &item) != WALK_END && left-- > 0) {
        if (item.what != WALK_LEAF)
            continue;
        struct state_run run = {.label = label, .source = STATE_TABLES, .kind = ABI_MEM, .rights = item.rights};
        run.unit = item.unit;
        run.count = UINT64_C(1) << (item.level * player->target->geometry.level_bits);
        run.resource = item.frame;
        run.parent = PLAYER_NONE;
        add(state, &run);
    }
}

static void read_ports(struct state *state, const struct player *player, uint32_t label, const uint64_t *ports) {
    uint64_t words = ports ? (UINT64_C(1) << player->geometry.pio_log2) / PORT_BITS : 0;
    for (uint64_t i = 0; i < words; i++) {
        for (uint64_t allowed = ~ports[i]; allowed; allowed &= allowed - 1) {
            uint64_t port = i * PORT_BITS + (uint64_t)__builtin_ctzll(allowed);
            struct state_run run = {.label = label, .source = STATE_PORTS, .kind = ABI_PIO, .rights = ABI_PIO_RIGHTS};
            run.unit = run.resource = port;
            run.count = 1;
            run.parent = PLAYER_NONE;
            add(state, &run);
        }
    }
}

static void read_pd(struct state *state, const struct player *player, uint32_t label) {
    struct rescind_pd_view view;
    if (!player->target->pd(player->kernel_of[label], &view))
        return;
    add(state,
        &(struct state_run){.label = label,
                            .source = STATE_ALIVE,
                            .resource = view.payer == RESCIND_NONE ? PLAYER_NONE : player_label(player, view.payer),
                            .parent = PLAYER_NONE});
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++)
        read_nodes(state, player, label, kind, view.tree_root[kind]);
    read_tables(state, player, label, view.root_table);
    read_ports(state, player, label, view.ports);
}

static void read_object(struct state *state, const struct player *player, uint32_t label) {
    struct rescind_object_view view;
    if (!player->target->object(player->kernel_of[label] ^ RESCIND_OBJECT, &view))
        return;
    add(state, &(struct state_run){.label = label,
                                   .source = STATE_ALIVE,
                                   .kind = 1,
                                   .resource = player_label(player, view.payer),
                                   .parent = PLAYER_NONE});
}

void state_read(struct state *state, const struct player *player) {
    struct rescind_usage usage;
    player->target->usage(&usage);
    state->count = 0;
    state->overflow = false;
    add(state, &(struct state_run){.label = PLAYER_NONE,
                                   .source = STATE_COUNTS,
                                   .unit = usage.pds,
                                   .resource = usage.objects,
                                   .parent = PLAYER_NONE});
    for (uint32_t label = 0; label < player->labels; label++) {
        if (!player_alive(player, label))
            continue;
        if (player->kernel_of[label] & RESCIND_OBJECT)
            read_object(state, player, label);
        else
            read_pd(state, player, label);
    }
}

uint64_t state_alive(const struct state *state) {
    return state->count ? state->run[0].unit + state->run[0].resource : 0;
}

/* ---- comparing ---- */

static bool same_place(const struct state_run *a, const struct state_run *b) {
    return a->label == b->label && a->source == b->source && a->kind == b->kind;
}

static bool same_start(const struct state_run *a, const struct state_run *b) {
    return same_place(a, b) && a->unit == b->unit && a->rights == b->rights && a->resource == b->resource &&
           a->parent == b->parent && a->parent_unit == b->parent_unit;
}

/* Whether `a` comes first in a list; the counts stand in front of everything. */
static bool before(const struct state_run *a, const struct state_run *b) {
    if ((a->source == STATE_COUNTS) != (b->source == STATE_COUNTS))
        return a->source == STATE_COUNTS;
    if (a->label != b->label)
        return a->label < b->label;
    if (a->source != b->source)
        return a->source < b->source;
    return a->kind != b->kind ? a->kind < b->kind : a->unit < b->unit;
}

/* Two runs start alike, but one is shorter: what follows it where it ends, or NULL. */
static const struct state_run *follower(const struct state *state, uint32_t i) {
    const struct state_run *run = &state->run[i], *next = run + 1;
    return i + 1 < state->count && same_place(run, next) && next->unit == run->unit + run->count ? next : NULL;
}

bool state_differ(const struct state *a, const struct state *b, struct state_difference *difference) {
    for (uint32_t i = 0; i < a->count || i < b->count; i++) {
        const struct state_run *x = &a->run[i], *y = &b->run[i];
        bool in_a = i < a->count, in_b = i < b->count;
        bool same = in_a && in_b && same_start(x, y);
        if (same && x->count == y->count)
            continue;
        if (in_a && in_b && !same && (!same_place(x, y) || x->unit != y->unit)) {
            in_a = before(x, y);
            in_b = !in_a;
        }
        *difference = (struct state_difference){
            .place = in_a ? *x : *y, .unit = in_a ? x->unit : y->unit, .a = in_a ? x : NULL, .b = in_b ? y : NULL};
        if (same && x->count < y->count) {
            difference->unit += x->count;
            difference->a = follower(a, i);
        } else if (same) {
            difference->unit += y->count;
            difference->b = follower(b, i);
        }
        return true;
    }
    return false;
}

/* ---- for people ---- */

static void text_label(struct text *text, const struct player *player, uint64_t label) {
    if (label == PLAYER_PHYS) {
        text_add(text, "PHYS");
    } else if (label == PLAYER_ROOT) {
        text_add(text, "root");
    } else if (label >= player->labels) {
        text_add(text, "nobody");
    } else {
        text_add(text, "p");
        text_number(text, player->name_of[label]);
        text_add(text, " (operation ");
        text_number(text, label - 1);
        text_add(text, ")");
    }
}

static void text_run(struct text *text, const struct player *player, const struct state_run *run, uint64_t unit) {
    if (!run) {
        text_add(text, "nothing");
        return;
    }
    if (run->source == STATE_COUNTS) {
        text_number(text, run->unit);
        text_add(text, " PDs, ");
        text_number(text, run->resource);
        text_add(text, " objects");
        return;
    }
    if (run->source == STATE_ALIVE) {
        text_add(text, "paid by ");
        text_label(text, player, run->resource);
        return;
    }
    text_add(text, "resource ");
    if (run->kind == ABI_OBJ)
        text_label(text, player, run->resource);
    else
        text_hex(text, run->resource + (unit - run->unit));
    text_add(text, ", rights ");
    text_hex(text, run->rights);
    if (run->source != STATE_NODES)
        return;
    text_add(text, ", parent ");
    text_label(text, player, run->parent);
    if (run->parent != PLAYER_NONE) {
        text_add(text, " ");
        text_hex(text, run->parent_unit + (unit - run->unit));
    }
}

void text_difference(struct text *text, const struct player *player, const struct state_difference *difference,
                     const char *name_a, const char *name_b) {
    static const char *const sources[] = {"alive", "alive", "nodes", "page table", "port bitmap"};
    const struct state_run *place = &difference->place;
    text_add(text, "\n  differs:      ");
    if (place->source != STATE_COUNTS)
        text_label(text, player, place->label);
    text_add(text, place->source == STATE_COUNTS ? "" : ", ");
    text_add(text, sources[place->source]);
    if (place->source >= STATE_NODES) {
        text_add(text, ", ");
        text_add(text, kind_name(place->kind));
        text_add(text, " ");
        text_hex(text, difference->unit);
    }
    const char *const names[] = {name_a, name_b};
    const struct state_run *const runs[] = {difference->a, difference->b};
    for (unsigned i = 0; i < 2; i++) {
        text_add(text, "\n  ");
        text_add(text, names[i]);
        text_add(text, ": ");
        text_run(text, player, runs[i], difference->unit);
    }
}
