/*
 * A cheap guess of the state after some operations.
 */
#include "guess.h"

static bool overlaps(uint64_t a, uint8_t a_order, uint64_t b, uint8_t b_order) {
    uint8_t order = a_order > b_order ? a_order : b_order;
    return a >> order == b >> order;
}

static inline bool is_range(const struct guess *guess, uint8_t kind, uint64_t base, uint8_t order) {
    if (!(guess->kinds >> kind & 1))
        return false;
    uint8_t space_log2 = seq_space_log2(guess->geometry, kind);
    return order <= space_log2 && base >> space_log2 == 0 && base >> order << order == base;
}

static bool is_mask(uint8_t kind, uint8_t mask) {
    return (mask & ~seq_rights(kind)) == 0;
}

static bool exists(uint8_t kind, uint32_t rights) {
    return kind == ABI_MEM ? rights & ABI_R : rights != 0;
}

static void add_range(struct guess *guess, const struct guess_range *range) {
    if (guess->count < GUESS_RANGES)
        guess->range[guess->count++] = *range;
}

/* The capability that an argument names, or GUESS_NONE. */
static uint32_t resolve(const struct guess *guess, uint8_t caller, const struct seq_cap *cap) {
    if (cap->mode == SEQ_CAP_NAME) {
        uint8_t slot = guess->slot_of[cap->value % SEQ_NAMES];
        return slot < GUESS_PDS ? guess_cap(guess, caller, slot) : GUESS_NONE;
    }
    for (uint32_t i = 0; i < guess->count; i++) {
        const struct guess_range *range = &guess->range[i];
        if (range->pd == caller && range->kind == ABI_OBJ && range->base == cap->value)
            return i;
    }
    return GUESS_NONE;
}

/* The slot of the PD that an argument names, if the capability has the right (0: any); otherwise GUESS_PDS. */
static uint8_t resolve_pd(const struct guess *guess, uint8_t caller, const struct seq_cap *cap, uint8_t right) {
    uint32_t index = resolve(guess, caller, cap);
    if (index == GUESS_NONE || !guess_names_pd(&guess->range[index]) || (guess->range[index].rights & right) != right)
        return GUESS_PDS;
    return (uint8_t)guess->range[index].resource;
}

/* Removes what has no rights, keeping the order; children of the removed move up. */
static void compact(struct guess *guess) {
    uint16_t moved[GUESS_RANGES];
    uint16_t kept = 0;
    for (uint32_t i = 0; i < guess->count; i++) {
        struct guess_range range = guess->range[i];
        if (range.parent != GUESS_NONE)
            range.parent = moved[range.parent];
        moved[i] = range.parent;
        if (!range.rights)
            continue;
        moved[i] = kept;
        guess->range[kept++] = range;
    }
    guess->count = kept;
}

static uint32_t unnamed(const struct guess *guess) {
    uint32_t named = 1u << GUESS_ROOT;
    for (uint32_t i = 0; i < guess->count; i++) {
        if (guess_names_pd(&guess->range[i]))
            named |= 1u << guess->range[i].resource;
    }
    return guess->alive & ~named;
}

/* The account goes to the payer, or to root if that is gone; a CPU that ran the PD runs none. */
static void bury(struct guess *guess, uint8_t slot) {
    uint8_t heir = guess->payer[slot];
    if (guess->name_of[slot])
        guess->slot_of[guess->name_of[slot]] = GUESS_PDS;
    if (!(guess->alive >> heir & 1))
        heir = GUESS_ROOT;
    guess->pages[heir] += guess->pages[slot];
    guess->pages[slot] = 0;
    for (uint32_t cpu = 0; cpu < SEQ_CPUS; cpu++) {
        if (guess->runs[cpu] == slot)
            guess->runs[cpu] = GUESS_PDS;
    }
}

