/* See world.h. */
#include "bench/world.h"

/* Where things are, in pages. Programs have the module at different places; each place starts a table of its own. */
enum {
    PROGRAM_PLACE_LOG2 = 20,
    PROGRAM_PLACES = 8,
    MEMORY_LOG2 = 19, /* frames that are handed out; more come round to the first again */
};
static const uint64_t manager_window = UINT64_C(1) << 34;

/* The pager's only capability. */
enum { PAGER_SELECTOR = 0 };
/* Where the server has the capability to the program that it just maps to. */
enum { SERVER_SELECTOR = 1 };
/* Capabilities of the bench itself in the space of any program. */
enum { OWN_NODES = 2 };

enum { MAPPING_RIGHTS = ABI_R | ABI_X };

static void expect(const struct world *world, bool holds, const char *what, uint64_t number) {
    if (!holds)
        world->fail(world, false, what, number);
}

/* ---- kernel calls ---- */

static uint64_t first_word(enum abi_operation operation, enum abi_kind kind, unsigned order, unsigned mask) {
    return (uint64_t)operation | (uint64_t)kind << ABI_KIND_SHIFT | (uint64_t)order << ABI_ORDER_SHIFT |
           (uint64_t)mask << ABI_MASK_SHIFT;
}

/* What finding that capability takes; the kernel searches for a lookup as for any other operation. */
static uint64_t naming_steps(const struct world *world, uint32_t caller, uint64_t selector) {
    uint64_t word[ABI_WORDS] = {first_word(ABI_LOOKUP, ABI_OBJ, 0, 0), selector};
    world->target->call(0, caller, word);
    return world->last_steps();
}

static void count_naming(struct world *world, uint32_t caller, const uint64_t word[ABI_WORDS]) {
    unsigned operation = word[0] & 0xff;
    uint64_t started = world->now();
    bool named = operation == ABI_CREATE_PD || operation == ABI_DESTROY_PD || (word[0] >> ABI_TO_CAP_SHIFT & 1) ||
                 (word[0] >> ABI_PLACE_SHIFT & 3) == ABI_PLACE_CAP;
    if (named)
        world->naming_steps += naming_steps(world, caller, word[3]);
    if (word[0] >> ABI_FILTER_SHIFT & 1)
        world->naming_steps += naming_steps(world, caller, word[4]);
    world->naming_time += world->now() - started;
}

enum { OPERATIONS = ABI_MOVE_QUOTA + 1 };

static const char *const operation_failed[OPERATIONS] = {
    [0] = "an operation returned code",
    [ABI_CREATE_PD] = "create_pd returned code",
    [ABI_DELEGATE] = "delegate returned code",
    [ABI_REVOKE] = "revoke returned code",
    [ABI_DESTROY_PD] = "destroy_pd returned code",
};

/* Returns the value. */
static uint64_t call(struct world *world, uint32_t caller, uint64_t word[ABI_WORDS]) {
    unsigned operation = word[0] & 0xff;
    if (world->count_naming)
        count_naming(world, caller, word);
    world->target->call(0, caller, word);
    world->steps += world->last_steps();
    world->calls++;
    if (word[0] == ABI_E_MEM && world->setting_up)
        world->fail(world, true, "more than the kernel's memory can hold", 0);
    expect(world, word[0] == ABI_OK, operation_failed[operation < OPERATIONS ? operation : 0], word[0]);
    return word[1];
}

static uint32_t manager(const struct world *world) {
    return world->target->root_pd;
}

static void delegate(struct world *world, uint32_t caller, uint64_t flags, const uint64_t operands[ABI_WORDS]) {
    uint64_t word[ABI_WORDS] = {operands[0] | flags, operands[1], operands[2], operands[3]};
    uint64_t units = UINT64_C(1) << (word[0] >> ABI_ORDER_SHIFT & 0xff);
    uint64_t mapped = call(world, caller, word);
    expect(world, mapped == units, "units that a delegate mapped, not all,", mapped);
}

