/*
 * rescind stress: a booted kernel under operations that are made up on the machine itself.
 */
#include "cli/files.h"
#include "cli/greybox.h"
#include "cli/hunt.h"
#include "cli/qemu_replay.h"
#include "cli/worker.h"
#include "roottask/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    OPTION_SEED = 256,
    OPTION_OPS,
    OPTION_SECONDS,
    OPTION_MODE,
    OPTION_VICTIMS,
    OPTION_LENGTH,
    OPTION_WITHOUT_DROP,
    OPTION_CONTROL,
    OPTION_FINDINGS,
    OPTION_KNOWN,
    OPTION_PREEMPT,
    OPTION_APART,
    OPTION_CORPUS,
    OPTION_UNGUIDED,
};
enum { SHRINK_BUDGET = 250, NOVA_BOOT_OPS = 10000 /* then it has kept too much of the root task's memory */ };
enum { SECONDS_DEFAULT = 10, LENGTH_DEFAULT = 256, LENGTH_MAX = 1024, PREEMPT_DEFAULT = 128, COMMAND_MAX = 240 };

struct arguments {
    struct qemu_options qemu;
    uint64_t seed, ops, seconds, length, preempt;
    const char *mode, *output;
    bool victims, without_drop, unguided;
    enum { TOGETHER, CALLS_APART, REVOKES_APART } apart; /* as the root task's enum flight_apart */
    const char *findings, *known, *corpus;
};

static const struct argp_option options[] = {
    {"mode", OPTION_MODE, "sequences|soak|registers", 0,
     "Sequences of operations; one life that is never torn down; or any registers and pointers, by programs without "
     "privileges (default: sequences)",
     0},
    {"seconds", OPTION_SECONDS, "N", 0, "For so long (default: 10, without --ops)", 0},
    {"ops", OPTION_OPS, "N", 0, "So many operations, or calls", 0},
    {"length", OPTION_LENGTH, "N", 0, "Operations of a sequence, after which all is torn down (default: 256)", 0},
    {"victims", OPTION_VICTIMS, NULL, 0, "Programs on other CPUs use their memory all the time", 0},
    {"preempt", OPTION_PREEMPT, "N", 0,
     "With several CPUs: during N of 256 revokes and destroys others make calls (default: 128)", 0},
    {"apart", OPTION_APART, "calls|revokes", OPTION_ARG_OPTIONAL,
     "Let none of these calls overlap, or no two of these revokes and destroys, to see what that adds (default: calls)",
     0},
    {"seed", OPTION_SEED, "N", 0, "Chooses the operations (default: a fresh one, printed)", 0},
    {"without-drop", OPTION_WITHOUT_DROP, NULL, 0, "No revoke with scope drop", 0},
    {"control", OPTION_CONTROL, NULL, 0, "Judge by a model that is wrong on purpose: revokes go by units", 0},
    {"findings", OPTION_FINDINGS, "DIRECTORY", 0,
     "Go on after a finding: shrink it on the machine, and keep one file for each signature", 0},
    {"known", OPTION_KNOWN, "FILE", 0, "With --findings: lines SIGNATURE [WORD] of what is no news", 0},
    {"corpus", OPTION_CORPUS, "DIRECTORY", 0,
     "With --findings: make sequences on the host, keep those that reach new code of the kernel, and mutate these", 0},
    {"unguided", OPTION_UNGUIDED, NULL, 0, "With --corpus: mutate nothing, to see what that adds", 0},
    {"output", 'o', "FILE", 0, "Where to write what shows a finding (default: stress-<seed>-<number>.rsq)", 0},
    {0},
};

