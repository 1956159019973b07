#include "config.h"

#include <signal.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/worker/runner.h"

#define LINE_MAX_KEPT (64u << 10) /* of a line without end; its tail is what is read of it */
#define LINE_TAIL     (4u << 10)

size_t txg_batch_size(const struct txg_runner *r, const struct txg_item *item)
{
    if (r->paced != item->path || r->pace < 0)
        return r->takes > 0 && r->takes <= TXG_BATCH_TIME ? TXG_BATCH_MAX : TXG_BATCH_FIRST;
    int64_t n = TXG_BATCH_TIME / (r->pace + 1);
    return n < 1 ? 1 : n > TXG_BATCH_MAX ? TXG_BATCH_MAX : (size_t)n;
}

void txg_batch_begin(struct txg_runner *r, int64_t now)
{
    txg_verdict_release(&r->verdict);
    txg_buf_clear(&r->line);
    r->running = !r->item->harness->cases->announces;
    r->over = r->cut = r->failed = false;
    r->first_start = r->last_end = now;
    r->done = 0;
}

void txg_batch_settle(struct txg_runner *r)
{
    r->failed |= txg_outcome_is_failure(r->verdict.outcome);
    txg_runner_report(r, &r->verdict, r->ended);
    txg_verdict_release(&r->verdict);
    r->over = false;
    r->at++;
    r->done++;
}

static void give_back(struct txg_runner *r)
{
    txg_queue_unpop(r->queue, r->batch + r->at, r->n - r->at);
    r->n = r->at;
}

void txg_batch_cut(struct txg_runner *r)
{
    r->cut = true;
    give_back(r);
    txg_child_signal(r->child, SIGKILL);
}

static void start_case(struct txg_runner *r)
{
    int64_t now = txg_now();
    if (r->over)
        txg_batch_settle(r);
    if (!r->announced)
        txg_runner_announce(r, now);
    if (r->done == 0 && !r->running)
        r->first_start = now; /* what stood in front was the program's own start */
    r->started = now;
    r->running = true;
}

/* What the framework says is exact to the millisecond, what we see may have waited in a pipe. */
static int64_t duration(const struct txg_runner *r, int64_t said, int64_t now)
{
    int64_t seen = now - r->started;
    if (said > 0)
        return said;
    return said < 0 || seen < 1000 ? seen : 999;
}

static void end_case(struct txg_runner *r, int64_t said)
{
    int64_t now = txg_now();
    bool last = r->at + 1 == r->n, fails = txg_outcome_is_failure(r->verdict.outcome);
    r->ended = r->started + duration(r, said, now);
    r->last_end = now;
    r->running = false;
    r->over = true;
    if (last)
        return;
    r->failures += fails; /* counted for the question only: the report counts it for good */
    bool enough = txg_runner_had_enough(r, now);
    r->failures -= fails;
    if (enough) {
        txg_batch_settle(r);
        txg_batch_cut(r);
    } else if (!r->item->harness->cases->announces) {
        start_case(r);
    }
}

/* The case that comes is the next one's affair: its suite is set up from here on. */
static void part(struct txg_runner *r)
{
    if (!r->over || r->at + 1 == r->n)
        return;
    txg_batch_settle(r);
    txg_runner_announce(r, txg_now());
}

static void keep(struct txg_runner *r, struct txg_span line, bool newline)
{
    txg_child_keep(r->child, 0, line.data, line.len);
    if (newline)
        txg_child_keep(r->child, 0, "\n", 1);
}

static const char *expected(const struct txg_runner *r)
{
    size_t at = r->at + r->over;
    return at < r->n ? r->collection->items[r->batch[at]].name : "";
}

