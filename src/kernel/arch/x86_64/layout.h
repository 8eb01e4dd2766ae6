/*
 * Where the kernel lies in virtual memory, selectors, vectors, and the offsets that assembly needs. Macros only, for C
 * and assembly; depends on nothing.
 */
#ifndef RESCIND_LAYOUT_H
#define RESCIND_LAYOUT_H

/* Physical address p, for p below 2 GiB, is at LAYOUT_KERNEL_BASE + p. */
#define LAYOUT_KERNEL_BASE 0xffffffff80000000

/* Devices and the task state segments, below the kernel. */
#define LAYOUT_APIC 0xffffffff40000000
#define LAYOUT_TASK_STATES 0xffffffff40200000

/* Entries of root tables that are not units of MEM. */
#define LAYOUT_SLOT_AGENT 256
#define LAYOUT_SLOT_ROOT 257
#define LAYOUT_SLOT_MEMORY 258
#define LAYOUT_SLOT_KERNEL 511

#define LAYOUT_KERNEL_CODE 0x08
#define LAYOUT_KERNEL_DATA 0x10
#define LAYOUT_USER_DATA 0x1b
#define LAYOUT_USER_CODE 0x23
#define LAYOUT_TASK_STATE 0x28 /* of CPU 0; the others' follow, 16 bytes each */

/* Vectors: exceptions below LAYOUT_EXCEPTIONS; a system call is told from them by a number that is none. */
#define LAYOUT_EXCEPTIONS 32
#define LAYOUT_VECTOR_TIMER 0x40
#define LAYOUT_VECTOR_REQUEST 0x41
#define LAYOUT_VECTOR_SPURIOUS 0xff
#define LAYOUT_VECTOR_SYSTEM_CALL 0x100

#define LAYOUT_STACK_BYTES 16384

/* In struct machine_cpu, which GS points to in the kernel. */
#define LAYOUT_CPU_STACK_TOP 0
#define LAYOUT_CPU_USER_STACK 8
#define LAYOUT_CPU_SELF 16

#define LAYOUT_FRAME_BYTES 176

#endif
