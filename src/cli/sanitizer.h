/*
 * Reads what ASan, UBSan and TSan print and makes a stable signature of it: no numbers, lines or addresses.
 */
#ifndef RESCIND_CLI_SANITIZER_H
#define RESCIND_CLI_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

/* True if the text holds a sanitizer report; then `signature` is O8.sanitizer/<operation>/<kind>/<frame<frame<frame>,
 * with the innermost three functions of src/kernel (of anything but the sanitizer where there is none). Of a data race:
 * <kind>/<frame~frame>, the innermost of both ends, in the order of their names. */
bool sanitizer_signature(const char *text, const char *operation, char *signature, size_t size);

/* The report's message and first stack, without process numbers and addresses, which differ from run to run. */
void sanitizer_report(const char *text, char *report, size_t size);

#endif
