/*
 * The run of a sequence: resolve names, call the target, ask the oracle, compare, tear down.
 */
#include "harness/internal.h"
#include "harness/walk.h"

enum { MEMORY_ALIGNMENT = 64, FULL_COMPARISON_IN = 64 };

/* Words that an operation does not use hold this: the kernel must not look at them. */
static const uint64_t unused_word = UINT64_MAX;

/* ---- memory ---- */

struct arena {
    unsigned char *base; /* NULL: only counts */
    size_t used;
};

static void *take(struct arena *arena, size_t size) {
    void *memory = arena->base ? arena->base + arena->used : NULL;
    arena->used += (size + MEMORY_ALIGNMENT - 1) & ~(size_t)(MEMORY_ALIGNMENT - 1);
    return memory;
}

/* More slots than a pool of consecutive frames can have tables, within reason; a power of two. */
static uint32_t table_slots(const struct rescind_target *target) {
    const struct rescind_geometry *geometry = &target->geometry;
    uint64_t wanted = ((uint64_t)geometry->pds << (geometry->mem_log2 - geometry->level_bits)) * 2;
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
    out->mark = take(arena, target->node_limit * sizeof(uint32_t));
    out->mirror.node = take(arena, target->node_limit * sizeof(struct mirror_node));
    out->mirror.table = take(arena, slots * sizeof(struct mirror_table));
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
    if (!ours || target->geometry.levels > WALK_LEVELS_MAX || size < harness_size(target, mappings))
        return NULL;
    struct arena arena = {.base = memory};
    struct arena counting = {0};
    lay_out(&counting, target);
    __builtin_memset(memory, 0, counting.used);
    struct harness *harness = lay_out(&arena, target);
    harness->target = target;
    harness->hooks = hooks;
    harness->enter = enter;
    harness->enter_context = enter_context;
    harness->geometry = harness_oracle_geometry(target);
    harness->id_limit = target->geometry.pds + 2;
    harness->mirror.target = target;
    harness->mirror.table_slots = table_slots(target);
    size_t oracle_bytes = oracle_size(&harness->geometry, mappings);
    harness->oracle = oracle_init(arena.base + arena.used, oracle_bytes, &harness->geometry, policy, mappings);
    return harness->oracle ? harness : NULL;
}

const struct oracle *harness_oracle(const struct harness *harness) {
    return harness->oracle;
}

/* ---- bindings ---- */

uint32_t kernel_pd(const struct harness *harness, uint32_t id) {
    if (id == ORACLE_PHYS)
        return RESCIND_PD_PHYS;
    return id < harness->id_limit ? harness->kernel_of[id] : RESCIND_NONE;
}

uint32_t oracle_id(const struct harness *harness, uint64_t kernel) {
    if (kernel == RESCIND_PD_PHYS)
        return ORACLE_PHYS;
    return kernel < harness->target->pd_limit ? harness->id_of[kernel] : ORACLE_NONE;
}

static void bind_pd(struct harness *harness, uint32_t id, uint32_t kernel) {
    harness->kernel_of[id] = kernel;
    harness->id_of[kernel] = id;
}

static void unbind_pd(struct harness *harness, uint32_t id) {
    uint8_t name = harness->name_of[id];
    if (harness->id_of_name[name] == id)
        harness->id_of_name[name] = ORACLE_NONE;
    if (harness->kernel_of[id] != RESCIND_NONE)
        harness->id_of[harness->kernel_of[id]] = ORACLE_NONE;
    harness->kernel_of[id] = RESCIND_NONE;
}

static void bind_boot(struct harness *harness) {
    for (uint32_t name = 0; name < SEQ_NAMES; name++)
        harness->id_of_name[name] = ORACLE_NONE;
    for (uint32_t id = 0; id < harness->id_limit; id++)
        harness->kernel_of[id] = RESCIND_NONE;
    for (uint32_t pd = 0; pd < harness->target->pd_limit; pd++)
        harness->id_of[pd] = ORACLE_NONE;
    harness->id_of_name[0] = ORACLE_ROOT;
    harness->name_of[ORACLE_ROOT] = 0;
    bind_pd(harness, ORACLE_ROOT, harness->target->root_pd);
}

