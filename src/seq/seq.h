/*
 * Sequences of operations: what fuzzers mutate, people read, and every target replays.
 *
 * Everything about an operation's fields follows from the table in seq_table.h: text and binary codec, generator,
 * mutator, printer and documentation. Freestanding (no libc, no allocation), no global mutable state. Depends on
 * src/kernel/abi/abi.h (numbers) only.
 */
#ifndef RESCIND_SEQ_H
#define RESCIND_SEQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEQ_FORMAT_VERSION = 1, SEQ_OP_BYTES = 16, SEQ_MAX_OPS = 4096, SEQ_NAMES = 256, SEQ_TEXT_MAX = 160 };

/* The quota in pages of a create_pd that names none. Seven carry a PD with a page table on each level in the real
 * geometry, and leave room for four such PDs in the small one. */
enum { SEQ_QUOTA = 7 };

enum { SEQ_CPUS = 4 /* at most */ };

/* How deep suspended operations nest, and the largest number by which SEQ_RESUME names one of them. */
enum { SEQ_NESTING = 4, SEQ_INNERMOST = 1, SEQ_OUTERMOST = 8 };

/* The last four are no system calls: the harness makes the target's CPU, allocator or scheduler do something. Numbers
 * are stored in packed files and never change. */
enum seq_code {
    SEQ_CREATE_PD,
    SEQ_DELEGATE,
    SEQ_REVOKE,
    SEQ_DESTROY_PD,
    SEQ_LOOKUP,
    SEQ_CREATE_OBJECT,
    SEQ_GRANT,
    SEQ_MOVE_QUOTA,
    SEQ_ACCESS, /* a CPU reads, writes, executes, or uses a port */
    SEQ_SWITCH, /* makes a CPU run another PD */
    SEQ_OOM,    /* an allocation of the next system call fails */
    SEQ_RESUME, /* a suspended operation goes on */
    SEQ_CODES
};

/* Operations that enter the kernel: each has a caller, and a CPU that executes it. */
static inline bool seq_is_call(uint8_t code) {
    return code < SEQ_ACCESS;
}

enum seq_cap_mode {
    SEQ_CAP_NONE,     /* no capability: self (delegate), no filter (revoke) */
    SEQ_CAP_NAME,     /* the PD called p<value>; see seq_cap */
    SEQ_CAP_SELECTOR, /* this selector of the caller's OBJ space, whatever it holds */
};

/*
 * A capability argument. SEQ_CAP_NAME is resolved when the operation runs: the lowest selector of the caller's OBJ
 * space that holds a capability to the PD of that name; where there is none, a selector just outside the space (so:
 * E_CAP).
 */
struct seq_cap {
    uint8_t mode; /* enum seq_cap_mode */
    uint16_t value;
};

/*
 * One operation. Fields that the operation does not have (seq_table.h) are zero.
 *
 * Schedules. A revoke or destroy_pd with a `point` is begun; if it comes to its point-th preemption point it is
 * suspended there, the next `nested` operations of the sequence are performed, and then it is resumed to its end. Those
 * operations are its block; see struct seq_nesting for where it ends. If it has fewer points it just returns, and the
 * operations of the block are performed after it; where blocks end does not depend on it. Without a point `nested` is
 * 0. SEQ_RESUME, within blocks, goes on with the nested-th innermost operation that is suspended and still in progress
 * (SEQ_INNERMOST..SEQ_OUTERMOST), to its point-th further point (0: to its end); if there is no such operation it is
 * void. It has no caller.
 *
 * Names: 0 is root ("root"), 1..255 are "p1".."p255". A name stands for the PD that the nearest preceding operation
 * which creates that name made; if that operation failed, or there is none, it stands for nothing: as a caller the
 * operation is void, as a capability it is invalid. kind may be 3, place may be 2 in a delegate, scope 3, order up to
 * 63, mask any byte: the kernel must refuse them.
 */
