/*
 * Plays operations on a target alone; names are resolved from its nodes.
 */
#include "harness/player.h"

#include "harness/internal.h"

void player_lay_out(struct player *player, struct arena *arena, const struct rescind_target *target) {
    uint32_t *pds = take(arena, target->pd_limit * sizeof(uint32_t));
    uint32_t *objects = take(arena, target->object_limit * sizeof(uint32_t));
    if (!arena->base)
        return;
    *player = (struct player){
        .target = target, .geometry = harness_oracle_geometry(target), .pd_label = pds, .object_label = objects};
    for (uint32_t i = 0; i < target->pd_limit; i++)
        pds[i] = PLAYER_NONE;
    for (uint32_t i = 0; i < target->object_limit; i++)
        objects[i] = PLAYER_NONE;
}

/* ---- labels ---- */

uint32_t player_label(const struct player *player, uint64_t kernel) {
    if (kernel == RESCIND_PD_PHYS)
        return PLAYER_PHYS;
    if (kernel < player->target->pd_limit)
        return player->pd_label[kernel];
    uint64_t object = kernel ^ RESCIND_OBJECT;
    return object < player->target->object_limit ? player->object_label[object] : PLAYER_NONE;
}

static uint32_t *label_slot(struct player *player, uint32_t kernel) {
    uint32_t object = kernel ^ RESCIND_OBJECT;
    if (kernel < player->target->pd_limit)
        return &player->pd_label[kernel];
    return object < player->target->object_limit ? &player->object_label[object] : NULL;
}

static void bind(struct player *player, uint32_t label, uint8_t name, uint32_t kernel) {
    uint32_t *slot = label_slot(player, kernel);
    for (; player->labels <= label; player->labels++)
        player->kernel_of[player->labels] = RESCIND_NONE;
    if (!slot)
        return;
    *slot = label;
    player->kernel_of[label] = kernel;
    player->name_of[label] = name;
    if (!(kernel & RESCIND_OBJECT))
        player->label_of_name[name] = label;
}

bool player_alive(const struct player *player, uint32_t label) {
    struct rescind_pd_view pd;
    struct rescind_object_view object;
    uint32_t kernel = label < player->labels ? player->kernel_of[label] : RESCIND_NONE;
    if (kernel == RESCIND_NONE || player_label(player, kernel) != label)
        return false;
    return kernel & RESCIND_OBJECT ? player->target->object(kernel ^ RESCIND_OBJECT, &object)
                                   : player->target->pd(kernel, &pd);
}

static bool alive_pd(const struct player *player, uint32_t label) {
    return player_alive(player, label) && !(player->kernel_of[label] & RESCIND_OBJECT);
}

uint32_t player_name(const struct player *player, uint32_t label) {
    if (!alive_pd(player, label) || player->label_of_name[player->name_of[label]] != label)
        return SEQ_NAMES;
    return player->name_of[label];
}

/* ---- nodes ---- */

static void push_left(struct player_nodes *nodes, uint32_t index) {
    struct rescind_node_view node;
    while (index != RESCIND_NONE && nodes->depth < PLAYER_DEPTH_MAX && nodes->target->node(index, &node)) {
        nodes->stack[nodes->depth++] = index;
        index = node.tree_left;
    }
}

void player_nodes_begin(struct player_nodes *nodes, const struct rescind_target *target, uint32_t tree_root) {
    nodes->target = target;
    nodes->depth = 0;
    nodes->left = target->node_limit;
    push_left(nodes, tree_root);
}

bool player_nodes_next(struct player_nodes *nodes, struct rescind_node_view *node) {
    if (!nodes->depth || !nodes->left)
        return false;
    nodes->left--;
    if (!nodes->target->node(nodes->stack[--nodes->depth], node))
        return false;
    push_left(nodes, node->tree_right);
    return true;
}

static uint32_t objects_root(const struct player *player, uint32_t label) {
    struct rescind_pd_view view;
    if (!alive_pd(player, label) || !player->target->pd(player->kernel_of[label], &view))
        return RESCIND_NONE;
    return view.tree_root[ABI_OBJ];
}

/* The resource at a selector, or RESCIND_NONE. */
static uint32_t resource_at(const struct player *player, uint32_t label, uint64_t selector,
                            struct rescind_node_view *node) {
    uint32_t index = objects_root(player, label);
    for (uint32_t depth = 0; depth < PLAYER_DEPTH_MAX && index != RESCIND_NONE; depth++) {
        if (!player->target->node(index, node))
            return RESCIND_NONE;
        if (node->base == selector)
            return (uint32_t)node->resource;
        index = selector < node->base ? node->tree_left : node->tree_right;
    }
    return RESCIND_NONE;
}

uint32_t player_capability(const struct player *player, uint32_t label, uint64_t selector,
                           struct rescind_node_view *node) {
    struct rescind_node_view unwanted;
    return player_label(player, resource_at(player, label, selector, node ? node : &unwanted));
}

/* As the harness's selector_of, by the target's nodes. */
static uint64_t selector_of(const struct player *player, uint32_t caller, struct seq_cap cap) {
    uint64_t nothing = UINT64_C(1) << player->geometry.obj_log2;
    if (cap.mode == SEQ_CAP_SELECTOR)
        return cap.value;
    uint32_t label = cap.mode == SEQ_CAP_NAME && cap.value < SEQ_NAMES ? player->label_of_name[cap.value] : PLAYER_NONE;
    if (!alive_pd(player, label))
        return nothing;
    struct player_nodes nodes;
    struct rescind_node_view node;
    player_nodes_begin(&nodes, player->target, objects_root(player, caller));
    while (player_nodes_next(&nodes, &node)) {
        if (node.resource == player->kernel_of[label])
            return node.base;
    }
    return nothing;
}

