#include "config.h"

#include "src/worker/harness/talk.h"

#include <string.h>

#include "src/worker/harness.h"

void txg_talk_escape(struct txg_buf *out, const char *text)
{
    for (; *text; text++) {
        char escape = *text == '\t' ? 't' : *text == '\n' ? 'n' : *text == '\\' ? '\\' : '\0';
        if (escape)
            txg_buf_putc(out, '\\');
        txg_buf_putc(out, escape ? escape : *text);
    }
}

bool txg_talk_field(struct txg_span *line, struct txg_buf *out)
{
    txg_buf_clear(out);
    if (!line->data)
        return false;
    size_t i = 0;
    for (; i < line->len && line->data[i] != '\t'; i++) {
        char c = line->data[i];
        if (c == '\\' && i + 1 < line->len) {
            c = line->data[++i];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c;
        }
        txg_buf_putc(out, c ? c : '?');
    }
    *line = i < line->len ? txg_span(line->data + i + 1, line->len - i - 1) : (struct txg_span){0};
    return true;
}

bool txg_talk_line(struct txg_span *text, struct txg_span *line)
{
    const char *newline = text->len ? memchr(text->data, '\n', text->len) : NULL;
    if (!newline)
        return false;
    *line = txg_span(text->data, (size_t)(newline - text->data));
    *text = txg_span(newline + 1, text->len - line->len - 1);
    return true;
}

int txg_talk_read_list(struct txg_span text, struct txg_strv *names, struct txg_err *err)
{
    struct txg_span line;
    struct txg_buf field = {0};
    bool listed = false;
    while (txg_talk_line(&text, &line)) {
        txg_talk_field(&line, &field);
        listed |= strcmp(txg_buf_cstr(&field), "listed") == 0;
        if (strcmp(txg_buf_cstr(&field), "case") == 0 && txg_talk_field(&line, &field) &&
            txg_buf_len(&field) > 0)
            txg_strv_push(names, txg_buf_cstr(&field));
    }
    txg_buf_release(&field);
    if (!listed)
        return txg_err_set(err, TXG_E_PROTO,
                           "it ended before it had listed its cases (docs/harness.md)");
    return 0;
}

static const char *const list[] = {"`list`", NULL};
static const struct txg_cases_ops cases = {.list = list, .read_list = txg_talk_read_list};

const struct txg_harness_ops txg_harness_talk = {
    .name = "txgate", .cases = &cases, .persistent = true};
const struct txg_harness_ops txg_harness_pytest = {
    .name = "pytest", .cases = &cases, .persistent = true};
