#include "config.h"

#include "src/report/terminal.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 8 /* gateways that are named one by one */

static struct txg_terminal_node *node_of(struct txg_terminal *t,
                                         const struct txg_gateway_info *info)
{
    if (info->number >= t->n_nodes) {
        size_t n = (size_t)info->number + 1;
        n = n < 2 * t->n_nodes ? 2 * t->n_nodes : n;
        t->nodes = txg_xrealloc_array(t->nodes, n, sizeof *t->nodes);
        memset(t->nodes + t->n_nodes, 0, (n - t->n_nodes) * sizeof *t->nodes);
        t->n_nodes = n;
    }
    t->nodes[info->number].info = info;
    return &t->nodes[info->number];
}

void txg_nodes_release(struct txg_terminal *t)
{
    for (size_t i = 0; i < t->n_nodes; i++) {
        txg_buf_release(&t->nodes[i].test);
        txg_buf_release(&t->nodes[i].said[0]);
        txg_buf_release(&t->nodes[i].said[1]);
    }
    free(t->nodes);
}

static void one_by_one(const struct txg_terminal *t, struct txg_buf *out)
{
    const char *between = "";
    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct txg_terminal_node *node = &t->nodes[i];
        if (node->state == TXG_NODE_NONE)
            continue;
        txg_buf_puts(out, between);
        txg_printable_line(out, txg_span_cstr(node->info->id));
        if (node->state == TXG_NODE_COLLECTED)
            txg_buf_printf(out, " [%zu]", node->collected);
        else
            txg_buf_puts(out, node->state == TXG_NODE_STARTING ? " I"
                              : node->state == TXG_NODE_READY  ? " C"
                                                               : " down");
        between = " / ";
    }
}

static void add_group(struct txg_buf *out, size_t n, size_t all, const char *what)
{
    if (n == 0)
        return;
    if (n == all)
        txg_buf_printf(out, "%zu gateways %s", n, what);
    else
        txg_buf_printf(out, "%s%zu %s", txg_buf_len(out) ? " / " : "", n, what);
}

/* "1000 gateways [20]", "990 [20-22] / 8 C / 2 down" */
static void in_groups(const struct txg_terminal *t, struct txg_buf *out)
{
    size_t states[TXG_NODE_GONE + 1] = {0}, all = 0, least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct txg_terminal_node *node = &t->nodes[i];
        states[node->state]++;
        all += node->state != TXG_NODE_NONE;
        if (node->state != TXG_NODE_COLLECTED)
            continue;
        least = node->collected < least ? node->collected : least;
        most = node->collected > most ? node->collected : most;
    }
    char collected[64];
    if (least < most)
        snprintf(collected, sizeof collected, "[%zu-%zu]", least, most);
    else
        snprintf(collected, sizeof collected, "[%zu]", most);
    struct txg_buf line = {0};
    add_group(&line, states[TXG_NODE_STARTING], all, "I");
    add_group(&line, states[TXG_NODE_READY], all, "C");
    add_group(&line, states[TXG_NODE_COLLECTED], all, collected);
    add_group(&line, states[TXG_NODE_GONE], all, "down");
    txg_buf_append(out, txg_buf_data(&line), txg_buf_len(&line));
    txg_buf_release(&line);
}

static void states_line(struct txg_terminal *t, struct txg_buf *out)
{
    txg_buf_clear(out);
    size_t n = 0;
    for (size_t i = 0; i < t->n_nodes && n <= NAMED_MAX; i++)
        n += t->nodes[i].state != TXG_NODE_NONE;
    if (n <= NAMED_MAX)
        one_by_one(t, out);
    if (n > NAMED_MAX || txg_buf_len(out) >= (size_t)t->screen.width) {
        txg_buf_clear(out);
        in_groups(t, out);
    }
}

static void print_states(struct txg_terminal *t)
{
    if (t->options.verbosity < -1)
        return;
    states_line(t, &t->scratch);
    if (txg_buf_len(&t->scratch) == 0)
        return;
    txg_screen_fresh(&t->screen);
    txg_buf_append(&t->screen.out, txg_buf_data(&t->scratch), txg_buf_len(&t->scratch));
    txg_buf_putc(&t->screen.out, '\n');
}

void txg_nodes_announce(struct txg_terminal *t)
{
    if (t->starts_shown)
        return;
    t->starts_shown = true;
    if (t->options.live)
        txg_nodes_draw(t);
    else
        print_states(t);
    txg_screen_flush(&t->screen);
}

void txg_nodes_draw(struct txg_terminal *t)
{
    if (t->options.verbosity < -1)
        return;
    states_line(t, &t->scratch);
    txg_live_put_transfers(t, &t->scratch);
    txg_screen_pass(&t->screen, &t->scratch);
    t->drawn = t->now;
}

