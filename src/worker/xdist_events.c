#include "config.h"

#include "src/worker/xdist_events.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire/execnet.h"
#include "src/worker/xdist_why.h"

/* `("name", {` ... `})` */
static size_t begin_event(struct txg_xdist_out *o, const char *name)
{
    size_t mark = txg_execnet_begin(o->bytes, TXG_EXECNET_DATA, o->channel);
    txg_execnet_put_str(o->bytes, name);
    txg_execnet_put_dict(o->bytes);
    return mark;
}

static int end_event(struct txg_xdist_out *o, size_t mark)
{
    txg_execnet_put_tuple(o->bytes, 2);
    txg_execnet_put_stop(o->bytes);
    return txg_execnet_end(o->bytes, mark);
}

static void put_key_str(struct txg_buf *b, const char *key, const char *value)
{
    txg_execnet_put_str(b, key);
    txg_execnet_put_str(b, value);
    txg_execnet_put_setitem(b);
}

static void put_key_text(struct txg_buf *b, const char *key, struct txg_span value)
{
    txg_execnet_put_str(b, key);
    txg_execnet_put_text(b, value);
    txg_execnet_put_setitem(b);
}

static void put_key_int(struct txg_buf *b, const char *key, int64_t value)
{
    txg_execnet_put_str(b, key);
    txg_execnet_put_int(b, value);
    txg_execnet_put_setitem(b);
}

static void put_key_seconds(struct txg_buf *b, const char *key, int64_t us)
{
    txg_execnet_put_str(b, key);
    txg_execnet_put_float(b, (double)us / 1e6);
    txg_execnet_put_setitem(b);
}

static void put_key_none(struct txg_buf *b, const char *key)
{
    txg_execnet_put_str(b, key);
    txg_execnet_put_none(b);
    txg_execnet_put_setitem(b);
}

void txg_xdist_put_version(struct txg_buf *out)
{
    const char *at = PACKAGE_VERSION;
    for (int i = 0; i < 3; i++) {
        txg_execnet_put_int(out, txg_read_int(&at));
        at += *at == '.';
    }
    txg_execnet_put_str(out, "final");
    txg_execnet_put_int(out, 0);
    txg_execnet_put_tuple(out, 5);
}

void txg_xdist_put_ready(struct txg_xdist_out *o, const struct txg_msg_workerready *ready)
{
    struct txg_buf *b = o->bytes;
    TXG_AUTOFREE char *platform = txg_xasprintf("Linux-%.*s", TXG_FMT(ready->arch));
    size_t mark = begin_event(o, "workerready");
    txg_execnet_put_str(b, "workerinfo");
    txg_execnet_put_dict(b);
    put_key_str(b, "version", "txgate " PACKAGE_VERSION);
    txg_execnet_put_str(b, "version_info");
    txg_xdist_put_version(b);
    txg_execnet_put_setitem(b);
    put_key_str(b, "sysplatform", "linux");
    put_key_text(b, "platform", txg_span_cstr(platform));
    put_key_text(b, "executable", ready->executable);
    put_key_text(b, "cwd", ready->cwd);
    txg_execnet_put_setitem(b);
    end_event(o, mark);
}

void txg_xdist_put_collect_error(struct txg_xdist_out *o, struct txg_span nodeid,
                                 struct txg_span text)
{
    struct txg_buf *b = o->bytes;
    size_t mark = begin_event(o, "collectreport");
    txg_execnet_put_str(b, "data");
    txg_execnet_put_dict(b);
    put_key_str(b, "$report_type", "CollectReport");
    put_key_text(b, "nodeid", nodeid);
    put_key_str(b, "outcome", "failed");
    put_key_text(b, "longrepr", text);
    put_key_none(b, "result");
    txg_execnet_put_str(b, "sections");
    txg_execnet_put_list(b, 0);
    txg_execnet_put_setitem(b);
    txg_execnet_put_setitem(b);
    end_event(o, mark);
}

int txg_xdist_put_collection(struct txg_xdist_out *o, const char *topdir, char *const *nodeids,
                             size_t n)
{
    struct txg_buf *b = o->bytes;
    size_t mark = begin_event(o, "collectionfinish");
    put_key_text(b, "topdir", txg_span_cstr(topdir));
    txg_execnet_put_str(b, "ids");
    txg_execnet_put_list(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        txg_execnet_put_int(b, (int64_t)i);
        txg_execnet_put_text(b, txg_span_cstr(nodeids[i]));
        txg_execnet_put_setitem(b);
    }
    txg_execnet_put_setitem(b);
    return end_event(o, mark);
}

