/*
 * SHA-256, FIPS 180-4: the content address of worker builds and test files. Here because the worker
 * needs it and links nothing but libc and msgpack-c; it authenticates nobody.
 */
#ifndef TXG_BASE_SHA256_H
#define TXG_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define TXG_SHA256_HEX 65 /* 64 digits and the NUL */

/* Takes whole blocks of 64 bytes. */
typedef void txg_sha256_take(uint32_t state[8], const unsigned char *data, size_t n_blocks);

struct txg_sha256 {
    txg_sha256_take *take;
    uint32_t state[8];
    uint64_t total;
    unsigned char block[64];
};

/* With the processor's own instructions for it where it has them, which is ten times as fast. */
void txg_sha256_init(struct txg_sha256 *h);
void txg_sha256_feed(struct txg_sha256 *h, const void *data, size_t len);

/* The digest in lower-case hex. The state is used up. */
void txg_sha256_end(struct txg_sha256 *h, char out[TXG_SHA256_HEX]);

/* Of all that can be read from a file descriptor. -1: errno says why. */
int txg_sha256_fd(int fd, char out[TXG_SHA256_HEX]);

/* For any processor. */
txg_sha256_take txg_sha256_take_portably;

#endif
