#include "config.h"

#include "src/report/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/report/stash.h"

static struct txg_capture *stream_of(struct txg_captures *cs, unsigned number, int stream)
{
    if (number >= cs->n) {
        size_t n = (size_t)number + 1;
        n = n < 2 * cs->n ? 2 * cs->n : n;
        cs->gateways = txg_xrealloc_array(cs->gateways, n, sizeof *cs->gateways);
        memset(cs->gateways + cs->n, 0, (n - cs->n) * sizeof *cs->gateways);
        cs->n = n;
    }
    return &cs->gateways[number][stream == 2];
}

static int take_block(struct txg_captures *cs, uint32_t *number)
{
    if (cs->n_unused > 0) {
        *number = cs->unused[--cs->n_unused];
        return 0;
    }
    if (cs->file_blocks == 0) {
        cs->fd = txg_temp_file();
        if (cs->fd < 0)
            return -1;
    }
    *number = cs->file_blocks++;
    return 0;
}

static void give_block(struct txg_captures *cs, uint32_t number)
{
    cs->unused = txg_grow(cs->unused, cs->n_unused, &cs->cap_unused, sizeof *cs->unused);
    cs->unused[cs->n_unused++] = number;
}

/* The block that the next byte belongs to, or NULL where there can be none. */
static struct txg_capture_block *open_block(struct txg_captures *cs, struct txg_capture *c)
{
    if (c->n > 0 && c->blocks[c->n - 1].len < TXG_CAPTURE_BLOCK && !c->gap)
        return &c->blocks[c->n - 1];
    uint32_t number;
    if (take_block(cs, &number) != 0)
        return NULL;
    c->blocks = txg_grow(c->blocks, c->n, &c->cap, sizeof *c->blocks);
    c->blocks[c->n] = (struct txg_capture_block){.number = number, .gap = c->gap};
    c->gap = false;
    return &c->blocks[c->n++];
}

static void trim(struct txg_captures *cs, struct txg_capture *c)
{
    while (cs->tail_blocks && c->n > cs->head_blocks + cs->tail_blocks) {
        struct txg_capture_block *oldest = &c->blocks[cs->head_blocks];
        c->dropped += oldest->len;
        give_block(cs, oldest->number);
        memmove(oldest, oldest + 1, (c->n - cs->head_blocks - 1) * sizeof *oldest);
        c->n--;
        oldest->gap = true;
    }
}

static void store(struct txg_captures *cs, struct txg_capture *c, const char *data, size_t len)
{
    while (len > 0) {
        struct txg_capture_block *b = open_block(cs, c);
        size_t n = b ? TXG_CAPTURE_BLOCK - b->len : 0;
        n = n < len ? n : len;
        if (!b || txg_pwrite_all(cs->fd, data, n,
                                 (uint64_t)b->number * TXG_CAPTURE_BLOCK + b->len) != 0) {
            cs->errnum = errno;
            c->dropped += (int64_t)len;
            c->gap = true;
            return;
        }
        b->len += (uint32_t)n;
        data += n;
        len -= n;
        trim(cs, c);
    }
}

void txg_captures_add(struct txg_captures *cs, const struct txg_event *event)
{
    struct txg_span data = event->output.data;
    struct txg_capture *c = stream_of(cs, event->gateway->number, event->output.stream);
    bool gap = event->output.tail;
    if (!gap && c->n == 0 && !c->gap && txg_buf_len(&c->small) + data.len <= TXG_CAPTURE_SMALL) {
        txg_buf_append(&c->small, data.data, data.len);
        return;
    }
    store(cs, c, txg_buf_data(&c->small), txg_buf_len(&c->small));
    txg_buf_clear(&c->small);
    c->gap = c->gap || gap;
    store(cs, c, data.data, data.len);
}

static void clear(struct txg_captures *cs, struct txg_capture *c)
{
    for (size_t i = 0; i < c->n; i++)
        give_block(cs, c->blocks[i].number);
    c->n = 0;
    c->gap = false;
    c->dropped = 0;
    txg_buf_clear(&c->small);
}

void txg_captures_clear(struct txg_captures *cs, const struct txg_gateway_info *gateway)
{
    if (!gateway || gateway->number >= cs->n)
        return;
    clear(cs, &cs->gateways[gateway->number][0]);
    clear(cs, &cs->gateways[gateway->number][1]);
}

const struct txg_capture *txg_captures_get(const struct txg_captures *cs,
                                           const struct txg_gateway_info *gateway, int stream)
{
    if (!gateway || gateway->number >= cs->n)
        return NULL;
    const struct txg_capture *c = &cs->gateways[gateway->number][stream == 2];
    return c->n || c->gap || txg_buf_len(&c->small) ? c : NULL;
}

void txg_capture_read(struct txg_captures *cs, const struct txg_capture *c,
                      void (*piece)(void *user, const char *data, size_t len, bool gap), void *user)
{
    if (txg_buf_len(&c->small))
        piece(user, txg_buf_data(&c->small), txg_buf_len(&c->small), false);
    char data[TXG_CAPTURE_BLOCK];
    for (size_t i = 0; i < c->n; i++) {
        const struct txg_capture_block *b = &c->blocks[i];
        bool whole =
            txg_pread_all(cs->fd, data, b->len, (uint64_t)b->number * TXG_CAPTURE_BLOCK) == 0;
        if (!whole)
            cs->errnum = errno;
        piece(user, data, whole ? b->len : 0, b->gap || !whole);
    }
    if (c->gap)
        piece(user, "", 0, true);
}

void txg_captures_release(struct txg_captures *cs)
{
    for (size_t i = 0; i < cs->n; i++)
        for (int k = 0; k < 2; k++) {
            txg_buf_release(&cs->gateways[i][k].small);
            free(cs->gateways[i][k].blocks);
        }
    free(cs->gateways);
    free(cs->unused);
    if (cs->file_blocks > 0)
        close(cs->fd);
    *cs = (struct txg_captures){0};
}
