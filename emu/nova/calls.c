/* See root.h. */
#include "root.h"

#include "instructions.h"
#include "print.h"
#include "protocol.h"

_Noreturn void root_panic(const char *what, uint64_t number) {
    struct line line = {0};
    line_number(&line, "  number ", number);
    line_end(&line);
    line_text(&line, "panic: nova ");
    line_text(&line, what);
    line_end(&line);
    kernel_exit(ROOT_BAD);
}

enum nova_status root_call(enum nova_call call, unsigned flags, uint64_t selector, uint64_t rsi, uint64_t rdx,
                           uint64_t rax, uint64_t r8) {
    struct nova_registers registers = {nova_word(call, flags, selector), rsi, rdx, rax, r8};
    return nova_enter(&registers);
}

void root_must(const char *what, enum nova_call call, unsigned flags, uint64_t selector, uint64_t rsi, uint64_t rdx,
               uint64_t rax, uint64_t r8) {
    enum nova_status status = root_call(call, flags, selector, rsi, rdx, rax, r8);
    if (status != NOVA_SUCCESS)
        root_panic(what, status);
}

bool root_try_give(uint64_t pd, uint64_t range, uint64_t window, bool from_kernel) {
    struct nova_utcb *utcb = (struct nova_utcb *)NOVA_ROOT_UTCB;
    nova_put_item(utcb, range, NOVA_ITEM_DELEGATE | (from_kernel ? NOVA_ITEM_FROM_KERNEL : 0));
    enum nova_status status = root_call(NOVA_MISC, NOVA_MISC_DELEGATE, NOVA_ROOT_PD, window, pd, 0, 0);
    utcb->count = 0;
    if (status != NOVA_SUCCESS && status != NOVA_OUT_OF_MEMORY)
        root_panic("delegate", status);
    return status == NOVA_SUCCESS;
}

void root_give(uint64_t pd, uint64_t range, uint64_t window, bool from_kernel) {
    if (!root_try_give(pd, range, window, from_kernel))
        root_panic("delegate", NOVA_OUT_OF_MEMORY);
}

unsigned root_lookup(uint64_t range) {
    struct nova_registers registers = {.rdi = nova_word(NOVA_MISC, NOVA_MISC_LOOKUP, 0), .rsi = range};
    return nova_enter(&registers) == NOVA_SUCCESS ? nova_range_rights(registers.rsi) : 0;
}

void root_revoke(uint64_t range) {
    root_must("revoke", NOVA_REVOKE, NOVA_REVOKE_SELF, HIDDEN_NOTHING, range, 0, 0, 0);
}

uint64_t root_free_pages(void) {
    struct nova_registers registers = {.rdi = nova_word(NOVA_PD_CTRL, NOVA_PD_REPORT, NOVA_ROOT_PD)};
    if (nova_enter(&registers) != NOVA_SUCCESS)
        root_panic("quota report", registers.rdi & 0xff);
    return registers.rsi - registers.rdx;
}

void root_sleep(uint64_t ticks) {
    uint64_t until = instruction_ticks() + ticks;
    root_call(NOVA_SM_CTRL, NOVA_SM_DOWN, ROOT_SLEEP_SM, until >> 32, until & UINT32_MAX, 0, 0);
}