/* Destroys these PDs, and whatever loses its last capability by that. */
static void destroy(struct guess *guess, uint32_t dying) {
    while (dying) {
        for (uint32_t i = 0; i < guess->count; i++) {
            struct guess_range *range = &guess->range[i];
            bool inside = dying >> range->pd & 1 || (guess_names_pd(range) && dying >> range->resource & 1);
            if (inside || (range->parent != GUESS_NONE && !guess->range[range->parent].rights))
                range->rights = 0;
        }
        compact(guess);
        guess->alive &= ~dying;
        for (uint8_t slot = 0; slot < GUESS_PDS; slot++) {
            if (dying >> slot & 1)
                bury(guess, slot);
        }
        dying = unnamed(guess);
    }
}

/* The name stands for nothing any more. */
static void forget(struct guess *guess, uint8_t name) {
    if (guess->slot_of[name] < GUESS_PDS)
        guess->name_of[guess->slot_of[name]] = 0;
    guess->slot_of[name] = GUESS_PDS;
}

/* Puts a root mapping of that resource at the selector to be filled. False: it cannot be. */
static bool fill_selector(struct guess *guess, const struct seq_op *op, uint8_t caller, uint64_t resource) {
    if (!is_range(guess, ABI_OBJ, op->base, 0) || guess_occupied(guess, caller, ABI_OBJ, op->base, 0))
        return false;
    struct guess_range range = {.base = op->base,
                                .resource = resource,
                                .parent = GUESS_NONE,
                                .pd = caller,
                                .kind = ABI_OBJ,
                                .rights = ABI_OBJ_RIGHTS};
    add_range(guess, &range);
    return true;
}

static bool apply_create_object(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    uint8_t payer = resolve_pd(guess, caller, &op->pd, ABI_CREATE);
    return payer < GUESS_PDS && guess->count < GUESS_RANGES && fill_selector(guess, op, caller, GUESS_OBJECT);
}

static bool apply_create(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    uint8_t payer = resolve_pd(guess, caller, &op->pd, ABI_CREATE), slot = 0;
    forget(guess, op->name);
    while (slot < GUESS_PDS && guess->alive >> slot & 1)
        slot++;
    if (slot == GUESS_PDS || payer == GUESS_PDS || guess->count == GUESS_RANGES)
        return false;
    if (guess->accounts && (op->quota == 0 || op->quota > guess->pages[payer]))
        return false;
    if (!fill_selector(guess, op, caller, slot))
        return false;
    uint32_t pages = op->quota < guess->pages[payer] ? op->quota : guess->pages[payer];
    guess->pages[payer] -= pages;
    guess->pages[slot] = pages;
    guess->payer[slot] = payer;
    guess->alive |= 1u << slot;
    guess->slot_of[op->name] = slot;
    guess->name_of[slot] = op->name;
    return true;
}

/* The child that a delegate makes of the part of a mapped range in its source range. False: none. */
static inline bool child_of(const struct guess *guess, const struct seq_op *op, uint8_t caller, uint32_t index,
                            struct guess_range *child) {
    const struct guess_range *source = &guess->range[index];
    if (source->pd != caller || source->kind != op->kind || !overlaps(source->base, source->order, op->base, op->order))
        return false;
    if (!exists(op->kind, source->rights & op->mask))
        return false;
    uint64_t first = source->base > op->base ? source->base : op->base;
    *child = *source;
    child->base = op->destination + first - op->base;
    child->order = source->order < op->order ? source->order : op->order;
    child->rights = source->rights & op->mask;
    child->parent = (uint16_t)index;
    child->depth = (uint8_t)(source->depth < UINT8_MAX ? source->depth + 1 : UINT8_MAX);
    if (op->kind != ABI_OBJ)
        child->resource += first - source->base;
    return true;
}

static bool apply_delegate_phys(struct guess *guess, const struct seq_op *op, uint8_t caller, uint8_t to) {
    if (caller != GUESS_ROOT || op->kind == ABI_OBJ || !exists(op->kind, op->mask) ||
        (op->kind == ABI_MEM && op->base >= guess->geometry->kernel_frame) ||
        guess_occupied(guess, to, op->kind, op->destination, op->order))
        return false;
    struct guess_range range = {.base = op->destination,
                                .resource = op->base,
                                .parent = GUESS_NONE,
                                .pd = to,
                                .kind = op->kind,
                                .order = op->order,
                                .rights = op->mask};
    add_range(guess, &range);
    return true;
}

