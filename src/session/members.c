#include "config.h"

#include "src/session/core.h"

#include <string.h>

/* What it has not started goes back, and it is sent no more. */
static void let_go(struct txg_session *s, struct txg_node *node)
{
    size_t first = node->held.head + node->running;
    if (first < node->held.tail)
        txg_deal_steal(&s->deal, node, node->held.items + first, node->held.tail - first);
    txg_deal_shutdown(&s->deal, node);
}

/* Before the barrier it stays: what it collects may be known to nobody else. */
static bool may_go(const struct txg_session *s, const struct txg_node *node)
{
    return node->leaving && node->state == TXG_NODE_COLLECTED && s->progress == TXG_DEALING &&
           s->config.dist != TXG_DIST_EACH && !node->shutting;
}

void txg_session_let_go(struct txg_session *s)
{
    for (size_t i = 0; i < s->n_nodes; i++)
        if (may_go(s, s->nodes[i]))
            let_go(s, s->nodes[i]);
}

void txg_session_leave(struct txg_session *s, struct txg_node *node)
{
    if (node->leaving)
        return;
    node->leaving = true;
    txg_session_report_text(
        s, TXG_EVENT_NOTE, node,
        txg_session_format(s,
                           s->config.dist == TXG_DIST_EACH
                               ? "%s leaves when it has run its tests, which no other will"
                               : "%s leaves: the others take what it has not started",
                           node->id));
    if (may_go(s, node))
        let_go(s, node);
}

/* The place of one that is late and called so, else of one for anybody; n_gateways: there is none.
 */
static size_t place_for(const struct txg_session *s, const char *name)
{
    size_t anybody = s->config.n_gateways;
    for (size_t i = 0; i < s->config.n_gateways; i++) {
        const struct txg_session_gateway *g = &s->gateways[i];
        if (g->late && g->device && strcmp(g->device, name) == 0)
            return i;
        if (g->late && !g->device && anybody == s->config.n_gateways)
            anybody = i;
    }
    return anybody;
}

void txg_session_join(struct txg_session *s, const char *name)
{
    size_t origin = place_for(s, name);
    bool open = s->progress == TXG_WAITING || s->progress == TXG_DEALING;
    if (origin == s->config.n_gateways || !open)
        return;
    s->gateways[origin].late = false; /* it is the session's own copy */
    struct txg_node *node = txg_session_add_node(s, origin, NULL);
    txg_session_report(s, TXG_EVENT_GATEWAY_START, node);
    txg_session_report_text(s, TXG_EVENT_NOTE, node, txg_session_format(s, "%s joins", node->id));
    struct txg_command *c = txg_session_command(s, TXG_COMMAND_OPEN);
    c->gateway = node->info.number;
    c->origin = origin;
}
