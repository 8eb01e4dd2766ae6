/*
 * Sequences as bytes: 16 an operation, packed as the table says. Decoding is total.
 *
 * Two ways to read an operation. Exact, where the bits of the code are that of an operation (what seq_pack_op writes):
 * every field as it stands, reduced to its range. Likely, with any other code: every field is a choice among what is
 * likely to have an effect after the operations before, so that even a blind mutator of bytes finds existing PDs and
 * neighbouring ranges.
 */
#include "seq_table.h"

enum { HOT_RANGES = 16, HOT_NAMES = 8, HOT_PHYS = 0x100, HOT_UNKNOWN = 0x101 };
enum { HEADER_BYTES = 16, MAGIC_BYTES = 8 };

static const uint8_t magic[MAGIC_BYTES] = {0x8f, 'r', 's', 'e', 'q', '\r', '\n', 0x1a};

/* An operation's fields one by one as constants, which makes straight code of what is a loop over the table elsewhere.
 */
#define EACH_FIELD(type, member, key, slot, mode_slot, what)                                                           \
    FIELD_STEP((&(const struct seq_field){SEQ_TYPE_##type, SEQ_SLOT_##slot, SEQ_SLOT_##mode_slot,                      \
                                          offsetof(struct seq_op, member), "", ""}))
#define EACH_OPERATION(id, text, weight, what)                                                                         \
    case SEQ_##id:                                                                                                     \
        SEQ_FIELDS_##id(EACH_FIELD) break;

#define INLINE static inline __attribute__((always_inline))

struct bits {
    uint64_t low, high;
};

/* A range that an operation before named. */
struct hot {
    uint64_t base;
    uint16_t owner; /* name of the PD whose space it lies in, or HOT_PHYS, or HOT_UNKNOWN */
    uint8_t order, kind;
};

/* What the operations so far suggest to the next one. */
struct context {
    const struct seq_geometry *geometry;
    uint8_t cpus;
    uint32_t name_count, hot_count; /* ever noted; the rings keep the last ones */
    uint8_t name[HOT_NAMES];
    uint8_t runs[SEQ_CPUS]; /* name of the PD that a CPU was last made to run */
    struct hot hot[HOT_RANGES];
};

static uint64_t low_bits(uint32_t bits) {
    return ((uint64_t)1 << bits) - 1;
}

INLINE uint64_t take(const struct bits *bits, uint8_t slot_id) {
    struct seq_slot slot = seq_slots[slot_id];
    if (slot.first >= 64)
        return bits->high >> (slot.first - 64) & low_bits(slot.bits);
    uint64_t value = bits->low >> slot.first;
    if (slot.first + slot.bits > 64)
        value |= bits->high << (64 - slot.first);
    return value & low_bits(slot.bits);
}

INLINE void put(struct bits *bits, uint8_t slot_id, uint64_t value) {
    struct seq_slot slot = seq_slots[slot_id];
    value &= low_bits(slot.bits);
    if (slot.first >= 64) {
        bits->high |= value << (slot.first - 64);
        return;
    }
    bits->low |= value << slot.first;
    if (slot.first + slot.bits > 64)
        bits->high |= value >> (64 - slot.first);
}

