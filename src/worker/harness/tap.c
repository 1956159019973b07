/*
 * TAP 12 to 14 on stdout, judged as perl's `prove` judges it, with these differences, all of them
 * on purpose:
 *   - versions up to 14 are understood; prove of 2023 stops at 13. `TAP version 12` is an error to
 *     both.
 *   - Bail out! ends this program (error), not the whole run; what follows it is not read.
 *   - a diagnostic block is text: broken YAML is no error, and one that is not closed doesn't
 *     swallow the next line. It is attached to a point that it follows directly, also without a
 *     version line.
 *   - under `pragma +strict` blank and indented lines (subtests) are no errors.
 *   - the list of TODO points behind a plan of version 12 (`1..3 todo 2`) is not understood.
 *   - a line is read up to TAP_LINE_MAX bytes, and TAP_POINTS_MAX points are counted.
 */
#include "config.h"

#include "src/worker/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/worker/harness/tapline.h"

#define TAP_LINE_MAX   (64u << 10) /* the rest of a longer line is dropped */
#define TAP_POINTS_MAX 100000

struct tap {
    struct txg_buf line;     /* the front of a line whose end has not come */
    struct txg_verdict v;    /* collects the points */
    struct txg_buf fault;    /* what is wrong with the document: the first thing found */
    struct txg_buf first;    /* of the points that failed: "3 - description" */
    struct txg_buf nested;   /* failed points of the subtest that belongs to the next point */
    struct txg_buf skip_all; /* reason of `1..0 # SKIP` */
    int64_t version;
    int64_t planned; /* -1: no plan yet */
    int64_t points, failed;
    bool late_plan; /* the plan came after points: nothing may follow */
    bool bailed, strict, any;
    enum { ELSEWHERE, BEHIND_POINT, IN_BLOCK } place; /* for diagnostic blocks */
    size_t indent;                                    /* of the block */
};

static void *begin(void)
{
    struct tap *t = txg_xcalloc(1, sizeof *t);
    t->version = 12;
    t->planned = -1;
    return t;
}

static void end(void *state)
{
    struct tap *t = state;
    txg_buf_release(&t->line);
    txg_verdict_release(&t->v);
    txg_buf_release(&t->fault);
    txg_buf_release(&t->first);
    txg_buf_release(&t->nested);
    txg_buf_release(&t->skip_all);
    free(t);
}

static bool fault_is_new(const struct tap *t)
{
    return txg_buf_len(&t->fault) == 0;
}

static void read_version(struct tap *t, const struct txg_tapline *line)
{
    if (!fault_is_new(t))
        return;
    if (t->planned >= 0 || t->points > 0 || t->version != 12)
        txg_buf_puts(&t->fault, "the TAP version does not stand in front");
    else if (line->number < 13 || line->number > 14)
        txg_buf_printf(&t->fault, "TAP version %lld, where 13 and 14 are understood",
                       (long long)line->number);
    else
        t->version = line->number;
}

static void read_plan(struct tap *t, const struct txg_tapline *line)
{
    if (t->planned >= 0) {
        if (fault_is_new(t))
            txg_buf_printf(&t->fault, "two plans, 1..%lld and 1..%lld", (long long)t->planned,
                           (long long)line->number);
        return;
    }
    t->planned = line->number;
    t->late_plan = t->points > 0;
    txg_buf_append(&t->skip_all, line->text.data, line->text.len);
}

/* The name of a point with `\#` and `\\` resolved, or its number. */
static void point_name(const struct tap *t, struct txg_span raw, struct txg_buf *out)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\\' && i + 1 < raw.len &&
            (raw.data[i + 1] == '#' || raw.data[i + 1] == '\\'))
            i++;
        txg_buf_putc(out, raw.data[i] ? raw.data[i] : '?');
    }
    if (raw.len == 0)
        txg_buf_printf(out, "point %lld", (long long)t->points);
}

static enum txg_outcome point_outcome(const struct txg_tapline *line)
{
    if (line->todo)
        return line->ok ? TXG_XPASSED : TXG_XFAILED;
    if (!line->ok)
        return TXG_FAILED;
    return line->skip ? TXG_SKIPPED : TXG_PASSED;
}

static void check_place(struct tap *t, const struct txg_tapline *line)
{
    if (!fault_is_new(t))
        return;
    if (t->late_plan)
        txg_buf_printf(&t->fault, "point %lld behind the plan 1..%lld, which had points before it",
                       (long long)t->points, (long long)t->planned);
    else if (line->number >= 0 && line->number != t->points)
        txg_buf_printf(&t->fault, "point %lld came where %lld was expected",
                       (long long)line->number, (long long)t->points);
}

