/*
 * Sequences as text: the canonical form, which parse.c reads back; and the documentation's table of operations.
 */
#include "out.h"
#include "seq_table.h"

static void print_name(struct out *out, uint64_t name) {
    if (name == 0) {
        out_text(out, "root");
        return;
    }
    out_char(out, 'p');
    out_decimal(out, name);
}

static void print_cap(struct out *out, const struct seq_cap *cap, const char *none) {
    if (cap->mode == SEQ_CAP_NAME) {
        print_name(out, cap->value);
    } else if (cap->mode == SEQ_CAP_SELECTOR) {
        out_char(out, '@');
        out_decimal(out, cap->value);
    } else {
        out_text(out, none ? none : "none");
    }
}

/* Letters where every bit has one, else a number: any mask parses back to itself. */
static void print_mask(struct out *out, uint8_t kind, uint8_t mask) {
    if (mask & ~seq_rights(kind)) {
        out_hex(out, mask);
        return;
    }
    const char *letters = seq_right_letters[kind & 3];
    for (unsigned bit = 0; letters[bit]; bit++) {
        if (mask >> bit & 1)
            out_char(out, letters[bit]);
    }
    if (mask == 0)
        out_char(out, '-');
}

static void print_field(struct out *out, const struct seq_op *op, const struct seq_field *field) {
    const struct seq_cap *cap = seq_field_cap_const(op, field);
    if (cap) {
        print_cap(out, cap, seq_no_cap(field->type));
        return;
    }
    uint64_t value = seq_get(op, field);
    if (seq_types[field->type].words)
        out_text(out, seq_types[field->type].words[value & 3]);
    else if (field->type == SEQ_TYPE_NAME || field->type == SEQ_TYPE_RESULT)
        print_name(out, value);
    else if (field->type == SEQ_TYPE_MASK)
        print_mask(out, op->kind, op->mask);
    else if (field->type == SEQ_TYPE_UNIT && op->kind != ABI_OBJ)
        out_hex(out, value);
    else
        out_decimal(out, value);
}

static void print_op(struct out *out, const struct seq_op *op) {
    const struct seq_operation *operation = &seq_operations[op->code % SEQ_CODES];
    const struct seq_field *field = operation->fields, *end = field + operation->field_count;
    if (field->type == SEQ_TYPE_RESULT) {
        print_field(out, op, field++);
        out_text(out, " = ");
    }
    out_text(out, operation->name);
    for (uint64_t value; field < end; field++) {
        if (seq_default(field->type, &value) && value == seq_get(op, field))
            continue;
        out_char(out, ' ');
        if (field->key[0]) {
            out_text(out, field->key);
            out_char(out, '=');
        }
        print_field(out, op, field);
    }
}

size_t seq_print_op(const struct seq_op *op, char text[SEQ_TEXT_MAX]) {
    struct out out = {.text = text, .size = SEQ_TEXT_MAX};
    print_op(&out, op);
    return out_end(&out);
}

/* A control character would end the line or be refused by the parser. */
static void print_meta(struct out *out, const char *key, const char *value) {
    out_text(out, "# ");
    out_text(out, key);
    out_text(out, ": ");
    for (; *value; value++) {
        char c = *value;
        if ((uint8_t)c < ' ' || c == 0x7f)
            c = '?';
        out_char(out, c);
    }
    out_char(out, '\n');
}

static void print_ops(struct out *out, const struct seq *seq) {
    struct seq_nesting nesting;
    uint32_t operation;
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i < seq->count; i++) {
        while (seq_nesting_close(&nesting, i, &operation))
            continue;
        for (uint32_t depth = 0; depth < nesting.depth; depth++)
            out_text(out, SEQ_INDENTATION);
        print_op(out, &seq->op[i]);
        out_char(out, '\n');
        seq_nesting_open(&nesting, &seq->op[i], i);
    }
}

size_t seq_print(const struct seq *seq, char *text, size_t size) {
    struct out out = {.text = text, .size = size};
    out_text(&out, "# rescind: ");
    out_decimal(&out, SEQ_FORMAT_VERSION);
    out_char(&out, '\n');
    print_meta(&out, "geometry", seq->geometry->name);
    if (seq_cpus(seq) > 1) {
        out_text(&out, "# cpus: ");
        out_decimal(&out, seq_cpus(seq));
        out_char(&out, '\n');
    }
    for (uint32_t i = 0; i < SEQ_KEY_COUNT; i++) {
        const char *value = (const char *)&seq->meta + seq_keys[i].offset;
        if (*value)
            print_meta(&out, seq_keys[i].key, value);
    }
    out_char(&out, '\n');
    print_ops(&out, seq);
    return out_end(&out);
}

static void describe_bits(struct out *out, const struct seq_slot *slot) {
    out_decimal(out, slot->first);
    out_text(out, "..");
    out_decimal(out, slot->first + slot->bits - 1u);
}

static void describe_field(struct out *out, const struct seq_field *field) {
    static const char *const positional[SEQ_TYPE_COUNT] = {
        [SEQ_TYPE_RESULT] = "name", [SEQ_TYPE_NAME] = "caller", [SEQ_TYPE_KIND] = "kind"};
    out_text(out, "| | ");
    if (field->key[0]) {
        out_char(out, '`');
        out_text(out, field->key);
        out_text(out, "=`");
    } else {
        out_text(out, positional[field->type]);
    }
    out_text(out, " | ");
    out_text(out, seq_types[field->type].what);
    out_text(out, " | ");
    describe_bits(out, &seq_slots[field->slot]);
    if (field->mode_slot != SEQ_SLOT_NONE) {
        out_text(out, ", mode ");
        describe_bits(out, &seq_slots[field->mode_slot]);
    } else if (field->type == SEQ_TYPE_PLACE) {
        out_text(out, ", capability ");
        describe_bits(out, &seq_slots[SEQ_SLOT_PD]);
        out_text(out, ", mode ");
        describe_bits(out, &seq_slots[SEQ_SLOT_PD_MODE]);
    }
    out_text(out, " | ");
    out_text(out, field->what);
    out_text(out, " |\n");
}

size_t seq_describe(char *text, size_t size) {
    struct out out = {.text = text, .size = size};
    out_text(&out, "| operation | field | written | bits | meaning |\n|---|---|---|---|---|\n");
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        const struct seq_operation *operation = &seq_operations[code];
        out_text(&out, "| **");
        out_text(&out, operation->name);
        out_text(&out, "** (");
        out_decimal(&out, code);
        out_text(&out, ") | | | | ");
        out_text(&out, operation->what);
        out_text(&out, " |\n");
        for (uint32_t i = 0; i < operation->field_count; i++)
            describe_field(&out, &operation->fields[i]);
    }
    return out_end(&out);
}
