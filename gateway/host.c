#include "config.h"

#include "gateway/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/bootstrap.h"
#include "gateway/wire/mux.h"
#include "src/base/clock.h"
#include "src/base/str.h"

#define HANDLES 2

/*
 *              open               agent's line           hello
 *  CONNECTING ------> BOOTSTRAPPING ----------> GREETING -------> UP
 *      |                   |                       |              |
 *      +-------------------+-----------------------+--------------+---> ENDING --end--> GONE
 *                      end, deadline, silence, fault, stop
 *
 * bootstrap.h has the steps of BOOTSTRAPPING, which a host whose worker runs already skips. ENDING
 * waits for the transport's on_end; whoever had to be told was told on the way in.
 */
enum state { CONNECTING, BOOTSTRAPPING, GREETING, UP, ENDING, GONE };

struct txg_host {
    struct txg_host_config config;
    struct txg_transport *transport;
    const struct txg_transport_ops *ops;
    enum state state;
    struct txg_mux mux;
    struct txg_bootstrap *bootstrap; /* until the agent's line has come */
    const char *step;                /* the one that `began` */
    char *arch;                      /* owned; from hello */
    char token[33];
    size_t uploaded; /* bytes of worker */
    char *said[2];   /* owned: the last lines on stderr, the newest first */
    size_t lines;    /* that were said */
    struct txg_buf words;
    uv_prepare_t flush; /* writes what the turn of the loop has queued */
    uv_timer_t watch;
    int64_t began, heard, watched; /* microseconds */
    unsigned handles;
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct txg_host *h = handle->data;
    if (--h->handles == 0)
        h->config.on_end(h->config.user, h);
}

/* Into ENDING, telling the owner unless it asked for it (text NULL). */
static void end(struct txg_host *h, const char *text)
{
    bool cut_off = h->state == UP || h->transport->cut_off;
    if (h->state >= ENDING)
        return;
    h->state = ENDING;
    uv_timer_stop(&h->watch);
    uv_prepare_stop(&h->flush);
    h->ops->stop(h->transport);
    if (text)
        h->config.on_lost(h->config.user, h, cut_off, text);
}

static void fault(struct txg_host *h, const char *step, const char *text)
{
    char line[TXG_ERR_TEXT_MAX + 64];
    snprintf(line, sizeof line, "%s: %s", step, text);
    end(h, line);
}

/* What waits goes out: the bootstrap's first. To a worker that was started itself the frames go at
 * once, it reads them when it is ready; a shell would take them for a script. */
static struct txg_span pending(const struct txg_host *h)
{
    if (h->bootstrap && h->ops->shell)
        return txg_bootstrap_pending(h->bootstrap);
    return txg_mux_pending(&h->mux);
}

static void on_flush(uv_prepare_t *handle)
{
    struct txg_host *h = handle->data;
    if (h->state < BOOTSTRAPPING || h->state > UP)
        return;
    for (;;) {
        struct txg_span bytes = pending(h);
        if (bytes.len == 0 && h->state == UP && h->config.on_room &&
            h->config.on_room(h->config.user, h))
            continue;
        if (bytes.len == 0)
            break;
        size_t n = h->ops->write(h->transport, bytes.data, bytes.len);
        if (h->bootstrap && h->ops->shell)
            txg_bootstrap_sent(h->bootstrap, n);
        else
            txg_mux_sent(&h->mux, n);
        if (n < bytes.len)
            break;
    }
}

/* The step that the start is at, each with a deadline of its own. */
static const char *step_of(const struct txg_host *h)
{
    if (h->state == CONNECTING)
        return "connect";
    return h->bootstrap ? txg_bootstrap_step(h->bootstrap) : "hello";
}

