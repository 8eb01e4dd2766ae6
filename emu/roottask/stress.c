/*
 * Mode stress: sequences generated on the machine, until enough operations are done.
 *
 * Options: seed, ops (0: no limit), first (number of the first sequence), length (operations of a sequence), victims
 * (1: programs on other CPUs use their memory all the time), preempt (of 256 revokes and destroys: during which others
 * run, where there are several CPUs), nodrop (1: no revoke with scope drop), dump (1: print the
 * first sequence and do nothing).
 */
#include "harness/soak.h"
#include "kernel.h"
#include "protocol.h"
#include "seq/blocks.h"
#include "session.h"

enum { LENGTH_DEFAULT = 256, UNIT_BUDGET = 1 << 11, SMALL_ONE_IN = 2 };

/* Small numbers, as in the small geometry, collide more often; what memory PDs need is the machine's. */
static struct seq_geometry small_numbers(void) {
    struct seq_geometry geometry = seq_geometry_small;
    geometry.quota_pages = seq_geometry_real.quota_pages;
    geometry.pd_pages = seq_geometry_real.pd_pages;
    return geometry;
}

static struct seq_geometry large_numbers(const struct rescind_target *target) {
    struct seq_geometry geometry = seq_geometry_real;
    geometry.kernel_frame = target->geometry.kernel_frame;
    return geometry;
}

/* What would take the boot state away for ever, and what is not wanted. */
static void leave_out(struct seq *seq, bool drops, bool ends) {
    struct seq_marks marks = {{0}};
    for (uint32_t i = 0; i < seq->count; i++) {
        bool drop = seq->op[i].code == SEQ_REVOKE && seq->op[i].scope == ABI_DROP;
        if ((ends && soak_ends_life(&seq->op[i])) || (drops && drop))
            seq_mark(&marks, i);
    }
    seq_remove_marked(seq, &marks);
}

_Noreturn void stress(struct session *session) {
    struct seq_geometry small = small_numbers(), large = large_numbers(session->target);
    uint64_t seed = session_option("seed", 0), ops = session_option("ops", 0);
    uint32_t length = (uint32_t)session_option("length", LENGTH_DEFAULT);
    uint8_t cpus = (uint8_t)kernel_cpus();
    session->options.on_step = session_count;
    session->options.context = session;
    uint8_t preempt = session->target->overlaps ? (uint8_t)session_option("preempt", 0) : 0;
    kernel_keep_busy(session_option("victims", 0));
    for (uint64_t number = session_option("first", 0); !ops || session->operations < ops; number++) {
        const struct seq_geometry *geometry = number % SMALL_ONE_IN ? &small : &large;
        struct seq seq = {.geometry = geometry, .op = session->ops, .capacity = SEQ_MAX_OPS, .cpus = cpus};
        struct seq_profile profile = {.cpus = cpus, .unit_budget = UNIT_BUDGET, .preempt = preempt};
        struct seq_random random;
        seq_random_seed(&random, seed);
        seq_random_seed(&random, seq_random_next(&random) + number);
        seq_generate(&seq, &random, &profile, length < SEQ_MAX_OPS ? length : SEQ_MAX_OPS);
        leave_out(&seq, session_option("nodrop", 0), session->target->boots_once);
        if (session_option("dump", 0)) {
            session_dump(session, &seq);
            break;
        }
        session_run(session, &seq, number);
    }
    session_end(session, ROOT_DONE);
}