/* The PD that a create made: the one that is alive and was not bound. */
static uint32_t find_created(const struct harness *harness, const struct rescind_log *log) {
    const struct rescind_target *target = harness->target;
    struct rescind_pd_view view;
    uint32_t count = log->overflow ? target->pd_limit : log->pd_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pd = log->overflow ? i : log->pds[i];
        if (pd < target->pd_limit && harness->id_of[pd] == ORACLE_NONE && target->pd(pd, &view))
            return pd;
    }
    return RESCIND_NONE;
}

/* Brings the bindings up to date with the last commit and compares who is alive with what the log says. */
static void bind_changes(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    struct rescind_pd_view view;
    struct rescind_log log;
    uint32_t count = 0;
    const uint32_t *destroyed = harness->committed ? oracle_destroyed(harness->oracle, &count) : NULL;
    target->log(&log);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kernel = harness->kernel_of[destroyed[i]];
        if (kernel != RESCIND_NONE && target->pd(kernel, &view))
            note(harness, FLAW_PD_SURVIVED, destroyed[i], ABI_OBJ, 0);
        unbind_pd(harness, destroyed[i]);
    }
    uint32_t created = harness->committed ? harness->result.created : ORACLE_NONE;
    if (created != ORACLE_NONE) {
        uint32_t kernel = find_created(harness, &log);
        harness->name_of[created] = harness->step.op->name;
        harness->id_of_name[harness->step.op->name] = created;
        if (kernel == RESCIND_NONE)
            note(harness, FLAW_PD_ABSENT, created, ABI_OBJ, 0);
        else
            bind_pd(harness, created, kernel);
    }
    for (uint32_t i = 0; i < log.pd_count; i++) {
        uint32_t pd = log.pds[i];
        bool alive = target->pd(pd, &view);
        uint32_t id = oracle_id(harness, pd);
        if (alive != (id != ORACLE_NONE))
            note(harness, alive ? FLAW_PD_APPEARED : FLAW_PD_DIED, id, ABI_OBJ, 0);
    }
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

static enum harness_verdict judge(struct harness *harness) {
    if (harness->finding.flaw == FLAW_NONE)
        return HARNESS_AGREE;
    write_signature(harness, harness->outcome->signature);
    write_report(harness, harness->outcome->report);
    return HARNESS_FINDING;
}

/* ---- resolving and encoding ---- */

static uint64_t selector_of(const struct harness *harness, uint32_t caller, struct seq_cap cap) {
    uint64_t nothing = UINT64_C(1) << harness->geometry.obj_log2;
    if (cap.mode == SEQ_CAP_SELECTOR)
        return cap.value;
    if (cap.mode != SEQ_CAP_NAME || cap.value >= SEQ_NAMES || harness->id_of_name[cap.value] == ORACLE_NONE)
        return nothing;
    return oracle_selector(harness->oracle, caller, harness->id_of_name[cap.value]);
}

/* Sequences write units up to twice a space's size. The last quarter of these counts back from 2^64, so that sums may
 * wrap. */
static uint64_t unit_of(const struct harness *harness, const struct seq_op *op, uint64_t unit) {
    uint8_t kind = op->code == SEQ_CREATE_PD ? (uint8_t)ABI_OBJ : op->kind;
    uint64_t size =
        UINT64_C(1) << (kind == ABI_PIO ? harness->geometry.pio_log2 : space_log2(harness, ORACLE_ROOT, kind));
    return unit < size + size / 2 ? unit : unit - 2 * size;
}

/* The call that an operation stands for; fields that it does not have are zero. */
static struct oracle_call resolve(const struct harness *harness, const struct seq_op *op, uint32_t caller) {
    struct oracle_call call = {.caller = caller, .base = unit_of(harness, op, op->base)};
    call.pd_selector = op->pd.mode == SEQ_CAP_NONE && (op->code == SEQ_DELEGATE || op->code == SEQ_REVOKE)
                           ? 0
                           : selector_of(harness, caller, op->pd);
    switch (op->code) {
    case SEQ_CREATE_PD:
        call.operation = ABI_CREATE_PD;
        break;
    case SEQ_DESTROY_PD:
        call.operation = ABI_DESTROY_PD;
        call.base = 0;
        break;
    case SEQ_LOOKUP:
        call.operation = ABI_LOOKUP;
        call.kind = op->kind;
        call.pd_selector = 0;
        break;
    case SEQ_DELEGATE:
        call.operation = ABI_DELEGATE;
        call.kind = op->kind;
        call.place = op->place;
        call.order = op->order;
        call.mask = op->mask;
        call.to_cap = op->pd.mode != SEQ_CAP_NONE;
        call.destination = unit_of(harness, op, op->destination);
        break;
    default:
        call.operation = ABI_REVOKE;
        call.kind = op->kind;
        call.place = op->place;
        call.scope = op->scope;
        call.order = op->order;
        call.mask = op->mask;
        call.filtered = op->filter.mode != SEQ_CAP_NONE;
        call.filter_selector = call.filtered ? selector_of(harness, caller, op->filter) : 0;
        if (call.place == ABI_PLACE_CAP && op->pd.mode == SEQ_CAP_NONE)
            call.pd_selector = UINT64_C(1) << harness->geometry.obj_log2;
        break;
    }
    return call;
}

