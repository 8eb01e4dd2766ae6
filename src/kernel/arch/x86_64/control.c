/* System calls and control calls of user mode (abi/control.h), and the information page. */
#include "abi/control.h"

#include "account.h"
#include "arch/x86_64/platform.h"
#include "check.h"
#include "cpu.h"
#include "pd.h"
#include "syscall.h"
#include "usage.h"
#include "work.h"

enum { ADDRESS_BITS = 48, VECTOR_PROTECTION = 13 };
_Static_assert(CONTROL_NOBODY == RESCIND_NONE, "a request to run nobody passes it on");

/* ---- the information page ---- */

static void note_changed(uint32_t what) {
    struct control_info *info = machine.info;
    info->changed[info->changed_count % CONTROL_LISTED] = what;
    __atomic_store_n(&info->changed_count, info->changed_count + 1, __ATOMIC_RELEASE);
}

void arch_pd_changed(uint32_t pd) {
    struct control_info *info = machine.info;
    note_changed(pd);
    if (info->pd_count == CONTROL_LISTED) {
        info->overflow = 1;
        return;
    }
    info->listed_pd[info->pd_count++] = pd;
}

void arch_object_changed(uint32_t object) {
    struct control_info *info = machine.info;
    note_changed(object | RESCIND_OBJECT);
    if (info->object_count == CONTROL_LISTED) {
        info->overflow = 1;
        return;
    }
    info->listed_object[info->object_count++] = object;
}

static void begin(void) {
    struct control_info *info = machine.info;
    if (work_count > 0) {
        return; /* told of all that overlap, together */
    }
    machine.steps = 0;
    info->pd_count = info->object_count = info->overflow = 0;
    info->invalidations = info->shootdowns = 0;
}

/* What overlaps is told as it happens: root's thread may read it without the lock. */
static void tell_begin(struct control_calls *calls) {
    machine.calls++;
    __atomic_store_n(&calls->begun, calls->begun + 1, __ATOMIC_RELEASE);
}

static void tell_end(struct control_calls *calls, const uint64_t word[ABI_WORDS]) {
    calls->code = word[0];
    calls->value = word[1];
    __atomic_store_n(&calls->ended, calls->ended + 1, __ATOMIC_RELEASE);
}

void machine_tell_point(uint32_t cpu) {
    struct control_calls *calls = &machine.info->calls[cpu];
    __atomic_store_n(&calls->points, calls->points + 1, __ATOMIC_RELEASE);
    if (machine.take_turns) {
        cpu_pause();
    }
}

void machine_tell_usage(void) {
    struct control_info *info = machine.info;
    struct rescind_usage usage;
    usage_read(&usage);
    info->pds = usage.pds;
    info->objects = usage.objects;
    info->nodes = usage.nodes;
    info->tables = usage.tables;
    info->bytes = usage.bytes;
    info->steps = machine.steps;
}

/* ---- memory of root's thread ---- */

/* Where the kernel sees the byte at an address of root's own window, which root may read (and write); or NULL. */
static unsigned char *in_root_window(uint64_t address, bool write) {
    const uint64_t *table = pd_root()->root_table;
    if (address >> 39 != CONTROL_ROOT_WINDOW >> 39) {
        return NULL;
    }
    for (unsigned level = GEO_LEVELS - 1;; level--) {
        unsigned shift = PTE_FRAME_SHIFT + level * GEO_LEVEL_BITS;
        uint64_t entry = table[address >> shift & ((1 << GEO_LEVEL_BITS) - 1)];
        if (!pte_present(entry) || (write && !(entry & PTE_WRITE))) {
            return NULL;
        }
        unsigned char *below = machine_at(pte_frame(entry) << PTE_FRAME_SHIFT);
        if (level == 0 || pte_large(entry)) {
            return below + (address & ((UINT64_C(1) << shift) - 1));
        }
        table = (const uint64_t *)(const void *)below;
    }
}

/* The bytes from an address on that lie in one page, at most `bytes`. */
static uint64_t in_page(uint64_t address, uint64_t bytes) {
    uint64_t left = CONTROL_PAGE - address % CONTROL_PAGE;
    return bytes < left ? bytes : left;
}

static bool root_may(uint64_t address, uint64_t bytes, bool write) {
    uint64_t end = address + bytes;
    while (address < end && in_root_window(address, write)) {
        address += in_page(address, end - address);
    }
    return address == end;
}

/* ---- control calls ---- */

static enum control_code write(const struct frame *frame) {
    uint64_t address = frame->rdi;
    uint64_t bytes = frame->rsi;
    if (!root_may(address, bytes, false)) {
        return CONTROL_E_ARG;
    }
    while (bytes > 0) {
        uint64_t now = in_page(address, bytes);
        platform_write((const char *)in_root_window(address, false), now);
        address += now;
        bytes -= now;
    }
    return CONTROL_OK;
}

