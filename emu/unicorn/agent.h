/*
 * The program that all PDs have in the agent window: single instructions, each followed by a place of rest, so that
 * whoever watches the CPU makes any access it likes as the PD that the CPU runs. Also the root task that carries it.
 * Bytes and addresses only; depends on abi/control.h.
 */
#ifndef RESCIND_UNICORN_AGENT_H
#define RESCIND_UNICORN_AGENT_H

#include "abi/control.h"

/* Offsets in the agent window. Where the first three are, a CPU rests. */
enum agent_place {
    AGENT_HOME = 0x00,     /* agents start here */
    AGENT_ON_FAULT = 0x08, /* and go on here after an exception that the kernel told them of */
    AGENT_ROOT = 0x10,     /* root's thread starts here */
    AGENT_CALL = 0x20,     /* syscall */
    AGENT_CALL_END = 0x22,
    AGENT_ROOT_CALL = 0x28, /* syscall, of root's thread: where it goes on tells who does */
    AGENT_ROOT_CALL_END = 0x2a,
    AGENT_ACCESS = 0x30, /* mov (%rdi),%rax; mov %edx,(%rsi); call *%rcx */
    AGENT_ACCESS_WRITE = 0x33,
    AGENT_ACCESS_EXECUTE = 0x35,
    AGENT_ACCESS_END = 0x37,
    AGENT_READ = 0x40, /* mov (%rdi),%rax */
    AGENT_READ_END = 0x43,
    AGENT_READ_WRITE = 0x48, /* mov (%rdi),%rax; mov %edx,(%rsi) */
    AGENT_WRITE = 0x4b,
    AGENT_READ_WRITE_END = 0x4d,
    AGENT_READ_EXECUTE = 0x50, /* mov (%rdi),%rax; call *%rcx */
    AGENT_READ_EXECUTE_END = 0x55,
    AGENT_BYTES = 0x58,
};

#define AGENT_AT(place) (CONTROL_AGENT_WINDOW + (uint64_t)(place))

/* Places of rest. */
static const uint8_t agent_rests[] = {
    AGENT_HOME,       AGENT_ON_FAULT, AGENT_ROOT,           AGENT_CALL_END,         AGENT_ROOT_CALL_END,
    AGENT_ACCESS_END, AGENT_READ_END, AGENT_READ_WRITE_END, AGENT_READ_EXECUTE_END,
};

static const struct {
    uint8_t place, length, code[7];
} agent_code[] = {
    {AGENT_CALL, 2, {0x0f, 0x05}},
    {AGENT_ROOT_CALL, 2, {0x0f, 0x05}},
    {AGENT_ACCESS, 7, {0x48, 0x8b, 0x07, 0x89, 0x16, 0xff, 0xd1}},
    {AGENT_READ, 3, {0x48, 0x8b, 0x07}},
    {AGENT_READ_WRITE, 5, {0x48, 0x8b, 0x07, 0x89, 0x16}},
    {AGENT_READ_EXECUTE, 5, {0x48, 0x8b, 0x07, 0xff, 0xd1}},
};

#endif
