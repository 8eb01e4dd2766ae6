/* How threads wait for each other. By futexes and relaxed accesses, so that no order of memory comes from here. */
#include "threads.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_AGAIN_NANOSECONDS = 2000000 };

static uint32_t bells[THREADS_MAX];

static void yield(void) {
    sched_yield();
}

static void wake(uint32_t cpu) {
    __atomic_fetch_add(&bells[cpu], 1, __ATOMIC_RELAXED);
    syscall(SYS_futex, &bells[cpu], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* A bell that rang before this is not heard: whoever waits looks again after a while. */
static void wait(uint32_t cpu) {
    const struct timespec time = {.tv_nsec = LOOK_AGAIN_NANOSECONDS};
    uint32_t bell = __atomic_load_n(&bells[cpu], __ATOMIC_RELAXED);
    syscall(SYS_futex, &bells[cpu], FUTEX_WAIT_PRIVATE, bell, &time, NULL, 0);
}

const struct threads_hooks thread_waits = {.yield = yield, .wake = wake, .wait = wait};
