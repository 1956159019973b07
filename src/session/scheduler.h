/*
 * How tests are dealt. A scheduler decides only which node gets which tests next and when it gets
 * no more; outcomes, blame and replacement are the session's. One const instance per file.
 */
#ifndef TXG_SESSION_SCHEDULER_H
#define TXG_SESSION_SCHEDULER_H

#include "src/session/expect.h"
#include "src/session/node.h"

struct txg_deal; /* what the session offers to a scheduler */

struct txg_scheduler_ops {
    enum txg_dist dist;
    const char *name; /* "LoadScheduling", as xdist announces it */
    /* Once, when every initial gateway has a collection or is dead for good. */
    void (*begin)(struct txg_deal *d);
    /* A replacement has its collection. */
    void (*node_ready)(struct txg_deal *d, struct txg_node *node);
    /* A test of the node has ended after `duration` microseconds. */
    void (*completed)(struct txg_deal *d, struct txg_node *node, int64_t duration);
    /* A test of the node has failed and is pending once more, in front; or what some tests must
     * wait for may be free. */
    void (*returned)(struct txg_deal *d, struct txg_node *node);
    /* The node is dead; what it held and had not started is back (txg_deal_pending). */
    void (*node_gone)(struct txg_deal *d, struct txg_node *node);
    /* The node has answered txg_deal_steal; what it gave back is pending. Or NULL: it never is
     * asked. */
    void (*given_back)(struct txg_deal *d, struct txg_node *node);
};

extern const struct txg_scheduler_ops txg_scheduler_each;
extern const struct txg_scheduler_ops txg_scheduler_load;
extern const struct txg_scheduler_ops txg_scheduler_loadscope;
extern const struct txg_scheduler_ops txg_scheduler_loadfile;
extern const struct txg_scheduler_ops txg_scheduler_loadgroup;
extern const struct txg_scheduler_ops txg_scheduler_worksteal;
extern const struct txg_scheduler_ops txg_scheduler_duration;

/* Numbers of tests that nobody was dealt yet, first to be dealt first. Zero-filled: empty. */
struct txg_pending {
    size_t *items;
    size_t head, tail, cap;
    unsigned moved; /* counts when items changed places, or one came in front of others */
};

struct txg_deal {
    struct txg_pending pending; /* not used by `each`, where each lane has its own rest */
    size_t maxschedchunk;       /* SIZE_MAX: no cap */
    int64_t began;              /* when dealing began */
    bool keep_order;
    bool retries;             /* tests that fail may be sent again */
    bool locks;               /* some tests must wait for others: sending may skip them */
    size_t *units;            /* [number]: what is dealt in one go; made and used by scope.c */
    struct txg_expect expect; /* duration.c; made by txg_deal_sort_longest */
    int64_t mean;             /* duration.c: of the tests that have ended; 0: none */
    int64_t left;             /* duration.c: about what is pending, microseconds */
    bool singly;              /* duration.c: one test after the other, to who will be free first */
    int64_t even;             /* duration.c: of that, when it was shared out last, per gateway */
    struct txg_node *victim;  /* steal.c, duration.c: who was asked and has not answered, or NULL */
    struct txg_node **nodes;  /* every node ever, borrowed */
    size_t n_nodes;
    struct txg_session *session;
};

void txg_pending_push(struct txg_pending *p, size_t number);
void txg_pending_push_front(struct txg_pending *p, size_t number);
size_t txg_pending_count(const struct txg_pending *p);

/* Nodes that have a collection and live, shutting down or not: xdist's `nodes`. */
size_t txg_deal_live(const struct txg_deal *d);
bool txg_deal_is_live(const struct txg_node *node);

/* Sends the next `n` pending tests that the node may run. Returns how many there were. */
size_t txg_deal_send(struct txg_deal *d, struct txg_node *node, size_t n);

/* Sends the first pending tests of one unit: those that follow each other there and that the node
 * may run. */
void txg_deal_send_unit(struct txg_deal *d, struct txg_node *node);

/* A test of a dead node is pending: last, or behind what belongs together with it. */
void txg_deal_put_back(struct txg_deal *d, size_t number);

/* Sends the node a test once more that it had at `index`. */
void txg_deal_send_again(struct txg_deal *d, struct txg_node *node, size_t index);

/* Asks the node to give back what it holds at these of its indices and has not started. */
void txg_deal_steal(struct txg_deal *d, struct txg_node *node, const size_t *indices, size_t n);

/* Must others wait while it runs? Then nobody takes it from who holds it. */
bool txg_deal_is_locked(const struct txg_deal *d, size_t number);

/* `each`: has the node's lane tests without an outcome that it may run? */
bool txg_deal_has_rest(const struct txg_deal *d, const struct txg_node *node);

/* May the node run this test? */
bool txg_deal_may_run(const struct txg_deal *d, const struct txg_node *node, size_t number);
size_t txg_deal_number(const struct txg_deal *d, const struct txg_node *node, size_t index);

/* Of a test: its nodeid, and its suite's group, or its own where pytest gave it one; else empty. */
struct txg_span txg_deal_nodeid(const struct txg_deal *d, size_t number);
struct txg_span txg_deal_group(const struct txg_deal *d, size_t number);

#define TXG_DEAL_WHOLE INT64_C(10000) /* microseconds: what starting a process again may take */

/* What is pending: what comes first, then the longest first; of equals as they stand. `few`: none
 * is too short for an order of its own, but for batches of less than TXG_DEAL_WHOLE a test. Where
 * no time is known they are spread over the list instead. */
void txg_deal_sort_longest(struct txg_deal *d, bool few);

/* Microseconds that the test is expected to take there; on the slowest; -1: nothing is known. */
int64_t txg_deal_expected(const struct txg_deal *d, const struct txg_node *node, size_t number);
int64_t txg_deal_longest(const struct txg_deal *d, size_t number);

/* It failed when it last ran, and such tests are to run first. */
bool txg_deal_comes_first(const struct txg_deal *d, size_t number);

int64_t txg_deal_now(const struct txg_deal *d);

/* The place of the first pending test that the node may run, pending.tail where there is none;
 * looks at each test once for each node. And whether there is one. */
size_t txg_deal_first(const struct txg_deal *d, struct txg_node *node);
bool txg_deal_has_work(const struct txg_deal *d, struct txg_node *node);

/* barren.c: who steals looks once at what a node holds, and again when the node is dealt more or
 * others are idle: of what it holds there is only less. A number for all who are idle now, never 0;
 * whether they have found nothing in what the node holds; and that it is so. */
uint64_t txg_deal_idle(const struct txg_deal *d, bool (*is_idle)(const struct txg_node *));
bool txg_deal_is_barren(const struct txg_node *node, uint64_t idle);
void txg_deal_set_barren(struct txg_node *node, uint64_t idle);

/* `each`: everything of the node's lane that has no outcome and that nobody holds. */
void txg_deal_send_rest(struct txg_deal *d, struct txg_node *node);

/* Nothing is left for the node now: it is shut down as soon as no other gateway holds a test that
 * could come back and nothing is pending that it may run. */
void txg_deal_retire(struct txg_deal *d, struct txg_node *node);

/* No more is dealt to it, whatever happens. */
void txg_deal_shutdown(struct txg_deal *d, struct txg_node *node);

#endif
