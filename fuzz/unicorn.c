/*
 * Fuzz target: sequences on the kernel's linked image under Unicorn, on two CPUs or four, with revokes and destroys
 * that stop before any of their stores while others run. What of its machine code ran is told the engine by extra
 * counters.
 */
#include "unicorn/target.h"

#include "driver.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNTERS = 1 << 16 };

/* For sanitizers: Unicorn forgets a few bytes of each engine that it closes. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
    return "leak:libunicorn";
}

/* libFuzzer finds them by the name of the section. */
static uint8_t counters[COUNTERS] __attribute__((section("__libfuzzer_extra_counters"), used));

const struct fuzz_target fuzz_target = {
    .geometry = &seq_geometry_small,
    .profile = {.operations = (1u << SEQ_CODES) - 1, .cpus = 4, .preempt = 96, .points = UINT8_MAX},
    .mappings = 1u << 14,
};

/* The environment's, or that of the same build: ../emu/kernel.elf from here. */
static void locate_kernel(char path[PATH_MAX]) {
    const char *wanted = getenv("RESCIND_KERNEL");
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t at = slash ? (size_t)(slash - path) : 0;
    snprintf(wanted ? path : path + at, wanted ? PATH_MAX : PATH_MAX - at, "%s",
             wanted ? wanted : "/../emu/kernel.elf");
}

const struct rescind_target *fuzz_kernel(void) {
    char path[PATH_MAX];
    const char *why = "";
    locate_kernel(path);
    unicorn_count_blocks(counters, COUNTERS);
    const struct rescind_target *target = unicorn_target(path, &why);
    if (!target) {
        fprintf(stderr, "rescind: %s: %s\n", path, why);
        exit(2);
    }
    return target;
}