static struct txg_span held(const struct txg_buf *b)
{
    return txg_span(txg_buf_data(b), txg_buf_len(b));
}

static struct txg_span file_of(const char *nodeid)
{
    const char *end = txg_strstr(nodeid, "::");
    return txg_span(nodeid, end ? (size_t)(end - nodeid) : strlen(nodeid));
}

/* (path, no line, what the test is called in headings). pytest looks for the latter at the end of
 * the nodeid and would print its dots as colons: it is nothing that a nodeid ends in. */
static void put_key_location(struct txg_buf *b, const char *nodeid)
{
    txg_execnet_put_str(b, "location");
    txg_execnet_put_text(b, file_of(nodeid));
    txg_execnet_put_none(b);
    size_t mark = txg_execnet_str_begin(b);
    const char *slash = strrchr(nodeid, '/'), *name = slash ? slash + 1 : nodeid;
    if (strchr(name, '.')) {
        txg_execnet_str_add(b, TXG_SPAN("./"));
        name = nodeid;
    }
    txg_execnet_str_add(b, txg_span_cstr(name));
    txg_execnet_str_end(b, mark);
    txg_execnet_put_tuple(b, 3);
    txg_execnet_put_setitem(b);
}

static void put_log(struct txg_xdist_out *o, const char *event, const char *nodeid)
{
    size_t mark = begin_event(o, event);
    put_key_text(o->bytes, "nodeid", txg_span_cstr(nodeid));
    put_key_location(o->bytes, nodeid);
    end_event(o, mark);
}

void txg_xdist_put_logstart(struct txg_xdist_out *o, const char *nodeid)
{
    put_log(o, "logstart", nodeid);
}

static void put_line(struct txg_buf *b, int64_t *at, struct txg_span text)
{
    txg_execnet_put_int(b, (*at)++);
    size_t mark = txg_execnet_str_begin(b);
    txg_execnet_str_add(b, text);
    txg_execnet_str_add(b, TXG_SPAN("\n"));
    txg_execnet_str_end(b, mark);
    txg_execnet_put_setitem(b);
}

/* The points that did not pass, what sums it up, and where that was. */
static void put_lines(struct txg_buf *b, const struct txg_xdist_test *t, struct txg_span message,
                      struct txg_span place)
{
    const struct txg_msg_testreport *r = t->report;
    uint32_t n = 1 + (place.len > 0);
    for (size_t i = 0; i < r->n_points; i++)
        if (txg_outcome_is_failure(r->points[i].outcome))
            n += 1 + (r->points[i].text.len > 0);
    int64_t at = 0;
    txg_execnet_put_str(b, "lines");
    txg_execnet_put_list(b, n);
    for (size_t i = 0; i < r->n_points; i++) {
        const struct txg_msg_point *p = &r->points[i];
        if (!txg_outcome_is_failure(p->outcome))
            continue;
        TXG_AUTOFREE char *line =
            txg_xasprintf("%s: %.*s", txg_outcome_name(p->outcome), TXG_FMT(p->name));
        put_line(b, &at, txg_span_cstr(line));
        if (p->text.len > 0)
            put_line(b, &at, p->text);
    }
    put_line(b, &at, message);
    if (place.len > 0)
        put_line(b, &at, place);
    txg_execnet_put_setitem(b);
}

