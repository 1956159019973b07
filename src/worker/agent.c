#include "config.h"

#include "src/worker/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/wire/lease.h"
#include "src/base/clock.h"
#include "src/worker/files.h"
#include "src/worker/known.h"
#include "src/worker/link.h"
#include "src/worker/raw.h"
#include "src/worker/spawn.h"
#include "src/worker/sweep.h"
#include "src/worker/wait.h"

#define UNSENT_MAX   (1u << 20) /* bytes on the link at which workers are no longer read */
#define QUIET        2000       /* microseconds between two looks at the workers' sockets */
#define FLOWING      (1u << 16) /* bytes in one look: who wrote them waits for room to write more */
#define SWEEP_LIMIT  INT64_C(4000000)
#define HELLO_LIMIT  INT64_C(60000000) /* for the controller's hello */
#define CHANNELS_MAX 8192

enum exit_status { EXIT_LINK = 0, EXIT_PROTOCOL = 3 };

struct entry { /* one worker, or one program on a raw channel */
    pid_t pid;
    uint32_t channel;
    struct txg_link link; /* of a program: only its descriptors */
    bool is_raw;
    struct txg_raw raw;
    bool closed;   /* its socket is at its end: it has died or is about to */
    int64_t heard; /* when something came from it last, or when it was not listened to */
    enum txg_exit_cause cause; /* why the agent killed it; TXG_EXIT_STATUS: it did not */
    char *text;
};

struct agent {
    struct txg_link link;
    bool greeted; /* the controller's hello has come */
    struct txg_lease lease;
    int64_t began, pinged, ping_n;
    int64_t listened; /* when the workers' sockets were last looked at */
    struct entry *workers;
    size_t n, cap;
    struct pollfd *fds;
    size_t cap_fds;
    int64_t quiet_until, flowing_until;
};

static void send_control(struct agent *a, const struct txg_msg *msg)
{
    txg_mux_send(&a->link.mux, 0, msg);
}

static struct entry *find_channel(struct agent *a, uint32_t channel)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->workers[i].channel == channel)
            return &a->workers[i];
    return NULL;
}

static void send_exited(struct agent *a, uint32_t channel, enum txg_exit_cause cause,
                        const char *text)
{
    struct txg_msg msg = {.type = TXG_MSG_EXITED};
    msg.exited.channel = channel;
    msg.exited.cause = cause;
    msg.exited.text = txg_span_cstr(text);
    send_control(a, &msg);
}

static void close_links(void *user)
{
    struct agent *a = user;
    txg_link_close(&a->link);
    for (size_t i = 0; i < a->n; i++)
        txg_link_close(&a->workers[i].link);
}

static void open_worker(struct agent *a, const struct txg_msg_open *open)
{
    struct txg_err err;
    if (find_channel(a, open->channel) || a->n >= CHANNELS_MAX) {
        send_exited(a, open->channel, TXG_EXIT_NOT_STARTED, "the channel is taken");
        return;
    }
    struct txg_spawn spawn = {open, a->lease.times.beat, close_links, a};
    int fd;
    pid_t pid = txg_spawn_worker(&spawn, &fd, &err);
    if (pid < 0) {
        send_exited(a, open->channel, TXG_EXIT_NOT_STARTED, err.text);
        return;
    }
    a->workers = txg_grow(a->workers, a->n, &a->cap, sizeof *a->workers);
    struct entry *e = &a->workers[a->n++];
    *e = (struct entry){
        .pid = pid,
        .channel = open->channel,
        .is_raw = open->n_argv > 0,
        .heard = txg_now(),
        .cause = TXG_EXIT_STATUS,
    };
    txg_link_init(&e->link, fd, fd);
    struct txg_msg msg = {.type = TXG_MSG_OPENED};
    msg.opened.channel = open->channel;
    msg.opened.pid = pid;
    send_control(a, &msg);
}

