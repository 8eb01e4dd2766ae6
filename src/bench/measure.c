/*
 * What one alternative costs in one world.
 */
#include "bench/world.h"

#include <stddef.h>

/* A stretch of kernel calls. */
struct stretch {
    uint64_t calls, steps, naming_steps, time;
};

static void expect(const struct world *world, bool holds, const char *what, uint64_t number) {
    if (!holds)
        world->fail(world, false, what, number);
}

static struct stretch begin(const struct world *world) {
    return (struct stretch){world->calls, world->steps, world->naming_steps, world->now() - world->naming_time};
}

/* Adds what happened since `start` to `sum`; the bench's own asking takes no time. */
static void end(const struct world *world, const struct stretch *start, struct stretch *sum) {
    sum->time += world->now() - world->naming_time - start->time;
    sum->calls += world->calls - start->calls;
    sum->steps += world->steps - start->steps;
    sum->naming_steps += world->naming_steps - start->naming_steps;
}

static void give(struct world *world, const struct alternative *alternative, uint32_t program) {
    for (uint32_t range = 0; range < world->ranges; range++)
        alternative->give(world, program, range);
}

/* Everybody gets the module, program 0 last, or first where the others have it from that. */
static void give_all(struct world *world, const struct alternative *alternative, struct stretch *given) {
    struct stretch start = begin(world);
    if (alternative->server) {
        give(world, alternative, 0);
        end(world, &start, given);
    }
    for (uint32_t i = 1; i < world->programs; i++)
        give(world, alternative, i);
    if (!alternative->server) {
        start = begin(world);
        give(world, alternative, 0);
        end(world, &start, given);
    }
}

/* By what the kernel says, and where programs run, by what they can use. */
static bool has(struct world *world, uint32_t program, uint32_t range) {
    bool told = world_has(world, program, range);
    if (world->run && world->run(world, program, range) != told)
        world->fail(world, false, "what lookup says, and what can be used, differ in program", program);
    return told;
}

static void check_all_have(struct world *world, uint32_t first) {
    for (uint32_t i = first; i < world->programs; i++)
        for (uint32_t range = 0; range < world->ranges; range++)
            expect(world, has(world, i, range), "the module is missing in program", i);
}

static bool program_gone(const struct world *world, uint32_t program) {
    struct rescind_pd_view pd;
    return !world->target->pd(world->pd[program], &pd);
}

/* Program 0 must have lost everything. */
static void check_loser(struct world *world, const struct alternative *alternative) {
    expect(world, program_gone(world, 0) == alternative->destroys,
           "program 0 is gone, or not, wrongly:", program_gone(world, 0));
    for (uint32_t range = 0; range < world->ranges && !alternative->destroys; range++)
        expect(world, !has(world, 0, range), "program 0 still has range", range);
}

/* Writes down which ranges of which others are gone (program * ranges + range); returns how many. */
static uint32_t find_faults(struct world *world, const struct alternative *alternative, uint32_t *fault,
                            struct bench_figures *figures) {
    uint32_t faults = 0, lost = 1;
    for (uint32_t i = 1; i < world->programs; i++) {
        uint32_t before = faults;
        for (uint32_t range = 0; range < world->ranges; range++)
            if (!has(world, i, range))
                fault[faults++] = i * world->ranges + range;
        lost += faults > before;
    }
    expect(world, lost == (alternative->all_lose ? world->programs : 1), "programs that lost the module:", lost);
    figures->lost = lost;
    return faults;
}

/* Program 0 loses the module and all have it again, so that what is measured next finds warm caches, whatever looking
 * at all programs left there. */
static void rehearse(struct world *world, const struct alternative *alternative) {
    alternative->take(world);
    check_loser(world, alternative);
    for (uint32_t i = 1; i < world->programs && alternative->all_lose; i++)
        give(world, alternative, i);
    give(world, alternative, 0);
}

/* A program finds a range gone, gets it again, and goes on. Where programs run it takes a page fault. */
static void serve_fault(struct world *world, const struct alternative *alternative, uint32_t fault) {
    uint32_t program = fault / world->ranges, range = fault % world->ranges;
    expect(world, !world->run || !world->run(world, program, range), "no page fault in program", program);
    alternative->give(world, program, range);
    expect(world, !world->run || world->run(world, program, range), "a page fault again in program", program);
}

static void measure_taking(struct world *world, const struct alternative *alternative, uint32_t *fault,
                           struct bench_figures *figures) {
    struct stretch taken = {0}, start = begin(world);
    alternative->take(world);
    end(world, &start, &taken);
    check_loser(world, alternative);
    uint32_t faults = find_faults(world, alternative, fault, figures);
    if (!alternative->server) {
        start = begin(world);
        for (uint32_t i = 0; i < faults; i++)
            serve_fault(world, alternative, fault[i]);
        end(world, &start, &taken);
        check_all_have(world, 1);
        check_loser(world, alternative);
        figures->faults = faults;
    }
    figures->calls = taken.calls;
    figures->steps = taken.steps;
    figures->naming_steps = taken.naming_steps;
    figures->time = taken.time;
}

void bench_measure(struct world *world, const struct alternative *alternative, uint32_t *fault,
                   struct bench_figures *figures) {
    struct rescind_usage before, after;
    struct stretch given = {0};
    *figures = (struct bench_figures){0};
    world_boot(world);
    world->target->usage(&before);
    if (alternative->prepare)
        alternative->prepare(world);
    give_all(world, alternative, &given);
    world->setting_up = false;
    world->target->usage(&after);
    check_all_have(world, 0);
    figures->nodes = after.nodes - before.nodes;
    figures->bytes = after.bytes - before.bytes;
    figures->manager_pages = world->manager_pages ? world->manager_pages(world) : 0;
    figures->give_steps = given.steps;
    figures->give_time = given.time;
    if (!alternative->destroys)
        rehearse(world, alternative);
    measure_taking(world, alternative, fault, figures);
}
