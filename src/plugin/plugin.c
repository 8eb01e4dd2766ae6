/*
 * A kernel build as a shared library: the one symbol that it exports, for `rescind diff --with` and `--target`.
 *
 * Built once for each geometry (GEO_TARGET, by include path), with all other symbols hidden.
 */
#include "abi/target.h"
#include "geometry.h"

extern const struct rescind_target GEO_TARGET;

__attribute__((visibility("default"))) const struct rescind_target *rescind_target(void);

const struct rescind_target *rescind_target(void) {
    return &GEO_TARGET;
}