static void on_watch(uv_timer_t *timer)
{
    struct txg_host *h = timer->data;
    struct txg_liveness times = txg_liveness_scaled(h->config.heartbeat);
    int64_t now = txg_now();
    /* Silence counts only while we listened: not while this process was stopped or asleep. */
    if (now - h->watched > 2 * times.beat)
        h->heard += now - h->watched;
    h->watched = now;
    char text[128];
    if (h->state == UP && now - h->heard >= times.lost) {
        snprintf(text, sizeof text, "no sign of life for %.3g s", (double)(now - h->heard) / 1e6);
        fault(h, "link", text);
        h->ops->kill(h->transport); /* what is silent takes no hint to end */
    } else if (h->state < UP && now - h->began >= h->config.connect_timeout) {
        struct txg_buf why = {0};
        txg_buf_printf(&why, "no answer within %.6g s (--connect-timeout)",
                       (double)h->config.connect_timeout / 1e6);
        if (h->state == BOOTSTRAPPING && h->bootstrap)
            txg_bootstrap_describe(h->bootstrap, &why);
        fault(h, step_of(h), txg_buf_cstr(&why));
        txg_buf_release(&why);
    }
}

static void take_hello(struct txg_host *h, const struct txg_msg *msg)
{
    char text[256];
    if (msg->type != TXG_MSG_HELLO) {
        fault(h, "hello", "the agent's first message is not hello");
        return;
    }
    if (msg->hello.protocol != TXG_PROTOCOL) {
        snprintf(
            text, sizeof text,
            "the worker speaks protocol %lld, this txgate %d: install the same version on both "
            "sides",
            (long long)msg->hello.protocol, TXG_PROTOCOL);
        fault(h, "hello", text);
        return;
    }
    h->state = UP;
    h->arch = txg_xstrndup(msg->hello.arch.data, msg->hello.arch.len);
    if (h->config.on_up)
        h->config.on_up(h->config.user, h, &msg->hello, h->uploaded);
}

static void take_control(struct txg_host *h, const struct txg_msg *msg)
{
    struct txg_msg lease = {.type = TXG_MSG_LEASE};
    switch (msg->type) {
    case TXG_MSG_BEAT:
        lease.beat.n = msg->beat.n;
        txg_mux_send(&h->mux, 0, &lease);
        return;
    case TXG_MSG_OPENED:
    case TXG_MSG_EXITED:
    case TXG_MSG_LOG:
    case TXG_MSG_PROBED:
    case TXG_MSG_LEAVING:
        h->config.on_message(h->config.user, h, 0, msg);
        return;
    default:
        fault(h, "link", "the agent sent what an agent does not send");
    }
}

static void take_frame(struct txg_host *h, const struct txg_frame *frame)
{
    struct txg_msg msg;
    struct txg_err err;
    if (frame->channel != 0 && h->config.on_bytes &&
        h->config.on_bytes(h->config.user, h, frame->channel, frame->payload))
        return;
    if (txg_msg_decode(frame->payload, &msg, &err) != 0) {
        if (frame->channel == 0)
            fault(h, h->state == UP ? "link" : "hello", err.text);
        else
            h->config.on_fault(h->config.user, h, frame->channel, err.text);
        return;
    }
    if (h->state == GREETING)
        take_hello(h, &msg);
    else if (frame->channel == 0)
        take_control(h, &msg);
    else
        h->config.on_message(h->config.user, h, frame->channel, &msg);
    txg_msg_release(&msg);
}

/* True when frames come from here on; *data is then what stands behind the agent's line. */
static bool bootstrap(struct txg_host *h, const void **data, size_t *len)
{
    struct txg_span rest;
    struct txg_err err;
    int rc = txg_bootstrap_feed(h->bootstrap, *data, *len, &rest, &err);
    if (strcmp(step_of(h), h->step) != 0) {
        h->step = step_of(h);
        h->began = txg_now();
    }
    if (rc < 0)
        fault(h, h->step, err.text);
    if (rc <= 0)
        return false;
    h->state = GREETING;
    *data = rest.data;
    *len = rest.len;
    return true;
}

static void on_open(struct txg_transport *t)
{
    struct txg_host *h = t->user;
    if (h->state != CONNECTING)
        return;
    h->state = h->bootstrap ? BOOTSTRAPPING : GREETING;
    h->step = step_of(h);
    h->began = txg_now();
}

