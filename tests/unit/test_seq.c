/*
 * Tests of src/seq: table, text, binary, random numbers, generator, mutator, shrinker, and the format's documentation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/host.h"
#include "seq/blocks.h"
#include "seq/guess.h"
#include "seq/seq_table.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER "# rescind: 1\n# geometry: small\n\n"

enum { OPS = 64, TEXT = 1 << 16 };

struct rig {
    struct seq_op op[3][SEQ_MAX_OPS];
    struct seq a, b, c;
    struct seq_random random;
    struct seq_error error;
    char text[TEXT];
    uint8_t bytes[TEXT];
};

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof(*rig));
    if (!rig)
        return -1;
    struct seq *seqs[3] = {&rig->a, &rig->b, &rig->c};
    for (int i = 0; i < 3; i++)
        *seqs[i] = (struct seq){.geometry = &seq_geometry_small, .op = rig->op[i], .capacity = SEQ_MAX_OPS, .cpus = 1};
    seq_random_seed(&rig->random, 42);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static bool same_cap(const struct seq_cap *a, const struct seq_cap *b) {
    return a->mode == b->mode && a->value == b->value;
}

static bool same_op(const struct seq_op *a, const struct seq_op *b) {
    return a->code == b->code && a->caller == b->caller && a->name == b->name && a->kind == b->kind &&
           a->place == b->place && a->scope == b->scope && a->order == b->order && a->mask == b->mask &&
           a->cpu == b->cpu && a->point == b->point && a->nested == b->nested && a->quota == b->quota &&
           a->base == b->base && a->destination == b->destination && same_cap(&a->pd, &b->pd) &&
           same_cap(&a->filter, &b->filter);
}

static void assert_same_ops(const struct seq *a, const struct seq *b) {
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        if (!same_op(&a->op[i], &b->op[i])) {
            char left[SEQ_TEXT_MAX], right[SEQ_TEXT_MAX];
            seq_print_op(&a->op[i], left);
            seq_print_op(&b->op[i], right);
            fail_msg("operation %u: %s\n              %s", i, left, right);
        }
    }
}

static void parse(struct rig *rig, struct seq *seq, const char *text) {
    if (!seq_parse(seq, text, strlen(text), &rig->error))
        fail_msg("%u:%u: %s", rig->error.line, rig->error.column, rig->error.message);
}

/* Parses operations for the small geometry. */
static void parse_ops(struct rig *rig, struct seq *seq, const char *ops) {
    snprintf(rig->text, sizeof(rig->text), HEADER "%s", ops);
    parse(rig, seq, rig->text);
}

static void assert_prints(struct rig *rig, const struct seq *seq, const char *ops) {
    static char expected[TEXT];
    snprintf(expected, sizeof(expected), HEADER "%s", ops);
    seq_print(seq, rig->text, sizeof(rig->text));
    assert_string_equal(rig->text, expected);
}

static void assert_print_parses(struct rig *rig, const struct seq *seq, struct seq *again) {
    size_t length = seq_print(seq, rig->text, sizeof(rig->text));
    assert_in_range(length, 1, sizeof(rig->text) - 1);
    parse(rig, again, rig->text);
    assert_ptr_equal(seq->geometry, again->geometry);
    assert_same_ops(seq, again);
}

static uint64_t below(struct rig *rig, uint64_t bound) {
    return seq_random_below(&rig->random, bound);
}

static struct seq_cap any_cap(struct rig *rig, uint8_t type) {
    uint64_t mode = below(rig, seq_no_cap(type) ? 3 : 2);
    if (mode == 2)
        return (struct seq_cap){0};
    if (mode == 1)
        return (struct seq_cap){.mode = SEQ_CAP_SELECTOR, .value = (uint16_t)below(rig, 1 << 16)};
    return (struct seq_cap){.mode = SEQ_CAP_NAME, .value = (uint16_t)below(rig, SEQ_NAMES)};
}

/* Any operation that text and binary can hold. */
static void any_op(struct rig *rig, const struct seq_geometry *geometry, struct seq_op *op) {
    memset(op, 0, sizeof(*op));
    op->code = (uint8_t)below(rig, SEQ_CODES);
    const struct seq_operation *operation = &seq_operations[op->code];
    for (uint32_t i = 0; i < operation->field_count; i++) {
        const struct seq_field *field = &operation->fields[i];
        uint64_t value = below(rig, seq_field_limit(geometry, op, field));
        if (!seq_is_cap(field->type))
            seq_set(op, field, seq_reduce(op, field->type, value));
        struct seq_cap *cap = seq_field_cap(op, field);
        if (cap)
            *cap = any_cap(rig, field->type);
    }
}

static void any_seq(struct rig *rig, struct seq *seq, const struct seq_geometry *geometry, uint32_t count) {
    seq->geometry = geometry;
    seq->cpus = SEQ_CPUS;
    seq->count = count;
    for (uint32_t i = 0; i < count; i++)
        any_op(rig, geometry, &seq->op[i]);
}

/* ---- table ---- */

/* The slots of an operation are its own: code, those of its fields and their modes. */
static void slots_do_not_overlap(void **state) {
    (void)state;
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        const struct seq_operation *operation = &seq_operations[code];
        bool used[128] = {false};
        for (uint32_t i = 0; i < seq_slots[SEQ_SLOT_CODE].bits; i++)
            used[i] = true;
        for (uint32_t i = 0; i < operation->field_count; i++) {
            const struct seq_field *field = &operation->fields[i];
            bool place = field->type == SEQ_TYPE_PLACE;
            const uint8_t slots[4] = {field->slot, field->mode_slot, place ? SEQ_SLOT_PD : SEQ_SLOT_NONE,
                                      place ? SEQ_SLOT_PD_MODE : SEQ_SLOT_NONE};
            for (uint32_t k = 0; k < 4; k++) {
                struct seq_slot slot = seq_slots[slots[k]];
                assert_in_range(slot.first + slot.bits, 0, 128);
                for (uint32_t bit = slot.first; bit < slot.first + slot.bits; bit++) {
                    assert_false(used[bit]);
                    used[bit] = true;
                }
            }
        }
    }
}

static void fields_are_consistent(void **state) {
    (void)state;
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        const struct seq_operation *operation = &seq_operations[code];
        bool slots[SEQ_SLOT_COUNT] = {false}, kind = false, scope = false, place = false;
        assert_non_null(operation->name);
        assert_in_range(operation->field_count, 1, SEQ_FIELDS_MAX);
        for (uint32_t i = 0; i < operation->field_count; i++) {
            const struct seq_field *field = &operation->fields[i];
            assert_false(slots[field->slot]);
            slots[field->slot] = true;
            if (field->type == SEQ_TYPE_UNIT || field->type == SEQ_TYPE_MASK)
                assert_true(kind);
            if (field->type == SEQ_TYPE_PLACE)
                assert_true(scope);
            if (field->type == SEQ_TYPE_CAP_OR_NONE)
                assert_true(place);
            kind |= field->type == SEQ_TYPE_KIND;
            scope |= field->type == SEQ_TYPE_SCOPE;
            place |= field->type == SEQ_TYPE_PLACE;
        }
    }
}

static void letters_cover_the_rights(void **state) {
    (void)state;
    const uint8_t rights[4] = {ABI_MEM_RIGHTS, 1, ABI_OBJ_RIGHTS, 0};
    for (uint8_t kind = 0; kind < 4; kind++) {
        assert_int_equal(seq_rights(kind), rights[kind]);
        assert_int_equal((1u << strlen(seq_right_letters[kind])) - 1, rights[kind]);
    }
}

static void geometries_have_names(void **state) {
    (void)state;
    assert_ptr_equal(seq_geometry_by_name("small", 5), &seq_geometry_small);
    assert_ptr_equal(seq_geometry_by_name("real", 4), &seq_geometry_real);
    assert_ptr_equal(seq_geometry_by_name("realm", 4), &seq_geometry_real);
    assert_null(seq_geometry_by_name("realm", 5));
    assert_null(seq_geometry_by_name("smal", 4));
    assert_null(seq_geometry_by_name("", 0));
}

/* ---- text ---- */

#define CPUS_HEADER "# rescind: 1\n# geometry: small\n# cpus: 3\n\n"

static const char cpu_examples[] =
    CPUS_HEADER "p1 = create_pd root payer=root sel=1 quota=0\n"
                "p2 = create_pd root payer=@3 sel=2 quota=65535 cpu=2\n"
                "p3 = create_pd root payer=root sel=3 cpu=1\n"
                "create_object p2 payer=root sel=127 cpu=1\n"
                "grant root obj from=phys base=3 order=0 to=self at=5 mask=cm\n"
                "grant p1 pio from=own base=0x10 order=4 to=p2 at=0x10 mask=a cpu=2\n"
                "move_quota root from=@9 to=p2 pages=4294967295 cpu=1\n"
                "revoke root pio base=0x10 order=2 mask=a scope=children place=phys filter=none cpu=1\n"
                "destroy_pd root pd=@7 cpu=2\n"
                "lookup p255 mem unit=0x1ff cpu=1\n"
                "access cpu=0 mem unit=0x40 rights=rx\n"
                "access cpu=2 pio unit=0xff rights=a\n"
                "access cpu=1 kind3 unit=0x0 rights=0x80\n"
                "switch cpu=1 to=p255\n"
                "switch cpu=0 to=root\n"
                "oom n=1\n"
                "oom n=255\n";

static const char examples[] = "p1 = create_pd root payer=root sel=1\n"
                               "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x40 mask=rwx\n"
                               "delegate p1 obj from=own base=3 order=0 to=self at=5 mask=cm\n"
                               "revoke root mem base=0x10 order=2 mask=rwx scope=children place=phys filter=none\n"
                               "revoke p2 mem base=0x40 order=0 mask=w scope=self place=p1 filter=none\n"
                               "revoke p2 obj base=63 order=0 mask=- scope=drop place=own filter=@65535\n"
                               "destroy_pd root pd=@7\n"
                               "lookup p255 mem unit=0x1ff\n";

static void examples_are_canonical(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, examples);
    assert_int_equal(rig->a.count, 8);
    assert_prints(rig, &rig->a, examples);
}

static void fields_are_read(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a,
              "p9 = create_pd p3 payer=@4 sel=5\n"
              "delegate p1 obj from=phys base=0x3 order=2 to=p7 at=8 mask=cq\n"
              "revoke p2 mem base=64 order=1 mask=w scope=drop place=@9 filter=p4\n");
    const struct seq_op create = {
        .code = SEQ_CREATE_PD, .caller = 3, .name = 9, .quota = SEQ_QUOTA, .base = 5, .pd = {SEQ_CAP_SELECTOR, 4}};
    const struct seq_op delegate = {.code = SEQ_DELEGATE,
                                    .caller = 1,
                                    .kind = ABI_OBJ,
                                    .place = ABI_PHYS,
                                    .order = 2,
                                    .mask = ABI_CREATE | ABI_QUOTA,
                                    .pd = {SEQ_CAP_NAME, 7},
                                    .base = 3,
                                    .destination = 8};
    const struct seq_op revoke = {.code = SEQ_REVOKE,
                                  .caller = 2,
                                  .place = ABI_PLACE_CAP,
                                  .scope = ABI_DROP,
                                  .order = 1,
                                  .mask = ABI_W,
                                  .pd = {SEQ_CAP_SELECTOR, 9},
                                  .filter = {SEQ_CAP_NAME, 4},
                                  .base = 64};
    assert_true(same_op(&rig->a.op[0], &create));
    assert_true(same_op(&rig->a.op[1], &delegate));
    assert_true(same_op(&rig->a.op[2], &revoke));
}

static void new_fields_are_read(void **state) {
    struct rig *rig = *state;
    parse(rig, &rig->a, cpu_examples);
    assert_int_equal(rig->a.cpus, 3);
    const struct seq_op *op = rig->a.op;
    const struct seq_op create = {
        .code = SEQ_CREATE_PD, .name = 2, .cpu = 2, .quota = 65535, .pd = {SEQ_CAP_SELECTOR, 3}, .base = 2};
    const struct seq_op move = {
        .code = SEQ_MOVE_QUOTA, .cpu = 1, .pd = {SEQ_CAP_SELECTOR, 9}, .filter = {SEQ_CAP_NAME, 2}, .base = UINT32_MAX};
    const struct seq_op access = {.code = SEQ_ACCESS, .mask = ABI_R | ABI_X, .base = 0x40};
    const struct seq_op switches = {.code = SEQ_SWITCH, .caller = 255, .cpu = 1};
    const struct seq_op oom = {.code = SEQ_OOM, .mask = 255};
    assert_int_equal(op[0].quota, 0);
    assert_true(same_op(&op[1], &create));
    assert_int_equal(op[2].quota, SEQ_QUOTA);
    assert_true(same_op(&op[6], &move));
    assert_true(same_op(&op[10], &access));
    assert_true(same_op(&op[13], &switches));
    assert_true(same_op(&op[16], &oom));
    seq_print(&rig->a, rig->text, sizeof(rig->text));
    assert_string_equal(rig->text, cpu_examples);
}

static void defaults_are_not_printed(void **state) {
    struct rig *rig = *state;
    parse(rig, &rig->a,
          "# rescind: 1\n# cpus: 1\n# geometry: small\np1 = create_pd root payer=root sel=1 quota=7 cpu=0 # both\n");
    assert_int_equal(rig->a.cpus, 1);
    assert_prints(rig, &rig->a, "p1 = create_pd root payer=root sel=1\n");
    rig->a.cpus = 0; /* of those who do not care */
    assert_prints(rig, &rig->a, "p1 = create_pd root payer=root sel=1\n");
    assert_int_equal(seq_cpus(&rig->a), 1);
    rig->a.cpus = 200;
    assert_int_equal(seq_cpus(&rig->a), SEQ_CPUS);
}

/* Whether two words are the same, but for the notation of a number. */
static bool same_word(const char *a, const char *b) {
    const char *a_value = strchr(a, '='), *b_value = strchr(b, '=');
    if (strcmp(a, b) == 0)
        return true;
    if (!a_value || !b_value || a_value - a != b_value - b || strncmp(a, b, (size_t)(a_value - a)) != 0)
        return false;
    char *a_end, *b_end;
    bool same = strtoull(a_value + 1, &a_end, 0) == strtoull(b_value + 1, &b_end, 0);
    return same && *a_end == '\0' && *b_end == '\0';
}

/* Whether an operation prints as the line stands in the file, its comment aside. */
static bool prints_as(const struct seq_op *op, char *line) {
    char text[SEQ_TEXT_MAX], *a_rest, *b_rest;
    seq_print_op(op, text);
    char *a = strtok_r(line, " ", &a_rest), *b = strtok_r(text, " ", &b_rest);
    while (a && b && *a != '#') {
        if (!same_word(a, b))
            return false;
        a = strtok_r(NULL, " ", &a_rest);
        b = strtok_r(NULL, " ", &b_rest);
    }
    return (!a || *a == '#') && !b;
}

