#include "config.h"

#include "src/session/core.h"

#include <stdlib.h>

#define ARCH_MAX 64 /* bytes of an architecture's name that count */

static void take_collectionfinish(struct txg_session *s, struct txg_node *node,
                                  const struct txg_msg_collectionfinish *msg)
{
    struct txg_err err;
    struct txg_tests *known = txg_catalog_find(&s->catalog, (size_t)msg->count, msg->digest);
    if (node->state == TXG_NODE_COLLECTED) {
        txg_session_fault(s, node, "a second collection");
    } else if (known) {
        txg_tests_free(node->incoming);
        node->incoming = NULL;
        node->offers = false;
        txg_session_collected(s, node, known);
    } else if (!node->incoming && !node->asked && msg->count > 0) {
        node->offered = (size_t)msg->count;
        node->offered_digest = msg->digest;
        node->offers = s->offers = true;
    } else {
        if (!node->incoming)
            node->incoming = txg_tests_new();
        struct txg_tests *tests = node->incoming;
        node->offers = false; /* the records came unasked */
        if (tests->n != (size_t)msg->count || tests->digest != msg->digest) {
            txg_session_fault(s, node, "its collection's count or digest does not fit its records");
            return;
        }
        if (s->outcomes && s->config.dist != TXG_DIST_EACH) {
            /* numbers are given out; what only this late gateway holds is not part of the run */
            txg_session_report_text(
                s, TXG_EVENT_WARNING, node,
                txg_session_format(s, "%s collected other tests than the rest", node->id));
            txg_deal_shutdown(&s->deal, node);
            node->state = TXG_NODE_READY;
            return;
        }
        node->incoming = NULL;
        tests->first_holder = node->info.number;
        if (txg_catalog_add(&s->catalog, tests, &err) != 0)
            txg_session_fault(s, node, err.text);
        else
            txg_session_collected(s, node, tests);
    }
}

static void take_collection(struct txg_session *s, struct txg_node *node,
                            const struct txg_msg_collection *msg)
{
    struct txg_err err;
    if (node->state == TXG_NODE_COLLECTED) {
        txg_session_fault(s, node, "a second collection");
        return;
    }
    if (!node->incoming)
        node->incoming = txg_tests_new();
    if (txg_tests_append(node->incoming, msg, s->config.n_suites, &err) != 0)
        txg_session_fault(s, node, err.text);
}

/* Messages that change a test's state are numbered: a gap or a repeat is no accident. */
static bool follows(struct txg_session *s, struct txg_node *node, int64_t seq)
{
    if (seq == node->seq + 1) {
        node->seq = seq;
        return true;
    }
    txg_session_fault(s, node, "a message is missing or came twice");
    return false;
}

static bool start_test(struct txg_session *s, struct txg_node *node, int64_t index)
{
    struct txg_held *h = &node->held;
    if (node->running || h->head == h->tail || h->items[h->head] != (size_t)index) {
        txg_session_fault(s, node, "it started a test that is not its next one");
        return false;
    }
    node->running = node->worked = true;
    node->started_at = s->now;
    node->slow_at = s->config.slow_timeout ? s->now + s->config.slow_timeout : INT64_MAX;
    if (node->sent_at) {
        int64_t took = s->now - node->sent_at, known = node->round_trip;
        node->round_trip = known == 0 || took < known ? took : (3 * known + took) / 4;
        node->sent_at = 0;
    }
    txg_quarantine_started(s, node);
    txg_session_report_test(s, TXG_EVENT_TEST_START, node,
                            txg_session_number(s, node, (size_t)index));
    return true;
}

static void take_logstart(struct txg_session *s, struct txg_node *node,
                          const struct txg_msg_logstart *msg)
{
    if (follows(s, node, msg->seq))
        start_test(s, node, msg->index);
}

static bool is_running(const struct txg_node *node, int64_t index)
{
    return node->running && node->held.items[node->held.head] == (size_t)index;
}

static void take_output(struct txg_session *s, struct txg_node *node,
                        const struct txg_msg_output *msg)
{
    if (!is_running(node, msg->index)) {
        txg_session_fault(s, node, "output of a test that does not run");
        return;
    }
    struct txg_event *e = txg_session_report_test(s, TXG_EVENT_TEST_OUTPUT, node,
                                                  txg_session_number(s, node, (size_t)msg->index));
    e->output.stream = (int)msg->stream;
    e->output.tail = msg->tail;
    e->output.data = msg->data;
}

