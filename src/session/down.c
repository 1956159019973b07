#include "config.h"

#include "src/session/core.h"

#include <stdlib.h>

/* What ran when its gateway died: blamed on the worker, or on the host that was lost. True: it is
 * tried again. */
static bool blame(struct txg_session *s, struct txg_node *node, const struct txg_node_event *event)
{
    size_t index = node->held.items[node->held.head];
    struct txg_event_result result = {.outcome = TXG_CRASHED, .start = -1, .status = -1};
    node->running = false;
    node->held.head++;
    txg_locks_drop(s, node, index);
    if (s->interrupts > 1 || s->overtime) {
        result = txg_session_cut_short(s);
    } else if (event->down == TXG_DOWN_LOST) {
        result.outcome = TXG_LOST;
        result.reason = txg_session_format(s, "host of '%s' was lost while running it: %.*s",
                                           node->id, TXG_FMT(event->reason));
    } else {
        result.reason = txg_session_format(s, "worker '%s' crashed while running it: %.*s",
                                           node->id, TXG_FMT(event->reason));
    }
    if (txg_session_retry(s, node, index, &result))
        return true;
    txg_session_settle(s, node, txg_session_number(s, node, index), &result);
    return false;
}

struct txg_event_result txg_session_cut_short(const struct txg_session *s)
{
    bool late = s->overtime && s->interrupts < 2;
    return (struct txg_event_result){
        .outcome = late ? TXG_TIMED_OUT : TXG_NOT_RUN,
        .start = -1,
        .status = -1,
        .reason = late ? TXG_SPAN("the run's time was over") : TXG_SPAN("interrupted while it ran"),
    };
}

static void give_back_held(struct txg_session *s, struct txg_node *node)
{
    for (size_t i = node->held.head; i < node->held.tail; i++)
        txg_locks_drop(s, node, node->held.items[i]);
    if (s->config.dist != TXG_DIST_EACH)
        for (size_t i = node->held.head; i < node->held.tail; i++)
            txg_deal_put_back(&s->deal, txg_session_number(s, node, node->held.items[i]));
    txg_held_clear(&node->held);
}

/* A run may have thousands of dead gateways. */
static void forget(struct txg_node *node)
{
    txg_tests_free(node->incoming);
    node->incoming = NULL;
    free(node->held.items);
    node->held = (struct txg_held){0};
}

/* Is there anything that a new gateway in this one's place could do? */
static bool has_work_left(const struct txg_session *s, struct txg_node *node, bool held)
{
    if (s->progress == TXG_WAITING)
        return true;
    if (s->config.dist == TXG_DIST_EACH)
        return held || !node->tests ||
               (s->deal.locks && s->lanes[node->origin] == node->tests &&
                txg_deal_has_rest(&s->deal, node));
    return txg_pending_count(&s->deal.pending) > 0 &&
           (!node->tests || txg_deal_has_work(&s->deal, node));
}

static bool may_restart(struct txg_session *s, const struct txg_node *node)
{
    if (s->config.max_restarts < 0 || s->restarts < s->config.max_restarts)
        return true;
    txg_session_report_text(
        s, TXG_EVENT_WARNING, node,
        s->config.max_restarts == 0
            ? txg_session_format(s, "worker %s crashed and worker restarting disabled", node->id)
            : txg_session_format(s, "maximum crashed workers reached: %ld",
                                 s->config.max_restarts));
    return false;
}

static bool wants_replacement(const struct txg_session *s, struct txg_node *node,
                              const struct txg_node_event *event, bool held)
{
    /* what is refused at the beginning is refused a moment later */
    bool may = s->progress == TXG_DEALING ||
               (s->progress == TXG_WAITING && event->down != TXG_DOWN_NOT_STARTED);
    return may && has_work_left(s, node, held);
}

static void start_in_place_of(struct txg_session *s, const struct txg_node *node,
                              const struct txg_node *next)
{
    txg_session_report(s, TXG_EVENT_GATEWAY_START, next);
    struct txg_command *c = txg_session_command(s, TXG_COMMAND_REPLACE);
    c->gateway = next->info.number;
    c->replaces = node->info.number;
}

