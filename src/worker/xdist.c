#include "config.h"

#include "src/worker/xdist.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/worker/link.h"
#include "src/worker/spawn.h"
#include "src/worker/sweep.h"
#include "src/worker/xdist_server.h"

#define CHANNEL         1       /* of the worker on its socket */
#define HEARTBEAT       2000000 /* microseconds */
#define GRACE           5000000 /* between TERM and KILL of a test */
#define BURY_LIMIT      2000    /* milliseconds for a worker that closed its socket */
#define READ_SIZE       (64u * 1024)
#define BOOTSTRAP_LIMIT INT64_C(60000000) /* for execnet's first line, microseconds */
#define UNSENT_MAX      (1u << 20)        /* bytes for execnet at which the worker is not read */
#define SWEEP_LIMIT     INT64_C(4000000)

struct process {
    int in, out; /* execnet's */
    struct txg_xdist_server *server;
    bool over; /* nothing can be read or written any more */
    struct txg_link link;
    pid_t pid; /* of the worker; 0: none runs */
    struct txg_liveness times;
    int64_t began, heard, listened, pinged, ping_n;
};

/* In the new process: it has no business with execnet. Ctrl-C is for pytest, and tests are to have
 * it as it comes: hence a group of its own rather than a signal that is ignored. */
static void in_child(void *user)
{
    const struct process *p = user;
    close(p->in);
    close(p->out);
    setpgid(0, 0);
}

static void send_message(void *user, const struct txg_msg *msg)
{
    struct process *p = user;
    if (p->pid)
        txg_mux_send(&p->link.mux, CHANNEL, msg);
}

static void kill_worker(void *user)
{
    const struct process *p = user;
    if (p->pid)
        kill(p->pid, SIGKILL);
}

static int open_worker(void *user, const struct txg_msg_workerinput *input,
                       const struct txg_strv *paths, struct txg_err *err)
{
    struct process *p = user;
    struct txg_msg_open open = {.channel = CHANNEL};
    struct txg_spawn spawn = {
        .open = &open, .heartbeat = HEARTBEAT, .in_child = in_child, .user = p};
    int fd;
    pid_t pid = txg_spawn_worker(&spawn, &fd, err);
    if (pid < 0)
        return -1;
    p->pid = pid;
    txg_link_init(&p->link, fd, fd);
    p->heard = p->listened = txg_now();
    struct txg_msg msg = {.type = TXG_MSG_WORKERINPUT, .workerinput = *input};
    struct txg_msg suite = {.type = TXG_MSG_SUITE}, files = {.type = TXG_MSG_FILES};
    struct txg_msg collect = {.type = TXG_MSG_COLLECT};
    send_message(p, &msg);
    suite.suite.harness = TXG_SPAN("auto");
    suite.suite.grace = GRACE;
    send_message(p, &suite);
    files.files.paths = txg_xcalloc(paths->n + 1, sizeof *files.files.paths);
    for (size_t i = 0; i < paths->n; i++)
        files.files.paths[files.files.n_paths++] = txg_span_cstr(paths->items[i]);
    send_message(p, &files);
    free(files.files.paths);
    collect.collect.records = true;
    send_message(p, &collect);
    return 0;
}

static const struct txg_xdist_ops ops = {
    .open = open_worker, .send = send_message, .kill = kill_worker, .is_host = true};

static struct txg_xdist_node *node_of(const struct process *p)
{
    return txg_xdist_server_node(p->server);
}

/* Its socket is at its end: it has died or is about to. What it left behind is killed. */
static void bury(struct process *p)
{
    int status = 0;
    for (int waited = 0; waitpid(p->pid, &status, WNOHANG) == 0; waited++) {
        if (waited >= BURY_LIMIT)
            kill(p->pid, SIGKILL);
        poll(NULL, 0, 1);
    }
    txg_link_close(&p->link);
    p->pid = 0;
    TXG_AUTOFREE char *text =
        WIFSIGNALED(status)
            ? txg_xasprintf("the worker process was ended by signal %d (%s)", WTERMSIG(status),
                            strsignal(WTERMSIG(status)))
            : txg_xasprintf("the worker process ended with status %d", WEXITSTATUS(status));
    txg_xdist_node_down(node_of(p), text);
    txg_sweep_all(SWEEP_LIMIT, NULL);
}

static void read_worker(struct process *p, int64_t now)
{
    int got = txg_link_read(&p->link);
    struct txg_frame frame;
    struct txg_msg msg;
    struct txg_err err = {0};
    int rc;
    if (got != 0)
        p->heard = now;
    while ((rc = txg_mux_next(&p->link.mux, &frame, &err)) == 1) {
        rc = txg_msg_decode(frame.payload, &msg, &err);
        if (rc == 0)
            txg_xdist_node_message(node_of(p), &msg);
        txg_msg_release(&msg);
        if (rc < 0)
            break;
    }
    if (rc < 0)
        txg_xdist_node_give_up(node_of(p), err.text);
    if (got < 0)
        bury(p);
}

