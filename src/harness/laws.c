/*
 * The laws: each runs its subjects in two or more ways and compares the states that come of it.
 */
#include "harness/laws_internal.h"

#include "harness/internal.h"

size_t laws_size(const struct rescind_target *target, uint32_t runs) {
    struct arena arena = {0};
    take(&arena, sizeof(struct laws));
    player_lay_out(NULL, &arena, target);
    for (uint32_t i = 0; i < 3; i++)
        take(&arena, runs * sizeof(struct state_run));
    return arena.used;
}

struct laws *laws_init(void *memory, size_t size, const struct rescind_target *target, uint32_t runs,
                       const struct rescind_hooks *hooks, harness_enter *enter, void *enter_context) {
    bool ours = target->version == RESCIND_TARGET_VERSION && target->size == sizeof(struct rescind_target);
    if (!ours || size < laws_size(target, runs))
        return NULL;
    struct arena arena = {.base = memory};
    struct laws *laws = take(&arena, sizeof(*laws));
    __builtin_memset(laws, 0, sizeof(*laws));
    player_lay_out(&laws->player, &arena, target);
    laws->player.hooks = hooks;
    laws->player.enter = enter;
    laws->player.enter_context = enter_context;
    struct state *const states[] = {&laws->before, &laws->first, &laws->second};
    for (uint32_t i = 0; i < 3; i++)
        *states[i] = (struct state){.run = take(&arena, runs * sizeof(struct state_run)), .capacity = runs};
    return laws;
}

/* ---- findings ---- */

static void text_shape(struct text *text, const struct laws *laws) {
    for (uint32_t i = 0; i < laws->try.subjects; i++) {
        const struct oracle_call *call = &laws->call[i];
        bool has_kind = call->operation != ABI_DESTROY_PD;
        text_add(text, i ? "+" : "/");
        text_call(text, call);
        text_add(text, has_kind ? "." : "");
        text_add(text, has_kind ? kind_name(call->kind) : "");
    }
}

static void begin_finding(struct laws *laws, struct text *report) {
    struct laws_outcome *outcome = laws->outcome;
    outcome->broken = true;
    outcome->prefix = laws->try.prefix;
    outcome->subjects = laws->try.subjects;
    __builtin_memcpy(outcome->subject, laws->try.subject, sizeof(outcome->subject));
    text_init(report, outcome->report, sizeof(outcome->report));
    text_add(report, "signature:    ");
    text_add(report, outcome->signature);
    text_add(report, "\n  target:       ");
    text_add(report, laws->player.target->name);
    for (uint32_t i = 0; i < outcome->subjects; i++) {
        char op[SEQ_TEXT_MAX];
        seq_print_op(&outcome->subject[i], op);
        text_add(report, i ? "\n  and:          " : "\n  operation:    ");
        text_add(report, op);
    }
}

static void begin_signature(struct laws *laws, struct text *signature) {
    text_init(signature, laws->outcome->signature, sizeof(laws->outcome->signature));
    text_add(signature, "O14.law-");
    text_number(signature, laws->try.law);
    text_shape(signature, laws);
}

static enum law_end broken(struct laws *laws, const struct state_difference *difference, const char *name_a,
                           const char *name_b) {
    struct text text;
    begin_signature(laws, &text);
    begin_finding(laws, &text);
    text_difference(&text, &laws->player, difference, name_a, name_b);
    text_add(&text, "\n");
    return LAW_BROKEN;
}

static enum law_end wrong_code(struct laws *laws) {
    struct text text;
    begin_signature(laws, &text);
    text_add(&text, "/");
    text_add(&text, code_name(laws->player.word[0]));
    begin_finding(laws, &text);
    text_add(&text, "\n  the second time it returned ");
    text_add(&text, code_name(laws->player.word[0]));
    text_add(&text, "\n");
    return LAW_BROKEN;
}

/* A stop of the kernel is a finding whatever the law; the harness with its oracle names it in the same way. */
static enum law_end stopped(struct laws *laws) {
    static const enum flaw flaw_of[] = {
        [RESCIND_STOP_ASSERT] = FLAW_ASSERT,   [RESCIND_STOP_STEPS] = FLAW_STEPS,
        [RESCIND_STOP_MEMORY] = FLAW_MEMORY,   [RESCIND_STOP_WALK] = FLAW_FREED_EARLY,
        [RESCIND_STOP_MACHINE] = FLAW_MACHINE,
    };
    const struct player *player = &laws->player;
    struct text text;
    if (laws->in_prefix) {
        laws->try.prefix = laws->position;
        laws->try.subjects = 0;
    }
    text_init(&text, laws->outcome->signature, sizeof(laws->outcome->signature));
    text_add(&text, flaw_info(flaw_of[player->why])->check);
    text_add(&text, "/");
    text_call(&text, &player->call);
    text_add(&text, "/");
    text_add(&text, player->function);
    text_add(&text, ": ");
    text_add(&text, player->text);
    begin_finding(laws, &text);
    text_add(&text, "\n  the kernel stopped\n");
    return LAW_BROKEN;
}

