/*
 * The shrinker: makes a failing sequence short and simple, with the caller's predicate as the only judge.
 *
 * Each attempt changes the sequence in place; the best one so far is kept in packed form and put back when the attempt
 * does not fail any more. That takes 64 KiB of stack, and no memory else. Deterministic.
 */
#include "blocks.h"
#include "shrinker.h"

enum { MEMO_PROBES = 8, CANDIDATES = 48, SMALL_NAMES = 16 };

static uint64_t hash_seq(const struct seq *seq) {
    uint64_t hash = 0xcbf29ce484222325u ^ seq->count ^ (uint64_t)seq_cpus(seq) << 32;
    for (uint32_t i = 0; i < seq->count; i++) {
        uint8_t bytes[SEQ_OP_BYTES];
        uint64_t words[2];
        seq_pack_op(seq->geometry, &seq->op[i], bytes);
        __builtin_memcpy(words, bytes, sizeof(words));
        hash = (hash ^ words[0]) * 0x9fb21c651e98df25u;
        hash = ((hash ^ hash >> 29) ^ words[1]) * 0x9fb21c651e98df25u;
        hash ^= hash >> 32;
    }
    return hash ? hash : 1;
}

static bool memo_has(const struct shrinker *shrinker, uint64_t hash) {
    for (uint32_t i = 0; i < MEMO_PROBES && i < shrinker->memo_count; i++) {
        if (shrinker->memo[(hash + i) % shrinker->memo_count] == hash)
            return true;
    }
    return false;
}

/* In place of an older one if need be. */
static void memo_add(struct shrinker *shrinker, uint64_t hash) {
    if (shrinker->memo_count == 0)
        return;
    uint64_t at = hash % shrinker->memo_count;
    for (uint32_t i = 0; i < MEMO_PROBES && i < shrinker->memo_count; i++) {
        uint64_t probe = (hash + i) % shrinker->memo_count;
        if (shrinker->memo[probe] == 0) {
            at = probe;
            break;
        }
    }
    shrinker->memo[at] = hash;
}

static void keep(struct shrinker *shrinker) {
    const struct seq *seq = shrinker->seq;
    shrinker->best_count = seq->count;
    shrinker->best_cpus = seq_cpus(seq);
    for (uint32_t i = 0; i < seq->count; i++)
        seq_pack_op(seq->geometry, &seq->op[i], shrinker->best + (size_t)i * SEQ_OP_BYTES);
}

static void put_back(struct shrinker *shrinker) {
    shrinker->seq->cpus = shrinker->best_cpus;
    seq_unpack_ops(shrinker->seq, shrinker->best, (size_t)shrinker->best_count * SEQ_OP_BYTES);
}

bool shrinker_attempt(struct shrinker *shrinker) {
    uint64_t hash = hash_seq(shrinker->seq);
    if (shrinker_has_budget(shrinker) && shrinker->seq->count && !memo_has(shrinker, hash)) {
        shrinker->calls++;
        if (shrinker->fails(shrinker->context, shrinker->seq)) {
            keep(shrinker);
            return true;
        }
        memo_add(shrinker, hash);
    }
    put_back(shrinker);
    return false;
}

/* The shortest failing prefix, by binary search. */
static void cut_tail(struct shrinker *shrinker) {
    uint32_t low = 1, high = shrinker->seq->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        seq_remove_run(shrinker->seq, middle, shrinker->seq->count - middle);
        if (shrinker_attempt(shrinker))
            high = middle;
        else
            low = middle + 1;
    }
}

static bool has_name(const bool names[SEQ_NAMES], const struct seq_cap *cap) {
    return cap->mode != SEQ_CAP_NAME || names[cap->value % SEQ_NAMES];
}

static bool all_named(const bool names[SEQ_NAMES], const struct seq_op *op) {
    return names[op->caller] && names[op->name] && has_name(names, &op->pd) && has_name(names, &op->filter);
}

