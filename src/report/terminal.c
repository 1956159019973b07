#include "config.h"

#include "src/report/terminal.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS_EVERY 20000 /* microseconds between hand-overs of letters to a live terminal */
#define REDRAW_EVERY  100000

void txg_terminal_name(struct txg_buf *out, const struct txg_gateway_info *gateway)
{
    if (!gateway) {
        txg_buf_putc(out, '-');
        return;
    }
    txg_printable_line(out, txg_span_cstr(gateway->id));
    if (gateway->device && strcmp(gateway->device, gateway->id) != 0) {
        txg_buf_putc(out, ' ');
        txg_printable_line(out, txg_span_cstr(gateway->device));
    }
}

void txg_terminal_reason(struct txg_buf *out, const struct txg_event_result *result)
{
    if (result->reason.len > 0)
        txg_printable_line(out, result->reason);
    else if (result->signal > 0)
        txg_buf_printf(out, "signal %d", (int)result->signal);
    else if (result->status >= 0)
        txg_buf_printf(out, "exit status %d", (int)result->status);
    else
        txg_buf_puts(out, txg_outcome_name(result->outcome));
}

static void header(struct txg_terminal *t, const struct txg_event *event)
{
    t->gateways = event->run.gateways;
    if (t->options.verbosity < 0)
        return;
    struct txg_buf *out = &t->screen.out;
    txg_screen_rule(&t->screen, out, '=', "test session starts", TXG_BOLD);
    txg_buf_printf(out, PACKAGE_NAME " " PACKAGE_VERSION ", dist %s, %zu gateway%s",
                   event->run.dist, event->run.gateways, event->run.gateways == 1 ? "" : "s");
    if (t->options.verbosity > 0)
        txg_buf_printf(out, ", run %s", event->run.testrunuid);
    txg_buf_putc(out, '\n');
}

/* Internal errors and the reason to stop are told at once: waiting may be what the user does. */
static void tell_now(struct txg_terminal *t, const struct txg_event *event, const char *prefix)
{
    struct txg_buf text = {0};
    txg_printable(&text, event->message.text.data, event->message.text.len, TXG_PRINT_TEXT);
    txg_screen_fresh(&t->screen);
    char *rest = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)txg_buf_cstr(&text), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        txg_buf_puts(&t->screen.out, prefix);
        if (event->gateway) {
            txg_buf_putc(&t->screen.out, '[');
            txg_terminal_name(&t->screen.out, event->gateway);
            txg_buf_puts(&t->screen.out, "] ");
        }
        txg_buf_puts(&t->screen.out, line);
        txg_buf_putc(&t->screen.out, '\n');
    }
    txg_buf_release(&text);
    txg_screen_flush(&t->screen);
}

static void stopping(struct txg_terminal *t, const struct txg_event *event)
{
    tell_now(t, event, "");
    free(t->stopping);
    struct txg_buf text = {0};
    txg_printable_line(&text, event->message.text);
    t->stopping = txg_buf_take_cstr(&text);
}

static void finished_test(struct txg_terminal *t, const struct txg_event *event)
{
    t->outcomes[event->result.outcome]++;
    t->done = event->result.done;
    t->total = event->result.total;
    txg_echo_end(t, event);
    txg_live_event(t, event);
    txg_progress_result(t, event);
    txg_failures_result(t, event);
    txg_summary_result(t, event);
    txg_durations_result(t, event);
    txg_captures_clear(&t->captures, event->gateway);
    if (t->options.live && t->now - t->flushed >= LETTERS_EVERY) {
        txg_screen_flush(&t->screen);
        t->flushed = t->now;
    }
}

static void finished_try(struct txg_terminal *t, const struct txg_event *event)
{
    txg_echo_end(t, event);
    txg_live_event(t, event);
    txg_progress_result(t, event);
    txg_failures_result(t, event);
    txg_captures_clear(&t->captures, event->gateway);
}

static void run_finish(struct txg_terminal *t, const struct txg_event *event)
{
    memcpy(t->outcomes, event->finish.outcomes, sizeof t->outcomes);
    t->n_flaky = event->finish.flaky;
    t->n_slow = event->finish.slow;
    t->n_errors = event->finish.collect_errors;
    t->n_deselected = event->finish.deselected;
    t->n_failed_gateways = event->finish.gateways_failed;
    txg_progress_end(t);
    txg_screen_flush(&t->screen);
}