static void encode(const struct oracle_call *call, uint64_t word[ABI_WORDS]) {
    enum abi_operation operation = call->operation;
    bool names_pd = operation == ABI_CREATE_PD || operation == ABI_DESTROY_PD || call->to_cap ||
                    (operation == ABI_REVOKE && call->place == ABI_PLACE_CAP);
    word[0] = (uint64_t)operation | (uint64_t)call->kind << ABI_KIND_SHIFT | (uint64_t)call->place << ABI_PLACE_SHIFT |
              (uint64_t)call->scope << ABI_SCOPE_SHIFT | (uint64_t)call->to_cap << ABI_TO_CAP_SHIFT |
              (uint64_t)call->filtered << ABI_FILTER_SHIFT | (uint64_t)call->order << ABI_ORDER_SHIFT |
              (uint64_t)call->mask << ABI_MASK_SHIFT;
    word[1] = operation == ABI_DESTROY_PD ? unused_word : call->base;
    word[2] = operation == ABI_DELEGATE ? call->destination : unused_word;
    word[3] = names_pd ? call->pd_selector : unused_word;
    word[4] = call->filtered ? call->filter_selector : unused_word;
}

/* ---- one operation ---- */

struct call_body {
    const struct rescind_target *target;
    uint32_t pd;
    uint64_t *word;
};

static void body_call(void *argument) {
    struct call_body *body = argument;
    body->target->call(0, body->pd, body->word);
}

static struct past_step *remember(struct harness *harness) {
    struct past_step *past = &harness->past[harness->past_count++ % HISTORY];
    *past = (struct past_step){.op = *harness->step.op,
                               .call = harness->step.call,
                               .index = harness->index,
                               .is_void = harness->step.is_void,
                               .teardown = harness->teardown};
    return past;
}

static void stopped(struct harness *harness, enum rescind_stop why, const char *text, const char *function) {
    enum flaw flaw = why == RESCIND_STOP_STEPS ? FLAW_STEPS : why == RESCIND_STOP_MEMORY ? FLAW_MEMORY : FLAW_ASSERT;
    note(harness, flaw, ORACLE_NONE, harness->step.call.kind, 0);
    harness->finding.text = text;
    harness->finding.function = function;
}

/* Compares what came back with what the oracle decided. */
static void judge_result(struct harness *harness) {
    const struct harness_step *step = &harness->step;
    const struct oracle_result *result = &harness->result;
    const uint64_t *word = harness->word;
    bool refused = word[0] == ABI_E_MEM && result->code == ABI_OK && result->may_fail;
    uint64_t value = refused ? 0 : result->value;
    if (word[0] != (uint64_t)result->code && !refused)
        note_number(harness, FLAW_CODE, step->call.caller, step->call.kind, result->code, word[0]);
    if (word[1] != value)
        note_number(harness, FLAW_VALUE, step->call.caller, step->call.kind, value, word[1]);
    for (uint32_t i = 2; i < ABI_WORDS; i++) {
        if (word[i] != step->word_in[i])
            note_number(harness, FLAW_REGISTER, step->call.caller, step->call.kind, step->word_in[i], word[i]);
    }
}

