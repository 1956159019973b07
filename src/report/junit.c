#include "config.h"

#include "src/report/junit.h"

#include <mxml.h>
#include <stdlib.h>
#include <string.h>

#include "src/report/junit_plain.h"
#include "src/report/printable.h"

/* Text goes into the tree in pieces of this size at most, and trees are small but for output. */
#define SAVE_MAX 8192

/* The cases of one gateway differ in little: its tree stays, with its properties. */
struct tree {
    mxml_node_t *node; /* owned, or NULL */
    struct txg_junit_plain plain;
};

struct txg_junit_trees {
    struct tree nobody;    /* of tests that nobody ran */
    struct tree *gateways; /* by number */
    size_t n;
};

/* An attribute: newlines as \n, since a parser would make them spaces. */
static const char *xml_line(struct txg_buf *scratch, struct txg_span text)
{
    txg_buf_clear(scratch);
    for (size_t at = 0; at < text.len;) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end ? (size_t)(end - (text.data + at)) : text.len - at;
        txg_printable(scratch, text.data + at, len, TXG_PRINT_XML);
        if (end)
            txg_buf_puts(scratch, "\\n");
        at += len + (end != NULL);
    }
    return txg_buf_cstr(scratch);
}

static void set_line(struct txg_junit *j, mxml_node_t *node, const char *name, struct txg_span text)
{
    mxmlElementSetAttr(node, name, xml_line(&j->scratch, text));
}

static const struct txg_gateway_info *seat(const struct txg_gateway_info *gateway)
{
    while (gateway->replaces)
        gateway = gateway->replaces;
    return gateway;
}

static void split_nodeid(struct txg_span nodeid, struct txg_span *path, struct txg_span *name)
{
    size_t cut = 0, skip = 0;
    for (size_t i = nodeid.len; i > 1 && skip == 0; i--)
        if (nodeid.data[i - 1] == ':' && nodeid.data[i - 2] == ':') {
            cut = i - 2;
            skip = 2;
        }
    for (size_t i = nodeid.len; i > 0 && skip == 0; i--)
        if (nodeid.data[i - 1] == '/') {
            cut = i - 1;
            skip = 1;
        }
    *path = txg_span(nodeid.data, cut);
    *name = txg_span(nodeid.data + cut + skip, nodeid.len - cut - skip);
}

static void put_class(struct txg_junit *j, struct txg_buf *class, struct txg_span path,
                      const struct txg_event *event)
{
    if (j->each && event->gateway) {
        const struct txg_gateway_info *first = seat(event->gateway);
        txg_buf_puts(class, first->device ? first->device : first->id);
        txg_buf_putc(class, '.');
    }
    for (size_t i = 0; i < path.len; i++)
        if (path.data[i] != '/')
            txg_buf_putc(class, path.data[i]);
        else if (i > 0)
            txg_buf_putc(class, '.');
    if (path.len == 0)
        txg_buf_puts(class, event->test.suite ? event->test.suite : "txgate");
}

static void set_names(struct txg_junit *j, mxml_node_t *node, const struct txg_event *event)
{
    struct txg_span path, name;
    struct txg_buf class = {0};
    split_nodeid(event->test.nodeid, &path, &name);
    put_class(j, &class, path, event);
    set_line(j, node, "classname", txg_span(txg_buf_data(&class), txg_buf_len(&class)));
    set_line(j, node, "name", name);
    txg_buf_release(&class);
}

static mxml_node_t *add_property(struct txg_junit *j, mxml_node_t *properties, const char *name,
                                 const char *value)
{
    mxml_node_t *property = mxmlNewElement(properties, "property");
    mxmlElementSetAttr(property, "name", name);
    set_line(j, property, "value", txg_span_cstr(value));
    return property;
}

/* A testcase with the properties of a gateway, or of nobody. */
static mxml_node_t *new_tree(struct txg_junit *j, const struct txg_gateway_info *gateway)
{
    mxmlSetWrapMargin(0);
    mxml_node_t *node = mxmlNewElement(MXML_NO_PARENT, "testcase");
    if (!gateway)
        return node;
    mxml_node_t *properties = mxmlNewElement(node, "properties");
    add_property(j, properties, "gateway", gateway->id);
    if (gateway->device)
        add_property(j, properties, "device", gateway->device);
    add_property(j, properties, "spec", gateway->spec);
    return node;
}

