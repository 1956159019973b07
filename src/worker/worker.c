#include "config.h"

#include "src/worker/worker.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/worker/environ.h"
#include "src/worker/link.h"
#include "src/worker/listing.h"
#include "src/worker/runner.h"
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
    struct txg_strv emulator; /* the first word as a path */
    char *id, *label;
    struct txg_collection collection;
    enum { NOT_COLLECTED, LISTING, COLLECTED } progress;
    bool want_records;
    struct txg_buf hello; /* to harnesses that talk */
    struct txg_listing listing;
    struct txg_queue queue;
    bool shutdown; /* no more is dealt */
    /* The fence: counted from the moment the agent's lease was good for sure. */
    struct txg_liveness times;
    int64_t held_from;
    struct txg_child child; /* that runs tests, or is listed; pid 0: none */
    struct txg_runner runner;
    bool hears;     /* what it says is waited for in this turn of the loop */
    unsigned turns; /* of the loop since it was looked whether the child has ended */
};

static void take_workerinput(struct worker *w, const struct txg_msg_workerinput *in)
{
    txg_environ_add(&w->env, in);
    txg_environ_hello(in, &w->hello);
    w->id = txg_xstrndup(in->id.data, in->id.len);
    w->label = txg_xstrndup(in->label.data, in->label.len);
    w->runner.keep_output = in->keep_output;
    w->runner.maxfail = in->maxfail;
    if (in->live)
        txg_runner_go_live(&w->runner);
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
    w->progress = LISTING;
    w->want_records = records;
}

/* Programs are listed between pings, not within one message. */
static void go_on_collecting(struct worker *w)
{
    if (w->progress == LISTING && w->shutdown && w->listing.stays)
        txg_listing_dismiss(&w->listing);
    if (w->progress != LISTING || w->shutdown)
        return;
    if (!w->listing.stays && (w->child.pid != 0 || txg_listing_start(&w->listing, txg_now())))
        return;
    txg_collection_finish(&w->collection, &w->env);
    w->progress = COLLECTED;
    if (w->listing.stays)
        txg_talk_adopt(&w->runner, w->listing.next - 1, w->listing.ahead);
    txg_reporting_collect_errors(&w->reporting, &w->collection);
    txg_reporting_collection(&w->reporting, &w->collection, w->want_records);
}

static int queue_ranges(struct worker *w, const struct txg_msg_indices *in, struct txg_err *err)
{
    bool first = w->queue.head == w->queue.tail;
    w->runner.takes = in->takes > 0 && (first || w->runner.takes > 0)
                          ? in->takes + (first ? 0 : w->runner.takes)
                          : 0;
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
    struct txg_msg_range *ranges = NULL;
    size_t n = 0, cap = 0;
    txg_queue_steal(&w->queue, wanted, &ranges, &n, &cap);
    txg_reporting_unscheduled(&w->reporting, ranges, n);
    free(ranges);
}

/* A name without a slash becomes the first path in PATH that can be executed; where there is none,
 * the exec of the first test tells. A relative path is one below `root`. */
static void find_program(char **name, const struct txg_strv *env, const char *root)
{
    const char *path = txg_strv_getenv(env, "PATH");
    if (**name != '/' && strchr(*name, '/') && *root) {
        char *below = txg_xasprintf("%s/%s", root, *name);
        free(*name);
        *name = below;
    }
    if (!path || strchr(*name, '/'))
        return;
    for (size_t len; *path; path += len + (path[len] == ':')) {
        len = strcspn(path, ":");
        char *found = txg_xasprintf("%.*s/%s", (int)len, path, *name);
        if (access(found, X_OK) == 0) {
            free(*name);
            *name = found;
            return;
        }
        free(found);
    }
}

