#include "config.h"

#include "src/report/terminal.h"

#include <string.h>

#define SHORT_LINES 20 /* of a stream with --tb=short */

struct section {         /* one stream of one failure, on its way into a stash */
    struct txg_buf text; /* printable */
    struct txg_buf raw;  /* a cut UTF-8 sequence waits here for its rest */
    int64_t dropped;
    bool color;
};

static void add_text(struct section *s, bool all)
{
    size_t n = all ? txg_buf_len(&s->raw)
                   : txg_printable_whole(txg_buf_data(&s->raw), txg_buf_len(&s->raw));
    txg_printable(&s->text, txg_buf_data(&s->raw), n,
                  s->color ? TXG_PRINT_TEXT | TXG_PRINT_SGR : TXG_PRINT_TEXT);
    txg_buf_consume(&s->raw, n);
}

static void on_piece(void *user, const char *data, size_t len, bool gap)
{
    struct section *s = user;
    if (gap) {
        add_text(s, true);
        if (txg_buf_len(&s->text) && txg_buf_data(&s->text)[txg_buf_len(&s->text) - 1] != '\n')
            txg_buf_putc(&s->text, '\n');
        txg_buf_puts(&s->text, "[... ");
        txg_print_size(&s->text, s->dropped);
        txg_buf_puts(&s->text, " not shown; --junitxml keeps 1 MiB + 1 MiB of it]\n");
    }
    txg_buf_append(&s->raw, data, len);
    add_text(s, false);
}

/* The printable text of a stream, ending in a newline; empty where nothing was printed. */
static void read_stream(struct txg_terminal *t, const struct txg_event *event, int stream,
                        struct txg_buf *out)
{
    const struct txg_capture *c = txg_captures_get(&t->captures, event->gateway, stream);
    if (!c)
        return;
    int64_t dropped = stream == 1 ? event->result.dropped_out : event->result.dropped_err;
    struct section s = {.dropped = dropped + c->dropped, .color = t->screen.color};
    txg_capture_read(&t->captures, c, on_piece, &s);
    add_text(&s, true);
    if (txg_buf_len(&s.text)) {
        if (s.color)
            txg_buf_puts(&s.text, "\033[0m");
        if (txg_buf_data(&s.text)[txg_buf_len(&s.text) - 1] != '\n')
            txg_buf_putc(&s.text, '\n');
    }
    txg_buf_append(out, txg_buf_data(&s.text), txg_buf_len(&s.text));
    txg_buf_release(&s.text);
    txg_buf_release(&s.raw);
}

/* Where the last `lines` lines begin. */
static const char *last_lines(const char *text, size_t len, size_t lines)
{
    const char *at = text + len;
    for (size_t n = 0; at > text; at--)
        if (at[-1] == '\n' && n++ == lines)
            break;
    return at;
}

static void add_stream(struct txg_terminal *t, const struct txg_event *event, int stream,
                       struct txg_buf *out)
{
    struct txg_buf text = {0};
    read_stream(t, event, stream, &text);
    size_t len = txg_buf_len(&text);
    if (len) {
        const char *from = txg_buf_data(&text);
        if (t->options.tb == TXG_TB_SHORT)
            from = last_lines(from, len, SHORT_LINES);
        txg_screen_rule(&t->screen, out, '-', stream == 1 ? "Captured stdout" : "Captured stderr",
                        TXG_PLAIN);
        txg_buf_append(out, from, len - (size_t)(from - txg_buf_data(&text)));
    }
    txg_buf_release(&text);
}

static void add_points(const struct txg_event_result *result, struct txg_buf *out)
{
    for (size_t i = 0; i < result->n_points; i++) {
        const struct txg_event_point *p = &result->points[i];
        if (!txg_outcome_is_failure(p->outcome))
            continue;
        txg_buf_printf(out, "  %s: ", txg_outcome_name(p->outcome));
        txg_printable_line(out, p->name);
        txg_buf_putc(out, '\n');
        if (p->text.len == 0)
            continue;
        txg_printable(out, p->text.data, p->text.len, TXG_PRINT_TEXT);
        if (p->text.data[p->text.len - 1] != '\n')
            txg_buf_putc(out, '\n');
    }
}

