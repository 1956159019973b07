#include "config.h"

#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_fail(struct sim_world *w, const char *fmt, ...)
{
    struct sim_oracle *o = &w->oracle;
    if (o->failed)
        return;
    o->failed = true;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(o->what, sizeof o->what, fmt, ap);
    va_end(ap);
    sim_note(w, "BROKEN: %s", o->what);
}

static bool is_each(const struct sim_world *w)
{
    return w->plan->config.dist == TXG_DIST_EACH;
}

static bool has_label(const char *const *labels, const char *label)
{
    for (; *labels; labels++)
        if (strcmp(*labels, label) == 0)
            return true;
    return false;
}

void sim_oracle_init(struct sim_world *w)
{
    const struct sim_plan *p = w->plan;
    struct sim_oracle *o = &w->oracle;
    *o = (struct sim_oracle){.total = SIM_NONE};
    o->n_outcomes = p->n_tests * (is_each(w) ? p->n_boards : 1);
    o->outcomes = txg_xcalloc(o->n_outcomes, sizeof *o->outcomes);
    o->unit_at = txg_xcalloc(SIM_UNITS + p->n_tests, sizeof *o->unit_at);
    o->torn = txg_xcalloc(SIM_UNITS + p->n_tests, sizeof *o->torn);
    o->named = txg_xcalloc(o->n_outcomes, sizeof *o->named);
    for (size_t i = 0; i < o->n_outcomes; i++)
        o->outcomes[i].number = o->named[i] = SIM_NONE;
    for (size_t b = 0; b < p->n_boards; b++)
        for (size_t i = 0; i < p->config.n_suites; i++) {
            const char *need = p->needs[i][0];
            o->allowed[b][i] = !need || has_label(p->boards[b].labels, need);
            o->allowed_somewhere[i] = o->allowed_somewhere[i] || o->allowed[b][i];
        }
}

void sim_oracle_release(struct sim_world *w)
{
    free(w->oracle.outcomes);
    free(w->oracle.unit_at);
    free(w->oracle.torn);
    free(w->oracle.named);
}

size_t sim_outcome_of(const struct sim_world *w, const struct sim_node *node, size_t index)
{
    return (is_each(w) ? node->board * w->plan->n_tests : 0) + node->tests[index];
}

static size_t suite_of(const struct sim_world *w, size_t outcome)
{
    return w->plan->tests[outcome % w->plan->n_tests].suite;
}

/* --lf: has any test failed before that was collected before dealing, and that -k leaves? */
static bool any_failed(const struct sim_world *w)
{
    bool seen[SIM_BOARDS] = {false};
    for (size_t n = w->n_nodes; n-- > 0;) {
        const struct sim_node *node = &w->nodes[n];
        if (!node->seen.early || (is_each(w) && seen[node->board]))
            continue;
        seen[node->board] = true;
        for (size_t i = 0; i < node->n_tests; i++) {
            const struct sim_test *t = &w->plan->tests[node->tests[i]];
            if (t->failed && !t->left_out)
                return true;
        }
    }
    return false;
}

static bool is_left_out(const struct sim_world *w, size_t outcome)
{
    const struct sim_test *t = &w->plan->tests[outcome % w->plan->n_tests];
    return t->left_out || (w->plan->config.failed_only && !t->failed && any_failed(w));
}

/* May it not be tried there once more? */
static bool has_failed_on(const struct sim_world *w, size_t outcome, size_t board)
{
    return w->plan->config.retry_other && (w->oracle.outcomes[outcome].failed_on >> board & 1);
}

static const struct txg_session_suite *rules_of(const struct sim_world *w, size_t outcome)
{
    return &w->plan->suites[suite_of(w, outcome)];
}

static bool excludes(const struct txg_session_suite *a, const struct txg_session_suite *b)
{
    for (const char *const *x = a->uses; *x; x++)
        for (const char *const *y = b->uses; *y; y++)
            if (strcmp(*x, *y) == 0)
                return true;
    return a->serial || b->serial;
}

/* May the test be dealt to a gateway, for what others hold? */
static bool is_free_of_others(const struct sim_world *w, const struct sim_node *node,
                              size_t outcome)
{
    const struct sim_oracle *o = &w->oracle;
    for (size_t i = 0; i < o->n_outcomes; i++) {
        const struct sim_outcome *it = &o->outcomes[i];
        if ((it->state == SIM_HELD || it->state == SIM_RUNNING) && it->holder != node->number &&
            excludes(rules_of(w, outcome), rules_of(w, i)))
            return false;
    }
    return true;
}