static struct tree *tree_of(struct txg_junit *j, const struct txg_gateway_info *gateway)
{
    if (!j->trees)
        j->trees = txg_xcalloc(1, sizeof *j->trees);
    struct txg_junit_trees *trees = j->trees;
    if (gateway && gateway->number >= trees->n) {
        size_t n = (size_t)gateway->number + 1;
        n = n < 2 * trees->n ? 2 * trees->n : n;
        trees->gateways = txg_xrealloc_array(trees->gateways, n, sizeof *trees->gateways);
        for (size_t i = trees->n; i < n; i++)
            trees->gateways[i] = (struct tree){0};
        trees->n = n;
    }
    struct tree *tree = gateway ? &trees->gateways[gateway->number] : &trees->nobody;
    if (!tree->node)
        tree->node = new_tree(j, gateway);
    return tree;
}

static void release_tree(struct tree *tree)
{
    mxmlDelete(tree->node);
    txg_junit_plain_release(&tree->plain);
}

void txg_junit_release_trees(struct txg_junit *j)
{
    if (!j->trees)
        return;
    for (size_t i = 0; i < j->trees->n; i++)
        release_tree(&j->trees->gateways[i]);
    release_tree(&j->trees->nobody);
    free(j->trees->gateways);
    free(j->trees);
    j->trees = NULL;
}

static void put_story(struct txg_buf *text, const struct txg_event *event)
{
    const struct txg_event_result *result = &event->result;
    const struct txg_gateway_info *gateway = event->gateway;
    if (gateway) {
        txg_buf_printf(text, "[%s]", gateway->id);
        if (gateway->device)
            txg_buf_printf(text, " device %s", gateway->device);
        txg_buf_printf(text, " (%s)\n", gateway->spec);
    }
    txg_buf_printf(text, "%s: ", txg_outcome_name(result->outcome));
    txg_buf_append(text, result->reason.data, result->reason.len);
    for (size_t i = 0; i < result->n_points; i++) {
        const struct txg_event_point *point = &result->points[i];
        if (!txg_outcome_is_failure(point->outcome))
            continue;
        txg_buf_puts(text, "\nnot ok: ");
        txg_buf_append(text, point->name.data, point->name.len);
        if (point->text.len > 0) {
            txg_buf_puts(text, " -- ");
            txg_buf_append(text, point->text.data, point->text.len);
        }
    }
    if (result->leaked > 0)
        txg_buf_printf(text, "\nleft %lld process%s behind: killed", (long long)result->leaked,
                       result->leaked == 1 ? "" : "es");
}

static void add_story(mxml_node_t *node, const struct txg_event *event)
{
    struct txg_buf text = {0}, clean = {0};
    put_story(&text, event);
    txg_printable(&clean, txg_buf_data(&text), txg_buf_len(&text), TXG_PRINT_XML);
    mxmlNewOpaque(node, txg_buf_cstr(&clean));
    txg_buf_release(&text);
    txg_buf_release(&clean);
}

static void set_reason(struct txg_junit *j, mxml_node_t *node, const struct txg_event *event)
{
    const char *name = txg_outcome_name(event->result.outcome);
    struct txg_span reason = event->result.reason;
    set_line(j, node, "message", reason.len ? reason : txg_span_cstr(name));
    mxmlElementSetAttr(node, "type", name);
}

static void add_result(struct txg_junit *j, mxml_node_t *node, const struct txg_event *event)
{
    static const char *const elements[TXG_OUTCOMES] = {
        [TXG_FAILED] = "failure",  [TXG_CRASHED] = "failure", [TXG_TIMED_OUT] = "failure",
        [TXG_ERROR] = "error",     [TXG_LOST] = "error",      [TXG_NOT_RUN] = "error",
        [TXG_SKIPPED] = "skipped", [TXG_XFAILED] = "skipped",
    };
    enum txg_outcome o = event->result.outcome;
    if (!elements[o])
        return;
    mxml_node_t *result = mxmlNewElement(node, elements[o]);
    set_reason(j, result, event);
    if (o != TXG_SKIPPED && o != TXG_XFAILED)
        add_story(result, event);
}

