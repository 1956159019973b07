#include "config.h"

#include "src/session/scheduler.h"

/* Every gateway runs everything: it is sent all at once, and that nothing more will come, unless
 * what fails may come again or something must wait for others. */
static void node_ready(struct txg_deal *d, struct txg_node *node)
{
    if (!txg_deal_is_live(node) || node->shutting || txg_held_count(&node->held) > 0)
        return;
    txg_deal_send_rest(d, node);
    bool waits = d->locks && txg_deal_has_rest(d, node);
    if (!waits && (!d->retries || txg_held_count(&node->held) == 0))
        txg_deal_shutdown(d, node);
}

static void begin(struct txg_deal *d)
{
    for (size_t i = 0; i < d->n_nodes; i++)
        if (txg_deal_is_live(d->nodes[i]))
            node_ready(d, d->nodes[i]);
}

static void completed(struct txg_deal *d, struct txg_node *node, int64_t duration)
{
    (void)duration;
    node_ready(d, node);
}

static void returned(struct txg_deal *d, struct txg_node *node)
{
    (void)node;
    begin(d);
}

/* What is left of a lane is its next gateway's. */
static void node_gone(struct txg_deal *d, struct txg_node *node)
{
    (void)d;
    (void)node;
}

const struct txg_scheduler_ops txg_scheduler_each = {
    .dist = TXG_DIST_EACH,
    .name = "EachScheduling",
    .begin = begin,
    .node_ready = node_ready,
    .completed = completed,
    .returned = returned,
    .node_gone = node_gone,
};
