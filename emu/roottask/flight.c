/* See flight.h. */
#include "flight.h"

#include "instructions.h"

enum { FLIGHTS = 3, BESIDE_MAX = 64 };

struct flight {
    enum { FLIGHT_NONE, FLIGHT_PLANNED, FLIGHT_STARTED } stage;
    uint32_t cpu, pd, points;
    uint64_t planned; /* as the how many-th */
    uint64_t word[ABI_WORDS];
    struct kernel_call_time beside[BESIDE_MAX]; /* calls made since it started */
    uint32_t beside_count;
};

static struct {
    struct flight flight[FLIGHTS];
    struct flight_counts counts;
    uint64_t planned;
    enum flight_apart apart;
} state;

static bool is_taken(uint32_t cpu) {
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        if (state.flight[i].stage != FLIGHT_NONE && state.flight[i].cpu == cpu)
            return true;
    }
    return false;
}

uint32_t flight_plan(uint32_t cpu, uint32_t pd, const uint64_t word[ABI_WORDS], uint32_t points) {
    uint32_t cpus = kernel_cpus(), number = 0;
    for (uint32_t i = 0; i < cpus && (cpu == 0 || is_taken(cpu)); i++)
        cpu = (cpu + 1) % cpus;
    while (number < FLIGHTS && state.flight[number].stage != FLIGHT_NONE)
        number++;
    if (cpu == 0 || is_taken(cpu) || number == FLIGHTS || !kernel_can_begin(pd, word))
        return RESCIND_NONE;
    struct flight *flight = &state.flight[number];
    flight->stage = FLIGHT_PLANNED;
    flight->cpu = cpu;
    flight->pd = pd;
    flight->points = points;
    flight->planned = ++state.planned;
    flight->beside_count = 0;
    __builtin_memcpy(flight->word, word, sizeof(flight->word));
    return number;
}

static void await_started(void) {
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        while (state.flight[i].stage == FLIGHT_STARTED && !kernel_call_is_over(state.flight[i].cpu))
            instruction_pause();
    }
}

/* Only revokes and destroys are started and not awaited. */
static void start(struct flight *flight) {
    if (state.apart == FLIGHT_REVOKES_APART)
        await_started();
    kernel_begin_call(flight->cpu, flight->pd, flight->word, flight->points);
    flight->stage = FLIGHT_STARTED;
    if (state.apart == FLIGHT_APART)
        await_started();
}

static struct flight *first_planned(void) {
    struct flight *first = NULL;
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        struct flight *flight = &state.flight[i];
        if (flight->stage == FLIGHT_PLANNED && (!first || flight->planned < first->planned))
            first = flight;
    }
    return first;
}

void flight_start_all(void) {
    for (struct flight *flight = first_planned(); flight; flight = first_planned())
        start(flight);
}

/* ---- what met ---- */

static void note_beside(uint32_t cpu) {
    struct kernel_call_time time;
    kernel_call_time(cpu, &time);
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        struct flight *flight = &state.flight[i];
        if (flight->stage == FLIGHT_STARTED && flight->cpu != cpu && flight->beside_count < BESIDE_MAX)
            flight->beside[flight->beside_count++] = time;
    }
}

static void count_meetings(const struct flight *flight) {
    struct kernel_call_time own;
    kernel_call_time(flight->cpu, &own);
    state.counts.begun += flight->beside_count > 0;
    state.counts.shared += own.shared;
    for (uint32_t i = 0; i < flight->beside_count; i++) {
        const struct kernel_call_time *other = &flight->beside[i];
        bool known = own.ended && other->ended;
        bool meet = known && other->began < own.ended && own.began < other->ended;
        state.counts.meetings += meet;
        state.counts.inside += meet && own.began < other->began && other->ended < own.ended;
    }
}

/* ---- */

bool flight_resume(uint32_t number, uint32_t points, uint64_t word[ABI_WORDS]) {
    struct flight *flight = &state.flight[number];
    flight_start_all();
    if (points && !kernel_call_is_over(flight->cpu))
        return false;
    kernel_finish_call(flight->cpu, flight->word);
    count_meetings(flight);
    flight->stage = FLIGHT_NONE;
    note_beside(flight->cpu);
    __builtin_memcpy(word, flight->word, sizeof(flight->word));
    return true;
}

/* A lookup changes nothing; it is often that of a probe. */
void flight_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    uint32_t on = is_taken(cpu) ? 0 : cpu;
    uint8_t operation = word[0] & UINT8_MAX;
    if (operation != ABI_LOOKUP)
        flight_start_all();
    if (state.apart == FLIGHT_REVOKES_APART && (operation == ABI_REVOKE || operation == ABI_DESTROY_PD))
        await_started();
    kernel_call(on, pd, word);
    note_beside(on);
}

struct flight_counts flight_counts(void) {
    return state.counts;
}

void flight_keep_apart(enum flight_apart apart) {
    state.apart = apart;
}
