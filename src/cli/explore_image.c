/*
 * rescind explore --on=unicorn: preempts each system call of a short sequence at each of its stores, in the kernel's
 * machine code, by the next one on another CPU.
 *
 * Two calls at once must come to what they come to one after the other, in one of the two orders: results, accounts,
 * and everything that page tables say. No model is needed for that.
 */
#include "cli/explore.h"
#include "cli/unicorn.h"
#include "harness/host.h"
#include "harness/walk.h"
#include "unicorn/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = EXPLORE_CALLS_MAX, PDS_COMPARED = 64, CPUS = 2 };

struct call {
    uint32_t pd;
    uint64_t word[ABI_WORDS];
};

struct explorer {
    const struct rescind_target *target;
    struct host_enter host;
    struct call call[CALLS_MAX];
    uint32_t calls;
    bool recording;
    uint32_t at; /* which call is preempted */
    struct unicorn_pair pair;
    uint64_t digest;
    bool possible; /* the second call's PD is there before the first */
};

/* struct rescind_target has no place for a context, so what the recording target records to is found here. */
static struct explorer *recorder;

/* ---- recording ---- */

static void recording_call(uint32_t cpu, uint32_t pd, uint64_t word[ABI_WORDS]) {
    struct explorer *explorer = recorder;
    if (explorer->recording && explorer->calls < CALLS_MAX) {
        struct call *call = &explorer->call[explorer->calls++];
        call->pd = pd;
        memcpy(call->word, word, sizeof call->word);
    }
    explorer->target->call(cpu, pd, word);
}

static void end_recording(void *context) {
    ((struct explorer *)context)->recording = false;
}

static bool record(struct explorer *explorer, const struct cli_target *target, const struct seq *seq) {
    struct rescind_target recording = *target->target;
    struct cli_target wrapped = *target;
    const struct harness_options run = {.compare = HARNESS_OFF, .on_end = end_recording, .context = explorer};
    struct harness_outcome *outcome = allocate(sizeof *outcome);
    recording.call = recording_call;
    wrapped.target = &recording;
    recorder = explorer;
    explorer->recording = true;
    harness_run(cli_harness(&wrapped), seq, &run, outcome);
    bool agrees = outcome->verdict == HARNESS_AGREE;
    if (!agrees)
        complain("the sequence does not agree even without preemption: %s", outcome->signature);
    free(outcome);
    return agrees;
}

/* ---- states ---- */

