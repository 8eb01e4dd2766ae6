/* See machine.h. */
#include "unicorn/machine.h"

#include "unicorn/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, TRANSMITTER_EMPTY = 1 << 5, FW_CFG_DATA = 0x511, DEBUG_EXIT = 0xf4 };
enum { APIC_ID = 0x20, APIC_COMMAND_LOW = 0x300, APIC_COMMAND_HIGH = 0x310, COMMAND_FIXED = 0, COMMAND_START = 6 };
enum { FLAGS_AT_REST = 0x202, FLAGS_IN_KERNEL = 2, WAIT_BYTES = 16, STACK_BYTES = 16384, LOCK_BYTES = 8 };
enum { USER_DATA = 0x1b, USER_CODE = 0x23, KERNEL_CODE = 8, KERNEL_DATA = 0x10, GATE_BYTES = 16, RSP0_AT = 4 };
#define LOWER_HALF_END UINT64_C(0x800000000000)
#define MSR_LSTAR 0xc0000082
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_LARGE (UINT64_C(1) << 7)
#define ENTRY_FRAME UINT64_C(0x000ffffffffff000)

/* ---- what the kernel says ---- */

static void stop(struct machine *machine, enum rescind_stop why, const char *text, const char *function) {
    if (machine->stop.stopped)
        return;
    machine->stop.stopped = true;
    machine->stop.why = why;
    snprintf(machine->stop.text, MACHINE_LINE, "%s", text);
    snprintf(machine->stop.function, MACHINE_LINE, "%s", function);
}

void machine_complain(struct machine *machine, const char *text, const char *function) {
    stop(machine, RESCIND_STOP_MACHINE, text, function);
}

/* `panic: WHY FUNCTION: TEXT` */
static void take_line(struct machine *machine) {
    static const struct {
        const char *word;
        enum rescind_stop why;
    } words[] = {{"assert ", RESCIND_STOP_ASSERT},
                 {"steps ", RESCIND_STOP_STEPS},
                 {"memory ", RESCIND_STOP_MEMORY},
                 {"exception ", RESCIND_STOP_MACHINE}};
    static const char panic[] = "panic: ";
    if (strncmp(machine->line, panic, sizeof panic - 1) != 0)
        return;
    char *rest = machine->line + sizeof panic - 1;
    enum rescind_stop why = RESCIND_STOP_ASSERT;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strncmp(rest, words[i].word, strlen(words[i].word)) == 0) {
            why = words[i].why;
            rest += strlen(words[i].word);
        }
    }
    char *colon = strchr(rest, ':');
    if (colon)
        *colon = '\0';
    stop(machine, why, colon ? colon + 2 : rest, colon ? rest : "");
}

static uint32_t port_in(void *context, uint16_t port) {
    const struct machine *machine = context;
    return port == LINE_STATUS ? TRANSMITTER_EMPTY : port == FW_CFG_DATA ? machine->cpus : 0;
}

static bool port_out(void *context, uint16_t port, uint32_t value) {
    struct machine *machine = context;
    if (port == COM1 && (value & 0xff) == '\n') {
        machine->line[machine->line_bytes] = '\0';
        take_line(machine);
        machine->line_bytes = 0;
    } else if (port == COM1 && machine->line_bytes < MACHINE_LINE - 1) {
        machine->line[machine->line_bytes++] = (char)value;
    }
    return port != DEBUG_EXIT;
}

/* ---- local APICs ---- */

static uint32_t apic_read(struct engine *engine, uint32_t offset) {
    return offset == APIC_ID ? engine->index << 24 : 0;
}

static void apic_write(struct engine *engine, uint32_t offset, uint32_t value) {
    struct machine *machine = engine->world->context;
    uint32_t *to = &machine->cpu[engine->index].command;
    if (offset == APIC_COMMAND_HIGH)
        *to = value >> 24;
    if (offset != APIC_COMMAND_LOW)
        return;
    uint32_t mode = value >> 8 & 7, vector = value & 0xff;
    if (mode == COMMAND_FIXED && *to < machine->cpus)
        machine->cpu[*to].pending |= UINT32_C(1) << (vector - MACHINE_VECTORS) % 32;
    for (uint32_t cpu = 1; cpu < machine->cpus && mode == COMMAND_START; cpu++) {
        if (!machine->cpu[cpu].halted)
            boot_start_cpu(machine, cpu, vector);
    }
}

