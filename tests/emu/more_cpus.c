/* What needs more than one CPU; nothing is done where there is only one. */
#include "task.h"

enum { FRAME = 0x1200, UNIT = 0x345, PORT = 0x71, ROUNDS = 10, MANY = 50, ENOUGH = 1000, LARGE_ORDER = 9 };

/* The operation that took it away has returned: the agent may end the turn that it is in, no more. */
static void expect_end(uint32_t cpu) {
    const struct job *job = job_of(cpu);
    uint64_t count = __atomic_load_n(&job->count, __ATOMIC_ACQUIRE);
    while (!__atomic_load_n(&job->faulted, __ATOMIC_ACQUIRE)) {
        CHECK(__atomic_load_n(&job->count, __ATOMIC_ACQUIRE) < count + ENOUGH);
        __builtin_ia32_pause();
    }
    CHECK(job->count <= count + 1);
}

static void take_page(const struct control_info *info, uint32_t cpu, uint32_t pd) {
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_R | ABI_W) == ABI_OK);
    run_there(cpu, pd, JOB_KEEP_READING, UNIT * CONTROL_PAGE);
    await_turns(cpu);
    revoke_in(ABI_MEM, 1, UNIT, 0, ABI_R);
    CHECK(info->shootdowns == 1);
    expect_end(cpu);
}

static void take_right(uint32_t cpu, uint32_t pd) {
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_R | ABI_W) == ABI_OK);
    run_there(cpu, pd, JOB_KEEP_WRITING, UNIT * CONTROL_PAGE);
    await_turns(cpu);
    revoke_in(ABI_MEM, 1, UNIT, 0, ABI_W);
    expect_end(cpu);
    revoke_in(ABI_MEM, 1, UNIT, 0, ABI_R);
}

/* So many pages that the CPU is asked to forget everything. */
static void take_range(uint32_t cpu, uint32_t pd) {
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, 0, LARGE_ORDER - 1, ABI_R) == ABI_OK);
    run_there(cpu, pd, JOB_KEEP_READING, 5 * CONTROL_PAGE);
    await_turns(cpu);
    revoke_in(ABI_MEM, 1, 0, LARGE_ORDER, ABI_R);
    expect_end(cpu);
}

/* A page out of a large leaf. */
static void take_part(uint32_t cpu, uint32_t pd) {
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, 0, LARGE_ORDER, ABI_R) == ABI_OK);
    run_there(cpu, pd, JOB_KEEP_READING, 5 * CONTROL_PAGE);
    await_turns(cpu);
    revoke_in(ABI_MEM, 1, 5, 0, ABI_R);
    expect_end(cpu);
    revoke_in(ABI_MEM, 1, 0, LARGE_ORDER, ABI_R);
}

static void take_port(uint32_t cpu, uint32_t pd) {
    CHECK(delegate_phys(ABI_PIO, PORT, 1, PORT, 0, ABI_PIO_RIGHTS) == ABI_OK);
    run_there(cpu, pd, JOB_KEEP_IN, PORT);
    await_turns(cpu);
    revoke_in(ABI_PIO, 1, PORT, 0, ABI_PIO_RIGHTS);
    expect_end(cpu);
}

void test_shootdown(const struct control_info *info) {
    for (uint32_t cpu = 1; cpu < info->cpus; cpu++) {
        uint32_t pd = make_pd(info, 1);
        for (unsigned round = 0; round < ROUNDS; round++) {
            take_page(info, cpu, pd);
            take_right(cpu, pd);
            take_range(cpu, pd);
            take_part(cpu, pd);
            take_port(cpu, pd);
        }
        destroy(1);
    }
}

static uint32_t running(uint32_t pd) {
    struct control_pd report = {0};
    CHECK(task_control(CONTROL_PD_REPORT, pd, (uint64_t)(uintptr_t)&report, 0) == CONTROL_OK);
    return report.cpus;
}

/* A CPU must leave a PD that dies, or that it is told to leave. */
static void leave(const struct control_info *info, uint32_t cpu) {
    uint32_t pd = make_pd(info, 1);
    CHECK(delegate_phys(ABI_MEM, FRAME, 1, UNIT, 0, ABI_R) == ABI_OK);
    run_there(cpu, pd, JOB_KEEP_READING, UNIT * CONTROL_PAGE);
    await_turns(cpu);
    CHECK(running(pd) == 1U << cpu);
    CHECK(task_control(CONTROL_RUN, cpu, CONTROL_NOBODY, 0) == CONTROL_OK);
    CHECK(running(pd) == 0);
    uint64_t count = job_of(cpu)->count;
    await_ticks(info, cpu);
    CHECK(job_of(cpu)->count == count);

    run_there(cpu, pd, JOB_KEEP_READING, UNIT * CONTROL_PAGE);
    await_turns(cpu);
    destroy(1);
    count = job_of(cpu)->count;
    await_ticks(info, cpu);
    CHECK(job_of(cpu)->count == count && !job_of(cpu)->faulted);
}

/* All CPUs are in the kernel at once; PDs die while their agents call it. */
static void crowd(const struct control_info *info, bool wait) {
    uint32_t pd[CONTROL_CPUS];
    for (uint32_t cpu = 1; cpu < info->cpus; cpu++) {
        pd[cpu] = make_pd(info, cpu); /* while nobody else calls: the information page tells of the last call */
    }
    for (uint32_t cpu = 1; cpu < info->cpus; cpu++) {
        job_of(cpu)->word[0] = call_head(ABI_LOOKUP, ABI_MEM, 0, 0);
        job_of(cpu)->word[1] = UNIT;
        run_there(cpu, pd[cpu], JOB_KEEP_CALLING, 0);
    }
    for (uint32_t cpu = 1; cpu < info->cpus; cpu++) {
        if (wait) {
            await_turns(cpu);
            CHECK(job_of(cpu)->value == ABI_OK);
        }
        destroy(cpu);
    }
}

void test_other_cpus(const struct control_info *info) {
    for (uint32_t cpu = 1; cpu < info->cpus; cpu++) {
        leave(info, cpu);
    }
    for (unsigned round = 0; round < MANY; round++) {
        crowd(info, round % 8 == 0);
    }
}