static void add_rerun(const struct txg_terminal *t, const struct txg_event *event,
                      struct txg_buf *out)
{
    if (!t->options.command)
        return;
    txg_buf_printf(out, "to run just this: %s ", t->options.command);
    txg_printable_quoted(out, event->test.nodeid);
    txg_buf_putc(out, '\n');
}

static void add_headline(const struct txg_terminal *t, const struct txg_event *event,
                         struct txg_buf *out)
{
    const struct txg_gateway_info *g = event->gateway;
    txg_buf_puts(out, txg_screen_color(&t->screen, TXG_RED));
    if (g) {
        txg_buf_putc(out, '[');
        txg_terminal_name(out, g);
        txg_buf_puts(out, "] (");
        txg_printable_line(out, txg_span_cstr(g->spec));
        txg_buf_puts(out, ") ");
    }
    txg_buf_printf(out, "%s: ", txg_outcome_name(event->result.outcome));
    txg_terminal_reason(out, &event->result);
    if (event->result.start >= 0) {
        txg_buf_puts(out, " in ");
        txg_print_duration(out, event->result.duration);
    }
    txg_buf_puts(out, txg_screen_color(&t->screen, TXG_PLAIN));
    txg_buf_putc(out, '\n');
    if (event->result.leaked)
        txg_buf_printf(out, "it left %lld process%s behind, killed\n",
                       (long long)event->result.leaked, event->result.leaked == 1 ? "" : "es");
}

static void add_block(struct txg_terminal *t, const struct txg_event *event, struct txg_buf *out)
{
    struct txg_buf title = {0};
    txg_printable_line(&title, event->test.nodeid);
    txg_screen_rule(&t->screen, out, '_', txg_buf_cstr(&title), TXG_PLAIN);
    txg_buf_release(&title);
    add_headline(t, event, out);
    add_points(&event->result, out);
    add_stream(t, event, 1, out);
    add_stream(t, event, 2, out);
    add_rerun(t, event, out);
}

/* Appends ": <the last line that says something>", of stderr before stdout. */
static void add_last_words(struct txg_terminal *t, const struct txg_event *event,
                           struct txg_buf *out)
{
    for (int stream = 2; stream >= 1; stream--) {
        struct txg_buf text = {0};
        read_stream(t, event, stream, &text);
        const char *line = txg_buf_cstr(&text), *end = line + txg_buf_len(&text);
        while (end > line && (end[-1] == '\n' || end[-1] == ' '))
            end--;
        const char *from = end;
        while (from > line && from[-1] != '\n')
            from--;
        if (end > from) {
            txg_buf_puts(out, ": ");
            txg_buf_append(out, from, (size_t)(end - from));
        }
        txg_buf_release(&text);
        if (end > from)
            return;
    }
}

static void add_line(struct txg_terminal *t, const struct txg_event *event, struct txg_buf *out)
{
    txg_buf_putc(out, '[');
    txg_terminal_name(out, event->gateway);
    txg_buf_puts(out, "] ");
    txg_printable_line(out, event->test.nodeid);
    txg_buf_puts(out, ": ");
    txg_terminal_reason(out, &event->result);
    add_last_words(t, event, out);
    txg_buf_putc(out, '\n');
}

void txg_failures_result(struct txg_terminal *t, const struct txg_event *event)
{
    enum txg_outcome outcome = event->result.outcome;
    if (t->options.tb == TXG_TB_NO || (!txg_outcome_is_failure(outcome) && outcome != TXG_LOST))
        return;
    struct txg_buf out = {0};
    if (t->options.tb == TXG_TB_LINE)
        add_line(t, event, &out);
    else
        add_block(t, event, &out);
    txg_stash_append(&t->failures, txg_buf_data(&out), txg_buf_len(&out));
    txg_buf_release(&out);
}

void txg_failures_collect_error(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_buf out = {0};
    txg_buf_putc(&out, '[');
    txg_terminal_name(&out, event->gateway);
    txg_buf_puts(&out, "] ");
    if (event->test.nodeid.len) {
        txg_printable_line(&out, event->test.nodeid);
        txg_buf_puts(&out, ": ");
    }
    txg_printable(&out, event->message.text.data, event->message.text.len, TXG_PRINT_TEXT);
    txg_buf_putc(&out, '\n');
    txg_stash_append(&t->errors, txg_buf_data(&out), txg_buf_len(&out));
    txg_buf_release(&out);
}
