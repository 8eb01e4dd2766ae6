/*
 * Mode replay: the sequences of the second boot module, from number `first` on.
 */
#include "kernel.h"
#include "print.h"
#include "protocol.h"
#include "seq/archive.h"
#include "session.h"

static void say(const struct session *session, const char *name) {
    struct line line = {0};
    line_number(&line, PROTOCOL_OP, session->steps);
    line_text(&line, name);
    line_end(&line);
}

/* So that it is known what the kernel died of. */
static void on_call(void *context, const struct harness_step *step) {
    char name[HARNESS_SIGNATURE_MAX];
    harness_step_name(step, name);
    say(context, name);
}

static void on_start(void *context) {
    ((struct session *)context)->steps = 0;
}

static void on_step(void *context, const struct harness_step *step) {
    session_count(context, step);
    ((struct session *)context)->steps++;
}

static void on_end(void *context) {
    say(context, "teardown");
}

_Noreturn void replay(struct session *session) {
    struct archive archive;
    size_t bytes = 0, length = 0;
    const uint8_t *packed;
    const void *module = kernel_module(0, &bytes);
    session->options.on_start = on_start;
    session->options.on_call = on_call;
    session->options.on_step = on_step;
    session->options.context = session;
    session->options.on_end = on_end;
    uint64_t first = session_option("first", 0), number = 0;
    if (!module || !archive_open(&archive, module, bytes))
        session_bad("the second boot module is no archive of sequences");
    for (; archive_next(&archive, &packed, &length); number++) {
        struct seq seq = {.geometry = &seq_geometry_real, .op = session->ops, .capacity = SEQ_MAX_OPS, .cpus = 1};
        if (number < first)
            continue;
        seq_unpack(&seq, packed, length);
        session_run(session, &seq, number);
    }
    if (archive.count)
        session_bad("the archive of sequences is cut off");
    session_end(session, ROOT_DONE);
}
