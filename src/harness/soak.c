/*
 * One long life.
 */
#include "harness/soak.h"

#include "harness/arena.h"
#include "harness/internal.h"

enum { CHUNK = 256, CHUNKS_IN_FULL = 8, RECENT_SPARE = 2048, IDS_MAX = 1 << 16, ID_BITS = 64 };

struct soak {
    struct harness *harness;
    const struct seq_geometry *geometry;
    struct harness_options options;
    struct seq_random random;
    struct seq made, recent;
    struct seq_op made_op[CHUNK], recent_op[SEQ_MAX_OPS];
    uint8_t name_of[SEQ_NAMES]; /* by the name that the generator chose: the one used instead */
    uint32_t last_name;
    uint32_t chunks; /* since the last full comparison */
    struct soak_counts counts;
    uint64_t pd_seen[IDS_MAX / ID_BITS], object_seen[IDS_MAX / ID_BITS];
};

size_t soak_size(void) {
    struct arena arena = {0};
    take(&arena, sizeof(struct soak));
    return arena.used;
}

/* ---- identifiers ---- */

static uint32_t see(uint64_t *seen, uint32_t id) {
    uint64_t bit = UINT64_C(1) << id % ID_BITS;
    if (id >= IDS_MAX || (seen[id / ID_BITS] & bit))
        return 0;
    seen[id / ID_BITS] |= bit;
    return 1;
}

static void on_step(void *context, const struct harness_step *step) {
    struct soak *soak = context;
    const struct harness *harness = soak->harness;
    if (step->created == ORACLE_NONE)
        return;
    if (step->created & ORACLE_OBJECT) {
        soak->counts.objects++;
        uint32_t kernel = harness->object_kernel_of[step->created ^ ORACLE_OBJECT];
        soak->counts.object_ids += see(soak->object_seen, kernel ^ RESCIND_OBJECT);
    } else {
        soak->counts.pds++;
        soak->counts.pd_ids += see(soak->pd_seen, harness->kernel_of[step->created]);
    }
}

struct soak *soak_init(void *memory, size_t size, struct harness *harness, const struct seq_geometry *geometry,
                       uint64_t seed) {
    if (size < soak_size())
        return NULL;
    struct soak *soak = memory;
    __builtin_memset(soak, 0, sizeof(*soak));
    enum harness_compare compare = harness->target->node_limit ? HARNESS_LOG : HARNESS_PROBE;
    soak->harness = harness;
    soak->geometry = geometry;
    soak->options = (struct harness_options){.compare = compare, .seed = seed, .on_step = on_step, .context = soak};
    soak->made = (struct seq){.geometry = geometry, .op = soak->made_op, .capacity = CHUNK};
    soak->recent = (struct seq){.geometry = geometry,
                                .op = soak->recent_op,
                                .capacity = SEQ_MAX_OPS,
                                .cpus = (uint8_t)harness->target->geometry.cpus};
    soak->last_name = 0;
    seq_random_seed(&soak->random, seed);
    return soak;
}

const struct seq *soak_recent(const struct soak *soak) {
    return &soak->recent;
}

const struct soak_counts *soak_counts(const struct soak *soak) {
    return &soak->counts;
}

/* ---- one operation ---- */

/* What was detected by the log is named by a full comparison on the spot: there is no running it again. */
static enum harness_verdict name_finding(struct soak *soak) {
    struct harness *harness = soak->harness;
    if (harness->finding.flaw == FLAW_LOG)
        compare_full(harness);
    return judge(harness);
}

static enum harness_verdict do_op(struct soak *soak, const struct seq_op *op) {
    struct harness *harness = soak->harness;
    struct seq_op *kept = &soak->recent_op[soak->recent.count];
    harness->index = soak->recent.count++;
    *kept = *op;
    soak->counts.operations++;
    enum harness_verdict verdict = perform(harness, kept, harness->id_of_name[kept->caller]);
    return verdict == HARNESS_FINDING ? name_finding(soak) : verdict;
}

/* ---- generated operations ---- */

/* A name that no PD has. There are more names than PDs can be alive in the small geometry; where there are not, a PD
 * loses its name. */
static uint8_t free_name(struct soak *soak) {
    for (uint32_t i = 1; i < SEQ_NAMES; i++) {
        soak->last_name = soak->last_name % (SEQ_NAMES - 1) + 1;
        if (soak->harness->id_of_name[soak->last_name] == ORACLE_NONE)
            break;
    }
    return (uint8_t)soak->last_name;
}

