#include "config.h"

/* reverse: a worker that connects to us (gateway/arrivals.h). */
#include "gateway/transport.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/arrivals.h"
#include "gateway/writer.h"
#include "src/base/str.h"

#define READ_SIZE 65536

/*
 *           a worker comes         stop: our end is closed, its is waited for
 *  WAITING ----------------> OPEN ------------------------------------------> ENDING --> on_end
 *     +--- deadline, stop, no door --------------------------------------------^
 */
enum state { WAITING, OPEN, ENDING };

struct reverse {
    struct txg_transport base;
    uv_loop_t *loop;
    const struct txg_spec *spec;
    struct txg_arrivals *arrivals; /* borrowed; NULL: this command has no --listen */
    struct txg_arrivals_waiter waiter;
    struct txg_arrival *worker; /* owned once it has come */
    int64_t limit;              /* microseconds */
    enum state state;
    uv_timer_t timer;
    struct txg_writer writer;
    uv_shutdown_t shutdown;
    bool stopped; /* by the owner: nothing but on_end is told from here on */
    unsigned handles;
    const char *step;
    char *reason; /* owned; set once it is known why it ended */
    char in_buf[READ_SIZE];
};

static void on_closed(uv_handle_t *handle)
{
    struct reverse *r = handle->data;
    if (--r->handles == 0)
        r->base.events->on_end(&r->base, r->step, r->reason, "");
}

static void finish(struct reverse *r)
{
    if (r->state == ENDING)
        return;
    if (r->state == WAITING && r->arrivals)
        txg_arrivals_leave(r->arrivals, &r->waiter);
    r->state = ENDING;
    if (!r->reason)
        r->reason = txg_xstrdup("closed");
    if (r->worker)
        uv_close((uv_handle_t *)&r->worker->pipe, on_closed);
    uv_close((uv_handle_t *)&r->timer, on_closed);
}

/* Takes the heap text `reason`. */
static void fail(struct reverse *r, char *reason)
{
    if (r->reason)
        free(reason);
    else
        r->reason = reason;
    r->base.cut_off = r->state == OPEN;
    finish(r);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct reverse *r = handle->data;
    *buf = uv_buf_init(r->in_buf, sizeof r->in_buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct reverse *r = stream->data;
    if (r->state != OPEN)
        return;
    if (n > 0 && !r->stopped)
        r->base.events->on_read(&r->base, buf->base, (size_t)n);
    else if (n < 0)
        fail(r, txg_xasprintf("the worker %s at %s closed the link", r->worker->name,
                              r->worker->from));
}

static void on_grace_over(uv_timer_t *timer)
{
    finish(timer->data);
}

static void on_time(uv_timer_t *timer)
{
    struct reverse *r = timer->data;
    fail(r,
         txg_xasprintf("no worker%s%s has connected to %s within %.6g s (txgate-worker --connect "
                       "ADDRESS:PORT --key-file FILE%s%s)",
                       r->spec->id ? " called " : "", r->spec->id ? r->spec->id : "",
                       txg_arrivals_where(r->arrivals), (double)r->limit / 1e6,
                       r->spec->id ? " --name " : "", r->spec->id ? r->spec->id : ""));
}

static void on_room(void *user)
{
    struct reverse *r = user;
    if (!r->stopped && r->state == OPEN)
        r->base.events->on_writable(&r->base);
}

static void on_taken(struct txg_arrivals_waiter *w, struct txg_arrival *arrival)
{
    struct reverse *r = (struct reverse *)(void *)((char *)w - offsetof(struct reverse, waiter));
    r->worker = arrival;
    arrival->pipe.data = r;
    r->writer =
        (struct txg_writer){.stream = (uv_stream_t *)&arrival->pipe, .on_room = on_room, .user = r};
    r->handles++;
    r->state = OPEN;
    r->step = "link";
    uv_timer_stop(&r->timer);
    r->base.events->on_open(&r->base);
    if (txg_buf_len(&arrival->said) && r->state == OPEN && !r->stopped)
        r->base.events->on_read(&r->base, txg_buf_data(&arrival->said),
                                txg_buf_len(&arrival->said));
    txg_buf_release(&arrival->said);
    if (r->state == OPEN)
        uv_read_start((uv_stream_t *)&arrival->pipe, on_alloc, on_read);
}

static void on_failed(struct txg_arrivals_waiter *w, const char *text)
{
    struct reverse *r = (struct reverse *)(void *)((char *)w - offsetof(struct reverse, waiter));
    fail(r, txg_xstrdup(text));
}

/* From the loop: nobody is called back from inside start. */
static void on_started(uv_timer_t *timer)
{
    struct reverse *r = timer->data;
    if (r->stopped) {
        finish(r);
    } else if (!r->arrivals) {
        fail(r,
             txg_xstrdup("such a worker connects by itself: `txgate run --listen` waits for it"));
    } else {
        /* Less than the host's own limit, which doesn't know what is waited for. */
        uv_timer_start(&r->timer, on_time, (uint64_t)(r->limit / 1000 * 19 / 20), 0);
        txg_arrivals_wait(r->arrivals, &r->waiter);
    }
}

static struct txg_transport *create(const struct txg_transport_config *config)
{
    struct reverse *r = txg_xcalloc(1, sizeof *r);
    r->base = (struct txg_transport){&txg_reverse_ops, config->events, config->user, false};
    r->loop = config->loop;
    r->spec = config->spec;
    r->arrivals = config->arrivals;
    r->limit = config->connect_timeout;
    r->waiter = (struct txg_arrivals_waiter){config->spec->id, on_taken, on_failed, NULL};
    r->step = "connect";
    return &r->base;
}

static void start(struct txg_transport *t)
{
    struct reverse *r = (struct reverse *)t;
    uv_timer_init(r->loop, &r->timer);
    r->timer.data = r;
    r->handles++;
    uv_timer_start(&r->timer, on_started, 0, 0);
}

static size_t write_some(struct txg_transport *t, const void *data, size_t len)
{
    struct reverse *r = (struct reverse *)t;
    return r->state != OPEN || r->stopped ? len : txg_writer_write(&r->writer, data, len);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)request, (void)status; /* the worker's end or the grace is what is waited for */
}

static void stop(struct txg_transport *t)
{
    struct reverse *r = (struct reverse *)t;
    if (r->stopped || r->state == ENDING)
        return;
    r->stopped = true;
    if (r->state == OPEN &&
        uv_shutdown(&r->shutdown, (uv_stream_t *)&r->worker->pipe, on_shut_down) == 0)
        uv_timer_start(&r->timer, on_grace_over, TXG_TRANSPORT_GRACE, 0);
    else
        uv_timer_start(&r->timer, on_grace_over, 0, 0);
}

static void kill_link(struct txg_transport *t)
{
    struct reverse *r = (struct reverse *)t;
    stop(t);
    if (r->state != ENDING)
        uv_timer_start(&r->timer, on_grace_over, 0, 0);
}

static void free_transport(struct txg_transport *t)
{
    struct reverse *r = (struct reverse *)t;
    if (r->worker)
        txg_arrival_free(r->worker);
    txg_writer_release(&r->writer);
    free(r->reason);
    free(r);
}

const struct txg_transport_ops txg_reverse_ops = {
    .name = "reverse",
    .framed = true,
    .create = create,
    .start = start,
    .write = write_some,
    .stop = stop,
    .kill = kill_link,
    .free = free_transport,
};
