/*
 * Many sequences in one piece of memory, as a boot module carries them. Freestanding; depends on nothing.
 *
 * 16 bytes: the magic "rsqmany1", the number of sequences and a zero (32 bits each, little-endian). Then for each
 * sequence 16 bytes, the length of its packed form (seq_pack) and zeros, and that form, whose length is a multiple of
 * 16.
 */
#ifndef RESCIND_SEQ_ARCHIVE_H
#define RESCIND_SEQ_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARCHIVE_HEADER_BYTES = 16 };

/* The header of an archive, or with an empty one the front of a sequence in it. */
void archive_put_header(uint8_t bytes[ARCHIVE_HEADER_BYTES], uint32_t count);
void archive_put_length(uint8_t bytes[ARCHIVE_HEADER_BYTES], uint32_t length);

struct archive {
    const uint8_t *at;
    size_t left;
    uint32_t count; /* sequences not yet taken */
};

/* False: it is no archive. Any bytes are safe. */
bool archive_open(struct archive *archive, const void *bytes, size_t length);

/* The next sequence's packed form. False: there is none, or it is cut off; then count says how many are missing. */
bool archive_next(struct archive *archive, const uint8_t **packed, size_t *length);

#endif
