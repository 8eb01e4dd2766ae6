/* See engine.h. */
#include "unicorn/engine.h"

#include <stdlib.h>
#include <string.h>

/* A CPU that has no-execute, SMEP, SMAP and leaves of 1 GiB; Unicorn emulates no more of it than it can. */
enum { MODEL = UC_CPU_X86_SKYLAKE_SERVER, CODE_BYTES = 64 << 20, PIECES_MAX = 1 << 15, BITS = 64 };
#define CODES_BYTES ((size_t)(1 << ENGINE_CODES_LOG2) / 8)
#define APIC_PHYSICAL UINT64_C(0xfee00000)

static void end(struct engine *engine, enum engine_end how) {
    engine->end = how;
    uc_emu_stop(engine->uc);
}

/* ---- what Unicorn calls ---- */

static void on_rest(uc_engine *uc, uint64_t address, uint32_t size, void *context) {
    struct engine *engine = context;
    (void)uc;
    (void)size;
    engine->at = address;
    end(engine, ENGINE_RESTS);
}

static void on_pass(uc_engine *uc, uint64_t address, uint32_t size, void *context) {
    const struct engine *engine = context;
    if (engine->passing)
        on_rest(uc, address, size, context);
}

static void on_pause(uc_engine *uc, uint64_t address, uint32_t size, void *context) {
    struct engine *engine = context;
    (void)uc;
    (void)size;
    engine->at = address;
    if (engine->world->may_wait(engine))
        end(engine, ENGINE_PAUSES);
}

static void on_counted(uc_engine *uc, uint64_t address, uint32_t size, void *context) {
    struct engine *engine = context;
    if (engine->steps-- == 0)
        on_rest(uc, address, size, context);
}

static void on_exception(uc_engine *uc, uint32_t vector, void *context) {
    struct engine *engine = context;
    (void)uc;
    engine->vector = vector;
    end(engine, ENGINE_FAULTED);
}

static uint32_t on_in(uc_engine *uc, uint32_t port, int bytes, void *context) {
    const struct engine *engine = context;
    (void)uc;
    (void)bytes;
    return engine->world->in(engine->world->context, (uint16_t)port);
}

static void on_out(uc_engine *uc, uint32_t port, int bytes, uint32_t value, void *context) {
    struct engine *engine = context;
    (void)uc;
    (void)bytes;
    if (!engine->world->out(engine->world->context, (uint16_t)port, value))
        end(engine, ENGINE_ENDED);
}

static uint64_t on_apic_read(uc_engine *uc, uint64_t offset, unsigned bytes, void *context) {
    struct engine *engine = context;
    (void)uc;
    (void)bytes;
    return engine->world->apic_read(engine, (uint32_t)offset);
}

static void on_apic_write(uc_engine *uc, uint64_t offset, unsigned bytes, uint64_t value, void *context) {
    struct engine *engine = context;
    (void)uc;
    (void)bytes;
    engine->world->apic_write(engine, (uint32_t)offset, (uint32_t)value);
}

/* ---- opening and closing ---- */

/* A hook's type is void *; that of a function is none. */
static void *callback(void (*function)(void)) {
    void *pointer;
    memcpy(&pointer, &function, sizeof pointer);
    return pointer;
}

static bool add_hooks(struct engine *engine) {
    uc_hook hook;
    uc_engine *uc = engine->uc;
    engine->why = uc_hook_add(uc, &hook, UC_HOOK_INTR, callback((void (*)(void))on_exception), engine, 1, 0);
    if (engine->why == UC_ERR_OK)
        engine->why =
            uc_hook_add(uc, &hook, UC_HOOK_INSN, callback((void (*)(void))on_in), engine, 1, 0, UC_X86_INS_IN);
    if (engine->why == UC_ERR_OK)
        engine->why =
            uc_hook_add(uc, &hook, UC_HOOK_INSN, callback((void (*)(void))on_out), engine, 1, 0, UC_X86_INS_OUT);
    return engine->why == UC_ERR_OK;
}

/* All states of an engine have one size. */
static bool allocate_states(struct engine *engine) {
    uc_context **const states[] = {&engine->booted, &engine->state, &engine->kernel, &engine->scratch};
    for (size_t i = 0; i < sizeof states / sizeof states[0] && engine->why == UC_ERR_OK; i++)
        engine->why = uc_context_alloc(engine->uc, states[i]);
    engine->state_bytes = uc_context_size(engine->uc);
    engine->noted = calloc(1, CODES_BYTES);
    if (!engine->noted)
        engine->why = UC_ERR_NOMEM;
    return engine->why == UC_ERR_OK;
}

bool engine_open(struct engine *engine, uc_mode mode, uint32_t index, const struct engine_world *world,
                 const struct memory *memory) {
    *engine = (struct engine){.world = world, .index = index};
    engine->why = uc_open(UC_ARCH_X86, mode, &engine->uc);
    if (engine->why == UC_ERR_OK)
        engine->why = uc_ctl_set_cpu_model(engine->uc, MODEL);
    if (engine->why == UC_ERR_OK)
        engine->why = uc_ctl_set_tcg_buffer_size(engine->uc, CODE_BYTES);
    if (engine->why == UC_ERR_OK)
        engine->why = uc_mem_map_ptr(engine->uc, 0, MEMORY_BYTES, UC_PROT_ALL, memory->bytes);
    if (engine->why == UC_ERR_OK)
        engine->why = uc_mmio_map(engine->uc, APIC_PHYSICAL, MEMORY_PAGE, on_apic_read, engine, on_apic_write, engine);
    return engine->why == UC_ERR_OK && add_hooks(engine) && allocate_states(engine);
}

