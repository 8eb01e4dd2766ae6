/*
 * The table of operations: every operation, its fields, their types, and where they are packed.
 *
 * The one place where an operation is declared: text and binary codec, generator, mutator, shrinker and the table in
 * docs/sequences.md follow from it. Private to src/seq and its tests.
 */
#ifndef RESCIND_SEQ_TABLE_H
#define RESCIND_SEQ_TABLE_H

#include "abi/abi.h"
#include "seq/seq.h"

/*
 * OPERATION(id, text, weight, meaning): `weight` says how often likely decoding and the generator choose it.
 * An operation's fields are SEQ_FIELDS_<id>.
 */
#define SEQ_OPERATIONS(OPERATION)                                                                                      \
    OPERATION(CREATE_PD, "create_pd", 10,                                                                              \
              "makes a PD; its capability, with all rights, goes to the caller's selector")                            \
    OPERATION(DELEGATE, "delegate", 48, "maps what is mapped in the source range into the destination, as its child")  \
    OPERATION(REVOKE, "revoke", 30, "takes rights from a range, from what descends from it, or from both")             \
    OPERATION(DESTROY_PD, "destroy_pd", 4, "destroys a PD with everything in it")                                      \
    OPERATION(LOOKUP, "lookup", 6, "asks for the rights and the uniform range around a unit of the caller")            \
    OPERATION(CREATE_OBJECT, "create_object", 4, "makes a plain object; the capability goes to the caller's selector") \
    OPERATION(GRANT, "grant", 10, "moves what is mapped in the source range into the destination")                     \
    OPERATION(MOVE_QUOTA, "move_quota", 4, "moves free pages of kernel memory from one account to another")            \
    OPERATION(ACCESS, "access", 10, "a CPU uses a unit of the PD that it runs; no system call")                        \
    OPERATION(SWITCH, "switch", 6, "makes a CPU run a PD; no system call")                                             \
    OPERATION(OOM, "oom", 3, "an allocation of kernel memory in the next system call fails; no system call")           \
    OPERATION(RESUME, "resume", 3, "a suspended operation goes on; no system call")

/*
 * FIELD(type, member of struct seq_op, key in text, slot, slot of the mode, meaning), in the order of the text. Fields
 * that others depend on come first: the kind before units and masks, the scope before the place, the place before the
 * filter. Fields that may be left out (seq_default) come last.
 */
#define SEQ_FIELD_ON_CPU(FIELD) FIELD(ON_CPU, cpu, "cpu", CPU, NONE, "the CPU that executes it")

#define SEQ_FIELDS_SCHEDULE(FIELD)                                                                                     \
    FIELD(POINT, point, "preempt", POINT, NONE, "the preemption point at which it is suspended; 0: none")              \
    FIELD(RUN, nested, "run", NESTED, NONE, "how many of the next operations are performed meanwhile")

#define SEQ_FIELDS_CREATE_PD(FIELD)                                                                                    \
    FIELD(RESULT, name, "", DESTINATION, NONE, "what the new PD is called from here on")                               \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(CAP, pd, "payer", PD, PD_MODE, "the PD whose account pays; CREATE is needed")                                \
    FIELD(SELECTOR, base, "sel", BASE, NONE, "the selector to be filled")                                              \
    FIELD(QUOTA, quota, "quota", QUOTA, NONE, "pages of kernel memory that it gets from the payer")                    \
    SEQ_FIELD_ON_CPU(FIELD)

#define SEQ_FIELDS_DELEGATE(FIELD)                                                                                     \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(KIND, kind, "", KIND, NONE, "kind of both spaces")                                                           \
    FIELD(SOURCE, place, "from", PLACE, NONE, "where the source range lies")                                           \
    FIELD(UNIT, base, "base", BASE, NONE, "first unit of the source range")                                            \
    FIELD(ORDER, order, "order", ORDER, NONE, "both ranges have 2^order units")                                        \
    FIELD(CAP_OR_SELF, pd, "to", PD, PD_MODE, "the PD that receives; MAP is needed, except for self")                  \
    FIELD(UNIT, destination, "at", DESTINATION, NONE, "first unit of the destination range")                           \
    FIELD(MASK, mask, "mask", MASK, NONE, "rights to pass on")                                                         \
    SEQ_FIELD_ON_CPU(FIELD)

