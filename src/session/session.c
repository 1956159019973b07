#include "config.h"

#include "src/session/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/session/core.h"

#define GOODBYE   INT64_C(10000000) /* for a gateway to end after shutdown, idle; microseconds */
#define STILLBORN 3                 /* gateways in a row that die before they have collected */

const char *const txg_dist_names[] = {"each", "load", NULL};

static const struct txg_scheduler_ops *const schedulers[] = {&txg_scheduler_each,
                                                             &txg_scheduler_load};

const char *txg_dist_name(enum txg_dist dist)
{
    return txg_dist_names[dist];
}

int txg_dist_parse(const char *word)
{
    for (int i = 0; txg_dist_names[i]; i++)
        if (strcmp(word, txg_dist_names[i]) == 0)
            return i;
    return -1;
}

struct txg_command *txg_session_command(struct txg_session *s, enum txg_command_type type)
{
    s->commands = txg_grow(s->commands, s->n_commands, &s->cap_commands, sizeof *s->commands);
    struct txg_command *c = &s->commands[s->n_commands++];
    *c = (struct txg_command){.type = type};
    return c;
}

struct txg_event *txg_session_report(struct txg_session *s, enum txg_event_type type,
                                     const struct txg_node *node)
{
    struct txg_event *e = &txg_session_command(s, TXG_COMMAND_EVENT)->event;
    e->type = type;
    e->time = s->now - s->began;
    e->gateway = node ? &node->info : NULL;
    return e;
}

void *txg_session_keep(struct txg_session *s, void *p)
{
    s->garbage = txg_grow(s->garbage, s->n_garbage, &s->cap_garbage, sizeof *s->garbage);
    return s->garbage[s->n_garbage++] = p;
}

