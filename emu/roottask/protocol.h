/*
 * What the root task and the host tell each other: its command line, the lines that it prints, its statuses. Numbers
 * and words only; shared by emu/roottask and src/cli/qemu.c.
 *
 * Command line: the path of the root task, a mode (replay, stress, soak, raw, bench, visits: each in a file of its
 * own), and KEY=NUMBER for each option. replay takes sequences from the next boot module (seq/archive.h).
 *
 * Lines (others, such as the kernel's, may stand between them):
 *   rescind: root task MODE, KEY=NUMBER...        has started
 *   begin N                                       starts sequence N (replay: its place in the archive)
 *   op INDEX NAME                                 replay: is about to do that, as signatures call it
 *   tally OPERATION=.. reached=.. refused=..      done since the start, by operation; accesses, by what came of them
 *   flights begun=.. meetings=.. inside=.. shared=..  calls in flight since the start (flight.h), if there were any
 *   agree N executed=.. changed=.. units=.. lacking=.. probes=..
 *   finding N at=OPERATION executed=.. changed=.. units=.. lacking=.. probes=.. SIGNATURE
 *   report {  ...  }                              of the finding before; any lines
 *   sequence {  ...  }                            what shows it, as .rsq text
 *   calls N                                       raw: made in the sequence in progress, beside its operations
 *   too-large N executed=..                       more units mapped than the model can hold: not judged
 *   bench lost=.. faults=.. ...                   bench: struct bench_figures (bench/world.h)
 *   done operations=.. probes=.. sequences=.. ticks=..    the last line
 */
#ifndef RESCIND_ROOTTASK_PROTOCOL_H
#define RESCIND_ROOTTASK_PROTOCOL_H

#define PROTOCOL_HELLO "rescind: root task "
#define PROTOCOL_BEGIN "begin "
#define PROTOCOL_OP "op "
#define PROTOCOL_TALLY "tally "
#define PROTOCOL_FLIGHTS "flights "
#define PROTOCOL_AGREE "agree "
#define PROTOCOL_FINDING "finding "
#define PROTOCOL_TOO_LARGE "too-large "
#define PROTOCOL_REPORT "report {"
#define PROTOCOL_SEQUENCE "sequence {"
#define PROTOCOL_CLOSE "}"
#define PROTOCOL_CALLS "calls "
#define PROTOCOL_BENCH "bench "
#define PROTOCOL_DONE "done "

/* What mode visits does again and again. */
enum visits_part {
    VISITS_NOTHING,
    VISITS_ROOT_CALL, /* an empty system call by the root task */
    VISITS_PD_CALL,   /* by a PD: a visit there */
    VISITS_REACHED,   /* a visit with two probes that get at their pages, by reading, writing and executing */
    VISITS_REFUSED,   /* a visit with two probes that take a page fault */
    VISITS_LEAST,     /* an empty call by the root task, and a visit with two probes that get at their pages */
    VISITS_BOTH,      /* an empty call by a PD, and such a visit */
    VISITS_PARTS
};

/* How the root task ends the machine; QEMU's exit status is (status << 1) | 1. After anything but DONE the state of the
 * kernel is not to be trusted, and the sequences left need a new boot. */
enum root_status {
    ROOT_DONE = 0x10,      /* all sequences agreed */
    ROOT_FINDING = 0x11,   /* printed as a `finding` line */
    ROOT_AGAIN = 0x14,     /* all agreed so far; the next sequence needs a fresh boot */
    ROOT_TOO_LARGE = 0x12, /* a sequence could not be judged to its end */
    ROOT_BAD = 0x13,       /* command line or modules make no sense; said in a line */
};

#endif
