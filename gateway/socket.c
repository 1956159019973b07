#include "config.h"

/* socket=host:port: a worker that listens there and has the same key, through Noise. */
#include "gateway/transport.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/connect.h"
#include "gateway/listeners.h"
#include "gateway/wire/seal.h"
#include "gateway/words.h"
#include "specs/target.h"
#include "src/base/key.h"
#include "src/base/str.h"
#include "src/base/tcp.h"

#define READ_SIZE  65536
#define WRITE_SIZE 65536 /* sealed at once */
#define SAID_MAX   64    /* bytes of what is no handshake that an error shows */

/*
 *           found          listening            connected            proven
 *  LOOKING -------> INSTALLING ------> CONNECTING -------> SHAKING ---------> OPEN
 *     |  +----------- no installvia= ------^  |               |                |
 *     |                  |                    |               |                | stop: our end is
 *     +------------------+--------------------+---------------+                v closed, the
 *                                             +-----------------------------> ENDING -> on_end
 */
enum state { LOOKING, INSTALLING, CONNECTING, SHAKING, OPEN, ENDING };

struct sock {
    struct txg_transport base;
    uv_loop_t *loop;
    const struct txg_spec *spec;
    char *host, *port;
    unsigned char key[TXG_KEY_SIZE];
    enum state state;
    int64_t limit; /* microseconds, the user's for the whole way */
    struct txg_connect *connect;
    const char *where;                 /* the address that was reached; the connect's */
    struct txg_listeners *listeners;   /* borrowed */
    struct txg_listener_user listener; /* while INSTALLING and from there on */
    uv_timer_t timer;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool has_tcp; /* the handle is open */
    unsigned handles;
    struct txg_seal seal;
    struct txg_buf unsent, sending, plain, said;
    bool writing, wants_room;
    bool stopped; /* by the owner: nothing but on_end is told from here on */
    const char *step;
    char *reason; /* owned; set once it is known why it ended */
    char in_buf[READ_SIZE];
};

static struct txg_transport *create(const struct txg_transport_config *config)
{
    struct sock *s = txg_xcalloc(1, sizeof *s);
    s->base = (struct txg_transport){&txg_socket_ops, config->events, config->user, false};
    s->loop = config->loop;
    s->spec = config->spec;
    s->limit = config->connect_timeout;
    s->listeners = config->listeners;
    s->step = "configure";
    txg_target_split_socket(config->spec->target, &s->host, &s->port);
    signal(SIGPIPE, SIG_IGN);
    return &s->base;
}

static void let_go(struct sock *s)
{
    if (--s->handles == 0)
        s->base.events->on_end(&s->base, s->step, s->reason, "");
}

static void on_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void on_connect_closed(void *user)
{
    let_go(user);
}

static void finish(struct sock *s)
{
    if (s->state == ENDING && uv_is_closing((uv_handle_t *)&s->timer))
        return;
    s->state = ENDING;
    if (!s->reason)
        s->reason = txg_xstrdup("closed");
    if (s->listeners && s->spec->installvia)
        txg_listeners_end(s->listeners, &s->listener);
    txg_connect_close(s->connect);
    txg_seal_release(&s->seal);
    txg_wipe(s->key, sizeof s->key);
    if (s->has_tcp)
        uv_close((uv_handle_t *)&s->tcp, on_closed);
    s->has_tcp = false;
    uv_close((uv_handle_t *)&s->timer, on_closed);
}

/* Takes the heap text `reason`. */
static void fail(struct sock *s, char *reason)
{
    if (s->reason)
        free(reason);
    else
        s->reason = reason;
    s->base.cut_off = s->state == OPEN;
    finish(s);
}

static double seconds(const struct sock *s)
{
    return (double)s->limit / 1e6;
}

static void on_time(uv_timer_t *timer)
{
    struct sock *s = timer->data;
    if (s->reason || s->stopped)
        finish(s);
    else if (s->state == INSTALLING)
        fail(s, txg_xasprintf("installvia=%s: no worker listens there within %.6g s",
                              s->spec->installvia, seconds(s)));
    else if (s->state == SHAKING)
        fail(s, txg_xasprintf("%s took the connection and did not answer within %.6g s: is it a "
                              "txgate-worker --listen?",
                              s->where, seconds(s)));
}

static const char *key_name(const struct sock *s)
{
    return s->spec->key_file ? s->spec->key_file : "the one that it was sent";
}

/* What came instead of a handshake: the length of its message is its mark. */
static char *explain_shaking(struct sock *s, const char *text)
{
    const char *said = txg_buf_data(&s->said);
    size_t n = txg_buf_len(&s->said);
    if (n == 0)
        return txg_xasprintf(
            "%s closed the connection in the handshake%s%s: it has another key than "
            "%s, or it is no txgate-worker --listen (its own words tell which)",
            s->where, text ? ", " : "", text ? text : "", key_name(s));
    if (said[0] != 0 || (n > 1 && said[1] != TXG_NOISE_HANDSHAKE)) {
        struct txg_buf quoted = {0};
        txg_words_quote(&quoted, said, n);
        char *reason = txg_xasprintf("%s is no txgate-worker --listen: it said '%s'", s->where,
                                     txg_buf_cstr(&quoted));
        txg_buf_release(&quoted);
        return reason;
    }
    return txg_xasprintf("%s answered the handshake with another key than %s, or the answer was "
                         "altered on its way%s%s",
                         s->where, key_name(s), text ? ": " : "", text ? text : "");
}

