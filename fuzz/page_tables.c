/*
 * Fuzz target: the kernel's page tables alone, without mapping database and without harness.
 *
 * An input is a list of operations of four bytes on ranges of one address space: map, unmap, protect, halve, join.
 * After each, everything that a CPU can reach is walked and compared with an array of what each page must be.
 */
#include "harness/walk.h"
#include "ptab.h"
#include "session.h"
#include "space.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct rescind_target rescind_target_small;

enum { PAGES = 1 << GEO_MEM_LOG2, OPERATION_BYTES = 4, OPERATIONS = 5, OPERATIONS_MAX = 256 };

/* What a page must be; `order` and `base` are of the range that it was mapped with, or what became of it. */
struct page {
    bool mapped;
    uint8_t order, rights;
    uint16_t base;
    uint64_t frame;
};

static struct {
    struct session_counters *counters;
    jmp_buf frame;
    const char *stopped;
    uint64_t *root;
    struct account account;
    struct page page[PAGES];
    char text[OPERATIONS_MAX * 64];
    size_t length;
} fuzz;

static _Noreturn void stop(void *context, enum rescind_stop why, const char *text, const char *function) {
    (void)context;
    (void)why;
    fprintf(stderr, "stopped in %s: %s\n", function, text);
    fuzz.stopped = text;
    longjmp(fuzz.frame, 1);
}

static void fail(const char *what, uint64_t unit) {
    char report[128];
    snprintf(report, sizeof report, "%s at page %#llx\n", what, (unsigned long long)unit);
    session_finding(what, report, fuzz.text, fuzz.length);
}

/* ---- what must be ---- */

static bool is_free(unsigned base, unsigned order) {
    for (unsigned i = 0; i < 1u << order; i++) {
        if (fuzz.page[base + i].mapped)
            return false;
    }
    return true;
}

static void set(unsigned base, unsigned order, uint64_t frame, unsigned rights, bool mapped) {
    for (unsigned i = 0; i < 1u << order; i++)
        fuzz.page[base + i] = (struct page){mapped, (uint8_t)order, (uint8_t)rights, (uint16_t)base, frame + i};
}

/* The other half of a range of twice the size, if both can become one. */
static const struct page *buddy_of(const struct page *page) {
    unsigned size = 1u << page->order;
    if (page->order == GEO_MEM_LOG2 || page->base & size)
        return NULL;
    const struct page *first = &fuzz.page[page->base], *buddy = &fuzz.page[page->base + size];
    bool alike = buddy->mapped && buddy->order == page->order && buddy->rights == page->rights &&
                 buddy->frame == first->frame + size && !(first->frame & size);
    return alike ? buddy : NULL;
}

/* ---- what is ---- */

static void compare_leaf(const struct walk_item *item) {
    unsigned pages = 1u << (item->level * GEO_LEVEL_BITS);
    for (unsigned i = 0; i < pages; i++) {
        const struct page *page = &fuzz.page[item->unit + i];
        if (!page->mapped)
            fail("O1.reach/page_tables/extra", item->unit + i);
        else if (page->frame != item->frame + i)
            fail("O2.over-revoke/page_tables/wrong-resource", item->unit + i);
        else if (page->rights != item->rights || item->reserved || item->misaligned)
            fail("O3.rights/page_tables/rights", item->unit + i);
        else if (walk_leaf_level(&rescind_target_small.geometry, page->order) != item->level)
            fail("O5.structure/page_tables/leaf-size", item->unit + i);
    }
}

static void compare(uint32_t tables_at_boot) {
    struct walk walk;
    struct walk_item item;
    uint32_t tables = 1, mapped = 0, reached = 0;
    if (!walk_start(&walk, &rescind_target_small, ptab_physical(fuzz.root)))
        fail("O5.structure/page_tables/root", 0);
    while (walk_next(&walk, &item) != WALK_END) {
        tables += item.what == WALK_TABLE;
        reached += item.what == WALK_LEAF ? 1u << (item.level * GEO_LEVEL_BITS) : 0;
        if (item.what == WALK_LEAF)
            compare_leaf(&item);
        else if (item.what != WALK_TABLE)
            fail("O5.structure/page_tables/entry", item.unit);
    }
    for (unsigned i = 0; i < PAGES; i++)
        mapped += fuzz.page[i].mapped;
    if (mapped != reached)
        fail("O2.over-revoke/page_tables/missing", mapped);
    if (ptab_used() != tables_at_boot + tables)
        fail("O7.accounting/page_tables/tables", ptab_used());
}