/* Without loops, so that compilers make one instruction of each. */
INLINE uint64_t load(const uint8_t *bytes) {
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24 |
           (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 | (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

INLINE void store(uint8_t *bytes, uint64_t value) {
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
    bytes[4] = (uint8_t)(value >> 32);
    bytes[5] = (uint8_t)(value >> 40);
    bytes[6] = (uint8_t)(value >> 48);
    bytes[7] = (uint8_t)(value >> 56);
}

/* Where a capability's value and mode are packed; a PLACE holds its own slot in the table. */
INLINE uint8_t cap_slot(const struct seq_field *field) {
    return field->type == SEQ_TYPE_PLACE ? SEQ_SLOT_PD : field->slot;
}

INLINE uint8_t cap_mode_slot(const struct seq_field *field) {
    return field->type == SEQ_TYPE_PLACE ? SEQ_SLOT_PD_MODE : field->mode_slot;
}

INLINE struct seq_cap exact_cap(const struct bits *bits, const struct seq_field *field) {
    uint64_t mode = take(bits, cap_mode_slot(field)), value = take(bits, cap_slot(field));
    if (mode == SEQ_CAP_NONE && seq_may_lack_cap(field->type))
        return (struct seq_cap){.mode = SEQ_CAP_NONE};
    if (mode == SEQ_CAP_SELECTOR)
        return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)value};
    return (struct seq_cap){.mode = SEQ_CAP_NAME, .value = (uint16_t)(value % SEQ_NAMES)};
}

INLINE void exact_field(const struct context *context, const struct bits *bits, struct seq_op *op,
                        const struct seq_field *field) {
    uint64_t value = take(bits, field->slot) & (seq_field_limit(context->geometry, op, field) - 1);
    value = seq_reduce(op, field->type, value);
    if (field->type == SEQ_TYPE_QUOTA)
        value ^= SEQ_QUOTA; /* 0 is the default */
    if (seq_is_cpu(field->type) && value >= context->cpus)
        value = 0;
    if (!seq_is_cap(field->type))
        seq_set(op, field, value);
    struct seq_cap *cap = seq_field_cap(op, field);
    if (cap)
        *cap = exact_cap(bits, field);
}

#define FIELD_STEP(field) exact_field(context, bits, op, field);
static void decode_exact(const struct context *context, const struct bits *bits, struct seq_op *op) {
    switch (op->code) {
        SEQ_OPERATIONS(EACH_OPERATION)
    default:
        break;
    }
}
#undef FIELD_STEP

static uint32_t hot_ranges(const struct context *context) {
    return context->hot_count < HOT_RANGES ? context->hot_count : HOT_RANGES;
}

/* Operations that map one range into another. */
static bool moves_range(const struct seq_op *op) {
    return op->code == SEQ_DELEGATE || op->code == SEQ_GRANT;
}

/* One of the PDs made so far; seldom root. */
static uint8_t likely_name(const struct context *context, uint64_t value) {
    uint32_t count = context->name_count < HOT_NAMES ? context->name_count : HOT_NAMES;
    return count == 0 || value % 8 == 0 ? 0 : context->name[value / 8 % count];
}

/* Root, which holds most capabilities, or a PD that has something mapped. */
static uint8_t likely_caller(const struct context *context, const struct seq_op *op, uint64_t value) {
    uint32_t count = hot_ranges(context);
    bool others = moves_range(op) || op->code == SEQ_REVOKE || op->code == SEQ_LOOKUP;
    if (op->code == SEQ_SWITCH)
        return likely_name(context, value);
    if (count == 0 || value % 2 || !others)
        return value % 32 == 0 ? likely_name(context, value / 32) : 0;
    uint16_t owner = context->hot[value / 2 % count].owner;
    return owner < SEQ_NAMES ? (uint8_t)owner : 0;
}

/* Few PDs but root hold capabilities, so the others mostly get along without where that is possible. */
static struct seq_cap likely_cap(const struct context *context, const struct bits *bits, const struct seq_op *op,
                                 const struct seq_field *field) {
    uint64_t mode = take(bits, cap_mode_slot(field)), value = take(bits, cap_slot(field));
    bool allowed = field->type != SEQ_TYPE_CAP_OR_NONE || (op->scope == ABI_CHILDREN && op->place != ABI_PLACE_CAP);
    bool none = mode == 0 || (op->caller && value % 4);
    if (seq_may_lack_cap(field->type) && (none || !allowed))
        return (struct seq_cap){.mode = SEQ_CAP_NONE};
    if (mode == 3 && value % 16 == 0)
        return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)(value / 16 % 16)};
    bool pays = (op->code == SEQ_CREATE_PD || op->code == SEQ_CREATE_OBJECT) && value % 8;
    return (struct seq_cap){.mode = SEQ_CAP_NAME, .value = pays ? 0 : likely_name(context, value)};
}

static uint64_t likely_order(const struct context *context, const struct seq_op *op, uint64_t value) {
    uint8_t space_log2 = seq_space_log2(context->geometry, op->kind), level_bits = context->geometry->level_bits;
    if (op->kind == ABI_OBJ)
        return value % 4 ? 0 : value / 4 % 4;
    if (value < 40)
        return value % (level_bits + 1u);
    return value < 52 ? level_bits : value % (space_log2 + 1u);
}

