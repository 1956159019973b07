#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/seal.h"
#include "tests/lib/suite.h"

static const unsigned char key[TXG_NOISE_KEY] = "the key that both sides share..";
static const unsigned char other_key[TXG_NOISE_KEY] = "the key of somebody else entire";

static size_t from_hex(const char *hex, unsigned char *out, size_t cap)
{
    size_t len = 0;
    for (unsigned byte; len < cap && sscanf(hex + 2 * len, "%2x", &byte) == 1; len++)
        out[len] = (unsigned char)byte;
    return len;
}

static void check_message(struct txg_noise *from, struct txg_noise *to, struct txg_span payload,
                          struct txg_span message)
{
    struct txg_buf out = {0}, in = {0};
    CU_ASSERT_EQUAL(txg_noise_write(from, payload, &out, NULL), 0);
    CU_ASSERT(txg_span_equal(txg_span(txg_buf_data(&out), txg_buf_len(&out)), message));
    CU_ASSERT_EQUAL(txg_noise_read(to, message, &in, NULL), 0);
    CU_ASSERT(txg_span_equal(txg_span(txg_buf_data(&in), txg_buf_len(&in)), payload));
    txg_buf_release(&out);
    txg_buf_release(&in);
}

static void the_published_vector(void)
{
    const char *srcdir = getenv("TXG_SRCDIR") ? getenv("TXG_SRCDIR") : ".";
    char path[4096], line[1024], word[16], a[512], b[512];
    unsigned char psk[32], prologue[64], e[2][32], x[256], y[256];
    struct txg_noise sides[2];
    size_t prologue_len = 0, messages = 0, hashes = 0;
    snprintf(path, sizeof path, "%s/tests/vectors/noise.txt", srcdir);
    FILE *f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (fgets(line, sizeof line, f)) {
        b[0] = '\0';
        if (line[0] == '#' || sscanf(line, "%15s %511s %511s", word, a, b) < 2)
            continue;
        if (!strcmp(word, "psk"))
            from_hex(a, psk, sizeof psk);
        else if (!strcmp(word, "prologue"))
            prologue_len = from_hex(a, prologue, sizeof prologue);
        else if (!strcmp(word, "initiator"))
            from_hex(a, e[0], 32);
        else if (!strcmp(word, "responder")) {
            from_hex(a, e[1], 32);
            for (int i = 0; i < 2; i++)
                txg_noise_init(&sides[i], i ? TXG_NOISE_RESPONDER : TXG_NOISE_INITIATOR, psk,
                               txg_span(prologue, prologue_len), e[i]);
        } else if (!strcmp(word, "message")) {
            size_t x_len = from_hex(a, x, sizeof x), y_len = from_hex(b, y, sizeof y);
            check_message(&sides[messages % 2], &sides[1 - messages % 2], txg_span(x, x_len),
                          txg_span(y, y_len));
            messages++;
        } else if (!strcmp(word, "hash")) {
            CU_ASSERT_EQUAL(from_hex(a, x, sizeof x), TXG_NOISE_HASH);
            for (int i = 0; i < 2; i++)
                CU_ASSERT_EQUAL(memcmp(sides[i].hash, x, TXG_NOISE_HASH), 0);
            hashes++;
        }
    }
    fclose(f);
    CU_ASSERT_EQUAL(messages, 6);
    CU_ASSERT_EQUAL(hashes, 1);
}

/* A controller and a worker, and what is on its way between them. */
struct pair {
    struct txg_seal a, b;
    struct txg_buf to_a, to_b, at_a, at_b;
};

static void pair_open(struct pair *p, const unsigned char *key_b, unsigned char session)
{
    unsigned char e[2][TXG_NOISE_KEY];
    memset(e[0], session, sizeof e[0]);
    memset(e[1], session + 1, sizeof e[1]);
    memset(p, 0, sizeof *p);
    txg_seal_open(&p->a, TXG_NOISE_INITIATOR, TXG_SEAL_CONTROLLER_CALLS, key, e[0], &p->to_b);
    txg_seal_open(&p->b, TXG_NOISE_RESPONDER, TXG_SEAL_CONTROLLER_CALLS, key_b, e[1], &p->to_a);
}

static void pair_release(struct pair *p)
{
    struct txg_buf *all[] = {&p->to_a, &p->to_b, &p->at_a, &p->at_b};
    txg_seal_release(&p->a);
    txg_seal_release(&p->b);
    for (size_t i = 0; i < 4; i++)
        txg_buf_release(all[i]);
}