static bool may_wait(const struct engine *engine) {
    const struct machine *machine = engine->world->context;
    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        if (cpu != engine->index && machine->cpu[cpu].pending && !machine->cpu[cpu].going)
            return true;
    }
    return false;
}

/* ---- memory, as CPUs see it ---- */

static uint64_t *leaf_entry(const struct machine *machine, uint64_t root_table, uint64_t address, unsigned *shift) {
    uint64_t table = root_table & ENTRY_FRAME;
    for (*shift = 39;; *shift -= 9) {
        if (table >= MEMORY_BYTES)
            return NULL;
        uint64_t *entry = (uint64_t *)(void *)(machine->memory.bytes + table) + (address >> *shift & 511);
        if (!(*entry & ENTRY_PRESENT))
            return NULL;
        if (*shift == 12 || *entry & ENTRY_LARGE)
            return entry;
        table = *entry & ENTRY_FRAME;
    }
}

uint64_t *machine_see_leaf(const struct machine *machine, uint64_t root_table, uint64_t address) {
    unsigned shift;
    uint64_t *entry = leaf_entry(machine, root_table, address, &shift);
    return entry && (UINT64_C(1) << shift) == MEMORY_BLOCK ? entry : NULL;
}

void *machine_see(const struct machine *machine, uint64_t root_table, uint64_t address) {
    unsigned shift;
    const uint64_t *entry = leaf_entry(machine, root_table, address, &shift);
    if (!entry)
        return NULL;
    uint64_t below = (UINT64_C(1) << shift) - 1, physical = (*entry & ENTRY_FRAME & ~below) | (address & below);
    return physical < MEMORY_BYTES ? machine->memory.bytes + physical : NULL;
}

bool machine_load(const struct machine *machine, uint64_t root_table, uint64_t address, void *to, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        const uint8_t *from = machine_see(machine, root_table, address + i);
        if (!from)
            return false;
        ((uint8_t *)to)[i] = *from;
    }
    return true;
}

/* ---- interrupts ---- */

static bool load(const struct machine *machine, const struct engine *engine, uint64_t address, void *to, size_t bytes) {
    return machine_load(machine, engine_get(engine, UC_X86_REG_CR3), address, to, bytes);
}

static bool store(const struct machine *machine, const struct engine *engine, uint64_t address, uint64_t value) {
    void *to = machine_see(machine, engine_get(engine, UC_X86_REG_CR3), address);
    if (to)
        memcpy(to, &value, sizeof value);
    return to != NULL;
}

static uint64_t gate_of(const struct machine *machine, const struct engine *engine, uint32_t vector) {
    uc_x86_mmr idt = {0};
    uint8_t gate[GATE_BYTES] = {0};
    uint16_t low, middle;
    uint32_t high;
    uc_reg_read(engine->uc, UC_X86_REG_IDTR, &idt);
    load(machine, engine, idt.base + (uint64_t)vector * GATE_BYTES, gate, sizeof gate);
    memcpy(&low, gate, sizeof low);
    memcpy(&middle, gate + 6, sizeof middle);
    memcpy(&high, gate + 8, sizeof high);
    return (uint64_t)high << 32 | (uint64_t)middle << 16 | low;
}

/* The kernel's stack, as the CPU finds it when it leaves user mode. */
static uint64_t kernel_stack(const struct machine *machine, const struct engine *engine) {
    uc_x86_mmr task = {0};
    uint64_t stack = 0;
    uc_reg_read(engine->uc, UC_X86_REG_TR, &task);
    load(machine, engine, task.base + RSP0_AT, &stack, sizeof stack);
    return stack;
}