static void rename_cap(const struct soak *soak, struct seq_cap *cap) {
    if (cap->mode == SEQ_CAP_NAME && cap->value < SEQ_NAMES)
        cap->value = soak->name_of[cap->value];
}

/* Names of a chunk must not be those of PDs of earlier ones: without its name a PD could call nothing any more. */
static void rename_op(struct soak *soak, struct seq_op *op) {
    op->caller = soak->name_of[op->caller];
    rename_cap(soak, &op->pd);
    rename_cap(soak, &op->filter);
    if (op->code == SEQ_CREATE_PD)
        op->name = soak->name_of[op->name] = free_name(soak);
}

bool soak_ends_life(const struct seq_op *op) {
    bool covers =
        op->kind == ABI_OBJ && op->order < 64 && op->base >> op->order == (uint64_t)ABI_ROOT_SELECTOR >> op->order;
    bool in_root = op->caller == 0 || op->place == ABI_PLACE_CAP;
    if (op->code == SEQ_REVOKE)
        return covers && in_root && op->scope != ABI_CHILDREN;
    return op->code == SEQ_GRANT && covers && op->caller == 0;
}

static enum harness_verdict run_made(struct soak *soak) {
    enum harness_verdict verdict = HARNESS_AGREE;
    struct seq_profile profile = {.operations = (1u << SEQ_CODES) - 1,
                                  .unit_budget = soak->geometry->mem_log2 > 16 ? CHUNK * 64 : 0,
                                  .cpus = soak->recent.cpus};
    seq_generate(&soak->made, &soak->random, &profile, CHUNK);
    for (uint32_t name = 0; name < SEQ_NAMES; name++)
        soak->name_of[name] = (uint8_t)name;
    for (uint32_t i = 0; i < soak->made.count && verdict == HARNESS_AGREE; i++) {
        struct seq_op op = soak->made_op[i];
        rename_op(soak, &op);
        if (!soak_ends_life(&op))
            verdict = do_op(soak, &op);
    }
    return verdict;
}

/* ---- clearing ---- */

static bool chance(struct soak *soak) {
    return seq_random_next(&soak->random) >> 63;
}

/* A PD gives up, as caller, a range of its own space. */
static enum harness_verdict give_up(struct soak *soak, uint32_t id, uint8_t kind, uint64_t base, uint8_t order) {
    struct harness *harness = soak->harness;
    if (!oracle_alive(harness->oracle, id) || harness->id_of_name[harness->name_of[id]] != id)
        return HARNESS_AGREE;
    struct seq_op op = {.code = SEQ_REVOKE,
                        .caller = harness->name_of[id],
                        .kind = kind,
                        .scope = ABI_SELF,
                        .base = base,
                        .order = order,
                        .mask = all_rights(kind)};
    return do_op(soak, &op);
}

/* Half of a space, or all of it; root keeps its capability to itself. */
static enum harness_verdict clear_space(struct soak *soak, uint32_t id, uint8_t kind, bool all) {
    enum harness_verdict verdict = HARNESS_AGREE;
    uint8_t log2 = space_log2(soak->harness, id, kind);
    if (!oracle_units(soak->harness->oracle, id, kind))
        return HARNESS_AGREE;
    if (id == ORACLE_ROOT && kind == ABI_OBJ) {
        for (uint8_t order = 0; order < log2 && verdict == HARNESS_AGREE; order++) {
            if (all || chance(soak))
                verdict = give_up(soak, id, kind, UINT64_C(1) << order, order);
        }
        return verdict;
    }
    uint64_t half = UINT64_C(1) << (log2 - 1);
    return all ? give_up(soak, id, kind, 0, log2) : give_up(soak, id, kind, chance(soak) ? half : 0, log2 - 1);
}

/* Somebody who can destroys a PD, if there is one. */
static enum harness_verdict destroy(struct soak *soak, uint32_t victim) {
    struct harness *harness = soak->harness;
    uint32_t limit = oracle_pd_limit(harness->oracle);
    for (uint32_t id = ORACLE_ROOT; id < limit; id++) {
        uint64_t selector =
            oracle_alive(harness->oracle, id) ? oracle_selector(harness->oracle, id, victim) : UINT64_MAX;
        if (id == victim || selector >> harness->geometry.obj_log2 || harness->id_of_name[harness->name_of[id]] != id ||
            !(oracle_at(harness->oracle, id, ABI_OBJ, selector)->rights & ABI_DESTROY))
            continue;
        struct seq_op op = {.code = SEQ_DESTROY_PD,
                            .caller = harness->name_of[id],
                            .pd = {.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)selector}};
        return do_op(soak, &op);
    }
    return HARNESS_AGREE;
}

