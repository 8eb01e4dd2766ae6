/*
 * See ../roottask/kernel.h: the layer for NOVA r10.
 *
 * Every PD of a sequence, root too, is a PD of NOVA's below the root task's; PHYS is the root task's own memory and
 * ports. Delegates, revokes and lookups are hypercalls of the PD that the sequence says, through the selectors that it
 * says. PDs and objects are made, and ended once the model says that nobody names them any more, by the root task,
 * which keeps the capability that made them.
 */
#include "kernel.h"

#include "instructions.h"
#include "root.h"
#include "session.h"

enum {
    QUOTA_OF_ROOT = 900,
    QUOTA = 220,
    KEPT_PAGES = 880,
    SPINS_MAX = 1 << 26,
    SPINS_OF_DEAD = 1 << 20,
    SLOW_TICKS = 50000000,
    SLOW_TRIES = 400
};
enum { SERIAL = 0x3f8, EXIT = 0xf4, PIECES = 64, LISTED = 256, SERIAL_PORTS = 8 };
enum { PORT_ORDER = 16, HEAD_START = 2000 /* ticks for a preemption point */ };

/* A hypercall by an agent. */
struct request {
    uint64_t rdi, rsi, rdx, item;
};

/* A call in flight, by its CPU. */
struct flying {
    bool in_flight;
    bool is_guest; /* by an agent that the CPU does not run otherwise */
    uint32_t pd;
    enum nova_status status; /* when it is over */
};

static struct {
    const struct nova_hip *hip;
    uint32_t cpus, modules;
    uint8_t *heap;
    size_t heap_bytes;
    const char *text;
    uint64_t module_bytes;
    uint64_t quota_at_start;
    bool pd_alive[LAYOUT_PDS], object_alive[LAYOUT_OBJECTS];
    uint32_t runs[LAYOUT_CPUS];
    bool busy;
    struct flying flying[LAYOUT_CPUS];
    uint32_t called[LAYOUT_CPUS]; /* PDs whose agents made hypercalls there last */
    uint32_t listed_pd[LISTED], listed_object[LISTED], pd_count, object_count;
} kernel;

/* ---- the root task itself ---- */

static uint64_t pages_of(uint64_t address) {
    return address >> NOVA_PAGE_LOG2;
}

/* Physical memory to a window, as few pieces as alignment allows. */
static void map_physical(uint64_t frame, uint64_t page, uint64_t count) {
    while (count) {
        unsigned order = 0;
        while (!((frame | page) >> order & 1) && UINT64_C(2) << order <= count)
            order++;
        root_give(NOVA_ROOT_PD, nova_range(NOVA_MEMORY, frame, order, NOVA_MEMORY_RIGHTS),
                  nova_range(NOVA_MEMORY, page, order, NOVA_MEMORY_RIGHTS), true);
        frame += UINT64_C(1) << order;
        page += UINT64_C(1) << order;
        count -= UINT64_C(1) << order;
    }
}

/* The first module is the root task: only its text is of interest. */
static void find_modules(void) {
    const struct nova_hip *hip = kernel.hip;
    for (uint32_t at = hip->memory_offset; at + hip->memory_size <= hip->length; at += hip->memory_size) {
        const struct nova_hip_memory *memory = (const void *)((const uint8_t *)hip + at);
        if (memory->type != NOVA_MEMORY_MODULE)
            continue;
        if (kernel.modules == 0) {
            map_physical(pages_of(memory->aux), pages_of(LAYOUT_TEXT), 2);
            kernel.text = (const char *)LAYOUT_TEXT + memory->aux % NOVA_PAGE;
        } else if (kernel.modules == 1) {
            map_physical(pages_of(memory->address), pages_of(LAYOUT_MODULE), pages_of(memory->size + NOVA_PAGE - 1));
            kernel.module_bytes = memory->size;
        }
        kernel.modules++;
    }
}

static uint32_t count_cpus(void) {
    uint32_t online = 0;
    for (uint32_t at = kernel.hip->cpu_offset; at < kernel.hip->memory_offset; at += kernel.hip->cpu_size)
        online += ((const uint8_t *)kernel.hip)[at] & 1u;
    return online < LAYOUT_CPUS ? online : LAYOUT_CPUS;
}

