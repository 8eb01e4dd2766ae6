/*
 * Archives of sequences: what is put in comes out, and no bytes at all do harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "seq/archive.h"

enum { PIECES = 3, PIECE_BYTES = 32, BYTES = ARCHIVE_HEADER_BYTES + PIECES * (ARCHIVE_HEADER_BYTES + PIECE_BYTES) };

static void make(uint8_t bytes[BYTES]) {
    archive_put_header(bytes, PIECES);
    uint8_t *at = bytes + ARCHIVE_HEADER_BYTES;
    for (int i = 0; i < PIECES; i++, at += PIECE_BYTES) {
        archive_put_length(at, PIECE_BYTES);
        at += ARCHIVE_HEADER_BYTES;
        memset(at, 'a' + i, PIECE_BYTES);
    }
}

static uint32_t take_all(const uint8_t *bytes, size_t length, struct archive *archive) {
    const uint8_t *packed;
    size_t size;
    uint32_t taken = 0;
    if (!archive_open(archive, bytes, length))
        return 0;
    for (; archive_next(archive, &packed, &size); taken++) {
        assert_true(packed >= bytes && packed + size <= bytes + length);
        assert_int_equal(packed[0], 'a' + taken);
        assert_int_equal(packed[size - 1], 'a' + taken);
    }
    return taken;
}

static void test_all_comes_out(void **state) {
    (void)state;
    uint8_t bytes[BYTES];
    struct archive archive;
    make(bytes);
    assert_int_equal(take_all(bytes, BYTES, &archive), PIECES);
    assert_int_equal(archive.count, 0);
}

static void test_cut_off_anywhere(void **state) {
    (void)state;
    uint8_t bytes[BYTES];
    make(bytes);
    for (size_t length = 0; length < BYTES; length++) {
        struct archive archive;
        uint32_t taken = take_all(bytes, length, &archive);
        assert_true(taken < PIECES);
        assert_true(length < ARCHIVE_HEADER_BYTES || archive.count == PIECES - taken);
    }
}

static void test_what_is_no_archive(void **state) {
    (void)state;
    uint8_t bytes[BYTES];
    struct archive archive;
    make(bytes);
    bytes[0] ^= 1;
    assert_false(archive_open(&archive, bytes, BYTES));
    make(bytes);
    archive_put_length(bytes + ARCHIVE_HEADER_BYTES, UINT32_MAX);
    assert_int_equal(take_all(bytes, BYTES, &archive), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_comes_out),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_what_is_no_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