static enum harness_verdict clear_pd(struct soak *soak, uint32_t id, bool all) {
    enum harness_verdict verdict = HARNESS_AGREE;
    if (id != ORACLE_ROOT && !all && chance(soak))
        return destroy(soak, id);
    for (uint8_t kind = ABI_MEM; kind < ABI_KINDS && verdict == HARNESS_AGREE; kind++) {
        bool known = soak->harness->target->kinds >> kind & 1;
        if (known && oracle_alive(soak->harness->oracle, id))
            verdict = clear_space(soak, id, kind, all);
    }
    return verdict;
}

/* Clears about half of what exists, or everything but root's capability to itself. */
static enum harness_verdict clear_some(struct soak *soak, bool all) {
    const struct oracle *oracle = soak->harness->oracle;
    enum harness_verdict verdict = HARNESS_AGREE;
    uint32_t limit = oracle_pd_limit(oracle);
    /* What a PD gives up others may have derived theirs from: the youngest first, root last. */
    for (uint32_t id = limit; id-- > ORACLE_ROOT && verdict == HARNESS_AGREE;) {
        bool room = soak->recent.count + RECENT_SPARE / 2 < SEQ_MAX_OPS;
        if (room && oracle_alive(oracle, id))
            verdict = clear_pd(soak, id, all);
    }
    return verdict;
}

/* ---- a chunk ---- */

/* Everything is compared; if it agrees, what was done so far cannot be what a later finding comes from. */
static enum harness_verdict compare_all(struct soak *soak) {
    struct harness *harness = soak->harness;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    if (harness->mode == HARNESS_PROBE)
        probe_all(harness);
    else
        compare_full(harness);
    soak->counts.full++;
    soak->chunks = 0;
    enum harness_verdict verdict = judge(harness);
    if (verdict == HARNESS_AGREE)
        soak->recent.count = 0;
    return verdict;
}

/* Nothing is left but root: what is in use is what was after boot. */
static enum harness_verdict judge_low_point(struct soak *soak) {
    struct harness *harness = soak->harness;
    struct rescind_usage usage;
    harness->target->usage(&usage);
    soak->counts.bytes = usage.bytes;
    soak->counts.low_points++;
    harness->finding = (struct finding){.flaw = FLAW_NONE};
    if (usage.pds != harness->boot_usage.pds)
        note_number(harness, FLAW_USED_PDS, ORACLE_NONE, ABI_OBJ, harness->boot_usage.pds, usage.pds);
    if (usage.bytes != harness->boot_usage.bytes)
        note_number(harness, FLAW_USED_BYTES, ORACLE_NONE, ABI_MEM, harness->boot_usage.bytes, usage.bytes);
    return judge(harness);
}

enum harness_verdict soak_boot(struct soak *soak, struct harness_outcome *outcome) {
    struct harness *harness = soak->harness;
    harness->options = &soak->options;
    harness->outcome = outcome;
    harness->mode = soak->options.compare;
    *outcome = (struct harness_outcome){.verdict = HARNESS_AGREE};
    soak->recent.count = 0;
    outcome->verdict = start(harness, &soak->recent);
    soak->counts.bytes_at_boot = harness->boot_usage.bytes;
    return outcome->verdict;
}

enum harness_verdict soak_chunk(struct soak *soak, bool low, struct harness_outcome *outcome) {
    struct harness *harness = soak->harness;
    harness->outcome = outcome;
    enum harness_verdict verdict = run_made(soak);
    if (verdict == HARNESS_AGREE)
        verdict = clear_some(soak, low);
    bool due = ++soak->chunks == CHUNKS_IN_FULL || soak->recent.count + RECENT_SPARE > SEQ_MAX_OPS || low;
    if (verdict == HARNESS_AGREE && due)
        verdict = compare_all(soak);
    if (verdict == HARNESS_AGREE && low)
        verdict = judge_low_point(soak);
    soak->counts.changed = outcome->changed_operations;
    outcome->verdict = verdict;
    outcome->failed_at = harness->index;
    return verdict;
}