static void add_names(bool names[SEQ_NAMES], const struct seq_op *op) {
    names[op->caller] = names[op->name] = true;
    if (op->pd.mode == SEQ_CAP_NAME)
        names[op->pd.value % SEQ_NAMES] = true;
    if (op->filter.mode == SEQ_CAP_NAME)
        names[op->filter.value % SEQ_NAMES] = true;
}

static bool keep_named(struct shrinker *shrinker, const bool names[SEQ_NAMES]) {
    struct seq *seq = shrinker->seq;
    struct seq_marks marks = {{0}};
    uint32_t count = seq->count;
    for (uint32_t i = 0; i < count; i++) {
        if (!all_named(names, &seq->op[i]))
            seq_mark(&marks, i);
    }
    seq_remove_marked(seq, &marks);
    return seq->count < count && shrinker_attempt(shrinker);
}

static void unschedule(struct seq_op *op) {
    if (seq_has_schedule(op))
        op->point = op->nested = 0;
}

/* All schedules go, and what only schedules give a meaning to; or one after the other. */
static void drop_schedules(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    struct seq_marks resumes = {{0}};
    uint32_t scheduled = 0, count = seq->count;
    for (uint32_t i = 0; i < count; i++) {
        bool resume = seq->op[i].code == SEQ_RESUME;
        scheduled += resume || seq_has_schedule(&seq->op[i]);
        unschedule(&seq->op[i]);
        if (resume)
            seq_mark(&resumes, i);
    }
    seq_remove_marked(seq, &resumes);
    if (scheduled == 0 || shrinker_attempt(shrinker))
        return;
    for (uint32_t i = 0; i < seq->count && shrinker_has_budget(shrinker); i++) {
        if (!seq_has_schedule(&seq->op[i]))
            continue;
        unschedule(&seq->op[i]);
        shrinker_attempt(shrinker);
    }
}

/* The first operation of a block comes before it. */
static bool shorten_blocks(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint32_t at = 0; at + 1 < seq->count && shrinker_has_budget(shrinker); at++) {
        struct seq_op op = seq->op[at];
        if (!seq_has_schedule(&op) || op.nested == 0 || seq_has_schedule(&seq->op[at + 1]))
            continue;
        op.nested--;
        seq->op[at] = seq->op[at + 1];
        seq->op[at + 1] = op;
        changed |= shrinker_attempt(shrinker);
    }
    return changed;
}

/* Drops what has no name in common with the last operation, directly or through those that made the names; then what
 * mentions one name, for each name. */
static bool drop_unrelated(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    bool names[SEQ_NAMES] = {true}, changed;
    add_names(names, &seq->op[seq->count - 1]);
    for (uint32_t i = seq->count; i-- > 0;) {
        if (seq->op[i].code == SEQ_CREATE_PD && names[seq->op[i].name])
            add_names(names, &seq->op[i]);
    }
    changed = keep_named(shrinker, names);
    for (uint32_t name = SEQ_NAMES - 1; name > 0 && shrinker_has_budget(shrinker); name--) {
        __builtin_memset(names, true, sizeof(names));
        names[name] = false;
        changed |= keep_named(shrinker, names);
    }
    return changed;
}

/* Removes runs of `count` operations, from the end. */
static bool drop_runs(struct shrinker *shrinker, uint32_t count) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint32_t end = seq->count; end >= count && seq->count > count && shrinker_has_budget(shrinker); end -= count) {
        if (end > seq->count)
            end = seq->count;
        seq_remove_run(seq, end - count, count);
        changed |= shrinker_attempt(shrinker);
    }
    return changed;
}

static bool drop_halves(struct shrinker *shrinker) {
    bool changed = false;
    for (uint32_t count = shrinker->seq->count / 2; count > 1; count /= 2)
        changed |= drop_runs(shrinker, count);
    return changed;
}

static bool drop_single(struct shrinker *shrinker) {
    bool changed = false;
    while (shrinker_has_budget(shrinker) && drop_runs(shrinker, 1))
        changed = true;
    return changed;
}

