#include "config.h"

#include "src/report/reporter.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/value.h"

#define HAND_OVER 4096 /* bytes that are gathered before the sink gets them */

struct jsonl {
    struct txg_reporter base;
    struct txg_sink *sink; /* borrowed */
    struct txg_buf out;
};

static const char *const names[] = {
    [TXG_EVENT_RUN_START] = "run_start",
    [TXG_EVENT_GATEWAY_START] = "gateway_start",
    [TXG_EVENT_GATEWAY_READY] = "gateway_ready",
    [TXG_EVENT_GATEWAY_COLLECTED] = "gateway_collected",
    [TXG_EVENT_GATEWAY_DOWN] = "gateway_down",
    [TXG_EVENT_SCHEDULING] = "scheduling",
    [TXG_EVENT_COLLECT_ERROR] = "collect_error",
    [TXG_EVENT_TEST_START] = "test_start",
    [TXG_EVENT_TEST_OUTPUT] = "test_output",
    [TXG_EVENT_TEST_FINISH] = "test_finish",
    [TXG_EVENT_WARNING] = "warning",
    [TXG_EVENT_INTERNAL_ERROR] = "internal_error",
    [TXG_EVENT_STOPPING] = "stopping",
    [TXG_EVENT_RUN_FINISH] = "run_finish",
};

static void set_text(struct txg_value *o, const char *key, const char *text)
{
    if (text)
        txg_value_set(o, key, txg_value_string(text, strlen(text)));
}

static void set_span(struct txg_value *o, const char *key, struct txg_span text)
{
    txg_value_set(o, key, txg_value_string(text.data, text.len));
}

static void set_int(struct txg_value *o, const char *key, int64_t i)
{
    txg_value_set(o, key, txg_value_int(i));
}

static void set_gateway(struct txg_value *o, const struct txg_event *e)
{
    const struct txg_gateway_info *g = e->gateway;
    set_text(o, "gateway", g->id);
    if (e->type != TXG_EVENT_GATEWAY_START)
        return;
    set_text(o, "spec", g->spec);
    set_text(o, "device", g->device);
    if (g->replaces)
        set_text(o, "replaces", g->replaces->id);
}

static void set_test(struct txg_value *o, const struct txg_event *e)
{
    set_int(o, "number", (int64_t)e->test.number);
    set_span(o, "nodeid", e->test.nodeid);
    set_text(o, "suite", e->test.suite);
}

static void set_result(struct txg_value *o, const struct txg_event_result *r)
{
    set_text(o, "outcome", txg_outcome_name(r->outcome));
    set_span(o, "reason", r->reason);
    set_int(o, "start", r->start);
    set_int(o, "duration", r->duration);
    set_int(o, "status", r->status);
    set_int(o, "signal", r->signal);
    set_int(o, "dropped_out", r->dropped_out);
    set_int(o, "dropped_err", r->dropped_err);
    set_int(o, "leaked", r->leaked);
    set_int(o, "utime", r->utime);
    set_int(o, "stime", r->stime);
    set_int(o, "maxrss", r->maxrss);
    set_int(o, "done", (int64_t)r->done);
    set_int(o, "total", (int64_t)r->total);
    if (r->n_points == 0)
        return;
    struct txg_value points = txg_value_list();
    for (size_t i = 0; i < r->n_points; i++) {
        struct txg_value p = txg_value_dict();
        set_span(&p, "name", r->points[i].name);
        set_text(&p, "outcome", txg_outcome_name(r->points[i].outcome));
        set_span(&p, "text", r->points[i].text);
        txg_value_push(&points, p);
    }
    txg_value_set(o, "points", points);
}

static void set_finish(struct txg_value *o, const struct txg_event *e)
{
    struct txg_value outcomes = txg_value_dict();
    for (int i = 0; i < TXG_OUTCOMES; i++)
        set_int(&outcomes, txg_outcome_name((enum txg_outcome)i), (int64_t)e->finish.outcomes[i]);
    txg_value_set(o, "outcomes", outcomes);
    set_int(o, "collect_errors", (int64_t)e->finish.collect_errors);
    set_int(o, "gateways_failed", (int64_t)e->finish.gateways_failed);
    set_int(o, "exit_code", e->finish.exit_code);
}

