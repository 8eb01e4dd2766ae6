/* See root.h. */
#include "root.h"

enum {
    PAGE_FAULT = 14,
    EMPTY_ORDER = 31,
    SELECTORS_LOG2 = 18,
    SLEEP_TICKS = 20000000,
    SLEEPS_MAX = 400,
    PRIORITY = 1,
    QUANTUM = 10000,
    PRIORITY_BITS = 12
};

static struct {
    uint8_t *memory; /* mailboxes and stacks, by PD and CPU */
    uint32_t cpus;
    bool ending[LAYOUT_PDS];                   /* its memory is going, perhaps under an agent that is about to wait */
    uint64_t made[LAYOUT_PDS];                 /* how many there were in the slot */
    uint64_t faulted[LAYOUT_PDS][LAYOUT_CPUS]; /* where an agent faulted in memory that the root task gave it, or 0 */
} pds;

/* Where code of the root task and of agents starts; in the agent window for the latter. */
extern const uint64_t agent_portal_address, agent_code_end_address;
void handler_entry(void);
void handle_event(uint64_t id);

/* Agents of a slot's former PD may be about to die on another CPU while there is a new one: they have mailboxes, and
 * portals for what they run into, of their own. */
static uint64_t agent_number(uint64_t made, uint32_t pd, uint32_t cpu) {
    return (made % ROOT_FORMER * LAYOUT_PDS + pd) * LAYOUT_CPUS + cpu;
}

static uint8_t *memory_of(uint32_t pd, uint32_t cpu) {
    return pds.memory + agent_number(pds.made[pd], pd, cpu) * 2 * NOVA_PAGE;
}

struct agent_mailbox *pds_mailbox(uint32_t pd, uint32_t cpu) {
    return (struct agent_mailbox *)(void *)memory_of(pd, cpu);
}

static uint64_t block(uint32_t pd) {
    return ROOT_PD + ((uint64_t)pd << ROOT_PD_LOG2);
}

/* ---- exceptions of agents ---- */

static uint64_t event_id(uint64_t made, uint32_t pd, uint32_t cpu, uint32_t event) {
    return made % ROOT_FORMER << 24 | pd << 16 | cpu << 8 | event;
}

static uint64_t first_event(uint64_t made, uint32_t pd, uint32_t cpu) {
    return ROOT_EVENTS + agent_number(made, pd, cpu) * NOVA_EVENTS;
}

/* The agent goes on at another place, with its mailbox in rdi and an empty stack. */
static void go_on(struct nova_utcb *utcb, uint32_t cpu, uint64_t where) {
    utcb->exception.rip = where;
    utcb->exception.rsp = LAYOUT_STACK_TOP(cpu);
    utcb->exception.rdi = LAYOUT_MAILBOX(cpu);
    utcb->exception.mtd = NOVA_MTD_RIP | NOVA_MTD_RSP | NOVA_MTD_RDI;
}

static bool is_of_agent(uint64_t address) {
    return address >= LAYOUT_AGENT_CODE && address < LAYOUT_AGENT_DATA + (uint64_t)LAYOUT_CPUS * LAYOUT_AGENT_STRIDE;
}

/* It is tried again, so that it can be said whether the memory is gone, or was for a moment. */
static void try_again(struct nova_utcb *utcb, uint32_t pd, uint32_t cpu) {
    if (pds.faulted[pd][cpu] == utcb->exception.cr2)
        root_panic("memory of an agent, which the root task gave it, is not mapped; address", utcb->exception.cr2);
    pds.faulted[pd][cpu] = utcb->exception.cr2;
    utcb->exception.mtd = 0;
}

static void check_faults(uint32_t pd) {
    for (uint32_t cpu = 0; cpu < pds.cpus; cpu++) {
        if (pds.faulted[pd][cpu])
            root_panic("memory of an agent, which the root task gave it, was not mapped for a moment; address",
                       pds.faulted[pd][cpu]);
    }
}