void kernel_start(const void *information) {
    kernel.hip = information;
    root_give(NOVA_ROOT_PD, nova_range(NOVA_PORTS, 0, PORT_ORDER, 1), nova_range(NOVA_PORTS, 0, PORT_ORDER, 1), true);
    if (kernel.hip->signature != NOVA_SIGNATURE || kernel.hip->api != NOVA_API)
        root_panic("this is no NOVA of API version 10 but", kernel.hip->api);
    kernel.cpus = count_cpus();
    for (uint32_t cpu = 1; cpu < kernel.cpus; cpu++)
        kernel.runs[cpu] = RESCIND_NONE;
    find_modules();
    map_physical(LAYOUT_HEAP_FRAME, pages_of(LAYOUT_HEAP), UINT64_C(1) << LAYOUT_HEAP_ORDER);
    map_physical(LAYOUT_PHYS_FRAME, pages_of(LAYOUT_PHYS), UINT64_C(1) << LAYOUT_PHYS_ORDER);
    kernel.heap = (uint8_t *)LAYOUT_HEAP + PDS_MEMORY;
    kernel.heap_bytes = ((size_t)NOVA_PAGE << LAYOUT_HEAP_ORDER) - PDS_MEMORY;
    root_must("create_sm", NOVA_CREATE_SM, 0, ROOT_SLEEP_SM, NOVA_ROOT_PD, 0, 0, 0);
    pds_start(kernel.cpus, (uint8_t *)LAYOUT_HEAP);
}

void kernel_write(const char *text, size_t length) {
    for (; length > 0; length--)
        instruction_out(SERIAL, (uint8_t)*text++);
}

_Noreturn void kernel_exit(uint32_t status) {
    for (;;)
        instruction_out(EXIT, (uint8_t)status);
}

const char *kernel_command_line(void) {
    return kernel.text;
}

const void *kernel_module(uint32_t index, size_t *bytes) {
    if (index != 0 || kernel.modules < 2)
        return NULL;
    *bytes = kernel.module_bytes;
    return (const void *)LAYOUT_MODULE;
}

void *kernel_heap(size_t *bytes) {
    *bytes = kernel.heap_bytes;
    return kernel.heap;
}

uint64_t kernel_ticks(void) {
    return instruction_ticks();
}

/* ---- what there is ---- */

uint32_t kernel_cpus(void) {
    return kernel.cpus;
}

/* PDs have so little kernel memory that they come to the end of it. */
static bool is_poor(void) {
    return session_option("quota", QUOTA) < QUOTA;
}

void kernel_describe(struct kernel_description *description) {
    *description = (struct kernel_description){
        .name = "nova",
        .policy = &oracle_policy_nova,
        .silent = true,
        .poor = is_poor(),
        .overlaps = kernel.cpus > 1 && !is_poor(),
        .unordered = true,
        .geometry =
            {
                .name = "nova",
                .mem_log2 = LAYOUT_MEM_LOG2,
                .pio_log2 = LAYOUT_PIO_LOG2,
                .obj_log2 = LAYOUT_OBJ_LOG2,
                .phys_log2 = LAYOUT_PHYS_LOG2,
                .level_bits = 9,
                .levels = 4,
                .leaf_level = 1,
                .pds = LAYOUT_PDS,
                .objects = LAYOUT_OBJECTS,
                .cpus = kernel.cpus,
                .kernel_frame = UINT64_C(1) << LAYOUT_PHYS_ORDER,
            },
    };
}

bool kernel_is_memory(uint64_t frame) {
    return frame >> LAYOUT_PHYS_ORDER == 0;
}

void *kernel_frame(uint64_t frame) {
    return (void *)(LAYOUT_PHYS + (frame << NOVA_PAGE_LOG2));
}

/* ---- requests to agents ---- */

static bool is_done(const struct agent_mailbox *mailbox) {
    return __atomic_load_n(&mailbox->done, __ATOMIC_ACQUIRE) == mailbox->request;
}

static void wait_until(const uint32_t *word, uint32_t value, const char *what) {
    for (uint32_t spins = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; spins++) {
        if (spins == SPINS_MAX)
            root_panic(what, value);
        instruction_pause();
    }
}