#define SEQ_FIELDS_REVOKE(FIELD)                                                                                       \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(KIND, kind, "", KIND, NONE, "kind of space")                                                                 \
    FIELD(UNIT, base, "base", BASE, NONE, "first unit of the range")                                                   \
    FIELD(ORDER, order, "order", ORDER, NONE, "the range has 2^order units")                                           \
    FIELD(MASK, mask, "mask", MASK, NONE, "rights to take")                                                            \
    FIELD(SCOPE, scope, "scope", SCOPE, NONE, "what loses them")                                                       \
    FIELD(PLACE, place, "place", PLACE, NONE, "where the range lies; REVOKE is needed on a capability")                \
    FIELD(CAP_OR_NONE, filter, "filter", FILTER, FILTER_MODE, "only descendants in that PD lose anything")             \
    SEQ_FIELD_ON_CPU(FIELD)                                                                                            \
    SEQ_FIELDS_SCHEDULE(FIELD)

#define SEQ_FIELDS_DESTROY_PD(FIELD)                                                                                   \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(CAP, pd, "pd", PD, PD_MODE, "the PD to destroy; DESTROY is needed")                                          \
    SEQ_FIELD_ON_CPU(FIELD)                                                                                            \
    SEQ_FIELDS_SCHEDULE(FIELD)

#define SEQ_FIELDS_LOOKUP(FIELD)                                                                                       \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(KIND, kind, "", KIND, NONE, "kind of space")                                                                 \
    FIELD(UNIT, base, "unit", BASE, NONE, "the unit")                                                                  \
    SEQ_FIELD_ON_CPU(FIELD)

#define SEQ_FIELDS_CREATE_OBJECT(FIELD)                                                                                \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(CAP, pd, "payer", PD, PD_MODE, "the PD whose account pays; CREATE is needed")                                \
    FIELD(SELECTOR, base, "sel", BASE, NONE, "the selector to be filled")                                              \
    SEQ_FIELD_ON_CPU(FIELD)

#define SEQ_FIELDS_GRANT(FIELD) SEQ_FIELDS_DELEGATE(FIELD)

#define SEQ_FIELDS_MOVE_QUOTA(FIELD)                                                                                   \
    FIELD(NAME, caller, "", CALLER, NONE, "who calls")                                                                 \
    FIELD(CAP, pd, "from", PD, PD_MODE, "the PD that gives; QUOTA is needed")                                          \
    FIELD(CAP, filter, "to", FILTER, FILTER_MODE, "the PD that takes; QUOTA is needed")                                \
    FIELD(PAGES, base, "pages", BASE, NONE, "how many")                                                                \
    SEQ_FIELD_ON_CPU(FIELD)

#define SEQ_FIELDS_ACCESS(FIELD)                                                                                       \
    FIELD(CPU, cpu, "cpu", CPU, NONE, "the CPU")                                                                       \
    FIELD(KIND, kind, "", KIND, NONE, "kind of space; `mem` and `pio` can be accessed")                                \
    FIELD(UNIT, base, "unit", BASE, NONE, "the unit")                                                                  \
    FIELD(MASK, mask, "rights", MASK, NONE, "what it does there")

#define SEQ_FIELDS_SWITCH(FIELD)                                                                                       \
    FIELD(CPU, cpu, "cpu", CPU, NONE, "the CPU")                                                                       \
    FIELD(NAME, caller, "to", CALLER, NONE, "the PD")

#define SEQ_FIELDS_OOM(FIELD) FIELD(NTH, mask, "n", MASK, NONE, "which one, counted from 1")

#define SEQ_FIELDS_RESUME(FIELD)                                                                                       \
    FIELD(DEPTH, nested, "of", NESTED, NONE, "which of those that are suspended; 1 is the innermost")                  \
    FIELD(POINT, point, "points", POINT, NONE, "to which of its further preemption points; 0: to its end")