/* Does a test of it make others wait? */
static bool has_rules(const struct sim_world *w)
{
    for (size_t i = 0; i < w->plan->config.n_suites; i++)
        if (w->plan->suites[i].serial || w->plan->suites[i].uses[0])
            return true;
    return false;
}

void sim_oracle_alone(struct sim_world *w, const struct sim_node *node, size_t index)
{
    size_t outcome = sim_outcome_of(w, node, index);
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_node *other = &w->nodes[i];
        if (other == node || !other->runs || other->state != SIM_WORKING)
            continue;
        size_t runs = sim_outcome_of(w, other, other->running);
        if (excludes(rules_of(w, outcome), rules_of(w, runs)))
            sim_fail(w, "test %zu starts on gw%u while test %zu runs on gw%u", outcome,
                     node->number, runs, other->number);
    }
}

/* May the gateway run what is free? Then it is the first such outcome, else SIM_NONE. */
static size_t free_for(const struct sim_world *w, const struct sim_node *node)
{
    const struct sim_oracle *o = &w->oracle;
    bool rules = has_rules(w);
    if (rules && w->plan->config.dist >= TXG_DIST_LOADSCOPE &&
        w->plan->config.dist <= TXG_DIST_LOADGROUP)
        return SIM_NONE; /* a unit waits for what any of its tests wants */
    for (size_t i = 0; i < node->n_tests; i++) {
        size_t outcome = sim_outcome_of(w, node, i);
        if (o->outcomes[outcome].state == SIM_FREE && !is_left_out(w, outcome) &&
            !has_failed_on(w, outcome, node->board) &&
            o->allowed[node->board][suite_of(w, outcome)] &&
            (!rules || is_free_of_others(w, node, outcome)))
            return outcome;
    }
    return SIM_NONE;
}

static void release_held(struct sim_world *w, struct sim_node *node)
{
    for (size_t i = 0; i < w->oracle.n_outcomes; i++) {
        struct sim_outcome *outcome = &w->oracle.outcomes[i];
        if (outcome->state == SIM_HELD && outcome->holder == node->number) {
            outcome->state = SIM_FREE;
            node->seen.held--;
        }
    }
}

/* The next test of a `passed` must start, unless it runs already, and finish. */
static void expect_passed(struct sim_world *w, const struct sim_node *node)
{
    struct sim_oracle *o = &w->oracle;
    if (!o->passing || o->n_passed == o->passing->n_ranges)
        return;
    size_t outcome = sim_outcome_of(w, node, (size_t)o->passing->ranges[o->n_passed++].first);
    if (node->seen.running != outcome)
        o->must_start = outcome;
    o->must_finish = outcome;
    o->must_outcome = TXG_PASSED;
}

static void before_message(struct sim_world *w, struct sim_node *node,
                           const struct sim_letter *letter)
{
    struct sim_oracle *o = &w->oracle;
    size_t index = (size_t)letter->index;
    switch (letter->type) {
    case TXG_MSG_LOGSTART:
        o->must_start = sim_outcome_of(w, node, index);
        break;
    case TXG_MSG_TESTREPORT:
        o->must_finish = sim_outcome_of(w, node, index);
        o->must_outcome = letter->outcome;
        break;
    case TXG_MSG_PASSED:
        o->passing = letter;
        expect_passed(w, node);
        break;
    case TXG_MSG_UNSCHEDULED:
        for (size_t i = 0; i < letter->n_ranges; i++) {
            size_t outcome = sim_outcome_of(w, node, (size_t)letter->ranges[i].first);
            o->outcomes[outcome].state = SIM_FREE;
            node->seen.held--;
        }
        break;
    case TXG_MSG_INTERNAL_ERROR:
        o->broken = true;
        break;
    case TXG_MSG_WORKERFINISHED:
        node->seen.finished = true;
        break;
    default:
        break;
    }
}

static void count_death(struct sim_world *w, const struct sim_node *node, bool of_host)
{
    struct sim_oracle *o = &w->oracle;
    unsigned host = w->plan->boards[node->board].host;
    o->boards[node->board].deaths += !node->seen.worked;
    /* who was there at one loss of the host tells of the same, however late */
    if (!of_host || node->number < o->hosts[host].counted)
        return;
    o->hosts[host].deaths = o->hosts[host].worked ? 0 : o->hosts[host].deaths + 1;
    o->hosts[host].worked = false;
    o->hosts[host].counted = w->n_nodes;
}

