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

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t bytes) {
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        return memcpy(to, from, bytes);
    uint8_t *out = to;
    const uint8_t *in = from;
    while (bytes-- > 0) {
        out[bytes] = in[bytes];
        __asm__ volatile("" : : : "memory"); /* else this becomes a call of itself */
    }
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return start;
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