static uint64_t scramble(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void compare(struct harness *harness) {
    enum harness_compare mode = harness->options->compare;
    if (mode == HARNESS_OFF)
        return;
    bool by_chance = scramble(harness->options->seed + harness->tick++) % FULL_COMPARISON_IN == 0;
    const char *seen = mode == HARNESS_LOG ? compare_log(harness) : NULL;
    if (mode == HARNESS_FULL || by_chance || seen)
        compare_full(harness);
    if (seen) {
        note(harness, FLAW_LOG, ORACLE_NONE, harness->step.call.kind, 0);
        if (harness->finding.flaw == FLAW_LOG)
            harness->finding.seen = seen;
    }
}

static void notify(struct harness *harness) {
    if (harness->options->on_step && !harness->teardown)
        harness->options->on_step(harness->options->context, &harness->step);
}

static enum harness_verdict skip(struct harness *harness) {
    harness->step.is_void = true;
    if (harness->step.op->code == SEQ_CREATE_PD)
        harness->id_of_name[harness->step.op->name] = ORACLE_NONE;
    remember(harness);
    notify(harness);
    return HARNESS_AGREE;
}

static enum harness_verdict commit(struct harness *harness) {
    harness->committed = harness->word[0] == ABI_OK;
    if (harness->committed && !oracle_commit(harness->oracle, &harness->step.call))
        return HARNESS_TOO_LARGE;
    if (harness->step.op->code == SEQ_CREATE_PD)
        harness->id_of_name[harness->step.op->name] = ORACLE_NONE;
    uint32_t changes = 0;
    if (harness->committed) {
        oracle_changes(harness->oracle, &changes);
        harness->step.created = harness->result.created;
    }
    if (!harness->teardown) {
        harness->outcome->changed_units += changes;
        harness->outcome->changed_operations += changes > 0;
    }
    if (harness->boot_capability && !oracle_at(harness->oracle, ORACLE_ROOT, ABI_OBJ, ABI_ROOT_SELECTOR))
        harness->boot_capability = false;
    return HARNESS_AGREE;
}

/* Performs one operation of a live PD. */
static enum harness_verdict perform(struct harness *harness, const struct seq_op *op, uint32_t caller) {
    struct harness_step *step = &harness->step;
    *step = (struct harness_step){.op = op, .created = ORACLE_NONE};
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    harness->committed = false;
    if (caller == ORACLE_NONE)
        return skip(harness);
    step->call = resolve(harness, op, caller);
    encode(&step->call, step->word_in);
    __builtin_memcpy(harness->word, step->word_in, sizeof(harness->word));
    harness->result = oracle_decide(harness->oracle, &step->call);

    struct call_body body = {harness->target, harness->kernel_of[caller], harness->word};
    enum rescind_stop why = RESCIND_STOP_ASSERT;
    const char *text = "", *function = "";
    struct past_step *past = remember(harness);
    if (!harness->enter(harness->enter_context, body_call, &body, &why, &text, &function)) {
        stopped(harness, why, text, function);
        return judge(harness);
    }
    past->returned = true;
    past->code = step->code = (uint32_t)harness->word[0];
    past->value = step->value = harness->word[1];
    judge_result(harness);
    if (harness->finding.flaw != FLAW_NONE) {
        notify(harness);
        return judge(harness);
    }
    if (commit(harness) == HARNESS_TOO_LARGE)
        return HARNESS_TOO_LARGE;
    bind_changes(harness);
    notify(harness);
    compare(harness);
    return judge(harness);
}

/* ---- tear-down ---- */

static enum harness_verdict clear(struct harness *harness, uint32_t id, uint8_t kind, uint8_t place) {
    struct seq_op op = {
        .code = SEQ_REVOKE,
        .caller = harness->name_of[id],
        .kind = kind,
        .place = place,
        .scope = place == ABI_PHYS ? ABI_CHILDREN : ABI_SELF,
        .order = space_log2(harness, place == ABI_PHYS ? ORACLE_PHYS : id, kind),
        .mask = all_rights(kind),
    };
    return perform(harness, &op, id);
}

/* Every PD, as caller, gives up all it has; root takes back what it gave out of PHYS first. */
static enum harness_verdict clear_all(struct harness *harness) {
    enum harness_verdict verdict = clear(harness, ORACLE_ROOT, ABI_MEM, ABI_PHYS);
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        for (uint8_t kind = ABI_MEM; kind < ABI_KINDS && verdict == HARNESS_AGREE; kind++) {
            if ((harness->target->kinds >> kind & 1) && oracle_alive(harness->oracle, id) &&
                oracle_units(harness->oracle, id, kind))
                verdict = clear(harness, id, kind, ABI_OWN);
        }
    }
    return verdict;
}

