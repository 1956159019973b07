#include "config.h"

#include "src/report/terminal.h"

#define POINTS_MAX 50 /* told one by one; JUnit has all */

static void add_points(const struct txg_event_result *result, struct txg_buf *out)
{
    size_t failed = 0;
    for (size_t i = 0; i < result->n_points; i++) {
        const struct txg_event_point *p = &result->points[i];
        if (!txg_outcome_is_failure(p->outcome) || failed++ >= POINTS_MAX)
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
    if (failed > POINTS_MAX)
        txg_buf_printf(out, "  and %zu more\n", failed - POINTS_MAX);
}

static void add_rerun(const struct txg_terminal *t, const struct txg_event *event,
                      struct txg_buf *out)
{
    if (!t->options.command || !event->gateway)
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
    if (event->test.attempt > 1 || event->type == TXG_EVENT_TEST_RETRY)
        txg_buf_printf(out, "try %u ", event->test.attempt);
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
    txg_output_section(t, event, 1, out);
    txg_output_section(t, event, 2, out);
    add_rerun(t, event, out);
}

static void add_line(struct txg_terminal *t, const struct txg_event *event, struct txg_buf *out)
{
    txg_buf_putc(out, '[');
    txg_terminal_name(out, event->gateway);
    txg_buf_puts(out, "] ");
    txg_printable_line(out, event->test.nodeid);
    txg_buf_puts(out, ": ");
    txg_terminal_reason(out, &event->result);
    if (!txg_output_last_line(t, event, 2, out))
        txg_output_last_line(t, event, 1, out);
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
    txg_stash_append(event->type == TXG_EVENT_TEST_RETRY ? &t->reruns : &t->failures,
                     txg_buf_data(&out), txg_buf_len(&out));
    txg_buf_release(&out);
}

void txg_failures_collect_error(struct txg_terminal *t, const struct txg_event *event)
{
    t->n_errors++;
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