/* The slot of the PD that a delegate or grant fills, or GUESS_PDS if it is refused. */
static inline uint8_t receiver(const struct guess *guess, const struct seq_op *op, uint8_t caller) {
    if (!is_range(guess, op->kind, op->base, op->order) || !is_range(guess, op->kind, op->destination, op->order))
        return GUESS_PDS;
    if (op->kind == ABI_PIO && op->destination != op->base)
        return GUESS_PDS;
    if (!is_mask(op->kind, op->mask) || op->place > (op->code == SEQ_GRANT ? ABI_OWN : ABI_PHYS))
        return GUESS_PDS;
    return op->pd.mode == SEQ_CAP_NONE ? caller : resolve_pd(guess, caller, &op->pd, ABI_MAP);
}

static bool is_free(const struct guess *guess, const struct seq_op *op, uint8_t caller, uint8_t to) {
    struct guess_range child;
    if (!guess_occupied(guess, to, op->kind, op->destination, op->order))
        return true;
    for (uint32_t i = 0; i < guess->count; i++) {
        if (child_of(guess, op, caller, i, &child) && guess_occupied(guess, to, op->kind, child.base, child.order))
            return false;
    }
    return true;
}

static bool apply_delegate(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    uint8_t to = receiver(guess, op, caller);
    if (to == GUESS_PDS)
        return false;
    if (op->place == ABI_PHYS)
        return apply_delegate_phys(guess, op, caller, to);
    uint32_t count = guess->count;
    struct guess_range child;
    if (!is_free(guess, op, caller, to))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!child_of(guess, op, caller, i, &child))
            continue;
        child.pd = to;
        add_range(guess, &child);
    }
    return guess->count > count;
}

/* Marks what a revoke covers, parents first, and what of it loses rights. */
static void mark_covered(struct guess *guess, const struct seq_op *op, uint8_t place, uint8_t filter) {
    for (uint32_t i = 0; i < guess->count; i++) {
        const struct guess_range *range = &guess->range[i];
        struct guess_cover *cover = &guess->cover[i];
        const struct guess_cover *above = range->parent == GUESS_NONE ? NULL : &guess->cover[range->parent];
        uint8_t order = range->order < op->order ? range->order : op->order;
        *cover = (struct guess_cover){.resource = range->resource, .order = order};
        if (range->kind != op->kind)
            continue;
        bool descends =
            above && above->covered && overlaps(above->resource, above->order, range->resource, range->order);
        if (op->place == ABI_PHYS) {
            descends = overlaps(op->base, op->order, range->resource, range->order);
            cover->resource = range->resource > op->base ? range->resource : op->base;
        } else if (range->pd == place && overlaps(op->base, op->order, range->base, range->order)) {
            cover->covered = true;
            if (op->kind != ABI_OBJ && op->base > range->base)
                cover->resource += op->base - range->base;
        } else if (descends) {
            cover->order = range->order < above->order ? range->order : above->order;
            cover->resource = range->resource > above->resource ? range->resource : above->resource;
        }
        cover->loses = op->scope == ABI_CHILDREN ? descends : cover->covered || (descends && op->scope == ABI_SELF);
        if (filter < GUESS_PDS)
            cover->loses = descends && (range->pd == filter || (above && above->loses));
        cover->covered |= descends && op->scope != ABI_DROP;
    }
}

/* Of a range that is cut, the half that is not covered stays. */
static void cut(struct guess_range *range, const struct guess_cover *cover) {
    range->order--;
    uint64_t half = (uint64_t)1 << range->order;
    if (cover->resource - range->resource < half) {
        range->base += half;
        range->resource += half;
    }
}

