#include "config.h"

#include "src/cli/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <uv.h>

#include "gateway/arrivals.h"
#include "gateway/gateway.h"
#include "src/base/clock.h"
#include "src/base/str.h"
#include "src/cli/files.h"
#include "src/cli/setup.h"
#include "src/cli/turns.h"

#define REPORT_TICK 100 /* milliseconds between two redraws of live lines */

struct run {
    const struct txg_run_config *config;
    const struct txg_plan *plan;
    uv_loop_t loop;
    uv_timer_t deadline; /* the session's next TICK */
    uv_timer_t redraw;
    uv_signal_t signals[3];
    struct txg_turns turns;
    struct txg_session *session;
    struct txg_gateways *gateways;
    struct txg_arrivals *arrivals; /* or NULL */
    struct txg_setup *setup;
    struct txg_files *files;
    struct txg_session_time *times; /* borrowed by the session */
    size_t *origins;                /* number -> place in the plan's list of gateways */
    size_t n_origins, cap_origins;
    int64_t began; /* microseconds, monotonic */
    int64_t tick;  /* microseconds since then */
    int exit_code;
    bool closing;
};

/* `replaced`: whom it comes for; itself where it is the first in its place. */
static void open_gateway(struct run *r, unsigned number, size_t origin, unsigned replaced)
{
    const struct txg_spec *spec = r->plan->gateways.items[origin].spec;
    while (r->n_origins <= number) {
        r->origins = txg_grow(r->origins, r->n_origins, &r->cap_origins, sizeof *r->origins);
        r->origins[r->n_origins++] = origin;
    }
    r->origins[number] = origin;
    struct txg_gateway_setup setup = {
        .spec = spec, .replaces = replaced != number, .predecessor = replaced};
    bool records = txg_gateways_is_new_host(r->gateways, spec);
    if (records)
        txg_session_expect_records(r->session, number);
    setup.messages = txg_setup_messages(r->setup, number, origin, records, &setup.n_messages);
    txg_gateways_open(r->gateways, number, &setup);
}

static const struct txg_manifest *files_for(void *user, unsigned number, const char *arch)
{
    struct run *r = user;
    return txg_files_manifest(r->files, r->origins[number], arch);
}

static void report(struct run *r, const struct txg_event *event)
{
    for (size_t i = 0; i < r->config->n_reporters; i++)
        r->config->reporters[i]->ops->event(r->config->reporters[i], event);
}

static void report_turns(struct run *r)
{
    char text[128];
    snprintf(text, sizeof text, "loop: %llu turns, the longest of %.1f ms",
             (unsigned long long)r->turns.count, (double)r->turns.longest / 1e6);
    report(r, &(struct txg_event){.type = TXG_EVENT_NOTE,
                                  .time = txg_now() - r->began,
                                  .message.text = txg_span_cstr(text)});
}

static void close_all(struct run *r, int exit_code)
{
    if (r->closing)
        return;
    r->closing = true;
    r->exit_code = exit_code;
    txg_gateways_close(r->gateways);
}

static void carry_out(struct run *r)
{
    const struct txg_command *c;
    while ((c = txg_session_next(r->session))) {
        switch (c->type) {
        case TXG_COMMAND_EVENT:
            if (c->event.type == TXG_EVENT_RUN_FINISH && r->turns.on)
                report_turns(r);
            report(r, &c->event);
            break;
        case TXG_COMMAND_SEND:
            txg_gateways_send(r->gateways, c->gateway, &c->msg);
            break;
        case TXG_COMMAND_CLOSE:
            txg_gateways_kill(r->gateways, c->gateway);
            break;
        case TXG_COMMAND_REPLACE:
            open_gateway(r, c->gateway, r->origins[c->replaces], c->replaces);
            break;
        case TXG_COMMAND_OPEN:
            open_gateway(r, c->gateway, c->origin, c->gateway);
            break;
        case TXG_COMMAND_FINISH:
            close_all(r, c->exit_code);
            break;
        }
    }
}

static void on_deadline(uv_timer_t *timer);

static void set_deadline(struct run *r)
{
    int64_t at = txg_session_deadline(r->session), now = txg_now();
    if (at == INT64_MAX || r->closing)
        uv_timer_stop(&r->deadline);
    else
        uv_timer_start(&r->deadline, on_deadline, at > now ? (uint64_t)(at - now) / 1000 + 1 : 0,
                       0);
}

static void feed(struct run *r, const struct txg_node_event *event)
{
    txg_session_event(r->session, txg_now(), event);
    carry_out(r);
    set_deadline(r);
}

static void on_deadline(uv_timer_t *timer)
{
    feed(timer->data, &(struct txg_node_event){.type = TXG_NODE_TICK});
}

static void report_transfer(void *user, const struct txg_gateway_transfer *transfer)
{
    struct run *r = user;
    report(r, &(struct txg_event){.type = TXG_EVENT_TRANSFER,
                                  .time = r->tick,
                                  .gateway = txg_session_info(r->session, transfer->number),
                                  .transfer = {transfer->what, transfer->done, transfer->all}});
}

