#include "config.h"

#include "src/report/terminal.h"

#define NOT_RUN_SHOWN 10 /* lines of tests that were not run; the rest is counted */

static const char *label_of(enum txg_outcome outcome)
{
    switch (outcome) {
    case TXG_FAILED:
        return "FAILED";
    case TXG_ERROR:
        return "ERROR";
    case TXG_CRASHED:
        return "CRASHED";
    case TXG_TIMED_OUT:
        return "TIMED OUT";
    case TXG_LOST:
        return "LOST";
    case TXG_NOT_RUN:
        return "NOT RUN";
    default:
        return NULL;
    }
}

static void add_flaky(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_buf out = {0};
    txg_buf_puts(&out, "FLAKY ");
    txg_printable_line(&out, event->test.nodeid);
    txg_buf_puts(&out, " - [");
    txg_terminal_name(&out, event->gateway);
    txg_buf_printf(&out, "] %s at try %u\n", txg_outcome_name(event->result.outcome),
                   event->test.attempt);
    txg_stash_append(&t->summary, txg_buf_data(&out), txg_buf_len(&out));
    txg_buf_release(&out);
}

void txg_summary_result(struct txg_terminal *t, const struct txg_event *event)
{
    const char *label = label_of(event->result.outcome);
    if (event->result.flaky)
        add_flaky(t, event);
    if (!label)
        return;
    if (event->result.outcome == TXG_NOT_RUN && ++t->n_not_run > NOT_RUN_SHOWN)
        return;
    struct txg_buf out = {0};
    txg_buf_printf(&out, "%s ", label);
    txg_printable_line(&out, event->test.nodeid);
    txg_buf_puts(&out, " - [");
    txg_terminal_name(&out, event->gateway);
    txg_buf_puts(&out, "] ");
    txg_terminal_reason(&out, &event->result);
    txg_buf_putc(&out, '\n');
    txg_stash_append(&t->summary, txg_buf_data(&out), txg_buf_len(&out));
    txg_buf_release(&out);
}

void txg_summary_warning(struct txg_terminal *t, const struct txg_event *event)
{
    struct txg_buf out = {0};
    if (event->gateway) {
        txg_buf_putc(&out, '[');
        txg_terminal_name(&out, event->gateway);
        txg_buf_puts(&out, "] ");
    }
    txg_printable(&out, event->message.text.data, event->message.text.len, TXG_PRINT_TEXT);
    txg_buf_putc(&out, '\n');
    txg_stash_append(&t->warnings, txg_buf_data(&out), txg_buf_len(&out));
    t->n_warnings++;
    txg_buf_release(&out);
}

static void on_piece(void *user, const void *data, size_t len)
{
    struct txg_terminal *t = user;
    txg_buf_append(&t->screen.out, data, len);
    txg_screen_relieve(&t->screen);
}

static void show(struct txg_terminal *t, const char *title, struct txg_stash *stash)
{
    if (txg_stash_is_empty(stash))
        return;
    txg_screen_rule(&t->screen, &t->screen.out, '=', title, TXG_PLAIN);
    txg_stash_read(stash, on_piece, t);
}

static void count(struct txg_buf *out, size_t n, const char *what)
{
    if (n)
        txg_buf_printf(out, "%s%zu %s", txg_buf_len(out) ? ", " : "", n, what);
}

/* pytest's last line: what is bad first. */
static void totals(struct txg_terminal *t, struct txg_buf *out)
{
    static const enum txg_outcome order[] = {TXG_FAILED,  TXG_CRASHED, TXG_TIMED_OUT, TXG_LOST,
                                             TXG_ERROR,   TXG_PASSED,  TXG_SKIPPED,   TXG_XFAILED,
                                             TXG_XPASSED, TXG_NOT_RUN};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        count(out, t->outcomes[order[i]], txg_outcome_name(order[i]));
        if (order[i] == TXG_PASSED)
            count(out, t->n_flaky, "of them flaky");
        if (order[i] == TXG_SKIPPED)
            count(out, t->n_deselected, "deselected");
    }
    count(out, t->n_slow, "slow");
    count(out, t->n_errors, t->n_errors == 1 ? "collection error" : "collection errors");
    count(out, t->n_warnings, t->n_warnings == 1 ? "warning" : "warnings");
    if (t->n_failed_gateways)
        txg_buf_printf(out, "%s%zu gateway%s could not start or %s lost",
                       txg_buf_len(out) ? ", " : "", t->n_failed_gateways,
                       t->n_failed_gateways == 1 ? "" : "s",
                       t->n_failed_gateways == 1 ? "was" : "were");
    if (txg_buf_len(out) == 0)
        txg_buf_puts(out, "no tests ran");
    txg_buf_puts(out, " in ");
    txg_print_duration(out, t->now);
}

static bool is_bad(const struct txg_terminal *t)
{
    size_t bad =
        t->n_errors + t->n_failed_gateways + t->outcomes[TXG_LOST] + t->outcomes[TXG_NOT_RUN];
    for (int o = 0; o < TXG_OUTCOMES; o++)
        bad += txg_outcome_is_failure((enum txg_outcome)o) ? t->outcomes[o] : 0;
    return bad > 0 || t->stopping;
}

static void last_line(struct txg_terminal *t)
{
    struct txg_buf line = {0};
    struct txg_buf *out = &t->screen.out;
    totals(t, &line);
    enum txg_color color = is_bad(t) ? TXG_RED : TXG_GREEN;
    if (t->options.verbosity < 0)
        txg_buf_printf(out, "%s%s%s\n", txg_screen_color(&t->screen, color), txg_buf_cstr(&line),
                       txg_screen_color(&t->screen, TXG_PLAIN));
    else
        txg_screen_rule(&t->screen, out, '=', txg_buf_cstr(&line), color);
    txg_buf_release(&line);
}

/* One line for each test and gateway that did not do as it should. */
static void show_summary(struct txg_terminal *t)
{
    struct txg_buf *out = &t->screen.out;
    if (txg_stash_is_empty(&t->summary) && txg_stash_is_empty(&t->downs))
        return;
    txg_screen_rule(&t->screen, out, '=', "short test summary info", TXG_PLAIN);
    txg_stash_read(&t->summary, on_piece, t);
    if (t->n_not_run > NOT_RUN_SHOWN)
        txg_buf_printf(out, "NOT RUN ... and %zu more\n", t->n_not_run - NOT_RUN_SHOWN);
    txg_stash_read(&t->downs, on_piece, t);
}

void txg_summary_finish(struct txg_terminal *t)
{
    txg_screen_fresh(&t->screen);
    show(t, "ERRORS", &t->errors);
    show(t, "RERUNS", &t->reruns);
    show(t, "FAILURES", &t->failures);
    show(t, "warnings summary", &t->warnings);
    txg_durations_finish(t);
    /* With -q and --tb=line the lines above already say as much. */
    if (t->options.verbosity >= 0 || t->options.tb != TXG_TB_LINE)
        show_summary(t);
    if (t->stopping)
        txg_screen_rule(&t->screen, &t->screen.out, '!', t->stopping, TXG_RED);
    last_line(t);
}
