/*
 * Sequences from text: a strict parser that says where and why it stops, driven by the table of operations.
 */
#include "out.h"
#include "seq_table.h"

enum { KEY_GEOMETRY = SEQ_KEY_COUNT, KEY_CPUS };

struct parser {
    struct seq *seq;
    struct seq_error *error;
    const char *line;
    size_t length, position; /* of the line; where the next token is looked for */
    uint32_t number;         /* of the line, from 1 */
    uint32_t keys;           /* header keys seen: bit of seq_keys, KEY_GEOMETRY or KEY_CPUS */
    struct seq_nesting nesting;
    uint32_t opened[SEQ_NESTING]; /* the line where an open block's operation stands */
};

struct token {
    const char *text;
    size_t length, at; /* empty at the end of the line */
};

static bool fail(struct parser *parser, size_t at, const char *message) {
    struct out out = {.text = parser->error->message, .size = SEQ_MESSAGE_MAX};
    out_text(&out, message);
    out_end(&out);
    parser->error->line = parser->number;
    parser->error->column = (uint32_t)at + 1;
    return false;
}

static bool expected(struct parser *parser, const char *what, struct token found) {
    char message[SEQ_MESSAGE_MAX];
    struct out out = {.text = message, .size = sizeof(message)};
    out_text(&out, "expected ");
    out_text(&out, what);
    out_text(&out, ", found ");
    if (found.length)
        out_quoted(&out, found.text, found.length);
    else
        out_text(&out, "the end of the line");
    out_end(&out);
    return fail(parser, found.at, message);
}

static bool expected_range(struct parser *parser, const char *what, uint64_t first, uint64_t last, bool hex,
                           struct token found) {
    char text[96];
    struct out out = {.text = text, .size = sizeof(text)};
    out_text(&out, what);
    out_text(&out, " from ");
    (hex ? out_hex : out_decimal)(&out, first);
    out_text(&out, " to ");
    (hex ? out_hex : out_decimal)(&out, last);
    out_end(&out);
    return expected(parser, text, found);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

static bool is_word(struct token token, const char *word) {
    size_t length = text_length(word);
    return token.length == length && __builtin_memcmp(token.text, word, length) == 0;
}

static struct token next_token(struct parser *parser) {
    size_t at = parser->position;
    while (at < parser->length && is_blank(parser->line[at]))
        at++;
    size_t end = at;
    if (at < parser->length && parser->line[at] != '#') {
        while (end < parser->length && !is_blank(parser->line[end]))
            end++;
    }
    parser->position = end;
    return (struct token){.text = parser->line + at, .length = end - at, .at = at};
}

static struct token skip(struct token token, size_t count) {
    return (struct token){.text = token.text + count, .length = token.length - count, .at = token.at + count};
}

static uint32_t digit_value(char c) {
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint32_t)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10 : 16;
}

/* Decimal without leading zeros, or hexadecimal after 0x. What does not fit becomes UINT64_MAX. False: no number. */
static bool read_number(struct token token, uint64_t *value) {
    uint32_t base = 10;
    if (token.length > 2 && token.text[0] == '0' && token.text[1] == 'x') {
        base = 16;
        token = skip(token, 2);
    } else if (token.length > 1 && token.text[0] == '0') {
        return false;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < token.length; i++) {
        uint32_t digit = digit_value(token.text[i]);
        if (digit >= base)
            return false;
        sum = sum > (UINT64_MAX - digit) / base ? UINT64_MAX : sum * base + digit;
    }
    *value = sum;
    return token.length > 0;
}

static bool read_name(struct token token, uint64_t *name) {
    if (is_word(token, "root")) {
        *name = 0;
        return true;
    }
    if (token.length < 2 || token.text[0] != 'p' || token.text[1] == '0')
        return false;
    return read_number(skip(token, 1), name) && *name < SEQ_NAMES;
}

/* Why an operation that `ended` blocks end before is to be indented as it is. */
static void explain_indentation(const struct parser *parser, struct out *out, uint32_t ended) {
    const struct seq_nesting *nesting = &parser->nesting;
    uint32_t depth = nesting->depth;
    if (ended == 0 && depth == 0) {
        out_text(out, "in no block");
        return;
    }
    if (ended == 0) {
        out_decimal(out, parser->seq->count - nesting->block[depth - 1].operation);
        out_text(out, " of ");
        out_decimal(out, parser->seq->op[nesting->block[depth - 1].operation].nested);
        out_text(out, " in");
        depth--;
    } else {
        out_text(out, "behind");
    }
    out_text(out, " the block of line ");
    out_decimal(out, parser->opened[depth]);
}

