#include "config.h"

#include "src/report/terminal.h"

#include <stdlib.h>

#define WORTH 5000 /* microseconds of a phase that are told, as in pytest */

static void put_phases(struct txg_buf *line, const struct txg_event_result *r)
{
    if (r->setup < WORTH && r->teardown < WORTH)
        return;
    txg_buf_puts(line, " (setup ");
    txg_print_duration(line, r->setup);
    txg_buf_puts(line, ", teardown ");
    txg_print_duration(line, r->teardown);
    txg_buf_putc(line, ')');
}

/* With --durations N only the N slowest so far are kept, slowest first. */
void txg_durations_result(struct txg_terminal *t, const struct txg_event *event)
{
    long wanted = t->options.durations;
    int64_t us = event->result.duration;
    if (wanted < 0 || event->result.start < 0)
        return;
    bool full = wanted > 0 && t->n_durations == (size_t)wanted;
    if (full && us <= t->durations[t->n_durations - 1].us)
        return;
    if (full)
        free(t->durations[--t->n_durations].line);
    t->durations = txg_grow(t->durations, t->n_durations, &t->cap_durations, sizeof *t->durations);
    struct txg_buf line = {0};
    txg_buf_putc(&line, '[');
    txg_terminal_name(&line, event->gateway);
    txg_buf_puts(&line, "] ");
    txg_printable_line(&line, event->test.nodeid);
    put_phases(&line, &event->result);
    size_t at = t->n_durations++;
    for (; wanted > 0 && at > 0 && t->durations[at - 1].us < us; at--)
        t->durations[at] = t->durations[at - 1];
    t->durations[at] = (struct txg_duration){us, txg_buf_take_cstr(&line)};
}

static int slowest_first(const void *a, const void *b)
{
    int64_t left = ((const struct txg_duration *)a)->us;
    int64_t right = ((const struct txg_duration *)b)->us;
    return left > right ? -1 : left < right;
}

void txg_durations_finish(struct txg_terminal *t)
{
    if (t->n_durations == 0)
        return;
    struct txg_buf title = {0};
    if (t->options.durations > 0)
        txg_buf_printf(&title, "slowest %ld durations", t->options.durations);
    else
        txg_buf_puts(&title, "slowest durations");
    txg_screen_rule(&t->screen, &t->screen.out, '=', txg_buf_cstr(&title), TXG_PLAIN);
    txg_buf_release(&title);
    qsort(t->durations, t->n_durations, sizeof *t->durations, slowest_first);
    for (size_t i = 0; i < t->n_durations; i++) {
        txg_print_duration(&t->screen.out, t->durations[i].us);
        txg_buf_printf(&t->screen.out, " %s\n", t->durations[i].line);
        txg_screen_relieve(&t->screen);
    }
}

void txg_durations_release(struct txg_terminal *t)
{
    for (size_t i = 0; i < t->n_durations; i++)
        free(t->durations[i].line);
    free(t->durations);
}