struct stream {
    mxml_node_t *node;
    int64_t missing;
    struct txg_buf rest; /* the bytes of a sequence that a piece cut */
    struct txg_buf clean;
};

static void add_clean(struct stream *s, size_t len)
{
    txg_printable(&s->clean, txg_buf_data(&s->rest), len, TXG_PRINT_XML);
    txg_buf_consume(&s->rest, len);
    if (txg_buf_len(&s->clean))
        mxmlNewOpaque(s->node, txg_buf_cstr(&s->clean));
    txg_buf_clear(&s->clean);
}

static void add_piece(void *user, const char *data, size_t len, bool gap)
{
    struct stream *s = user;
    if (gap) {
        add_clean(s, txg_buf_len(&s->rest));
        txg_buf_puts(&s->clean, "\n[... ");
        txg_print_size(&s->clean, s->missing);
        txg_buf_puts(&s->clean, " not kept]\n");
    }
    txg_buf_append(&s->rest, data, len);
    add_clean(s, txg_printable_whole(txg_buf_data(&s->rest), txg_buf_len(&s->rest)));
}

static void add_stream(struct txg_junit *j, mxml_node_t *node, const struct txg_event *event,
                       int stream)
{
    const struct txg_capture *c = txg_captures_get(&j->captures, event->gateway, stream);
    if (!c)
        return;
    int64_t dropped = stream == 2 ? event->result.dropped_err : event->result.dropped_out;
    struct stream s = {.node = mxmlNewElement(node, stream == 2 ? "system-err" : "system-out"),
                       .missing = c->dropped + dropped};
    txg_capture_read(&j->captures, c, add_piece, &s);
    add_clean(&s, txg_buf_len(&s.rest));
    txg_buf_release(&s.rest);
    txg_buf_release(&s.clean);
}

void txg_junit_retry(struct txg_junit *j, const struct txg_event *event)
{
    bool lost = event->result.outcome == TXG_LOST || event->result.outcome == TXG_ERROR;
    mxmlSetWrapMargin(0);
    mxml_node_t *node = mxmlNewElement(MXML_NO_PARENT, lost ? "rerunError" : "rerunFailure");
    set_reason(j, node, event);
    add_story(mxmlNewElement(node, "stackTrace"), event);
    add_stream(j, node, event, 1);
    add_stream(j, node, event, 2);
    TXG_AUTOFREE char *text = mxmlSaveAllocString(node, MXML_NO_CALLBACK);
    if (!text)
        txg_oom();
    txg_junit_keep_try(j, event->test.number, text, strlen(text));
    mxmlDelete(node);
}

struct tries {
    mxml_node_t *testcase;
    bool flaky;
};

/* What came of the test in the end names it. */
static void add_try(void *user, const char *text)
{
    struct tries *tries = user;
    mxml_node_t *node = mxmlLoadString(NULL, text, MXML_OPAQUE_CALLBACK);
    if (!node)
        return;
    bool failure = strcmp(mxmlGetElement(node), "rerunFailure") == 0;
    if (tries->flaky)
        mxmlSetElement(node, failure ? "flakyFailure" : "flakyError");
    mxmlAdd(tries->testcase, MXML_ADD_AFTER, NULL, node);
}

static void save(struct txg_junit *j, mxml_node_t *node)
{
    char text[SAVE_MAX];
    int n = mxmlSaveString(node, text, sizeof text, MXML_NO_CALLBACK);
    if (n >= 0 && (size_t)n < sizeof text) {
        txg_junit_write(j, text, (size_t)n);
        return;
    }
    TXG_AUTOFREE char *all = mxmlSaveAllocString(node, MXML_NO_CALLBACK);
    if (!all)
        txg_oom();
    txg_junit_write(j, all, strlen(all));
}

