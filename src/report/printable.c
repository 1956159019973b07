#include "config.h"

#include "src/report/printable.h"

#include <stdbool.h>
#include <string.h>

#include "src/base/strv.h"

/* The length of "ESC [ digits and ; m" at p, or 0. */
static size_t sgr_length(const unsigned char *p, size_t len)
{
    if (len < 3 || p[0] != 0x1b || p[1] != '[')
        return 0;
    size_t i = 2;
    while (i < len && i < 32 && ((p[i] >= '0' && p[i] <= '9') || p[i] == ';'))
        i++;
    return i < len && p[i] == 'm' ? i + 1 : 0;
}

static void control_on_one_line(struct txg_buf *out, unsigned char c)
{
    if (c == '\n')
        txg_buf_puts(out, "\\n");
    else if (c == '\t')
        txg_buf_puts(out, "\\t");
    else if (c == '\r')
        txg_buf_puts(out, "\\r");
    else
        txg_buf_printf(out, "\\x%02x", c);
}

/* A control byte; returns how many bytes it stood for. */
static size_t put_control(struct txg_buf *out, const unsigned char *p, size_t len, unsigned how)
{
    if (how & TXG_PRINT_ONE_LINE) {
        control_on_one_line(out, p[0]);
        return 1;
    }
    if (p[0] == '\r' && len > 1 && p[1] == '\n')
        return 1;
    size_t n = how & TXG_PRINT_XML ? 0 : sgr_length(p, len);
    if (n > 0) {
        if (how & TXG_PRINT_SGR)
            txg_buf_append(out, p, n);
        return n;
    }
    txg_buf_putc(out, '^');
    txg_buf_putc(out, (char)(p[0] ^ 0x40));
    return 1;
}

/* The code point of a sequence of `n` bytes that is known to be well-formed. */
static unsigned code_point(const unsigned char *p, size_t n)
{
    unsigned c = n == 2 ? p[0] & 0x1fu : n == 3 ? p[0] & 0x0fu : p[0] & 0x07u;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return c;
}

static size_t sequence_length(unsigned char first)
{
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

/* Those that turn the direction of what stands behind them: a name could show as another (Unicode
 * TR36; CVE-2021-42574). */
static bool turns_line(unsigned c)
{
    return c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static size_t put_high(struct txg_buf *out, const unsigned char *p, size_t len, unsigned how)
{
    size_t n = sequence_length(p[0]);
    bool xml = how & TXG_PRINT_XML;
    if (n == 1 || n > len || !txg_utf8_valid(p, n)) {
        if (xml)
            txg_buf_puts(out, "\xef\xbf\xbd");
        else
            txg_buf_printf(out, "\\x%02x", p[0]);
        return 1;
    }
    unsigned c = code_point(p, n);
    if (xml && (c == 0xfffe || c == 0xffff))
        txg_buf_puts(out, "\xef\xbf\xbd");
    else if (!xml && (c < 0xa0 || (how & TXG_PRINT_ONE_LINE && turns_line(c))))
        txg_buf_printf(out, "\\u%04x", c);
    else
        txg_buf_append(out, p, n);
    return n;
}

static bool is_plain(unsigned char c, unsigned how)
{
    if (c >= 0x20)
        return c < 0x7f;
    return (c == '\n' || c == '\t') && !(how & TXG_PRINT_ONE_LINE);
}

void txg_printable(struct txg_buf *out, const void *data, size_t len, unsigned how)
{
    const unsigned char *p = data;
    size_t at = 0;
    while (at < len) {
        size_t run = at;
        while (run < len && is_plain(p[run], how))
            run++;
        txg_buf_append(out, p + at, run - at);
        at = run;
        if (at < len)
            at += p[at] < 0x80 ? put_control(out, p + at, len - at, how)
                               : put_high(out, p + at, len - at, how);
    }
}

void txg_printable_line(struct txg_buf *out, struct txg_span text)
{
    txg_printable(out, text.data, text.len, TXG_PRINT_ONE_LINE);
}

size_t txg_printable_whole(const char *data, size_t len)
{
    if (len && data[len - 1] == '\r')
        return len - 1;
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)data[len - back];
        if (c < 0x80)
            break;
        if (c >= 0xc0)
            return sequence_length(c) > back ? len - back : len;
    }
    return len;
}

size_t txg_printable_fit(const char *text, size_t len, size_t columns)
{
    size_t at = 0, used = 0;
    while (at < len) {
        size_t n = sequence_length((unsigned char)text[at]);
        size_t wide = n >= 3 ? 2 : 1;
        if (used + wide > columns || at + n > len)
            break;
        used += wide;
        at += n;
    }
    return at;
}

static bool is_printable(struct txg_span s)
{
    struct txg_buf b = {0};
    txg_printable_line(&b, s);
    bool same = txg_span_equal(s, txg_span(txg_buf_data(&b), txg_buf_len(&b)));
    txg_buf_release(&b);
    return same;
}

void txg_printable_quoted(struct txg_buf *out, struct txg_span word)
{
    if (is_printable(word)) {
        TXG_AUTOFREE char *s = txg_xstrndup(word.data, word.len);
        txg_quote_sh(out, s);
        return;
    }
    txg_buf_puts(out, "$'");
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];
        if (c < 0x20 || c >= 0x7f || c == '\'' || c == '\\')
            txg_buf_printf(out, "\\x%02x", c);
        else
            txg_buf_putc(out, (char)c);
    }
    txg_buf_putc(out, '\'');
}

void txg_print_duration(struct txg_buf *out, int64_t us)
{
    txg_buf_printf(out, "%.2fs", (double)us / 1e6);
    int64_t s = us / 1000000;
    if (s >= 60)
        txg_buf_printf(out, " (%d:%02d:%02d)", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

void txg_print_size(struct txg_buf *out, int64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    if (bytes < 1000) {
        txg_buf_printf(out, "%d byte%s", (int)bytes, bytes == 1 ? "" : "s");
        return;
    }
    double size = (double)bytes / 1000;
    size_t unit = 0;
    for (; size >= 999.95 && unit < 3; unit++)
        size /= 1000;
    txg_buf_printf(out, "%.1f %s", size, units[unit]);
}
