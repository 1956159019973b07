#include "config.h"

#include "src/worker/xdist_node.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/worker/xdist_args.h"
#include "src/worker/xdist_events.h"
#include "src/worker/xdist_input.h"

#define RANGES_MAX 10000      /* in one message */
#define OUTPUT_MAX (8u << 20) /* of one stream of a test: more than a worker ever keeps */

struct txg_xdist_node {
    const struct txg_xdist_ops *ops;
    void *user;
    struct txg_xdist_out out;
    char *workerid, *testrunuid, *topdir;
    struct txg_xdist_args args;
    bool started, ended;     /* the first DATA has come; the last event was sent */
    bool refused;            /* what was on the command line: nothing is run */
    struct txg_strv nodeids; /* by the worker's index */
    /* Which of them xdist knows, and under which number; -1: not selected. */
    int64_t *to_worker, *to_xdist;
    char **selected; /* borrowed from nodeids */
    size_t n_selected;
    size_t collect_errors;
    int64_t current; /* the worker's index of the test that runs; -1: none */
    struct txg_xdist_stream streams[2];
    int64_t failures;
    bool stopping;   /* maxfail was reached: nothing more is started */
    size_t steals;   /* answers that are to come */
    int64_t *stolen; /* xdist's indices from those that came */
    size_t n_stolen, cap_stolen;
};

static void send_message(struct txg_xdist_node *n, const struct txg_msg *msg)
{
    n->ops->send(n->user, msg);
}

struct txg_xdist_node *txg_xdist_node_new(int32_t channel, struct txg_buf *out,
                                          const struct txg_xdist_ops *ops, void *user)
{
    struct txg_xdist_node *n = txg_xcalloc(1, sizeof *n);
    n->ops = ops;
    n->user = user;
    n->out.bytes = out;
    n->out.channel = channel;
    n->current = -1;
    return n;
}

static void clear_streams(struct txg_xdist_node *n)
{
    for (int i = 0; i < 2; i++) {
        txg_buf_release(&n->streams[i].head);
        txg_buf_release(&n->streams[i].tail);
        n->streams[i].in_tail = false;
    }
}

void txg_xdist_node_free(struct txg_xdist_node *n)
{
    if (!n)
        return;
    clear_streams(n);
    txg_xdist_args_release(&n->args);
    txg_strv_release(&n->nodeids);
    free(n->to_worker);
    free(n->to_xdist);
    free(n->selected);
    free(n->stolen);
    free(n->workerid);
    free(n->testrunuid);
    free(n->topdir);
    free(n);
}

void txg_xdist_node_give_up(struct txg_xdist_node *n, const char *text)
{
    if (n->ended)
        return;
    txg_xdist_put_internal_error(&n->out, txg_span_cstr(text));
    n->ended = true;
    n->ops->kill(n->user);
}

void txg_xdist_node_down(struct txg_xdist_node *n, const char *text)
{
    if (n->ended)
        return;
    struct txg_buf *b = n->out.bytes;
    size_t mark = txg_execnet_begin(b, TXG_EXECNET_CLOSE_ERROR, n->out.channel);
    size_t str = txg_execnet_str_begin(b);
    txg_execnet_str_add(b, txg_span_cstr(text));
    if (n->current >= 0) {
        txg_execnet_str_add(b, TXG_SPAN(" while it ran "));
        txg_execnet_str_add(b, txg_span_cstr(n->nodeids.items[n->current]));
    }
    txg_execnet_str_end(b, str);
    txg_execnet_put_stop(b);
    txg_execnet_end(b, mark);
    n->ended = true;
}

/* What is wrong with the command line is an error of collecting, as it would be in Python. */
static void collect_error(struct txg_xdist_node *n, struct txg_span nodeid, struct txg_span text)
{
    n->collect_errors++;
    txg_xdist_put_collect_error(&n->out, nodeid, text);
}

