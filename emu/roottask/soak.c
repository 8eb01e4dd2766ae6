/*
 * Mode soak: one life, never torn down, in chunks that are told like sequences; now and then all is cleared.
 *
 * Options: seed, ops (0: no limit).
 */
#include "harness/soak.h"
#include "kernel.h"
#include "print.h"
#include "protocol.h"
#include "session.h"

enum { LOW_EVERY = 16 };

/* What a chunk added to the counts of the life. */
static void end_chunk(struct session *session, const struct soak *soak, uint64_t number) {
    struct harness_outcome *outcome = &session->outcome;
    const struct soak_counts *counts = soak_counts(soak);
    uint64_t probes = outcome->probes;
    outcome->executed = (uint32_t)(counts->operations - session->operations);
    outcome->probes -= session->probes;
    session_tell(session, soak_recent(soak), number);
    session->operations = counts->operations;
    session->probes = outcome->probes = probes;
}

_Noreturn void soak(struct session *session) {
    struct seq_geometry geometry = seq_geometry_real;
    uint64_t ops = session_option("ops", 0), number = 0;
    geometry.kernel_frame = session->target->geometry.kernel_frame;
    struct soak *life =
        soak_init(session->spare, session->spare_size, session->harness, &geometry, session->options.seed);
    if (!life)
        session_bad("not enough memory for a long life");
    enum harness_verdict verdict = soak_boot(life, &session->outcome);
    while (verdict == HARNESS_AGREE && (!ops || session->operations < ops)) {
        session_begin(++number);
        verdict = soak_chunk(life, number % LOW_EVERY == 0, &session->outcome);
        end_chunk(session, life, number);
    }
    if (verdict == HARNESS_AGREE) {
        session_begin(++number);
        verdict = soak_chunk(life, true, &session->outcome);
        end_chunk(session, life, number);
    }
    session_end(session, verdict == HARNESS_AGREE ? ROOT_DONE : ROOT_TOO_LARGE);
}
