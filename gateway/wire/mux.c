#include "config.h"

#include "gateway/wire/mux.h"

#include <assert.h>

void txg_mux_release(struct txg_mux *m)
{
    txg_frame_reader_release(&m->reader);
    txg_buf_release(&m->control);
    txg_buf_release(&m->stream);
    *m = (struct txg_mux){0};
}

void txg_mux_feed(struct txg_mux *m, const void *data, size_t len)
{
    txg_frame_reader_feed(&m->reader, data, len);
}

int txg_mux_next(struct txg_mux *m, struct txg_frame *out, struct txg_err *err)
{
    return txg_frame_reader_next(&m->reader, out, err);
}

static struct txg_buf *queue_of(struct txg_mux *m, uint32_t channel)
{
    return channel == 0 ? &m->control : &m->stream;
}

static void encode(struct txg_buf *queue, uint32_t channel, const struct txg_msg *msg)
{
    size_t mark = txg_frame_begin(queue, channel);
    txg_msg_encode(msg, queue);
    txg_frame_end(queue, mark);
}

void txg_mux_send(struct txg_mux *m, uint32_t channel, const struct txg_msg *msg)
{
    encode(queue_of(m, channel), channel, msg);
}

void txg_mux_send_behind(struct txg_mux *m, uint32_t channel, const struct txg_msg *msg)
{
    encode(&m->stream, channel, msg);
}

void txg_mux_relay(struct txg_mux *m, const struct txg_frame *frame)
{
    txg_frame_write(queue_of(m, frame->channel), frame->channel, frame->payload.data,
                    frame->payload.len);
}

/* The queue whose front is written next: a frame that has begun is finished first. */
static bool control_is_next(const struct txg_mux *m)
{
    return m->started > 0 ? m->started_control : txg_buf_len(&m->control) > 0;
}

struct txg_span txg_mux_pending(const struct txg_mux *m)
{
    bool control = control_is_next(m);
    const struct txg_buf *queue = control ? &m->control : &m->stream;
    size_t len = txg_buf_len(queue);
    if (!control && m->started > 0 && txg_buf_len(&m->control) > 0)
        len = m->started;
    return txg_span(txg_buf_data(queue), len);
}

void txg_mux_sent(struct txg_mux *m, size_t len)
{
    bool control = control_is_next(m);
    struct txg_buf *queue = control ? &m->control : &m->stream;
    assert(len <= txg_buf_len(queue));
    size_t at = m->started; /* where the next frame begins, seen from the front of the queue */
    while (at < len)
        at += txg_frame_size(txg_buf_data(queue) + at);
    m->started = at - len;
    m->started_control = control;
    txg_buf_consume(queue, len);
}

size_t txg_mux_unsent(const struct txg_mux *m)
{
    return txg_buf_len(&m->control) + txg_buf_len(&m->stream);
}
