/*
 * See elf32.h.
 */
#include "cli/elf32.h"

#include "cli/files.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 16, BYTES_MAX = 64 << 20, ALIGNMENT = 4096 };

/* The whole file; free() it. NULL: the user was told. */
static uint8_t *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    uint8_t *content = file ? allocate(BYTES_MAX) : NULL;
    *bytes = content ? fread(content, 1, BYTES_MAX, file) : 0;
    if (!file || ferror(file)) {
        complain_errno("%s", path);
        free(content);
        content = NULL;
    }
    if (file)
        fclose(file);
    return content;
}

static bool is_elf(const uint8_t *content, size_t bytes, unsigned char class) {
    return bytes >= sizeof(Elf64_Ehdr) && memcmp(content, ELFMAG, SELFMAG) == 0 && content[EI_CLASS] == class;
}

/* Whether it is inside the file, and within the first 4 GiB of memory. */
static bool segment_fits(const Elf64_Phdr *segment, size_t bytes) {
    return segment->p_offset <= bytes && segment->p_filesz <= bytes - segment->p_offset &&
           segment->p_filesz <= segment->p_memsz && segment->p_paddr <= UINT32_MAX &&
           segment->p_memsz <= UINT32_MAX - segment->p_paddr;
}

/* Collects loadable segments; 0: it makes no sense. */
static unsigned collect(const uint8_t *content, size_t bytes, Elf64_Phdr segment[SEGMENTS_MAX]) {
    Elf64_Ehdr header;
    unsigned count = 0;
    memcpy(&header, content, sizeof header);
    if (header.e_machine != EM_X86_64 || header.e_entry > UINT32_MAX || header.e_phentsize != sizeof(Elf64_Phdr) ||
        header.e_phoff > bytes || header.e_phnum > (bytes - header.e_phoff) / sizeof(Elf64_Phdr))
        return 0;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr at;
        memcpy(&at, content + header.e_phoff + i * sizeof at, sizeof at);
        if (at.p_type != PT_LOAD)
            continue;
        if (count == SEGMENTS_MAX || !segment_fits(&at, bytes))
            return 0;
        segment[count++] = at;
    }
    return count;
}

static bool write_converted(const uint8_t *content, const Elf64_Phdr *segment, unsigned count, const char *to) {
    Elf64_Ehdr from;
    size_t size = ALIGNMENT;
    memcpy(&from, content, sizeof from);
    for (unsigned i = 0; i < count; i++)
        size += (segment[i].p_filesz + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *out = allocate(size);
    memset(out, 0, size);
    Elf32_Ehdr header = {.e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_version = EV_CURRENT,
                         .e_entry = (Elf32_Addr)from.e_entry,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf32_Phdr),
                         .e_phnum = (Elf32_Half)count};
    memcpy(header.e_ident,
           (const unsigned char[]){ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT}, 7);
    memcpy(out, &header, sizeof header);
    size_t offset = ALIGNMENT;
    for (unsigned i = 0; i < count; i++) {
        Elf32_Phdr at = {.p_type = PT_LOAD,
                         .p_offset = (Elf32_Off)offset,
                         .p_vaddr = (Elf32_Addr)segment[i].p_paddr,
                         .p_paddr = (Elf32_Addr)segment[i].p_paddr,
                         .p_filesz = (Elf32_Word)segment[i].p_filesz,
                         .p_memsz = (Elf32_Word)segment[i].p_memsz,
                         .p_flags = segment[i].p_flags};
        memcpy(out + sizeof header + i * sizeof at, &at, sizeof at);
        memcpy(out + offset, content + segment[i].p_offset, segment[i].p_filesz);
        offset += (segment[i].p_filesz + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    bool good = file_replace(to, out, size);
    free(out);
    return good;
}

bool elf32_convert(const char *from, const char *to) {
    size_t bytes;
    Elf64_Phdr segment[SEGMENTS_MAX];
    uint8_t *content = read_file(from, &bytes);
    bool good = content != NULL;
    if (good && is_elf(content, bytes, ELFCLASS32)) {
        good = file_replace(to, content, bytes);
    } else if (good) {
        unsigned count = is_elf(content, bytes, ELFCLASS64) ? collect(content, bytes, segment) : 0;
        if (count == 0)
            complain("%s: not an ELF file of a kernel for x86", from);
        good = count && write_converted(content, segment, count, to);
    }
    free(content);
    return good;
}
