/* The kernel that the build links: FUZZ_KERNEL. */
#include "driver.h"

extern const struct rescind_target FUZZ_KERNEL;

const struct rescind_target *fuzz_kernel(void) {
    return &FUZZ_KERNEL;
}
