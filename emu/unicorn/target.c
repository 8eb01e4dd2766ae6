/* See target.h. */
#include "unicorn/target.h"

#include "unicorn/access.h"

#include <stdlib.h>
#include <string.h>

/* What the kernel does not tell: the machine's geometry (src/kernel/abi/machine). */
enum { MEM_LOG2 = 35, PIO_LOG2 = 16, OBJ_LOG2 = 16, PHYS_LOG2 = 20, LEVEL_BITS = 9, LEVELS = 4 };
enum { PAIR_PDS = 64 /* that are asked after two calls at once */ };
enum { PDS = 4096, OBJECTS = 1 << 16, QUOTA_PAGES = 1 << 15, BITS = 64 };
#define FRAMES (MEMORY_KERNEL / MEMORY_PAGE)
/* Where the kernel keeps page tables of PDs (docs/emulation.md). */
#define TABLES UINT64_C(0x60000000)
#define TABLES_END UINT64_C(0x68000000)

static struct {
    struct rescind_target target;
    const struct rescind_hooks *hooks;
    char *kernel;
    struct machine machines[MACHINE_CPUS]; /* by number of CPUs, booted when they are first asked for */
    bool open[MACHINE_CPUS];
    struct machine *machine;
    struct machine_counters counters;
    struct access_tags tags;
    uint32_t wanted[MACHINE_CPUS]; /* PD that a CPU is said to run */
    bool taken[MACHINE_CPUS];      /* by a call of which it was not yet said that it returned */
    uint64_t root_table[PDS];      /* of a PD that a CPU ran; 0: not known */
    uint64_t alive[PDS / BITS];    /* bit by PD */
    uint64_t object_alive[OBJECTS / BITS];
    uint32_t changes_seen; /* of info->changed_count */
    uint32_t listed_pd[CONTROL_LISTED], listed_object[CONTROL_LISTED];
    struct rescind_log log;
} unicorn;

/* ---- stops ---- */

static void check(void) {
    const struct machine_stop *stop = &unicorn.machine->stop;
    if (stop->stopped)
        unicorn.hooks->stop(unicorn.hooks->context, stop->why, stop->text, stop->function);
}

/* ---- PDs ---- */

static bool is_alive(uint32_t pd) {
    return pd < PDS && unicorn.alive[pd / BITS] >> pd % BITS & 1;
}

static void note_change(uint32_t what) {
    uint32_t object = what ^ RESCIND_OBJECT;
    if (object < OBJECTS) {
        unicorn.object_alive[object / BITS] ^= UINT64_C(1) << object % BITS;
        unicorn.listed_object[unicorn.log.object_count++] = object;
    } else if (what < PDS) {
        unicorn.alive[what / BITS] ^= UINT64_C(1) << what % BITS;
        unicorn.root_table[what] = 0;
        unicorn.listed_pd[unicorn.log.pd_count++] = what;
    }
}

/* There were too many: the last call alone has more room. */
static void note_last_call(void) {
    const struct control_info *info = unicorn.machine->info;
    for (uint32_t i = 0; i < info->pd_count; i++)
        note_change(info->listed_pd[i]);
    for (uint32_t i = 0; i < info->object_count; i++)
        note_change(info->listed_object[i] | RESCIND_OBJECT);
    unicorn.log.overflow = info->overflow != 0;
}

/* What was made and destroyed since the last time. */
static void note_changes(void) {
    const struct control_info *info = unicorn.machine->info;
    uint32_t first = unicorn.changes_seen, count = info->changed_count;
    unicorn.changes_seen = count;
    unicorn.log = (struct rescind_log){
        .pds = unicorn.listed_pd,
        .objects = unicorn.listed_object,
        .invalidations = info->invalidations,
        .shootdowns = info->shootdowns,
    };
    if (count - first > CONTROL_LISTED)
        note_last_call();
    for (; count - first <= CONTROL_LISTED && first != count; first++)
        note_change(info->changed[first % CONTROL_LISTED]);
    for (uint32_t cpu = 0; cpu < unicorn.machine->cpus; cpu++) {
        if (!is_alive(unicorn.wanted[cpu]))
            unicorn.wanted[cpu] = RESCIND_NONE;
    }
}

