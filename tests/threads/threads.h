/*
 * Tries the kernel with threads for CPUs: what its parts know about each other.
 *
 * PDs, frames and ports are divided into domains. In a domain with one thread nobody else has any part, so each answer
 * and each access must be the oracle's; threads that share a domain get into each other's way, and what they leave is
 * judged when all are at rest. Depends on seq, oracle, harness and the kernel's arch/threads/threads.h.
 */
#ifndef RESCIND_TEST_THREADS_H
#define RESCIND_TEST_THREADS_H

#include "arch/threads/threads.h"
#include "harness/internal.h"

enum { THREADS_MAX = 4, DOMAINS_MAX = 3, DOMAIN_LOG2 = 6 /* units of frames, and of ports */, OPERATIONS = 48 };

struct domain {
    uint32_t number, threads;
    /* Shared: kernel's PD indices by name, accessed atomically. */
    uint32_t kernel_of_name[SEQ_NAMES];
    /* One thread: the oracle, who is who, and what its CPU runs. */
    struct oracle *oracle;
    uint32_t id_of_name[SEQ_NAMES];
    uint32_t *kernel_of;        /* by id */
    uint32_t *object_kernel_of; /* by number of the id */
    uint32_t runs;              /* id */
};

struct worker {
    uint32_t cpu;
    struct domain *domain;
    struct test *test;
    struct seq_random random;
    struct seq_op op[OPERATIONS];
    struct seq seq;
    uint64_t calls, done; /* made; that returned OK */
    uint64_t accesses;
};

/* All threads meet, and take interrupts meanwhile. */
struct meeting {
    uint32_t came, number; /* accessed atomically */
};

struct test {
    uint32_t threads, domains, rounds;
    uint64_t seed;
    struct oracle_geometry geometry;
    struct harness *harness;
    struct domain domain[DOMAINS_MAX];
    struct worker worker[THREADS_MAX];
    struct meeting meeting;
    uint64_t shootdowns, handed; /* of all CPUs, accessed atomically */
};

/* wait.c: how threads wait; orders no memory. */
extern const struct threads_hooks thread_waits;

/* rounds.c: in the thread of CPU 0. */
void test_run(struct test *test);
void meet(struct test *test);
/* Ends the program: FINDING and its signature, and then the report. Of any thread; the first wins. */
_Noreturn void finding(const char *signature, const char *report);

/* domain.c */
/* Everything that root gives to domains, in that order: call `i`, or false: there are no more. */
bool domain_gift(const struct test *test, uint32_t i, struct oracle_call *call);
/* Root has given; nobody is in a domain yet. */
void domain_begin(struct test *test, struct domain *domain, const uint32_t base[DOMAINS_MAX]);
/* One operation of a sequence. */
void domain_perform(struct worker *worker, struct seq_op *op);
/* At rest: an oracle of one thread knows what there is in its domain. */
void domain_judge(const struct test *test, const struct domain *domain);

#endif
