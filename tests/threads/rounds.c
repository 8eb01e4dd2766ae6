/* Rounds: root gives, all threads work, everything is judged at rest, root takes back, and all must be as at boot. */
#include "threads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOUND = 1, UNABLE = 2 };

_Noreturn void finding(const char *signature, const char *report) {
    static uint32_t said;
    if (!__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
        dprintf(STDERR_FILENO, "FINDING %s\n%s\n", signature, report);
    _exit(FOUND);
}

void meet(struct test *test) {
    uint32_t number = __atomic_load_n(&test->meeting.number, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&test->meeting.came, 1, __ATOMIC_ACQ_REL) == test->threads) {
        __atomic_store_n(&test->meeting.came, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&test->meeting.number, number + 1, __ATOMIC_RELEASE);
        return;
    }
    while (__atomic_load_n(&test->meeting.number, __ATOMIC_ACQUIRE) == number) {
        threads_kernel.interruptible();
        thread_waits.yield();
    }
}

/* ---- root ---- */

static void call_by(uint32_t pd, const struct oracle_call *call) {
    uint64_t word[ABI_WORDS];
    encode(call, word);
    if (!threads_kernel.run(pd, pd) || !threads_kernel.call(word) || word[0] != ABI_OK)
        finding("O12.result/root/code", "what is given and taken back in every round was refused");
}

static void give(struct test *test) {
    struct oracle_call call;
    uint32_t base[DOMAINS_MAX];
    for (uint32_t i = 0; domain_gift(test, i, &call); i++)
        call_by(threads_kernel.target.root_pd, &call);
    for (uint32_t i = 0; i < test->domains; i++)
        base[i] = threads_kernel.named(threads_kernel.target.root_pd, i + 1);
    for (uint32_t i = 0; i < test->domains; i++)
        domain_begin(test, &test->domain[i], base);
}

/* Root takes back what it gave of PHYS; then everybody gives up all but root's capability to itself: PDs may hold
 * capabilities to each other in a circle. */
static void take_back(const struct test *test) {
    const struct rescind_target *target = &threads_kernel.target;
    struct rescind_pd_view view;
    struct oracle_call call = {.operation = ABI_REVOKE, .place = ABI_PHYS};
    for (call.kind = ABI_MEM; call.kind <= ABI_PIO; call.kind++) {
        call.mask = all_rights(call.kind);
        call.order = call.kind == ABI_MEM ? test->geometry.phys_log2 : test->geometry.pio_log2;
        call_by(target->root_pd, &call);
    }
    call = (struct oracle_call){.operation = ABI_REVOKE, .kind = ABI_OBJ, .scope = ABI_SELF, .mask = ABI_OBJ_RIGHTS};
    for (call.order = 0; call.order < test->geometry.obj_log2; call.order++) {
        call.base = UINT64_C(1) << call.order;
        call_by(target->root_pd, &call);
    }
    call.base = 0;
    for (uint32_t pd = 0; pd < target->pd_limit; pd++) {
        if (pd != target->root_pd && target->pd(pd, &view))
            call_by(pd, &call);
    }
    threads_kernel.run(target->root_pd, target->root_pd);
}

/* ---- judging ---- */

static void judge_now(const struct test *test, bool empty) {
    static struct harness_outcome outcome;
    if (harness_rest(test->harness, empty, &outcome) != HARNESS_AGREE)
        finding(outcome.signature, outcome.report);
    for (uint32_t i = 0; i < test->domains && !empty; i++) {
        if (test->domain[i].threads == 1)
            domain_judge(test, &test->domain[i]);
    }
}

/* ---- threads ---- */

static void work(struct worker *worker) {
    const struct seq_profile profile = {.operations = ((1U << SEQ_ACCESS) - 1) | 1U << SEQ_ACCESS | 1U << SEQ_SWITCH,
                                        .cpus = 2};
    worker->seq = (struct seq){.geometry = &seq_geometry_small, .op = worker->op, .capacity = OPERATIONS, .cpus = 2};
    seq_generate(&worker->seq, &worker->random, &profile, OPERATIONS);
    for (uint32_t i = 0; i < worker->seq.count; i++)
        domain_perform(worker, &worker->op[i]);
}