static void read_args(struct txg_xdist_node *n, const struct txg_strv *words)
{
    struct txg_err err;
    if (txg_xdist_args_parse(&n->args, words, &err) < 0 ||
        txg_xdist_args_check(&n->args, &err) < 0) {
        txg_strv_release(&n->args.paths);
        n->refused = true;
        collect_error(n, TXG_SPAN("."), txg_span_cstr(err.text));
    } else if (n->args.paths.n == 0 && !n->ops->has_tests) {
        collect_error(n, TXG_SPAN("."),
                      TXG_SPAN("No tests are named: native tests are programs, and a whole "
                               "directory of them is only run when it is named, as in `pytest ... "
                               "tests/native`. (pytest's ini file is not read for testpaths.)"));
    }
}

static int start(struct txg_xdist_node *n, const struct txg_execnet_value *v, size_t size,
                 struct txg_err *err)
{
    struct txg_xdist_input in = {0};
    int rc = txg_xdist_input_read(&in, v, size, err);
    if (rc == 0) {
        n->workerid = txg_xstrdup(in.workerid);
        n->testrunuid = txg_xstrdup(in.testrunuid);
        n->out.workerid = n->workerid;
        n->out.testrunuid = n->testrunuid;
        read_args(n, &in.args);
        struct txg_msg_workerinput msg = {.workerid = txg_span_cstr(n->workerid),
                                          .id = txg_span_cstr(n->workerid),
                                          .testrunuid = txg_span_cstr(n->testrunuid),
                                          .workercount = in.workercount,
                                          .keep_output = true, /* for -rP and junit_logging */
                                          .maxfail = n->args.maxfail,
                                          .input = in.input};
        rc = n->ops->open(n->user, &msg, &n->args.paths, err);
    }
    txg_xdist_input_release(&in);
    return rc;
}

static void take_record(struct txg_xdist_node *n, struct txg_span nodeid)
{
    txg_strv_push_n(&n->nodeids, nodeid.data, nodeid.len);
}

/* The tests that the command line selects get numbers of their own, which xdist deals in. */
static void finish_collection(struct txg_xdist_node *n)
{
    size_t all = n->nodeids.n;
    n->to_worker = txg_xcalloc(all + 1, sizeof *n->to_worker);
    n->to_xdist = txg_xcalloc(all + 1, sizeof *n->to_xdist);
    n->selected = txg_xcalloc(all + 1, sizeof *n->selected);
    for (size_t i = 0; i < all; i++) {
        n->to_xdist[i] = -1;
        if (n->refused || !txg_xdist_args_select(&n->args, n->nodeids.items[i]))
            continue;
        n->to_xdist[i] = (int64_t)n->n_selected;
        n->to_worker[n->n_selected] = (int64_t)i;
        n->selected[n->n_selected++] = n->nodeids.items[i];
    }
    if (txg_xdist_put_collection(&n->out, n->topdir ? n->topdir : "/", n->selected, n->n_selected) <
        0)
        txg_xdist_node_give_up(n,
                               "the tests' names are more than 2 GiB, which execnet can't carry");
}

struct sender {
    struct txg_xdist_node *node;
    struct txg_msg msg;
    struct txg_msg_range ranges[RANGES_MAX];
    size_t messages;
};

static void send_ranges(struct sender *s)
{
    s->msg.indices.ranges = s->ranges;
    send_message(s->node, &s->msg);
    s->msg.indices.n_ranges = 0;
    s->messages++;
}

static void add_index(struct sender *s, int64_t index)
{
    size_t *n = &s->msg.indices.n_ranges;
    struct txg_msg_range *last = *n ? &s->ranges[*n - 1] : NULL;
    if (last && last->first + last->count == index) {
        last->count++;
        return;
    }
    if (*n == RANGES_MAX)
        send_ranges(s);
    s->ranges[(*n)++] = (struct txg_msg_range){index, 1};
}

/* runtests, steal: indices of xdist's become ranges of the worker's. Returns how many messages that
 * took, or 0 where an index is wrong: then none was sent. */
