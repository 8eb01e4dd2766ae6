/*
 * The ELF file of a 64-bit kernel that starts in 32-bit mode (Multiboot), as QEMU's -kernel takes it: with 32-bit
 * headers.
 */
#ifndef RESCIND_CLI_ELF32_H
#define RESCIND_CLI_ELF32_H

#include <stdbool.h>

/* Writes `to`: the loadable segments of `from` at their physical addresses, and its entry. What has 32-bit headers
 * already is copied. False: the user was told. */
bool elf32_convert(const char *from, const char *to);

#endif
