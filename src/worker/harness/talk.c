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

/* What is escaped, and NUL bytes, resolved in `out`. */
static struct txg_span resolve(struct txg_span text, struct txg_buf *out)
{
    txg_buf_clear(out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool escaped = c == '\\' && i + 1 < text.len;
        if (escaped)
            c = text.data[++i];
        txg_buf_putc(out, !c ? '?' : escaped && c == 't' ? '\t' : escaped && c == 'n' ? '\n' : c);
    }
    return txg_span(txg_buf_data(out), txg_buf_len(out));
}

bool txg_talk_field(struct txg_span *line, struct txg_buf *scratch, struct txg_span *field)
{
    size_t len = 0;
    bool plain = true;
    *field = (struct txg_span){0};
    if (!line->data)
        return false;
    for (; len < line->len && line->data[len] != '\t'; len++)
        plain = plain && line->data[len] != '\\' && line->data[len] != '\0';
    *field = txg_span(line->data, len);
    if (!plain)
        *field = resolve(*field, scratch);
    *line = len < line->len ? txg_span(line->data + len + 1, line->len - len - 1)
                            : (struct txg_span){0};
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

int txg_talk_read_list(struct txg_span text, struct txg_names *names, struct txg_err *err)
{
    struct txg_span line, field;
    struct txg_buf scratch = {0};
    bool listed = false;
    while (txg_talk_line(&text, &line)) {
        txg_talk_field(&line, &scratch, &field);
        if (txg_span_is(field, "case")) {
            if (txg_talk_field(&line, &scratch, &field) && field.len > 0)
                txg_names_push(names, field);
        } else {
            listed |= txg_span_is(field, "listed");
        }
    }
    txg_buf_release(&scratch);
    if (!listed)
        return txg_err_set(err, TXG_E_PROTO,
                           "it ended before it had listed its cases (docs/harness.md)");
    return 0;
}

static const char *const list[] = {"`list`", NULL};
static const struct txg_cases_ops cases = {.list = list, .read_list = txg_talk_read_list};

const struct txg_harness_ops txg_harness_talk = {
    .name = "txgate", .cases = &cases, .persistent = true, .rings = true};
const struct txg_harness_ops txg_harness_pytest = {
    .name = "pytest", .cases = &cases, .persistent = true};