static int deliver(struct txg_seal *to, struct txg_buf *way, size_t chunk, struct txg_buf *plain,
                   struct txg_buf *back)
{
    struct txg_err err;
    for (size_t len; (len = txg_buf_len(way)) != 0; txg_buf_consume(way, len)) {
        len = len < chunk ? len : chunk;
        if (txg_seal_feed(to, txg_buf_data(way), len, plain, back, &err) != 0)
            return -1;
    }
    return 0;
}

static int shake(struct pair *p, size_t chunk)
{
    if (deliver(&p->b, &p->to_b, chunk, &p->at_b, &p->to_a) != 0)
        return -1;
    CU_ASSERT_FALSE(p->b.proven);
    if (deliver(&p->a, &p->to_a, chunk, &p->at_a, &p->to_b) != 0)
        return -1;
    return deliver(&p->b, &p->to_b, chunk, &p->at_b, &p->to_a);
}

static void a_stream_in_every_chunking(void)
{
    static char sent[200000];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 31 + i / 256);
    static const size_t chunks[] = {1, 2, 3, 17, 4096, 65537, 1 << 20};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        struct pair p;
        pair_open(&p, key, 1);
        CU_ASSERT_EQUAL(txg_seal_send(&p.a, "x", 1, &p.to_b, NULL), -1);
        CU_ASSERT_EQUAL(shake(&p, chunks[i]), 0);
        CU_ASSERT(p.a.proven && p.b.proven);
        CU_ASSERT_EQUAL(txg_seal_send(&p.a, sent, sizeof sent, &p.to_b, NULL), 0);
        CU_ASSERT_EQUAL(txg_seal_send(&p.b, "back", 4, &p.to_a, NULL), 0);
        CU_ASSERT_EQUAL(deliver(&p.b, &p.to_b, chunks[i], &p.at_b, &p.to_a), 0);
        CU_ASSERT_EQUAL(deliver(&p.a, &p.to_a, chunks[i], &p.at_a, &p.to_b), 0);
        CU_ASSERT(txg_span_equal(txg_span(txg_buf_data(&p.at_b), txg_buf_len(&p.at_b)),
                                 txg_span(sent, sizeof sent)));
        CU_ASSERT(txg_span_is(txg_span(txg_buf_data(&p.at_a), txg_buf_len(&p.at_a)), "back"));
        pair_release(&p);
    }
}

static void another_key_is_refused(void)
{
    struct pair p;
    pair_open(&p, other_key, 1);
    CU_ASSERT_EQUAL(shake(&p, 4096), -1);
    CU_ASSERT_EQUAL(txg_buf_len(&p.to_a), 0);
    CU_ASSERT_FALSE(p.b.proven);
    CU_ASSERT_EQUAL(txg_seal_feed(&p.b, "", 1, &p.at_b, &p.to_a, NULL), -1);
    pair_release(&p);
}

/* All that the controller of one session says: handshake, proof, two messages. */
static void record(struct txg_buf *said, unsigned char session)
{
    struct pair p;
    pair_open(&p, key, session);
    txg_buf_append(said, txg_buf_data(&p.to_b), txg_buf_len(&p.to_b));
    deliver(&p.b, &p.to_b, 4096, &p.at_b, &p.to_a);
    deliver(&p.a, &p.to_a, 4096, &p.at_a, &p.to_b);
    txg_seal_send(&p.a, "first", 5, &p.to_b, NULL);
    txg_seal_send(&p.a, "second", 6, &p.to_b, NULL);
    txg_buf_append(said, txg_buf_data(&p.to_b), txg_buf_len(&p.to_b));
    pair_release(&p);
}

/* Says it to a worker of `session`: what that one read of it. */
static int replay(struct txg_buf *said, unsigned char session, struct txg_buf *plain)
{
    struct pair p;
    pair_open(&p, key, session);
    int rc = txg_seal_feed(&p.b, txg_buf_data(said), txg_buf_len(said), plain, &p.to_a, NULL);
    CU_ASSERT(txg_buf_len(&p.b.in) <= TXG_NOISE_MESSAGE_MAX + 2);
    pair_release(&p);
    return rc;
}

static void an_earlier_session_is_refused(void)
{
    struct txg_buf said = {0}, plain = {0};
    record(&said, 1);
    CU_ASSERT_EQUAL(replay(&said, 1, &plain), 0);
    CU_ASSERT(txg_span_is(txg_span(txg_buf_data(&plain), txg_buf_len(&plain)), "firstsecond"));
    txg_buf_clear(&plain);
    CU_ASSERT_EQUAL(replay(&said, 3, &plain), -1);
    CU_ASSERT_EQUAL(txg_buf_len(&plain), 0);
    txg_buf_release(&said);
    txg_buf_release(&plain);
}

/* Under valgrind each handshake takes milliseconds: some of the many will do. */
static unsigned stride(void)
{
    return getenv("TXG_VALGRIND") ? 251 : 1;
}

