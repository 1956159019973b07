/*
 * Workers that connect to us (txgate-worker --connect), for gateways of `reverse`. A process of its
 * own keeps the door: it alone has the key and meets strangers, and hands over the links of those
 * who have proven to have the key (src/worker/listen.h). Here they say their name and wait for the
 * transport that wants them.
 */
#ifndef TXG_GATEWAY_ARRIVALS_H
#define TXG_GATEWAY_ARRIVALS_H

#include <stdbool.h>
#include <uv.h>

#include "src/base/buf.h"

#define TXG_ARRIVALS_MAX  64  /* that wait */
#define TXG_ARRIVAL_NAME  64  /* bytes */
#define TXG_ARRIVAL_LINES 192 /* of the two lines in front: the address, and the name */

struct txg_arrivals;

struct txg_arrival {
    uv_pipe_t pipe; /* nothing is read from it; `data` is its owner's */
    char *from;     /* "10.0.0.7:40112" */
    char *name;
    struct txg_buf said; /* what came behind the name already */
};

struct txg_arrivals_config {
    uv_loop_t *loop;
    const char *worker; /* path of txgate-worker for this machine */
    const char *listen; /* [ADDRESS:]PORT */
    const char *key_file;
    void *user;
    /* What the door has to say: who came, who was refused and why. */
    void (*on_words)(void *user, const char *line);
    /* Who is called so has come and nobody waits. True: somebody does now, or will at once. */
    bool (*on_unwanted)(void *user, const char *name);
};

/* Starts to listen. Strings are borrowed. What fails is told to those who wait. */
struct txg_arrivals *txg_arrivals_new(const struct txg_arrivals_config *config);
void txg_arrivals_close(struct txg_arrivals *a); /* closes every handle; nobody may wait any more */
void txg_arrivals_free(struct txg_arrivals *a);  /* once the loop has run out; NULL is fine */

/* Somebody who waits for a worker: the one called `id`, or where that is NULL any. Embedded; it is
 * in the list until `take` or `fail` or txg_arrivals_leave. */
struct txg_arrivals_waiter {
    const char *id;
    void (*take)(struct txg_arrivals_waiter *w, struct txg_arrival *arrival); /* owns it now */
    void (*fail)(struct txg_arrivals_waiter *w, const char *text); /* nobody will come any more */
    struct txg_arrivals_waiter *next;
};

/* Calls back from the loop only, or from here where one is there already. */
void txg_arrivals_wait(struct txg_arrivals *a, struct txg_arrivals_waiter *w);
void txg_arrivals_leave(struct txg_arrivals *a, struct txg_arrivals_waiter *w);

/* The address that is listened on, once it is known; else what was asked for. */
const char *txg_arrivals_where(const struct txg_arrivals *a);

/* After its pipe was closed. */
void txg_arrival_free(struct txg_arrival *arrival);

#endif
