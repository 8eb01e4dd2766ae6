/*
 * The harness: drives one target and the oracle through a sequence, compares after every operation, signs a failure.
 *
 * Freestanding (no libc, no allocation), no global mutable state: everything is in struct harness, whose memory the
 * caller gives. How a stopped kernel is left (longjmp on a host, a reply on a machine) is the business of the `enter`
 * hook. Depends on seq, oracle and the target interface.
 */
#ifndef RESCIND_HARNESS_H
#define RESCIND_HARNESS_H

#include "abi/target.h"
#include "oracle/oracle.h"
#include "seq/seq.h"

enum harness_compare {
    HARNESS_LOG,   /* detects by the target's log; what was detected is found again and named by a second run in full */
    HARNESS_FULL,  /* everything after every operation */
    HARNESS_PROBE, /* what accesses and lookups show, at the places that an operation concerns: for targets that tell
                      nothing of their inside */
    HARNESS_OFF,   /* kernel alone, no comparison: for the bench */
};

enum harness_verdict {
    HARNESS_AGREE,     /* all compared equal */
    HARNESS_FINDING,   /* signature and report are filled */
    HARNESS_TOO_LARGE, /* the oracle ran out of records: nothing is said about the rest */
};

enum { HARNESS_SIGNATURE_MAX = 192, HARNESS_REPORT_MAX = 4096 };

/* What a sequence's run came to. */
struct harness_outcome {
    enum harness_verdict verdict;
    uint32_t failed_at;          /* index of the operation; count of the sequence: tear-down */
    uint32_t executed;           /* operations done, void ones included */
    uint32_t lacking;            /* of these, left out because the target has no such operation */
    uint32_t changed_operations; /* operations that changed the abstract state */
    uint64_t changed_units;
    uint32_t suspended; /* operations that stopped at a preemption point and ran others meanwhile */
    bool spent;         /* the target boots only once, and is not in the boot state any more */
    uint64_t probes;    /* accesses and lookups tried by HARNESS_PROBE */
    bool at_unit;       /* the finding is about one unit: */
    uint8_t kind;       /* of space */
    uint32_t pd;        /* oracle id, or ORACLE_NONE */
    uint64_t unit;      /* in that PD's space of that kind */
    bool shared;        /* operations that were in progress at the same time took from that unit */
    char signature[HARNESS_SIGNATURE_MAX];
    char report[HARNESS_REPORT_MAX]; /* text; several lines */
};

/* What one operation came to, for --json and explanations. */
struct harness_step {
    const struct seq_op *op;
    struct oracle_call call; /* resolved: real selectors */
    bool is_call;            /* a system call; otherwise something that the harness does */
    bool is_void;            /* the caller does not exist, or the target has no such operation: */
    const char *lacks;       /* why not, or NULL */
    uint32_t cpu;
    uint64_t word_in[ABI_WORDS]; /* registers as given */
    uint32_t code;               /* as returned by the target */
    uint64_t value;              /* likewise; of an access: the frame or port that the CPU got at */
    bool faulted;                /* an access that the CPU refused */
    uint32_t created;            /* oracle id of a PD created, or ORACLE_NONE */
    const char *point;           /* preemption point at which it stands, and has not returned; else NULL */
    bool resumed;                /* it goes on, after it had stopped */
};

struct harness_options {
    enum harness_compare compare;
    uint64_t seed; /* chooses the random full comparisons of HARNESS_LOG, and random probes */
    /* After boot, before the first operation; may be NULL. A sequence may be run a second time, with full comparisons,
     * to name what was detected: then everything is said again. */
    void (*on_start)(void *context);
    /* Before a system call: what is known of the step by then. May be NULL. */
    void (*on_call)(void *context, const struct harness_step *step);
    void (*on_step)(void *context, const struct harness_step *step); /* may be NULL */
    /* before tear-down, after the last operation; may be NULL */
    void (*on_end)(void *context);
    void *context;
};

/*
 * Runs `body(argument)`. Returns true when body returned, false when the kernel stopped in it; then *why, *text and
 * *function are what the target's stop hook was given. The host's is in src/harness/host.c (setjmp).
 */
typedef bool harness_enter(void *enter_context, void (*body)(void *argument), void *argument, enum rescind_stop *why,
                           const char **text, const char **function);

struct harness;

enum { HARNESS_ALIGNMENT = 64 };

/* The oracle's geometry for a target. */
struct oracle_geometry harness_oracle_geometry(const struct rescind_target *target);

size_t harness_size(const struct rescind_target *target, uint32_t mappings);

/* `memory` is zero and a multiple of HARNESS_ALIGNMENT. NULL: the target's version is not ours or memory is too small.
 * hooks must be what `enter` understands. */
struct harness *harness_init(void *memory, size_t size, const struct rescind_target *target, uint32_t mappings,
                             const struct oracle_policy *policy, const struct rescind_hooks *hooks,
                             harness_enter *enter, void *enter_context);

/* Runs a sequence from the boot state and tears everything down at the end. A target that tells nothing of its inside
 * is judged by probes, whatever comparison is asked for. */
void harness_run(struct harness *harness, const struct seq *seq, const struct harness_options *options,
                 struct harness_outcome *outcome);

/* Within on_end: a system call with any registers by the PD with that oracle id, judged like an operation. Nothing
 * happens if there is no such PD. After anything but HARNESS_AGREE nothing more may be called. */
enum harness_verdict harness_call(struct harness *harness, uint32_t caller, const uint64_t word[ABI_WORDS]);

/*
 * For targets that are driven by somebody else, on several CPUs at a time. The first boots; whenever every CPU is at
 * rest the second judges the state that there is: nodes are taken for what should be, and tables, port bitmaps,
 * accounts, counts, what CPUs run and what they remember must be what follows from them, in the form in which a kernel
 * at rest has them. `empty`: it must also be the boot state. The outcome's verdict is what is returned.
 */
enum harness_verdict harness_rest_boot(struct harness *harness, uint8_t cpus, struct harness_outcome *outcome);
enum harness_verdict harness_rest(struct harness *harness, bool empty, struct harness_outcome *outcome);

/* The shape of a step's operation as in signatures, such as "revoke.self.own". */
void harness_step_name(const struct harness_step *step, char name[HARNESS_SIGNATURE_MAX]);

/* The oracle's state, valid within on_step and on_end. */
const struct oracle *harness_oracle(const struct harness *harness);

/* The CPUs of the run. */
uint32_t harness_cpus(const struct harness *harness);

/* The oracle's id of a target's PD index (PHYS included), or object index with RESCIND_OBJECT; or ORACLE_NONE. */
uint32_t harness_identify(const struct harness *harness, uint64_t kernel);

#endif