/* The later lines of a reason that has more than one (a transport's last words) are indented. */
static void put_reason(struct txg_buf *out, struct txg_span reason)
{
    while (reason.len && reason.data[reason.len - 1] == '\n')
        reason.len--;
    struct txg_buf text = {0};
    txg_printable(&text, reason.data, reason.len, TXG_PRINT_TEXT);
    for (size_t i = 0; i < txg_buf_len(&text); i++) {
        char c = txg_buf_data(&text)[i];
        txg_buf_putc(out, c);
        if (c == '\n')
            txg_buf_puts(out, "    ");
    }
    txg_buf_release(&text);
}

static void went_down(struct txg_terminal *t, const struct txg_event *event)
{
    const struct txg_gateway_info *info = event->gateway;
    struct txg_buf *line = &t->scratch;
    txg_buf_clear(line);
    txg_buf_putc(line, '[');
    txg_terminal_name(line, info);
    txg_buf_puts(line, event->down.before_ready ? "] could not start ("
                       : event->down.lost       ? "] host lost ("
                                                : "] node down: ");
    if (event->down.before_ready || event->down.lost) {
        txg_printable_line(line, txg_span_cstr(info->spec));
        txg_buf_puts(line, "): ");
    }
    put_reason(line, event->down.reason);
    txg_buf_putc(line, '\n');
    if (event->down.before_ready || event->down.lost) {
        t->n_failed_gateways++;
        txg_stash_append(&t->downs, "DOWN ", 5);
        txg_stash_append(&t->downs, txg_buf_data(line), txg_buf_len(line));
    }
    txg_screen_fresh(&t->screen);
    txg_buf_append(&t->screen.out, txg_buf_data(line), txg_buf_len(line));
    if (event->down.replacement) {
        txg_buf_puts(&t->screen.out, "replacing crashed worker ");
        txg_printable_line(&t->screen.out, txg_span_cstr(info->id));
        txg_buf_putc(&t->screen.out, '\n');
    }
    txg_screen_flush(&t->screen);
}

static void is_quarantined(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_buf *line = &t->scratch;
    txg_buf_clear(line);
    txg_buf_putc(line, '[');
    txg_terminal_name(line, event->gateway);
    txg_buf_puts(line, "] ");
    put_reason(line, event->quarantine.text);
    txg_buf_putc(line, '\n');
    txg_stash_append(&t->downs, "QUARANTINED ", 12);
    txg_stash_append(&t->downs, txg_buf_data(line), txg_buf_len(line));
    txg_screen_fresh(&t->screen);
    txg_buf_append(&t->screen.out, txg_buf_data(line), txg_buf_len(line));
    txg_screen_flush(&t->screen);
}

static void is_ready(struct txg_terminal *t, const struct txg_event *event)
{
    if (t->options.verbosity < 1)
        return;
    struct txg_buf *out = &t->screen.out;
    txg_screen_fresh(&t->screen);
    txg_buf_putc(out, '[');
    txg_terminal_name(out, event->gateway);
    txg_buf_puts(out, "] ");
    txg_printable_line(out, event->ready.arch);
    txg_buf_puts(out, ", txgate-worker ");
    txg_printable_line(out, event->ready.version);
    txg_buf_puts(out, ", cwd: ");
    txg_printable_line(out, event->ready.cwd);
    txg_buf_putc(out, '\n');
}

void txg_nodes_event(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_terminal_node *node = node_of(t, event->gateway);
    if (event->type == TXG_EVENT_GATEWAY_START) {
        node->state = TXG_NODE_STARTING;
        t->announced += event->gateway->replaces == NULL;
        if (t->announced == t->gateways)
            txg_nodes_announce(t);
    } else if (event->type == TXG_EVENT_GATEWAY_READY) {
        node->state = TXG_NODE_READY;
        is_ready(t, event);
    } else if (event->type == TXG_EVENT_GATEWAY_COLLECTED) {
        node->state = TXG_NODE_COLLECTED;
        node->collected = event->collected.count;
    } else if (event->type == TXG_EVENT_QUARANTINE) {
        is_quarantined(t, event);
    } else {
        node->state = TXG_NODE_GONE;
        node->busy = false;
        went_down(t, event);
    }
    if (t->options.live && !t->scheduled && t->now - t->drawn >= 20000) {
        txg_nodes_draw(t);
        txg_screen_flush(&t->screen);
    }
}

void txg_nodes_scheduling(struct txg_terminal *t, const struct txg_event *event)
{
    t->total = event->scheduling.total;
    print_states(t);
    txg_screen_erase(&t->screen);
    t->scheduled = true;
    if (t->options.verbosity >= 0 && event->scheduling.note.len) {
        txg_buf_putc(&t->screen.out, '\n');
        txg_printable_line(&t->screen.out, event->scheduling.note);
    }
    if (t->options.verbosity >= -1)
        txg_buf_printf(&t->screen.out, "\nscheduling tests via %s\n", event->scheduling.scheduler);
    txg_screen_flush(&t->screen);
}