/* Starts what waits, or began to. */
static void wake(uint32_t cpu, uint32_t pd, bool resident) {
    struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    wait_until(&mailbox->away, 1, "an agent does not wait");
    mailbox->resident = resident;
    mailbox->busy = resident && kernel.busy;
    mailbox->busy_count = 0;
    mailbox->stage = AGENT_NOTHING;
    mailbox->away = 0;
    pds_wake(pd, cpu);
}

static void send_away(uint32_t cpu) {
    if (cpu == 0 || kernel.runs[cpu] == RESCIND_NONE)
        return;
    struct agent_mailbox *mailbox = pds_mailbox(kernel.runs[cpu], cpu);
    __atomic_store_n(&mailbox->resident, 0, __ATOMIC_RELEASE);
    wait_until(&mailbox->away, 1, "an agent does not go");
}

/* The mailbox holds what is to be done. */
static void tell(uint32_t cpu, uint32_t pd, enum agent_command command) {
    struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    mailbox->command = command;
    __atomic_store_n(&mailbox->request, mailbox->done + 1, __ATOMIC_RELEASE);
    if (cpu && kernel.runs[cpu] != pd) {
        send_away(cpu);
        wake(cpu, pd, false);
    }
}

static void ask(uint32_t cpu, uint32_t pd, enum agent_command command) {
    const struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    tell(cpu, pd, command);
    if (cpu == 0) {
        if (!pds_call(pd) || !is_done(mailbox))
            root_panic("an agent does not answer", pd);
        return;
    }
    wait_until(&mailbox->done, mailbox->request, "an agent does not answer");
    if (kernel.runs[cpu] != pd) {
        wait_until(&mailbox->away, 1, "an agent does not go");
        if (kernel.runs[cpu] != RESCIND_NONE)
            wake(cpu, kernel.runs[cpu], true);
    }
}

static void write_request(uint32_t cpu, uint32_t pd, const struct request *what) {
    struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    kernel.called[cpu] = pd;
    mailbox->began = mailbox->ended = 0;
    mailbox->rax = 0;
    mailbox->word[0] = what->rdi;
    mailbox->word[1] = what->rsi;
    mailbox->word[2] = what->rdx;
    mailbox->word[3] = what->item;
    mailbox->word[4] = NOVA_ITEM_DELEGATE;
}

static enum nova_status request(uint32_t cpu, uint32_t pd, struct request *what) {
    const struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    write_request(cpu, pd, what);
    ask(cpu, pd, AGENT_CALL);
    what->rdi = mailbox->word[0];
    what->rsi = mailbox->word[1];
    return (enum nova_status)(what->rdi & 0xff);
}

/* ---- operations ---- */

struct operation {
    enum abi_operation operation;
    enum abi_kind kind;
    enum abi_place place;
    enum abi_scope scope;
    bool to_cap, filtered;
    uint8_t order, mask;
};

static struct operation decode(const uint64_t word[ABI_WORDS]) {
    return (struct operation){
        .operation = (enum abi_operation)(word[0] & 0xff),
        .kind = (enum abi_kind)(word[0] >> ABI_KIND_SHIFT & 3),
        .place = (enum abi_place)(word[0] >> ABI_PLACE_SHIFT & 3),
        .scope = (enum abi_scope)(word[0] >> ABI_SCOPE_SHIFT & 3),
        .to_cap = word[0] >> ABI_TO_CAP_SHIFT & 1,
        .filtered = word[0] >> ABI_FILTER_SHIFT & 1,
        .order = word[0] >> ABI_ORDER_SHIFT & 0xff,
        .mask = word[0] >> ABI_MASK_SHIFT & 0xff,
    };
}

/* Whether a range can be named by one of NOVA's. */
static bool is_one_range(enum abi_kind kind, uint64_t base, uint8_t order) {
    uint64_t half = UINT64_C(1) << (LAYOUT_MEM_LOG2 - 1);
    if (kind != ABI_MEM)
        return true;
    return order <= (base < half ? NOVA_ORDER_MAX : LAYOUT_UPPER_ORDER);
}

