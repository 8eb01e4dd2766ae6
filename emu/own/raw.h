/*
 * What mode raw needs beside kernel.h: calls that no operation of a sequence is.
 */
#ifndef RESCIND_OWN_RAW_H
#define RESCIND_OWN_RAW_H

#include "kernel.h"

/* Whatever a PD's program can put into registers: rax, and the words. Returns rax, or RESCIND_NOWHERE if the PD did not
 * live to see any result. */
uint64_t kernel_raw(uint32_t cpu, uint32_t pd, uint64_t rax, uint64_t word[ABI_WORDS]);

#endif
