/* See access.h. */
#include "unicorn/access.h"

#include "unicorn/agent.h"

#include <stdio.h>
#include <string.h>

enum { TAG_SCRATCH = 64, TAG_PROGRAMS = 512, PROGRAM_BYTES = 8, PROGRAM_STEPS = 2, MOV_EBX = 0xbb, RET = 0xc3 };
enum { PROGRAMS = (MEMORY_PAGE - TAG_PROGRAMS) / PROGRAM_BYTES, SCRATCHES = 64, BITS = 64, PAGE_LOG2 = 12 };
enum { PAGE_FAULT = 14, TASK_PORTS_AT = 0x66, TASK_LIMIT_LEAST = 103 };
enum { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4, ERROR_FETCH = 16 };
#define TAG_MAGIC UINT64_C(0x7ea51c3d)
#define FRAMES (MEMORY_KERNEL / MEMORY_PAGE)

/* ---- frames ---- */

void access_forget(struct access_tags *tags, struct memory *memory) {
    bool few = memory_knows_frames(memory);
    for (uint32_t i = 0; i < memory->frames && few; i++)
        tags->tagged[memory->frame[i] / BITS] = 0;
    if (!few)
        memset(tags->tagged, 0, FRAMES / BITS * sizeof *tags->tagged);
    tags->nonce = 0;
    memset(tags->executed, 0, sizeof tags->executed);
}

/* What is translated is found by both addresses, and a frame's program is always the same: what the watcher executed
 * once it need not translate again. */
static void note_code(const struct machine *machine, struct engine *engine, const struct rescind_probe *probe) {
    enum { TOLD_APART = 1 << ENGINE_CODES_LOG2 / 2 };
    bool again = engine == &machine->watcher && probe->unit < TOLD_APART && probe->resource < TOLD_APART;
    engine_note_code(engine, again ? probe->unit * TOLD_APART + probe->resource : ENGINE_NEW_CODE);
}

static void tag(struct access_tags *tags, struct memory *memory, uint64_t frame) {
    uint64_t bit = UINT64_C(1) << frame % BITS;
    if (tags->tagged[frame / BITS] & bit)
        return;
    tags->tagged[frame / BITS] |= bit;
    memory_note(memory, frame);
    uint8_t *bytes = memory->bytes + frame * MEMORY_PAGE;
    uint64_t content = TAG_MAGIC << 32 | frame, program = MOV_EBX | frame << 8 | (uint64_t)RET << 40;
    memcpy(bytes, &content, sizeof content);
    for (uint32_t at = TAG_PROGRAMS; at < MEMORY_PAGE; at += PROGRAM_BYTES)
        memcpy(bytes + at, &program, sizeof program);
}

/* ---- one access ---- */

struct attempt {
    uint64_t read;     /* what was read at the start of the page */
    uint32_t returned; /* by the program in it */
    uint32_t scratch;  /* where in the page something is stored, */
    uint32_t program;  /* and executed */
    uint8_t reached;
    bool astray; /* what was executed is no program of ours */
};

static void complain(struct machine *machine, const char *text, uint8_t right) {
    machine_complain(machine, text, right == ABI_R ? "load" : right == ABI_W ? "store" : "fetch");
}

/* A refusal must be the one that an access of that kind gets: by a user, without reserved bits, and, where the page was
 * read before, not for want of a page; a CPU that remembers may have read what is gone. */
static void check_fault(struct machine *machine, const struct engine *engine, uint64_t unit, uint8_t right,
                        uint8_t reached) {
    uint32_t error = ERROR_USER | (right == ABI_W ? ERROR_WRITE : 0U) | (right == ABI_X ? ERROR_FETCH : 0U);
    bool present = engine == &machine->watcher && reached & ABI_R;
    char text[MACHINE_LINE];
    if (engine->vector != PAGE_FAULT || engine->address >> PAGE_LOG2 != unit) {
        snprintf(text, sizeof text, "exception %u, which is not the refusal of the access", engine->vector);
        complain(machine, text, right);
    } else if (engine->error != (error | ERROR_PRESENT) && (present || engine->error != error)) {
        snprintf(text, sizeof text, "page fault with error code 0x%x, which the access cannot have", engine->error);
        complain(machine, text, right);
    }
}

/* The instructions that make the accesses asked for, from the first of them on. */
static uint64_t place_of(uint8_t rights) {
    static const uint8_t places[ABI_MEM_RIGHTS + 1] = {
        [ABI_R] = AGENT_READ,
        [ABI_W] = AGENT_WRITE,
        [ABI_X] = AGENT_ACCESS_EXECUTE,
        [ABI_R | ABI_W] = AGENT_READ_WRITE,
        [ABI_R | ABI_X] = AGENT_READ_EXECUTE,
        [ABI_W | ABI_X] = AGENT_ACCESS_WRITE,
        [ABI_R | ABI_W | ABI_X] = AGENT_ACCESS,
    };
    return AGENT_AT(places[rights]);
}

static void set_registers(struct engine *engine, const struct access_tags *tags, uint64_t page, uint32_t scratch,
                          uint32_t program) {
    engine_set(engine, UC_X86_REG_RDI, page);
    engine_set(engine, UC_X86_REG_RSI, page + scratch);
    engine_set(engine, UC_X86_REG_RDX, tags->nonce);
    engine_set(engine, UC_X86_REG_RCX, page + program);
    engine_set(engine, UC_X86_REG_RBX, 0);
    engine_set(engine, UC_X86_REG_RSP, CONTROL_STACK_TOP(engine->index));
}