static void kill_worker(struct entry *e, enum txg_exit_cause cause, const char *text)
{
    if (e->cause != TXG_EXIT_STATUS)
        return;
    e->cause = cause;
    e->text = txg_xstrdup(text);
    kill(e->pid, SIGKILL);
}

/* The controller's hello ends the start: from here on beats are sent and the lease runs. */
static int take_hello(struct agent *a, const struct txg_msg_hello *hello)
{
    if (hello->protocol != TXG_PROTOCOL) {
        fprintf(stderr,
                "txgate-worker: this worker speaks protocol %d, the controller %lld: install the "
                "same version of txgate on both sides\n",
                TXG_PROTOCOL, (long long)hello->protocol);
        return -1;
    }
    a->greeted = true;
    txg_lease_init(&a->lease, txg_liveness_scaled(hello->heartbeat ? hello->heartbeat : 2000000),
                   txg_now());
    a->pinged = txg_now();
    return 0;
}

static void ping_workers(struct agent *a, int64_t now)
{
    int64_t silence = a->lease.times.stop;
    struct txg_msg msg = {.type = TXG_MSG_PING};
    msg.ping.n = ++a->ping_n;
    msg.ping.age = txg_lease_age(&a->lease, now);
    msg.ping.heartbeat = a->lease.times.beat;
    for (size_t i = 0; i < a->n; i++) {
        struct entry *e = &a->workers[i];
        if (e->is_raw)
            continue; /* it knows nothing of pings */
        if (now - e->heard >= silence) {
            TXG_AUTOFREE char *text =
                txg_xasprintf("no answer for %.3g s, killed", (double)(now - e->heard) / 1e6);
            kill_worker(e, TXG_EXIT_FROZEN, text);
            continue;
        }
        txg_mux_send(&e->link.mux, 0, &msg);
        txg_link_flush(&e->link);
    }
    a->pinged = now;
}

/* Workers are pinged when an echo comes, so that their fence counts from the same moment as ours;
 * without echoes now and then all the same: silence and age must be told. */
static int64_t next_ping(const struct agent *a)
{
    return a->pinged + a->lease.times.beat + a->lease.times.beat / 2;
}

/* What the file system has room for that files of this run would go to. */
static int64_t free_bytes(void)
{
    struct statvfs fs;
    TXG_AUTOFREE char *home = txg_files_home();
    if (!home || statvfs(home, &fs) != 0 ||
        fs.f_bavail > INT64_MAX / (fs.f_frsize ? fs.f_frsize : 1))
        return 0;
    return (int64_t)(fs.f_bavail * fs.f_frsize);
}

static void answer_probe(struct agent *a, int64_t n)
{
    struct timeval wall;
    struct txg_msg msg = {.type = TXG_MSG_PROBED};
    msg.probed.n = n;
    msg.probed.free = free_bytes();
    gettimeofday(&wall, NULL);
    msg.probed.wall = (int64_t)wall.tv_sec * 1000000 + wall.tv_usec;
    send_control(a, &msg);
}

static int take_control(struct agent *a, const struct txg_msg *msg)
{
    struct entry *e;
    if (!a->greeted && msg->type != TXG_MSG_HELLO)
        return -1;
    switch (msg->type) {
    case TXG_MSG_HELLO:
        return a->greeted ? -1 : take_hello(a, &msg->hello);
    case TXG_MSG_OPEN:
        open_worker(a, &msg->open);
        return 0;
    case TXG_MSG_CLOSE:
        e = find_channel(a, msg->close.channel);
        if (e)
            kill_worker(e, TXG_EXIT_CLOSED, "closed by the controller");
        return 0;
    case TXG_MSG_PROBE:
        answer_probe(a, msg->beat.n);
        return 0;
    case TXG_MSG_LEASE:
        txg_lease_echo(&a->lease, msg->beat.n);
        ping_workers(a, txg_now());
        return 0;
    default:
        return -1;
    }
}

