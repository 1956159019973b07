#include "config.h"

#include "gateway/wire/frame.h"

#include <assert.h>

static uint32_t get_u32(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_u32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i) & 0xff);
}

void txg_frame_reader_release(struct txg_frame_reader *r)
{
    txg_buf_release(&r->in);
}

void txg_frame_reader_feed(struct txg_frame_reader *r, const void *data, size_t len)
{
    txg_buf_append(&r->in, data, len);
}

int txg_frame_reader_next(struct txg_frame_reader *r, struct txg_frame *out, struct txg_err *err)
{
    size_t held = txg_buf_len(&r->in);
    if (held < TXG_FRAME_HEADER)
        return 0;
    const char *at = txg_buf_data(&r->in);
    uint32_t len = get_u32(at);
    if (len > TXG_FRAME_PAYLOAD_MAX)
        return txg_err_set(err, TXG_E_LIMIT,
                           "frame of %lu bytes on channel %lu, at most %lu are allowed",
                           (unsigned long)len, (unsigned long)get_u32(at + 4),
                           (unsigned long)TXG_FRAME_PAYLOAD_MAX);
    if (held - TXG_FRAME_HEADER < len)
        return 0;
    out->channel = get_u32(at + 4);
    out->payload = txg_span(at + TXG_FRAME_HEADER, len);
    /* Consuming moves no bytes: the payload stays where it is until the next feed. */
    txg_buf_consume(&r->in, TXG_FRAME_HEADER + (size_t)len);
    return 1;
}

size_t txg_frame_reader_partial(const struct txg_frame_reader *r)
{
    return txg_buf_len(&r->in);
}

size_t txg_frame_begin(struct txg_buf *out, uint32_t channel)
{
    size_t mark = txg_buf_len(out);
    char *header = txg_buf_reserve(out, TXG_FRAME_HEADER);
    put_u32(header, 0);
    put_u32(header + 4, channel);
    txg_buf_commit(out, TXG_FRAME_HEADER);
    return mark;
}

void txg_frame_end(struct txg_buf *out, size_t mark)
{
    size_t len = txg_buf_len(out) - mark - TXG_FRAME_HEADER;
    assert(len <= TXG_FRAME_PAYLOAD_MAX);
    put_u32(out->mem + out->head + mark, (uint32_t)len);
}

void txg_frame_write(struct txg_buf *out, uint32_t channel, const void *payload, size_t len)
{
    txg_buf_reserve(out, TXG_FRAME_HEADER + len);
    size_t mark = txg_frame_begin(out, channel);
    txg_buf_append(out, payload, len);
    txg_frame_end(out, mark);
}

size_t txg_frame_size(const char *header)
{
    return TXG_FRAME_HEADER + (size_t)get_u32(header);
}