static uint64_t mix(uint64_t digest, uint64_t value) {
    digest = (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 29;
}

static uint64_t digest_tables(const struct rescind_target *target, uint64_t root, uint64_t digest) {
    struct walk walk;
    struct walk_item item;
    if (!walk_start(&walk, target, root))
        return mix(digest, RESCIND_NOWHERE);
    while (walk_next(&walk, &item) != WALK_END) {
        if (item.what == WALK_LEAF)
            digest = mix(mix(mix(digest, item.unit), item.frame), (uint64_t)item.level << 8 | item.rights);
    }
    return digest;
}

static uint64_t digest_state(const struct rescind_target *target) {
    struct rescind_usage usage;
    uint64_t digest = 0;
    target->usage(&usage);
    digest = mix(mix(digest, usage.bytes), (uint64_t)usage.nodes << 32 | usage.tables);
    for (uint32_t pd = 0; pd < PDS_COMPARED; pd++) {
        struct rescind_pd_view view;
        if (!target->pd(pd, &view))
            continue;
        digest = mix(mix(mix(digest, pd), view.quota), view.used);
        digest = mix(digest, (uint64_t)view.payer << 32 | view.references);
        for (unsigned kind = 0; kind < ABI_KINDS; kind++)
            digest = mix(digest, view.node_count[kind]);
        digest = digest_tables(target, view.root_table, digest);
    }
    return digest;
}

/* ---- one pair, one place ---- */

/* The calls before, then the pair. */
static void perform(void *argument) {
    struct explorer *explorer = argument;
    const struct call *call = &explorer->call[explorer->at];
    struct rescind_pd_view view;
    explorer->target->boot(&explorer->host.hooks, CPUS, 0);
    for (uint32_t i = 0; i < explorer->at; i++) {
        uint64_t word[ABI_WORDS];
        memcpy(word, explorer->call[i].word, sizeof word);
        explorer->target->call(0, explorer->call[i].pd, word);
    }
    explorer->possible = explorer->target->pd(call[0].pd, &view) && explorer->target->pd(call[1].pd, &view);
    if (!explorer->possible)
        return;
    for (uint32_t i = 0; i < 2; i++) {
        explorer->pair.pd[i] = call[i].pd;
        memcpy(explorer->pair.word[i], call[i].word, sizeof call[i].word);
    }
    unicorn_cli_call_pair(&explorer->pair);
    explorer->digest = digest_state(explorer->target);
}

/* The second call, then the first. */
static void perform_reversed(void *argument) {
    struct explorer *explorer = argument;
    const struct call pair[] = {explorer->call[explorer->at], explorer->call[explorer->at + 1]};
    struct call *call = &explorer->call[explorer->at];
    call[0] = pair[1];
    call[1] = pair[0];
    perform(explorer);
    call[0] = pair[0];
    call[1] = pair[1];
}

static bool enter(struct explorer *explorer, void (*body)(void *argument)) {
    enum rescind_stop why;
    const char *text, *function;
    if (host_enter(&explorer->host, body, explorer, &why, &text, &function))
        return true;
    printf("FINDING calls %u and %u, store %u: the kernel stopped: %s: %s\n", explorer->at, explorer->at + 1,
           explorer->pair.store, function, text);
    return false;
}

/* ---- all pairs, all places ---- */

struct outcome {
    uint64_t digest, code[2], value[2];
};

static struct outcome outcome_of(const struct explorer *explorer, bool reversed) {
    const struct unicorn_pair *pair = &explorer->pair;
    return (struct outcome){explorer->digest,
                            {pair->word[reversed][0], pair->word[!reversed][0]},
                            {pair->word[reversed][1], pair->word[!reversed][1]}};
}

static bool same(const struct outcome *a, const struct outcome *b) {
    return a->digest == b->digest && a->code[0] == b->code[0] && a->code[1] == b->code[1] &&
           a->value[0] == b->value[0] && a->value[1] == b->value[1];
}

/* False: a finding. */
static bool explore_pair(struct explorer *explorer) {
    uint32_t stores, between = 0, waited = 0;
    explorer->pair.store = 0;
    if (!enter(explorer, perform_reversed))
        return false;
    const struct outcome backward = outcome_of(explorer, true);
    if (!enter(explorer, perform))
        return false;
    if (!explorer->possible)
        return true;
    const struct outcome forward = outcome_of(explorer, false);
    stores = explorer->pair.stores;
    for (uint32_t store = 1; store <= stores; store++) {
        explorer->pair.store = store;
        if (!enter(explorer, perform))
            return false;
        const struct outcome now = outcome_of(explorer, false);
        between += explorer->pair.preempted && !explorer->pair.waited;
        waited += explorer->pair.waited;
        if (same(&now, &forward) || same(&now, &backward))
            continue;
        printf("FINDING calls %u and %u, store %u of %u: neither order comes to this\n", explorer->at, explorer->at + 1,
               store, stores);
        return false;
    }
    printf("calls %u and %u: %u stores, %u times done in between, %u times blocked%s\n", explorer->at, explorer->at + 1,
           stores, between, waited, same(&forward, &backward) ? "" : "; the order matters");
    return true;
}

int explore_image(const struct explore_image_options *options, const struct seq *seq) {
    const struct cli_target *target = unicorn_cli_target(&options->unicorn);
    struct explorer *explorer = allocate(sizeof *explorer);
    *explorer = (struct explorer){.target = target->target};
    host_enter_init(&explorer->host);
    bool good = record(explorer, target, seq);
    for (explorer->at = options->first; good && explorer->at + 1 < explorer->calls && explorer->at <= options->last;
         explorer->at++)
        good = explore_pair(explorer);
    free(explorer);
    return good ? EXIT_AGREE : EXIT_FINDING;
}
