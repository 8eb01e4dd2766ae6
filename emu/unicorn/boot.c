/*
 * Boots the kernel's file as Multiboot says, by its own code. Unicorn's engines keep the mode that they are opened in,
 * so the way from real or protected mode to 64 bits is gone in an engine of its own, whose registers are then handed
 * on.
 */
#include "unicorn/agent.h"
#include "unicorn/machine.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MULTIBOOT_MAGIC UINT64_C(0x2badb002)
#define KERNEL_BASE UINT64_C(0xffffffff80000000) /* physical address 0, as the kernel is linked */
#define MSR_EFER 0xc0000080
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
enum { INFORMATION = 0x1000, MODULES = 0x1100, TEXT = 0x1180, MAP = 0x1200, CODE_OFFSET = 0x100, TRAMPOLINE = 0x8000 };
enum { PAGE_FAULT = 14, ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4, ERROR_FETCH = 16 };
enum { FLAG_MODULES = 1 << 3, FLAG_MAP = 1 << 6, AVAILABLE = 1 };

/* What the boot loader leaves (Multiboot specification 0.6.96, 3.3). */
struct multiboot {
    uint32_t flags, memory_low, memory_high, boot_device, command_line, module_count, modules, symbols[4];
    uint32_t map_bytes, map;
};

struct multiboot_module {
    uint32_t start, end, text, reserved;
};

struct multiboot_region {
    uint32_t bytes;
    uint64_t start, length;
    uint32_t type;
} __attribute__((packed));

/* The root task: one page in the agent window. */
static void make_root_task(uint8_t *file) {
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_entry = AGENT_AT(AGENT_ROOT),
        .e_phoff = sizeof header,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
    };
    const Elf64_Phdr segment = {
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_offset = CODE_OFFSET,
        .p_vaddr = CONTROL_AGENT_WINDOW,
        .p_filesz = AGENT_BYTES,
        .p_memsz = AGENT_BYTES,
    };
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, &segment, sizeof segment);
    memset(file + CODE_OFFSET, 0x90, AGENT_BYTES);
    for (size_t i = 0; i < sizeof agent_code / sizeof agent_code[0]; i++)
        memcpy(file + CODE_OFFSET + agent_code[i].place, agent_code[i].code, agent_code[i].length);
}

static void make_information(struct machine *machine) {
    uint8_t *bytes = machine->memory.bytes;
    uint32_t module = (uint32_t)((machine->image.end + MEMORY_PAGE - 1) & ~(uint64_t)(MEMORY_PAGE - 1));
    const struct multiboot information = {
        .flags = FLAG_MODULES | FLAG_MAP,
        .module_count = 1,
        .modules = MODULES,
        .map_bytes = sizeof(struct multiboot_region),
        .map = MAP,
    };
    const struct multiboot_module root_task = {
        .start = module, .end = module + CODE_OFFSET + AGENT_BYTES, .text = TEXT};
    const struct multiboot_region region = {.bytes = sizeof region - 4, .length = MEMORY_BYTES, .type = AVAILABLE};
    memcpy(bytes + INFORMATION, &information, sizeof information);
    memcpy(bytes + MODULES, &root_task, sizeof root_task);
    memcpy(bytes + MAP, &region, sizeof region);
    make_root_task(bytes + module);
}

/* ---- into 64 bits ---- */

/* Runs from `start`, in a mode in which CPUs start, to `end`, where 64-bit code begins; then `to` is where that was. */
static bool enter_long_mode(struct machine *machine, struct engine *to, uc_mode mode, uint64_t start, uint64_t end) {
    static const int handed_on[] = {UC_X86_REG_CR3, UC_X86_REG_CR4};
    struct engine from;
    uc_x86_mmr gdt;
    bool good = engine_open(&from, mode, to->index, &machine->world, &machine->memory);
    if (good) {
        uint32_t magic = MULTIBOOT_MAGIC, information = INFORMATION, stack = 0, argument = 0;
        uc_reg_write(from.uc, UC_X86_REG_EAX, &magic);
        uc_reg_write(from.uc, UC_X86_REG_EBX, &information);
        engine_rest_at(&from, end);
        good = engine_run(&from, start) == ENGINE_RESTS;
        for (size_t i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++)
            engine_set(to, handed_on[i], engine_get(&from, handed_on[i]));
        engine_set_msr(to, MSR_EFER, engine_get_msr(&from, MSR_EFER));
        engine_set(to, UC_X86_REG_CR0, engine_get(&from, UC_X86_REG_CR0));
        uc_reg_read(from.uc, UC_X86_REG_GDTR, &gdt);
        uc_reg_write(to->uc, UC_X86_REG_GDTR, &gdt);
        uc_reg_read(from.uc, UC_X86_REG_ESP, &stack);
        uc_reg_read(from.uc, UC_X86_REG_EDI, &argument);
        engine_set(to, UC_X86_REG_RSP, stack);
        engine_set(to, UC_X86_REG_RDI, argument);
    }
    engine_close(&from);
    return good;
}