static enum law_end compare(struct laws *laws, const struct state *a, const struct state *b, const char *name_a,
                            const char *name_b) {
    struct state_difference difference;
    if (a->overflow || b->overflow)
        return LAW_UNMET;
    return state_differ(a, b, &difference) ? broken(laws, &difference, name_a, name_b) : LAW_HELD;
}

/* ---- doing ---- */

/* Boots and runs the prefix. False: the kernel stopped. */
static bool replay(struct laws *laws) {
    struct player *player = &laws->player;
    laws->in_prefix = true;
    laws->position = 0;
    if (player_boot(player, laws->seq, 0) == PLAYER_STOPPED)
        return false;
    for (uint32_t i = 0; i < laws->try.prefix; i++) {
        laws->position = i + 1;
        if (player_perform(player, &laws->seq->op[i], i) == PLAYER_STOPPED)
            return false;
    }
    /* A failing allocation belongs to the operation after it, which may be no subject. */
    player->failing = 0;
    player->cpu = 0;
    laws->in_prefix = false;
    return true;
}

/* How a call of a law ended: a law goes on after OK alone. */
enum done { DONE_OK, DONE_OTHER, DONE_STOPPED };

static enum done do_call(struct laws *laws, const struct oracle_call *call) {
    enum player_end end = player_call(&laws->player, call);
    if (end == PLAYER_STOPPED)
        return DONE_STOPPED;
    return end == PLAYER_RETURNED && laws->player.word[0] == ABI_OK ? DONE_OK : DONE_OTHER;
}

static enum law_end not_ok(struct laws *laws, enum done done) {
    return done == DONE_STOPPED ? stopped(laws) : LAW_UNMET;
}

static enum done do_calls(struct laws *laws, const struct oracle_call *call, uint32_t count) {
    enum done done = DONE_OK;
    for (uint32_t i = 0; i < count && done == DONE_OK; i++) {
        done = do_call(laws, &call[i]);
        laws->value[i] = laws->player.word[1];
    }
    return done;
}

static struct oracle_call revoke_own(uint32_t pd, uint8_t kind, uint64_t base, uint8_t order) {
    return (struct oracle_call){.operation = ABI_REVOKE,
                                .caller = pd,
                                .kind = kind,
                                .scope = ABI_SELF,
                                .base = base,
                                .order = order,
                                .mask = all_rights(kind)};
}

/* ---- the laws; the target is in state `before` ---- */

/* The state after revoking twice is that after once. */
static enum law_end twice(struct laws *laws) {
    struct player *player = &laws->player;
    enum done done = do_call(laws, &laws->call[0]);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->first, player);
    enum player_end end = player_call(player, &laws->call[0]);
    if (end == PLAYER_STOPPED)
        return stopped(laws);
    uint64_t code = end == PLAYER_VOID ? (uint64_t)ABI_OK : player->word[0];
    if (code == ABI_E_MEM)
        return LAW_UNMET;
    if (code != ABI_OK && code != ABI_E_CAP && code != ABI_E_RIGHT)
        return wrong_code(laws);
    state_read(&laws->second, player);
    return compare(laws, &laws->first, &laws->second, "once", "twice");
}

/* A range against its halves, in either order. */
static enum law_end halves(struct laws *laws) {
    struct oracle_call half[2] = {laws->call[0], laws->call[0]};
    half[0].order = half[1].order = (uint8_t)(laws->call[0].order - 1);
    half[1].base += UINT64_C(1) << half[1].order;
    enum done done = do_call(laws, &laws->call[0]);
    if (done != DONE_OK || !player_alive(&laws->player, laws->call[0].caller))
        return not_ok(laws, done);
    state_read(&laws->first, &laws->player);
    enum law_end end = LAW_UNMET;
    for (uint32_t order = 0; order < 2 && end != LAW_BROKEN; order++) {
        struct oracle_call calls[2] = {half[order], half[1 - order]};
        if (!replay(laws))
            return stopped(laws);
        done = do_calls(laws, calls, 2);
        if (done == DONE_STOPPED)
            return stopped(laws);
        if (done != DONE_OK || !player_alive(&laws->player, laws->call[0].caller))
            continue;
        state_read(&laws->second, &laws->player);
        end = compare(laws, &laws->first, &laws->second, "whole", "halves");
    }
    return end;
}

/* Whether a state maps a unit by the nodes; *until becomes the end of the units from there on of which the same is
 * true, or stays if that is further. */
