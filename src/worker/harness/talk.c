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
    const char *tab = line->len ? memchr(line->data, '\t', line->len) : NULL;
    size_t len = tab ? (size_t)(tab - line->data) : line->len;
    for (size_t i = 0; i < len; i++) {
        size_t run = i;
        while (run < len && line->data[run] != '\\' && line->data[run] != '\0')
            run++;
        txg_buf_append(out, line->data + i, run - i);
        if (run == len)
            break;
        i = run + (line->data[run] == '\\' && run + 1 < len);
        char c = line->data[i];
        bool escaped = i > run;
        txg_buf_putc(out, !c ? '?' : escaped && c == 't' ? '\t' : escaped && c == 'n' ? '\n' : c);
    }
    *line = tab ? txg_span(tab + 1, line->len - len - 1) : (struct txg_span){0};
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