/* TYPE(id, words for the values 0..3 of an enumeration or NULL, how it is written). */
#define SEQ_TYPES(TYPE)                                                                                                \
    TYPE(RESULT, NULL, "`p1`..`p255`, before ` = `")                                                                   \
    TYPE(NAME, NULL, "`root`, `p1`..`p255`")                                                                           \
    TYPE(KIND, seq_kind_words, "`mem`, `pio`, `obj`, `kind3`")                                                         \
    TYPE(SOURCE, seq_source_words, "`own`, `phys`, `place2`, `place3`")                                                \
    TYPE(PLACE, seq_place_words, "`own`, `phys`, a capability, `place3`")                                              \
    TYPE(SCOPE, seq_scope_words, "`children`, `self`, `drop`, `scope3`")                                               \
    TYPE(ORDER, NULL, "0..63")                                                                                         \
    TYPE(MASK, NULL, "letters, `-`, 0..0xff")                                                                          \
    TYPE(CAP, NULL, "`root`, `p1`..`p255`, `@0`..`@65535`")                                                            \
    TYPE(CAP_OR_SELF, NULL, "a capability, `self`")                                                                    \
    TYPE(CAP_OR_NONE, NULL, "a capability, `none`")                                                                    \
    TYPE(UNIT, NULL, "0 to twice the space's size - 1")                                                                \
    TYPE(SELECTOR, NULL, "0 to twice the OBJ space's size - 1")                                                        \
    TYPE(PAGES, NULL, "0..4294967295")                                                                                 \
    TYPE(QUOTA, NULL, "0..65535; left out: 7")                                                                         \
    TYPE(NTH, NULL, "1..255")                                                                                          \
    TYPE(POINT, NULL, "0..255; left out: 0")                                                                           \
    TYPE(RUN, NULL, "0..255; left out: 0; needs a point")                                                              \
    TYPE(DEPTH, NULL, "1..8")                                                                                          \
    TYPE(CPU, NULL, "0..3, one of the header's `cpus`")                                                                \
    TYPE(ON_CPU, NULL, "0..3, one of the header's `cpus`; left out: 0")

/* SLOT(id, first bit, bits) of the 128 bits of a packed operation, bit 0 being bit 0 of byte 0. Those that no operation
 * has at once may overlap. */
#define SEQ_SLOTS(SLOT)                                                                                                \
    SLOT(NONE, 0, 0)                                                                                                   \
    SLOT(CODE, 0, 6)                                                                                                   \
    SLOT(CPU, 6, 2)                                                                                                    \
    SLOT(CALLER, 8, 8)                                                                                                 \
    SLOT(KIND, 16, 2)                                                                                                  \
    SLOT(PLACE, 18, 2)                                                                                                 \
    SLOT(SCOPE, 20, 2)                                                                                                 \
    SLOT(PD_MODE, 22, 2)                                                                                               \
    SLOT(ORDER, 24, 6)                                                                                                 \
    SLOT(FILTER_MODE, 30, 2)                                                                                           \
    SLOT(MASK, 32, 8)                                                                                                  \
    SLOT(QUOTA, 24, 16)                                                                                                \
    SLOT(PD, 40, 16)                                                                                                   \
    SLOT(BASE, 56, 36)                                                                                                 \
    SLOT(DESTINATION, 92, 36)                                                                                          \
    SLOT(FILTER, 92, 16)                                                                                               \
    SLOT(POINT, 108, 8)                                                                                                \
    SLOT(NESTED, 116, 8)

/* Stands in the text before an operation of a block, once for each block. */
#define SEQ_INDENTATION "  "

/* KEY(text, member of struct seq_meta): the optional lines of a text's header, in the order in which they are printed.
 */
#define SEQ_KEYS(KEY)                                                                                                  \
    KEY("title", title)                                                                                                \
    KEY("dialect", dialect)                                                                                            \
    KEY("origin", origin)                                                                                              \
    KEY("date", date)                                                                                                  \
    KEY("check", check)                                                                                                \
    KEY("fixed-in", fixed_in)                                                                                          \
    KEY("expected", expected)                                                                                          \
    KEY("registers", registers)

#define SEQ_TYPE_ID(id, words, text) SEQ_TYPE_##id,
#define SEQ_SLOT_ID(id, first, bits) SEQ_SLOT_##id,
enum seq_type_id { SEQ_TYPES(SEQ_TYPE_ID) SEQ_TYPE_COUNT };
enum seq_slot_id { SEQ_SLOTS(SEQ_SLOT_ID) SEQ_SLOT_COUNT };

