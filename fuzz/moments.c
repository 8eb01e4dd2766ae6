/* See moments.h. */
#include "moments.h"

enum { COUNTERS = 1 << 12 };

/* Cleared by the engine before each input. */
static uint8_t counters[COUNTERS] __attribute__((section("__libfuzzer_extra_counters"), used));

/* Hash of the point at which the operation stands that was suspended or went on last, or 0. */
static uint32_t point;

static uint32_t hash(uint32_t seed, const char *text) {
    for (; *text; text++)
        seed = (seed ^ (uint8_t)*text) * 0x01000193; /* FNV-1a */
    return seed;
}

static void count(uint32_t moment) {
    uint8_t *counter = &counters[(moment ^ moment >> 16) % COUNTERS];
    *counter += *counter < UINT8_MAX;
}

void moments_start(void *context) {
    (void)context;
    point = 0;
}

void moments_step(void *context, const struct harness_step *step) {
    char name[HARNESS_SIGNATURE_MAX];
    (void)context;
    if (step->is_void || (!point && !step->point))
        return;
    if (point) {
        harness_step_name(step, name);
        count(hash(point + step->code, name));
    }
    if (step->point)
        point = hash(1, step->point);
    else if (step->resumed)
        point = 0;
}
