#include "config.h"

#include "tests/unit/feed.h"

const struct txg_gateway_info feed_gw0 = {.number = 0, .id = "gw0", .spec = "popen"};
const struct txg_gateway_info feed_gw1 = {
    .number = 1, .id = "gw1", .device = "imx6-a", .spec = "popen//chdir=/x"};
const struct txg_gateway_info feed_gw2 = {
    .number = 2, .id = "gw2", .device = "imx6-a", .spec = "popen//chdir=/x", .replaces = &feed_gw1};

static void sink_write(struct txg_sink *sink, const void *data, size_t len)
{
    struct feed_sink *s = (struct feed_sink *)sink;
    txg_buf_append(&s->text, data, len);
    s->writes++;
}

void feed_sink_init(struct feed_sink *s)
{
    *s = (struct feed_sink){.base.write = sink_write};
}

const char *feed_sink_take(struct feed_sink *s)
{
    const char *text = txg_buf_cstr(&s->text);
    txg_buf_clear(&s->text);
    return text;
}

void feed_sink_release(struct feed_sink *s)
{
    txg_buf_release(&s->text);
}

void feed_event(struct feed *f, struct txg_event event)
{
    event.time = f->now;
    f->r->ops->event(f->r, &event);
}

void feed_run_start(struct feed *f, const char *dist, size_t gateways)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_RUN_START,
                                     .run = {.testrunuid = "uid7",
                                             .dist = dist,
                                             .gateways = gateways,
                                             .wall = INT64_C(1700000000000000)}});
}

void feed_gateway(struct feed *f, enum txg_event_type type, const struct txg_gateway_info *gateway)
{
    struct txg_event event = {.type = type, .gateway = gateway};
    if (type == TXG_EVENT_GATEWAY_READY) {
        event.ready.arch = TXG_SPAN("x86_64");
        event.ready.version = TXG_SPAN("0.1.0");
        event.ready.cwd = TXG_SPAN("/home/u");
        event.ready.pid = 42;
    }
    feed_event(f, event);
}

void feed_collected(struct feed *f, const struct txg_gateway_info *gateway, size_t count)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_GATEWAY_COLLECTED,
                                     .gateway = gateway,
                                     .collected.count = count});
}

void feed_down(struct feed *f, const struct txg_gateway_info *gateway, const char *reason,
               bool lost, bool before_ready, const struct txg_gateway_info *replacement)
{
    f->gateways_failed += lost || before_ready;
    feed_event(f, (struct txg_event){.type = TXG_EVENT_GATEWAY_DOWN,
                                     .gateway = gateway,
                                     .down = {.reason = txg_span_cstr(reason),
                                              .lost = lost,
                                              .before_ready = before_ready,
                                              .replacement = replacement}});
}

void feed_quarantine(struct feed *f, const struct txg_gateway_info *gateway, const char *text)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_QUARANTINE,
                                     .gateway = gateway,
                                     .quarantine = {.deaths = 3,
                                                    .words = TXG_SPAN("ouch"),
                                                    .text = txg_span_cstr(text)}});
}

void feed_slow(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid)
{
    f->slow++;
    feed_event(f, (struct txg_event){.type = TXG_EVENT_TEST_SLOW,
                                     .gateway = gateway,
                                     .test = {f->number, txg_span_cstr(nodeid), NULL, 1},
                                     .slow.elapsed = 60001000});
}

void feed_scheduling(struct feed *f, const char *scheduler, size_t total)
{
    f->total = total;
    feed_event(f, (struct txg_event){.type = TXG_EVENT_SCHEDULING,
                                     .scheduling = {.scheduler = scheduler, .total = total}});
}

void feed_text(struct feed *f, enum txg_event_type type, const struct txg_gateway_info *gateway,
               const char *nodeid, const char *text)
{
    f->collect_errors += type == TXG_EVENT_COLLECT_ERROR;
    feed_event(f, (struct txg_event){.type = type,
                                     .gateway = gateway,
                                     .test.nodeid = txg_span_cstr(nodeid),
                                     .message.text = txg_span_cstr(text)});
}

void feed_test_start(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_TEST_START,
                                     .gateway = gateway,
                                     .test = {f->number, txg_span_cstr(nodeid), NULL, 1}});
}

void feed_output(struct feed *f, const struct txg_gateway_info *gateway, int stream, bool tail,
                 struct txg_span data)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_TEST_OUTPUT,
                                     .gateway = gateway,
                                     .test = {f->number, TXG_SPAN("t"), NULL, 1},
                                     .output = {.stream = stream, .tail = tail, .data = data}});
}

void feed_result(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid,
                 struct txg_event_result result)
{
    f->outcomes[result.outcome]++;
    result.done = ++f->done;
    result.total = f->total;
    f->flaky += result.flaky;
    feed_event(f, (struct txg_event){
                      .type = TXG_EVENT_TEST_FINISH,
                      .gateway = gateway,
                      .test = {f->number++, txg_span_cstr(nodeid), NULL, result.flaky ? 2 : 1},
                      .result = result});
}

void feed_retry(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid,
                unsigned attempt, enum txg_outcome outcome, const char *reason)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_TEST_RETRY,
                                     .gateway = gateway,
                                     .test = {f->number, txg_span_cstr(nodeid), NULL, attempt},
                                     .result = {.outcome = outcome,
                                                .duration = 2000000,
                                                .status = -1,
                                                .reason = txg_span_cstr(reason),
                                                .done = f->done,
                                                .total = f->total}});
}

void feed_outcome(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid,
                  enum txg_outcome outcome, const char *reason)
{
    feed_result(f, gateway, nodeid,
                (struct txg_event_result){.outcome = outcome,
                                          .start = gateway ? 0 : -1,
                                          .duration = gateway ? 2000000 : 0,
                                          .status = outcome == TXG_PASSED ? 0 : -1,
                                          .reason = txg_span_cstr(reason)});
}

void feed_run_finish(struct feed *f, int exit_code)
{
    struct txg_event event = {.type = TXG_EVENT_RUN_FINISH,
                              .finish = {.flaky = f->flaky,
                                         .slow = f->slow,
                                         .collect_errors = f->collect_errors,
                                         .gateways_failed = f->gateways_failed,
                                         .exit_code = exit_code}};
    for (int o = 0; o < TXG_OUTCOMES; o++)
        event.finish.outcomes[o] = f->outcomes[o];
    feed_event(f, event);
}

void feed_begin(struct feed *f, const char *dist, const char *scheduler, size_t total)
{
    feed_run_start(f, dist, 2);
    feed_gateway(f, TXG_EVENT_GATEWAY_START, &feed_gw0);
    feed_gateway(f, TXG_EVENT_GATEWAY_START, &feed_gw1);
    feed_gateway(f, TXG_EVENT_GATEWAY_READY, &feed_gw0);
    feed_gateway(f, TXG_EVENT_GATEWAY_READY, &feed_gw1);
    feed_collected(f, &feed_gw0, 3);
    feed_collected(f, &feed_gw1, 3);
    feed_scheduling(f, scheduler, total);
}