static void before_down(struct sim_world *w, struct sim_node *node,
                        const struct txg_node_event *event)
{
    struct sim_oracle *o = &w->oracle;
    struct sim_seen *seen = &node->seen;
    enum txg_node_down down = event->down;
    bool asked_for = seen->dismissed || (seen->closed && (o->interrupts || o->stopping));
    seen->dead = true;
    seen->ended_well = seen->finished && seen->shutdown && seen->held == 0;
    o->counts_down = !asked_for && !seen->ended_well && (down == TXG_DOWN_LOST || !seen->collected);
    o->failed_gateways += o->counts_down;
    if (!asked_for && !seen->ended_well)
        count_death(w, node, event->host);
    o->lives = false;
    for (size_t i = 0; i < w->n_nodes; i++)
        o->lives = o->lives || !w->nodes[i].seen.dead;
    if (seen->running != SIM_NONE) {
        o->must_finish = seen->running;
        const struct sim_outcome *it = &o->outcomes[seen->running];
        o->must_outcome = o->interrupts > 1       ? it->tries ? it->outcome : TXG_NOT_RUN
                          : o->overtime           ? TXG_TIMED_OUT
                          : down == TXG_DOWN_LOST ? TXG_LOST
                                                  : TXG_CRASHED;
    }
    release_held(w, node);
}

void sim_oracle_before(struct sim_world *w, const struct txg_node_event *event,
                       const struct sim_letter *letter)
{
    struct sim_oracle *o = &w->oracle;
    bool of_node = event->type == TXG_NODE_MESSAGE || event->type == TXG_NODE_DOWN;
    struct sim_node *node = of_node ? &w->nodes[event->gateway] : NULL;
    if (letter)
        sim_note(w, "gw%u: %s %lld%s", event->gateway, txg_msg_name(letter->type),
                 (long long)letter->index, letter->bogus ? ", which is a lie" : "");
    else
        sim_note(w, "%s gw%u %d",
                 event->type == TXG_NODE_DOWN      ? "down"
                 : event->type == TXG_NODE_TICK    ? "tick"
                 : event->type == TXG_NODE_LEAVING ? "leaving"
                 : event->type == TXG_NODE_JOIN    ? "join"
                                                   : "interrupt",
                 event->gateway, (int)event->down);
    o->must_start = o->must_finish = SIM_NONE;
    o->passing = NULL;
    o->n_passed = 0;
    bool late = w->plan->config.run_timeout && w->now >= w->plan->config.run_timeout;
    o->must_close = false;
    o->must_not_speak = o->finished || (node && node->seen.dead) ||
                        (node && node->seen.closed && event->type == TXG_NODE_MESSAGE);
    if (o->must_not_speak)
        return;
    if (event->type == TXG_NODE_INTERRUPT)
        o->interrupts++;
    else if (event->type == TXG_NODE_DOWN)
        before_down(w, node, event);
    else if (node && letter->bogus)
        o->must_close = letter->type != TXG_MSG_COLLECTIONFINISH;
    else if (node)
        before_message(w, node, letter);
    if (node)
        o->must_by = node->number;
    o->overtime = o->overtime || (late && event->type == TXG_NODE_TICK);
}

/* Which outcome an event names; the same one has the same number always. */
static size_t named_by(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    size_t outcome = sim_plan_test_of(w->plan, e->test.nodeid);
    if (outcome == w->plan->n_tests || (is_each(w) && !e->gateway)) {
        sim_fail(w, "there is no test '%.*s'", TXG_FMT(e->test.nodeid));
        return SIM_NONE;
    }
    if (is_each(w))
        outcome += w->nodes[e->gateway->number].board * w->plan->n_tests;
    size_t number = e->test.number;
    if (number >= o->n_outcomes || (o->named[number] != SIM_NONE && o->named[number] != outcome) ||
        (o->outcomes[outcome].number != SIM_NONE && o->outcomes[outcome].number != number)) {
        sim_fail(w, "number %zu names two outcomes", number);
        return SIM_NONE;
    }
    o->named[number] = outcome;
    o->outcomes[outcome].number = number;
    return outcome;
}