static char *read_source(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = calloc(1, TEXT);
    if (!file || !text)
        fail_msg("%s: to be run in the root of the source tree", path);
    size_t length = fread(text, 1, TEXT - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* What was written before there were quotas and CPUs means the same, and prints without them. */
static void stored_sequences_print_as_they_stand(void **state) {
    struct rig *rig = *state;
    glob_t files = {0};
    assert_int_equal(glob("corpus/*/*.rsq", 0, NULL, &files), 0);
    assert_int_equal(glob("faults/*.rsq", GLOB_APPEND, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *file = fopen(files.gl_pathv[i], "r");
        uint32_t at = 0;
        assert_non_null(file);
        rig->text[fread(rig->text, 1, TEXT - 1, file)] = '\0';
        fclose(file);
        parse(rig, &rig->a, rig->text);
        char *rest, *line = strtok_r(rig->text, "\n", &rest);
        for (; line; line = strtok_r(NULL, "\n", &rest)) {
            if (line[0] != '#' && !prints_as(&rig->a.op[at++], line))
                fail_msg("%s: operation %u", files.gl_pathv[i], at - 1);
        }
        assert_int_equal(at, rig->a.count);
    }
    assert_true(files.gl_pathc >= 20);
    globfree(&files);
}

static void seeds_are_small_and_canonical(void **state) {
    struct rig *rig = *state;
    glob_t files = {0};
    size_t bytes = 0, sequences = 0;
    assert_int_equal(glob("corpus/seeds/*/*", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *path = files.gl_pathv[i], *end = strrchr(path, '.');
        char *text = read_source(path);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        bytes += (size_t)status.st_size;
        if (end && strcmp(end, ".rsq") == 0) {
            parse(rig, &rig->a, text);
            size_t length = seq_print(&rig->a, rig->text, sizeof(rig->text));
            if (length != (size_t)status.st_size || memcmp(text, rig->text, length) != 0)
                fail_msg("%s is not as it is printed", path);
            sequences++;
        }
        free(text);
    }
    assert_in_range(bytes, 1, (2 << 20) - 1);
    assert_true(sequences >= 8 * 20 && sequences < files.gl_pathc);
    globfree(&files);
}

static void spaces_and_comments_are_ignored(void **state) {
    struct rig *rig = *state;
    parse(rig, &rig->a,
          "# rescind: 1\n#\n# a remark: with a colon\n#geometry:small\n\n \t\n  # indented\nlookup\troot  mem unit=0x1 "
          "# why\n"
          "# geometry: real\n# title: too late to be a header\nlookup root mem unit=2");
    assert_ptr_equal(rig->a.geometry, &seq_geometry_small);
    assert_string_equal(rig->a.meta.title, "");
    assert_prints(rig, &rig->a, "lookup root mem unit=0x1\nlookup root mem unit=0x2\n");
}

static void every_mask_is_itself_again(void **state) {
    struct rig *rig = *state;
    for (uint32_t kind = 0; kind < 4; kind++) {
        rig->a.count = 256;
        for (uint32_t mask = 0; mask < 256; mask++) {
            seq_blank(&rig->a.op[mask], SEQ_DELEGATE);
            rig->a.op[mask].kind = (uint8_t)kind;
            rig->a.op[mask].mask = (uint8_t)mask;
        }
        assert_print_parses(rig, &rig->a, &rig->b);
    }
    char text[SEQ_TEXT_MAX];
    seq_print_op(&rig->a.op[0x88], text);
    assert_non_null(strstr(text, "delegate root kind3 "));
    assert_non_null(strstr(text, "mask=0x88"));
}

static void masks_are_read_in_any_order_or_as_numbers(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a,
              "delegate root mem from=own base=0 order=0 to=self at=0 mask=xr\n"
              "delegate root mem from=own base=0 order=0 to=self at=0 mask=7\n"
              "delegate root mem from=own base=0 order=0 to=self at=0 mask=0x0\n");
    assert_int_equal(rig->a.op[0].mask, ABI_R | ABI_X);
    assert_int_equal(rig->a.op[1].mask, ABI_MEM_RIGHTS);
    assert_int_equal(rig->a.op[2].mask, 0);
}

static void undefined_values_have_words(void **state) {
    struct rig *rig = *state;
    const char ops[] = "delegate root kind3 from=place2 base=0x1ff order=63 to=@0 at=0x0 mask=0xff\n"
                       "delegate root pio from=place3 base=0x0 order=0 to=root at=0x0 mask=a\n"
                       "revoke root mem base=0x0 order=9 mask=0x8 scope=scope3 place=place3 filter=root\n";
    parse_ops(rig, &rig->a, ops);
    assert_int_equal(rig->a.op[0].kind, 3);
    assert_int_equal(rig->a.op[0].place, 2);
    assert_int_equal(rig->a.op[2].scope, 3);
    assert_int_equal(rig->a.op[2].place, 3);
    assert_prints(rig, &rig->a, ops);
}

static void header_is_kept(void **state) {
    struct rig *rig = *state;
    const char text[] = "# rescind: 1\n# geometry: real\n# title: a # b\n# dialect: nova\n# origin: mail\n"
                        "# date: 2012-07-01\n# check: O1.reach\n# fixed-in: 0.2\n# expected: agree\n\n";
    parse(rig, &rig->a, text);
    assert_string_equal(rig->a.meta.title, "a # b");
    assert_string_equal(rig->a.meta.fixed_in, "0.2");
    assert_int_equal(seq_print(&rig->a, rig->text, sizeof(rig->text)), strlen(text));
    assert_string_equal(rig->text, text);
    strcpy(rig->a.meta.title, "one\nlookup root mem unit=0x0");
    seq_print(&rig->a, rig->text, sizeof(rig->text));
    parse(rig, &rig->b, rig->text);
    assert_int_equal(rig->b.count, 0);
}

static void printing_is_bounded(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, examples);
    size_t length = seq_print(&rig->a, rig->text, sizeof(rig->text));
    for (size_t size = 1; size <= length + 1; size++) {
        char *text = malloc(size);
        assert_int_equal(seq_print(&rig->a, text, size), length);
        assert_memory_equal(text, rig->text, size - 1);
        assert_int_equal(text[size - 1], '\0');
        free(text);
    }
    assert_int_equal(seq_print(&rig->a, NULL, 0), length);
}

static void text_of_an_op_fits(void **state) {
    struct rig *rig = *state;
    char text[SEQ_TEXT_MAX];
    struct seq_op op;
    memset(&op, 0xff, sizeof(op));
    op.pd.mode = op.filter.mode = SEQ_CAP_SELECTOR;
    for (uint8_t code = 0; code < SEQ_CODES; code++) {
        op.code = code;
        assert_in_range(seq_print_op(&op, text), 1, SEQ_TEXT_MAX - 1);
    }
    for (int i = 0; i < 1000; i++) {
        any_op(rig, &seq_geometry_real, &op);
        assert_in_range(seq_print_op(&op, text), 1, SEQ_TEXT_MAX - 1);
    }
}

struct mistake {
    const char *text;
    uint32_t line, column;
    const char *message;
};

static void assert_refused(struct rig *rig, const struct mistake *mistake) {
    if (seq_parse(&rig->a, mistake->text, strlen(mistake->text), &rig->error))
        fail_msg("accepted: %s", mistake->text);
    assert_string_equal(rig->error.message, mistake->message);
    assert_int_equal(rig->error.line, mistake->line);
    assert_int_equal(rig->error.column, mistake->column);
}

static void headers_are_checked(void **state) {
    const struct mistake mistakes[] = {
        {"", 1, 1, "expected '# rescind: 1', found the end of the line"},
        {"lookup root mem unit=0", 1, 1, "expected '# rescind: 1', found 'lookup root mem unit=0'"},
        {"\xef\xbb\xbf# rescind: 1\n", 1, 1, "expected '# rescind: 1', found '\\xef\\xbb\\xbf# rescind: 1'"},
        {"# rescind: 2\n", 1, 12, "expected format version 1, found '2'"},
        {"# rescind: 1x\n", 1, 12, "expected format version 1, found '1x'"},
        {"# rescind: 1\n", 2, 1, "expected '# geometry: small' or '# geometry: real' before the end"},
        {"# rescind: 1\n# geometry: huge\n", 2, 13, "expected small or real, found 'huge'"},
        {"# rescind: 1\n# geometry:\n", 2, 12, "expected small or real, found the end of the line"},
        {"# rescind: 1\nlookup root mem unit=0\n", 2, 1,
         "expected '# geometry: small' or '# geometry: real' before the first operation"},
        {HEADER "# geometry: real\n", 4, 1, "this header line was there already"},
        {"# rescind: 1\n# cpus: 0\n", 2, 9, "expected a number from 1 to 4, found '0'"},
        {"# rescind: 1\n# cpus: 5\n", 2, 9, "expected a number from 1 to 4, found '5'"},
        {"# rescind: 1\n# cpus:\n", 2, 8, "expected a number from 1 to 4, found the end of the line"},
        {CPUS_HEADER "# cpus: 3\n", 5, 1, "this header line was there already"},
        {HEADER "# rescind: 1\n", 4, 1, "this header line was there already"},
        {HEADER "# title: a\n# title: b\n", 5, 1, "this header line was there already"},
        {HEADER "# title:\n", 4, 9, "expected text, found the end of the line"},
        {HEADER "# title: a\tb\n", 4, 11, "expected text without control characters, found '\\x09b'"},
        {HEADER "# date: 0123456789012345678901234567890123456789\n", 4, 9,
         "expected a text with a length from 1 to 31, found '012345678901234567890123...'"},
        {"# rescind: 1\r\n# geometry: small\r\n", 1, 13, "expected lines that end with LF alone, found CR LF"},
        {HEADER "lookup root mem unit=0\r\n", 4, 23, "expected lines that end with LF alone, found CR LF"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
        assert_refused(*state, &mistakes[i]);
}

static void operations_are_checked(void **state) {
#define ALL_OPERATIONS                                                                                                 \
    "expected an operation (create_pd, delegate, revoke, destroy_pd, lookup, create_object, grant, move_quota, "       \
    "access, switch, oom, resume), found "
    const struct mistake mistakes[] = {
        {HEADER "give root", 4, 1, ALL_OPERATIONS "'give'"},
        {HEADER "p1 = lookup root", 4, 6, "expected an operation that makes something (create_pd), found 'lookup'"},
        {HEADER "create_pd root payer=root sel=1", 4, 1,
         "expected a name and = before it (p1 = ...), found 'create_pd'"},
        {HEADER "p1 create_pd root payer=root sel=1", 4, 4, "expected =, found 'create_pd'"},
        {HEADER "root = create_pd root payer=root sel=1", 4, 1, "expected a name p1 to p255, found 'root'"},
        {HEADER "p256 = create_pd root payer=root sel=1", 4, 1, ALL_OPERATIONS "'p256'"},
        {HEADER "lookup p0 mem unit=0", 4, 8, "expected root or p1 to p255, found 'p0'"},
        {HEADER "lookup p01 mem unit=0", 4, 8, "expected root or p1 to p255, found 'p01'"},
        {HEADER "lookup p256 mem unit=0", 4, 8, "expected root or p1 to p255, found 'p256'"},
        {HEADER "lookup root ram unit=0", 4, 13, "expected mem, pio, obj or kind3, found 'ram'"},
        {HEADER "lookup root mem base=0", 4, 17, "expected unit=, found 'base=0'"},
        {HEADER "lookup root mem unit=", 4, 22, "expected a unit from 0x0 to 0x1ff, found the end of the line"},
        {HEADER "lookup root mem unit=0x200", 4, 22, "expected a unit from 0x0 to 0x1ff, found '0x200'"},
        {HEADER "lookup root mem unit=99999999999999999999999", 4, 22,
         "expected a unit from 0x0 to 0x1ff, found '99999999999999999999999'"},
        {HEADER "lookup root mem unit=18446744073709551617", 4, 22,
         "expected a unit from 0x0 to 0x1ff, found '18446744073709551617'"},
        {HEADER "lookup root mem unit=0x10000000000000001", 4, 22,
         "expected a unit from 0x0 to 0x1ff, found '0x10000000000000001'"},
        {HEADER "lookup root mem unit=-1", 4, 22, "expected a unit from 0x0 to 0x1ff, found '-1'"},
        {HEADER "lookup root mem unit=08", 4, 22, "expected a unit from 0x0 to 0x1ff, found '08'"},
        {HEADER "lookup root obj unit=128", 4, 22, "expected a number from 0 to 127, found '128'"},
        {HEADER "lookup root mem unit=0 1", 4, 24, "expected the end of the line or a comment, found '1'"},
        {HEADER "lookup root mem", 4, 16, "expected unit=, found the end of the line"},
        {HEADER "lookup root mem # unit=0", 4, 17, "expected unit=, found the end of the line"},
        {HEADER "p1 = create_pd root payer=p1 sel=128", 4, 34, "expected a number from 0 to 127, found '128'"},
        {HEADER "p1 = create_pd root payer=none sel=1", 4, 27, "expected root, p1 to p255, @0 to @65535, found 'none'"},
        {HEADER "destroy_pd root pd=@65536", 4, 20, "expected root, p1 to p255, @0 to @65535, found '@65536'"},
        {HEADER "delegate root mem from=p1", 4, 24, "expected own, phys, place2 or place3, found 'p1'"},
        {HEADER "delegate root mem from=own base=0 order=64", 4, 41, "expected a number from 0 to 63, found '64'"},
        {HEADER "delegate root mem from=own base=0 order=0 to=none", 4, 46,
         "expected root, p1 to p255, @0 to @65535 or self, found 'none'"},
        {HEADER "delegate root mem from=own base=0 order=0 to=self at=0 mask=rr", 4, 61,
         "expected a mask (letters of rwx, - or 0x0 to 0xff), found 'rr'"},
        {HEADER "delegate root obj from=own base=0 order=0 to=self at=0 mask=w", 4, 61,
         "expected a mask (letters of cmrdq, - or 0x0 to 0xff), found 'w'"},
        {HEADER "delegate root kind3 from=own base=0 order=0 to=self at=0 mask=r", 4, 63,
         "expected a mask (- or 0x0 to 0xff), found 'r'"},
        {HEADER "revoke root mem base=0 order=0 mask=0x100", 4, 37, "expected a mask from 0x0 to 0xff, found '0x100'"},
        {HEADER "revoke root mem base=0 order=0 mask=r scope=all", 4, 45,
         "expected children, self, drop or scope3, found 'all'"},
        {HEADER "revoke root mem base=0 order=0 mask=r scope=self place=place2", 4, 56,
         "expected own, phys, root, p1 to p255, @0 to @65535 or place3, found 'place2'"},
        {HEADER "revoke root mem base=0 order=0 mask=r scope=self place=own filter=self", 4, 67,
         "expected root, p1 to p255, @0 to @65535 or none, found 'self'"},
        {HEADER "lookup root mem unit=0 cpu=1", 4, 28, "expected one of the header's cpus from 0 to 0, found '1'"},
        {CPUS_HEADER "lookup root mem unit=0 cpu=3", 5, 28, "expected one of the header's cpus from 0 to 2, found '3'"},
        {CPUS_HEADER "lookup root mem cpu=1 unit=0", 5, 17, "expected unit=, found 'cpu=1'"},
        {CPUS_HEADER "lookup root mem unit=0 cpu=1 cpu=1", 5, 30,
         "expected the end of the line or a comment, found 'cpu=1'"},
        {HEADER "lookup root mem unit=0 quota=1", 4, 24, "expected the end of the line or a comment, found 'quota=1'"},
        {HEADER "p1 = create_pd root payer=root sel=1 quota=65536", 4, 44,
         "expected a number from 0 to 65535, found '65536'"},
        {CPUS_HEADER "p1 = create_pd root payer=root sel=1 cpu=1 quota=3", 5, 44,
         "expected the end of the line or a comment, found 'quota=3'"},
        {HEADER "p1 = create_object root payer=root sel=1", 4, 6,
         "expected an operation that makes something (create_pd), found 'create_object'"},
        {HEADER "create_object root payer=self sel=1", 4, 26, "expected root, p1 to p255, @0 to @65535, found 'self'"},
        {HEADER "grant root mem from=p1", 4, 21, "expected own, phys, place2 or place3, found 'p1'"},
        {HEADER "move_quota root from=root to=none", 4, 30, "expected root, p1 to p255, @0 to @65535, found 'none'"},
        {HEADER "move_quota root from=root to=p1 pages=4294967296", 4, 39,
         "expected a number from 0 to 4294967295, found '4294967296'"},
        {HEADER "access root mem unit=0 rights=r", 4, 8, "expected cpu=, found 'root'"},
        {HEADER "access cpu=1 mem unit=0 rights=r", 4, 12, "expected one of the header's cpus from 0 to 0, found '1'"},
        {HEADER "access cpu=0 pio unit=0 rights=r", 4, 32,
         "expected a mask (letters of a, - or 0x0 to 0xff), found 'r'"},
        {HEADER "access cpu=0 mem unit=0 rights=r cpu=0", 4, 34,
         "expected the end of the line or a comment, found 'cpu=0'"},
        {HEADER "switch cpu=0 to=@1", 4, 17, "expected root or p1 to p255, found '@1'"},
        {HEADER "oom n=0", 4, 7, "expected a number from 1 to 255, found '0'"},
        {HEADER "oom n=256", 4, 7, "expected a number from 1 to 255, found '256'"},
        {HEADER "oom n=1 cpu=0", 4, 9, "expected the end of the line or a comment, found 'cpu=0'"},
        {HEADER "look\x01\xff", 4, 1, ALL_OPERATIONS "'look\\x01\\xff'"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
        assert_refused(*state, &mistakes[i]);
}

/* ---- schedules ---- */

static const char schedule_examples[] = "# rescind: 1\n# geometry: small\n# cpus: 2\n\n"
                                        "p1 = create_pd root payer=root sel=1\n"
                                        "destroy_pd root pd=p1 cpu=1 preempt=2 run=4\n"
                                        "  revoke root mem base=0x10 order=2 mask=rwx scope=children place=phys "
                                        "filter=none preempt=1 run=1\n"
                                        "    revoke p1 mem base=0x40 order=0 mask=w scope=self place=own filter=@65535 "
                                        "cpu=1 preempt=255 run=255\n"
                                        "  resume of=1 points=255\n"
                                        "  resume of=8\n"
                                        "destroy_pd root pd=p1 preempt=3\n"
                                        "lookup p1 mem unit=0x40\n"
                                        "destroy_pd root pd=p2 preempt=1 run=100\n"
                                        "  lookup root mem unit=0x0\n";

static void schedules_are_read(void **state) {
    struct rig *rig = *state;
    parse(rig, &rig->a, schedule_examples);
    const struct seq_op *op = rig->a.op;
    const struct seq_op destroy = {.code = SEQ_DESTROY_PD, .cpu = 1, .point = 2, .nested = 4, .pd = {SEQ_CAP_NAME, 1}};
    const struct seq_op further = {.code = SEQ_RESUME, .nested = 1, .point = 255};
    const struct seq_op to_the_end = {.code = SEQ_RESUME, .nested = 8};
    assert_int_equal(rig->a.count, 10);
    assert_true(same_op(&op[1], &destroy));
    assert_true(op[3].point == 255 && op[3].nested == 255 && op[3].filter.value == 65535 && op[3].cpu == 1);
    assert_true(same_op(&op[4], &further));
    assert_true(same_op(&op[5], &to_the_end));
    assert_true(op[6].point == 3 && op[6].nested == 0);
    seq_print(&rig->a, rig->text, sizeof(rig->text));
    assert_string_equal(rig->text, schedule_examples);
}

static void indentation_is_checked(void **state) {
#define DESTROY "destroy_pd root pd=p1 preempt=1 run=2\n"
#define LOOKUP "lookup root mem unit=0\n"
    const struct mistake mistakes[] = {
        {HEADER " " LOOKUP, 4, 2, "expected 0 spaces before the operation (in no block), found 1"},
        {HEADER DESTROY LOOKUP, 5, 1,
         "expected 2 spaces before the operation (1 of 2 in the block of line 4), found 0"},
        {HEADER DESTROY "# why\n\n   " LOOKUP, 7, 4,
         "expected 2 spaces before the operation (1 of 2 in the block of line 4), found 3"},
        {HEADER DESTROY "\t" LOOKUP, 5, 1,
         "expected 2 spaces before the operation (1 of 2 in the block of line 4), found a tab"},
        {HEADER DESTROY "  " LOOKUP " \t" LOOKUP, 6, 2,
         "expected 2 spaces before the operation (2 of 2 in the block of line 4), found a tab"},
        {HEADER DESTROY "  " LOOKUP "  " LOOKUP "  " LOOKUP, 7, 3,
         "expected 0 spaces before the operation (behind the block of line 4), found 2"},
        {HEADER DESTROY "  " LOOKUP "  " DESTROY "  " LOOKUP, 7, 3,
         "expected 0 spaces before the operation (behind the block of line 4), found 2"},
        {HEADER DESTROY "  " DESTROY "  " LOOKUP, 6, 3,
         "expected 4 spaces before the operation (1 of 2 in the block of line 5), found 2"},
        {HEADER "destroy_pd root pd=p1 preempt=1\n  " LOOKUP, 5, 3,
         "expected 0 spaces before the operation (behind the block of line 4), found 2"},
        {HEADER DESTROY "  destroy_pd root pd=p1 preempt=1 run=1\n    " LOOKUP "  " LOOKUP, 7, 3,
         "expected 0 spaces before the operation (behind the block of line 4), found 2"},
        {HEADER "destroy_pd root pd=p1 run=1", 4, 27, "expected 0, since there is no preempt= before it, found '1'"},
        {HEADER "destroy_pd root pd=p1 preempt=256", 4, 31, "expected a number from 0 to 255, found '256'"},
        {HEADER "destroy_pd root pd=p1 preempt=1 run=256", 4, 37, "expected a number from 0 to 255, found '256'"},
        {HEADER "destroy_pd root pd=p1 run=0 preempt=1", 4, 29,
         "expected the end of the line or a comment, found 'preempt=1'"},
        {HEADER "lookup root mem unit=0 preempt=1", 4, 24,
         "expected the end of the line or a comment, found 'preempt=1'"},
        {HEADER "resume of=0", 4, 11, "expected a number from 1 to 8, found '0'"},
        {HEADER "resume of=9", 4, 11, "expected a number from 1 to 8, found '9'"},
        {HEADER "resume points=1", 4, 8, "expected of=, found 'points=1'"},
        {HEADER "resume of=1 points=256", 4, 20, "expected a number from 0 to 255, found '256'"},
        {HEADER "resume of=1 cpu=0", 4, 13, "expected the end of the line or a comment, found 'cpu=0'"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
        assert_refused(*state, &mistakes[i]);
}

/* What a runner does that suspends every operation with a schedule: numbers of operations in the order in which they
 * begin, in brackets up to where they end. */
static void trace_blocks(const struct seq *seq, char *text) {
    struct seq_nesting nesting;
    uint32_t operation;
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i <= seq->count; i++) {
        while (seq_nesting_close(&nesting, i, &operation))
            text += sprintf(text, "%u)", operation);
        assert_in_range(nesting.depth, 0, SEQ_NESTING);
        if (i < seq->count)
            text += sprintf(text, seq_nesting_open(&nesting, &seq->op[i], i) ? "(" : "%u ", i);
    }
    assert_int_equal(nesting.depth, 0);
}

static void blocks_end_where_they_should(void **state) {
    static const struct {
        const char *run; /* a digit: a destroy that runs so many; ., r: a lookup, a resume, neither with a block */
        const char *order;
    } examples_of_blocks[] = {
        {"..", "0 1 "},
        {"0.", "(0)1 "},
        {"1..", "(1 0)2 "},
        {"2.r.", "(1 2 0)3 "},
        {"9.r", "(1 2 0)"},     /* ends with the sequence */
        {"31..", "((2 1)3 0)"}, /* a block in a block */
        {"29..", "((2 1)0)3 "}, /* ends with the block around it */
        {"2.9", "(1 (2)0)"},    /* nothing is left of the block around it */
        {"19", "((1)0)"},
        {"9999", "((((3)2)1)0)"},
        {"44449.", "((((4 3)2)1)0)5 "}, /* the fifth is too deep: its schedule is ignored */
        {"55550..", "((((4 5 3)2)1)0)6 "},
        {"14.1..", "((1)0)2 (4 3)5 "},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(examples_of_blocks) / sizeof(examples_of_blocks[0]); i++) {
        const char *run = examples_of_blocks[i].run;
        char order[64] = "";
        rig->a.count = (uint32_t)strlen(run);
        for (uint32_t k = 0; k < rig->a.count; k++) {
            struct seq_op *op = &rig->a.op[k];
            seq_blank(op, run[k] == '.' ? SEQ_LOOKUP : run[k] == 'r' ? SEQ_RESUME : SEQ_DESTROY_PD);
            if (op->code == SEQ_DESTROY_PD)
                op->point = 1;
            if (op->code == SEQ_DESTROY_PD)
                op->nested = (uint8_t)(run[k] - '0');
        }
        trace_blocks(&rig->a, order);
        assert_string_equal(order, examples_of_blocks[i].order);
        assert_print_parses(rig, &rig->a, &rig->b);
    }
}

#define REVOKE "revoke root mem base=0x0 order=0 mask=r scope=self place=own filter=none"
#define REVOKE_INSIDE "  " REVOKE " preempt=2 run=2\n"

static const char nested_blocks[] = "lookup root mem unit=0x0\n"
                                    "destroy_pd root pd=p1 preempt=1 run=5\n"
                                    "  lookup root mem unit=0x2\n" REVOKE_INSIDE "    lookup root mem unit=0x4\n"
                                    "    resume of=2\n"
                                    "  lookup root mem unit=0x6\n"
                                    "lookup root mem unit=0x7\n";

/* The operations that are not marked have the blocks that they had. */
static void blocks_shrink_with_their_operations(void **state) {
    static const struct {
        uint32_t at, count;
        const char *left;
    } cuts[] = {
        {0, 0, nested_blocks},
        {0, 1, nested_blocks + sizeof("lookup root mem unit=0x0")},
        {1, 1,
         "lookup root mem unit=0x0\nlookup root mem unit=0x2\n" REVOKE " preempt=2 run=2\n"
         "  lookup root mem unit=0x4\n  resume of=2\nlookup root mem unit=0x6\nlookup root mem unit=0x7\n"},
        {2, 1,
         "lookup root mem unit=0x0\ndestroy_pd root pd=p1 preempt=1 run=4\n" REVOKE_INSIDE
         "    lookup root mem unit=0x4\n    resume of=2\n  lookup root mem unit=0x6\nlookup root mem unit=0x7\n"},
        {3, 2,
         "lookup root mem unit=0x0\ndestroy_pd root pd=p1 preempt=1 run=3\n  lookup root mem unit=0x2\n"
         "  resume of=2\n  lookup root mem unit=0x6\nlookup root mem unit=0x7\n"},
        {4, 3,
         "lookup root mem unit=0x0\ndestroy_pd root pd=p1 preempt=1 run=2\n  lookup root mem unit=0x2\n"
         "  " REVOKE " preempt=2\nlookup root mem unit=0x7\n"},
        {2, 6, "lookup root mem unit=0x0\ndestroy_pd root pd=p1 preempt=1\n"},
        {0, 8, ""},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        parse_ops(rig, &rig->a, nested_blocks);
        seq_remove_run(&rig->a, cuts[i].at, cuts[i].count);
        assert_prints(rig, &rig->a, cuts[i].left);
    }
}

static void blocks_grow_with_their_operations(void **state) {
    static const uint8_t outer[9] = {5, 5, 7, 7, 7, 7, 7, 5, 5}, inner[9] = {2, 2, 2, 2, 4, 4, 2, 2, 2};
    struct rig *rig = *state;
    for (uint32_t at = 0; at <= 8; at++) {
        parse_ops(rig, &rig->a, nested_blocks);
        seq_open_gap(&rig->a, at, 2);
        assert_int_equal(rig->a.count, 10);
        seq_blank(&rig->a.op[at], SEQ_LOOKUP);
        seq_blank(&rig->a.op[at + 1], SEQ_LOOKUP);
        assert_int_equal(rig->a.op[at > 1 ? 1 : 3].nested, outer[at]);
        assert_int_equal(rig->a.op[at > 3 ? 3 : 5].nested, inner[at]);
    }
    parse_ops(rig, &rig->a, "destroy_pd root pd=p1 preempt=1 run=250\n  lookup root mem unit=0x0\n");
    seq_open_gap(&rig->a, 1, 40);
    assert_int_equal(rig->a.op[0].nested, 255);
}

static void blocks_are_not_cut(void **state) {
    static const uint32_t boundaries[9] = {0, 1, 1, 1, 7, 7, 7, 7, 8};
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, nested_blocks);
    for (uint32_t at = 0; at <= 8; at++)
        assert_int_equal(seq_block_boundary(&rig->a, at), boundaries[at]);
}

/* Where the bits are zero, as they are in files from before there were schedules, there is none. */
static void schedules_are_packed(void **state) {
    struct rig *rig = *state;
    static const uint8_t old[2 * SEQ_OP_BYTES] = {
        0x02, 0, 0x01, 0x40, 0x07, 0, 0, 0x10, 0, 0, 0, 0x20, 0, 0, 0, 0, /* revoke, filter p2 */
        0x03, 0, 0x40, 0x00, 0x00, 1, 0, 0,    0, 0, 0, 0,    0, 0, 0, 0  /* destroy_pd p1 */
    };
    seq_unpack_ops(&rig->a, old, sizeof(old));
    assert_prints(rig, &rig->a,
                  "revoke root pio base=0x10 order=0 mask=0x7 scope=children place=own filter=p2\n"
                  "destroy_pd root pd=p1\n");
    memcpy(rig->bytes, old, sizeof(old));
    rig->bytes[13] = 0x50; /* bit 108 */
    rig->bytes[14] = 0x31;
    rig->bytes[15] = 0x02;
    rig->bytes[16 + 14] = 0x30; /* run= alone */
    seq_unpack_ops(&rig->a, rig->bytes, sizeof(old));
    assert_true(rig->a.op[0].point == 0x15 && rig->a.op[0].nested == 0x23 && rig->a.op[0].filter.value == 2);
    assert_true(rig->a.op[1].point == 0 && rig->a.op[1].nested == 0);
    for (uint32_t depth = 0; depth < 256; depth++) {
        const uint8_t resume[SEQ_OP_BYTES] = {
            [0] = SEQ_RESUME, [13] = 0x70, [14] = (uint8_t)(depth << 4), [15] = (uint8_t)(depth >> 4)};
        seq_unpack_ops(&rig->a, resume, sizeof(resume));
        assert_true(rig->a.op[0].code == SEQ_RESUME && rig->a.op[0].point == 7);
        assert_in_range(rig->a.op[0].nested, SEQ_INNERMOST, SEQ_OUTERMOST);
        assert_true(depth == 0 || depth > SEQ_OUTERMOST || rig->a.op[0].nested == depth);
    }
}

static void too_many_operations_are_refused(void **state) {
    struct rig *rig = *state;
    rig->a.capacity = 2;
    const struct mistake mistake = {HEADER "lookup root mem unit=0\nlookup root mem unit=0\nlookup root mem unit=0\n",
                                    6, 1, "too many operations"};
    assert_refused(rig, &mistake);
    size_t length = 0;
    const char line[] = "destroy_pd root pd=@1\n";
    char *text = malloc(sizeof(HEADER) + sizeof(line) * (SEQ_MAX_OPS + 1));
    length += (size_t)sprintf(text, HEADER);
    for (int i = 0; i < SEQ_MAX_OPS; i++)
        length += (size_t)sprintf(text + length, "%s", line);
    rig->b.capacity = SEQ_MAX_OPS + 1;
    assert_true(seq_parse(&rig->b, text, length, &rig->error));
    length += (size_t)sprintf(text + length, "%s", line);
    assert_false(seq_parse(&rig->b, text, length, &rig->error));
    free(text);
}

/* In memory of exactly that length, so that a sanitizer sees any access beyond. */
static bool parse_exactly(struct rig *rig, const char *text, size_t length) {
    char *copy = malloc(length ? length : 1);
    memcpy(copy, text, length);
    bool parsed = seq_parse(&rig->a, copy, length, &rig->error);
    free(copy);
    if (!parsed) {
        assert_true(rig->error.line > 0 && rig->error.column > 0);
        assert_true(rig->error.message[0] != '\0' && strlen(rig->error.message) < SEQ_MESSAGE_MAX - 1);
    }
    return parsed;
}

static void any_text_is_safe(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, examples);
    char text[1024];
    size_t length = seq_print(&rig->a, text, sizeof(text));
    for (size_t i = 0; i <= length; i++)
        parse_exactly(rig, text, i);
    for (int i = 0; i < 20000; i++) {
        char damaged[1024];
        memcpy(damaged, text, length);
        for (uint64_t flips = 1 + below(rig, 3); flips; flips--)
            damaged[below(rig, length)] = (char)seq_random_next(&rig->random);
        if (parse_exactly(rig, damaged, length))
            assert_print_parses(rig, &rig->a, &rig->b);
    }
    assert_false(parse_exactly(rig, HEADER "lookup\0root mem unit=0", sizeof(HEADER) + 21));
    assert_true(parse_exactly(rig, HEADER "lookup root mem unit=0", sizeof(HEADER) + 21));
}

static void long_lines_are_safe(void **state) {
    struct rig *rig = *state;
    size_t length = 10 << 20, start = strlen(HEADER);
    char *text = malloc(length);
    memcpy(text, HEADER, start);
    memset(text + start, 'a', length - start);
    assert_false(seq_parse(&rig->a, text, length, &rig->error));
    assert_non_null(strstr(rig->error.message, "found 'aaaaaaaaaaaaaaaaaaaaaaaa...'"));
    memset(text + start, ' ', length - start);
    assert_true(seq_parse(&rig->a, text, length, &rig->error));
    memset(text + start, '\n', length - start);
    assert_true(seq_parse(&rig->a, text, length, &rig->error));
    text[length - 1] = 'x';
    assert_false(seq_parse(&rig->a, text, length, &rig->error));
    assert_int_equal(rig->error.line, length - start + 3);
    free(text);
}

/* ---- binary ---- */

static void text_binary_text_is_identity(void **state) {
    struct rig *rig = *state;
    for (uint32_t g = 0; g < SEQ_GEOMETRIES; g++) {
        for (int i = 0; i < 300; i++) {
            any_seq(rig, &rig->a, seq_geometries[g], OPS);
            assert_print_parses(rig, &rig->a, &rig->b);
            size_t length = seq_pack(&rig->b, rig->bytes, sizeof(rig->bytes));
            assert_int_equal(length, (OPS + 1) * SEQ_OP_BYTES);
            seq_unpack(&rig->c, rig->bytes, length);
            assert_ptr_equal(rig->c.geometry, seq_geometries[g]);
            assert_same_ops(&rig->a, &rig->c);
        }
    }
}

static void fill_random(struct rig *rig, size_t length) {
    for (size_t i = 0; i < length; i++)
        rig->bytes[i] = (uint8_t)seq_random_next(&rig->random);
}

static void every_byte_string_is_a_sequence(void **state) {
    struct rig *rig = *state;
    for (uint32_t g = 0; g < SEQ_GEOMETRIES; g++) {
        rig->a.geometry = rig->c.geometry = seq_geometries[g];
        for (int i = 0; i < 300; i++) {
            size_t length = below(rig, OPS * SEQ_OP_BYTES);
            fill_random(rig, length);
            for (size_t at = 0; i % 2 && at < length; at += SEQ_OP_BYTES)
                rig->bytes[at] = (uint8_t)(rig->bytes[at] % SEQ_CODES);
            seq_unpack_ops(&rig->a, rig->bytes, length);
            assert_int_equal(rig->a.count, (length + SEQ_OP_BYTES - 1) / SEQ_OP_BYTES);
            assert_print_parses(rig, &rig->a, &rig->b);
            length = seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes));
            seq_unpack(&rig->c, rig->bytes, length);
            assert_same_ops(&rig->a, &rig->c);
        }
    }
}

static void an_exact_op_needs_no_context(void **state) {
    struct rig *rig = *state;
    struct seq_op op;
    for (int i = 0; i < 2000; i++) {
        fill_random(rig, OPS * SEQ_OP_BYTES);
        any_op(rig, &seq_geometry_small, &op);
        uint64_t at = below(rig, OPS);
        seq_pack_op(&seq_geometry_small, &op, rig->bytes + at * SEQ_OP_BYTES);
        assert_int_equal(rig->bytes[at * SEQ_OP_BYTES], op.code | op.cpu << 6);
        rig->a.geometry = &seq_geometry_small;
        rig->a.cpus = SEQ_CPUS;
        seq_unpack_ops(&rig->a, rig->bytes, OPS * SEQ_OP_BYTES);
        assert_true(same_op(&rig->a.op[at], &op));
    }
}

static void packed_bits_are_where_the_table_says(void **state) {
    (void)state;
    const struct seq_op op = {.code = SEQ_DELEGATE,
                              .caller = 0x12,
                              .kind = 2,
                              .place = 1,
                              .order = 0x2a,
                              .mask = 0x5a,
                              .pd = {SEQ_CAP_SELECTOR, 0xbeef},
                              .base = 0x987654321,
                              .destination = 0xfedcba987};
    /* kind 2, place 1, mode 2 -> 0x86; base and destination meet in byte 11 */
    const uint8_t expected[SEQ_OP_BYTES] = {0x01, 0x12, 0x86, 0x2a, 0x5a, 0xef, 0xbe, 0x21,
                                            0x43, 0x65, 0x87, 0x79, 0x98, 0xba, 0xdc, 0xfe};
    uint8_t bytes[SEQ_OP_BYTES];
    seq_pack_op(&seq_geometry_real, &op, bytes);
    assert_memory_equal(bytes, expected, SEQ_OP_BYTES);
}

/* Files that were packed before there were quotas and CPUs: zero where these are now. */
static void old_packed_files_are_read(void **state) {
    struct rig *rig = *state;
    const uint8_t old[2 * SEQ_OP_BYTES] = {0x8f, 'r', 's',  'e', 'q', '\r', '\n', 0x1a, 1, 0, 0, 0,    0, 0, 0, 0,
                                           0x00, 0,   0x40, 0,   0,   0,    0,    5,    0, 0, 0, 0x90, 0, 0, 0, 0};
    rig->a.cpus = 4;
    assert_true(seq_is_packed(old, sizeof(old)));
    seq_unpack(&rig->a, old, sizeof(old));
    assert_int_equal(rig->a.cpus, 1);
    assert_prints(rig, &rig->a, "p9 = create_pd root payer=root sel=5\n");
    assert_int_equal(seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes)), sizeof(old));
    assert_memory_equal(rig->bytes, old, sizeof(old));
}

static void cpus_are_packed(void **state) {
    struct rig *rig = *state;
    for (uint8_t cpus = 1; cpus <= SEQ_CPUS; cpus++) {
        seq_blank(&rig->a.op[0], SEQ_LOOKUP);
        rig->a.op[0].cpu = (uint8_t)(cpus - 1);
        rig->a.cpus = cpus;
        rig->a.count = 1;
        size_t length = seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes));
        assert_int_equal(rig->bytes[10], cpus - 1);
        seq_unpack(&rig->b, rig->bytes, length);
        assert_int_equal(rig->b.cpus, cpus);
        assert_same_ops(&rig->a, &rig->b);
        rig->c.cpus = (uint8_t)(cpus - 1); /* one less (or none: that is one): CPU 0 takes over */
        seq_unpack_ops(&rig->c, rig->bytes + SEQ_OP_BYTES, length - SEQ_OP_BYTES);
        assert_int_equal(rig->c.cpus, cpus - 1);
        assert_int_equal(rig->c.op[0].cpu, 0);
    }
    rig->bytes[10] = SEQ_CPUS;
    assert_false(seq_is_packed(rig->bytes, 2 * SEQ_OP_BYTES));
}

