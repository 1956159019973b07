/*
 * One gateway as the session sees it, and the run's tests as schedulers see them.
 *
 * A number counts an outcome: in `each` lane * tests + test, elsewhere the catalog's number. What a
 * node was dealt stands in `held`, in the order it was sent.
 */
#ifndef TXG_SESSION_NODE_H
#define TXG_SESSION_NODE_H

#include <stdbool.h>

#include "src/session/collection.h"
#include "src/session/session.h"

enum txg_node_state {
    TXG_NODE_STARTING,  /* no word of a worker yet */
    TXG_NODE_READY,     /* workerready came */
    TXG_NODE_COLLECTED, /* its collection is complete */
    TXG_NODE_DEAD
};

enum txg_wait { /* what a gateway must do next, by itself and soon */
                TXG_WAIT_NONE,
                TXG_WAIT_COLLECTION,
                TXG_WAIT_START,  /* of the next test it holds */
                TXG_WAIT_GIVING, /* what steal asked for */
                TXG_WAIT_END     /* after shutdown */
};

#define TXG_PACE_EVEN 1000

struct txg_held { /* indices of its own collection, first sent first */
    size_t *items;
    size_t head, tail, cap;
    unsigned moved; /* counts when items changed places */
};

/* What a part of held is expected to take: known times, and how many of unknown time. */
struct txg_ahead {
    size_t from, until;
    unsigned moved; /* held's, then */
    int64_t known;
    size_t unknown;
};

struct txg_node {
    struct txg_gateway_info info;
    char *id;      /* owned; info.id */
    size_t origin; /* the gateway of the configuration that it is, or replaces: its spec, labels,
                      lane */
    enum txg_node_state state;
    struct txg_tests *incoming;    /* owned until complete */
    const struct txg_tests *tests; /* its collection, once complete */
    bool asked;                    /* its records come, or have come */
    bool offers;                   /* a collection whose records may be on their way from another */
    size_t offered;                /* count and digest of it */
    uint64_t offered_digest;
    struct txg_held held;
    size_t passed;         /* deal.c: places of what is pending, in front of it nothing is for it */
    unsigned passed_moved; /* pending's, then */
    struct txg_barren {    /* barren.c: who was idle found nothing in what it holds */
        uint64_t idle;     /* who that was */
        size_t until;      /* held's tail, then */
        unsigned moved;    /* and its moved */
    } barren;
    struct txg_ahead ahead; /* duration.c's */
    char *arch;             /* its worker's, or NULL */
    int64_t sent_at;        /* when it was sent a test and held none; 0: it has started that one */
    int64_t round_trip;     /* microseconds, between that and the test's start; 0: not known */
    int64_t started_at;     /* while it runs a test */
    int64_t slow_at;        /* when that has run for long; INT64_MAX: it is told */
    int64_t pace;    /* time its tests take per time expected, of TXG_PACE_EVEN; 0: not known */
    bool running;    /* held's front has sent logstart */
    size_t reports;  /* tests that it has done */
    unsigned steals; /* that were sent and are not answered */
    int64_t seq;     /* of its last message that carried one */
    bool worked;     /* it has started a test */
    bool retired;    /* nothing is left for it, unless another dies */
    bool leaving;    /* it has asked to go */
    bool shutting;   /* shutdown was sent */
    bool finished;   /* workerfinished came */
    bool closing;    /* CLOSE was asked for */
    bool dismissed;  /* because all was done before it was there */
    enum txg_wait waits;
    int64_t silent_at; /* when what it is waited for must have come; INT64_MAX: no such time */
};

void txg_held_push(struct txg_held *h, size_t index);
size_t txg_held_count(const struct txg_held *h);
void txg_held_clear(struct txg_held *h);
/* Takes out the `count` indices that are marked, from the place `first` on. False: not all of them
 * stand there, and nothing was taken. */
bool txg_held_remove(struct txg_held *h, size_t first, const bool *marked, size_t count);

#endif
