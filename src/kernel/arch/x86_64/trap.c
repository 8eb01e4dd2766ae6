/* What enters the kernel, and how CPUs leave it; see machine.h. */
#include "arch/x86_64/platform.h"
#include "check.h"
#include "cpu.h"
#include "pd.h"

struct machine machine;

enum { VECTOR_NMI = 2, VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14, VECTOR_MACHINE_CHECK = 18 };
enum { RFLAGS_AT_START = 1 << 1 | 1 << 9 /* interrupts on */, AGENT_CODE_BYTES = 1 << 30 };

void machine_trap(struct frame *frame);

_Noreturn void arch_stop(enum rescind_stop why, const char *text, const char *function) {
    static const char *const names[] = {
        [RESCIND_STOP_ASSERT] = "assert",
        [RESCIND_STOP_STEPS] = "steps",
        [RESCIND_STOP_MEMORY] = "memory",
        [RESCIND_STOP_WALK] = "walk",
    };
    platform_panic(names[why], text, function, NULL);
}

/* ---- leaving ---- */

_Noreturn static void start_user(uint64_t entry, uint64_t stack, uint64_t argument) {
    const struct frame frame = {
        .rdi = argument,
        .rip = entry,
        .cs = LAYOUT_USER_CODE,
        .rflags = RFLAGS_AT_START,
        .rsp = stack,
        .ss = LAYOUT_USER_DATA,
    };
    machine_resume(&frame);
}

_Noreturn void machine_start_root(uint64_t entry, uint64_t stack) {
    start_user(entry, stack, CONTROL_INFO);
}

_Noreturn void machine_idle(void) {
    struct machine_cpu *self = machine_self();
    self->agent = false;
    machine_wait(self->stack_top);
}

/* Root's thread goes on after CONTROL_RUN. */
_Noreturn static void return_to_root(struct machine_cpu *self) {
    if (self->ran == RESCIND_NONE) { /* the agent's PD died */
        smp_lock();
        cpu_switch(self->index, pd_root());
        smp_unlock();
    }
    self->agent = false;
    self->root_waits = false;
    self->root_frame.rax = self->root_code;
    machine_resume(&self->root_frame);
}

static bool in_agent_code(uint64_t address) {
    return address - CONTROL_AGENT_WINDOW < AGENT_CODE_BYTES;
}

bool machine_agent_can_start(uint32_t cpu) {
    const struct control_mailbox *mailbox = machine.mailbox[cpu];
    return in_agent_code(mailbox->entry) && in_agent_code(mailbox->on_fault);
}

/* Returns if the agent was changed so that it cannot start any more. */
static void start_agent(struct machine_cpu *self) {
    uint64_t entry = machine.mailbox[self->index]->entry;
    if (in_agent_code(entry)) {
        self->agent = true;
        start_user(entry, CONTROL_STACK_TOP(self->index), CONTROL_MAILBOX(self->index));
    }
    machine_agent_returns(self, CONTROL_E_ARG);
}

/* Returns if the CPU is to go on with what it did. */
static void leave(struct machine_cpu *self) {
    while (self->way != MACHINE_GO_ON) {
        enum machine_way way = self->way;
        self->way = MACHINE_GO_ON;
        if (way == MACHINE_START_AGENT) {
            start_agent(self);
        } else if (self->root_waits) {
            return_to_root(self);
        } else {
            machine_idle();
        }
    }
}

/* ---- entering ---- */

void machine_tell_agent(struct machine_cpu *self, struct frame *frame, uint64_t vector, uint64_t error) {
    struct control_mailbox *mailbox = machine.mailbox[self->index];
    uint64_t on_fault = mailbox->on_fault;
    mailbox->fault = (struct control_fault){
        .vector = vector,
        .error = error,
        .address = vector == VECTOR_PAGE_FAULT ? cpu_read_cr2() : 0,
        .rip = frame->rip,
    };
    if (!in_agent_code(on_fault)) {
        machine_agent_returns(self, CONTROL_E_ARG);
        return;
    }
    frame->rip = on_fault;
    frame->rsp = CONTROL_STACK_TOP(self->index);
    frame->rdi = CONTROL_MAILBOX(self->index);
    frame->rflags = RFLAGS_AT_START;
}

static const char *exception_name(uint64_t vector) {
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
        "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    };
    return vector < sizeof names / sizeof *names ? names[vector] : "";
}

static void exception(struct machine_cpu *self, struct frame *frame) {
    bool in_user = (frame->cs & 3) != 0;
    bool fatal =
        frame->vector == VECTOR_NMI || frame->vector == VECTOR_DOUBLE_FAULT || frame->vector == VECTOR_MACHINE_CHECK;
    if (!in_user || fatal) {
        platform_panic("exception", exception_name(frame->vector), "kernel", frame);
    }
    if (!self->agent) {
        platform_panic("exception", exception_name(frame->vector), "root", frame);
    }
    machine_tell_agent(self, frame, frame->vector, frame->error);
}

/* From entry.S; goes back where the frame says when it returns. */
void machine_trap(struct frame *frame) {
    struct machine_cpu *self = machine_self();
    switch (frame->vector) {
    case LAYOUT_VECTOR_SYSTEM_CALL:
        machine_control(self, frame);
        break;
    case LAYOUT_VECTOR_TIMER:
        machine.info->ticks[self->index]++;
        machine_end_of_interrupt();
        break;
    case LAYOUT_VECTOR_REQUEST:
        machine_end_of_interrupt();
        smp_serve();
        break;
    case LAYOUT_VECTOR_SPURIOUS:
        break;
    default:
        exception(self, frame);
    }
    if (!smp.cpu[self->index].dozes) { /* else the kernel was interrupted, and goes on */
        smp_leave();
        leave(self);
    }
}
