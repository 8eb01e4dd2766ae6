/*
 * The run of a sequence: resolve names, call the target, ask the oracle, compare, tear down.
 */
#include "harness/arena.h"
#include "harness/internal.h"
#include "harness/walk.h"

/* Speculation is seeded alike in every run: what a sequence comes to depends on it alone. */
enum { FULL_COMPARISON_IN = 256, SPECULATION = 1 };

/* ---- memory ---- */

/* More slots than a pool of consecutive frames can have tables, within reason; a power of two. */
static uint32_t table_slots(const struct rescind_target *target) {
    const struct rescind_geometry *geometry = &target->geometry;
    uint64_t wanted = ((uint64_t)geometry->pds << (geometry->mem_log2 - geometry->level_bits)) * 4;
    uint32_t slots = 64;
    while (slots < wanted && slots < 32768)
        slots *= 2;
    return slots;
}

struct oracle_geometry harness_oracle_geometry(const struct rescind_target *target) {
    const struct rescind_geometry *geometry = &target->geometry;
    return (struct oracle_geometry){
        .mem_log2 = geometry->mem_log2,
        .pio_log2 = geometry->pio_log2,
        .obj_log2 = geometry->obj_log2,
        .phys_log2 = geometry->phys_log2,
        .kernel_frame = geometry->kernel_frame,
        .pds = geometry->pds,
        .objects = geometry->objects,
        .kinds = target->kinds,
    };
}

/* Lays a harness out; *oracle_bytes is what is left for the oracle. */
static struct harness *lay_out(struct arena *arena, const struct rescind_target *target) {
    struct harness *harness = take(arena, sizeof(*harness));
    struct harness counted;
    struct harness *out = harness ? harness : &counted;
    uint32_t ids = target->geometry.pds + 2;
    uint32_t slots = table_slots(target);
    out->kernel_of = take(arena, ids * sizeof(uint32_t));
    out->id_of = take(arena, target->pd_limit * sizeof(uint32_t));
    out->name_of = take(arena, ids);
    out->ledger = take(arena, ids * sizeof(struct ledger));
    out->mark = take(arena, target->node_limit * sizeof(uint32_t));
    out->object_kernel_of = take(arena, target->geometry.objects * sizeof(uint32_t));
    out->object_id_of = take(arena, target->object_limit * sizeof(uint32_t));
    out->mirror.node = take(arena, (target->node_limit + 1) * sizeof(struct mirror_node));
    out->mirror.table = take(arena, slots * sizeof(struct mirror_table));
    out->mirror.linked = take(arena, slots * sizeof(uint32_t));
    out->mirror.pd = take(arena, (target->pd_limit + 1) * sizeof(struct mirror_pd));
    out->mirror.touched = take(arena, (target->pd_limit + 1) * sizeof(uint32_t));
    return harness;
}

size_t harness_size(const struct rescind_target *target, uint32_t mappings) {
    struct arena arena = {0};
    struct oracle_geometry geometry = harness_oracle_geometry(target);
    lay_out(&arena, target);
    take(&arena, oracle_size(&geometry, mappings));
    return arena.used;
}

struct harness *harness_init(void *memory, size_t size, const struct rescind_target *target, uint32_t mappings,
                             const struct oracle_policy *policy, const struct rescind_hooks *hooks,
                             harness_enter *enter, void *enter_context) {
    bool ours = target->version == RESCIND_TARGET_VERSION && target->size == sizeof(struct rescind_target);
    if (!ours || (target->node_limit && !target->node) || target->geometry.levels > WALK_LEVELS_MAX ||
        size < harness_size(target, mappings))
        return NULL;
    struct arena arena = {.base = memory};
    struct harness *harness = lay_out(&arena, target);
    __builtin_memset(harness->object_kernel_of, 0xff, target->geometry.objects * sizeof(uint32_t));
    __builtin_memset(harness->object_id_of, 0xff, target->object_limit * sizeof(uint32_t));
    harness->target = target;
    harness->hooks = hooks;
    harness->enter = enter;
    harness->enter_context = enter_context;
    harness->geometry = harness_oracle_geometry(target);
    harness->id_limit = target->geometry.pds + 2;
    harness->mirror.target = target;
    harness->mirror.object_id = harness->object_id_of;
    harness->mirror.table_slots = table_slots(target);
    size_t oracle_bytes = oracle_size(&harness->geometry, mappings);
    harness->oracle = oracle_init(arena.base + arena.used, oracle_bytes, &harness->geometry, policy, mappings);
    return harness->oracle ? harness : NULL;
}