/* Whether a CPU is in user mode with the tables of a PD. */
static bool is_in(uint32_t cpu, uint32_t pd) {
    const struct machine_cpu *it = &unicorn.machine->cpu[cpu];
    return !unicorn.taken[cpu] && (it->agent ? it->runs == pd : cpu == 0 && pd == 0);
}

/* An agent makes a control call that is root's alone (and changes nothing). */
static void try_privilege(uint32_t cpu) {
    uint64_t registers[MACHINE_REGISTERS] = {CONTROL_FAIL_ALLOCATION};
    bool back = false;
    machine_call(unicorn.machine, cpu, registers, &back);
    if (back && registers[0] != CONTROL_E_DENIED)
        machine_complain(unicorn.machine, "a control call of an agent is not denied", "fail_allocation");
    check();
}

/* Makes it so. False: the PD is gone. */
static bool go_to(uint32_t cpu, uint32_t pd) {
    bool root_thread = cpu == 0 && pd == 0, first = pd < PDS && !unicorn.root_table[pd];
    bool there = is_in(cpu, pd) || machine_switch(unicorn.machine, cpu, root_thread ? RESCIND_NONE : pd);
    check();
    if (there && first && unicorn.machine->cpu[cpu].agent)
        try_privilege(cpu);
    if (there && pd < PDS)
        unicorn.root_table[pd] = engine_get(&unicorn.machine->cpu[cpu].engine, UC_X86_REG_CR3);
    return there;
}

/* Of a live PD: as it is loaded when a CPU runs it. */
static uint64_t root_table_of(uint32_t pd) {
    if (!unicorn.root_table[pd])
        go_to(0, pd);
    return unicorn.root_table[pd];
}

/* What CPUs run that were made to do something for another PD. The first, which is in root's thread most of the time,
 * is made to when it is asked for something. */
static void settle(uint32_t cpu) {
    uint32_t pd = unicorn.wanted[cpu];
    const struct machine_cpu *it = &unicorn.machine->cpu[cpu];
    if (cpu == 0 || unicorn.taken[cpu] || (pd == RESCIND_NONE ? !it->agent : is_in(cpu, pd)))
        return;
    machine_switch(unicorn.machine, cpu, pd);
    check();
}

/* ---- boot, calls ---- */

static void target_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    uint32_t at = cpus - 1;
    struct machine *machine = &unicorn.machines[at];
    const char *why;
    (void)speculation;
    unicorn.hooks = hooks;
    if (unicorn.machine)
        access_forget(&unicorn.tags, &unicorn.machine->memory);
    if (!unicorn.open[at]) {
        unicorn.open[at] = machine_open(machine, unicorn.kernel, cpus, unicorn.counters, &why);
        if (!unicorn.open[at])
            hooks->stop(hooks->context, RESCIND_STOP_MACHINE, why, "boot");
    }
    unicorn.machine = machine;
    machine_reset(machine, false);
    unicorn.changes_seen = machine->info->changed_count;
    memset(unicorn.alive, 0, sizeof unicorn.alive);
    memset(unicorn.object_alive, 0, sizeof unicorn.object_alive);
    memset(unicorn.root_table, 0, sizeof unicorn.root_table);
    unicorn.alive[0] = 1;
    memset(unicorn.taken, 0, sizeof unicorn.taken);
    unicorn.wanted[0] = 0;
    for (uint32_t cpu = 1; cpu < MACHINE_CPUS; cpu++)
        unicorn.wanted[cpu] = RESCIND_NONE;
}

