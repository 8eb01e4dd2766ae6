/*
 * Multiboot header, and the way from there to 64-bit mode (Multiboot specification 0.6.96, 3.1 and 3.2). The header says
 * where to load, so that the file may be an ELF of 64 bits.
 */
#include "arch/x86_64/layout.h"

#define PHYSICAL(symbol) ((symbol) - LAYOUT_KERNEL_BASE)
#define HEADER_MAGIC 0x1badb002
#define HEADER_FLAGS 0x00010003 /* modules on pages, memory map, addresses given */
#define PAGE_TABLE 0x003 /* present, writable */
#define PAGE_LARGE 0x083
#define MSR_EFER 0xc0000080
#define EFER_LONG_MODE_NO_EXECUTE 0x900
#define CR4_PAE 0x20
#define CR0_VALUE 0x80000011

    .section .multiboot, "ax", @progbits
    .balign 4
header:
    .long HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)
    .long PHYSICAL(header), image_load_start, image_load_end, image_load_end, PHYSICAL(boot_entry)

    .text
    .code32
    .globl boot_entry
boot_entry:
    cli
    cld
    movl $PHYSICAL(boot_stack_top), %esp
    pushl %eax /* multiboot's magic number */
    pushl %ebx /* its information */

    movl $0x80000001, %eax
    cpuid
    testl $1 << 20, %edx
    jz no_execute_missing

    /* 2 GiB, at 0 and at LAYOUT_KERNEL_BASE. */
    movl $PAGE_LARGE, %eax
    movl $PHYSICAL(boot_directories), %edi
    movl $1024, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    movl $PHYSICAL(boot_directories) + PAGE_TABLE, %eax
    movl %eax, PHYSICAL(boot_low)
    movl %eax, PHYSICAL(boot_high) + 510 * 8
    addl $4096, %eax
    movl %eax, PHYSICAL(boot_low) + 8
    movl %eax, PHYSICAL(boot_high) + 511 * 8
    movl $PHYSICAL(boot_low) + PAGE_TABLE, PHYSICAL(boot_root)
    movl $PHYSICAL(boot_high) + PAGE_TABLE, PHYSICAL(boot_root) + LAYOUT_SLOT_KERNEL * 8

    call enter_long_mode
    ljmp $LAYOUT_KERNEL_CODE, $PHYSICAL(entered)

/* Without it no page-table entry means what the kernel wants to say. */
no_execute_missing:
    movl $PHYSICAL(no_execute_text), %esi
    movw $0x3f8, %dx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  movl $0x7b, %eax /* CONTROL_STATUS_PANIC */
    movw $0xf4, %dx
    outl %eax, %dx
3:  hlt
    jmp 3b

enter_long_mode:
    movl $PHYSICAL(boot_root), %eax
    movl %eax, %cr3
    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LONG_MODE_NO_EXECUTE, %eax
    wrmsr
    movl $CR0_VALUE, %eax
    movl %eax, %cr0
    lgdt PHYSICAL(boot_gdt_pointer)
    ret

    .code64
entered:
    movl (%rsp), %edi
    movl 4(%rsp), %esi
    movabsq $boot_stack_top, %rsp
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %ebp, %ebp
    movabsq $boot_start, %rax
    call *%rax

/*
 * Where another CPU starts, in real mode: this code is copied to TRAMPOLINE. It takes a stack whose number is the order
 * in which CPUs come.
 */
#define TRAMPOLINE 0x8000
#define TRAMPOLINE_CODE_32 0x18
#define THERE(label) ((label) - trampoline_start + TRAMPOLINE)
    .code16
    .globl trampoline_start, trampoline_end
trampoline_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl THERE(trampoline_gdt_pointer)
    movl $1, %eax
    movl %eax, %cr0
    ljmpl $TRAMPOLINE_CODE_32, $THERE(protected)
    .code32
protected:
    movw $LAYOUT_KERNEL_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $1, %edi
    lock xaddl %edi, PHYSICAL(boot_next_cpu)
    cmpl $4, %edi /* CONTROL_CPUS */
    jae 4f
    movl %edi, %esp
    shll $12, %esp
    addl $PHYSICAL(boot_stacks) + 4096, %esp
    movl $PHYSICAL(enter_long_mode), %eax
    call *%eax
    ljmp $LAYOUT_KERNEL_CODE, $THERE(trampoline_entered)
4:  cli
    hlt
    jmp 4b
    .code64
trampoline_entered:
    movq $LAYOUT_KERNEL_BASE, %rax
    addq %rax, %rsp
    xorl %eax, %eax
    movw %ax, %ss
    xorl %ebp, %ebp
    movabsq $boot_join, %rax
    call *%rax
    .balign 8
trampoline_gdt:
    .quad 0, 0x00209a0000000000, 0x00cf92000000ffff, 0x00cf9a000000ffff
trampoline_gdt_pointer:
    .word 4 * 8 - 1
    .long THERE(trampoline_gdt)
trampoline_end:

    .section .rodata
    .balign 8
boot_gdt: /* 64-bit code, data */
    .quad 0, 0x00209a0000000000, 0x00cf92000000ffff
boot_gdt_pointer:
    .word 3 * 8 - 1
    .quad PHYSICAL(boot_gdt)
no_execute_text:
    .asciz "panic: assert boot_entry: the CPU has no-execute pages\n"

    .data
    .balign 4
    .globl boot_next_cpu
boot_next_cpu: /* CPU 0 is this one */
    .long 1

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .globl boot_root, boot_high, boot_directories
boot_root:
    .skip 4096
boot_low:
    .skip 4096
boot_high:
    .skip 4096
boot_directories:
    .skip 2 * 4096
boot_stacks: /* one for each CPU until it has one of its own */
    .skip 4096
boot_stack_top:
    .skip 3 * 4096

    .section .note.GNU-stack, "", @progbits
