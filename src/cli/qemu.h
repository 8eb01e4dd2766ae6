/*
 * A virtual machine with the kernel and the root task, and the lines that it says (emu/roottask/protocol.h).
 */
#ifndef RESCIND_CLI_QEMU_H
#define RESCIND_CLI_QEMU_H

#include "cli/cli.h"
#include "cli/progress.h"

#include <sys/types.h>

struct qemu_options {
    bool on;           /* sequences are to be run on a machine */
    bool unicorn;      /* they are to be run under Unicorn instead (cli/unicorn.h), with `kernel` */
    bool nova;         /* on is true: the kernel is NOVA */
    bool empty;        /* its PDs are emptied before they are destroyed */
    bool control;      /* the model is wrong on purpose */
    const char *image; /* NOVA's, or NULL */
    const char *machine, *cpu;
    const char *kernel; /* NULL: beside this program */
    const char *blocks; /* file for the blocks of the kernel that ran, or "none"; NULL: <kernel>.blocks */
    const char *log;    /* file for all that the machine says, or NULL */
    bool threads;       /* each CPU of the machine runs by itself, so that no two runs are alike */
    uint32_t cpus;      /* of the machine; 0: as each file says */
    uint32_t quota;     /* NOVA: pages of kernel memory of a PD */
    uint32_t repeat;    /* runs of each sequence; 0: one, and memory is not looked at */
    uint32_t timeout;   /* seconds without a line, after which it is ended */
};

/* A child parser for every subcommand that starts machines; its input is a struct qemu_options. */
extern const struct argp qemu_options_parser;

struct qemu {
    const struct qemu_options *options;
    struct progress *progress; /* or NULL */
    pid_t process;             /* 0: none */
    int output, log;           /* log -1: none */
    char *directory;           /* of its own, where it runs: roottask.elf, archive */
    char *kernel;
    char *plugin; /* words for QEMU, or NULL: nobody notes blocks */
    /* What is to be said when the program is interrupted (SIGINT, SIGTERM), before it ends; or NULL. */
    void (*on_interrupt)(void *context);
    void *context;
    size_t got, line; /* bytes in `buffer`, and where the next line starts */
    char buffer[1 << 16];
};

enum qemu_end {
    QEMU_EXITED, /* `status` as the root task or the kernel gave it, or -1: QEMU ended in another way */
    QEMU_HUNG,   /* no line for too long; it was ended */
};

/* Ends the program where there is no QEMU, kernel or root task, and says what to do about it. */
void qemu_open(struct qemu *qemu, const struct qemu_options *options, struct progress *progress);
void qemu_close(struct qemu *qemu);

/* Starts a machine whose root task has that command line, with an archive or without (NULL). `repeatable`: time is
 * counted in instructions and CPUs take turns, so that two runs are the same to the last bit, unless threads are asked
 * for. */
void qemu_start(struct qemu *qemu, const char *command_line, const void *archive, size_t bytes, uint32_t cpus,
                bool repeatable);

/* The next line that the machine says, valid until the next call; NULL: it has ended, see qemu_end. */
const char *qemu_line(struct qemu *qemu);

/* How it ended: after the last line. *how: words for a person. */
enum qemu_end qemu_end(struct qemu *qemu, int *status, char how[64]);

/* What the kernel says when something is wrong with it, or NULL: this line is not of that kind. */
const char *qemu_trouble(const struct qemu *qemu, const char *line);

/* The command that runs a file on such a machine. */
void qemu_print_again(const struct qemu_options *options, uint64_t seed, const char *path);

/* Ends it now. */
void qemu_kill(struct qemu *qemu);

#endif
