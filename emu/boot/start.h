/*
 * What boots the kernel: the parts of emu/boot. Above the machine-dependent kernel (src/kernel/arch/x86_64); nothing
 * there knows of it but by platform.h.
 */
#ifndef RESCIND_BOOT_PARTS_H
#define RESCIND_BOOT_PARTS_H

#include "arch/x86_64/machine.h"
#include "arch/x86_64/platform.h"

/* From kernel.ld; symbols, not objects. */
extern const uint8_t image_start[], image_text_end[], image_rodata_end[], image_end[], memory_end[];
extern const uint64_t zero_start[], zero_last[], zero_end[];

/* multiboot.S */
extern uint64_t boot_root[512], boot_high[512], boot_directories[1024];
extern const uint8_t trampoline_start[], trampoline_end[];

/* console.c: numbers for a panic */
void console_text(const char *text);
void console_hex(uint64_t number);
void console_set_up(void);

/* Stops if something is not as it must be for the kernel to start. */
void boot_check(bool holds, const char *text, const char *function);
#define BOOT_CHECK(condition) boot_check((condition), #condition, __func__)

/* modules.c: what the boot loader left. */
struct boot_module {
    uint64_t physical, bytes;
    const char *text;
};
/* The first is the root task. Returns how many there are, at most `limit`. */
uint32_t boot_modules(uint64_t multiboot, struct boot_module *modules, uint32_t limit);
/* Checks that there is the memory that kernel.ld counts on. */
void boot_check_memory(uint64_t multiboot);

/* tables.c: pages, and the part of the address space that is not MEM. */
/* The first page that may be given out. */
void boot_pages_from(uint64_t physical);
/* Physical address of pages full of zeroes. */
uint64_t boot_take_pages(uint64_t count);
enum boot_access { BOOT_READ, BOOT_WRITE, BOOT_EXECUTE };
/* Maps for user mode; multiples of 4 KiB, or of 2 MiB if `large`. */
void boot_map(uint64_t address, uint64_t physical, uint64_t bytes, enum boot_access access, bool large);
/* Devices and task state segments appear. */
void boot_map_devices(void);
/* The kernel's code and constants can no longer be written, and nothing else executed; the start-up code's addresses
 * vanish. */
void boot_protect_kernel(void);

/* root_task.c: loads the root task into its windows; its entry. */
uint64_t boot_load_root_task(const struct boot_module *module);

/* others.c: starts all other CPUs. */
void boot_start_others(void);
_Noreturn void boot_join(uint32_t index);

/* start.c */
_Noreturn void boot_start(uint64_t multiboot, uint32_t magic);

#endif