/* Moves the part of a range that a grant names. */
static void move_range(struct guess *guess, const struct seq_op *op, uint32_t index, const struct guess_range *child) {
    struct guess_range *source = &guess->range[index], moved = *child;
    moved.parent = source->parent;
    moved.depth = source->depth;
    if (source->order <= op->order) {
        *source = moved;
        guess->cover[index].covered = true;
    } else if (guess->count < GUESS_RANGES) {
        const struct guess_cover cover = {.resource = child->resource, .order = child->order};
        add_range(guess, &moved);
        cut(source, &cover);
    }
}

static bool apply_grant(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    uint8_t to = receiver(guess, op, caller);
    uint32_t count = guess->count;
    struct guess_range child;
    bool changed = false;
    if (to == GUESS_PDS || !is_free(guess, op, caller, to))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        guess->cover[i].covered = false;
        if (!child_of(guess, op, caller, i, &child))
            continue;
        child.pd = to;
        move_range(guess, op, i, &child);
        changed = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct guess_range *range = &guess->range[i];
        if (range->parent == GUESS_NONE || !guess->cover[range->parent].covered)
            continue;
        guess->cover[i].covered = true;
        range->rights &= op->mask;
        if (!exists(range->kind, range->rights))
            range->rights = 0;
    }
    compact(guess);
    return changed;
}

static bool lose_covered(struct guess *guess, const struct seq_op *op) {
    bool changed = false;
    for (uint32_t i = 0; i < guess->count; i++) {
        struct guess_range *range = &guess->range[i];
        const struct guess_cover *cover = &guess->cover[i];
        uint8_t mask = op->scope == ABI_DROP ? UINT8_MAX : op->mask;
        if (!cover->loses || !(range->rights & mask))
            continue;
        uint8_t rights = (uint8_t)(range->rights & ~mask);
        changed = true;
        if (cover->order >= range->order)
            range->rights = exists(range->kind, rights) ? rights : 0;
        else if (!exists(range->kind, rights))
            cut(range, cover);
    }
    return changed;
}

static bool apply_revoke(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    if (!is_range(guess, op->kind, op->base, op->order) || !is_mask(op->kind, op->mask))
        return false;
    bool filtered = op->filter.mode != SEQ_CAP_NONE;
    if (op->scope > ABI_DROP || op->place > ABI_PLACE_CAP)
        return false;
    if (op->place == ABI_PHYS && (caller != GUESS_ROOT || op->kind == ABI_OBJ || op->scope != ABI_CHILDREN))
        return false;
    if (filtered && (op->scope != ABI_CHILDREN || op->place == ABI_PLACE_CAP))
        return false;
    uint8_t place = caller, filter = GUESS_PDS;
    if (op->place == ABI_PLACE_CAP)
        place = resolve_pd(guess, caller, &op->pd, ABI_REVOKE_RIGHT);
    if (filtered)
        filter = resolve_pd(guess, caller, &op->filter, 0);
    if (place == GUESS_PDS || (filtered && filter == GUESS_PDS))
        return false;
    mark_covered(guess, op, place, filter);
    if (!lose_covered(guess, op))
        return false;
    compact(guess);
    if (op->kind == ABI_OBJ)
        destroy(guess, unnamed(guess));
    return true;
}

static bool apply_destroy(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    uint8_t target = resolve_pd(guess, caller, &op->pd, ABI_DESTROY);
    if (target == GUESS_PDS || target == GUESS_ROOT)
        return false;
    destroy(guess, 1u << target);
    return true;
}

static bool apply_move_quota(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    uint8_t from = resolve_pd(guess, caller, &op->pd, ABI_QUOTA);
    uint8_t to = resolve_pd(guess, caller, &op->filter, ABI_QUOTA);
    if (from == GUESS_PDS || to == GUESS_PDS || op->base > guess->pages[from])
        return false;
    guess->pages[from] -= (uint32_t)op->base;
    guess->pages[to] += (uint32_t)op->base;
    return from != to && op->base != 0;
}