static void test_start(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    size_t outcome = named_by(w, e);
    if (outcome == SIM_NONE)
        return;
    struct sim_outcome *it = &o->outcomes[outcome];
    if (outcome != o->must_start || !e->gateway || e->gateway->number != o->must_by ||
        it->state != SIM_HELD || it->holder != o->must_by)
        sim_fail(w, "'%.*s' is said to have started, which it has not", TXG_FMT(e->test.nodeid));
    it->state = SIM_RUNNING;
    struct sim_node *node = &w->nodes[o->must_by];
    node->seen.running = outcome;
    node->seen.started = w->now;
    node->seen.slow = false;
    node->seen.worked = true;
    o->boards[node->board].deaths = 0;
    o->hosts[w->plan->boards[node->board].host].worked = true;
    o->must_start = SIM_NONE;
}

/* Nobody ran it to its end, and the run does not wait any longer. */
static bool is_given_up(const struct sim_oracle *o, const struct sim_outcome *it,
                        enum txg_outcome outcome)
{
    if (it->state == SIM_RUNNING && o->overtime && o->interrupts < 2)
        return outcome == TXG_TIMED_OUT;
    bool waits = it->state != SIM_FREE && o->interrupts < 2 && !o->overtime;
    return outcome == (it->tries ? it->outcome : TXG_NOT_RUN) && !waits;
}

static bool is_bad(enum txg_outcome outcome)
{
    return txg_outcome_is_failure(outcome) || outcome == TXG_LOST;
}

static bool holds(const struct sim_world *w, const struct sim_node *node, size_t outcome)
{
    for (size_t i = 0; i < node->n_tests; i++)
        if (sim_outcome_of(w, node, i) == outcome)
            return true;
    return false;
}

/* Must a test that fails on this gateway be tried again? */
static bool owes_a_try(const struct sim_world *w, const struct sim_node *node, size_t outcome)
{
    const struct sim_oracle *o = &w->oracle;
    if (o->outcomes[outcome].tries >= w->plan->config.retries || o->stopping || !o->dealing)
        return false;
    for (size_t i = 0; i < w->n_nodes && w->plan->config.retry_other; i++) {
        const struct sim_node *other = &w->nodes[i];
        const struct sim_seen *seen = &other->seen;
        if (other->board != node->board && !has_failed_on(w, outcome, other->board) &&
            !seen->dead && !seen->closed && !seen->shutdown && seen->collected &&
            holds(w, other, outcome) && o->allowed[other->board][suite_of(w, outcome)])
            return true;
    }
    return !w->plan->config.retry_other;
}

/* It failed, and that is not its outcome yet. */
static void test_retry(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    size_t outcome = named_by(w, e);
    if (outcome == SIM_NONE)
        return;
    struct sim_outcome *it = &o->outcomes[outcome];
    if (outcome != o->must_finish || it->state != SIM_RUNNING || it->holder != o->must_by ||
        e->result.outcome != o->must_outcome || !is_bad(e->result.outcome) || !e->gateway ||
        e->gateway->number != o->must_by || o->stopping || it->tries >= w->plan->config.retries ||
        e->test.attempt != it->tries + 1) {
        sim_fail(w, "'%.*s' is tried again and may not be", TXG_FMT(e->test.nodeid));
        return;
    }
    struct sim_node *node = &w->nodes[o->must_by];
    node->seen.running = SIM_NONE;
    node->seen.held--;
    it->state = SIM_FREE;
    it->tries++;
    it->failed_on |= 1u << node->board;
    it->outcome = e->result.outcome;
    o->must_finish = SIM_NONE;
}

static void test_finish(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    const struct txg_event_result *r = &e->result;
    size_t outcome = named_by(w, e);
    if (outcome == SIM_NONE)
        return;
    struct sim_outcome *it = &o->outcomes[outcome];
    if (it->state == SIM_SETTLED)
        sim_fail(w, "'%.*s' has a second outcome", TXG_FMT(e->test.nodeid));
    if (outcome == o->must_finish) {
        struct sim_node *node = &w->nodes[o->must_by];
        if (is_bad(r->outcome) && owes_a_try(w, node, outcome))
            sim_fail(w, "'%.*s' may be tried again and is not", TXG_FMT(e->test.nodeid));
        if (it->state != SIM_RUNNING || it->holder != o->must_by || r->outcome != o->must_outcome ||
            !e->gateway || (e->gateway->number != o->must_by && !(it->tries && o->interrupts > 1)))
            sim_fail(w, "'%.*s' ended otherwise: %s", TXG_FMT(e->test.nodeid),
                     txg_outcome_name(r->outcome));
        node->seen.running = SIM_NONE;
        node->seen.held--;
        o->must_finish = SIM_NONE;
        expect_passed(w, node);
    } else if (is_given_up(o, it, r->outcome)) {
        it->given_up = true;
    } else {
        sim_fail(w, "'%.*s' is said to have ended, which it has not", TXG_FMT(e->test.nodeid));
    }
    if (r->done != ++o->done || (o->total != SIM_NONE && r->total != o->total))
        sim_fail(w, "%zu of %zu are done, not %zu of %zu", o->done, o->total, r->done, r->total);
    if (r->flaky != (it->tries && !is_bad(r->outcome)))
        sim_fail(w, "'%.*s' is flaky or not", TXG_FMT(e->test.nodeid));
    o->flaky += r->flaky;
    o->total = r->total;
    it->state = SIM_SETTLED;
    it->outcome = r->outcome;
    o->counts[r->outcome]++;
    o->failures += txg_outcome_is_failure(r->outcome);
    o->limited = w->plan->config.maxfail && o->failures >= w->plan->config.maxfail;
}

