#include "config.h"

#include "src/session/core.h"

#include <string.h>

/* Left out by -k. In `each` a gateway also does not owe a test that its labels rule out, unless no
 * gateway may run it: then it must not go unnoticed. */
#define NOT_OWED (TXG_OUTCOMES + 1)

static bool is_allowed(const struct txg_session *s, size_t origin, size_t suite)
{
    return s->allowed[origin * s->config.n_suites + suite];
}

static bool is_allowed_somewhere(const struct txg_session *s, size_t suite)
{
    for (size_t g = 0; g < s->config.n_gateways; g++)
        if (is_allowed(s, g, suite))
            return true;
    return false;
}

static void leave_out(struct txg_session *s)
{
    for (size_t g = 0; g < s->config.n_gateways; g++) {
        const struct txg_tests *lane = s->lanes[g];
        for (size_t i = 0; lane && i < lane->n; i++) {
            size_t suite = lane->suites[i];
            if (is_allowed(s, g, suite) || !is_allowed_somewhere(s, suite) ||
                txg_session_is_settled(s, s->lane_starts[g] + i))
                continue;
            s->outcomes[s->lane_starts[g] + i] = NOT_OWED;
            s->total--;
        }
    }
}

bool txg_session_selects_all(const struct txg_session *s)
{
    bool all = !s->config.select;
    for (size_t i = 0; i < s->config.n_suites; i++)
        all = all && !s->suites[i].drop_all;
    return all;
}

bool txg_session_is_selected(const struct txg_session *s, size_t suite, struct txg_span nodeid)
{
    if (s->suites[suite].drop_all)
        return false;
    return !s->config.select || s->suites[suite].pytest ||
           txg_select_matches(s->config.select, nodeid);
}

static size_t lane_of(const struct txg_session *s, size_t number)
{
    size_t lane = s->config.n_gateways - 1;
    while (lane > 0 && (s->lane_starts[lane] > number || !s->lanes[lane]))
        lane--;
    return lane;
}

static size_t suite_of(const struct txg_session *s, size_t number)
{
    if (s->config.dist != TXG_DIST_EACH)
        return txg_catalog_suite(&s->catalog, number);
    size_t lane = lane_of(s, number);
    return s->lanes[lane]->suites[number - s->lane_starts[lane]];
}

static void deselect(struct txg_session *s, size_t number)
{
    s->outcomes[number] = NOT_OWED;
    s->deselected++;
    s->total--;
}

static void deselect_all(struct txg_session *s)
{
    bool all = txg_session_selects_all(s);
    for (size_t i = 0; i < s->n_outcomes && !all; i++)
        if (!txg_session_is_selected(s, suite_of(s, i), txg_session_nodeid(s, i)))
            deselect(s, i);
    txg_session_choose_failed(s, deselect);
}

/* What has failed comes first, where that is asked for. */
static void push_all(struct txg_session *s)
{
    for (int first = s->failed != NULL; first >= 0; first--)
        for (size_t i = 0; i < s->n_outcomes; i++)
            if (!txg_session_is_settled(s, i) &&
                txg_session_comes_first(s, txg_session_nodeid(s, i)) == first)
                txg_pending_push(&s->deal.pending, i);
}

void txg_session_number_outcomes(struct txg_session *s)
{
    if (s->config.dist == TXG_DIST_EACH) {
        for (size_t i = 0; i < s->n_nodes; i++) /* of several on one board, the last */
            if (s->nodes[i]->tests)
                s->lanes[s->nodes[i]->origin] = s->nodes[i]->tests;
        for (size_t i = 0; i < s->config.n_gateways; i++) {
            s->lane_starts[i] = s->n_outcomes;
            s->n_outcomes += s->lanes[i] ? s->lanes[i]->n : 0;
        }
    } else {
        s->n_outcomes = s->catalog.n_tests;
    }
    s->total = s->n_outcomes;
    s->outcomes = txg_xmalloc(s->n_outcomes);
    memset(s->outcomes, TXG_OUTCOMES, s->n_outcomes);
    deselect_all(s);
    if (s->config.dist == TXG_DIST_EACH)
        leave_out(s);
    else
        push_all(s);
}

size_t txg_session_number(const struct txg_session *s, const struct txg_node *node, size_t index)
{
    if (s->config.dist == TXG_DIST_EACH)
        return s->lane_starts[node->origin] + index;
    return node->tests->ids[index];
}

struct txg_span txg_session_nodeid(const struct txg_session *s, size_t number)
{
    if (s->config.dist != TXG_DIST_EACH)
        return txg_catalog_nodeid(&s->catalog, number);
    size_t lane = lane_of(s, number);
    return txg_tests_nodeid(s->lanes[lane], number - s->lane_starts[lane]);
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
    e->test.attempt = txg_session_attempt(s, number);
    e->test.suite = s->suites[suite_of(s, number)].name;
    return e;
}

static const char *why_not_run(const struct txg_session *s, size_t number)
{
    if (s->interrupts || s->limited || s->internal_error)
        return "the run was stopped";
    if (s->overtime)
        return "the run's time was over";
    if (!is_allowed_somewhere(s, suite_of(s, number)))
        return "no gateway has the labels that its suite needs";
    return s->config.dist == TXG_DIST_EACH ? "its gateway did not run it"
                                           : "no gateway was left to run it";
}

/* The last try counts where no other comes to its end. */
static bool fall_back(struct txg_session *s, const struct txg_node **node, size_t number,
                      struct txg_event_result *result)
{
    const struct txg_event_result *last =
        result->outcome == TXG_NOT_RUN ? txg_session_last_try(s, number, node) : NULL;
    if (!last)
        return false;
    *result = *last;
    result->reason = txg_session_format(s, "%.*s (not tried again: %s)", TXG_FMT(last->reason),
                                        why_not_run(s, number));
    return true;
}

void txg_session_settle(struct txg_session *s, const struct txg_node *node, size_t number,
                        const struct txg_event_result *ended)
{
    struct txg_event_result result = *ended;
    bool fell_back = fall_back(s, &node, number, &result);
    bool failed = txg_outcome_is_failure(result.outcome) || result.outcome == TXG_LOST;
    result.flaky = txg_session_attempt(s, number) > 1 && !failed;
    s->flaky += result.flaky;
    s->outcomes[number] = (unsigned char)result.outcome;
    s->counts[result.outcome]++;
    s->done++;
    struct txg_event *e = txg_session_report_test(s, TXG_EVENT_TEST_FINISH, node, number);
    e->test.attempt -= fell_back;
    e->result = result;
    e->result.done = s->done;
    e->result.total = s->total;
    if (!txg_outcome_is_failure(result.outcome))
        return;
    s->failures++;
    if (s->config.maxfail && s->failures >= s->config.maxfail) {
        s->limited = true;
        txg_session_stop(s, txg_session_format(s, "stopping after %zu failures", s->failures));
    }
}

void txg_session_settle_rest(struct txg_session *s)
{
    for (size_t i = 0; i < s->n_outcomes; i++) {
        if (txg_session_is_settled(s, i))
            continue;
        struct txg_event_result result = {.outcome = TXG_NOT_RUN, .start = -1, .status = -1};
        result.reason = txg_span_cstr(why_not_run(s, i));
        const struct txg_node *node =
            s->config.dist == TXG_DIST_EACH ? s->nodes[lane_of(s, i)] : NULL;
        txg_session_settle(s, node, i, &result);
    }
}
