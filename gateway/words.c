#include "config.h"

#include "gateway/words.h"

#include <string.h>

#include "src/base/str.h"

void txg_words_release(struct txg_words *w)
{
    txg_buf_release(&w->line);
    txg_buf_release(&w->last);
}

static void quote_byte(struct txg_buf *out, unsigned char c)
{
    if (c == '\n')
        txg_buf_puts(out, "\\n");
    else if (c == '\r')
        txg_buf_puts(out, "\\r");
    else if (c == '\t' || (c >= 0x20 && c < 0x7f))
        txg_buf_putc(out, (char)c);
    else
        txg_buf_printf(out, "\\x%02x", c);
}

void txg_words_quote(struct txg_buf *out, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        size_t good = txg_utf8_prefix(p, len);
        for (size_t i = 0; i < good; i++) {
            unsigned char c = (unsigned char)p[i];
            if (c >= 0x80)
                txg_buf_putc(out, p[i]);
            else
                quote_byte(out, c);
        }
        if (good < len)
            quote_byte(out, (unsigned char)p[good++]);
        p += good;
        len -= good;
    }
}

/* The oldest lines give way, whole ones where that is possible. */
static void shorten(struct txg_buf *last)
{
    size_t len = txg_buf_len(last);
    if (len <= TXG_WORDS_MAX)
        return;
    const char *data = txg_buf_data(last);
    size_t cut = len - TXG_WORDS_MAX;
    const char *newline = memchr(data + cut, '\n', len - cut - 1);
    txg_buf_consume(last, newline ? (size_t)(newline - data) + 1 : cut);
}

static void finish_line(struct txg_words *w, txg_words_fn *on_line, void *user)
{
    size_t len = txg_buf_len(&w->line);
    if (len > 0 && txg_buf_data(&w->line)[len - 1] == '\r')
        len--;
    struct txg_buf text = {0};
    txg_words_quote(&text, txg_buf_data(&w->line), len);
    txg_buf_clear(&w->line);
    if (txg_buf_len(&text) > 0) {
        txg_buf_append(&w->last, txg_buf_data(&text), txg_buf_len(&text));
        txg_buf_putc(&w->last, '\n');
        shorten(&w->last);
        if (on_line)
            on_line(user, txg_buf_cstr(&text));
    }
    txg_buf_release(&text);
}

void txg_words_feed(struct txg_words *w, const void *data, size_t len, txg_words_fn *on_line,
                    void *user)
{
    const char *p = data;
    while (len > 0) {
        const char *newline = memchr(p, '\n', len);
        size_t part = newline ? (size_t)(newline - p) : len;
        size_t room = TXG_WORDS_LINE_MAX - txg_buf_len(&w->line);
        bool whole = newline && part <= room;
        if (part > room)
            part = room;
        txg_buf_append(&w->line, p, part);
        if (whole || txg_buf_len(&w->line) == TXG_WORDS_LINE_MAX)
            finish_line(w, on_line, user);
        part += whole;
        p += part;
        len -= part;
    }
}

void txg_words_end(struct txg_words *w, txg_words_fn *on_line, void *user)
{
    if (txg_buf_len(&w->line) > 0)
        finish_line(w, on_line, user);
}

const char *txg_words_last(struct txg_words *w)
{
    return txg_buf_cstr(&w->last);
}