const char *kernel_lacks(uint32_t pd, const uint64_t word[ABI_WORDS]) {
    struct operation operation = decode(word);
    bool own = operation.place == ABI_OWN;
    if (operation.operation == ABI_GRANT)
        return "grant";
    if (operation.operation == ABI_MOVE_QUOTA)
        return "move_quota";
    if (operation.filtered)
        return "directed-revoke";
    if (operation.place == ABI_PHYS && pd != 0)
        return "phys-by-others";
    if (operation.operation == ABI_REVOKE && operation.scope == ABI_DROP && operation.kind == ABI_OBJ)
        return "drop-of-capabilities";
    if (operation.operation == ABI_DELEGATE && ((own && !is_one_range(operation.kind, word[1], operation.order)) ||
                                                !is_one_range(operation.kind, word[2], operation.order)))
        return "wide-range";
    return NULL;
}

static uint64_t range_of(enum abi_kind kind, uint64_t base, unsigned order, unsigned rights) {
    static const enum nova_kind kinds[] = {NOVA_MEMORY, NOVA_PORTS, NOVA_OBJECTS};
    return nova_range(kinds[kind], kind == ABI_MEM ? layout_page(base) : base, order, rights);
}

/* The same of PHYS, which the root task has. */
static uint64_t phys_range_of(enum abi_kind kind, uint64_t base, unsigned order, unsigned rights) {
    if (kind != ABI_MEM)
        return range_of(kind, base, order, rights);
    return nova_range(NOVA_MEMORY, pages_of(LAYOUT_PHYS) + base, order, rights);
}

static bool is_selector(uint64_t selector) {
    return selector >> LAYOUT_OBJ_LOG2 == 0;
}

static enum abi_code code_of(enum nova_status status) {
    switch (status) {
    case NOVA_SUCCESS:
        return ABI_OK;
    case NOVA_BAD_CAPABILITY:
        return ABI_E_CAP;
    case NOVA_OUT_OF_MEMORY:
        return ABI_E_MEM;
    default:
        root_panic("an unexpected status", status);
    }
}

/* The rights there, or 0. A PD without kernel memory cannot even look. */
static enum abi_code look_up(uint32_t cpu, uint32_t pd, enum abi_kind kind, uint64_t unit, uint64_t *rights) {
    struct request lookup = {.rdi = nova_word(NOVA_MISC, NOVA_MISC_LOOKUP, 0), .rsi = range_of(kind, unit, 0, 0)};
    enum abi_code code = code_of(request(cpu, pd, &lookup));
    *rights = code == ABI_OK ? nova_range_rights(lookup.rsi) : 0;
    return code;
}

/* Whether a capability names a PD: asks the kernel, by a remote revoke of nothing. */
static enum abi_code name_pd(uint32_t cpu, uint32_t pd, uint64_t selector) {
    struct request nothing = {.rdi = nova_word(NOVA_REVOKE, NOVA_REVOKE_REMOTE, HIDDEN_NOTHING), .rdx = selector};
    return is_selector(selector) ? code_of(request(cpu, pd, &nothing)) : ABI_E_CAP;
}

static enum abi_code delegate(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS]) {
    struct operation operation = decode(word);
    bool phys = operation.place == ABI_PHYS;
    if (operation.to_cap && !is_selector(word[3]))
        return ABI_E_CAP;
    unsigned order = operation.order;
    if (phys && operation.kind == ABI_MEM) {
        if (word[1] >> LAYOUT_PHYS_ORDER)
            return operation.to_cap ? name_pd(cpu, pd, word[3]) : ABI_OK;
        order = order < LAYOUT_PHYS_ORDER ? order : LAYOUT_PHYS_ORDER;
    }
    struct request what = {
        .rdi = nova_word(NOVA_MISC, NOVA_MISC_DELEGATE, phys ? HIDDEN_PHYS : HIDDEN_SELF),
        .rsi = range_of(operation.kind, word[2], order, NOVA_ALL_RIGHTS),
        .rdx = operation.to_cap ? word[3] : HIDDEN_SELF,
        .item = phys ? phys_range_of(operation.kind, word[1], order, operation.mask)
                     : range_of(operation.kind, word[1], order, operation.mask),
    };
    return code_of(request(cpu, pd, &what));
}

