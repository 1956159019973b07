#include "config.h"

#include "src/session/scheduler.h"

#include <stdlib.h>

/* xdist's WorkStealingScheduling. */

#define MIN_PENDING 2 /* a node that holds fewer is idle */

static bool is_up(const struct txg_node *node)
{
    return txg_deal_is_live(node) && !node->shutting;
}

static bool is_idle(const struct txg_node *node)
{
    return is_up(node) && txg_held_count(&node->held) < MIN_PENDING;
}

static size_t count_idle(const struct txg_deal *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_nodes; i++)
        n += is_idle(d->nodes[i]);
    return n;
}

/* What is pending goes to the idle in equal parts. What the last of them may not run goes round
 * again among those that have not got enough. */
static void share(struct txg_deal *d)
{
    size_t idle = count_idle(d);
    for (size_t i = 0; i < d->n_nodes; i++) /* the number of the idle changes: they get tests */
        if (is_idle(d->nodes[i]))
            txg_deal_send(d, d->nodes[i], txg_pending_count(&d->pending) / idle--);
    idle = count_idle(d);
    for (size_t i = 0; i < d->n_nodes && txg_pending_count(&d->pending); i++) {
        if (!is_idle(d->nodes[i]))
            continue;
        size_t part = txg_pending_count(&d->pending) / idle--;
        txg_deal_send(d, d->nodes[i], part ? part : 1);
    }
}

static bool any_idle_may_run(const struct txg_deal *d, size_t number)
{
    for (size_t i = 0; i < d->n_nodes; i++)
        if (is_idle(d->nodes[i]) && !txg_deal_is_locked(d, number) &&
            txg_deal_may_run(d, d->nodes[i], number))
            return true;
    return false;
}

/* The last of what the node holds, at most half and never its first two, as far as somebody idle
 * may run it. The indices, first held first. */
static size_t *choose(const struct txg_deal *d, const struct txg_node *node, size_t *n)
{
    const struct txg_held *h = &node->held;
    size_t held = txg_held_count(h);
    size_t most = held / 2 < held - MIN_PENDING ? held / 2 : held - MIN_PENDING;
    size_t *chosen = txg_xcalloc(most, sizeof *chosen), at = most;
    for (size_t i = h->tail; at > 0 && i > h->head + MIN_PENDING; i--)
        if (any_idle_may_run(d, txg_deal_number(d, node, h->items[i - 1])))
            chosen[--at] = h->items[i - 1];
    *n = most - at;
    for (size_t i = 0; i < *n; i++)
        chosen[i] = chosen[at + i];
    return chosen;
}

/* Who holds the most, of those that have something for the idle: the first of equals. */
static bool steal(struct txg_deal *d)
{
    uint64_t idle = txg_deal_idle(d, is_idle);
    struct txg_node *victim = NULL;
    size_t *chosen = NULL, n = 0;
    for (size_t i = 0; i < d->n_nodes; i++) {
        struct txg_node *node = d->nodes[i];
        size_t held = txg_held_count(&node->held);
        if (!is_up(node) || held <= MIN_PENDING || txg_deal_is_barren(node, idle) ||
            (victim && held <= txg_held_count(&victim->held)))
            continue;
        size_t many, *indices = choose(d, node, &many);
        if (many == 0) {
            free(indices);
            txg_deal_set_barren(node, idle);
            continue;
        }
        free(chosen);
        chosen = indices;
        n = many;
        victim = node;
    }
    if (victim)
        txg_deal_steal(d, victim, chosen, n);
    free(chosen);
    d->victim = victim;
    return victim;
}

static void check(struct txg_deal *d)
{
    if (count_idle(d) == 0)
        return;
    share(d);
    if (count_idle(d) == 0 || d->victim || steal(d))
        return;
    for (size_t i = 0; i < d->n_nodes; i++)
        if (is_idle(d->nodes[i]))
            txg_deal_retire(d, d->nodes[i]);
}

static void node_ready(struct txg_deal *d, struct txg_node *node)
{
    (void)node;
    check(d);
}

static void completed(struct txg_deal *d, struct txg_node *node, int64_t duration)
{
    (void)node;
    (void)duration;
    check(d);
}

static void answered(struct txg_deal *d, struct txg_node *node)
{
    if (d->victim == node)
        d->victim = NULL;
    check(d);
}

const struct txg_scheduler_ops txg_scheduler_worksteal = {
    .dist = TXG_DIST_WORKSTEAL,
    .name = "WorkStealingScheduling",
    .begin = check,
    .node_ready = node_ready,
    .completed = completed,
    .returned = node_ready,
    .node_gone = answered,
    .given_back = answered,
};