static bool is_plain(struct txg_junit *j, const struct txg_event *event)
{
    return event->result.outcome == TXG_PASSED && event->result.duration >= 0 && !j->tries &&
           !txg_captures_get(&j->captures, event->gateway, 1) &&
           !txg_captures_get(&j->captures, event->gateway, 2);
}

static void take_plain(struct tree *tree)
{
    static const char *const names[] = {"classname", "name", "time"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mxmlElementSetAttr(tree->node, names[i], "");
    char *text = mxmlSaveAllocString(tree->node, MXML_NO_CALLBACK);
    if (!text)
        txg_oom();
    txg_junit_plain_take(&tree->plain, text);
}

/* The paths of suites without a path would be one, and their classes not. */
static bool has_path(const struct txg_junit_plain *p, struct txg_span path)
{
    return path.len > 0 &&
           txg_span_equal(path, txg_span(txg_buf_data(&p->path), txg_buf_len(&p->path)));
}

static void put_plain(struct txg_junit *j, struct tree *tree, const struct txg_event *event)
{
    struct txg_junit_plain *p = &tree->plain;
    struct txg_span path, name;
    struct txg_buf *text = &p->line;
    split_nodeid(event->test.nodeid, &path, &name);
    txg_buf_clear(text);
    if (!p->text)
        take_plain(tree);
    if (!has_path(p, path)) {
        put_class(j, text, path, event);
        const char *line = xml_line(&j->scratch, txg_span(txg_buf_data(text), txg_buf_len(text)));
        txg_junit_plain_front(p, path, txg_span_cstr(line));
        txg_buf_clear(text);
    }
    if (!txg_junit_plain_is(name)) {
        const char *line = xml_line(&j->scratch, name);
        txg_junit_plain_escape(text, txg_span_cstr(line));
        name = txg_span(txg_buf_data(text), txg_buf_len(text));
    }
    txg_junit_plain_put(p, &j->out, name, event->result.duration);
    txg_junit_write(j, NULL, 0); /* to the file, where much has come together */
}

void txg_junit_testcase(struct txg_junit *j, const struct txg_event *event)
{
    struct tree *tree = tree_of(j, event->gateway);
    if (is_plain(j, event)) {
        put_plain(j, tree, event);
        return;
    }
    mxml_node_t *node = tree->node, *properties = mxmlGetFirstChild(node);
    set_names(j, node, event);
    int64_t us = event->result.duration;
    mxmlElementSetAttrf(node, "time", "%lld.%06d", (long long)(us / 1000000), (int)(us % 1000000));
    mxml_node_t *more = NULL;
    if (event->result.outcome == TXG_XPASSED && properties)
        more = add_property(j, properties, "outcome", "xpassed");
    add_result(j, node, event);
    txg_junit_read_tries(j, event->test.number, add_try,
                         &(struct tries){node, event->result.flaky});
    add_stream(j, node, event, 1);
    add_stream(j, node, event, 2);
    save(j, node);
    mxmlDelete(more);
    while (mxmlGetLastChild(node) != properties)
        mxmlDelete(mxmlGetLastChild(node));
}

void txg_junit_error(struct txg_junit *j, const struct txg_event *event)
{
    bool collecting = event->type == TXG_EVENT_COLLECT_ERROR;
    mxml_node_t *node = new_tree(j, event->gateway);
    mxmlElementSetAttr(node, "classname", collecting ? "collection" : "txgate");
    set_line(j, node, "name", collecting ? event->test.nodeid : TXG_SPAN("internal error"));
    mxmlElementSetAttr(node, "time", "0");
    mxml_node_t *error = mxmlNewElement(node, "error");
    set_line(j, error, "message", event->message.text);
    mxmlElementSetAttr(error, "type", collecting ? "collect error" : "internal error");
    save(j, node);
    mxmlDelete(node);
}

void txg_junit_system_err(struct txg_junit *j, const char *text)
{
    mxml_node_t *node = mxmlNewElement(MXML_NO_PARENT, "system-err");
    mxmlNewOpaque(node, text);
    save(j, node);
    mxmlDelete(node);
}
