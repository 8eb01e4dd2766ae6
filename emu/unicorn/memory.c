/* See memory.h. */
#include "unicorn/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { FRAMES_MAX = 1 << 11, TOUCHED_MAX = 1 << 10, BLOCK_PAGES = MEMORY_BLOCK / MEMORY_PAGE };
#define ENTRY_DIRTY (UINT64_C(1) << 6)

bool memory_open(struct memory *memory) {
    *memory = (struct memory){0};
    void *bytes = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return false;
    memory->bytes = bytes;
    madvise(bytes, MEMORY_BYTES, MADV_NOHUGEPAGE); /* a word that is written touches one page */
    memory->saved_at = calloc(MEMORY_KERNEL_PAGES, sizeof *memory->saved_at);
    memory->frame = calloc(FRAMES_MAX, sizeof *memory->frame);
    return memory->saved_at && memory->frame;
}

void memory_close(struct memory *memory) {
    if (memory->bytes)
        munmap(memory->bytes, MEMORY_BYTES);
    free(memory->saved);
    free(memory->saved_page);
    free(memory->saved_at);
    free(memory->frame);
    *memory = (struct memory){0};
}

static uint8_t *kernel_page(const struct memory *memory, uint32_t page) {
    return memory->bytes + MEMORY_KERNEL + (uint64_t)page * MEMORY_PAGE;
}

static bool is_zero(const uint8_t *page) {
    return !page[0] && memcmp(page, page + 1, MEMORY_PAGE - 1) == 0;
}

/* Which pages of a block were touched. */
static void look(const struct memory *memory, uint32_t block, uint8_t resident[BLOCK_PAGES]) {
    mincore(memory->bytes + MEMORY_KERNEL + block * MEMORY_BLOCK, MEMORY_BLOCK, resident);
}

static bool save_page(struct memory *memory, uint32_t page, uint32_t *room) {
    if (memory->saved_count == *room) {
        *room = *room ? 2 * *room : BLOCK_PAGES;
        memory->saved = realloc(memory->saved, (size_t)*room * MEMORY_PAGE);
        memory->saved_page = realloc(memory->saved_page, *room * sizeof *memory->saved_page);
        if (!memory->saved || !memory->saved_page)
            return false;
    }
    memcpy(memory->saved + (size_t)memory->saved_count * MEMORY_PAGE, kernel_page(memory, page), MEMORY_PAGE);
    memory->saved_page[memory->saved_count++] = page;
    memory->saved_at[page] = memory->saved_count;
    return true;
}

bool memory_save(struct memory *memory) {
    uint32_t room = 0;
    uint8_t resident[BLOCK_PAGES];
    for (uint32_t block = 0; block < MEMORY_KERNEL_BLOCKS; block++) {
        if (memory->mapping[block])
            *memory->mapping[block] &= ~ENTRY_DIRTY;
    }
    for (uint32_t block = 0; block < MEMORY_KERNEL_BLOCKS; block++) {
        look(memory, block, resident);
        for (uint32_t i = 0; i < BLOCK_PAGES; i++) {
            uint32_t page = block * BLOCK_PAGES + i;
            if (!(resident[i] & 1) || is_zero(kernel_page(memory, page)))
                continue;
            if (!save_page(memory, page, &room))
                return false;
            memory->mapping[block] = NULL; /* the CPU itself may write to tables */
        }
    }
    madvise(memory->bytes, MEMORY_KERNEL, MADV_DONTNEED);
    return true;
}

void memory_note(struct memory *memory, uint64_t frame) {
    if (memory->frames < FRAMES_MAX)
        memory->frame[memory->frames] = (uint32_t)frame;
    memory->frames++;
}

bool memory_knows_frames(const struct memory *memory) {
    return memory->frames <= FRAMES_MAX;
}

static void restore_page(struct memory *memory, uint32_t page) {
    uint8_t *now = kernel_page(memory, page);
    uint32_t at = memory->saved_at[page];
    if (!at)
        memset(now, 0, MEMORY_PAGE);
    else if (memcmp(now, memory->saved + (size_t)(at - 1) * MEMORY_PAGE, MEMORY_PAGE) != 0)
        memcpy(now, memory->saved + (size_t)(at - 1) * MEMORY_PAGE, MEMORY_PAGE);
}

/* The number of pages. */
static uint32_t restore_block(struct memory *memory, uint32_t block) {
    uint8_t resident[BLOCK_PAGES];
    uint32_t touched = 0;
    look(memory, block, resident);
    for (uint32_t i = 0; i < BLOCK_PAGES; i++) {
        if (!(resident[i] & 1))
            continue;
        restore_page(memory, block * BLOCK_PAGES + i);
        touched++;
    }
    return touched;
}

static void restore_frames(struct memory *memory, bool all) {
    all = all || !memory_knows_frames(memory);
    if (all)
        madvise(memory->bytes, MEMORY_KERNEL, MADV_DONTNEED);
    for (uint32_t i = 0; i < memory->frames && !all; i++)
        memset(memory->bytes + (uint64_t)memory->frame[i] * MEMORY_PAGE, 0, MEMORY_PAGE);
    memory->frames = 0;
}

static bool was_written(const struct memory *memory, uint32_t block) {
    return !memory->mapping[block] || *memory->mapping[block] & ENTRY_DIRTY;
}

void memory_restore(struct memory *memory, bool thorough) {
    bool written[MEMORY_KERNEL_BLOCKS]; /* noted first: the entries are restored too */
    uint32_t touched = 0;
    restore_frames(memory, thorough);
    for (uint32_t block = 0; block < MEMORY_KERNEL_BLOCKS; block++)
        written[block] = was_written(memory, block);
    for (uint32_t block = 0; block < MEMORY_KERNEL_BLOCKS && !thorough; block++)
        touched += written[block] ? restore_block(memory, block) : 0;
    if (!thorough && touched < TOUCHED_MAX)
        return;
    madvise(memory->bytes + MEMORY_KERNEL, MEMORY_BYTES - MEMORY_KERNEL, MADV_DONTNEED);
    for (uint32_t i = 0; i < memory->saved_count; i++)
        restore_page(memory, memory->saved_page[i]);
}
