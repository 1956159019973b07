#include "config.h"

#include "src/worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/worker/child.h"
#include "src/worker/collect.h"
#include "src/worker/environ.h"
#include "src/worker/link.h"
#include "src/worker/queue.h"
#include "src/worker/sweep.h"

#define RECORDS_MAX   2048u         /* in one collection{} message */
#define RECORDS_BYTES (512u * 1024) /* and of their nodeids */
#define OUTPUT_PIECE  (TXG_FRAME_BULK / 2)
#define LAST_WORDS    INT64_C(2000000) /* for flushing after workerfinished, microseconds */
#define LOOK_EVERY    32               /* turns of the loop */
#define SWEEP_LIMIT   INT64_C(3000000)

struct worker {
    struct txg_link link;
    uint32_t channel;
    struct txg_strv env;
    char *cwd;
    char *arch;
    char *id, *label;
    bool keep_output;
    struct txg_collection collection;
    bool collected;
    struct txg_queue queue;
    bool shutdown; /* no more is dealt */
    int64_t seq;
    /* The fence: counted from the moment the agent's lease was good for sure. */
    struct txg_liveness times;
    int64_t held_from;
    /* The test that runs; child.pid 0: none. */
    struct txg_child child;
    const struct txg_item *item;
    int64_t index;
    void *state; /* of the harness */
    int64_t started;
    int64_t term_at, kill_at; /* INT64_MAX: not set */
    bool timed_out;
    unsigned turns; /* of the loop since it was looked whether the test has ended */
    /* -x and --maxfail reach the worker before the controller's word does. */
    int64_t maxfail, failures;
};

static volatile sig_atomic_t child_changed;

static void on_sigchld(int signum)
{
    (void)signum;
    child_changed = 1;
}

static void send_message(struct worker *w, const struct txg_msg *msg)
{
    txg_mux_send(&w->link.mux, w->channel, msg);
}

/* Something is wrong that no test is to blame for: the controller ends the run with status 3. */
static void send_internal_error(struct worker *w, const char *text)
{
    struct txg_msg msg = {.type = TXG_MSG_INTERNAL_ERROR};
    msg.text.text = txg_span_cstr(text);
    send_message(w, &msg);
}

static void take_workerinput(struct worker *w, const struct txg_msg_workerinput *in)
{
    txg_environ_add(&w->env, in);
    w->id = txg_xstrndup(in->id.data, in->id.len);
    w->label = txg_xstrndup(in->label.data, in->label.len);
    w->keep_output = in->keep_output;
    w->maxfail = in->maxfail;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    struct txg_msg msg = {.type = TXG_MSG_WORKERREADY};
    msg.workerready.version = TXG_SPAN(PACKAGE_VERSION);
    msg.workerready.arch = txg_span_cstr(w->arch);
    msg.workerready.executable = txg_span(self, n > 0 ? (size_t)n : 0);
    msg.workerready.cwd = txg_span_cstr(w->cwd);
    msg.workerready.pid = getpid();
    send_message(w, &msg);
}

static void send_records(struct worker *w)
{
    const struct txg_collection *c = &w->collection;
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
        send_message(w, &msg);
        first += n;
    }
    free(records);
}

static void send_collection(struct worker *w, bool records)
{
    if (records)
        send_records(w);
    struct txg_msg msg = {.type = TXG_MSG_COLLECTIONFINISH};
    msg.collectionfinish.count = (int64_t)w->collection.n_items;
    msg.collectionfinish.digest = w->collection.digest;
    send_message(w, &msg);
}

static void collect(struct worker *w, bool records)
{
    struct txg_collect_names names = {w->arch, w->id, w->label};
    txg_collection_run(&w->collection, &names, w->cwd);
    w->collected = true;
    for (size_t i = 0; i < w->collection.n_errors; i++) {
        struct txg_msg msg = {.type = TXG_MSG_COLLECTREPORT};
        msg.collectreport.nodeid = txg_span_cstr(w->collection.errors[i].nodeid);
        msg.collectreport.text = txg_span_cstr(w->collection.errors[i].text);
        send_message(w, &msg);
    }
    send_collection(w, records);
}

static int queue_ranges(struct worker *w, const struct txg_msg_indices *in, struct txg_err *err)
{
    for (size_t i = 0; i < in->n_ranges; i++) {
        const struct txg_msg_range *r = &in->ranges[i];
        if (r->first + r->count > (int64_t)w->collection.n_items)
            return txg_err_set(err, TXG_E_PROTO, "runtests: no test %lld here",
                               (long long)(r->first + r->count - 1));
        for (int64_t n = 0; n < r->count; n++)
            txg_queue_push(&w->queue, r->first + n);
    }
    return 0;
}

