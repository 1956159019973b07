#include "config.h"

#include "src/session/scheduler.h"

/* Every gateway runs everything: it is sent all at once, and that nothing more will come. */
static void node_ready(struct txg_deal *d, struct txg_node *node)
{
    txg_deal_send_rest(d, node);
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
    (void)d;
    (void)node;
    (void)duration;
}

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
    .node_gone = node_gone,
};
