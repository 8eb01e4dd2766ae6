/*
 * Files of sequences: finding, reading and writing them.
 */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- finding ---- */

static void list_add(struct file_list *list, const char *path) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->path = realloc(list->path, list->capacity * sizeof *list->path);
        if (!list->path) {
            complain("out of memory");
            exit(EXIT_BAD);
        }
    }
    size_t size = strlen(path) + 1;
    list->path[list->count++] = memcpy(allocate(size), path, size);
}

static bool is_sequence_name(const char *name) {
    size_t length = strlen(name);
    return length > 4 && (strcmp(name + length - 4, ".rsq") == 0 || strcmp(name + length - 4, ".bin") == 0);
}

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void list_bad(struct file_list *list, const char *path, const char *why) {
    complain("%s: %s", path, why);
    list->bad = true;
}

static void collect_entry(struct file_list *list, const FTSENT *entry) {
    bool wanted = is_sequence_name(entry->fts_name);
    switch (entry->fts_info) {
    case FTS_DC:
        list_bad(list, entry->fts_path, "directory loop");
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        list_bad(list, entry->fts_path, strerror(entry->fts_errno));
        break;
    case FTS_SLNONE:
        if (wanted)
            list_bad(list, entry->fts_path, "symbolic link to nothing");
        break;
    case FTS_F:
    case FTS_DEFAULT: /* not a regular file: refused when it is read */
        if (wanted)
            list_add(list, entry->fts_path);
        break;
    default:
        break;
    }
}

static void collect_directory(struct file_list *list, char *path) {
    char *roots[] = {path, NULL};
    size_t before = list->count;
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!tree) {
        list_bad(list, path, strerror(errno));
        return;
    }
    for (FTSENT *entry = fts_read(tree); entry; entry = fts_read(tree))
        collect_entry(list, entry);
    fts_close(tree);
    if (list->count == before)
        list_bad(list, path, "no .rsq or .bin file in this directory");
}

void file_list_collect(struct file_list *list, char *const *arguments, size_t count) {
    *list = (struct file_list){0};
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        if (stat(arguments[i], &status) != 0)
            list_bad(list, arguments[i], strerror(errno));
        else if (S_ISDIR(status.st_mode))
            collect_directory(list, arguments[i]);
        else
            list_add(list, arguments[i]);
    }
}

void file_list_free(struct file_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->path[i]);
    free(list->path);
}

/* ---- reading ---- */

static bool read_all(int file, const char *path, uint8_t *bytes, size_t *length) {
    *length = 0;
    for (;;) {
        ssize_t got = read(file, bytes + *length, FILE_BYTES_MAX + 1 - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            complain_errno("%s", path);
            return false;
        }
        *length += (size_t)got;
        if (*length > FILE_BYTES_MAX) {
            complain("%s: larger than any sequence (%d bytes)", path, FILE_BYTES_MAX);
            return false;
        }
        if (got == 0)
            return true;
    }
}

static uint8_t *file_read(const char *path, size_t *length) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        complain_errno("%s", path);
        if (file >= 0)
            close(file);
        return NULL;
    }
    uint8_t *bytes = NULL;
    if (!S_ISREG(status.st_mode)) {
        complain("%s: not a regular file", path);
    } else {
        bytes = allocate(FILE_BYTES_MAX + 1);
        if (!read_all(file, path, bytes, length)) {
            free(bytes);
            bytes = NULL;
        }
    }
    close(file);
    return bytes;
}

void sequence_allocate(struct seq *seq, const struct seq_geometry *geometry) {
    memset(seq, 0, sizeof *seq);
    seq->geometry = geometry;
    seq->capacity = SEQ_MAX_OPS;
    seq->op = allocate(SEQ_MAX_OPS * sizeof *seq->op);
}

void sequence_free(struct seq *seq) {
    free(seq->op);
    seq->op = NULL;
}