/* Neighbours that need each other. */
static bool drop_pairs(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint32_t at = seq->count; at-- > 0 && shrinker_has_budget(shrinker);) {
        if (at + 2 > seq->count || seq->count <= 2)
            continue;
        seq_remove_run(seq, at, 2);
        changed |= shrinker_attempt(shrinker);
    }
    return changed;
}

/* The simpler values of a field, best first. False: there is no candidate of that number. Candidates that are not
 * simpler are equal to the value. */
static bool simpler_number(const struct seq_op *op, const struct seq_field *field, uint32_t candidate,
                           uint64_t *value) {
    uint8_t order = field->type == SEQ_TYPE_UNIT ? op->order : 0;
    uint64_t old = *value, bit = (uint64_t)1 << 40 >> candidate;
    switch (field->type) {
    case SEQ_TYPE_ORDER:
        *value = candidate == 0 ? 0 : candidate == 1 ? old / 2 : old - (old != 0);
        return candidate < 3;
    case SEQ_TYPE_QUOTA: /* the default, which is not printed, then fewer */
        if (old != SEQ_QUOTA)
            *value = candidate == 0 ? SEQ_QUOTA : candidate == 1 ? 0 : candidate == 2 ? old / 2 : old - (old != 0);
        return old != SEQ_QUOTA && candidate < 4;
    case SEQ_TYPE_NTH:
        *value = candidate == 0 ? 1 : candidate == 1 ? (old + 1) / 2 : old - (old > 1);
        return candidate < 3;
    case SEQ_TYPE_PAGES:
    case SEQ_TYPE_UNIT:
    case SEQ_TYPE_SELECTOR:
        if (candidate == 0)
            *value = 0;
        else if (candidate == 1)
            *value = old >> order << order;
        else if (candidate == 2)
            *value = old / 2 >> order << order;
        else
            *value = old & ~bit;
        return candidate <= 40;
    default:
        *value = candidate < old ? candidate : old;
        return candidate < SMALL_NAMES && candidate < old;
    }
}

/* All rights are simplest; then those with more. To use a unit in one way is simplest, and to read it. */
static bool simpler_mask(const struct seq_op *op, uint32_t candidate, uint64_t *value) {
    uint64_t rights = seq_rights(op->kind);
    if (op->code == SEQ_ACCESS) {
        uint64_t fewer = candidate ? *value & ~((uint64_t)1 << (candidate - 1)) : 1;
        *value = fewer ? fewer : *value;
        return candidate < 8;
    }
    if (candidate == 0)
        *value = rights;
    else if (candidate == 1)
        *value &= rights;
    else if ((*value & ~rights) == 0)
        *value |= (uint64_t)1 << (candidate - 2) & rights;
    return candidate < 10;
}

/* None is simplest, then low names, then low selectors. */
static bool simpler_cap(struct seq_cap *cap, uint8_t type, uint32_t candidate) {
    struct seq_cap old = *cap;
    if (candidate == 0) {
        if (seq_no_cap(type))
            *cap = (struct seq_cap){0};
        return old.mode != SEQ_CAP_NONE;
    }
    candidate--;
    if (candidate < SMALL_NAMES) {
        if (old.mode == SEQ_CAP_SELECTOR || candidate < old.value)
            *cap = (struct seq_cap){.mode = SEQ_CAP_NAME, .value = (uint16_t)candidate};
        return true;
    }
    if (old.mode == SEQ_CAP_SELECTOR)
        cap->value = candidate == SMALL_NAMES ? 0 : old.value / 2;
    return candidate <= SMALL_NAMES + 1;
}

static bool same_op(const struct seq_op *a, const struct seq_op *b) {
    uint8_t a_bytes[SEQ_OP_BYTES], b_bytes[SEQ_OP_BYTES];
    seq_pack_op(NULL, a, a_bytes);
    seq_pack_op(NULL, b, b_bytes);
    return __builtin_memcmp(a_bytes, b_bytes, SEQ_OP_BYTES) == 0;
}