static int take_link_frame(struct agent *a, const struct txg_frame *frame)
{
    if (frame->channel != 0) {
        struct entry *e = find_channel(a, frame->channel);
        if (e && e->is_raw && txg_raw_take(&e->raw, frame->payload) != 0)
            kill_worker(e, TXG_EXIT_PROTOCOL, "it does not read what it is sent");
        else if (e && !e->is_raw) /* a worker that has just ended is told nothing more */
            txg_mux_relay(&e->link.mux, frame);
        return 0;
    }
    struct txg_msg msg;
    struct txg_err err;
    int rc = txg_msg_decode(frame->payload, &msg, &err);
    if (rc == 0)
        rc = take_control(a, &msg);
    else
        fprintf(stderr, "txgate-worker: the controller sent what is not in the protocol: %s\n",
                err.text);
    txg_msg_release(&msg);
    return rc;
}

/* Frames of a worker go up as they came; what is for the agent itself is only its pong. */
static void relay_worker(struct agent *a, struct entry *e)
{
    struct txg_frame frame;
    struct txg_err err = {0};
    int rc;
    while ((rc = txg_mux_next(&e->link.mux, &frame, &err)) == 1) {
        if (frame.channel == e->channel)
            txg_mux_relay(&a->link.mux, &frame);
        else if (frame.channel != 0)
            kill_worker(e, TXG_EXIT_PROTOCOL, "it wrote to a channel that is not its own");
    }
    if (rc < 0)
        kill_worker(e, TXG_EXIT_PROTOCOL, err.text);
}

/* The bytes that came. */
static size_t read_worker(struct agent *a, struct entry *e, int64_t now)
{
    int got =
        e->is_raw ? txg_raw_read(e->link.in, &a->link.mux, e->channel) : txg_link_read(&e->link);
    e->closed = got < 0;
    if (!e->is_raw) {
        if (got != 0)
            e->heard = now;
        relay_worker(a, e);
    }
    return got < 0 ? 0 : (size_t)got;
}

static void describe_end(const struct entry *e, int status, const struct rusage *usage,
                         struct txg_msg_exited *out)
{
    out->channel = e->channel;
    out->cause = e->cause;
    out->text = txg_span_cstr(e->text);
    if (WIFEXITED(status))
        out->status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) {
        out->signal = WTERMSIG(status);
        if (e->cause == TXG_EXIT_STATUS)
            out->cause = TXG_EXIT_SIGNAL;
    }
    out->utime = (int64_t)usage->ru_utime.tv_sec * 1000000 + usage->ru_utime.tv_usec;
    out->stime = (int64_t)usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec;
    out->maxrss = (int64_t)usage->ru_maxrss * 1024;
}

static bool is_worker(void *user, pid_t pid)
{
    const struct agent *a = user;
    for (size_t i = 0; i < a->n; i++)
        if (a->workers[i].pid == pid)
            return true;
    return false;
}

static void bury(struct agent *a, struct entry *e, int status, const struct rusage *usage)
{
    /* What it had written is still there and comes first. */
    while (e->is_raw && txg_raw_read(e->link.in, &a->link.mux, e->channel) > 0)
        continue;
    while (!e->is_raw && txg_link_read(&e->link) > 0)
        relay_worker(a, e);
    if (!e->is_raw)
        relay_worker(a, e);
    struct txg_msg msg = {.type = TXG_MSG_EXITED};
    describe_end(e, status, usage, &msg.exited);
    txg_mux_send_behind(&a->link.mux, 0, &msg);
    txg_link_close(&e->link);
    txg_raw_release(&e->raw);
    free(e->text);
    *e = a->workers[--a->n];
}

/* Workers that ended are buried; anything else that ended was an orphan of one that did. */
static void reap(struct agent *a)
{
    int status;
    struct rusage usage;
    bool orphans = false;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        orphans = true;
        for (size_t i = 0; i < a->n; i++) {
            if (a->workers[i].pid == pid) {
                bury(a, &a->workers[i], status, &usage);
                break;
            }
        }
    }
    if (orphans)
        txg_sweep_once(is_worker, a);
}