/* Makes the CPU, which is at rest, ready to execute a handler; where that starts. */
static uint64_t deliver(struct machine *machine, struct machine_cpu *cpu, uint32_t vector) {
    struct engine *engine = &cpu->engine;
    bool user = !cpu->halted;
    uint64_t rsp = user ? CONTROL_STACK_TOP(engine->index) : engine_get(engine, UC_X86_REG_RSP);
    if (user)
        engine_enter_kernel(engine);
    uint64_t stack = (user ? kernel_stack(machine, engine) : rsp) & ~UINT64_C(15);
    const uint64_t frame[] = {cpu->at, user ? USER_CODE : KERNEL_CODE, FLAGS_AT_REST, rsp,
                              user ? USER_DATA : KERNEL_DATA};
    for (size_t i = sizeof frame / sizeof frame[0]; i-- > 0;) {
        stack -= sizeof frame[0];
        if (!store(machine, engine, stack, frame[i]))
            stop(machine, RESCIND_STOP_MACHINE, "no stack for an interrupt", "");
    }
    engine_set(engine, UC_X86_REG_RSP, stack);
    engine_set(engine, UC_X86_REG_RFLAGS, FLAGS_IN_KERNEL);
    return gate_of(machine, engine, vector);
}

/* ---- running ---- */

static void note_exception(struct machine *machine, const struct engine *engine) {
    static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                        "#DF", "",    "#TS", "#NP", "#SS", "#GP", "#PF"};
    char function[MACHINE_LINE];
    const char *name = engine->vector < sizeof names / sizeof names[0] ? names[engine->vector] : "an exception";
    image_function(&machine->image, engine_get(engine, UC_X86_REG_RIP), function, sizeof function);
    stop(machine, RESCIND_STOP_MACHINE, name, function);
}

static bool let_others_run(struct machine *machine, const struct machine_cpu *but);
static void stand_if_awaited(const struct machine *machine, struct machine_cpu *cpu);

/* A CPU that is going is not asked to go, so this is at most as deep as there are CPUs. */
// NOLINTBEGIN(misc-no-recursion)

/* Lets a CPU go on until it is at rest or waits for an interrupt; where it waits for others, they take theirs. */
static void go(struct machine *machine, struct machine_cpu *cpu, uint64_t address) {
    cpu->known = cpu->halted = false;
    cpu->going = true;
    enum engine_end how = engine_run(&cpu->engine, address);
    while (how == ENGINE_PAUSES) {
        stand_if_awaited(machine, cpu);
        if (machine->stop.stopped)
            break;
        let_others_run(machine, cpu);
        how = engine_run(&cpu->engine, cpu->engine.at);
    }
    cpu->going = false;
    cpu->at = cpu->engine.at;
    cpu->halted = how == ENGINE_HALTED;
    if (how == ENGINE_HALTED)
        cpu->at = engine_get(&cpu->engine, UC_X86_REG_RIP);
    else if (how == ENGINE_FAULTED)
        note_exception(machine, &cpu->engine);
    else if (how == ENGINE_ENDED)
        machine_complain(machine, "the machine ends", "");
    else if (how == ENGINE_LOST)
        machine_complain(machine, uc_strerror(cpu->engine.why), "");
}

static bool is_idle(const struct machine *machine, const struct machine_cpu *cpu) {
    return cpu->halted && cpu->at - machine->waits < WAIT_BYTES;
}

/* It halted in the kernel for others, and nothing has come to wake it. */
static bool waits(const struct machine *machine, const struct machine_cpu *cpu) {
    return cpu->halted && !is_idle(machine, cpu) && !cpu->pending;
}

static void stand_if_awaited(const struct machine *machine, struct machine_cpu *cpu) {
    struct machine_flight *flight = &cpu->flight;
    if (flight->goes && flight->awaits && !waits(machine, flight->awaits))
        strand_stand(&flight->strand);
}

static void take_interrupt(struct machine *machine, struct machine_cpu *cpu) {
    uint32_t lowest = (uint32_t)__builtin_ctz(cpu->pending);
    cpu->pending &= cpu->pending - 1;
    go(machine, cpu, deliver(machine, cpu, MACHINE_VECTORS + lowest));
}

/* In user mode nothing is kept of registers, so not before they were looked at. */
static void take_interrupts(struct machine *machine, struct machine_cpu *cpu) {
    while (cpu->pending && !machine->stop.stopped)
        take_interrupt(machine, cpu);
}

/* Of a CPU that waits in the kernel, until it does not. */
static void take_awaited(struct machine *machine, struct machine_cpu *cpu) {
    while (cpu->pending && cpu->halted && !machine->stop.stopped)
        take_interrupt(machine, cpu);
}

