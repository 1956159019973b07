#include "config.h"

/*
 * A remote shell over SSH. A thread takes the host from its name to the started shell (job.h); then
 * the session moves onto the loop, driven by uv_poll, and no thread touches it again.
 */
#include "gateway/transport.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ssh/job.h"
#include "gateway/words.h"
#include "src/base/str.h"

#define COMMAND     "exec sh" /* bash, dash, ash, zsh, csh and fish all take it */
#define TURNS       64        /* reads of libssh, 4 KiB each, in one turn of the loop */
#define DRAIN_GRACE 500       /* ms for the rest of the output once the shell has ended */
#define KILL_GRACE  500       /* ms for a signal to arrive before the connection is cut */

struct ssh {
    struct txg_transport base;
    uv_loop_t *loop;
    const struct txg_spec *spec; /* borrowed */
    bool accept_new;
    int64_t timeout;         /* microseconds */
    struct txg_ssh_job *job; /* NULL once it is done with */
    struct txg_ssh_link link;
    ssh_event event;
    size_t most; /* of the window, txg_ssh_room() */
    uv_poll_t poll;
    uv_async_t async;
    uv_timer_t timer;
    unsigned handles; /* that are not closed yet */
    struct txg_words words;
    struct txg_strv ignored;
    char *reason; /* owned; set once it is known why it ended */
    const char *step;
    bool open, wants_room;
    bool stopped;  /* by the owner: nothing but on_end is told from here on */
    bool deaf;     /* the far side closed its end of the link */
    bool silenced; /* and did not end */
    bool killed, draining, finishing;
};

static struct txg_transport *create(const struct txg_transport_config *config)
{
    struct ssh *s = txg_xcalloc(1, sizeof *s);
    s->base = (struct txg_transport){&txg_ssh_ops, config->events, config->user, false};
    s->loop = config->loop;
    s->timeout = config->connect_timeout;
    s->step = "connect";
    s->spec = config->spec;
    s->accept_new = config->accept_new_host_keys;
    signal(SIGPIPE, SIG_IGN);
    return &s->base;
}

static void on_closed(uv_handle_t *handle)
{
    struct ssh *s = handle->data;
    if (--s->handles > 0)
        return;
    if (s->event) {
        ssh_event_remove_session(s->event, s->link.session);
        ssh_event_free(s->event);
    }
    txg_ssh_link_close(&s->link);
    s->base.events->on_end(&s->base, s->step, s->reason, txg_words_last(&s->words));
}

static void close_handle(struct ssh *s, void *handle)
{
    uv_handle_t *h = handle;
    if (h->data == s && !uv_is_closing(h))
        uv_close(h, on_closed);
}

static void own_handle(struct ssh *s, void *handle)
{
    ((uv_handle_t *)handle)->data = s;
    s->handles++;
}

static void on_line(void *user, const char *line)
{
    struct ssh *s = user;
    if (!s->stopped)
        s->base.events->on_words(&s->base, line);
}

static void leave_job(struct ssh *s)
{
    txg_ssh_job_leave(s->job);
    s->job = NULL;
}

static void finish(struct ssh *s)
{
    if (s->finishing)
        return;
    s->finishing = true;
    if (!s->reason)
        s->reason = txg_xstrdup("closed");
    leave_job(s);
    txg_words_end(&s->words, on_line, s);
    close_handle(s, &s->poll);
    close_handle(s, &s->async);
    close_handle(s, &s->timer);
}

static void set_reason(struct ssh *s, char *reason)
{
    if (s->reason)
        free(reason);
    else
        s->reason = reason;
}

static void on_grace_over(uv_timer_t *timer);
static void arm(struct ssh *s);

static void kill_now(struct ssh *s)
{
    if (s->killed)
        return;
    s->killed = true;
    if (s->open && !s->link.stream->exited && ssh_channel_is_open(s->link.channel))
        ssh_channel_request_send_signal(s->link.channel, "KILL");
    uv_timer_start(&s->timer, on_grace_over, KILL_GRACE, 0);
}