static uint64_t likely_mask(const struct seq_op *op, uint64_t value) {
    uint8_t rights = seq_rights(op->kind);
    bool all = value & 0x80 || (value & rights) == 0;
    if (op->code == SEQ_ACCESS)
        return op->kind == ABI_MEM ? (uint64_t)ABI_R << value % 3 : ABI_PIO_RIGHTS;
    return all ? rights : value & rights;
}

/* Small fields, whose likely values need no range. */
static uint64_t likely_value(const struct context *context, const struct seq_op *op, const struct seq_field *field,
                             uint64_t value) {
    static const uint8_t kinds[4] = {ABI_MEM, ABI_MEM, ABI_OBJ, ABI_PIO};
    static const uint8_t scopes[4] = {ABI_CHILDREN, ABI_SELF, ABI_DROP, ABI_CHILDREN};
    bool phys = op->caller == 0 && op->kind != ABI_OBJ && op->scope == ABI_CHILDREN && op->code != SEQ_GRANT;
    switch (field->type) {
    case SEQ_TYPE_RESULT:
        return value % 8 ? context->name_count % (SEQ_NAMES - 1) + 1 : value / 8 % 4 + 1;
    case SEQ_TYPE_NAME:
        return likely_caller(context, op, value);
    case SEQ_TYPE_KIND:
        return op->code == SEQ_ACCESS && kinds[value] == ABI_OBJ ? (uint64_t)ABI_MEM : kinds[value];
    case SEQ_TYPE_SOURCE:
        return phys && value & 1 ? ABI_PHYS : ABI_OWN;
    case SEQ_TYPE_PLACE:
        if (value == ABI_PHYS ? !phys : op->caller != 0)
            return ABI_OWN;
        return value == 3 ? ABI_OWN : value;
    case SEQ_TYPE_SCOPE:
        return scopes[value];
    case SEQ_TYPE_ORDER:
        return likely_order(context, op, value);
    case SEQ_TYPE_QUOTA:
        return context->geometry->pd_pages * (1 + value % 4);
    case SEQ_TYPE_CPU:
    case SEQ_TYPE_ON_CPU:
        return value < context->cpus ? value : 0;
    case SEQ_TYPE_POINT: /* a small share; zero bits are none */
        return value % 16 == 15 ? 1 + value / 16 % 8 : 0;
    case SEQ_TYPE_RUN:
        return op->point ? value % 4 + 1 : 0;
    default:
        return likely_mask(op, value);
    }
}

static uint16_t cap_owner(const struct seq_cap *cap) {
    return cap->mode == SEQ_CAP_NAME ? cap->value % SEQ_NAMES : HOT_UNKNOWN;
}

/* In whose space the base of an operation lies. */
static uint16_t base_owner(const struct context *context, const struct seq_op *op) {
    if (op->code == SEQ_ACCESS)
        return context->runs[op->cpu];
    if (op->place == ABI_PHYS)
        return HOT_PHYS;
    return op->place == ABI_PLACE_CAP ? cap_owner(&op->pd) : op->caller;
}

static uint16_t destination_owner(const struct seq_op *op) {
    return op->pd.mode == SEQ_CAP_NONE ? op->caller : cap_owner(&op->pd);
}

/* From a range noted before in that space, or what borders on it, or from anywhere; aligned to the order. */
static uint64_t likely_unit(const struct context *context, const struct seq_op *op, uint16_t owner, bool hot,
                            uint64_t value) {
    uint32_t count = hot_ranges(context);
    uint64_t last = low_bits(seq_space_log2(context->geometry, op->kind));
    uint64_t size = (uint64_t)1 << op->order, unit = value >> 8;
    if (count && hot) {
        uint32_t at = (uint32_t)(value >> 1 & 15) % count;
        for (uint32_t i = 0; i < count; i++) {
            if (context->hot[at].kind == op->kind && context->hot[at].owner == owner)
                break;
            at = (at + 1) % count;
        }
        uint64_t hot_size = (uint64_t)1 << context->hot[at].order;
        const uint64_t steps[8] = {0, 0, 0, 0, hot_size, 0 - size, hot_size - size, hot_size / 2};
        unit = context->hot[at].base + steps[value >> 5 & 7];
    }
    return unit & last & ~(size - 1);
}

