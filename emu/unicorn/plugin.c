/* The target as a shared library: the symbols that src/cli/unicorn.c asks for. */
#include "unicorn/target.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED const struct rescind_target *rescind_target_of(const char *kernel, const char **why);
EXPORTED unicorn_call_pair_function rescind_call_pair;

const struct rescind_target *rescind_target_of(const char *kernel, const char **why) {
    return unicorn_target(kernel, why);
}

void rescind_call_pair(struct unicorn_pair *pair) {
    unicorn_call_pair(pair);
}