/* pytest's own form of an exception, for --tb, the short summary and JUnit to take apart. */
static void put_key_longrepr(struct txg_buf *b, const struct txg_xdist_test *t)
{
    struct txg_buf message = {0}, place = {0};
    struct txg_span file = file_of(t->nodeid);
    int64_t line = 0;
    txg_xdist_put_message(t, &message);
    if (txg_xdist_place_of(t, &file, &line))
        txg_buf_printf(&place, "%.*s:%lld", TXG_FMT(file), (long long)line);
    txg_execnet_put_str(b, "longrepr");
    txg_execnet_put_dict(b);
    txg_execnet_put_str(b, "reprcrash");
    txg_execnet_put_dict(b);
    put_key_text(b, "path", file);
    put_key_int(b, "lineno", line);
    put_key_text(b, "message", held(&message));
    txg_execnet_put_setitem(b);
    txg_execnet_put_str(b, "reprtraceback");
    txg_execnet_put_dict(b);
    txg_execnet_put_str(b, "reprentries");
    txg_execnet_put_list(b, 1);
    txg_execnet_put_int(b, 0);
    txg_execnet_put_dict(b);
    put_key_str(b, "type", "ReprEntryNative");
    txg_execnet_put_str(b, "data");
    txg_execnet_put_dict(b);
    put_lines(b, t, held(&message), held(&place));
    put_key_none(b, "reprfuncargs");
    put_key_none(b, "reprlocals");
    put_key_none(b, "reprfileloc");
    put_key_str(b, "style", "native");
    txg_execnet_put_setitem(b);
    txg_execnet_put_setitem(b);
    txg_execnet_put_setitem(b);
    put_key_none(b, "extraline");
    put_key_str(b, "style", "native");
    txg_execnet_put_setitem(b);
    txg_execnet_put_str(b, "sections");
    txg_execnet_put_list(b, 0);
    txg_execnet_put_setitem(b);
    put_key_none(b, "chain");
    txg_execnet_put_setitem(b);
    txg_buf_release(&message);
    txg_buf_release(&place);
}

static void put_key_skip(struct txg_buf *b, const struct txg_xdist_test *t)
{
    struct txg_buf text = {0};
    txg_buf_puts(&text, "Skipped: ");
    txg_buf_append(&text, t->report->reason.data, t->report->reason.len);
    txg_execnet_put_str(b, "longrepr");
    txg_execnet_put_text(b, file_of(t->nodeid));
    txg_execnet_put_none(b);
    txg_execnet_put_text(b, held(&text));
    txg_execnet_put_tuple(b, 3);
    txg_execnet_put_setitem(b);
    txg_buf_release(&text);
}

static void put_stream(struct txg_buf *b, int64_t at, const char *title,
                       const struct txg_xdist_stream *s, int64_t dropped)
{
    txg_execnet_put_int(b, at);
    txg_execnet_put_str(b, title);
    size_t mark = txg_execnet_str_begin(b);
    txg_execnet_str_add(b, held(&s->head));
    if (dropped > 0) {
        TXG_AUTOFREE char *gap =
            txg_xasprintf("\n[... %lld bytes left out ...]\n", (long long)dropped);
        txg_execnet_str_add(b, txg_span_cstr(gap));
    }
    txg_execnet_str_add(b, held(&s->tail));
    txg_execnet_str_end(b, mark);
    txg_execnet_put_tuple(b, 2);
    txg_execnet_put_setitem(b);
}

static void put_key_sections(struct txg_buf *b, const struct txg_xdist_test *t, bool with_output)
{
    const struct txg_msg_testreport *r = t->report;
    bool out = with_output && txg_buf_len(&t->streams[0].head) > 0;
    bool err = with_output && txg_buf_len(&t->streams[1].head) > 0;
    bool leaked = with_output && r->leaked > 0;
    int64_t at = 0;
    txg_execnet_put_str(b, "sections");
    txg_execnet_put_list(b, (uint32_t)(out + err + leaked));
    if (out)
        put_stream(b, at++, "Captured stdout call", &t->streams[0], r->dropped_out);
    if (err)
        put_stream(b, at++, "Captured stderr call", &t->streams[1], r->dropped_err);
    if (leaked) {
        TXG_AUTOFREE char *text =
            txg_xasprintf("%lld left behind by the test and killed\n", (long long)r->leaked);
        txg_execnet_put_int(b, at);
        txg_execnet_put_str(b, "Processes");
        txg_execnet_put_text(b, txg_span_cstr(text));
        txg_execnet_put_tuple(b, 2);
        txg_execnet_put_setitem(b);
    }
    txg_execnet_put_setitem(b);
}

struct phase {
    const char *when;
    enum txg_outcome outcome; /* passed, failed, skipped, xfailed, xpassed */
    int64_t start, duration;
    bool with_output;
};

static void put_outcome(struct txg_buf *b, const struct txg_xdist_test *t, enum txg_outcome outcome)
{
    bool skipped = outcome == TXG_SKIPPED || outcome == TXG_XFAILED;
    put_key_str(b, "outcome", skipped ? "skipped" : outcome == TXG_FAILED ? "failed" : "passed");
    if (outcome == TXG_FAILED)
        put_key_longrepr(b, t);
    else if (outcome == TXG_SKIPPED)
        put_key_skip(b, t);
    else
        put_key_none(b, "longrepr");
    if (outcome == TXG_XFAILED || outcome == TXG_XPASSED)
        put_key_text(b, "wasxfail", t->report->reason);
}

