/* What can be tried on one CPU. */
#include "task.h"

enum {
    FRAME = 0x1200, /* of which pages are handed out; nobody else uses it */
    NONCE = 0x5eed,
    UNIT = 0x345,
    BREAKPOINT_TRAP = 1,
    UNDEFINED = 6,
    PROTECTION = 13,
    PAGE_FAULT = 14,
    ERROR_PRESENT = 1,
    ERROR_WRITE = 2,
    ERROR_USER = 4,
    ERROR_FETCH = 16,
    RETURN_INSTRUCTION = 0xc3,
    PORT = 0x71, /* of the real-time clock */
    EXIT_PORT = 0xf4,
};

static uint64_t address_of(uint64_t unit) {
    return unit * CONTROL_PAGE;
}

/* Its command line and its bytes, which must be text. */
static void print_module(const struct control_module *module) {
    const char *text = (const char *)(uintptr_t)(CONTROL_MEMORY_WINDOW + module->physical);
    task_print("module ");
    task_print(module->text);
    task_print(": ");
    for (uint64_t byte = 0; byte < module->bytes; byte++) {
        const char copy[2] = {text[byte], 0};
        task_print(copy);
    }
    task_print("\n");
}

void test_info(const struct control_info *info) {
    task_print_number("cpus ", info->cpus);
    task_print_number("leaf_level ", info->leaf_level);
    task_print_number("features ", info->features);
    task_print_number("heap ", info->heap_bytes);
    task_print_number("modules ", info->module_count);
    CHECK(info->magic == CONTROL_MAGIC);
    CHECK(info->kernel_frame == 0x60000);
    CHECK(info->pds == 1 && info->objects == 0 && info->nodes == 0);
    /* All of the heap is there, and nothing was left in it. */
    for (uint64_t at = 0; at < info->heap_bytes; at += 0x200000) {
        uint64_t *word = (uint64_t *)(uintptr_t)(CONTROL_HEAP + at);
        CHECK(*word == 0);
        *word = at;
    }
    for (uint32_t i = 0; i < info->module_count; i++) {
        print_module(&info->module[i]);
    }
}

void test_memory(const struct control_info *info) {
    uint32_t pd = make_pd(info, 1);
    uint64_t at = address_of(UNIT);
    *memory_at(FRAME) = NONCE;
    expect_fault(pd, JOB_READ, at, PAGE_FAULT, ERROR_USER);
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_R) == ABI_OK);
    expect_value(pd, JOB_READ, at, NONCE);
    expect_fault(pd, JOB_WRITE, at, PAGE_FAULT, ERROR_USER | ERROR_WRITE | ERROR_PRESENT);
    expect_fault(pd, JOB_EXECUTE, at, PAGE_FAULT, ERROR_USER | ERROR_FETCH | ERROR_PRESENT);
    expect_fault(pd, JOB_READ, at + CONTROL_PAGE, PAGE_FAULT, ERROR_USER);
    expect_fault(0, JOB_READ, at, PAGE_FAULT, ERROR_USER);
    revoke_in(ABI_MEM, 1, UNIT, 0, ABI_R);
    expect_fault(pd, JOB_READ, at, PAGE_FAULT, ERROR_USER);

    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_MEM_RIGHTS) == ABI_OK);
    expect_value(pd, JOB_WRITE, at, RETURN_INSTRUCTION);
    CHECK(*memory_at(FRAME) == RETURN_INSTRUCTION);
    expect_value(pd, JOB_EXECUTE, at, 0);
    revoke_in(ABI_MEM, 1, UNIT, 0, ABI_X);
    expect_fault(pd, JOB_EXECUTE, at, PAGE_FAULT, ERROR_USER | ERROR_FETCH | ERROR_PRESENT);
    expect_value(pd, JOB_WRITE, at, NONCE);
    revoke_in(ABI_MEM, 1, UNIT, 0, ABI_W);
    expect_fault(pd, JOB_WRITE, at, PAGE_FAULT, ERROR_USER | ERROR_WRITE | ERROR_PRESENT);
    destroy(1);
}

