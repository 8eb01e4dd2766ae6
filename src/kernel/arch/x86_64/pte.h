/*
 * The format of x86-64 page-table entries (Intel SDM vol. 3A, section 4.5), as far as this kernel uses it. Numbers
 * only.
 */
#ifndef RESCIND_PTE_H
#define RESCIND_PTE_H

#include "abi/abi.h"

#include <stdbool.h>
#include <stdint.h>

#define PTE_PRESENT (UINT64_C(1) << 0)
#define PTE_WRITE (UINT64_C(1) << 1)
#define PTE_USER (UINT64_C(1) << 2)
#define PTE_LARGE (UINT64_C(1) << 7)
#define PTE_NO_EXECUTE (UINT64_C(1) << 63)
#define PTE_FRAME_MASK UINT64_C(0x000ffffffffff000)

enum { PTE_FRAME_SHIFT = 12 };

static inline bool pte_present(uint64_t entry) {
    return (entry & PTE_PRESENT) != 0;
}

static inline bool pte_large(uint64_t entry) {
    return (entry & PTE_LARGE) != 0;
}

static inline uint64_t pte_frame(uint64_t entry) {
    return (entry & PTE_FRAME_MASK) >> PTE_FRAME_SHIFT;
}

/* An entry that points to the table in that frame. Rights are decided by the leaf alone. */
static inline uint64_t pte_to_table(uint64_t frame) {
    return frame << PTE_FRAME_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER;
}

/* A leaf at that level (0: a page) with the rights of memory; rights must include ABI_R. */
static inline uint64_t pte_leaf(unsigned level, uint64_t frame, unsigned rights) {
    return frame << PTE_FRAME_SHIFT | PTE_PRESENT | PTE_USER | (rights & ABI_W ? PTE_WRITE : 0) |
           (rights & ABI_X ? 0 : PTE_NO_EXECUTE) | (level > 0 ? PTE_LARGE : 0);
}

#endif
