#include "config.h"

#include "src/report/junit_plain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void txg_junit_plain_release(struct txg_junit_plain *p)
{
    free(p->text);
    txg_buf_release(&p->path);
    txg_buf_release(&p->front);
    txg_buf_release(&p->line);
}

static size_t behind(const char *text, size_t from, const char *what)
{
    const char *at = strstr(text + from, what);
    assert(at);
    return (size_t)(at - text) + strlen(what);
}

void txg_junit_plain_take(struct txg_junit_plain *p, char *text)
{
    p->text = text;
    p->class_at = behind(text, 0, " classname=\"");
    p->name_at = behind(text, p->class_at, " name=\"");
    p->time_at = behind(text, p->name_at, " time=\"");
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

void txg_junit_plain_escape(struct txg_buf *out, struct txg_span line)
{
    size_t done = 0;
    for (size_t i = 0; i < line.len; i++) {
        const char *instead = entity(line.data[i]);
        if (!instead)
            continue;
        txg_buf_append(out, line.data + done, i - done);
        txg_buf_puts(out, instead);
        done = i + 1;
    }
    txg_buf_append(out, line.data + done, line.len - done);
}

void txg_junit_plain_front(struct txg_junit_plain *p, struct txg_span path,
                           struct txg_span classname)
{
    txg_buf_clear(&p->path);
    txg_buf_append(&p->path, path.data, path.len);
    txg_buf_clear(&p->front);
    txg_buf_append(&p->front, p->text, p->class_at);
    txg_junit_plain_escape(&p->front, classname);
    txg_buf_append(&p->front, p->text + p->class_at, p->name_at - p->class_at);
}

/* 12.000345 */
static void put_seconds(struct txg_buf *out, int64_t us)
{
    char digits[32], *end = digits + sizeof digits, *at = end;
    for (int i = 0; i < 6; i++, us /= 10)
        *--at = (char)('0' + us % 10);
    *--at = '.';
    do
        *--at = (char)('0' + us % 10);
    while (us /= 10);
    txg_buf_append(out, at, (size_t)(end - at));
}

void txg_junit_plain_put(const struct txg_junit_plain *p, struct txg_buf *out, struct txg_span name,
                         int64_t us)
{
    txg_buf_append(out, txg_buf_data(&p->front), txg_buf_len(&p->front));
    txg_junit_plain_escape(out, name);
    txg_buf_append(out, p->text + p->name_at, p->time_at - p->name_at);
    put_seconds(out, us);
    txg_buf_puts(out, p->text + p->time_at);
}
