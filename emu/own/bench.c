/*
 * Mode bench: the root task as the manager of N programs, one of which detaches a ROM module that all share. Programs
 * really run: whoever finds the module gone takes a page fault, which the kernel tells its agent.
 *
 * Options: alternative (its place in bench_rom_alternatives), programs, order (the module has 2^order pages). The
 * machine counts time in instructions.
 */
#include "abi/control.h"
#include "bench/world.h"
#include "kernel.h"
#include "print.h"
#include "protocol.h"
#include "session.h"

enum { PROGRAMS_MAX = 4096, PAGES_LOG2_MAX = 16, TICKS_PER_INSTRUCTION = 2 /* as cli/qemu.c starts machines */ };

static uint64_t last_steps(void) {
    return ((const struct control_info *)CONTROL_INFO)->steps;
}

static uint64_t now(void) {
    return kernel_ticks() / TICKS_PER_INSTRUCTION;
}

static void fail(const struct world *world, bool too_large, const char *what, uint64_t number) {
    struct line line = {0};
    (void)world;
    line_text(&line, what);
    line_number(&line, " ", number);
    line_end(&line);
    kernel_exit(too_large ? ROOT_TOO_LARGE : ROOT_FINDING);
}

/* The first and the last page, as one access each; both must show their frames, or none. */
static bool run(struct world *world, uint32_t program, uint32_t range) {
    uint64_t last = (UINT64_C(1) << world->order) - 1, base = world_program_base(world, program, range);
    uint64_t frame = world_frame(world, range);
    struct rescind_probe probe[] = {
        {.unit = base, .resource = frame, .kind = ABI_MEM, .rights = ABI_R | ABI_X},
        {.unit = base + last, .resource = frame + last, .kind = ABI_MEM, .rights = ABI_R | ABI_X},
    };
    world->target->probe(0, world->pd[program], true, probe, last ? 2 : 1);
    bool reached = probe[0].reached == probe[0].rights;
    for (unsigned i = 0; i <= (last > 0); i++) {
        bool whole = probe[i].reached == (reached ? probe[i].rights : 0);
        if (!whole || (reached && probe[i].resource != frame + i * last))
            fail(world, false, "the module is there in part, or is another, in program", program);
    }
    return reached;
}

static void print(const struct bench_figures *figures) {
    struct line line = {0};
    line_text(&line, PROTOCOL_BENCH);
    line_number(&line, "lost=", figures->lost);
    line_number(&line, "faults=", figures->faults);
    line_number(&line, "calls=", figures->calls);
    line_number(&line, "steps=", figures->steps);
    line_number(&line, "naming=", figures->naming_steps);
    line_number(&line, "time=", figures->time);
    line_number(&line, "nodes=", figures->nodes);
    line_number(&line, "bytes=", figures->bytes);
    line_number(&line, "give-steps=", figures->give_steps);
    line_number(&line, "give-time=", figures->give_time);
    line_end(&line);
}

_Noreturn void bench(struct session *session) {
    static uint32_t pd[PROGRAMS_MAX], fault[PROGRAMS_MAX];
    uint64_t alternative = session_option("alternative", 0), programs = session_option("programs", 2),
             order = session_option("order", 0);
    if (alternative >= BENCH_ROM_ALTERNATIVES || programs < 2 || programs > PROGRAMS_MAX || order > PAGES_LOG2_MAX)
        session_bad("bench: no such alternative, or too many programs or pages");
    struct world world = {
        .target = session->target,
        .fail = fail,
        .last_steps = last_steps,
        .now = now,
        .run = run,
        .programs = (uint32_t)programs,
        .ranges = 1,
        .order = (uint8_t)order,
        .count_naming = true,
        .pd = pd,
    };
    struct bench_figures figures;
    bench_measure(&world, &bench_rom_alternatives[alternative], fault, &figures);
    print(&figures);
    session_end(session, ROOT_DONE);
}
