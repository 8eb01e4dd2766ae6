/*
 * rescind bench nested: one program detaches a dataspace made of many, which all share, leaf by leaf or in one.
 */
#include "cli/bench.h"

static void map_leaves(struct world *world) {
    for (uint32_t leaf = 0; leaf < world->ranges; leaf++)
        world_map_self(world, world_frame(world, leaf), world_manager_base(world, leaf));
}

static void give_leaf(struct world *world, uint32_t program, uint32_t leaf) {
    world_map_program(world, ABI_OWN, world_manager_base(world, leaf), program, leaf);
}

static void take_leaves(struct world *world, uint32_t only) {
    for (uint32_t leaf = 0; leaf < world->ranges; leaf++)
        world_revoke(world, ABI_OWN, ABI_CHILDREN, world_manager_base(world, leaf), world->order, only);
}

static void take_leaves_from_all(struct world *world) {
    take_leaves(world, RESCIND_NONE);
}

static void take_leaves_directed(struct world *world) {
    take_leaves(world, 0);
}

static void take_at_once(struct world *world) {
    world_revoke_remote(world, world_program_base(world, 0, 0), world_module_order(world), 0);
}

int bench_nested(int argc, char **argv) {
    static const struct alternative alternatives[] = {
        {.name = "leaves-recursive",
         .prepare = map_leaves,
         .give = give_leaf,
         .take = take_leaves_from_all,
         .all_lose = true},
        {.name = "leaves-directed", .prepare = map_leaves, .give = give_leaf, .take = take_leaves_directed},
        {.name = "remote", .prepare = map_leaves, .give = give_leaf, .take = take_at_once},
        {.name = "remote-by-pager", .prepare = map_leaves, .give = give_leaf, .take = world_revoke_by_pager},
    };
    static const struct bench bench = {
        .name = "nested",
        .doc = "One of N programs detaches P pages made of L dataspaces, which all of them share.",
        .alternatives = alternatives,
        .count = sizeof alternatives / sizeof alternatives[0],
        .leaves = true,
    };
    return bench_alternatives(&bench, argc, argv);
}