static void read_point(struct tap *t, const struct txg_tapline *line)
{
    enum txg_outcome outcome = point_outcome(line);
    if (++t->points > TAP_POINTS_MAX) {
        if (fault_is_new(t))
            txg_buf_printf(&t->fault, "more than %d points", TAP_POINTS_MAX);
        t->failed += outcome == TXG_FAILED;
        return;
    }
    check_place(t, line);
    struct txg_buf name = {0}, text = {0};
    point_name(t, line->name, &name);
    txg_buf_append(&text, line->text.data, line->text.len);
    if (outcome == TXG_FAILED && txg_buf_len(&t->nested) > 0) {
        if (txg_buf_len(&text) > 0)
            txg_buf_putc(&text, '\n');
        txg_buf_append(&text, txg_buf_data(&t->nested), txg_buf_len(&t->nested));
    }
    txg_buf_clear(&t->nested);
    if (outcome == TXG_FAILED && t->failed++ == 0) {
        txg_buf_printf(&t->first, "%lld", (long long)t->points);
        if (line->name.len > 0)
            txg_buf_printf(&t->first, " - %s", txg_buf_cstr(&name));
    }
    txg_verdict_add_point(&t->v, outcome, txg_span(txg_buf_data(&name), txg_buf_len(&name)),
                          txg_span(txg_buf_data(&text), txg_buf_len(&text)));
    txg_buf_release(&name);
    txg_buf_release(&text);
    t->place = BEHIND_POINT;
}

static void read_pragma(struct tap *t, struct txg_span s)
{
    static const char word[] = "strict";
    for (size_t i = 0; i + sizeof word - 1 < s.len; i++)
        if ((s.data[i] == '+' || s.data[i] == '-') &&
            memcmp(s.data + i + 1, word, sizeof word - 1) == 0)
            t->strict = s.data[i] == '+';
}

/* True: the line belongs to a diagnostic block behind a point. */
static bool in_block(struct tap *t, struct txg_span line)
{
    size_t indent = 0;
    while (indent < line.len && (line.data[indent] == ' ' || line.data[indent] == '\t'))
        indent++;
    struct txg_span s = {line.data + indent, line.len - indent};
    if (s.len > 0 && s.data[s.len - 1] == '\r')
        s.len--;
    if (t->place == BEHIND_POINT && indent > 0 && s.len >= 3 && memcmp(s.data, "---", 3) == 0) {
        t->place = IN_BLOCK;
        t->indent = indent;
        return true;
    }
    if (t->place != IN_BLOCK || (indent < t->indent && s.len > 0)) {
        t->place = ELSEWHERE;
        return false;
    }
    if (indent == t->indent && txg_span_is(s, "...")) {
        t->place = ELSEWHERE;
        return true;
    }
    size_t deeper = indent > t->indent ? indent - t->indent : 0;
    txg_verdict_add_text(&t->v, txg_span(s.data - deeper, s.len + deeper));
    return true;
}

/* Subtests are judged by the point that follows them; their failed points explain it. */
static void read_indented(struct tap *t, struct txg_span line)
{
    while (line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line.data++;
        line.len--;
    }
    struct txg_tapline point = txg_tapline_read(line, t->version);
    if (point.type != TXG_TAPLINE_POINT || point_outcome(&point) != TXG_FAILED ||
        txg_buf_len(&t->nested) + line.len > TXG_POINT_TEXT_MAX / 2)
        return;
    if (txg_buf_len(&t->nested) > 0)
        txg_buf_putc(&t->nested, '\n');
    txg_buf_append(&t->nested, line.data, line.len);
}

static void read_line(struct tap *t, struct txg_span line)
{
    if (t->bailed || in_block(t, line))
        return;
    struct txg_tapline l = txg_tapline_read(line, t->version);
    switch (l.type) {
    case TXG_TAPLINE_VERSION:
        read_version(t, &l);
        break;
    case TXG_TAPLINE_PLAN:
        read_plan(t, &l);
        break;
    case TXG_TAPLINE_POINT:
        read_point(t, &l);
        break;
    case TXG_TAPLINE_PRAGMA:
        read_pragma(t, l.text);
        break;
    case TXG_TAPLINE_INDENTED:
        read_indented(t, line);
        break;
    case TXG_TAPLINE_BAIL_OUT:
        t->bailed = true;
        txg_buf_clear(&t->fault);
        txg_buf_puts(&t->fault, "Bail out!");
        if (l.text.len > 0)
            txg_buf_printf(&t->fault, " %.*s", TXG_FMT(l.text));
        break;
    case TXG_TAPLINE_UNKNOWN:
        if (t->strict && fault_is_new(t))
            txg_buf_printf(&t->fault, "no TAP, under pragma +strict: %.*s",
                           (int)(line.len < 80 ? line.len : 80), line.data);
        break;
    case TXG_TAPLINE_BLANK:
    case TXG_TAPLINE_COMMENT:
        break;
    }
}