static bool mapped(const struct state *state, uint32_t label, uint8_t kind, uint64_t unit, uint64_t *until) {
    bool found = false;
    for (uint32_t i = 0; i < state->count; i++) {
        const struct state_run *run = &state->run[i];
        if (run->label != label || run->source != STATE_NODES || run->kind != kind || unit >= run->unit + run->count)
            continue;
        found |= unit >= run->unit;
        uint64_t end = unit >= run->unit ? run->unit + run->count : run->unit;
        *until = end < *until ? end : *until;
    }
    return found;
}

/* Revokes units from..to - 1 of a PD's space in pieces as large as they can be. */
static enum done revoke_units(struct laws *laws, uint32_t label, uint8_t kind, uint64_t from, uint64_t to) {
    enum done done = DONE_OK;
    while (from < to && done == DONE_OK) {
        uint8_t order = 0;
        while (!(from >> order & 1) && from + (UINT64_C(2) << order) <= to)
            order++;
        struct oracle_call revoke = revoke_own(label, kind, from, order);
        done = do_call(laws, &revoke);
        from += UINT64_C(1) << order;
    }
    return done;
}

/* Revokes what a delegate filled: mapped now, and not before. */
static enum done revoke_filled(struct laws *laws, uint32_t label, const struct oracle_call *delegate) {
    uint64_t unit = delegate->destination, end = unit + (UINT64_C(1) << delegate->order);
    enum done done = DONE_OK;
    while (unit < end && done == DONE_OK) {
        uint64_t until = end;
        bool is = mapped(&laws->first, label, delegate->kind, unit, &until);
        bool was = mapped(&laws->before, label, delegate->kind, unit, &until);
        if (is && !was)
            done = revoke_units(laws, label, delegate->kind, unit, until);
        unit = until;
    }
    return done;
}

/* The PD that a delegate or grant fills, or that a revoke names. */
static uint32_t other_pd(const struct laws *laws, const struct oracle_call *call) {
    bool named = call->operation == ABI_REVOKE ? call->place == ABI_PLACE_CAP : call->to_cap;
    return named ? player_capability(&laws->player, call->caller, call->pd_selector, NULL) : call->caller;
}

/* A delegate is undone by revoking what it filled. */
static enum law_end undone(struct laws *laws) {
    const struct oracle_call *delegate = &laws->call[0];
    uint32_t to = other_pd(laws, delegate);
    enum done done = do_call(laws, delegate);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->first, &laws->player);
    if (laws->first.overflow || laws->before.overflow)
        return LAW_UNMET;
    done = revoke_filled(laws, to, delegate);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->second, &laws->player);
    return compare(laws, &laws->before, &laws->second, "before", "after");
}

/* Revoking everything in a PD and destroying it is destroying it. */
static enum law_end cleared(struct laws *laws) {
    const struct oracle_call *destroy = &laws->call[0];
    uint32_t victim = player_capability(&laws->player, destroy->caller, destroy->pd_selector, NULL);
    enum done done = do_call(laws, destroy);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->first, &laws->player);
    if (!replay(laws))
        return stopped(laws);
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        const struct oracle_geometry *geometry = &laws->player.geometry;
        uint8_t log2 = kind == ABI_MEM ? geometry->mem_log2 : kind == ABI_PIO ? geometry->pio_log2 : geometry->obj_log2;
        struct oracle_call revoke = revoke_own(victim, kind, 0, log2);
        done = laws->player.target->kinds >> kind & 1 ? do_call(laws, &revoke) : DONE_OK;
        if (done != DONE_OK)
            return not_ok(laws, done);
    }
    done = do_call(laws, destroy);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->second, &laws->player);
    return compare(laws, &laws->first, &laws->second, "destroyed", "emptied first");
}

/* Units that an operation names: of a space, or of PHYS. */
struct named {
    uint32_t label;
    uint8_t kind;
    uint64_t base, count;
};

static uint32_t names(const struct laws *laws, const struct oracle_call *call, struct named named[3]) {
    uint64_t size = UINT64_C(1) << call->order;
    uint32_t place = call->place == ABI_PHYS ? PLAYER_PHYS : call->caller, count = 1;
    if (call->operation == ABI_REVOKE && call->place == ABI_PLACE_CAP)
        place = other_pd(laws, call);
    named[0] = (struct named){place, call->kind, call->base, size};
    if (call->operation != ABI_REVOKE)
        named[count++] = (struct named){other_pd(laws, call), call->kind, call->destination, size};
    else if (call->filtered)
        named[count++] = (struct named){player_capability(&laws->player, call->caller, call->filter_selector, NULL),
                                        call->kind, 0, UINT64_MAX};
    return count;
}