static void every_quota_is_itself_again(void **state) {
    struct rig *rig = *state;
    uint8_t bytes[SEQ_OP_BYTES];
    for (uint32_t quota = 0; quota <= UINT16_MAX; quota++) {
        seq_blank(&rig->a.op[0], SEQ_CREATE_PD);
        rig->a.op[0].quota = (uint16_t)quota;
        seq_pack_op(&seq_geometry_small, &rig->a.op[0], bytes);
        seq_unpack_ops(&rig->b, bytes, SEQ_OP_BYTES);
        assert_true(same_op(&rig->a.op[0], &rig->b.op[0]));
    }
}

static void a_rest_is_padded_and_capacity_is_kept(void **state) {
    struct rig *rig = *state;
    const uint8_t bytes[SEQ_OP_BYTES + 1] = {SEQ_LOOKUP, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, SEQ_DESTROY_PD};
    seq_unpack_ops(&rig->a, bytes, sizeof(bytes));
    assert_prints(rig, &rig->a, "lookup root mem unit=0x5\ndestroy_pd root pd=root\n");
    seq_unpack_ops(&rig->a, bytes, 0);
    assert_int_equal(rig->a.count, 0);
    rig->a.capacity = 1;
    seq_unpack_ops(&rig->a, bytes, sizeof(bytes));
    assert_int_equal(rig->a.count, 1);
}