/* An agent takes from itself what its CPU has just used: nothing else makes the CPU forget it. */
void test_own_memory(const struct control_info *info) {
    enum { LARGE = 9, LARGE_UNIT = 3 << LARGE };
    uint32_t pd = make_pd(info, 1);
    struct job *job = job_of(0);
    /* One page, one large leaf, and so many pages that the CPU forgets everything. */
    for (unsigned order = 0; order <= LARGE; order = order == 0 ? LARGE - 1 : order + 1) {
        *memory_at(FRAME) = NONCE;
        CHECK(delegate_phys(ABI_MEM, FRAME, 1, LARGE_UNIT, order, ABI_R) == ABI_OK);
        job->word[0] = call_head(ABI_REVOKE, ABI_MEM, order, ABI_R) | ABI_SELF << ABI_SCOPE_SHIFT;
        job->word[1] = LARGE_UNIT;
        expect_fault(pd, JOB_CALL_BETWEEN, address_of(LARGE_UNIT), PAGE_FAULT, ERROR_USER);
        CHECK(job->word[0] == ABI_OK && job->value == NONCE);
        CHECK(info->invalidations == 1);
    }
    destroy(1);
}

/* The largest leaves that there are, and the highest units. */
void test_large_leaves(const struct control_info *info) {
    uint32_t pd = make_pd(info, 1);
    uint64_t gibibyte = UINT64_C(1) << 30;
    uint64_t top = (UINT64_C(1) << 35) - (UINT64_C(1) << 18);
    *memory_at(FRAME) = NONCE;
    CHECK(delegate_phys(ABI_MEM, 0, 1, top, 18, ABI_R | ABI_W) == ABI_OK);
    /* With leaves of 1 GiB: one table below the root table. */
    CHECK(info->tables == (info->leaf_level == 2 ? 3 : 4));
    expect_value(pd, JOB_READ, address_of(top + FRAME), NONCE);
    expect_fault(pd, JOB_EXECUTE, address_of(top + FRAME), PAGE_FAULT, ERROR_USER | ERROR_FETCH | ERROR_PRESENT);
    expect_fault(pd, JOB_READ, address_of(top) - gibibyte, PAGE_FAULT, ERROR_USER);
    revoke_in(ABI_MEM, 1, top + FRAME, 0, ABI_R);
    expect_fault(pd, JOB_READ, address_of(top + FRAME), PAGE_FAULT, ERROR_USER);
    expect_value(pd, JOB_WRITE, address_of(top + FRAME + 1), NONCE);
    CHECK(*memory_at(FRAME + 1) == NONCE);
    CHECK(delegate_phys(ABI_MEM, info->kernel_frame, 1, 0, 0, ABI_R) == ABI_OK);
    expect_fault(pd, JOB_READ, 0, PAGE_FAULT, ERROR_USER); /* there is no such frame to hand out */
    destroy(1);
}

void test_ports(const struct control_info *info) {
    uint32_t pd = make_pd(info, 1);
    expect_fault(pd, JOB_IN, PORT, PROTECTION, 0);
    CHECK(delegate_phys(ABI_PIO, PORT, 1, PORT, 0, ABI_PIO_RIGHTS) == ABI_OK);
    CHECK(run_here(pd, JOB_IN, PORT, 0) == CONTROL_OK);
    CHECK(job_of(0)->done);
    expect_fault(pd, JOB_IN, PORT - 1, PROTECTION, 0);
    expect_fault(pd, JOB_IN, PORT + 1, PROTECTION, 0);
    expect_fault(0, JOB_IN, PORT, PROTECTION, 0);
    expect_fault(pd, JOB_OUT, EXIT_PORT, PROTECTION, 0);
    expect_fault(pd, JOB_IN, 0xffff, PROTECTION, 0);
    CHECK(delegate_phys(ABI_PIO, 0x8000, 1, 0x8000, 15, ABI_PIO_RIGHTS) == ABI_OK);
    CHECK(run_here(pd, JOB_IN, 0xffff, 0) == CONTROL_OK);
    CHECK(job_of(0)->done);
    revoke_in(ABI_PIO, 1, PORT, 0, ABI_PIO_RIGHTS);
    expect_fault(pd, JOB_IN, PORT, PROTECTION, 0);
    destroy(1);
}

