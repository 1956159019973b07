#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/worker/harness/talk.h"
#include "src/worker/runner.h"

#define RETIRE_TIME INT64_C(5000000) /* for a harness to end when it has nothing more to do */
#define QUIET_TIME  INT64_C(20000)   /* without a result: what is written is of what runs */
#define AHEAD_MAX   (48u << 10)      /* bytes of commands: they fit in a pipe */

size_t txg_talk_fit(const struct txg_runner *r)
{
    size_t n = 0, bytes = 0;
    while (n < r->n && (n == 0 || bytes < AHEAD_MAX))
        bytes += 2 * strlen(r->collection->items[r->batch[n++]].name) + 5;
    return n;
}

int txg_talk_greet(struct txg_child *child, const struct txg_suite *suite,
                   const struct txg_buf *hello)
{
    struct txg_buf all = {0};
    txg_buf_append(&all, suite->source, suite->n_source);
    txg_buf_append(&all, txg_buf_data(hello), txg_buf_len(hello));
    int rc = txg_child_say(child, txg_buf_data(&all), txg_buf_len(&all));
    txg_buf_release(&all);
    return rc;
}

static void broken(struct txg_runner *r, const char *text)
{
    if (!r->broken)
        r->broken = text;
    txg_child_signal(r->child, SIGKILL);
}

static void send_runs(struct txg_runner *r)
{
    struct txg_buf out = {0};
    size_t until = r->ahead ? r->n : r->at + 1;
    for (; r->sent < until; r->sent++) {
        txg_buf_puts(&out, "run\t");
        txg_talk_escape(&out, r->collection->items[r->batch[r->sent]].name);
        txg_buf_putc(&out, '\n');
    }
    txg_child_say(r->child, txg_buf_data(&out), txg_buf_len(&out)); /* a dead one is seen to end */
    txg_buf_release(&out);
}

/* What the rest of the batch takes, by its cases so far or those of the batch before; 0: not known.
 */
static int64_t rest_takes(const struct txg_runner *r)
{
    int64_t rest = (int64_t)(r->n - r->at);
    if (r->done > 0)
        return rest * (r->last_end - r->first_start) / (int64_t)r->done;
    return r->paced == r->item->path && r->pace > 0 ? rest * r->pace : 0;
}

/* Short cases are heard of in one go, some hundreds of them, but none waits for long, and the end
 * of the batch is not slept through. */
static void nap(struct txg_runner *r)
{
    int64_t rest = r->ahead && !r->waited && r->at < r->n ? rest_takes(r) : 0;
    r->nap_until = rest > 0 ? r->heard_at + (rest < TXG_NAP_TIME ? rest : TXG_NAP_TIME) : 0;
}

void txg_talk_begin(struct txg_runner *r, bool fresh)
{
    txg_batch_begin(r, r->started);
    r->running = true;
    r->idle = false;
    r->heard_at = r->started;
    r->sent = 0;
    r->waited = false;
    if (fresh) {
        r->ahead = false;
        r->broken = NULL;
        const struct txg_suite *suite = &r->collection->suites[r->item->suite];
        if (txg_talk_greet(r->child, suite, r->hello) != 0 &&
            suite->n_source + txg_buf_len(r->hello) > TXG_CHILD_SAY_MAX)
            broken(r, "workerinput is larger than 1 MiB, which a harness can't be told");
    }
    send_runs(r);
    nap(r);
}

void txg_talk_adopt(struct txg_runner *r, size_t program, bool ahead)
{
    const struct txg_collection *c = r->collection;
    for (size_t i = c->n_items; i-- > 0 && !r->item;)
        if (c->items[i].name && c->items[i].program == program)
            r->item = &c->items[i];
    r->ahead = ahead;
    r->term_at = r->kill_at = INT64_MAX;
    txg_child_clear_output(r->child);
    r->idle = r->adopted = true;
}

static enum txg_outcome outcome_of(struct txg_span word)
{
    for (int o = TXG_PASSED; o <= TXG_ERROR; o++)
        if (txg_span_is(word, txg_outcome_name((enum txg_outcome)o)))
            return (enum txg_outcome)o;
    return TXG_ERROR;
}

