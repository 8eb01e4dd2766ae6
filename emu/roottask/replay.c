/*
 * Mode replay: the sequences of the second boot module, from number `first` on.
 */
#include "kernel.h"
#include "protocol.h"
#include "seq/archive.h"
#include "session.h"

_Noreturn void replay(struct session *session) {
    struct archive archive;
    size_t bytes = 0, length = 0;
    const uint8_t *packed;
    const void *module = kernel_module(1, &bytes);
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
