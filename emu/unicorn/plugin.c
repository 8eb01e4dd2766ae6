/* The target as a shared library: the symbol that src/cli/plugin.c asks for. */
#include "unicorn/target.h"

__attribute__((visibility("default"))) const struct rescind_target *rescind_target_of(const char *kernel,
                                                                                      const char **why);

const struct rescind_target *rescind_target_of(const char *kernel, const char **why) {
    return unicorn_target(kernel, why);
}