static void take_line(struct txg_runner *r, struct txg_span line, bool newline)
{
    if (r->cut)
        return;
    struct txg_case_lines l = {.name = expected(r),
                               .running = r->running,
                               .over = r->over ? &r->verdict : NULL,
                               .line = line,
                               .verdict = &r->verdict,
                               .duration = -1};
    enum txg_case_sign sign = r->item->harness->cases->read_line(r->state, &l);
    if (sign == TXG_CASE_OUTPUT) {
        keep(r, line, newline);
        return;
    }
    if (sign == TXG_CASE_STARTS || sign == TXG_CASE_ENDS)
        keep(r, l.line, false);
    if (sign == TXG_CASE_STARTS)
        start_case(r);
    else if (sign == TXG_CASE_ENDS)
        end_case(r, l.duration);
    else if (sign == TXG_CASE_APART)
        part(r);
}

/* A line that has no end yet is held; of one that grows too long the tail, which is what counts. */
static void hold(struct txg_runner *r, const char *data, size_t len)
{
    txg_buf_append(&r->line, data, len);
    size_t held = txg_buf_len(&r->line);
    if (held <= LINE_MAX_KEPT)
        return;
    keep(r, txg_span(txg_buf_data(&r->line), held - LINE_TAIL), false);
    txg_buf_consume(&r->line, held - LINE_TAIL);
}

static void end_line(struct txg_runner *r, bool newline)
{
    take_line(r, txg_span(txg_buf_data(&r->line), txg_buf_len(&r->line)), newline);
    txg_buf_clear(&r->line);
}

void txg_batch_feed(void *runner, const void *data, size_t len)
{
    struct txg_runner *r = runner;
    r->fed += len;
    const char *at = data, *stop = at + len, *newline;
    for (; (newline = memchr(at, '\n', (size_t)(stop - at))); at = newline + 1) {
        if (txg_buf_len(&r->line) == 0) {
            take_line(r, txg_span(at, (size_t)(newline - at)), true);
            continue;
        }
        hold(r, at, (size_t)(newline - at));
        end_line(r, true);
    }
    hold(r, at, (size_t)(stop - at));
}

/* It ran, or was to run, when its process ended. */
static void blame(struct txg_runner *r, const struct txg_ending *ending)
{
    const struct txg_cases_ops *ops = r->item->harness->cases;
    struct txg_verdict *v = &r->verdict;
    if (!r->announced)
        txg_runner_announce(r, txg_now());
    if (ops->cut_short && ops->cut_short(r->state, r->running, ending, v))
        ;
    else if (txg_verdict_unfinished(v, ending))
        ;
    else if (r->running)
        txg_verdict_set(v, TXG_CRASHED, "its program ended in the middle of it, exit status %d",
                        ending->status);
    else
        txg_verdict_set(v, TXG_ERROR, "its program ended without running it, exit status %d",
                        ending->status);
    bool skipped = !r->running && v->outcome == TXG_SKIPPED;
    r->running = false;
    r->ended = txg_now();
    txg_batch_settle(r);
    if (skipped && r->at < r->n)
        blame(r, ending);
}

/* The last word on a case that was over: what its process did behind it must not go unseen. */
static void judge_over(struct txg_runner *r, const struct txg_ending *ending)
{
    struct txg_verdict end = {0};
    struct txg_verdict *v = &r->verdict;
    bool fails = r->failed || txg_outcome_is_failure(v->outcome);
    if (txg_verdict_unfinished(&end, ending))
        txg_verdict_set(v, end.outcome, "%s, behind the end of the case, which had %s",
                        txg_buf_cstr(&end.reason), txg_outcome_name(v->outcome));
    else if (ending->status != 0 && !fails)
        txg_verdict_set(v, TXG_ERROR, "exit status %d of its program, though no case in it failed",
                        ending->status);
    txg_verdict_release(&end);
    txg_batch_settle(r);
}

void txg_batch_pace(struct txg_runner *r)
{
    if (r->done == 0)
        return;
    r->paced = r->item->path;
    r->pace = (r->last_end - r->first_start) / (int64_t)r->done;
}

void txg_batch_end(struct txg_runner *r, const struct txg_ending *ending)
{
    if (txg_buf_len(&r->line) > 0)
        end_line(r, false);
    if (!r->cut && r->over)
        judge_over(r, ending);
    else if (!r->cut && r->at < r->n)
        blame(r, ending);
    txg_batch_pace(r);
    give_back(r);
}