/* The far side sees EOF and has the grace to end by itself. */
static void hang_up(struct ssh *s)
{
    if (ssh_channel_is_open(s->link.channel))
        ssh_channel_send_eof(s->link.channel);
    uv_timer_start(&s->timer, on_grace_over, TXG_TRANSPORT_GRACE, 0);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct ssh *s = timer->data;
    if (s->deaf && !s->silenced && !s->stopped) {
        s->silenced = true;
        hang_up(s);
        arm(s);
    } else if (s->draining || s->killed) {
        set_reason(s, txg_xstrdup("the remote program did not end and was left"));
        finish(s);
    } else {
        kill_now(s);
    }
}

/* Once the program has ended; and the rest of its output was read, or does not come to an end
 * because something that it left behind holds the channel open. */
static void see_end(struct ssh *s)
{
    const struct txg_ssh_stream *in = s->link.stream;
    const char *why = s->silenced ? " after it had closed the link" : "";
    if (in->exited)
        s->base.cut_off = in->signal[0] || txg_transport_was_killed(0, in->status);
    if (in->exited && !s->reason)
        s->reason =
            in->signal[0]
                ? txg_xasprintf("the remote program was killed by signal %s%s", in->signal, why)
                : txg_xasprintf("the remote program ended with status %d%s", in->status, why);
    if (in->closed || (in->exited && in->eof)) {
        s->base.cut_off |= !in->exited;
        set_reason(s, txg_xstrdup("the host closed the channel"));
        finish(s);
    } else if (in->exited && !s->draining) {
        s->draining = true;
        uv_timer_start(&s->timer, on_grace_over, DRAIN_GRACE, 0);
    } else if (in->eof && !s->deaf && !s->stopped) {
        s->deaf = true; /* how it ended usually comes behind */
        uv_timer_start(&s->timer, on_grace_over, DRAIN_GRACE, 0);
    }
}

/* Hands on what has come. */
static void deliver(struct ssh *s)
{
    struct txg_ssh_stream *in = s->link.stream;
    if (txg_buf_len(&in->err) > 0) {
        txg_words_feed(&s->words, txg_buf_data(&in->err), txg_buf_len(&in->err), on_line, s);
        txg_buf_clear(&in->err);
    }
    if (txg_buf_len(&in->out) > 0) {
        if (!s->stopped) /* a write from inside on_read may bring more: work on what is here now */
        {
            struct txg_buf now = in->out;
            in->out = (struct txg_buf){0};
            s->base.events->on_read(&s->base, txg_buf_data(&now), txg_buf_len(&now));
            txg_buf_release(&now);
        } else {
            txg_buf_clear(&in->out);
        }
    }
    if (s->wants_room && !s->stopped && txg_ssh_room(s->link.channel, &s->most) > 0) {
        s->wants_room = false;
        s->base.events->on_writable(&s->base);
    }
}

static void turn(struct ssh *s)
{
    int rc = SSH_OK;
    for (int i = 0; i < TURNS && rc == SSH_OK; i++)
        rc = ssh_event_dopoll(s->event, 0);
    deliver(s);
    see_end(s);
    if (s->finishing)
        return;
    if (rc == SSH_ERROR || !ssh_is_connected(s->link.session)) {
        const char *error = ssh_get_error(s->link.session);
        set_reason(s, txg_xasprintf("the connection ended%s%s", *error ? ": " : "", error));
        s->base.cut_off = true;
        finish(s);
        return;
    }
    arm(s);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct ssh *s = handle->data;
    (void)status, (void)events; /* libssh finds out itself */
    if (!s->finishing)
        turn(s);
}

static void arm(struct ssh *s)
{
    bool writes = ssh_get_poll_flags(s->link.session) & SSH_WRITE_PENDING;
    if (!s->finishing)
        uv_poll_start(&s->poll, UV_READABLE | (writes ? UV_WRITABLE : 0), on_ready);
}

static void take_session(struct ssh *s)
{
    s->event = ssh_event_new();
    ssh_event_add_session(s->event, s->link.session);
    uv_poll_init(s->loop, &s->poll, s->link.fd);
    own_handle(s, &s->poll);
    s->open = true;
    s->step = "link";
    uv_timer_stop(&s->timer);
    if (!s->stopped)
        s->base.events->on_open(&s->base);
    if (!s->finishing)
        turn(s);
}

static void wake(void *user)
{
    struct ssh *s = user;
    uv_async_send(&s->async);
}