/* Of a CPU that is in the kernel: what it is like when it comes there from user mode. */
static void keep_kernel(struct engine *engine) {
    uint64_t user = engine_get_msr(engine, MSR_KERNEL_GS_BASE), kernel = engine_get_msr(engine, MSR_GS_BASE);
    engine_remember(engine);
    engine_set_msr(engine, MSR_GS_BASE, user);
    engine_set_msr(engine, MSR_KERNEL_GS_BASE, kernel);
    machine_prepare_call(engine);
    engine_keep_kernel(engine);
    engine_recall(engine);
}

void boot_start_cpu(struct machine *machine, uint32_t cpu, uint32_t page) {
    uint64_t start = (uint64_t)page * MEMORY_PAGE;
    uint64_t end =
        start + image_symbol(&machine->image, "trampoline_entered") - image_symbol(&machine->image, "trampoline_start");
    struct machine_cpu *started = &machine->cpu[cpu];
    if (!enter_long_mode(machine, &started->engine, UC_MODE_16, start, end) ||
        engine_run(&started->engine, end) != ENGINE_HALTED) {
        machine->trouble = "a CPU does not come to its idle loop";
        return;
    }
    started->halted = true;
    keep_kernel(&started->engine);
}

/* ---- after boot ---- */

/* What the kernel shows the root task. */
static bool find_windows(struct machine *machine) {
    uint64_t root = engine_get(&machine->cpu[0].engine, UC_X86_REG_CR3);
    machine->info = machine_see(machine, root, CONTROL_INFO);
    for (uint32_t cpu = 0; cpu < MACHINE_CPUS; cpu++) {
        machine->mailbox[cpu] = machine_see(machine, root, CONTROL_MAILBOX(cpu));
        if (!machine->mailbox[cpu])
            return false;
        machine->mailbox[cpu]->entry = AGENT_AT(AGENT_HOME);
        machine->mailbox[cpu]->on_fault = AGENT_AT(AGENT_ON_FAULT);
    }
    return machine->info && machine->info->magic == CONTROL_MAGIC && machine->info->cpus == machine->cpus;
}

static void find_blocks(struct machine *machine) {
    uint64_t root = engine_get(&machine->cpu[0].engine, UC_X86_REG_CR3);
    for (uint64_t block = 0; block < MEMORY_KERNEL_BLOCKS; block++) {
        uint64_t address = KERNEL_BASE + MEMORY_KERNEL + block * MEMORY_BLOCK;
        machine->memory.mapping[block] = machine_see_leaf(machine, root, address);
    }
}

/* ---- what Unicorn does not tell ---- */

/* Faults of the watcher, which runs root's PD: nothing is mapped in the lower half, the agent's code can only be
 * executed, its mailbox not. Unicorn is to be asked for each anew: its engine takes a second exception for a double
 * fault. */
static bool fault(struct machine *machine, uint64_t place, uint64_t read, uint64_t write, uint64_t execute) {
    struct engine *watcher = &machine->watcher;
    engine_reset(watcher);
    engine_set(watcher, UC_X86_REG_RDI, read);
    engine_set(watcher, UC_X86_REG_RSI, write);
    engine_set(watcher, UC_X86_REG_RCX, execute);
    engine_set(watcher, UC_X86_REG_RSP, CONTROL_STACK_TOP(0));
    return engine_run(watcher, AGENT_AT(place)) == ENGINE_FAULTED && watcher->vector == PAGE_FAULT;
}

