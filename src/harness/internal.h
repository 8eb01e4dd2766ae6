/*
 * What the parts of the harness know about each other. Not for anyone else.
 */
#ifndef RESCIND_HARNESS_INTERNAL_H
#define RESCIND_HARNESS_INTERNAL_H

#include "harness/harness.h"
#include "harness/mirror.h"

enum { HISTORY = 5, TREE_DEPTH_MAX = 64, HARNESS_CPUS = 4 };
enum { SHARED = 64 /* ranges that are remembered */ };
enum { PROBES = 64 /* made at a time */, PROBE_RANGES = 24, PROBE_RECENT = 32 };

/*
 * Everything that can be wrong, most telling first: of several differences found by one comparison the first of this
 * list is reported, so that a signature does not depend on what else went wrong. Described in signature.c.
 */
enum flaw {
    FLAW_ASSERT,
    FLAW_STEPS,
    FLAW_STRETCH,
    FLAW_MEMORY,
    FLAW_FREED_EARLY,
    FLAW_MACHINE,
    FLAW_CODE,
    FLAW_REFUSED,
    FLAW_VALUE,
    FLAW_REGISTER,
    FLAW_PD_ABSENT,
    FLAW_DANGLING_TABLE,
    FLAW_EXTRA,
    FLAW_OUTSIDE,
    FLAW_WIDER,
    FLAW_RESERVED,
    FLAW_MISALIGNED,
    FLAW_MISSING,
    FLAW_WRONG_RESOURCE,
    FLAW_NARROWER,
    FLAW_ACCESS_ALLOWED,
    FLAW_ACCESS_DENIED,
    FLAW_ACCESS_ASTRAY,
    FLAW_CPU,
    FLAW_STALE,
    FLAW_STALE_TABLE,
    FLAW_PD_DIED,
    FLAW_PD_SURVIVED,
    FLAW_PD_APPEARED,
    FLAW_REFERENCES,
    FLAW_DEAD_SPACE,
    FLAW_NODE_DEAD,
    FLAW_NODE_OWNER,
    FLAW_NODE_SHAPE,
    FLAW_NODE_OVERLAP,
    FLAW_TREE_SHARED,
    FLAW_TREE_LINK,
    FLAW_TREE_RANK,
    FLAW_ORDER_LINK,
    FLAW_PARENT,
    FLAW_CONTAINMENT,
    FLAW_SIBLINGS,
    FLAW_UNLISTED,
    FLAW_UNINDEXED,
    FLAW_PHYS,
    FLAW_UNMERGED,
    FLAW_LEAF_SIZE,
    FLAW_EMPTY_TABLE,
    FLAW_SHARED_TABLE,
    FLAW_LEFTOVER,
    FLAW_ROOT_TABLE,
    FLAW_NODE_EXTRA,
    FLAW_NODE_RESOURCE,
    FLAW_NODE_RIGHTS,
    FLAW_NODE_MISSING,
    FLAW_NODE_COUNT,
    FLAW_PAYER,
    FLAW_ACCOUNT,
    FLAW_OVERDRAWN,
    FLAW_QUOTA,
    FLAW_USED_PDS,
    FLAW_USED_OBJECTS,
    FLAW_USED_NODES,
    FLAW_USED_TABLES,
    FLAW_NOT_TORN_DOWN,
    FLAW_USED_BYTES,
    FLAW_LOG, /* the log comparison saw something that the full one does not */
    FLAW_NONE,
};

/* How a report shows the place of a flaw. */
enum detail { DETAIL_STOP, DETAIL_RESULT, DETAIL_UNIT, DETAIL_NUMBER };

struct flaw_info {
    const char *check; /* as in semantics.md, section 4: "O1.reach" */
    const char *how;   /* last part of the signature */
    const char *words; /* for people */
    enum detail detail;
};

/* The most telling difference found so far. */
struct finding {
    enum flaw flaw;
    uint8_t kind;
    uint32_t pd; /* oracle id, or ORACLE_NONE */
    uint64_t unit;
    uint64_t expected, found;
    bool probed;                 /* `expected` are the rights with which it was reached, `found` is the resource */
    const char *text, *function; /* of a stopped kernel */
    const char *seen;            /* by the log comparison, when the full one was asked about it */
};