static void read_streams(struct txg_runner *r)
{
    for (int i = 0; i < 2; i++)
        if (r->child->fds[i] >= 0)
            txg_child_read(r->child, i, NULL, NULL);
}

static void rest(struct txg_runner *r)
{
    txg_queue_unpop(r->queue, r->batch + r->at, r->n - r->at);
    txg_batch_pace(r);
    r->n = r->at;
    r->idle = true;
    r->running = false;
    r->term_at = r->kill_at = INT64_MAX;
}

static void go_on(struct txg_runner *r, int64_t now)
{
    if (r->at == r->n) {
        rest(r);
    } else if (!txg_runner_had_enough(r, now)) {
        /* what has ended meanwhile did not wait for us */
        txg_runner_announce(r, r->behind ? r->ended : txg_now());
        r->running = true;
        if (r->sent == r->at)
            send_runs(r);
    } else if (r->sent > r->at) { /* more were sent, and can't be taken back */
        txg_batch_cut(r);
    } else {
        rest(r);
    }
}

/* A time of the next field; `otherwise` where there is none. */
static int64_t take_time(struct txg_span *line, struct txg_buf *scratch, int64_t otherwise)
{
    int64_t us;
    struct txg_span field;
    return txg_talk_field(line, scratch, &field) &&
                   txg_span_parse_int(field, 0, INT64_C(315360000000000), &us)
               ? us
               : otherwise;
}

static bool is_expected(const struct txg_runner *r, struct txg_span *line, struct txg_buf *scratch)
{
    struct txg_span name;
    return r->at < r->n && r->sent > r->at && txg_talk_field(line, scratch, &name) &&
           txg_span_is(name, r->item->name);
}

/* NAME OUTCOME DURATION REASON [wait [SETUP TEARDOWN]] */
static void take_result(struct txg_runner *r, struct txg_span line, struct txg_buf *scratch,
                        int64_t now)
{
    struct txg_span field;
    if (!is_expected(r, &line, scratch)) {
        broken(r, "its harness told a result that was not asked for");
        return;
    }
    txg_talk_field(&line, scratch, &field);
    r->verdict.outcome = outcome_of(field);
    int64_t took = take_time(&line, scratch, now - r->started);
    if (txg_talk_field(&line, scratch, &field) && field.len > 0)
        txg_verdict_set(&r->verdict, r->verdict.outcome, "%.*s", TXG_FMT(field));
    bool waits = txg_talk_field(&line, scratch, &field) && txg_span_is(field, "wait");
    r->verdict.setup = take_time(&line, scratch, 0);
    r->verdict.teardown = take_time(&line, scratch, 0);
    if (waits || !r->ahead)
        read_streams(r);
    if (waits)
        txg_child_say(r->child, "go\n", 3);
    r->waited |= waits;
    r->adopted = false;
    r->ended = r->started + took;
    r->last_end = r->heard_at = now;
    txg_batch_settle(r);
    go_on(r, now);
}

/* What is of no case must not go unseen: the run fails with it. */
static void report_fault(struct txg_runner *r, struct txg_span text)
{
    bool suite = r->collection->suites[r->item->suite].command.n > 0; /* then names are nodeids */
    const char *nodeid = suite ? r->item->harness->name : r->item->nodeid;
    size_t len = strlen(nodeid) - (suite ? 0 : strlen(r->item->name) + 2);
    txg_reporting_collect_error(r->reporting, txg_span(nodeid, len), text);
}

static void take_ready(struct txg_runner *r, struct txg_span line, struct txg_buf *scratch)
{
    struct txg_span field;
    if (!txg_talk_field(&line, scratch, &field) || !txg_span_is(field, "1"))
        broken(r, "its harness does not speak version 1 of docs/harness.md");
    r->ahead = txg_talk_field(&line, scratch, &field) && txg_span_is(field, "ahead");
    if (r->at < r->n)
        send_runs(r);
}

