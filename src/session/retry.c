#include "config.h"

#include "src/session/core.h"

#include <stdlib.h>
#include <string.h>

/* What came of a test so far, from its first try that failed on. */
struct txg_tries {
    size_t n;
    size_t *places; /* origins of those that tried: n of them */
    const struct txg_node *last;
    struct txg_event_result result; /* of the last; its reason is owned, it has no points */
    char *reason;
};

static const struct txg_tries *tries_of(const struct txg_session *s, size_t number)
{
    return s->tries ? s->tries[number] : NULL;
}

unsigned txg_session_attempt(const struct txg_session *s, size_t number)
{
    const struct txg_tries *t = tries_of(s, number);
    return t ? (unsigned)t->n + 1 : 1;
}

bool txg_session_has_tried(const struct txg_session *s, size_t origin, size_t number)
{
    const struct txg_tries *t = tries_of(s, number);
    for (size_t i = 0; t && i < t->n; i++)
        if (t->places[i] == origin)
            return true;
    return false;
}

const struct txg_event_result *txg_session_last_try(const struct txg_session *s, size_t number,
                                                    const struct txg_node **node)
{
    const struct txg_tries *t = tries_of(s, number);
    if (t)
        *node = t->last;
    return t ? &t->result : NULL;
}

/* A gateway on a place where the test has not failed, which may hold it. */
static bool has_other(const struct txg_session *s, const struct txg_node *node, size_t number)
{
    for (size_t i = 0; i < s->n_nodes; i++) {
        const struct txg_node *other = s->nodes[i];
        if (other->state == TXG_NODE_DEAD || other->closing || other->shutting ||
            other->origin == node->origin || txg_session_has_tried(s, other->origin, number))
            continue;
        if (!other->tests || txg_deal_may_run(&s->deal, other, number))
            return true;
    }
    return false;
}

static void remember(struct txg_session *s, const struct txg_node *node, size_t number,
                     const struct txg_event_result *result)
{
    if (!s->tries)
        s->tries = txg_xcalloc(s->n_outcomes, sizeof *s->tries);
    struct txg_tries *t = s->tries[number];
    if (!t)
        t = s->tries[number] = txg_xcalloc(1, sizeof *t);
    t->places = txg_xrealloc_array(t->places, t->n + 1, sizeof *t->places);
    t->places[t->n++] = node->origin;
    free(t->reason);
    t->reason = txg_xstrndup(result->reason.data, result->reason.len);
    t->last = node;
    t->result = *result;
    t->result.reason = txg_span_cstr(t->reason);
    t->result.points = NULL;
    t->result.n_points = 0;
}

/* What belongs together stays together, unless another place is asked for. */
static bool stays(const struct txg_session *s, const struct txg_node *node)
{
    bool together = s->deal.units && !s->config.retry_other;
    return txg_deal_is_live(node) && !node->shutting &&
           (together || s->config.dist == TXG_DIST_EACH);
}

bool txg_session_retry(struct txg_session *s, struct txg_node *node, size_t index,
                       const struct txg_event_result *result)
{
    size_t number = txg_session_number(s, node, index);
    bool failed = txg_outcome_is_failure(result->outcome) || result->outcome == TXG_LOST;
    if (!failed || s->progress != TXG_DEALING ||
        txg_session_attempt(s, number) > s->config.retries ||
        (s->config.retry_other && !has_other(s, node, number)))
        return false;
    struct txg_event *e = txg_session_report_test(s, TXG_EVENT_TEST_RETRY, node, number);
    e->result = *result;
    e->result.done = s->done;
    e->result.total = s->total;
    remember(s, node, number, result);
    if (stays(s, node)) {
        txg_deal_send_again(&s->deal, node, index);
    } else if (node->state == TXG_NODE_DEAD && s->config.dist != TXG_DIST_EACH) {
        txg_deal_put_back(&s->deal, number);
    } else if (s->config.dist != TXG_DIST_EACH) {
        txg_pending_push_front(&s->deal.pending, number);
        s->scheduler->returned(&s->deal, node);
    }
    return true;
}

void txg_session_release_tries(struct txg_session *s)
{
    for (size_t i = 0; s->tries && i < s->n_outcomes; i++) {
        if (!s->tries[i])
            continue;
        free(s->tries[i]->places);
        free(s->tries[i]->reason);
        free(s->tries[i]);
    }
    free(s->tries);
}