static bool disjoint(const struct laws *laws) {
    struct named a[3], b[3];
    uint32_t as = names(laws, &laws->call[0], a), bs = names(laws, &laws->call[1], b);
    for (uint32_t i = 0; i < as; i++) {
        for (uint32_t j = 0; j < bs; j++) {
            bool apart = a[i].base + (a[i].count - 1) < b[j].base || b[j].base + (b[j].count - 1) < a[i].base;
            if (a[i].label == b[j].label && a[i].kind == b[j].kind && !apart)
                return false;
        }
    }
    return true;
}

/*
 * A grant skips a unit that its mask leaves no right: it stays where it is. If the other operation takes rights that
 * the unit would otherwise have moved with, the order decides whether it is skipped, and the operations need not
 * commute.
 */
static bool may_skip(const struct oracle_call *call, uint64_t value, uint64_t value_swapped) {
    return call->operation == ABI_GRANT && call->mask != all_rights(call->kind) && value != value_swapped;
}

/* Two operations commute. */
static enum law_end commute(struct laws *laws) {
    if (laws->call[0].order >= 64 || laws->call[1].order >= 64 || !disjoint(laws))
        return LAW_UNMET;
    uint64_t alive = state_alive(&laws->before);
    enum done done = do_calls(laws, laws->call, 2);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->first, &laws->player);
    uint64_t value[LAW_SUBJECTS] = {laws->value[0], laws->value[1]};
    if (!replay(laws))
        return stopped(laws);
    struct oracle_call swapped[2] = {laws->call[1], laws->call[0]};
    done = do_calls(laws, swapped, 2);
    if (done != DONE_OK)
        return not_ok(laws, done);
    state_read(&laws->second, &laws->player);
    if (state_alive(&laws->first) != alive || state_alive(&laws->second) != alive ||
        may_skip(&laws->call[0], value[0], laws->value[1]) || may_skip(&laws->call[1], value[1], laws->value[0]))
        return LAW_UNMET;
    return compare(laws, &laws->first, &laws->second, "in this order", "the other way");
}

/* ---- trying ---- */

/* The target is in state `before`; laws->try is chosen. */
static enum law_end try_now(struct laws *laws) {
    static enum law_end (*const laws_of[LAWS + 1])(struct laws *) = {NULL, twice, halves, undone, cleared, commute};
    for (uint32_t i = 0; i < laws->try.subjects; i++) {
        if (!player_resolve(&laws->player, &laws->try.subject[i], &laws->call[i]))
            return LAW_UNMET;
    }
    return laws_of[laws->try.law](laws);
}

static bool count(struct laws *laws, uint32_t law, enum law_end end) {
    *(end == LAW_UNMET ? &laws->outcome->unmet[law] : &laws->outcome->tried[law]) += 1;
    return end != LAW_BROKEN;
}

/* Tries a law on the sequence's own operations from `at` on. False: it is broken. */
static bool try_own(struct laws *laws, uint32_t law, uint32_t at) {
    if (!law_takes(laws, law, at))
        return true;
    if (!replay(laws))
        return count(laws, law, stopped(laws));
    state_read(&laws->before, &laws->player);
    return count(laws, law, try_now(laws));
}

static bool try_made_up(struct laws *laws, uint32_t law) {
    uint32_t prefix = (uint32_t)seq_random_below(&laws->random, laws->seq->count + UINT64_C(1));
    laws->try = (struct law_try){.law = law, .prefix = prefix};
    if (!replay(laws))
        return count(laws, law, stopped(laws));
    state_read(&laws->before, &laws->player);
    return !law_make(laws, law, prefix) || count(laws, law, try_now(laws));
}

/* Own operations: those at the end first, since what shows a finding ends with them; others as the seed chooses. */
static bool try_law(struct laws *laws, uint32_t law, uint32_t tries) {
    uint32_t subjects = law == 5 ? 2 : 1, length = laws->seq->count;
    uint32_t last = length > subjects ? length - subjects : 0;
    if (!try_own(laws, law, last))
        return false;
    for (uint32_t i = 0; i < tries && i < last; i++) {
        uint32_t at = last <= tries ? i : (uint32_t)seq_random_below(&laws->random, last);
        if (!try_own(laws, law, at))
            return false;
    }
    for (uint32_t i = 0; i < tries; i++) {
        if (!try_made_up(laws, law))
            return false;
    }
    return true;
}

void laws_check(struct laws *laws, const struct seq *seq, const struct laws_options *options,
                struct laws_outcome *outcome) {
    laws->seq = seq;
    laws->outcome = outcome;
    outcome->broken = false;
    seq_random_seed(&laws->random, options->seed);
    laws->try = (struct law_try){.prefix = seq->count};
    if (!replay(laws))
        stopped(laws);
    for (uint32_t law = 1; law <= LAWS && !outcome->broken; law++) {
        if (options->laws >> law & 1)
            try_law(laws, law, options->tries);
    }
}
