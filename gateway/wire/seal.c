#include "config.h"

#include "gateway/wire/seal.h"

#define HEADER    2
#define PLAIN_MAX (TXG_NOISE_MESSAGE_MAX - TXG_NOISE_TAG)

/* Both sides hash it: a side that means another thing by these bytes has another session. */
static const struct txg_span prologues[] = {
    [TXG_SEAL_CONTROLLER_CALLS] = {"txgate link 1", 13},
    [TXG_SEAL_WORKER_CALLS] = {"txgate dial 1", 13},
};

static int put_message(struct txg_seal *s, struct txg_span payload, struct txg_buf *out,
                       struct txg_err *err)
{
    size_t size = payload.len + (txg_noise_done(&s->noise) ? TXG_NOISE_TAG : TXG_NOISE_HANDSHAKE);
    if (s->noise.failed)
        return txg_err_set(err, TXG_E_PROTO, "this sealed link has ended");
    txg_buf_putc(out, (char)(size >> 8));
    txg_buf_putc(out, (char)(size & 0xff));
    return txg_noise_write(&s->noise, payload, out, err);
}

void txg_seal_open(struct txg_seal *s, enum txg_noise_role role, enum txg_seal_caller caller,
                   const unsigned char psk[TXG_NOISE_KEY],
                   const unsigned char ephemeral[TXG_NOISE_KEY], struct txg_buf *out)
{
    *s = (struct txg_seal){0};
    txg_noise_init(&s->noise, role, psk, prologues[caller], ephemeral);
    if (role == TXG_NOISE_INITIATOR)
        put_message(s, txg_span("", 0), out, NULL);
}

void txg_seal_release(struct txg_seal *s)
{
    txg_noise_wipe(&s->noise);
    txg_buf_release(&s->in);
    s->proven = false;
}

/* The only size that may come now, 0 if any may: what is not proven is not given room. */
static size_t expected_size(const struct txg_seal *s)
{
    if (!txg_noise_done(&s->noise))
        return TXG_NOISE_HANDSHAKE;
    return s->proven ? 0 : TXG_NOISE_TAG;
}

static int check_size(const struct txg_seal *s, size_t size, struct txg_err *err)
{
    size_t expected = expected_size(s);
    if (expected && size != expected)
        return txg_err_set(err, TXG_E_PROTO,
                           "handshake: a message of %zu bytes where %zu were expected: the other "
                           "side does not speak txgate's sealed protocol",
                           size, expected);
    if (size < TXG_NOISE_TAG)
        return txg_err_set(err, TXG_E_PROTO, "a sealed message of %zu bytes, at least %d belong",
                           size, TXG_NOISE_TAG);
    return 0;
}

static int take_message(struct txg_seal *s, struct txg_span message, struct txg_buf *plain,
                        struct txg_buf *out, struct txg_err *err)
{
    bool shaking = !txg_noise_done(&s->noise);
    if (txg_noise_read(&s->noise, message, plain, err) != 0)
        return -1;
    if (!shaking) {
        s->proven = true;
        return 0;
    }
    /* The initiator answers the answer, and knows its peer; the responder answers and waits. */
    s->proven = s->noise.role == TXG_NOISE_INITIATOR;
    return put_message(s, txg_span("", 0), out, err);
}

static int feed(struct txg_seal *s, struct txg_span from, struct txg_buf *plain,
                struct txg_buf *out, struct txg_err *err)
{
    while (from.len) {
        size_t have = txg_buf_len(&s->in), size = 0, want = HEADER;
        if (have >= HEADER) {
            const unsigned char *header = (const unsigned char *)txg_buf_data(&s->in);
            size = (size_t)header[0] << 8 | header[1];
            want += size;
        }
        size_t take = want - have < from.len ? want - have : from.len;
        txg_buf_append(&s->in, from.data, take);
        from = txg_span(from.data + take, from.len - take);
        if (have + take < want)
            return 0;
        const char *held = txg_buf_data(&s->in);
        if (want == HEADER) {
            size = (size_t)(unsigned char)held[0] << 8 | (unsigned char)held[1];
            if (check_size(s, size, err) != 0)
                return -1;
            continue;
        }
        if (take_message(s, txg_span(held + HEADER, size), plain, out, err) != 0)
            return -1;
        txg_buf_clear(&s->in);
    }
    return 0;
}

int txg_seal_feed(struct txg_seal *s, const void *data, size_t len, struct txg_buf *plain,
                  struct txg_buf *out, struct txg_err *err)
{
    if (s->noise.failed)
        return txg_err_set(err, TXG_E_PROTO, "this sealed link has ended");
    if (feed(s, txg_span(data, len), plain, out, err) == 0)
        return 0;
    txg_seal_release(s);
    return -1;
}

int txg_seal_send(struct txg_seal *s, const void *data, size_t len, struct txg_buf *out,
                  struct txg_err *err)
{
    if (!s->proven)
        return txg_err_set(err, TXG_E_PROTO,
                           "nothing is sent before the other side has proven "
                           "that it has the key");
    for (const char *at = data; len;) {
        size_t part = len < PLAIN_MAX ? len : PLAIN_MAX;
        if (put_message(s, txg_span(at, part), out, err) != 0)
            return -1;
        at += part;
        len -= part;
    }
    return 0;
}