static void put_phase(struct txg_xdist_out *o, const struct txg_xdist_test *t,
                      const struct phase *p)
{
    struct txg_buf *b = o->bytes;
    struct txg_span file = file_of(t->nodeid);
    size_t mark = begin_event(o, "testreport");
    txg_execnet_put_str(b, "data");
    txg_execnet_put_dict(b);
    put_key_str(b, "$report_type", "TestReport");
    put_key_text(b, "nodeid", txg_span_cstr(t->nodeid));
    put_key_location(b, t->nodeid);
    txg_execnet_put_str(b, "keywords");
    txg_execnet_put_dict(b);
    txg_execnet_put_text(b, file);
    txg_execnet_put_int(b, 1);
    txg_execnet_put_setitem(b);
    txg_execnet_put_setitem(b);
    put_outcome(b, t, p->outcome);
    put_key_str(b, "when", p->when);
    txg_execnet_put_str(b, "user_properties");
    txg_execnet_put_list(b, 0);
    txg_execnet_put_setitem(b);
    put_key_sections(b, t, p->with_output);
    put_key_seconds(b, "duration", p->duration);
    put_key_seconds(b, "start", o->epoch + p->start);
    put_key_seconds(b, "stop", o->epoch + p->start + p->duration);
    put_key_int(b, "item_index", t->index);
    put_key_str(b, "worker_id", o->workerid);
    put_key_str(b, "testrun_uid", o->testrunuid);
    txg_execnet_put_setitem(b);
    end_event(o, mark);
}

/* "error" is pytest's word for a test whose setup failed. */
void txg_xdist_put_test(struct txg_xdist_out *o, const struct txg_xdist_test *t)
{
    const struct txg_msg_testreport *r = t->report;
    int64_t end = r->start + r->duration;
    struct phase setup = {"setup", TXG_PASSED, r->start, 0, false};
    struct phase call = {"call", r->outcome, r->start, r->duration, true};
    struct phase teardown = {"teardown", TXG_PASSED, end, 0, true};
    if (r->outcome == TXG_ERROR) {
        setup = (struct phase){"setup", TXG_FAILED, r->start, r->duration, true};
    } else if (txg_outcome_is_failure(r->outcome)) {
        call.outcome = TXG_FAILED;
    }
    put_phase(o, t, &setup);
    if (r->outcome != TXG_ERROR)
        put_phase(o, t, &call);
    put_phase(o, t, &teardown);
    put_log(o, "logfinish", t->nodeid);
    size_t mark = begin_event(o, "runtest_protocol_complete");
    put_key_int(o->bytes, "item_index", t->index);
    put_key_seconds(o->bytes, "duration", r->duration);
    end_event(o, mark);
}

void txg_xdist_put_unscheduled(struct txg_xdist_out *o, const int64_t *indices, size_t n)
{
    size_t mark = begin_event(o, "unscheduled");
    txg_execnet_put_str(o->bytes, "indices");
    txg_execnet_put_list(o->bytes, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        txg_execnet_put_int(o->bytes, (int64_t)i);
        txg_execnet_put_int(o->bytes, indices[i]);
        txg_execnet_put_setitem(o->bytes);
    }
    txg_execnet_put_setitem(o->bytes);
    end_event(o, mark);
}

void txg_xdist_put_internal_error(struct txg_xdist_out *o, struct txg_span text)
{
    size_t mark = begin_event(o, "internal_error");
    put_key_text(o->bytes, "formatted_error", text);
    end_event(o, mark);
}

void txg_xdist_put_finished(struct txg_xdist_out *o, int exitstatus, const char *shouldfail)
{
    struct txg_buf *b = o->bytes;
    size_t mark = begin_event(o, "workerfinished");
    txg_execnet_put_str(b, "workeroutput");
    txg_execnet_put_dict(b);
    put_key_int(b, "exitstatus", exitstatus);
    txg_execnet_put_str(b, "shouldfail");
    if (shouldfail)
        txg_execnet_put_str(b, shouldfail);
    else
        txg_execnet_put_bool(b, false);
    txg_execnet_put_setitem(b);
    txg_execnet_put_str(b, "shouldstop");
    txg_execnet_put_bool(b, false);
    txg_execnet_put_setitem(b);
    txg_execnet_put_setitem(b);
    end_event(o, mark);
}