const struct oracle *harness_oracle(const struct harness *harness) {
    return harness->oracle;
}

uint32_t harness_cpus(const struct harness *harness) {
    return harness->cpus;
}

uint32_t harness_identify(const struct harness *harness, uint64_t kernel) {
    return oracle_id(harness, kernel);
}

/* ---- findings ---- */

void note(struct harness *harness, enum flaw flaw, uint32_t pd, uint8_t kind, uint64_t unit) {
    if (flaw < harness->finding.flaw)
        harness->finding = (struct finding){.flaw = flaw, .pd = pd, .kind = kind, .unit = unit};
}

void note_number(struct harness *harness, enum flaw flaw, uint32_t pd, uint8_t kind, uint64_t expected,
                 uint64_t found) {
    if (flaw < harness->finding.flaw)
        harness->finding = (struct finding){.flaw = flaw, .pd = pd, .kind = kind, .expected = expected, .found = found};
}

enum harness_verdict judge(struct harness *harness) {
    if (harness->finding.flaw == FLAW_NONE)
        return HARNESS_AGREE;
    struct harness_outcome *outcome = harness->outcome;
    outcome->at_unit = flaw_info(harness->finding.flaw)->detail == DETAIL_UNIT;
    outcome->kind = harness->finding.kind;
    outcome->pd = harness->finding.pd;
    outcome->unit = harness->finding.unit;
    outcome->shared = was_shared(harness);
    write_signature(harness, outcome->signature);
    write_report(harness, outcome->report);
    return HARNESS_FINDING;
}

/* ---- entering the target ---- */

struct call_body {
    const struct harness *harness;
    uint32_t pd;
    uint64_t *word;
    uint32_t operation; /* of the target, if it stopped at a preemption point; else RESCIND_NONE */
};

static void body_boot(void *argument) {
    const struct harness *harness = argument;
    harness->target->boot(harness->hooks, harness->cpus, harness->cpus > 1 ? SPECULATION : 0);
}

static void body_call(void *argument) {
    struct call_body *body = argument;
    const struct rescind_target *target = body->harness->target;
    if (body->harness->failing)
        target->fail_allocation(body->harness->failing);
    uint32_t point = stop_point(body->harness);
    body->operation = RESCIND_NONE;
    if (point)
        body->operation = target->begin(body->harness->step.cpu, body->pd, body->word, point);
    else
        target->call(body->harness->step.cpu, body->pd, body->word);
}

/* A part of a run is entered as a whole: to be ready for a stop costs as much as some operations do. */
bool harness_enter_target(struct harness *harness, void (*body)(void *argument), void *argument) {
    static const enum flaw flaw_of[] = {
        [RESCIND_STOP_ASSERT] = FLAW_ASSERT,   [RESCIND_STOP_STEPS] = FLAW_STEPS,
        [RESCIND_STOP_MEMORY] = FLAW_MEMORY,   [RESCIND_STOP_WALK] = FLAW_FREED_EARLY,
        [RESCIND_STOP_MACHINE] = FLAW_MACHINE,
    };
    enum rescind_stop why = RESCIND_STOP_ASSERT;
    const char *text = "", *function = "";
    if (harness->entered) {
        body(argument);
        return true;
    }
    harness->entered = true;
    bool returned = harness->enter(harness->enter_context, body, argument, &why, &text, &function);
    harness->entered = false;
    if (returned)
        return true;
    note(harness, flaw_of[why], ORACLE_NONE, harness->step.call.kind, 0);
    harness->finding.text = text;
    harness->finding.function = function;
    return false;
}

/* ---- one operation ---- */

static bool names_findings(const struct harness *harness) {
    return harness->mode == HARNESS_FULL || harness->mode == HARNESS_PROBE;
}

/* For the report; a run that only detects has none. */
void remember(struct harness *harness) {
    if (names_findings(harness))
        harness->past[harness->past_count++ % HISTORY] = (struct past_step){.op = *harness->step.op,
                                                                            .index = harness->index,
                                                                            .is_void = harness->step.is_void,
                                                                            .resumed = harness->step.resumed,
                                                                            .teardown = harness->teardown};
}