/* After a call, whose registers these are if the CPU came back to who made it. */
static void end_call(uint32_t cpu, const uint64_t registers[MACHINE_REGISTERS], bool back, uint64_t word[ABI_WORDS]) {
    const struct control_calls *calls = &unicorn.machine->info->calls[cpu];
    check();
    if (back) {
        memcpy(word, registers + 1, ABI_WORDS * sizeof *word);
    } else { /* the caller was destroyed */
        word[0] = calls->code;
        word[1] = calls->value;
    }
    note_changes();
    for (uint32_t i = 0; i < unicorn.machine->cpus; i++)
        settle(i); /* also one that was to run who was dying, and could not */
}

static void target_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    uint64_t registers[MACHINE_REGISTERS] = {CONTROL_SYSTEM_CALL};
    uint32_t on = unicorn.taken[cpu] ? 0 : cpu;
    bool back = false;
    go_to(on, pd);
    memcpy(registers + 1, word, ABI_WORDS * sizeof *word);
    machine_call(unicorn.machine, on, registers, &back);
    end_call(on, registers, back, word);
}

/* ---- calls that stand in the middle ---- */

/* The one that is wanted, or another; not the first, which all others need to make calls for them. RESCIND_NONE: each
 * has a call in progress. */
static uint32_t free_cpu(uint32_t wanted) {
    uint32_t cpus = unicorn.machine->cpus, cpu = wanted;
    for (uint32_t i = 0; i < cpus && (cpu == 0 || unicorn.taken[cpu]); i++)
        cpu = (cpu + 1) % cpus;
    return cpu == 0 || unicorn.taken[cpu] ? RESCIND_NONE : cpu;
}

static uint32_t target_begin(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS], uint32_t points) {
    uint64_t registers[MACHINE_REGISTERS] = {CONTROL_SYSTEM_CALL};
    uint32_t on = free_cpu(cpu);
    bool back = false;
    if (on == RESCIND_NONE) {
        target_call(cpu, pd, word);
        return RESCIND_NONE;
    }
    go_to(on, pd);
    memcpy(registers + 1, word, ABI_WORDS * sizeof *word);
    if (machine_begin(unicorn.machine, on, registers, points, &back)) {
        check();
        note_changes();
        unicorn.taken[on] = true;
        return on;
    }
    end_call(on, registers, back, word);
    return RESCIND_NONE;
}

static bool target_resume(uint32_t operation, uint32_t points, uint64_t word[ABI_WORDS]) {
    uint64_t registers[MACHINE_REGISTERS];
    bool back = false, over = machine_go_on(unicorn.machine, operation, points, registers, &back);
    check();
    unicorn.taken[operation] = !over;
    if (over)
        end_call(operation, registers, back, word);
    else
        note_changes();
    return over;
}

static const char *target_point(uint32_t operation) {
    (void)operation;
    return "in-flight";
}

static void target_fail_allocation(uint32_t n) {
    machine_control(unicorn.machine, CONTROL_FAIL_ALLOCATION, n, 0);
    check();
}

/* ---- CPUs and accesses ---- */

static void target_switch_to(uint32_t cpu, uint32_t pd) {
    unicorn.wanted[cpu] = pd;
    settle(cpu);
}

static uint32_t target_runs(uint32_t cpu) {
    const struct machine_cpu *it = &unicorn.machine->cpu[cpu];
    if (cpu == 0 || unicorn.taken[cpu])
        return unicorn.wanted[cpu];
    return it->agent ? it->runs : RESCIND_NONE;
}

/* An engine that accesses what the PD can access: the CPU, if it is there, or else one that remembers nothing. */
static struct engine *engine_of(uint32_t cpu, uint32_t pd, bool fresh) {
    struct machine_cpu *it = &unicorn.machine->cpu[cpu];
    if (!fresh && is_in(cpu, pd)) {
        if (!it->known)
            engine_remember(&it->engine);
        it->known = true;
        return &it->engine;
    }
    struct engine *watcher = &unicorn.machine->watcher;
    engine_set(watcher, UC_X86_REG_CR3, root_table_of(pd));
    engine_remember(watcher);
    return watcher;
}