void engine_close(struct engine *engine) {
    uc_context *const states[] = {engine->booted, engine->state, engine->kernel, engine->scratch};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (states[i])
            uc_context_free(states[i]);
    }
    if (engine->uc)
        uc_close(engine->uc);
    free(engine->noted);
    *engine = (struct engine){0};
}

void engine_rest_at(struct engine *engine, uint64_t address) {
    uc_hook hook;
    uc_hook_add(engine->uc, &hook, UC_HOOK_CODE, callback((void (*)(void))on_rest), engine, address, address);
}

void engine_pass_at(struct engine *engine, uint64_t address) {
    uc_hook hook;
    uc_hook_add(engine->uc, &hook, UC_HOOK_CODE, callback((void (*)(void))on_pass), engine, address, address);
}

void engine_pause_at(struct engine *engine, uint64_t address) {
    uc_hook hook;
    uc_hook_add(engine->uc, &hook, UC_HOOK_CODE, callback((void (*)(void))on_pause), engine, address, address);
}

void engine_count_below(struct engine *engine, uint64_t address) {
    uc_hook hook;
    uc_hook_add(engine->uc, &hook, UC_HOOK_CODE, callback((void (*)(void))on_counted), engine, 0, address - 1);
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *context) {
    struct engine *engine = context;
    (void)uc;
    (void)size;
    uint32_t now = (uint32_t)address, *before = &engine->block;
    uint8_t *counter = &engine->counter[(now ^ *before) & (engine->counters - 1)];
    *counter = (uint8_t)(*counter + (*counter < UINT8_MAX));
    *before = now >> 1; /* so that there is a difference between going and coming back */
}

void engine_count_blocks(struct engine *engine, uint64_t address, uint8_t *counter, uint32_t count) {
    uc_hook hook;
    engine->counter = counter;
    engine->counters = count;
    uc_ctl_flush_tb(engine->uc); /* what was translated is not watched */
    uc_hook_add(engine->uc, &hook, UC_HOOK_BLOCK, callback((void (*)(void))on_block), engine, address, UINT64_MAX);
}

/* ---- running ---- */

static void read_error(struct engine *engine) {
    engine->address = engine_get(engine, UC_X86_REG_CR2);
    engine->error = 0;
    if (!engine->error_at)
        return;
    uc_context_save(engine->uc, engine->scratch);
    memcpy(&engine->error, (const uint8_t *)engine->scratch + engine->error_at, sizeof engine->error);
}

void engine_note_code(struct engine *engine, uint64_t number) {
    if (number >> ENGINE_CODES_LOG2) {
        engine->pieces++;
        return;
    }
    uint64_t *word = &engine->noted[number / BITS], bit = UINT64_C(1) << number % BITS;
    engine->pieces += *word & bit ? 0 : 1;
    *word |= bit;
}

void engine_forget_code(struct engine *engine) {
    engine->pieces = PIECES_MAX;
}

enum engine_end engine_run(struct engine *engine, uint64_t address) {
    if (engine->pieces >= PIECES_MAX) {
        uc_ctl_flush_tb(engine->uc);
        memset(engine->noted, 0, CODES_BYTES);
        engine->pieces = 0;
    }
    engine->end = ENGINE_HALTED; /* unless something says otherwise */
    engine->why = uc_emu_start(engine->uc, address, 0, 0, 0);
    if (engine->why != UC_ERR_OK)
        engine->end = ENGINE_LOST;
    else if (engine->end == ENGINE_FAULTED)
        read_error(engine);
    return engine->end;
}

/* ---- registers ---- */

uint64_t engine_get(const struct engine *engine, int reg) {
    uint64_t value = 0;
    uc_reg_read(engine->uc, reg, &value);
    return value;
}

void engine_set(struct engine *engine, int reg, uint64_t value) {
    uc_reg_write(engine->uc, reg, &value);
}

uint64_t engine_get_msr(const struct engine *engine, uint32_t msr) {
    uc_x86_msr value = {.rid = msr};
    uc_reg_read(engine->uc, UC_X86_REG_MSR, &value);
    return value.value;
}

void engine_set_msr(struct engine *engine, uint32_t msr, uint64_t value) {
    uc_x86_msr both = {.rid = msr, .value = value};
    uc_reg_write(engine->uc, UC_X86_REG_MSR, &both);
}

void engine_remember(struct engine *engine) {
    uc_context_save(engine->uc, engine->state);
}

void engine_recall(struct engine *engine) {
    uc_context_restore(engine->uc, engine->state);
}

void engine_keep(struct engine *engine) {
    uc_context_save(engine->uc, engine->booted);
}

void engine_reset(struct engine *engine) {
    uc_context_restore(engine->uc, engine->booted);
    uc_ctl_flush_tlb(engine->uc);
}

void engine_copy(struct engine *engine, const struct engine *from) {
    uc_context_restore(engine->uc, from->booted);
    engine_keep(engine);
}

void engine_keep_kernel(struct engine *engine) {
    uc_context_save(engine->uc, engine->kernel);
}

void engine_enter_kernel(struct engine *engine) {
    uint64_t root_table = engine_get(engine, UC_X86_REG_CR3);
    memcpy((uint8_t *)engine->kernel + engine->root_at, &root_table, sizeof root_table);
    uc_context_restore(engine->uc, engine->kernel);
}

size_t engine_find(struct engine *engine, uint64_t value, size_t bytes, bool *candidate) {
    size_t left = 0, place = 0;
    uc_context_save(engine->uc, engine->scratch);
    for (size_t at = 0; at + bytes <= engine->state_bytes; at++) {
        candidate[at] = candidate[at] && memcmp((const uint8_t *)engine->scratch + at, &value, bytes) == 0;
        left += candidate[at];
        place = candidate[at] ? at : place;
    }
    return left == 1 ? place : 0;
}
