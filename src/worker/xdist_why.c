#include "config.h"

#include "src/worker/xdist_why.h"

#include <string.h>

#define LAST_LINE_MAX 200 /* of a test's output that goes into the one line that sums it up */

/* `name.ext:number` that ends at the colon `colon`; false: not such a thing. */
static bool place_at(struct txg_span text, size_t colon, struct txg_span *file, int64_t *line)
{
    size_t begin = colon, end = colon + 1;
    bool dot = false;
    while (begin > 0 && !strchr(" \t\n\r:\"'([<", text.data[begin - 1])) {
        begin--;
        dot = dot || (text.data[begin] == '.' && begin + 1 < colon);
    }
    int64_t number = 0;
    while (end < text.len && text.data[end] >= '0' && text.data[end] <= '9' && number < 10000000)
        number = number * 10 + (text.data[end++] - '0');
    if (!dot || number == 0)
        return false;
    *file = txg_span(text.data + begin, colon - begin);
    *line = number;
    return true;
}

bool txg_xdist_find_place(struct txg_span text, struct txg_span *file, int64_t *line)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == ':' && place_at(text, i, file, line))
            return true;
    return false;
}

static struct txg_span last_line(struct txg_span text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
        text.len--;
    size_t begin = text.len;
    while (begin > 0 && text.data[begin - 1] != '\n')
        begin--;
    return txg_span(text.data + begin, text.len - begin);
}

static struct txg_span held(const struct txg_buf *b)
{
    return txg_span(txg_buf_data(b), txg_buf_len(b));
}

/* What a failing test said last, stderr first; a protocol's lines on stdout are no such words. */
static struct txg_span last_words(const struct txg_xdist_test *t)
{
    bool protocol = t->report->n_points > 0 || t->report->outcome == TXG_ERROR;
    for (int i = 1; i >= protocol; i--) {
        const struct txg_xdist_stream *s = &t->streams[i];
        struct txg_span line = last_line(held(s->in_tail ? &s->tail : &s->head));
        if (line.len > 0)
            return line.len > LAST_LINE_MAX ? txg_span(line.data, LAST_LINE_MAX) : line;
    }
    return (struct txg_span){0};
}

static const struct txg_msg_point *first_failure(const struct txg_msg_testreport *r)
{
    for (size_t i = 0; i < r->n_points; i++)
        if (txg_outcome_is_failure(r->points[i].outcome))
            return &r->points[i];
    return NULL;
}

bool txg_xdist_place_of(const struct txg_xdist_test *t, struct txg_span *file, int64_t *line)
{
    const struct txg_msg_point *point = first_failure(t->report);
    if (point && (txg_xdist_find_place(point->text, file, line) ||
                  txg_xdist_find_place(point->name, file, line)))
        return true;
    return txg_xdist_find_place(held(&t->streams[1].head), file, line) ||
           txg_xdist_find_place(held(&t->streams[0].head), file, line);
}

void txg_xdist_put_message(const struct txg_xdist_test *t, struct txg_buf *out)
{
    const struct txg_msg_testreport *r = t->report;
    const struct txg_msg_point *point = first_failure(r);
    struct txg_span words = last_words(t);
    if (r->outcome == TXG_CRASHED || r->outcome == TXG_TIMED_OUT)
        txg_buf_printf(out, "%s: ", txg_outcome_name(r->outcome));
    if (r->reason.len)
        txg_buf_append(out, r->reason.data, r->reason.len);
    else
        txg_buf_puts(out, txg_outcome_name(r->outcome));
    struct txg_span more = point ? point->name : words;
    bool said = more.len == 0 ||
                (r->reason.len > 0 && memmem(r->reason.data, r->reason.len, more.data, more.len));
    if (!said) {
        txg_buf_puts(out, ": ");
        txg_buf_append(out, more.data, more.len);
    }
}