/* What a PD's account must hold, and what it was charged last. */
struct ledger {
    uint64_t quota, used;
    uint32_t payer; /* oracle id */
};

/* Units of a space. */
struct prober_range {
    uint64_t first, last;
    uint32_t pd; /* oracle id */
    uint8_t kind;
};

/* Where operations in progress at the same time took from the same mappings, the latest. */
struct meetings {
    uint64_t count; /* of ranges; the i-th is at i % SHARED */
    struct prober_range range[SHARED];
};

/* Of the probe comparison. */
struct prober {
    struct seq_random random;
    uint32_t operations, recent_count;
    struct prober_range recent[PROBE_RECENT]; /* changed lately */
    uint32_t pd, count;                       /* probes collected, and whose they are */
    struct rescind_probe probe[PROBES];
    uint64_t resource[PROBES]; /* as expected */
};

/* An operation performed, for the report. */
struct past_step {
    struct seq_op op;
    uint32_t index;
    uint32_t code;
    uint64_t value;
    bool is_void, returned, teardown, resumed;
    const char *point; /* where it stopped, or NULL */
};

/* A revoke or destroy_pd that stopped at a preemption point, with the operations that run meanwhile. */
struct suspended {
    struct harness_step step;
    uint32_t operation, number; /* the target's and the oracle's for it */
    uint32_t index;             /* in the sequence */
    bool in_progress;
    bool caller_died; /* its result is lost */
    uint32_t from;    /* PD from which a revoke takes */
    bool may_lack;    /* of a target whose calls overlap: it may still be refused for lack of memory */
};

struct harness {
    const struct rescind_target *target;
    const struct rescind_hooks *hooks;
    harness_enter *enter;
    void *enter_context;
    struct oracle *oracle;
    struct oracle_geometry geometry;
    uint32_t id_limit;   /* oracle ids are below */
    uint32_t mark_epoch; /* see `mark` */

    /* Bindings. ORACLE_NONE and RESCIND_NONE: nothing. */
    uint32_t id_of_name[SEQ_NAMES];
    uint32_t *kernel_of;         /* by oracle id */
    uint32_t *id_of;             /* by the kernel's PD index */
    uint32_t *object_kernel_of;  /* by the number of the oracle's id; with RESCIND_OBJECT */
    uint32_t *object_id_of;      /* by the kernel's object index */
    uint32_t objects_bound;      /* numbers of objects bound in this run are below */
    uint32_t runs[HARNESS_CPUS]; /* oracle ids */
    uint32_t cpus;
    uint8_t *name_of; /* by oracle id: the name at creation */

    struct rescind_usage boot_usage;
    struct rescind_pd_view boot_root;

    const struct harness_options *options;
    struct harness_outcome *outcome;
    struct harness_outcome named; /* of the second run of a sequence, which names what the first detected */
    enum harness_compare mode;
    enum harness_verdict called; /* what the last harness_call came to */
    struct ledger *ledger;       /* by oracle id of PDs */
    uint32_t cutter;             /* whose account the call in progress may have paid cuts from; ORACLE_NONE: none was */
    uint32_t index;              /* of the operation */
    uint64_t tick;               /* for the choice of full comparisons */
    uint8_t failing;             /* the allocation of the next call that fails, or 0 */
    bool entered;                /* the kernel may stop: some caller of ours is ready for it */
    bool teardown, committed;
    bool at_rest;        /* harness_rest judges: no operation is to blame */
    bool root_lost;      /* root's capability to itself is not what it was at boot */
    uint32_t past_count; /* operations in `past`, since the start of the sequence */

    struct seq_nesting nesting;
    struct suspended suspended[SEQ_NESTING]; /* by block */
    bool scheduled;                          /* the operation in progress has the innermost block */
    struct meetings meetings;

    struct harness_step step; /* the operation in progress */
    uint64_t word[ABI_WORDS]; /* registers on return */
    struct rescind_log log;   /* of it */
    struct oracle_result result;
    struct past_step past[HISTORY];

    struct finding finding;

    struct prober prober;
    uint32_t *mark; /* by node: for the full comparison */
    struct mirror mirror;
    bool mirror_late; /* it was not kept while operations were in progress */
};