static void on_redraw(uv_timer_t *timer)
{
    struct run *r = timer->data;
    r->tick = txg_now() - r->began;
    txg_gateways_transfers(r->gateways, report_transfer, r);
    for (size_t i = 0; i < r->config->n_reporters; i++) {
        struct txg_reporter *reporter = r->config->reporters[i];
        if (reporter->ops->tick)
            reporter->ops->tick(reporter, r->tick);
    }
}

/* Ctrl-C asks, a second one insists; TERM and HUP insist at once. */
static void on_signal(uv_signal_t *signal, int signum)
{
    struct run *r = signal->data;
    struct txg_node_event event = {.type = TXG_NODE_INTERRUPT};
    feed(r, &event);
    if (signum != SIGINT)
        feed(r, &event);
}

static void on_message(void *user, unsigned number, const struct txg_msg *msg)
{
    feed(user, &(struct txg_node_event){.type = TXG_NODE_MESSAGE, .gateway = number, .msg = msg});
}

static void on_down(void *user, unsigned number, const struct txg_gateway_down *down)
{
    static const enum txg_node_down downs[] = {
        [TXG_GATEWAY_NOT_STARTED] = TXG_DOWN_NOT_STARTED,
        [TXG_GATEWAY_CUT_OFF] = TXG_DOWN_CUT_OFF,
        [TXG_GATEWAY_ENDED] = TXG_DOWN_ENDED,
        [TXG_GATEWAY_CRASHED] = TXG_DOWN_CRASHED,
        [TXG_GATEWAY_LOST] = TXG_DOWN_LOST,
    };
    feed(user, &(struct txg_node_event){.type = TXG_NODE_DOWN,
                                        .gateway = number,
                                        .down = downs[down->end],
                                        .host = down->host,
                                        .reason = txg_span_cstr(down->text),
                                        .words = txg_span_cstr(down->words)});
}

static void on_log(void *user, const char *host, const char *level, const char *text)
{
    struct run *r = user;
    if (strcmp(level, "debug") == 0)
        return;
    TXG_AUTOFREE char *line = txg_xasprintf("%s: %s", host, text);
    bool info = strcmp(level, "info") == 0;
    report(r, &(struct txg_event){.type = info ? TXG_EVENT_NOTE : TXG_EVENT_WARNING,
                                  .time = txg_now() - r->began,
                                  .message.text = txg_span_cstr(line)});
}

static void on_leaving(void *user, unsigned number)
{
    feed(user, &(struct txg_node_event){.type = TXG_NODE_LEAVING, .gateway = number});
}

static bool on_unwanted(void *user, const char *name)
{
    struct run *r = user;
    size_t known = r->n_origins;
    if (!r->closing)
        feed(r, &(struct txg_node_event){.type = TXG_NODE_JOIN, .name = name});
    return r->n_origins > known; /* a gateway was opened for it */
}

static void on_door_words(void *user, const char *text)
{
    struct run *r = user;
    if (!r->closing)
        on_log(r, "--listen", strstr(text, " refused: ") ? "warning" : "info", text);
}

static void open_door(struct run *r)
{
    if (r->plan->listen)
        r->arrivals = txg_arrivals_new(&(struct txg_arrivals_config){.loop = &r->loop,
                                                                     .worker = r->plan->worker,
                                                                     .listen = r->plan->listen,
                                                                     .key_file = r->plan->key_file,
                                                                     .user = r,
                                                                     .on_unwanted = on_unwanted,
                                                                     .on_words = on_door_words});
}

static void close_door(struct run *r)
{
    if (r->arrivals)
        txg_arrivals_close(r->arrivals);
}

static void on_closed(void *user)
{
    struct run *r = user;
    close_door(r);
    uv_close((uv_handle_t *)&r->deadline, NULL);
    uv_close((uv_handle_t *)&r->redraw, NULL);
    txg_turns_stop(&r->turns);
    for (size_t i = 0; i < sizeof r->signals / sizeof *r->signals; i++)
        uv_close((uv_handle_t *)&r->signals[i], NULL);
}

/* What earlier runs know, as the session wants it. */
static void take_state(struct run *r, struct txg_session_config *c)
{
    const struct txg_state_time *known = txg_state_times(r->plan->state, &c->n_times);
    r->times = txg_xcalloc(c->n_times, sizeof *r->times);
    for (size_t i = 0; i < c->n_times; i++)
        r->times[i] =
            (struct txg_session_time){known[i].nodeid, known[i].arch, known[i].label, known[i].us};
    c->times = r->times;
    c->failed = txg_state_failed(r->plan->state, &c->n_failed);
}

/* The first gateway that shares its host. */
static size_t host_of(const struct txg_plan *plan, size_t gateway)
{
    size_t i = 0;
    while (i < gateway &&
           !txg_spec_shares_host(plan->gateways.items[i].spec, plan->gateways.items[gateway].spec))
        i++;
    return i;
}