/* -1: the lease is lost for good. */
static int keep_alive(struct agent *a, int64_t now)
{
    if (!a->greeted)
        return now - a->began >= HELLO_LIMIT ? -1 : 0;
    if (txg_lease_state(&a->lease, now) == TXG_LEASE_KILL)
        return -1;
    struct txg_msg beat = {.type = TXG_MSG_BEAT};
    if (txg_lease_beat(&a->lease, now, &beat.beat.n))
        send_control(a, &beat);
    if (now >= next_ping(a))
        ping_workers(a, now);
    return 0;
}

static bool has_unsent(const struct entry *e)
{
    return e->is_raw ? txg_buf_len(&e->raw.unread) > 0 : txg_link_has_unsent(&e->link);
}

static void flush_worker(struct entry *e)
{
    if (e->is_raw)
        txg_raw_flush(&e->raw, e->link.out);
    else
        txg_link_flush(&e->link);
}

/* The workers' fds are left out while the link is behind, and for a moment after each look: waking
 * for every test would cost more than the test's own bookkeeping. */
static size_t fill_fds(struct agent *a, bool listen)
{
    a->fds = txg_xrealloc_array(a->fds, a->n + 2, sizeof *a->fds);
    a->fds[0] = (struct pollfd){.fd = a->link.in, .events = POLLIN};
    a->fds[1] =
        (struct pollfd){.fd = txg_link_has_unsent(&a->link) ? a->link.out : -1, .events = POLLOUT};
    for (size_t i = 0; i < a->n; i++) {
        struct entry *e = &a->workers[i];
        short events = listen ? POLLIN : 0;
        if (has_unsent(e))
            events |= POLLOUT;
        /* A closed socket is always ready, and ppoll lets no SIGCHLD in while something is. */
        bool wanted = events && !e->closed;
        a->fds[2 + i] = (struct pollfd){.fd = wanted ? e->link.in : -1, .events = events};
    }
    return a->n + 2;
}

static int64_t next_deadline(const struct agent *a, int64_t now)
{
    int64_t next = a->began + HELLO_LIMIT;
    if (a->greeted) {
        next = txg_lease_deadline(&a->lease, now);
        if (next_ping(a) < next)
            next = next_ping(a);
    }
    if (a->quiet_until > now && a->quiet_until < next)
        next = a->quiet_until;
    return next;
}

/* Silence is a worker's own only while this process listened: not while it was stopped or starved,
 * and not while the link is behind and the workers are not read. */
static void forgive_silence(struct agent *a, int64_t now, bool behind)
{
    bool paused = a->greeted && now - a->listened > a->lease.times.beat + a->lease.times.beat / 2;
    a->listened = now;
    if (paused || behind)
        for (size_t i = 0; i < a->n; i++)
            a->workers[i].heard = now;
}

static void wait_for_events(struct agent *a, int64_t now)
{
    bool behind = txg_mux_unsent(&a->link.mux) > UNSENT_MAX;
    size_t n = fill_fds(a, !behind && now >= a->quiet_until);
    txg_wait(a->fds, n, next_deadline(a, now));
}

static int read_link(struct agent *a)
{
    struct txg_frame frame;
    struct txg_err err = {0};
    int got = txg_link_read(&a->link), rc;
    while ((rc = txg_mux_next(&a->link.mux, &frame, &err)) == 1)
        if (take_link_frame(a, &frame) != 0)
            return -1;
    if (rc < 0)
        fprintf(stderr, "txgate-worker: %s\n", err.text);
    for (size_t i = 0; i < a->n; i++)
        if (has_unsent(&a->workers[i]) || a->workers[i].raw.ended)
            flush_worker(&a->workers[i]);
    return rc < 0 || got < 0 ? -1 : 0;
}