static size_t send_indices(struct txg_xdist_node *n, enum txg_msg_type type,
                           const struct txg_execnet_value *list)
{
    if (!list || list->kind != TXG_EXECNET_LIST) {
        txg_xdist_node_give_up(n, "xdist sent a command without indices");
        return 0;
    }
    for (uint32_t i = 0; i < list->many.n; i++) {
        const struct txg_execnet_value *v = &list->many.items[i];
        if (v->kind != TXG_EXECNET_INT || v->integer < 0 || (uint64_t)v->integer >= n->n_selected) {
            txg_xdist_node_give_up(n, "xdist sent the index of a test that is not here");
            return 0;
        }
    }
    struct sender *s = txg_xcalloc(1, sizeof *s);
    s->node = n;
    s->msg.type = type;
    for (uint32_t i = 0; i < list->many.n; i++)
        add_index(s, n->to_worker[list->many.items[i].integer]);
    send_ranges(s);
    size_t messages = s->messages;
    free(s);
    return messages;
}

static void run_all(struct txg_xdist_node *n)
{
    struct sender *s = txg_xcalloc(1, sizeof *s);
    s->node = n;
    s->msg.type = TXG_MSG_RUNTESTS;
    for (size_t i = 0; i < n->n_selected; i++)
        add_index(s, n->to_worker[i]);
    send_ranges(s);
    free(s);
}

static void shut_down(struct txg_xdist_node *n)
{
    struct txg_msg msg = {.type = TXG_MSG_SHUTDOWN};
    send_message(n, &msg);
}

static void take_command(struct txg_xdist_node *n, const struct txg_execnet_value *v)
{
    bool pair =
        v->kind == TXG_EXECNET_TUPLE && v->many.n == 2 && v->many.items[0].kind == TXG_EXECNET_STR;
    struct txg_span name = pair ? v->many.items[0].text : (struct txg_span){0};
    const struct txg_execnet_value *indices =
        pair ? txg_execnet_get(&v->many.items[1], "indices") : NULL;
    if (n->ended || n->stopping)
        return; /* it has told xdist, or is about to */
    if (txg_span_is(name, "runtests")) {
        send_indices(n, TXG_MSG_RUNTESTS, indices);
    } else if (txg_span_is(name, "runtests_all")) {
        run_all(n);
    } else if (txg_span_is(name, "steal")) {
        n->steals += send_indices(n, TXG_MSG_STEAL, indices);
    } else if (txg_span_is(name, "shutdown")) {
        shut_down(n);
    } else {
        TXG_AUTOFREE char *text = txg_xasprintf(
            "xdist sent the command '%.*s', which this worker doesn't know", TXG_FMT(name));
        txg_xdist_node_give_up(n, text);
    }
}

void txg_xdist_node_take(struct txg_xdist_node *n, const struct txg_execnet_value *v, size_t size)
{
    struct txg_err err = {0};
    if (n->started) {
        take_command(n, v);
        return;
    }
    n->started = true;
    if (start(n, v, size, &err) < 0)
        txg_xdist_node_give_up(n, err.text);
}

/* -x and --maxfail: as in pytest, the worker that has seen enough stops by itself. */
static void stop_after_failures(struct txg_xdist_node *n)
{
    struct txg_msg_range all = {0, (int64_t)n->nodeids.n};
    struct txg_msg msg = {.type = TXG_MSG_STEAL};
    msg.indices.ranges = &all;
    msg.indices.n_ranges = 1;
    n->stopping = true;
    send_message(n, &msg);
    shut_down(n);
}

static void take_output(struct txg_xdist_node *n, const struct txg_msg_output *output)
{
    struct txg_xdist_stream *s = &n->streams[output->stream == 2];
    s->in_tail = s->in_tail || output->tail;
    struct txg_buf *b = s->in_tail ? &s->tail : &s->head;
    if (txg_buf_len(b) + output->data.len <= OUTPUT_MAX)
        txg_buf_append(b, output->data.data, output->data.len);
}

static void take_report(struct txg_xdist_node *n, const struct txg_msg_testreport *report)
{
    if (report->index < 0 || (size_t)report->index >= n->nodeids.n)
        return;
    struct txg_xdist_test test = {.index = n->to_xdist[report->index],
                                  .nodeid = n->nodeids.items[report->index],
                                  .report = report,
                                  .streams = n->streams};
    txg_xdist_put_test(&n->out, &test);
    clear_streams(n);
    n->current = -1;
    n->failures += txg_outcome_is_failure(report->outcome);
    if (n->args.maxfail > 0 && n->failures >= n->args.maxfail && !n->stopping)
        stop_after_failures(n);
}

