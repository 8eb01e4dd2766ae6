/* See target.h. */
#include "target.h"

#include "flight.h"
#include "kernel.h"

enum { FRAMES_MAX = 1 << 20, OBJECTS_MAX = 1 << 16, BITS = 64 };
enum { TAG_SCRATCH = 64 /* what is written at accesses */, TAG_PROGRAMS = 512, PROGRAM_BYTES = 8, PAGE = 4096 };
enum { PROGRAMS = (PAGE - TAG_PROGRAMS) / PROGRAM_BYTES, MOV_EAX = 0xb8, RET = 0xc3 };
enum { CPUS_MAX = 4, UNITS_TOLD_APART = 4096, LISTED = 1024 };

static struct {
    struct rescind_target target;
    uint64_t tagged[FRAMES_MAX / BITS];
    void (*fail_allocation)(uint32_t n);
    uint64_t object_alive[OBJECTS_MAX / BITS];
    /* The log since the last call. */
    uint32_t listed_pd[LISTED], listed_object[LISTED];
    struct rescind_log log;
    uint32_t nonce;
    struct target_counts counts;
    /* Programs executed since a CPU was last made to run its PD, by (some bits of) the unit. */
    uint16_t executed[CPUS_MAX][UNITS_TOLD_APART];
} state;

/* ---- frames ---- */

static void tag(uint64_t frame) {
    uint64_t bit = UINT64_C(1) << frame % BITS;
    if (state.tagged[frame / BITS] & bit)
        return;
    state.tagged[frame / BITS] |= bit;
    uint8_t *bytes = kernel_frame(frame);
    uint64_t program = MOV_EAX | frame << 8 | (uint64_t)RET << 40;
    *(uint64_t *)(void *)bytes = KERNEL_TAG << 32 | frame;
    for (uint32_t at = TAG_PROGRAMS; at < PAGE; at += PROGRAM_BYTES)
        *(uint64_t *)(void *)&bytes[at] = program;
}

static uint64_t tagged_frame(uint64_t content) {
    uint64_t frame = content & UINT32_MAX;
    bool known = content >> 32 == KERNEL_TAG && frame < FRAMES_MAX && kernel_is_memory(frame);
    return known ? frame : RESCIND_NOWHERE;
}

/* Which frame a page showed, by all that was done there; RESCIND_NOWHERE if that does not fit together. */
static uint64_t frame_of(const struct kernel_access *access) {
    uint64_t frame = tagged_frame(access->read);
    if (frame == RESCIND_NOWHERE)
        return frame;
    const volatile uint32_t *written =
        (const volatile uint32_t *)(const void *)((const uint8_t *)kernel_frame(frame) + access->offset);
    if (access->reached & ABI_W && *written != access->nonce)
        return RESCIND_NOWHERE;
    bool same = !access->astray && access->returned == frame;
    return access->reached & ABI_X && !same ? RESCIND_NOWHERE : frame;
}

/* ---- accesses ---- */

/* Of frames that hold no memory (adapters, ROM) it is told only whether they were reached. */
static bool is_opaque(const struct rescind_probe *probe) {
    return probe->kind == ABI_MEM && probe->resource != RESCIND_NOWHERE && !kernel_is_memory(probe->resource);
}

/* Where in the page to execute. On the first CPU, which is made to run the PD anew, always the same. */
static uint16_t choose_program(uint32_t cpu, struct rescind_probe *probe) {
    uint16_t *executed = &state.executed[cpu][probe->unit % UNITS_TOLD_APART];
    if (cpu && probe->rights & ABI_X && ++*executed == PROGRAMS) {
        --*executed;
        probe->rights &= (uint8_t)~ABI_X;
    }
    return (uint16_t)(TAG_PROGRAMS + (cpu ? *executed : 0) * PROGRAM_BYTES);
}

static void prepare(uint32_t cpu, struct rescind_probe *probe, uint32_t place, struct kernel_access *access) {
    if (is_opaque(probe))
        probe->rights &= (uint8_t)~ABI_X;
    else if (probe->kind == ABI_MEM && probe->resource != RESCIND_NOWHERE)
        tag(probe->resource);
    uint16_t entry = choose_program(cpu, probe);
    *access = (struct kernel_access){
        .unit = probe->unit,
        .kind = probe->kind,
        .rights = probe->rights,
        .nonce = ++state.nonce,
        .offset = (uint16_t)(TAG_SCRATCH + place * sizeof(uint32_t)),
        .entry = entry,
    };
}

static void count(const struct rescind_probe *probe) {
    unsigned tried = (unsigned)__builtin_popcount(probe->rights),
             reached = (unsigned)__builtin_popcount(probe->reached);
    state.counts.reached += reached;
    state.counts.refused += tried - reached;
}

static void conclude(struct rescind_probe *probe, const struct kernel_access *access) {
    probe->reached = access->reached;
    count(probe);
    if (!access->reached || is_opaque(probe))
        return;
    probe->resource = probe->kind == ABI_PIO ? probe->unit : frame_of(access);
}

static void probe_some(uint32_t cpu, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count) {
    struct kernel_access access[KERNEL_ACCESSES];
    for (uint32_t i = 0; i < count; i++)
        prepare(cpu, &probes[i], i, &access[i]);
    kernel_access(cpu, pd, fresh, access, count);
    for (uint32_t i = 0; i < count; i++)
        conclude(&probes[i], &access[i]);
}

static void target_probe(uint32_t cpu, uint32_t pd, bool fresh, struct rescind_probe *probes, uint32_t count) {
    for (uint32_t first = 0; first < count; first += KERNEL_ACCESSES) {
        uint32_t some = count - first < KERNEL_ACCESSES ? count - first : (uint32_t)KERNEL_ACCESSES;
        probe_some(cpu, pd, fresh, probes + first, some);
    }
}