/* ---- operations ---- */

static void map(unsigned base, unsigned order, uint64_t frame, unsigned rights) {
    base &= ~((1u << order) - 1);
    frame &= ~((UINT64_C(1) << order) - 1);
    if (is_free(base, order)) {
        ptab_map(fuzz.root, base, order, frame, rights);
        set(base, order, frame, rights, true);
    }
}

/* Frees the tables that were released: no CPU walks any. The account has paid for more. */
static void release(uint32_t tables) {
    fuzz.account = (struct account){.quota = UINT64_MAX, .used = UINT64_MAX};
    ptab_owe(&fuzz.account, tables);
    while (ptab_release(ptab_retired, UINT32_MAX)) {
    }
}

static void unmap(const struct page *page) {
    unsigned base = page->base, order = page->order;
    release(ptab_unmap(fuzz.root, base, order));
    set(base, order, 0, 0, false);
}

static void protect(const struct page *page, unsigned rights) {
    const struct page *first = &fuzz.page[page->base];
    ptab_protect(fuzz.root, first->base, first->order, rights);
    set(first->base, first->order, first->frame, rights, true);
}

static void halve(const struct page *page) {
    struct page first = fuzz.page[page->base];
    if (first.order == 0)
        return;
    if (ptab_is_large_leaf(first.order))
        ptab_split(fuzz.root, first.base, first.order);
    unsigned order = first.order - 1u, half = 1u << order;
    set(first.base, order, first.frame, first.rights, true);
    set(first.base + half, order, first.frame + half, first.rights, true);
}

static void join(const struct page *page) {
    struct page first = fuzz.page[page->base];
    if (!buddy_of(&first))
        return;
    if (ptab_is_large_leaf(first.order + 1u))
        ptab_join(fuzz.root, first.base, first.order + 1u);
    release(ptab_is_large_leaf(first.order + 1u));
    set(first.base, first.order + 1u, first.frame, first.rights, true);
}

static void perform(const uint8_t bytes[OPERATION_BYTES]) {
    static const char *const names[OPERATIONS] = {"map", "unmap", "protect", "halve", "join"};
    unsigned operation = bytes[0] % OPERATIONS, order = (bytes[0] >> 4) % (GEO_MEM_LOG2 + 1);
    unsigned rights = ABI_R | (bytes[3] & (ABI_W | ABI_X));
    const struct page *page = &fuzz.page[bytes[1]];
    fuzz.length +=
        (size_t)snprintf(fuzz.text + fuzz.length, sizeof fuzz.text - fuzz.length,
                         "%s %#x order %u frame %#x rights %u\n", names[operation], bytes[1], order, bytes[2], rights);
    if (operation == 0)
        map(bytes[1], order, bytes[2], rights);
    else if (!page->mapped)
        return;
    else if (operation == 1)
        unmap(page);
    else if (operation == 2)
        protect(page, rights);
    else if (operation == 3)
        halve(page);
    else
        join(page);
}

static void run(const uint8_t *data, size_t size) {
    size_t count = size / OPERATION_BYTES < OPERATIONS_MAX ? size / OPERATION_BYTES : OPERATIONS_MAX;
    uint32_t tables_at_boot = ptab_used();
    fuzz.root = ptab_create_root();
    memset(fuzz.page, 0, sizeof fuzz.page);
    fuzz.length = 0;
    for (size_t i = 0; i < count; i++) {
        perform(data + i * OPERATION_BYTES);
        compare(tables_at_boot);
    }
    for (unsigned i = 0; i < PAGES; i++) {
        if (fuzz.page[i].mapped)
            unmap(&fuzz.page[i]);
    }
    compare(tables_at_boot);
    fuzz.counters->executions++;
    fuzz.counters->operations += count;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz.counters = session_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct rescind_hooks hooks = {.stop = stop};
    rescind_target_small.boot(&hooks, 1, 0);
    if (!setjmp(fuzz.frame))
        run(data, size);
    else
        fail("O11.assert/page_tables/stop", 0);
    return 0;
}