static int take_suite(struct worker *w, const struct txg_msg_suite *msg, struct txg_err *err)
{
    if (txg_collection_add_suite(&w->collection, msg, err) != 0)
        return -1;
    struct txg_suite *suite = &w->collection.suites[w->collection.n_suites - 1];
    struct txg_strv *commands[] = {&suite->command, &suite->list, &suite->run};
    for (size_t i = 0; i < 3; i++)
        if (commands[i]->n > 0 && !txg_has_prefix(commands[i]->items[0], TXG_PAIR_FILE))
            find_program(&commands[i]->items[0], &w->env, suite->root);
    return 0;
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
        return take_suite(w, &msg->suite, err);
    case TXG_MSG_FILES:
        return txg_collection_add_files(&w->collection, &msg->files, err);
    case TXG_MSG_COLLECT:
        if (!w->id || w->progress != NOT_COLLECTED)
            break;
        collect(w, msg->collect.records);
        return 0;
    case TXG_MSG_SENDCOLLECTION:
        if (w->progress != COLLECTED)
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
    w->runner.fence = w->held_from + w->times.stop;
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

/* -1: the agent is gone. */
static int flush(struct worker *w)
{
    txg_reporting_flush(&w->reporting);
    return txg_link_flush(&w->link);
}

static int start_next(struct worker *w)
{
    while (w->progress == COLLECTED && txg_runner_take(&w->runner)) {
        if (flush(w) != 0)
            return -1;
        while (txg_link_has_unsent(&w->link)) {
            struct pollfd fd = {.fd = w->link.out, .events = POLLOUT};
            if (poll(&fd, 1, (int)(w->times.kill / 1000)) == 0 || txg_link_flush(&w->link) != 0)
                return -1;
        }
        txg_runner_start(&w->runner);
    }
    return 0;
}

static void check_times(struct worker *w, int64_t now)
{
    if (w->progress == COLLECTED)
        txg_runner_check_times(&w->runner, now);
    else if (w->child.pid)
        txg_listing_check_time(&w->listing, now);
}

static int64_t next_deadline(const struct worker *w)
{
    int64_t next = w->held_from + w->times.kill, other = INT64_MAX;
    if (w->progress == COLLECTED)
        other = txg_runner_deadline(&w->runner);
    else if (w->child.pid)
        other = w->listing.kill_at;
    return other < next ? other : next;
}

enum { LINK, OUT, ERR, RESULTS, N_FDS };

static void wait_for_events(struct worker *w, struct pollfd fds[N_FDS])
{
    bool alive = w->child.pid != 0;
    int64_t now = txg_now(), deadline = next_deadline(w), hears_at = 0;
    bool listens = w->progress != COLLECTED || txg_talk_listens(&w->runner, now);
    if (alive && w->progress == COLLECTED)
        hears_at = txg_talk_hears_at(&w->runner);
    if (hears_at > now && hears_at < deadline)
        deadline = hears_at;
    listens = listens && (hears_at <= now || w->child.results >= 0);
    w->hears = alive && hears_at <= now;
    if (w->hears && w->progress == COLLECTED && !txg_ring_sleep(&w->child.ring))
        deadline = now;
    fds[0] = (struct pollfd){.fd = w->link.in, .events = POLLIN};
    if (txg_link_has_unsent(&w->link))
        fds[0].events |= POLLOUT;
    for (int i = 0; i < 2; i++)
        fds[OUT + i] =
            (struct pollfd){.fd = alive && listens ? w->child.fds[i] : -1, .events = POLLIN};
    fds[RESULTS] = (struct pollfd){.fd = w->hears ? w->child.results : -1, .events = POLLIN};
    txg_wait(fds, N_FDS, deadline);
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

static void read_child(struct worker *w, int stream)
{
    if (w->progress == COLLECTED)
        txg_runner_read(&w->runner, stream);
    else
        txg_child_read(&w->child, stream, txg_listing_feed, &w->listing);
}

static void hear_child(struct worker *w)
{
    if (w->progress == COLLECTED)
        txg_talk_hear(&w->runner);
    else
        txg_listing_hear(&w->listing);
}

static void watch_child(struct worker *w, const struct pollfd fds[N_FDS])
{
    bool changed = txg_wait_child_changed();
    if (w->child.pid == 0)
        return;
    if (w->hears &&
        (fds[RESULTS].revents || (w->progress == COLLECTED && txg_ring_has(&w->child.ring))))
        hear_child(w);
    for (int i = 0; i < 2; i++)
        if (fds[OUT + i].revents && w->child.fds[i] >= 0)
            read_child(w, i);
    /* ppoll lets no SIGCHLD in while a pipe is ready: one that a daemon fills never rests. */
    bool silent = w->child.fds[0] < 0 && w->child.fds[1] < 0;
    if (!changed && !silent && ++w->turns % LOOK_EVERY != 0)
        return;
    if (w->progress == COLLECTED)
        txg_runner_look(&w->runner);
    else if (txg_child_reap(&w->child, txg_listing_feed, &w->listing))
        txg_listing_take(&w->listing);
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
    struct pollfd fds[N_FDS];
    for (;;) {
        go_on_collecting(w);
        if (start_next(w) != 0)
            return 1;
        if (w->shutdown && w->queue.head == w->queue.tail)
            txg_runner_retire(&w->runner);
        if (is_finished(w))
            return say_goodbye(w);
        if (flush(w) != 0)
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
    w.arch = txg_xstrdup(*config->arch ? config->arch : uname(&name) == 0 ? name.machine : "");
    w.emulator = *config->emulator;
    w.child.emulator = &w.emulator;
    if (w.emulator.n > 0)
        find_program(&w.emulator.items[0], &w.env, "");
    w.cwd = getcwd(NULL, 0);
    if (!w.cwd)
        w.cwd = txg_xstrdup("/");
    w.times = txg_liveness_scaled(config->heartbeat);
    w.held_from = txg_now();
    w.child.fds[0] = w.child.fds[1] = w.child.commands = w.child.results = -1;
    txg_link_init(&w.link, config->fd, config->fd);
    w.reporting = (struct txg_reporting){.mux = &w.link.mux, .channel = config->channel};
    w.listing = (struct txg_listing){.child = &w.child,
                                     .collection = &w.collection,
                                     .env = &w.env,
                                     .hello = &w.hello,
                                     .reporting = &w.reporting};
    w.runner = (struct txg_runner){.child = &w.child,
                                   .collection = &w.collection,
                                   .reporting = &w.reporting,
                                   .queue = &w.queue,
                                   .env = &w.env,
                                   .hello = &w.hello,
                                   .fence = w.held_from + w.times.stop,
                                   .pace = -1};
    txg_wait_prepare();
    int status = run(&w);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    txg_link_close(&w.link);
    txg_child_release(&w.child);
    txg_runner_release(&w.runner);
    txg_buf_release(&w.listing.text);
    txg_buf_release(&w.hello);
    txg_queue_release(&w.queue);
    txg_reporting_release(&w.reporting);
    txg_collection_release(&w.collection);
    txg_strv_release(&w.env);
    txg_strv_release(&w.emulator);
    free(w.cwd);
    free(w.arch);
    free(w.id);
    free(w.label);
    return status;
}
