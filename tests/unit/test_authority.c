/*
 * The authority matrix: every operation that names a capability, with every set of rights on it and with every wrong
 * capability in its place. Each one is refused or not as the table of operations in semantics.md says, and the harness
 * compares everything afterwards: what was refused changed nothing.
 */
#include "harness/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const struct rescind_target rescind_target_small;

enum { OPS = 32, MAPPINGS = 1 << 13, TEXT = 4096 };

/*
 * p1 calls. It holds: at 1 a capability to p2 with the rights to be tried, at 2 one to p2 with all rights, at 3 one to
 * a plain object, at 4 one to itself with all rights, at 5 nothing; memory at 0x10, ports at 0x20. p2 has memory of its
 * own, derived from p1's and not, ports, and a capability.
 */
static const char world[] = "# rescind: 1\n# geometry: small\n"
                            "p1 = create_pd root payer=root sel=1 quota=8\n"
                            "p2 = create_pd root payer=root sel=2 quota=4\n"
                            "create_object root payer=root sel=3\n"
                            "delegate root obj from=own base=2 order=0 to=p1 at=2 mask=cmrdq\n"
                            "delegate root obj from=own base=3 order=0 to=p1 at=3 mask=cmrdq\n"
                            "delegate root obj from=own base=1 order=0 to=p1 at=4 mask=cmrdq\n"
                            "delegate root obj from=own base=3 order=0 to=p2 at=9 mask=cmrdq\n"
                            "delegate root mem from=phys base=0x10 order=2 to=p1 at=0x10 mask=rwx\n"
                            "delegate root mem from=phys base=0x40 order=2 to=p2 at=0x40 mask=rwx\n"
                            "delegate root pio from=phys base=0x20 order=2 to=p1 at=0x20 mask=a\n"
                            "delegate root pio from=phys base=0x40 order=2 to=p2 at=0x40 mask=a\n"
                            "delegate p1 mem from=own base=0x10 order=1 to=p2 at=0x80 mask=rw\n";

/* `%s` is the capability that is tried; `needs` the rights that it must have. */
struct attempt {
    const char *text;
    uint8_t needs;
};

static const struct attempt attempts[] = {
    {"p3 = create_pd p1 payer=%s sel=6 quota=1", ABI_CREATE},
    {"create_object p1 payer=%s sel=6", ABI_CREATE},
    {"delegate p1 mem from=own base=0x10 order=1 to=%s at=0x20 mask=rwx", ABI_MAP},
    {"delegate p1 pio from=own base=0x20 order=1 to=%s at=0x20 mask=a", ABI_MAP},
    {"delegate p1 obj from=own base=3 order=0 to=%s at=0x20 mask=cm", ABI_MAP},
    {"grant p1 mem from=own base=0x10 order=1 to=%s at=0x20 mask=rwx", ABI_MAP},
    {"grant p1 pio from=own base=0x20 order=1 to=%s at=0x20 mask=a", ABI_MAP},
    {"grant p1 obj from=own base=3 order=0 to=%s at=0x20 mask=cm", ABI_MAP},
    {"revoke p1 mem base=0x40 order=1 mask=rwx scope=self place=%s filter=none", ABI_REVOKE_RIGHT},
    {"revoke p1 mem base=0x40 order=1 mask=w scope=children place=%s filter=none", ABI_REVOKE_RIGHT},
    {"revoke p1 mem base=0x40 order=1 mask=rwx scope=drop place=%s filter=none", ABI_REVOKE_RIGHT},
    {"revoke p1 pio base=0x40 order=1 mask=a scope=self place=%s filter=none", ABI_REVOKE_RIGHT},
    {"revoke p1 obj base=9 order=0 mask=cmrdq scope=self place=%s filter=none", ABI_REVOKE_RIGHT},
    {"revoke p1 obj base=9 order=0 mask=cmrdq scope=drop place=%s filter=none", ABI_REVOKE_RIGHT},
    {"revoke p1 mem base=0x10 order=1 mask=rwx scope=children place=own filter=%s", 0},
    {"revoke p1 pio base=0x20 order=1 mask=a scope=children place=own filter=%s", 0},
    {"destroy_pd p1 pd=%s", ABI_DESTROY},
    {"move_quota p1 from=%s to=@4 pages=1", ABI_QUOTA},
    {"move_quota p1 from=@4 to=%s pages=1", ABI_QUOTA},
};

static const char *const wrong[] = {"@5", "@3", "@64", "p7"}; /* empty, a plain object, outside, a PD never made */

struct last {
    uint32_t code;
    uint64_t value;
};

static void on_step(void *context, const struct harness_step *step) {
    struct last *last = context;
    last->code = step->is_void ? UINT32_MAX : step->code;
    last->value = step->value;
}

