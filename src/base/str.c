#include "config.h"

#include "src/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct txg_span txg_span_cstr(const char *s)
{
    return (struct txg_span){s, s ? strlen(s) : 0};
}

bool txg_span_equal(struct txg_span a, struct txg_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool txg_span_is(struct txg_span a, const char *s)
{
    return txg_span_equal(a, txg_span_cstr(s));
}

void txg_oom(void)
{
    fputs("txgate: out of memory\n", stderr);
    abort();
}

void *txg_xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        txg_oom();
    return p;
}

void *txg_xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        txg_oom();
    return p;
}

void *txg_xrealloc_array(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        txg_oom();
    p = realloc(p, bytes ? bytes : 1);
    if (!p)
        txg_oom();
    return p;
}

char *txg_xstrndup(const char *s, size_t n)
{
    char *p = txg_xmalloc(n + 1);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *txg_xstrdup(const char *s)
{
    return s ? txg_xstrndup(s, strlen(s)) : NULL;
}

char *txg_xasprintf(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = txg_xmalloc((size_t)(n < 0 ? 0 : n) + 1);
    s[0] = '\0';
    if (n > 0)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void *txg_grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? *cap * 2 : 8;
    return txg_xrealloc_array(p, *cap, size);
}

void txg_cleanup_free(void *pp)
{
    void *p;
    memcpy(&p, pp, sizeof p);
    free(p);
}

bool txg_has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool txg_has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/* Bytes of the well-formed sequence at p, or 0 (table 3-7 of the Unicode standard). */
static size_t utf8_sequence(const unsigned char *p, size_t len)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len < n)
        return 0;
    unsigned char lo = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char hi = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

size_t txg_utf8_prefix(const void *data, size_t len)
{
    const unsigned char *p = data;
    size_t at = 0;
    while (at < len) {
        size_t n = utf8_sequence(p + at, len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

bool txg_utf8_valid(const void *data, size_t len)
{
    return txg_utf8_prefix(data, len) == len;
}

int64_t txg_read_int(const char **at)
{
    bool negative = **at == '-';
    const char *s = *at + negative;
    int64_t v = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        v = v < INT64_MAX / 10 ? v * 10 + (*s - '0') : INT64_MAX;
    *at = s;
    return negative ? -v : v;
}

char *txg_strstr(const char *s, const char *word)
{
    return memmem(s, strlen(s), word, strlen(word));
}

bool txg_span_parse_int(struct txg_span s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = s.len > 0 && s.data[0] == '-';
    int64_t v = 0; /* kept negative: INT64_MIN has no positive twin */
    if (s.len == negative)
        return false;
    for (size_t i = negative; i < s.len; i++) {
        int digit = s.data[i] - '0';
        if (digit < 0 || digit > 9 || v < (INT64_MIN + digit) / 10)
            return false;
        v = v * 10 - digit;
    }
    if (!negative) {
        if (v == INT64_MIN)
            return false;
        v = -v;
    }
    if (v < min || v > max)
        return false;
    *out = v;
    return true;
}

bool txg_parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
    return txg_span_parse_int(txg_span_cstr(s), min, max, out);
}

bool txg_parse_duration(const char *s, int64_t *us)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"", 1e6}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 6e7}, {"h", 3.6e9}};
    size_t digits = strspn(s, "0123456789.");
    if (digits == 0 || digits > 20 || s[0] == '.')
        return false;
    char number[24];
    memcpy(number, s, digits);
    number[digits] = '\0';
    const char *dot = strchr(number, '.');
    if (dot && (strchr(dot + 1, '.') || dot[1] == '\0'))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(s + digits, units[i].name) != 0)
            continue;
        double v = strtod(number, NULL) * units[i].us;
        if (v > 10 * 365 * 86400e6)
            return false;
        int64_t whole = (int64_t)(v + 0.5);
        *us = whole == 0 && v > 0 ? 1 : whole;
        return true;
    }
    return false;
}

/* Edits (insert, delete, replace, swap of neighbours) that make a from b; both under 64 bytes. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t d[3][65];
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *up = d[(i + 2) % 3], *upup = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                upup[j - 2] + 1 < best)
                best = upup[j - 2] + 1;
            row[j] = best;
        }
    }
    return d[n % 3][m];
}

const char *txg_nearest(const char *s, const char *const *words)
{
    const char *best = NULL;
    size_t least = SIZE_MAX, n = strlen(s);
    if (n > 64)
        return NULL;
    for (; *words; words++) {
        size_t m = strlen(*words);
        if (m > 64)
            continue;
        size_t d = edit_distance(s, *words);
        size_t longer = n > m ? n : m;
        if (d < least && d <= (longer + 2) / 3) {
            least = d;
            best = *words;
        }
    }
    return best;
}

uint64_t txg_hash(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(1099511628211);
    return h;
}

static uint64_t stir(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 over the golden ratio */
    return h ^ h >> 32;
}

uint64_t txg_hash_key(const void *data, size_t len)
{
    const char *p = data;
    uint64_t h = len, word;
    for (; len >= sizeof word; len -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        h = stir(h, word);
    }
    word = 0;
    if (len > 0)
        memcpy(&word, p, len);
    return stir(h, word);
}
