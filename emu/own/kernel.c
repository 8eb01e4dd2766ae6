/* See kernel.h: the layer for the kernel of src/kernel. */
#include "kernel.h"

#include "agent.h"
#include "instructions.h"
#include "raw.h"
#include "system_call.h"

#include <stddef.h>

/* What the kernel does not tell: the machine's geometry (src/kernel/abi/machine). */
enum { MEM_LOG2 = 35, PIO_LOG2 = 16, OBJ_LOG2 = 16, PHYS_LOG2 = 20, LEVEL_BITS = 9, LEVELS = 4 };
enum { PDS = 4096, OBJECTS = 1 << 16, STACK_BYTES = 1 << 20, WRITE_AT_ONCE = 512, SPINS = 4096 };
enum { ISA_HOLE = 0xa0, ISA_HOLE_END = 0x100 };

/* A mailbox begins as the kernel says. */
_Static_assert(offsetof(struct agent_mailbox, entry) == offsetof(struct control_mailbox, entry) &&
                   offsetof(struct agent_mailbox, on_fault) == offsetof(struct control_mailbox, on_fault) &&
                   offsetof(struct agent_mailbox, fault) == offsetof(struct control_mailbox, fault) &&
                   sizeof(struct agent_fault) == sizeof(struct control_fault),
               "the kernel writes to mailboxes");

static struct {
    const struct control_info *info;
    uint32_t runs[CONTROL_CPUS];
    bool busy;
    bool in_flight[CONTROL_CPUS];                          /* a call that was begun, and is not finished... */
    uint32_t caller[CONTROL_CPUS];                         /* ...by that PD... */
    bool is_guest[CONTROL_CPUS];                           /* ...which the CPU does not run otherwise */
    struct control_calls before[CONTROL_CPUS];             /* what was told when the last call was made there */
    uint32_t changes_seen;                                 /* of info->changed_count */
    uint32_t pds[CONTROL_LISTED], objects[CONTROL_LISTED]; /* of the log asked for last */
} kernel;

static struct agent_mailbox *mailbox_of(uint32_t cpu) {
    return (struct agent_mailbox *)CONTROL_MAILBOX(cpu);
}

/* ---- the root task itself ---- */

void kernel_start(const void *information) {
    kernel.info = information;
    for (uint32_t cpu = 0; cpu < kernel.info->cpus; cpu++) {
        mailbox_of(cpu)->entry = agent_entry_address;
        mailbox_of(cpu)->on_fault = agent_on_fault_address;
        kernel.runs[cpu] = cpu ? RESCIND_NONE : 0;
    }
    kernel.changes_seen = kernel.info->changed_count;
    instruction_control(CONTROL_TAKE_TURNS, true, 0, 0);
}

void kernel_write(const char *text, size_t length) {
    while (length > 0) {
        size_t now = length < WRITE_AT_ONCE ? length : WRITE_AT_ONCE;
        instruction_control(CONTROL_WRITE, (uint64_t)text, now, 0);
        text += now;
        length -= now;
    }
}

_Noreturn void kernel_exit(uint32_t status) {
    for (;;)
        instruction_control(CONTROL_EXIT, status, 0, 0);
}

const char *kernel_command_line(void) {
    return kernel.info->command_line;
}

const void *kernel_module(uint32_t index, size_t *bytes) {
    if (index >= kernel.info->module_count)
        return NULL;
    *bytes = kernel.info->module[index].bytes;
    return (const void *)(CONTROL_MEMORY_WINDOW + kernel.info->module[index].physical);
}

void *kernel_heap(size_t *bytes) {
    *bytes = kernel.info->heap_bytes - STACK_BYTES;
    return (void *)CONTROL_HEAP;
}

uint64_t kernel_ticks(void) {
    return instruction_ticks();
}

/* ---- what there is ---- */

uint32_t kernel_cpus(void) {
    return kernel.info->cpus;
}

static void fail_allocation(uint32_t n) {
    instruction_control(CONTROL_FAIL_ALLOCATION, n, 0, 0);
}

