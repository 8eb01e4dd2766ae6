/*
 * Operations that stop at preemption points while others run: how a sequence's schedule is followed, and how answers
 * are judged meanwhile (semantics, section 3, "Preemption").
 */
#include "harness/internal.h"

/* ---- dying PDs ---- */

bool can_call(struct harness *harness, uint32_t caller) {
    struct rescind_pd_view view;
    uint32_t kernel = kernel_pd(harness, caller);
    if (!oracle_is_between(harness->oracle))
        return true;
    if (harness->target->overlaps) /* its call may come too late, and it is not known when it does */
        return caller != ORACLE_NONE && !oracle_may_die(harness->oracle, caller);
    return kernel != RESCIND_NONE && harness->target->pd(kernel, &view) && !view.dying;
}

/* ---- what is taken from by two ---- */

static void note_shared(void *context, const struct oracle_mapping *mapping) {
    struct meetings *meetings = context;
    struct prober_range *last = &meetings->range[(meetings->count + SHARED - 1) % SHARED];
    bool same = meetings->count && last->pd == mapping->pd && last->kind == mapping->kind;
    if (same && mapping->unit >= last->first && mapping->unit <= last->last + 1)
        last->last = mapping->unit > last->last ? mapping->unit : last->last;
    else
        meetings->range[meetings->count++ % SHARED] =
            (struct prober_range){mapping->unit, mapping->unit, mapping->pd, mapping->kind};
}

bool was_shared(const struct harness *harness) {
    const struct meetings *meetings = &harness->meetings;
    const struct finding *finding = &harness->finding;
    bool found = false;
    for (uint32_t i = 0; i < SHARED && i < meetings->count; i++) {
        const struct prober_range *range = &meetings->range[i];
        found |= range->pd == finding->pd && range->kind == finding->kind && finding->unit >= range->first &&
                 finding->unit <= range->last;
    }
    return found && flaw_info(finding->flaw)->detail == DETAIL_UNIT;
}

/* ---- answers ---- */

/* Finds the node of a unit. False: there is none. */
static bool node_at(const struct harness *harness, uint32_t pd, uint8_t kind, uint64_t unit,
                    struct rescind_node_view *node) {
    struct rescind_pd_view view;
    uint32_t kernel = kernel_pd(harness, pd);
    if (kernel == RESCIND_NONE || !harness->target->pd(kernel, &view))
        return false;
    uint32_t at = view.tree_root[kind];
    for (unsigned depth = 0; depth < TREE_DEPTH_MAX && at != RESCIND_NONE; depth++) {
        if (!harness->target->node(at, node))
            return false;
        if (unit >= node->base && (unit - node->base) >> node->order == 0)
            return true;
        at = unit < node->base ? node->tree_left : node->tree_right;
    }
    return false;
}

/* Of the units that a delegate may have taken from what was uncertain, those that the target made. */
static bool was_made(void *context, const struct oracle_mapping *child, const struct oracle_mapping *parent) {
    const struct harness *harness = context;
    struct rescind_node_view node, above;
    if (!node_at(harness, child->pd, child->kind, child->unit, &node) || !harness->target->node(node.parent, &above))
        return false;
    uint64_t unit = above.base + (node.resource - above.resource) + (child->unit - node.base);
    return above.pd == kernel_pd(harness, parent->pd) && unit == parent->unit;
}

static bool is_there(void *context, const struct oracle_mapping *mapping) {
    struct rescind_node_view node;
    return node_at(context, mapping->pd, mapping->kind, mapping->unit, &node) && node.rights;
}

void catch_up(struct harness *harness) {
    oracle_catch_up(harness->oracle, is_there, harness);
}

/* Whether the caller's destruction began while its call waited for what is in progress: then it called nothing. */
static bool came_too_late(struct harness *harness, enum abi_code code) {
    const struct oracle_call *call = &harness->step.call;
    if (code != ABI_E_DEAD || !oracle_may_die(harness->oracle, call->caller) || can_call(harness, call->caller))
        return false;
    harness->result.code = code;
    harness->result.value = 0;
    harness->result.created = ORACLE_NONE;
    return true;
}

void judge_between(struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    struct oracle_result *result = &harness->result;
    const uint64_t *word = harness->word;
    /* What was being dropped and is gone by now was taken as gone. */
    catch_up(harness);
    *result = oracle_decide(harness->oracle, call);
    enum abi_code code = word[0] < ABI_CODES ? (enum abi_code)word[0] : ABI_CODES;
    enum oracle_fit fit = code == ABI_CODES ? ORACLE_WRONG_CODE
                                            : oracle_fits(harness->oracle, call, result, code, word[1],
                                                          harness->target->overlaps ? NULL : was_made, harness);
    if (fit == ORACLE_WRONG_CODE && came_too_late(harness, code))
        fit = word[1] == 0 ? ORACLE_FITS : ORACLE_WRONG_VALUE;
    if (fit == ORACLE_WRONG_CODE)
        note_number(harness, FLAW_CODE, call->caller, call->kind, result->code, word[0]);
    else if (fit == ORACLE_WRONG_VALUE && !harness->target->silent)
        note_number(harness, FLAW_VALUE, call->caller, call->kind, result->value, word[1]);
    if (fit != ORACLE_WRONG_CODE && result->code == ABI_OK)
        oracle_each_shared(harness->oracle, call, note_shared, &harness->meetings);
}