static void run_rounds(struct worker *worker) {
    struct test *test = worker->test;
    for (uint32_t round = 0; round < test->rounds; round++) {
        if (worker->cpu == 0)
            give(test);
        meet(test);
        work(worker);
        meet(test);
        if (worker->cpu == 0) {
            judge_now(test, false);
            take_back(test);
        }
        meet(test);
        if (worker->cpu == 0)
            judge_now(test, true);
        meet(test);
    }
    __atomic_add_fetch(&test->shootdowns, threads_kernel.shootdowns(), __ATOMIC_RELAXED);
    __atomic_add_fetch(&test->handed, threads_kernel.handed(), __ATOMIC_RELAXED);
}

static void *thread(void *argument) {
    struct worker *worker = argument;
    threads_kernel.become(worker->cpu);
    run_rounds(worker);
    return NULL;
}

/* ---- setting up ---- */

_Noreturn static void stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    static const char *const checks[] = {
        [RESCIND_STOP_ASSERT] = "O11.assert",   [RESCIND_STOP_STEPS] = "O10.progress",
        [RESCIND_STOP_MEMORY] = "O8.memory",    [RESCIND_STOP_WALK] = "O6.tlb",
        [RESCIND_STOP_MACHINE] = "O11.machine",
    };
    char signature[HARNESS_SIGNATURE_MAX];
    (void)context;
    snprintf(signature, sizeof signature, "%s/threads/%s: %s", checks[why], function, text);
    finding(signature, "the kernel stopped");
}

/* A stop ends the program. */
static bool enter(void *context, void (*body)(void *argument), void *argument, enum rescind_stop *why,
                  const char **text, const char **function) {
    (void)context;
    (void)why;
    (void)text;
    (void)function;
    body(argument);
    return true;
}

static void *need(size_t size) {
    void *memory = aligned_alloc(HARNESS_ALIGNMENT, (size + HARNESS_ALIGNMENT - 1) & ~(size_t)(HARNESS_ALIGNMENT - 1));
    if (!memory) {
        perror("memory");
        exit(UNABLE);
    }
    return memset(memory, 0, size);
}

static uint32_t records(const struct oracle_geometry *geometry) {
    return (uint32_t)(geometry->pds *
                          ((1U << geometry->mem_log2) + (1U << geometry->pio_log2) + (1U << geometry->obj_log2)) +
                      geometry->kernel_frame + (1U << geometry->pio_log2));
}

/* How many share the first domain: two, or with an odd seed three of four, or with an even one none of two. */
static uint32_t sharing(const struct test *test) {
    bool odd = test->seed % 2;
    return test->threads == 2 && !odd ? 1 : test->threads == 4 && odd ? 3 : 2;
}

static void divide(struct test *test) {
    uint32_t shared = sharing(test);
    for (uint32_t i = 0; i < test->threads; i++) {
        uint32_t number = i < shared ? 0 : i - shared + 1;
        struct domain *domain = &test->domain[number];
        domain->number = number;
        domain->threads++;
        test->domains = number + 1;
        test->worker[i] = (struct worker){.cpu = i, .domain = domain, .test = test};
        seq_random_seed(&test->worker[i].random, test->seed * THREADS_MAX + i);
    }
    for (uint32_t i = 0; i < test->domains; i++) {
        struct domain *domain = &test->domain[i];
        const struct oracle_geometry *geometry = &test->geometry;
        size_t size = oracle_size(geometry, records(geometry));
        domain->oracle = oracle_init(need(size), size, geometry, &oracle_policy_exact, records(geometry));
        domain->kernel_of = need((geometry->pds + 2) * sizeof(uint32_t));
        domain->object_kernel_of = need(geometry->objects * sizeof(uint32_t));
    }
}

static void boot(struct test *test) {
    static const struct rescind_hooks hooks = {.stop = stop};
    static struct harness_outcome outcome;
    const struct rescind_target *target = &threads_kernel.target;
    test->geometry = harness_oracle_geometry(target);
    size_t size = harness_size(target, records(&test->geometry));
    test->harness =
        harness_init(need(size), size, target, records(&test->geometry), &oracle_policy_exact, &hooks, enter, NULL);
    threads_kernel.start(&thread_waits);
    if (!test->harness || harness_rest_boot(test->harness, (uint8_t)test->threads, &outcome) != HARNESS_AGREE)
        finding(outcome.signature, outcome.report);
}

void test_run(struct test *test) {
    pthread_t threads[THREADS_MAX];
    boot(test);
    divide(test);
    for (uint32_t i = 1; i < test->threads; i++) {
        if (pthread_create(&threads[i], NULL, thread, &test->worker[i])) {
            perror("thread");
            exit(UNABLE);
        }
    }
    run_rounds(&test->worker[0]);
    for (uint32_t i = 1; i < test->threads; i++)
        pthread_join(threads[i], NULL);
}