/* Cuts units first..end - 1 into ranges of pages. */
static uint32_t cut(enum abi_kind kind, uint64_t first, uint64_t end, unsigned rights, uint64_t piece[PIECES]) {
    uint64_t half = UINT64_C(1) << (LAYOUT_MEM_LOG2 - 1);
    uint32_t count = 0;
    while (first < end) {
        uint64_t stop = kind == ABI_MEM && first < half && end > half ? half : end;
        uint64_t page = kind == ABI_MEM ? layout_page(first) : first;
        unsigned order = 0;
        while (order < NOVA_ORDER_MAX && !(page >> order & 1) && first + (UINT64_C(2) << order) <= stop)
            order++;
        piece[count++] = range_of(kind, first, order, rights);
        first += UINT64_C(1) << order;
    }
    return count;
}

static uint32_t revoke_pieces(const struct operation *operation, uint64_t base, uint64_t piece[PIECES]) {
    uint64_t end = base + (UINT64_C(1) << operation->order), phys_end = UINT64_C(1) << LAYOUT_PHYS_ORDER;
    if (operation->place != ABI_PHYS || operation->kind != ABI_MEM)
        return cut(operation->kind, base, end, operation->mask, piece);
    if (base >= phys_end)
        return 0;
    unsigned order = operation->order < LAYOUT_PHYS_ORDER ? operation->order : LAYOUT_PHYS_ORDER;
    piece[0] = phys_range_of(ABI_MEM, base, order, operation->mask);
    return 1;
}

static unsigned revoke_flags(const struct operation *operation) {
    static const unsigned scopes[] = {
        [ABI_CHILDREN] = 0, [ABI_SELF] = NOVA_REVOKE_SELF, [ABI_DROP] = NOVA_REVOKE_SELF | NOVA_REVOKE_KEEP};
    return scopes[operation->scope] | (operation->place != ABI_OWN ? NOVA_REVOKE_REMOTE : 0);
}

static uint64_t revoke_place(const struct operation *operation, const uint64_t word[ABI_WORDS]) {
    return operation->place == ABI_OWN ? 0 : operation->place == ABI_PLACE_CAP ? word[3] : HIDDEN_PHYS;
}

static enum abi_code revoke(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS]) {
    struct operation operation = decode(word);
    uint64_t piece[PIECES];
    if (operation.place == ABI_PLACE_CAP && !is_selector(word[3]))
        return ABI_E_CAP;
    if (operation.scope == ABI_DROP)
        operation.mask = NOVA_ALL_RIGHTS;
    uint32_t count = revoke_pieces(&operation, word[1], piece);
    enum abi_code code = ABI_OK;
    for (uint32_t i = 0; i < count && code == ABI_OK; i++) {
        struct request what = {.rdi = nova_word(NOVA_REVOKE, revoke_flags(&operation), HIDDEN_NOTHING),
                               .rsi = piece[i],
                               .rdx = revoke_place(&operation, word)};
        code = code_of(request(cpu, pd, &what));
    }
    return code;
}

/* Whether a capability of the caller's names a PD and has a right, as its lookup shows. */
static enum abi_code check(uint32_t cpu, uint32_t pd, uint64_t selector, uint8_t right) {
    uint64_t rights = 0;
    enum abi_code code = name_pd(cpu, pd, selector);
    if (code == ABI_OK)
        code = look_up(cpu, pd, ABI_OBJ, selector, &rights);
    return code != ABI_OK ? code : rights & right ? ABI_OK : ABI_E_RIGHT;
}

static uint32_t free_slot(const bool *alive, uint32_t count) {
    uint32_t slot = 0;
    while (slot < count && alive[slot])
        slot++;
    return slot;
}

static void undo_create(bool object, uint32_t slot) {
    if (object) {
        root_revoke(nova_range(NOVA_OBJECTS, ROOT_OBJECT + (uint64_t)slot, 0, NOVA_ALL_RIGHTS));
        return;
    }
    pds_empty_agent(slot);
    pds_destroy(slot);
}