void remember_result(struct harness *harness) {
    if (!names_findings(harness))
        return;
    struct past_step *past = &harness->past[(harness->past_count - 1) % HISTORY];
    past->returned = true;
    past->point = harness->step.point;
    past->code = harness->step.code;
    past->value = harness->step.value;
}

void judge_registers(struct harness *harness) {
    const struct harness_step *step = &harness->step;
    for (uint32_t i = 2; i < ABI_WORDS; i++) {
        if (harness->word[i] != step->word_in[i])
            note_number(harness, FLAW_REGISTER, step->call.caller, step->call.kind, step->word_in[i], harness->word[i]);
    }
}

void judge_stretch(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    uint64_t stretch = target->stretch ? target->stretch() : 0;
    if (stretch > target->stretch_limit)
        note_number(harness, FLAW_STRETCH, harness->step.call.caller, harness->step.call.kind, target->stretch_limit,
                    stretch);
}

uint64_t value_told(const struct harness *harness, uint64_t value) {
    bool lookup = harness->step.call.operation == ABI_LOOKUP;
    return !harness->target->silent ? value : lookup ? value & ((1u << ABI_VALUE_ORDER_SHIFT) - 1) : 0;
}

/* Compares what came back with what the oracle decided. */
static void judge_result(struct harness *harness) {
    const struct harness_step *step = &harness->step;
    const struct oracle_result *result = &harness->result;
    const uint64_t *word = harness->word;
    bool refused = word[0] == ABI_E_MEM && result->code == ABI_OK && result->may_fail &&
                   (step->call.operation != ABI_REVOKE || oracle_may_cut(harness->oracle, &step->call));
    bool poor = harness->target->poor && word[0] == ABI_E_MEM;
    uint64_t value = refused || poor ? 0 : value_told(harness, result->value);
    if (word[0] != (uint64_t)result->code && !refused && !poor)
        note_number(harness, FLAW_CODE, step->call.caller, step->call.kind, result->code, word[0]);
    else if (refused && !poor && !harness->failing)
        judge_refusal(harness);
    if (word[1] != value)
        note_number(harness, FLAW_VALUE, step->call.caller, step->call.kind, value, word[1]);
}