/* With several rights, the access is that of an instruction that needs all of them. */
static bool target_access(uint32_t cpu, enum abi_kind kind, uint64_t unit, uint8_t rights, uint64_t *resource) {
    uint32_t pd = kernel_runs(cpu);
    struct rescind_probe probe = {.unit = unit, .resource = *resource, .kind = (uint8_t)kind, .rights = rights};
    if (pd == RESCIND_NONE)
        return false;
    if (kind == ABI_MEM)
        probe.rights |= ABI_R; /* by which the frame is known */
    flight_start_all();
    probe_some(cpu, pd, false, &probe, 1);
    *resource = probe.resource;
    return !(rights & probe.rights & ~probe.reached);
}

/* ---- what came and went ---- */

static uint32_t add_listed(uint32_t listed[LISTED], uint32_t count, const uint32_t *more, uint32_t more_count) {
    for (uint32_t i = 0; i < more_count; i++) {
        if (count < LISTED)
            listed[count++] = more[i];
        else
            state.log.overflow = true;
    }
    return count;
}

/* Adds what came and went since to the log. */
static void add_to_log(void) {
    struct rescind_log log;
    kernel_log(&log);
    for (uint32_t i = 0; i < log.object_count; i++) {
        if (log.objects[i] < OBJECTS_MAX)
            state.object_alive[log.objects[i] / BITS] ^= UINT64_C(1) << log.objects[i] % BITS;
    }
    state.log.pd_count = add_listed(state.listed_pd, state.log.pd_count, log.pds, log.pd_count);
    state.log.object_count = add_listed(state.listed_object, state.log.object_count, log.objects, log.object_count);
    state.log.invalidations = log.invalidations;
    state.log.shootdowns = log.shootdowns;
    state.log.overflow |= log.overflow;
}

static void start_log(void) {
    state.log = (struct rescind_log){.pds = state.listed_pd, .objects = state.listed_object};
}

static void target_log(struct rescind_log *log) {
    add_to_log();
    *log = state.log;
}

/* ---- the rest ---- */

/* Whatever came before, nobody but root is left: sequences are torn down. */
static void target_switch_to(uint32_t cpu, uint32_t pd) {
    __builtin_memset(state.executed[cpu], 0, sizeof(state.executed[cpu]));
    kernel_switch(cpu, pd);
}

static void target_boot(const struct rescind_hooks *hooks, uint32_t cpus, uint64_t speculation) {
    (void)hooks;
    (void)cpus;
    (void)speculation;
    for (uint32_t cpu = kernel_cpus(); cpu-- > 0;)
        target_switch_to(cpu, cpu ? RESCIND_NONE : 0);
    kernel_boot();
    add_to_log();
    start_log();
    __builtin_memset(state.object_alive, 0, sizeof(state.object_alive));
}

static void target_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    start_log();
    flight_call(cpu, pd, word);
    add_to_log();
}

static uint32_t target_begin(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS], uint32_t points) {
    uint32_t flight = flight_plan(cpu, pd, word, points);
    if (flight == RESCIND_NONE)
        target_call(cpu, pd, word);
    else
        start_log();
    return flight;
}

static bool target_resume(uint32_t operation, uint32_t points, uint64_t word[ABI_WORDS]) {
    start_log();
    bool over = flight_resume(operation, points, word);
    add_to_log();
    return over;
}

static const char *target_point(uint32_t operation) {
    (void)operation;
    return "in-flight";
}

static void target_fail_allocation(uint32_t n) {
    flight_start_all();
    state.fail_allocation(n);
}

static void target_end(uint32_t what) {
    kernel_end(what);
}

static bool target_object(uint32_t object, struct rescind_object_view *view) {
    *view = (struct rescind_object_view){.references = RESCIND_NONE, .payer = RESCIND_NONE};
    return object < OBJECTS_MAX && state.object_alive[object / BITS] >> object % BITS & 1;
}

struct target_counts target_counts(void) {
    return state.counts;
}

const struct rescind_target *target_make(void) {
    struct kernel_description what;
    state.target = (struct rescind_target){
        .version = RESCIND_TARGET_VERSION,
        .size = sizeof(struct rescind_target),
        .name = "machine",
        .operations = 1u << ABI_CREATE_PD | 1u << ABI_DELEGATE | 1u << ABI_REVOKE | 1u << ABI_DESTROY_PD |
                      1u << ABI_LOOKUP | 1u << ABI_CREATE_OBJECT | 1u << ABI_GRANT | 1u << ABI_MOVE_QUOTA,
        .kinds = 1u << ABI_MEM | 1u << ABI_PIO | 1u << ABI_OBJ,
        .boot = target_boot,
        .call = target_call,
        .lacks = kernel_lacks,
        .end = target_end,
        .switch_to = target_switch_to,
        .runs = kernel_runs,
        .access = target_access,
        .probe = target_probe,
        .log = target_log,
        .usage = kernel_usage,
        .pd = kernel_pd_report,
        .object = target_object,
        .object_limit = OBJECTS_MAX,
    };
    kernel_describe(&what);
    state.target.geometry = what.geometry;
    state.target.costs = what.costs;
    state.target.silent = what.silent;
    state.target.boots_once = what.boots_once;
    state.target.poor = what.poor;
    state.fail_allocation = what.fail_allocation;
    state.target.fail_allocation = what.fail_allocation ? target_fail_allocation : NULL;
    if (what.overlaps) {
        state.target.overlaps = true;
        state.target.unordered = what.unordered;
        state.target.begin = target_begin;
        state.target.resume = target_resume;
        state.target.point = target_point;
        state.target.suspended_limit = kernel_cpus() - 1;
    }
    state.target.pd_limit = state.target.geometry.pds;
    return &state.target;
}
