/*
 * rescind bench destroy: a program is destroyed: one of many that share a module, or the one that shares it.
 */
#include "cli/bench.h"

static void map_module(struct world *world) {
    world_map_self(world, world_frame(world, 0), world_manager_base(world, 0));
}

static void give_shared(struct world *world, uint32_t program, uint32_t range) {
    world_map_program(world, ABI_OWN, world_manager_base(world, range), program, range);
}

static void give_by_server(struct world *world, uint32_t program, uint32_t range) {
    if (program == 0)
        give_shared(world, program, range);
    else
        world_map_from_server(world, program, range);
}

static void take_from_all(struct world *world) {
    world_revoke(world, ABI_OWN, ABI_CHILDREN, world_manager_base(world, 0), world->order, RESCIND_NONE);
    world_destroy(world, 0);
}

static void take_directed(struct world *world) {
    world_revoke(world, ABI_OWN, ABI_CHILDREN, world_manager_base(world, 0), world->order, 0);
    world_destroy(world, 0);
}

static void take_remotely(struct world *world) {
    world_revoke_remote(world, world_program_base(world, 0, 0), world->order, 0);
    world_destroy(world, 0);
}

static void destroy(struct world *world) {
    world_destroy(world, 0);
}

int bench_destroy(int argc, char **argv) {
    static const struct alternative alternatives[] = {
        {.name = "client-recursive",
         .prepare = map_module,
         .give = give_shared,
         .take = take_from_all,
         .all_lose = true,
         .destroys = true},
        {.name = "client-directed",
         .prepare = map_module,
         .give = give_shared,
         .take = take_directed,
         .destroys = true},
        {.name = "client-remote", .prepare = map_module, .give = give_shared, .take = take_remotely, .destroys = true},
        {.name = "client-destroy", .prepare = map_module, .give = give_shared, .take = destroy, .destroys = true},
        {.name = "server-remote",
         .prepare = map_module,
         .give = give_by_server,
         .take = take_remotely,
         .all_lose = true,
         .destroys = true,
         .server = true},
        {.name = "server-destroy",
         .prepare = map_module,
         .give = give_by_server,
         .take = destroy,
         .all_lose = true,
         .destroys = true,
         .server = true},
    };
    static const struct bench bench = {
        .name = "destroy",
        .doc = "One of N programs that share a module is destroyed, or the one from which the others have it.",
        .alternatives = alternatives,
        .count = sizeof alternatives / sizeof alternatives[0],
    };
    return bench_alternatives(&bench, argc, argv);
}