static uint64_t scramble(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void note_seen(struct harness *harness, const char *seen) {
    if (!seen)
        return;
    note(harness, FLAW_LOG, ORACLE_NONE, harness->step.call.kind, 0);
    harness->finding.seen = seen;
}

/* Whether neither the target nor the oracle can be other than they were when they were last compared. */
static bool is_unchanged(const struct harness *harness) {
    const struct rescind_log *log = &harness->log;
    bool logged = log->overflow || log->store_count || log->node_count || log->pd_count || log->object_count ||
                  log->port_store_count;
    uint32_t changes = 0;
    if (harness->committed)
        oracle_changes(harness->oracle, &changes);
    return !logged && !changes && !harness->step.point && !harness->step.resumed;
}

/* As compare_log; but what is stored while operations are in progress is not what that knows. */
static const char *compare_logged(struct harness *harness) {
    bool between = oracle_is_between(harness->oracle);
    if (!between && !harness->mirror_late)
        return compare_log(harness);
    if (between && is_unchanged(harness))
        compare_cpus(harness);
    else
        compare_full(harness);
    if (!between && harness->finding.flaw == FLAW_NONE)
        compare_log_start(harness);
    harness->mirror_late = between;
    return NULL;
}

static void compare(struct harness *harness) {
    bool by_chance = scramble(harness->options->seed + harness->tick++) % FULL_COMPARISON_IN == 0;
    if (harness->mode == HARNESS_OFF || (harness->teardown && harness->mode != HARNESS_FULL))
        return;
    if (harness->mode == HARNESS_PROBE) {
        probe_operation(harness);
        return;
    }
    const char *seen = harness->mode == HARNESS_LOG ? compare_logged(harness) : NULL;
    note_seen(harness, seen);
    if (!seen && (harness->mode == HARNESS_FULL || by_chance))
        compare_full(harness);
}

static void notify(struct harness *harness) {
    if (harness->options->on_step && !harness->teardown)
        harness->options->on_step(harness->options->context, &harness->step);
}

static void name_nothing(struct harness *harness) {
    if (harness->step.op->code == SEQ_CREATE_PD)
        harness->id_of_name[harness->step.op->name] = ORACLE_NONE;
}

static enum harness_verdict skip(struct harness *harness) {
    harness->step.is_void = true;
    name_nothing(harness);
    remember(harness);
    notify(harness);
    return HARNESS_AGREE;
}

static enum harness_verdict leave_out(struct harness *harness, const char *why) {
    harness->step.lacks = why;
    harness->outcome->lacking += !harness->teardown;
    return skip(harness);
}

static bool is_lacking(struct harness *harness) {
    struct harness_step *step = &harness->step;
    step->lacks = lacks_order(harness);
    if (step->lacks || !harness->target->lacks)
        return step->lacks;
    if (oracle_decide(harness->oracle, &step->call).code == ABI_E_ARG && harness->target->silent)
        step->lacks = "bad-argument";
    else
        step->lacks = harness->target->lacks(harness->kernel_of[step->call.caller], step->word_in);
    return step->lacks;
}

bool root_holds_itself(const struct harness *harness) {
    const struct oracle_mapping *own = oracle_at(harness->oracle, ORACLE_ROOT, ABI_OBJ, ABI_ROOT_SELECTOR);
    return own && own->resource == ORACLE_ROOT && own->parent == ORACLE_NONE &&
           own->rights == (ABI_OBJ_RIGHTS & ~ABI_DESTROY);
}

void end_destroyed(struct harness *harness) {
    uint32_t count = 0;
    const uint32_t *destroyed = harness->target->end ? oracle_destroyed(harness->oracle, &count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kernel = destroyed[i] & ORACLE_OBJECT ? harness->object_kernel_of[destroyed[i] ^ ORACLE_OBJECT]
                                                       : kernel_pd(harness, destroyed[i]);
        if (kernel != RESCIND_NONE)
            harness->target->end(kernel);
    }
}

static enum harness_verdict commit(struct harness *harness) {
    harness->committed = harness->word[0] == ABI_OK;
    if (harness->committed && !oracle_commit(harness->oracle, &harness->step.call))
        return HARNESS_TOO_LARGE;
    name_nothing(harness);
    uint32_t changes = 0;
    if (harness->committed) {
        end_destroyed(harness);
        harness->root_lost |= !root_holds_itself(harness);
        oracle_changes(harness->oracle, &changes);
        harness->step.created = harness->result.created;
    }
    if (!harness->teardown) {
        harness->outcome->changed_units += changes;
        harness->outcome->changed_operations += changes > 0;
    }
    return HARNESS_AGREE;
}

enum harness_verdict conclude(struct harness *harness) {
    harness->target->log(&harness->log);
    if (oracle_is_between(harness->oracle))
        unbind_gone(harness);
    bind_changes(harness);
    if (!oracle_is_between(harness->oracle) && harness->step.resumed)
        ledger_accept(harness);
    else if (!oracle_is_between(harness->oracle))
        ledger_expect(harness);
    notify(harness);
    compare(harness);
    return judge(harness);
}

/* The operation is step.call, in registers step.word_in. */
static enum harness_verdict perform_call(struct harness *harness) {
    struct harness_step *step = &harness->step;
    __builtin_memcpy(harness->word, step->word_in, sizeof(harness->word));
    catch_up(harness);
    harness->result = oracle_decide(harness->oracle, &step->call);
    remember(harness);
    if (harness->options->on_call && !harness->teardown)
        harness->options->on_call(harness->options->context, step);
    struct call_body body = {harness, harness->kernel_of[step->call.caller], harness->word, RESCIND_NONE};
    if (!harness_enter_target(harness, body_call, &body))
        return judge(harness);
    if (body.operation != RESCIND_NONE)
        return suspend(harness, body.operation);
    step->code = (uint32_t)harness->word[0];
    step->value = harness->word[1];
    remember_result(harness);
    if (oracle_is_between(harness->oracle))
        judge_between(harness);
    else
        judge_result(harness);
    judge_registers(harness);
    judge_stretch(harness);
    harness->failing = 0;
    if (harness->finding.flaw != FLAW_NONE) {
        notify(harness);
        return judge(harness);
    }
    if (commit(harness) == HARNESS_TOO_LARGE)
        return HARNESS_TOO_LARGE;
    return conclude(harness);
}

enum harness_verdict perform(struct harness *harness, const struct seq_op *op, uint32_t caller) {
    struct harness_step *step = &harness->step;
    step->op = op;
    step->cpu = op->cpu % harness->cpus;
    step->created = ORACLE_NONE;
    step->is_void = step->is_call = step->faulted = step->resumed = false;
    step->point = NULL;
    step->lacks = NULL;
    step->code = ABI_OK;
    step->value = 0;
    harness->finding.flaw = FLAW_NONE;
    harness->committed = false;
    switch (op->code) {
    case SEQ_OOM:
        if (!harness->target->fail_allocation)
            return leave_out(harness, "oom");
        harness->failing = op->mask;
        remember(harness);
        notify(harness);
        return HARNESS_AGREE;
    case SEQ_RESUME:
        return perform_resume(harness);
    case SEQ_ACCESS:
    case SEQ_SWITCH:
        step->call = (struct oracle_call){.caller = caller, .kind = op->kind, .base = op->base};
        remember(harness);
        perform_on_cpu(harness);
        remember_result(harness);
        notify(harness);
        return judge(harness);
    default:
        step->is_call = true;
        if (caller == ORACLE_NONE || !can_call(harness, caller))
            return skip(harness);
        step->call = resolve(harness, op, caller);
        encode(&step->call, step->word_in);
        return is_lacking(harness) ? leave_out(harness, step->lacks) : perform_call(harness);
    }
}

enum harness_verdict harness_call(struct harness *harness, uint32_t caller, const uint64_t word[ABI_WORDS]) {
    /* What is created this way has the last name. */
    static const struct seq_op anything = {.code = SEQ_CREATE_PD, .name = SEQ_NAMES - 1};
    if (!oracle_alive(harness->oracle, caller) || caller == ORACLE_PHYS)
        return HARNESS_AGREE;
    harness->step = (struct harness_step){.op = &anything, .created = ORACLE_NONE, .is_call = true};
    harness->step.call = decode(caller, word);
    __builtin_memcpy(harness->step.word_in, word, sizeof(harness->step.word_in));
    harness->finding.flaw = FLAW_NONE;
    harness->committed = false;
    harness->called = perform_call(harness);
    return harness->called;
}

/* ---- tear-down ---- */

static enum harness_verdict clear_range(struct harness *harness, uint32_t id, uint8_t kind, uint64_t base,
                                        uint8_t order) {
    struct seq_op op = {
        .code = SEQ_REVOKE,
        .caller = harness->name_of[id],
        .kind = kind,
        .place = ABI_OWN,
        .scope = ABI_SELF,
        .base = base,
        .order = order,
        .mask = all_rights(kind),
    };
    return perform(harness, &op, id);
}

/* What root gave out of PHYS, or out of its own capability to itself. */
static enum harness_verdict clear_children(struct harness *harness, uint8_t kind) {
    struct seq_op op = {
        .code = SEQ_REVOKE,
        .kind = kind,
        .place = kind == ABI_OBJ ? ABI_OWN : ABI_PHYS,
        .scope = ABI_CHILDREN,
        .order = kind == ABI_OBJ ? 0 : space_log2(harness, ORACLE_PHYS, kind),
        .mask = all_rights(kind),
    };
    return perform(harness, &op, ORACLE_ROOT);
}

static bool keeps_root(const struct harness *harness) {
    return (harness->target->boots_once || harness->at_rest) && !harness->root_lost;
}

/* Root's selectors but that of its capability to itself. */
static enum harness_verdict clear_other_selectors(struct harness *harness) {
    enum harness_verdict verdict = clear_children(harness, ABI_OBJ);
    for (uint8_t order = 0; order < harness->geometry.obj_log2 && verdict == HARNESS_AGREE; order++)
        verdict = clear_range(harness, ORACLE_ROOT, ABI_OBJ, UINT64_C(1) << order, order);
    return verdict;
}

static enum harness_verdict clear(struct harness *harness, uint32_t id, uint8_t kind) {
    if (id == ORACLE_ROOT && kind == ABI_OBJ && keeps_root(harness))
        return clear_other_selectors(harness);
    return clear_range(harness, id, kind, 0, space_log2(harness, id, kind));
}

/* Every PD, as caller, gives up all it has; root takes back what it gave out of PHYS first. */
static enum harness_verdict clear_all(struct harness *harness) {
    enum harness_verdict verdict = HARNESS_AGREE;
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint8_t kind = ABI_MEM; kind <= ABI_PIO && verdict == HARNESS_AGREE; kind++) {
        if (harness->target->kinds >> kind & 1)
            verdict = clear_children(harness, kind);
    }
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        for (uint8_t kind = ABI_MEM; kind < ABI_KINDS && verdict == HARNESS_AGREE; kind++) {
            if ((harness->target->kinds >> kind & 1) && oracle_alive(harness->oracle, id) &&
                oracle_units(harness->oracle, id, kind))
                verdict = clear(harness, id, kind);
        }
    }
    return verdict;
}

