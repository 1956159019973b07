#include "config.h"

#include "src/worker/harness/tapline.h"

#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_bytes(struct txg_span *s, size_t n)
{
    s->data += n;
    s->len -= n;
}

static size_t skip_space(struct txg_span *s)
{
    size_t n = 0;
    while (n < s->len && is_space(s->data[n]))
        n++;
    skip_bytes(s, n);
    return n;
}

static struct txg_span trim(struct txg_span s)
{
    skip_space(&s);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

static bool skip_exact(struct txg_span *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len < n || memcmp(s->data, word, n) != 0)
        return false;
    skip_bytes(s, n);
    return true;
}

/* A word in upper or lower case that ends where it ends. */
static bool skip_word(struct txg_span *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len < n || strncasecmp(s->data, word, n) != 0 || (s->len > n && is_word(s->data[n])))
        return false;
    skip_bytes(s, n);
    return true;
}

static bool skip_number(struct txg_span *s, int64_t *out)
{
    if (s->len == 0 || !is_digit(s->data[0]))
        return false;
    *out = 0;
    for (; s->len > 0 && is_digit(s->data[0]); skip_bytes(s, 1))
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, s->data[0] - '0', out))
            *out = INT64_MAX / 16; /* so large that no count of points comes near */
    return true;
}

static bool read_version(struct txg_span s, struct txg_tapline *out)
{
    if (!skip_word(&s, "TAP") || !skip_space(&s) || !skip_word(&s, "version") || !skip_space(&s) ||
        !skip_number(&s, &out->number) || trim(s).len > 0)
        return false;
    out->type = TXG_TAPLINE_VERSION;
    return true;
}

/* Version 12 lets anything follow `1..0`, version 13 only SKIP, version 14 a comment. */
static bool read_plan(struct txg_span s, int64_t version, struct txg_tapline *out)
{
    if (!skip_exact(&s, "1..") || !skip_number(&s, &out->number))
        return false;
    s = trim(s);
    struct txg_span tail = s;
    bool comment = skip_exact(&tail, "#");
    skip_space(&tail);
    bool skip = comment && skip_word(&tail, "SKIP");
    if (s.len > 0 && !skip && !(version >= 14 && comment) && !(version < 13 && out->number == 0))
        return false;
    if (version < 13 && skip && out->number > 0)
        return false;
    out->type = TXG_TAPLINE_PLAN;
    out->skip = skip || out->number == 0;
    out->text = skip ? trim(tail) : (struct txg_span){0};
    return true;
}

/* The first '#' that no '\' stands before: only a directive right behind it counts. */
static void read_directive(struct txg_tapline *out)
{
    struct txg_span s = out->name;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\\') {
            i++;
            continue;
        }
        if (s.data[i] != '#')
            continue;
        struct txg_span front = {s.data, i};
        skip_bytes(&s, i + 1);
        skip_space(&s);
        out->skip = skip_word(&s, "SKIP");
        out->todo = !out->skip && skip_word(&s, "TODO");
        if (out->skip || out->todo) {
            out->name = front;
            out->text = trim(s);
        }
        return;
    }
}

static bool read_point(struct txg_span s, struct txg_tapline *out)
{
    out->ok = !skip_exact(&s, "not ");
    if (!skip_exact(&s, "ok") || (s.len > 0 && is_word(s.data[0])))
        return false;
    skip_space(&s);
    if (!skip_number(&s, &out->number))
        out->number = -1;
    out->type = TXG_TAPLINE_POINT;
    out->name = s;
    read_directive(out);
    out->name = trim(out->name);
    if (out->name.len > 0 && out->name.data[0] == '-' &&
        (out->name.len == 1 || is_space(out->name.data[1]))) {
        skip_bytes(&out->name, 1);
        skip_space(&out->name);
    }
    return true;
}

struct txg_tapline txg_tapline_read(struct txg_span line, int64_t version)
{
    struct txg_tapline out = {.number = -1};
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    struct txg_span s = line;
    size_t indent = skip_space(&s);
    if (s.len == 0) {
        out.type = TXG_TAPLINE_BLANK;
        return out;
    }
    if (skip_exact(&s, "Bail out!")) {
        out.type = TXG_TAPLINE_BAIL_OUT;
        out.text = trim(s);
        return out;
    }
    if (indent > 0) {
        out.type = TXG_TAPLINE_INDENTED;
        return out;
    }
    if (line.data[0] == '#') {
        out.type = TXG_TAPLINE_COMMENT;
        return out;
    }
    if (read_point(line, &out) || read_plan(line, version, &out) || read_version(line, &out))
        return out;
    if (version >= 13 && skip_word(&s, "pragma") && skip_space(&s)) {
        out.type = TXG_TAPLINE_PRAGMA;
        out.text = trim(s);
    }
    return out;
}