void kernel_describe(struct kernel_description *description) {
    struct rescind_pd_view root = {0};
    kernel_pd_report(0, &root);
    *description = (struct kernel_description){
        .name = "machine",
        .policy = &oracle_policy_exact,
        .boots_once = true,
        .overlaps = kernel.info->cpus > 1,
        .fail_allocation = fail_allocation,
        .geometry =
            {
                .name = "machine",
                .mem_log2 = MEM_LOG2,
                .pio_log2 = PIO_LOG2,
                .obj_log2 = OBJ_LOG2,
                .phys_log2 = PHYS_LOG2,
                .level_bits = LEVEL_BITS,
                .levels = LEVELS,
                .leaf_level = (uint8_t)kernel.info->leaf_level,
                .pds = PDS,
                .objects = OBJECTS,
                .cpus = kernel.info->cpus,
                .quota_pages = (uint32_t)(root.quota / RESCIND_PAGE_BYTES),
                .kernel_frame = kernel.info->kernel_frame,
            },
        .costs =
            {
                .pd = (uint32_t)kernel.info->cost_pd,
                .object = (uint32_t)kernel.info->cost_object,
                .node = (uint32_t)kernel.info->cost_node,
                .table = (uint32_t)kernel.info->cost_table,
            },
    };
}

/* That the rest is as at boot is left to whoever tears down. */
void kernel_boot(void) {}

const char *kernel_lacks(uint32_t pd, const uint64_t word[ABI_WORDS]) {
    (void)pd;
    (void)word;
    return NULL;
}

/* The kernel ended it by itself. */
void kernel_end(uint32_t what) {
    (void)what;
}

bool kernel_is_memory(uint64_t frame) {
    return frame < kernel.info->kernel_frame && (frame < ISA_HOLE || frame >= ISA_HOLE_END);
}

void *kernel_frame(uint64_t frame) {
    return (void *)(CONTROL_MEMORY_WINDOW + frame * CONTROL_PAGE);
}

/* ---- requests to agents ---- */

static bool is_alive(uint32_t pd) {
    struct control_pd report;
    return instruction_control(CONTROL_PD_REPORT, pd, (uint64_t)&report, 0) == CONTROL_OK;
}

static bool is_done(const struct agent_mailbox *mailbox) {
    return __atomic_load_n(&mailbox->done, __ATOMIC_ACQUIRE) == mailbox->request;
}

/* False: the PD died. */
static bool wait_for(uint32_t cpu, uint32_t pd) {
    const struct agent_mailbox *mailbox = mailbox_of(cpu);
    for (uint32_t spins = 1; !is_done(mailbox); spins++) {
        if (spins % SPINS == 0 && !is_alive(pd))
            return is_done(mailbox);
        instruction_pause();
    }
    return true;
}

/* Whoever runs on another CPU has left it then, and looks at no mailbox any more. */
static void stop(uint32_t cpu) {
    if (cpu)
        instruction_control(CONTROL_RUN, cpu, CONTROL_NOBODY, 0);
}

/* Starts the agent of a PD on a CPU that runs nobody; it then answers what is asked of it, and stays if it is to be
 * resident. */
static bool run(uint32_t cpu, uint32_t pd, bool resident) {
    struct agent_mailbox *mailbox = mailbox_of(cpu);
    mailbox->resident = resident;
    mailbox->busy = resident && kernel.busy;
    mailbox->busy_count = 0;
    mailbox->stage = AGENT_NOTHING;
    return instruction_control(CONTROL_RUN, cpu, pd == RESCIND_NONE ? CONTROL_NOBODY : pd, 0) == CONTROL_OK;
}

static void resume(uint32_t cpu) {
    stop(cpu);
    if (kernel.runs[cpu] != RESCIND_NONE && !run(cpu, kernel.runs[cpu], true))
        kernel.runs[cpu] = RESCIND_NONE;
}

static bool is_resident(uint32_t cpu, uint32_t pd) {
    return cpu && kernel.runs[cpu] == pd;
}

static void tell(uint32_t cpu, uint32_t pd, enum agent_command command) {
    struct agent_mailbox *mailbox = mailbox_of(cpu);
    if (!is_resident(cpu, pd))
        stop(cpu); /* lest another PD's agent does what is asked */
    mailbox->command = command;
    __atomic_store_n(&mailbox->request, mailbox->done + 1, __ATOMIC_RELEASE);
}

/* The mailbox holds what is to be done. False: the PD died of it. */
static bool ask(uint32_t cpu, uint32_t pd, enum agent_command command) {
    struct agent_mailbox *mailbox = mailbox_of(cpu);
    bool answered, is_there = is_resident(cpu, pd);
    tell(cpu, pd, command);
    if (cpu == 0) {
        run(cpu, pd, false);
        answered = is_done(mailbox);
    } else {
        if (!is_there)
            run(cpu, pd, false);
        answered = wait_for(cpu, pd);
    }
    if (!answered)
        mailbox->request = mailbox->done; /* lest whoever comes next does it */
    if (cpu && !is_there)
        resume(cpu);
    return answered;
}