/* A selector to be filled: by the number of the PD that it names; or any. */
static uint64_t likely_selector(const struct context *context, const struct seq_op *op, uint64_t value) {
    uint64_t selector = op->code == SEQ_CREATE_PD ? op->name : value / 4 % 64;
    return value % 4 ? selector & low_bits(context->geometry->obj_log2) : value / 4 % 16;
}

/* Units come last: they depend on the order, which follows them in the table. */
static void decode_likely(const struct context *context, const struct bits *bits, struct seq_op *op) {
    const struct seq_operation *operation = &seq_operations[op->code];
    for (uint32_t i = 0; i < operation->field_count; i++) {
        const struct seq_field *field = &operation->fields[i];
        if (!seq_is_cap(field->type) && !seq_is_wide(field->type))
            seq_set(op, field, likely_value(context, op, field, take(bits, field->slot)));
        struct seq_cap *cap = seq_field_cap(op, field);
        if (cap)
            *cap = likely_cap(context, bits, op, field);
    }
    for (uint32_t i = 0; i < operation->field_count; i++) {
        const struct seq_field *field = &operation->fields[i];
        uint64_t value = take(bits, field->slot);
        bool mapped = op->place != ABI_PHYS;
        if (field->slot == SEQ_SLOT_DESTINATION && field->type == SEQ_TYPE_UNIT && op->kind == ABI_PIO)
            seq_set(op, field, op->base);
        else if (field->slot == SEQ_SLOT_DESTINATION && field->type == SEQ_TYPE_UNIT)
            seq_set(op, field, likely_unit(context, op, destination_owner(op), value % 4 == 0, value));
        else if (field->type == SEQ_TYPE_UNIT)
            seq_set(op, field, likely_unit(context, op, base_owner(context, op), mapped || value % 2, value));
        else if (field->type == SEQ_TYPE_SELECTOR)
            seq_set(op, field, likely_selector(context, op, value));
        else if (field->type == SEQ_TYPE_PAGES)
            seq_set(op, field, value % 8);
    }
}

#define ADD_WEIGHT(id, text, weight, what) +(SEQ_##id < limit ? (uint32_t)(weight) : 0)
static inline uint32_t weight_below(uint8_t limit) {
    return 0 SEQ_OPERATIONS(ADD_WEIGHT);
}

/* `value` is none of the codes. Operations that are no system calls are likely only where there are several CPUs; oom
 * never, since it hides what the kernel does with memory enough, nor resume, which is void almost everywhere. What a
 * value stands for is what it was before there was resume. */
static uint8_t likely_code(const struct context *context, uint64_t value) {
    uint32_t total = context->cpus > 1 ? weight_below(SEQ_OOM) : weight_below(SEQ_ACCESS), code = 0;
    uint64_t left = (value - SEQ_RESUME) * total / ((1u << seq_slots[SEQ_SLOT_CODE].bits) - SEQ_RESUME);
    while (left >= seq_operations[code].weight)
        left -= seq_operations[code++].weight;
    return (uint8_t)code;
}

static void note_range(struct context *context, const struct seq_op *op, uint64_t base, uint16_t owner) {
    bool is_order = op->order <= seq_space_log2(context->geometry, op->kind);
    context->hot[context->hot_count++ % HOT_RANGES] =
        (struct hot){.base = base, .owner = owner, .order = is_order ? op->order : 0, .kind = op->kind};
}

static void note(struct context *context, const struct seq_op *op) {
    if (op->code == SEQ_CREATE_PD)
        context->name[context->name_count++ % HOT_NAMES] = op->name;
    if (op->code == SEQ_SWITCH)
        context->runs[op->cpu] = op->caller;
    if (op->code == SEQ_REVOKE || (op->code == SEQ_DELEGATE && op->place == ABI_PHYS))
        note_range(context, op, op->base, base_owner(context, op));
    if (moves_range(op))
        note_range(context, op, op->destination, destination_owner(op));
}

static void decode(struct context *context, const struct bits *bits, struct seq_op *op) {
    uint64_t code = take(bits, SEQ_SLOT_CODE);
    __builtin_memset(op, 0, sizeof(*op));
    if (code < SEQ_CODES) {
        op->code = (uint8_t)code;
        decode_exact(context, bits, op);
    } else {
        op->code = likely_code(context, code);
        decode_likely(context, bits, op);
    }
    note(context, op);
}

