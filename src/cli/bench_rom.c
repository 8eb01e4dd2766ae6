/*
 * rescind bench rom: one program detaches a module that all share, by what the kernel offers for it.
 */
#include "cli/bench.h"

int bench_rom(int argc, char **argv) {
    static const struct bench bench = {
        .name = "rom",
        .doc = "One of N programs detaches a module that all of them share. With --on=qemu, on booted kernels, where "
               "programs run and take page faults.",
        .alternatives = bench_rom_alternatives,
        .count = BENCH_ROM_ALTERNATIVES,
        .boots = true,
    };
    return bench_alternatives(&bench, argc, argv);
}
