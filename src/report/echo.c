#include "config.h"

#include "src/report/terminal.h"

#include <string.h>

#define LINE_MAX_HELD 4096 /* a longer line is shown in pieces */

static void put_line(struct txg_terminal *t, const struct txg_event *event, const char *data,
                     size_t len)
{
    struct txg_screen *s = &t->screen;
    txg_screen_fresh(s);
    txg_buf_putc(&s->out, '[');
    txg_terminal_name(&s->out, event->gateway);
    txg_buf_puts(&s->out, "] ");
    txg_printable(&s->out, data, len, TXG_PRINT_TEXT);
    txg_buf_putc(&s->out, '\n');
}

/* What is held, as a line. */
static void put_held(struct txg_terminal *t, const struct txg_event *event, struct txg_buf *held)
{
    if (txg_buf_len(held) > 0)
        put_line(t, event, txg_buf_data(held), txg_buf_len(held));
    txg_buf_clear(held);
}

void txg_echo_add(struct txg_terminal *t, const struct txg_event *event)
{
    if (event->gateway->number >= t->n_nodes)
        return;
    struct txg_buf *held = &t->nodes[event->gateway->number].said[event->output.stream - 1];
    if (event->output.dropped > 0) {
        put_held(t, event, held);
        struct txg_buf note = {0};
        txg_buf_printf(&note, "(%lld bytes are not shown: the link is behind)",
                       (long long)event->output.dropped);
        put_line(t, event, txg_buf_data(&note), txg_buf_len(&note));
        txg_buf_release(&note);
    }
    const char *data = event->output.data.data, *end = data + event->output.data.len;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t len = (size_t)((newline ? newline : end) - data);
        txg_buf_append(held, data, len);
        data += len + (newline != NULL);
        if (newline && txg_buf_len(held) == 0)
            put_line(t, event, "", 0);
        else if (newline || txg_buf_len(held) > LINE_MAX_HELD)
            put_held(t, event, held);
    }
    txg_screen_relieve(&t->screen);
}

void txg_echo_end(struct txg_terminal *t, const struct txg_event *event)
{
    if (!event->gateway || event->gateway->number >= t->n_nodes)
        return;
    struct txg_terminal_node *node = &t->nodes[event->gateway->number];
    put_held(t, event, &node->said[0]);
    put_held(t, event, &node->said[1]);
}