/* Operations are indented by the blocks that they stand in: text shows what runs when, and cannot lie about it. */
static bool check_indentation(struct parser *parser, struct token first) {
    uint32_t operation, ended = 0;
    while (seq_nesting_close(&parser->nesting, parser->seq->count, &operation))
        ended++;
    size_t wanted = parser->nesting.depth * (sizeof(SEQ_INDENTATION) - 1), spaces = 0;
    while (spaces < first.at && parser->line[spaces] == ' ')
        spaces++;
    if (spaces == wanted && spaces == first.at)
        return true;
    char message[SEQ_MESSAGE_MAX];
    struct out out = {.text = message, .size = sizeof(message)};
    out_text(&out, "expected ");
    out_decimal(&out, wanted);
    out_text(&out, " spaces before the operation (");
    explain_indentation(parser, &out, ended);
    out_text(&out, "), found ");
    if (spaces < first.at)
        out_text(&out, "a tab");
    else
        out_decimal(&out, spaces);
    out_end(&out);
    return fail(parser, spaces, message);
}

static void append(struct parser *parser, const struct seq_op *op) {
    struct seq *seq = parser->seq;
    seq->op[seq->count] = *op;
    if (seq_nesting_open(&parser->nesting, op, seq->count))
        parser->opened[parser->nesting.depth - 1] = parser->number;
    seq->count++;
}

static bool parse_number(struct parser *parser, struct seq_op *op, const struct seq_field *field, struct token token) {
    uint64_t first = seq_field_first(field->type), last = seq_field_limit(parser->seq->geometry, op, field) - 1, value;
    if (seq_is_cpu(field->type))
        last = seq_cpus(parser->seq) - 1u;
    if (field->type == SEQ_TYPE_DEPTH)
        last = SEQ_OUTERMOST;
    if (!read_number(token, &value) || value < first || value > last) {
        bool hex = field->type == SEQ_TYPE_UNIT && op->kind != ABI_OBJ;
        const char *what = hex ? "a unit" : seq_is_cpu(field->type) ? "one of the header's cpus" : "a number";
        return expected_range(parser, what, first, last, hex, token);
    }
    if (seq_reduce(op, field->type, value) != value)
        return expected(parser, "0, since there is no preempt= before it", token);
    seq_set(op, field, value);
    return true;
}

static bool parse_mask(struct parser *parser, struct seq_op *op, struct token token) {
    const char *letters = seq_right_letters[op->kind & 3];
    uint64_t value = 0;
    if (token.length && digit_value(token.text[0]) < 10) {
        if (!read_number(token, &value) || value > UINT8_MAX)
            return expected_range(parser, "a mask", 0, UINT8_MAX, true, token);
    } else if (!is_word(token, "-")) {
        uint32_t bits = 0;
        for (size_t i = 0; i < token.length; i++) {
            uint32_t bit = 0;
            while (letters[bit] && letters[bit] != token.text[i])
                bit++;
            if (!letters[bit] || bits >> bit & 1) {
                bits = 0;
                break;
            }
            bits |= 1u << bit;
        }
        if (bits == 0) {
            char text[64];
            struct out out = {.text = text, .size = sizeof(text)};
            out_text(&out, "a mask (");
            if (letters[0]) {
                out_text(&out, "letters of ");
                out_text(&out, letters);
                out_text(&out, ", ");
            }
            out_text(&out, "- or 0x0 to 0xff)");
            out_end(&out);
            return expected(parser, text, token);
        }
        value = bits;
    }
    op->mask = (uint8_t)value;
    return true;
}

static bool parse_name(struct parser *parser, struct seq_op *op, const struct seq_field *field, struct token token) {
    uint64_t name;
    bool result = field->type == SEQ_TYPE_RESULT;
    if (!read_name(token, &name) || (result && name == 0))
        return expected(parser, result ? "a name p1 to p255" : "root or p1 to p255", token);
    seq_set(op, field, name);
    return true;
}

/* True if the token is a capability argument. */
static bool read_cap(struct token token, struct seq_cap *cap) {
    uint64_t value;
    if (token.length && token.text[0] == '@') {
        if (!read_number(skip(token, 1), &value) || value > UINT16_MAX)
            return false;
        *cap = (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)value};
        return true;
    }
    if (!read_name(token, &value))
        return false;
    *cap = (struct seq_cap){.mode = SEQ_CAP_NAME, .value = (uint16_t)value};
    return true;
}

static bool parse_cap(struct parser *parser, struct seq_op *op, const struct seq_field *field, struct token token) {
    const char *none = seq_no_cap(field->type);
    if (none && is_word(token, none))
        return true;
    if (read_cap(token, seq_field_cap(op, field)))
        return true;
    char text[64];
    struct out out = {.text = text, .size = sizeof(text)};
    out_text(&out, "root, p1 to p255, @0 to @65535");
    if (none) {
        out_text(&out, " or ");
        out_text(&out, none);
    }
    out_end(&out);
    return expected(parser, text, token);
}

