#include "config.h"

#include "src/session/scheduler.h"

#include <stdlib.h>

/*
 * Longest first. A gateway is dealt little ahead of what it runs: as much as it does in two round
 * trips, and while much is left a share of that, so that a worker may run several cases in one
 * process. Where there are few tests and their times are known, the next one goes to who will be
 * free first, while that runs its last but one: what Graham's list scheduling does on machines that
 * need no time between two jobs. Who runs dry when nothing is pending gets half of what the busiest
 * has not started.
 */

#define SLACK INT64_C(2000)    /* microseconds, beside two round trips */
#define BATCH INT64_C(1000000) /* dealt ahead at most for the sake of batches */
#define GUESS INT64_C(1000)    /* of a test where nothing is known, until one has ended */
#define SHARE 8                /* of what is left, per gateway, is dealt ahead */
#define BLIND 32               /* the same where no time is known: a long one may be among it */
#define IDLE  50               /* a round trip of this part of a test is not worth a second one */
#define FEW   50               /* tests for each gateway: the last of them makes the difference */

static bool is_up(const struct txg_node *node)
{
    return txg_deal_is_live(node) && !node->shutting;
}

/* A known time, or a count of unknown ones, on the node. */
static int64_t scaled(const struct txg_deal *d, const struct txg_node *node, int64_t known,
                      size_t unknown)
{
    int64_t us = known + (int64_t)unknown * (d->mean ? d->mean : GUESS);
    if (!node->pace)
        return us;
    return us < INT64_MAX / node->pace ? us * node->pace / TXG_PACE_EVEN : us;
}

static int64_t expected(const struct txg_deal *d, const struct txg_node *node, size_t number)
{
    int64_t us = txg_deal_expected(d, node, number);
    return us < 0 ? scaled(d, node, 0, 1) : scaled(d, node, us, 0);
}

/* The same wherever it will run. */
static int64_t somewhere(const struct txg_deal *d, size_t number)
{
    int64_t us = txg_deal_longest(d, number);
    return us < 0 ? d->mean ? d->mean : GUESS : us;
}

static void count_left(struct txg_deal *d)
{
    d->left = 0;
    for (size_t i = d->pending.head; i < d->pending.tail; i++)
        d->left += somewhere(d, d->pending.items[i]);
}

/* Of what the node runs: the time that is left. Where it is over its time, as much as it is over
 * it; where nobody knows it, as much as it has had: some take very long. */
static int64_t left_of_running(const struct txg_deal *d, const struct txg_node *node)
{
    if (!node->running)
        return 0;
    size_t number = txg_deal_number(d, node, node->held.items[node->held.head]);
    int64_t spent = txg_deal_now(d) - node->started_at, left = expected(d, node, number) - spent;
    return left > 0 ? left : d->expect.known ? -left : spent;
}

static void count(const struct txg_deal *d, struct txg_node *node, size_t from, size_t until,
                  int sign)
{
    for (size_t i = from; i < until; i++) {
        int64_t us = txg_deal_expected(d, node, txg_deal_number(d, node, node->held.items[i]));
        if (us < 0)
            node->ahead.unknown += (size_t)sign;
        else
            node->ahead.known += sign * us;
    }
}

/* Of what it has not started. Counted are only those that were dealt or started since the last
 * time. */
static int64_t ahead_of(const struct txg_deal *d, struct txg_node *node)
{
    struct txg_ahead *a = &node->ahead;
    size_t from = node->held.head + node->running, until = node->held.tail;
    if (a->moved != node->held.moved || from < a->from || from > a->until || until < a->until)
        *a = (struct txg_ahead){.from = from, .until = from, .moved = node->held.moved};
    count(d, node, a->from, from, -1);
    count(d, node, a->until, until, 1);
    a->from = from;
    a->until = until;
    return scaled(d, node, a->known, a->unknown);
}

static int64_t parts_of(const struct txg_deal *d)
{
    return d->expect.known ? SHARE : BLIND;
}

static int64_t wanted(const struct txg_deal *d, const struct txg_node *node)
{
    int64_t least = 2 * node->round_trip + SLACK;
    int64_t share = d->left / (int64_t)txg_deal_live(d) / parts_of(d);
    int64_t whole = d->even < TXG_DEAL_WHOLE ? d->even : TXG_DEAL_WHOLE;
    share = share < BATCH ? share : BATCH;
    share = share > whole ? share : whole;
    return least > share ? least : share;
}

