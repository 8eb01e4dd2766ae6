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

void task_main(const struct control_info *info) {
    static void (*const tests[])(const struct control_info *) = {
        test_info,    test_memory, test_large_leaves, test_ports,
        test_control, test_death,  test_shootdown,    test_other_cpus,
    };
    task_print("started\n");
    if (asked_for(info, "fault-in-root")) {
        *(volatile uint64_t *)(uintptr_t)info->kernel_frame = 0;
    }
    uint64_t bytes = info->bytes;
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
        tests[i](info);
        CHECK(info->bytes == bytes && info->pds == 1 && info->nodes == 0);
        task_print_number("passed ", i);
    }
    task_control(CONTROL_EXIT, TASK_PASSED, 0, 0);
}