static void flush(struct sock *s);

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* a broken link is told by its read side */
    struct sock *s = write->handle->data;
    s->writing = false;
    txg_buf_clear(&s->sending);
    if (s->state != ENDING)
        flush(s);
    if (s->wants_room && !s->writing && !s->stopped && s->state == OPEN) {
        s->wants_room = false;
        s->base.events->on_writable(&s->base);
    }
}

/* Sends what is sealed; where it does not go at once, on_written comes back to it. */
static void flush(struct sock *s)
{
    if (s->writing || txg_buf_len(&s->unsent) == 0)
        return;
    struct txg_buf sealed = s->unsent;
    s->unsent = s->sending;
    s->sending = sealed;
    uv_buf_t whole =
        uv_buf_init((char *)txg_buf_data(&s->sending), (unsigned)txg_buf_len(&s->sending));
    int rc = uv_try_write((uv_stream_t *)&s->tcp, &whole, 1);
    bool lost = rc < 0 && rc != UV_EAGAIN;
    txg_buf_consume(&s->sending, lost ? whole.len : rc > 0 ? (size_t)rc : 0);
    if (txg_buf_len(&s->sending) == 0)
        return;
    uv_buf_t rest =
        uv_buf_init((char *)txg_buf_data(&s->sending), (unsigned)txg_buf_len(&s->sending));
    s->writing = uv_write(&s->write, (uv_stream_t *)&s->tcp, &rest, 1, on_written) == 0;
    if (!s->writing)
        txg_buf_clear(&s->sending);
}