void handle_event(uint64_t id) {
    uint32_t pd = id >> 16 & 0xff, cpu = id >> 8 & 0xff, event = id & 0xff;
    struct nova_utcb *utcb = (struct nova_utcb *)LAYOUT_HANDLER_UTCB(cpu);
    struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    if (id != event_id(pds.made[pd], pd, cpu, event)) {
        go_on(utcb, cpu, LAYOUT_MAILBOX(cpu)); /* which cannot be executed, so it stays where it is until it is dead */
    } else if (event == NOVA_EVENT_STARTUP) {
        go_on(utcb, cpu, agent_entry_address);
    } else if (event == PAGE_FAULT && is_of_agent(utcb->exception.cr2) && !pds.ending[pd]) {
        try_again(utcb, pd, cpu);
    } else {
        mailbox->fault = (struct agent_fault){.vector = event,
                                              .error = utcb->exception.error,
                                              .address = utcb->exception.cr2,
                                              .rip = utcb->exception.rip};
        go_on(utcb, cpu, agent_on_fault_address);
    }
}

static void make_events(uint64_t made, uint32_t pd, uint32_t cpu) {
    uint64_t first = first_event(made, pd, cpu);
    uint64_t told = NOVA_MTD_RIP | NOVA_MTD_RSP | NOVA_MTD_RDI | NOVA_MTD_QUALIFICATION;
    for (uint32_t event = 0; event < NOVA_EVENTS; event++) {
        root_must("create_pt", NOVA_CREATE_PT, 0, first + event, NOVA_ROOT_PD, ROOT_HANDLER_EC + (uint64_t)cpu * 2,
                  told, (uint64_t)handler_entry);
        root_must("pt_ctrl", NOVA_PT_CTRL, 0, first + event, event_id(made, pd, cpu, event), 0, 0, 0);
    }
}

void pds_start(uint32_t cpus, uint8_t *memory) {
    static uint8_t stacks[LAYOUT_CPUS][NOVA_PAGE] __attribute__((aligned(4096)));
    pds.memory = memory;
    pds.cpus = cpus;
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        root_must("create_ec", NOVA_CREATE_EC, 0, ROOT_HANDLER_EC + (uint64_t)cpu * 2, NOVA_ROOT_PD,
                  LAYOUT_HANDLER_UTCB(cpu) | cpu, (uint64_t)&stacks[cpu][NOVA_PAGE], 0);
        for (uint32_t slot = 0; slot < ROOT_FORMER * LAYOUT_PDS; slot++)
            make_events(slot / LAYOUT_PDS, slot % LAYOUT_PDS, cpu);
        if (cpu)
            ticker_start(cpu);
    }
}

/* ---- PDs ---- */

static void give_memory(uint32_t pd, const void *from, uint64_t to, uint32_t pages, unsigned rights) {
    for (uint32_t i = 0; i < pages; i++)
        root_give(block(pd), nova_range(NOVA_MEMORY, ((uint64_t)from >> NOVA_PAGE_LOG2) + i, 0, rights),
                  nova_range(NOVA_MEMORY, (to >> NOVA_PAGE_LOG2) + i, 0, NOVA_MEMORY_RIGHTS), false);
}

static void give_object(uint32_t pd, uint64_t from, uint64_t to, unsigned order) {
    root_give(block(pd), nova_range(NOVA_OBJECTS, from, order, NOVA_ALL_RIGHTS),
              nova_range(NOVA_OBJECTS, to, order, NOVA_ALL_RIGHTS), false);
}

/* One that is called, or one that runs by itself and begins by waiting. */
static void make_agent(uint32_t pd, uint32_t cpu) {
    uint64_t ec = block(pd) + ROOT_PD_EC + (uint64_t)cpu * 2, sm = block(pd) + ROOT_PD_SM + cpu;
    struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    __builtin_memset(mailbox, 0, sizeof(*mailbox));
    give_memory(pd, memory_of(pd, cpu), LAYOUT_MAILBOX(cpu), 2, 3);
    give_object(pd, first_event(pds.made[pd], pd, cpu), HIDDEN_EVENTS + (uint64_t)cpu * NOVA_EVENTS, 5);
    root_must("create_ec", NOVA_CREATE_EC, cpu ? NOVA_EC_GLOBAL : 0, ec, block(pd), LAYOUT_AGENT_UTCB(cpu) | cpu,
              LAYOUT_STACK_TOP(cpu), HIDDEN_EVENTS + (uint64_t)cpu * NOVA_EVENTS);
    if (cpu == 0) {
        root_must("create_pt", NOVA_CREATE_PT, 0, block(pd) + ROOT_PD_CALL, NOVA_ROOT_PD, ec, 0, agent_portal_address);
        return;
    }
    root_must("create_sm", NOVA_CREATE_SM, 0, sm, NOVA_ROOT_PD, 0, 0, 0);
    give_object(pd, sm, HIDDEN_SM + cpu, 0);
    root_must("create_sc", NOVA_CREATE_SC, 0, block(pd) + ROOT_PD_SC + cpu, NOVA_ROOT_PD, ec,
              PRIORITY | QUANTUM << PRIORITY_BITS, 0);
}