static void report_down(struct txg_session *s, const struct txg_node *node,
                        const struct txg_node_event *event, bool before_ready, bool replaced)
{
    const struct txg_node *next =
        replaced ? txg_session_add_node(s, node->origin, &node->info) : NULL;
    struct txg_event *e = txg_session_report(s, TXG_EVENT_GATEWAY_DOWN, node);
    e->down.reason = event->reason;
    e->down.lost = event->down == TXG_DOWN_LOST;
    e->down.before_ready = before_ready;
    e->down.replacement = next ? &next->info : NULL;
    if (next)
        start_in_place_of(s, node, next);
}

static bool is_anyone_left(const struct txg_session *s)
{
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i]->state != TXG_NODE_DEAD)
            return true;
    return false;
}

/* Everyone is dead and given up, but tests have run since that was so before: what killed the
 * gateways may be over, and each spec gets one more. That tests must have run bounds it. */
static void try_again(struct txg_session *s)
{
    size_t known = s->n_nodes;
    if (s->config.dist == TXG_DIST_EACH || s->done == s->tried_at || is_anyone_left(s))
        return;
    for (size_t i = 0; i < known; i++) {
        struct txg_node *node = s->nodes[i];
        bool last = true;
        for (size_t k = i + 1; k < known; k++)
            last = last && s->nodes[k]->origin != node->origin;
        bool may = s->config.max_restarts < 0 || s->restarts < s->config.max_restarts;
        if (!last || !may || !has_work_left(s, node, false))
            continue;
        s->tried_at = s->done;
        txg_quarantine_lift(s, node);
        s->restarts++;
        start_in_place_of(s, node, txg_session_add_node(s, node->origin, &node->info));
    }
}

/* May anyone who lives run it, or turn out to? */
static bool is_for_another(const struct txg_session *s, size_t number)
{
    for (size_t i = 0; i < s->n_nodes; i++) {
        const struct txg_node *node = s->nodes[i];
        if (node->state != TXG_NODE_DEAD && !node->shutting && !node->leaving &&
            (!node->tests || txg_deal_may_run(&s->deal, node, number)))
            return true;
    }
    return false;
}

/* It has left in order, and there is work that none of the others can do: somebody is to come in
 * its place. It did not die, so that nothing is counted. */
static bool is_missed(const struct txg_session *s, const struct txg_node *node)
{
    const struct txg_pending *p = &s->deal.pending;
    if (!node->leaving || !node->tests || s->progress != TXG_DEALING ||
        s->config.dist == TXG_DIST_EACH)
        return false;
    for (size_t i = p->head; i < p->tail; i++)
        if (txg_deal_may_run(&s->deal, node, p->items[i]) && !is_for_another(s, p->items[i]))
            return true;
    return false;
}

void txg_session_down(struct txg_session *s, struct txg_node *node,
                      const struct txg_node_event *event)
{
    static const struct txg_node_event left = {
        .down = TXG_DOWN_ENDED, .reason = {"it has left, and no other can run what is left", 46}};
    bool held = txg_held_count(&node->held) > 0;
    bool expected = node->finished && node->shutting && !held;
    bool before_collection = node->state != TXG_NODE_COLLECTED;
    bool before_ready = node->state == TXG_NODE_STARTING;
    bool asked_for =
        node->dismissed || (node->closing && (s->interrupts > 0 || s->progress == TXG_STOPPING));
    node->state = TXG_NODE_DEAD;
    bool again = node->running && blame(s, node, event);
    held = again || txg_held_count(&node->held) > 0;
    give_back_held(s, node);
    forget(node);
    if (expected && is_missed(s, node))
        report_down(s, node, &left, false, true);
    if (expected || asked_for) {
        txg_session_maybe_begin(s);
        return;
    }
    bool failed = event->down == TXG_DOWN_LOST || before_collection;
    txg_quarantine_died(s, node, event);
    /* those that are there take what they can: only for the rest a new one is started */
    if (s->progress == TXG_DEALING)
        s->scheduler->node_gone(&s->deal, node);
    txg_locks_pass_on(s, node);
    bool wanted = wants_replacement(s, node, event, held);
    bool barred = wanted && txg_quarantine_holds(s, node);
    bool replaced = wanted && !barred && may_restart(s, node);
    s->restarts += replaced;
    report_down(s, node, event, before_ready, replaced);
    failed |= barred && txg_quarantine_tell(s, node, event);
    s->gateways_failed += failed;
    if (s->progress == TXG_WAITING && s->config.require_all && !replaced)
        txg_session_stop(s, txg_session_format(s, "gateway %s could not start", node->id));
    if (s->progress == TXG_DEALING && !replaced)
        try_again(s);
    txg_session_maybe_begin(s);
}
