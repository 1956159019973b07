#include "config.h"

#include "gateway/process.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/words.h"
#include "gateway/writer.h"
#include "src/base/str.h"

#define READ_SIZE   65536
#define DRAIN_GRACE 500 /* ms for the rest of the output when something else holds it open */

struct process {
    struct txg_transport base;
    uv_loop_t *loop;
    char **argv;     /* NULL-terminated; all owned */
    const char *who; /* what ends, in reasons; borrowed */
    uv_process_t process;
    uv_pipe_t in, out, err; /* named from the child's side */
    uv_timer_t timer;
    unsigned handles; /* that are not closed yet */
    struct txg_writer writer;
    struct txg_words words;
    char *reason;     /* owned; set once it is known why it ended */
    const char *step; /* "start" until on_open */
    bool spawned, exited, out_ended, err_ended;
    bool stopped;  /* by the owner: nothing but on_end is told from here on */
    bool silenced; /* it closed its end of the link first */
    bool killed, finishing;
    char in_buf[READ_SIZE];
};

static void finish(struct process *p);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_room(void *user)
{
    struct process *p = user;
    if (!p->stopped && !p->finishing)
        p->base.events->on_writable(&p->base);
}

struct txg_transport *txg_process_create(const struct txg_transport_ops *ops,
                                         const struct txg_transport_config *config,
                                         const struct txg_strv *argv, const char *who)
{
    struct process *p = txg_xcalloc(1, sizeof *p);
    p->base = (struct txg_transport){ops, config->events, config->user, false};
    p->loop = config->loop;
    p->argv = txg_xcalloc(argv->n + 1, sizeof *p->argv);
    for (size_t i = 0; i < argv->n; i++)
        p->argv[i] = txg_xstrdup(argv->items[i]);
    p->who = who ? who : p->argv[0];
    p->step = "start";
    p->writer = (struct txg_writer){.stream = (uv_stream_t *)&p->in, .on_room = on_room, .user = p};
    signal(SIGPIPE, SIG_IGN);
    return &p->base;
}

static void on_closed(uv_handle_t *handle)
{
    struct process *p = handle->data;
    if (--p->handles == 0)
        p->base.events->on_end(&p->base, p->step, p->reason, txg_words_last(&p->words));
}

static void close_handle(struct process *p, void *handle)
{
    uv_handle_t *h = handle;
    if (h->data == p && !uv_is_closing(h))
        uv_close(h, on_closed);
}

static void own_handle(struct process *p, void *handle)
{
    ((uv_handle_t *)handle)->data = p;
    p->handles++;
}

static void on_line(void *user, const char *line)
{
    struct process *p = user;
    if (!p->stopped)
        p->base.events->on_words(&p->base, line);
}

static void finish(struct process *p)
{
    if (p->finishing)
        return;
    p->finishing = true;
    txg_words_end(&p->words, on_line, p);
    close_handle(p, &p->process);
    close_handle(p, &p->in);
    close_handle(p, &p->out);
    close_handle(p, &p->err);
    close_handle(p, &p->timer);
}

static void kill_now(struct process *p)
{
    if (p->spawned && !p->exited)
        uv_kill(-p->process.pid, SIGKILL);
    p->killed = true;
}

/* Runs out three times at most: grace, then what SIGKILL may take, then nobody is waited for. */
static void on_grace_over(uv_timer_t *timer)
{
    struct process *p = timer->data;
    if (!p->exited && !p->killed) {
        kill_now(p);
        uv_timer_start(timer, on_grace_over, TXG_TRANSPORT_GRACE, 0);
        return;
    }
    if (!p->reason)
        p->reason = txg_xasprintf("%s did not end after SIGKILL", p->who);
    finish(p);
}

/* The link is of no use any more: the child sees EOF and has the grace to end by itself. */
static void hang_up(struct process *p)
{
    close_handle(p, &p->in);
    if (!p->exited)
        uv_timer_start(&p->timer, on_grace_over, TXG_TRANSPORT_GRACE, 0);
}

static void finish_when_drained(struct process *p)
{
    if (p->exited && p->out_ended && p->err_ended)
        finish(p);
}