static void give_back(struct worker *w, const struct txg_msg_indices *wanted)
{
    struct txg_msg msg = {.type = TXG_MSG_UNSCHEDULED};
    size_t cap = 0;
    msg.indices.seq = ++w->seq;
    txg_queue_steal(&w->queue, wanted, &msg.indices.ranges, &msg.indices.n_ranges, &cap);
    send_message(w, &msg);
    free(msg.indices.ranges);
}

static int take_message(struct worker *w, const struct txg_msg *msg, struct txg_err *err)
{
    switch (msg->type) {
    case TXG_MSG_WORKERINPUT:
        if (w->id)
            break;
        take_workerinput(w, &msg->workerinput);
        return 0;
    case TXG_MSG_SUITE:
        return txg_collection_add_suite(&w->collection, &msg->suite, err);
    case TXG_MSG_FILES:
        return txg_collection_add_files(&w->collection, &msg->files, err);
    case TXG_MSG_COLLECT:
        if (!w->id || w->collected)
            break;
        collect(w, msg->collect.records);
        return 0;
    case TXG_MSG_SENDCOLLECTION:
        if (!w->collected)
            break;
        send_collection(w, true);
        return 0;
    case TXG_MSG_RUNTESTS:
        return queue_ranges(w, &msg->indices, err);
    case TXG_MSG_RUNTESTS_ALL:
        for (size_t i = 0; i < w->collection.n_items; i++)
            txg_queue_push(&w->queue, (int64_t)i);
        return 0;
    case TXG_MSG_STEAL:
        give_back(w, &msg->indices);
        return 0;
    case TXG_MSG_SHUTDOWN:
        w->shutdown = true;
        return 0;
    default:
        break;
    }
    return txg_err_set(err, TXG_E_PROTO, "'%s' is not expected now", txg_msg_name(msg->type));
}

static void answer_ping(struct worker *w, const struct txg_msg_ping *ping)
{
    struct txg_msg pong = {.type = TXG_MSG_PONG};
    pong.beat.n = ping->n;
    txg_mux_send(&w->link.mux, 0, &pong);
    w->times = txg_liveness_scaled(ping->heartbeat);
    w->held_from = txg_now() - ping->age;
}

static int take_frame(struct worker *w, const struct txg_frame *frame, struct txg_err *err)
{
    struct txg_msg msg;
    if (txg_msg_decode(frame->payload, &msg, err) != 0)
        return -1;
    int rc = 0;
    if (frame->channel == 0 && msg.type == TXG_MSG_PING)
        answer_ping(w, &msg.ping);
    else if (frame->channel == w->channel)
        rc = take_message(w, &msg, err);
    else
        rc = txg_err_set(err, TXG_E_PROTO, "'%s' on channel %u", txg_msg_name(msg.type),
                         frame->channel);
    txg_msg_release(&msg);
    return rc;
}

static void send_stream(struct worker *w, int stream)
{
    const struct txg_capture *c = &w->child.captures[stream];
    struct txg_span parts[3] = {txg_span(txg_buf_data(&c->head), txg_buf_len(&c->head))};
    int n = 1 + txg_capture_tail(c, parts + 1);
    for (int i = 0; i < n; i++) {
        for (size_t at = 0; at < parts[i].len; at += OUTPUT_PIECE) {
            struct txg_msg msg = {.type = TXG_MSG_OUTPUT};
            size_t len = parts[i].len - at;
            msg.output.index = w->index;
            msg.output.stream = stream + 1;
            msg.output.tail = i == 1 && at == 0 && txg_capture_dropped(c) > 0;
            msg.output.data = txg_span(parts[i].data + at, len < OUTPUT_PIECE ? len : OUTPUT_PIECE);
            send_message(w, &msg);
        }
    }
}

static int64_t microseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static void send_report(struct worker *w, const struct txg_verdict *v, int64_t ended)
{
    bool quiet = v->outcome == TXG_PASSED || v->outcome == TXG_SKIPPED ||
                 v->outcome == TXG_XFAILED || v->outcome == TXG_XPASSED;
    if (!quiet || w->keep_output) {
        send_stream(w, 0);
        send_stream(w, 1);
    }
    w->failures += txg_outcome_is_failure(v->outcome);
    struct txg_msg msg = {.type = TXG_MSG_TESTREPORT};
    struct txg_msg_testreport *r = &msg.testreport;
    r->seq = ++w->seq;
    r->index = w->index;
    r->outcome = v->outcome;
    r->start = w->started;
    r->duration = ended - w->started;
    r->status = w->child.ended && WIFEXITED(w->child.status) ? WEXITSTATUS(w->child.status) : -1;
    r->signal = w->child.ended && WIFSIGNALED(w->child.status) ? WTERMSIG(w->child.status) : 0;
    r->reason = txg_span(txg_buf_data(&v->reason), txg_buf_len(&v->reason));
    r->dropped_out = (int64_t)txg_capture_dropped(&w->child.captures[0]);
    r->dropped_err = (int64_t)txg_capture_dropped(&w->child.captures[1]);
    r->leaked = (int64_t)w->child.leaked;
    r->utime = microseconds(w->child.usage.ru_utime);
    r->stime = microseconds(w->child.usage.ru_stime);
    r->maxrss = (int64_t)w->child.usage.ru_maxrss * 1024;
    r->points = txg_xcalloc(v->n_points, sizeof *r->points);
    size_t bytes = 0;
    for (size_t i = 0; i < v->n_points && bytes < TXG_FRAME_PAYLOAD_MAX / 2; i++) {
        const struct txg_harness_point *p = &v->points[i];
        r->points[r->n_points++] =
            (struct txg_msg_point){txg_span_cstr(p->name), p->outcome, txg_span_cstr(p->text)};
        bytes += r->points[i].name.len + r->points[i].text.len + 16;
    }
    send_message(w, &msg);
    free(r->points);
}

