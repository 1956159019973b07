#include "config.h"

#include "src/report/terminal.h"

#include <string.h>

#define SHORT_LINES 20 /* of a stream with --tb=short */

struct text { /* one stream, read back */
    struct txg_buf head, tail;
    bool gap;        /* something is missing between the two */
    int64_t missing; /* so many bytes */
};

static void read_piece(void *user, const char *data, size_t len, bool gap)
{
    struct text *text = user;
    if (gap) {
        text->missing += (int64_t)txg_buf_len(&text->tail);
        txg_buf_clear(&text->tail);
        text->gap = true;
    }
    txg_buf_append(text->gap ? &text->tail : &text->head, data, len);
}

static void release_text(struct text *text)
{
    txg_buf_release(&text->head);
    txg_buf_release(&text->tail);
}

static void drop_behind(struct text *text, size_t keep)
{
    size_t more = txg_buf_len(&text->head) - keep;
    text->head.tail -= more;
    text->missing += (int64_t)more;
}

static void drop_before(struct text *text, size_t n)
{
    txg_buf_consume(&text->tail, n);
    text->missing += (int64_t)n;
}

/* Whole lines on both sides of a gap, where the text has lines. */
static void cut_at_lines(struct text *text)
{
    const char *data = txg_buf_data(&text->head);
    const char *last = memrchr(data, '\n', txg_buf_len(&text->head));
    if (last)
        drop_behind(text, (size_t)(last - data) + 1);
    data = txg_buf_data(&text->tail);
    size_t len = txg_buf_len(&text->tail);
    const char *first = memchr(data, '\n', len);
    if (first && first + 1 < data + len)
        drop_before(text, (size_t)(first - data) + 1);
}

/* At most TXG_TERMINAL_HEAD and TXG_TERMINAL_TAIL bytes stay. */
static void limit(struct text *text)
{
    size_t len = txg_buf_len(&text->head);
    if (!text->gap && len <= TXG_TERMINAL_HEAD + TXG_TERMINAL_TAIL)
        return;
    if (!text->gap) {
        txg_buf_append(&text->tail, txg_buf_data(&text->head) + TXG_TERMINAL_HEAD,
                       len - TXG_TERMINAL_HEAD);
        text->head.tail -= len - TXG_TERMINAL_HEAD;
        text->gap = true;
    } else if (len > TXG_TERMINAL_HEAD) {
        drop_behind(text, TXG_TERMINAL_HEAD);
    }
    if (txg_buf_len(&text->tail) > TXG_TERMINAL_TAIL)
        drop_before(text, txg_buf_len(&text->tail) - TXG_TERMINAL_TAIL);
    cut_at_lines(text);
}

/* Only the last lines stay, all of them in `tail`. */
static void shorten(struct text *text)
{
    if (!text->gap) {
        struct txg_buf all = text->head;
        text->head = text->tail;
        text->tail = all;
    }
    drop_behind(text, 0);
    const char *data = txg_buf_data(&text->tail);
    size_t at = txg_buf_len(&text->tail);
    for (int lines = 0; at > 0; at--)
        if (data[at - 1] == '\n' && at < txg_buf_len(&text->tail) && ++lines == SHORT_LINES)
            break;
    drop_before(text, at);
    text->gap = text->gap || at > 0;
}

static void put_text(const struct txg_terminal *t, const struct txg_buf *text, struct txg_buf *out)
{
    size_t len = txg_buf_len(text);
    if (len == 0)
        return;
    txg_printable(out, txg_buf_data(text), len, t->screen.color ? TXG_PRINT_SGR : TXG_PRINT_TEXT);
    if (txg_buf_data(text)[len - 1] != '\n')
        txg_buf_putc(out, '\n');
    txg_buf_puts(out, txg_screen_color(&t->screen, TXG_PLAIN));
}

static void put_gap(const struct txg_terminal *t, const struct text *text, struct txg_buf *out)
{
    txg_buf_puts(out, "[... ");
    txg_print_size(out, text->missing);
    txg_buf_puts(out, " not shown");
    if (t->options.tb == TXG_TB_LONG)
        txg_buf_puts(out, "; --junitxml keeps 1 MiB + 1 MiB of it");
    if (t->captures.errnum)
        txg_buf_printf(out, "; temporary file: %s", strerror(t->captures.errnum));
    txg_buf_puts(out, "]\n");
}

void txg_output_section(struct txg_terminal *t, const struct txg_event *event, int stream,
                        struct txg_buf *out)
{
    const struct txg_capture *c = txg_captures_get(&t->captures, event->gateway, stream);
    if (!c)
        return;
    int64_t dropped = stream == 2 ? event->result.dropped_err : event->result.dropped_out;
    struct text text = {.missing = c->dropped + dropped};
    txg_capture_read(&t->captures, c, read_piece, &text);
    limit(&text);
    if (t->options.tb == TXG_TB_SHORT)
        shorten(&text);
    txg_screen_rule(&t->screen, out, '-', stream == 2 ? "Captured stderr" : "Captured stdout",
                    TXG_PLAIN);
    put_text(t, &text.head, out);
    if (text.gap)
        put_gap(t, &text, out);
    put_text(t, &text.tail, out);
    release_text(&text);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool txg_output_last_line(struct txg_terminal *t, const struct txg_event *event, int stream,
                          struct txg_buf *out)
{
    const struct txg_capture *c = txg_captures_get(&t->captures, event->gateway, stream);
    if (!c)
        return false;
    struct text text = {0};
    txg_capture_read(&t->captures, c, read_piece, &text);
    struct txg_buf clean = {0}; /* without colours: they may be all that a line has */
    const struct txg_buf *last = txg_buf_len(&text.tail) ? &text.tail : &text.head;
    txg_printable(&clean, txg_buf_data(last), txg_buf_len(last), TXG_PRINT_TEXT);
    const char *data = txg_buf_data(&clean);
    size_t end = txg_buf_len(&clean), from;
    while (end > 0 && is_space(data[end - 1]))
        end--;
    for (from = end; from > 0 && data[from - 1] != '\n'; from--)
        ;
    while (from < end && is_space(data[from]))
        from++;
    if (end > from)
        txg_buf_puts(out, ": ");
    txg_printable_line(out, txg_span(data + from, end - from));
    txg_buf_release(&clean);
    release_text(&text);
    return end > from;
}
