#include "config.h"

#include "src/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"

#define PRINTF_ROOM 128

void txg_buf_release(struct txg_buf *b)
{
    free(b->mem);
    *b = (struct txg_buf){0};
}

char *txg_buf_reserve(struct txg_buf *b, size_t len)
{
    if (b->head == b->tail)
        b->head = b->tail = 0;
    if (b->cap - b->tail >= len)
        return b->mem ? b->mem + b->tail : NULL;
    size_t held = b->tail - b->head;
    if (b->head > 0 && b->cap - held >= len && b->head >= held) {
        memcpy(b->mem, b->mem + b->head, held);
    } else {
        size_t cap = b->cap ? b->cap : 64;
        while (cap - held < len) {
            if (cap > SIZE_MAX / 2)
                txg_oom();
            cap *= 2;
        }
        if (b->head > 0)
            memmove(b->mem, b->mem + b->head, held);
        b->mem = txg_xrealloc_array(b->mem, cap, 1);
        b->cap = cap;
    }
    b->head = 0;
    b->tail = held;
    return b->mem + b->tail;
}

void txg_buf_commit(struct txg_buf *b, size_t len)
{
    b->tail += len;
}

void txg_buf_append(struct txg_buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (b->cap - b->tail < len)
        txg_buf_reserve(b, len);
    memcpy(b->mem + b->tail, data, len);
    b->tail += len;
}

void txg_buf_puts(struct txg_buf *b, const char *s)
{
    txg_buf_append(b, s, strlen(s));
}

void txg_buf_putc(struct txg_buf *b, char c)
{
    if (b->tail == b->cap)
        txg_buf_reserve(b, 1);
    b->mem[b->tail++] = c;
}

void txg_buf_printf(struct txg_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    char *to = txg_buf_reserve(b, PRINTF_ROOM); /* mostly it fits, and is formatted once */
    int n = vsnprintf(to, PRINTF_ROOM, fmt, ap);
    va_end(ap);
    if (n >= PRINTF_ROOM)
        vsnprintf(txg_buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    if (n > 0)
        b->tail += (size_t)n;
    va_end(again);
}

void txg_buf_consume(struct txg_buf *b, size_t len)
{
    size_t held = txg_buf_len(b);
    b->head += len < held ? len : held;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

void txg_buf_clear(struct txg_buf *b)
{
    b->head = b->tail = 0;
}

const char *txg_buf_cstr(struct txg_buf *b)
{
    *txg_buf_reserve(b, 1) = '\0';
    return txg_buf_data(b);
}

char *txg_buf_take_cstr(struct txg_buf *b)
{
    size_t len = txg_buf_len(b);
    txg_buf_cstr(b);
    if (b->head > 0)
        memmove(b->mem, b->mem + b->head, len + 1);
    char *s = txg_xrealloc_array(b->mem, len + 1, 1);
    *b = (struct txg_buf){0};
    return s;
}
