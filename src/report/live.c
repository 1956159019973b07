#include "config.h"

#include "src/report/terminal.h"

#define SHOWN_MAX  8
#define MOVING_MAX 4

void txg_live_event(struct txg_terminal *t, const struct txg_event *event)
{
    if (!t->options.live || !event->gateway || event->gateway->number >= t->n_nodes)
        return;
    struct txg_terminal_node *node = &t->nodes[event->gateway->number];
    node->busy = event->type == TXG_EVENT_TEST_START;
    if (!node->busy)
        return;
    node->since = event->time;
    txg_buf_clear(&node->test);
    txg_printable_line(&node->test, event->test.nodeid);
}

/* The longest running ones, oldest first. Returns how many are busy in all. */
static size_t oldest(struct txg_terminal *t, struct txg_terminal_node *shown[SHOWN_MAX])
{
    size_t busy = 0;
    for (size_t i = 0; i < t->n_nodes; i++) {
        struct txg_terminal_node *node = &t->nodes[i];
        if (!node->busy)
            continue;
        size_t at = busy < SHOWN_MAX ? busy : SHOWN_MAX;
        for (; at > 0 && shown[at - 1]->since > node->since; at--)
            if (at < SHOWN_MAX)
                shown[at] = shown[at - 1];
        if (at < SHOWN_MAX)
            shown[at] = node;
        busy++;
    }
    return busy;
}

/* As much of it as fits the screen. */
static void put_line(const struct txg_terminal *t, const struct txg_buf *line,
                     struct txg_buf *lines)
{
    txg_buf_append(
        lines, txg_buf_data(line),
        txg_printable_fit(txg_buf_data(line), txg_buf_len(line), (size_t)t->screen.width - 1));
}

void txg_live_tick(struct txg_terminal *t)
{
    if (t->moving_at == t->now)
        return;
    txg_buf_clear(&t->moving);
    t->n_moving = 0;
    t->moving_at = t->now;
}

void txg_live_transfer(struct txg_terminal *t, const struct txg_event *event)
{
    if (!t->options.live || t->options.verbosity < -1)
        return;
    txg_live_tick(t);
    if (++t->n_moving > MOVING_MAX)
        return;
    bool large = event->transfer.all >= 1000000;
    double unit = large ? 1e6 : 1e3;
    struct txg_buf line = {0};
    txg_terminal_name(&line, event->gateway);
    txg_buf_printf(&line, ": uploading %s %.1f of %.1f %s", event->transfer.what,
                   (double)event->transfer.done / unit, (double)event->transfer.all / unit,
                   large ? "MB" : "kB");
    if (t->n_moving > 1)
        txg_buf_putc(&t->moving, '\n');
    put_line(t, &line, &t->moving);
    txg_buf_release(&line);
}

void txg_live_put_transfers(const struct txg_terminal *t, struct txg_buf *lines)
{
    if (t->n_moving == 0)
        return;
    if (txg_buf_len(lines))
        txg_buf_putc(lines, '\n');
    txg_buf_append(lines, txg_buf_data(&t->moving), txg_buf_len(&t->moving));
    if (t->n_moving > MOVING_MAX)
        txg_buf_printf(lines, "\nand %zu more uploads", t->n_moving - MOVING_MAX);
}

static void put_busy(const struct txg_terminal *t, const struct txg_terminal_node *node,
                     struct txg_buf *lines)
{
    struct txg_buf line = {0};
    txg_terminal_name(&line, node->info);
    int64_t tenths = (t->now - node->since) / 100000;
    txg_buf_printf(&line, "  %3d.%ds  ", (int)(tenths / 10), (int)(tenths % 10));
    txg_buf_append(&line, txg_buf_data(&node->test), txg_buf_len(&node->test));
    put_line(t, &line, lines);
    txg_buf_release(&line);
}

void txg_live_draw(struct txg_terminal *t)
{
    struct txg_terminal_node *shown[SHOWN_MAX];
    size_t busy = oldest(t, shown);
    struct txg_buf *lines = &t->scratch;
    txg_buf_clear(lines);
    for (size_t i = 0; i < busy && i < SHOWN_MAX; i++) {
        if (i > 0)
            txg_buf_putc(lines, '\n');
        put_busy(t, shown[i], lines);
    }
    if (busy > SHOWN_MAX)
        txg_buf_printf(lines, "\nand %zu more", busy - SHOWN_MAX);
    txg_live_put_transfers(t, lines);
    txg_screen_pass(&t->screen, lines);
    t->drawn = t->now;
}
