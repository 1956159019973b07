#include "config.h"

#include "src/report/screen.h"

#include <string.h>

#define FLUSH_AT 4096

void txg_screen_flush(struct txg_screen *s)
{
    if (txg_buf_len(&s->out) == 0)
        return;
    s->sink->write(s->sink, txg_buf_data(&s->out), txg_buf_len(&s->out));
    txg_buf_clear(&s->out);
}

void txg_screen_relieve(struct txg_screen *s)
{
    if (txg_buf_len(&s->out) >= FLUSH_AT)
        txg_screen_flush(s);
}

void txg_screen_erase(struct txg_screen *s)
{
    if (s->passing)
        txg_buf_puts(&s->out, "\033[J");
    s->passing = false;
}

void txg_screen_fresh(struct txg_screen *s)
{
    txg_screen_erase(s);
    if (s->column > 0)
        txg_buf_putc(&s->out, '\n');
    s->column = 0;
}

void txg_screen_pass(struct txg_screen *s, struct txg_buf *lines)
{
    txg_screen_erase(s);
    const char *text = txg_buf_cstr(lines);
    if (*text == '\0')
        return;
    int up = s->column > 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        up++;
    if (s->column > 0)
        txg_buf_putc(&s->out, '\n');
    txg_buf_puts(&s->out, text);
    /* Up and right by what was really written: a scroll in between does no harm. */
    if (up > 0)
        txg_buf_printf(&s->out, "\033[%dA", up);
    txg_buf_putc(&s->out, '\r');
    if (s->column > 0)
        txg_buf_printf(&s->out, "\033[%dC", s->column);
    s->passing = true;
}

const char *txg_screen_color(const struct txg_screen *s, enum txg_color color)
{
    static const char *const codes[] = {
        [TXG_PLAIN] = "\033[0m",  [TXG_BOLD] = "\033[1m",    [TXG_RED] = "\033[31m",
        [TXG_GREEN] = "\033[32m", [TXG_YELLOW] = "\033[33m",
    };
    return s->color ? codes[color] : "";
}

/* Code points: what a title is made of is rarely wider. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void fill_with(struct txg_buf *out, char fill, int n)
{
    if (n > 0)
        memset(txg_buf_reserve(out, (size_t)n), fill, (size_t)n);
    txg_buf_commit(out, n > 0 ? (size_t)n : 0);
}

void txg_screen_rule(const struct txg_screen *s, struct txg_buf *out, char fill, const char *title,
                     enum txg_color color)
{
    int room = s->width - columns_of(title) - 2;
    int left = room / 2 > 1 ? room / 2 : 1;
    if (color != TXG_PLAIN)
        txg_buf_puts(out, txg_screen_color(s, color));
    fill_with(out, fill, left);
    txg_buf_putc(out, ' ');
    txg_buf_puts(out, title);
    txg_buf_putc(out, ' ');
    fill_with(out, fill, room - left > left ? room - left : left);
    if (color != TXG_PLAIN)
        txg_buf_puts(out, txg_screen_color(s, TXG_PLAIN));
    txg_buf_putc(out, '\n');
}