/* What must hold when nothing is left but root. */
static void judge_empty(struct harness *harness) {
    const struct rescind_target *target = harness->target;
    const struct rescind_usage *boot = &harness->boot_usage;
    struct rescind_usage usage;
    struct rescind_pd_view root;
    target->usage(&usage);
    if (usage.pds != boot->pds)
        note_number(harness, FLAW_USED_PDS, ORACLE_NONE, ABI_OBJ, boot->pds, usage.pds);
    if (usage.nodes != boot->nodes)
        note_number(harness, FLAW_USED_NODES, ORACLE_NONE, ABI_MEM, boot->nodes, usage.nodes);
    if (usage.tables != boot->tables)
        note_number(harness, FLAW_USED_TABLES, ORACLE_NONE, ABI_MEM, boot->tables, usage.tables);
    if (usage.bytes != boot->bytes)
        note_number(harness, FLAW_USED_BYTES, ORACLE_NONE, ABI_MEM, boot->bytes, usage.bytes);
    if (!target->pd(target->root_pd, &root)) {
        note(harness, FLAW_PD_DIED, ORACLE_ROOT, ABI_OBJ, 0);
        return;
    }
    for (uint8_t kind = 0; kind < ABI_KINDS; kind++) {
        if (root.node_count[kind] || root.tree_root[kind] != RESCIND_NONE)
            note_number(harness, FLAW_NOT_TORN_DOWN, ORACLE_ROOT, kind, 0, root.node_count[kind]);
    }
}

static enum harness_verdict tear_down(struct harness *harness) {
    harness->teardown = true;
    enum harness_verdict verdict = clear_all(harness);
    if (verdict != HARNESS_AGREE)
        return verdict;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    if (harness->options->compare != HARNESS_OFF)
        compare_full(harness);
    judge_empty(harness);
    return judge(harness);
}

/* ---- the run ---- */

static void body_boot(void *argument) {
    struct harness *harness = argument;
    harness->target->boot(harness->hooks, 1, 0);
}

static enum harness_verdict start(struct harness *harness) {
    static const struct seq_op nothing;
    enum rescind_stop why = RESCIND_STOP_ASSERT;
    const char *text = "", *function = "";
    harness->step = (struct harness_step){.op = &nothing, .is_void = true};
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    harness->past_count = 0;
    harness->teardown = false;
    harness->committed = false;
    harness->boot_capability = true;
    harness->tick = 0;
    harness->index = 0;
    oracle_reset(harness->oracle);
    bind_boot(harness);
    if (!harness->enter(harness->enter_context, body_boot, harness, &why, &text, &function)) {
        stopped(harness, why, text, function);
        return judge(harness);
    }
    harness->target->usage(&harness->boot_usage);
    if (harness->options->compare != HARNESS_OFF)
        compare_full(harness);
    if (harness->options->compare == HARNESS_LOG && harness->finding.flaw == FLAW_NONE)
        compare_log_start(harness);
    return judge(harness);
}

static enum harness_verdict run_all(struct harness *harness, const struct seq *seq) {
    enum harness_verdict verdict = start(harness);
    for (uint32_t i = 0; i < seq->count && verdict == HARNESS_AGREE; i++) {
        harness->index = i;
        verdict = perform(harness, &seq->op[i], harness->id_of_name[seq->op[i].caller]);
        harness->outcome->executed++;
    }
    if (verdict != HARNESS_AGREE)
        return verdict;
    harness->index = seq->count;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    if (harness->options->compare != HARNESS_OFF)
        compare_full(harness);
    verdict = judge(harness);
    if (verdict != HARNESS_AGREE) {
        harness->index = seq->count ? seq->count - 1 : 0;
        return verdict;
    }
    if (harness->options->on_end)
        harness->options->on_end(harness->options->context);
    return tear_down(harness);
}

void harness_run(struct harness *harness, const struct seq *seq, const struct harness_options *options,
                 struct harness_outcome *outcome) {
    outcome->executed = outcome->changed_operations = 0;
    outcome->changed_units = 0;
    outcome->signature[0] = outcome->report[0] = '\0';
    harness->options = options;
    harness->outcome = outcome;
    outcome->verdict = run_all(harness, seq);
    outcome->failed_at = harness->index;
}