static void on_read(struct txg_transport *t, const void *data, size_t len)
{
    struct txg_host *h = t->user;
    struct txg_frame frame;
    struct txg_err err;
    int rc;
    h->heard = txg_now();
    if (h->bootstrap && !bootstrap(h, &data, &len))
        return;
    txg_mux_feed(&h->mux, data, len);
    if (h->bootstrap)
        h->uploaded = txg_bootstrap_uploaded(h->bootstrap);
    txg_bootstrap_free(h->bootstrap);
    h->bootstrap = NULL;
    while ((h->state == GREETING || h->state == UP) &&
           (rc = txg_mux_next(&h->mux, &frame, &err)) != 0) {
        if (rc < 0)
            fault(h, "link", err.text);
        else
            take_frame(h, &frame);
        if (txg_mux_unsent(&h->mux) > 0) /* more may be read in this turn, and it waits for this */
            on_flush(&h->flush);
    }
}

static void on_writable(struct txg_transport *t)
{
    struct txg_host *h = t->user;
    on_flush(&h->flush);
}

static void on_words(struct txg_transport *t, const char *line)
{
    struct txg_host *h = t->user;
    free(h->said[1]);
    h->said[1] = h->said[0];
    h->said[0] = txg_xstrdup(line);
    h->lines++;
    if (h->state == UP)
        h->config.on_words(h->config.user, h, line);
}

static void on_end(struct txg_transport *t, const char *step, const char *reason, const char *words)
{
    struct txg_host *h = t->user;
    if (h->state < ENDING) {
        struct txg_buf text = {0};
        bool starting = h->state == BOOTSTRAPPING || h->state == GREETING;
        const char *where = starting ? step_of(h) : step;
        txg_buf_puts(&text, reason);
        if (starting && !*words && h->bootstrap && txg_bootstrap_is_silent(h->bootstrap))
            txg_buf_puts(&text, "; nothing came from a shell there: does the command pass its "
                                "input on (docker exec and kubectl exec need -i)?");
        if (*words) {
            size_t n = strlen(words);
            txg_buf_puts(&text, "; it said: ");
            txg_buf_append(&text, words, n - (words[n - 1] == '\n'));
        }
        fault(h, where, txg_buf_cstr(&text));
        txg_buf_release(&text);
    }
    h->state = GONE;
    uv_close((uv_handle_t *)&h->flush, on_handle_closed);
    uv_close((uv_handle_t *)&h->watch, on_handle_closed);
}

static void make_token(struct txg_host *h)
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        memset(random, 0x5a, sizeof random); /* it marks a line, it keeps nobody out */
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(h->token + 2 * i, 3, "%02x", random[i]);
}

static void send_hello(struct txg_host *h)
{
    struct txg_msg msg = {.type = TXG_MSG_HELLO};
    msg.hello.protocol = TXG_PROTOCOL;
    msg.hello.version = TXG_SPAN(PACKAGE_VERSION);
    msg.hello.testrunuid = txg_span_cstr(h->config.testrunuid);
    msg.hello.heartbeat = h->config.heartbeat;
    txg_mux_send(&h->mux, 0, &msg);
}

