/*
 * Files of sequences: finding, reading and writing them. Whatever is wrong is told to the user here, with the path.
 */
#ifndef RESCIND_CLI_FILES_H
#define RESCIND_CLI_FILES_H

#include "cli/cli.h"

enum { FILE_BYTES_MAX = 4 << 20 };

/* Paths in the order in which they are to be taken. */
struct file_list {
    char **path;
    size_t count, capacity;
    bool bad; /* something named or found could not be taken; the user was told */
};

/* Files as given; of directories every *.rsq and *.bin below, sorted by name. A directory without any is bad. */
void file_list_collect(struct file_list *list, char *const *arguments, size_t count);
void file_list_free(struct file_list *list);

/* What bare operations do not say of themselves. */
struct raw_form {
    const struct seq_geometry *geometry;
    uint8_t cpus;
};

/* Reads a sequence, text or packed; with `raw`, bare operations of that form. False: the user was told. The
 * operations are allocated with room for SEQ_MAX_OPS; free with sequence_free. */
bool sequence_load(struct seq *seq, const char *path, const struct raw_form *raw);
void sequence_allocate(struct seq *seq, const struct seq_geometry *geometry);
void sequence_free(struct seq *seq);

/* The sequence as text, NUL-terminated; free() it. */
char *sequence_text(const struct seq *seq, size_t *length);

/* Replaces a file in one step: it has the old content or the new, whatever happens. What is not a regular file is
 * simply written to. False: the user was told. */
bool file_replace(const char *path, const void *bytes, size_t length);

/* The last component of a path. */
const char *file_name(const char *path);

#endif