/* Who may call what, and what becomes of nonsense. */
void test_control(const struct control_info *info) {
    uint32_t pd = make_pd(info, 1);
    struct control_pd report = {0};
    uint64_t out = (uint64_t)(uintptr_t)&report;
    expect_fault(pd, JOB_UNDEFINED, 0, UNDEFINED, 0);
    expect_fault(pd, JOB_STEP, 0, BREAKPOINT_TRAP, 0);
    expect_fault(pd, JOB_READ, CONTROL_HEAP, PAGE_FAULT, ERROR_USER);
    expect_fault(pd, JOB_READ, CONTROL_MEMORY_WINDOW, PAGE_FAULT, ERROR_USER);
    expect_fault(pd, JOB_READ, UINT64_C(0xfffffffff4000000), PAGE_FAULT, ERROR_USER | ERROR_PRESENT);
    for (uint64_t number = CONTROL_WRITE; number <= CONTROL_CALLS; number++) {
        if (number != CONTROL_RETURN) {
            CHECK(run_here(pd, JOB_CONTROL, number, 0) == CONTROL_OK);
            CHECK(job_of(0)->done && job_of(0)->value == CONTROL_E_DENIED);
        }
    }
    CHECK(task_control(CONTROL_RETURN, 0, 0, 0) == CONTROL_E_DENIED);
    CHECK(task_control(CONTROL_CALLS, 0, 0, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_WRITE, 0, 1, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_WRITE, CONTROL_INFO, UINT64_MAX, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_RUN, info->cpus, pd, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_RUN, 0, CONTROL_NOBODY, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_RUN, 0, pd + 1, 0) == CONTROL_E_DEAD);
    CHECK(task_control(CONTROL_PD_REPORT, pd, CONTROL_INFO, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_PD_REPORT, pd, UINT64_MAX - 8, 0) == CONTROL_E_ARG);
    CHECK(task_control(CONTROL_PD_REPORT, pd + 1, out, 0) == CONTROL_E_DEAD);
    CHECK(task_control(CONTROL_PD_REPORT, pd, out, 0) == CONTROL_OK);
    CHECK(report.payer == 0 && report.references == 1 && report.used == info->cost_pd && report.cpus == 0);
    CHECK(task_control(CONTROL_FAIL_ALLOCATION, 1, 0, 0) == CONTROL_OK);
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_R) == ABI_E_MEM);
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_R) == ABI_OK);
    await_ticks(info, 0);
    destroy(1);
}

/* Agents make system calls, also one that ends their PD. */
void test_death(const struct control_info *info) {
    uint32_t pd = make_pd(info, 1);
    struct job *job = job_of(0);
    const uint64_t give_itself[ABI_WORDS] = {
        call_head(ABI_DELEGATE, ABI_OBJ, 0, ABI_OBJ_RIGHTS) | 1U << ABI_TO_CAP_SHIFT,
        1,
        7,
        1,
    };
    CHECK(call(give_itself, NULL) == ABI_OK);
    job->word[0] = ABI_CREATE_PD;
    job->word[1] = 9;
    job->word[2] = 8;
    job->word[3] = 7;
    CHECK(run_here(pd, JOB_CALL, 0, 0) == CONTROL_OK);
    CHECK(job->done && job->word[0] == ABI_OK && job->word[1] == 0);
    CHECK(info->code == ABI_OK && info->pd_count == 1);
    uint32_t child = info->listed_pd[0];
    expect_fault(child, JOB_READ, 0, PAGE_FAULT, ERROR_USER);
    job->word[0] = ABI_DESTROY_PD;
    job->word[3] = 7;
    CHECK(run_here(pd, JOB_CALL, 0, 0) == CONTROL_E_DEAD);
    CHECK(!job->done && info->code == ABI_OK && info->pd_count == 2);
    CHECK(run_here(pd, JOB_READ, 0, 0) == CONTROL_E_DEAD);
    CHECK(run_here(child, JOB_READ, 0, 0) == CONTROL_E_DEAD);
}