/* What goes with what. */
static void check_together(const struct arguments *arguments, struct argp_state *state) {
    if (!arguments->qemu.on)
        argp_error(state, "only a booted kernel can be stressed: --on=qemu or --on=nova");
    if (arguments->qemu.nova && strcmp(arguments->mode, "sequences") != 0)
        argp_error(state, "--on=nova has --mode=sequences only");
    if (arguments->findings && strcmp(arguments->mode, "sequences") != 0)
        argp_error(state, "--findings goes with --mode=sequences only");
    if (arguments->known && !arguments->findings)
        argp_error(state, "--known goes with --findings");
    if (arguments->corpus && (!arguments->findings || arguments->victims || arguments->apart))
        argp_error(state, "--corpus goes with --findings, and not with --victims or --apart");
    if (arguments->unguided && !arguments->corpus)
        argp_error(state, "--unguided goes with --corpus");
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->qemu;
        return 0;
    case OPTION_MODE:
        if (strcmp(argument, "sequences") != 0 && strcmp(argument, "soak") != 0 && strcmp(argument, "registers") != 0)
            argp_error(state, "--mode: expected sequences, soak or registers, found '%s'", argument);
        arguments->mode = argument;
        return 0;
    case OPTION_SEED:
        arguments->seed = option_number(argument, "seed", 0, INT64_MAX, state);
        return 0;
    case OPTION_OPS:
        arguments->ops = option_number(argument, "ops", 1, UINT32_MAX, state);
        return 0;
    case OPTION_SECONDS:
        arguments->seconds = option_number(argument, "seconds", 1, UINT32_MAX, state);
        return 0;
    case OPTION_LENGTH:
        arguments->length = option_number(argument, "length", 1, LENGTH_MAX, state);
        return 0;
    case OPTION_VICTIMS:
        arguments->victims = true;
        return 0;
    case OPTION_PREEMPT:
        arguments->preempt = option_number(argument, "preempt", 0, UINT8_MAX, state);
        return 0;
    case OPTION_APART:
        arguments->apart = !argument || strcmp(argument, "calls") == 0 ? CALLS_APART : REVOKES_APART;
        if (arguments->apart == REVOKES_APART && strcmp(argument, "revokes") != 0)
            argp_error(state, "--apart: expected calls or revokes, found '%s'", argument);
        return 0;
    case OPTION_WITHOUT_DROP:
        arguments->without_drop = true;
        return 0;
    case OPTION_CONTROL:
        arguments->qemu.control = true;
        return 0;
    case OPTION_FINDINGS:
        arguments->findings = argument;
        return 0;
    case OPTION_KNOWN:
        arguments->known = argument;
        return 0;
    case OPTION_CORPUS:
        arguments->corpus = argument;
        return 0;
    case OPTION_UNGUIDED:
        arguments->unguided = true;
        return 0;
    case 'o':
        arguments->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
        return 0;
    case ARGP_KEY_END:
        if (arguments->qemu.repeat)
            argp_error(state, "--repeat: expected with rescind run only; stress runs no sequence twice");
        check_together(arguments, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&qemu_options_parser, 0, "The virtual machine:", 0}, {0}};

static const struct argp parser = {
    options,
    parse,
    NULL,
    "Stresses a booted kernel with operations that the root task makes up and judges on the machine itself.\v"
    "A machine that a sequence has taken out of its boot state for good is booted again. "
    "Exit status: 0 all agree, 1 a finding, 2 bad input or usage, 130 or 143 interrupted (what was done is said).",
    children,
    NULL,
    NULL};

/* ---- one session ---- */

enum { TALLIES = 12 };

/* Of calls in flight (emu/roottask/flight.h). */
struct flights {
    uint64_t begun, meetings, inside, shared;
};

struct session {
    const struct arguments *arguments;
    struct qemu *qemu;
    struct progress progress;
    uint64_t operations, calls, probes, sequences, boots, lacking;
    struct hunt *hunt;                              /* or NULL */
    uint64_t tally[TALLIES], tally_before[TALLIES]; /* of all boots, and of those before the last */
    struct flights flights, flights_before;         /* likewise */
    bool shared;                                    /* the finding is at what operations in flight share */
    bool trouble;                                   /* the kernel said that something is wrong with it */
    uint64_t number;                                /* of the sequence in progress */
    int64_t started, boot_milliseconds;             /* all boots, each up to its first sequence */
    char signature[HARNESS_SIGNATURE_MAX], report[HARNESS_REPORT_MAX];
    char *sequence; /* what shows the finding, as text; or NULL */
    char *block;    /* that is being read: into `sequence` or `report`; or NULL */
    size_t block_size;
};

