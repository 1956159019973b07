#include "config.h"

#include "gateway/wire/noise.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 128 /* of BLAKE2b, for HMAC */

static const char name[] = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b";

static_assert(sizeof name - 1 <= TXG_NOISE_HASH, "a longer name would have to be hashed");
static_assert(crypto_aead_chacha20poly1305_IETF_ABYTES == TXG_NOISE_TAG, "tag");

static void hash_two(unsigned char out[TXG_NOISE_HASH], struct txg_span a, struct txg_span b)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, TXG_NOISE_HASH);
    crypto_generichash_update(&state, (const unsigned char *)a.data, a.len);
    crypto_generichash_update(&state, (const unsigned char *)b.data, b.len);
    crypto_generichash_final(&state, out, TXG_NOISE_HASH);
}

/* HMAC as in RFC 2104; BLAKE2b's own keyed mode is another function. */
static void hmac(unsigned char out[TXG_NOISE_HASH], const unsigned char key[TXG_NOISE_HASH],
                 struct txg_span data)
{
    unsigned char inner[BLOCK], outer[BLOCK], digest[TXG_NOISE_HASH];
    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char k = i < TXG_NOISE_HASH ? key[i] : 0;
        inner[i] = k ^ 0x36;
        outer[i] = k ^ 0x5c;
    }
    hash_two(digest, txg_span(inner, BLOCK), data);
    hash_two(out, txg_span(outer, BLOCK), txg_span(digest, sizeof digest));
    sodium_memzero(inner, sizeof inner);
    sodium_memzero(outer, sizeof outer);
    sodium_memzero(digest, sizeof digest);
}

/* HKDF of section 4.3: the first output replaces the chaining key, the others fill `out`. */
static void hkdf(unsigned char chain[TXG_NOISE_HASH], struct txg_span input,
                 unsigned char (*out)[TXG_NOISE_HASH], unsigned n_out)
{
    unsigned char temp[TXG_NOISE_HASH], text[TXG_NOISE_HASH + 1];
    hmac(temp, chain, input);
    text[0] = 1;
    hmac(chain, temp, txg_span(text, 1));
    memcpy(text, chain, TXG_NOISE_HASH);
    for (unsigned i = 0; i < n_out; i++) {
        text[TXG_NOISE_HASH] = (unsigned char)(i + 2);
        hmac(out[i], temp, txg_span(text, sizeof text));
        memcpy(text, out[i], TXG_NOISE_HASH);
    }
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(text, sizeof text);
}

static void set_key(struct txg_noise_cipher *c, const unsigned char key[TXG_NOISE_HASH])
{
    memcpy(c->key, key, TXG_NOISE_KEY);
    c->n = 0;
}

static void mix_hash(struct txg_noise *n, struct txg_span data)
{
    hash_two(n->hash, txg_span(n->hash, TXG_NOISE_HASH), data);
}

static void mix_key(struct txg_noise *n, const unsigned char key[TXG_NOISE_KEY])
{
    unsigned char out[1][TXG_NOISE_HASH];
    hkdf(n->chain, txg_span(key, TXG_NOISE_KEY), out, 1);
    set_key(&n->out, out[0]);
    sodium_memzero(out, sizeof out);
}

static void mix_psk(struct txg_noise *n)
{
    unsigned char out[2][TXG_NOISE_HASH];
    hkdf(n->chain, txg_span(n->psk, TXG_NOISE_KEY), out, 2);
    mix_hash(n, txg_span(out[0], TXG_NOISE_HASH));
    set_key(&n->out, out[1]);
    sodium_memzero(out, sizeof out);
}

/* Token "e": the public key is hashed, and, as the pattern has a psk, mixed into the key too. */
static void mix_ephemeral(struct txg_noise *n, const unsigned char public_key[TXG_NOISE_KEY])
{
    mix_hash(n, txg_span(public_key, TXG_NOISE_KEY));
    mix_key(n, public_key);
}

/* Token "ee". libsodium refuses the points that would give a shared secret known to everybody. */
static int mix_secret(struct txg_noise *n)
{
    unsigned char secret[TXG_NOISE_KEY];
    if (crypto_scalarmult(secret, n->ephemeral, n->peer) != 0)
        return -1;
    mix_key(n, secret);
    sodium_memzero(secret, sizeof secret);
    return 0;
}

static void nonce_of(unsigned char nonce[12], uint64_t n)
{
    memset(nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (unsigned char)(n >> (8 * i));
}

static void encrypt(struct txg_noise_cipher *c, struct txg_span ad, struct txg_span plain,
                    struct txg_buf *out)
{
    unsigned char nonce[12];
    size_t size = plain.len + TXG_NOISE_TAG;
    unsigned char *to = (unsigned char *)txg_buf_reserve(out, size);
    nonce_of(nonce, c->n++);
    crypto_aead_chacha20poly1305_ietf_encrypt(to, NULL, (const unsigned char *)plain.data,
                                              plain.len, (const unsigned char *)ad.data, ad.len,
                                              NULL, nonce, c->key);
    txg_buf_commit(out, size);
}

static int decrypt(struct txg_noise_cipher *c, struct txg_span ad, struct txg_span sealed,
                   struct txg_buf *out)
{
    unsigned char nonce[12];
    if (sealed.len < TXG_NOISE_TAG)
        return -1;
    /* One byte more, so that an empty payload has a place as well. */
    unsigned char *to = (unsigned char *)txg_buf_reserve(out, sealed.len - TXG_NOISE_TAG + 1);
    nonce_of(nonce, c->n);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(
            to, NULL, NULL, (const unsigned char *)sealed.data, sealed.len,
            (const unsigned char *)ad.data, ad.len, nonce, c->key) != 0)
        return -1;
    c->n++;
    txg_buf_commit(out, sealed.len - TXG_NOISE_TAG);
    return 0;
}

