/*
 * Schedules by PCT: every thread has a random priority, the one with the highest runs, and at d - 1 random steps the
 * priority of the one that runs becomes the lowest so far.
 *
 * Threads are the operations of a sequence. An operation can begin once the one before it in the sequence has begun,
 * since sequences make little sense in another order; until it ends it can give way at its preemption points. What PCT
 * lets run is written down as blocks, with SEQ_RESUME where an operation goes on that is not the innermost, or not to
 * its end.
 */
#include "cli/schedules.h"

#include <string.h>

/* An operation whose block is open. */
struct open_block {
    uint32_t thread;
    uint32_t at;   /* index in the sequence that is made */
    uint32_t done; /* its steps so far */
    bool ended;
};

struct simulation {
    const struct pct *pct;
    const struct seq *from;
    struct seq *out;
    uint32_t priority[SEQ_MAX_OPS];               /* of a thread; all differ */
    uint32_t change[SCHEDULE_DEPTH_MAX], changes; /* before which steps, from 0 on */
    uint32_t step, next;                          /* steps done in all; operation to begin next */
    struct open_block open[SEQ_NESTING + 1];      /* and one that has just begun */
    uint32_t depth;
    bool exact;
};

static uint32_t steps_of(const struct pct *pct, uint32_t thread) {
    return pct->points[thread] + 1u;
}

/* ---- measuring ---- */

static bool is_suspended(const struct schedule_runner *runner, struct seq *seq, uint32_t at, uint32_t point,
                         bool *suspended) {
    uint32_t count = 0;
    seq->op[at].point = (uint8_t)point;
    bool goes_on = runner->run(runner->context, seq, &count);
    *suspended = count > 0;
    return goes_on;
}

/* The points of one operation, up to what a schedule can name; by doubling, then halving. */
static bool measure_operation(const struct schedule_runner *runner, struct seq *seq, uint32_t at, uint8_t *points) {
    uint32_t low = 0, high = UINT8_MAX + 1; /* it has `low`, and not `high` */
    while (high - low > 1) {
        uint32_t twice = low ? 2 * low : 1, middle = twice < high ? twice : low + (high - low) / 2;
        bool suspended;
        if (!is_suspended(runner, seq, at, middle, &suspended))
            return false;
        low = suspended ? middle : low;
        high = suspended ? high : middle;
    }
    seq->op[at].point = 0;
    *points = (uint8_t)low;
    return true;
}

bool pct_measure(struct pct *pct, struct seq *seq, uint32_t depth, const struct schedule_runner *runner) {
    uint32_t count = seq->count, suspended;
    memset(pct, 0, sizeof *pct);
    pct->threads = pct->steps = count;
    pct->depth = depth;
    if (!runner->run(runner->context, seq, &suspended))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        seq->count = i + 1; /* what follows has no influence */
        bool measurable = seq->op[i].code == SEQ_REVOKE || seq->op[i].code == SEQ_DESTROY_PD;
        if (measurable && !measure_operation(runner, seq, i, &pct->points[i]))
            return false;
        pct->steps += pct->points[i];
    }
    seq->count = count;
    return true;
}

double pct_bound(const struct pct *pct) {
    double bound = 1.0 / pct->threads;
    for (uint32_t i = 1; i < pct->depth; i++)
        bound /= pct->steps;
    return bound;
}

/* ---- priorities ---- */

/* The highest for some, in random order; the lowest are for the changes. */
static void draw(struct simulation *simulation, struct seq_random *random) {
    const struct pct *pct = simulation->pct;
    for (uint32_t i = 0; i < pct->threads; i++)
        simulation->priority[i] = pct->depth + i;
    for (uint32_t i = pct->threads; i > 1; i--) {
        uint32_t other = (uint32_t)seq_random_below(random, i), priority = simulation->priority[other];
        simulation->priority[other] = simulation->priority[i - 1];
        simulation->priority[i - 1] = priority;
    }
    simulation->changes = pct->depth - 1;
    for (uint32_t i = 0; i < simulation->changes; i++)
        simulation->change[i] = (uint32_t)seq_random_below(random, pct->steps);
}

/* The priority of who is to do the next step changes if that was drawn. */
static void change_priority(struct simulation *simulation, uint32_t thread) {
    for (uint32_t i = 0; i < simulation->changes; i++) {
        if (simulation->change[i] == simulation->step) {
            simulation->priority[thread] = i + 1;
            simulation->change[i] = UINT32_MAX; /* once */
        }
    }
}