static void set_fields(struct txg_value *o, const struct txg_event *e)
{
    switch (e->type) {
    case TXG_EVENT_RUN_START:
        set_text(o, "testrunuid", e->run.testrunuid);
        set_text(o, "dist", e->run.dist);
        set_int(o, "gateways", (int64_t)e->run.gateways);
        set_int(o, "wall", e->run.wall);
        break;
    case TXG_EVENT_GATEWAY_START:
        break;
    case TXG_EVENT_GATEWAY_READY:
        set_span(o, "arch", e->ready.arch);
        set_span(o, "version", e->ready.version);
        set_span(o, "cwd", e->ready.cwd);
        set_int(o, "pid", e->ready.pid);
        break;
    case TXG_EVENT_GATEWAY_COLLECTED:
        set_int(o, "count", (int64_t)e->collected.count);
        break;
    case TXG_EVENT_GATEWAY_DOWN:
        set_span(o, "reason", e->down.reason);
        txg_value_set(o, "lost", txg_value_bool(e->down.lost));
        txg_value_set(o, "before_ready", txg_value_bool(e->down.before_ready));
        if (e->down.replacement)
            set_text(o, "replacement", e->down.replacement->id);
        break;
    case TXG_EVENT_SCHEDULING:
        set_text(o, "scheduler", e->scheduling.scheduler);
        set_int(o, "total", (int64_t)e->scheduling.total);
        break;
    case TXG_EVENT_TEST_START:
        set_test(o, e);
        break;
    case TXG_EVENT_TEST_OUTPUT:
        set_test(o, e);
        set_text(o, "stream", e->output.stream == 1 ? "stdout" : "stderr");
        txg_value_set(o, "tail", txg_value_bool(e->output.tail));
        set_int(o, "bytes", (int64_t)e->output.data.len);
        set_span(o, "text", e->output.data);
        break;
    case TXG_EVENT_TEST_FINISH:
        set_test(o, e);
        set_result(o, &e->result);
        break;
    case TXG_EVENT_COLLECT_ERROR:
        set_span(o, "nodeid", e->test.nodeid);
        set_span(o, "text", e->message.text);
        break;
    case TXG_EVENT_WARNING:
    case TXG_EVENT_INTERNAL_ERROR:
    case TXG_EVENT_STOPPING:
        set_span(o, "text", e->message.text);
        break;
    case TXG_EVENT_RUN_FINISH:
        set_finish(o, e);
        break;
    }
}

static void hand_over(struct jsonl *j)
{
    if (txg_buf_len(&j->out))
        j->sink->write(j->sink, txg_buf_data(&j->out), txg_buf_len(&j->out));
    txg_buf_clear(&j->out);
}

static void jsonl_event(struct txg_reporter *r, const struct txg_event *e)
{
    struct jsonl *j = (struct jsonl *)r;
    struct txg_value o = txg_value_dict();
    set_text(&o, "event", names[e->type]);
    set_int(&o, "t", e->time);
    if (e->gateway)
        set_gateway(&o, e);
    set_fields(&o, e);
    txg_value_to_json(&o, &j->out);
    txg_buf_putc(&j->out, '\n');
    txg_value_release(&o);
    if (txg_buf_len(&j->out) >= HAND_OVER || e->type == TXG_EVENT_RUN_FINISH)
        hand_over(j);
}

static void jsonl_tick(struct txg_reporter *r, int64_t now)
{
    (void)now;
    hand_over((struct jsonl *)r);
}

static int jsonl_finish(struct txg_reporter *r, struct txg_err *err)
{
    (void)err;
    hand_over((struct jsonl *)r);
    return 0;
}

static void jsonl_free(struct txg_reporter *r)
{
    txg_buf_release(&((struct jsonl *)r)->out);
    free(r);
}

struct txg_reporter *txg_jsonl_new(struct txg_sink *sink)
{
    static const struct txg_reporter_ops ops = {"jsonl", jsonl_event, jsonl_tick, jsonl_finish,
                                                jsonl_free};
    struct jsonl *j = txg_xcalloc(1, sizeof *j);
    j->base.ops = &ops;
    j->sink = sink;
    return &j->base;
}
