/* See agent.h. Linked into the agent window: it may call nothing of the root task. */
#include "agent.h"

#include "instructions.h"

enum { PAGE_LOG2 = 12, PAGE_FAULT = 14, PROTECTION_FAULT = 13 };

static void set_stage(struct agent_mailbox *mailbox, enum agent_stage stage) {
    __atomic_store_n(&mailbox->stage, (uint32_t)stage, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- accesses ---- */

/* Where there is nothing to be read, the architecture has nothing to be written or executed either. */
static void read_page(struct agent_mailbox *mailbox, struct kernel_access *access) {
    if (!(access->rights & ABI_R))
        return;
    set_stage(mailbox, AGENT_READS);
    access->read = *(const volatile uint64_t *)(access->unit << PAGE_LOG2);
    access->reached |= ABI_R;
}

static void write_page(struct agent_mailbox *mailbox, struct kernel_access *access) {
    if (!(access->rights & ABI_W))
        return;
    set_stage(mailbox, AGENT_WRITES);
    *(volatile uint32_t *)((access->unit << PAGE_LOG2) + access->offset) = access->nonce;
    access->reached |= ABI_W;
}

/* What was read and is no tag stands before no program either: whatever it were, it would do, and the kernel be blamed.
 */
static void execute_page(struct agent_mailbox *mailbox, struct kernel_access *access) {
    if (!(access->rights & ABI_X))
        return;
    if (access->reached & ABI_R && access->read >> 32 != KERNEL_TAG) {
        access->astray = true;
        return;
    }
    set_stage(mailbox, AGENT_EXECUTES);
    access->returned = instruction_execute((access->unit << PAGE_LOG2) + access->entry);
    access->reached |= ABI_X;
}

static void use_port(struct agent_mailbox *mailbox, struct kernel_access *access) {
    set_stage(mailbox, AGENT_PORT);
    access->read = instruction_in((uint16_t)access->unit);
    access->reached = ABI_PIO_RIGHTS;
}

static void make_accesses(struct agent_mailbox *mailbox) {
    for (; mailbox->at < mailbox->count; mailbox->at++) {
        struct kernel_access *access = &mailbox->access[mailbox->at];
        if (access->kind == ABI_PIO) {
            use_port(mailbox, access);
            continue;
        }
        read_page(mailbox, access);
        write_page(mailbox, access);
        execute_page(mailbox, access);
    }
    set_stage(mailbox, AGENT_NOTHING);
}

/* ---- what to be busy with ---- */

static void note_busy(struct agent_mailbox *mailbox) {
    mailbox->busy_count = mailbox->busy_at = 0;
    for (uint32_t i = 0; i < mailbox->count; i++) {
        const struct kernel_access *access = &mailbox->access[i];
        if (access->kind == ABI_MEM && access->reached & ABI_R)
            mailbox->busy_address[mailbox->busy_count++] = access->unit << PAGE_LOG2;
    }
}

static void be_busy(struct agent_mailbox *mailbox) {
    instruction_pause(); /* CPUs of an emulator that take turns go on to the next one here */
    if (!mailbox->busy || !mailbox->busy_count)
        return;
    mailbox->busy_at = mailbox->busy_at + 1 < mailbox->busy_count ? mailbox->busy_at + 1 : 0;
    set_stage(mailbox, AGENT_BUSY);
    (void)*(const volatile uint8_t *)mailbox->busy_address[mailbox->busy_at];
    set_stage(mailbox, AGENT_NOTHING);
}

/* ---- requests ---- */

static void answer(struct agent_mailbox *mailbox) {
    __atomic_store_n(&mailbox->done, mailbox->request, __ATOMIC_RELEASE);
}

static void perform(struct agent_mailbox *mailbox) {
    if (mailbox->command == AGENT_ACCESS) {
        make_accesses(mailbox);
        note_busy(mailbox);
    } else {
        mailbox->began = instruction_ticks();
        agent_call(mailbox);
        mailbox->ended = instruction_ticks();
    }
    answer(mailbox);
}

static _Noreturn void serve(struct agent_mailbox *mailbox) {
    for (;;) {
        if (__atomic_load_n(&mailbox->request, __ATOMIC_ACQUIRE) != mailbox->done)
            perform(mailbox);
        if (!mailbox->resident)
            break;
        be_busy(mailbox);
    }
    agent_return(mailbox);
}

_Noreturn void agent_main(struct agent_mailbox *mailbox) {
    serve(mailbox);
}

/* Whether an exception is the access's own refusal. */
static bool is_refusal(const struct agent_mailbox *mailbox, const struct kernel_access *access) {
    const struct agent_fault *fault = &mailbox->fault;
    uint64_t address = access->unit << PAGE_LOG2;
    if (mailbox->stage == AGENT_PORT)
        return fault->vector == PROTECTION_FAULT;
    if (fault->vector != PAGE_FAULT || fault->address >> PAGE_LOG2 != access->unit)
        return false;
    return mailbox->stage != AGENT_EXECUTES || fault->rip == address + access->entry;
}

static void refuse(struct agent_mailbox *mailbox) {
    struct kernel_access *access = &mailbox->access[mailbox->at];
    bool refused = is_refusal(mailbox, access);
    if (!refused && mailbox->stage == AGENT_EXECUTES) {
        access->reached |= ABI_X;
        access->astray = true;
    } else if (!refused) {
        mailbox->lost = 1;
    }
    if (mailbox->stage == AGENT_WRITES)
        execute_page(mailbox, access);
    mailbox->at++;
    make_accesses(mailbox);
    note_busy(mailbox);
    answer(mailbox);
}

_Noreturn void agent_fault(struct agent_mailbox *mailbox) {
    if (mailbox->stage == AGENT_BUSY) {
        mailbox->busy_count = 0;
        set_stage(mailbox, AGENT_NOTHING);
    } else if (mailbox->stage != AGENT_NOTHING) {
        refuse(mailbox);
    } else {
        mailbox->lost = 1;
        answer(mailbox);
    }
    serve(mailbox);
}