static int exit_code(const struct sim_world *w)
{
    const struct sim_oracle *o = &w->oracle;
    if (o->broken)
        return 3;
    if (o->interrupts || o->limited)
        return 2;
    if (o->failures || o->collect_errors)
        return 1;
    if (o->failed_gateways || o->counts[TXG_LOST] || o->counts[TXG_NOT_RUN] || o->overtime)
        return 6;
    return o->done ? 0 : o->total == 0 || o->total == SIM_NONE ? 5 : 0;
}

static void run_finish(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    if (memcmp(e->finish.outcomes, o->counts, sizeof o->counts) != 0 ||
        e->finish.collect_errors != o->collect_errors || e->finish.flaky != o->flaky)
        sim_fail(w, "the counts at the end are not those of the events");
    bool ends_early = w->plan->config.collect_only || w->plan->config.strict_collection;
    if (e->finish.gateways_failed != o->failed_gateways && !ends_early)
        sim_fail(w, "%zu gateways failed, not %zu", o->failed_gateways, e->finish.gateways_failed);
}

static void is_slow(struct sim_world *w, const struct txg_event *e)
{
    struct sim_seen *seen = &w->nodes[e->gateway->number].seen;
    int64_t limit = w->plan->config.slow_timeout;
    if (seen->running == SIM_NONE || seen->slow || !limit || w->now - seen->started < limit ||
        named_by(w, e) != seen->running)
        sim_fail(w, "gw%u is said to run a test for long", e->gateway->number);
    seen->slow = true;
}

/* Ticks come in time: nobody runs for longer and it was not told. */
static void check_slow(struct sim_world *w)
{
    int64_t limit = w->plan->config.slow_timeout;
    for (size_t i = 0; limit && i < w->n_nodes; i++) {
        const struct sim_seen *seen = &w->nodes[i].seen;
        if (seen->running != SIM_NONE && !seen->slow && w->now - seen->started >= limit)
            sim_fail(w, "gw%zu runs a test for long, and nobody is told", i);
    }
}

static bool is_quarantined(const struct sim_world *w, const struct sim_node *node)
{
    return w->oracle.boards[node->board].deaths >= 3 ||
           w->oracle.hosts[w->plan->boards[node->board].host].deaths >= 3;
}

static void quarantine(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    const struct sim_node *node = &w->nodes[e->gateway->number];
    unsigned deaths = e->quarantine.host ? o->hosts[w->plan->boards[node->board].host].deaths
                                         : o->boards[node->board].deaths;
    sim_note(w, "  gw%u is quarantined", node->number);
    if (node->number != o->must_by || deaths < 3)
        sim_fail(w, "gw%u is quarantined after %u deaths", node->number, deaths);
    o->failed_gateways += !o->counts_down;
}