/* The watcher has no port bitmap: a CPU must run the PD. */
static const struct engine *engine_for_ports(uint32_t cpu, uint32_t pd) {
    uint32_t on = is_in(cpu, pd) ? cpu : 0;
    go_to(on, pd);
    return &unicorn.machine->cpu[on].engine;
}

static void target_probe(uint32_t cpu, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count) {
    struct engine *engine = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (probes[i].kind != ABI_MEM)
            continue;
        engine = engine ? engine : engine_of(cpu, pd, fresh);
        access_memory(unicorn.machine, &unicorn.tags, engine, &probes[i]);
        check();
    }
    const struct engine *with_ports = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (probes[i].kind != ABI_PIO)
            continue;
        with_ports = with_ports ? with_ports : engine_for_ports(cpu, pd);
        access_port(unicorn.machine, with_ports, &probes[i]);
    }
}

/* With several rights, the access is that of an instruction that needs all of them. */
static bool target_access(uint32_t cpu, enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource) {
    uint32_t pd = target_runs(cpu);
    struct rescind_probe probe = {.unit = unit, .resource = *resource, .kind = (uint8_t)kind, .rights = rights};
    if (pd == RESCIND_NONE || (!unicorn.taken[cpu] && !go_to(cpu, pd)))
        return false;
    if (kind == ABI_MEM)
        probe.rights |= ABI_R; /* by which the frame is known */
    target_probe(cpu, pd, false, &probe, 1);
    *resource = probe.resource;
    return !(rights & ~probe.reached);
}

/* ---- reports ---- */

static void target_log(struct rescind_log *log) {
    *log = unicorn.log;
}

static uint64_t target_steps(void) {
    return unicorn.machine->info->steps;
}

static void target_usage(struct rescind_usage *usage) {
    const struct control_info *info = unicorn.machine->info;
    *usage = (struct rescind_usage){
        .pds = info->pds, .objects = info->objects, .nodes = info->nodes, .tables = info->tables, .bytes = info->bytes};
}

/* What the kernel reports to root's thread. */
static bool report_on(uint32_t pd, struct control_pd *report) {
    if (machine_control(unicorn.machine, CONTROL_PD_REPORT, pd, CONTROL_HEAP) != CONTROL_OK)
        return false;
    uint64_t root = engine_get(&unicorn.machine->cpu[0].engine, UC_X86_REG_CR3);
    return machine_load(unicorn.machine, root, CONTROL_HEAP, report, sizeof *report);
}

static bool target_pd(uint32_t pd, struct rescind_pd_view *view) {
    struct control_pd report;
    bool known = is_alive(pd) && report_on(pd, &report);
    check();
    if (!known)
        return false;
    *view = (struct rescind_pd_view){.quota = report.quota,
                                     .used = report.used,
                                     .payer = report.payer,
                                     .references = report.references,
                                     .root_table = root_table_of(pd)};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        view->tree_root[kind] = RESCIND_NONE;
        view->node_count[kind] = report.node_count[kind];
    }
    return true;
}

static bool target_object(uint32_t object, struct rescind_object_view *view) {
    *view = (struct rescind_object_view){.references = RESCIND_NONE, .payer = RESCIND_NONE};
    return object < OBJECTS && unicorn.object_alive[object / BITS] >> object % BITS & 1;
}

/* Whether it is in use only the kernel knows. */
static const uint64_t *target_table(uint64_t physical) {
    bool table = physical >= TABLES && physical < TABLES_END && physical % MEMORY_PAGE == 0;
    return table ? (const uint64_t *)(const void *)(unicorn.machine->memory.bytes + physical) : NULL;
}

/* ---- two calls at once ---- */

/* The kernel has told of the later one only. */
static void ask_who_is_alive(void) {
    struct control_pd report;
    memset(unicorn.root_table, 0, sizeof unicorn.root_table);
    for (uint32_t pd = 0; pd < PAIR_PDS; pd++) {
        uint64_t bit = UINT64_C(1) << pd % BITS;
        unicorn.alive[pd / BITS] &= ~bit;
        unicorn.alive[pd / BITS] |= report_on(pd, &report) ? bit : 0;
    }
    check();
}