static void take_line(struct txg_runner *r, struct txg_span line, struct txg_buf *scratch,
                      int64_t now)
{
    struct txg_span field;
    txg_talk_field(&line, scratch, &field);
    if (txg_span_is(field, "result")) {
        take_result(r, line, scratch, now);
    } else if (txg_span_is(field, "warning")) {
        txg_talk_field(&line, scratch, &field);
        txg_reporting_warning(r->reporting, field);
    } else if (txg_span_is(field, "ready")) {
        take_ready(r, line, scratch);
    } else if (txg_span_is(field, "error")) {
        txg_talk_field(&line, scratch, &field);
        report_fault(r, field);
    }
}

int64_t txg_talk_hears_at(const struct txg_runner *r)
{
    return r->nap_until;
}

/* Returns how much of it was taken: whole lines. */
static size_t take_lines(struct txg_runner *r, const struct txg_buf *said, int64_t now)
{
    struct txg_span text = txg_span(txg_buf_data(said), txg_buf_len(said)), line;
    struct txg_buf scratch = {0};
    while (!r->broken && !r->cut && txg_talk_line(&text, &line)) {
        r->behind = memchr(text.data, '\n', text.len) != NULL;
        take_line(r, line, &scratch, now);
    }
    txg_buf_release(&scratch);
    return txg_buf_len(said) - text.len;
}

static void take_ring(struct txg_runner *r, uint32_t mark, int64_t now)
{
    struct txg_buf said = {0};
    if (!txg_ring_take(&r->child->ring, mark, &said))
        broken(r, "its harness filled the ring with what can't be (docs/harness.md, 6)");
    take_lines(r, &said, now);
    txg_buf_release(&said);
}

void txg_talk_hear(struct txg_runner *r)
{
    uint32_t mark = txg_ring_mark(&r->child->ring);
    txg_child_hear(r->child);
    int64_t now = txg_now();
    r->waited = false;
    txg_buf_consume(&r->child->said, take_lines(r, &r->child->said, now));
    take_ring(r, mark, now);
    nap(r);
    if (r->child->results < 0 && r->kill_at == INT64_MAX) /* it ends, or it never will */
        r->kill_at = txg_now() + RETIRE_TIME;
    if (txg_buf_len(&r->child->said) > TXG_TALK_LINE_MAX)
        broken(r, "its harness wrote a line of more than 64 KiB");
}

bool txg_talk_listens(const struct txg_runner *r, int64_t now)
{
    return r->child->results < 0 || !r->ahead || r->idle || now >= r->heard_at + QUIET_TIME;
}

int64_t txg_talk_deadline(const struct txg_runner *r)
{
    return r->heard_at + QUIET_TIME;
}

void txg_runner_retire(struct txg_runner *r)
{
    if (!r->idle)
        return;
    r->idle = false;
    txg_child_hush(r->child);
    r->term_at = txg_now() + RETIRE_TIME;
}

static void judge_end(struct txg_runner *r, const struct txg_ending *ending)
{
    char text[160];
    struct txg_verdict v = {0};
    struct txg_ending end = *ending;
    end.timeout = RETIRE_TIME;
    if (!txg_verdict_unfinished(&v, &end) && end.status != 0)
        txg_verdict_set(&v, TXG_ERROR, "exit status %d", end.status);
    if (v.outcome != TXG_PASSED) {
        snprintf(text, sizeof text, "it ended badly when its cases were done: %s",
                 txg_buf_cstr(&v.reason));
        report_fault(r, txg_span_cstr(text));
    }
    txg_verdict_release(&v);
}

void txg_talk_end(struct txg_runner *r, const struct txg_ending *ending)
{
    txg_talk_hear(r);
    if (r->broken && r->at < r->n) {
        txg_verdict_set(&r->verdict, TXG_ERROR, "%s", r->broken);
        r->ended = txg_now();
        txg_batch_settle(r);
        r->cut = true;
    }
    /* a program that ends by itself when it has listed has not seen what it was sent */
    bool well = ending->status == 0 && ending->signal == 0 && !ending->timed_out;
    r->again = r->adopted && well && !r->cut && r->at < r->n;
    if (r->at == r->n && !r->cut)
        judge_end(r, ending);
    else if (!r->again)
        txg_batch_end(r, ending);
    r->idle = r->adopted = false;
}