static void finish_test(struct worker *w)
{
    struct txg_verdict verdict = {0};
    struct txg_ending ending = {
        .status = WIFEXITED(w->child.status) ? WEXITSTATUS(w->child.status) : 0,
        .signal = WIFSIGNALED(w->child.status) ? WTERMSIG(w->child.status) : 0,
        .timed_out = w->timed_out,
        .timeout = w->collection.suites[w->item->suite].timeout,
    };
    w->item->harness->judge(w->state, &ending, &verdict);
    send_report(w, &verdict, txg_now());
    txg_verdict_release(&verdict);
    if (w->item->harness->end)
        w->item->harness->end(w->state);
    w->state = NULL;
    txg_child_clear(&w->child);
}

static void could_not_start(struct worker *w, const struct txg_err *err)
{
    struct txg_verdict verdict = {.outcome = TXG_ERROR};
    txg_buf_puts(&verdict.reason, err->text);
    send_report(w, &verdict, txg_now());
    txg_verdict_release(&verdict);
    if (w->item->harness->end)
        w->item->harness->end(w->state);
    w->state = NULL;
    txg_child_clear(&w->child);
}

static void start_test(struct worker *w)
{
    const struct txg_suite *suite = &w->collection.suites[w->item->suite];
    struct txg_strv argv = {0};
    struct txg_err err;
    txg_strv_push(&argv, w->item->path);
    txg_strv_copy(&argv, &suite->args);
    w->state = w->item->harness->begin ? w->item->harness->begin() : NULL;
    w->timed_out = false;
    w->term_at = suite->timeout > 0 ? w->started + suite->timeout : INT64_MAX;
    w->kill_at = INT64_MAX;
    struct txg_child_command command = {.path = w->item->path,
                                        .argv = argv.items,
                                        .envp = w->env.items,
                                        .cwd = *suite->cwd ? suite->cwd : NULL};
    if (txg_child_start(&w->child, &command, &err) != 0)
        could_not_start(w, &err);
    txg_strv_release(&argv);
}

static bool may_start(const struct worker *w)
{
    bool enough = w->maxfail > 0 && w->failures >= w->maxfail;
    return w->child.pid == 0 && !enough && txg_now() - w->held_from < w->times.stop;
}

/* logstart is in the kernel before the test is: whoever kills this worker finds it there. -1: the
 * agent is gone. */
static int start_next(struct worker *w)
{
    while (may_start(w)) {
        if (!txg_queue_pop(&w->queue, &w->index))
            return 0;
        w->item = &w->collection.items[w->index];
        w->started = txg_now();
        struct txg_msg msg = {.type = TXG_MSG_LOGSTART};
        msg.logstart.seq = ++w->seq;
        msg.logstart.index = w->index;
        msg.logstart.time = w->started;
        send_message(w, &msg);
        if (txg_link_flush(&w->link) != 0)
            return -1;
        while (txg_link_has_unsent(&w->link)) {
            struct pollfd fd = {.fd = w->link.out, .events = POLLOUT};
            if (poll(&fd, 1, (int)(w->times.kill / 1000)) == 0 || txg_link_flush(&w->link) != 0)
                return -1;
        }
        start_test(w);
    }
    return 0;
}

static void check_times(struct worker *w, int64_t now)
{
    if (w->child.pid == 0)
        return;
    if (now >= w->term_at) {
        w->term_at = INT64_MAX;
        w->timed_out = true;
        w->kill_at = now + w->collection.suites[w->item->suite].grace;
        txg_child_signal(&w->child, SIGTERM);
    }
    if (now >= w->kill_at) {
        w->kill_at = now + 100000; /* again, should something have been born meanwhile */
        txg_child_signal(&w->child, SIGKILL);
    }
}