static uint64_t delegate_memory(const struct world *world) {
    return first_word(ABI_DELEGATE, ABI_MEM, world->order, MAPPING_RIGHTS);
}

static const uint64_t to_capability = UINT64_C(1) << ABI_TO_CAP_SHIFT;

/* `selector` of the manager appears at `to` in a program. */
static void give_capability(struct world *world, uint64_t selector, uint32_t program, uint64_t to, unsigned rights) {
    const uint64_t operands[ABI_WORDS] = {first_word(ABI_DELEGATE, ABI_OBJ, 0, rights), selector, to,
                                          world_selector(world, program)};
    delegate(world, manager(world), to_capability, operands);
}

void world_map_self(struct world *world, uint64_t frame, uint64_t base) {
    const uint64_t operands[ABI_WORDS] = {delegate_memory(world), frame, base};
    delegate(world, manager(world), (uint64_t)ABI_PHYS << ABI_PLACE_SHIFT, operands);
}

void world_map_program(struct world *world, enum abi_place place, uint64_t base, uint32_t program, uint32_t range) {
    const uint64_t operands[ABI_WORDS] = {delegate_memory(world), base, world_program_base(world, program, range),
                                          world_selector(world, program)};
    delegate(world, manager(world), (uint64_t)place << ABI_PLACE_SHIFT | to_capability, operands);
}

void world_map_from_server(struct world *world, uint32_t program, uint32_t range) {
    /* The server is given the capability for as long as it takes, so that it does not end up with N of them. */
    give_capability(world, world_selector(world, program), 0, SERVER_SELECTOR, ABI_MAP);
    const uint64_t operands[ABI_WORDS] = {delegate_memory(world), world_program_base(world, 0, range),
                                          world_program_base(world, program, range), SERVER_SELECTOR};
    delegate(world, world->pd[0], to_capability, operands);
    uint64_t word[ABI_WORDS] = {first_word(ABI_REVOKE, ABI_OBJ, 0, ABI_MAP) | (uint64_t)ABI_SELF << ABI_SCOPE_SHIFT,
                                SERVER_SELECTOR};
    call(world, world->pd[0], word);
}

void world_revoke(struct world *world, enum abi_place place, enum abi_scope scope, uint64_t base, unsigned order,
                  uint32_t only) {
    uint64_t flags = (uint64_t)place << ABI_PLACE_SHIFT | (uint64_t)scope << ABI_SCOPE_SHIFT;
    uint64_t word[ABI_WORDS] = {first_word(ABI_REVOKE, ABI_MEM, order, ABI_MEM_RIGHTS) | flags, base};
    if (only != RESCIND_NONE) {
        word[0] |= UINT64_C(1) << ABI_FILTER_SHIFT;
        word[4] = world_selector(world, only);
    }
    call(world, manager(world), word);
}

static void revoke_remote(struct world *world, uint32_t caller, uint64_t selector, uint64_t base, unsigned order) {
    uint64_t flags = (uint64_t)ABI_PLACE_CAP << ABI_PLACE_SHIFT | (uint64_t)ABI_SELF << ABI_SCOPE_SHIFT;
    uint64_t word[ABI_WORDS] = {first_word(ABI_REVOKE, ABI_MEM, order, ABI_MEM_RIGHTS) | flags, base, 0, selector};
    call(world, caller, word);
}

void world_revoke_remote(struct world *world, uint64_t base, unsigned order, uint32_t program) {
    revoke_remote(world, manager(world), world_selector(world, program), base, order);
}

void world_revoke_by_pager(struct world *world) {
    revoke_remote(world, world->pd[1], PAGER_SELECTOR, world_program_base(world, 0, 0), world_module_order(world));
}

void world_destroy(struct world *world, uint32_t program) {
    uint64_t word[ABI_WORDS] = {first_word(ABI_DESTROY_PD, 0, 0, 0), 0, 0, world_selector(world, program)};
    call(world, manager(world), word);
}

/* ---- places ---- */

unsigned world_module_order(const struct world *world) {
    return world->order + (unsigned)__builtin_ctz(world->ranges);
}