/* One CPU waits for others. False: none has anything to do. */
static bool let_others_run(struct machine *machine, const struct machine_cpu *but) {
    bool any = false;
    for (uint32_t i = 0; i < machine->cpus; i++) {
        struct machine_cpu *cpu = &machine->cpu[i];
        if (cpu == but || cpu->going || !cpu->pending)
            continue;
        take_interrupts(machine, cpu);
        any = true;
    }
    return any || but->pending;
}

/* Calls that stand go on, until the CPU can. False: that does not help. */
static bool let_flights_go_on(struct machine *machine, const struct machine_cpu *waiting) {
    bool any = false;
    for (uint32_t i = 0; i < machine->cpus && waits(machine, waiting) && !machine->stop.stopped; i++) {
        struct machine_flight *flight = &machine->cpu[i].flight;
        if (!flight->goes || !flight->strand.stands)
            continue;
        flight->awaits = waiting;
        flight->store = 0;
        strand_go_on(&flight->strand);
        flight->awaits = NULL;
        any = true;
    }
    return any;
}

// NOLINTEND(misc-no-recursion)

/* After the kernel may have changed what a CPU runs. */
static void note_way(const struct machine *machine, struct machine_cpu *cpu) {
    bool root = cpu->at == AGENT_AT(AGENT_ROOT_CALL_END) || cpu->at == AGENT_AT(AGENT_ROOT);
    if (cpu->going || (!root && !is_idle(machine, cpu)))
        return;
    cpu->agent = false;
    cpu->runs = RESCIND_NONE;
}

/* Of a CPU that waits in the kernel, until it is at rest. */
static void await_others(struct machine *machine, struct machine_cpu *cpu) {
    while (cpu->halted && !is_idle(machine, cpu) && !machine->stop.stopped) {
        stand_if_awaited(machine, cpu);
        if (!cpu->pending && !let_others_run(machine, cpu) && !let_flights_go_on(machine, cpu))
            stop(machine, RESCIND_STOP_STEPS, "all CPUs wait for each other", "");
        take_awaited(machine, cpu);
    }
}

/* Lets a CPU go on at `address` until it is at rest, and others meanwhile, if it waits for them. */
static bool run(struct machine *machine, struct machine_cpu *cpu, uint64_t address) {
    go(machine, cpu, address);
    await_others(machine, cpu);
    for (uint32_t i = 0; i < machine->cpus; i++)
        note_way(machine, &machine->cpu[i]);
    return !machine->stop.stopped;
}

/* ---- system calls ---- */

static const int call_registers[MACHINE_REGISTERS] = {UC_X86_REG_RAX, UC_X86_REG_RDI, UC_X86_REG_RSI,
                                                      UC_X86_REG_RDX, UC_X86_REG_R10, UC_X86_REG_R8};
/* Those that a system call leaves alone, by any means. */
static const struct {
    const char *name;
    int reg;
} kept[] = {{"rbx", UC_X86_REG_RBX}, {"rbp", UC_X86_REG_RBP}, {"r9", UC_X86_REG_R9},   {"r12", UC_X86_REG_R12},
            {"r13", UC_X86_REG_R13}, {"r14", UC_X86_REG_R14}, {"r15", UC_X86_REG_R15}, {"rsp", UC_X86_REG_RSP}};
enum { KEPT = sizeof kept / sizeof kept[0] };

static uint64_t kept_value(const struct engine *engine, size_t i) {
    return i == KEPT - 1 ? CONTROL_STACK_TOP(engine->index) : UINT64_C(0x5eed0000c0de0000) + i;
}

static void set_registers(struct engine *engine, const uint64_t registers[MACHINE_REGISTERS], uint64_t back) {
    for (size_t i = 0; i < MACHINE_REGISTERS; i++)
        engine_set(engine, call_registers[i], registers[i]);
    engine_set(engine, UC_X86_REG_RCX, back);
}

void machine_prepare_call(struct engine *engine) {
    for (size_t i = 0; i < KEPT; i++)
        engine_set(engine, kept[i].reg, kept_value(engine, i));
    engine_set(engine, UC_X86_REG_R11, FLAGS_AT_REST);
    engine_set(engine, UC_X86_REG_RFLAGS, FLAGS_IN_KERNEL);
}