/* The open block of the thread that runs next, or `depth`: the next operation begins. */
static uint32_t choose(const struct simulation *simulation) {
    uint32_t best = simulation->depth;
    uint32_t highest = simulation->next < simulation->pct->threads ? simulation->priority[simulation->next] : 0;
    for (uint32_t i = 0; i < simulation->depth; i++) {
        const struct open_block *open = &simulation->open[i];
        if (!open->ended && simulation->priority[open->thread] > highest) {
            highest = simulation->priority[open->thread];
            best = i;
        }
    }
    return best;
}

/* ---- writing down ---- */

static bool is_full(const struct simulation *simulation) {
    return simulation->out->count + (simulation->pct->threads - simulation->next) + 1 >= simulation->out->capacity;
}

/* The innermost block ends here. If its operation has not ended, it goes on to its end now. */
static void close_block(struct simulation *simulation) {
    struct open_block *open = &simulation->open[--simulation->depth];
    simulation->out->op[open->at].nested = (uint8_t)(simulation->out->count - open->at - 1);
    simulation->exact &= open->ended;
    if (!open->ended)
        simulation->step += steps_of(simulation->pct, open->thread) - open->done;
}

static void close_ended(struct simulation *simulation) {
    while (simulation->depth && simulation->open[simulation->depth - 1].ended)
        close_block(simulation);
}

/* A block that can hold no more takes all blocks in it with it. */
static void make_room(struct simulation *simulation) {
    while (simulation->depth && simulation->out->count - simulation->open[0].at > UINT8_MAX)
        close_block(simulation);
}

static void resume(struct simulation *simulation, uint32_t block, uint32_t points) {
    uint8_t innermost = SEQ_INNERMOST;
    for (uint32_t i = block + 1; i < simulation->depth; i++)
        innermost = (uint8_t)(innermost + !simulation->open[i].ended);
    simulation->out->op[simulation->out->count++] =
        (struct seq_op){.code = SEQ_RESUME, .nested = innermost, .point = (uint8_t)points};
}

/* How many steps the thread does before another one has a higher priority. `done` steps of it are done; there is always
 * a next one, since it was chosen. */
static uint32_t burst(struct simulation *simulation, uint32_t thread, uint32_t done, uint32_t chosen) {
    uint32_t steps = 0;
    do {
        steps++;
        simulation->step++;
        if (done + steps == steps_of(simulation->pct, thread))
            break;
        change_priority(simulation, thread);
    } while (choose(simulation) == chosen);
    return steps;
}

/* Where no more blocks can be open, the operation runs to its end, whoever has a higher priority. */
static void begin_next(struct simulation *simulation) {
    uint32_t thread = simulation->next++, block = simulation->depth++, steps_left = steps_of(simulation->pct, thread);
    struct open_block *open = &simulation->open[block];
    struct seq_op *op = &simulation->out->op[simulation->out->count++];
    *op = simulation->from->op[thread];
    *open = (struct open_block){.thread = thread, .at = simulation->out->count - 1};
    open->done = burst(simulation, thread, 0, block);
    steps_left -= open->done;
    if (steps_left && block < SEQ_NESTING && !is_full(simulation)) {
        op->point = (uint8_t)open->done;
        return;
    }
    simulation->depth--; /* it has no block */
    simulation->exact &= steps_left == 0;
    simulation->step += steps_left;
}

static void go_on(struct simulation *simulation, uint32_t block) {
    struct open_block *open = &simulation->open[block];
    uint32_t steps = burst(simulation, open->thread, open->done, block);
    open->done += steps;
    open->ended = open->done == steps_of(simulation->pct, open->thread);
    bool innermost = block + 1 == simulation->depth;
    if (!open->ended || !innermost)
        resume(simulation, block, open->ended ? 0 : steps);
    close_ended(simulation);
}

bool pct_schedule(const struct pct *pct, const struct seq *from, struct seq *out, struct seq_random *random) {
    struct simulation simulation = {.pct = pct, .from = from, .out = out, .exact = true};
    out->geometry = from->geometry;
    out->cpus = from->cpus;
    out->meta = from->meta;
    out->count = 0;
    draw(&simulation, random);
    for (;;) {
        make_room(&simulation);
        uint32_t chosen = choose(&simulation);
        uint32_t thread = chosen < simulation.depth ? simulation.open[chosen].thread : simulation.next;
        if (chosen == simulation.depth && simulation.next == pct->threads)
            break;
        change_priority(&simulation, thread);
        if (choose(&simulation) != chosen)
            continue;
        if (chosen == simulation.depth)
            begin_next(&simulation);
        else if (is_full(&simulation))
            close_block(&simulation);
        else
            go_on(&simulation, chosen);
    }
    return simulation.exact;
}
