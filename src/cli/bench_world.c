/*
 * The world of a bench on the host: its clock, its end, and what only the kernel's inside tells.
 */
#include "cli/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TREE_DEPTH_MAX = 64 };

_Noreturn void world_finding(const struct world *world, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    complain("%u programs, %u ranges of %llu pages: %s", world->programs, world->ranges, 1ULL << world->order, text);
    exit(EXIT_FINDING);
}

_Noreturn static void stopped(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)why;
    world_finding(context, "the kernel stopped: %s in %s", text, function);
}

static void fail(const struct world *world, bool too_large, const char *what, uint64_t number) {
    if (too_large) {
        complain("%u programs, %u ranges of %llu pages: %s", world->programs, world->ranges, 1ULL << world->order,
                 what);
        exit(EXIT_BAD);
    }
    world_finding(world, "%s %llu", what, (unsigned long long)number);
}

static uint64_t now_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t manager_pages(const struct world *world) {
    struct rescind_pd_view pd;
    struct rescind_node_view node;
    uint32_t stack[TREE_DEPTH_MAX], depth = 0;
    uint64_t pages = 0;
    if (!world->target->pd(world->target->root_pd, &pd))
        world_finding(world, "no manager");
    stack[depth++] = pd.tree_root[ABI_MEM];
    while (depth > 0) {
        uint32_t index = stack[--depth];
        if (index == RESCIND_NONE)
            continue;
        if (depth + 2 > TREE_DEPTH_MAX || !world->target->node(index, &node))
            world_finding(world, "the manager's mappings are in no good order");
        pages += node.base >= world_manager_base(world, 0) ? UINT64_C(1) << node.order : 0;
        stack[depth++] = node.tree_left;
        stack[depth++] = node.tree_right;
    }
    return pages;
}

void world_init(struct world *world, const struct rescind_target *target, uint32_t programs, uint32_t ranges) {
    *world = (struct world){
        .target = target,
        .hooks = {.context = world, .stop = stopped},
        .fail = fail,
        .last_steps = target->steps,
        .now = now_nanoseconds,
        .manager_pages = manager_pages,
        .programs = programs,
        .ranges = ranges,
    };
}