uint64_t world_manager_base(const struct world *world, uint32_t range) {
    return world_copy_base(world, 0, range);
}

uint64_t world_copy_base(const struct world *world, uint32_t copy, uint32_t range) {
    return manager_window + (((uint64_t)copy * world->ranges + range) << world->order);
}

uint64_t world_program_base(const struct world *world, uint32_t program, uint32_t range) {
    return ((uint64_t)(1 + program % PROGRAM_PLACES) << PROGRAM_PLACE_LOG2) + ((uint64_t)range << world->order);
}

uint64_t world_frame(const struct world *world, uint32_t range) {
    /* Neighbours change places: as memory of different origin, they cannot become one mapping. */
    return ((uint64_t)(range ^ 1) << world->order) & ((UINT64_C(1) << MEMORY_LOG2) - 1);
}

/* The kernel has as many PDs as there may be programs, and one of them is the manager: with so many programs the
 * manager is the last of them itself. */
static bool is_manager(const struct world *world, uint32_t program) {
    return program == world->target->geometry.pds - 1;
}

uint64_t world_selector(const struct world *world, uint32_t program) {
    return is_manager(world, program) ? ABI_ROOT_SELECTOR : program + 1;
}

/* ---- booting ---- */

/* What a program with the module pays for: itself, capabilities, mappings and page tables. */
static uint64_t program_quota(const struct world *world) {
    const struct rescind_geometry *geometry = &world->target->geometry;
    const struct rescind_costs *costs = &world->target->costs;
    unsigned leaf_level = world->order / geometry->level_bits;
    uint64_t tables = 0;
    for (unsigned level = leaf_level; level + 1U < geometry->levels; level++) {
        unsigned table_order = (level + 1) * geometry->level_bits;
        unsigned order = world_module_order(world);
        tables += UINT64_C(1) << (order > table_order ? order - table_order : 0);
    }
    uint64_t bytes = costs->pd + (world->ranges + OWN_NODES) * (uint64_t)costs->node + tables * costs->table;
    return (bytes + RESCIND_PAGE_BYTES - 1) / RESCIND_PAGE_BYTES;
}

static uint32_t create_program(struct world *world, uint32_t program, uint64_t quota) {
    uint64_t word[ABI_WORDS] = {first_word(ABI_CREATE_PD, 0, 0, 0), world_selector(world, program), quota,
                                ABI_ROOT_SELECTOR};
    call(world, manager(world), word);
    struct rescind_log log;
    world->target->log(&log);
    expect(world, log.pd_count == 1, "PDs that creating a program changed", log.pd_count);
    return log.pds[0];
}

void world_boot(struct world *world) {
    uint64_t quota = program_quota(world);
    world->target->boot(&world->hooks, 1, 0);
    world->setting_up = true;
    for (uint32_t i = 0; i < world->programs; i++)
        world->pd[i] = is_manager(world, i) ? manager(world) : create_program(world, i, quota);
    give_capability(world, world_selector(world, 0), 1, PAGER_SELECTOR, ABI_REVOKE_RIGHT);
}

/* ---- looking ---- */

/* The value of lookup: rights and order. */
static uint64_t look(struct world *world, uint32_t program, uint64_t unit) {
    uint64_t word[ABI_WORDS] = {first_word(ABI_LOOKUP, ABI_MEM, 0, 0), unit};
    world->target->call(0, world->pd[program], word);
    expect(world, word[0] == ABI_OK, "lookup returned code", word[0]);
    return word[1];
}

bool world_has(struct world *world, uint32_t program, uint32_t range) {
    uint64_t base = world_program_base(world, program, range);
    uint64_t last = base + (UINT64_C(1) << world->order) - 1;
    uint64_t found = look(world, program, base);
    uint64_t whole = MAPPING_RIGHTS | (uint64_t)world->order << ABI_VALUE_ORDER_SHIFT;
    expect(world, found == look(world, program, last) && (found == 0 || found == whole),
           "a range is there in part, in program", program);
    return found != 0;
}