/* From the thread: it is done. From this loop: libssh had something for us during a write. */
static void on_async(uv_async_t *async)
{
    struct ssh *s = async->data;
    if (s->finishing)
        return;
    if (s->open) {
        turn(s);
        return;
    }
    struct txg_ssh_outcome outcome;
    if (!s->job || !txg_ssh_job_take(s->job, &outcome))
        return;
    leave_job(s);
    s->ignored = outcome.ignored;
    s->link = outcome.link;
    if (s->link.session) {
        take_session(s);
    } else {
        s->step = outcome.step;
        s->reason = txg_xstrdup(outcome.err.text);
        finish(s);
    }
}

static void on_late(uv_timer_t *timer)
{
    struct ssh *s = timer->data;
    char doing[256];
    s->step = txg_ssh_job_where(s->job, doing, sizeof doing);
    set_reason(s, txg_xasprintf("no answer within %.6g s (--connect-timeout), %s",
                                (double)s->timeout / 1e6, doing));
    finish(s);
}

static void on_not_started(uv_timer_t *timer)
{
    finish(timer->data);
}

static void start(struct txg_transport *t)
{
    struct ssh *s = (struct ssh *)t;
    struct txg_err err;
    uv_timer_init(s->loop, &s->timer);
    own_handle(s, &s->timer);
    uv_async_init(s->loop, &s->async, on_async);
    own_handle(s, &s->async);
    s->job = txg_ssh_job_start(&(struct txg_ssh_job_config){.spec = s->spec,
                                                            .accept_new = s->accept_new,
                                                            .command = COMMAND,
                                                            .timeout = s->timeout,
                                                            .wake = wake,
                                                            .user = s},
                               &err);
    if (!s->job) {
        s->reason = txg_xstrdup(err.text);
        uv_timer_start(&s->timer, on_not_started, 0, 0);
        return;
    }
    /* A little before the owner gives up, who knows less of where the time went. */
    uint64_t limit = (uint64_t)(s->timeout / 1000), margin = limit / 20;
    uv_timer_start(&s->timer, on_late, limit - (margin < 250 ? margin : 250), 0);
}

static size_t write_some(struct txg_transport *t, const void *data, size_t len)
{
    struct ssh *s = (struct ssh *)t;
    if (!s->open || s->finishing || s->stopped || !ssh_channel_is_open(s->link.channel))
        return len;
    size_t room = txg_ssh_room(s->link.channel, &s->most), part = len < room ? len : room;
    int n = part ? ssh_channel_write(s->link.channel, data, (uint32_t)part) : 0;
    s->wants_room = n >= 0 && (size_t)n < len;
    /* A write reads as well: what came is told from the loop, and a fault too. */
    if (n < 0 || txg_buf_len(&s->link.stream->out) > 0 || s->link.stream->exited ||
        s->link.stream->closed)
        uv_async_send(&s->async);
    arm(s);
    return n < 0 ? len : (size_t)n;
}

static void stop(struct txg_transport *t)
{
    struct ssh *s = (struct ssh *)t;
    if (s->stopped || s->finishing)
        return;
    s->stopped = true;
    if (s->open) {
        hang_up(s);
        arm(s);
    } else if (s->job) {
        set_reason(s, txg_xstrdup("closed before it was connected"));
        leave_job(s);
        uv_timer_start(&s->timer, on_not_started, 0, 0);
    }
}

static void kill_transport(struct txg_transport *t)
{
    struct ssh *s = (struct ssh *)t;
    stop(t);
    if (s->open && !s->finishing) {
        kill_now(s);
        arm(s);
    }
}

static void free_transport(struct txg_transport *t)
{
    struct ssh *s = (struct ssh *)t;
    txg_words_release(&s->words);
    txg_strv_release(&s->ignored);
    free(s->reason);
    free(s);
}

static const struct txg_strv *ignored(const struct txg_transport *t)
{
    return &((const struct ssh *)t)->ignored;
}

const struct txg_transport_ops txg_ssh_ops = {
    .name = "ssh",
    .shell = true,
    .create = create,
    .start = start,
    .write = write_some,
    .stop = stop,
    .kill = kill_transport,
    .free = free_transport,
    .ignored = ignored,
};
