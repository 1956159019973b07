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

bool txg_junit_plain_is(struct txg_span text)
{
    bool plain = true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        plain &= (c >= ' ') & (c <= '~') & (c != '&') & (c != '<') & (c != '>') & (c != '"');
    }
    return plain;
}

/* 12.000345, in front of `end`. */
static char *put_seconds(char *end, int64_t us)
{
    for (int i = 0; i < 6; i++, us /= 10)
        *--end = (char)('0' + us % 10);
    *--end = '.';
    do
        *--end = (char)('0' + us % 10);
    while (us /= 10);
    return end;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

void txg_junit_plain_put(const struct txg_junit_plain *p, struct txg_buf *out, struct txg_span name,
                         int64_t us)
{
    char digits[32], *end = digits + sizeof digits, *seconds = put_seconds(end, us);
    size_t front = txg_buf_len(&p->front), between = p->time_at - p->name_at;
    size_t digits_len = (size_t)(end - seconds), rest = strlen(p->text + p->time_at);
    char *begin = txg_buf_reserve(out, front + name.len + between + digits_len + rest), *at = begin;
    at = put(at, txg_buf_data(&p->front), front);
    at = put(at, name.data, name.len);
    at = put(at, p->text + p->name_at, between);
    at = put(at, seconds, digits_len);
    at = put(at, p->text + p->time_at, rest);
    txg_buf_commit(out, (size_t)(at - begin));
}