/* What the last line of a text comes to, everything being compared after each operation. */
static struct last run(const char *text) {
    static struct seq_op ops[OPS];
    static struct harness_outcome outcome;
    struct seq seq = {.op = ops, .capacity = OPS};
    struct seq_error error;
    struct host_enter host;
    struct last last = {0};
    const struct harness_options options = {.compare = HARNESS_FULL, .on_step = on_step, .context = &last};
    if (!seq_parse(&seq, text, strlen(text), &error))
        fail_msg("%u:%u: %s\n%s", error.line, error.column, error.message, text);
    struct harness *harness = host_harness_new(&host, &rescind_target_small, MAPPINGS, &oracle_policy_exact);
    assert_non_null(harness);
    harness_run(harness, &seq, &options, &outcome);
    host_harness_free(harness);
    if (outcome.verdict != HARNESS_AGREE)
        fail_msg("%s%s", outcome.report, text);
    return last;
}

static void append(char *text, const char *format, const char *word) {
    size_t length = strlen(text);
    char line[256];
    const char *hole = strstr(format, "%s");
    snprintf(line, sizeof line, "%.*s%s%s\n", (int)(hole ? hole - format : (int)strlen(format)), format,
             hole ? word : "", hole ? hole + 2 : "");
    snprintf(text + length, TEXT - length, "%s", line);
}

static void test_every_set_of_rights(void **state) {
    char text[TEXT], letters[8];
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        for (uint8_t rights = 0; rights <= ABI_OBJ_RIGHTS; rights++) {
            snprintf(text, sizeof text, "%s", world);
            snprintf(letters, sizeof letters, "0x%x", rights);
            append(text, "delegate root obj from=own base=2 order=0 to=p1 at=1 mask=%s", letters);
            append(text, attempts[i].text, "@1");
            uint32_t expected = rights == 0                                         ? ABI_E_CAP
                                : (rights & attempts[i].needs) == attempts[i].needs ? ABI_OK
                                                                                    : ABI_E_RIGHT;
            if (run(text).code != expected)
                fail_msg("code %u, not %u:\n%s", run(text).code, expected, text);
        }
    }
}

static void test_every_wrong_capability(void **state) {
    char text[TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            snprintf(text, sizeof text, "%s", world);
            append(text, attempts[i].text, wrong[k]);
            if (run(text).code != ABI_E_CAP)
                fail_msg("code %u, not E_CAP:\n%s", run(text).code, text);
        }
    }
}

/* Only root may name PHYS, whatever others hold. */
static void test_phys_is_roots(void **state) {
    static const char *const lines[] = {
        "delegate p1 mem from=phys base=0x10 order=1 to=self at=0x30 mask=rwx",
        "delegate p1 mem from=phys base=0x10 order=1 to=@2 at=0x30 mask=rwx",
        "delegate p1 pio from=phys base=0x30 order=1 to=self at=0x30 mask=a",
        "revoke p1 mem base=0x10 order=2 mask=rwx scope=children place=phys filter=none",
        "revoke p1 mem base=0x10 order=2 mask=rwx scope=children place=phys filter=@2",
        "revoke p1 pio base=0x20 order=2 mask=a scope=children place=phys filter=none",
    };
    char text[TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(text, sizeof text, "%s", world);
        append(text, lines[i], "");
        assert_int_equal(run(text).code, ABI_E_RIGHT);
    }
}

/* Of several errors the first in order is returned. */
static void test_order_of_errors(void **state) {
    static const struct {
        const char *line;
        uint32_t code;
    } both[] = {
        {"delegate p1 mem from=own base=0x11 order=1 to=@5 at=0x20 mask=rwx", ABI_E_ARG},  /* no such capability too */
        {"grant p1 mem from=phys base=0x10 order=1 to=@5 at=0x20 mask=rwx", ABI_E_ARG},    /* likewise */
        {"delegate p1 pio from=own base=0x20 order=1 to=@5 at=0x30 mask=a", ABI_E_ARG},    /* likewise */
        {"delegate p1 mem from=phys base=0x10 order=1 to=@5 at=0x20 mask=rwx", ABI_E_CAP}, /* not root too */
        {"delegate p1 mem from=phys base=0x10 order=1 to=@2 at=0x40 mask=rwx", ABI_E_RIGHT}, /* occupied too */
        {"revoke p1 mem base=0x10 order=2 mask=rwx scope=children place=phys filter=@5", ABI_E_CAP},
        {"revoke p1 mem base=0x10 order=2 mask=rwx scope=self place=own filter=@5", ABI_E_ARG},
        {"move_quota p1 from=@1 to=@5 pages=1", ABI_E_CAP},              /* a right is missing too */
        {"p3 = create_pd p1 payer=@1 sel=2 quota=1", ABI_E_RIGHT},       /* occupied too */
        {"p3 = create_pd p1 payer=@2 sel=2 quota=60000", ABI_E_OVERLAP}, /* too little memory too */
    };
    char text[TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        snprintf(text, sizeof text, "%s", world);
        append(text, "delegate root obj from=own base=2 order=0 to=p1 at=1 mask=%s", "r");
        append(text, both[i].line, "");
        if (run(text).code != both[i].code)
            fail_msg("code %u, not %u:\n%s", run(text).code, both[i].code, text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_set_of_rights),
        cmocka_unit_test(test_every_wrong_capability),
        cmocka_unit_test(test_phys_is_roots),
        cmocka_unit_test(test_order_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