static bool parse_word(struct parser *parser, struct seq_op *op, const struct seq_field *field, struct token token) {
    const char *const *words = seq_types[field->type].words;
    char text[96];
    struct out out = {.text = text, .size = sizeof(text)};
    for (uint32_t value = 0; value < 4; value++) {
        if (words[value] && is_word(token, words[value])) {
            seq_set(op, field, value);
            return true;
        }
        out_text(&out, words[value] ? words[value] : "root, p1 to p255, @0 to @65535");
        out_text(&out, value < 2 ? ", " : value < 3 ? " or " : "");
    }
    if (field->type == SEQ_TYPE_PLACE && read_cap(token, &op->pd)) {
        op->place = ABI_PLACE_CAP;
        return true;
    }
    out_end(&out);
    return expected(parser, text, token);
}

static bool parse_value(struct parser *parser, struct seq_op *op, const struct seq_field *field, struct token token) {
    if (seq_types[field->type].words)
        return parse_word(parser, op, field, token);
    switch (field->type) {
    case SEQ_TYPE_RESULT:
    case SEQ_TYPE_NAME:
        return parse_name(parser, op, field, token);
    case SEQ_TYPE_MASK:
        return parse_mask(parser, op, token);
    case SEQ_TYPE_CAP:
    case SEQ_TYPE_CAP_OR_SELF:
    case SEQ_TYPE_CAP_OR_NONE:
        return parse_cap(parser, op, field, token);
    default:
        return parse_number(parser, op, field, token);
    }
}

static bool has_key(struct token token, const char *key) {
    size_t length = text_length(key);
    return token.length > length && __builtin_memcmp(token.text, key, length) == 0 && token.text[length] == '=';
}

static bool parse_field(struct parser *parser, struct seq_op *op, const struct seq_field *field) {
    size_t length = text_length(field->key), start = parser->position;
    struct token token = next_token(parser);
    uint64_t value;
    if (length == 0)
        return parse_value(parser, op, field, token);
    if (!has_key(token, field->key) && seq_default(field->type, &value)) {
        parser->position = start;
        seq_set(op, field, value);
        return true;
    }
    if (!has_key(token, field->key)) {
        char text[32];
        struct out out = {.text = text, .size = sizeof(text)};
        out_text(&out, field->key);
        out_char(&out, '=');
        out_end(&out);
        return expected(parser, text, token);
    }
    return parse_value(parser, op, field, skip(token, length + 1));
}

static bool parse_operation_name(struct parser *parser, struct seq_op *op, bool named, struct token token) {
    char text[SEQ_MESSAGE_MAX];
    struct out out = {.text = text, .size = sizeof(text)};
    out_text(&out, named ? "an operation that makes something" : "an operation");
    const char *separator = " (";
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        bool makes = seq_operations[code].fields[0].type == SEQ_TYPE_RESULT;
        if (is_word(token, seq_operations[code].name)) {
            if (makes && !named)
                return expected(parser, "a name and = before it (p1 = ...)", token);
            op->code = (uint8_t)code;
            if (makes || !named)
                return true;
        }
        if (named && !makes)
            continue;
        out_text(&out, separator);
        out_text(&out, seq_operations[code].name);
        separator = ", ";
    }
    out_char(&out, ')');
    out_end(&out);
    return expected(parser, text, token);
}

static bool parse_operation(struct parser *parser, struct token token) {
    struct seq *seq = parser->seq;
    uint32_t limit = seq->capacity < SEQ_MAX_OPS ? seq->capacity : SEQ_MAX_OPS;
    struct token first = token;
    struct seq_op op = {0};
    if (!seq->geometry)
        return fail(parser, 0, "expected '# geometry: small' or '# geometry: real' before the first operation");
    if (seq->count >= limit)
        return fail(parser, 0, "too many operations");
    if (!check_indentation(parser, token))
        return false;
    bool named = read_name(token, &(uint64_t){0});
    if (named) {
        token = next_token(parser);
        if (!is_word(token, "="))
            return expected(parser, "=", token);
        token = next_token(parser);
    }
    if (!parse_operation_name(parser, &op, named, token))
        return false;
    const struct seq_operation *operation = &seq_operations[op.code];
    if (named && !parse_value(parser, &op, &operation->fields[0], first))
        return false;
    for (uint32_t i = named ? 1 : 0; i < operation->field_count; i++) {
        if (!parse_field(parser, &op, &operation->fields[i]))
            return false;
    }
    token = next_token(parser);
    if (token.length)
        return expected(parser, "the end of the line or a comment", token);
    append(parser, &op);
    return true;
}

