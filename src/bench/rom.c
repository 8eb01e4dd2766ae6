/*
 * One program detaches a module that all share, by what the kernel offers for it.
 */
#include "bench/world.h"

static void map_module(struct world *world) {
    world_map_self(world, world_frame(world, 0), world_manager_base(world, 0));
}

static void give_shared(struct world *world, uint32_t program, uint32_t range) {
    world_map_program(world, ABI_OWN, world_manager_base(world, range), program, range);
}

/* The manager maps the module once more, for that program alone. */
static void give_copy(struct world *world, uint32_t program, uint32_t range) {
    uint64_t copy = world_copy_base(world, program, range);
    world_map_self(world, world_frame(world, range), copy);
    world_map_program(world, ABI_OWN, copy, program, range);
}

static void take_from_all(struct world *world) {
    world_revoke(world, ABI_OWN, ABI_CHILDREN, world_manager_base(world, 0), world->order, RESCIND_NONE);
}

static void take_copy(struct world *world) {
    world_revoke(world, ABI_OWN, ABI_SELF, world_copy_base(world, 0, 0), world->order, RESCIND_NONE);
}

static void take_remotely(struct world *world) {
    world_revoke_remote(world, world_program_base(world, 0, 0), world->order, 0);
}

static void take_directed(struct world *world) {
    world_revoke(world, ABI_OWN, ABI_CHILDREN, world_manager_base(world, 0), world->order, 0);
}

const struct alternative bench_rom_alternatives[BENCH_ROM_ALTERNATIVES] = {
    {.name = "recursive", .prepare = map_module, .give = give_shared, .take = take_from_all, .all_lose = true},
    {.name = "copies", .give = give_copy, .take = take_copy},
    {.name = "remote", .prepare = map_module, .give = give_shared, .take = take_remotely},
    {.name = "remote-by-pager", .prepare = map_module, .give = give_shared, .take = world_revoke_by_pager},
    {.name = "directed", .prepare = map_module, .give = give_shared, .take = take_directed},
};
