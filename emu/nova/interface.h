/*
 * The binary interface of NOVA r10 (API version 10, x86-64), as far as it is used here: numbers, layouts, and the one
 * instruction that enters the kernel. Written from the description of the interface; shared by root task and agents.
 */
#ifndef RESCIND_NOVA_INTERFACE_H
#define RESCIND_NOVA_INTERFACE_H

#include <stdint.h>

enum { NOVA_API = 10, NOVA_PAGE = 4096, NOVA_PAGE_LOG2 = 12, NOVA_ORDER_MAX = 31, NOVA_CPUS = 64, NOVA_EVENTS = 32 };
#define NOVA_SIGNATURE UINT32_C(0x41564f4e)

/* The root task's own memory, and the end of everybody's. */
#define NOVA_USER_END UINT64_C(0x7fffc0000000)
#define NOVA_HIP UINT64_C(0x7fffbffff000)
#define NOVA_ROOT_UTCB UINT64_C(0x7fffbfffe000)

/* What the root task finds in its object space. */
enum { NOVA_ROOT_PD = 32 };

enum nova_call {
    NOVA_CALL = 0,
    NOVA_REPLY = 1,
    NOVA_CREATE_PD = 2,
    NOVA_CREATE_EC = 3,
    NOVA_CREATE_SC = 4,
    NOVA_CREATE_PT = 5,
    NOVA_CREATE_SM = 6,
    NOVA_REVOKE = 7,
    NOVA_MISC = 8,
    NOVA_PT_CTRL = 11,
    NOVA_SM_CTRL = 12,
    NOVA_PD_CTRL = 15,
};

/* Flags, by call. */
enum {
    NOVA_EC_GLOBAL = 1,
    NOVA_REVOKE_SELF = 1,
    NOVA_REVOKE_REMOTE = 2,
    NOVA_REVOKE_KEEP = 4,
    NOVA_MISC_LOOKUP = 0,
    NOVA_MISC_DELEGATE = 1,
    NOVA_SM_UP = 0,
    NOVA_SM_DOWN = 1,
    NOVA_PD_REPORT = 2,
};

enum nova_status {
    NOVA_SUCCESS = 0,
    NOVA_TIMEOUT = 1,
    NOVA_ABORTED = 2,
    NOVA_BAD_HYPERCALL = 3,
    NOVA_BAD_CAPABILITY = 4,
    NOVA_BAD_PARAMETER = 5,
    NOVA_BAD_FEATURE = 6,
    NOVA_BAD_CPU = 7,
    NOVA_BAD_DEVICE = 8,
    NOVA_OUT_OF_MEMORY = 9,
};

/* Registers: the status comes back in rdi, a lookup's answer in rsi. */
struct nova_registers {
    uint64_t rdi, rsi, rdx, rax, r8;
};

static inline uint64_t nova_word(enum nova_call call, unsigned flags, uint64_t selector) {
    return (uint64_t)call | (uint64_t)flags << 4 | selector << 8;
}

static inline enum nova_status nova_enter(struct nova_registers *registers) {
    register uint64_t r8 __asm__("r8") = registers->r8;
    __asm__ volatile("syscall"
                     : "+D"(registers->rdi), "+S"(registers->rsi), "+d"(registers->rdx), "+a"(registers->rax), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return (enum nova_status)(registers->rdi & 0xff);
}

/* Ranges: of memory in pages, of ports, of selectors. */
enum nova_kind { NOVA_NOTHING = 0, NOVA_MEMORY = 1, NOVA_PORTS = 2, NOVA_OBJECTS = 3 };
enum { NOVA_ALL_RIGHTS = 0x1f, NOVA_MEMORY_RIGHTS = 7 };

static inline uint64_t nova_range(enum nova_kind kind, uint64_t base, unsigned order, unsigned rights) {
    return (uint64_t)kind | (uint64_t)rights << 2 | (uint64_t)order << 7 | base << 12;
}

static inline unsigned nova_range_rights(uint64_t range) {
    return range >> 2 & NOVA_ALL_RIGHTS;
}

/* A typed item: a range and what is to be done with it. */
enum { NOVA_ITEM_DELEGATE = 1, NOVA_ITEM_FROM_KERNEL = 0x800 };

struct nova_utcb {
    uint64_t count; /* words, items << 16 */
    uint64_t translate_window, delegate_window, tls;
    union {
        uint64_t word[1];
        struct {
            uint64_t mtd, instruction_length, rip, rflags, states, injection, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi,
                r8_to_r15[8], error, cr2;
        } exception;
    };
};

/* The first item lies at the end of the page, further ones before it. */
static inline void nova_put_item(struct nova_utcb *utcb, uint64_t range, uint64_t what) {
    uint64_t *item = (uint64_t *)(void *)((uint8_t *)utcb + NOVA_PAGE - 16);
    item[0] = range;
    item[1] = what;
    utcb->count = UINT64_C(1) << 16;
}

/* What is told of a thread that was stopped. */
enum { NOVA_MTD_RDI = 1u << 1, NOVA_MTD_RSP = 1u << 2, NOVA_MTD_RIP = 1u << 3, NOVA_MTD_QUALIFICATION = 1u << 15 };
enum { NOVA_EVENT_STARTUP = 30 };

/* The information page; CPU and memory records follow, at the offsets that it names. */
struct nova_hip {
    uint32_t signature;
    uint16_t checksum, length, cpu_offset, cpu_size, memory_offset, memory_size;
    uint32_t features, api, selectors, exceptions, vm_events, gsis, page_size, utcb_size, khz;
};

struct nova_hip_memory {
    uint64_t address, size;
    int32_t type;
    uint32_t aux; /* of a module: the physical address of its text */
};
enum { NOVA_MEMORY_HYPERVISOR = -1, NOVA_MEMORY_MODULE = -2 };

#endif
