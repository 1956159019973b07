#include "config.h"

#include "src/worker/reporting.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define RECORDS_MAX    2048u         /* in one collection{} message */
#define RECORDS_BYTES  (512u * 1024) /* and of their nodeids */
#define PASSED_AT_ONCE 256u /* what they lead to is on its way back before the next are read */
#define OUTPUT_PIECE   (TXG_FRAME_BULK / 2)
#define TEXT_MAX       (128u * 1024) /* bytes of what programs say in one text */
#define PHASE_WORTH    INT64_C(1000) /* microseconds of a setup that is worth a report of its own */
#define LIVE_BEHIND    (256u * 1024) /* bytes unsent, with which a link has enough to do */

static void flush_passed(struct txg_reporting *r)
{
    if (r->n_passed == 0)
        return;
    struct txg_msg msg = {.type = TXG_MSG_PASSED};
    msg.passed.seq = ++r->seq;
    msg.passed.time = r->passed_from;
    msg.passed.tests = r->passed;
    msg.passed.n_tests = r->n_passed;
    txg_mux_send(r->mux, r->channel, &msg);
    r->n_passed = 0;
}

void txg_reporting_flush(struct txg_reporting *r)
{
    flush_passed(r);
    if (!r->starts)
        return;
    struct txg_msg msg = {.type = TXG_MSG_LOGSTART};
    msg.logstart.seq = ++r->seq;
    msg.logstart.index = r->start_index;
    msg.logstart.time = r->start_time;
    txg_mux_send(r->mux, r->channel, &msg);
    r->starts = false;
}

void txg_reporting_release(struct txg_reporting *r)
{
    free(r->passed);
}

void txg_reporting_send(struct txg_reporting *r, const struct txg_msg *msg)
{
    txg_reporting_flush(r);
    txg_mux_send(r->mux, r->channel, msg);
}

/* A message has its limit, and a program that writes without end must not cost the worker. */
static struct txg_span clip(const char *text, size_t len)
{
    return txg_span(text, len < TEXT_MAX ? len : TEXT_MAX);
}

void txg_reporting_internal_error(struct txg_reporting *r, const char *text)
{
    struct txg_msg msg = {.type = TXG_MSG_INTERNAL_ERROR};
    msg.text.text = clip(text, strlen(text));
    txg_reporting_send(r, &msg);
}

void txg_reporting_collect_errors(struct txg_reporting *r, const struct txg_collection *c)
{
    for (size_t i = 0; i < c->n_errors; i++)
        txg_reporting_collect_error(r, txg_span_cstr(c->errors[i].nodeid),
                                    txg_span_cstr(c->errors[i].text));
}

void txg_reporting_collect_error(struct txg_reporting *r, struct txg_span nodeid,
                                 struct txg_span text)
{
    struct txg_msg msg = {.type = TXG_MSG_COLLECTREPORT};
    msg.collectreport.nodeid = clip(nodeid.data, nodeid.len);
    msg.collectreport.text = clip(text.data, text.len);
    txg_reporting_send(r, &msg);
}

static void send_records(struct txg_reporting *r, const struct txg_collection *c)
{
    struct txg_msg_record *records = txg_xcalloc(RECORDS_MAX, sizeof *records);
    for (size_t first = 0; first < c->n_items;) {
        size_t n = 0, bytes = 0;
        while (first + n < c->n_items && n < RECORDS_MAX && bytes < RECORDS_BYTES) {
            const struct txg_item *item = &c->items[first + n];
            records[n].suite = (int64_t)item->suite;
            records[n].nodeid = txg_span_cstr(item->nodeid);
            bytes += records[n++].nodeid.len;
        }
        struct txg_msg msg = {.type = TXG_MSG_COLLECTION};
        msg.collection.first = (int64_t)first;
        msg.collection.records = records;
        msg.collection.n_records = n;
        txg_reporting_send(r, &msg);
        first += n;
    }
    free(records);
}

void txg_reporting_collection(struct txg_reporting *r, const struct txg_collection *c, bool records)
{
    if (records)
        send_records(r, c);
    struct txg_msg msg = {.type = TXG_MSG_COLLECTIONFINISH};
    msg.collectionfinish.count = (int64_t)c->n_items;
    msg.collectionfinish.digest = c->digest;
    txg_reporting_send(r, &msg);
}

void txg_reporting_unscheduled(struct txg_reporting *r, struct txg_msg_range *ranges, size_t n)
{
    txg_reporting_flush(r);
    struct txg_msg msg = {.type = TXG_MSG_UNSCHEDULED};
    msg.indices.seq = ++r->seq;
    msg.indices.ranges = ranges;
    msg.indices.n_ranges = n;
    txg_reporting_send(r, &msg);
}

void txg_reporting_logstart(struct txg_reporting *r, int64_t index, int64_t time)
{
    r->starts = true;
    r->start_index = index;
    r->start_time = time;
}

/* Nothing is to be said of it but that it passed, and when. */
static bool is_plain(const struct txg_reporting *r, const struct txg_reporting_test *test)
{
    const struct txg_child *child = test->child;
    const struct txg_verdict *v = test->verdict;
    if (v->outcome != TXG_PASSED || txg_buf_len(&v->reason) > 0 || v->n_points > 0 ||
        v->setup >= PHASE_WORTH || v->teardown >= PHASE_WORTH || child->ended || child->leaked > 0)
        return false;
    for (int i = 0; i < 2; i++)
        if (r->not_shown[i] > 0 || txg_capture_dropped(&child->captures[i]) > 0 ||
            (test->keep_output && txg_buf_len(&child->captures[i].head) > 0))
            return false;
    return true;
}

