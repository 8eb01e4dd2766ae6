/*
 * A strand: code that can stand still in the middle, and go on later, with whoever called it going on meanwhile. Always
 * one of the two runs and the other waits, so what they do is in one order, and nothing needs a lock.
 *
 * It is a thread of its own, since an emulated CPU stands with frames of Unicorn's and of its translated code on the
 * stack. Depends on nothing.
 */
#ifndef RESCIND_UNICORN_STRAND_H
#define RESCIND_UNICORN_STRAND_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

struct strand {
    pthread_t thread;
    sem_t mine, yours; /* whose turn it is */
    void (*body)(void *context);
    void *context;
    bool open, ends;
    bool stands; /* it has begun, stands, and is to go on */
};

/* Executes `body` until it stands or is over. One whose body is over can be started again. */
void strand_start(struct strand *strand, void (*body)(void *context), void *context);

/* Lets one that stands go on until it stands again or is over. */
void strand_go_on(struct strand *strand);

/* By the body: stands here until strand_go_on. */
void strand_stand(struct strand *strand);

/* Frees what strand_start took. It must not stand; one that was never started is left alone. */
void strand_close(struct strand *strand);

#endif
