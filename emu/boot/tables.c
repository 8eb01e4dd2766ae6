/* Pages and mappings that live as long as the machine. */
#include "start.h"

#define LARGE_BYTES UINT64_C(0x200000)
#define APIC_PHYSICAL UINT64_C(0xfee00000)
#define PTE_UNCACHED UINT64_C(0x18)

enum { ENTRIES = 512, DEVICE_SLOT = 509 };
_Static_assert((LAYOUT_APIC >> 30 & (ENTRIES - 1)) == DEVICE_SLOT, "of the table with the kernel");

static uint64_t next_page;
static uint64_t devices[ENTRIES] __attribute__((aligned(CONTROL_PAGE)));
static uint64_t image_pages[ENTRIES] __attribute__((aligned(CONTROL_PAGE)));
extern uint64_t machine_task_state_table[ENTRIES];

void boot_pages_from(uint64_t physical) {
    next_page = (physical + CONTROL_PAGE - 1) & ~(uint64_t)(CONTROL_PAGE - 1);
}

uint64_t boot_take_pages(uint64_t count) {
    uint64_t taken = next_page;
    next_page += count * CONTROL_PAGE;
    BOOT_CHECK(next_page <= (uint64_t)(uintptr_t)memory_end);
    for (uint64_t page = taken; page < next_page; page += CONTROL_PAGE) {
        const uint64_t *word = machine_at(page);
        bool page_is_zero = *word == 0;
        BOOT_CHECK(page_is_zero);
    }
    return taken;
}

static uint64_t *entry_of(uint64_t address, unsigned level) {
    uint64_t *table = boot_root;
    for (unsigned l = GEO_LEVELS - 1;; l--) {
        uint64_t *entry = &table[address >> (PTE_FRAME_SHIFT + l * GEO_LEVEL_BITS) & (ENTRIES - 1)];
        if (l == level) {
            return entry;
        }
        if (!pte_present(*entry)) {
            *entry = pte_to_table(boot_take_pages(1) >> PTE_FRAME_SHIFT);
        }
        table = machine_at(pte_frame(*entry) << PTE_FRAME_SHIFT);
    }
}

void boot_map(uint64_t address, uint64_t physical, uint64_t bytes, enum boot_access access, bool large) {
    static const unsigned rights[] = {
        [BOOT_READ] = ABI_R, [BOOT_WRITE] = ABI_R | ABI_W, [BOOT_EXECUTE] = ABI_R | ABI_X};
    uint64_t step = large ? LARGE_BYTES : CONTROL_PAGE;
    BOOT_CHECK((address | physical | bytes) % step == 0);
    for (uint64_t done = 0; done < bytes; done += step) {
        uint64_t *entry = entry_of(address + done, large);
        BOOT_CHECK(!pte_present(*entry));
        *entry = pte_leaf(large, (physical + done) >> PTE_FRAME_SHIFT, rights[access]);
    }
}

void boot_map_devices(void) {
    devices[0] = APIC_PHYSICAL | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_UNCACHED | PTE_NO_EXECUTE;
    devices[1] = machine_physical(machine_task_state_table) | PTE_PRESENT | PTE_WRITE;
    boot_high[DEVICE_SLOT] = machine_physical(devices) | PTE_PRESENT | PTE_WRITE;
}

static uint64_t image_entry(uint64_t address) {
    uint64_t entry = (address - LAYOUT_KERNEL_BASE) | PTE_PRESENT;
    if (address < (uint64_t)(uintptr_t)image_start || address >= (uint64_t)(uintptr_t)image_rodata_end) {
        return entry | PTE_WRITE | PTE_NO_EXECUTE;
    }
    return address < (uint64_t)(uintptr_t)image_text_end ? entry : entry | PTE_NO_EXECUTE;
}

void boot_protect_kernel(void) {
    uint64_t image = (uint64_t)(uintptr_t)image_start & ~(LARGE_BYTES - 1);
    uint64_t own = (image - LAYOUT_KERNEL_BASE) / LARGE_BYTES;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        image_pages[i] = image_entry(image + i * CONTROL_PAGE);
    }
    /* Never what this code runs in, which may go on into a page that the CPU has not come to yet. */
    for (uint64_t i = 0; i < 2 * ENTRIES; i++) {
        boot_directories[i] |= i == own ? 0 : PTE_NO_EXECUTE;
    }
    boot_directories[own] = machine_physical(image_pages) | PTE_PRESENT | PTE_WRITE;
    boot_root[0] = 0;
    cpu_write_cr3(cpu_read_cr3());
}