static void take(struct sock *s, const char *data, size_t len)
{
    struct txg_err err;
    bool shaking = s->state == SHAKING;
    size_t room = SAID_MAX - txg_buf_len(&s->said);
    if (shaking)
        txg_buf_append(&s->said, data, len < room ? len : room);
    struct txg_buf answer = {0};
    int rc = txg_seal_feed(&s->seal, data, len, &s->plain, &answer, &err);
    txg_buf_append(&s->unsent, txg_buf_data(&answer), txg_buf_len(&answer));
    txg_buf_release(&answer);
    if (shaking && s->seal.proven) {
        flush(s);
        s->state = OPEN;
        s->step = "link";
        uv_timer_stop(&s->timer);
        s->base.events->on_open(&s->base);
    }
    if (txg_buf_len(&s->plain) && !s->stopped && s->state == OPEN)
        s->base.events->on_read(&s->base, txg_buf_data(&s->plain), txg_buf_len(&s->plain));
    txg_buf_clear(&s->plain);
    if (rc != 0 && s->state == SHAKING)
        fail(s, explain_shaking(s, NULL));
    else if (rc != 0)
        fail(s, txg_xasprintf("%s: %s", s->where, err.text));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct sock *s = handle->data;
    *buf = uv_buf_init(s->in_buf, sizeof s->in_buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct sock *s = stream->data;
    if (s->state == ENDING)
        return;
    if (n > 0 && !s->stopped)
        take(s, buf->base, (size_t)n);
    else if (n < 0 && s->state == SHAKING)
        fail(s, explain_shaking(s, n == UV_EOF ? NULL : uv_strerror((int)n)));
    else if (n < 0)
        fail(s, n == UV_EOF ? txg_xasprintf("the worker at %s closed the link", s->where)
                            : txg_xasprintf("%s: %s", s->where, uv_strerror((int)n)));
}

static void shake(struct sock *s, int fd)
{
    unsigned char ephemeral[TXG_NOISE_KEY];
    struct txg_err err;
    s->state = SHAKING;
    s->step = "handshake";
    uv_timer_start(&s->timer, on_time, txg_connect_time_left(s->connect), 0);
    txg_tcp_tune(fd);
    if (txg_random(ephemeral, sizeof ephemeral, &err) != 0) {
        fail(s, txg_xstrdup(err.text));
        return;
    }
    txg_seal_open(&s->seal, TXG_NOISE_INITIATOR, TXG_SEAL_CONTROLLER_CALLS, s->key, ephemeral,
                  &s->unsent);
    txg_wipe(ephemeral, sizeof ephemeral);
    txg_wipe(s->key, sizeof s->key);
    flush(s);
    uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
}

static void on_connected(void *user, int fd, const char *where)
{
    struct sock *s = user;
    s->where = where;
    uv_tcp_init(s->loop, &s->tcp);
    s->tcp.data = s;
    s->handles++;
    s->has_tcp = true;
    int rc = uv_tcp_open(&s->tcp, fd);
    if (rc == 0) {
        shake(s, fd);
        return;
    }
    close(fd);
    fail(s, txg_xasprintf("%s: %s", where, uv_strerror(rc)));
}

static void on_not_connected(void *user, const char *step, char *reason)
{
    struct sock *s = user;
    s->step = step;
    fail(s, reason);
}

static void begin_connecting(struct sock *s, unsigned port)
{
    s->state = CONNECTING;
    s->step = "connect";
    uv_timer_stop(&s->timer);
    txg_connect_to(s->connect, port);
}

static void on_listening(struct txg_listener_user *u, unsigned port)
{
    begin_connecting((struct sock *)(void *)((char *)u - offsetof(struct sock, listener)), port);
}

static void on_no_listener(struct txg_listener_user *u, const char *text)
{
    fail((struct sock *)(void *)((char *)u - offsetof(struct sock, listener)), txg_xstrdup(text));
}

static void on_found(void *user, const char *address)
{
    struct sock *s = user;
    if (!s->spec->installvia) {
        begin_connecting(s, (unsigned)strtoul(s->port, NULL, 10));
        return;
    }
    s->state = INSTALLING;
    s->step = "install";
    uv_timer_start(&s->timer, on_time, txg_connect_time_left(s->connect), 0);
    s->listener = (struct txg_listener_user){on_listening, on_no_listener};
    txg_listeners_start(s->listeners, s->spec, address, s->port, s->key, &s->listener);
}

/* The file's, or one for this link alone. */
static int take_key(struct sock *s, struct txg_err *err)
{
    if (!s->spec->installvia)
        return txg_key_read(s->spec->key_file, s->key, err);
    if (!s->listeners)
        return txg_err_set(err, TXG_E_USAGE,
                           "installvia=%s: a run starts such a worker, and ends it",
                           s->spec->installvia);
    return txg_random(s->key, sizeof s->key, err);
}

/* From the loop: nobody is called back from inside start. */
static void on_started(uv_timer_t *timer)
{
    struct sock *s = timer->data;
    struct txg_err err;
    if (s->stopped) {
        finish(s);
    } else if (take_key(s, &err) != 0) {
        fail(s, txg_xstrdup(err.text));
    } else {
        s->step = "resolve";
        txg_connect_look_up(s->connect);
    }
}

static void start(struct txg_transport *t)
{
    struct sock *s = (struct sock *)t;
    uv_timer_init(s->loop, &s->timer);
    s->timer.data = s;
    s->connect = txg_connect_new(&(struct txg_connect_config){.loop = s->loop,
                                                              .host = s->host,
                                                              .limit = s->limit,
                                                              .user = s,
                                                              .on_found = on_found,
                                                              .on_connected = on_connected,
                                                              .on_failed = on_not_connected,
                                                              .on_closed = on_connect_closed});
    s->handles = 2; /* the connect is the second */
    uv_timer_start(&s->timer, on_started, 0, 0);
}

static size_t write_some(struct txg_transport *t, const void *data, size_t len)
{
    struct sock *s = (struct sock *)t;
    size_t done = 0;
    while (done < len) {
        size_t part = len - done < WRITE_SIZE ? len - done : WRITE_SIZE;
        if (s->state != OPEN || s->stopped)
            return len;
        if (s->writing) {
            s->wants_room = true;
            return done;
        }
        if (txg_seal_send(&s->seal, (const char *)data + done, part, &s->unsent, NULL) != 0)
            return len; /* the seal has ended, and so will the link */
        done += part;
        flush(s);
    }
    return len;
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)request, (void)status; /* the peer's end or the grace is what is waited for */
}

/* The far side sees EOF and has the grace to end what it runs. */
static void hang_up(struct sock *s)
{
    uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, on_shut_down);
    uv_timer_start(&s->timer, on_time, TXG_TRANSPORT_GRACE, 0);
}

static void stop(struct txg_transport *t)
{
    struct sock *s = (struct sock *)t;
    if (s->stopped || s->state == ENDING)
        return;
    s->stopped = true;
    if (s->state == OPEN)
        hang_up(s);
    else
        uv_timer_start(&s->timer, on_time, 0, 0);
}

static void kill_link(struct txg_transport *t)
{
    struct sock *s = (struct sock *)t;
    stop(t);
    if (s->state != ENDING)
        uv_timer_start(&s->timer, on_time, 0, 0);
}

static void free_transport(struct txg_transport *t)
{
    struct sock *s = (struct sock *)t;
    if (s->connect)
        txg_connect_free(s->connect);
    txg_buf_release(&s->unsent);
    txg_buf_release(&s->sending);
    txg_buf_release(&s->plain);
    txg_buf_release(&s->said);
    free(s->reason);
    free(s->host);
    free(s->port);
    free(s);
}

const struct txg_transport_ops txg_socket_ops = {
    .name = "socket",
    .framed = true,
    .create = create,
    .start = start,
    .write = write_some,
    .stop = stop,
    .kill = kill_link,
    .free = free_transport,
};