static void the_file_header_is_checked(void **state) {
    struct rig *rig = *state;
    any_seq(rig, &rig->a, &seq_geometry_real, 3);
    size_t length = seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes));
    assert_true(seq_is_packed(rig->bytes, length));
    assert_true(seq_is_packed(rig->bytes, SEQ_OP_BYTES));
    assert_false(seq_is_packed(rig->bytes, SEQ_OP_BYTES - 1));
    for (size_t i = 0; i < SEQ_OP_BYTES; i++) {
        rig->bytes[i] ^= 0x40;
        assert_false(seq_is_packed(rig->bytes, length));
        rig->bytes[i] ^= 0x40;
    }
    rig->bytes[0] ^= 1;
    rig->b.geometry = &seq_geometry_small;
    seq_unpack(&rig->b, rig->bytes, length);
    assert_ptr_equal(rig->b.geometry, &seq_geometry_small);
    assert_int_equal(rig->b.count, 4);
}

static void packing_is_bounded(void **state) {
    struct rig *rig = *state;
    any_seq(rig, &rig->a, &seq_geometry_real, 2);
    size_t length = seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes));
    for (size_t size = 0; size <= length; size++) {
        uint8_t *bytes = malloc(size ? size : 1);
        memset(bytes, 0, size);
        assert_int_equal(seq_pack(&rig->a, bytes, size), length);
        size_t whole = size < SEQ_OP_BYTES ? size : size / SEQ_OP_BYTES * SEQ_OP_BYTES;
        assert_memory_equal(bytes, rig->bytes, whole);
        free(bytes);
    }
    assert_int_equal(seq_pack(&rig->a, NULL, 0), length);
}

static void likely_ops_are_likely(void **state) {
    struct rig *rig = *state;
    const struct seq_geometry *geometry = &seq_geometry_real;
    uint32_t codes[SEQ_CODES] = {0}, reused = 0, delegates = 0, ports = 0, suspended = 0;
    rig->a.geometry = geometry;
    for (int round = 0; round < 400; round++) {
        rig->a.cpus = round % 2 ? SEQ_CPUS : 1;
        bool made[SEQ_NAMES] = {true};
        uint64_t ranges[2 * OPS], count = 0;
        fill_random(rig, OPS * SEQ_OP_BYTES);
        for (uint32_t i = 0; i < OPS; i++)
            rig->bytes[i * SEQ_OP_BYTES] = (uint8_t)(SEQ_CODES + below(rig, 64 - SEQ_CODES) + 64 * below(rig, 4));
        seq_unpack_ops(&rig->a, rig->bytes, OPS * SEQ_OP_BYTES);
        for (uint32_t i = 0; i < OPS; i++) {
            const struct seq_op *op = &rig->a.op[i];
            uint64_t size = (uint64_t)1 << seq_space_log2(geometry, op->kind);
            codes[op->code]++;
            suspended += op->point != 0;
            assert_true(op->point <= 8 && op->nested <= 4);
            assert_true(round % 2 || seq_is_call(op->code));
            assert_in_range(op->cpu, 0, rig->a.cpus - 1);
            ports += op->kind == ABI_PIO && op->destination == op->base;
            assert_true(made[op->caller]);
            assert_true(op->pd.mode != SEQ_CAP_NAME || made[op->pd.value]);
            assert_true(op->base < size && op->destination < size);
            assert_in_range(op->order, 0, seq_space_log2(geometry, op->kind));
            if (op->code == SEQ_DELEGATE || op->code == SEQ_REVOKE)
                assert_int_equal((op->base | op->destination) & (((uint64_t)1 << op->order) - 1), 0);
            made[op->name] = true;
            if (op->code != SEQ_DELEGATE)
                continue;
            bool hit = false;
            for (uint64_t k = 0; k < count; k++)
                hit |= ranges[k] >> op->order == op->base >> op->order;
            reused += hit;
            delegates++;
            ranges[count++] = op->base;
            ranges[count++] = op->destination;
        }
    }
    for (uint32_t code = 0; code < SEQ_OOM; code++)
        assert_true(codes[code] > 400 * OPS / 100);
    assert_int_equal(codes[SEQ_OOM] + codes[SEQ_RESUME], 0);
    assert_in_range(suspended, codes[SEQ_REVOKE] / 30, codes[SEQ_REVOKE] / 10);
    assert_true(ports > 400 * OPS / 20);
    assert_true(codes[SEQ_DELEGATE] > codes[SEQ_LOOKUP] * 4);
    assert_true(reused > delegates / 3);
}

/* ---- random numbers ---- */

static void random_numbers_are_the_same_everywhere(void **state) {
    (void)state;
    struct seq_random random;
    seq_random_seed(&random, 1);
    assert_true(seq_random_next(&random) == 0xb3f2af6d0fc710c5);
    assert_true(seq_random_next(&random) == 0x853b559647364cea);
    assert_true(seq_random_next(&random) == 0x92f89756082a4514);
}

static void random_numbers_stay_below(void **state) {
    struct rig *rig = *state;
    uint32_t seen[10] = {0};
    for (int i = 0; i < 10000; i++)
        seen[below(rig, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(below(rig, 1), 0);
    bool high = false;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = below(rig, (uint64_t)3 << 40);
        assert_true(value < (uint64_t)3 << 40);
        high |= value >= (uint64_t)2 << 40;
    }
    assert_true(high);
}

/* ---- generator ---- */

static const struct seq_profile first_operations = {.operations = (1u << SEQ_CREATE_OBJECT) - 1,
                                                    .kinds = 1u << ABI_MEM | 1u << ABI_OBJ};

static void generation_is_deterministic(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    struct seq_random random = rig->random;
    seq_generate(&rig->a, &rig->random, &profile, OPS);
    seq_generate(&rig->b, &random, &profile, OPS);
    assert_int_equal(rig->a.count, OPS);
    assert_same_ops(&rig->a, &rig->b);
    seq_generate(&rig->b, &random, &profile, OPS);
    assert_memory_not_equal(rig->a.op, rig->b.op, OPS * sizeof(rig->a.op[0]));
    rig->a.capacity = 5;
    seq_generate(&rig->a, &rig->random, &profile, OPS);
    assert_int_equal(rig->a.count, 5);
}

static void generated_sequences_are_canonical(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    for (int i = 0; i < 400; i++) {
        rig->a.geometry = seq_geometries[i % SEQ_GEOMETRIES];
        seq_generate(&rig->a, &rig->random, &profile, i % 8 ? OPS : 600);
        if (rig->a.count == OPS)
            assert_print_parses(rig, &rig->a, &rig->b);
        size_t length = seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes));
        seq_unpack(&rig->c, rig->bytes, length);
        assert_same_ops(&rig->a, &rig->c);
    }
}

