/*
 * The numbers of the binary interface: operations, result codes, rights and the layout of the system-call registers.
 *
 * The only file that the kernel shares with the oracle, the sequence codec and the harness; numbers only, no code.
 * Depends on nothing. What the numbers mean is said in docs/semantics.md.
 */
#ifndef RESCIND_ABI_H
#define RESCIND_ABI_H

#include <stdint.h>

/* Operations: ABI word 0, bits 0..7. Numbers are never used again for something else. */
enum abi_operation {
    ABI_CREATE_PD = 1,
    ABI_DELEGATE = 2,
    ABI_REVOKE = 3,
    ABI_DESTROY_PD = 4,
    ABI_LOOKUP = 5,
    ABI_CREATE_OBJECT = 6,
    ABI_GRANT = 7,
    ABI_MOVE_QUOTA = 8,
};

/* Result codes: ABI word 0 on return. Listed in the order in which they win when several errors apply. */
enum abi_code {
    ABI_OK = 0,
    ABI_E_ARG = 1,
    ABI_E_CAP = 2,
    ABI_E_RIGHT = 3,
    ABI_E_DEAD = 4,
    ABI_E_OVERLAP = 5,
    ABI_E_MEM = 6,
    ABI_CODES = 7,
};

/* Kinds of space. What a target does not provide is an unknown kind (E_ARG). */
enum abi_kind { ABI_MEM = 0, ABI_PIO = 1, ABI_OBJ = 2, ABI_KINDS = 3 };

/* Rights of memory. Without ABI_R a mapping does not exist. */
enum { ABI_R = 1, ABI_W = 2, ABI_X = 4, ABI_MEM_RIGHTS = 7 };

/* The right of I/O ports. */
enum { ABI_PIO_RIGHTS = 1 };

/* Rights of a PD capability; those of a plain object mean nothing. Without any right a capability does not exist. */
enum {
    ABI_CREATE = 1,
    ABI_MAP = 2,
    ABI_REVOKE_RIGHT = 4,
    ABI_DESTROY = 8,
    ABI_QUOTA = 16,
    ABI_OBJ_RIGHTS = 31,
};

/* Place of a revoke and source of a delegate or grant. ABI_PLACE_CAP (a remote revoke) is no source: E_ARG there; so is
 * ABI_PHYS for a grant. */
enum abi_place { ABI_OWN = 0, ABI_PHYS = 1, ABI_PLACE_CAP = 2, ABI_PLACES = 3 };

enum abi_scope { ABI_CHILDREN = 0, ABI_SELF = 1, ABI_DROP = 2, ABI_SCOPES = 3 };

/* The selector at which root holds a capability to itself at boot, with all rights but ABI_DESTROY. */
enum { ABI_ROOT_SELECTOR = 0 };

/*
 * Registers of a system call (x86-64: rdi, rsi, rdx, r10, r8).
 *
 * word[0]: bits 0..7 operation, 8..9 kind, 10..11 place, 12..13 scope, bit 14 destination is a capability,
 *          bit 15 there is a filter, 16..23 order, 24..31 mask. Bits that the operation does not use, and 32..63, must
 * be zero (E_ARG).
 * word[1]: base of the range, or the unit (lookup), the selector to be filled (create), the pages to move (move_quota).
 * word[2]: destination base (delegate, grant), or quota in pages (create_pd).
 * word[3]: selector of the PD capability: payer, destination, place, the PD to destroy, or whose quota is moved.
 * word[4]: selector of the filter, or of the PD that quota is moved to.
 * Words that the operation does not use are not looked at.
 *
 * On return word[0] is the code and word[1] the value: delegate, grant: units mapped or moved; lookup: rights |
 * order << 8 (0: unmapped); otherwise, and with every code but OK, 0. The other words are unchanged.
 */
enum { ABI_WORDS = 5 };

enum {
    ABI_KIND_SHIFT = 8,
    ABI_PLACE_SHIFT = 10,
    ABI_SCOPE_SHIFT = 12,
    ABI_TO_CAP_SHIFT = 14,
    ABI_FILTER_SHIFT = 15,
    ABI_ORDER_SHIFT = 16,
    ABI_MASK_SHIFT = 24,
    ABI_VALUE_ORDER_SHIFT = 8,
};

#endif
