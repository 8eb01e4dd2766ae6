/*
 * The functions that compilers call on their own account.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *text);
int __popcountdi2(long bits); // NOLINT(bugprone-reserved-identifier): the compiler's name

/* By words: an emulator takes string instructions apart. Words of any alignment, as the processor can. */
enum { WORD = 8 };

static uint64_t load(const uint8_t *bytes) {
    uint64_t word;
    __asm__ volatile("mov %1, %0" : "=r"(word) : "m"(*(const uint64_t *)(const void *)bytes));
    return word;
}

static void store(uint8_t *bytes, uint64_t word) {
    __asm__ volatile("mov %1, %0" : "=m"(*(uint64_t *)(void *)bytes) : "r"(word));
}

static void store_byte(uint8_t *byte, uint8_t value) {
    __asm__ volatile("movb %1, %0" : "=m"(*byte) : "q"(value));
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    uint8_t *out = to;
    const uint8_t *in = from;
    for (; bytes >= WORD; bytes -= WORD, in += WORD, out += WORD)
        store(out, load(in));
    for (; bytes > 0; bytes--)
        store_byte(out++, *in++);
    return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        return memcpy(to, from, bytes);
    uint8_t *out = to;
    const uint8_t *in = from;
    while (bytes-- > 0)
        store_byte(&out[bytes], in[bytes]);
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    uint64_t word = UINT64_C(0x0101010101010101) * (uint8_t)value;
    uint8_t *out = to;
    for (; bytes >= WORD; bytes -= WORD, out += WORD)
        store(out, word);
    for (; bytes > 0; bytes--)
        store_byte(out++, (uint8_t)value);
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes) {
    const uint8_t *x = a, *y = b;
    for (; bytes > 0; bytes--, x++, y++) {
        if (*x != *y)
            return *x < *y ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    for (; text[length]; length++)
        __asm__ volatile("" : : : "memory");
    return length;
}

int __popcountdi2(long bits) { // NOLINT(bugprone-reserved-identifier)
    int count = 0;
    for (uint64_t left = (uint64_t)bits; left; left &= left - 1)
        count++;
    return count;
}