static void profiles_are_obeyed(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 200; i++) {
        const struct seq_profile one = {.kinds = 1u << ABI_PIO}, three = {.cpus = 3};
        seq_generate(&rig->a, &rig->random, &one, OPS);
        assert_int_equal(rig->a.cpus, 1);
        seq_generate(&rig->b, &rig->random, &three, OPS);
        assert_int_equal(rig->b.cpus, 3);
        for (uint32_t k = 0; k < OPS; k++) {
            assert_true(seq_is_call(rig->a.op[k].code) && rig->a.op[k].cpu == 0);
            assert_true(rig->b.op[k].code != SEQ_OOM && rig->b.op[k].cpu < 3);
        }
    }
    for (uint32_t operations = 1; operations < 1u << SEQ_RESUME; operations++) {
        const struct seq_profile profile = {.operations = operations, .kinds = 1u << ABI_MEM};
        seq_generate(&rig->a, &rig->random, &profile, OPS);
        for (uint32_t i = 0; i < OPS; i++) {
            assert_true(operations >> rig->a.op[i].code & 1);
            assert_int_not_equal(rig->a.op[i].kind, ABI_OBJ);
        }
    }
    const struct seq_profile objects = {.kinds = 1u << ABI_OBJ};
    uint32_t memory = 0;
    for (int i = 0; i < 100; i++) {
        seq_generate(&rig->a, &rig->random, &objects, OPS);
        for (uint32_t k = 0; k < OPS; k++)
            memory += rig->a.op[k].code == SEQ_DELEGATE && rig->a.op[k].kind == ABI_MEM;
    }
    assert_in_range(memory, 0, 100 * OPS / 50);
}

/* For profiles that do not ask for more, sequences have stayed what they were. */
static void first_operations_give_the_same_sequences(void **state) {
    struct rig *rig = *state;
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint64_t run = 0; run < 2000; run++) {
        struct seq_profile profile = first_operations;
        struct seq_random random;
        rig->a.geometry = seq_geometries[run / 1000];
        profile.unit_budget = run / 500 % 2 ? 1u << 13 : 0;
        seq_random_seed(&random, run % 500);
        seq_generate(&rig->a, &random, &profile, OPS);
        for (uint32_t i = 0; i < OPS; i++) {
            const struct seq_op *op = &rig->a.op[i];
            const uint64_t fields[14] = {op->code,        op->caller,       op->name, op->kind,       op->place,
                                         op->scope,       op->order,        op->mask, op->pd.mode,    op->pd.value,
                                         op->filter.mode, op->filter.value, op->base, op->destination};
            assert_int_equal(op->cpu, 0);
            for (uint32_t k = 0; k < 14; k++)
                hash = (hash ^ fields[k]) * 0x100000001b3u;
        }
    }
    assert_true(hash == 0xb08d262cac5e9adc);
}

static uint64_t charged_units(const struct seq *seq) {
    uint64_t units = 0, delegated = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        uint64_t cost = seq_units(seq->geometry, &seq->op[i], delegated);
        units += cost;
        delegated += seq->op[i].code == SEQ_DELEGATE ? cost : 0;
    }
    return units;
}

static void budgets_are_kept(void **state) {
    struct rig *rig = *state;
    rig->a.geometry = &seq_geometry_real;
    for (uint64_t budget = 1; budget < 1 << 20; budget *= 3) {
        const struct seq_profile profile = {.unit_budget = budget};
        for (int i = 0; i < 30; i++) {
            seq_generate(&rig->a, &rig->random, &profile, OPS);
            assert_int_equal(rig->a.count, OPS);
            assert_in_range(charged_units(&rig->a), 0, budget);
            for (int k = 0; k < 20; k++) {
                seq_mutate(&rig->a, &rig->random, &profile, OPS);
                assert_in_range(charged_units(&rig->a), 0, budget);
            }
        }
    }
}

static void units_are_charged_by_size(void **state) {
    (void)state;
    struct seq_op op = {.code = SEQ_DELEGATE, .order = 9};
    const struct seq_geometry *geometry = &seq_geometry_real;
    assert_int_equal(seq_units(geometry, &op, 0), 512);
    op.order = 35;
    assert_int_equal(seq_units(geometry, &op, 0), 1 << 20);
    op.order = 36;
    assert_int_equal(seq_units(geometry, &op, 0), 0);
    op = (struct seq_op){.code = SEQ_REVOKE, .order = 35};
    assert_int_equal(seq_units(geometry, &op, 1000), 1000);
    op.code = SEQ_GRANT;
    assert_int_equal(seq_units(geometry, &op, 1000), 1000);
    op.code = SEQ_LOOKUP;
    assert_int_equal(seq_units(geometry, &op, 1000), 0);
    op.code = SEQ_DELEGATE;
    assert_true(seq_fit(geometry, &op, 0, 40));
    assert_int_equal(op.order, 5);
    assert_false(seq_fit(geometry, &op, 0, 0));
}

/* What generated sequences really do, by the oracle. */
static void most_generated_operations_have_an_effect(void **state) {
    extern const struct rescind_target rescind_target_small;
    struct rig *rig = *state;
    const struct harness_options options = {.compare = HARNESS_LOG};
    struct host_enter host;
    struct harness *harness = host_harness_new(&host, &rescind_target_small, 1 << 16, &oracle_policy_exact);
    struct harness_outcome *outcome = malloc(sizeof(*outcome));
    uint64_t executed = 0, changed = 0, units = 0;
    assert_non_null(harness);
    for (int i = 0; i < 400; i++) {
        seq_generate(&rig->a, &rig->random, &first_operations, 32);
        harness_run(harness, &rig->a, &options, outcome);
        executed += outcome->executed;
        changed += outcome->changed_operations;
        units += outcome->changed_units;
    }
    free(outcome);
    host_harness_free(harness);
    assert_true(executed > 400 * 30);
    assert_true(changed * 2 > executed);
    assert_in_range(units, executed * 2, executed * 5);
}

static void apply_guess(struct rig *rig, struct guess *guess, const char *ops) {
    guess_begin(guess, &seq_geometry_small);
    parse_ops(rig, &rig->a, ops);
    for (uint32_t i = 0; i < rig->a.count; i++) {
        if (!guess_apply(guess, &rig->a.op[i]))
            fail_msg("operation %u is not taken for effective", i);
    }
}

static void the_guess_knows_who_is_dead(void **state) {
    struct rig *rig = *state;
    static struct guess guess;
    apply_guess(rig, &guess,
                "p1 = create_pd root payer=root sel=1\n"
                "delegate root obj from=own base=0 order=0 to=p1 at=0 mask=cmr\n"
                "p2 = create_pd p1 payer=root sel=7\n"
                "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x10 mask=rwx\n"
                "delegate p1 mem from=own base=0x10 order=1 to=root at=0x20 mask=rw\n"
                "delegate p1 mem from=own base=0x12 order=0 to=p2 at=0x30 mask=r\n");
    assert_int_equal(guess.alive, 7);
    assert_true(guess_occupied(&guess, 0, ABI_MEM, 0x20, 0) && guess_occupied(&guess, 0, ABI_MEM, 0x21, 0));
    assert_false(guess_occupied(&guess, 0, ABI_MEM, 0x22, 1));
    parse_ops(rig, &rig->b, "revoke root obj base=1 order=0 mask=cmrdq scope=self place=own filter=none\n");
    assert_true(guess_apply(&guess, &rig->b.op[0]));
    assert_int_equal(guess.alive, 1);
    assert_int_equal(guess.count, 1); /* root's capability to itself */
    assert_false(guess_apply(&guess, &rig->a.op[2]));
}

static void the_guess_cuts_ranges(void **state) {
    struct rig *rig = *state;
    static struct guess guess;
    apply_guess(rig, &guess,
                "delegate root mem from=phys base=0x10 order=4 to=self at=0x40 mask=rwx\n"
                "delegate root mem from=own base=0x40 order=4 to=self at=0x80 mask=rw\n"
                "revoke root mem base=0x14 order=2 mask=w scope=children place=phys filter=none\n"
                "revoke root mem base=0x48 order=3 mask=r scope=children place=own filter=none\n"
                "revoke root mem base=0x40 order=4 mask=- scope=drop place=own filter=none\n"
                "revoke root mem base=0x80 order=3 mask=rwx scope=self place=root filter=none\n");
    assert_int_equal(guess.count, 1);
}

static void the_guess_knows_ports_and_objects(void **state) {
    struct rig *rig = *state;
    static struct guess guess;
    apply_guess(rig, &guess,
                "p1 = create_pd root payer=root sel=1 quota=3\n"
                "create_object root payer=root sel=2\n"
                "delegate root obj from=own base=2 order=0 to=p1 at=9 mask=c\n"
                "delegate root pio from=phys base=0x40 order=4 to=p1 at=0x40 mask=a\n"
                "delegate p1 obj from=own base=9 order=0 to=self at=10 mask=c\n"
                "grant p1 obj from=own base=9 order=0 to=self at=11 mask=c\n"
                "revoke root pio base=0x48 order=3 mask=a scope=children place=phys filter=none\n");
    assert_int_equal(guess.alive, 3);
    assert_true(guess_occupied(&guess, 1, ABI_PIO, 0x40, 3));
    assert_false(guess_occupied(&guess, 1, ABI_PIO, 0x48, 3));
    assert_false(guess_occupied(&guess, 1, ABI_OBJ, 9, 0));
    assert_true(guess_occupied(&guess, 1, ABI_OBJ, 11, 0));
    assert_int_equal(guess_cap(&guess, 1, 0), GUESS_NONE); /* an object is no PD */
    parse_ops(rig, &rig->b,
              "delegate root pio from=phys base=0x10 order=0 to=p1 at=0x11 mask=a\n"
              "grant root mem from=phys base=0x10 order=0 to=p1 at=0x11 mask=r\n"
              "destroy_pd root pd=@2\n"
              "p2 = create_pd root payer=@2 sel=5\n"
              "move_quota root from=p1 to=@2 pages=1\n");
    for (uint32_t i = 0; i < rig->b.count; i++)
        assert_false(guess_apply(&guess, &rig->b.op[i]));
}

static void the_guess_moves_ranges(void **state) {
    struct rig *rig = *state;
    static struct guess guess;
    apply_guess(rig, &guess,
                "p1 = create_pd root payer=root sel=1 quota=3\n"
                "delegate root mem from=phys base=0x10 order=2 to=self at=0x40 mask=rwx\n"
                "delegate root mem from=own base=0x40 order=2 to=self at=0x50 mask=rw\n"
                "grant root mem from=own base=0x40 order=2 to=p1 at=0x60 mask=rx\n");
    assert_false(guess_occupied(&guess, 0, ABI_MEM, 0x40, 2));
    assert_true(guess_occupied(&guess, 1, ABI_MEM, 0x60, 2));
    uint32_t child = 0;
    while (child < guess.count && guess.range[child].base != 0x50)
        child++;
    assert_int_equal(guess.range[child].rights, ABI_R);
    assert_int_equal(guess.range[guess.range[child].parent].base, 0x60);
    parse_ops(rig, &rig->b, "grant p1 mem from=own base=0x60 order=1 to=self at=0x80 mask=rwx\n");
    assert_true(guess_apply(&guess, &rig->b.op[0]));
    assert_false(guess_occupied(&guess, 1, ABI_MEM, 0x60, 1));
    assert_true(guess_occupied(&guess, 1, ABI_MEM, 0x62, 1) && guess_occupied(&guess, 1, ABI_MEM, 0x80, 1));
}

static void the_guess_counts_pages(void **state) {
    struct rig *rig = *state;
    static struct guess guess;
    apply_guess(rig, &guess,
                "p1 = create_pd root payer=root sel=1 quota=20\n"
                "p2 = create_pd root payer=p1 sel=2 quota=5\n"
                "move_quota root from=p2 to=p1 pages=2\n");
    uint32_t root = seq_geometry_small.quota_pages - seq_geometry_small.pd_pages - 20;
    assert_int_equal(guess.pages[0], root);
    assert_int_equal(guess.pages[1], 17);
    assert_int_equal(guess.pages[2], 3);
    parse_ops(rig, &rig->b,
              "p3 = create_pd root payer=p2 sel=3 quota=4\n"
              "p3 = create_pd root payer=p1 sel=3 quota=0\n"
              "move_quota root from=p2 to=p1 pages=4\n"
              "move_quota root from=p2 to=p2 pages=1\n"
              "oom n=1\n"
              "destroy_pd root pd=p2\n");
    for (uint32_t i = 0; i < 5; i++)
        assert_false(guess_apply(&guess, &rig->b.op[i]));
    assert_true(guess_apply(&guess, &rig->b.op[5]));
    assert_int_equal(guess.pages[1], 20);
}

static void the_guess_knows_what_runs(void **state) {
    struct rig *rig = *state;
    static struct guess guess;
    guess_begin(&guess, &seq_geometry_small);
    parse(rig, &rig->a,
          CPUS_HEADER "p1 = create_pd root payer=root sel=1\nswitch cpu=2 to=p1\nswitch cpu=0 to=p1\n"
                      "switch cpu=0 to=root\nswitch cpu=1 to=p7\noom n=1\np2 = create_pd root payer=root sel=2\n");
    for (uint32_t i = 0; i < rig->a.count; i++)
        guess_apply(&guess, &rig->a.op[i]);
    assert_int_equal(guess.alive, 3); /* p2 was not made */
    assert_int_equal(guess.runs[0], GUESS_ROOT);
    assert_int_equal(guess.runs[1], GUESS_PDS);
    assert_int_equal(guess.runs[2], 1);
    parse_ops(rig, &rig->b, "destroy_pd root pd=p1\n");
    assert_true(guess_apply(&guess, &rig->b.op[0]));
    assert_int_equal(guess.runs[2], GUESS_PDS);
}

/* Accesses are of use if what they reach is mapped, or was. */
static void accesses_follow_what_happens(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.cpus = 2};
    static struct guess guess;
    uint32_t accesses = 0, hits = 0, stale = 0;
    for (int i = 0; i < 600; i++) {
        bool was[2][SEQ_NAMES + 256] = {{false}};
        seq_generate(&rig->a, &rig->random, &profile, OPS);
        guess_begin(&guess, rig->a.geometry);
        for (uint32_t k = 0; k < OPS; k++) {
            const struct seq_op *op = &rig->a.op[k];
            guess_apply(&guess, op);
            if (op->code != SEQ_ACCESS || op->kind != ABI_MEM || op->base > 255)
                continue;
            uint8_t pd = guess.runs[op->cpu];
            bool hit = pd < GUESS_PDS && guess_occupied(&guess, pd, ABI_MEM, op->base, 0);
            accesses++;
            hits += hit;
            stale += !hit && was[op->cpu][op->base];
            was[op->cpu][op->base] |= hit;
        }
    }
    assert_true(accesses > 600 && hits > accesses / 2 && stale > accesses / 50);
}

/* What a CPU remembers is of interest where a PD runs from which something is taken. */
static void victims_run(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.cpus = 2};
    static struct guess guess;
    uint32_t revokes = 0, running = 0;
    for (int i = 0; i < 600; i++) {
        seq_generate(&rig->a, &rig->random, &profile, OPS);
        guess_begin(&guess, rig->a.geometry);
        for (uint32_t k = 0; k < OPS; k++) {
            const struct seq_op *op = &rig->a.op[k];
            if (op->code == SEQ_REVOKE && op->kind == ABI_MEM && op->place == ABI_OWN && op->caller) {
                revokes++;
                running += guess.runs[1] < GUESS_PDS && guess.runs[1] == guess.slot_of[op->caller];
            }
            guess_apply(&guess, op);
        }
    }
    assert_true(revokes > 600 && running > revokes / 3);
}

