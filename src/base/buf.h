/*
 * A growing byte buffer that can also be consumed from its front (a queue of bytes). Zero-filled
 * storage is an empty buffer. Out of memory aborts; whoever appends what a peer sent caps it first.
 */
#ifndef TXG_BASE_BUF_H
#define TXG_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct txg_buf {
    char *mem;   /* owned */
    size_t head; /* first byte that is not consumed */
    size_t tail; /* one behind the last byte */
    size_t cap;
};

void txg_buf_release(struct txg_buf *b);

/* The bytes held; the pointer is good until the next call that takes a non-const buffer. */
static inline const char *txg_buf_data(const struct txg_buf *b)
{
    return b->mem ? b->mem + b->head : "";
}

static inline size_t txg_buf_len(const struct txg_buf *b)
{
    return b->tail - b->head;
}

void txg_buf_append(struct txg_buf *b, const void *data, size_t len);
void txg_buf_puts(struct txg_buf *b, const char *s);
void txg_buf_putc(struct txg_buf *b, char c);
void txg_buf_printf(struct txg_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for `len` more bytes at the end, for read(2) to fill; txg_buf_commit says how many came. */
char *txg_buf_reserve(struct txg_buf *b, size_t len);
void txg_buf_commit(struct txg_buf *b, size_t len);

/* Drops `len` bytes from the front (at most what is held). */
void txg_buf_consume(struct txg_buf *b, size_t len);
void txg_buf_clear(struct txg_buf *b);

/* NUL-terminates the held bytes (the NUL is not counted) and returns them, borrowed. */
const char *txg_buf_cstr(struct txg_buf *b);

/* Hands out the held bytes as a NUL-terminated heap string; the buffer is empty afterwards. */
char *txg_buf_take_cstr(struct txg_buf *b);

#endif
