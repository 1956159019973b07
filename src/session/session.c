#include "config.h"

#include "src/session/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/session/core.h"

const char *const txg_dist_names[] = {"each",      "load",      "loadscope", "loadfile",
                                      "loadgroup", "worksteal", "duration",  NULL};

static const struct txg_scheduler_ops *const schedulers[] = {
    [TXG_DIST_EACH] = &txg_scheduler_each,
    [TXG_DIST_LOAD] = &txg_scheduler_load,
    [TXG_DIST_LOADSCOPE] = &txg_scheduler_loadscope,
    [TXG_DIST_LOADFILE] = &txg_scheduler_loadfile,
    [TXG_DIST_LOADGROUP] = &txg_scheduler_loadgroup,
    [TXG_DIST_WORKSTEAL] = &txg_scheduler_worksteal,
    [TXG_DIST_DURATION] = &txg_scheduler_duration,
};

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

/* What is not named in the initializer below is 0 in a message as well. */
_Static_assert(sizeof(struct txg_msg) <= sizeof(struct txg_event), "the event is the larger one");

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

struct txg_node *txg_session_add_node(struct txg_session *s, size_t origin,
                                      const struct txg_gateway_info *replaces)
{
    struct txg_node *node = txg_xcalloc(1, sizeof *node);
    node->id = txg_xasprintf("gw%zu", s->n_nodes);
    node->origin = origin;
    node->silent_at = INT64_MAX;
    node->info = (struct txg_gateway_info){.number = (unsigned)s->n_nodes,
                                           .id = node->id,
                                           .origin = origin,
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
    s->config.gateways = s->gateways; /* the caller's arrays may go */
    s->config.suites = s->suites;
    decide_needs(s);
    txg_session_take_failed(s);
    txg_locks_init(s);
    txg_quarantine_init(s);
    s->began = s->now = now;
    s->give_up_at = INT64_MAX;
    s->scheduler = schedulers[config->dist];
    s->deal.session = s;
    s->deal.keep_order = config->keep_order;
    s->deal.retries = config->retries > 0;
    s->deal.maxschedchunk = config->maxschedchunk ? config->maxschedchunk : SIZE_MAX;
    s->lanes = txg_xcalloc(config->n_gateways, sizeof *s->lanes);
    s->lane_starts = txg_xcalloc(config->n_gateways, sizeof *s->lane_starts);
    struct txg_event *e = txg_session_report(s, TXG_EVENT_RUN_START, NULL);
    e->run.testrunuid = config->testrunuid;
    e->run.dist = txg_dist_name(config->dist);
    for (size_t i = 0; i < config->n_gateways; i++)
        e->run.gateways += !config->gateways[i].late;
    e->run.wall = config->wall;
    for (size_t i = 0; i < config->n_gateways; i++)
        if (!config->gateways[i].late)
            txg_session_report(s, TXG_EVENT_GATEWAY_START, txg_session_add_node(s, i, NULL));
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
        free(s->nodes[i]->arch);
        free(s->nodes[i]->id);
        free(s->nodes[i]);
    }
    txg_catalog_release(&s->catalog);
    free(s->deal.pending.items);
    free(s->deal.units);
    txg_expect_release(&s->deal.expect);
    free(s->nodes);
    free(s->gateways);
    free(s->suites);
    free(s->allowed);
    txg_quarantine_release(s);
    free(s->lanes);
    free(s->lane_starts);
    txg_session_release_tries(s);
    free(s->failed);
    free(s->locks);
    free((char *)(uintptr_t)s->failed_note.data);
    free(s->outcomes);
    free(s->commands);
    free(s->garbage);
    free(s);
}

const struct txg_command *txg_session_next(struct txg_session *s)
{
    return s->next_command < s->n_commands ? &s->commands[s->next_command++] : NULL;
}