/* ---- system calls ---- */

static void write_call(uint32_t cpu, uint64_t rax, const uint64_t word[ABI_WORDS]) {
    struct agent_mailbox *mailbox = mailbox_of(cpu);
    kernel.before[cpu] = kernel.info->calls[cpu];
    mailbox->rax = rax;
    mailbox->began = mailbox->ended = 0;
    __builtin_memcpy(mailbox->word, word, sizeof(mailbox->word));
}

uint64_t kernel_raw(uint32_t cpu, uint32_t pd, uint64_t rax, uint64_t word[ABI_WORDS]) {
    const struct agent_mailbox *mailbox = mailbox_of(cpu);
    write_call(cpu, rax, word);
    if (!ask(cpu, pd, AGENT_CALL))
        return RESCIND_NOWHERE;
    __builtin_memcpy(word, mailbox->word, sizeof(mailbox->word));
    return mailbox->rax;
}

/* By the root task's own thread. */
static void call_as_root(uint64_t word[ABI_WORDS]) {
    struct agent_mailbox *mailbox = mailbox_of(0);
    kernel.before[0] = kernel.info->calls[0];
    mailbox->began = instruction_ticks();
    instruction_syscall(CONTROL_SYSTEM_CALL, word);
    mailbox->ended = instruction_ticks();
}

static void take_results(uint32_t cpu, uint64_t word[ABI_WORDS]) {
    word[0] = kernel.info->calls[cpu].code;
    word[1] = kernel.info->calls[cpu].value;
}

void kernel_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    if (cpu == 0 && pd == 0)
        call_as_root(word);
    else if (kernel_raw(cpu, pd, CONTROL_SYSTEM_CALL, word) == RESCIND_NOWHERE)
        take_results(cpu, word);
}

/* ---- calls in flight ---- */

bool kernel_can_begin(uint32_t pd, const uint64_t word[ABI_WORDS]) {
    (void)pd;
    (void)word;
    return true;
}

static bool is_ended(uint32_t cpu) {
    return __atomic_load_n(&kernel.info->calls[cpu].ended, __ATOMIC_ACQUIRE) != kernel.before[cpu].ended;
}

static uint64_t points_of(uint32_t cpu) {
    return __atomic_load_n(&kernel.info->calls[cpu].points, __ATOMIC_ACQUIRE) - kernel.before[cpu].points;
}

/* False: the PD died before it could call. */
static bool wait_for_points(uint32_t cpu, uint32_t pd, uint32_t points) {
    for (uint32_t spins = 1; points_of(cpu) < points && !is_ended(cpu); spins++) {
        if (spins % SPINS == 0 && !is_alive(pd) && kernel.info->calls[cpu].begun == kernel.before[cpu].begun)
            return false;
        instruction_pause();
    }
    return true;
}

void kernel_begin_call(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS], uint32_t points) {
    write_call(cpu, CONTROL_SYSTEM_CALL, word);
    tell(cpu, pd, AGENT_CALL);
    kernel.is_guest[cpu] = !is_resident(cpu, pd);
    if (kernel.is_guest[cpu])
        run(cpu, pd, false);
    kernel.in_flight[cpu] = true;
    kernel.caller[cpu] = pd;
    wait_for_points(cpu, pd, points ? points : 1);
}

/* After its call: false if the PD is gone with it. */
static bool is_answered(uint32_t cpu, uint32_t pd) {
    const struct agent_mailbox *mailbox = mailbox_of(cpu);
    struct control_pd report;
    for (uint32_t spins = 1; !is_done(mailbox); spins++) {
        if (spins % SPINS == 0 && (instruction_control(CONTROL_PD_REPORT, pd, (uint64_t)&report, 0) != CONTROL_OK ||
                                   !(report.cpus >> cpu & 1)))
            return is_done(mailbox);
        instruction_pause();
    }
    return true;
}

/* The agent notes the time when it is back, a little later than the kernel. */
bool kernel_call_is_over(uint32_t cpu) {
    if (!is_ended(cpu))
        return false;
    is_answered(cpu, kernel.caller[cpu]);
    return true;
}

void kernel_finish_call(uint32_t cpu, uint64_t word[ABI_WORDS]) {
    struct agent_mailbox *mailbox = mailbox_of(cpu);
    uint32_t pd = kernel.caller[cpu];
    bool made = wait_for_points(cpu, pd, UINT32_MAX);
    if (made && is_answered(cpu, pd))
        __builtin_memcpy(word, mailbox->word, sizeof(mailbox->word));
    else if (made)
        take_results(cpu, word);
    mailbox->request = mailbox->done;
    kernel.in_flight[cpu] = false;
    if (kernel.is_guest[cpu] || !is_resident(cpu, pd))
        resume(cpu);
}