#define SEQ_KEY_ID(text, member) SEQ_KEY_##member,
enum { SEQ_KEYS(SEQ_KEY_ID) SEQ_KEY_COUNT };
enum { SEQ_FIELDS_MAX = 11, SEQ_GEOMETRIES = 2 };

struct seq_field {
    uint8_t type, slot, mode_slot;
    uint8_t offset; /* of the member in struct seq_op */
    const char *key;
    const char *what;
};

struct seq_operation {
    const char *name, *what;
    const struct seq_field *fields;
    uint32_t field_count, weight;
};

struct seq_type {
    const char *const *words;
    const char *what;
};

struct seq_slot {
    uint8_t first, bits;
};

#define SEQ_SLOT_DATA(id, first, bits) {first, bits},
static const struct seq_slot seq_slots[SEQ_SLOT_COUNT] = {SEQ_SLOTS(SEQ_SLOT_DATA)};

struct seq_key {
    const char *key;
    uint16_t offset, size;
};

extern const struct seq_operation seq_operations[SEQ_CODES];
extern const struct seq_type seq_types[SEQ_TYPE_COUNT];
extern const struct seq_key seq_keys[SEQ_KEY_COUNT];
extern const struct seq_geometry *const seq_geometries[SEQ_GEOMETRIES]; /* the index is the binary form's number */
extern const char *const seq_right_letters[4];                          /* by kind, from bit 0 */

/* The defined rights of a kind; 0 for an unknown one. */
uint8_t seq_rights(uint8_t kind);

/* log2 of the units of a kind's space; an unknown kind is taken for MEM. */
static inline uint8_t seq_space_log2(const struct seq_geometry *geometry, uint8_t kind) {
    if (kind == ABI_OBJ)
        return geometry->obj_log2;
    return kind == ABI_PIO ? geometry->pio_log2 : geometry->mem_log2;
}

static inline bool seq_is_wide(uint8_t type) {
    return type == SEQ_TYPE_UNIT || type == SEQ_TYPE_SELECTOR || type == SEQ_TYPE_PAGES;
}

static inline bool seq_is_cpu(uint8_t type) {
    return type == SEQ_TYPE_CPU || type == SEQ_TYPE_ON_CPU;
}

/* Whether a field may be left out of the text; *value is what it is then. */
static inline bool seq_default(uint8_t type, uint64_t *value) {
    *value = type == SEQ_TYPE_QUOTA ? SEQ_QUOTA : 0;
    return type == SEQ_TYPE_QUOTA || type == SEQ_TYPE_ON_CPU || type == SEQ_TYPE_POINT || type == SEQ_TYPE_RUN;
}

/* The number below which a field makes no sense. */
static inline uint64_t seq_field_first(uint8_t type) {
    return type == SEQ_TYPE_RESULT || type == SEQ_TYPE_NTH || type == SEQ_TYPE_DEPTH;
}

/* What a number below the field's limit stands for: itself, where the field can hold it. */
static inline uint64_t seq_reduce(const struct seq_op *op, uint8_t type, uint64_t value) {
    if (type == SEQ_TYPE_RUN && op->point == 0)
        return 0;
    if (type == SEQ_TYPE_DEPTH && value > SEQ_OUTERMOST)
        value = (value - 1) % SEQ_OUTERMOST + 1;
    return value < seq_field_first(type) ? seq_field_first(type) : value;
}

/* Fields that are a capability and nothing else. */
static inline bool seq_is_cap(uint8_t type) {
    return type == SEQ_TYPE_CAP || type == SEQ_TYPE_CAP_OR_SELF || type == SEQ_TYPE_CAP_OR_NONE;
}

/* First number that a field cannot hold (a power of two). The kind must be set already. */
static inline uint64_t seq_field_limit(const struct seq_geometry *geometry, const struct seq_op *op,
                                       const struct seq_field *field) {
    if (field->type == SEQ_TYPE_UNIT)
        return (uint64_t)2 << seq_space_log2(geometry, op->kind);
    if (field->type == SEQ_TYPE_SELECTOR)
        return (uint64_t)2 << geometry->obj_log2;
    if (field->type == SEQ_TYPE_PAGES)
        return SEQ_PAGES;
    return field->type == SEQ_TYPE_RESULT ? SEQ_NAMES : (uint64_t)1 << seq_slots[field->slot].bits;
}