static void take_event(struct sim_world *w, const struct txg_event *e)
{
    struct sim_oracle *o = &w->oracle;
    switch (e->type) {
    case TXG_EVENT_SCHEDULING:
        o->dealing = true;
        o->total = e->scheduling.total;
        break;
    case TXG_EVENT_GATEWAY_COLLECTED:
        w->nodes[e->gateway->number].seen.collected = true;
        w->nodes[e->gateway->number].seen.early = !o->dealing;
        break;
    case TXG_EVENT_TEST_SLOW:
        is_slow(w, e);
        break;
    case TXG_EVENT_QUARANTINE:
        quarantine(w, e);
        break;
    case TXG_EVENT_COLLECT_ERROR:
        o->collect_errors++;
        break;
    case TXG_EVENT_STOPPING:
        o->stopping = true;
        o->stopped = w->events;
        break;
    case TXG_EVENT_TEST_START:
        test_start(w, e);
        break;
    case TXG_EVENT_TEST_FINISH:
        sim_note(w, "  '%.*s' %s", TXG_FMT(e->test.nodeid), txg_outcome_name(e->result.outcome));
        test_finish(w, e);
        break;
    case TXG_EVENT_TEST_RETRY:
        sim_note(w, "  '%.*s' %s, again", TXG_FMT(e->test.nodeid),
                 txg_outcome_name(e->result.outcome));
        test_retry(w, e);
        break;
    case TXG_EVENT_RUN_FINISH:
        run_finish(w, e);
        break;
    default:
        break;
    }
}

/* What belongs together stays on one gateway, as long as that lives. One that leaves finishes what
 * it runs while another has the rest, and each of the two parts may be tried again elsewhere. */
static void check_unit(struct sim_world *w, const struct sim_node *node, size_t outcome)
{
    bool keeps =
        w->plan->config.dist >= TXG_DIST_LOADSCOPE && w->plan->config.dist <= TXG_DIST_LOADGROUP;
    if (!w->plan->together || w->plan->changes || !keeps ||
        (w->oracle.outcomes[outcome].tries && w->plan->config.retry_other))
        return;
    unsigned *at = &w->oracle.unit_at[w->plan->tests[outcome].unit];
    const struct sim_seen *seen = *at ? &w->nodes[*at - 1].seen : NULL;
    bool *torn = &w->oracle.torn[w->plan->tests[outcome].unit];
    *torn = *torn || (seen && seen->leaving);
    if (seen && *at != node->number + 1 && !seen->dead && !*torn)
        sim_fail(w, "test %zu is dealt to gw%u, and what belongs to it to gw%u", outcome,
                 node->number, *at - 1);
    *at = node->number + 1;
}

/* --ff, where nothing else orders the tests: nothing is dealt before what has failed, as long as
 * all gateways may run all. */
static void check_first(struct sim_world *w, size_t outcome)
{
    const struct txg_session_config *c = &w->plan->config;
    bool plain =
        c->dist == TXG_DIST_LOAD || c->dist == TXG_DIST_WORKSTEAL || c->dist == TXG_DIST_DURATION;
    if (!plain || !c->failed_first || c->failed_only || !w->plan->alike || w->plan->changes ||
        w->plan->tests[outcome].failed || w->oracle.outcomes[outcome].dealt)
        return;
    for (size_t i = 0; i < w->plan->n_tests; i++)
        if (w->plan->tests[i].failed && !w->plan->tests[i].left_out && !w->oracle.outcomes[i].dealt)
            sim_fail(w, "test %zu is dealt before %zu, which has failed", outcome, i);
}

static void take_runtests(struct sim_world *w, struct sim_node *node,
                          const struct txg_msg_indices *in)
{
    struct sim_oracle *o = &w->oracle;
    if (node->seen.shutdown || node->seen.closed || !node->seen.collected || o->stopping)
        sim_fail(w, "gw%u is dealt tests and may not be", node->number);
    for (size_t i = 0; i < in->n_ranges; i++)
        for (int64_t k = 0; k < in->ranges[i].count && !o->failed; k++) {
            size_t index = (size_t)(in->ranges[i].first + k);
            if (index >= node->n_tests) {
                sim_fail(w, "gw%u has no test %zu", node->number, index);
                return;
            }
            size_t outcome = sim_outcome_of(w, node, index);
            struct sim_outcome *it = &o->outcomes[outcome];
            if (it->state != SIM_FREE)
                sim_fail(w, "test %zu is dealt to gw%u and %s", outcome, node->number,
                         it->state == SIM_SETTLED ? "has an outcome" : "another holds it");
            check_first(w, outcome);
            if (is_left_out(w, outcome))
                sim_fail(w, "test %zu is dealt to gw%u, and is left out", outcome, node->number);
            if (!o->allowed[node->board][suite_of(w, outcome)])
                sim_fail(w, "test %zu needs a label that gw%u has not", outcome, node->number);
            if (has_failed_on(w, outcome, node->board))
                sim_fail(w, "test %zu has failed on the board of gw%u", outcome, node->number);
            check_unit(w, node, outcome);
            it->state = SIM_HELD;
            it->dealt = true;
            it->holder = node->number;
            it->asked = false;
            node->seen.held++;
        }
}