/* The root task makes it, and hands it to the caller. */
static enum abi_code create(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS]) {
    bool object = decode(word).operation == ABI_CREATE_OBJECT;
    uint64_t occupied = 0;
    enum abi_code code = check(cpu, pd, word[3], ABI_CREATE);
    uint32_t limit = object ? LAYOUT_OBJECTS : LAYOUT_PDS;
    uint32_t slot = free_slot(object ? kernel.object_alive : kernel.pd_alive, limit);
    if (code == ABI_OK)
        code = look_up(cpu, pd, ABI_OBJ, word[1], &occupied);
    if (code != ABI_OK)
        return code;
    if (occupied)
        return ABI_E_OVERLAP;
    if (slot == limit || (!object && !pds_create(slot, session_option("quota", QUOTA))))
        return ABI_E_MEM;
    uint64_t selector = object ? (uint64_t)ROOT_OBJECT + slot : ROOT_PD + ((uint64_t)slot << ROOT_PD_LOG2);
    if (object)
        root_must("create_sm", NOVA_CREATE_SM, 0, selector, NOVA_ROOT_PD, 0, 0, 0);
    if (!root_try_give(ROOT_PD + ((uint64_t)pd << ROOT_PD_LOG2), nova_range(NOVA_OBJECTS, selector, 0, ABI_OBJ_RIGHTS),
                       nova_range(NOVA_OBJECTS, word[1], 0, ABI_OBJ_RIGHTS), false)) {
        undo_create(object, slot);
        return ABI_E_MEM;
    }
    if (object) {
        kernel.object_alive[slot] = true;
        kernel.listed_object[kernel.object_count++] = slot;
    } else {
        kernel.pd_alive[slot] = true;
        kernel.listed_pd[kernel.pd_count++] = slot;
    }
    return ABI_OK;
}

void kernel_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    enum abi_code code;
    uint64_t value = 0;
    switch (word[0] & 0xff) {
    case ABI_CREATE_PD:
    case ABI_CREATE_OBJECT:
        code = create(cpu, pd, word);
        break;
    case ABI_DELEGATE:
        code = delegate(cpu, pd, word);
        break;
    case ABI_REVOKE:
        code = revoke(cpu, pd, word);
        break;
    case ABI_DESTROY_PD:
        code = check(cpu, pd, word[3], ABI_DESTROY);
        break;
    case ABI_LOOKUP:
        code = look_up(cpu, pd, decode(word).kind, word[1], &value);
        break;
    default:
        code = ABI_E_ARG;
        break;
    }
    word[0] = code;
    word[1] = value;
}

/* ---- calls in flight ---- */

/* Revokes that are one hypercall. What lies before it is decided here, with nothing in flight that may change it. */
bool kernel_can_begin(uint32_t pd, const uint64_t word[ABI_WORDS]) {
    uint64_t piece[PIECES];
    struct operation operation = decode(word);
    (void)pd;
    return operation.operation == ABI_REVOKE && operation.scope != ABI_DROP &&
           (operation.place != ABI_PLACE_CAP || is_selector(word[3])) && revoke_pieces(&operation, word[1], piece) == 1;
}

void kernel_begin_call(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS], uint32_t points) {
    struct flying *flying = &kernel.flying[cpu];
    struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
    struct operation operation = decode(word);
    uint64_t piece[PIECES];
    revoke_pieces(&operation, word[1], piece);
    struct request what = {.rdi = nova_word(NOVA_REVOKE, revoke_flags(&operation), HIDDEN_NOTHING),
                           .rsi = piece[0],
                           .rdx = revoke_place(&operation, word)};
    *flying = (struct flying){.in_flight = true, .pd = pd, .is_guest = kernel.runs[cpu] != pd};
    write_request(cpu, pd, &what);
    tell(cpu, pd, AGENT_CALL);
    for (uint32_t spins = 0; !__atomic_load_n(&mailbox->began, __ATOMIC_ACQUIRE) && spins < SPINS_MAX; spins++)
        instruction_pause();
    uint64_t until = mailbox->began + (uint64_t)points * HEAD_START;
    while (instruction_ticks() < until && !is_done(mailbox))
        instruction_pause();
}

bool kernel_call_is_over(uint32_t cpu) {
    const struct flying *flying = &kernel.flying[cpu];
    return !flying->in_flight || is_done(pds_mailbox(flying->pd, cpu));
}

