/*
 * Does nothing: what an engine costs by itself (scripts/bench-engines). Not a target to be fuzzed.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return size > 0 && data[0] == 0 ? 0 : 0;
}