/* Keeps the front of a line, up to the cap. */
static void hold(struct tap *t, const char *data, size_t len)
{
    size_t room = TAP_LINE_MAX - txg_buf_len(&t->line);
    txg_buf_append(&t->line, data, len < room ? len : room);
}

static void end_line(struct tap *t)
{
    read_line(t, txg_span(txg_buf_data(&t->line), txg_buf_len(&t->line)));
    txg_buf_clear(&t->line);
}

static void feed(void *state, const void *data, size_t len)
{
    struct tap *t = state;
    const char *at = data, *stop = at + len, *newline;
    t->any |= len > 0;
    for (; (newline = memchr(at, '\n', (size_t)(stop - at))); at = newline + 1) {
        size_t n = (size_t)(newline - at);
        if (txg_buf_len(&t->line) > 0) {
            hold(t, at, n);
            end_line(t);
        } else {
            read_line(t, txg_span(at, n < TAP_LINE_MAX ? n : TAP_LINE_MAX));
        }
    }
    hold(t, at, (size_t)(stop - at));
}

/* What is wrong with the whole document, once it has ended. */
static void check_plan(struct tap *t)
{
    if (!fault_is_new(t))
        return;
    if (!t->any)
        txg_buf_puts(&t->fault, "no output, where TAP was expected");
    else if (t->planned < 0 && t->points == 0)
        txg_buf_puts(&t->fault, "neither a plan nor points in the output: does it speak TAP?");
    else if (t->planned < 0)
        txg_buf_printf(&t->fault, "no plan, %lld point%s", (long long)t->points,
                       t->points == 1 ? "" : "s");
    else if (t->planned != t->points)
        txg_buf_printf(&t->fault, "plan 1..%lld but %s%lld point%s", (long long)t->planned,
                       t->points < t->planned ? "only " : "", (long long)t->points,
                       t->points == 1 ? "" : "s");
}

static void judge_points(struct tap *t, int status, struct txg_verdict *out)
{
    char exit_status[32] = "";
    if (status)
        snprintf(exit_status, sizeof exit_status, ", exit status %d", status);
    const char *fault = txg_buf_cstr(&t->fault);
    if (t->bailed)
        txg_verdict_set(out, TXG_ERROR, "%s", fault);
    else if (t->failed == 1)
        txg_verdict_set(out, TXG_FAILED, "point %s failed%s%s", txg_buf_cstr(&t->first),
                        *fault ? "; " : "", fault);
    else if (t->failed > 1)
        txg_verdict_set(out, TXG_FAILED, "%lld of %lld points failed, first %s%s%s",
                        (long long)t->failed, (long long)t->points, txg_buf_cstr(&t->first),
                        *fault ? "; " : "", fault);
    else if (*fault)
        txg_verdict_set(out, TXG_ERROR, "%s%s", fault, exit_status);
    else if (status && t->points == 0)
        txg_verdict_set(out, TXG_FAILED, "exit status %d though all was skipped", status);
    else if (status && t->points == 1)
        txg_verdict_set(out, TXG_FAILED, "exit status %d though its only point passed", status);
    else if (status)
        txg_verdict_set(out, TXG_FAILED, "exit status %d though all %lld points passed", status,
                        (long long)t->points);
    else if (t->points == 0)
        txg_verdict_set(out, TXG_SKIPPED, "%s",
                        txg_buf_len(&t->skip_all) ? txg_buf_cstr(&t->skip_all) : "plan 1..0");
    else
        out->outcome = TXG_PASSED;
}

static void judge(void *state, const struct txg_ending *ending, struct txg_verdict *out)
{
    struct tap *t = state;
    if (txg_buf_len(&t->line) > 0)
        end_line(t);
    *out = t->v;
    t->v = (struct txg_verdict){0};
    if (txg_verdict_unfinished(out, ending))
        return;
    check_plan(t);
    judge_points(t, ending->status, out);
}

const struct txg_harness_ops txg_harness_tap = {
    .name = "tap", .begin = begin, .feed = feed, .judge = judge, .end = end};