static bool apply_switch(struct guess *guess, const struct seq_op *op) {
    uint8_t slot = guess->slot_of[op->caller], *runs = &guess->runs[op->cpu % SEQ_CPUS];
    bool changed = slot < GUESS_PDS && *runs != slot;
    if (changed)
        *runs = slot;
    return changed;
}

/* Operations that fail when their first allocation does. */
static bool allocates(const struct seq_op *op) {
    return op->code == SEQ_CREATE_PD || op->code == SEQ_CREATE_OBJECT || op->code == SEQ_DELEGATE;
}

static bool apply_call(struct guess *guess, const struct seq_op *op, uint8_t caller) {
    switch (op->code) {
    case SEQ_CREATE_PD:
        return apply_create(guess, op, caller);
    case SEQ_CREATE_OBJECT:
        return apply_create_object(guess, op, caller);
    case SEQ_DELEGATE:
        return apply_delegate(guess, op, caller);
    case SEQ_GRANT:
        return apply_grant(guess, op, caller);
    case SEQ_REVOKE:
        return apply_revoke(guess, op, caller);
    case SEQ_MOVE_QUOTA:
        return apply_move_quota(guess, op, caller);
    case SEQ_DESTROY_PD:
        return apply_destroy(guess, op, caller);
    default:
        return false;
    }
}

void guess_begin(struct guess *guess, const struct seq_geometry *geometry) {
    guess->geometry = geometry;
    guess->alive = 1u << GUESS_ROOT;
    guess->count = 0;
    guess->kinds = (1u << ABI_KINDS) - 1;
    guess->accounts = true;
    guess->oom = 0;
    __builtin_memset(guess->pages, 0, sizeof(guess->pages));
    guess->pages[GUESS_ROOT] = geometry->quota_pages - geometry->pd_pages;
    __builtin_memset(guess->runs, GUESS_PDS, sizeof(guess->runs));
    guess->runs[0] = GUESS_ROOT;
    __builtin_memset(guess->slot_of, GUESS_PDS, sizeof(guess->slot_of));
    __builtin_memset(guess->name_of, 0, sizeof(guess->name_of));
    guess->slot_of[0] = GUESS_ROOT;
    struct guess_range root = {.base = ABI_ROOT_SELECTOR,
                               .resource = GUESS_ROOT,
                               .parent = GUESS_NONE,
                               .pd = GUESS_ROOT,
                               .kind = ABI_OBJ,
                               .rights = ABI_OBJ_RIGHTS & ~ABI_DESTROY};
    add_range(guess, &root);
}

bool guess_apply(struct guess *guess, const struct seq_op *op) {
    if (op->code == SEQ_SWITCH)
        return apply_switch(guess, op);
    if (op->code == SEQ_OOM)
        guess->oom = op->mask;
    if (!seq_is_call(op->code))
        return false;
    uint8_t caller = guess->slot_of[op->caller];
    bool fails = guess->oom == 1 && allocates(op);
    if ((caller == GUESS_PDS || fails) && op->code == SEQ_CREATE_PD)
        forget(guess, op->name);
    if (caller == GUESS_PDS)
        return false;
    guess->oom = 0;
    return fails || apply_call(guess, op, caller);
}

uint32_t guess_cap(const struct guess *guess, uint8_t pd, uint8_t target) {
    uint32_t found = GUESS_NONE;
    for (uint32_t i = 0; i < guess->count; i++) {
        const struct guess_range *range = &guess->range[i];
        if (range->kind != ABI_OBJ || range->pd != pd || range->resource != target)
            continue;
        if (found == GUESS_NONE || range->base < guess->range[found].base)
            found = i;
    }
    return found;
}

bool guess_occupied(const struct guess *guess, uint8_t pd, uint8_t kind, uint64_t base, uint8_t order) {
    for (uint32_t i = 0; i < guess->count; i++) {
        const struct guess_range *range = &guess->range[i];
        if (range->pd == pd && range->kind == kind && overlaps(base, order, range->base, range->order))
            return true;
    }
    return false;
}
