/* See root.h. */
#include "instructions.h"
#include "root.h"

enum { TICKS = 10000000, STACK_BYTES = 4096, PRIORITY = 1, QUANTUM = 10000, PRIORITY_BITS = 12 };

static uint8_t stacks[LAYOUT_CPUS][2][STACK_BYTES] __attribute__((aligned(4096)));

void ticker_portal(void);
void ticker_entry(void);
void start_ticker(uint64_t cpu);
_Noreturn void tick(uint64_t semaphore);

static uint64_t block(uint64_t cpu) {
    return ROOT_TICKER + (cpu << ROOT_TICKER_LOG2);
}

static uint64_t stack_top(uint64_t cpu, unsigned which) {
    return (uint64_t)&stacks[cpu][which][STACK_BYTES];
}

/* Called by the kernel, in the handler of that CPU. */
void start_ticker(uint64_t cpu) {
    struct nova_utcb *utcb = (struct nova_utcb *)LAYOUT_HANDLER_UTCB(cpu);
    utcb->exception.rip = (uint64_t)ticker_entry;
    utcb->exception.rsp = stack_top(cpu, 0);
    utcb->exception.rdi = block(cpu) + ROOT_TICKER_SM;
    utcb->exception.mtd = NOVA_MTD_RIP | NOVA_MTD_RSP | NOVA_MTD_RDI;
}

_Noreturn void tick(uint64_t semaphore) {
    for (;;) {
        uint64_t until = instruction_ticks() + TICKS;
        root_call(NOVA_SM_CTRL, NOVA_SM_DOWN, semaphore, until >> 32, until & UINT32_MAX, 0, 0);
    }
}

void ticker_start(uint32_t cpu) {
    uint64_t first = block(cpu), startup = first + ROOT_TICKER_EVENTS + NOVA_EVENT_STARTUP;
    root_must("create_sm", NOVA_CREATE_SM, 0, first + ROOT_TICKER_SM, NOVA_ROOT_PD, 0, 0, 0);
    root_must("create_pt", NOVA_CREATE_PT, 0, startup, NOVA_ROOT_PD, ROOT_HANDLER_EC + (uint64_t)cpu * 2,
              NOVA_MTD_RIP | NOVA_MTD_RSP | NOVA_MTD_RDI, (uint64_t)ticker_portal);
    root_must("pt_ctrl", NOVA_PT_CTRL, 0, startup, cpu, 0, 0, 0);
    root_must("create_ec", NOVA_CREATE_EC, NOVA_EC_GLOBAL, first, NOVA_ROOT_PD, LAYOUT_TICKER_UTCB(cpu) | cpu,
              stack_top(cpu, 1), first + ROOT_TICKER_EVENTS);
    root_must("create_sc", NOVA_CREATE_SC, 0, first + ROOT_TICKER_SC, NOVA_ROOT_PD, first,
              PRIORITY | QUANTUM << PRIORITY_BITS, 0);
}
