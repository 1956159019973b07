#include "config.h"

#include "src/session/core.h"

/*
 * Collections of which only count and digest are known here yet. The records come once for all
 * gateways that have the same: from one that sends them unasked, else from one that is asked.
 */

static bool is_coming(const struct txg_session *s)
{
    for (size_t i = 0; i < s->n_nodes; i++) {
        const struct txg_node *node = s->nodes[i];
        if (node->asked && !node->closing &&
            (node->state == TXG_NODE_STARTING || node->state == TXG_NODE_READY))
            return true;
    }
    return false;
}

static void ask(struct txg_session *s, struct txg_node *node)
{
    node->asked = true;
    struct txg_command *c = txg_session_command(s, TXG_COMMAND_SEND);
    c->gateway = node->info.number;
    c->msg.type = TXG_MSG_SENDCOLLECTION;
}

void txg_session_take_offers(struct txg_session *s)
{
    bool coming = is_coming(s);
    s->offers = false;
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct txg_node *node = s->nodes[i];
        if (!node->offers || node->closing || node->state != TXG_NODE_READY)
            continue;
        const struct txg_tests *known =
            txg_catalog_find(&s->catalog, node->offered, node->offered_digest);
        if (!known && coming) {
            s->offers = true;
            continue;
        }
        node->offers = false;
        if (known)
            txg_session_collected(s, node, known);
        else
            ask(s, node);
        coming = coming || !known;
    }
}