/* How many of the pending tests bring the node to what it should hold. */
static size_t count_for(const struct txg_deal *d, struct txg_node *node)
{
    int64_t want = wanted(d, node), has = left_of_running(d, node) + ahead_of(d, node);
    size_t n = 0, waiting = txg_held_count(&node->held) - node->running;
    bool far = node->round_trip * IDLE > left_of_running(d, node);
    for (size_t i = txg_deal_first(d, node); i < d->pending.tail; i++) {
        bool enough = has >= want && (waiting + n > 0 || (node->running && !far));
        if (enough)
            break;
        size_t number = d->pending.items[i];
        if (!txg_deal_may_run(d, node, number))
            continue;
        has += expected(d, node, number);
        n++;
    }
    return n;
}

static bool feed(struct txg_deal *d, struct txg_node *node)
{
    size_t n = is_up(node) && txg_pending_count(&d->pending) > 0 ? count_for(d, node) : 0;
    n = n ? txg_deal_send(d, node, n) : 0;
    for (size_t i = node->held.tail - n; i < node->held.tail; i++)
        d->left -= somewhere(d, txg_deal_number(d, node, node->held.items[i]));
    return n > 0;
}

static bool is_dry(const struct txg_node *node)
{
    return is_up(node) && txg_held_count(&node->held) == 0;
}

/* Microseconds from now, as far as is known. */
static int64_t free_in(const struct txg_deal *d, struct txg_node *node)
{
    return left_of_running(d, node) + ahead_of(d, node);
}

/* Of those that may run something that is pending, but for who could not be sent it. */
static struct txg_node *first_free(const struct txg_deal *d, const char *passed_over)
{
    struct txg_node *first = NULL;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < d->n_nodes; i++) {
        struct txg_node *node = d->nodes[i];
        if (!is_up(node) || passed_over[i] || !txg_deal_has_work(d, node))
            continue;
        int64_t us = free_in(d, node); /* 0 also of who has just come to the end of its time */
        if (us < least || (us == least && is_dry(node) && !is_dry(first))) {
            least = us;
            first = node;
        }
    }
    return first;
}

/* How long it is to be busy when more is on its way. Before the round trip is known a share serves,
 * as in wanted(). */
static int64_t cover(const struct txg_deal *d, const struct txg_node *node)
{
    int64_t share = d->even / parts_of(d);
    return SLACK + (node->round_trip ? 2 * node->round_trip : share < BATCH ? share : BATCH);
}

/* It is busy until more can come, and what comes is not worth waiting for behind what it runs. */
static bool has_enough(const struct txg_deal *d, struct txg_node *node)
{
    size_t held = txg_held_count(&node->held);
    int64_t us = free_in(d, node);
    if (us < cover(d, node))
        return false;
    return held >= 2 || (!d->expect.known && node->round_trip * IDLE <= us);
}

/* How many of the pending tests go together: cases of one file in their order, as many as make a
 * process worth its start. As many as the node may run. */
static size_t piece(const struct txg_deal *d, struct txg_node *node)
{
    const size_t *items = d->pending.items;
    size_t n = 0;
    int64_t us = 0, whole = d->even < TXG_DEAL_WHOLE ? d->even : TXG_DEAL_WHOLE;
    struct txg_span file = {0};
    for (size_t i = txg_deal_first(d, node); i < d->pending.tail && (n == 0 || us < whole); i++) {
        if (!txg_deal_may_run(d, node, items[i]))
            continue;
        struct txg_span own = txg_expect_file(txg_deal_nodeid(d, items[i]));
        if (n > 0 && !txg_span_equal(own, file))
            break;
        file = own;
        us += expected(d, node, items[i]);
        n++;
    }
    return n;
}

static void share_singly(struct txg_deal *d)
{
    TXG_AUTOFREE char *passed_over = txg_xcalloc(d->n_nodes, 1);
    struct txg_node *node;
    while ((node = first_free(d, passed_over)) && !has_enough(d, node))
        passed_over[node->info.number] = txg_deal_send(d, node, piece(d, node)) == 0;
}

static bool may_any_dry_run(const struct txg_deal *d, size_t number)
{
    for (size_t i = 0; i < d->n_nodes; i++)
        if (is_dry(d->nodes[i]) && txg_deal_may_run(d, d->nodes[i], number))
            return true;
    return false;
}