struct txg_span txg_session_format(struct txg_session *s, const char *fmt, ...)
{
    char text[TXG_ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return txg_span_cstr(txg_session_keep(s, txg_xstrdup(text)));
}

void txg_session_report_text(struct txg_session *s, enum txg_event_type type,
                             const struct txg_node *node, struct txg_span text)
{
    txg_session_report(s, type, node)->message.text = text;
}

static bool has_label(const char *const *labels, const char *label)
{
    for (; labels && *labels; labels++)
        if (strcmp(*labels, label) == 0)
            return true;
    return false;
}

static void decide_needs(struct txg_session *s)
{
    s->allowed = txg_xcalloc(s->config.n_gateways * s->config.n_suites, sizeof *s->allowed);
    for (size_t g = 0; g < s->config.n_gateways; g++) {
        for (size_t i = 0; i < s->config.n_suites; i++) {
            bool all = true;
            for (const char *const *need = s->suites[i].needs; need && *need; need++)
                all = all && has_label(s->gateways[g].labels, *need);
            s->allowed[g * s->config.n_suites + i] = all;
        }
    }
}

static struct txg_node *add_node(struct txg_session *s, size_t origin,
                                 const struct txg_gateway_info *replaces)
{
    struct txg_node *node = txg_xcalloc(1, sizeof *node);
    node->id = txg_xasprintf("gw%zu", s->n_nodes);
    node->origin = origin;
    node->silent_at = INT64_MAX;
    node->info = (struct txg_gateway_info){.number = (unsigned)s->n_nodes,
                                           .id = node->id,
                                           .device = s->gateways[origin].device,
                                           .spec = s->gateways[origin].spec,
                                           .replaces = replaces};
    s->nodes = txg_grow(s->nodes, s->n_nodes, &s->cap_nodes, sizeof *s->nodes);
    s->nodes[s->n_nodes++] = node;
    s->deal.nodes = s->nodes;
    s->deal.n_nodes = s->n_nodes;
    return node;
}

/* The caller's arrays outlive the session as the plan outlives the run: strings are borrowed. */
struct txg_session *txg_session_new(const struct txg_session_config *config, int64_t now)
{
    struct txg_session *s = txg_xcalloc(1, sizeof *s);
    s->config = *config;
    s->gateways = txg_xcalloc(config->n_gateways, sizeof *s->gateways);
    memcpy(s->gateways, config->gateways, config->n_gateways * sizeof *s->gateways);
    s->suites = txg_xcalloc(config->n_suites, sizeof *s->suites);
    if (config->n_suites)
        memcpy(s->suites, config->suites, config->n_suites * sizeof *s->suites);
    decide_needs(s);
    s->began = s->now = now;
    s->give_up_at = INT64_MAX;
    s->scheduler = schedulers[config->dist];
    s->deal.session = s;
    s->deal.maxschedchunk = config->maxschedchunk ? config->maxschedchunk : SIZE_MAX;
    s->lanes = txg_xcalloc(config->n_gateways, sizeof *s->lanes);
    s->lane_starts = txg_xcalloc(config->n_gateways, sizeof *s->lane_starts);
    struct txg_event *e = txg_session_report(s, TXG_EVENT_RUN_START, NULL);
    e->run.testrunuid = config->testrunuid;
    e->run.dist = txg_dist_name(config->dist);
    e->run.gateways = config->n_gateways;
    e->run.wall = config->wall;
    for (size_t i = 0; i < config->n_gateways; i++)
        txg_session_report(s, TXG_EVENT_GATEWAY_START, add_node(s, i, NULL));
    return s;
}

static void clear_commands(struct txg_session *s)
{
    for (size_t i = 0; i < s->n_garbage; i++)
        free(s->garbage[i]);
    s->n_garbage = s->n_commands = s->next_command = 0;
}

void txg_session_free(struct txg_session *s)
{
    if (!s)
        return;
    clear_commands(s);
    for (size_t i = 0; i < s->n_nodes; i++) {
        txg_tests_free(s->nodes[i]->incoming);
        free(s->nodes[i]->held.items);
        free(s->nodes[i]->id);
        free(s->nodes[i]);
    }
    txg_catalog_release(&s->catalog);
    free(s->deal.pending.items);
    free(s->nodes);
    free(s->gateways);
    free(s->suites);
    free(s->allowed);
    free(s->lanes);
    free(s->lane_starts);
    free(s->outcomes);
    free(s->commands);
    free(s->garbage);
    free(s);
}

const struct txg_command *txg_session_next(struct txg_session *s)
{
    return s->next_command < s->n_commands ? &s->commands[s->next_command++] : NULL;
}

static void close_node(struct txg_session *s, struct txg_node *node)
{
    if (node->closing || node->state == TXG_NODE_DEAD)
        return;
    node->closing = true;
    txg_session_command(s, TXG_COMMAND_CLOSE)->gateway = node->info.number;
}

void txg_session_fault(struct txg_session *s, struct txg_node *node, const char *text)
{
    txg_session_report_text(
        s, TXG_EVENT_WARNING, node,
        txg_session_format(s, "%s broke the protocol and is closed: %s", node->id, text));
    close_node(s, node);
}

void txg_session_stop(struct txg_session *s, struct txg_span why)
{
    if (s->progress == TXG_STOPPING || s->progress == TXG_OVER)
        return;
    s->progress = TXG_STOPPING;
    txg_session_report_text(s, TXG_EVENT_STOPPING, NULL, why);
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct txg_node *node = s->nodes[i];
        if (node->state == TXG_NODE_DEAD)
            continue;
        if (node->state == TXG_NODE_STARTING) {
            close_node(s, node);
            continue;
        }
        size_t first = node->held.head + node->running;
        if (first < node->held.tail) {
            size_t n = node->held.tail - first;
            struct txg_msg_range *ranges = txg_session_keep(s, txg_xcalloc(n, sizeof *ranges));
            for (size_t k = 0; k < n; k++)
                ranges[k] = (struct txg_msg_range){(int64_t)node->held.items[first + k], 1};
            struct txg_command *c = txg_session_command(s, TXG_COMMAND_SEND);
            c->gateway = node->info.number;
            c->msg.type = TXG_MSG_STEAL;
            c->msg.indices.ranges = ranges;
            c->msg.indices.n_ranges = n;
        }
        txg_deal_shutdown(&s->deal, node);
    }
}

static bool is_initial_ready(const struct txg_node *node)
{
    return node->state == TXG_NODE_COLLECTED || node->state == TXG_NODE_DEAD;
}

/* xdist's text; what differs is said in counts, the lists are one `txgate list` away. */
static bool collections_agree(struct txg_session *s)
{
    const struct txg_node *first = NULL;
    for (size_t i = 0; i < s->n_nodes; i++) {
        const struct txg_node *node = s->nodes[i];
        if (!node->tests)
            continue;
        if (!first)
            first = node;
        if (node->tests == first->tests)
            continue;
        txg_session_report_text(
            s, TXG_EVENT_COLLECT_ERROR, node,
            txg_session_format(s,
                               "Different tests were collected between %s (%zu) and %s "
                               "(%zu); `txgate list` shows both",
                               first->id, first->tests->n, node->id, node->tests->n));
        s->collect_errors++;
        return false;
    }
    return true;
}

static void shutdown_all(struct txg_session *s)
{
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i]->state != TXG_NODE_DEAD)
            txg_deal_shutdown(&s->deal, s->nodes[i]);
}

