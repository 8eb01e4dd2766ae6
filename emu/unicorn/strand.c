/* See strand.h. */
#include "unicorn/strand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void await(sem_t *turn) {
    while (sem_wait(turn) != 0 && errno == EINTR) {
    }
}

static void *run(void *context) {
    struct strand *strand = context;
    for (await(&strand->mine); !strand->ends; await(&strand->mine)) {
        strand->body(strand->context);
        strand->stands = false;
        sem_post(&strand->yours);
    }
    return NULL;
}

static void hand_over(struct strand *strand) {
    sem_post(&strand->mine);
    await(&strand->yours);
}

void strand_start(struct strand *strand, void (*body)(void *context), void *context) {
    if (!strand->open) {
        sem_init(&strand->mine, 0, 0);
        sem_init(&strand->yours, 0, 0);
        if (pthread_create(&strand->thread, NULL, run, strand) != 0) {
            fputs("rescind: no thread can be made\n", stderr);
            abort();
        }
        strand->open = true;
    }
    strand->body = body;
    strand->context = context;
    strand->stands = false;
    hand_over(strand);
}

void strand_go_on(struct strand *strand) {
    strand->stands = false;
    hand_over(strand);
}

void strand_stand(struct strand *strand) {
    strand->stands = true;
    sem_post(&strand->yours);
    await(&strand->mine);
}

void strand_close(struct strand *strand) {
    if (!strand->open)
        return;
    strand->ends = true;
    sem_post(&strand->mine);
    pthread_join(strand->thread, NULL);
    sem_destroy(&strand->mine);
    sem_destroy(&strand->yours);
    *strand = (struct strand){0};
}