static void check_registers(struct machine *machine, const struct engine *engine) {
    for (size_t i = 0; i < KEPT; i++) {
        if (engine_get(engine, kept[i].reg) != kept_value(engine, i))
            stop(machine, RESCIND_STOP_MACHINE, "a system call changes a register", kept[i].name);
    }
}

/* Where the CPU is to go on, ready for the kernel's first instruction. */
static uint64_t begin_call(struct machine *machine, struct machine_cpu *cpu,
                           const uint64_t registers[MACHINE_REGISTERS]) {
    take_interrupts(machine, cpu);
    uint64_t returns = AGENT_AT(cpu->agent ? AGENT_CALL_END : AGENT_ROOT_CALL_END);
    engine_enter_kernel(&cpu->engine);
    set_registers(&cpu->engine, registers, returns);
    return returns;
}

/* Whether the CPU came back to who made the call; then what it brought. */
static bool end_call(struct machine *machine, struct machine_cpu *cpu, uint64_t returns,
                     uint64_t registers[MACHINE_REGISTERS]) {
    bool back = !machine->stop.stopped && !cpu->halted && cpu->at == returns;
    for (size_t i = 0; i < MACHINE_REGISTERS && back; i++)
        registers[i] = engine_get(&cpu->engine, call_registers[i]);
    if (back)
        check_registers(machine, &cpu->engine);
    return back;
}

bool machine_call(struct machine *machine, uint32_t index, uint64_t registers[MACHINE_REGISTERS], bool *back) {
    struct machine_cpu *cpu = &machine->cpu[index];
    uint64_t returns = begin_call(machine, cpu, registers);
    run(machine, cpu, cpu->system_call_entry);
    *back = end_call(machine, cpu, returns, registers);
    return !machine->stop.stopped;
}

/* ---- several at once ---- */

/* Whether the kernel began to decide about the call: then it has the lock. */
static bool is_begun(const struct machine_flight *flight, uint32_t cpu) {
    return !flight->decided || flight->machine->info->calls[cpu].begun != flight->begun;
}

static void on_store(uc_engine *uc, uc_mem_type type, uint64_t address, int bytes, int64_t value, void *context) {
    struct machine_cpu *cpu = context;
    struct machine_flight *flight = &cpu->flight;
    const struct machine *machine = flight->machine;
    (void)type;
    (void)bytes;
    (void)value;
    bool counts = flight->goes && flight->stack - address > STACK_BYTES && address - machine->lock_at >= LOCK_BYTES;
    if (!counts || !is_begun(flight, cpu->engine.index))
        return;
    if (++flight->stores == flight->store)
        strand_stand(&flight->strand);
    if (machine->stop.stopped)
        uc_emu_stop(uc);
}

/* From now on the CPU's stores are seen: what was translated before does not show them. */
static void watch_stores(struct machine_cpu *cpu) {
    uc_hook hook;
    void *callback;
    void (*function)(uc_engine *, uc_mem_type, uint64_t, int, int64_t, void *) = on_store;
    memcpy(&callback, &function, sizeof callback);
    uc_hook_add(cpu->engine.uc, &hook, UC_HOOK_MEM_WRITE, callback, cpu, 1, 0);
    uc_ctl_flush_tb(cpu->engine.uc);
    cpu->stores_seen = true;
}

/* The last byte of the kernel's stack, by physical address, as Unicorn tells stores. */
static uint64_t physical_stack(const struct machine *machine, const struct engine *engine) {
    const uint8_t *last = machine_see(machine, engine_get(engine, UC_X86_REG_CR3), kernel_stack(machine, engine) - 1);
    return last ? (uint64_t)(last - machine->memory.bytes) : 0;
}

/* The body of a flight's strand. */
static void fly(void *context) {
    struct machine_cpu *cpu = context;
    struct machine_flight *flight = &cpu->flight;
    run(flight->machine, cpu, cpu->system_call_entry);
    flight->goes = false;
    flight->back = end_call(flight->machine, cpu, flight->returns, flight->registers);
}