static const char *const tally_keys[] = {
    " create_pd=", " delegate=",   " revoke=", " destroy_pd=", " lookup=",  " create_object=",
    " grant=",     " move_quota=", " access=", " switch=",     " reached=", " refused="};
enum { SEQUENCE_TEXT_MAX = SEQ_MAX_OPS * SEQ_TEXT_MAX };

static const char *after(const char *line, const char *word) {
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static uint64_t value_of(const char *line, const char *key) {
    const char *at = strstr(line, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static bool take_block(struct session *session, const char *line) {
    if (!session->block)
        return false;
    size_t length = strlen(session->block);
    if (strcmp(line, PROTOCOL_CLOSE) == 0)
        session->block = NULL;
    else
        snprintf(session->block + length, session->block_size - length, "%s\n", line);
    return true;
}

static void begin_block(struct session *session, char *block, size_t size) {
    block[0] = '\0';
    session->block = block;
    session->block_size = size;
}

static void count(struct session *session, const char *rest) {
    session->operations += value_of(rest, "executed=");
    session->probes += value_of(rest, "probes=");
    session->lacking += value_of(rest, "lacking=");
    session->sequences++;
}

/* The machine counts from its start. */
static void take_tally(struct session *session, const char *rest) {
    for (size_t i = 0; i < TALLIES; i++)
        session->tally[i] = session->tally_before[i] + value_of(rest, tally_keys[i]);
}

static void take_flights(struct session *session, const char *rest) {
    const struct flights *before = &session->flights_before;
    session->flights = (struct flights){.begun = before->begun + value_of(rest, "begun="),
                                        .meetings = before->meetings + value_of(rest, "meetings="),
                                        .inside = before->inside + value_of(rest, "inside="),
                                        .shared = before->shared + value_of(rest, "shared=")};
}

static void take_line(struct session *session, const char *line) {
    const char *rest;
    if (take_block(session, line))
        return;
    if ((rest = after(line, PROTOCOL_BEGIN))) {
        session->number = strtoull(rest, NULL, 10);
        progress_set(&session->progress, "%" PRIu64 " operations", session->operations);
    } else if ((rest = after(line, PROTOCOL_AGREE))) {
        count(session, rest);
    } else if ((rest = after(line, PROTOCOL_FINDING))) {
        const char *probes = strstr(rest, "probes="), *signature = probes ? strchr(probes, ' ') : NULL;
        count(session, rest);
        session->shared = value_of(rest, "shared=") != 0;
        snprintf(session->signature, sizeof session->signature, "%s", signature ? signature + 1 : "?");
    } else if ((rest = after(line, "panic: "))) {
        snprintf(session->signature, sizeof session->signature, "panic: %.180s", rest);
    } else if ((rest = after(line, PROTOCOL_TALLY))) {
        take_tally(session, rest - 1); /* with the blank before the first key */
    } else if ((rest = after(line, PROTOCOL_FLIGHTS))) {
        take_flights(session, rest);
    } else if ((rest = qemu_trouble(session->qemu, line))) {
        snprintf(session->signature, sizeof session->signature, "panic: nova %s", rest);
        session->trouble = true;
    } else if ((rest = after(line, PROTOCOL_CALLS))) {
        session->calls += strtoull(rest, NULL, 10);
    } else if (strcmp(line, PROTOCOL_REPORT) == 0) {
        begin_block(session, session->report, sizeof session->report);
    } else if (strcmp(line, PROTOCOL_SEQUENCE) == 0) {
        session->sequence = session->sequence ? session->sequence : allocate(SEQUENCE_TEXT_MAX);
        begin_block(session, session->sequence, SEQUENCE_TEXT_MAX);
    }
}

static uint64_t done_so_far(const struct session *session) {
    bool registers = strcmp(session->arguments->mode, "registers") == 0;
    return registers ? session->calls : session->operations;
}

static void make_command(const struct session *session, uint64_t first, bool dump, char command[COMMAND_MAX]) {
    const struct arguments *arguments = session->arguments;
    uint64_t left = arguments->ops ? arguments->ops - done_so_far(session) : 0;
    const char *mode = arguments->mode;
    if (arguments->qemu.nova && (left == 0 || left > NOVA_BOOT_OPS))
        left = NOVA_BOOT_OPS;
    snprintf(command, COMMAND_MAX,
             "%s seed=%" PRIu64 " first=%" PRIu64 " ops=%" PRIu64 " length=%" PRIu64 " victims=%d preempt=%" PRIu64
             " apart=%d dump=%d nodrop=%d exact=%d empty=%d quota=%u",
             strcmp(mode, "registers") == 0 ? "raw"
             : strcmp(mode, "soak") == 0    ? "soak"
                                            : "stress",
             arguments->seed, first, left, arguments->length, arguments->victims, arguments->preempt, arguments->apart,
             dump, arguments->without_drop, arguments->qemu.control, arguments->qemu.empty, arguments->qemu.quota);
}

static bool is_over(const struct session *session) {
    const struct arguments *arguments = session->arguments;
    bool enough = arguments->ops && done_so_far(session) >= arguments->ops;
    return enough ||
           (arguments->seconds && now_milliseconds() - session->started >= (int64_t)arguments->seconds * 1000);
}

static void boot(struct session *session, uint64_t first, bool dump) {
    char command[COMMAND_MAX];
    uint32_t cpus = session->arguments->qemu.cpus ? session->arguments->qemu.cpus : 1;
    int64_t started = now_milliseconds();
    make_command(session, first, dump, command);
    qemu_start(session->qemu, command, NULL, 0, cpus, dump);
    const char *line = qemu_line(session->qemu);
    while (line && !after(line, PROTOCOL_HELLO))
        line = qemu_line(session->qemu);
    session->boots += !dump;
    session->boot_milliseconds += dump ? 0 : now_milliseconds() - started;
}

/* How the machine ended that was not asked to. */
static void sign_death(struct session *session, enum qemu_end end, const char *how) {
    if (!session->signature[0])
        snprintf(session->signature, sizeof session->signature, "the machine ended: %.40s", how);
    if (end == QEMU_HUNG)
        snprintf(session->signature, sizeof session->signature, "no line for %u s", session->arguments->qemu.timeout);
}

/* Boots once. True: the kernel was found out. */
static bool stress_once(struct session *session, uint64_t first) {
    const char *line = "";
    char how[64];
    int status;
    boot(session, first, false);
    memcpy(session->tally_before, session->tally, sizeof session->tally);
    session->flights_before = session->flights;
    session->trouble = false;
    while (!is_over(session) && !session->trouble && (line = qemu_line(session->qemu)))
        take_line(session, line);
    if (session->trouble) {
        qemu_kill(session->qemu);
        return true;
    }
    if (line) {
        qemu_kill(session->qemu);
        return false;
    }
    enum qemu_end end = qemu_end(session->qemu, &status, how);
    if (end == QEMU_EXITED && (status == ROOT_DONE || status == ROOT_AGAIN || status == ROOT_TOO_LARGE))
        return false;
    sign_death(session, end, how);
    return true;
}

/* ---- findings ---- */

/* The sequence that a machine died of: another makes it again, and only prints it. */
static void fetch_sequence(struct session *session) {
    char how[64];
    int status;
    boot(session, session->number, true);
    for (const char *line = qemu_line(session->qemu); line; line = qemu_line(session->qemu))
        take_line(session, line);
    qemu_end(session->qemu, &status, how);
}

/* Where it comes from, at the end of the file. */
static void note_origin(const struct session *session, const char *path, const struct qemu_job *job) {
    static const char *const apart[] = {"", ", apart", ", revokes apart"};
    const struct arguments *arguments = session->arguments;
    FILE *file = fopen(path, "a");
    if (!file)
        return;
    fprintf(file, "# sequence %" PRIu64 " of seed %" PRIu64 ", %u CPUs%s; replayed alone %s", session->number,
            arguments->seed, arguments->qemu.cpus ? arguments->qemu.cpus : 1, apart[arguments->apart],
            job->outcome.verdict == HARNESS_FINDING ? "it shows" : "it does not show");
    if (job->runs)
        fprintf(file, ", in %u of %u further runs", job->shown, job->runs);
    fputc('\n', file);
    fclose(file);
}

/* Whether, and how, it shows when it is replayed alone. */
static void try_again(struct session *session, const char *path) {
    struct seq seq;
    if (!sequence_load(&seq, path, NULL))
        return;
    struct qemu_job job = {.seq = &seq};
    qemu_replay(session->qemu, &job, 1, session->arguments->seed);
    if (job.outcome.verdict == HARNESS_FINDING)
        printf("replayed: %s\n", job.outcome.signature);
    else
        printf("replayed alone it does not show\n");
    if (job.runs)
        printf("showed in %u of %u further runs\n", job.shown, job.runs);
    note_origin(session, path, &job);
    qemu_print_again(&session->arguments->qemu, session->arguments->seed, path);
    sequence_free(&seq);
}

static bool report_finding(struct session *session) {
    const struct arguments *arguments = session->arguments;
    char path[64];
    snprintf(path, sizeof path, "stress-%" PRIu64 "-%" PRIu64 ".rsq", arguments->seed, session->number);
    const char *output = arguments->output ? arguments->output : path;
    printf("FINDING %s\n%s", session->signature, session->report);
    printf("in sequence %" PRIu64 " of seed %" PRIu64 "\n", session->number, arguments->seed);
    if (!session->sequence && strcmp(arguments->mode, "soak") != 0)
        fetch_sequence(session);
    if (!session->sequence)
        return true;
    if (!file_replace(output, session->sequence, strlen(session->sequence)))
        return false;
    printf("written: %s\n", output);
    try_again(session, output);
    return true;
}

/* Hands it over, and is ready for the next. */
static void hunt_finding(struct session *session) {
    if (!session->sequence)
        fetch_sequence(session);
    if (session->sequence)
        hunt_take(session->hunt, session->sequence, session->signature, session->shared);
    free(session->sequence);
    session->sequence = session->block = NULL;
    session->shared = false;
    session->signature[0] = session->report[0] = '\0';
}

/* ---- all ---- */

static double processor_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_counts(const struct session *session) {
    double seconds = (double)(now_milliseconds() - session->started) / 1000, processor = processor_seconds();
    printf("%" PRIu64 " operations in %" PRIu64 " sequences, %" PRIu64 " probes (%.1f an operation)",
           session->operations, session->sequences, session->probes,
           session->operations ? (double)session->probes / (double)session->operations : 0);
    if (session->lacking)
        printf(", %" PRIu64 " operations that this kernel lacks left out", session->lacking);
    if (session->calls)
        printf(", %" PRIu64 " calls with any registers", session->calls);
    if (session->boots)
        printf("; %" PRIu64 " boots", session->boots);
    printf(", seed %" PRIu64 "\n%.1f s (%.1f s of the processor): %.0f operations a processor second",
           session->arguments->seed, seconds, processor, processor > 0 ? (double)session->operations / processor : 0);
    if (session->boots)
        printf("; %.2f s from a start to the first sequence\nperformed:",
               (double)session->boot_milliseconds / 1000 / (double)session->boots);
    for (size_t i = 0; i < TALLIES; i++) {
        if (session->tally[i])
            printf("%s%" PRIu64, tally_keys[i], session->tally[i]);
    }
    putchar('\n');
    const struct flights *flights = &session->flights;
    if (flights->begun)
        printf("in flight: %" PRIu64 " revokes and destroys with others beside them: %" PRIu64 " met in time, %" PRIu64
               " wholly inside; %" PRIu64 " preemption points gave way to another CPU's call\n",
               flights->begun, flights->meetings, flights->inside, flights->shared);
}

static bool open_hunt(struct session *session) {
    const struct arguments *arguments = session->arguments;
    struct hunt *hunt = session->hunt = allocate(sizeof *hunt);
    memset(hunt, 0, sizeof *hunt);
    hunt->qemu = session->qemu;
    hunt->directory = arguments->findings;
    hunt->seed = arguments->seed;
    hunt->budget = SHRINK_BUDGET;
    return !arguments->known || known_load(&hunt->known, arguments->known);
}

/* True: that is all. */
static bool stress_or_hunt(struct session *session, uint64_t first) {
    bool found = stress_once(session, first);
    if (found && session->hunt)
        hunt_finding(session);
    return found && !session->hunt;
}

/* With a corpus; the plug-in's file of blocks is in its directory. */
static bool stress_guided(struct session *session) {
    const struct arguments *arguments = session->arguments;
    struct greybox_counts counts;
    const struct greybox_options wanted = {.directory = arguments->corpus,
                                           .blocks = arguments->qemu.blocks,
                                           .seed = arguments->seed,
                                           .ops = arguments->ops,
                                           .seconds = arguments->seconds,
                                           .length = (uint32_t)arguments->length,
                                           .cpus = (uint8_t)(arguments->qemu.cpus ? arguments->qemu.cpus : 1),
                                           .preempt = (uint8_t)arguments->preempt,
                                           .without_drop = arguments->without_drop,
                                           .unguided = arguments->unguided};
    bool good = greybox_run(session->qemu, session->hunt, &wanted, &counts);
    session->operations = counts.operations;
    session->sequences = counts.sequences;
    session->probes = counts.probes;
    session->lacking = counts.lacking;
    printf("%" PRIu64 " bytes of the kernel's code ran; %" PRIu64 " sequences kept, beside %" PRIu64
           " that were there\n",
           counts.bytes, counts.kept, counts.taken_up);
    return good;
}

/* Where the plug-in is to note what runs. */
static char *name_blocks(struct arguments *arguments) {
    char *path = NULL;
    if (arguments->corpus && asprintf(&path, "%s/blocks", arguments->corpus) < 0)
        path = NULL;
    arguments->qemu.blocks = path ? path : arguments->qemu.blocks;
    return path;
}

static void print_all(void *context) {
    const struct session *session = context;
    print_counts(session);
    if (session->hunt)
        hunt_print(session->hunt);
}

int command_stress(int argc, char **argv) {
    struct arguments arguments = {
        .seed = fresh_seed(), .length = LENGTH_DEFAULT, .preempt = PREEMPT_DEFAULT, .mode = "sequences"};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (!arguments.ops && !arguments.seconds)
        arguments.seconds = SECONDS_DEFAULT;
    char *blocks = name_blocks(&arguments);
    struct session *session = allocate(sizeof *session);
    memset(session, 0, sizeof *session);
    session->arguments = &arguments;
    session->qemu = allocate(sizeof *session->qemu);
    progress_start(&session->progress);
    qemu_open(session->qemu, &arguments.qemu, &session->progress);
    if (arguments.findings && !open_hunt(session))
        return EXIT_BAD;
    session->started = now_milliseconds();
    session->qemu->on_interrupt = print_all;
    session->qemu->context = session;
    bool found = false, good = !arguments.corpus || stress_guided(session);
    for (uint64_t first = 0; !arguments.corpus && !found && !is_over(session); first = session->number + 1)
        found = stress_or_hunt(session, first);
    progress_hide(&session->progress);
    print_all(session);
    int status = !good                     ? EXIT_BAD
                 : session->hunt           ? (session->hunt->count ? EXIT_FINDING : EXIT_AGREE)
                 : !found                  ? EXIT_AGREE
                 : report_finding(session) ? EXIT_FINDING
                                           : EXIT_BAD;
    qemu_close(session->qemu);
    free(blocks);
    free(session->sequence);
    free(session->hunt);
    free(session->qemu);
    free(session);
    return status;
}