static void keep_alive(struct process *p, int64_t now)
{
    /* Silence is the worker's own only while this process was not stopped itself. */
    if (now - p->listened > p->times.beat + p->times.beat / 2)
        p->heard = now;
    p->listened = now;
    if (now - p->pinged >= p->times.beat) {
        struct txg_msg msg = {.type = TXG_MSG_PING};
        msg.ping.n = ++p->ping_n;
        msg.ping.heartbeat = p->times.beat;
        txg_mux_send(&p->link.mux, 0, &msg);
        p->pinged = now;
    }
    if (now - p->heard >= p->times.stop) {
        TXG_AUTOFREE char *text =
            txg_xasprintf("the worker process did not answer for %.3g s and was killed",
                          (double)(now - p->heard) / 1e6);
        txg_xdist_node_down(node_of(p), text);
        kill(p->pid, SIGKILL);
    }
}

static void read_execnet(struct process *p)
{
    static char buffer[READ_SIZE];
    ssize_t n = read(p->in, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0)
        txg_xdist_server_feed(p->server, buffer, (size_t)n);
    else
        p->over = true;
}

static void flush(struct process *p)
{
    struct txg_buf *out = txg_xdist_server_out(p->server);
    while (txg_buf_len(out) > 0) {
        ssize_t n = write(p->out, txg_buf_data(out), txg_buf_len(out));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            p->over = true;
            return;
        }
        txg_buf_consume(out, (size_t)n);
    }
}

static int timeout(const struct process *p)
{
    int64_t until = INT64_MAX, now = txg_now();
    if (!txg_xdist_server_is_booted(p->server))
        until = p->began + BOOTSTRAP_LIMIT;
    else if (p->pid)
        until = p->pinged + p->times.beat;
    return until == INT64_MAX ? -1 : until <= now ? 0 : (int)((until - now) / 1000 + 1);
}

static void serve_once(struct process *p)
{
    bool waiting = txg_buf_len(txg_xdist_server_out(p->server)) > 0;
    bool listen = txg_buf_len(txg_xdist_server_out(p->server)) <= UNSENT_MAX;
    struct pollfd fds[] = {
        {.fd = p->in, .events = POLLIN},
        {.fd = waiting ? p->out : -1, .events = POLLOUT},
        {.fd = p->pid ? p->link.in : -1, .events = (short)(listen ? POLLIN : 0)},
    };
    if (p->pid && txg_link_has_unsent(&p->link))
        fds[2].events |= POLLOUT;
    if (!listen)
        p->heard = txg_now();
    if (poll(fds, 3, timeout(p)) < 0)
        fds[0].revents = fds[1].revents = fds[2].revents = 0;
    int64_t now = txg_now();
    if (fds[0].revents)
        read_execnet(p);
    if (p->pid && fds[2].revents & (POLLIN | POLLHUP | POLLERR))
        read_worker(p, now);
    if (p->pid)
        keep_alive(p, now);
    if (p->pid)
        txg_link_flush(&p->link);
    flush(p);
}

static bool is_over(const struct process *p)
{
    return p->over || txg_xdist_server_is_over(p->server);
}

static int finish(struct process *p)
{
    const char *fault = txg_xdist_server_fault(p->server);
    bool booted = txg_xdist_server_is_booted(p->server);
    if (*fault)
        fprintf(stderr, "txgate-worker: execnet: %s\n", fault);
    else if (!booted)
        fprintf(stderr, "txgate-worker: execnet: no first line came\n");
    kill_worker(p);
    txg_link_close(&p->link);
    txg_xdist_server_free(p->server);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    close(p->in);
    close(p->out);
    return booted ? 0 : 1;
}

int txg_xdist_main(int in, int out)
{
    struct process p = {.in = in, .out = out, .began = txg_now()};
    p.times = txg_liveness_scaled(HEARTBEAT);
    p.link.in = p.link.out = -1;
    p.server = txg_xdist_server_new(&ops, &p);
    txg_sweep_prepare();
    signal(SIGPIPE, SIG_IGN);
    /* Ctrl-C is for pytest, which then says TERMINATE. */
    signal(SIGINT, SIG_IGN);
    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
    while (!is_over(&p)) {
        serve_once(&p);
        if (!txg_xdist_server_is_booted(p.server) && txg_now() >= p.began + BOOTSTRAP_LIMIT)
            p.over = true;
    }
    return finish(&p);
}