/* True: it stands. */
static bool start_flight(struct machine *machine, struct machine_cpu *cpu, const uint64_t registers[MACHINE_REGISTERS],
                         uint32_t store, bool decided) {
    struct machine_flight *flight = &cpu->flight;
    if (!cpu->stores_seen)
        watch_stores(cpu);
    flight->machine = machine;
    flight->stack = physical_stack(machine, &cpu->engine);
    flight->begun = machine->info->calls[cpu->engine.index].begun;
    flight->decided = decided;
    flight->store = store;
    flight->stores = 0;
    flight->awaits = NULL;
    memcpy(flight->registers, registers, sizeof flight->registers);
    flight->returns = begin_call(machine, cpu, registers);
    flight->goes = true;
    strand_start(&flight->strand, fly, cpu);
    return flight->goes;
}

/* True: it came back. */
static bool go_on(struct machine_cpu *cpu, uint32_t store) {
    struct machine_flight *flight = &cpu->flight;
    flight->store = store;
    flight->stores = 0;
    if (flight->goes)
        strand_go_on(&flight->strand);
    return !flight->goes;
}

bool machine_begin(struct machine *machine, uint32_t index, uint64_t registers[MACHINE_REGISTERS], uint32_t store,
                   bool *back) {
    struct machine_cpu *cpu = &machine->cpu[index];
    if (start_flight(machine, cpu, registers, store, true))
        return true;
    memcpy(registers, cpu->flight.registers, sizeof cpu->flight.registers);
    *back = cpu->flight.back;
    return false;
}

bool machine_go_on(struct machine *machine, uint32_t index, uint32_t store, uint64_t registers[MACHINE_REGISTERS],
                   bool *back) {
    struct machine_cpu *cpu = &machine->cpu[index];
    if (!go_on(cpu, store) && !machine->stop.stopped)
        return false;
    memcpy(registers, cpu->flight.registers, sizeof cpu->flight.registers);
    *back = !cpu->flight.goes && cpu->flight.back;
    return true;
}

bool machine_call_preempted(struct machine *machine, struct machine_pair *pair) {
    struct machine_cpu *cpu = &machine->cpu[0], *other = &machine->cpu[1];
    pair->preempted = start_flight(machine, cpu, pair->registers[0], pair->store, false);
    uint64_t returns = begin_call(machine, other, pair->registers[1]);
    go(machine, other, other->system_call_entry);
    pair->waited = pair->preempted && other->halted && !is_idle(machine, other);
    uint32_t before = cpu->flight.stores;
    go_on(cpu, 0);
    pair->stores = pair->preempted ? before + cpu->flight.stores : before;
    pair->back[0] = cpu->flight.back;
    memcpy(pair->registers[0], cpu->flight.registers, sizeof cpu->flight.registers);
    await_others(machine, other);
    pair->back[1] = end_call(machine, other, returns, pair->registers[1]);
    for (uint32_t i = 0; i < machine->cpus; i++)
        note_way(machine, &machine->cpu[i]);
    return !machine->stop.stopped;
}

/* Calls that stand are given up: the machine is not used any more as it is. */
static void give_up_flights(struct machine *machine) {
    for (uint32_t i = 0; i < machine->cpus; i++) {
        struct machine_flight *flight = &machine->cpu[i].flight;
        while (flight->goes) {
            machine->stop.stopped = true;
            strand_go_on(&flight->strand);
        }
    }
}

/* ---- the root task ---- */

static bool to_root(struct machine *machine) {
    uint64_t registers[MACHINE_REGISTERS] = {CONTROL_RETURN};
    bool back;
    return !machine->cpu[0].agent || (machine_call(machine, 0, registers, &back) && !machine->cpu[0].agent);
}

uint64_t machine_control(struct machine *machine, enum control call, uint64_t a, uint64_t b) {
    uint64_t registers[MACHINE_REGISTERS] = {call, a, b};
    bool back;
    if (!to_root(machine) || !machine_call(machine, 0, registers, &back))
        return CONTROL_E_DEAD;
    return back ? registers[0] : CONTROL_OK;
}

bool machine_switch(struct machine *machine, uint32_t index, uint32_t pd) {
    struct machine_cpu *cpu = &machine->cpu[index];
    if (pd == RESCIND_NONE && index == 0)
        return to_root(machine);
    if (pd == RESCIND_NONE && !cpu->agent)
        return true;
    uint64_t whom = pd == RESCIND_NONE ? CONTROL_NOBODY : pd;
    if (machine_control(machine, CONTROL_RUN, index, whom) != CONTROL_OK)
        return false;
    /* The kernel has made sure that the CPU left what it ran; that it starts is up to that CPU. */
    take_interrupts(machine, cpu);
    cpu->agent = pd != RESCIND_NONE;
    cpu->runs = pd;
    return !machine->stop.stopped;
}

