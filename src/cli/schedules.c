/*
 * All schedules of a sequence with few preemptions, in the order of their number.
 */
#include "cli/schedules.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

struct preemption {
    uint16_t operation;
    uint8_t point, run;
};

struct schedule {
    struct preemption preemption[SCHEDULE_PREEMPTIONS_MAX]; /* by rising operation */
};

struct schedule_list {
    struct schedule *schedule;
    size_t count, capacity;
};

struct search {
    struct seq *seq;
    const struct schedule_runner *runner;
    struct schedule_counts *counts;
    uint32_t level;               /* preemptions of those that are run now */
    struct schedule current;      /* level of them */
    struct schedule_list *longer; /* where those go that are to be extended; NULL: none are */
};

static bool can_be_preempted(const struct seq_op *op) {
    return op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD;
}

static void set_schedule(struct seq_op *op, uint32_t point, uint32_t run) {
    op->point = (uint8_t)point;
    op->nested = (uint8_t)run;
}

void schedule_clear(struct seq *seq) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        struct seq_op *op = &seq->op[kept];
        *op = seq->op[i];
        if (can_be_preempted(op))
            set_schedule(op, 0, 0);
        kept += op->code != SEQ_RESUME;
    }
    seq->count = kept;
}

static void append(struct schedule_list *list, const struct schedule *schedule) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->schedule = realloc(list->schedule, list->capacity * sizeof *list->schedule);
        if (!list->schedule) {
            complain("out of memory");
            exit(EXIT_BAD);
        }
    }
    list->schedule[list->count++] = *schedule;
}

/* How many operations can run while operation `at` is suspended. */
static uint32_t room(const struct seq *seq, uint32_t at) {
    struct seq_nesting nesting;
    uint32_t operation;
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i < at; i++) {
        while (seq_nesting_close(&nesting, i, &operation))
            continue;
        seq_nesting_open(&nesting, &seq->op[i], i);
    }
    while (seq_nesting_close(&nesting, at, &operation))
        continue;
    if (nesting.depth == SEQ_NESTING)
        return 0;
    uint32_t end = nesting.depth ? nesting.block[nesting.depth - 1].end : seq->count;
    return end - at - 1 < UINT8_MAX ? end - at - 1 : UINT8_MAX;
}

static bool run(struct search *search, uint32_t *suspended) {
    *suspended = 0;
    return search->runner->run(search->runner->context, search->seq, suspended);
}

/* All blocks of an operation that is suspended at that point; *reached says whether it is. False: the runner stopped.
 */
static bool try_point(struct search *search, uint32_t at, uint32_t point, uint32_t most, bool *reached) {
    for (uint32_t length = 1; length <= most; length++) {
        uint32_t suspended;
        set_schedule(&search->seq->op[at], point, length);
        bool goes_on = run(search, &suspended);
        *reached = suspended >= search->level;
        if (!*reached && goes_on) {
            search->counts->measured++;
            return true;
        }
        search->counts->existing += length == 1 ? most : 0;
        search->counts->run++;
        if (!goes_on)
            return false;
        search->current.preemption[search->level - 1] =
            (struct preemption){.operation = (uint16_t)at, .point = (uint8_t)point, .run = (uint8_t)length};
        if (search->longer)
            append(search->longer, &search->current);
    }
    return true;
}

static bool try_operation(struct search *search, uint32_t at) {
    uint32_t most = can_be_preempted(&search->seq->op[at]) ? room(search->seq, at) : 0;
    bool reached = most > 0;
    for (uint32_t point = 1; point <= UINT8_MAX && reached; point++) {
        if (!try_point(search, at, point, most, &reached))
            return false;
    }
    set_schedule(&search->seq->op[at], 0, 0);
    return true;
}

/* One more preemption, behind those that the schedule has: what is suspended later changes nothing about them. */
static bool extend(struct search *search, const struct schedule *shorter) {
    uint32_t first = 0;
    schedule_clear(search->seq);
    search->current = *shorter;
    for (uint32_t i = 0; i + 1 < search->level; i++) {
        const struct preemption *preemption = &shorter->preemption[i];
        set_schedule(&search->seq->op[preemption->operation], preemption->point, preemption->run);
        first = preemption->operation + 1u;
    }
    for (uint32_t at = first; at < search->seq->count; at++) {
        if (!try_operation(search, at))
            return false;
    }
    return true;
}

void schedule_all(struct seq *seq, uint32_t preemptions, const struct schedule_runner *runner,
                  struct schedule_counts *counts) {
    struct search search = {.seq = seq, .runner = runner, .counts = counts};
    struct schedule_list known = {0}, longer = {0};
    uint32_t suspended;
    memset(counts, 0, sizeof *counts);
    counts->existing = counts->run = 1;
    bool goes_on = run(&search, &suspended);
    append(&known, &search.current);
    for (search.level = 1; search.level <= preemptions && goes_on; search.level++) {
        search.longer = search.level < preemptions ? &longer : NULL;
        for (size_t i = 0; i < known.count && goes_on; i++)
            goes_on = extend(&search, &known.schedule[i]);
        struct schedule_list used = known;
        known = longer;
        longer = used;
        longer.count = 0;
    }
    counts->complete = goes_on;
    if (goes_on)
        schedule_clear(seq);
    free(known.schedule);
    free(longer.schedule);
}