/* Mappings go on from PD to PD, some have many children, and PDs that have memory lose their last capability. */
static void pds_take_part(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.cpus = 2, .preempt = 128};
    static struct guess guess;
    uint32_t onward = 0, large = 0, doomed = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t same = 0;
        seq_generate(&rig->a, &rig->random, &profile, 32);
        guess_begin(&guess, rig->a.geometry);
        for (uint32_t k = 0; k < 32; k++) {
            const struct seq_op *op = &rig->a.op[k], *before = &rig->a.op[k ? k - 1 : 0];
            bool derives = op->code == SEQ_DELEGATE && op->kind == ABI_MEM && op->place == ABI_OWN;
            same = derives && before->code == SEQ_DELEGATE && before->base == op->base && before->caller == op->caller
                       ? same + 1
                       : 0;
            large += same == 8;
            onward += derives && op->caller && op->pd.mode == SEQ_CAP_NAME && op->pd.value != op->caller;
            doomed += op->code == SEQ_REVOKE && op->kind == ABI_OBJ && op->scope == ABI_SELF && !op->caller &&
                      op->place == ABI_OWN && op->point && op->mask == ABI_OBJ_RIGHTS && op->order == 0 && op->base;
            guess_apply(&guess, op);
        }
    }
    assert_true(onward > 300 && large > 10 && doomed > 40);
}

struct tally {
    uint32_t ops, changed, code[SEQ_CODES], source[4], place[4], scope[4], kind[4], remote, filtered, selectors, others,
        large, depth, repeats, elsewhere;
};

static void tally_op(struct tally *tally, const struct seq_op *op, const struct seq_op *before) {
    tally->ops++;
    tally->elsewhere += op->cpu != 0;
    tally->code[op->code]++;
    tally->selectors += op->pd.mode == SEQ_CAP_SELECTOR;
    if (op->code == SEQ_DELEGATE) {
        tally->source[op->place]++;
        tally->others += op->caller && op->pd.mode == SEQ_CAP_NAME && op->pd.value != op->caller;
        uint64_t size = (uint64_t)1 << op->order;
        tally->repeats += before->code == SEQ_DELEGATE && before->order == op->order &&
                          op->base == before->base + size && op->destination == before->destination + size;
    }
    if (op->code == SEQ_REVOKE) {
        tally->place[op->place]++;
        tally->scope[op->scope]++;
        tally->filtered += op->filter.mode != SEQ_CAP_NONE;
    }
    tally->kind[op->kind]++;
    tally->large += op->order >= 4;
}

static void generated_sequences_are_varied(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.operations = (1u << SEQ_CODES) - 1, .cpus = 3};
    struct tally tally = {0};
    static struct guess guess;
    for (int i = 0; i < 400; i++) {
        const struct seq_op none = {.code = SEQ_LOOKUP};
        seq_generate(&rig->a, &rig->random, &profile, 32);
        guess_begin(&guess, rig->a.geometry);
        for (uint32_t k = 0; k < 32; k++) {
            tally_op(&tally, &rig->a.op[k], k ? &rig->a.op[k - 1] : &none);
            tally.changed += guess_apply(&guess, &rig->a.op[k]);
        }
        for (uint32_t k = 0; k < guess.count; k++)
            tally.depth += guess.range[k].depth >= 3;
    }
    uint32_t few = tally.ops / 1000;
    assert_true(tally.changed > tally.ops * 6 / 10);
    for (uint32_t i = 0; i < SEQ_RESUME; i++)
        assert_true(tally.code[i] > 4 * few);
    assert_true(tally.code[SEQ_LOOKUP] < tally.ops / 10);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(tally.place[i] > 4 * few);
        assert_true(tally.scope[i] > 4 * few);
    }
    assert_true(tally.source[ABI_OWN] > 100 * few && tally.source[ABI_PHYS] > 100 * few);
    assert_true(tally.scope[3] && tally.place[3] && tally.kind[3] && tally.kind[ABI_PIO]);
    assert_true(tally.kind[ABI_OBJ] > 20 * few && tally.kind[ABI_PIO] > 20 * few);
    assert_true(tally.code[SEQ_DELEGATE] > tally.ops / 3 && tally.code[SEQ_REVOKE] > tally.ops / 12);
    assert_true(tally.elsewhere > 50 * few && tally.elsewhere < tally.ops / 2);
    assert_true(tally.filtered > 2 * few && tally.selectors > 4 * few && tally.others > 4 * few);
    assert_true(tally.large > 10 * few && tally.depth > 10 * few && tally.repeats > 10 * few);
}

static void swarms_differ(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    uint32_t without_revoke = 0, without_create = 0, many_revokes = 0, late = 0;
    for (int i = 0; i < 200; i++) {
        uint32_t first = 0, revokes = 0, creates = 0;
        seq_generate(&rig->a, &rig->random, &profile, OPS);
        for (uint32_t k = 0; k < OPS; k++) {
            creates += rig->a.op[k].code == SEQ_CREATE_PD;
            revokes += rig->a.op[k].code == SEQ_REVOKE;
            first += rig->a.op[k].code == SEQ_REVOKE && k < OPS / 2;
        }
        without_revoke += revokes == 0;
        without_create += creates == 0;
        many_revokes += revokes > OPS / 3;
        late += revokes > OPS / 8 && first * 4 < revokes;
    }
    assert_true(without_revoke > 4 && without_create > 4 && many_revokes > 4 && late > 10);
}

static void real_sequences_use_the_edges(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    uint32_t top = 0, border = 0, large = 0, high = 0;
    rig->a.geometry = &seq_geometry_real;
    for (int i = 0; i < 300; i++) {
        seq_generate(&rig->a, &rig->random, &profile, 32);
        for (uint32_t k = 0; k < 32; k++) {
            const struct seq_op *op = &rig->a.op[k];
            if (op->code != SEQ_DELEGATE || op->kind != ABI_MEM || op->order > 35)
                continue;
            uint64_t end = op->destination + ((uint64_t)1 << op->order);
            top += end == (uint64_t)1 << 35;
            border += op->order < 18 && (end & ((1 << 18) - 1)) == 0;
            high += op->destination >= (uint64_t)1 << 27;
            large += op->order >= 18 && op->order <= 20;
        }
    }
    assert_true(top > 10 && border > 50 && high > 50 && large > 10);
}

/* ---- mutator ---- */

static void mutants_are_canonical_and_bounded(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    for (int i = 0; i < 200; i++) {
        rig->a.geometry = seq_geometries[i % SEQ_GEOMETRIES];
        seq_generate(&rig->a, &rig->random, &profile, (uint32_t)below(rig, 40));
        for (int k = 0; k < 60; k++) {
            uint32_t most = 1 + (uint32_t)below(rig, OPS);
            seq_mutate(&rig->a, &rig->random, &profile, most);
            assert_in_range(rig->a.count, 1, most);
            assert_print_parses(rig, &rig->a, &rig->b);
            size_t length = seq_pack(&rig->a, rig->bytes, sizeof(rig->bytes));
            seq_unpack(&rig->c, rig->bytes, length);
            assert_same_ops(&rig->a, &rig->c);
        }
    }
}

static void mutation_is_deterministic_and_does_something(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    uint32_t same = 0, longer = 0, shorter = 0, equal = 0;
    for (int i = 0; i < 1000; i++) {
        seq_generate(&rig->a, &rig->random, &profile, 16);
        struct seq_random random = rig->random;
        memcpy(rig->op[1], rig->op[0], 16 * sizeof(struct seq_op));
        memcpy(rig->op[2], rig->op[0], 16 * sizeof(struct seq_op));
        rig->b.count = rig->c.count = 16;
        seq_mutate(&rig->b, &rig->random, &profile, 32);
        seq_mutate(&rig->c, &random, &profile, 32);
        assert_same_ops(&rig->b, &rig->c);
        equal += rig->b.count == 16;
        longer += rig->b.count > 16;
        shorter += rig->b.count < 16;
        same += rig->b.count == 16 && memcmp(rig->op[0], rig->op[1], 16 * sizeof(struct seq_op)) == 0;
    }
    assert_true(equal > 200 && longer > 200 && shorter > 100);
    assert_in_range(same, 0, 100);
}

/* From one delegate, the mutator must find its neighbour (repeat) and others' copies. */
static void mutation_repeats_ranges(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    uint32_t runs = 0;
    for (int i = 0; i < 500; i++) {
        parse_ops(rig, &rig->a, "delegate root mem from=phys base=0x10 order=2 to=self at=0x40 mask=rwx\n");
        seq_mutate(&rig->a, &rig->random, &profile, 16);
        for (uint32_t k = 0; k + 1 < rig->a.count; k++)
            runs += rig->a.op[k + 1].base == 0x14 && rig->a.op[k + 1].destination == 0x44;
    }
    assert_true(runs > 10);
}

/* An operation of that code, whatever it is about. */
static const struct seq_op *first_of(const struct seq *seq, uint8_t code) {
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq->op[i].code == code)
            return &seq->op[i];
    }
    return NULL;
}

static void mutation_accesses_what_was_revoked(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    uint32_t after = 0, both = 0, switched = 0, one_cpu = 0;
    for (int i = 0; i < 4000; i++) {
        parse(rig, &rig->a,
              CPUS_HEADER "p1 = create_pd root payer=root sel=1\n"
                          "delegate root pio from=phys base=0x40 order=0 to=p1 at=0x40 mask=a\n"
                          "delegate root mem from=phys base=0x10 order=0 to=p1 at=0x20 mask=rwx\n"
                          "revoke root mem base=0x10 order=0 mask=w scope=children place=phys filter=none\n");
        if (i % 2) {
            rig->a.op[1] = (struct seq_op){.code = SEQ_SWITCH, .caller = 1, .cpu = 2};
        }
        seq_mutate(&rig->a, &rig->random, &profile, 16);
        for (uint32_t k = 1; k < rig->a.count; k++) {
            const struct seq_op *op = &rig->a.op[k];
            if (op->code != SEQ_ACCESS || op->base != 0x20 || op[-1].code != SEQ_REVOKE)
                continue;
            after += i % 2 && op->cpu == 2;
            both += k > 1 && same_op(op, &op[-2]);
            const struct seq_op *made = first_of(&rig->a, SEQ_SWITCH);
            switched += !(i % 2) && made && made->caller == 1 && made->cpu == op->cpu;
        }
        parse_ops(rig, &rig->a,
                  "delegate root mem from=phys base=0x10 order=0 to=self at=0x20 mask=rwx\n"
                  "revoke root mem base=0x20 order=0 mask=w scope=self place=own filter=none\n");
        seq_mutate(&rig->a, &rig->random, &profile, 16);
        one_cpu += first_of(&rig->a, SEQ_ACCESS) || first_of(&rig->a, SEQ_SWITCH) || first_of(&rig->a, SEQ_OOM);
    }
    assert_true(after > 50 && both > 50 && switched > 20);
    assert_int_equal(one_cpu, 0);
}

static void mutation_toggles_cpus_and_fails_allocations(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.operations = (1u << SEQ_CODES) - 1};
    uint32_t toggled = 0, failing = 0;
    for (int i = 0; i < 1000; i++) {
        parse(rig, &rig->a, CPUS_HEADER "lookup root mem unit=0x0\n");
        seq_mutate(&rig->a, &rig->random, &profile, 16);
        toggled += rig->a.op[0].code == SEQ_LOOKUP && rig->a.op[0].cpu;
        failing += rig->a.count > 1 && rig->a.op[0].code == SEQ_OOM && seq_is_call(rig->a.op[1].code);
        for (uint32_t k = 0; k < rig->a.count; k++)
            assert_in_range(rig->a.op[k].cpu, 0, 2);
    }
    assert_true(toggled > 30 && failing > 15);
}

static void crossover_takes_from_both(void **state) {
    struct rig *rig = *state;
    uint32_t both = 0;
    rig->a.count = rig->b.count = 20;
    for (uint32_t i = 0; i < 20; i++) {
        seq_blank(&rig->a.op[i], (uint8_t)(i % SEQ_ACCESS));
        seq_blank(&rig->b.op[i], (uint8_t)(i % SEQ_ACCESS));
        rig->a.op[i].caller = 1, rig->b.op[i].caller = 2;
    }
    strcpy(rig->c.meta.title, "old");
    for (int round = 0; round < 300; round++) {
        uint32_t of_a = 0, of_b = 0;
        seq_crossover(&rig->c, &rig->a, &rig->b, &rig->random, 30);
        assert_in_range(rig->c.count, 1, 30);
        assert_string_equal(rig->c.meta.title, "");
        for (uint32_t i = 0; i < rig->c.count; i++) {
            const struct seq *from = rig->c.op[i].caller == 1 ? &rig->a : &rig->b;
            bool found = false;
            for (uint32_t k = 0; k < from->count; k++)
                found |= same_op(&from->op[k], &rig->c.op[i]);
            assert_true(found);
            of_a += from == &rig->a;
            of_b += from == &rig->b;
        }
        both += of_a && of_b;
    }
    assert_true(both > 200);
    any_seq(rig, &rig->b, &seq_geometry_real, 20);
    seq_crossover(&rig->c, &rig->a, &rig->b, &rig->random, 40);
    assert_int_equal(rig->c.cpus, SEQ_CPUS);
    assert_int_equal(rig->a.cpus, 1);
    seq_crossover(&rig->c, &rig->a, &rig->b, &rig->random, 40);
    assert_print_parses(rig, &rig->c, &rig->a);
}

/* ---- schedules that are made ---- */

struct schedule_tally {
    uint32_t suspendable, suspended, inside, deepest, resumes, code[SEQ_CODES];
    uint32_t nested_blocks, outer_first; /* in another one's block; of these, where the outer one goes on first */
};

static void tally_schedules(struct schedule_tally *tally, const struct seq *seq) {
    struct seq_nesting nesting;
    uint32_t operation;
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i < seq->count; i++) {
        const struct seq_op *op = &seq->op[i];
        while (seq_nesting_close(&nesting, i, &operation))
            continue;
        tally->suspendable += op->code == SEQ_REVOKE || op->code == SEQ_DESTROY_PD;
        tally->suspended += seq_has_schedule(op);
        tally->resumes += op->code == SEQ_RESUME;
        tally->inside += nesting.depth != 0;
        tally->code[op->code] += nesting.depth != 0;
        tally->deepest = nesting.depth > tally->deepest ? nesting.depth : tally->deepest;
        if (nesting.depth && seq_has_schedule(op) && op->nested && i + 1 < seq->count) {
            tally->nested_blocks++;
            tally->outer_first += op[1].code == SEQ_RESUME && op[1].nested == SEQ_INNERMOST + 1;
        }
        seq_nesting_open(&nesting, op, i);
    }
}

/* Operations in a block that use units or a PD of the operation whose block it is, or end it. */
static uint32_t count_related(const struct seq *seq) {
    struct seq_nesting nesting;
    uint32_t operation, related = 0;
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i < seq->count; i++) {
        const struct seq_op *op = &seq->op[i];
        while (seq_nesting_close(&nesting, i, &operation))
            continue;
        if (nesting.depth) {
            const struct seq_op *around = &seq->op[nesting.block[nesting.depth - 1].operation];
            uint64_t units = (uint64_t)1 << (around->order & 31);
            bool near = op->kind == around->kind &&
                        (op->base / units == around->base / units || op->destination / units == around->base / units);
            bool same_pd = op->caller && (op->caller == around->caller || op->caller == around->pd.value);
            related += near || same_pd || op->code == SEQ_RESUME;
        }
        seq_nesting_open(&nesting, op, i);
    }
    return related;
}

