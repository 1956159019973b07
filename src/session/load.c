#include "config.h"

#include "src/session/scheduler.h"

/* A node whose test took this long, in microseconds, gets no more than two. */
#define SLOW 100000

/* What a node holds is to last this long, microseconds, or two round trips: by then word of what it
 * has done came here and more went there. Where tests take less than half of that, it is asked for
 * more than xdist would, earlier, and gets up to its share of what is pending. */
#define FEED 10000

/* How many tests the node does in that time, as far as it has shown. */
static size_t feed(const struct txg_deal *d, const struct txg_node *node)
{
    int64_t spent = txg_deal_now(d) - d->began, last = 2 * node->round_trip;
    if (spent <= 0 || node->reports == 0)
        return 0;
    return (size_t)((double)node->reports * (double)(last > FEED ? last : FEED) / (double)spent);
}

/* What each would hold if what is left were spread evenly: near the end of a far run, who asks
 * first is not to take what the others would wait for. */
static size_t fair_share(const struct txg_deal *d, size_t pending, size_t live)
{
    size_t left = pending;
    for (size_t i = 0; i < d->n_nodes; i++)
        if (txg_deal_is_live(d->nodes[i]))
            left += txg_held_count(&d->nodes[i]->held);
    return left / live;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t at_least_two(size_t n)
{
    return larger(n, 2);
}

/* xdist's LoadScheduling.check_schedule(). */
static void check(struct txg_deal *d, struct txg_node *node, int64_t duration)
{
    if (!txg_deal_is_live(node) || node->shutting)
        return;
    if (!txg_deal_has_work(d, node)) {
        txg_deal_retire(d, node);
        return;
    }
    size_t pending = txg_pending_count(&d->pending), live = txg_deal_live(d);
    size_t mine = txg_held_count(&node->held);
    size_t least = at_least_two(pending / live / 4), most = at_least_two(pending / live / 2);
    size_t fast = feed(d, node), share = pending / live;
    if (share < 2 * fast && 2 * node->round_trip > FEED)
        share = fair_share(d, pending, live);
    least = larger(least, fast);
    most = larger(most, 2 * fast < share ? 2 * fast : share);
    if (mine >= least || (duration >= SLOW && mine >= 2))
        return;
    if (mine >= most)
        return;
    size_t needed = mine < 2 ? 2 - mine : 0;
    size_t cap = needed > d->maxschedchunk ? needed : d->maxschedchunk;
    txg_deal_send(d, node, most - mine < cap ? most - mine : cap);
}

static void check_all(struct txg_deal *d)
{
    for (size_t i = 0; i < d->n_nodes; i++)
        check(d, d->nodes[i], 0);
}

static void begin(struct txg_deal *d)
{
    size_t total = txg_pending_count(&d->pending), live = txg_deal_live(d);
    d->began = txg_deal_now(d);
    if (live == 0)
        return;
    size_t chunk =
        at_least_two(total / live / 4 < d->maxschedchunk ? total / live / 4 : d->maxschedchunk);
    bool few = total < 2 * live;
    size_t dealt;
    do { /* one by one, round and round, where there are few; else one chunk for each */
        dealt = 0;
        for (size_t i = 0; i < d->n_nodes; i++)
            if (txg_deal_is_live(d->nodes[i]))
                dealt += txg_deal_send(d, d->nodes[i], few ? 1 : chunk);
    } while (few && dealt);
    for (size_t i = 0; i < d->n_nodes; i++)
        if (txg_deal_is_live(d->nodes[i]) && !txg_deal_has_work(d, d->nodes[i]))
            txg_deal_retire(d, d->nodes[i]);
}

static void node_ready(struct txg_deal *d, struct txg_node *node)
{
    (void)node;
    check_all(d);
}

static void node_gone(struct txg_deal *d, struct txg_node *node)
{
    (void)node;
    check_all(d);
}

const struct txg_scheduler_ops txg_scheduler_load = {
    .dist = TXG_DIST_LOAD,
    .name = "LoadScheduling",
    .begin = begin,
    .node_ready = node_ready,
    .completed = check,
    .returned = node_gone,
    .node_gone = node_gone,
};