static uint32_t geometry_number(const struct seq_geometry *geometry) {
    size_t length = 0;
    while (geometry->name[length])
        length++;
    const struct seq_geometry *known = seq_geometry_by_name(geometry->name, length);
    uint32_t number = 0;
    while (number < SEQ_GEOMETRIES - 1 && seq_geometries[number] != known)
        number++;
    return number;
}

INLINE void pack_field(struct bits *bits, const struct seq_op *op, const struct seq_field *field) {
    const struct seq_cap *cap = seq_field_cap_const(op, field);
    if (cap) {
        put(bits, cap_slot(field), cap->value);
        put(bits, cap_mode_slot(field), cap->mode);
    }
    if (field->type == SEQ_TYPE_QUOTA)
        put(bits, field->slot, seq_get(op, field) ^ SEQ_QUOTA);
    else if (!seq_is_cap(field->type))
        put(bits, field->slot, seq_get(op, field));
}

#define FIELD_STEP(field) pack_field(&bits, op, field);
void seq_pack_op(const struct seq_geometry *geometry, const struct seq_op *op, uint8_t bytes[SEQ_OP_BYTES]) {
    (void)geometry; /* a number that fits its slot is packed as it is, whatever the sizes */
    struct bits bits = {0, 0};
    put(&bits, SEQ_SLOT_CODE, op->code);
    switch (op->code) {
        SEQ_OPERATIONS(EACH_OPERATION)
    default:
        break;
    }
    store(bytes, bits.low);
    store(bytes + 8, bits.high);
}
#undef FIELD_STEP

void seq_unpack_ops(struct seq *seq, const uint8_t *bytes, size_t length) {
    struct context context = {.geometry = seq->geometry, .cpus = seq_cpus(seq)};
    seq->count = 0;
    for (size_t at = 0; at < length && seq->count < seq->capacity; at += SEQ_OP_BYTES) {
        uint8_t padded[SEQ_OP_BYTES] = {0};
        const uint8_t *from = bytes + at;
        if (length - at < SEQ_OP_BYTES) {
            __builtin_memcpy(padded, from, length - at);
            from = padded;
        }
        struct bits bits = {load(from), load(from + 8)};
        decode(&context, &bits, &seq->op[seq->count++]);
    }
}

size_t seq_pack(const struct seq *seq, uint8_t *bytes, size_t size) {
    uint8_t header[HEADER_BYTES] = {0};
    __builtin_memcpy(header, magic, MAGIC_BYTES);
    header[MAGIC_BYTES] = SEQ_FORMAT_VERSION;
    header[MAGIC_BYTES + 1] = (uint8_t)geometry_number(seq->geometry);
    header[MAGIC_BYTES + 2] = (uint8_t)(seq_cpus(seq) - 1);
    if (size)
        __builtin_memcpy(bytes, header, size < HEADER_BYTES ? size : HEADER_BYTES);
    size_t length = HEADER_BYTES;
    for (uint32_t i = 0; i < seq->count; i++, length += SEQ_OP_BYTES) {
        if (length + SEQ_OP_BYTES <= size)
            seq_pack_op(seq->geometry, &seq->op[i], bytes + length);
    }
    return length;
}

bool seq_is_packed(const uint8_t *bytes, size_t length) {
    if (length < HEADER_BYTES || __builtin_memcmp(bytes, magic, MAGIC_BYTES) != 0)
        return false;
    if (bytes[MAGIC_BYTES] != SEQ_FORMAT_VERSION || bytes[MAGIC_BYTES + 1] >= SEQ_GEOMETRIES ||
        bytes[MAGIC_BYTES + 2] >= SEQ_CPUS)
        return false;
    for (unsigned i = MAGIC_BYTES + 3; i < HEADER_BYTES; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

void seq_unpack(struct seq *seq, const uint8_t *bytes, size_t length) {
    __builtin_memset(&seq->meta, 0, sizeof(seq->meta));
    if (seq_is_packed(bytes, length)) {
        seq->geometry = seq_geometries[bytes[MAGIC_BYTES + 1]];
        seq->cpus = (uint8_t)(bytes[MAGIC_BYTES + 2] + 1);
        bytes += HEADER_BYTES;
        length -= HEADER_BYTES;
    }
    seq_unpack_ops(seq, bytes, length);
}
