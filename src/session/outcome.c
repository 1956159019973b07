#include "config.h"

#include "src/session/core.h"

#include <string.h>

void txg_session_number_outcomes(struct txg_session *s)
{
    if (s->config.dist == TXG_DIST_EACH) {
        for (size_t i = 0; i < s->config.n_gateways; i++) {
            s->lanes[i] = s->nodes[i]->tests;
            s->lane_starts[i] = s->total;
            s->total += s->lanes[i] ? s->lanes[i]->n : 0;
        }
    } else {
        s->total = s->catalog.n_tests;
        for (size_t i = 0; i < s->total; i++)
            txg_pending_push(&s->deal.pending, i);
    }
    s->outcomes = txg_xmalloc(s->total);
    memset(s->outcomes, TXG_OUTCOMES, s->total);
}

size_t txg_session_number(const struct txg_session *s, const struct txg_node *node, size_t index)
{
    if (s->config.dist == TXG_DIST_EACH)
        return s->lane_starts[node->origin] + index;
    return node->tests->ids[index];
}

static size_t lane_of(const struct txg_session *s, size_t number)
{
    size_t lane = s->config.n_gateways - 1;
    while (lane > 0 && (s->lane_starts[lane] > number || !s->lanes[lane]))
        lane--;
    return lane;
}

struct txg_span txg_session_nodeid(const struct txg_session *s, size_t number)
{
    if (s->config.dist != TXG_DIST_EACH)
        return txg_catalog_nodeid(&s->catalog, number);
    size_t lane = lane_of(s, number);
    return txg_tests_nodeid(s->lanes[lane], number - s->lane_starts[lane]);
}

static const char *suite_name(const struct txg_session *s, size_t number)
{
    size_t suite;
    if (s->config.dist == TXG_DIST_EACH) {
        size_t lane = lane_of(s, number);
        suite = s->lanes[lane]->suites[number - s->lane_starts[lane]];
    } else {
        suite = txg_catalog_suite(&s->catalog, number);
    }
    return s->suites[suite].name;
}

bool txg_session_is_settled(const struct txg_session *s, size_t number)
{
    return s->outcomes[number] != TXG_OUTCOMES;
}

struct txg_event *txg_session_report_test(struct txg_session *s, enum txg_event_type type,
                                          const struct txg_node *node, size_t number)
{
    struct txg_event *e = txg_session_report(s, type, node);
    e->test.number = number;
    e->test.nodeid = txg_session_nodeid(s, number);
    e->test.suite = suite_name(s, number);
    return e;
}

void txg_session_settle(struct txg_session *s, const struct txg_node *node, size_t number,
                        const struct txg_event_result *result)
{
    s->outcomes[number] = (unsigned char)result->outcome;
    s->counts[result->outcome]++;
    s->done++;
    struct txg_event *e = txg_session_report_test(s, TXG_EVENT_TEST_FINISH, node, number);
    e->result = *result;
    e->result.done = s->done;
    e->result.total = s->total;
    if (!txg_outcome_is_failure(result->outcome))
        return;
    s->failures++;
    if (s->config.maxfail && s->failures >= s->config.maxfail) {
        s->limited = true;
        txg_session_stop(s, txg_session_format(s, "stopping after %zu failures", s->failures));
    }
}

static const char *why_not_run(const struct txg_session *s, size_t number)
{
    if (s->interrupts || s->limited || s->internal_error)
        return "the run was stopped";
    size_t suite = s->config.dist == TXG_DIST_EACH ? 0 : txg_catalog_suite(&s->catalog, number);
    for (size_t g = 0; g < s->config.n_gateways && s->config.dist != TXG_DIST_EACH; g++)
        if (s->allowed[g * s->config.n_suites + suite])
            return "no gateway was left to run it";
    return s->config.dist == TXG_DIST_EACH ? "its gateway did not run it"
                                           : "no gateway has the labels that its suite needs";
}

void txg_session_settle_rest(struct txg_session *s)
{
    for (size_t i = 0; i < s->total; i++) {
        if (txg_session_is_settled(s, i))
            continue;
        struct txg_event_result result = {.outcome = TXG_NOT_RUN, .start = -1, .status = -1};
        result.reason = txg_span_cstr(why_not_run(s, i));
        const struct txg_node *node =
            s->config.dist == TXG_DIST_EACH ? s->nodes[lane_of(s, i)] : NULL;
        txg_session_settle(s, node, i, &result);
    }
}