static enum control_code report(const struct frame *frame) {
    const struct pd *pd = frame->rdi < GEO_PDS ? pd_find((uint32_t)frame->rdi) : NULL;
    uint64_t to = frame->rsi;
    if (!root_may(to, sizeof(struct control_pd), true)) {
        return CONTROL_E_ARG;
    }
    if (!pd) {
        return CONTROL_E_DEAD;
    }
    struct control_pd report = {
        .quota = pd->account.quota,
        .used = pd->account.used,
        .payer = pd->referent.payer ? pd_index(pd->referent.payer) : RESCIND_NONE,
        .references = pd->referent.references,
    };
    for (unsigned kind = 0; kind < ABI_KINDS; kind++) {
        report.node_count[kind] = pd->space[kind].nodes;
    }
    for (uint32_t cpu = 0; cpu < machine.cpus; cpu++) {
        report.cpus |= cpu_runs(cpu) == pd ? 1U << cpu : 0;
    }
    for (uint64_t done = 0, now; done < sizeof report; done += now) {
        now = in_page(to + done, sizeof report - done);
        __builtin_memcpy(in_root_window(to + done, true), (const unsigned char *)&report + done, now);
    }
    return CONTROL_OK;
}

/* Of the CPU that executes this: its frame is kept, and gets the result when the agent is done. */
static enum control_code run_here(struct machine_cpu *self, const struct frame *frame, struct pd *pd) {
    self->root_frame = *frame;
    self->root_code = CONTROL_E_DEAD; /* unless the agent comes to its end */
    self->root_waits = true;
    cpu_switch(self->index, pd);
    self->way = MACHINE_START_AGENT;
    return CONTROL_OK;
}

static enum control_code run(struct machine_cpu *self, const struct frame *frame) {
    uint64_t cpu = frame->rdi;
    uint64_t index = frame->rsi;
    struct pd *pd = index < GEO_PDS ? pd_find((uint32_t)index) : NULL;
    if (cpu >= machine.cpus || (index == CONTROL_NOBODY && cpu == self->index)) {
        return CONTROL_E_ARG;
    }
    if (pd ? pd->referent.dying : index != CONTROL_NOBODY) {
        return CONTROL_E_DEAD;
    }
    if (pd && !machine_agent_can_start((uint32_t)cpu)) {
        return CONTROL_E_ARG;
    }
    if (cpu == self->index) {
        return run_here(self, frame, pd);
    }
    smp_request_run((uint32_t)cpu, (uint32_t)index);
    return CONTROL_OK;
}

static enum control_code control(struct machine_cpu *self, const struct frame *frame) {
    switch (frame->rax) {
    case CONTROL_WRITE:
        return write(frame);
    case CONTROL_EXIT:
        platform_exit((uint8_t)frame->rdi);
    case CONTROL_RUN:
        return run(self, frame);
    case CONTROL_FAIL_ALLOCATION:
        account_fail((uint32_t)frame->rdi);
        return CONTROL_OK;
    case CONTROL_TAKE_TURNS:
        machine.take_turns = frame->rdi != 0;
        return CONTROL_OK;
    case CONTROL_PD_REPORT:
        return report(frame);
    default:
        return CONTROL_E_ARG;
    }
}

static void system_call(const struct machine_cpu *self, struct frame *frame) {
    uint64_t word[ABI_WORDS] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8};
    struct control_info *info = machine.info;
    struct pd *caller = cpu_runs(self->index);
    if (caller->referent.dying) {
        cpu_stop(self->index); /* it calls nothing; whoever destroys it was let in between */
        return;
    }
    begin();
    tell_begin(&info->calls[self->index]);
    syscall_enter(caller, word);
    KASSERT(!machine_stack_overflowed(self->index));
    machine_tell_usage();
    info->code = word[0];
    info->value = word[1];
    tell_end(&info->calls[self->index], word);
    frame->rdi = word[0];
    frame->rsi = word[1];
    frame->rax = CONTROL_OK;
}

void machine_agent_returns(struct machine_cpu *self, enum control_code code) {
    if (!smp_lock()) {
        return;
    }
    self->root_code = code;
    if (self->root_waits) {
        cpu_switch(self->index, pd_root());
        self->way = MACHINE_LEAVE;
    } else {
        cpu_stop(self->index);
    }
    smp_unlock();
}

/* An instruction at the end of the lower half leaves an address at which no CPU can go on. */
static bool can_go_on(uint64_t rip) {
    uint64_t top = rip >> (ADDRESS_BITS - 1);
    return top == 0 || top == UINT64_MAX >> (ADDRESS_BITS - 1);
}

void machine_control(struct machine_cpu *self, struct frame *frame) {
    if (frame->rax == CONTROL_RETURN && self->agent) {
        machine_agent_returns(self, CONTROL_OK);
        return;
    }
    if (frame->rax != CONTROL_SYSTEM_CALL && (self->agent || frame->rax == CONTROL_RETURN)) {
        frame->rax = CONTROL_E_DENIED;
    } else if (!smp_lock()) {
        return;
    } else {
        if (frame->rax == CONTROL_SYSTEM_CALL) {
            system_call(self, frame);
        } else {
            frame->rax = control(self, frame);
        }
        smp_unlock();
    }
    if (self->agent && !can_go_on(frame->rip)) {
        machine_tell_agent(self, frame, VECTOR_PROTECTION, 0);
    }
}
