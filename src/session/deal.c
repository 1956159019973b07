#include "config.h"

#include "src/session/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "src/session/core.h"

void txg_pending_push(struct txg_pending *p, size_t number)
{
    if (p->head == p->tail) {
        p->head = p->tail = 0;
    } else if (p->tail == p->cap && p->head >= p->cap / 2) {
        memmove(p->items, p->items + p->head, (p->tail - p->head) * sizeof *p->items);
        p->tail -= p->head;
        p->head = 0;
    }
    p->items = txg_grow(p->items, p->tail, &p->cap, sizeof *p->items);
    p->items[p->tail++] = number;
}

size_t txg_pending_count(const struct txg_pending *p)
{
    return p->tail - p->head;
}

bool txg_deal_is_live(const struct txg_node *node)
{
    return node->state == TXG_NODE_COLLECTED && !node->closing;
}

size_t txg_deal_live(const struct txg_deal *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_nodes; i++)
        n += txg_deal_is_live(d->nodes[i]);
    return n;
}

/* The node's own index of a test, or -1 where it does not hold it or may not run it. */
static int64_t index_for(const struct txg_deal *d, const struct txg_node *node, size_t number)
{
    const struct txg_session *s = d->session;
    const struct txg_tests *t = node->tests;
    if (!s->allowed[node->origin * s->config.n_suites + txg_catalog_suite(&s->catalog, number)])
        return -1;
    if (number < t->n && t->ids[number] == number)
        return (int64_t)number; /* the usual case: all hold the same */
    for (size_t i = 0; i < t->n; i++)
        if (t->ids[i] == number)
            return (int64_t)i;
    return -1;
}

bool txg_deal_has_work(const struct txg_deal *d, const struct txg_node *node)
{
    for (size_t i = d->pending.head; i < d->pending.tail; i++)
        if (index_for(d, node, d->pending.items[i]) >= 0)
            return true;
    return false;
}

/* Sends what was appended to the node's queue from `from` on, as ranges. */
static void send_held(struct txg_deal *d, struct txg_node *node, size_t from)
{
    struct txg_held *h = &node->held;
    size_t n = 0, count = h->tail - from;
    if (count == 0)
        return;
    node->retired = false;
    struct txg_msg_range *ranges = txg_session_keep(d->session, txg_xcalloc(count, sizeof *ranges));
    for (size_t i = from; i < h->tail; i++) {
        int64_t index = (int64_t)h->items[i];
        if (n && ranges[n - 1].first + ranges[n - 1].count == index)
            ranges[n - 1].count++;
        else
            ranges[n++] = (struct txg_msg_range){index, 1};
    }
    struct txg_command *c = txg_session_command(d->session, TXG_COMMAND_SEND);
    c->gateway = node->info.number;
    c->msg.type = TXG_MSG_RUNTESTS;
    c->msg.indices.ranges = ranges;
    c->msg.indices.n_ranges = n;
}

size_t txg_deal_send(struct txg_deal *d, struct txg_node *node, size_t n)
{
    struct txg_pending *p = &d->pending;
    size_t sent = 0, kept = 0, at = p->head;
    for (; at < p->tail && sent < n; at++) {
        int64_t index = index_for(d, node, p->items[at]);
        if (index >= 0) {
            txg_held_push(&node->held, (size_t)index);
            sent++;
        } else {
            p->items[p->head + kept++] = p->items[at];
        }
    }
    /* what this node may not run stays in front, in its order */
    if (kept)
        memmove(p->items + at - kept, p->items + p->head, kept * sizeof *p->items);
    p->head = at - kept;
    send_held(d, node, node->held.tail - sent);
    return sent;
}

void txg_deal_send_rest(struct txg_deal *d, struct txg_node *node)
{
    struct txg_session *s = d->session;
    size_t sent = 0;
    for (size_t i = 0; i < node->tests->n; i++) {
        size_t suite = node->tests->suites[i];
        if (txg_session_is_settled(s, txg_session_number(s, node, i)) ||
            !s->allowed[node->origin * s->config.n_suites + suite])
            continue;
        txg_held_push(&node->held, i);
        sent++;
    }
    send_held(d, node, node->held.tail - sent);
}

void txg_deal_retire(struct txg_deal *d, struct txg_node *node)
{
    (void)d;
    node->retired = true;
}

void txg_deal_shutdown(struct txg_deal *d, struct txg_node *node)
{
    if (node->shutting)
        return;
    node->shutting = true;
    struct txg_command *c = txg_session_command(d->session, TXG_COMMAND_SEND);
    c->gateway = node->info.number;
    c->msg.type = TXG_MSG_SHUTDOWN;
}
