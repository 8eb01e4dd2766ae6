/*
 * Where things are: in address spaces, in physical memory, in object spaces. Numbers only; also for agents.
 *
 * Units of MEM are pages of user space: the lower half of the units from address 0 on, the upper half up to the end.
 * The agent's window, and in the root task all that is its own, lies in between, where no unit is.
 */
#ifndef RESCIND_NOVA_LAYOUT_H
#define RESCIND_NOVA_LAYOUT_H

#include "interface.h"

enum { LAYOUT_PDS = 14, LAYOUT_OBJECTS = 64, LAYOUT_CPUS = 4 };
enum { LAYOUT_MEM_LOG2 = 34, LAYOUT_PIO_LOG2 = 16, LAYOUT_OBJ_LOG2 = 16, LAYOUT_PHYS_LOG2 = 20 };

/* Ranges of units beyond the middle keep their alignment up to this order. */
enum { LAYOUT_UPPER_ORDER = 18 };

static inline uint64_t layout_page(uint64_t unit) {
    uint64_t end = UINT64_C(1) << LAYOUT_MEM_LOG2;
    return unit < end / 2 ? unit : unit + (NOVA_USER_END >> NOVA_PAGE_LOG2) - end;
}

/* In all address spaces: the agent's code; mailbox, stack and UTCB for each CPU. */
#define LAYOUT_AGENT_CODE UINT64_C(0x300000000000)
#define LAYOUT_AGENT_DATA UINT64_C(0x300040000000)
enum { LAYOUT_AGENT_STRIDE = 4 * NOVA_PAGE };
#define LAYOUT_MAILBOX(cpu) (LAYOUT_AGENT_DATA + (uint64_t)(cpu)*LAYOUT_AGENT_STRIDE)
#define LAYOUT_STACK_TOP(cpu) (LAYOUT_MAILBOX(cpu) + 2 * (uint64_t)NOVA_PAGE)
#define LAYOUT_AGENT_UTCB(cpu) (LAYOUT_MAILBOX(cpu) + 2 * (uint64_t)NOVA_PAGE)

/* In the root task's. */
#define LAYOUT_HEAP UINT64_C(0x320000000000)
#define LAYOUT_PHYS UINT64_C(0x330000000000)
#define LAYOUT_MODULE UINT64_C(0x340000000000)
#define LAYOUT_TEXT UINT64_C(0x350000000000)
#define LAYOUT_HANDLER_UTCB(cpu) (UINT64_C(0x360000000000) + (uint64_t)(cpu)*NOVA_PAGE)
#define LAYOUT_TICKER_UTCB(cpu) (UINT64_C(0x360000100000) + (uint64_t)(cpu)*NOVA_PAGE)

/* Physical memory, for a machine with 2 GiB: the root task's heap, and what sequences hand out. */
#define LAYOUT_HEAP_FRAME (UINT64_C(0x10000000) >> NOVA_PAGE_LOG2)
#define LAYOUT_PHYS_FRAME (UINT64_C(0x20000000) >> NOVA_PAGE_LOG2)
enum { LAYOUT_HEAP_ORDER = 16, LAYOUT_PHYS_ORDER = 17 };

/* The root task's object space. */
enum {
    ROOT_SLEEP_SM = 0x600,
    ROOT_HANDLER_EC = 0x800, /* two for each CPU */
    ROOT_PD = 0x1000,        /* a block for each PD: */
    ROOT_PD_LOG2 = 6,
    ROOT_PD_EC = 0x2,    /* two for each CPU: the second is where the kernel looks for a portal */
    ROOT_PD_CALL = 0x10, /* the portal of the first CPU's */
    ROOT_PD_SC = 0x14,
    ROOT_PD_SM = 0x18, /* one for each CPU, in 8 selectors */
    ROOT_PD_SM_LOG2 = 3,
    ROOT_EVENTS = 0x4000, /* NOVA_EVENTS portals for each agent; they stay */
    ROOT_FORMER = 4,      /* so many PDs that follow one another in a slot have agents of their own */
    ROOT_OBJECT = 0x8000,
    ROOT_TICKER = 0xa000, /* a block for each CPU: */
    ROOT_TICKER_LOG2 = 6,
    ROOT_TICKER_SC = 0x2,
    ROOT_TICKER_SM = 0x3,
    ROOT_TICKER_EVENTS = 0x20,
};

/* Beyond the selectors that sequences use, in each PD's object space. */
enum {
    HIDDEN_SELF = 0x20000, /* the PD itself, as a source */
    HIDDEN_PHYS,           /* root only: the root task's PD, which holds PHYS */
    HIDDEN_NOTHING,        /* stays empty */
    HIDDEN_SM = 0x20010,   /* where agents wait, one for each CPU */
    HIDDEN_EVENTS = 0x20040,
};

#endif