void kernel_call_time(uint32_t cpu, struct kernel_call_time *time) {
    const struct agent_mailbox *mailbox = mailbox_of(cpu);
    *time = (struct kernel_call_time){
        .began = mailbox->began,
        .ended = mailbox->ended,
        .shared = kernel.info->calls[cpu].shared - kernel.before[cpu].shared,
    };
}

/* ---- CPUs ---- */

/* What a CPU remembers that does not run the PD is nothing: the first one is always made to run it anew. So is one that
 * another has to stand in for. */
void kernel_access(uint32_t cpu, uint32_t pd, bool fresh, struct kernel_access *access, uint32_t count) {
    uint32_t on = is_resident(cpu, pd) && !fresh && !kernel.in_flight[cpu] ? cpu : 0;
    struct agent_mailbox *mailbox = mailbox_of(on);
    mailbox->at = 0;
    mailbox->count = count;
    __builtin_memcpy(mailbox->access, access, count * sizeof(*access));
    ask(on, pd, AGENT_ACCESS);
    __builtin_memcpy(access, mailbox->access, count * sizeof(*access));
}

void kernel_switch(uint32_t cpu, uint32_t pd) {
    kernel.runs[cpu] = pd;
    if (kernel.in_flight[cpu])
        return; /* kernel_finish_call makes it so */
    stop(cpu);
    if (cpu)
        run(cpu, pd, true);
}

uint32_t kernel_runs(uint32_t cpu) {
    struct control_pd report;
    uint32_t pd = kernel.runs[cpu];
    if (cpu == 0 || pd == RESCIND_NONE)
        return pd;
    bool alive = instruction_control(CONTROL_PD_REPORT, pd, (uint64_t)&report, 0) == CONTROL_OK;
    return alive && (kernel.in_flight[cpu] || report.cpus >> cpu & 1) ? pd : RESCIND_NONE;
}

void kernel_keep_busy(bool busy) {
    kernel.busy = busy;
}

/* ---- reports ---- */

bool kernel_pd_report(uint32_t pd, struct rescind_pd_view *view) {
    struct control_pd report;
    if (instruction_control(CONTROL_PD_REPORT, pd, (uint64_t)&report, 0) != CONTROL_OK)
        return false;
    *view = (struct rescind_pd_view){
        .quota = report.quota, .used = report.used, .payer = report.payer, .references = report.references};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        view->tree_root[kind] = RESCIND_NONE;
        view->node_count[kind] = report.node_count[kind];
    }
    return true;
}

void kernel_usage(struct rescind_usage *usage) {
    const struct control_info *info = kernel.info;
    *usage = (struct rescind_usage){
        .pds = info->pds, .objects = info->objects, .nodes = info->nodes, .tables = info->tables, .bytes = info->bytes};
}

uint64_t kernel_memory_in_use(void) {
    return kernel.info->bytes;
}

static bool is_listed(const struct rescind_log *log, uint32_t pd) {
    for (uint32_t i = 0; i < log->pd_count; i++) {
        if (log->pds[i] == pd)
            return true;
    }
    return log->overflow && !is_alive(pd);
}

/* What is listed and ran before it was is gone, even if there is another of that index. */
static void forget_dead(const struct rescind_log *log) {
    for (uint32_t cpu = 0; cpu < kernel.info->cpus && (log->pd_count || log->overflow); cpu++) {
        if (kernel.runs[cpu] != RESCIND_NONE && is_listed(log, kernel.runs[cpu]))
            kernel.runs[cpu] = RESCIND_NONE;
    }
}

void kernel_log(struct rescind_log *log) {
    const struct control_info *info = kernel.info;
    uint32_t count = __atomic_load_n(&info->changed_count, __ATOMIC_ACQUIRE), first = kernel.changes_seen;
    *log = (struct rescind_log){
        .pds = kernel.pds,
        .objects = kernel.objects,
        .invalidations = info->invalidations,
        .shootdowns = info->shootdowns,
        .overflow = count - first > CONTROL_LISTED,
    };
    for (; first != count && !log->overflow; first++) {
        uint32_t what = info->changed[first % CONTROL_LISTED];
        if (what & RESCIND_OBJECT)
            kernel.objects[log->object_count++] = what ^ RESCIND_OBJECT;
        else
            kernel.pds[log->pd_count++] = what;
    }
    kernel.changes_seen = count;
    forget_dead(log);
}
