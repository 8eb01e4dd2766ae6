/* See trial.h. */
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AIM_ONE_IN = 2, STATUS_CRASH = 77 /* libFuzzer's */ };

static struct {
    const char *prefix; /* of paths of inputs put aside */
    struct aim aim;
    bool running;
} trial = {.prefix = "./"};

void trial_start(int argc, char *const *argv) {
    static const char option[] = "-artifact_prefix=";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], option, sizeof option - 1) == 0)
            trial.prefix = argv[i] + sizeof option - 1;
    }
}

void trial_aim(struct harness *harness, struct seq *seq, struct seq_random *random) {
    trial.running = true;
    for (uint32_t i = 0; i < seq->count; i++) {
        if (seq_random_below(random, AIM_ONE_IN) == 0)
            aim_schedule(&trial.aim, harness, seq, i, random);
    }
    trial.running = false;
}

static void put_aside(void) {
    const struct seq *seq = &trial.aim.trial;
    char path[4096];
    uint8_t packed[SEQ_OP_BYTES];
    if (!trial.running)
        return;
    snprintf(path, sizeof path, "%scrash-trial-%ld", trial.prefix, (long)getpid());
    FILE *file = fopen(path, "w");
    for (uint32_t i = 0; file && i < seq->count; i++) {
        seq_pack_op(seq->geometry, &seq->op[i], packed);
        fwrite(packed, sizeof packed, 1, file);
    }
    if (!file || fclose(file) != 0)
        perror(path);
    fprintf(stderr, "rescind: the kernel died in a trial of a schedule; wrote %s\n", path);
    _exit(STATUS_CRASH);
}

/* Called by the run-time libraries of the sanitizers, if there are any, before they say what they found. */
void __asan_on_error(void);
void __ubsan_on_report(void);

void __asan_on_error(void) {
    put_aside();
}

void __ubsan_on_report(void) {
    put_aside();
}