static void take_live(struct txg_session *s, struct txg_node *node, const struct txg_msg_live *msg)
{
    if (!is_running(node, msg->index)) {
        txg_session_fault(s, node, "output of a test that does not run");
        return;
    }
    struct txg_event *e = txg_session_report_test(s, TXG_EVENT_TEST_LIVE, node,
                                                  txg_session_number(s, node, (size_t)msg->index));
    e->output.stream = (int)msg->stream;
    e->output.dropped = msg->dropped;
    e->output.data = msg->data;
}

#define PACE_MAX INT64_C(100000) /* a hundred times as long as expected */

/* How slow the gateway is, beside what its class is known for. */
static void learn_pace(struct txg_session *s, struct txg_node *node, size_t index, int64_t duration)
{
    if (s->progress != TXG_DEALING || s->config.dist != TXG_DIST_DURATION)
        return;
    int64_t us = txg_deal_expected(&s->deal, node, txg_session_number(s, node, index));
    if (us < 0)
        us = s->deal.mean;
    if (us < 1000) /* what is so short says little */
        return;
    int64_t pace =
        duration / us >= PACE_MAX / TXG_PACE_EVEN ? PACE_MAX : duration * TXG_PACE_EVEN / us;
    node->pace = (3 * (node->pace ? node->pace : TXG_PACE_EVEN) + pace) / 4 + 1;
}

/* The test that ran has ended. */
static void finish_test(struct txg_session *s, struct txg_node *node, int64_t index,
                        struct txg_event_result *result)
{
    node->running = false;
    node->reports++;
    node->held.head++;
    txg_locks_drop(s, node, (size_t)index);
    int64_t took = result->duration < TXG_EXPECT_MAX ? result->duration : TXG_EXPECT_MAX;
    if (result->start < 0)
        result->start = 0;
    learn_pace(s, node, (size_t)index, took);
    if (!txg_session_retry(s, node, (size_t)index, result))
        txg_session_settle(s, node, txg_session_number(s, node, (size_t)index), result);
    if (s->progress == TXG_DEALING)
        s->scheduler->completed(&s->deal, node, took);
    txg_locks_pass_on(s, node);
}

static void take_testreport(struct txg_session *s, struct txg_node *node,
                            const struct txg_msg_testreport *msg)
{
    if (!follows(s, node, msg->seq))
        return;
    if (!is_running(node, msg->index)) {
        txg_session_fault(s, node, "a report of a test that does not run");
        return;
    }
    struct txg_event_point *points =
        txg_session_keep(s, txg_xcalloc(msg->n_points, sizeof *points));
    for (size_t i = 0; i < msg->n_points; i++)
        points[i] = (struct txg_event_point){msg->points[i].name, msg->points[i].outcome,
                                             msg->points[i].text};
    struct txg_event_result result = {
        .outcome = msg->outcome,
        .start = s->now - s->began - msg->duration,
        .duration = msg->duration,
        .status = msg->status,
        .signal = msg->signal,
        .reason = msg->reason,
        .dropped_out = msg->dropped_out,
        .dropped_err = msg->dropped_err,
        .leaked = msg->leaked,
        .setup = msg->setup,
        .teardown = msg->teardown,
        .utime = msg->utime,
        .stime = msg->stime,
        .maxrss = msg->maxrss,
        .points = points,
        .n_points = msg->n_points,
    };
    finish_test(s, node, msg->index, &result);
}

/* The last of them has just ended: the others' times are counted back from now. */
static void take_passed(struct txg_session *s, struct txg_node *node,
                        const struct txg_msg_passed *msg)
{
    if (!follows(s, node, msg->seq))
        return;
    int64_t at = s->now - s->began;
    for (size_t i = 0; i < msg->n_tests; i++)
        at -= msg->tests[i].gap + msg->tests[i].duration;
    for (size_t i = 0; i < msg->n_tests; i++) {
        const struct txg_msg_passed_test *t = &msg->tests[i];
        if (!is_running(node, t->index) && !start_test(s, node, t->index))
            return;
        at += t->gap;
        struct txg_event_result result = {
            .outcome = TXG_PASSED, .start = at, .duration = t->duration, .status = -1};
        finish_test(s, node, t->index, &result);
        at += t->duration;
    }
}

/* Out of what the node holds and has not started. False: it does not hold all of them, or names one
 * twice. */
