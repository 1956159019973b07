#include "config.h"

#include "src/report/terminal.h"

#include <string.h>

#define PERCENT_WIDTH 7 /* " [ 50%]" */

static const struct look {
    char letter; /* 0: none */
    enum txg_color color;
    const char *word;
} looks[TXG_OUTCOMES] = {
    [TXG_PASSED] = {'.', TXG_GREEN, "PASSED"},    [TXG_FAILED] = {'F', TXG_RED, "FAILED"},
    [TXG_SKIPPED] = {'s', TXG_YELLOW, "SKIPPED"}, [TXG_XFAILED] = {'x', TXG_YELLOW, "XFAIL"},
    [TXG_XPASSED] = {'X', TXG_YELLOW, "XPASS"},   [TXG_ERROR] = {'E', TXG_RED, "ERROR"},
    [TXG_CRASHED] = {'C', TXG_RED, "CRASHED"},    [TXG_TIMED_OUT] = {'T', TXG_RED, "TIMED OUT"},
    [TXG_LOST] = {'L', TXG_RED, "LOST"},          [TXG_NOT_RUN] = {0, TXG_YELLOW, "NOT RUN"},
};

static const struct look *look_of(const struct txg_event *event)
{
    static const struct look again = {'R', TXG_YELLOW, "RERUN"};
    return event->type == TXG_EVENT_TEST_RETRY ? &again : &looks[event->result.outcome];
}

static void put_percent(struct txg_terminal *t)
{
    size_t percent = t->total ? t->done * 100 / t->total : 100;
    txg_buf_printf(&t->screen.out, "[%3zu%%]", percent);
}

static bool has_room_for_percent(const struct txg_terminal *t)
{
    return t->options.verbosity >= -1 && t->screen.width > 2 * PERCENT_WIDTH;
}

/* As pytest: the percentage ends one column before the edge. */
static void end_line(struct txg_terminal *t)
{
    txg_screen_erase(&t->screen);
    if (has_room_for_percent(t)) {
        int pad = t->screen.width - 1 - PERCENT_WIDTH + 1 - t->screen.column;
        txg_buf_printf(&t->screen.out, "%*s", pad > 0 ? pad : 0, "");
        put_percent(t);
    }
    txg_buf_putc(&t->screen.out, '\n');
    t->screen.column = 0;
}

static void put_letter(struct txg_terminal *t, const struct look *look)
{
    struct txg_screen *s = &t->screen;
    if (s->column == 0)
        txg_screen_erase(s);
    if (s->color)
        txg_buf_puts(&s->out, txg_screen_color(s, look->color));
    txg_buf_putc(&s->out, look->letter);
    if (s->color)
        txg_buf_puts(&s->out, txg_screen_color(s, TXG_PLAIN));
    s->column++;
    if (s->column + PERCENT_WIDTH + 1 >= s->width)
        end_line(t);
}

static void put_line(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_screen *s = &t->screen;
    enum txg_outcome o = event->result.outcome;
    txg_screen_fresh(s);
    txg_buf_putc(&s->out, '[');
    txg_terminal_name(&s->out, event->gateway);
    txg_buf_puts(&s->out, "] ");
    put_percent(t);
    txg_buf_putc(&s->out, ' ');
    txg_buf_puts(&s->out, txg_screen_color(s, look_of(event)->color));
    txg_buf_puts(&s->out, look_of(event)->word);
    txg_buf_puts(&s->out, txg_screen_color(s, TXG_PLAIN));
    txg_buf_putc(&s->out, ' ');
    txg_printable_line(&s->out, event->test.nodeid);
    /* Nothing else tells why these did not run to a plain end. */
    bool excused = o == TXG_SKIPPED || o == TXG_XFAILED || o == TXG_XPASSED;
    if (excused && event->result.reason.len > 0) {
        txg_buf_puts(&s->out, " (");
        txg_printable_line(&s->out, event->result.reason);
        txg_buf_putc(&s->out, ')');
    }
    txg_buf_putc(&s->out, '\n');
}

void txg_progress_result(struct txg_terminal *t, const struct txg_event *event)
{
    if (!look_of(event)->letter)
        return;
    if (t->options.verbosity > 0)
        put_line(t, event);
    else
        put_letter(t, look_of(event));
}

void txg_progress_slow(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_screen *s = &t->screen;
    if (t->options.verbosity < -1)
        return;
    txg_screen_fresh(s);
    txg_buf_putc(&s->out, '[');
    txg_terminal_name(&s->out, event->gateway);
    txg_buf_printf(&s->out, "] %sSLOW%s ", txg_screen_color(s, TXG_YELLOW),
                   txg_screen_color(s, TXG_PLAIN));
    txg_printable_line(&s->out, event->test.nodeid);
    txg_buf_puts(&s->out, " runs for ");
    txg_print_duration(&s->out, event->slow.elapsed);
    txg_buf_putc(&s->out, '\n');
    txg_screen_flush(s);
}

void txg_progress_end(struct txg_terminal *t)
{
    if (t->screen.column > 0)
        end_line(t);
    txg_screen_erase(&t->screen);
}