struct txg_host *txg_host_new(const struct txg_host_config *config)
{
    static const struct txg_transport_events events = {on_open, on_read, on_writable, on_words,
                                                       on_end};
    struct txg_host *h = txg_xcalloc(1, sizeof *h);
    h->config = *config;
    make_token(h);
    h->began = h->heard = h->watched = txg_now();
    uv_prepare_init(config->loop, &h->flush);
    uv_timer_init(config->loop, &h->watch);
    h->flush.data = h->watch.data = h;
    h->handles = HANDLES;
    uint64_t tick = (uint64_t)(config->heartbeat / 2000) + 1;
    uv_prepare_start(&h->flush, on_flush);
    uv_timer_start(&h->watch, on_watch, tick < 100 ? tick : 100, tick < 100 ? tick : 100);
    h->ops = config->ops ? config->ops : txg_transport_for(config->spec->kind);
    h->transport = h->ops->create(
        &(struct txg_transport_config){.loop = config->loop,
                                       .spec = config->spec,
                                       .worker = config->worker,
                                       .token = h->token,
                                       .connect_timeout = config->connect_timeout,
                                       .accept_new_host_keys = config->accept_new_host_keys,
                                       .arrivals = config->arrivals,
                                       .listeners = config->listeners,
                                       .events = &events,
                                       .user = h});
    if (!h->ops->framed)
        h->bootstrap = txg_bootstrap_new(&(struct txg_bootstrap_config){
            .token = h->token,
            .shell = h->ops->shell,
            .own_worker = config->worker,
            .worker = config->spec->worker,
            .arch = config->spec->arch,
            .emulator = config->spec->emulator,
            .no_cache = config->no_cache,
        });
    h->step = "connect";
    send_hello(h);
    h->ops->start(h->transport);
    return h;
}

void txg_host_free(struct txg_host *h)
{
    h->ops->free(h->transport);
    txg_mux_release(&h->mux);
    txg_bootstrap_free(h->bootstrap);
    txg_buf_release(&h->words);
    free(h->said[0]);
    free(h->said[1]);
    free(h->arch);
    free(h);
}

void txg_host_send(struct txg_host *h, uint32_t channel, const struct txg_msg *msg)
{
    if (h->state < ENDING)
        txg_mux_send(&h->mux, channel, msg);
}

void txg_host_send_frames(struct txg_host *h, struct txg_span frames)
{
    struct txg_frame_reader reader = {0};
    struct txg_frame frame;
    txg_frame_reader_feed(&reader, frames.data, frames.len);
    while (h->state < ENDING && txg_frame_reader_next(&reader, &frame, NULL) == 1)
        txg_mux_relay(&h->mux, &frame);
    txg_frame_reader_release(&reader);
}

bool txg_host_is_shell(const struct txg_host *h)
{
    return h->ops->shell;
}

bool txg_host_is_remote(const struct txg_host *h)
{
    return (h->ops->shell || h->ops->framed) && !txg_spec_is_local(h->config.spec);
}

const char *txg_host_arch(const struct txg_host *h)
{
    const char *named = h->config.spec->arch;
    return named ? named : h->arch ? h->arch : "";
}

void txg_host_send_bytes(struct txg_host *h, uint32_t channel, const void *data, size_t len)
{
    struct txg_frame frame = {channel, txg_span(data, len)};
    if (h->state < ENDING)
        txg_mux_relay(&h->mux, &frame);
}

size_t txg_host_lines(const struct txg_host *h)
{
    return h->lines;
}

const char *txg_host_words(struct txg_host *h, size_t since)
{
    txg_buf_clear(&h->words);
    if (h->lines > since + 1)
        txg_buf_printf(&h->words, "%s / ", h->said[1]);
    if (h->lines > since)
        txg_buf_puts(&h->words, h->said[0]);
    return txg_buf_cstr(&h->words);
}

size_t txg_host_unsent(const struct txg_host *h)
{
    return txg_mux_unsent(&h->mux);
}

bool txg_host_is_usable(const struct txg_host *h)
{
    return h->state < ENDING;
}

bool txg_host_is_up(const struct txg_host *h)
{
    return h->state == UP;
}

size_t txg_host_uploads(const struct txg_host *h, size_t *done)
{
    *done = 0;
    return h->state == BOOTSTRAPPING && h->bootstrap ? txg_bootstrap_uploads(h->bootstrap, done)
                                                     : 0;
}

const struct txg_spec *txg_host_spec(const struct txg_host *h)
{
    return h->config.spec;
}

const struct txg_strv *txg_host_ignored(const struct txg_host *h)
{
    static const struct txg_strv none;
    return h->ops->ignored ? h->ops->ignored(h->transport) : &none;
}

void txg_host_stop(struct txg_host *h)
{
    end(h, NULL);
}
