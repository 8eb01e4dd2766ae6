/* See image.h. */
#include "unicorn/image.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbols {
    const Elf64_Sym *symbol;
    uint64_t count;
    const char *names;
    uint64_t names_bytes;
};

/* `bytes` bytes at an offset of the file, or NULL if they are not all in it. */
static const void *part(const struct image *image, uint64_t offset, uint64_t bytes) {
    return offset <= image->bytes && bytes <= image->bytes - offset ? image->file + offset : NULL;
}

bool image_read(struct image *image, const char *path, const char **why) {
    *image = (struct image){0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        *why = "the kernel's file cannot be read";
        return false;
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    image->bytes = size > 0 ? (size_t)size : 0;
    image->file = malloc(image->bytes + 1);
    bool complete = image->file && fread(image->file, 1, image->bytes, file) == image->bytes;
    fclose(file);
    const Elf64_Ehdr *header = complete ? part(image, 0, sizeof *header) : NULL;
    bool good = header && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
                header->e_machine == EM_X86_64 && header->e_phentsize == sizeof(Elf64_Phdr);
    if (!good) {
        *why = "the kernel's file is no program of x86-64";
        image_free(image);
    }
    return good;
}

void image_free(struct image *image) {
    free(image->file);
    *image = (struct image){0};
}

bool image_load(struct image *image, struct memory *memory) {
    const Elf64_Ehdr *header = part(image, 0, sizeof *header);
    const Elf64_Phdr *segment = part(image, header->e_phoff, header->e_phnum * sizeof *segment);
    for (unsigned i = 0; segment && i < header->e_phnum; i++) {
        const Elf64_Phdr *s = &segment[i];
        if (s->p_type != PT_LOAD || s->p_filesz == 0)
            continue;
        const void *bytes = part(image, s->p_offset, s->p_filesz);
        if (!bytes || s->p_paddr > MEMORY_BYTES || s->p_filesz > MEMORY_BYTES - s->p_paddr)
            return false;
        memcpy(memory->bytes + s->p_paddr, bytes, s->p_filesz);
        if (s->p_paddr + s->p_filesz > image->end)
            image->end = s->p_paddr + s->p_filesz;
    }
    return segment && image->end > 0;
}

/* The symbol table, and what names are in. False: there is none. */
static bool symbols(const struct image *image, struct symbols *symbols) {
    const Elf64_Ehdr *header = part(image, 0, sizeof *header);
    const Elf64_Shdr *section = part(image, header->e_shoff, header->e_shnum * sizeof *section);
    for (unsigned i = 0; section && i < header->e_shnum; i++) {
        if (section[i].sh_type != SHT_SYMTAB || section[i].sh_link >= header->e_shnum)
            continue;
        const Elf64_Shdr *names = &section[section[i].sh_link];
        symbols->symbol = part(image, section[i].sh_offset, section[i].sh_size);
        symbols->count = section[i].sh_size / sizeof(Elf64_Sym);
        symbols->names = part(image, names->sh_offset, names->sh_size);
        symbols->names_bytes = names->sh_size;
        return symbols->symbol && symbols->names;
    }
    return false;
}

static const char *name_of(const struct symbols *symbols, const Elf64_Sym *symbol) {
    uint64_t left = symbol->st_name < symbols->names_bytes ? symbols->names_bytes - symbol->st_name : 0;
    return left && memchr(symbols->names + symbol->st_name, 0, left) ? symbols->names + symbol->st_name : "";
}

uint64_t image_symbol(const struct image *image, const char *name) {
    struct symbols all;
    if (!symbols(image, &all))
        return 0;
    for (uint64_t i = 0; i < all.count; i++) {
        if (strcmp(name_of(&all, &all.symbol[i]), name) == 0)
            return all.symbol[i].st_value;
    }
    return 0;
}

void image_function(const struct image *image, uint64_t address, char *name, size_t bytes) {
    struct symbols all;
    const Elf64_Sym *best = NULL;
    bool any = symbols(image, &all);
    for (uint64_t i = 0; any && i < all.count; i++) {
        const Elf64_Sym *symbol = &all.symbol[i];
        unsigned type = ELF64_ST_TYPE(symbol->st_info);
        if ((type == STT_FUNC || type == STT_NOTYPE) && symbol->st_shndx != SHN_ABS && symbol->st_value <= address &&
            (!best || symbol->st_value > best->st_value))
            best = symbol;
    }
    snprintf(name, bytes, "%s", best ? name_of(&all, best) : "?");
}

uint64_t image_find(const struct image *image, uint64_t address, const void *bytes, size_t count) {
    const Elf64_Ehdr *header = part(image, 0, sizeof *header);
    const Elf64_Phdr *segment = part(image, header->e_phoff, header->e_phnum * sizeof *segment);
    for (unsigned i = 0; segment && i < header->e_phnum; i++) {
        const Elf64_Phdr *s = &segment[i];
        const uint8_t *code = s->p_flags & PF_X ? part(image, s->p_offset, s->p_filesz) : NULL;
        uint64_t from = address > s->p_vaddr ? address - s->p_vaddr : 0;
        const uint8_t *found =
            code && from < s->p_filesz ? memmem(code + from, s->p_filesz - from, bytes, count) : NULL;
        if (found)
            return s->p_vaddr + (uint64_t)(found - code);
    }
    return 0;
}
