/*
 * What the machine-dependent kernel asks of whoever boots it (emu/boot): a console and an end.
 */
#ifndef RESCIND_PLATFORM_H
#define RESCIND_PLATFORM_H

#include <stdint.h>

struct frame;

void platform_write(const char *text, uint64_t bytes);

/* The machine ends with that status. */
_Noreturn void platform_exit(uint8_t status);

/* The kernel cannot go on: prints one line `panic: why function: text`, then where it was (registers if there are any),
 * and ends the machine. */
_Noreturn void platform_panic(const char *why, const char *text, const char *function, const struct frame *frame);

#endif