/* Waits for a call in flight, and makes its CPU go on with what it ran. */
static void settle(uint32_t cpu) {
    struct flying *flying = &kernel.flying[cpu];
    if (!flying->in_flight)
        return;
    struct agent_mailbox *mailbox = pds_mailbox(flying->pd, cpu);
    wait_until(&mailbox->done, mailbox->request, "an agent does not answer");
    flying->status = (enum nova_status)(mailbox->word[0] & 0xff);
    flying->in_flight = false;
    if (!flying->is_guest)
        return;
    wait_until(&mailbox->away, 1, "an agent does not go");
    if (kernel.runs[cpu] != RESCIND_NONE)
        wake(cpu, kernel.runs[cpu], true);
}

void kernel_finish_call(uint32_t cpu, uint64_t word[ABI_WORDS]) {
    settle(cpu);
    word[0] = code_of(kernel.flying[cpu].status);
    word[1] = 0;
}

void kernel_call_time(uint32_t cpu, struct kernel_call_time *time) {
    const struct agent_mailbox *mailbox = pds_mailbox(kernel.called[cpu], cpu);
    *time = (struct kernel_call_time){.began = mailbox->began, .ended = mailbox->ended};
}

/* ---- ends and beginnings ---- */

static bool is_own_call(uint32_t cpu, uint32_t pd) {
    return kernel.flying[cpu].in_flight && kernel.flying[cpu].pd == pd;
}

/* CPUs that run a PD run none then, or its agent would fault in memory that the root task gave it. An agent that made a
 * call goes when that is over; one that made room for another's call is away. */
static void send_away_everywhere(uint32_t pd) {
    for (uint32_t cpu = 1; cpu < kernel.cpus; cpu++) {
        if (is_own_call(cpu, pd))
            __atomic_store_n(&pds_mailbox(pd, cpu)->resident, 0, __ATOMIC_RELEASE);
        else if (kernel.runs[cpu] == pd && !kernel.flying[cpu].in_flight)
            send_away(cpu);
        if (kernel.runs[cpu] == pd)
            kernel.runs[cpu] = RESCIND_NONE;
    }
    if (kernel.runs[0] == pd)
        kernel.runs[0] = RESCIND_NONE;
}

/* A call in flight of a PD that dies runs to its end; its answer is lost. Its agent may die before it can say so, if
 * the PD was destroyed before. */
static void await_own_calls(uint32_t pd, uint32_t spins_max) {
    for (uint32_t cpu = 1; cpu < kernel.cpus; cpu++) {
        if (!is_own_call(cpu, pd))
            continue;
        const struct agent_mailbox *mailbox = pds_mailbox(pd, cpu);
        for (uint32_t spins = 0; spins < spins_max && !__atomic_load_n(&mailbox->away, __ATOMIC_ACQUIRE); spins++)
            instruction_pause();
        if (!mailbox->away && spins_max == SPINS_MAX)
            root_panic("an agent does not go", pd);
        kernel.flying[cpu].in_flight = false;
        if (kernel.runs[cpu] != RESCIND_NONE)
            wake(cpu, kernel.runs[cpu], true);
    }
}

void kernel_end(uint32_t what) {
    uint32_t object = what ^ RESCIND_OBJECT;
    if (what & RESCIND_OBJECT) {
        root_revoke(nova_range(NOVA_OBJECTS, ROOT_OBJECT + (uint64_t)object, 0, NOVA_ALL_RIGHTS));
        kernel.object_alive[object] = false;
        kernel.listed_object[kernel.object_count++] = object;
        return;
    }
    send_away_everywhere(what);
    if (session_option("empty", 0)) {
        pds_empty_units(what);
        await_own_calls(what, SPINS_MAX);
        pds_empty_agent(what);
        pds_destroy(what);
    } else {
        pds_destroy(what);
        await_own_calls(what, SPINS_OF_DEAD);
    }
    kernel.pd_alive[what] = false;
    kernel.listed_pd[kernel.pd_count++] = what;
}

static void make_root(void) {
    if (!pds_create(0, QUOTA_OF_ROOT))
        root_panic("memory: what dead PDs had does not come back; pages free", root_free_pages());
    kernel.pd_alive[0] = true;
    kernel.runs[0] = 0;
    root_give(ROOT_PD, nova_range(NOVA_OBJECTS, NOVA_ROOT_PD, 0, NOVA_ALL_RIGHTS),
              nova_range(NOVA_OBJECTS, HIDDEN_PHYS, 0, NOVA_ALL_RIGHTS), false);
    root_give(ROOT_PD, nova_range(NOVA_OBJECTS, ROOT_PD, 0, ABI_OBJ_RIGHTS & ~ABI_DESTROY),
              nova_range(NOVA_OBJECTS, ABI_ROOT_SELECTOR, 0, NOVA_ALL_RIGHTS), false);
}