/* Reports are few bytes, and are left to gather. */
static void read_workers(struct agent *a, size_t n, int64_t now)
{
    size_t came = 0;
    bool looked = false;
    for (size_t i = 0; i < n && i < a->n; i++) {
        short revents = a->fds[2 + i].revents;
        if (revents & POLLOUT)
            flush_worker(&a->workers[i]);
        if (!(revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        came += read_worker(a, &a->workers[i], now);
        looked = true;
    }
    if (came >= FLOWING)
        a->flowing_until = now + QUIET;
    if (looked && now >= a->flowing_until)
        a->quiet_until = now + QUIET;
}

static volatile sig_atomic_t asked_to_leave;

static void on_leave(int signum)
{
    (void)signum;
    asked_to_leave = 1;
}

/* The controller takes back what has not started, and closes when the rest is done. False: nothing
 * is served that would have to end first. */
static bool take_leave(struct agent *a)
{
    struct txg_msg msg = {.type = TXG_MSG_LEAVING};
    asked_to_leave = 0;
    send_control(a, &msg);
    return a->n > 0;
}

static int serve(struct agent *a)
{
    for (;;) {
        int64_t now = txg_now();
        if (asked_to_leave && !take_leave(a))
            return 0;
        forgive_silence(a, now, txg_mux_unsent(&a->link.mux) > UNSENT_MAX);
        if (keep_alive(a, now) != 0)
            return EXIT_LINK;
        if (txg_link_flush(&a->link) != 0)
            return EXIT_LINK;
        size_t n = a->n;
        wait_for_events(a, now);
        now = txg_now();
        read_workers(a, n, now);
        if (a->fds[0].revents & (POLLIN | POLLHUP | POLLERR) && read_link(a) != 0)
            return a->greeted ? EXIT_LINK : EXIT_PROTOCOL;
        if (txg_wait_child_changed())
            reap(a);
    }
}

/* The line that ends a login shell's noise, and hello behind it: in one write, without the mux,
 * which would look for a frame's header in the line. A sealed link has no noise and no line. */
static void greet(struct agent *a, const char *token)
{
    struct utsname name;
    bool known = uname(&name) == 0;
    TXG_AUTOFREE char *kernel =
        known ? txg_xasprintf("%s %s", name.sysname, name.release) : txg_xstrdup("");
    struct txg_msg msg = {.type = TXG_MSG_HELLO};
    msg.hello.protocol = TXG_PROTOCOL;
    msg.hello.version = TXG_SPAN(PACKAGE_VERSION);
    msg.hello.arch = txg_span_cstr(known ? name.machine : "");
    msg.hello.kernel = txg_span_cstr(kernel);
    msg.hello.pid = getpid();
    struct txg_buf out = {0};
    if (token)
        txg_buf_printf(&out, "TXG %s\n", token);
    size_t mark = txg_frame_begin(&out, 0);
    txg_msg_encode(&msg, &out);
    txg_frame_end(&out, mark);
    ssize_t n = write(a->link.out, txg_buf_data(&out), txg_buf_len(&out));
    (void)n; /* a link that takes not even this is found closed at the first read */
    txg_buf_release(&out);
}

int txg_agent_main(int in, int out, const char *token)
{
    struct agent a = {.began = txg_now()};
    a.listened = a.began;
    txg_sweep_prepare();
    txg_wait_prepare();
    txg_known_share();
    txg_link_init(&a.link, in, out);
    if (!token) /* who started it with a service can ask it to leave */
        signal(SIGTERM, on_leave);
    greet(&a, token);
    int status = serve(&a);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    txg_link_close(&a.link);
    for (size_t i = 0; i < a.n; i++) {
        txg_link_close(&a.workers[i].link);
        txg_raw_release(&a.workers[i].raw);
        free(a.workers[i].text);
    }
    free(a.workers);
    free(a.fds);
    return status;
}
