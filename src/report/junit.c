#include "config.h"

/*
 * JUnit as CI servers read it: <testsuites><testsuite> with one <testcase> for each outcome.
 * classname is the nodeid's directory with dots, in `each` behind the gateway's id, so that the
 * same test on two gateways stays two; name is the rest. failed, crashed and timed out are
 * <failure>; error, lost and not run are <error>; skipped and xfailed are <skipped>.
 *
 * Each case is written to an unlinked temporary file as it ends; the head needs the counts, so the
 * report itself is written at the end, beside its place, and renamed.
 */
#include "src/report/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <mxml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/report/capture.h"
#include "src/report/printable.h"
#include "src/report/stash.h"

struct junit {
    struct txg_reporter base;
    char *path, *beside; /* owned */
    int fd;              /* of beside */
    struct txg_stash cases;
    struct txg_captures captures;
    bool each;
    int64_t wall, time;
    size_t tests, failures, errors, skipped;
};

static char *xml_text(struct txg_span text)
{
    struct txg_buf b = {0};
    txg_printable(&b, text.data, text.len, TXG_PRINT_XML);
    return txg_buf_take_cstr(&b);
}

static void set_attribute(mxml_node_t *node, const char *name, struct txg_span value)
{
    TXG_AUTOFREE char *text = xml_text(value);
    mxmlElementSetAttr(node, name, text);
}

static void add_property(mxml_node_t *properties, const char *name, const char *value)
{
    if (!value)
        return;
    mxml_node_t *p = mxmlNewElement(properties, "property");
    mxmlElementSetAttr(p, "name", name);
    set_attribute(p, "value", txg_span_cstr(value));
}

static void set_names(const struct junit *j, mxml_node_t *node, const struct txg_event *e)
{
    struct txg_span id = e->test.nodeid;
    size_t cut = id.len;
    while (cut > 0 && id.data[cut - 1] != '/')
        cut--;
    struct txg_buf class = {0};
    if (j->each && e->gateway)
        txg_buf_puts(&class, e->gateway->id);
    for (size_t i = 0; i + 1 < cut; i++) {
        if (i == 0 && txg_buf_len(&class))
            txg_buf_putc(&class, '.');
        txg_buf_putc(&class, id.data[i] == '/' ? '.' : id.data[i]);
    }
    set_attribute(node, "classname", txg_span(txg_buf_data(&class), txg_buf_len(&class)));
    set_attribute(node, "name", txg_span(id.data + cut, id.len - cut));
    txg_buf_release(&class);
}

static void add_verdict(struct junit *j, mxml_node_t *node, const struct txg_event *e)
{
    const struct txg_event_result *r = &e->result;
    const char *element = NULL;
    if (r->outcome == TXG_SKIPPED || r->outcome == TXG_XFAILED) {
        element = "skipped";
        j->skipped++;
    } else if (r->outcome == TXG_ERROR || r->outcome == TXG_LOST || r->outcome == TXG_NOT_RUN) {
        element = "error";
        j->errors++;
    } else if (txg_outcome_is_failure(r->outcome)) {
        element = "failure";
        j->failures++;
    }
    if (!element)
        return;
    mxml_node_t *verdict = mxmlNewElement(node, element);
    mxmlElementSetAttr(verdict, "type", txg_outcome_name(r->outcome));
    set_attribute(verdict, "message", r->reason);
    struct txg_buf text = {0};
    for (size_t i = 0; i < r->n_points; i++) {
        const struct txg_event_point *p = &r->points[i];
        if (txg_outcome_is_failure(p->outcome))
            txg_buf_printf(&text, "%s: %.*s\n%.*s\n", txg_outcome_name(p->outcome),
                           TXG_FMT(p->name), TXG_FMT(p->text));
    }
    if (r->leaked)
        txg_buf_printf(&text, "left %lld processes behind\n", (long long)r->leaked);
    if (txg_buf_len(&text)) {
        TXG_AUTOFREE char *clean = xml_text(txg_span(txg_buf_data(&text), txg_buf_len(&text)));
        mxmlNewOpaque(verdict, clean);
    }
    txg_buf_release(&text);
}

static void on_piece(void *user, const char *data, size_t len, bool gap)
{
    struct txg_buf *out = user;
    if (gap)
        txg_buf_puts(out, "\n[... output left out here ...]\n");
    txg_buf_append(out, data, len);
}

static void add_stream(struct junit *j, mxml_node_t *node, const struct txg_event *e, int stream)
{
    const struct txg_capture *c =
        e->gateway ? txg_captures_get(&j->captures, e->gateway, stream) : NULL;
    if (!c)
        return;
    struct txg_buf raw = {0};
    txg_capture_read(&j->captures, c, on_piece, &raw);
    TXG_AUTOFREE char *text = xml_text(txg_span(txg_buf_data(&raw), txg_buf_len(&raw)));
    txg_buf_release(&raw);
    mxmlNewOpaque(mxmlNewElement(node, stream == 1 ? "system-out" : "system-err"), text);
}

