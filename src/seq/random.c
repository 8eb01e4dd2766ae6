/*
 * Random numbers: xoshiro256**, seeded by SplitMix64 (both in the public domain); the same on every machine.
 */
#include "seq/seq.h"

static uint64_t split_mix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t value, unsigned bits) {
    return value << bits | value >> (64 - bits);
}

void seq_random_seed(struct seq_random *random, uint64_t seed) {
    for (unsigned i = 0; i < 4; i++)
        random->state[i] = split_mix(&seed);
}

uint64_t seq_random_next(struct seq_random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* The bias is below 2^-28 for all bounds in use, which no search can notice. */
uint64_t seq_random_below(struct seq_random *random, uint64_t bound) {
    uint64_t value = seq_random_next(random);
    if (bound <= UINT32_MAX)
        return (value >> 32) * bound >> 32;
    return value % bound;
}
