#include "config.h"

#include "src/base/sha256.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "src/base/sha256_cpu.h"

const uint32_t txg_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void spread(const unsigned char *block, uint32_t w[64])
{
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

/* The eight words change places every round: instead, their numbers do. */
static void take_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64], s[8];
    spread(block, w);
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t a = s[(0 - i) & 7], b = s[(1 - i) & 7], c = s[(2 - i) & 7];
        uint32_t e = s[(4 - i) & 7], f = s[(5 - i) & 7], g = s[(6 - i) & 7];
        uint32_t t1 = s[(7 - i) & 7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                      ((e & f) ^ (~e & g)) + txg_sha256_constants[i] + w[i];
        uint32_t t2 =
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        s[(3 - i) & 7] += t1;
        s[(7 - i) & 7] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

void txg_sha256_take_portably(uint32_t state[8], const unsigned char *data, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, data += 64)
        take_block(state, data);
}

void txg_sha256_init(struct txg_sha256 *h)
{
    txg_sha256_take *take = txg_sha256_cpu();
    *h = (struct txg_sha256){.take = take ? take : txg_sha256_take_portably,
                             .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                       0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void txg_sha256_feed(struct txg_sha256 *h, const void *data, size_t len)
{
    const unsigned char *p = data;
    while (len > 0) {
        size_t used = h->total % sizeof h->block, n = sizeof h->block - used;
        if (used == 0 && len >= sizeof h->block) {
            n = len - len % sizeof h->block;
            h->take(h->state, p, n / sizeof h->block);
        } else {
            n = n < len ? n : len;
            memcpy(h->block + used, p, n);
            if (used + n == sizeof h->block)
                h->take(h->state, h->block, 1);
        }
        h->total += n;
        p += n;
        len -= n;
    }
}

void txg_sha256_end(struct txg_sha256 *h, char out[TXG_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    static const unsigned char pad[64] = {0x80};
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(h->total * 8 >> (56 - 8 * i));
    size_t used = h->total % sizeof h->block;
    txg_sha256_feed(h, pad, (used < 56 ? 56 : 120) - used);
    txg_sha256_feed(h, length, sizeof length);
    for (int i = 0; i < 64; i++)
        out[i] = digits[h->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    out[64] = '\0';
}

int txg_sha256_fd(int fd, char out[TXG_SHA256_HEX])
{
    struct txg_sha256 h;
    char buffer[16384];
    ssize_t n;
    txg_sha256_init(&h);
    while ((n = read(fd, buffer, sizeof buffer)) != 0) {
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            txg_sha256_feed(&h, buffer, (size_t)n);
    }
    txg_sha256_end(&h, out);
    return 0;
}
