#include "config.h"

#include "src/report/reporter.h"

#include <stdlib.h>

#include "src/report/json.h"

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
    [TXG_EVENT_QUARANTINE] = "quarantine",
    [TXG_EVENT_SCHEDULING] = "scheduling",
    [TXG_EVENT_COLLECT_ERROR] = "collect_error",
    [TXG_EVENT_TEST_START] = "test_start",
    [TXG_EVENT_TEST_SLOW] = "test_slow",
    [TXG_EVENT_TEST_LIVE] = NULL, /* TEST_OUTPUT has it, whole and in order */
    [TXG_EVENT_TEST_OUTPUT] = "test_output",
    [TXG_EVENT_TEST_FINISH] = "test_finish",
    [TXG_EVENT_TEST_RETRY] = "test_retry",
    [TXG_EVENT_WARNING] = "warning",
    [TXG_EVENT_NOTE] = "note",
    [TXG_EVENT_TRANSFER] = NULL, /* a note tells what was sent in the end */
    [TXG_EVENT_INTERNAL_ERROR] = "internal_error",
    [TXG_EVENT_STOPPING] = "stopping",
    [TXG_EVENT_RUN_FINISH] = "run_finish",
};

static void put_gateway(struct txg_buf *out, const struct txg_event *e)
{
    const struct txg_gateway_info *g = e->gateway;
    txg_json_cstr(out, "gateway", g->id);
    if (e->type != TXG_EVENT_GATEWAY_START)
        return;
    txg_json_cstr(out, "spec", g->spec);
    txg_json_cstr(out, "device", g->device);
    if (g->replaces)
        txg_json_cstr(out, "replaces", g->replaces->id);
}

static void put_test(struct txg_buf *out, const struct txg_event *e)
{
    txg_json_int(out, "number", (int64_t)e->test.number);
    txg_json_string(out, "nodeid", e->test.nodeid);
    txg_json_cstr(out, "suite", e->test.suite);
    if (e->test.attempt > 1)
        txg_json_int(out, "attempt", e->test.attempt);
}

static void put_result(struct txg_buf *out, const struct txg_event_result *r)
{
    txg_json_cstr(out, "outcome", txg_outcome_name(r->outcome));
    if (r->flaky)
        txg_json_bool(out, "flaky", true);
    txg_json_string(out, "reason", r->reason);
    txg_json_int(out, "start", r->start);
    txg_json_int(out, "duration", r->duration);
    if (r->setup > 0)
        txg_json_int(out, "setup", r->setup);
    if (r->teardown > 0)
        txg_json_int(out, "teardown", r->teardown);
    txg_json_int(out, "status", r->status);
    txg_json_int(out, "signal", r->signal);
    txg_json_int(out, "dropped_out", r->dropped_out);
    txg_json_int(out, "dropped_err", r->dropped_err);
    txg_json_int(out, "leaked", r->leaked);
    txg_json_int(out, "utime", r->utime);
    txg_json_int(out, "stime", r->stime);
    txg_json_int(out, "maxrss", r->maxrss);
    txg_json_int(out, "done", (int64_t)r->done);
    txg_json_int(out, "total", (int64_t)r->total);
    if (r->n_points == 0)
        return;
    txg_json_open(out, "points", '[');
    for (size_t i = 0; i < r->n_points; i++) {
        txg_json_item(out);
        txg_json_string(out, "name", r->points[i].name);
        txg_json_cstr(out, "outcome", txg_outcome_name(r->points[i].outcome));
        txg_json_string(out, "text", r->points[i].text);
        txg_buf_putc(out, '}');
    }
    txg_buf_putc(out, ']');
}

static void put_finish(struct txg_buf *out, const struct txg_event *e)
{
    txg_json_open(out, "outcomes", '{');
    for (int i = 0; i < TXG_OUTCOMES; i++)
        txg_json_int(out, txg_outcome_name((enum txg_outcome)i), (int64_t)e->finish.outcomes[i]);
    txg_buf_putc(out, '}');
    txg_json_int(out, "flaky", (int64_t)e->finish.flaky);
    txg_json_int(out, "slow", (int64_t)e->finish.slow);
    txg_json_int(out, "collect_errors", (int64_t)e->finish.collect_errors);
    txg_json_int(out, "deselected", (int64_t)e->finish.deselected);
    txg_json_int(out, "gateways_failed", (int64_t)e->finish.gateways_failed);
    txg_json_int(out, "exit_code", e->finish.exit_code);
}

