#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const unsigned char key[TXG_NOISE_KEY] = "a key that the other side has..";
static const unsigned char ours[TXG_NOISE_KEY] = "random bytes of the initiator..";
static const unsigned char theirs[TXG_NOISE_KEY] = "random bytes of the responder..";

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            abort();                                                                               \
    } while (0)

struct sides {
    struct txg_seal near, far;
    struct txg_buf up, down, near_plain, far_plain; /* up: what the initiator wrote */
};

static void open_sides(struct sides *s)
{
    memset(s, 0, sizeof *s);
    txg_seal_open(&s->near, TXG_NOISE_INITIATOR, TXG_SEAL_CONTROLLER_CALLS, key, ours, &s->up);
    txg_seal_open(&s->far, TXG_NOISE_RESPONDER, TXG_SEAL_CONTROLLER_CALLS, key, theirs, &s->down);
}

static void close_sides(struct sides *s)
{
    txg_seal_release(&s->near);
    txg_seal_release(&s->far);
    txg_buf_release(&s->up);
    txg_buf_release(&s->down);
    txg_buf_release(&s->near_plain);
    txg_buf_release(&s->far_plain);
}

/* Whole, or in pieces whose sizes the input says. */
static int feed(struct txg_seal *seal, const uint8_t *data, size_t len, unsigned pieces,
                struct txg_buf *plain, struct txg_buf *out)
{
    size_t at = 0;
    while (at < len) {
        size_t piece = pieces ? 1 + (at * 7 + pieces) % (2 * (size_t)pieces) : len;
        if (piece > len - at)
            piece = len - at;
        if (txg_seal_feed(seal, data + at, piece, plain, out, NULL) != 0)
            return -1;
        CHECK(seal->proven || txg_buf_len(&seal->in) <= TXG_SEAL_UNPROVEN_MAX);
        at += piece;
    }
    return 0;
}

static void shake(struct sides *s)
{
    CHECK(feed(&s->far, (const uint8_t *)txg_buf_data(&s->up), txg_buf_len(&s->up), 0,
               &s->far_plain, &s->down) == 0);
    txg_buf_clear(&s->up);
    CHECK(feed(&s->near, (const uint8_t *)txg_buf_data(&s->down), txg_buf_len(&s->down), 0,
               &s->near_plain, &s->up) == 0);
    txg_buf_clear(&s->down);
    CHECK(feed(&s->far, (const uint8_t *)txg_buf_data(&s->up), txg_buf_len(&s->up), 0,
               &s->far_plain, &s->down) == 0);
    txg_buf_clear(&s->up);
    CHECK(s->near.proven && s->far.proven);
}

/* Who has not the key is never proven, and nothing of his becomes plain. */
static void strangers(const uint8_t *data, size_t len, unsigned pieces)
{
    struct sides s;
    open_sides(&s);
    txg_buf_clear(&s.down);
    feed(&s.far, data, len, pieces, &s.far_plain, &s.down);
    CHECK(!s.far.proven && txg_buf_len(&s.far_plain) == 0 && txg_buf_len(&s.down) == 0);
    feed(&s.near, data, len, pieces, &s.near_plain, &s.up);
    CHECK(!s.near.proven && txg_buf_len(&s.near_plain) == 0);
    close_sides(&s);
}

/* Behind a handshake that was good, in both directions. */
static void intruders(const uint8_t *data, size_t len, unsigned pieces)
{
    struct sides s;
    open_sides(&s);
    shake(&s);
    feed(&s.far, data, len, pieces, &s.far_plain, &s.down);
    feed(&s.near, data, len, pieces, &s.near_plain, &s.up);
    CHECK(txg_buf_len(&s.far_plain) == 0 && txg_buf_len(&s.near_plain) == 0);
    close_sides(&s);
}

/* The bytes of the handshake with bits changed on the way, the way back being left alone. */
static void changed(const uint8_t *data, size_t len, unsigned pieces)
{
    struct sides s, good;
    uint8_t up[TXG_SEAL_UNPROVEN_MAX];
    bool same = true;
    open_sides(&good);
    size_t n = txg_buf_len(&good.up);
    memcpy(up, txg_buf_data(&good.up), n);
    feed(&good.far, up, n, 0, &good.far_plain, &good.down);
    txg_buf_clear(&good.up);
    feed(&good.near, (const uint8_t *)txg_buf_data(&good.down), txg_buf_len(&good.down), 0,
         &good.near_plain, &good.up);
    memcpy(up + n, txg_buf_data(&good.up), txg_buf_len(&good.up));
    CHECK(n + txg_buf_len(&good.up) == sizeof up);
    for (size_t i = 0; i < sizeof up && i < len; i++) {
        up[i] ^= data[i];
        same = same && data[i] == 0;
    }
    open_sides(&s);
    feed(&s.far, up, sizeof up, pieces, &s.far_plain, &s.down);
    CHECK(s.far.proven == same);
    close_sides(&s);
    close_sides(&good);
}

/* What is sent arrives, however it is cut. */
static void carried(const uint8_t *data, size_t len, unsigned pieces)
{
    struct sides s;
    open_sides(&s);
    shake(&s);
    CHECK(txg_seal_send(&s.near, data, len / 2, &s.up, NULL) == 0);
    CHECK(txg_seal_send(&s.near, data + len / 2, len - len / 2, &s.up, NULL) == 0);
    CHECK(feed(&s.far, (const uint8_t *)txg_buf_data(&s.up), txg_buf_len(&s.up), pieces,
               &s.far_plain, &s.down) == 0);
    CHECK(txg_span_equal(txg_span(data, len),
                         txg_span(txg_buf_data(&s.far_plain), txg_buf_len(&s.far_plain))));
    close_sides(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const ways[])(const uint8_t *data, size_t len,
                                unsigned pieces) = {strangers, intruders, changed, carried};
    if (len > 1)
        ways[data[0] % 4](data + 1, len - 1, data[0] / 4);
    return 0;
}