/* A length that grew leaves the side waiting for more; nothing altered is ever read. */
static void a_flipped_bit_at_every_offset(void)
{
    struct txg_buf said = {0};
    record(&said, 1);
    size_t len = txg_buf_len(&said), second = len - 2 - TXG_NOISE_TAG - 6;
    for (size_t bit = 0; bit < len * 8; bit += stride() % 8) {
        struct txg_buf plain = {0}, bent = {0};
        txg_buf_append(&bent, txg_buf_data(&said), len);
        bent.mem[bent.head + bit / 8] ^= (char)(1 << bit % 8);
        int rc = replay(&bent, 1, &plain);
        struct txg_span got = txg_span(txg_buf_data(&plain), txg_buf_len(&plain));
        if (bit / 8 < TXG_SEAL_UNPROVEN_MAX)
            CU_ASSERT(rc == -1);
        CU_ASSERT(txg_span_is(got, bit / 8 < second ? "" : "first"));
        txg_buf_release(&plain);
        txg_buf_release(&bent);
    }
    txg_buf_release(&said);
}

/* The same of what the worker says: its answer to the handshake, two messages. A controller that
 * got another answer sends nothing that would show it has the key. */
static void a_flipped_bit_on_the_way_back(void)
{
    struct pair p;
    struct txg_buf said = {0};
    pair_open(&p, key, 1);
    deliver(&p.b, &p.to_b, 4096, &p.at_b, &p.to_a);
    size_t answer = txg_buf_len(&p.to_a);
    CU_ASSERT_EQUAL(answer, 2 + TXG_NOISE_HANDSHAKE);
    txg_buf_append(&said, txg_buf_data(&p.to_a), answer);
    deliver(&p.a, &p.to_a, 4096, &p.at_a, &p.to_b);
    deliver(&p.b, &p.to_b, 4096, &p.at_b, &p.to_a);
    txg_seal_send(&p.b, "first", 5, &p.to_a, NULL);
    txg_seal_send(&p.b, "second", 6, &p.to_a, NULL);
    txg_buf_append(&said, txg_buf_data(&p.to_a), txg_buf_len(&p.to_a));
    pair_release(&p);

    size_t len = txg_buf_len(&said), second = len - 2 - TXG_NOISE_TAG - 6;
    for (size_t bit = 0; bit <= len * 8; bit++) { /* the last one changes nothing */
        bool whole = bit == len * 8;
        pair_open(&p, key, 1);
        txg_buf_clear(&p.to_b);
        txg_buf_append(&p.to_a, txg_buf_data(&said), len);
        if (!whole)
            p.to_a.mem[p.to_a.head + bit / 8] ^= (char)(1 << bit % 8);
        int rc = txg_seal_feed(&p.a, txg_buf_data(&p.to_a), len, &p.at_a, &p.to_b, NULL);
        struct txg_span got = txg_span(txg_buf_data(&p.at_a), txg_buf_len(&p.at_a));
        CU_ASSERT(txg_span_is(got, bit / 8 < second ? "" : whole ? "firstsecond" : "first"));
        CU_ASSERT_EQUAL(p.a.proven, rc == 0); /* a session that failed sends nothing any more */
        CU_ASSERT_EQUAL(txg_buf_len(&p.to_b), bit / 8 < answer ? 0 : 2 + TXG_NOISE_TAG);
        if (bit / 8 < answer)
            CU_ASSERT_EQUAL(rc, -1);
        pair_release(&p);
    }
    txg_buf_release(&said);
}

static void nothing_big_is_held_before_the_proof(void)
{
    struct txg_err err;
    for (unsigned size = 0; size <= TXG_NOISE_MESSAGE_MAX; size += size < 256 ? 1 : stride()) {
        struct pair p;
        unsigned char header[] = {(unsigned char)(size >> 8), (unsigned char)size};
        pair_open(&p, key, 1);
        int rc = txg_seal_feed(&p.b, header, 2, &p.at_b, &p.to_a, &err);
        CU_ASSERT_EQUAL(rc, size == TXG_NOISE_HANDSHAKE ? 0 : -1);
        pair_release(&p);
    }
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"the published vector", the_published_vector},
        {"a stream in every chunking", a_stream_in_every_chunking},
        {"another key is refused", another_key_is_refused},
        {"an earlier session is refused", an_earlier_session_is_refused},
        {"a flipped bit at every offset", a_flipped_bit_at_every_offset},
        {"a flipped bit on the way back", a_flipped_bit_on_the_way_back},
        {"nothing big is held before the proof", nothing_big_is_held_before_the_proof},
        {0},
    };
    return txg_suite_main(argc, argv, "noise", tests);
}