static bool give_back(struct txg_node *node, const struct txg_msg_indices *msg)
{
    bool *marked = txg_xcalloc(node->tests->n + 1, sizeof *marked);
    size_t count = 0;
    bool good = true;
    for (size_t i = 0; i < msg->n_ranges && good; i++)
        for (int64_t k = 0; k < msg->ranges[i].count && good; k++, count++) {
            size_t index = (size_t)(msg->ranges[i].first + k);
            good = index < node->tests->n && !marked[index];
            if (good)
                marked[index] = true;
        }
    good = good && txg_held_remove(&node->held, node->held.head + node->running, marked, count);
    free(marked);
    return good;
}

static void take_unscheduled(struct txg_session *s, struct txg_node *node,
                             const struct txg_msg_indices *msg)
{
    if (!follows(s, node, msg->seq))
        return;
    node->steals -= node->steals > 0;
    if (msg->n_ranges > 0 && (!node->tests || !give_back(node, msg))) {
        txg_session_fault(s, node, "it gave back a test that it does not hold");
        return;
    }
    for (size_t i = 0; i < msg->n_ranges; i++) {
        for (int64_t k = 0; k < msg->ranges[i].count; k++) {
            size_t index = (size_t)(msg->ranges[i].first + k);
            txg_locks_drop(s, node, index);
            if (s->config.dist != TXG_DIST_EACH)
                txg_pending_push(&s->deal.pending, txg_session_number(s, node, index));
        }
    }
    if (s->progress == TXG_DEALING && node->leaving && s->config.dist != TXG_DIST_EACH)
        s->scheduler->node_gone(&s->deal, node);
    else if (s->progress == TXG_DEALING && s->scheduler->given_back)
        s->scheduler->given_back(&s->deal, node);
    txg_locks_pass_on(s, node);
}

void txg_session_take_message(struct txg_session *s, struct txg_node *node,
                              const struct txg_msg *msg)
{
    struct txg_event *e;
    switch (msg->type) {
    case TXG_MSG_WORKERREADY:
        if (node->state != TXG_NODE_STARTING)
            break;
        node->state = TXG_NODE_READY;
        node->arch = txg_xstrndup(msg->workerready.arch.data, msg->workerready.arch.len < ARCH_MAX
                                                                  ? msg->workerready.arch.len
                                                                  : ARCH_MAX);
        e = txg_session_report(s, TXG_EVENT_GATEWAY_READY, node);
        e->ready.arch = msg->workerready.arch;
        e->ready.version = msg->workerready.version;
        e->ready.cwd = msg->workerready.cwd;
        e->ready.pid = msg->workerready.pid;
        return;
    case TXG_MSG_COLLECTREPORT:
        s->collect_errors++;
        e = txg_session_report(s, TXG_EVENT_COLLECT_ERROR, node);
        e->test.nodeid = msg->collectreport.nodeid;
        e->message.text = msg->collectreport.text;
        return;
    case TXG_MSG_COLLECTION:
        take_collection(s, node, &msg->collection);
        return;
    case TXG_MSG_COLLECTIONFINISH:
        take_collectionfinish(s, node, &msg->collectionfinish);
        return;
    case TXG_MSG_LOGSTART:
        take_logstart(s, node, &msg->logstart);
        return;
    case TXG_MSG_LIVE:
        take_live(s, node, &msg->live);
        return;
    case TXG_MSG_OUTPUT:
        take_output(s, node, &msg->output);
        return;
    case TXG_MSG_TESTREPORT:
        take_testreport(s, node, &msg->testreport);
        return;
    case TXG_MSG_PASSED:
        take_passed(s, node, &msg->passed);
        return;
    case TXG_MSG_UNSCHEDULED:
        take_unscheduled(s, node, &msg->indices);
        return;
    case TXG_MSG_WARNING:
        txg_session_report_text(s, TXG_EVENT_WARNING, node, msg->text.text);
        return;
    case TXG_MSG_INTERNAL_ERROR:
        s->internal_error = true;
        txg_session_report_text(s, TXG_EVENT_INTERNAL_ERROR, node, msg->text.text);
        txg_session_stop(s, txg_session_format(s, "internal error on %s", node->id));
        return;
    case TXG_MSG_WORKERFINISHED:
        node->finished = true;
        return;
    default:
        break;
    }
    txg_session_fault(s, node, txg_msg_name(msg->type));
}