static void terminal_event(struct txg_reporter *r, const struct txg_event *event)
{
    struct txg_terminal *t = (struct txg_terminal *)r;
    t->now = event->time;
    if (event->type != TXG_EVENT_RUN_START && event->type != TXG_EVENT_GATEWAY_START)
        txg_nodes_announce(t);
    switch (event->type) {
    case TXG_EVENT_RUN_START:
        header(t, event);
        break;
    case TXG_EVENT_GATEWAY_START:
    case TXG_EVENT_GATEWAY_READY:
    case TXG_EVENT_GATEWAY_COLLECTED:
    case TXG_EVENT_GATEWAY_DOWN:
    case TXG_EVENT_QUARANTINE:
        txg_nodes_event(t, event);
        break;
    case TXG_EVENT_SCHEDULING:
        txg_nodes_scheduling(t, event);
        break;
    case TXG_EVENT_COLLECT_ERROR:
        txg_failures_collect_error(t, event);
        break;
    case TXG_EVENT_TEST_START:
        txg_captures_clear(&t->captures, event->gateway);
        txg_live_event(t, event);
        break;
    case TXG_EVENT_TEST_SLOW:
        txg_progress_slow(t, event);
        break;
    case TXG_EVENT_TEST_LIVE:
        txg_echo_add(t, event);
        break;
    case TXG_EVENT_TEST_OUTPUT:
        txg_captures_add(&t->captures, event);
        break;
    case TXG_EVENT_TEST_FINISH:
        finished_test(t, event);
        break;
    case TXG_EVENT_TEST_RETRY:
        finished_try(t, event);
        break;
    case TXG_EVENT_WARNING:
        txg_summary_warning(t, event);
        break;
    case TXG_EVENT_NOTE:
        if (t->options.verbosity > 0)
            tell_now(t, event, "");
        break;
    case TXG_EVENT_TRANSFER:
        txg_live_transfer(t, event);
        break;
    case TXG_EVENT_INTERNAL_ERROR:
        tell_now(t, event, "INTERNALERROR> ");
        break;
    case TXG_EVENT_STOPPING:
        stopping(t, event);
        break;
    case TXG_EVENT_RUN_FINISH:
        run_finish(t, event);
        break;
    }
    txg_screen_relieve(&t->screen);
}

static void terminal_tick(struct txg_reporter *r, int64_t now)
{
    struct txg_terminal *t = (struct txg_terminal *)r;
    t->now = now;
    txg_live_tick(t);
    if (t->options.live && now - t->drawn >= REDRAW_EVERY) {
        if (t->scheduled)
            txg_live_draw(t);
        else
            txg_nodes_draw(t);
    }
    txg_screen_flush(&t->screen);
    t->flushed = now;
}

static int terminal_finish(struct txg_reporter *r, struct txg_err *err)
{
    struct txg_terminal *t = (struct txg_terminal *)r;
    txg_progress_end(t);
    txg_summary_finish(t);
    txg_screen_flush(&t->screen);
    const int faults[] = {t->captures.errnum, t->failures.errnum, t->errors.errnum,
                          t->reruns.errnum,   t->summary.errnum,  t->warnings.errnum,
                          t->downs.errnum};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i])
            return txg_err_sys(err, faults[i],
                               "some of the failures' text is lost: temporary file in $TMPDIR");
    return 0;
}

static void terminal_free(struct txg_reporter *r)
{
    if (!r)
        return;
    struct txg_terminal *t = (struct txg_terminal *)r;
    txg_nodes_release(t);
    txg_captures_release(&t->captures);
    txg_durations_release(t);
    struct txg_stash *const stashes[] = {&t->errors,   &t->failures, &t->summary,
                                         &t->warnings, &t->downs,    &t->reruns};
    for (size_t i = 0; i < sizeof stashes / sizeof *stashes; i++)
        txg_stash_release(stashes[i]);
    txg_buf_release(&t->screen.out);
    txg_buf_release(&t->scratch);
    txg_buf_release(&t->moving);
    free(t->stopping);
    free((char *)(uintptr_t)t->options.command);
    free(t);
}

static const struct txg_reporter_ops terminal_ops = {
    .name = "terminal",
    .event = terminal_event,
    .tick = terminal_tick,
    .finish = terminal_finish,
    .free = terminal_free,
};

struct txg_reporter *txg_terminal_new(struct txg_sink *sink,
                                      const struct txg_terminal_options *options)
{
    struct txg_terminal *t = txg_xcalloc(1, sizeof *t);
    t->base.ops = &terminal_ops;
    t->options = *options;
    t->options.command = txg_xstrdup(options->command);
    t->screen = (struct txg_screen){
        .sink = sink, .color = options->color, .width = options->width > 0 ? options->width : 80};
    t->captures.head_blocks = TXG_TERMINAL_HEAD / TXG_CAPTURE_BLOCK;
    /* One more than is shown: the newest block may be nearly empty. */
    t->captures.tail_blocks = TXG_TERMINAL_TAIL / TXG_CAPTURE_BLOCK + 1;
    t->drawn = t->flushed = -REDRAW_EVERY;
    return &t->base;
}