static void take_steal(struct sim_world *w, const struct sim_node *node,
                       const struct txg_msg_indices *in)
{
    for (size_t i = 0; i < in->n_ranges; i++)
        for (int64_t k = 0; k < in->ranges[i].count; k++) {
            size_t index = (size_t)(in->ranges[i].first + k);
            struct sim_outcome *it =
                index < node->n_tests ? &w->oracle.outcomes[sim_outcome_of(w, node, index)] : NULL;
            if (!it || it->state != SIM_HELD || it->holder != node->number)
                sim_fail(w, "gw%u is to give back %zu, which it does not hold", node->number,
                         index);
            else
                it->asked = true;
        }
}

static void take_send(struct sim_world *w, struct sim_node *node, const struct txg_msg *msg)
{
    sim_note(w, "  %s to gw%u", txg_msg_name(msg->type), node->number);
    for (size_t i = 0; i < msg->indices.n_ranges; i++)
        sim_note(w, "    %lld + %lld", (long long)msg->indices.ranges[i].first,
                 (long long)msg->indices.ranges[i].count);
    if (node->seen.dead)
        sim_fail(w, "gw%u is dead and is sent %s", node->number, txg_msg_name(msg->type));
    if (msg->type == TXG_MSG_RUNTESTS)
        take_runtests(w, node, &msg->indices);
    else if (msg->type == TXG_MSG_STEAL)
        take_steal(w, node, &msg->indices);
    else if (msg->type == TXG_MSG_SHUTDOWN && node->seen.shutdown)
        sim_fail(w, "gw%u is shut down twice", node->number);
    else if (msg->type == TXG_MSG_SHUTDOWN)
        node->seen.shutdown = w->events;
}

static void take_replace(struct sim_world *w, const struct txg_command *c)
{
    struct sim_oracle *o = &w->oracle;
    struct sim_seen *seen = c->replaces < w->n_nodes ? &w->nodes[c->replaces].seen : NULL;
    sim_note(w, "  gw%u replaces gw%u", c->gateway, c->replaces);
    if (!seen || c->gateway != w->n_nodes || !seen->dead || seen->replaced || o->stopping)
        sim_fail(w, "gw%u is replaced and may not be", c->replaces);
    else
        seen->replaced = true;
    if (seen && is_quarantined(w, &w->nodes[c->replaces]) && o->lives)
        sim_fail(w, "gw%u is replaced and has died too often", c->replaces);
    o->restarts += !(seen && seen->leaving && seen->ended_well); /* who left did not die */
    if (w->plan->config.max_restarts >= 0 && (long)o->restarts > w->plan->config.max_restarts)
        sim_fail(w, "%zu restarts, over the limit", o->restarts);
}

/* What was collected before dealing began; in `each` by the last gateway of each board. */
static bool is_owed(const struct sim_world *w, size_t outcome)
{
    const struct sim_oracle *o = &w->oracle;
    size_t suite = suite_of(w, outcome), board = outcome / w->plan->n_tests;
    if (is_left_out(w, outcome))
        return false;
    for (size_t i = w->n_nodes; i-- > 0;) {
        const struct sim_node *node = &w->nodes[i];
        if (!node->seen.early || (is_each(w) && node->board != board))
            continue;
        if (is_each(w))
            return holds(w, node, outcome) &&
                   (o->allowed[board][suite] || !o->allowed_somewhere[suite]);
        if (holds(w, node, outcome))
            return true;
    }
    return false;
}

/* A test that nobody ran, although a gateway that could have was sent home. */
static bool is_forgotten(const struct sim_world *w, size_t outcome)
{
    const struct sim_oracle *o = &w->oracle;
    bool mismatch = w->plan->config.strict_collection && o->collect_errors;
    if (!o->outcomes[outcome].given_up || o->stopping || o->interrupts || mismatch ||
        w->plan->changes)
        return false;
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_node *node = &w->nodes[i];
        if (node->seen.ended_well && !node->seen.leaving && node->seen.collected &&
            holds(w, node, outcome) && !has_failed_on(w, outcome, node->board) &&
            o->allowed[node->board][suite_of(w, outcome)])
            return true;
    }
    return false;
}