/* The number in a field that is no capability. */
static inline uint64_t seq_get(const struct seq_op *op, const struct seq_field *field) {
    const uint8_t *member = (const uint8_t *)op + field->offset;
    uint64_t value = *member;
    if (seq_is_wide(field->type))
        __builtin_memcpy(&value, member, sizeof(value));
    else if (field->type == SEQ_TYPE_QUOTA)
        value = op->quota;
    return value;
}

static inline void seq_set(struct seq_op *op, const struct seq_field *field, uint64_t value) {
    uint8_t *member = (uint8_t *)op + field->offset;
    if (seq_is_wide(field->type))
        __builtin_memcpy(member, &value, sizeof(value));
    else if (field->type == SEQ_TYPE_QUOTA)
        op->quota = (uint16_t)value;
    else
        *member = (uint8_t)value;
}

/* Puts a number below the field's limit into it, or what stands for that number there. */
static inline void seq_set_reduced(struct seq_op *op, const struct seq_field *field, uint64_t value) {
    seq_set(op, field, seq_reduce(op, field->type, value));
    if (op->point == 0 && op->code != SEQ_RESUME)
        op->nested = 0;
}

/* The capability of a field: of CAP types, and of a PLACE that is one; otherwise NULL. */
static inline const struct seq_cap *seq_field_cap_const(const struct seq_op *op, const struct seq_field *field) {
    if (field->type == SEQ_TYPE_PLACE)
        return op->place == ABI_PLACE_CAP ? &op->pd : NULL;
    if (!seq_is_cap(field->type))
        return NULL;
    return field->offset == offsetof(struct seq_op, filter) ? &op->filter : &op->pd;
}

static inline struct seq_cap *seq_field_cap(struct seq_op *op, const struct seq_field *field) {
    const struct seq_cap *cap = seq_field_cap_const(op, field);
    if (!cap)
        return NULL;
    return cap == &op->pd ? &op->pd : &op->filter;
}

/* Whether "no capability" can be said in that type. */
static inline bool seq_may_lack_cap(uint8_t type) {
    return type == SEQ_TYPE_CAP_OR_SELF || type == SEQ_TYPE_CAP_OR_NONE;
}

/* The word for "no capability" in that type, or NULL: it must be one. */
const char *seq_no_cap(uint8_t type);

/* The simplest operation of that code: root calls, names p1, names root where a capability must be named, and has the
 * default where a field may be left out. */
void seq_blank(struct seq_op *op, uint8_t code);

/* The fields of an operation without those of a schedule, which come last. */
static inline uint32_t seq_plain_fields(const struct seq_operation *operation) {
    bool scheduled = operation->fields[operation->field_count - 1].type == SEQ_TYPE_RUN;
    return operation->field_count - (scheduled ? 2 : 0);
}

/* Whether an operation has a schedule where it stands in fewer than SEQ_NESTING blocks. */
static inline bool seq_has_schedule(const struct seq_op *op) {
    return op->point && (op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD);
}

/* Brings units and selectors into what their fields can hold, after the kind or the geometry has changed. */
void seq_clip(const struct seq_geometry *geometry, struct seq_op *op);

/* The operation table of docs/sequences.md; the length as of seq_print. */
size_t seq_describe(char *text, size_t size);

/* fuzz/text.dict: every word of the table, in the form that libFuzzer and AFL++ read; likewise. */
size_t seq_dictionary(char *text, size_t size);

/*
 * Units charged for an operation against seq_profile.unit_budget. `delegated` is what all delegates so far may have
 * mapped: no revoke or grant can touch more. Ranges larger than the space are refused by the kernel and cost nothing.
 */
uint64_t seq_units(const struct seq_geometry *geometry, const struct seq_op *op, uint64_t delegated);

/* Lowers the order until the operation costs at most `allowance`. False: it cannot be made that cheap. */
bool seq_fit(const struct seq_geometry *geometry, struct seq_op *op, uint64_t delegated, uint64_t allowance);

#endif