static bool find_error_codes(struct machine *machine, bool *candidate) {
    const struct {
        uint64_t place, read, write, execute;
        uint32_t error;
    } faults[] = {
        {AGENT_READ, 0x1000, 0, 0, ERROR_USER},
        {AGENT_WRITE, 0, 0x1000, 0, ERROR_USER | ERROR_WRITE},
        {AGENT_WRITE, 0, AGENT_AT(0), 0, ERROR_USER | ERROR_WRITE | ERROR_PRESENT},
        {AGENT_ACCESS_EXECUTE, 0, 0, CONTROL_MAILBOX(0), ERROR_USER | ERROR_FETCH | ERROR_PRESENT},
    };
    size_t place = 0;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (!fault(machine, faults[i].place, faults[i].read, faults[i].write, faults[i].execute))
            return false;
        place = engine_find(&machine->watcher, faults[i].error, sizeof faults[i].error, candidate);
    }
    machine->watcher.error_at = place;
    return place != 0;
}

static bool find_root_table(struct machine *machine, bool *candidate) {
    struct engine *watcher = &machine->watcher;
    engine_reset(watcher);
    uint64_t now = engine_get(watcher, UC_X86_REG_CR3);
    for (uint64_t other = 0; other < 4; other++) {
        engine_set(watcher, UC_X86_REG_CR3, now + other * MEMORY_PAGE);
        watcher->root_at = engine_find(watcher, now + other * MEMORY_PAGE, sizeof now, candidate);
    }
    engine_reset(watcher);
    return watcher->root_at != 0;
}

static bool find_places(struct machine *machine) {
    size_t bytes = machine->watcher.state_bytes;
    bool *candidate = malloc(bytes), *other = malloc(bytes);
    if (candidate && other) {
        memset(candidate, true, bytes);
        memset(other, true, bytes);
    }
    engine_keep(&machine->cpu[0].engine);
    engine_copy(&machine->watcher, &machine->cpu[0].engine);
    bool found = candidate && other && find_error_codes(machine, candidate) && find_root_table(machine, other);
    free(candidate);
    free(other);
    return found;
}

/* ---- all of it ---- */

/* To where the kernel leaves for the root task's first instruction, and on to that. */
static bool run_kernel(struct machine *machine, uint64_t entered) {
    struct machine_cpu *first = &machine->cpu[0];
    engine_pass_at(&first->engine, machine->resumes);
    first->engine.passing = true;
    bool resumes = engine_run(&first->engine, entered) == ENGINE_RESTS && first->engine.at == machine->resumes;
    first->engine.passing = false;
    if (!resumes)
        return false;
    keep_kernel(&first->engine);
    bool rests = engine_run(&first->engine, machine->resumes) == ENGINE_RESTS;
    first->at = first->engine.at;
    return rests && first->at == AGENT_AT(AGENT_ROOT);
}

bool boot_knows(struct machine *machine) {
    machine->waits = image_symbol(&machine->image, "machine_wait");
    machine->resumes = image_symbol(&machine->image, "machine_resume");
    uint64_t smp = image_symbol(&machine->image, "smp");
    machine->lock_at = smp - KERNEL_BASE;
    return machine->waits && machine->resumes && smp && image_symbol(&machine->image, "entered") &&
           image_symbol(&machine->image, "boot_entry") && image_symbol(&machine->image, "trampoline_entered") &&
           image_symbol(&machine->image, "trampoline_start");
}

bool boot_machine(struct machine *machine) {
    uint64_t start = image_symbol(&machine->image, "boot_entry");
    uint64_t entered = image_symbol(&machine->image, "entered") - KERNEL_BASE;
    make_information(machine);
    bool booted = enter_long_mode(machine, &machine->cpu[0].engine, UC_MODE_32, start - KERNEL_BASE, entered) &&
                  run_kernel(machine, entered);
    if (machine->trouble)
        return false;
    machine->trouble = machine->stop.stopped ? machine->stop.text : "the kernel does not come to the root task";
    if (!booted)
        return false;
    machine->trouble = "the kernel does not show the root task what it should";
    if (!find_windows(machine))
        return false;
    machine->trouble = "this version of Unicorn keeps error codes or CR3 where they are not found";
    if (!find_places(machine))
        return false;
    find_blocks(machine);
    machine->trouble = "no memory";
    return memory_save(&machine->memory);
}
