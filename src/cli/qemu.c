/*
 * Starts QEMU and reads what it says.
 */
#include "cli/qemu.h"

#include "cli/elf32.h"
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OPTION_ON = 768,
    OPTION_MACHINE,
    OPTION_CPU,
    OPTION_KERNEL,
    OPTION_BLOCKS,
    OPTION_LOG,
    OPTION_SMP,
    OPTION_IMAGE,
    OPTION_EMPTY,
    OPTION_QUOTA,
    OPTION_REPEAT,
    OPTION_THREADS
};
enum { POLL_MILLISECONDS = 100, PATH_BYTES = 4096, WORDS_MAX = 40, NOT_FOUND = 127 };
enum { EXIT_SIGNAL = 128 };
enum { REPEAT_LEAST = 16, REPEAT_MOST = 10000, QUOTA_LEAST = 24, QUOTA_MOST = 220 };
enum { TIMEOUT_DEFAULT = 30 /* seconds: emulation is slow, and other work may be going on */ };

static const char program[] = "qemu-system-x86_64", package[] = "qemu-system-x86";

/* ---- options ---- */

static const struct argp_option list[] = {
    {"on", OPTION_ON, "host|qemu|unicorn|nova", 0,
     "Where sequences run: the kernel here, or kernel.elf on a machine, or on CPUs that Unicorn emulates, or an image "
     "of "
     "NOVA r10 on a machine (default: host)",
     0},
    {"image", OPTION_IMAGE, "FILE", 0,
     "NOVA's hypervisor, the ELF file as its build leaves it (default: what RESCIND_NOVA_IMAGE says)", 0},
    {"empty", OPTION_EMPTY, NULL, 0, "NOVA: take everything from a PD before it is destroyed", 0},
    {"quota", OPTION_QUOTA, "N", 0,
     "NOVA: pages of kernel memory for each PD but root's (default: 220, which is enough); with less, any call may be "
     "refused for want of them, if nothing has happened then. No calls in flight",
     0},
    {"repeat", OPTION_REPEAT, "N", 0,
     "Run each sequence N times in one boot, to see whether kernel memory is lost (not stress)", 0},
    {"machine", OPTION_MACHINE, "q35|pc", 0, "QEMU's machine (default: q35)", 0},
    {"cpu", OPTION_CPU, "MODEL", 0, "QEMU's processor, such as max or qemu64 (default: max)", 0},
    {"kernel", OPTION_KERNEL, "FILE", 0, "The kernel to boot (default: emu/kernel.elf beside this program)", 0},
    {"smp", OPTION_SMP, "N", 0, "CPUs of the machine (default: as each file says)", 0},
    {"threads", OPTION_THREADS, NULL, 0,
     "Let the machine's CPUs run at once; no two runs are alike then (default: they take turns)", 0},
    {"blocks", OPTION_BLOCKS, "FILE|none", 0,
     "Where to note which blocks of the kernel ran (default: the kernel's name with .blocks)", 0},
    {"log", OPTION_LOG, "FILE", 0, "Write all that machines say on the serial line to a file", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct qemu_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        *options = (struct qemu_options){.machine = "q35",
                                         .cpu = "max",
                                         .timeout = TIMEOUT_DEFAULT,
                                         .quota = QUOTA_MOST,
                                         .image = getenv("RESCIND_NOVA_IMAGE")};
        return 0;
    case OPTION_ON:
        options->nova = strcmp(argument, "nova") == 0;
        options->on = options->nova || strcmp(argument, "qemu") == 0;
        options->unicorn = strcmp(argument, "unicorn") == 0;
        if (!options->on && !options->unicorn && strcmp(argument, "host") != 0)
            argp_error(state, "--on: expected host, qemu, unicorn or nova, found '%s'", argument);
        return 0;
    case OPTION_IMAGE:
        options->image = argument;
        return 0;
    case OPTION_EMPTY:
        options->empty = true;
        return 0;
    case OPTION_QUOTA:
        options->quota = (uint32_t)option_number(argument, "quota", QUOTA_LEAST, QUOTA_MOST, state);
        return 0;
    case OPTION_REPEAT:
        options->repeat = (uint32_t)option_number(argument, "repeat", REPEAT_LEAST, REPEAT_MOST, state);
        return 0;
    case ARGP_KEY_END:
        if (options->repeat && !options->on)
            argp_error(state, "--repeat: expected --on=qemu or --on=nova with it");
        return 0;
    case OPTION_MACHINE:
        options->machine = argument;
        return 0;
    case OPTION_CPU:
        options->cpu = argument;
        return 0;
    case OPTION_KERNEL:
        options->kernel = argument;
        return 0;
    case OPTION_SMP:
        options->cpus = (uint32_t)option_number(argument, "smp", 1, SEQ_CPUS, state);
        return 0;
    case OPTION_THREADS:
        options->threads = true;
        return 0;
    case OPTION_BLOCKS:
        options->blocks = argument;
        return 0;
    case OPTION_LOG:
        options->log = argument;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp qemu_options_parser = {list, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- interrupts ---- */

static volatile sig_atomic_t interrupted; /* by that signal */

static void on_signal(int signal) {
    interrupted = signal;
}

/* The second time, a signal ends the program at once. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static _Noreturn void stop(struct qemu *qemu) {
    if (qemu->progress)
        progress_hide(qemu->progress);
    qemu_kill(qemu);
    if (qemu->on_interrupt)
        qemu->on_interrupt(qemu->context);
    complain("interrupted");
    qemu_close(qemu);
    exit(EXIT_SIGNAL + interrupted);
}

/* ---- files ---- */

static _Noreturn void give_up(struct qemu *qemu) {
    qemu_close(qemu);
    exit(EXIT_BAD);
}

/* A file that must be there, with its full path; free() it. */
static char *must_have(struct qemu *qemu, const char *path, const char *advice) {
    char *full = realpath(path, NULL);
    if (!full) {
        complain_errno("%s", path);
        complain("%s", advice);
        give_up(qemu);
    }
    return full;
}

static void beside(char path[PATH_BYTES], const char *name) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t at = slash ? (size_t)(slash - path) : 0;
    snprintf(path + at, PATH_BYTES - at, "/emu/%s", name);
}

/* emu/NAME beside this program. */
static char *built(struct qemu *qemu, const char *name) {
    char path[PATH_BYTES];
    beside(path, name);
    return must_have(qemu, path, "it is made by the release build: cmake --build --preset release");
}

static bool is_installed(void) {
    const char *path = getenv("PATH");
    char *directories = strdup(path ? path : "/usr/bin:/bin"), *rest = directories, file[PATH_BYTES];
    bool found = false;
    for (const char *at = strsep(&rest, ":"); at && !found; at = strsep(&rest, ":")) {
        snprintf(file, sizeof file, "%s/%s", at, program);
        found = access(file, X_OK) == 0;
    }
    free(directories);
    return found;
}

static void make_path(const struct qemu *qemu, const char *name, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%s/%s", qemu->directory, name);
}

static void make_directory(struct qemu *qemu) {
    const char *parent = getenv("TMPDIR");
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/rescind-qemu-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(path)) {
        complain_errno("%s", path);
        exit(EXIT_BAD);
    }
    qemu->directory = strdup(path);
}

/* The plug-in notes blocks unless that is not wanted, or it was not built. */
static char *plugin_words(const struct qemu *qemu) {
    const char *wanted = qemu->options->blocks;
    char path[PATH_BYTES], *words = NULL, *file = NULL;
    beside(path, "blocks.so");
    bool unwanted = wanted ? strcmp(wanted, "none") == 0 : qemu->options->nova;
    if (unwanted || access(path, R_OK) != 0)
        return NULL;
    if (wanted && wanted[0] != '/') {
        char *here = getcwd(NULL, 0);
        if (!here || asprintf(&file, "%s/%s", here, wanted) < 0)
            file = NULL;
        free(here);
    } else if (asprintf(&file, "%s%s", wanted ? wanted : qemu->kernel, wanted ? "" : ".blocks") < 0) {
        file = NULL;
    }
    if (!file || asprintf(&words, "%s,to=%s", path, file) < 0)
        words = NULL;
    free(file);
    return words;
}

/* NOVA's image as QEMU takes it. */
static char *convert_image(struct qemu *qemu) {
    char path[PATH_BYTES];
    if (!qemu->options->image || !*qemu->options->image) {
        complain("there is no image of NOVA: name one with --image=FILE or in RESCIND_NOVA_IMAGE");
        give_up(qemu);
    }
    make_path(qemu, "kernel.elf", path);
    if (!elf32_convert(qemu->options->image, path))
        give_up(qemu);
    return strdup(path);
}

void qemu_open(struct qemu *qemu, const struct qemu_options *options, struct progress *progress) {
    char path[PATH_BYTES];
    memset(qemu, 0, sizeof *qemu);
    qemu->options = options;
    qemu->progress = progress;
    qemu->log = -1;
    catch_signals();
    if (!is_installed()) {
        complain("%s is not installed; it is in the package %s", program, package);
        exit(EXIT_BAD);
    }
    make_directory(qemu);
    qemu->kernel = options->nova     ? convert_image(qemu)
                   : options->kernel ? must_have(qemu, options->kernel, "--kernel names the kernel to boot")
                                     : built(qemu, "kernel.elf");
    qemu->plugin = plugin_words(qemu);
    char *root_task = built(qemu, options->nova ? "roottask_nova.elf" : "roottask.elf");
    make_path(qemu, "roottask.elf", path);
    bool linked = symlink(root_task, path) == 0;
    free(root_task);
    if (!linked) {
        complain_errno("%s", path);
        give_up(qemu);
    }
    if (options->log)
        qemu->log = open(options->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (options->log && qemu->log < 0) {
        complain_errno("%s", options->log);
        give_up(qemu);
    }
}

void qemu_close(struct qemu *qemu) {
    char path[PATH_BYTES];
    qemu_kill(qemu);
    if (qemu->directory) {
        make_path(qemu, "roottask.elf", path);
        unlink(path);
        make_path(qemu, "archive", path);
        unlink(path);
        make_path(qemu, "kernel.elf", path);
        unlink(path);
        rmdir(qemu->directory);
    }
    if (qemu->log >= 0)
        close(qemu->log);
    free(qemu->directory);
    free(qemu->kernel);
    free(qemu->plugin);
    qemu->directory = qemu->kernel = qemu->plugin = NULL;
    qemu->log = -1;
}

/* ---- starting ---- */

static _Noreturn void become_qemu(const struct qemu *qemu, const char *modules, uint32_t cpus, bool repeatable,
                                  int output) {
    char smp[16];
    bool counted = repeatable && !qemu->options->threads;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    snprintf(smp, sizeof smp, "%u", cpus);
    const char *words[WORDS_MAX] = {program,
                                    "-machine",
                                    qemu->options->machine,
                                    "-cpu",
                                    qemu->options->cpu,
                                    "-smp",
                                    smp,
                                    "-m",
                                    "2G",
                                    "-nodefaults",
                                    "-vga",
                                    "none",
                                    "-display",
                                    "none",
                                    "-no-reboot",
                                    "-serial",
                                    "stdio",
                                    "-device",
                                    "isa-debug-exit,iobase=0xf4,iosize=0x04",
                                    "-kernel",
                                    qemu->kernel,
                                    "-initrd",
                                    modules,
                                    counted ? "-icount" : "-accel",
                                    counted                  ? "shift=1,sleep=off"
                                    : qemu->options->threads ? "tcg,thread=multi"
                                                             : "tcg,thread=single",
                                    NULL};
    size_t count = 0;
    while (words[count])
        count++;
    if (qemu->plugin) {
        words[count++] = "-plugin";
        words[count++] = qemu->plugin;
    }
    if (qemu->options->nova) {
        words[count++] = "-append";
        words[count++] = "serial";
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* out of reach of a terminal's Ctrl-C: that a machine ended of it is no finding */
    signal(SIGPIPE, SIG_DFL);
    if (chdir(qemu->directory) == 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0)
        execvp(program, (char *const *)words);
    _exit(NOT_FOUND);
}

void qemu_start(struct qemu *qemu, const char *command_line, const void *archive, size_t bytes, uint32_t cpus,
                bool repeatable) {
    char path[PATH_BYTES], modules[PATH_BYTES];
    int ends[2];
    make_path(qemu, "archive", path);
    if (archive && !file_replace(path, archive, bytes))
        give_up(qemu);
    snprintf(modules, sizeof modules, "roottask.elf %s%s", command_line, archive ? ",archive" : "");
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        complain_errno("qemu: pipe");
        give_up(qemu);
    }
    qemu->got = qemu->line = 0;
    qemu->output = ends[0];
    qemu->process = fork();
    if (qemu->process < 0) {
        complain_errno("qemu: fork");
        qemu->process = 0;
        give_up(qemu);
    }
    if (qemu->process == 0)
        become_qemu(qemu, modules, cpus, repeatable, ends[1]);
    close(ends[1]);
}

/* ---- what it says ---- */

/* The next complete line of the buffer, or NULL. A line as long as the buffer is taken as it is. */
static const char *take_line(struct qemu *qemu) {
    char *start = qemu->buffer + qemu->line;
    char *end = memchr(start, '\n', qemu->got - qemu->line);
    if (!end && qemu->line == 0 && qemu->got == sizeof qemu->buffer - 1)
        end = qemu->buffer + qemu->got;
    if (!end)
        return NULL;
    *end = '\0';
    qemu->line = (size_t)(end - qemu->buffer) + 1;
    if (end > start && end[-1] == '\r')
        end[-1] = '\0';
    return start;
}

static void keep_log(const struct qemu *qemu, size_t bytes) {
    if (qemu->log >= 0 && write(qemu->log, qemu->buffer + qemu->got, bytes) != (ssize_t)bytes)
        complain_errno("%s", qemu->options->log);
}

/* False: there is nothing more, or nothing for too long. */
static bool read_more(struct qemu *qemu) {
    struct pollfd waiting = {.fd = qemu->output, .events = POLLIN};
    int64_t deadline = now_milliseconds() + (int64_t)qemu->options->timeout * 1000;
    if (qemu->line > qemu->got)
        qemu->line = qemu->got;
    memmove(qemu->buffer, qemu->buffer + qemu->line, qemu->got - qemu->line);
    qemu->got -= qemu->line;
    qemu->line = 0;
    while (interrupted || poll(&waiting, 1, POLL_MILLISECONDS) <= 0) {
        if (interrupted)
            stop(qemu);
        if (now_milliseconds() > deadline)
            return false;
        if (qemu->progress)
            progress_tick(qemu->progress);
    }
    ssize_t got = read(qemu->output, qemu->buffer + qemu->got, sizeof qemu->buffer - 1 - qemu->got);
    if (got <= 0)
        return false;
    keep_log(qemu, (size_t)got);
    qemu->got += (size_t)got;
    return true;
}

const char *qemu_line(struct qemu *qemu) {
    const char *line = take_line(qemu);
    while (!line && read_more(qemu))
        line = take_line(qemu);
    return line;
}

/* ---- its end ---- */

static int reap(struct qemu *qemu) {
    int status = 0;
    while (waitpid(qemu->process, &status, 0) < 0 && errno == EINTR)
        continue;
    close(qemu->output);
    qemu->process = 0;
    return status;
}

void qemu_kill(struct qemu *qemu) {
    if (!qemu->process)
        return;
    kill(qemu->process, SIGKILL);
    reap(qemu);
}

enum qemu_end qemu_end(struct qemu *qemu, int *status, char how[64]) {
    struct pollfd waiting = {.fd = qemu->output, .events = POLLIN};
    char byte;
    bool ended = poll(&waiting, 1, 0) > 0 && read(qemu->output, &byte, 1) <= 0;
    *status = -1;
    if (!ended) {
        qemu_kill(qemu);
        snprintf(how, 64, "no line for %u s", qemu->options->timeout);
        return QEMU_HUNG;
    }
    int wait = reap(qemu);
    if (WIFEXITED(wait) && WEXITSTATUS(wait) & 1 && WEXITSTATUS(wait) > 1)
        *status = WEXITSTATUS(wait) >> 1;
    if (WIFEXITED(wait) && WEXITSTATUS(wait) == 0)
        snprintf(how, 64, "triple-fault");
    else if (WIFEXITED(wait))
        snprintf(how, 64, "qemu ended with status %d", WEXITSTATUS(wait));
    else
        snprintf(how, 64, "qemu ended by SIG%s", sigabbrev_np(WTERMSIG(wait)));
    return QEMU_EXITED;
}

const char *qemu_trouble(const struct qemu *qemu, const char *line) {
    static const char *const patterns[] = {"Killed EC", "Assertion", "IPI timeout"};
    for (size_t i = 0; qemu->options->nova && i < sizeof patterns / sizeof patterns[0]; i++) {
        if (strstr(line, patterns[i]))
            return patterns[i];
    }
    return NULL;
}

void qemu_print_again(const struct qemu_options *options, uint64_t seed, const char *path) {
    printf("run again: rescind run --on=%s --machine=%s --cpu=%s", options->nova ? "nova" : "qemu", options->machine,
           options->cpu);
    if (options->nova)
        printf(" --image=%s%s", options->image, options->empty ? " --empty" : "");
    if (options->nova && options->quota != QUOTA_MOST)
        printf(" --quota=%u", options->quota);
    if (options->repeat)
        printf(" --repeat=%u", options->repeat);
    if (options->cpus)
        printf(" --smp=%u", options->cpus);
    if (options->kernel)
        printf(" --kernel=%s", options->kernel);
    printf("%s --seed=%llu %s\n", options->threads ? " --threads" : "", (unsigned long long)seed, path);
}
