/*
 * Mode visits: what a probed operation consists of, each part so many times over: for `rescind bench visits`, which
 * takes the time.
 *
 * Options: part (enum visits_part of protocol.h), rounds.
 */
#include "kernel.h"
#include "print.h"
#include "protocol.h"
#include "session.h"

enum { PD_SELECTOR = 1, PD_PAGES = 16, PROBES = 2, UNIT = 0x10, FRAME = 0x10, NOWHERE_UNIT = 0x1000 };

static void call(const struct session *session, uint32_t pd, uint64_t operation, uint64_t a, uint64_t b, uint64_t c) {
    uint64_t word[ABI_WORDS] = {operation, a, b, c};
    session->target->call(0, pd, word);
    if (word[0] != ABI_OK)
        session_bad("visits: a call is refused");
}

/* The empty call: it only asks. */
static void ask(const struct session *session, uint32_t pd) {
    call(session, pd, ABI_LOOKUP | (uint64_t)ABI_MEM << ABI_KIND_SHIFT, UNIT, 0, 0);
}

/* Accesses that succeed, or that are refused. */
static void probe(const struct session *session, uint32_t pd, bool mapped) {
    struct rescind_probe probe[PROBES];
    for (uint32_t i = 0; i < PROBES; i++)
        probe[i] = (struct rescind_probe){.unit = (mapped ? UNIT : NOWHERE_UNIT) + i,
                                          .resource = mapped ? FRAME + i : RESCIND_NOWHERE,
                                          .kind = ABI_MEM,
                                          .rights = ABI_MEM_RIGHTS};
    session->target->probe(0, pd, true, probe, PROBES);
    for (uint32_t i = 0; i < PROBES; i++) {
        if (probe[i].reached != (mapped ? ABI_MEM_RIGHTS : 0))
            session_bad("visits: an access is not as it must be");
    }
}

/* A PD with the pages that are probed; returns its index. */
static uint32_t prepare(const struct session *session) {
    struct rescind_log log;
    call(session, 0, ABI_CREATE_PD, PD_SELECTOR, PD_PAGES, ABI_ROOT_SELECTOR);
    session->target->log(&log);
    uint64_t delegate = ABI_DELEGATE | (uint64_t)ABI_MEM << ABI_KIND_SHIFT | (uint64_t)ABI_PHYS << ABI_PLACE_SHIFT |
                        UINT64_C(1) << ABI_TO_CAP_SHIFT | UINT64_C(1) << ABI_ORDER_SHIFT |
                        (uint64_t)ABI_MEM_RIGHTS << ABI_MASK_SHIFT;
    call(session, 0, delegate, FRAME, UNIT, PD_SELECTOR);
    return log.pd_count ? log.pds[0] : 0;
}

_Noreturn void visits(struct session *session) {
    uint64_t part = session_option("part", VISITS_NOTHING), rounds = session_option("rounds", 1);
    uint32_t pd = prepare(session);
    for (uint64_t i = 0; i < rounds; i++) {
        if (part == VISITS_ROOT_CALL || part == VISITS_LEAST)
            ask(session, 0);
        if (part == VISITS_PD_CALL || part == VISITS_BOTH)
            ask(session, pd);
        if (part == VISITS_REACHED || part == VISITS_LEAST || part == VISITS_BOTH)
            probe(session, pd, true);
        if (part == VISITS_REFUSED)
            probe(session, pd, false);
    }
    session_end(session, ROOT_DONE);
}
