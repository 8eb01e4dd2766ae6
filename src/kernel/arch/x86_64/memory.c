/*
 * What the compiler calls for copies, fills and comparisons of memory. By words: an emulator takes long over string
 * instructions.
 */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    unsigned char *t = to;
    const unsigned char *f = from;
    for (; bytes >= sizeof(word); bytes -= sizeof(word), t += sizeof(word), f += sizeof(word)) {
        *(word *)t = *(const word *)f;
    }
    while (bytes-- > 0) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        return memcpy(to, from, bytes);
    }
    while (bytes-- > 0) {
        t[bytes] = f[bytes];
    }
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    unsigned char *t = to;
    uint64_t pattern = (unsigned char)value * UINT64_C(0x0101010101010101);
    for (; bytes >= sizeof(word); bytes -= sizeof(word), t += sizeof(word)) {
        *(word *)t = pattern;
    }
    while (bytes-- > 0) {
        *t++ = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes) {
    const unsigned char *x = a;
    const unsigned char *y = b;
    for (; bytes >= sizeof(word) && *(const word *)x == *(const word *)y; bytes -= sizeof(word)) {
        x += sizeof(word);
        y += sizeof(word);
    }
    for (; bytes > 0; bytes--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
