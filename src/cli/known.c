/*
 * See known.h.
 */
#include "cli/known.h"

#include "cli/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 };

/* ---- the file ---- */

static bool take_line(struct known *known, char *line) {
    char *rest = NULL, *signature = strtok_r(line, " \t\n", &rest), *word = strtok_r(NULL, " \t\n", &rest);
    if (!signature || signature[0] == '#')
        return true;
    if (known->count == KNOWN_MAX || strlen(signature) >= HARNESS_SIGNATURE_MAX ||
        (word && strlen(word) >= KNOWN_WORD_MAX) || strtok_r(NULL, " \t\n", &rest))
        return false;
    snprintf(known->line[known->count].signature, HARNESS_SIGNATURE_MAX, "%s", signature);
    snprintf(known->line[known->count].word, KNOWN_WORD_MAX, "%s", word ? word : "");
    known->line[known->count++].seen = 0;
    return true;
}

bool known_load(struct known *known, const char *path) {
    char line[LINE_BYTES];
    bool good = true;
    known->count = 0;
    FILE *file = fopen(path, "r");
    if (!file) {
        complain_errno("%s", path);
        return false;
    }
    for (unsigned number = 1; good && fgets(line, sizeof line, file); number++) {
        good = take_line(known, line);
        if (!good)
            complain("%s:%u: expected SIGNATURE [WORD], and at most %u of them", path, number, KNOWN_MAX);
    }
    fclose(file);
    return good;
}

/* ---- what it masks ---- */

static bool has_word(const struct seq_op *op, const char *word) {
    char text[SEQ_TEXT_MAX];
    seq_print_op(op, text);
    return strstr(text, word);
}

/* False: there is no such operation. */
static bool take_out(struct seq *seq, const char *word) {
    uint32_t kept = 0, before = seq->count;
    for (uint32_t i = 0; i < before; i++) {
        if (!has_word(&seq->op[i], word))
            seq->op[kept++] = seq->op[i];
    }
    seq->count = kept;
    return kept < before;
}

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

bool known_in_flight(struct known *known, const char *signature) {
    for (uint32_t i = 0; i < known->count; i++) {
        if (strcmp(known->line[i].word, "in-flight") != 0 || !begins(signature, known->line[i].signature))
            continue;
        known->line[i].seen++;
        return true;
    }
    return false;
}

bool known_has(struct known *known, struct seq *seq, char signature[HARNESS_SIGNATURE_MAX], known_run *run,
               void *context) {
    for (uint32_t i = 0; i < known->count; i++) {
        if (!begins(signature, known->line[i].signature))
            continue;
        if (known->line[i].word[0]) {
            char left[HARNESS_SIGNATURE_MAX] = "";
            if (!take_out(seq, known->line[i].word))
                continue;
            run(context, seq, left);
            if (left[0]) {
                memcpy(signature, left, sizeof left);
                continue;
            }
        }
        known->line[i].seen++;
        return true;
    }
    return false;
}