static void take_finish(struct sim_world *w, int code)
{
    struct sim_oracle *o = &w->oracle;
    o->finished = true;
    sim_note(w, "  the end, exit code %d", code);
    if (w->plan->config.collect_only)
        return;
    for (size_t i = 0; i < o->n_outcomes; i++) {
        bool settled = o->outcomes[i].state == SIM_SETTLED;
        if (settled != is_owed(w, i))
            sim_fail(w, "test %zu has %s", i, settled ? "an outcome nobody owes" : "no outcome");
        if (settled && is_forgotten(w, i))
            sim_fail(w, "test %zu was not run, and a gateway was there for it", i);
    }
    if (code != exit_code(w) && !w->plan->config.strict_collection)
        sim_fail(w, "exit code %d, not %d", code, exit_code(w));
}

void sim_oracle_command(struct sim_world *w, const struct txg_command *c)
{
    struct sim_oracle *o = &w->oracle;
    struct sim_node *node = c->gateway < w->n_nodes ? &w->nodes[c->gateway] : NULL;
    if (o->must_not_speak || o->finished) {
        sim_fail(w, "a command where nothing may be said: %d", (int)c->type);
        return;
    }
    switch (c->type) {
    case TXG_COMMAND_EVENT:
        take_event(w, &c->event);
        break;
    case TXG_COMMAND_SEND:
        if (node)
            take_send(w, node, &c->msg);
        else
            sim_fail(w, "there is no gw%u to send to", c->gateway);
        break;
    case TXG_COMMAND_CLOSE:
        sim_note(w, "  close gw%u", c->gateway);
        if (!node || node->seen.dead || node->seen.closed)
            sim_fail(w, "gw%u is closed and may not be", c->gateway);
        if (node) {
            node->seen.closed = true;
            node->seen.dismissed = !node->seen.collected && o->done == o->total;
        }
        if (c->gateway == o->must_by)
            o->must_close = false;
        break;
    case TXG_COMMAND_OPEN:
        if (c->gateway != w->n_nodes || c->origin >= w->plan->n_boards ||
            !w->plan->gateways[c->origin].late)
            sim_fail(w, "gw%u is opened and may not be", c->gateway);
        break;
    case TXG_COMMAND_REPLACE:
        take_replace(w, c);
        break;
    case TXG_COMMAND_FINISH:
        take_finish(w, c->exit_code);
        break;
    }
}

static void check_idle(struct sim_world *w)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_node *node = &w->nodes[i];
        const struct sim_seen *seen = &node->seen;
        bool just_now = seen->shutdown == w->events;
        if (!seen->collected || seen->dead || seen->closed || (seen->shutdown && !just_now) ||
            (seen->shutdown && seen->leaving) || (seen->held && !just_now))
            continue;
        size_t outcome = free_for(w, node);
        if (outcome != SIM_NONE && !w->plan->changes)
            sim_fail(w, "gw%u has nothing to do and test %zu is free", node->number, outcome);
    }
}

/* A run that stops takes back everything that has not started. */
static void check_stopped(struct sim_world *w)
{
    for (size_t i = 0; i < w->oracle.n_outcomes; i++) {
        const struct sim_outcome *it = &w->oracle.outcomes[i];
        if (it->state == SIM_HELD && !it->asked && !w->nodes[it->holder].seen.closed)
            sim_fail(w, "test %zu is left with gw%u", i, it->holder);
    }
}

/* Who has asked to go is let go, unless it owes tests that nobody else will run. */
static void check_left(struct sim_world *w)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_seen *seen = &w->nodes[i].seen;
        if (seen->leaving && seen->collected && !seen->shutdown && !seen->dead && !seen->closed)
            sim_fail(w, "gw%zu has asked to go and is kept", i);
    }
}

void sim_oracle_after(struct sim_world *w)
{
    struct sim_oracle *o = &w->oracle;
    if (o->failed)
        return;
    if (o->must_start != SIM_NONE)
        sim_fail(w, "test %zu started and nobody was told", o->must_start);
    if (o->must_finish != SIM_NONE)
        sim_fail(w, "test %zu ended and nobody was told", o->must_finish);
    if (o->must_close)
        sim_fail(w, "gw%u lied and is believed", o->must_by);
    if (!o->finished)
        check_slow(w);
    if (o->stopping && o->stopped == w->events && !o->finished)
        check_stopped(w);
    if (o->dealing && !o->stopping && !o->finished)
        check_idle(w);
    if (o->dealing && !o->stopping && !o->finished && w->plan->config.dist != TXG_DIST_EACH)
        check_left(w);
}

void sim_oracle_end(struct sim_world *w)
{
    if (!w->oracle.finished)
        sim_fail(w, "the run does not end: nothing more is to come");
}
