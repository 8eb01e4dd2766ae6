/*
 * rescind bench direct: every program has memory of its own, from PHYS or through the manager; one gives it back.
 */
#include "cli/bench.h"

/* The manager's own mapping of what a program gets. */
static void give_mapped(struct world *world, uint32_t program, uint32_t range) {
    uint64_t base = world_copy_base(world, program, range);
    world_map_self(world, world_frame(world, program), base);
    world_map_program(world, ABI_OWN, base, program, range);
}

static void give_direct(struct world *world, uint32_t program, uint32_t range) {
    world_map_program(world, ABI_PHYS, world_frame(world, program), program, range);
}

static void take_mapped(struct world *world) {
    world_revoke(world, ABI_OWN, ABI_SELF, world_copy_base(world, 0, 0), world->order, RESCIND_NONE);
}

static void take_remotely(struct world *world) {
    world_revoke_remote(world, world_program_base(world, 0, 0), world->order, 0);
}

static void take_directed(struct world *world) {
    world_revoke(world, ABI_PHYS, ABI_CHILDREN, world_frame(world, 0), world->order, 0);
}

int bench_direct(int argc, char **argv) {
    static const struct alternative alternatives[] = {
        {.name = "through-manager", .give = give_mapped, .take = take_mapped},
        {.name = "phys-remote", .give = give_direct, .take = take_remotely},
        {.name = "phys-by-pager", .give = give_direct, .take = world_revoke_by_pager},
        {.name = "phys-directed", .give = give_direct, .take = take_directed},
    };
    static const struct bench bench = {
        .name = "direct",
        .doc = "Each of N programs has P pages of its own; the manager takes them from one.",
        .alternatives = alternatives,
        .count = sizeof alternatives / sizeof alternatives[0],
    };
    return bench_alternatives(&bench, argc, argv);
}
