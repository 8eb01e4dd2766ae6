/*
 * The operation table as data, and access to an operation's fields through it.
 */
#include "seq_table.h"

const struct seq_geometry seq_geometry_small = {
    .name = "small",
    .mem_log2 = 8,
    .pio_log2 = 8,
    .obj_log2 = 6,
    .phys_log2 = 8,
    .level_bits = 2,
    .kernel_frame = 240,
    .quota_pages = 128,
    .pd_pages = 1,
};

const struct seq_geometry seq_geometry_real = {
    .name = "real",
    .mem_log2 = 35,
    .pio_log2 = 16,
    .obj_log2 = 16,
    .phys_log2 = 20,
    .level_bits = 9,
    .kernel_frame = (1 << 20) - (1 << 15),
    .quota_pages = 1 << 15,
    .pd_pages = SEQ_QUOTA,
};

const struct seq_geometry *const seq_geometries[SEQ_GEOMETRIES] = {&seq_geometry_small, &seq_geometry_real};

static const char *const seq_kind_words[4] = {"mem", "pio", "obj", "kind3"};
static const char *const seq_source_words[4] = {"own", "phys", "place2", "place3"};
static const char *const seq_place_words[4] = {"own", "phys", NULL, "place3"};
static const char *const seq_scope_words[4] = {"children", "self", "drop", "scope3"};

const char *const seq_right_letters[4] = {"rwx", "a", "cmrdq", ""};

#define TYPE_DATA(id, words, text) {words, text},
#define KEY_DATA(text, member) {text, offsetof(struct seq_meta, member), sizeof(((struct seq_meta *)0)->member)},
#define FIELD_DATA(type, member, key, slot, mode_slot, what)                                                           \
    {SEQ_TYPE_##type, SEQ_SLOT_##slot, SEQ_SLOT_##mode_slot, offsetof(struct seq_op, member), key, what},
#define FIELDS_DATA(id, text, weight, what) static const struct seq_field fields_##id[] = {SEQ_FIELDS_##id(FIELD_DATA)};
#define OPERATION_DATA(id, text, weight, what)                                                                         \
    [SEQ_##id] = {text, what, fields_##id, sizeof(fields_##id) / sizeof(fields_##id[0]), weight},

SEQ_OPERATIONS(FIELDS_DATA)

const struct seq_operation seq_operations[SEQ_CODES] = {SEQ_OPERATIONS(OPERATION_DATA)};
const struct seq_type seq_types[SEQ_TYPE_COUNT] = {SEQ_TYPES(TYPE_DATA)};
const struct seq_key seq_keys[SEQ_KEY_COUNT] = {SEQ_KEYS(KEY_DATA)};

const struct seq_geometry *seq_geometry_by_name(const char *name, size_t length) {
    for (uint32_t i = 0; i < SEQ_GEOMETRIES; i++) {
        const char *known = seq_geometries[i]->name;
        size_t at = 0;
        while (at < length && known[at] != '\0' && known[at] == name[at])
            at++;
        if (at == length && known[at] == '\0')
            return seq_geometries[i];
    }
    return NULL;
}

uint8_t seq_rights(uint8_t kind) {
    static const uint8_t rights[4] = {ABI_MEM_RIGHTS, 1, ABI_OBJ_RIGHTS, 0};
    return rights[kind & 3];
}

const char *seq_no_cap(uint8_t type) {
    if (type == SEQ_TYPE_CAP_OR_SELF)
        return "self";
    return type == SEQ_TYPE_CAP_OR_NONE ? "none" : NULL;
}

void seq_blank(struct seq_op *op, uint8_t code) {
    static const uint8_t simplest[SEQ_TYPE_COUNT] = {[SEQ_TYPE_RESULT] = 1,
                                                     [SEQ_TYPE_CAP] = SEQ_CAP_NAME,
                                                     [SEQ_TYPE_NTH] = 1,
                                                     [SEQ_TYPE_QUOTA] = SEQ_QUOTA,
                                                     [SEQ_TYPE_DEPTH] = SEQ_INNERMOST};
    const struct seq_operation *operation = &seq_operations[code];
    __builtin_memset(op, 0, sizeof(*op));
    op->code = code;
    for (uint32_t i = 0; i < operation->field_count; i++) {
        const struct seq_field *field = &operation->fields[i];
        uint8_t value = simplest[field->type];
        if (value && field->type == SEQ_TYPE_CAP)
            seq_field_cap(op, field)->mode = value;
        else if (value)
            seq_set(op, field, value);
    }
}

void seq_clip(const struct seq_geometry *geometry, struct seq_op *op) {
    const struct seq_operation *operation = &seq_operations[op->code];
    for (uint32_t i = 0; i < operation->field_count; i++) {
        const struct seq_field *field = &operation->fields[i];
        if (seq_is_wide(field->type))
            seq_set(op, field, seq_get(op, field) & (seq_field_limit(geometry, op, field) - 1));
    }
}

uint64_t seq_units(const struct seq_geometry *geometry, const struct seq_op *op, uint64_t delegated) {
    if (op->code != SEQ_DELEGATE && op->code != SEQ_REVOKE && op->code != SEQ_GRANT)
        return 0;
    if (op->order > seq_space_log2(geometry, op->kind))
        return 0;
    uint8_t order = op->order < geometry->phys_log2 ? op->order : geometry->phys_log2;
    uint64_t units = (uint64_t)1 << order;
    return op->code != SEQ_DELEGATE && delegated < units ? delegated : units;
}

bool seq_fit(const struct seq_geometry *geometry, struct seq_op *op, uint64_t delegated, uint64_t allowance) {
    while (seq_units(geometry, op, delegated) > allowance) {
        if (op->order == 0)
            return false;
        op->order--;
    }
    return true;
}
