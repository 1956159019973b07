/*
 * A byte stream through Noise, docs/protocol.md section 8: what a link over a socket is carried in.
 * Every Noise message stands behind its length, u16 big-endian. Who connects initiates, and sends
 * an empty message right behind the handshake, so that a replayed handshake is found out before
 * anything of ours is read. Bytes in, bytes out: no fd, no clock.
 *
 * Until the peer is proven to have the key, it can make this side hold TXG_SEAL_UNPROVEN_MAX bytes
 * and no more; afterwards one message.
 */
#ifndef TXG_WIRE_SEAL_H
#define TXG_WIRE_SEAL_H

#include "gateway/wire/noise.h"

/* Two lengths, the handshake's first message, the empty message. */
#define TXG_SEAL_UNPROVEN_MAX (2 + TXG_NOISE_HANDSHAKE + 2 + TXG_NOISE_TAG)

struct txg_seal {
    struct txg_noise noise;
    struct txg_buf in; /* of a message that is not whole */
    bool proven;       /* the peer has the key and is no recording */
};

/* Who connected. Both sides hash it: a worker that was led to another worker, or a controller to
 * another controller, has no session with it though both have the key. */
enum txg_seal_caller { TXG_SEAL_CONTROLLER_CALLS, TXG_SEAL_WORKER_CALLS };

/* Starts a side. The initiator's first message is appended to `out`. `ephemeral` is 32 new random
 * bytes. */
void txg_seal_open(struct txg_seal *s, enum txg_noise_role role, enum txg_seal_caller caller,
                   const unsigned char psk[TXG_NOISE_KEY],
                   const unsigned char ephemeral[TXG_NOISE_KEY], struct txg_buf *out);
void txg_seal_release(struct txg_seal *s);

/* Takes what came from the peer. Appends the stream's bytes to `plain` and what must be sent back
 * to `out`. -1: the link has to end; `plain` holds only what was proven before. */
int txg_seal_feed(struct txg_seal *s, const void *data, size_t len, struct txg_buf *plain,
                  struct txg_buf *out, struct txg_err *err);

/* Appends `len` bytes of the stream, sealed. -1: the peer is not proven yet, or the session ended.
 */
int txg_seal_send(struct txg_seal *s, const void *data, size_t len, struct txg_buf *out,
                  struct txg_err *err);

#endif