static void on_child_exit(uv_process_t *process, int64_t status, int sig)
{
    struct process *p = process->data;
    p->exited = true;
    p->base.cut_off = !p->killed && txg_transport_was_killed(sig, (int)status);
    const char *why = p->silenced ? " after it had closed the link" : "";
    if (p->silenced && p->killed)
        p->reason = txg_xasprintf("%s closed the link but did not end, and was killed", p->who);
    else if (sig)
        p->reason =
            txg_xasprintf("%s was killed by signal %d (%s)%s", p->who, sig, strsignal(sig), why);
    else
        p->reason = txg_xasprintf("%s ended with status %d%s", p->who, (int)status, why);
    if (p->finishing)
        return;
    /* A process that the agent left behind may hold stdout open for ever. */
    uv_timer_start(&p->timer, on_grace_over, DRAIN_GRACE, 0);
    finish_when_drained(p);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct process *p = handle->data;
    *buf = uv_buf_init(p->in_buf, sizeof p->in_buf);
}

static void on_stream_end(struct process *p, uv_stream_t *stream)
{
    uv_read_stop(stream);
    if (stream == (uv_stream_t *)&p->err) {
        p->err_ended = true;
    } else {
        p->out_ended = true;
        if (!p->exited && !p->stopped) {
            p->silenced = true;
            hang_up(p);
        }
    }
    finish_when_drained(p);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct process *p = stream->data;
    if (n < 0)
        on_stream_end(p, stream);
    else if (n > 0 && stream == (uv_stream_t *)&p->err)
        txg_words_feed(&p->words, buf->base, (size_t)n, on_line, p);
    else if (n > 0 && !p->stopped)
        p->base.events->on_read(&p->base, buf->base, (size_t)n);
}

/* Told from the loop: nobody is called back from inside start. */
static void on_started(uv_timer_t *timer)
{
    struct process *p = timer->data;
    if (!p->spawned) {
        finish(p);
        return;
    }
    p->step = "link";
    uv_read_start((uv_stream_t *)&p->out, on_alloc, on_read);
    uv_read_start((uv_stream_t *)&p->err, on_alloc, on_read);
    p->base.events->on_open(&p->base);
}

static int spawn(struct process *p)
{
    uv_stdio_container_t stdio[3] = {
        {UV_CREATE_PIPE | UV_READABLE_PIPE, {.stream = (uv_stream_t *)&p->in}},
        {UV_CREATE_PIPE | UV_WRITABLE_PIPE, {.stream = (uv_stream_t *)&p->out}},
        {UV_CREATE_PIPE | UV_WRITABLE_PIPE, {.stream = (uv_stream_t *)&p->err}},
    };
    uv_process_options_t options = {
        .exit_cb = on_child_exit,
        .file = p->argv[0],
        .args = p->argv,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    return uv_spawn(p->loop, &p->process, &options);
}

void txg_process_start(struct txg_transport *t)
{
    struct process *p = (struct process *)t;
    uv_timer_init(p->loop, &p->timer);
    own_handle(p, &p->timer);
    uv_pipe_t *pipes[] = {&p->in, &p->out, &p->err};
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++) {
        uv_pipe_init(p->loop, pipes[i], 0);
        own_handle(p, pipes[i]);
    }
    int rc = spawn(p);
    own_handle(p, &p->process); /* libuv wants it closed after a failed spawn too */
    p->spawned = rc == 0;
    if (rc)
        p->reason = txg_xasprintf("%s: %s", strerror(-rc), p->argv[0]);
    uv_timer_start(&p->timer, on_started, 0, 0);
}

size_t txg_process_write(struct txg_transport *t, const void *data, size_t len)
{
    struct process *p = (struct process *)t;
    return uv_is_closing((uv_handle_t *)&p->in) ? len : txg_writer_write(&p->writer, data, len);
}

void txg_process_stop(struct txg_transport *t)
{
    struct process *p = (struct process *)t;
    if (p->stopped || p->finishing)
        return;
    p->stopped = true;
    if (!p->spawned) /* on_started is about to tell */
        return;
    /* What it still says is read and dropped, so that it never hangs in a write. */
    if (!uv_is_active((uv_handle_t *)&p->out) && !p->out_ended) {
        p->step = "link";
        uv_read_start((uv_stream_t *)&p->out, on_alloc, on_read);
        uv_read_start((uv_stream_t *)&p->err, on_alloc, on_read);
    }
    hang_up(p);
}

void txg_process_kill(struct txg_transport *t)
{
    struct process *p = (struct process *)t;
    txg_process_stop(t);
    kill_now(p);
}

void txg_process_free(struct txg_transport *t)
{
    struct process *p = (struct process *)t;
    txg_words_release(&p->words);
    txg_writer_release(&p->writer);
    free(p->reason);
    for (char **arg = p->argv; *arg; arg++)
        free(*arg);
    free(p->argv);
    free(p);
}
