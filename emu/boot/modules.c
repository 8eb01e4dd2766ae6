/* What the boot loader says (Multiboot specification 0.6.96, 3.3). */
#include "start.h"

enum { FLAG_MODULES = 1 << 3, FLAG_MAP = 1 << 6, AVAILABLE = 1 };

struct multiboot {
    uint32_t flags, memory_low, memory_high, boot_device, command_line, module_count, modules, symbols[4];
    uint32_t map_bytes, map;
};

struct multiboot_module {
    uint32_t start, end, text, reserved;
};

struct multiboot_region {
    uint32_t bytes; /* of this, itself not counted */
    uint64_t start, length;
    uint32_t type;
} __attribute__((packed));

void boot_check_memory(uint64_t multiboot) {
    const struct multiboot *info = machine_at(multiboot);
    bool found = false;
    BOOT_CHECK((info->flags & FLAG_MAP) != 0);
    for (uint32_t at = 0; at < info->map_bytes;) {
        const struct multiboot_region *region = machine_at(info->map + at);
        uint64_t start = (uint64_t)GEO_KERNEL_FRAME << PTE_FRAME_SHIFT;
        found = found || (region->type == AVAILABLE && region->start <= start &&
                          region->start + region->length >= (uint64_t)(uintptr_t)memory_end);
        at += region->bytes + (uint32_t)sizeof region->bytes;
    }
    bool memory_is_2_gib = found;
    BOOT_CHECK(memory_is_2_gib);
}

uint32_t boot_modules(uint64_t multiboot, struct boot_module *modules, uint32_t limit) {
    const struct multiboot *info = machine_at(multiboot);
    const struct multiboot_module *given = machine_at(info->modules);
    uint32_t count = info->flags & FLAG_MODULES ? info->module_count : 0;
    BOOT_CHECK(count <= limit);
    for (uint32_t i = 0; i < count; i++) {
        modules[i] = (struct boot_module){
            .physical = given[i].start,
            .bytes = given[i].end - given[i].start,
            .text = machine_at(given[i].text),
        };
    }
    return count;
}