static bool parse_text(struct parser *parser, struct token value, char *text, size_t size) {
    if (value.length == 0)
        return expected(parser, "text", value);
    if (value.length >= size)
        return expected_range(parser, "a text with a length", 1, size - 1, false, value);
    for (size_t i = 0; i < value.length; i++) {
        if ((uint8_t)value.text[i] < ' ' || value.text[i] == 0x7f)
            return expected(parser, "text without control characters", skip(value, i));
        text[i] = value.text[i];
    }
    text[value.length] = '\0';
    return true;
}

static bool parse_cpus(struct parser *parser, struct token value) {
    uint64_t cpus;
    if (!read_number(value, &cpus) || cpus == 0 || cpus > SEQ_CPUS)
        return expected_range(parser, "a number", 1, SEQ_CPUS, false, value);
    parser->seq->cpus = (uint8_t)cpus;
    return true;
}

static bool parse_key(struct parser *parser, uint32_t key, struct token value) {
    if (parser->keys >> key & 1)
        return fail(parser, 0, "this header line was there already");
    parser->keys |= 1u << key;
    if (key < SEQ_KEY_COUNT) {
        char *text = (char *)&parser->seq->meta + seq_keys[key].offset;
        return parse_text(parser, value, text, seq_keys[key].size);
    }
    if (key == KEY_CPUS)
        return parse_cpus(parser, value);
    parser->seq->geometry = seq_geometry_by_name(value.text, value.length);
    return parser->seq->geometry || expected(parser, "small or real", value);
}

/* Splits "# key: value". False: the line is no header line, so a comment. */
static bool split_header(const struct parser *parser, struct token *key, struct token *value) {
    size_t at = 1, end = parser->length;
    while (at < end && is_blank(parser->line[at]))
        at++;
    size_t colon = at;
    while (colon < end && parser->line[colon] != ':')
        colon++;
    if (colon == end)
        return false;
    *key = (struct token){.text = parser->line + at, .length = colon - at, .at = at};
    at = colon + 1;
    while (at < end && is_blank(parser->line[at]))
        at++;
    while (end > at && is_blank(parser->line[end - 1]))
        end--;
    *value = (struct token){.text = parser->line + at, .length = end - at, .at = at};
    return true;
}

/* A line that starts with #: part of the header as long as no operation has come. */
static bool parse_comment(struct parser *parser) {
    struct token key, value;
    if (parser->seq->count || !split_header(parser, &key, &value))
        return true;
    if (is_word(key, "geometry"))
        return parse_key(parser, KEY_GEOMETRY, value);
    if (is_word(key, "cpus"))
        return parse_key(parser, KEY_CPUS, value);
    for (uint32_t i = 0; i < SEQ_KEY_COUNT; i++) {
        if (is_word(key, seq_keys[i].key))
            return parse_key(parser, i, value);
    }
    if (is_word(key, "rescind"))
        return fail(parser, 0, "this header line was there already");
    return true;
}

static bool parse_first_line(struct parser *parser) {
    struct token key, value, line = {.text = parser->line, .length = parser->length};
    uint64_t version;
    if (parser->length == 0 || parser->line[0] != '#' || !split_header(parser, &key, &value) ||
        !is_word(key, "rescind"))
        return expected(parser, "'# rescind: 1'", line);
    if (!read_number(value, &version) || version != SEQ_FORMAT_VERSION)
        return expected(parser, "format version 1", value);
    return true;
}

static bool parse_line(struct parser *parser) {
    if (parser->length && parser->line[parser->length - 1] == '\r')
        return fail(parser, parser->length - 1, "expected lines that end with LF alone, found CR LF");
    if (parser->number == 1)
        return parse_first_line(parser);
    if (parser->length && parser->line[0] == '#')
        return parse_comment(parser);
    struct token token = next_token(parser);
    return token.length == 0 || parse_operation(parser, token);
}

bool seq_parse(struct seq *seq, const char *text, size_t length, struct seq_error *error) {
    struct parser parser = {.seq = seq, .error = error};
    seq->geometry = NULL;
    seq->cpus = 1;
    seq->count = 0;
    seq_nesting_begin(&parser.nesting, SEQ_MAX_OPS);
    __builtin_memset(&seq->meta, 0, sizeof(seq->meta));
    __builtin_memset(error, 0, sizeof(*error));
    size_t at = 0;
    do {
        parser.line = text + at;
        parser.position = 0;
        parser.length = 0;
        while (at + parser.length < length && parser.line[parser.length] != '\n')
            parser.length++;
        parser.number++;
        if (!parse_line(&parser))
            return false;
        at += parser.length + 1;
    } while (at < length);
    if (!seq->geometry) {
        parser.number++;
        return fail(&parser, 0, "expected '# geometry: small' or '# geometry: real' before the end");
    }
    return true;
}
