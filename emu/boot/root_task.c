/* Loads the root task: an ELF of 64 bits whose segments lie in the agent window or in root's own. */
#include "start.h"

enum { ELF_EXECUTABLE = 2, ELF_X86_64 = 62, SEGMENT_LOAD = 1, SEGMENT_EXECUTE = 1, SEGMENT_WRITE = 2 };
#define ELF_MAGIC UINT64_C(0x00010102464c457f) /* 64 bits, little endian, version 1, System V */
#define WINDOW_PART UINT64_C(0x40000000)       /* of a window, for segments */

struct elf_header {
    uint64_t magic, padding;
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments, sections;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_bytes, memory_bytes, alignment;
};

static bool in_part(const struct elf_segment *segment, uint64_t window) {
    return segment->address >= window && segment->address < window + WINDOW_PART &&
           segment->memory_bytes <= window + WINDOW_PART - segment->address;
}

static void load(const struct elf_segment *segment, const uint8_t *file, uint64_t file_bytes) {
    bool is_agent = in_part(segment, CONTROL_AGENT_WINDOW);
    enum boot_access access = is_agent || segment->flags & SEGMENT_EXECUTE ? BOOT_EXECUTE
                              : segment->flags & SEGMENT_WRITE             ? BOOT_WRITE
                                                                           : BOOT_READ;
    bool segment_in_a_window = is_agent || in_part(segment, CONTROL_ROOT_WINDOW);
    BOOT_CHECK(segment_in_a_window);
    BOOT_CHECK(segment->offset <= file_bytes && segment->file_bytes <= file_bytes - segment->offset);
    BOOT_CHECK(segment->file_bytes <= segment->memory_bytes);
    uint64_t first = segment->address & ~(uint64_t)(CONTROL_PAGE - 1);
    uint64_t pages = (segment->address + segment->memory_bytes - first + CONTROL_PAGE - 1) / CONTROL_PAGE;
    uint64_t physical = boot_take_pages(pages);
    __builtin_memcpy((uint8_t *)machine_at(physical) + segment->address % CONTROL_PAGE, file + segment->offset,
                     segment->file_bytes);
    boot_map(first, physical, pages * CONTROL_PAGE, access, false);
}

uint64_t boot_load_root_task(const struct boot_module *module) {
    const uint8_t *file = machine_at(module->physical);
    const struct elf_header *header = (const void *)file;
    BOOT_CHECK(module->bytes >= sizeof *header);
    BOOT_CHECK(header->magic == ELF_MAGIC && header->type == ELF_EXECUTABLE && header->machine == ELF_X86_64);
    BOOT_CHECK(header->segment_bytes == sizeof(struct elf_segment));
    BOOT_CHECK(header->segments <= module->bytes &&
               header->segment_count * (uint64_t)header->segment_bytes <= module->bytes - header->segments);
    const struct elf_segment *segment = (const void *)(file + header->segments);
    for (unsigned i = 0; i < header->segment_count; i++) {
        if (segment[i].type == SEGMENT_LOAD && segment[i].memory_bytes > 0) {
            load(&segment[i], file, module->bytes);
        }
    }
    return header->entry;
}
