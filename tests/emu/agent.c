/* What an agent does: the job in the mailbox of the CPU, once. No word of it lies outside of the agent window. */
#include "task.h"

#define AGENT __attribute__((section(".agent")))

void agent_entry(struct job *job);
void agent_on_fault(struct job *job);
uint64_t agent_control(uint64_t rax, uint64_t rdi, uint64_t rsi, uint64_t rdx);
void agent_system_call(uint64_t word[ABI_WORDS]);

AGENT static void end(void) {
    agent_control(CONTROL_RETURN, 0, 0, 0);
}

AGENT static uint64_t in(uint64_t port) {
    uint8_t value = 0;
    __asm__ volatile("inb %w1, %0" : "=a"(value) : "d"(port));
    return value;
}

AGENT static void out(uint64_t port, uint64_t value) {
    __asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port));
}

AGENT static void step(void) {
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop" : : : "memory", "cc");
}

AGENT static void turn(struct job *job) {
    volatile uint64_t *at = (volatile uint64_t *)job->argument;
    if (job->kind == JOB_KEEP_READING) {
        job->value = *at;
    } else if (job->kind == JOB_KEEP_WRITING) {
        *at = job->count;
    } else if (job->kind == JOB_KEEP_IN) {
        in(job->argument);
    } else {
        uint64_t word[ABI_WORDS] = {job->word[0], job->word[1], job->word[2], job->word[3], job->word[4]};
        agent_system_call(word);
        job->value = word[0];
    }
}

AGENT static void once(struct job *job) {
    volatile uint64_t *at = (volatile uint64_t *)job->argument;
    if (job->kind == JOB_READ) {
        job->value = *at;
    } else if (job->kind == JOB_WRITE) {
        *at = job->value;
    } else if (job->kind == JOB_EXECUTE) {
        ((void (*)(void))job->argument)();
    } else if (job->kind == JOB_IN) {
        job->value = in(job->argument);
    } else if (job->kind == JOB_OUT) {
        out(job->argument, job->value);
    } else if (job->kind == JOB_CALL) {
        agent_system_call(job->word);
    } else if (job->kind == JOB_CALL_BETWEEN) {
        job->value = *at;
        agent_system_call(job->word);
        job->value = *at;
    } else if (job->kind == JOB_CONTROL) {
        job->value = agent_control(job->argument, job->word[0], job->word[1], job->word[2]);
    } else if (job->kind == JOB_STEP) {
        step();
    } else {
        __asm__ volatile("ud2");
    }
}

AGENT void agent_entry(struct job *job) {
    while (job->kind >= JOB_KEEP_READING) {
        turn(job);
        __atomic_fetch_add(&job->count, 1, __ATOMIC_RELEASE);
    }
    once(job);
    __atomic_store_n(&job->done, 1, __ATOMIC_RELEASE);
    end();
}

AGENT void agent_on_fault(struct job *job) {
    __atomic_store_n(&job->faulted, 1, __ATOMIC_RELEASE);
    end();
}
