#include "config.h"

#include "src/session/scheduler.h"

#include "src/base/str.h"

uint64_t txg_deal_idle(const struct txg_deal *d, bool (*is_idle)(const struct txg_node *))
{
    uint64_t sum = TXG_HASH_START;
    for (size_t i = 0; i < d->n_nodes; i++)
        if (is_idle(d->nodes[i]))
            sum = txg_hash(sum, &i, sizeof i);
    return sum | 1;
}

bool txg_deal_is_barren(const struct txg_node *node, uint64_t idle)
{
    return node->barren.idle == idle && node->barren.until == node->held.tail &&
           node->barren.moved == node->held.moved;
}

void txg_deal_set_barren(struct txg_node *node, uint64_t idle)
{
    node->barren = (struct txg_barren){idle, node->held.tail, node->held.moved};
}
