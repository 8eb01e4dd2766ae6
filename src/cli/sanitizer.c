/*
 * Reads what ASan, UBSan and TSan print and makes a stable signature of it.
 */
#include "cli/sanitizer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Asked for by the run-time libraries before main; a worker cannot pass options in its environment. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) {
    return "detect_leaks=0:allocator_may_return_null=1:handle_abort=1";
}

const char *__ubsan_default_options(void) {
    return "print_stacktrace=1:halt_on_error=1";
}

const char *__tsan_default_options(void) {
    return "halt_on_error=1";
}

enum { FRAMES = 3, NAME_MAX_LENGTH = 48, KIND_MAX_LENGTH = 48 };

static size_t word_length(const char *text, const char *ends) {
    return strcspn(text, ends);
}

/* "heap-use-after-free on address ..." -> the first word; "attempting double-free on ..." -> two words. */
static void address_kind(const char *text, char kind[KIND_MAX_LENGTH]) {
    size_t length = word_length(text, " :\n");
    if (strncmp(text, "attempting ", 11) == 0)
        length = 11 + word_length(text + 11, " :\n");
    snprintf(kind, KIND_MAX_LENGTH, "%.*s", (int)length, text);
}

static bool is_one_of(const char *word, size_t length, const char *const *words) {
    for (; *words; words++)
        if (strlen(*words) == length && strncmp(word, *words, length) == 0)
            return true;
    return false;
}

static bool is_plain_word(const char *word, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!isalpha((unsigned char)word[i]) && word[i] != '-')
            return false;
    return length > 0;
}

static void drop_last_words(char *kind, const char *const *words) {
    for (char *dash = strrchr(kind, '-'); dash && is_one_of(dash + 1, strlen(dash + 1), words);
         dash = strrchr(kind, '-'))
        *dash = '\0';
}

/* "index 5 out of bounds for type ..." -> "index-out-of-bounds": the words that are the same for every such error. */
static void undefined_kind(const char *text, char kind[KIND_MAX_LENGTH]) {
    static const char *const last[] = {"for", "type", "which", "cannot", "places", "with", NULL};
    static const char *const prepositions[] = {"of", "by", "to", NULL};
    size_t used = 0;
    kind[0] = '\0';
    while (*text && *text != '\n') {
        size_t length = word_length(text, " :,\n");
        if (is_one_of(text, length, last))
            break;
        if (is_plain_word(text, length) && used + length + 2 < KIND_MAX_LENGTH)
            used += (size_t)snprintf(kind + used, KIND_MAX_LENGTH - used, "%s%.*s", used ? "-" : "", (int)length, text);
        text += length;
        if (*text == ':' || *text == ',')
            break;
        text += strspn(text, " ");
    }
    drop_last_words(kind, prepositions);
}

/* "data race (pid=5)" -> "data-race". */
static void thread_kind(const char *text, char kind[KIND_MAX_LENGTH]) {
    snprintf(kind, KIND_MAX_LENGTH, "%.*s", (int)word_length(text, "(:\n"), text);
    for (size_t last = strlen(kind); last > 0 && kind[last - 1] == ' ';)
        kind[--last] = '\0';
    for (char *space = strchr(kind, ' '); space; space = strchr(space, ' '))
        *space = '-';
}

/* Finds the report's first line; returns the text after it, or NULL. */
static const char *find_kind(const char *text, char kind[KIND_MAX_LENGTH]) {
    static const char undefined[] = "runtime error: ", address[] = "Sanitizer: ",
                      thread[] = "WARNING: ThreadSanitizer: ";
    const char *in_undefined = strstr(text, undefined);
    const char *in_error = strstr(text, "ERROR: ");
    const char *in_address = in_error ? strstr(in_error, address) : NULL;
    if (in_undefined && (!in_address || in_undefined < in_address)) {
        undefined_kind(in_undefined + strlen(undefined), kind);
        return in_undefined;
    }
    if (in_address) {
        address_kind(in_address + strlen(address), kind);
        return in_address;
    }
    const char *in_thread = strstr(text, thread);
    if (in_thread)
        thread_kind(in_thread + strlen(thread), kind);
    return in_thread;
}

/* One line of a stack: "    #0 0x55.. in name file:line:column", or TSan's "    #0 name file:line:column (module+..)".
 */