static void take_unscheduled(struct txg_xdist_node *n, const struct txg_msg_indices *indices)
{
    if (n->steals == 0)
        return; /* what was taken back for stopping */
    for (size_t i = 0; i < indices->n_ranges; i++) {
        const struct txg_msg_range *r = &indices->ranges[i];
        for (int64_t k = r->first; k < r->first + r->count && k < (int64_t)n->nodeids.n; k++) {
            n->stolen = txg_grow(n->stolen, n->n_stolen, &n->cap_stolen, sizeof *n->stolen);
            n->stolen[n->n_stolen++] = n->to_xdist[k];
        }
    }
    if (--n->steals > 0)
        return;
    txg_xdist_put_unscheduled(&n->out, n->stolen, n->n_stolen);
    n->n_stolen = 0;
}

static void take_finished(struct txg_xdist_node *n)
{
    TXG_AUTOFREE char *why =
        n->stopping ? txg_xasprintf("stopping after %lld failures", (long long)n->failures) : NULL;
    int status = n->failures > 0 || n->collect_errors > 0 ? 1 : n->n_selected == 0 ? 5 : 0;
    txg_xdist_put_finished(&n->out, status, why);
    n->ended = true;
}

/* A worker elsewhere counts its own time: what happens now tells how that and ours agree. */
static void set_epoch(struct txg_xdist_node *n, int64_t time)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    n->out.epoch = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - time;
}

static void start_test(struct txg_xdist_node *n, int64_t index)
{
    if (index < 0 || (size_t)index >= n->nodeids.n)
        return;
    n->current = index;
    txg_xdist_put_logstart(&n->out, n->nodeids.items[index]);
}

static void take_logstart(struct txg_xdist_node *n, const struct txg_msg_logstart *msg)
{
    set_epoch(n, msg->time);
    start_test(n, msg->index);
}

static void take_passed(struct txg_xdist_node *n, const struct txg_msg_passed *msg)
{
    int64_t at = msg->time;
    for (size_t i = 0; i < msg->n_tests; i++)
        at += msg->tests[i].gap + msg->tests[i].duration;
    set_epoch(n, at);
    at = msg->time;
    for (size_t i = 0; i < msg->n_tests; i++) {
        const struct txg_msg_passed_test *t = &msg->tests[i];
        if (n->current != t->index)
            start_test(n, t->index);
        at += t->gap;
        struct txg_msg_testreport report = {
            .index = t->index, .start = at, .duration = t->duration, .status = -1};
        take_report(n, &report);
        at += t->duration;
    }
}

void txg_xdist_node_message(struct txg_xdist_node *n, const struct txg_msg *msg)
{
    if (n->ended)
        return;
    switch (msg->type) {
    case TXG_MSG_WORKERREADY:
        n->topdir = txg_xstrndup(msg->workerready.cwd.data, msg->workerready.cwd.len);
        txg_xdist_put_ready(&n->out, &msg->workerready);
        break;
    case TXG_MSG_COLLECTREPORT:
        collect_error(n, msg->collectreport.nodeid, msg->collectreport.text);
        break;
    case TXG_MSG_COLLECTION:
        for (size_t i = 0; i < msg->collection.n_records; i++)
            take_record(n, msg->collection.records[i].nodeid);
        break;
    case TXG_MSG_COLLECTIONFINISH:
        finish_collection(n);
        break;
    case TXG_MSG_LOGSTART:
        take_logstart(n, &msg->logstart);
        break;
    case TXG_MSG_OUTPUT:
        take_output(n, &msg->output);
        break;
    case TXG_MSG_TESTREPORT:
        take_report(n, &msg->testreport);
        break;
    case TXG_MSG_PASSED:
        take_passed(n, &msg->passed);
        break;
    case TXG_MSG_UNSCHEDULED:
        take_unscheduled(n, &msg->indices);
        break;
    case TXG_MSG_INTERNAL_ERROR: {
        TXG_AUTOFREE char *text = txg_xstrndup(msg->text.text.data, msg->text.text.len);
        txg_xdist_node_give_up(n, text);
        break;
    }
    case TXG_MSG_WORKERFINISHED:
        take_finished(n);
        break;
    default: /* pong */
        break;
    }
}