static void judge_number(struct harness *harness, enum flaw flaw, uint8_t kind, uint64_t expected, uint64_t found) {
    if (expected != found)
        note_number(harness, flaw, ORACLE_NONE, kind, expected, found);
}

void judge_empty(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    const struct rescind_usage *boot = &harness->boot_usage;
    struct rescind_usage usage;
    struct rescind_pd_view root;
    target->usage(&usage);
    judge_number(harness, FLAW_USED_PDS, ABI_OBJ, boot->pds, usage.pds);
    judge_number(harness, FLAW_USED_OBJECTS, ABI_OBJ, boot->objects, usage.objects);
    judge_number(harness, FLAW_USED_NODES, ABI_MEM, boot->nodes, usage.nodes);
    judge_number(harness, FLAW_USED_TABLES, ABI_MEM, boot->tables, usage.tables);
    judge_number(harness, FLAW_USED_BYTES, ABI_MEM, boot->bytes, usage.bytes);
    if (!target->pd(target->root_pd, &root)) {
        note(harness, FLAW_PD_DIED, ORACLE_ROOT, ABI_OBJ, 0);
        return;
    }
    judge_number(harness, FLAW_USED_BYTES, ABI_OBJ, harness->boot_root.used, root.used);
    judge_number(harness, FLAW_QUOTA, ABI_OBJ, harness->boot_root.quota, root.quota);
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        uint32_t expected = keeps_root(harness) ? harness->boot_root.node_count[kind] : 0;
        bool indexed = target->node_limit && !expected && root.tree_root[kind] != RESCIND_NONE;
        if (root.node_count[kind] != expected || indexed)
            note_number(harness, FLAW_NOT_TORN_DOWN, ORACLE_ROOT, kind, expected, root.node_count[kind]);
    }
}