/* The barrier: dealing begins when every gateway that was asked for has spoken. */
static void maybe_begin(struct txg_session *s)
{
    if (s->progress != TXG_WAITING)
        return;
    for (size_t i = 0; i < s->n_nodes; i++)
        if (!is_initial_ready(s->nodes[i]))
            return;
    txg_session_number_outcomes(s);
    s->progress = TXG_DEALING;
    bool agree =
        !s->config.strict_collection || s->config.dist == TXG_DIST_EACH || collections_agree(s);
    if (s->config.collect_only || !agree) {
        s->deal.pending.head = s->deal.pending.tail;
        s->progress = TXG_STOPPING;
        shutdown_all(s);
        return;
    }
    if (txg_deal_live(&s->deal)) {
        struct txg_event *e = txg_session_report(s, TXG_EVENT_SCHEDULING, NULL);
        e->scheduling.scheduler = s->scheduler->name;
        e->scheduling.total = s->total;
    }
    s->scheduler->begin(&s->deal);
}

void txg_session_collected(struct txg_session *s, struct txg_node *node,
                           const struct txg_tests *tests)
{
    node->tests = tests;
    node->state = TXG_NODE_COLLECTED;
    s->stillborn = 0;
    txg_session_report(s, TXG_EVENT_GATEWAY_COLLECTED, node)->collected.count = tests->n;
    if (s->progress == TXG_WAITING) {
        maybe_begin(s);
        return;
    }
    if (s->progress != TXG_DEALING) {
        txg_deal_shutdown(&s->deal, node);
        return;
    }
    if (s->config.dist == TXG_DIST_EACH && s->lanes[node->origin] != tests) {
        txg_session_report_text(
            s, TXG_EVENT_WARNING, node,
            txg_session_format(s, "%s collected other tests than the gateway it replaces",
                               node->id));
        txg_deal_shutdown(&s->deal, node);
        return;
    }
    s->scheduler->node_ready(&s->deal, node);
}

/* What ran when its gateway died: blamed on the worker, or on the host that was lost. */
static void blame(struct txg_session *s, struct txg_node *node, const struct txg_node_event *event)
{
    size_t number = txg_session_number(s, node, node->held.items[node->held.head]);
    struct txg_event_result result = {.outcome = TXG_CRASHED, .start = -1, .status = -1};
    node->running = false;
    node->held.head++;
    if (s->interrupts > 1) {
        result.outcome = TXG_NOT_RUN;
        result.reason = TXG_SPAN("interrupted while it ran");
    } else if (event->down == TXG_DOWN_LOST) {
        result.outcome = TXG_LOST;
        result.reason = txg_session_format(s, "host of '%s' was lost while running it: %.*s",
                                           node->id, TXG_FMT(event->reason));
    } else {
        result.reason = txg_session_format(s, "worker '%s' crashed while running it: %.*s",
                                           node->id, TXG_FMT(event->reason));
    }
    txg_session_settle(s, node, number, &result);
}

static bool wants_replacement(struct txg_session *s, const struct txg_node *node)
{
    if (s->progress != TXG_DEALING)
        return false;
    if (node->tests && txg_held_count(&node->held) == 0 &&
        (s->config.dist == TXG_DIST_EACH || txg_pending_count(&s->deal.pending) == 0))
        return false; /* nothing is left for it to do */
    if (s->stillborn >= STILLBORN)
        return false;
    if (s->config.max_restarts >= 0 && s->restarts >= s->config.max_restarts) {
        txg_session_report_text(
            s, TXG_EVENT_WARNING, node,
            s->config.max_restarts == 0
                ? txg_session_format(s, "worker %s crashed and worker restarting disabled",
                                     node->id)
                : txg_session_format(s, "maximum crashed workers reached: %ld",
                                     s->config.max_restarts));
        return false;
    }
    return true;
}

static void give_back_held(struct txg_session *s, struct txg_node *node)
{
    if (s->config.dist != TXG_DIST_EACH)
        for (size_t i = node->held.head; i < node->held.tail; i++)
            txg_pending_push(&s->deal.pending, txg_session_number(s, node, node->held.items[i]));
    node->held.head = node->held.tail = 0;
}