static struct txg_session *new_session(struct run *r, int64_t now)
{
    const struct txg_run_config *config = r->config;
    const struct txg_plan *plan = config->plan;
    struct txg_session_gateway *gateways = txg_xcalloc(plan->gateways.n, sizeof *gateways);
    for (size_t i = 0; i < plan->gateways.n; i++) {
        const struct txg_gateway_def *def = &plan->gateways.items[i];
        gateways[i] = (struct txg_session_gateway){def->device, def->spec->text,
                                                   (const char *const *)def->labels.items,
                                                   host_of(plan, i), def->late};
    }
    struct txg_session_suite *suites = txg_xcalloc(plan->suites.n, sizeof *suites);
    for (size_t i = 0; i < plan->suites.n; i++) {
        const struct txg_suite_config *from = plan->suites.items[i].config;
        bool pytest = plan->suites.items[i].pytest;
        if (from)
            suites[i] = (struct txg_session_suite){
                .name = from->name,
                .needs = (const char *const *)from->needs.items,
                .group = from->group,
                .uses = (const char *const *)from->uses.items,
                .serial = from->serial,
            };
        suites[i].pytest = pytest;
        suites[i].drop_all = plan->drop_unmarked && !pytest;
    }
    struct timeval wall;
    gettimeofday(&wall, NULL);
    struct txg_session_config c = {
        .dist = plan->dist,
        .gateways = gateways,
        .n_gateways = plan->gateways.n,
        .suites = suites,
        .n_suites = plan->suites.n,
        .testrunuid = plan->testrunuid,
        .wall = (int64_t)wall.tv_sec * 1000000 + wall.tv_usec,
        .maxfail = plan->maxfail,
        .failed_only = plan->failed_only,
        .failed_first = plan->failed_first,
        .retries = plan->retries,
        .retry_other = plan->retry_other,
        .max_restarts = plan->max_restarts,
        .maxschedchunk = plan->maxschedchunk,
        .keep_order = plan->keep_order,
        .collect_timeout = plan->collect_timeout,
        .run_timeout = plan->run_timeout,
        .slow_timeout = plan->slow_timeout,
        .require_all = plan->require_all,
        .collect_only = config->collect_only,
        .strict_collection = plan->strict_collection,
        .select = plan->select,
    };
    take_state(r, &c);
    struct txg_session *session = txg_session_new(&c, now);
    free(gateways);
    free(suites);
    return session;
}

static bool wants_files(const struct txg_plan *plan)
{
    for (size_t i = 0; i < plan->gateways.n; i++)
        if (!txg_spec_is_local(plan->gateways.items[i].spec))
            return true;
    return false;
}

static void start(struct run *r)
{
    static const int signums[] = {SIGINT, SIGTERM, SIGHUP};
    uv_loop_init(&r->loop);
    if (r->config->measure)
        txg_turns_start(&r->turns, &r->loop);
    uv_timer_init(&r->loop, &r->deadline);
    uv_timer_init(&r->loop, &r->redraw);
    r->deadline.data = r->redraw.data = r;
    uv_timer_start(&r->redraw, on_redraw, REPORT_TICK, REPORT_TICK);
    for (size_t i = 0; i < sizeof signums / sizeof *signums; i++) {
        uv_signal_init(&r->loop, &r->signals[i]);
        r->signals[i].data = r;
        uv_signal_start(&r->signals[i], on_signal, signums[i]);
    }
    r->began = txg_now();
    r->session = new_session(r, r->began);
    r->setup = txg_setup_new(r->plan);
    r->files = txg_files_new(r->plan);
    if (wants_files(r->plan)) {
        txg_files_hash_folders(r->files);
        txg_files_read_ahead(r->files);
    }
    struct txg_gateways_config config = txg_setup_gateways(r->plan);
    open_door(r);
    config.arrivals = r->arrivals;
    config.loop = &r->loop;
    config.user = r;
    config.on_message = on_message;
    config.files_for = files_for;
    config.on_down = on_down;
    config.on_leaving = on_leaving;
    config.on_log = on_log;
    config.on_closed = on_closed;
    r->gateways = txg_gateways_new(&config);
    carry_out(r);
    unsigned number = 0;
    for (size_t i = 0; i < r->plan->gateways.n; i++) {
        if (r->plan->gateways.items[i].late)
            continue;
        open_gateway(r, number, i, number);
        number++;
    }
    set_deadline(r);
}

int txg_run(const struct txg_run_config *config)
{
    struct run r = {.config = config, .plan = config->plan};
    start(&r);
    uv_run(&r.loop, UV_RUN_NOWAIT); /* what gateways are told first is on its way meanwhile */
    if (config->at_start)
        config->at_start(config->user);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    if (config->at_end)
        config->at_end(config->user, r.session);
    txg_gateways_free(r.gateways);
    txg_session_free(r.session);
    txg_setup_free(r.setup);
    txg_files_free(r.files);
    txg_arrivals_free(r.arrivals);
    free(r.origins);
    free(r.times);
    uv_loop_close(&r.loop);
    return r.exit_code;
}