static enum harness_verdict tear_down(struct harness *harness) {
    harness->teardown = true;
    harness->failing = 0;
    enum harness_verdict verdict = clear_all(harness);
    if (verdict != HARNESS_AGREE)
        return verdict;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    if (harness->mode == HARNESS_PROBE)
        probe_all(harness);
    if (harness->mode == HARNESS_LOG)
        note_seen(harness, compare_torn_down(harness));
    else if (harness->mode == HARNESS_FULL)
        compare_full(harness);
    judge_empty(harness);
    harness->outcome->spent = harness->target->boots_once && harness->root_lost;
    return judge(harness);
}

/* ---- the run ---- */

enum harness_verdict start(struct harness *harness, const struct seq *seq) {
    static const struct seq_op nothing;
    harness->step = (struct harness_step){.op = &nothing, .is_void = true};
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    harness->cpus = seq->cpus && seq->cpus <= harness->target->geometry.cpus ? seq->cpus : 1;
    harness->past_count = 0;
    harness->meetings.count = 0;
    harness->teardown = false;
    harness->committed = false;
    harness->root_lost = harness->outcome->spent = harness->at_rest = false;
    harness->failing = 0;
    harness->tick = 0;
    harness->index = 0;
    harness->scheduled = harness->mirror_late = false;
    seq_nesting_begin(&harness->nesting, 0);
    oracle_reset(harness->oracle);
    bind_boot(harness);
    if (!harness_enter_target(harness, body_boot, harness))
        return judge(harness);
    if (harness->options->on_start)
        harness->options->on_start(harness->options->context);
    harness->target->usage(&harness->boot_usage);
    harness->target->pd(harness->target->root_pd, &harness->boot_root);
    ledger_start(harness, &harness->boot_root);
    if (harness->mode == HARNESS_FULL)
        compare_full(harness);
    if (harness->mode == HARNESS_LOG)
        compare_log_start(harness);
    if (harness->mode == HARNESS_PROBE)
        probe_start(harness);
    return judge(harness);
}