static void generated_schedules_do_something(void **state) {
    struct rig *rig = *state;
    const struct seq_profile none = {.operations = (1u << SEQ_CODES) - 1, .cpus = 3};
    struct seq_profile some = {.operations = (1u << SEQ_CODES) - 1, .cpus = 3, .preempt = 128};
    struct schedule_tally without = {0}, with = {0};
    uint32_t related = 0;
    for (int i = 0; i < 400; i++) {
        seq_generate(&rig->a, &rig->random, &none, 32);
        tally_schedules(&without, &rig->a);
        seq_generate(&rig->a, &rig->random, &some, 32);
        tally_schedules(&with, &rig->a);
        related += count_related(&rig->a);
        assert_print_parses(rig, &rig->a, &rig->b);
        for (uint32_t k = 0; k < rig->a.count; k++)
            assert_in_range(rig->a.op[k].cpu, 0, 2);
    }
    assert_int_equal(without.suspended + without.resumes, 0);
    assert_in_range(with.suspended, with.suspendable / 3, with.suspendable * 2 / 3);
    assert_true(with.deepest >= 2 && with.resumes > with.inside / 40);
    assert_true(related > with.inside / 2);
    assert_in_range(with.outer_first, with.nested_blocks / 5, with.nested_blocks / 2);
    const uint8_t inside[] = {SEQ_CREATE_PD, SEQ_DELEGATE, SEQ_REVOKE, SEQ_DESTROY_PD, SEQ_LOOKUP, SEQ_ACCESS};
    for (size_t i = 0; i < sizeof(inside); i++)
        assert_true(with.code[inside[i]] > with.inside / 50);
}

/* Also in blocks. */
static void profiles_are_obeyed_in_blocks(void **state) {
    struct rig *rig = *state;
    for (uint32_t operations = 1; operations < 1u << SEQ_RESUME; operations += 7) {
        const struct seq_profile profile = {.operations = operations, .kinds = 1u << ABI_MEM, .preempt = 200};
        seq_generate(&rig->a, &rig->random, &profile, OPS);
        for (uint32_t i = 0; i < OPS; i++) {
            assert_true(operations >> rig->a.op[i].code & 1 || rig->a.op[i].code == SEQ_RESUME);
            assert_int_not_equal(rig->a.op[i].kind, ABI_OBJ);
        }
    }
    const struct seq_profile budget = {.unit_budget = 1000, .preempt = 200};
    for (int i = 0; i < 100; i++) {
        rig->a.geometry = &seq_geometry_real;
        seq_generate(&rig->a, &rig->random, &budget, OPS);
        assert_in_range(charged_units(&rig->a), 0, 1000);
    }
}

static void mutation_changes_schedules(void **state) {
    struct rig *rig = *state;
    const struct seq_profile none = {.cpus = 1}, some = {.cpus = 1, .preempt = 64};
    uint32_t added = 0, removed = 0, moved = 0, longer = 0, resumes = 0;
    for (int i = 0; i < 4000; i++) {
        static const char plain[] = "p1 = create_pd root payer=root sel=1\n" REVOKE "\nlookup root mem unit=0x0\n";
        static const char scheduled[] = "p1 = create_pd root payer=root sel=1\n" REVOKE
                                        " preempt=3 run=1\n  lookup root mem unit=0x0\ndestroy_pd root pd=p1\n";
        struct schedule_tally tally = {0};
        parse_ops(rig, &rig->a, plain);
        seq_mutate(&rig->a, &rig->random, &some, 16);
        assert_print_parses(rig, &rig->a, &rig->b);
        added += rig->a.count == 3 && seq_has_schedule(&rig->a.op[1]);
        parse_ops(rig, &rig->a, plain);
        seq_mutate(&rig->a, &rig->random, &none, 16);
        tally_schedules(&tally, &rig->a);
        assert_int_equal(tally.suspended + tally.resumes, 0);
        parse_ops(rig, &rig->a, scheduled);
        seq_mutate(&rig->a, &rig->random, &some, 16);
        assert_print_parses(rig, &rig->a, &rig->b);
        const struct seq_op *op = rig->a.op;
        bool kept = rig->a.count == 4 && op[1].code == SEQ_REVOKE && op[3].code == SEQ_DESTROY_PD;
        removed += kept && op[1].point == 0 && op[3].point == 0;
        moved += kept && op[1].point == 0 && op[3].point == 3;
        longer += rig->a.count == 5 && op[1].point == 3 && op[1].nested == 2;
        resumes += first_of(&rig->a, SEQ_RESUME) != NULL;
    }
    assert_true(added > 200 && removed > 15 && moved > 15 && longer > 100 && resumes > 5);
}

/* As long as there is room. */
static void crossover_keeps_blocks_whole(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 300; i++) {
        parse_ops(rig, &rig->a, nested_blocks);
        parse_ops(rig, &rig->b, nested_blocks);
        seq_crossover(&rig->c, &rig->a, &rig->b, &rig->random, 64);
        for (uint32_t k = 0; k < rig->c.count; k++) {
            if (rig->c.op[k].code != SEQ_DESTROY_PD)
                continue;
            assert_in_range(k + 5, 5, rig->c.count - 1);
            for (uint32_t inside = 0; inside < 6; inside++)
                assert_true(same_op(&rig->c.op[k + inside], &rig->a.op[1 + inside]));
        }
    }
}

/* ---- shrinker ---- */

struct judge {
    bool (*fails)(const struct seq *seq);
    uint32_t calls;
};

static bool judge_fails(void *context, const struct seq *seq) {
    struct judge *judge = context;
    judge->calls++;
    return judge->fails(seq);
}

static uint32_t shrink(struct rig *rig, struct seq *seq, bool (*fails)(const struct seq *seq), uint32_t budget,
                       uint32_t memo_count) {
    struct judge judge = {.fails = fails};
    uint64_t *memo = malloc(sizeof(uint64_t) * (memo_count + 1));
    memset(memo, 0xa5, sizeof(uint64_t) * (memo_count + 1));
    uint32_t calls = seq_shrink(seq, judge_fails, &judge, budget, memo, memo_count);
    free(memo);
    (void)rig;
    assert_int_equal(calls, judge.calls);
    assert_in_range(calls, 0, budget);
    return calls;
}

static bool always(const struct seq *seq) {
    (void)seq;
    return true;
}

static bool never(const struct seq *seq) {
    (void)seq;
    return false;
}

static bool has_drop(const struct seq *seq) {
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq->op[i].code == SEQ_REVOKE && seq->op[i].scope == ABI_DROP)
            return true;
    }
    return false;
}

/* A PD that was made gets a superpage, which is then cut remotely. */
static bool cuts_a_superpage(const struct seq *seq) {
    for (uint32_t c = 0; c < seq->count; c++) {
        for (uint32_t d = c + 1; d < seq->count && seq->op[c].code == SEQ_CREATE_PD; d++) {
            const struct seq_op *made = &seq->op[c], *given = &seq->op[d];
            if (given->code != SEQ_DELEGATE || given->order < 2 || given->kind != ABI_MEM ||
                given->pd.mode != SEQ_CAP_NAME || given->pd.value != made->name)
                continue;
            for (uint32_t r = d + 1; r < seq->count; r++) {
                const struct seq_op *taken = &seq->op[r];
                if (taken->code == SEQ_REVOKE && taken->place == ABI_PLACE_CAP && taken->pd.mode == SEQ_CAP_NAME &&
                    taken->pd.value == made->name && taken->order < given->order && taken->kind == ABI_MEM &&
                    taken->base >> given->order == given->destination >> given->order)
                    return true;
            }
        }
    }
    return false;
}

/* Delegates come in pairs, and there is one. */
static bool has_paired_delegates(const struct seq *seq) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < seq->count; i++)
        count += seq->op[i].code == SEQ_DELEGATE;
    return count >= 2 && count % 2 == 0;
}

/* The same, but as long as there are lookups it takes exactly six. */
static bool has_late_pairs(const struct seq *seq) {
    uint32_t delegates = 0, lookups = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        delegates += seq->op[i].code == SEQ_DELEGATE;
        lookups += seq->op[i].code == SEQ_LOOKUP;
    }
    return lookups ? delegates == 6 : has_paired_delegates(seq);
}

/* All of the 50 delegates to p1, and the revoke. */
static bool fills_p1(const struct seq *seq) {
    uint32_t delegates = 0, revokes = 0;
    for (uint32_t i = 0; i < seq->count; i++) {
        const struct seq_op *op = &seq->op[i];
        delegates += op->code == SEQ_DELEGATE && op->pd.value == 1;
        revokes += op->code == SEQ_REVOKE && op->pd.value == 1;
    }
    return delegates == 50 && revokes == 1;
}

static bool has_undefined_values(const struct seq *seq) {
    for (uint32_t i = 0; i < seq->count; i++) {
        const struct seq_op *op = &seq->op[i];
        if (op->code == SEQ_REVOKE && op->place == 3 && op->mask & 0x40)
            return true;
    }
    return false;
}

static bool needs_p7(const struct seq *seq) {
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq->op[i].code == SEQ_LOOKUP && seq->op[i].caller)
            return true;
    }
    return false;
}

static void shrinking_leaves_what_is_needed(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, examples);
    shrink(rig, &rig->a, always, 1000, 0);
    assert_prints(rig, &rig->a, "p1 = create_pd root payer=root sel=0\n");
    parse_ops(rig, &rig->a,
              "p9 = create_pd root payer=@3 sel=9\n"
              "delegate p9 mem from=own base=0x73 order=0 to=p9 at=0x31 mask=r\n"
              "revoke p9 obj base=57 order=0 mask=- scope=drop place=@6 filter=@9\n"
              "delegate p9 mem from=own base=0x73 order=0 to=p9 at=0x31 mask=r\n");
    shrink(rig, &rig->a, has_drop, 1000, 64);
    assert_prints(rig, &rig->a, "revoke root mem base=0x0 order=0 mask=rwx scope=drop place=own filter=none\n");
    parse_ops(rig, &rig->a, "p9 = create_pd root payer=@3 sel=9\nlookup p7 mem unit=0x1\nlookup root mem unit=0x1\n");
    shrink(rig, &rig->a, needs_p7, 1000, 64);
    assert_prints(rig, &rig->a, "lookup p1 mem unit=0x0\n");
}

static void shrinking_keeps_related_operations(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    for (int i = 0; i < 20; i++) {
        seq_generate(&rig->a, &rig->random, &profile, 400);
        struct seq_op *op = rig->a.op;
        parse_ops(rig, &rig->b,
                  "p201 = create_pd p3 payer=@6 sel=9\n"
                  "delegate p2 mem from=own base=0x50 order=4 to=p201 at=0xd0 mask=r\n"
                  "revoke p4 mem base=0xd8 order=3 mask=0x9 scope=scope3 place=p201 filter=p3\n");
        op[100] = rig->b.op[0];
        op[200] = rig->b.op[1];
        op[300] = rig->b.op[2];
        shrink(rig, &rig->a, cuts_a_superpage, 20000, 4096);
        assert_prints(rig, &rig->a,
                      "p1 = create_pd root payer=root sel=0\n"
                      "delegate root mem from=own base=0x0 order=2 to=p1 at=0x0 mask=rwx\n"
                      "revoke root mem base=0x0 order=0 mask=rwx scope=children place=p1 filter=none\n");
    }
}

static void shrinking_removes_pairs(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.operations = 1u << SEQ_DELEGATE};
    seq_generate(&rig->a, &rig->random, &profile, 40);
    shrink(rig, &rig->a, has_paired_delegates, 5000, 1024);
    assert_int_equal(rig->a.count, 2);
    rig->a.count = 13;
    for (uint32_t i = 0; i < rig->a.count; i++)
        seq_blank(&rig->a.op[i], i % 2 ? SEQ_DELEGATE : SEQ_LOOKUP);
    shrink(rig, &rig->a, has_late_pairs, 5000, 1024);
    assert_int_equal(rig->a.count, 2);
}

/* The range lies where its size says. */
static bool has_tied_fields(const struct seq *seq) {
    const struct seq_op *op = first_of(seq, SEQ_DELEGATE);
    return op && op->base == (uint64_t)4 << op->order;
}

/* One lookup stays where it is, so that not all units can move at once. */
static bool names_a_unit_twice(const struct seq *seq) {
    const struct seq_op *given = first_of(seq, SEQ_DELEGATE), *taken = first_of(seq, SEQ_REVOKE);
    const struct seq_op *lookup = first_of(seq, SEQ_LOOKUP);
    return given && taken && lookup && lookup->base == 0x25 && given->destination == taken->base;
}

static bool names_a_pd_twice(const struct seq *seq) {
    const struct seq_op *given = first_of(seq, SEQ_DELEGATE), *taken = first_of(seq, SEQ_REVOKE);
    return given && taken && given->pd.mode == SEQ_CAP_NAME && taken->pd.mode == SEQ_CAP_NAME &&
           given->pd.value == taken->pd.value;
}

/* All three lookups or none. */
static bool has_triple(const struct seq *seq) {
    uint32_t lookups = 0;
    for (uint32_t i = 0; i < seq->count; i++)
        lookups += seq->op[i].code == SEQ_LOOKUP;
    return has_drop(seq) && lookups % 3 == 0;
}

/* Each change alone would end the failure. */
static void shrinking_changes_together(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, "delegate root mem from=phys base=0x20 order=3 to=self at=0x0 mask=rwx\n");
    shrink(rig, &rig->a, has_tied_fields, 5000, 1024);
    assert_prints(rig, &rig->a, "delegate root mem from=own base=0x4 order=0 to=self at=0x0 mask=rwx\n");
    parse_ops(rig, &rig->a,
              "lookup root mem unit=0x25\n"
              "delegate root mem from=own base=0x0 order=0 to=self at=0x25 mask=rwx\n"
              "revoke root mem base=0x25 order=0 mask=rwx scope=children place=own filter=none\n");
    shrink(rig, &rig->a, names_a_unit_twice, 20000, 4096);
    assert_prints(rig, &rig->a,
                  "delegate root mem from=own base=0x0 order=0 to=self at=0x0 mask=rwx\n"
                  "revoke root mem base=0x0 order=0 mask=rwx scope=children place=own filter=none\n"
                  "lookup root mem unit=0x25\n");
    parse_ops(rig, &rig->a,
              "delegate root mem from=own base=0x0 order=0 to=p3 at=0x0 mask=rwx\n"
              "revoke root mem base=0x0 order=0 mask=rwx scope=children place=p3 filter=none\n");
    shrink(rig, &rig->a, names_a_pd_twice, 20000, 4096);
    assert_prints(rig, &rig->a,
                  "delegate root mem from=own base=0x0 order=0 to=root at=0x0 mask=rwx\n"
                  "revoke root mem base=0x0 order=0 mask=rwx scope=children place=root filter=none\n");
    parse_ops(rig, &rig->a,
              "lookup root mem unit=0x0\ncreate_object root payer=root sel=1\nlookup root mem unit=0x0\n"
              "revoke root mem base=0x0 order=0 mask=rwx scope=drop place=own filter=none\nlookup root mem unit=0x0\n");
    shrink(rig, &rig->a, has_triple, 5000, 1024);
    assert_int_equal(rig->a.count, 1);
}