/* Which of several accesses was refused: each has an address of its own. RIP would not do, since Unicorn does not know
 * it any more when it has thrown away all code that it had translated. */
static uint8_t refused(const struct engine *engine, uint8_t tried, uint32_t scratch, uint32_t program) {
    uint64_t offset = engine->address % MEMORY_PAGE;
    uint8_t right = offset == 0 ? ABI_R : offset == scratch ? ABI_W : offset == program ? ABI_X : 0;
    return right & tried;
}

static void note_reached(const struct engine *engine, struct attempt *attempt, uint8_t reached) {
    attempt->reached |= reached;
    if (reached & ABI_R)
        attempt->read = engine_get(engine, UC_X86_REG_RAX);
    if (reached & ABI_X) {
        attempt->returned = (uint32_t)engine_get(engine, UC_X86_REG_RBX);
        attempt->astray = engine->at - CONTROL_AGENT_WINDOW >= AGENT_BYTES;
    }
}

/* Makes the accesses that are left; what they come to in `attempt`. Returns those that are left then. */
static uint8_t try_some(struct machine *machine, struct engine *engine, uint64_t unit, uint8_t left,
                        struct attempt *attempt) {
    enum engine_end end = engine_run(engine, place_of(left));
    if (end == ENGINE_RESTS) {
        note_reached(engine, attempt, left);
        return 0;
    }
    uint8_t right = end == ENGINE_FAULTED ? refused(engine, left, attempt->scratch, attempt->program) : 0;
    uint8_t before = left & (uint8_t)(right - 1); /* rights are tried in the order of their numbers */
    if (!right) {
        complain(machine, "an access does not come to an end", left);
        return 0;
    }
    note_reached(engine, attempt, before);
    check_fault(machine, engine, unit, right, attempt->reached);
    engine_recall(engine);
    /* What cannot be read can be neither written nor executed. */
    return right == ABI_R ? 0 : (uint8_t)(left & ~(before | right));
}

/* ---- probes ---- */

/* Which frame a page showed, by all that was done there; RESCIND_NOWHERE if that does not fit together. */
static uint64_t frame_of(const struct machine *machine, const struct access_tags *tags, const struct attempt *attempt) {
    uint64_t frame = attempt->read & UINT32_MAX;
    uint32_t stored;
    if (!(attempt->reached & ABI_R) || attempt->read >> 32 != TAG_MAGIC || frame >= FRAMES)
        return RESCIND_NOWHERE;
    memcpy(&stored, machine->memory.bytes + frame * MEMORY_PAGE + attempt->scratch, sizeof stored);
    if (attempt->reached & ABI_W && stored != tags->nonce)
        return RESCIND_NOWHERE;
    bool same = !attempt->astray && attempt->returned == frame;
    return attempt->reached & ABI_X && !same ? RESCIND_NOWHERE : frame;
}

/* Where in the page to execute. */
static uint32_t place_of_program(const struct machine *machine, struct access_tags *tags, const struct engine *engine,
                                 const struct rescind_probe *probe) {
    uint16_t *executed = &tags->executed[probe->unit % ACCESS_UNITS_TOLD_APART];
    bool remembers = engine != &machine->watcher && probe->rights & ABI_X;
    uint32_t program = remembers ? 1 + (uint32_t)(*executed)++ % (PROGRAMS - 1) : 0;
    return TAG_PROGRAMS + program * PROGRAM_BYTES;
}

void access_memory(struct machine *machine, struct access_tags *tags, struct engine *engine,
                   struct rescind_probe *probe) {
    bool known = probe->resource < FRAMES;
    uint8_t left = probe->rights;
    struct attempt attempt = {.scratch = TAG_SCRATCH + (uint32_t)(++tags->nonce % SCRATCHES * sizeof(uint32_t))};
    if (known)
        tag(tags, &machine->memory, probe->resource);
    attempt.program = place_of_program(machine, tags, engine, probe);
    if (known && left & ABI_X)
        note_code(machine, engine, probe);
    while (left && !machine->stop.stopped) {
        engine->steps = known ? PROGRAM_STEPS : 0;
        set_registers(engine, tags, probe->unit << PAGE_LOG2, attempt.scratch, attempt.program);
        left = try_some(machine, engine, probe->unit, left, &attempt);
    }
    probe->reached = attempt.reached;
    if (!attempt.reached)
        return;
    uint64_t expected = probe->resource;
    probe->resource = frame_of(machine, tags, &attempt);
    if (probe->resource != expected) /* what was executed there need not be what will be there */
        engine_forget_code(engine);
}

void access_port(const struct machine *machine, const struct engine *engine, struct rescind_probe *probe) {
    uint64_t root_table = engine_get(engine, UC_X86_REG_CR3);
    uc_x86_mmr task = {0};
    uint16_t start = 0;
    uint8_t denied = UINT8_MAX;
    uc_reg_read(engine->uc, UC_X86_REG_TR, &task);
    machine_load(machine, root_table, task.base + TASK_PORTS_AT, &start, sizeof start);
    uint64_t at = start + probe->unit / 8;
    /* A CPU reads two bytes, whatever it needs. */
    if (task.limit >= TASK_LIMIT_LEAST && at + 1 <= task.limit)
        machine_load(machine, root_table, task.base + at, &denied, sizeof denied);
    bool reached = !(denied >> probe->unit % 8 & 1);
    probe->reached = reached ? ABI_PIO_RIGHTS : 0;
    probe->resource = reached ? probe->unit : probe->resource;
}
