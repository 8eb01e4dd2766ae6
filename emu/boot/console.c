/* The serial console (COM1, polled), the end of the machine, and panics. */
#include "start.h"

enum {
    COM1 = 0x3f8,
    LINE_CONTROL = 3,
    MODEM_CONTROL = 4,
    LINE_STATUS = 5,
    EIGHT_BITS = 3,
    TRANSMITTER_EMPTY = 1 << 5,
    DEBUG_EXIT = 0xf4,
    BACKTRACE = 16,
};

void console_set_up(void) {
    cpu_out8(COM1 + LINE_CONTROL, EIGHT_BITS);
    cpu_out8(COM1 + MODEM_CONTROL, 3);
}

void platform_write(const char *text, uint64_t bytes) {
    for (uint64_t i = 0; i < bytes; i++) {
        while (!(cpu_in8(COM1 + LINE_STATUS) & TRANSMITTER_EMPTY)) {
            cpu_pause();
        }
        cpu_out8(COM1, (uint8_t)text[i]);
    }
}

void console_text(const char *text) {
    uint64_t bytes = 0;
    while (text[bytes]) {
        bytes++;
    }
    platform_write(text, bytes);
}

void console_hex(uint64_t number) {
    char digits[16];
    for (unsigned i = 0; i < sizeof digits; i++) {
        digits[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
    }
    platform_write(digits, sizeof digits);
}

_Noreturn void platform_exit(uint8_t status) {
    cpu_out32(DEBUG_EXIT, status);
    cpu_halt();
}

/* ---- panics ---- */

static void put(const char *name, uint64_t number) {
    console_text(name);
    console_hex(number);
}

static void put_registers(const struct frame *f) {
    put("  vector ", f->vector);
    put(" error ", f->error);
    put(" cr2 ", cpu_read_cr2());
    put("\n  rip ", f->rip);
    put(" cs ", f->cs);
    put(" rflags ", f->rflags);
    put("\n  rsp ", f->rsp);
    put(" rbp ", f->rbp);
    put(" cr3 ", cpu_read_cr3());
    put("\n  rax ", f->rax);
    put(" rbx ", f->rbx);
    put(" rcx ", f->rcx);
    put("\n  rdx ", f->rdx);
    put(" rsi ", f->rsi);
    put(" rdi ", f->rdi);
    put("\n  r8  ", f->r8);
    put(" r9  ", f->r9);
    put(" r10 ", f->r10);
    put("\n  r11 ", f->r11);
    put(" r12 ", f->r12);
    put(" r13 ", f->r13);
    put("\n  r14 ", f->r14);
    put(" r15 ", f->r15);
    console_text("\n");
}

static bool is_stack(const uint64_t *frame) {
    uint64_t address = (uint64_t)(uintptr_t)frame;
    return address >= (uint64_t)(uintptr_t)zero_start && address < (uint64_t)(uintptr_t)zero_end && address % 8 == 0;
}

static void put_backtrace(const uint64_t *frame) {
    const uint64_t *below = NULL;
    for (unsigned i = 0; i < BACKTRACE && frame > below && is_stack(frame); i++) {
        put("  called from ", frame[1]);
        console_text("\n");
        below = frame;
        frame = (const uint64_t *)(uintptr_t)frame[0];
    }
}

_Noreturn void platform_panic(const char *why, const char *text, const char *function, const struct frame *frame) {
    static uint32_t panicking;
    if (__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQUIRE)) {
        cpu_halt(); /* the first one says what is wrong */
    }
    console_text("panic: ");
    console_text(why);
    console_text(" ");
    console_text(function);
    console_text(": ");
    console_text(text);
    console_text("\n");
    if (frame) {
        put_registers(frame);
        put_backtrace((const uint64_t *)(uintptr_t)frame->rbp);
    } else {
        put_backtrace(cpu_frame_pointer());
    }
    platform_exit(CONTROL_STATUS_PANIC);
}

void boot_check(bool holds, const char *text, const char *function) {
    if (!holds) {
        platform_panic("assert", text, function, NULL);
    }
}