bool shrinker_simplify(const struct seq_geometry *geometry, struct seq_op *op, const struct seq_field *field,
                       uint32_t candidate) {
    struct seq_cap *cap = seq_field_cap(op, field);
    if (seq_is_cap(field->type))
        return simpler_cap(cap, field->type, candidate);
    uint64_t value = seq_get(op, field);
    if (cap && candidate >= value) /* the place stays a capability */
        return simpler_cap(cap, field->type, candidate - (uint32_t)value);
    bool more = field->type == SEQ_TYPE_MASK ? simpler_mask(op, candidate, &value)
                                             : simpler_number(op, field, candidate, &value);
    if (field->type == SEQ_TYPE_RESULT)
        return false; /* names are renumbered all at once */
    seq_set_reduced(op, field, value);
    if (field->type == SEQ_TYPE_PLACE)
        op->pd = (struct seq_cap){.mode = op->place == ABI_PLACE_CAP ? SEQ_CAP_NAME : SEQ_CAP_NONE};
    seq_clip(geometry, op);
    return more;
}

/* The fields from number `first` on. */
static bool simplify_op(struct shrinker *shrinker, uint32_t at, uint32_t first) {
    struct seq *seq = shrinker->seq;
    const struct seq_operation *operation = &seq_operations[seq->op[at].code];
    bool changed = false;
    for (uint32_t i = first; i < operation->field_count; i++) {
        for (uint32_t candidate = 0; candidate < CANDIDATES && shrinker_has_budget(shrinker);) {
            struct seq_op op = seq->op[at];
            bool more = shrinker_simplify(seq->geometry, &op, &operation->fields[i], candidate);
            candidate = more ? candidate + 1 : CANDIDATES;
            if (same_op(&op, &seq->op[at]))
                continue;
            seq->op[at] = op;
            if (shrinker_attempt(shrinker)) {
                changed = true;
                candidate = 0;
            }
        }
    }
    return changed;
}

static bool simplify_each(struct shrinker *shrinker) {
    bool changed = false;
    for (uint32_t at = shrinker->seq->count; at-- > 0 && shrinker_has_budget(shrinker);)
        changed |= simplify_op(shrinker, at, 0);
    return changed;
}

static void simplify_schedules(struct shrinker *shrinker) {
    for (uint32_t at = 0; at < shrinker->seq->count && shrinker_has_budget(shrinker); at++)
        simplify_op(shrinker, at, seq_plain_fields(&seq_operations[shrinker->seq->op[at].code]));
}

static bool has_units(const struct seq_op *op, uint8_t kind) {
    return op->kind == kind && (op->code == SEQ_DELEGATE || op->code == SEQ_GRANT || op->code == SEQ_REVOKE ||
                                op->code == SEQ_LOOKUP || op->code == SEQ_ACCESS);
}

/* Clears one bit in all units of a kind: ranges that belong together move together. */
static bool move_down(struct shrinker *shrinker, uint8_t kind) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint32_t bit = 36; bit-- > 0;) {
        uint64_t used = 0;
        for (uint32_t i = 0; i < seq->count; i++) {
            struct seq_op *op = &seq->op[i];
            if (!has_units(op, kind))
                continue;
            used |= (op->base | op->destination) >> bit & 1;
            op->base &= ~((uint64_t)1 << bit);
            op->destination &= ~((uint64_t)1 << bit);
        }
        if (used)
            changed |= shrinker_attempt(shrinker);
    }
    return changed;
}

/* Lowers all operations of an order by one. */
static bool lower_orders(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint32_t order = 63; order > 0; order--) {
        bool used = false;
        for (uint32_t i = 0; i < seq->count; i++) {
            if (seq->op[i].order != order)
                continue;
            seq->op[i].order--;
            used = true;
        }
        if (used)
            changed |= shrinker_attempt(shrinker);
    }
    return changed;
}

static void rename_cap(const uint8_t renamed[SEQ_NAMES], struct seq_cap *cap) {
    if (cap->mode == SEQ_CAP_NAME)
        cap->value = renamed[cap->value % SEQ_NAMES];
}

