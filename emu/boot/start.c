/* From the first instruction in C to the root task; kernel.ld and docs/emulation.md say what lies where. */
#include "start.h"

#include "boot.h"
#include "pd.h"
#include "usage.h"

#define MULTIBOOT_MAGIC UINT32_C(0x2badb002)
#define LARGE_BYTES UINT64_C(0x200000)
#define MEMORY_BYTES UINT64_C(0x80000000)
#define STACK_BYTES LARGE_BYTES

/* Of the page tables that map the heap: more than they can be. */
enum { SPARE_PAGES = 16 };

static void copy_text(char *to, uint64_t bytes, const char *from) {
    for (uint64_t i = 0; i < bytes - 1 && from[i]; i++) {
        to[i] = from[i];
    }
}

static void fill_info(const struct boot_module *modules, uint32_t count, uint64_t heap_bytes) {
    static const struct rescind_costs costs = USAGE_COSTS;
    struct control_info *info = machine.info;
    info->magic = CONTROL_MAGIC;
    info->cpus = machine.cpus;
    info->leaf_level = machine.leaf_level;
    info->heap_bytes = heap_bytes;
    info->memory_bytes = MEMORY_BYTES;
    info->kernel_frame = GEO_KERNEL_FRAME;
    info->cost_pd = costs.pd;
    info->cost_object = costs.object;
    info->cost_node = costs.node;
    info->cost_table = costs.table;
    info->features = machine_features();
    info->module_count = count - 1;
    for (uint32_t i = 1; i < count; i++) {
        struct control_module *module = &info->module[i - 1];
        module->physical = modules[i].physical;
        module->bytes = modules[i].bytes;
        copy_text(module->text, sizeof module->text, modules[i].text);
    }
    copy_text(info->command_line, sizeof info->command_line, modules[0].text);
}

/* Mailboxes, stacks of agents, and the information pages. */
static void make_windows(void) {
    uint64_t info_bytes = (sizeof *machine.info + CONTROL_PAGE - 1) & ~(uint64_t)(CONTROL_PAGE - 1);
    uint64_t info = boot_take_pages(info_bytes / CONTROL_PAGE);
    machine.info = machine_at(info);
    boot_map(CONTROL_INFO, info, info_bytes, BOOT_READ, false);
    for (uint32_t cpu = 0; cpu < CONTROL_CPUS; cpu++) {
        uint64_t pages = boot_take_pages(2);
        machine.mailbox[cpu] = machine_at(pages);
        boot_map(CONTROL_MAILBOX(cpu), pages, 2 * CONTROL_PAGE, BOOT_WRITE, false);
    }
    boot_map(CONTROL_MEMORY_WINDOW, 0, MEMORY_BYTES, BOOT_WRITE, true);
}

/* All memory that is left: the heap, a gap, the stack of root's thread. */
static uint64_t make_heap(void) {
    uint64_t start = (boot_take_pages(0) + SPARE_PAGES * CONTROL_PAGE + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
    uint64_t end = (uint64_t)(uintptr_t)memory_end;
    uint64_t bytes = end - STACK_BYTES - start;
    BOOT_CHECK(start + STACK_BYTES < end);
    boot_map(CONTROL_HEAP, start, bytes, BOOT_WRITE, true);
    boot_map(CONTROL_HEAP + bytes + LARGE_BYTES, end - STACK_BYTES, STACK_BYTES, BOOT_WRITE, true);
    return bytes;
}

/* The windows are mapped in the table that the kernel started with, and handed on from there. */
static void hand_out_windows(void) {
    uint64_t *root = pd_root()->root_table;
    root[LAYOUT_SLOT_ROOT] = boot_root[LAYOUT_SLOT_ROOT];
    root[LAYOUT_SLOT_MEMORY] = boot_root[LAYOUT_SLOT_MEMORY];
    boot_root[LAYOUT_SLOT_AGENT] = boot_root[LAYOUT_SLOT_ROOT] = boot_root[LAYOUT_SLOT_MEMORY] = 0;
}

static void set_up_kernel(void) {
    machine.cpus = 1;
    machine.leaf_level = machine_features() & CONTROL_PAGES_1G ? GEO_LEAF_LEVEL : GEO_LEAF_LEVEL - 1;
    machine.kernel_root = machine_physical(boot_root);
    machine.agent_entry = boot_root[LAYOUT_SLOT_AGENT];
    machine.kernel_entry = boot_root[LAYOUT_SLOT_KERNEL];
    machine_set_up_apic();
    boot_start_others();
    boot_protect_kernel();
    boot();
    hand_out_windows();
}

_Noreturn void boot_start(uint64_t multiboot, uint32_t magic) {
    struct boot_module modules[CONTROL_MODULES + 1];
    console_set_up();
    BOOT_CHECK(magic == MULTIBOOT_MAGIC);
    BOOT_CHECK(*zero_start == 0 && *zero_last == 0);
    boot_check_memory(multiboot);
    uint32_t count = boot_modules(multiboot, modules, CONTROL_MODULES + 1);
    bool there_is_a_root_task = count > 0;
    BOOT_CHECK(there_is_a_root_task);
    boot_pages_from(modules[count - 1].physical + modules[count - 1].bytes);
    boot_map_devices();
    machine_set_up_cpu(0);
    uint64_t entry = boot_load_root_task(&modules[0]);
    make_windows();
    uint64_t heap_bytes = make_heap();
    set_up_kernel();
    fill_info(modules, count, heap_bytes);
    machine_tell_usage();
    machine_start_root(entry, CONTROL_HEAP + heap_bytes + LARGE_BYTES + STACK_BYTES);
}
