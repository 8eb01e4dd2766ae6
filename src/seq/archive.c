/* See archive.h. */
#include "archive.h"

enum { MAGIC_BYTES = 8 };

static const uint8_t magic[MAGIC_BYTES] = {'r', 's', 'q', 'm', 'a', 'n', 'y', '1'};

static void put(uint8_t *bytes, uint32_t number) {
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

static uint32_t get(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void archive_put_header(uint8_t bytes[ARCHIVE_HEADER_BYTES], uint32_t count) {
    __builtin_memset(bytes, 0, ARCHIVE_HEADER_BYTES);
    __builtin_memcpy(bytes, magic, MAGIC_BYTES);
    put(bytes + MAGIC_BYTES, count);
}

void archive_put_length(uint8_t bytes[ARCHIVE_HEADER_BYTES], uint32_t length) {
    __builtin_memset(bytes, 0, ARCHIVE_HEADER_BYTES);
    put(bytes, length);
}

bool archive_open(struct archive *archive, const void *bytes, size_t length) {
    if (length < ARCHIVE_HEADER_BYTES || __builtin_memcmp(bytes, magic, MAGIC_BYTES) != 0)
        return false;
    archive->at = (const uint8_t *)bytes + ARCHIVE_HEADER_BYTES;
    archive->left = length - ARCHIVE_HEADER_BYTES;
    archive->count = get((const uint8_t *)bytes + MAGIC_BYTES);
    return true;
}

bool archive_next(struct archive *archive, const uint8_t **packed, size_t *length) {
    if (!archive->count || archive->left < ARCHIVE_HEADER_BYTES)
        return false;
    *length = get(archive->at);
    if (*length > archive->left - ARCHIVE_HEADER_BYTES)
        return false;
    *packed = archive->at + ARCHIVE_HEADER_BYTES;
    archive->at += ARCHIVE_HEADER_BYTES + *length;
    archive->left -= ARCHIVE_HEADER_BYTES + *length;
    archive->count--;
    return true;
}
