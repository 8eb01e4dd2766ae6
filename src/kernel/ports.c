/* See ports.h. */
#include "ports.h"

#include "check.h"

enum { WORD_LOG2 = 6, WORDS = (1 << GEO_PIO_LOG2) >> WORD_LOG2 };

static uint64_t bitmap[GEO_PDS][WORDS];
static uint32_t touched = GEO_PDS; /* bitmaps below may be permitted memory */

/* The bits of an aligned range in the word that holds its first port. */
static uint64_t bits_of(uint64_t base, unsigned order) {
    uint64_t low = order < WORD_LOG2 ? (UINT64_C(1) << (1U << order)) - 1 : UINT64_MAX;
    return low << (base & ((1U << WORD_LOG2) - 1));
}

static void flip(uint32_t pd, uint64_t base, unsigned order, bool denied) {
    uint64_t bits = bits_of(base, order);
    uint32_t first = (uint32_t)(base >> WORD_LOG2);
    uint32_t count = order > WORD_LOG2 ? 1U << (order - WORD_LOG2) : 1;
    for (uint32_t word = first; word < first + count; word++) {
        KSTEP();
        KASSERT((bitmap[pd][word] & bits) == (denied ? bits : 0));
        arch_store_ports(pd, word, &bitmap[pd][word], bitmap[pd][word] ^ bits);
    }
}

void ports_reset(void) {
    arch_forbid(bitmap, touched * sizeof *bitmap);
    touched = 0;
}

void ports_create(uint32_t pd) {
    touched = pd < touched ? touched : pd + 1;
    arch_permit(bitmap[pd], sizeof bitmap[pd]);
    __builtin_memset(bitmap[pd], 0xff, sizeof bitmap[pd]);
}

void ports_destroy(uint32_t pd) {
    arch_forbid(bitmap[pd], sizeof bitmap[pd]);
}

void ports_permit(uint32_t pd, uint64_t base, unsigned order) {
    flip(pd, base, order, true);
}

void ports_deny(uint32_t pd, uint64_t base, unsigned order) {
    flip(pd, base, order, false);
}

const uint64_t *ports_of(uint32_t pd) {
    return bitmap[pd];
}