/* Waits until what the dead had has come back, but for what the kernel keeps to give it out again: less than a PD has.
 */
static void wait_for_memory(void) {
    uint64_t free = root_free_pages();
    if (!kernel.quota_at_start)
        kernel.quota_at_start = free;
    for (uint32_t tries = 0; free + KEPT_PAGES <= kernel.quota_at_start; tries++) {
        if (tries == SLOW_TRIES)
            root_panic("memory: what dead PDs had does not come back; pages missing", kernel.quota_at_start - free);
        root_sleep(SLOW_TICKS);
        free = root_free_pages();
    }
}

void kernel_boot(void) {
    for (uint32_t cpu = 1; cpu < kernel.cpus; cpu++)
        kernel_switch(cpu, RESCIND_NONE);
    for (uint32_t object = 0; object < LAYOUT_OBJECTS; object++) {
        kernel.object_count = 0;
        if (kernel.object_alive[object])
            kernel_end(object | RESCIND_OBJECT);
    }
    kernel.pd_count = 0;
    for (uint32_t pd = LAYOUT_PDS; pd-- > 0;) {
        if (kernel.pd_alive[pd])
            kernel_end(pd);
    }
    kernel.pd_count = kernel.object_count = 0;
    wait_for_memory();
    make_root();
}

/* In pages. */
uint64_t kernel_memory_in_use(void) {
    root_sleep(SLOW_TICKS);
    return kernel.quota_at_start - root_free_pages();
}

/* ---- CPUs ---- */

void kernel_access(uint32_t cpu, uint32_t pd, bool fresh, struct kernel_access *access, uint32_t count) {
    uint32_t on = cpu && !fresh && kernel.runs[cpu] == pd && !kernel.flying[cpu].in_flight ? cpu : 0;
    struct agent_mailbox *mailbox = pds_mailbox(pd, on);
    mailbox->at = 0;
    mailbox->count = count;
    for (uint32_t i = 0; i < count; i++) {
        mailbox->access[i] = access[i];
        if (access[i].kind == ABI_MEM)
            mailbox->access[i].unit = layout_page(access[i].unit);
    }
    ask(on, pd, AGENT_ACCESS);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t unit = access[i].unit;
        access[i] = mailbox->access[i];
        access[i].unit = unit;
    }
}

void kernel_switch(uint32_t cpu, uint32_t pd) {
    if (cpu == 0) {
        kernel.runs[0] = pd;
        return;
    }
    settle(cpu);
    send_away(cpu);
    kernel.runs[cpu] = pd;
    if (pd != RESCIND_NONE)
        wake(cpu, pd, true);
}

uint32_t kernel_runs(uint32_t cpu) {
    return kernel.runs[cpu];
}

void kernel_keep_busy(bool busy) {
    kernel.busy = busy;
}

/* ---- reports ---- */

bool kernel_pd_report(uint32_t pd, struct rescind_pd_view *view) {
    if (pd >= LAYOUT_PDS || !kernel.pd_alive[pd])
        return false;
    *view = (struct rescind_pd_view){.payer = RESCIND_NONE, .references = RESCIND_NONE};
    for (unsigned kind = 0; kind < ABI_KINDS; kind++)
        view->tree_root[kind] = RESCIND_NONE;
    return true;
}

void kernel_usage(struct rescind_usage *usage) {
    *usage = (struct rescind_usage){0};
    for (uint32_t pd = 0; pd < LAYOUT_PDS; pd++)
        usage->pds += kernel.pd_alive[pd];
    for (uint32_t object = 0; object < LAYOUT_OBJECTS; object++)
        usage->objects += kernel.object_alive[object];
}

void kernel_log(struct rescind_log *log) {
    *log = (struct rescind_log){
        .pds = kernel.listed_pd,
        .objects = kernel.listed_object,
        .pd_count = kernel.pd_count,
        .object_count = kernel.object_count,
    };
    kernel.pd_count = kernel.object_count = 0;
}
