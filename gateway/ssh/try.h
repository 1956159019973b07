/*
 * One attempt to log in, shared by the thread that makes it and the loop that may give it up:
 * every wait of the thread ends when the attempt is cancelled or its time is over, and what it is
 * doing can be read at any moment. (A look-up of a name can't be interrupted: the loop goes on
 * without the thread, which then ends by itself.)
 */
#ifndef TXG_GATEWAY_SSH_TRY_H
#define TXG_GATEWAY_SSH_TRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/base/err.h"

struct txg_ssh_try {
    pthread_mutex_t lock; /* of step and doing */
    const char *step; /* "configure", "resolve", "connect", "host key", "authenticate", "start" */
    char doing[256];  /* "waiting for the greeting of 10.0.0.1 port 22" */
    int cancel;       /* eventfd: readable once nobody wants the outcome */
    int64_t deadline; /* microseconds of txg_now() */
    bool turned_away; /* the host hung up before its greeting; the thread's own */
};

/* -1: no descriptor is left. */
int txg_ssh_try_init(struct txg_ssh_try *t, int64_t timeout, struct txg_err *err);
void txg_ssh_try_release(struct txg_ssh_try *t);

/* Says what is done from here on. */
void txg_ssh_try_at(struct txg_ssh_try *t, const char *step, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The step, and "<doing>" into `doing`. */
const char *txg_ssh_try_where(struct txg_ssh_try *t, char *doing, size_t size);

void txg_ssh_try_cancel(struct txg_ssh_try *t);

/* Lets `us` pass. Errors as those of txg_ssh_try_wait. */
int txg_ssh_try_sleep(struct txg_ssh_try *t, int64_t us, struct txg_err *err);

/* Waits for `events` (poll) of `fd`, until `until` at most (0: the deadline of the attempt).
 * TXG_E_TIMEOUT when the time is over or the attempt was cancelled. */
int txg_ssh_try_wait(struct txg_ssh_try *t, int fd, short events, int64_t until,
                     struct txg_err *err);

#endif