static bool parse_frame(const char *line, size_t length, char name[NAME_MAX_LENGTH], bool *in_kernel) {
    static const char marker[] = " in ";
    char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)length, line);
    const char *at = copy + strspn(copy, " ");
    if (*at != '#')
        return false;
    const char *function = strstr(at, marker), *after = strchr(at, ' ');
    function = function ? function + strlen(marker) : after ? after + 1 : at;
    snprintf(name, NAME_MAX_LENGTH, "%.*s", (int)word_length(function, " .(\n"), function);
    *in_kernel = strstr(function, "src/kernel/") != NULL;
    return true;
}

static bool is_sanitizer_frame(const char *name) {
    return strncmp(name, "__", 2) == 0 || strstr(name, "interceptor") != NULL;
}

/* The innermost frames of the first stack, of the kernel only or of all. Returns how many there are. */
static size_t collect_frames(const char *text, bool kernel_only, char frames[FRAMES][NAME_MAX_LENGTH]) {
    size_t count = 0, seen = 0;
    while (*text && count < FRAMES) {
        size_t length = word_length(text, "\n");
        char name[NAME_MAX_LENGTH];
        bool in_kernel;
        if (parse_frame(text, length, name, &in_kernel)) {
            seen++;
            if (kernel_only ? in_kernel : !is_sanitizer_frame(name))
                memcpy(frames[count++], name, NAME_MAX_LENGTH);
        } else if (seen > 0) {
            break;
        }
        text += length + (text[length] == '\n');
    }
    return count;
}

/* Of a race the innermost frame of each end, in an order that does not depend on which came first. */
static size_t collect_ends(const char *first, const char *second, char frames[FRAMES][NAME_MAX_LENGTH]) {
    char other[FRAMES][NAME_MAX_LENGTH];
    bool known = collect_frames(first, true, frames) || collect_frames(first, false, frames);
    bool other_known = collect_frames(second, true, other) || collect_frames(second, false, other);
    if (!known || !other_known)
        return known;
    bool turned = strcmp(frames[0], other[0]) > 0;
    memcpy(frames[1], turned ? frames[0] : other[0], NAME_MAX_LENGTH);
    if (turned)
        memcpy(frames[0], other[0], NAME_MAX_LENGTH);
    return 2;
}

bool sanitizer_signature(const char *text, const char *operation, char *signature, size_t size) {
    char kind[KIND_MAX_LENGTH], frames[FRAMES][NAME_MAX_LENGTH];
    const char *report = find_kind(text, kind);
    if (!report)
        return false;
    const char *previous = strstr(report, "\n  Previous ");
    size_t count = previous ? collect_ends(report, previous + 1, frames) : collect_frames(report, true, frames);
    if (count == 0)
        count = collect_frames(report, false, frames);
    int used = snprintf(signature, size, "O8.sanitizer/%s/%s/", operation, kind);
    for (size_t i = 0; i < count && used >= 0 && (size_t)used < size; i++)
        used += snprintf(signature + used, size - (size_t)used, "%s%s", i == 0 ? "" : previous ? "~" : "<", frames[i]);
    if (count == 0 && used >= 0 && (size_t)used < size)
        snprintf(signature + used, size - (size_t)used, "no stack");
    return true;
}

/* Length of what is left out at this place: "==123==" or the digits of an address. */
static size_t volatile_length(const char *text) {
    if (strncmp(text, "==", 2) == 0) {
        size_t digits = strspn(text + 2, "0123456789");
        return digits && strncmp(text + 2 + digits, "==", 2) == 0 ? digits + 4 : 0;
    }
    return strncmp(text, "0x", 2) == 0 ? 2 + strspn(text + 2, "0123456789abcdef") : 0;
}

void sanitizer_report(const char *text, char *report, size_t size) {
    size_t used = 0;
    bool in_stack = false;
    while (*text && used + 4 < size) {
        in_stack = in_stack || strncmp(text, "\n    #", 6) == 0;
        if (in_stack && strncmp(text, "\n\n", 2) == 0)
            break;
        size_t left_out = volatile_length(text);
        if (left_out && *text == '0')
            report[used++] = '?';
        if (!left_out)
            report[used++] = *text;
        text += left_out ? left_out : 1;
    }
    report[used] = '\0';
}
