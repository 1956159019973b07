#include "config.h"

#include "src/session/core.h"

#include <string.h>

#define ANSWER INT64_C(30000000) /* microseconds: for the next test to start, for steal */

static int exit_code(const struct txg_session *s)
{
    if (s->internal_error)
        return 3;
    if (s->interrupts || s->limited)
        return 2;
    if (s->failures || s->collect_errors)
        return 1;
    if (s->gateways_failed || s->counts[TXG_LOST] || s->counts[TXG_NOT_RUN])
        return 6;
    if (s->overtime)
        return 6;
    if (s->total == 0)
        return 5;
    return 0;
}

/* What still runs on gateways that nobody waits for any longer. */
static void settle_running(struct txg_session *s)
{
    struct txg_event_result result = txg_session_cut_short(s);
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct txg_node *node = s->nodes[i];
        if (node->running)
            txg_session_settle(
                s, node, txg_session_number(s, node, node->held.items[node->held.head]), &result);
        node->running = false;
    }
}

/* Every collected test is accounted for, then the run is over. */
static void finish(struct txg_session *s)
{
    s->progress = TXG_OVER;
    settle_running(s);
    if (!s->config.collect_only) {
        if (!s->outcomes)
            txg_session_number_outcomes(s);
        txg_session_settle_rest(s);
    }
    struct txg_event *e = txg_session_report(s, TXG_EVENT_RUN_FINISH, NULL);
    memcpy(e->finish.outcomes, s->counts, sizeof s->counts);
    e->finish.flaky = s->flaky;
    e->finish.slow = s->slow;
    e->finish.collect_errors = s->collect_errors;
    e->finish.deselected = s->deselected;
    e->finish.gateways_failed = s->gateways_failed;
    e->finish.exit_code = exit_code(s);
    txg_session_command(s, TXG_COMMAND_FINISH)->exit_code = exit_code(s);
}

static void check_time(struct txg_session *s)
{
    if (s->overtime || s->config.run_timeout == 0 || s->now - s->began < s->config.run_timeout)
        return;
    struct txg_span why = txg_session_format(s, "the run has had its %g s: what runs is killed",
                                             (double)s->config.run_timeout / 1e6);
    if (s->progress == TXG_STOPPING)
        txg_session_report_text(s, TXG_EVENT_STOPPING, NULL, why);
    txg_session_stop(s, why);
    s->overtime = true;
    if (s->now + TXG_GOODBYE < s->give_up_at)
        s->give_up_at = s->now + TXG_GOODBYE;
    for (size_t i = 0; i < s->n_nodes; i++)
        txg_session_close(s, s->nodes[i]);
}

/* Who has nothing left to do stays for what others hold: they may die, and a test may fail and be
 * tried again. */
static void send_home(struct txg_session *s)
{
    size_t holders = 0;
    if (s->progress != TXG_DEALING)
        return;
    for (size_t i = 0; i < s->n_nodes; i++)
        holders += txg_held_count(&s->nodes[i]->held) > 0;
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct txg_node *node = s->nodes[i];
        size_t own = s->config.retries == 0 && txg_held_count(&node->held) > 0;
        if (node->retired && !node->shutting && txg_deal_is_live(node) && holders == own &&
            !txg_deal_has_work(&s->deal, node))
            txg_deal_shutdown(&s->deal, node);
        /* it came for work that others have done meanwhile */
        if (holders == 0 && s->done == s->total && !node->closing &&
            (node->state == TXG_NODE_STARTING || node->state == TXG_NODE_READY)) {
            node->dismissed = true;
            txg_session_close(s, node);
        }
    }
}

static enum txg_wait wait_for(const struct txg_session *s, const struct txg_node *node)
{
    bool holds = txg_held_count(&node->held) > 0;
    if (node->closing || node->state == TXG_NODE_STARTING)
        return TXG_WAIT_NONE;
    if (node->shutting && !holds)
        return TXG_WAIT_END;
    if (node->offers)
        return TXG_WAIT_NONE;
    if (node->state == TXG_NODE_READY)
        return s->config.collect_timeout ? TXG_WAIT_COLLECTION : TXG_WAIT_NONE;
    if (node->steals)
        return TXG_WAIT_GIVING;
    return holds && !node->running ? TXG_WAIT_START : TXG_WAIT_NONE;
}

static int64_t limit_of(const struct txg_session *s, enum txg_wait wait)
{
    return wait == TXG_WAIT_END          ? TXG_GOODBYE
           : wait == TXG_WAIT_COLLECTION ? s->config.collect_timeout
                                         : ANSWER;
}

static void give_up(struct txg_session *s, struct txg_node *node)
{
    static const char *const missing[] = {
        [TXG_WAIT_COLLECTION] = "has not collected its tests",
        [TXG_WAIT_START] = "has not started its next test",
        [TXG_WAIT_GIVING] = "has not given back what was asked for",
    };
    if (node->waits != TXG_WAIT_END)
        txg_session_report_text(
            s, TXG_EVENT_WARNING, node,
            txg_session_format(s, "%s %s within %lld s and is closed", node->id,
                               missing[node->waits],
                               (long long)(limit_of(s, node->waits) / 1000000)));
    txg_session_close(s, node);
    node->silent_at = INT64_MAX;
}

static void tell_slow(struct txg_session *s, struct txg_node *node)
{
    node->slow_at = INT64_MAX;
    s->slow++;
    txg_session_report_test(s, TXG_EVENT_TEST_SLOW, node,
                            txg_session_number(s, node, node->held.items[node->held.head]))
        ->slow.elapsed = s->now - node->started_at;
}

/* Everything that a gateway owes by itself has its time. */
static void watch(struct txg_session *s, bool *alive)
{
    *alive = false;
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct txg_node *node = s->nodes[i];
        if (node->state == TXG_NODE_DEAD)
            continue;
        *alive = true;
        if (node->running && s->now >= node->slow_at)
            tell_slow(s, node);
        enum txg_wait wait = wait_for(s, node);
        if (wait != node->waits) {
            node->waits = wait;
            node->silent_at = wait == TXG_WAIT_NONE ? INT64_MAX : s->now + limit_of(s, wait);
        } else if (s->now >= node->silent_at) {
            give_up(s, node);
        }
    }
}

/* The run is over when no gateway lives, or when nobody is waited for any longer. */
void txg_session_look(struct txg_session *s)
{
    bool alive;
    if (s->progress == TXG_OVER)
        return;
    check_time(s);
    send_home(s);
    watch(s, &alive);
    if (!alive || s->now >= s->give_up_at)
        finish(s);
}

static int64_t due(const struct txg_node *node)
{
    if (node->state == TXG_NODE_DEAD)
        return INT64_MAX;
    return node->running && node->slow_at < node->silent_at ? node->slow_at : node->silent_at;
}

const struct txg_gateway_info *txg_session_info(const struct txg_session *s, unsigned gateway)
{
    return &s->nodes[gateway]->info;
}

int64_t txg_session_deadline(const struct txg_session *s)
{
    int64_t next = s->give_up_at;
    if (s->config.run_timeout && !s->overtime && s->began + s->config.run_timeout < next)
        next = s->began + s->config.run_timeout;
    for (size_t i = 0; i < s->n_nodes; i++)
        next = due(s->nodes[i]) < next ? due(s->nodes[i]) : next;
    return s->progress == TXG_OVER ? INT64_MAX : next;
}
