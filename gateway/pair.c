#include "config.h"

#include "gateway/pair.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"

struct pair {
    struct txg_transport base;
    uv_loop_t *loop;
    uv_timer_t timer;
    struct txg_buf to_far, to_near, words; /* words: one line after the other */
    char *reason;                          /* owned; set once the far side has ended */
    bool open, wants_room, stopped, ended;
};

static void on_closed(uv_handle_t *handle)
{
    struct pair *p = handle->data;
    const char *words = txg_buf_cstr(&p->words);
    p->base.events->on_end(&p->base, p->open ? "link" : "start", p->reason, words);
}

static void end(struct pair *p)
{
    if (p->ended)
        return;
    p->ended = true;
    if (!p->reason)
        p->reason = txg_xstrdup("the far side ended");
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

/* One turn of the loop for all that has happened since the last. */
static void on_timer(uv_timer_t *timer)
{
    struct pair *p = timer->data;
    if (!p->open && !p->stopped && !p->reason) {
        p->open = true;
        p->base.events->on_open(&p->base);
    }
    if (!p->stopped && txg_buf_len(&p->to_near)) {
        struct txg_buf said = p->to_near; /* the owner may say more meanwhile */
        p->to_near = (struct txg_buf){0};
        p->base.events->on_read(&p->base, txg_buf_data(&said), txg_buf_len(&said));
        txg_buf_release(&said);
    }
    if (!p->stopped && p->wants_room && txg_buf_len(&p->to_far) < TXG_PAIR_ROOM) {
        p->wants_room = false;
        p->base.events->on_writable(&p->base);
    }
    if (p->stopped || p->reason)
        end(p);
}

static void wake(struct pair *p)
{
    if (!p->ended)
        uv_timer_start(&p->timer, on_timer, 0, 0);
}

static struct txg_transport *create(const struct txg_transport_config *config)
{
    struct pair *p = txg_xcalloc(1, sizeof *p);
    p->base = (struct txg_transport){&txg_pair_ops, config->events, config->user, false};
    p->loop = config->loop;
    return &p->base;
}

static void start(struct txg_transport *t)
{
    struct pair *p = (struct pair *)t;
    uv_timer_init(p->loop, &p->timer);
    p->timer.data = p;
    wake(p);
}

static size_t write_some(struct txg_transport *t, const void *data, size_t len)
{
    struct pair *p = (struct pair *)t;
    if (p->reason || p->stopped)
        return len;
    size_t used = txg_buf_len(&p->to_far);
    size_t room = used < TXG_PAIR_ROOM ? TXG_PAIR_ROOM - used : 0;
    p->wants_room = len > room;
    txg_buf_append(&p->to_far, data, len < room ? len : room);
    return len < room ? len : room;
}

static void stop(struct txg_transport *t)
{
    struct pair *p = (struct pair *)t;
    p->stopped = true;
    wake(p);
}

static void free_transport(struct txg_transport *t)
{
    struct pair *p = (struct pair *)t;
    txg_buf_release(&p->to_far);
    txg_buf_release(&p->to_near);
    txg_buf_release(&p->words);
    free(p->reason);
    free(p);
}

const struct txg_transport_ops txg_pair_ops = {
    .name = "pair",
    .create = create,
    .start = start,
    .write = write_some,
    .stop = stop,
    .kill = stop,
    .free = free_transport,
};

struct txg_span txg_pair_heard(const struct txg_transport *t)
{
    const struct pair *p = (const struct pair *)t;
    return txg_span(txg_buf_data(&p->to_far), txg_buf_len(&p->to_far));
}

void txg_pair_take(struct txg_transport *t, size_t len)
{
    struct pair *p = (struct pair *)t;
    txg_buf_consume(&p->to_far, len);
    if (p->wants_room)
        wake(p);
}

void txg_pair_say(struct txg_transport *t, const void *data, size_t len)
{
    struct pair *p = (struct pair *)t;
    txg_buf_append(&p->to_near, data, len);
    wake(p);
}

void txg_pair_words(struct txg_transport *t, const char *line)
{
    struct pair *p = (struct pair *)t;
    txg_buf_printf(&p->words, "%s\n", line);
    if (!p->stopped)
        p->base.events->on_words(t, line);
}

void txg_pair_end(struct txg_transport *t, const char *reason)
{
    struct pair *p = (struct pair *)t;
    if (!p->reason)
        p->reason = txg_xstrdup(reason);
    wake(p);
}

bool txg_pair_is_stopped(const struct txg_transport *t)
{
    return ((const struct pair *)t)->stopped;
}