void unicorn_call_pair(struct unicorn_pair *pair) {
    struct machine_pair both = {.store = pair->store};
    for (uint32_t cpu = 2; cpu-- > 0;) {
        go_to(cpu, pair->pd[cpu]);
        both.registers[cpu][0] = CONTROL_SYSTEM_CALL;
        memcpy(both.registers[cpu] + 1, pair->word[cpu], sizeof pair->word[cpu]);
    }
    machine_call_preempted(unicorn.machine, &both);
    check();
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        memcpy(pair->word[cpu], both.registers[cpu] + 1, sizeof pair->word[cpu]);
        if (!both.back[cpu])
            pair->word[cpu][0] = RESCIND_NOWHERE;
    }
    pair->stores = both.stores;
    pair->preempted = both.preempted;
    pair->waited = both.waited;
    ask_who_is_alive();
}

/* ---- making it ---- */

static void describe(void) {
    const struct control_info *info = unicorn.machines[0].info;
    unicorn.target = (struct rescind_target){
        .version = RESCIND_TARGET_VERSION,
        .size = sizeof(struct rescind_target),
        .name = "unicorn",
        .geometry = {.name = "machine",
                     .mem_log2 = MEM_LOG2,
                     .pio_log2 = PIO_LOG2,
                     .obj_log2 = OBJ_LOG2,
                     .phys_log2 = PHYS_LOG2,
                     .level_bits = LEVEL_BITS,
                     .levels = LEVELS,
                     .leaf_level = (uint8_t)info->leaf_level,
                     .pds = PDS,
                     .objects = OBJECTS,
                     .cpus = MACHINE_CPUS,
                     .quota_pages = QUOTA_PAGES,
                     .kernel_frame = info->kernel_frame},
        .operations = 1u << ABI_CREATE_PD | 1u << ABI_DELEGATE | 1u << ABI_REVOKE | 1u << ABI_DESTROY_PD |
                      1u << ABI_LOOKUP | 1u << ABI_CREATE_OBJECT | 1u << ABI_GRANT | 1u << ABI_MOVE_QUOTA,
        .kinds = 1u << ABI_MEM | 1u << ABI_PIO | 1u << ABI_OBJ,
        .costs = {.pd = (uint32_t)info->cost_pd,
                  .object = (uint32_t)info->cost_object,
                  .node = (uint32_t)info->cost_node,
                  .table = (uint32_t)info->cost_table},
        .boot = target_boot,
        .call = target_call,
        .begin = target_begin,
        .resume = target_resume,
        .overlaps = true,
        .point = target_point,
        .suspended_limit = MACHINE_CPUS,
        .fail_allocation = target_fail_allocation,
        .switch_to = target_switch_to,
        .runs = target_runs,
        .access = target_access,
        .probe = target_probe,
        .log = target_log,
        .steps = target_steps,
        .usage = target_usage,
        .pd = target_pd,
        .object = target_object,
        .table = target_table,
        .pd_limit = PDS,
        .object_limit = OBJECTS,
    };
}

void unicorn_count_blocks(uint8_t *counters, uint32_t count) {
    unicorn.counters = (struct machine_counters){counters, count};
}

const struct rescind_target *unicorn_target(const char *kernel, const char **why) {
    if (unicorn.open[0]) {
        *why = "this process has such a machine already";
        return strcmp(kernel, unicorn.kernel) == 0 ? &unicorn.target : NULL;
    }
    *why = "no memory";
    unicorn.kernel = strdup(kernel);
    unicorn.tags.tagged = calloc(FRAMES / BITS, sizeof *unicorn.tags.tagged);
    if (!unicorn.kernel || !unicorn.tags.tagged ||
        !machine_open(&unicorn.machines[0], kernel, 1, unicorn.counters, why))
        return NULL;
    unicorn.open[0] = true;
    unicorn.machine = &unicorn.machines[0];
    describe();
    return &unicorn.target;
}