/* Decoding is total, but a file that lost its end or has more than can be run is not what its author meant. */
static bool load_packed(struct seq *seq, const char *path, const uint8_t *bytes, size_t length) {
    if (length % SEQ_OP_BYTES != 0 || length / SEQ_OP_BYTES > SEQ_MAX_OPS + 1) {
        complain("%s: expected a header and at most %d operations of %d bytes, found %zu bytes", path, SEQ_MAX_OPS,
                 SEQ_OP_BYTES, length);
        return false;
    }
    seq_unpack(seq, bytes, length);
    return true;
}

static bool load_raw(struct seq *seq, const char *path, const uint8_t *bytes, size_t length) {
    if (length > (size_t)SEQ_MAX_OPS * SEQ_OP_BYTES) {
        complain("%s: expected at most %d operations of %d bytes, found %zu bytes", path, SEQ_MAX_OPS, SEQ_OP_BYTES,
                 length);
        return false;
    }
    seq_unpack_ops(seq, bytes, length);
    return true;
}

static bool load_text(struct seq *seq, const char *path, const uint8_t *bytes, size_t length) {
    struct seq_error error;
    if (seq_parse(seq, (const char *)bytes, length, &error))
        return true;
    complain("%s:%u:%u: %s", path, error.line, error.column, error.message);
    return false;
}

bool sequence_load(struct seq *seq, const char *path, const struct raw_form *raw) {
    size_t length;
    uint8_t *bytes = file_read(path, &length);
    if (!bytes)
        return false;
    sequence_allocate(seq, raw ? raw->geometry : &seq_geometry_small);
    seq->cpus = raw ? raw->cpus : 1;
    bool good = raw                            ? load_raw(seq, path, bytes, length)
                : seq_is_packed(bytes, length) ? load_packed(seq, path, bytes, length)
                                               : load_text(seq, path, bytes, length);
    free(bytes);
    if (!good)
        sequence_free(seq);
    return good;
}

/* ---- writing ---- */

char *sequence_text(const struct seq *seq, size_t *length) {
    *length = seq_print(seq, &(char){0}, 0);
    char *text = allocate(*length + 1);
    seq_print(seq, text, *length + 1);
    return text;
}

static bool write_all(int file, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        ssize_t put = write(file, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes += put;
        length -= (size_t)put;
    }
    return true;
}

static bool close_file(int file) {
    return close(file) == 0 || errno == EINTR;
}

static bool write_in_place(const char *path, const void *bytes, size_t length) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool good = file >= 0 && write_all(file, bytes, length);
    if (!good)
        complain_errno("%s", path);
    if (file >= 0)
        good = close_file(file) && good;
    return good;
}

static bool write_beside(const char *path, mode_t mode, const void *bytes, size_t length) {
    size_t size = strlen(path) + sizeof ".XXXXXX";
    char *temporary = allocate(size);
    snprintf(temporary, size, "%s.XXXXXX", path);
    int file = mkostemp(temporary, O_CLOEXEC);
    bool good = file >= 0 && write_all(file, bytes, length) && fchmod(file, mode) == 0 && fsync(file) == 0;
    if (!good)
        complain_errno("%s", path);
    if (file >= 0 && !close_file(file) && good) {
        complain_errno("%s", path);
        good = false;
    }
    if (good && rename(temporary, path) != 0) {
        complain_errno("%s", path);
        good = false;
    }
    if (!good && file >= 0)
        unlink(temporary);
    free(temporary);
    return good;
}

bool file_replace(const char *path, const void *bytes, size_t length) {
    struct stat status;
    if (stat(path, &status) == 0) {
        if (!S_ISREG(status.st_mode))
            return write_in_place(path, bytes, length);
        char *target = realpath(path, NULL); /* a link stays a link */
        bool good = write_beside(target ? target : path, status.st_mode & 0777, bytes, length);
        free(target);
        return good;
    }
    mode_t mask = umask(0);
    umask(mask);
    return write_beside(path, 0666 & ~mask, bytes, length);
}