/* A part of a run, in which the kernel may stop. */
struct part {
    struct harness *harness;
    const struct seq *seq;
    enum harness_verdict (*run)(struct harness *harness, const struct seq *seq);
    enum harness_verdict verdict;
};

static void body_part(void *argument) {
    struct part *part = argument;
    part->verdict = part->run(part->harness, part->seq);
}

static enum harness_verdict run_part(struct harness *harness, const struct seq *seq,
                                     enum harness_verdict (*run)(struct harness *harness, const struct seq *seq)) {
    struct part part = {.harness = harness, .seq = seq, .run = run};
    return harness_enter_target(harness, body_part, &part) ? part.verdict : judge(harness);
}

static enum harness_verdict run_operations(struct harness *harness, const struct seq *seq) {
    enum harness_verdict verdict = start(harness, seq);
    seq_nesting_begin(&harness->nesting, seq->count);
    for (uint32_t i = 0; i < seq->count && verdict == HARNESS_AGREE; i++) {
        verdict = close_blocks(harness, i);
        if (verdict != HARNESS_AGREE)
            break;
        harness->index = i;
        harness->outcome->executed++;
        open_block(harness, &seq->op[i]);
        verdict = perform(harness, &seq->op[i], harness->id_of_name[seq->op[i].caller]);
    }
    if (verdict == HARNESS_AGREE)
        verdict = close_blocks(harness, seq->count);
    if (verdict != HARNESS_AGREE)
        return verdict;
    harness->index = seq->count;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    if (harness->mode == HARNESS_LOG)
        note_seen(harness, compare_log_end(harness));
    if (harness->mode == HARNESS_PROBE)
        probe_all(harness);
    verdict = judge(harness);
    if (verdict != HARNESS_AGREE)
        harness->index = seq->count ? seq->count - 1 : 0;
    return verdict;
}

static enum harness_verdict run_tear_down(struct harness *harness, const struct seq *seq) {
    (void)seq;
    return tear_down(harness);
}

static enum harness_verdict run_all(struct harness *harness, const struct seq *seq) {
    harness->outcome->executed = harness->outcome->changed_operations = 0;
    harness->outcome->suspended = harness->outcome->lacking = 0;
    harness->outcome->changed_units = harness->outcome->probes = 0;
    enum harness_verdict verdict = run_part(harness, seq, run_operations);
    if (verdict != HARNESS_AGREE)
        return verdict;
    harness->called = HARNESS_AGREE;
    if (harness->options->on_end)
        harness->options->on_end(harness->options->context);
    return harness->called == HARNESS_AGREE ? run_part(harness, seq, run_tear_down) : harness->called;
}

static void run_in(struct harness *harness, const struct seq *seq, enum harness_compare mode,
                   struct harness_outcome *outcome) {
    harness->mode = mode;
    harness->outcome = outcome;
    outcome->at_unit = outcome->shared = false;
    outcome->signature[0] = outcome->report[0] = '\0';
    outcome->verdict = run_all(harness, seq);
    outcome->failed_at = harness->index;
    /* One that had stopped earlier: what ran since belongs to it. */
    if (outcome->verdict == HARNESS_FINDING && harness->step.resumed && !harness->teardown)
        outcome->failed_at = outcome->executed - 1;
}

void harness_run(struct harness *harness, const struct seq *seq, const struct harness_options *options,
                 struct harness_outcome *outcome) {
    bool shows_nothing = !harness->target->node_limit && options->compare != HARNESS_OFF;
    enum harness_compare compare = shows_nothing ? HARNESS_PROBE : options->compare;
    harness->options = options;
    run_in(harness, seq, compare, outcome);
    if (compare != HARNESS_LOG || outcome->verdict != HARNESS_FINDING)
        return;
    struct harness_outcome *named = &harness->named;
    run_in(harness, seq, HARNESS_FULL, named);
    if (named->verdict == HARNESS_FINDING)
        *outcome = *named;
}
