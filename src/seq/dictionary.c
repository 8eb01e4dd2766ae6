/*
 * The words of the text form, for engines that mutate text: fuzz/text.dict.
 */
#include "out.h"
#include "seq_table.h"

enum { WORDS_MAX = 128 };

struct words {
    const char *word[WORDS_MAX];
    uint32_t count;
};

static bool same(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* False: it is there already. What there is no room for goes missing, which the tests would notice. */
static bool add(struct words *words, const char *word) {
    for (uint32_t i = 0; i < words->count; i++) {
        if (same(words->word[i], word))
            return false;
    }
    if (words->count == WORDS_MAX)
        return false;
    words->word[words->count++] = word;
    return true;
}

static void entry(struct out *out, const char *before, const char *word, const char *after) {
    out_char(out, '"');
    out_text(out, before);
    out_text(out, word);
    out_text(out, after);
    out_text(out, "\"\n");
}

static void word_entry(struct out *out, struct words *words, const char *word) {
    if (word && word[0] && add(words, word))
        entry(out, "", word, "");
}

static void print_words(struct out *out) {
    static const char *const others[] = {"root", "p1", "p255", "@", "0x", " = "};
    struct words words = {.count = 0};
    for (uint32_t code = 0; code < SEQ_CODES; code++)
        word_entry(out, &words, seq_operations[code].name);
    for (uint8_t type = 0; type < SEQ_TYPE_COUNT; type++) {
        word_entry(out, &words, seq_no_cap(type));
        for (uint32_t i = 0; i < 4 && seq_types[type].words; i++)
            word_entry(out, &words, seq_types[type].words[i]);
    }
    for (uint32_t kind = 0; kind < 4; kind++)
        word_entry(out, &words, seq_right_letters[kind]);
    for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        word_entry(out, &words, others[i]);
}

static void print_keys(struct out *out) {
    struct words keys = {.count = 0};
    for (uint32_t code = 0; code < SEQ_CODES; code++) {
        for (uint32_t i = 0; i < seq_operations[code].field_count; i++) {
            const char *key = seq_operations[code].fields[i].key;
            if (key[0] && add(&keys, key))
                entry(out, "", key, "=");
        }
    }
}

static void print_header_lines(struct out *out) {
    static const char line_end[] = "\\x0a";
    out_text(out, "\"# rescind: ");
    out_decimal(out, SEQ_FORMAT_VERSION);
    out_text(out, line_end);
    out_text(out, "\"\n");
    for (uint32_t i = 0; i < SEQ_GEOMETRIES; i++)
        entry(out, "# geometry: ", seq_geometries[i]->name, line_end);
    out_text(out, "\"# cpus: ");
    out_decimal(out, SEQ_CPUS);
    out_text(out, line_end);
    out_text(out, "\"\n");
    for (uint32_t i = 0; i < SEQ_KEY_COUNT; i++)
        entry(out, "# ", seq_keys[i].key, ": ");
}

size_t seq_dictionary(char *text, size_t size) {
    struct out out = {.text = text, .size = size};
    out_text(&out,
             "# Words of the text form, as seq_dictionary() of src/seq prints them; tests/unit/test_seq.c compares.\n");
    print_words(&out);
    print_keys(&out);
    print_header_lines(&out);
    return out_end(&out);
}
