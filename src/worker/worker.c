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
#include "src/worker/reporting.h"
#include "src/worker/sweep.h"
#include "src/worker/wait.h"

#define LAST_WORDS  INT64_C(2000000) /* for flushing after workerfinished, microseconds */
#define LOOK_EVERY  32               /* turns of the loop */
#define SWEEP_LIMIT INT64_C(3000000)

struct worker {
    struct txg_link link;
    struct txg_reporting reporting;
    struct txg_strv env;
    char *cwd;
    char *arch;
    char *id, *label;
    bool keep_output;
    struct txg_collection collection;
    bool collected;
    struct txg_queue queue;
    bool shutdown; /* no more is dealt */
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
    txg_reporting_send(&w->reporting, &msg);
}

static void collect(struct worker *w, bool records)
{
    struct txg_collect_names names = {w->arch, w->id, w->label};
    txg_collection_run(&w->collection, &names, w->cwd);
    w->collected = true;
    txg_reporting_collect_errors(&w->reporting, &w->collection);
    txg_reporting_collection(&w->reporting, &w->collection, records);
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
    msg.indices.seq = ++w->reporting.seq;
    txg_queue_steal(&w->queue, wanted, &msg.indices.ranges, &msg.indices.n_ranges, &cap);
    txg_reporting_send(&w->reporting, &msg);
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
        txg_reporting_collection(&w->reporting, &w->collection, true);
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
    else if (frame->channel == w->reporting.channel)
        rc = take_message(w, &msg, err);
    else
        rc = txg_err_set(err, TXG_E_PROTO, "'%s' on channel %u", txg_msg_name(msg.type),
                         frame->channel);
    txg_msg_release(&msg);
    return rc;
}

static void report(struct worker *w, const struct txg_verdict *verdict)
{
    w->failures += txg_outcome_is_failure(verdict->outcome);
    txg_reporting_test(&w->reporting, &(struct txg_reporting_test){.index = w->index,
                                                                   .started = w->started,
                                                                   .ended = txg_now(),
                                                                   .keep_output = w->keep_output,
                                                                   .child = &w->child,
                                                                   .verdict = verdict});
    if (w->item->harness->end)
        w->item->harness->end(w->state);
    w->state = NULL;
    txg_child_clear(&w->child);
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
    report(w, &verdict);
    txg_verdict_release(&verdict);
}

static void could_not_start(struct worker *w, const struct txg_err *err)
{
    struct txg_verdict verdict = {.outcome = TXG_ERROR};
    txg_buf_puts(&verdict.reason, err->text);
    report(w, &verdict);
    txg_verdict_release(&verdict);
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
        txg_reporting_logstart(&w->reporting, w->index, w->started);
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

static void wait_for_events(struct worker *w, struct pollfd fds[3])
{
    fds[0] = (struct pollfd){.fd = w->link.in, .events = POLLIN};
    if (txg_link_has_unsent(&w->link))
        fds[0].events |= POLLOUT;
    for (int i = 0; i < 2; i++)
        fds[1 + i] = (struct pollfd){.fd = w->child.pid ? w->child.fds[i] : -1, .events = POLLIN};
    txg_wait(fds, 3, next_deadline(w));
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
        txg_reporting_internal_error(&w->reporting, err.text);
    return rc < 0 || got < 0 ? -1 : 0;
}

static void watch_child(struct worker *w, const struct pollfd fds[3])
{
    bool changed = txg_wait_child_changed();
    if (w->child.pid == 0)
        return;
    void (*feed)(void *, const void *, size_t) = w->item->harness->feed;
    for (int i = 0; i < 2; i++)
        if (fds[1 + i].revents && w->child.fds[i] >= 0)
            txg_child_read(&w->child, i, feed, w->state);
    /* ppoll lets no SIGCHLD in while a pipe is ready: one that a daemon fills never rests. */
    bool silent = w->child.fds[0] < 0 && w->child.fds[1] < 0;
    bool look = changed || silent || ++w->turns % LOOK_EVERY == 0;
    if (look && txg_child_reap(&w->child, feed, w->state))
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
    txg_reporting_send(&w->reporting, &msg);
    int64_t end = txg_now() + LAST_WORDS;
    while (txg_link_flush(&w->link) == 0 && txg_link_has_unsent(&w->link)) {
        struct pollfd fd = {.fd = w->link.out, .events = POLLOUT};
        if (txg_now() >= end || poll(&fd, 1, 100) < 0)
            break;
    }
    return 0;
}

static int run(struct worker *w)
{
    struct pollfd fds[3];
    for (;;) {
        if (start_next(w) != 0)
            return 1;
        if (is_finished(w))
            return say_goodbye(w);
        if (txg_link_flush(&w->link) != 0)
            return 1;
        wait_for_events(w, fds);
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
    struct worker w = {.env = *config->env};
    struct utsname name;
    w.arch = txg_xstrdup(uname(&name) == 0 ? name.machine : "");
    w.cwd = getcwd(NULL, 0);
    if (!w.cwd)
        w.cwd = txg_xstrdup("/");
    w.times = txg_liveness_scaled(config->heartbeat);
    w.held_from = txg_now();
    w.child.fds[0] = w.child.fds[1] = -1;
    txg_link_init(&w.link, config->fd, config->fd);
    w.reporting = (struct txg_reporting){.mux = &w.link.mux, .channel = config->channel};
    txg_wait_prepare();
    int status = run(&w);
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