/* A total order, in which simpler comes first. */
static void sequences_are_ordered(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    for (int i = 0; i < 200; i++) {
        seq_generate(&rig->a, &rig->random, &profile, 3);
        seq_generate(&rig->b, &rig->random, &profile, 2 + (uint32_t)i % 2);
        seq_generate(&rig->c, &rig->random, &profile, 3);
        assert_int_equal(seq_compare(&rig->a, &rig->a), 0);
        assert_int_equal(seq_compare(&rig->a, &rig->b), -seq_compare(&rig->b, &rig->a));
        if (seq_compare(&rig->a, &rig->b) <= 0 && seq_compare(&rig->b, &rig->c) <= 0)
            assert_true(seq_compare(&rig->a, &rig->c) <= 0);
    }
    parse_ops(rig, &rig->a, "lookup root mem unit=0x1\n");
    parse_ops(rig, &rig->b, "lookup root mem unit=0x2\n");
    assert_true(seq_compare(&rig->a, &rig->b) < 0);
    parse_ops(rig, &rig->b, "lookup root mem unit=0x0\nlookup root mem unit=0x0\n");
    assert_true(seq_compare(&rig->a, &rig->b) < 0);
    parse_ops(rig, &rig->a, "revoke root mem base=0x0 order=0 mask=rwx scope=self place=own filter=none\n");
    parse_ops(rig, &rig->b, "revoke root mem base=0x0 order=0 mask=rw scope=self place=own filter=none\n");
    assert_true(seq_compare(&rig->a, &rig->b) < 0);
}

static void unrelated_operations_go_at_once(void **state) {
    struct rig *rig = *state;
    rig->a.count = 0;
    for (uint8_t i = 0; i < 100; i++) {
        struct seq_op *op = &rig->a.op[rig->a.count++];
        seq_blank(op, SEQ_DELEGATE);
        op->pd = (struct seq_cap){.mode = SEQ_CAP_NAME, .value = 1 + i % 2};
    }
    struct seq_op *op = &rig->a.op[rig->a.count++];
    seq_blank(op, SEQ_REVOKE);
    op->place = ABI_PLACE_CAP;
    op->pd = (struct seq_cap){.mode = SEQ_CAP_NAME, .value = 1};
    shrink(rig, &rig->a, fills_p1, 12, 64);
    assert_int_equal(rig->a.count, 51);
}

static void undefined_values_are_simplified(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, "revoke p3 kind3 base=0x1ff order=63 mask=0xf5 scope=scope3 place=place3 filter=root\n");
    shrink(rig, &rig->a, has_undefined_values, 5000, 1024);
    char text[SEQ_TEXT_MAX];
    seq_print_op(&rig->a.op[0], text);
    assert_string_equal(text, "revoke root mem base=0x0 order=0 mask=0xf5 scope=children place=place3 filter=none");
    assert_print_parses(rig, &rig->a, &rig->b);
}

static bool has_access_elsewhere(const struct seq *seq) {
    const struct seq_op *access = first_of(seq, SEQ_ACCESS), *oom = first_of(seq, SEQ_OOM);
    return access && access->cpu && access->base >= 0x10 && oom && oom->mask >= 2;
}

static bool has_two_cpus(const struct seq *seq) {
    const struct seq_op *a = first_of(seq, SEQ_GRANT), *b = first_of(seq, SEQ_MOVE_QUOTA);
    return a && b && a->cpu != b->cpu && b->base;
}

static void cpus_and_quotas_are_simplified(void **state) {
    struct rig *rig = *state;
    parse(rig, &rig->a, cpu_examples);
    assert_int_equal(rig->a.cpus, 3);
    shrink(rig, &rig->a, always, 5000, 1024);
    assert_prints(rig, &rig->a, "p1 = create_pd root payer=root sel=0\n");
    parse(rig, &rig->a, cpu_examples);
    rig->a.op[15].mask = 200;
    rig->a.op[11].base = 0x98;
    rig->a.op[10] = rig->a.op[11];
    shrink(rig, &rig->a, has_access_elsewhere, 5000, 1024);
    seq_print(&rig->a, rig->text, sizeof(rig->text));
    assert_string_equal(rig->text, "# rescind: 1\n# geometry: small\n# cpus: 2\n\n"
                                   "access cpu=1 mem unit=0x10 rights=r\noom n=2\n");
    parse(rig, &rig->a, cpu_examples);
    shrink(rig, &rig->a, has_two_cpus, 5000, 1024);
    seq_print(&rig->a, rig->text, sizeof(rig->text));
    assert_string_equal(rig->text, "# rescind: 1\n# geometry: small\n# cpus: 2\n\n"
                                   "grant root mem from=own base=0x0 order=0 to=self at=0x0 mask=rwx\n"
                                   "move_quota root from=root to=root pages=1 cpu=1\n");
    assert_int_equal(shrink(rig, &rig->a, never, 5, 16), 1);
    assert_int_equal(rig->a.cpus, 2);
}

/* A lookup of unit 7 runs while a destroy is suspended at its second point or a later one. */
static bool looks_inside(const struct seq *seq) {
    struct seq_nesting nesting;
    uint32_t operation, found = 0;
    seq_nesting_begin(&nesting, seq->count);
    for (uint32_t i = 0; i < seq->count; i++) {
        while (seq_nesting_close(&nesting, i, &operation))
            continue;
        for (uint32_t depth = 0; depth < nesting.depth; depth++) {
            const struct seq_op *around = &seq->op[nesting.block[depth].operation];
            found += around->code == SEQ_DESTROY_PD && around->point >= 2 && seq->op[i].code == SEQ_LOOKUP &&
                     seq->op[i].base == 7;
        }
        seq_nesting_open(&nesting, &seq->op[i], i);
    }
    return found;
}

static bool has_seven_and_nine(const struct seq *seq) {
    bool seven = false, nine = false;
    for (uint32_t i = 0; i < seq->count; i++) {
        seven |= seq->op[i].code == SEQ_LOOKUP && seq->op[i].base == 7;
        nine |= seven && seq->op[i].code == SEQ_LOOKUP && seq->op[i].base == 9;
    }
    return nine;
}

static void preemptions_are_removed_first(void **state) {
    static const char blocks[] = "destroy_pd root pd=@1 preempt=9 run=9\n"
                                 "  lookup root mem unit=0x1\n"
                                 "  " REVOKE " preempt=3 run=6\n"
                                 "    lookup root mem unit=0x3\n"
                                 "    destroy_pd p1 pd=p2 preempt=7 run=4\n"
                                 "      lookup root mem unit=0x5\n"
                                 "      lookup root mem unit=0x7\n"
                                 "      resume of=2 points=3\n"
                                 "      lookup root mem unit=0x9\n"
                                 "  resume of=1\n";
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, blocks);
    shrink(rig, &rig->a, looks_inside, 10000, 1024);
    assert_prints(rig, &rig->a, "destroy_pd root pd=root preempt=2 run=1\n  lookup root mem unit=0x7\n");
    parse_ops(rig, &rig->a, blocks);
    shrink(rig, &rig->a, has_seven_and_nine, 10000, 1024);
    assert_prints(rig, &rig->a, "lookup root mem unit=0x7\nlookup root mem unit=0x9\n");
    parse_ops(rig, &rig->a, blocks); /* with a budget for little else */
    shrink(rig, &rig->a, has_seven_and_nine, 2, 1024);
    for (uint32_t i = 0; i < rig->a.count; i++)
        assert_false(seq_has_schedule(&rig->a.op[i]) || rig->a.op[i].code == SEQ_RESUME);
}

static void removing_any_operation_heals(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {0};
    uint32_t failing = 0;
    for (int i = 0; i < 200; i++) {
        seq_generate(&rig->a, &rig->random, &profile, OPS);
        if (!cuts_a_superpage(&rig->a))
            continue;
        failing++;
        shrink(rig, &rig->a, cuts_a_superpage, 20000, 4096);
        assert_true(cuts_a_superpage(&rig->a));
        for (uint32_t at = 0; at < rig->a.count; at++) {
            rig->b.count = 0;
            for (uint32_t k = 0; k < rig->a.count; k++) {
                if (k != at)
                    rig->b.op[rig->b.count++] = rig->a.op[k];
            }
            assert_false(cuts_a_superpage(&rig->b));
        }
    }
    assert_true(failing > 5);
}

static void what_does_not_fail_stays(void **state) {
    struct rig *rig = *state;
    parse_ops(rig, &rig->a, examples);
    assert_int_equal(shrink(rig, &rig->a, never, 1000, 16), 1);
    assert_prints(rig, &rig->a, examples);
    assert_int_equal(shrink(rig, &rig->a, always, 0, 16), 0);
    assert_prints(rig, &rig->a, examples);
}

static void budget_and_memo_are_used(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.operations = 1u << SEQ_DELEGATE | 1u << SEQ_REVOKE};
    do {
        seq_generate(&rig->a, &rig->random, &profile, OPS);
    } while (!has_drop(&rig->a));
    uint32_t calls[2];
    for (int i = 0; i < 2; i++) {
        memcpy(rig->op[i + 1], rig->op[0], OPS * sizeof(struct seq_op));
        struct seq *copy = i ? &rig->c : &rig->b;
        copy->count = OPS;
        calls[i] = shrink(rig, copy, has_drop, 100000, i ? 4096 : 0);
    }
    assert_same_ops(&rig->b, &rig->c);
    assert_true(calls[1] < calls[0]);
    assert_int_equal(shrink(rig, &rig->a, has_drop, 3, 64), 3);
    assert_true(has_drop(&rig->a));
}

static void long_sequences_shrink(void **state) {
    struct rig *rig = *state;
    const struct seq_profile profile = {.operations = 1u << SEQ_CREATE_PD | 1u << SEQ_DELEGATE};
    seq_generate(&rig->a, &rig->random, &profile, SEQ_MAX_OPS);
    seq_blank(&rig->a.op[3000], SEQ_REVOKE);
    rig->a.op[3000].scope = ABI_DROP;
    uint32_t calls = shrink(rig, &rig->a, has_drop, 2000, 4096);
    assert_int_equal(rig->a.count, 1);
    assert_in_range(calls, 10, 500);
}

/* ---- documentation ---- */

static void documented_table_is_the_table(void **state) {
    struct rig *rig = *state;
    char *text = read_source("docs/sequences.md");
    assert_in_range(seq_describe(rig->text, sizeof(rig->text)), 1, sizeof(rig->text) - 1);
    assert_non_null(strstr(text, rig->text));
    free(text);
}

/* After a change of the table the file is to be what is printed here. */
static void dictionary_is_of_the_table(void **state) {
    struct rig *rig = *state;
    char *text = read_source("fuzz/text.dict");
    assert_in_range(seq_dictionary(rig->text, sizeof(rig->text)), 1, sizeof(rig->text) - 1);
    assert_string_equal(text, rig->text);
    free(text);
}

static void dictionary_has_every_word(void **state) {
    struct rig *rig = *state;
    char entry[64];
    seq_dictionary(rig->text, sizeof(rig->text));
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        const struct seq_operation *operation = &seq_operations[code];
        snprintf(entry, sizeof(entry), "\n\"%s\"\n", operation->name);
        assert_non_null(strstr(rig->text, entry));
        for (uint32_t i = 0; i < operation->field_count; i++) {
            const char *const *words = seq_types[operation->fields[i].type].words;
            snprintf(entry, sizeof(entry), "\n\"%s=\"\n", operation->fields[i].key);
            assert_true(!operation->fields[i].key[0] || strstr(rig->text, entry));
            for (uint32_t value = 0; words && value < 4; value++) {
                snprintf(entry, sizeof(entry), "\n\"%s\"\n", words[value] ? words[value] : "none");
                assert_non_null(strstr(rig->text, entry));
            }
        }
    }
}

static void documented_examples_parse(void **state) {
    struct rig *rig = *state;
    char *text = read_source("docs/sequences.md");
    uint32_t examples_found = 0;
    for (char *at = strstr(text, "```rsq\n"); at; at = strstr(at, "```rsq\n")) {
        at += strlen("```rsq\n");
        char *end = strstr(at, "```\n");
        assert_non_null(end);
        if (!seq_parse(&rig->a, at, (size_t)(end - at), &rig->error))
            fail_msg("example %u, %u:%u: %s", examples_found, rig->error.line, rig->error.column, rig->error.message);
        assert_true(rig->a.count > 0);
        assert_print_parses(rig, &rig->a, &rig->b);
        examples_found++;
        at = end;
    }
    assert_true(examples_found >= 3);
    free(text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(slots_do_not_overlap),
        TEST(fields_are_consistent),
        TEST(letters_cover_the_rights),
        TEST(geometries_have_names),
        TEST(examples_are_canonical),
        TEST(fields_are_read),
        TEST(new_fields_are_read),
        TEST(defaults_are_not_printed),
        TEST(stored_sequences_print_as_they_stand),
        TEST(seeds_are_small_and_canonical),
        TEST(spaces_and_comments_are_ignored),
        TEST(every_mask_is_itself_again),
        TEST(masks_are_read_in_any_order_or_as_numbers),
        TEST(undefined_values_have_words),
        TEST(header_is_kept),
        TEST(printing_is_bounded),
        TEST(text_of_an_op_fits),
        TEST(headers_are_checked),
        TEST(operations_are_checked),
        TEST(schedules_are_read),
        TEST(indentation_is_checked),
        TEST(blocks_end_where_they_should),
        TEST(blocks_shrink_with_their_operations),
        TEST(blocks_grow_with_their_operations),
        TEST(blocks_are_not_cut),
        TEST(schedules_are_packed),
        TEST(too_many_operations_are_refused),
        TEST(any_text_is_safe),
        TEST(long_lines_are_safe),
        TEST(text_binary_text_is_identity),
        TEST(every_byte_string_is_a_sequence),
        TEST(an_exact_op_needs_no_context),
        TEST(packed_bits_are_where_the_table_says),
        TEST(old_packed_files_are_read),
        TEST(cpus_are_packed),
        TEST(every_quota_is_itself_again),
        TEST(a_rest_is_padded_and_capacity_is_kept),
        TEST(the_file_header_is_checked),
        TEST(packing_is_bounded),
        TEST(likely_ops_are_likely),
        TEST(random_numbers_are_the_same_everywhere),
        TEST(random_numbers_stay_below),
        TEST(generation_is_deterministic),
        TEST(generated_sequences_are_canonical),
        TEST(profiles_are_obeyed),
        TEST(first_operations_give_the_same_sequences),
        TEST(budgets_are_kept),
        TEST(units_are_charged_by_size),
        TEST(most_generated_operations_have_an_effect),
        TEST(the_guess_knows_who_is_dead),
        TEST(the_guess_cuts_ranges),
        TEST(the_guess_knows_ports_and_objects),
        TEST(the_guess_moves_ranges),
        TEST(the_guess_counts_pages),
        TEST(the_guess_knows_what_runs),
        TEST(accesses_follow_what_happens),
        TEST(victims_run),
        TEST(pds_take_part),
        TEST(generated_sequences_are_varied),
        TEST(swarms_differ),
        TEST(real_sequences_use_the_edges),
        TEST(mutants_are_canonical_and_bounded),
        TEST(mutation_is_deterministic_and_does_something),
        TEST(mutation_repeats_ranges),
        TEST(mutation_accesses_what_was_revoked),
        TEST(mutation_toggles_cpus_and_fails_allocations),
        TEST(crossover_takes_from_both),
        TEST(shrinking_leaves_what_is_needed),
        TEST(shrinking_keeps_related_operations),
        TEST(shrinking_removes_pairs),
        TEST(shrinking_changes_together),
        TEST(sequences_are_ordered),
        TEST(unrelated_operations_go_at_once),
        TEST(undefined_values_are_simplified),
        TEST(cpus_and_quotas_are_simplified),
        TEST(generated_schedules_do_something),
        TEST(profiles_are_obeyed_in_blocks),
        TEST(mutation_changes_schedules),
        TEST(crossover_keeps_blocks_whole),
        TEST(preemptions_are_removed_first),
        TEST(removing_any_operation_heals),
        TEST(what_does_not_fail_stays),
        TEST(budget_and_memo_are_used),
        TEST(long_sequences_shrink),
        TEST(documented_table_is_the_table),
        TEST(dictionary_is_of_the_table),
        TEST(dictionary_has_every_word),
        TEST(documented_examples_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