/* The last half, by time, of what the node has not started, as far as somebody may run it. */
static size_t *choose(const struct txg_deal *d, struct txg_node *node, size_t *n)
{
    const struct txg_held *h = &node->held;
    size_t first = h->head + node->running, many = 0;
    size_t *chosen = txg_xcalloc(txg_held_count(h), sizeof *chosen);
    int64_t all = ahead_of(d, node), taken = 0;
    bool dry = !node->running; /* its first one is as good as started */
    for (size_t i = h->tail; i > first + dry && (many == 0 || 2 * taken < all); i--) {
        size_t number = txg_deal_number(d, node, h->items[i - 1]);
        if (txg_deal_is_locked(d, number) || !may_any_dry_run(d, number))
            continue;
        taken += expected(d, node, number);
        chosen[many++] = h->items[i - 1];
    }
    for (size_t i = 0; 2 * i + 1 < many; i++) { /* first held first */
        size_t swap = chosen[i];
        chosen[i] = chosen[many - 1 - i];
        chosen[many - 1 - i] = swap;
    }
    *n = many;
    return chosen;
}

/* From who is busy for the longest, where that is longer than asking takes. */
static bool steal(struct txg_deal *d)
{
    uint64_t dry = txg_deal_idle(d, is_dry);
    struct txg_node *victim = NULL;
    size_t *chosen = NULL, n = 0;
    int64_t most = 0;
    for (size_t i = 0; i < d->n_nodes; i++) {
        struct txg_node *node = d->nodes[i];
        if (!is_up(node) || txg_held_count(&node->held) < 2 || txg_deal_is_barren(node, dry))
            continue;
        int64_t busy = left_of_running(d, node) + ahead_of(d, node);
        if (busy <= most || busy <= node->round_trip || busy <= TXG_DEAL_WHOLE)
            continue;
        size_t many, *indices = choose(d, node, &many);
        if (many == 0) {
            free(indices);
            txg_deal_set_barren(node, dry);
            continue;
        }
        free(chosen);
        chosen = indices;
        n = many;
        most = busy;
        victim = node;
    }
    if (victim)
        txg_deal_steal(d, victim, chosen, n);
    free(chosen);
    d->victim = victim;
    return victim;
}

static void share(struct txg_deal *d)
{
    for (size_t i = 0; i < d->n_nodes; i++) /* what was given back is not for who gave it */
        if (is_dry(d->nodes[i]))
            feed(d, d->nodes[i]);
    for (size_t i = 0; i < d->n_nodes; i++)
        feed(d, d->nodes[i]);
}

static void check(struct txg_deal *d)
{
    bool dry = false;
    size_t live = txg_deal_live(d);
    count_left(d);
    d->even = live ? d->left / (int64_t)live : 0;
    if (d->singly)
        share_singly(d);
    else
        share(d);
    for (size_t i = 0; i < d->n_nodes; i++)
        dry = dry || is_dry(d->nodes[i]);
    if (!dry || d->victim || steal(d))
        return;
    for (size_t i = 0; i < d->n_nodes; i++)
        if (is_dry(d->nodes[i]))
            txg_deal_retire(d, d->nodes[i]);
}

static void begin(struct txg_deal *d)
{
    bool few = txg_pending_count(&d->pending) < FEW * txg_deal_live(d);
    txg_deal_sort_longest(d, few);
    /* who holds what others must wait for is to run it soon */
    d->singly = few && !d->locks;
    check(d);
}

static void node_ready(struct txg_deal *d, struct txg_node *node)
{
    (void)node;
    check(d);
}

static void completed(struct txg_deal *d, struct txg_node *node, int64_t duration)
{
    d->mean = d->mean ? (7 * d->mean + duration + 1) / 8 : duration + 1;
    bool fed = !d->singly && feed(d, node);
    if (d->singly)
        share_singly(d);
    if (!fed && (is_dry(node) || txg_pending_count(&d->pending) == 0))
        check(d);
}

static void answered(struct txg_deal *d, struct txg_node *node)
{
    if (d->victim == node)
        d->victim = NULL;
    check(d);
}

const struct txg_scheduler_ops txg_scheduler_duration = {
    .dist = TXG_DIST_DURATION,
    .name = "DurationScheduling",
    .begin = begin,
    .node_ready = node_ready,
    .completed = completed,
    .returned = node_ready,
    .node_gone = answered,
    .given_back = answered,
};