/* What died gives its memory back after a while. */
static bool create(uint32_t pd, uint64_t quota) {
    for (uint32_t tries = 0; tries < SLEEPS_MAX; tries++) {
        enum nova_status status = root_call(NOVA_CREATE_PD, 0, block(pd), NOVA_ROOT_PD, 0, quota | quota << 32, 0);
        if (status == NOVA_SUCCESS)
            return true;
        if (status != NOVA_BAD_PARAMETER && status != NOVA_OUT_OF_MEMORY)
            root_panic("create_pd", status);
        root_sleep(SLEEP_TICKS);
    }
    return false;
}

bool pds_create(uint32_t pd, uint64_t quota) {
    if (!create(pd, quota))
        return false;
    pds.ending[pd] = false;
    pds.made[pd]++;
    give_memory(pd, (const void *)LAYOUT_AGENT_CODE, LAYOUT_AGENT_CODE,
                (uint32_t)((agent_code_end_address - LAYOUT_AGENT_CODE) >> NOVA_PAGE_LOG2), 5);
    give_object(pd, block(pd), HIDDEN_SELF, 0);
    for (uint32_t cpu = 0; cpu < pds.cpus; cpu++)
        make_agent(pd, cpu);
    return true;
}

static void empty(uint32_t pd, uint64_t range) {
    root_must("remote revoke", NOVA_REVOKE, NOVA_REVOKE_SELF | NOVA_REVOKE_REMOTE, HIDDEN_NOTHING, range, block(pd), 0,
              0);
}

/* The piece of the address space that holds what is an agent's, and no units. */
static uint64_t agent_piece(void) {
    return LAYOUT_AGENT_CODE >> NOVA_PAGE_LOG2 >> EMPTY_ORDER << EMPTY_ORDER;
}

void pds_empty_units(uint32_t pd) {
    for (uint64_t base = 0; base < NOVA_USER_END >> NOVA_PAGE_LOG2; base += UINT64_C(1) << EMPTY_ORDER) {
        if (base != agent_piece())
            empty(pd, nova_range(NOVA_MEMORY, base, EMPTY_ORDER, NOVA_ALL_RIGHTS));
    }
    empty(pd, nova_range(NOVA_PORTS, 0, LAYOUT_PIO_LOG2, NOVA_ALL_RIGHTS));
    empty(pd, nova_range(NOVA_OBJECTS, 0, LAYOUT_OBJ_LOG2, NOVA_ALL_RIGHTS));
}

void pds_empty_agent(uint32_t pd) {
    check_faults(pd);
    pds.ending[pd] = true;
    empty(pd, nova_range(NOVA_MEMORY, agent_piece(), EMPTY_ORDER, NOVA_ALL_RIGHTS));
    empty(pd, nova_range(NOVA_OBJECTS, 0, SELECTORS_LOG2, NOVA_ALL_RIGHTS));
}

/* Agents that wait are woken, to find that they are dead: until then they keep the PD's memory. */
void pds_destroy(uint32_t pd) {
    check_faults(pd);
    pds.ending[pd] = true;
    root_revoke(nova_range(NOVA_OBJECTS, block(pd), ROOT_PD_SM_LOG2 + 1, NOVA_ALL_RIGHTS));
    root_revoke(nova_range(NOVA_OBJECTS, block(pd) + ROOT_PD_CALL, ROOT_PD_SM_LOG2, NOVA_ALL_RIGHTS));
    root_revoke(nova_range(NOVA_OBJECTS, block(pd) + ROOT_PD_SM, ROOT_PD_SM_LOG2, NOVA_ALL_RIGHTS));
}

bool pds_call(uint32_t pd) {
    return root_call(NOVA_CALL, 0, block(pd) + ROOT_PD_CALL, 0, 0, 0, 0) == NOVA_SUCCESS;
}

void pds_wake(uint32_t pd, uint32_t cpu) {
    root_must("sm_up", NOVA_SM_CTRL, NOVA_SM_UP, block(pd) + ROOT_PD_SM + cpu, 0, 0, 0, 0);
}