struct seq_op {
    uint8_t code;          /* enum seq_code */
    uint8_t caller;        /* name; switch: the PD that is to run */
    uint8_t name;          /* create: the name of what is created (1..255) */
    uint8_t kind;          /* 0..3, enum abi_kind; 3 is an unknown kind */
    uint8_t place;         /* 0..3, enum abi_place: of a revoke, or the source of a delegate or grant; 3 is unknown */
    uint8_t scope;         /* 0..3, enum abi_scope; 3 is unknown */
    uint8_t order;         /* 0..63 */
    uint8_t mask;          /* rights; access: of what the CPU does; oom: which allocation, 1..255 */
    uint8_t cpu;           /* that executes, accesses or switches; below seq_cpus() of the sequence */
    uint8_t point;         /* revoke, destroy_pd: at which it is suspended, or 0; resume: to which it goes on, or 0 */
    uint8_t nested;        /* revoke, destroy_pd: operations in its block; resume: which operation */
    uint16_t quota;        /* create_pd: pages */
    struct seq_cap pd;     /* payer, destination, place of a remote revoke, PD to destroy, PD that gives quota */
    struct seq_cap filter; /* of a directed revoke; move_quota: the PD that takes it */
    /* First unit, unit, or selector to be filled: below twice the space's size, of which the last quarter counts back
     * from 2^64. move_quota: pages, below SEQ_PAGES, of which the last quarter does so too. */
    uint64_t base;
    uint64_t destination; /* delegate, grant: destination base */
};

#define SEQ_PAGES (UINT64_C(1) << 32)

/* Sizes that the codec needs; fill from the target's geometry. Units are log2. */
struct seq_geometry {
    const char *name; /* "small", "real" */
    uint8_t mem_log2, pio_log2, obj_log2, phys_log2;
    uint8_t level_bits;
    uint64_t kernel_frame;
    uint32_t quota_pages; /* root's at boot; steers the generator only */
    uint16_t pd_pages;    /* of a PD that can have some memory mapped; likewise */
};

extern const struct seq_geometry seq_geometry_small, seq_geometry_real;
const struct seq_geometry *seq_geometry_by_name(const char *name, size_t length); /* NULL: unknown */

enum { SEQ_META_MAX = 200 };

/* The `#` header of a text file. Strings are NUL-terminated, empty where absent. */
struct seq_meta {
    char title[SEQ_META_MAX], dialect[32], origin[SEQ_META_MAX], date[32], check[192], fixed_in[64], expected[32];
    /* Calls with any registers after the last operation, which only a machine makes: options of its mode raw. */
    char registers[96];
};

/* A sequence; the caller owns the memory of `op`. */
struct seq {
    const struct seq_geometry *geometry;
    struct seq_op *op;
    uint32_t count, capacity;
    uint8_t cpus; /* that the target is booted with, 1..SEQ_CPUS; 0 is taken for 1 */
    struct seq_meta meta;
};

/* The CPUs of a sequence, 1..SEQ_CPUS. At boot CPU 0 runs root and the others nothing. */
static inline uint8_t seq_cpus(const struct seq *seq) {
    uint8_t cpus = seq->cpus < SEQ_CPUS ? seq->cpus : (uint8_t)SEQ_CPUS;
    return cpus ? cpus : 1;
}

/* ---- blocks ---- */

/*
 * Walks through a sequence's blocks: for whoever runs or prints it. Before operation i, and with i = count at the end:
 * while seq_nesting_close() takes a block away, that block's operation is to be resumed to its end, if it is in
 * progress. Then `depth` blocks are open around operation i, the outermost first. After that seq_nesting_open() says
 * whether operation i is to be begun with its schedule.
 */
struct seq_nesting {
    uint32_t count, depth;
    struct seq_block {
        uint32_t operation; /* that is suspended while the block's operations are performed */
        uint32_t end;       /* first operation behind the block */
    } block[SEQ_NESTING];
};

/* Of a sequence of `count` operations. */
void seq_nesting_begin(struct seq_nesting *nesting, uint32_t count);

/* True: the innermost block ends before operation `at`, and *operation is the one whose block it is. */
bool seq_nesting_close(struct seq_nesting *nesting, uint32_t at, uint32_t *operation);

/* True: operation `at` has a schedule, and its block is open now. It ends with the block around it at the latest.
 * False: it has none, or it stands in SEQ_NESTING blocks, which makes whoever runs it ignore its schedule. */
bool seq_nesting_open(struct seq_nesting *nesting, const struct seq_op *op, uint32_t at);

/* ---- text (.rsq) ---- */

enum { SEQ_MESSAGE_MAX = 320 };

struct seq_error {
    uint32_t line, column;         /* from 1 */
    char message[SEQ_MESSAGE_MAX]; /* what was expected and what was found */
};

