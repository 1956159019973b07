#include "config.h"

#include "src/report/junit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/report/printable.h"

#define FLUSH_AT   65536
#define HEADER     1024  /* bytes kept free for the counts, which are known at the end */
#define SYSTEM_MAX 65536 /* of the whole run's system-err */

static void flush(struct txg_junit *j)
{
    size_t len = txg_buf_len(&j->out);
    if (!j->errnum && txg_pwrite_all(j->target.fd, txg_buf_data(&j->out), len, j->at) != 0)
        j->errnum = errno;
    j->at += len;
    txg_buf_clear(&j->out);
}

void txg_junit_write(struct txg_junit *j, const void *data, size_t len)
{
    txg_buf_append(&j->out, data, len);
    if (txg_buf_len(&j->out) >= FLUSH_AT)
        flush(j);
}

static void count_outcome(struct txg_junit *j, enum txg_outcome o)
{
    j->tests++;
    if (o == TXG_FAILED || o == TXG_CRASHED || o == TXG_TIMED_OUT)
        j->failures++;
    else if (o == TXG_ERROR || o == TXG_LOST || o == TXG_NOT_RUN)
        j->errors++;
    else if (o == TXG_SKIPPED || o == TXG_XFAILED)
        j->skipped++;
}

/* Told for the whole run, in the suite's system-err. */
static void note(struct txg_junit *j, const struct txg_event *event, const char *what,
                 struct txg_span text)
{
    if (txg_buf_len(&j->notes) >= SYSTEM_MAX)
        return;
    if (event->gateway)
        txg_buf_printf(&j->notes, "[%s] ", event->gateway->id);
    txg_buf_puts(&j->notes, what);
    txg_printable(&j->notes, text.data, text.len < SYSTEM_MAX ? text.len : SYSTEM_MAX,
                  TXG_PRINT_XML);
    txg_buf_putc(&j->notes, '\n');
}

static void junit_event(struct txg_reporter *r, const struct txg_event *event)
{
    struct txg_junit *j = (struct txg_junit *)r;
    j->now = event->time;
    switch (event->type) {
    case TXG_EVENT_RUN_START:
        j->each = strcmp(event->run.dist, "each") == 0;
        j->wall = event->run.wall;
        break;
    case TXG_EVENT_TEST_START:
        txg_captures_clear(&j->captures, event->gateway);
        break;
    case TXG_EVENT_TEST_OUTPUT:
        txg_captures_add(&j->captures, event);
        break;
    case TXG_EVENT_TEST_FINISH:
        count_outcome(j, event->result.outcome);
        txg_junit_testcase(j, event);
        txg_captures_clear(&j->captures, event->gateway);
        break;
    case TXG_EVENT_TEST_RETRY:
        txg_junit_retry(j, event);
        txg_captures_clear(&j->captures, event->gateway);
        break;
    case TXG_EVENT_COLLECT_ERROR:
    case TXG_EVENT_INTERNAL_ERROR:
        j->tests++;
        j->errors++;
        txg_junit_error(j, event);
        break;
    case TXG_EVENT_GATEWAY_DOWN:
        note(j, event,
             event->down.before_ready ? "could not start: " : "down: ", event->down.reason);
        break;
    case TXG_EVENT_QUARANTINE:
        note(j, event, "", event->quarantine.text);
        break;
    case TXG_EVENT_WARNING:
        note(j, event, "warning: ", event->message.text);
        break;
    case TXG_EVENT_STOPPING:
        note(j, event, "", event->message.text);
        break;
    case TXG_EVENT_TEST_LIVE:
    case TXG_EVENT_TEST_SLOW: /* each testcase has its time */
    case TXG_EVENT_GATEWAY_START:
    case TXG_EVENT_GATEWAY_READY:
    case TXG_EVENT_GATEWAY_COLLECTED:
    case TXG_EVENT_SCHEDULING:
    case TXG_EVENT_NOTE:
    case TXG_EVENT_TRANSFER:
    case TXG_EVENT_RUN_FINISH:
        break;
    }
}

/* The host name as far as it is one: it stands in XML as it is. */
static void put_hostname(struct txg_buf *out)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0)
        name[0] = '\0';
    for (const char *c = name; *c; c++)
        txg_buf_putc(out, *c > ' ' && *c < 0x7f && !strchr("&<>\"", *c) ? *c : '?');
}

static void put_timestamp(struct txg_buf *out, int64_t wall)
{
    time_t seconds = (time_t)(wall / 1000000);
    struct tm tm;
    char text[64] = "1970-01-01T00:00:00";
    if (gmtime_r(&seconds, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    txg_buf_printf(out, "%s+00:00", text);
}

static void put_counts(const struct txg_junit *j, struct txg_buf *out)
{
    txg_buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", j->tests,
                   j->failures, j->errors, j->skipped);
    txg_buf_printf(out, " time=\"%.3f\"", (double)j->now / 1e6);
}

static void write_header(struct txg_junit *j)
{
    struct txg_buf header = {0};
    txg_buf_puts(&header,
                 "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites name=\"txgate\"");
    put_counts(j, &header);
    txg_buf_puts(&header, ">\n<testsuite name=\"txgate\"");
    put_counts(j, &header);
    txg_buf_puts(&header, " timestamp=\"");
    put_timestamp(&header, j->wall);
    txg_buf_puts(&header, "\" hostname=\"");
    put_hostname(&header);
    txg_buf_putc(&header, '"');
    size_t pad = HEADER - 2 - txg_buf_len(&header);
    memset(txg_buf_reserve(&header, pad), ' ', pad);
    txg_buf_commit(&header, pad);
    txg_buf_puts(&header, ">\n");
    if (!j->errnum &&
        txg_pwrite_all(j->target.fd, txg_buf_data(&header), txg_buf_len(&header), 0) != 0)
        j->errnum = errno;
    txg_buf_release(&header);
}

static int junit_finish(struct txg_reporter *r, struct txg_err *err)
{
    struct txg_junit *j = (struct txg_junit *)r;
    if (txg_buf_len(&j->notes))
        txg_junit_system_err(j, txg_buf_cstr(&j->notes));
    txg_buf_puts(&j->out, "</testsuite>\n</testsuites>\n");
    flush(j);
    write_header(j);
    if (!j->errnum && j->captures.errnum)
        return txg_err_sys(err, j->captures.errnum,
                           "%s: not written, since output is missing: temporary file in $TMPDIR",
                           j->target.path);
    if (j->errnum)
        return txg_err_sys(err, j->errnum, "%s", j->target.path);
    return txg_target_commit(&j->target, err);
}

static void junit_free(struct txg_reporter *r)
{
    if (!r)
        return;
    struct txg_junit *j = (struct txg_junit *)r;
    txg_target_release(&j->target);
    txg_captures_release(&j->captures);
    txg_buf_release(&j->out);
    txg_buf_release(&j->notes);
    txg_buf_release(&j->scratch);
    txg_junit_release_trees(j);
    txg_junit_release_tries(j);
    free(j);
}

static const struct txg_reporter_ops junit_ops = {
    .name = "junit",
    .event = junit_event,
    .tick = NULL,
    .finish = junit_finish,
    .free = junit_free,
};

struct txg_reporter *txg_junit_new(const char *path, struct txg_err *err)
{
    struct txg_target target;
    if (txg_target_open(&target, path, err) != 0)
        return NULL;
    struct txg_junit *j = txg_xcalloc(1, sizeof *j);
    j->base.ops = &junit_ops;
    j->target = target;
    j->at = HEADER;
    return &j->base;
}