/* ---- opening and closing ---- */

static bool open_engine(struct machine *machine, struct engine *engine, uint32_t index) {
    if (!engine_open(engine, UC_MODE_64, index, &machine->world, &machine->memory))
        return false;
    for (size_t i = 0; i < sizeof agent_rests; i++)
        engine_rest_at(engine, AGENT_AT(agent_rests[i]));
    return true;
}

static bool open_cpus(struct machine *machine) {
    bool good = open_engine(machine, &machine->watcher, 0);
    for (uint32_t i = 0; i < machine->cpus && good; i++) {
        machine->cpu[i].runs = RESCIND_NONE;
        good = open_engine(machine, &machine->cpu[i].engine, i);
    }
    return good;
}

/* Where the kernel executes `pause`, if that is where an instruction begins. */
static void watch_waiting(const struct machine *machine, struct engine *engine) {
    static const uint8_t pause[] = {0xf3, 0x90};
    for (uint64_t at = image_find(&machine->image, 0, pause, sizeof pause); at;
         at = image_find(&machine->image, at + 1, pause, sizeof pause))
        engine_pause_at(engine, at);
}

static void keep_cpus(struct machine *machine) {
    for (uint32_t i = 0; i < machine->cpus; i++) {
        struct machine_cpu *cpu = &machine->cpu[i];
        cpu->system_call_entry = engine_get_msr(&cpu->engine, MSR_LSTAR);
        cpu->engine.error_at = machine->watcher.error_at;
        cpu->engine.root_at = machine->watcher.root_at;
        engine_count_below(&cpu->engine, LOWER_HALF_END); /* not before: the kernel boots there */
        watch_waiting(machine, &cpu->engine);
        engine_keep(&cpu->engine);
    }
    engine_count_below(&machine->watcher, LOWER_HALF_END);
}

bool machine_open(struct machine *machine, const char *kernel, uint32_t cpus, struct machine_counters counters,
                  const char **why) {
    *machine = (struct machine){.cpus = cpus};
    machine->world = (struct engine_world){.context = machine,
                                           .in = port_in,
                                           .out = port_out,
                                           .apic_read = apic_read,
                                           .apic_write = apic_write,
                                           .may_wait = may_wait};
    if (!image_read(&machine->image, kernel, why))
        return false;
    *why = "no memory for the machine";
    if (!memory_open(&machine->memory) || !open_cpus(machine))
        return false;
    *why = "this is no kernel: symbols that booting needs are missing, or it is damaged";
    if (!boot_knows(machine) || !image_load(&machine->image, &machine->memory))
        return false;
    bool booted = boot_machine(machine);
    *why = machine->trouble;
    if (booted)
        keep_cpus(machine);
    for (uint32_t i = 0; i < cpus && booted && counters.count; i++)
        engine_count_blocks(&machine->cpu[i].engine, LOWER_HALF_END, counters.counter, counters.count);
    return booted;
}

void machine_close(struct machine *machine) {
    give_up_flights(machine);
    engine_close(&machine->watcher);
    for (uint32_t i = 0; i < MACHINE_CPUS; i++) {
        strand_close(&machine->cpu[i].flight.strand);
        engine_close(&machine->cpu[i].engine);
    }
    memory_close(&machine->memory);
    image_free(&machine->image);
}

void machine_reset(struct machine *machine, bool thorough) {
    give_up_flights(machine);
    memory_restore(&machine->memory, thorough || machine->stop.stopped);
    for (uint32_t i = 0; i < machine->cpus; i++) {
        struct machine_cpu *cpu = &machine->cpu[i];
        engine_reset(&cpu->engine);
        cpu->halted = i > 0;
        cpu->known = cpu->agent = cpu->going = false;
        cpu->runs = RESCIND_NONE;
        cpu->pending = 0;
        cpu->at = engine_get(&cpu->engine, UC_X86_REG_RIP);
    }
    engine_reset(&machine->watcher);
    machine->stop = (struct machine_stop){0};
    machine->line_bytes = 0;
}
