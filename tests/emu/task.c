/*
 * A root task that tries the kernel on a machine: what it says of itself, agents, faults, ports, several CPUs. Its
 * command line may name something that ends the machine instead. What comes of it is told by the exit status, and, if a
 * check fails, by a line with its text.
 */
#include "task.h"

void task_main(const struct control_info *info);

void task_print(const char *text) {
    uint64_t bytes = 0;
    while (text[bytes]) {
        bytes++;
    }
    task_control(CONTROL_WRITE, (uint64_t)(uintptr_t)text, bytes, 0);
}

void task_print_number(const char *name, uint64_t number) {
    char digits[24];
    char *at = digits + sizeof digits;
    *--at = 0;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    task_print(name);
    task_print(at);
    task_print("\n");
}

void task_check(bool holds, const char *text, uint64_t line) {
    if (!holds) {
        task_print("failed: ");
        task_print(text);
        task_print_number(", line ", line);
        task_control(CONTROL_EXIT, TASK_FAILED, 0, 0);
    }
}

static bool asked_for(const struct control_info *info, const char *word) {
    for (const char *text = info->command_line; *text; text++) {
        unsigned i = 0;
        while (word[i] && text[i] == word[i]) {
            i++;
        }
        if (!word[i]) {
            return true;
        }
    }
    return false;
}

static const struct {
    const char *name;
    void (*run)(const struct control_info *info);
} tests[] = {
    {"info", test_info},
    {"memory", test_memory},
    {"own memory", test_own_memory},
    {"large leaves", test_large_leaves},
    {"ports", test_ports},
    {"control", test_control},
    {"death", test_death},
    {"shootdown", test_shootdown},
    {"other CPUs", test_other_cpus},
};

void task_main(const struct control_info *info) {
    task_print("started\n");
    if (asked_for(info, "fault-in-root")) {
        *(volatile uint64_t *)(uintptr_t)info->kernel_frame = 0;
    }
    uint64_t bytes = info->bytes;
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
        task_print("trying ");
        task_print(tests[i].name);
        task_print("\n");
        tests[i].run(info);
        CHECK(info->bytes == bytes && info->pds == 1 && info->nodes == 0);
    }
    task_control(CONTROL_EXIT, TASK_PASSED, 0, 0);
}