static void node_down(struct txg_session *s, struct txg_node *node,
                      const struct txg_node_event *event)
{
    bool expected = node->finished && !node->running && txg_held_count(&node->held) == 0 &&
                    (event->down == TXG_DOWN_ENDED || node->shutting);
    bool before_collection = node->state != TXG_NODE_COLLECTED;
    bool before_ready = node->state == TXG_NODE_STARTING;
    bool asked_for = node->closing && (s->interrupts > 0 || s->progress == TXG_STOPPING);
    node->state = TXG_NODE_DEAD;
    if (expected || asked_for) {
        if (node->running)
            blame(s, node, event);
        give_back_held(s, node);
        maybe_begin(s);
        return;
    }
    if (event->down == TXG_DOWN_LOST || before_collection)
        s->gateways_failed++;
    s->stillborn = before_collection ? s->stillborn + 1 : 0;
    if (node->running)
        blame(s, node, event);
    bool replace = wants_replacement(s, node);
    give_back_held(s, node);
    struct txg_node *next = replace ? add_node(s, node->origin, &node->info) : NULL;
    struct txg_event *e = txg_session_report(s, TXG_EVENT_GATEWAY_DOWN, node);
    e->down.reason = event->reason;
    e->down.lost = event->down == TXG_DOWN_LOST;
    e->down.before_ready = before_ready;
    e->down.replacement = next ? &next->info : NULL;
    if (next) {
        s->restarts++;
        txg_session_report(s, TXG_EVENT_GATEWAY_START, next);
        struct txg_command *c = txg_session_command(s, TXG_COMMAND_REPLACE);
        c->gateway = next->info.number;
        c->replaces = node->info.number;
    }
    if (s->progress == TXG_WAITING && s->config.require_all)
        txg_session_stop(s, txg_session_format(s, "gateway %s could not start", node->id));
    maybe_begin(s);
    if (s->progress == TXG_DEALING)
        s->scheduler->node_gone(&s->deal, node);
}

static void interrupt(struct txg_session *s)
{
    s->interrupts++;
    if (s->interrupts == 1)
        txg_session_stop(s,
                         TXG_SPAN("interrupted: running tests may finish; once more kills them"));
    if (s->interrupts < 2)
        return;
    s->give_up_at = s->now + GOODBYE;
    for (size_t i = 0; i < s->n_nodes; i++)
        close_node(s, s->nodes[i]);
}

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
    if (s->total == 0)
        return 5;
    return 0;
}

/* Every collected test is accounted for, then the run is over. */
static void finish(struct txg_session *s)
{
    s->progress = TXG_OVER;
    if (!s->config.collect_only)
        txg_session_settle_rest(s);
    struct txg_event *e = txg_session_report(s, TXG_EVENT_RUN_FINISH, NULL);
    memcpy(e->finish.outcomes, s->counts, sizeof s->counts);
    e->finish.collect_errors = s->collect_errors;
    e->finish.gateways_failed = s->gateways_failed;
    e->finish.exit_code = exit_code(s);
    txg_session_command(s, TXG_COMMAND_FINISH)->exit_code = exit_code(s);
}

/* A gateway that was told to end and holds nothing has a limited time to do so. */
static void watch_goodbyes(struct txg_session *s, bool *alive)
{
    *alive = false;
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct txg_node *node = s->nodes[i];
        if (node->state == TXG_NODE_DEAD)
            continue;
        *alive = true;
        bool idle = node->shutting && txg_held_count(&node->held) == 0;
        if (!idle || node->closing)
            node->silent_at = INT64_MAX;
        else if (node->silent_at == INT64_MAX)
            node->silent_at = s->now + GOODBYE;
        else if (s->now >= node->silent_at)
            close_node(s, node);
    }
}

/* The run is over when no gateway lives, or when nobody is waited for any longer. */
static void settle_end(struct txg_session *s)
{
    bool alive;
    if (s->progress == TXG_OVER)
        return;
    watch_goodbyes(s, &alive);
    if (!alive || s->now >= s->give_up_at)
        finish(s);
}

void txg_session_event(struct txg_session *s, int64_t now, const struct txg_node_event *event)
{
    if (s->next_command == s->n_commands)
        clear_commands(s);
    s->now = now;
    bool of_node = event->type == TXG_NODE_MESSAGE || event->type == TXG_NODE_DOWN;
    if (of_node &&
        (event->gateway >= s->n_nodes || s->nodes[event->gateway]->state == TXG_NODE_DEAD))
        return;
    if (s->progress == TXG_OVER)
        return;
    struct txg_node *node = of_node ? s->nodes[event->gateway] : NULL;
    if (event->type == TXG_NODE_MESSAGE && !node->closing)
        txg_session_take_message(s, node, event->msg);
    else if (event->type == TXG_NODE_DOWN)
        node_down(s, node, event);
    else if (event->type == TXG_NODE_INTERRUPT)
        interrupt(s);
    settle_end(s);
}

int64_t txg_session_deadline(const struct txg_session *s)
{
    int64_t next = s->give_up_at;
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i]->state != TXG_NODE_DEAD && s->nodes[i]->silent_at < next)
            next = s->nodes[i]->silent_at;
    return s->progress == TXG_OVER ? INT64_MAX : next;
}

void txg_session_list(const struct txg_session *s,
                      void (*visit)(void *user, unsigned gateway, struct txg_span nodeid),
                      void *user)
{
    for (size_t c = 0; c < s->catalog.n; c++) {
        const struct txg_tests *t = s->catalog.collections[c];
        for (size_t i = 0; i < t->n; i++)
            visit(user, t->first_holder, txg_tests_nodeid(t, i));
    }
}
