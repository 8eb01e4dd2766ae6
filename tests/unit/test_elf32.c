/*
 * Kernels with 64-bit headers, as QEMU takes them: segments stay where they are in memory, with their content; what
 * makes no sense is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/elf32.h"

enum { FILE_BYTES = 0x400, CONTENT = 0x200, OUT_MAX = 1 << 16 };

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segment[2];
};

static struct image sound_image(void) {
    struct image image = {.header = {.e_type = ET_EXEC,
                                     .e_machine = EM_X86_64,
                                     .e_entry = 0x200010,
                                     .e_phoff = sizeof(Elf64_Ehdr),
                                     .e_phentsize = sizeof(Elf64_Phdr),
                                     .e_phnum = 2},
                          .segment = {{.p_type = PT_NOTE},
                                      {.p_type = PT_LOAD,
                                       .p_offset = CONTENT,
                                       .p_vaddr = UINT64_C(0xffffffff81000000),
                                       .p_paddr = 0x1000000,
                                       .p_filesz = 5,
                                       .p_memsz = 0x3000,
                                       .p_flags = PF_R | PF_X}}};
    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    return image;
}

/* Length of what came out, into `out`; 0: refused. */
static size_t convert(const struct image *image, uint8_t out[OUT_MAX]) {
    char from[] = "/tmp/test_elf32-XXXXXX", to[sizeof from + 4];
    uint8_t content[FILE_BYTES] = {0};
    size_t length = 0;
    memcpy(content, image, sizeof *image);
    memcpy(content + CONTENT, "hello", 5);
    int file = mkstemp(from);
    assert_true(file >= 0 && write(file, content, sizeof content) == (ssize_t)sizeof content);
    close(file);
    snprintf(to, sizeof to, "%s.out", from);
    if (elf32_convert(from, to)) {
        FILE *written = fopen(to, "rb");
        assert_non_null(written);
        length = fread(out, 1, OUT_MAX, written);
        fclose(written);
    }
    unlink(from);
    unlink(to);
    return length;
}

static void test_segments_are_kept(void **state) {
    (void)state;
    static uint8_t out[OUT_MAX];
    struct image image = sound_image();
    assert_true(convert(&image, out) > sizeof(Elf32_Ehdr));
    Elf32_Ehdr header;
    Elf32_Phdr segment;
    memcpy(&header, out, sizeof header);
    memcpy(&segment, out + header.e_phoff, sizeof segment);
    assert_int_equal(header.e_ident[EI_CLASS], ELFCLASS32);
    assert_int_equal(header.e_machine, EM_386);
    assert_int_equal(header.e_entry, 0x200010);
    assert_int_equal(header.e_phnum, 1); /* the note is not loaded */
    assert_int_equal(segment.p_paddr, 0x1000000);
    assert_int_equal(segment.p_filesz, 5);
    assert_int_equal(segment.p_memsz, 0x3000);
    assert_memory_equal(out + segment.p_offset, "hello", 5);
}

static void test_nonsense_is_refused(void **state) {
    (void)state;
    static uint8_t out[OUT_MAX];
    struct image image = sound_image();
    image.header.e_machine = EM_AARCH64;
    assert_int_equal(convert(&image, out), 0);
    image = sound_image();
    image.segment[1].p_paddr = UINT64_C(1) << 32;
    assert_int_equal(convert(&image, out), 0);
    image = sound_image();
    image.segment[1].p_offset = FILE_BYTES - 4;
    assert_int_equal(convert(&image, out), 0);
    image = sound_image();
    image.header.e_phnum = 1;
    assert_int_equal(convert(&image, out), 0); /* nothing to load */
    image = sound_image();
    image.header.e_phoff = UINT64_MAX;
    assert_int_equal(convert(&image, out), 0);
    image = sound_image();
    image.header.e_ident[0] = 'x';
    assert_int_equal(convert(&image, out), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_are_kept),
        cmocka_unit_test(test_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