static void put_fields(struct txg_buf *out, const struct txg_event *e)
{
    switch (e->type) {
    case TXG_EVENT_RUN_START:
        txg_json_cstr(out, "testrunuid", e->run.testrunuid);
        txg_json_cstr(out, "dist", e->run.dist);
        txg_json_int(out, "gateways", (int64_t)e->run.gateways);
        txg_json_int(out, "wall", e->run.wall);
        break;
    case TXG_EVENT_GATEWAY_START:
    case TXG_EVENT_TEST_LIVE:
    case TXG_EVENT_TRANSFER:
        break;
    case TXG_EVENT_GATEWAY_READY:
        txg_json_string(out, "arch", e->ready.arch);
        txg_json_string(out, "version", e->ready.version);
        txg_json_string(out, "cwd", e->ready.cwd);
        txg_json_int(out, "pid", e->ready.pid);
        break;
    case TXG_EVENT_GATEWAY_COLLECTED:
        txg_json_int(out, "count", (int64_t)e->collected.count);
        break;
    case TXG_EVENT_GATEWAY_DOWN:
        txg_json_string(out, "reason", e->down.reason);
        txg_json_bool(out, "lost", e->down.lost);
        txg_json_bool(out, "before_ready", e->down.before_ready);
        if (e->down.replacement)
            txg_json_cstr(out, "replacement", e->down.replacement->id);
        break;
    case TXG_EVENT_QUARANTINE:
        txg_json_cstr(out, "spec", e->gateway->spec);
        txg_json_bool(out, "host", e->quarantine.host);
        txg_json_int(out, "deaths", e->quarantine.deaths);
        txg_json_string(out, "words", e->quarantine.words);
        txg_json_string(out, "text", e->quarantine.text);
        break;
    case TXG_EVENT_SCHEDULING:
        txg_json_cstr(out, "scheduler", e->scheduling.scheduler);
        txg_json_int(out, "total", (int64_t)e->scheduling.total);
        if (e->scheduling.note.len)
            txg_json_string(out, "note", e->scheduling.note);
        break;
    case TXG_EVENT_TEST_START:
        put_test(out, e);
        break;
    case TXG_EVENT_TEST_SLOW:
        put_test(out, e);
        txg_json_int(out, "elapsed", e->slow.elapsed);
        break;
    case TXG_EVENT_TEST_OUTPUT:
        put_test(out, e);
        txg_json_cstr(out, "stream", e->output.stream == 1 ? "stdout" : "stderr");
        txg_json_bool(out, "tail", e->output.tail);
        txg_json_int(out, "bytes", (int64_t)e->output.data.len);
        txg_json_string(out, "text", e->output.data);
        break;
    case TXG_EVENT_TEST_FINISH:
    case TXG_EVENT_TEST_RETRY:
        put_test(out, e);
        put_result(out, &e->result);
        break;
    case TXG_EVENT_COLLECT_ERROR:
        txg_json_string(out, "nodeid", e->test.nodeid);
        txg_json_string(out, "text", e->message.text);
        break;
    case TXG_EVENT_WARNING:
    case TXG_EVENT_NOTE:
    case TXG_EVENT_INTERNAL_ERROR:
    case TXG_EVENT_STOPPING:
        txg_json_string(out, "text", e->message.text);
        break;
    case TXG_EVENT_RUN_FINISH:
        put_finish(out, e);
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
    struct txg_buf *out = &j->out;
    if (!names[e->type])
        return;
    txg_buf_putc(out, '{');
    txg_json_cstr(out, "event", names[e->type]);
    txg_json_int(out, "t", e->time);
    if (e->gateway)
        put_gateway(out, e);
    put_fields(out, e);
    txg_buf_puts(out, "}\n");
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
