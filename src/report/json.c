#include "config.h"

#include "src/report/json.h"

static void put_comma(struct txg_buf *out)
{
    size_t len = txg_buf_len(out);
    char last = len ? txg_buf_data(out)[len - 1] : '{';
    if (last != '{' && last != '[')
        txg_buf_putc(out, ',');
}

static void put_key(struct txg_buf *out, const char *key)
{
    put_comma(out);
    txg_buf_putc(out, '"');
    txg_buf_puts(out, key);
    txg_buf_append(out, "\":", 2);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static size_t put_high(struct txg_buf *out, const char *p, size_t len)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    bool whole = n <= len && txg_utf8_valid(p, n);
    txg_buf_append(out, whole ? p : "\xef\xbf\xbd", whole ? n : 3);
    return whole ? n : 1;
}

static void put_escaped(struct txg_buf *out, unsigned char c)
{
    if (c == '"' || c == '\\') {
        txg_buf_putc(out, '\\');
        txg_buf_putc(out, (char)c);
    } else if (c == '\n') {
        txg_buf_append(out, "\\n", 2);
    } else if (c == '\t') {
        txg_buf_append(out, "\\t", 2);
    } else {
        txg_buf_printf(out, "\\u%04x", c);
    }
}

void txg_json_string(struct txg_buf *out, const char *key, struct txg_span value)
{
    put_key(out, key);
    txg_buf_putc(out, '"');
    for (size_t at = 0; at < value.len;) {
        size_t run = at;
        while (run < value.len && is_plain((unsigned char)value.data[run]))
            run++;
        txg_buf_append(out, value.data + at, run - at);
        at = run;
        if (at < value.len && (unsigned char)value.data[at] >= 0x80)
            at += put_high(out, value.data + at, value.len - at);
        else if (at < value.len)
            put_escaped(out, (unsigned char)value.data[at++]);
    }
    txg_buf_putc(out, '"');
}

void txg_json_cstr(struct txg_buf *out, const char *key, const char *value)
{
    if (value)
        txg_json_string(out, key, txg_span_cstr(value));
}

void txg_json_int(struct txg_buf *out, const char *key, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--at] = '-';
    put_key(out, key);
    txg_buf_append(out, digits + at, sizeof digits - at);
}

void txg_json_bool(struct txg_buf *out, const char *key, bool value)
{
    put_key(out, key);
    txg_buf_puts(out, value ? "true" : "false");
}

void txg_json_open(struct txg_buf *out, const char *key, char bracket)
{
    put_key(out, key);
    txg_buf_putc(out, bracket);
}

void txg_json_item(struct txg_buf *out)
{
    put_comma(out);
    txg_buf_putc(out, '{');
}