/* ---- bindings.c ---- */

/* The kernel's PD index of a live oracle PD; RESCIND_PD_PHYS for PHYS. */
uint32_t kernel_pd(const struct harness *harness, uint32_t id);

/* The oracle's id of a kernel's PD index (PHYS included), or object index with RESCIND_OBJECT; or ORACLE_NONE. */
uint32_t oracle_id(const struct harness *harness, uint64_t kernel);

void bind_boot(struct harness *harness);
void bind_id(struct harness *harness, uint32_t id, uint32_t kernel);

/* While something is in progress: what it destroyed already is not bound any more. */
void unbind_gone(struct harness *harness);

/* Brings the bindings up to date with the last commit and compares who is alive with what the log says. */
void bind_changes(struct harness *harness);

/* ---- resolve.c ---- */

/* The call that an operation stands for; fields that it does not have are zero. */
struct oracle_call resolve_with(const struct oracle_geometry *geometry, const struct seq_op *op, uint32_t caller,
                                uint64_t pd_selector, uint64_t filter_selector);
/* The same, with the selectors that the oracle finds. */
struct oracle_call resolve(const struct harness *harness, const struct seq_op *op, uint32_t caller);
void encode(const struct oracle_call *call, uint64_t word[ABI_WORDS]);
/* The reverse, for any registers. */
struct oracle_call decode(uint32_t caller, const uint64_t word[ABI_WORDS]);

/* ---- accounts.c ---- */

/* After boot. */
void ledger_start(struct harness *harness, const struct rescind_pd_view *root);
/* What accounts hold now is what is known: after operations in progress, whose shares are not. */
void ledger_accept(struct harness *harness);
/* After a call: what accounts must hold now, by what it moved and who died. */
void ledger_expect(struct harness *harness);
/* Whether a PD's account holds what it must. Then what it holds is what is known. */
bool ledger_fits(const struct harness *harness, uint32_t id, const struct rescind_pd_view *view);
void ledger_update(struct harness *harness, uint32_t id, const struct rescind_pd_view *view);
/* The call was refused with E_MEM: whether one who had to pay may have been unable to. */
void judge_refusal(struct harness *harness);

/* ---- cpus.c ---- */

/* Makes a CPU access a unit, or run a PD, as the operation in progress says, and judges what comes of it. */
void perform_on_cpu(struct harness *harness);
/* Each CPU runs what it must. */
void compare_running(struct harness *harness);
/* No CPU remembers what the oracle does not know. */
void compare_cpus(struct harness *harness);

/* ---- harness.c ---- */

/* Runs `body(argument)` with the kernel's stop hook ready. False: the kernel stopped; that is noted. */
bool harness_enter_target(struct harness *harness, void (*body)(void *argument), void *argument);

/* Records a difference unless a more telling one, or an equal earlier one, is known. */
__attribute__((cold)) void note(struct harness *harness, enum flaw flaw, uint32_t pd, uint8_t kind, uint64_t unit);
__attribute__((cold)) void note_number(struct harness *harness, enum flaw flaw, uint32_t pd, uint8_t kind,
                                       uint64_t expected, uint64_t found);

static inline uint8_t space_log2(const struct harness *harness, uint32_t pd, uint8_t kind) {
    const struct oracle_geometry *geometry = &harness->geometry;
    if (kind != ABI_MEM)
        return kind == ABI_PIO ? geometry->pio_log2 : geometry->obj_log2;
    return pd == ORACLE_PHYS ? geometry->phys_log2 : geometry->mem_log2;
}

static inline uint8_t all_rights(uint8_t kind) {
    return kind == ABI_OBJ ? ABI_OBJ_RIGHTS : kind == ABI_PIO ? ABI_PIO_RIGHTS : ABI_MEM_RIGHTS;
}

/* The rights with which a mapping can be used: where any bit makes memory exist, it can be read. */
static inline uint8_t usable_rights(const struct harness *harness, const struct oracle_mapping *mapping) {
    bool implied = mapping->kind == ABI_MEM && oracle_policy_of(harness->oracle)->any_bit_exists;
    return (uint8_t)(mapping->rights | (implied ? ABI_R : 0));
}

/* What must hold when nothing is left but root. */
void judge_empty(struct harness *harness);