static void add_case(struct junit *j, const struct txg_event *e)
{
    mxml_node_t *node = mxmlNewElement(MXML_NO_PARENT, "testcase");
    set_names(j, node, e);
    mxmlElementSetAttrf(node, "time", "%.6f", (double)e->result.duration / 1e6);
    if (e->gateway) {
        mxml_node_t *properties = mxmlNewElement(node, "properties");
        add_property(properties, "gateway", e->gateway->id);
        add_property(properties, "device", e->gateway->device);
        add_property(properties, "spec", e->gateway->spec);
    }
    add_verdict(j, node, e);
    add_stream(j, node, e, 1);
    add_stream(j, node, e, 2);
    char *text = mxmlSaveAllocString(node, MXML_NO_CALLBACK);
    mxmlDelete(node);
    txg_stash_append(&j->cases, text, strlen(text));
    txg_stash_append(&j->cases, "\n", 1);
    free(text);
    j->tests++;
}

static void add_collect_error(struct junit *j, const struct txg_event *e)
{
    mxml_node_t *node = mxmlNewElement(MXML_NO_PARENT, "testcase");
    set_names(j, node, e);
    mxml_node_t *error = mxmlNewElement(node, "error");
    mxmlElementSetAttr(error, "type", "collection");
    set_attribute(error, "message", e->message.text);
    char *text = mxmlSaveAllocString(node, MXML_NO_CALLBACK);
    mxmlDelete(node);
    txg_stash_append(&j->cases, text, strlen(text));
    txg_stash_append(&j->cases, "\n", 1);
    free(text);
    j->tests++;
    j->errors++;
}

static void junit_event(struct txg_reporter *r, const struct txg_event *e)
{
    struct junit *j = (struct junit *)r;
    j->time = e->time;
    switch (e->type) {
    case TXG_EVENT_RUN_START:
        j->each = strcmp(e->run.dist, "each") == 0;
        j->wall = e->run.wall;
        break;
    case TXG_EVENT_TEST_START:
        txg_captures_clear(&j->captures, e->gateway);
        break;
    case TXG_EVENT_TEST_OUTPUT:
        txg_captures_add(&j->captures, e);
        break;
    case TXG_EVENT_TEST_FINISH:
        add_case(j, e);
        if (e->gateway)
            txg_captures_clear(&j->captures, e->gateway);
        break;
    case TXG_EVENT_COLLECT_ERROR:
        add_collect_error(j, e);
        break;
    default:
        break;
    }
}

struct writing {
    int fd;
    int errnum;
};

static void write_piece(void *user, const void *data, size_t len)
{
    struct writing *w = user;
    if (w->errnum == 0 && txg_write_all(w->fd, data, len) != 0)
        w->errnum = errno;
}

static void write_report(struct junit *j, struct writing *w)
{
    char when[32] = "", host[256] = "";
    time_t seconds = (time_t)(j->wall / 1000000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    gethostname(host, sizeof host - 1);
    TXG_AUTOFREE char *clean = xml_text(txg_span_cstr(host));
    struct txg_buf head = {0};
    txg_buf_printf(&head,
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites name=\"txgate\">"
                   "<testsuite name=\"txgate\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
                   "skipped=\"%zu\" time=\"%.6f\" timestamp=\"%s\" hostname=\"%s\">\n",
                   j->tests, j->failures, j->errors, j->skipped, (double)j->time / 1e6, when,
                   clean);
    write_piece(w, txg_buf_data(&head), txg_buf_len(&head));
    txg_buf_release(&head);
    txg_stash_read(&j->cases, write_piece, w);
    static const char tail[] = "</testsuite></testsuites>\n";
    write_piece(w, tail, sizeof tail - 1);
}

static int junit_finish(struct txg_reporter *r, struct txg_err *err)
{
    struct junit *j = (struct junit *)r;
    if (j->fd < 0)
        return 0;
    struct writing w = {.fd = j->fd};
    write_report(j, &w);
    if (w.errnum == 0)
        w.errnum = j->cases.errnum ? j->cases.errnum : j->captures.errnum;
    if (close(j->fd) != 0 && w.errnum == 0)
        w.errnum = errno;
    j->fd = -1;
    if (w.errnum == 0 && rename(j->beside, j->path) == 0)
        return 0;
    int errnum = w.errnum ? w.errnum : errno;
    unlink(j->beside);
    return txg_err_sys(err, errnum, "--junitxml %s", j->path);
}

static void junit_free(struct txg_reporter *r)
{
    struct junit *j = (struct junit *)r;
    if (j->fd >= 0) {
        close(j->fd);
        unlink(j->beside);
    }
    txg_stash_release(&j->cases);
    txg_captures_release(&j->captures);
    free(j->path);
    free(j->beside);
    free(j);
}

struct txg_reporter *txg_junit_new(const char *path, struct txg_err *err)
{
    static const struct txg_reporter_ops ops = {"junit", junit_event, NULL, junit_finish,
                                                junit_free};
    struct junit *j = txg_xcalloc(1, sizeof *j);
    j->base.ops = &ops;
    j->path = txg_xstrdup(path);
    j->beside = txg_xasprintf("%s.%ld.part", path, (long)getpid());
    j->fd = open(j->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (j->fd >= 0)
        return &j->base;
    txg_err_sys(err, errno, "%s", path);
    junit_free(&j->base);
    return NULL;
}
