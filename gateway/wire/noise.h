/*
 * Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b of the Noise Protocol Framework, revision 34: what two
 * sides with one shared key say to each other so that nobody else can read it, alter it or take
 * part. Whole messages in, whole messages out: no fd, no clock, no random numbers of its own.
 *
 * The first message can be replayed by whoever recorded it. The responder knows that its peer has
 * the key, and has it now, once it has read a message after the handshake; see seal.h.
 */
#ifndef TXG_WIRE_NOISE_H
#define TXG_WIRE_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"

#define TXG_NOISE_KEY         32
#define TXG_NOISE_TAG         16
#define TXG_NOISE_HASH        64
#define TXG_NOISE_MESSAGE_MAX 65535
#define TXG_NOISE_HANDSHAKE   (TXG_NOISE_KEY + TXG_NOISE_TAG) /* a message with an empty payload */

enum txg_noise_role { TXG_NOISE_INITIATOR, TXG_NOISE_RESPONDER };

struct txg_noise_cipher {
    unsigned char key[TXG_NOISE_KEY];
    uint64_t n; /* messages done with this key */
};

struct txg_noise {
    enum txg_noise_role role;
    unsigned step; /* handshake messages done: 0, 1, 2 */
    bool failed;   /* nothing can be said or read any more */
    unsigned char psk[TXG_NOISE_KEY], ephemeral[TXG_NOISE_KEY], peer[TXG_NOISE_KEY];
    unsigned char chain[TXG_NOISE_HASH], hash[TXG_NOISE_HASH];
    struct txg_noise_cipher out, in; /* out is the handshake's own until the second message */
};

/* `ephemeral` is 32 new random bytes, used for this handshake and for no other. */
void txg_noise_init(struct txg_noise *n, enum txg_noise_role role,
                    const unsigned char psk[TXG_NOISE_KEY], struct txg_span prologue,
                    const unsigned char ephemeral[TXG_NOISE_KEY]);

/* Overwrites the keys. */
void txg_noise_wipe(struct txg_noise *n);

/* Both handshake messages are done; n->hash is the session's own and equal on both sides. */
bool txg_noise_done(const struct txg_noise *n);

/* Appends the next message, whose payload is `payload`. -1: it is the peer's turn (handshake only),
 * the message would be over TXG_NOISE_MESSAGE_MAX, or an earlier call failed; `out` is as it was.
 */
int txg_noise_write(struct txg_noise *n, struct txg_span payload, struct txg_buf *out,
                    struct txg_err *err);

/* Appends the payload of the peer's next message. -1: it was not written with this key, in this
 * session, at this place; `payload` is as it was and the session has ended. */
int txg_noise_read(struct txg_noise *n, struct txg_span message, struct txg_buf *payload,
                   struct txg_err *err);

#endif