static int64_t next_deadline(const struct worker *w)
{
    int64_t next = w->held_from + w->times.kill;
    if (w->child.pid && w->term_at < next)
        next = w->term_at;
    if (w->child.pid && w->kill_at < next)
        next = w->kill_at;
    return next;
}

static void wait_for_events(struct worker *w, struct pollfd fds[3], const sigset_t *open_mask)
{
    fds[0] = (struct pollfd){.fd = w->link.in, .events = POLLIN};
    if (txg_link_has_unsent(&w->link))
        fds[0].events |= POLLOUT;
    for (int i = 0; i < 2; i++)
        fds[1 + i] = (struct pollfd){.fd = w->child.pid ? w->child.fds[i] : -1, .events = POLLIN};
    int64_t wait = next_deadline(w) - txg_now();
    if (wait < 0 || child_changed)
        wait = 0;
    struct timespec timeout = {wait / 1000000, wait % 1000000 * 1000};
    if (ppoll(fds, 3, &timeout, open_mask) < 0)
        for (int i = 0; i < 3; i++)
            fds[i].revents = 0;
}

static int read_link(struct worker *w)
{
    struct txg_err err = {0};
    int got = txg_link_read(&w->link);
    struct txg_frame frame;
    int rc;
    while ((rc = txg_mux_next(&w->link.mux, &frame, &err)) == 1) {
        if (take_frame(w, &frame, &err) != 0) {
            rc = -1;
            break;
        }
    }
    if (rc < 0)
        send_internal_error(w, err.text);
    return rc < 0 || got < 0 ? -1 : 0;
}

static void watch_child(struct worker *w, const struct pollfd fds[3])
{
    if (w->child.pid == 0) {
        child_changed = 0;
        return;
    }
    void (*feed)(void *, const void *, size_t) = w->item->harness->feed;
    for (int i = 0; i < 2; i++)
        if (fds[1 + i].revents && w->child.fds[i] >= 0)
            txg_child_read(&w->child, i, feed, w->state);
    /* ppoll lets no SIGCHLD in while a pipe is ready: one that a daemon fills never rests. */
    bool silent = w->child.fds[0] < 0 && w->child.fds[1] < 0;
    bool look = child_changed || silent || ++w->turns % LOOK_EVERY == 0;
    if (!look)
        return;
    child_changed = 0;
    if (txg_child_reap(&w->child, feed, w->state))
        finish_test(w);
}

/* True when all is done and said. */
static bool is_finished(const struct worker *w)
{
    return w->shutdown && w->child.pid == 0 && w->queue.head == w->queue.tail;
}

static int say_goodbye(struct worker *w)
{
    struct txg_msg msg = {.type = TXG_MSG_WORKERFINISHED};
    msg.workerfinished.output = txg_value_dict();
    send_message(w, &msg);
    int64_t end = txg_now() + LAST_WORDS;
    while (txg_link_flush(&w->link) == 0 && txg_link_has_unsent(&w->link)) {
        struct pollfd fd = {.fd = w->link.out, .events = POLLOUT};
        if (txg_now() >= end || poll(&fd, 1, 100) < 0)
            break;
    }
    return 0;
}

static int run(struct worker *w, const sigset_t *open_mask)
{
    struct pollfd fds[3];
    for (;;) {
        if (start_next(w) != 0)
            return 1;
        if (is_finished(w))
            return say_goodbye(w);
        if (txg_link_flush(&w->link) != 0)
            return 1;
        wait_for_events(w, fds, open_mask);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && read_link(w) != 0) {
            txg_link_flush(&w->link);
            return 1;
        }
        int64_t now = txg_now();
        if (now - w->held_from >= w->times.kill)
            return 1; /* the agent is frozen or gone: what runs here is fenced off */
        check_times(w, now);
        watch_child(w, fds);
    }
}

int txg_worker_main(const struct txg_worker_config *config)
{
    struct worker w = {.channel = config->channel, .env = *config->env};
    struct utsname name;
    w.arch = txg_xstrdup(uname(&name) == 0 ? name.machine : "");
    w.cwd = getcwd(NULL, 0);
    if (!w.cwd)
        w.cwd = txg_xstrdup("/");
    w.times = txg_liveness_scaled(config->heartbeat);
    w.held_from = txg_now();
    w.child.fds[0] = w.child.fds[1] = -1;
    txg_link_init(&w.link, config->fd, config->fd);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, on_sigchld);
    sigset_t blocked, open_mask;
    sigemptyset(&open_mask);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    int status = run(&w, &open_mask);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    txg_link_close(&w.link);
    txg_child_release(&w.child);
    txg_queue_release(&w.queue);
    txg_collection_release(&w.collection);
    txg_strv_release(&w.env);
    free(w.cwd);
    free(w.arch);
    free(w.id);
    free(w.label);
    return status;
}