/* ---- entering the target ---- */

static bool enter(struct player *player, void (*body)(void *argument)) {
    return player->enter(player->enter_context, body, player, &player->why, &player->text, &player->function);
}

static void body_boot(void *argument) {
    struct player *player = argument;
    player->target->boot(player->hooks, player->cpus, player->cpus > 1 ? player->speculation | 1 : 0);
}

static void body_call(void *argument) {
    struct player *player = argument;
    if (player->failing)
        player->target->fail_allocation(player->failing);
    player->target->call(player->cpu, player->kernel_of[player->call.caller], player->word);
}

static void body_switch(void *argument) {
    struct player *player = argument;
    player->target->switch_to(player->cpu, player->kernel_of[player->call.caller]);
}

static void body_access(void *argument) {
    struct player *player = argument;
    const struct oracle_call *call = &player->call;
    uint64_t resource = 0;
    player->word[0] = player->target->access(player->cpu, call->kind, call->base, call->mask, &resource);
    player->word[1] = player->word[0] ? resource : 0;
}

enum player_end player_boot(struct player *player, const struct seq *seq, uint64_t speculation) {
    player->cpus = seq->cpus && seq->cpus <= player->target->geometry.cpus ? seq->cpus : 1;
    player->speculation = speculation;
    player->failing = 0;
    for (uint32_t name = 0; name < SEQ_NAMES; name++)
        player->label_of_name[name] = PLAYER_NONE;
    for (uint32_t label = 0; label < player->labels; label++) {
        uint32_t *slot = label_slot(player, player->kernel_of[label]);
        if (slot)
            *slot = PLAYER_NONE;
    }
    player->labels = 0;
    bind(player, PLAYER_ROOT, 0, player->target->root_pd);
    return enter(player, body_boot) ? PLAYER_RETURNED : PLAYER_STOPPED;
}

/* ---- operations ---- */

bool player_resolve(struct player *player, const struct seq_op *op, struct oracle_call *call) {
    uint32_t caller = player->label_of_name[op->caller];
    if (!seq_is_call(op->code) || !alive_pd(player, caller))
        return false;
    *call = resolve_with(&player->geometry, op, caller, selector_of(player, caller, op->pd),
                         selector_of(player, caller, op->filter));
    return true;
}

enum player_end player_call(struct player *player, const struct oracle_call *call) {
    uint64_t in[ABI_WORDS];
    player->call = *call;
    if (!alive_pd(player, call->caller))
        return PLAYER_VOID;
    encode(call, in);
    __builtin_memcpy(player->word, in, sizeof(in));
    bool returned = enter(player, body_call);
    player->failing = 0;
    player->changed_registers = false;
    for (uint32_t i = 2; i < ABI_WORDS; i++)
        player->changed_registers |= in[i] != player->word[i];
    return returned ? PLAYER_RETURNED : PLAYER_STOPPED;
}

/* Schedules are ignored: nothing here knows what an operation that is in progress may have done, so each runs to its
 * end at once, and there is nothing to be resumed. */
static enum player_end perform_call(struct player *player, const struct seq_op *op, uint32_t index) {
    bool creates = op->code == SEQ_CREATE_PD || op->code == SEQ_CREATE_OBJECT;
    struct oracle_call call;
    bool exists = player_resolve(player, op, &call);
    if (op->code == SEQ_CREATE_PD)
        player->label_of_name[op->name] = PLAYER_NONE;
    enum player_end end = exists ? player_call(player, &call) : PLAYER_VOID;
    if (creates && end == PLAYER_RETURNED && player->word[0] == ABI_OK) {
        struct rescind_node_view node;
        bind(player, index + 1, op->name, resource_at(player, call.caller, call.base, &node));
    }
    return end;
}

/* What a CPU does. A target that tells nothing of its CPUs need not do it. */
static enum player_end on_cpu(struct player *player, const struct seq_op *op) {
    uint64_t log2 = op->kind == ABI_MEM ? player->geometry.mem_log2 : player->geometry.pio_log2;
    uint8_t rights = op->mask & all_rights(op->kind);
    player->call = (struct oracle_call){
        .caller = player->label_of_name[op->caller], .kind = op->kind, .base = op->base, .mask = rights};
    player->word[0] = player->word[1] = 0;
    bool possible = op->code == SEQ_SWITCH ? alive_pd(player, player->call.caller)
                                           : op->kind < ABI_OBJ && op->base >> log2 == 0 && rights;
    if (!player->target->cached_limit || !possible)
        return PLAYER_VOID;
    return enter(player, op->code == SEQ_SWITCH ? body_switch : body_access) ? PLAYER_RETURNED : PLAYER_STOPPED;
}

enum player_end player_perform(struct player *player, const struct seq_op *op, uint32_t index) {
    player->cpu = op->cpu % player->cpus;
    if (seq_is_call(op->code))
        return perform_call(player, op, index);
    if (op->code == SEQ_OOM)
        player->failing = op->mask;
    if (op->code == SEQ_OOM || op->code == SEQ_RESUME)
        return PLAYER_VOID;
    return on_cpu(player, op);
}