static void rename_all(struct seq *seq, const uint8_t renamed[SEQ_NAMES]) {
    for (uint32_t i = 0; i < seq->count; i++) {
        struct seq_op *op = &seq->op[i];
        op->caller = renamed[op->caller];
        if (op->name)
            op->name = renamed[op->name];
        rename_cap(renamed, &op->pd);
        rename_cap(renamed, &op->filter);
    }
}

bool shrinker_renumber(struct seq *seq) {
    uint8_t renamed[SEQ_NAMES] = {0}, next = 1;
    bool used[SEQ_NAMES] = {false}, changed = false;
    for (uint32_t i = 0; i < seq->count; i++) {
        add_names(used, &seq->op[i]);
        uint8_t name = seq->op[i].name;
        if (name && renamed[name] == 0)
            renamed[name] = next++;
    }
    for (uint32_t name = 1; name < SEQ_NAMES; name++) {
        if (used[name] && renamed[name] == 0)
            renamed[name] = next++;
        changed |= renamed[name] != 0 && renamed[name] != name;
    }
    if (changed)
        rename_all(seq, renamed);
    return changed;
}

/* Lets root do what a PD did, for each PD. */
static bool root_calls(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint32_t name = 1; name < SEQ_NAMES; name++) {
        bool used = false;
        for (uint32_t i = 0; i < seq->count; i++) {
            if (seq->op[i].caller != name)
                continue;
            seq->op[i].caller = 0;
            used = true;
        }
        if (used)
            changed |= shrinker_attempt(shrinker);
    }
    return changed;
}

/* Lets one CPU do what another did, too, and closes the gap. */
static void merge_cpu(struct seq *seq, uint8_t from, uint8_t into) {
    for (uint32_t i = 0; i < seq->count; i++) {
        struct seq_op *op = &seq->op[i];
        if (op->cpu == from)
            op->cpu = into;
        else if (op->cpu > from)
            op->cpu--;
    }
    seq->cpus--;
}

static bool merge_cpus(struct shrinker *shrinker) {
    struct seq *seq = shrinker->seq;
    bool changed = false;
    for (uint8_t from = seq_cpus(seq); from-- > 1;) {
        bool merged = false;
        for (uint8_t into = 0; into < from && !merged; into++) {
            merge_cpu(seq, from, into);
            merged = shrinker_attempt(shrinker);
        }
        changed |= merged;
    }
    return changed;
}

static bool simplify_together(struct shrinker *shrinker) {
    bool changed = shrinker_renumber(shrinker->seq) && shrinker_attempt(shrinker);
    changed |= merge_cpus(shrinker);
    changed |= root_calls(shrinker);
    changed |= lower_orders(shrinker);
    for (uint8_t kind = 0; kind <= ABI_KINDS; kind++)
        changed |= move_down(shrinker, kind);
    return changed;
}

uint32_t seq_shrink(struct seq *seq, seq_still_fails *fails, void *context, uint32_t budget, uint64_t *memo,
                    uint32_t memo_count) {
    struct shrinker shrinker;
    shrinker.seq = seq;
    shrinker.fails = fails;
    shrinker.context = context;
    shrinker.budget = budget;
    shrinker.calls = 0;
    shrinker.memo = memo;
    shrinker.memo_count = memo ? memo_count : 0;
    for (uint32_t i = 0; i < shrinker.memo_count; i++)
        memo[i] = 0;
    if (seq->count == 0 || seq->count > SEQ_MAX_OPS || budget == 0)
        return 0;
    keep(&shrinker);
    if (!shrinker_attempt(&shrinker))
        return shrinker.calls;
    drop_schedules(&shrinker);
    simplify_schedules(&shrinker);
    cut_tail(&shrinker);
    drop_unrelated(&shrinker);
    drop_halves(&shrinker);
    bool changed = true;
    while (changed && shrinker_has_budget(&shrinker)) {
        changed = drop_single(&shrinker);
        changed |= drop_pairs(&shrinker);
        changed |= shorten_blocks(&shrinker);
        changed |= simplify_together(&shrinker);
        changed |= simplify_each(&shrinker);
        if (!changed)
            changed = shrinker_together(&shrinker);
    }
    return shrinker.calls;
}