void txg_noise_init(struct txg_noise *n, enum txg_noise_role role,
                    const unsigned char psk[TXG_NOISE_KEY], struct txg_span prologue,
                    const unsigned char ephemeral[TXG_NOISE_KEY])
{
    /* Chooses the code for this processor; without it all works, four times as slow. */
    if (sodium_init() < 0)
        abort();
    *n = (struct txg_noise){.role = role};
    memcpy(n->psk, psk, TXG_NOISE_KEY);
    memcpy(n->ephemeral, ephemeral, TXG_NOISE_KEY);
    memcpy(n->hash, name, sizeof name - 1);
    memcpy(n->chain, n->hash, TXG_NOISE_HASH);
    mix_hash(n, prologue);
}

void txg_noise_wipe(struct txg_noise *n)
{
    sodium_memzero(n, sizeof *n);
    n->failed = true;
}

bool txg_noise_done(const struct txg_noise *n)
{
    return n->step == 2;
}

/* After the second message: a key for each direction, and nothing left of the handshake's. */
static void split(struct txg_noise *n)
{
    unsigned char out[1][TXG_NOISE_HASH];
    hkdf(n->chain, txg_span("", 0), out, 1);
    bool first = n->role == TXG_NOISE_INITIATOR;
    set_key(first ? &n->out : &n->in, n->chain);
    set_key(first ? &n->in : &n->out, out[0]);
    sodium_memzero(out, sizeof out);
    sodium_memzero(n->chain, sizeof n->chain);
    sodium_memzero(n->psk, sizeof n->psk);
    sodium_memzero(n->ephemeral, sizeof n->ephemeral);
}

/* The initiator writes message 0, the responder message 1. */
static bool my_turn(const struct txg_noise *n)
{
    return (n->step == 0) == (n->role == TXG_NOISE_INITIATOR);
}

static void step_done(struct txg_noise *n, struct txg_span sealed)
{
    mix_hash(n, sealed);
    if (++n->step == 2)
        split(n);
}

static int handshake_write(struct txg_noise *n, struct txg_span payload, struct txg_buf *out)
{
    unsigned char public_key[TXG_NOISE_KEY];
    if (n->step == 0)
        mix_psk(n);
    crypto_scalarmult_base(public_key, n->ephemeral);
    mix_ephemeral(n, public_key);
    if (n->step == 1 && mix_secret(n) != 0)
        return -1;
    txg_buf_append(out, public_key, sizeof public_key);
    encrypt(&n->out, txg_span(n->hash, TXG_NOISE_HASH), payload, out);
    size_t sealed = payload.len + TXG_NOISE_TAG;
    step_done(n, txg_span(txg_buf_data(out) + txg_buf_len(out) - sealed, sealed));
    return 0;
}

static int handshake_read(struct txg_noise *n, struct txg_span message, struct txg_buf *payload)
{
    if (message.len < TXG_NOISE_HANDSHAKE)
        return -1;
    if (n->step == 0)
        mix_psk(n);
    memcpy(n->peer, message.data, TXG_NOISE_KEY);
    mix_ephemeral(n, n->peer);
    if (n->step == 1 && mix_secret(n) != 0)
        return -1;
    struct txg_span sealed = txg_span(message.data + TXG_NOISE_KEY, message.len - TXG_NOISE_KEY);
    if (decrypt(&n->out, txg_span(n->hash, TXG_NOISE_HASH), sealed, payload) != 0)
        return -1;
    step_done(n, sealed);
    return 0;
}

int txg_noise_write(struct txg_noise *n, struct txg_span payload, struct txg_buf *out,
                    struct txg_err *err)
{
    bool done = txg_noise_done(n);
    size_t around = done ? TXG_NOISE_TAG : TXG_NOISE_HANDSHAKE;
    if (n->failed)
        return txg_err_set(err, TXG_E_PROTO, "this Noise session has ended");
    if (payload.len > TXG_NOISE_MESSAGE_MAX - around)
        return txg_err_set(err, TXG_E_LIMIT, "%zu bytes in one Noise message, at most %zu fit",
                           payload.len, TXG_NOISE_MESSAGE_MAX - around);
    if (!done && !my_turn(n))
        return txg_err_set(err, TXG_E_PROTO, "the handshake's next message is the other side's");
    if (done && n->out.n == UINT64_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "this Noise session has used up its key");
    if (done)
        encrypt(&n->out, txg_span("", 0), payload, out);
    else if (handshake_write(n, payload, out) != 0) {
        txg_noise_wipe(n);
        return txg_err_set(err, TXG_E_PROTO, "handshake: the other side's public key is no key");
    }
    return 0;
}

int txg_noise_read(struct txg_noise *n, struct txg_span message, struct txg_buf *payload,
                   struct txg_err *err)
{
    bool done = txg_noise_done(n);
    if (n->failed)
        return txg_err_set(err, TXG_E_PROTO, "this Noise session has ended");
    if (!done && my_turn(n))
        return txg_err_set(err, TXG_E_PROTO, "the handshake's next message is ours to write");
    int rc = -1;
    if (message.len <= TXG_NOISE_MESSAGE_MAX && (!done || n->in.n != UINT64_MAX))
        rc = done ? decrypt(&n->in, txg_span("", 0), message, payload)
                  : handshake_read(n, message, payload);
    if (rc == 0)
        return 0;
    uint64_t number = n->in.n;
    txg_noise_wipe(n);
    if (done)
        return txg_err_set(err, TXG_E_PROTO,
                           "message %llu was altered, replayed or written by somebody else",
                           (unsigned long long)number);
    return txg_err_set(
        err, TXG_E_PROTO,
        "handshake: the other side does not have this key, or its message was altered");
}