void txg_session_close(struct txg_session *s, struct txg_node *node)
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
    txg_session_close(s, node);
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
            txg_session_close(s, node);
            continue;
        }
        size_t first = node->held.head + node->running;
        if (first < node->held.tail)
            txg_deal_steal(&s->deal, node, node->held.items + first, node->held.tail - first);
        txg_deal_shutdown(&s->deal, node);
    }
}

static bool has_spoken(const struct txg_node *node)
{
    return txg_deal_is_live(node) || node->state == TXG_NODE_DEAD;
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
void txg_session_maybe_begin(struct txg_session *s)
{
    if (s->progress != TXG_WAITING)
        return;
    for (size_t i = 0; i < s->n_nodes; i++)
        if (!has_spoken(s->nodes[i]))
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
        e->scheduling.note = s->failed_note;
    }
    s->scheduler->begin(&s->deal);
    txg_session_let_go(s);
}

void txg_session_collected(struct txg_session *s, struct txg_node *node,
                           const struct txg_tests *tests)
{
    node->tests = tests;
    node->state = TXG_NODE_COLLECTED;
    size_t selected = tests->n;
    bool all = txg_session_selects_all(s);
    for (size_t i = 0; i < tests->n && !all; i++)
        selected -= !txg_session_is_selected(s, tests->suites[i], txg_tests_nodeid(tests, i));
    txg_session_report(s, TXG_EVENT_GATEWAY_COLLECTED, node)->collected.count = selected;
    if (s->progress == TXG_WAITING) {
        txg_session_maybe_begin(s);
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
    if (node->leaving)
        txg_deal_shutdown(&s->deal, node);
    else
        s->scheduler->node_ready(&s->deal, node);
}

static void interrupt(struct txg_session *s)
{
    s->interrupts++;
    if (s->interrupts == 1)
        txg_session_stop(s,
                         TXG_SPAN("interrupted: running tests may finish; once more kills them"));
    if (s->interrupts < 2)
        return;
    s->give_up_at = s->now + TXG_GOODBYE;
    for (size_t i = 0; i < s->n_nodes; i++)
        txg_session_close(s, s->nodes[i]);
}

void txg_session_event(struct txg_session *s, int64_t now, const struct txg_node_event *event)
{
    if (s->next_command == s->n_commands)
        clear_commands(s);
    s->now = now;
    bool of_node = event->type == TXG_NODE_MESSAGE || event->type == TXG_NODE_DOWN ||
                   event->type == TXG_NODE_LEAVING;
    if (of_node &&
        (event->gateway >= s->n_nodes || s->nodes[event->gateway]->state == TXG_NODE_DEAD))
        return;
    if (s->progress == TXG_OVER)
        return;
    struct txg_node *node = of_node ? s->nodes[event->gateway] : NULL;
    if (event->type == TXG_NODE_MESSAGE && !node->closing)
        txg_session_take_message(s, node, event->msg);
    else if (event->type == TXG_NODE_DOWN)
        txg_session_down(s, node, event);
    else if (event->type == TXG_NODE_LEAVING)
        txg_session_leave(s, node);
    else if (event->type == TXG_NODE_JOIN)
        txg_session_join(s, event->name);
    else if (event->type == TXG_NODE_INTERRUPT)
        interrupt(s);
    if (s->offers)
        txg_session_take_offers(s);
    txg_session_look(s);
}

void txg_session_expect_records(struct txg_session *s, unsigned gateway)
{
    if (gateway < s->n_nodes)
        s->nodes[gateway]->asked = true;
}

void txg_session_list(const struct txg_session *s,
                      void (*visit)(void *user, unsigned gateway, struct txg_span nodeid),
                      void *user)
{
    for (size_t c = 0; c < s->catalog.n; c++) {
        const struct txg_tests *t = s->catalog.collections[c];
        for (size_t i = 0; i < t->n; i++)
            if (txg_session_is_selected(s, t->suites[i], txg_tests_nodeid(t, i)))
                visit(user, t->first_holder, txg_tests_nodeid(t, i));
    }
}
