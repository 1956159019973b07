#include "config.h"

#include "src/worker/child.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"

#define KEEP_BETWEEN_TESTS (64u * 1024) /* a larger head is given back after its test */

void txg_capture_feed(struct txg_capture *c, const void *data, size_t len)
{
    const char *bytes = data;
    size_t room = TXG_CAPTURE_HEAD - txg_buf_len(&c->head);
    size_t n = len < room ? len : room;
    txg_buf_append(&c->head, bytes, n);
    bytes += n;
    len -= n;
    c->total += n;
    if (len == 0)
        return;
    if (!c->ring)
        c->ring = txg_xmalloc(TXG_CAPTURE_TAIL);
    if (len > TXG_CAPTURE_TAIL) {
        c->total += len - TXG_CAPTURE_TAIL;
        bytes += len - TXG_CAPTURE_TAIL;
        len = TXG_CAPTURE_TAIL;
    }
    while (len) {
        size_t at = (size_t)((c->total - TXG_CAPTURE_HEAD) % TXG_CAPTURE_TAIL);
        n = TXG_CAPTURE_TAIL - at < len ? TXG_CAPTURE_TAIL - at : len;
        memcpy(c->ring + at, bytes, n);
        c->total += n;
        bytes += n;
        len -= n;
    }
}

uint64_t txg_capture_dropped(const struct txg_capture *c)
{
    uint64_t kept = (uint64_t)TXG_CAPTURE_HEAD + TXG_CAPTURE_TAIL;
    return c->total > kept ? c->total - kept : 0;
}

int txg_capture_tail(const struct txg_capture *c, struct txg_span out[2])
{
    if (c->total <= TXG_CAPTURE_HEAD)
        return 0;
    uint64_t behind = c->total - TXG_CAPTURE_HEAD;
    if (behind <= TXG_CAPTURE_TAIL) {
        out[0] = txg_span(c->ring, (size_t)behind);
        return 1;
    }
    size_t at = (size_t)(behind % TXG_CAPTURE_TAIL);
    out[0] = txg_span(c->ring + at, TXG_CAPTURE_TAIL - at);
    out[1] = txg_span(c->ring, at);
    return at ? 2 : 1;
}

void txg_capture_release(struct txg_capture *c)
{
    txg_buf_release(&c->head);
    free(c->ring);
    *c = (struct txg_capture){0};
}

void txg_capture_clear(struct txg_capture *c)
{
    if (c->ring || c->head.cap > KEEP_BETWEEN_TESTS)
        txg_capture_release(c);
    txg_buf_clear(&c->head);
    c->total = 0;
}