/* ---- order ---- */

enum { MADE_ORDER_END = 64 /* what is larger is no range */ };

/* The PD in whose space a range lies. */
static uint32_t place_of(const struct harness *harness, const struct oracle_call *call) {
    if (call->place == ABI_PHYS)
        return ORACLE_PHYS;
    const struct oracle_mapping *named =
        call->place == ABI_PLACE_CAP ? oracle_at(harness->oracle, call->caller, ABI_OBJ, call->pd_selector) : NULL;
    return named ? (uint32_t)named->resource : call->caller;
}

/* What a call makes, or takes it from. */
struct made {
    uint32_t pd;
    uint8_t kind;
    uint64_t first, end; /* units */
};

/* False: it makes nothing. */
static bool makes(const struct harness *harness, const struct oracle_call *call, struct made *made) {
    const struct oracle_mapping *to = oracle_at(harness->oracle, call->caller, ABI_OBJ, call->pd_selector);
    bool moves = call->operation == ABI_DELEGATE || call->operation == ABI_GRANT;
    *made = (struct made){call->caller, ABI_OBJ, call->base, call->base + 1};
    if (moves)
        *made =
            (struct made){.pd = call->to_cap && to ? (uint32_t)to->resource : call->caller,
                          .kind = call->kind,
                          .first = call->destination,
                          .end = call->order < MADE_ORDER_END ? call->destination + (UINT64_C(1) << call->order) : 0};
    if (made->pd & ORACLE_OBJECT || !oracle_alive(harness->oracle, made->pd))
        return false;
    return moves || call->operation == ABI_CREATE_PD || call->operation == ABI_CREATE_OBJECT;
}

/* Whether a revoke takes it if it comes later, and else not. */
static bool may_take(const struct harness *harness, const struct suspended *revoke, const struct made *made,
                     const struct oracle_call *call) {
    bool moves = call->operation == ABI_DELEGATE || call->operation == ABI_GRANT;
    return revoke->in_progress && revoke->step.call.kind == made->kind &&
           (revoke->from == made->pd || (moves && revoke->from == place_of(harness, call)));
}

/* Whether something may be there, or not any more. */
static bool is_uncertain(const struct harness *harness, const struct made *units) {
    const struct oracle_mapping *there = oracle_next(harness->oracle, units->pd, units->kind, units->first);
    while (there && there->unit < units->end && !oracle_uncertain(there))
        there = oracle_next(harness->oracle, units->pd, units->kind, there->unit + 1);
    return there && there->unit < units->end;
}

/* What is perhaps there any more goes where perhaps something is in the way: OK tells nothing of either. */
static bool is_doubly_uncertain(const struct harness *harness, const struct oracle_call *call,
                                const struct made *made) {
    bool moves = call->operation == ABI_DELEGATE || call->operation == ABI_GRANT;
    const struct made sources = {
        .pd = call->caller, .kind = call->kind, .first = call->base, .end = call->base + (made->end - made->first)};
    return moves && call->place != ABI_PHYS && is_uncertain(harness, &sources) && is_uncertain(harness, made);
}

const char *lacks_order(const struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    struct made made;
    if (!harness->target->overlaps || !oracle_is_between(harness->oracle) || !makes(harness, call, &made))
        return NULL;
    bool matters = is_doubly_uncertain(harness, call, &made);
    if (!harness->target->unordered)
        return matters ? "order" : NULL;
    matters |= is_uncertain(harness, &made);
    for (uint32_t i = 0; i < harness->nesting.depth; i++)
        matters |= may_take(harness, &harness->suspended[i], &made, call);
    return matters ? "order" : NULL;
}

/* ---- suspending ---- */

/* What is dropped moves its children up at a moment that nobody knows, so what others do next could not be judged. */
static bool can_overlap(const struct harness *harness) {
    const struct oracle_call *call = &harness->step.call;
    bool is_drop = call->operation == ABI_REVOKE && call->scope == ABI_DROP;
    bool takes = call->operation == ABI_REVOKE || call->operation == ABI_DESTROY_PD;
    if (!takes || is_drop || harness->result.code != ABI_OK || harness->failing)
        return false;
    return !oracle_is_between(harness->oracle) || oracle_is_sure(harness->oracle, call);
}

uint32_t stop_point(const struct harness *harness) {
    const struct rescind_target *target = harness->target;
    if (!target->begin || harness->teardown || !harness->scheduled)
        return 0;
    bool by_probes = harness->mode == HARNESS_PROBE;
    bool possible = target->overlaps ? by_probes && can_overlap(harness) : target->node_limit && !by_probes;
    return possible ? harness->step.op->point : 0;
}