/* The parts of a run, for soak.c, which goes on where a run would tear down. options, outcome and mode are set. */
enum harness_verdict start(struct harness *harness, const struct seq *seq);
/* Whether root has its capability to itself, as at boot. */
bool root_holds_itself(const struct harness *harness);
/* Performs one operation, by a PD that may be none. */
enum harness_verdict perform(struct harness *harness, const struct seq_op *op, uint32_t caller);
/* What was noted since the last operation began; fills the outcome. */
enum harness_verdict judge(struct harness *harness);
/* For the report: that an operation goes on, and what it came to. */
void remember(struct harness *harness);
void remember_result(struct harness *harness);
/* After a call: registers that it must not change; how far it went without a preemption point. */
void judge_registers(struct harness *harness);
void judge_stretch(struct harness *harness);
/* Ends what nobody names any more, for targets that do not by themselves. */
void end_destroyed(struct harness *harness);
/* After a commit: who came and went, what accounts hold; the whole comparison. */
enum harness_verdict conclude(struct harness *harness);

/* ---- progress.c: operations that stop at preemption points ---- */

/* The preemption point, counted from 1, at which the operation in progress is to stop; 0: it runs to its end. */
uint32_t stop_point(const struct harness *harness);
/* The call stopped there, as the target's operation of that number. */
enum harness_verdict suspend(struct harness *harness, uint32_t operation);
/* As `resume` in a sequence. */
enum harness_verdict perform_resume(struct harness *harness);
/* Before operation `index` of a sequence: what runs no further operations meanwhile goes on to its end. */
enum harness_verdict close_blocks(struct harness *harness, uint32_t index);
/* Opens the block of the operation that is to be performed, if it has one. */
void open_block(struct harness *harness, const struct seq_op *op);
/* Before another call: what is being dropped may be gone by now. */
void catch_up(struct harness *harness);
/* While something is in progress: judges the answer to a call, and makes harness->result that answer. */
void judge_between(struct harness *harness);
/* Whether the finding is about a unit that operations in progress at the same time took from. */
bool was_shared(const struct harness *harness);
/* Of a target that does not order calls: why an operation cannot be judged beside those in progress, or NULL. */
const char *lacks_order(const struct harness *harness);
/* Whether a PD can call; one whose destruction has begun cannot. */
bool can_call(struct harness *harness, uint32_t caller);

/* ---- compare_full.c: the reference ---- */

/* Compares everything; differences go to harness->finding. */
void compare_full(struct harness *harness);

/* ---- compare_log.c: the detector ---- */

/* Takes the whole state as it is, after a boot. */
void compare_log_start(struct harness *harness);

/* Compares what the last call stored or should have stored. NULL: no difference; else what was seen (a word for the
 * signature). Without a difference found by compare_full that is a mistake of the log or of the comparison. */
const char *compare_log(struct harness *harness);

/* ---- probe.c ---- */

/* After boot. */
void probe_start(struct harness *harness);
/* After a call; what differs goes to harness->finding. */
void probe_operation(struct harness *harness);
/* Everything that is mapped, and all accounts. */
void probe_all(struct harness *harness);

/* The same after the last operation, and after tear-down: looks at everything, not only at what the log tells. What
 * compare_full can name it can see, but for chance. */
const char *compare_log_end(struct harness *harness);
const char *compare_torn_down(struct harness *harness);

/* ---- signature.c ---- */

const struct flaw_info *flaw_info(enum flaw flaw);
const char *code_name(uint64_t code);
const char *kind_name(uint8_t kind);
struct text;
/* The shape of a call, as in signatures: "revoke.self.own". */
void text_call(struct text *text, const struct oracle_call *call);
void write_signature(const struct harness *harness, char buffer[HARNESS_SIGNATURE_MAX]);

/* ---- report.c ---- */

void write_report(const struct harness *harness, char buffer[HARNESS_REPORT_MAX]);

/* ---- text.c: bounded text ---- */

struct text {
    char *at;
    size_t size, length; /* length < size: what does not fit is cut */
};

void text_init(struct text *text, char *buffer, size_t size);
void text_add(struct text *text, const char *string);
void text_hex(struct text *text, uint64_t number);
void text_number(struct text *text, uint64_t number);

#endif