static void add_passed(struct txg_reporting *r, const struct txg_reporting_test *test)
{
    if (r->n_passed == PASSED_AT_ONCE)
        flush_passed(r);
    if (r->n_passed == 0)
        r->passed_from = r->passed_until = test->started;
    int64_t gap = test->started - r->passed_until;
    r->passed = txg_grow(r->passed, r->n_passed, &r->cap_passed, sizeof *r->passed);
    r->passed[r->n_passed++] =
        (struct txg_msg_passed_test){test->index, gap > 0 ? gap : 0, test->ended - test->started};
    r->passed_until = test->ended;
    r->starts = false;
}

static void send_stream(struct txg_reporting *r, int64_t index, int stream,
                        const struct txg_capture *c)
{
    struct txg_span parts[3] = {txg_span(txg_buf_data(&c->head), txg_buf_len(&c->head))};
    int n = 1 + txg_capture_tail(c, parts + 1);
    for (int i = 0; i < n; i++) {
        for (size_t at = 0; at < parts[i].len; at += OUTPUT_PIECE) {
            struct txg_msg msg = {.type = TXG_MSG_OUTPUT};
            size_t len = parts[i].len - at;
            msg.output.index = index;
            msg.output.stream = stream;
            msg.output.tail = i == 1 && at == 0 && txg_capture_dropped(c) > 0;
            msg.output.data = txg_span(parts[i].data + at, len < OUTPUT_PIECE ? len : OUTPUT_PIECE);
            txg_reporting_send(r, &msg);
        }
    }
}

static void send_live(struct txg_reporting *r, int64_t index, int stream, struct txg_span bytes)
{
    struct txg_msg msg = {.type = TXG_MSG_LIVE};
    msg.live.index = index;
    msg.live.stream = stream + 1;
    msg.live.dropped = r->not_shown[stream];
    msg.live.data = bytes;
    r->not_shown[stream] = 0;
    txg_reporting_send(r, &msg);
}

void txg_reporting_live(struct txg_reporting *r, int64_t index, int stream, struct txg_span bytes)
{
    for (size_t at = 0; at < bytes.len; at += OUTPUT_PIECE) {
        size_t len = bytes.len - at < OUTPUT_PIECE ? bytes.len - at : OUTPUT_PIECE;
        if (txg_mux_unsent(r->mux) > LIVE_BEHIND)
            r->not_shown[stream] += (int64_t)len;
        else
            send_live(r, index, stream, txg_span(bytes.data + at, len));
    }
}

static int64_t microseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static void fill_points(struct txg_msg_testreport *out, const struct txg_verdict *v)
{
    out->points = txg_xcalloc(v->n_points, sizeof *out->points);
    size_t bytes = 0;
    for (size_t i = 0; i < v->n_points && bytes < TXG_FRAME_PAYLOAD_MAX / 2; i++) {
        const struct txg_harness_point *p = &v->points[i];
        out->points[out->n_points++] =
            (struct txg_msg_point){txg_span_cstr(p->name), p->outcome, txg_span_cstr(p->text)};
        bytes += out->points[i].name.len + out->points[i].text.len + 16;
    }
}

void txg_reporting_warning(struct txg_reporting *r, struct txg_span text)
{
    struct txg_msg msg = {.type = TXG_MSG_WARNING};
    msg.text.text = clip(text.data, text.len);
    txg_reporting_send(r, &msg);
}

void txg_reporting_test(struct txg_reporting *r, const struct txg_reporting_test *test)
{
    const struct txg_child *child = test->child;
    const struct txg_verdict *v = test->verdict;
    if (is_plain(r, test)) {
        add_passed(r, test);
        return;
    }
    txg_reporting_flush(r);
    bool quiet = v->outcome == TXG_PASSED || v->outcome == TXG_SKIPPED ||
                 v->outcome == TXG_XFAILED || v->outcome == TXG_XPASSED;
    for (int i = 0; i < 2; i++)
        if (r->not_shown[i] > 0)
            send_live(r, test->index, i, (struct txg_span){0});
    for (int i = 0; i < 2 && (!quiet || test->keep_output); i++)
        send_stream(r, test->index, i + 1, &child->captures[i]);
    struct txg_msg msg = {.type = TXG_MSG_TESTREPORT};
    struct txg_msg_testreport *out = &msg.testreport;
    out->seq = ++r->seq;
    out->index = test->index;
    out->outcome = v->outcome;
    out->start = test->started;
    out->duration = test->ended - test->started;
    out->status = child->ended && WIFEXITED(child->status) ? WEXITSTATUS(child->status) : -1;
    out->signal = child->ended && WIFSIGNALED(child->status) ? WTERMSIG(child->status) : 0;
    out->setup = v->setup;
    out->teardown = v->teardown;
    out->reason = clip(txg_buf_data(&v->reason), txg_buf_len(&v->reason));
    out->dropped_out = (int64_t)txg_capture_dropped(&child->captures[0]);
    out->dropped_err = (int64_t)txg_capture_dropped(&child->captures[1]);
    out->leaked = (int64_t)child->leaked;
    if (child->ended && !test->shared) {
        out->utime = microseconds(child->usage.ru_utime);
        out->stime = microseconds(child->usage.ru_stime);
        out->maxrss = (int64_t)child->usage.ru_maxrss * 1024;
    }
    fill_points(out, v);
    txg_reporting_send(r, &msg);
    free(out->points);
}