void open_block(struct harness *harness, const struct seq_op *op) {
    harness->scheduled = seq_nesting_open(&harness->nesting, op, harness->index);
    if (harness->scheduled)
        harness->suspended[harness->nesting.depth - 1].in_progress = false;
}

enum harness_verdict suspend(struct harness *harness, uint32_t operation) {
    struct harness_step *step = &harness->step;
    struct suspended *suspended = &harness->suspended[harness->nesting.depth - 1];
    step->point = harness->target->point(operation);
    remember_result(harness);
    harness->failing = 0;
    harness->word[0] = ABI_OK;
    harness->word[1] = 0;
    if (oracle_is_between(harness->oracle))
        judge_between(harness);
    else if (harness->result.code != ABI_OK)
        note_number(harness, FLAW_CODE, step->call.caller, step->call.kind, harness->result.code, ABI_OK);
    judge_stretch(harness);
    if (harness->finding.flaw != FLAW_NONE)
        return judge(harness);
    bool may_lack = harness->result.may_fail &&
                    (oracle_is_between(harness->oracle) || oracle_may_cut(harness->oracle, &step->call));
    *suspended = (struct suspended){
        .step = *step,
        .operation = operation,
        .number = oracle_begin(harness->oracle, &step->call),
        .index = harness->index,
        .in_progress = true,
        .from = place_of(harness, &step->call),
        .may_lack = may_lack,
    };
    harness->outcome->suspended++;
    return conclude(harness);
}

/* ---- resuming ---- */

struct resume_body {
    struct harness *harness;
    const struct suspended *suspended;
    uint32_t points;
    bool returned;
};

static void body_resume(void *argument) {
    struct resume_body *body = argument;
    const struct rescind_target *target = body->harness->target;
    body->returned = target->resume(body->suspended->operation, body->points, body->harness->word);
}

/* It was said to be in progress before that was known. */
static bool was_refused(const struct harness *harness, const struct suspended *suspended) {
    return harness->target->overlaps && suspended->may_lack && harness->word[0] == ABI_E_MEM;
}

/* It returned: nothing is uncertain any more on its account. */
static void end(struct harness *harness, struct suspended *suspended) {
    const struct oracle_call *call = &harness->step.call;
    suspended->in_progress = false;
    harness->step.point = NULL;
    if (!suspended->caller_died) {
        harness->step.code = (uint32_t)harness->word[0];
        harness->step.value = harness->word[1];
        if (harness->word[0] != ABI_OK && !was_refused(harness, suspended))
            note_number(harness, FLAW_CODE, call->caller, call->kind, ABI_OK, harness->word[0]);
        if (harness->word[1])
            note_number(harness, FLAW_VALUE, call->caller, call->kind, 0, harness->word[1]);
        judge_registers(harness);
    }
    catch_up(harness);
    if (was_refused(harness, suspended))
        oracle_cancel(harness->oracle, suspended->number);
    else
        oracle_end(harness->oracle, suspended->number);
    end_destroyed(harness);
    harness->committed = true;
    harness->result.created = ORACLE_NONE;
    harness->root_lost |= !root_holds_itself(harness);
}

static enum harness_verdict resume(struct harness *harness, struct suspended *suspended, uint32_t points) {
    struct resume_body body = {.harness = harness, .suspended = suspended, .points = points};
    harness->step = suspended->step;
    harness->step.resumed = true;
    harness->index = suspended->index;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    harness->committed = false;
    __builtin_memcpy(harness->word, suspended->step.word_in, sizeof(harness->word));
    remember(harness);
    if (!harness_enter_target(harness, body_resume, &body))
        return judge(harness);
    harness->step.point = body.returned ? NULL : harness->target->point(suspended->operation);
    if (body.returned)
        end(harness, suspended);
    remember_result(harness);
    judge_stretch(harness);
    if (harness->finding.flaw != FLAW_NONE)
        return judge(harness);
    return conclude(harness);
}

enum harness_verdict perform_resume(struct harness *harness) {
    const struct seq_op *op = harness->step.op;
    uint32_t left = op->nested, index = harness->index;
    for (uint32_t i = harness->nesting.depth; i-- > 0;) {
        struct suspended *suspended = &harness->suspended[i];
        if (suspended->in_progress && --left == 0) {
            enum harness_verdict verdict = resume(harness, suspended, op->point);
            harness->index = verdict == HARNESS_AGREE ? index : harness->index;
            return verdict;
        }
    }
    harness->step.is_void = true;
    remember(harness);
    if (harness->options->on_step)
        harness->options->on_step(harness->options->context, &harness->step);
    return HARNESS_AGREE;
}

enum harness_verdict close_blocks(struct harness *harness, uint32_t index) {
    enum harness_verdict verdict = HARNESS_AGREE;
    uint32_t operation;
    while (verdict == HARNESS_AGREE && seq_nesting_close(&harness->nesting, index, &operation)) {
        struct suspended *suspended = &harness->suspended[harness->nesting.depth];
        if (suspended->in_progress)
            verdict = resume(harness, suspended, 0);
    }
    return verdict;
}