/* Parses strictly. False: *error says where and why, *seq is unspecified. Never reads past length; any bytes are safe.
 */
bool seq_parse(struct seq *seq, const char *text, size_t length, struct seq_error *error);

/* Prints one operation without newline, NUL-terminated; returns its length (below SEQ_TEXT_MAX). */
size_t seq_print_op(const struct seq_op *op, char text[SEQ_TEXT_MAX]);

/* Prints header and operations, at most `size` bytes with the NUL; returns the length needed without the NUL. */
size_t seq_print(const struct seq *seq, char *text, size_t size);

/* ---- packed binary ---- */

/* Packs one operation canonically: unpacking gives the same operation back, in any context. */
void seq_pack_op(const struct seq_geometry *geometry, const struct seq_op *op, uint8_t bytes[SEQ_OP_BYTES]);

/* Decodes any bytes: whole operations of SEQ_OP_BYTES; what is left at the end is padded with zeros to one more. Total.
 * Geometry and CPUs are those of *seq; a CPU that it does not have is taken for CPU 0. */
void seq_unpack_ops(struct seq *seq, const uint8_t *bytes, size_t length);

/* File form: a 16-byte header (magic, version, geometry, CPUs) before the operations. Without the magic, unpack takes
 * the bytes as operations of seq->geometry and seq->cpus as preset by the caller. seq_pack returns the length needed;
 * writes at most size bytes. */
size_t seq_pack(const struct seq *seq, uint8_t *bytes, size_t size);
void seq_unpack(struct seq *seq, const uint8_t *bytes, size_t length);
bool seq_is_packed(const uint8_t *bytes, size_t length);

/* ---- random numbers: SplitMix64 or xoshiro; the same on every machine ---- */

struct seq_random {
    uint64_t state[4];
};
void seq_random_seed(struct seq_random *random, uint64_t seed);
uint64_t seq_random_next(struct seq_random *random);
uint64_t seq_random_below(struct seq_random *random, uint64_t bound); /* 0..bound-1; bound > 0 */

/* ---- generator and mutator ---- */

struct seq_profile {
    /* Bit 1 << enum seq_code: may be generated. 0: all system calls, and with several CPUs switch and access too; oom
     * only if asked for by name, since it hides what the kernel does with memory enough. */
    uint32_t operations;
    uint32_t kinds;       /* bit 1 << enum abi_kind; 0: all three */
    uint8_t cpus;         /* 1..SEQ_CPUS; 0 and 1: system calls are executed by CPU 0. seq_mutate: seq->cpus counts */
    uint8_t preempt;      /* of 256: revokes and destroys that get a schedule; 0: none, and no resume either */
    uint8_t points;       /* schedules stop at any of so many points, none more likely; 0: mostly at the first */
    uint64_t unit_budget; /* real geometry: upper bound of units that the whole sequence may change; 0: none */
};

/* Fills seq with `count` operations. The generator keeps a cheap guess of what is mapped where (no oracle), so that
 * most operations do something, and makes mistakes on purpose. */
void seq_generate(struct seq *seq, struct seq_random *random, const struct seq_profile *profile, uint32_t count);

/* Changes the sequence in place, at most max_ops operations afterwards; at least one operation remains. */
void seq_mutate(struct seq *seq, struct seq_random *random, const struct seq_profile *profile, uint32_t max_ops);
void seq_crossover(struct seq *out, const struct seq *a, const struct seq *b, struct seq_random *random,
                   uint32_t max_ops);

/* ---- shrinker ---- */

/* Which is simpler: fewer operations, fewer CPUs, then operation by operation, field by field. Below 0: a is; 0: they
 * are equal. A total order, for each geometry. */
int seq_compare(const struct seq *a, const struct seq *b);

/* True: the sequence still fails with the same signature. */
typedef bool seq_still_fails(void *context, const struct seq *seq);

/* Shrinks in place: drop schedules, cut the tail, drop what is unrelated by reference, ddmin over operations, simplify
 * arguments, renumber names, change what belongs together; until nothing more can be removed or `budget` calls of the
 * predicate are used. Results are memoised (by hash of the packed form; `memo` is memory for it, memo_count entries).
 * Returns the number of predicate calls. */
uint32_t seq_shrink(struct seq *seq, seq_still_fails *fails, void *context, uint32_t budget, uint64_t *memo,
                    uint32_t memo_count);

#endif
