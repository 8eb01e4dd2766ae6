/* Operations by root's thread, and jobs for agents; see task.h. */
#include "task.h"

extern const uint64_t task_agent_entry __attribute__((visibility("hidden")));
extern const uint64_t task_agent_on_fault __attribute__((visibility("hidden")));

enum { QUOTA_PAGES = 64, TURNS = 100, PATIENCE = 1000000000 };

enum abi_code call(const uint64_t word[ABI_WORDS], uint64_t *value) {
    uint64_t copy[ABI_WORDS];
    for (unsigned i = 0; i < ABI_WORDS; i++) {
        copy[i] = word[i];
    }
    task_system_call(copy);
    if (value) {
        *value = copy[1];
    }
    return (enum abi_code)copy[0];
}

uint64_t call_head(enum abi_operation operation, enum abi_kind kind, unsigned order, unsigned mask) {
    return operation | (uint64_t)kind << ABI_KIND_SHIFT | (uint64_t)order << ABI_ORDER_SHIFT |
           (uint64_t)mask << ABI_MASK_SHIFT;
}

uint32_t make_pd(const struct control_info *info, uint64_t selector) {
    const uint64_t word[ABI_WORDS] = {ABI_CREATE_PD, selector, QUOTA_PAGES, ABI_ROOT_SELECTOR};
    CHECK(call(word, NULL) == ABI_OK);
    CHECK(info->pd_count == 1);
    return info->listed_pd[0];
}

enum abi_code delegate_phys(enum abi_kind kind, uint64_t resource, uint64_t selector, uint64_t unit, unsigned order,
                            unsigned mask) {
    const uint64_t word[ABI_WORDS] = {
        call_head(ABI_DELEGATE, kind, order, mask) | ABI_PHYS << ABI_PLACE_SHIFT | 1U << ABI_TO_CAP_SHIFT,
        resource,
        unit,
        selector,
    };
    return call(word, NULL);
}

void revoke_in(enum abi_kind kind, uint64_t selector, uint64_t unit, unsigned order, unsigned mask) {
    const uint64_t word[ABI_WORDS] = {
        call_head(ABI_REVOKE, kind, order, mask) | ABI_PLACE_CAP << ABI_PLACE_SHIFT | ABI_SELF << ABI_SCOPE_SHIFT,
        unit,
        0,
        selector,
    };
    CHECK(call(word, NULL) == ABI_OK);
}

void destroy(uint64_t selector) {
    const uint64_t word[ABI_WORDS] = {ABI_DESTROY_PD, 0, 0, selector};
    CHECK(call(word, NULL) == ABI_OK);
}

/* ---- agents ---- */

static void give(uint32_t cpu, enum job_kind kind, uint64_t argument) {
    struct job *job = job_of(cpu);
    job->mailbox.entry = task_agent_entry;
    job->mailbox.on_fault = task_agent_on_fault;
    job->mailbox.fault = (struct control_fault){0};
    job->kind = kind;
    job->argument = argument;
    job->done = job->faulted = job->count = 0;
}

uint64_t run_here(uint32_t pd, enum job_kind kind, uint64_t argument, uint64_t value) {
    give(0, kind, argument);
    job_of(0)->value = value;
    return task_control(CONTROL_RUN, 0, pd, 0);
}

void expect_value(uint32_t pd, enum job_kind kind, uint64_t argument, uint64_t value) {
    const struct job *job = job_of(0);
    CHECK(run_here(pd, kind, argument, value) == CONTROL_OK);
    CHECK(job->done && !job->faulted);
    CHECK(job->value == value);
}

void expect_fault(uint32_t pd, enum job_kind kind, uint64_t argument, uint64_t vector, uint64_t error) {
    const struct job *job = job_of(0);
    CHECK(run_here(pd, kind, argument, 0) == CONTROL_OK);
    CHECK(!job->done && job->faulted);
    CHECK(job->mailbox.fault.vector == vector);
    CHECK(job->mailbox.fault.error == error);
    CHECK(job->mailbox.fault.address == (vector == 14 ? argument : 0));
}

void run_there(uint32_t cpu, uint32_t pd, enum job_kind kind, uint64_t argument) {
    /* It must have left what it did before the mailbox is written. */
    CHECK(task_control(CONTROL_RUN, cpu, CONTROL_NOBODY, 0) == CONTROL_OK);
    give(cpu, kind, argument);
    CHECK(task_control(CONTROL_RUN, cpu, pd, 0) == CONTROL_OK);
}

void await_turns(uint32_t cpu) {
    const struct job *job = job_of(cpu);
    uint64_t start = __atomic_load_n(&job->count, __ATOMIC_ACQUIRE);
    uint64_t waited = 0;
    while (__atomic_load_n(&job->count, __ATOMIC_ACQUIRE) < start + TURNS) {
        __builtin_ia32_pause();
        CHECK(!__atomic_load_n(&job->faulted, __ATOMIC_ACQUIRE));
        CHECK(waited++ < PATIENCE);
    }
}

void await_ticks(const struct control_info *info, uint32_t cpu) {
    uint64_t start = __atomic_load_n(&info->ticks[cpu], __ATOMIC_ACQUIRE);
    uint64_t waited = 0;
    while (__atomic_load_n(&info->ticks[cpu], __ATOMIC_ACQUIRE) < start + 2) {
        __builtin_ia32_pause();
        CHECK(waited++ < PATIENCE);
    }
}
