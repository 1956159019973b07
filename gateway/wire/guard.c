#include "config.h"

#include "gateway/wire/guard.h"

#include <stdbool.h>
#include <stdint.h>

#include "src/base/str.h"

struct walk {
    const unsigned char *start, *at, *end;
    struct txg_err *err;
    size_t nodes;
    size_t depth;
    struct {
        size_t left; /* values still to come: a map counts its keys and its values */
        bool map;
    } open[TXG_GUARD_DEPTH_MAX];
};

static size_t bytes_left(const struct walk *w)
{
    return (size_t)(w->end - w->at);
}

static unsigned long where(const struct walk *w)
{
    return (unsigned long)(w->at - w->start);
}

static int cut_short(struct walk *w)
{
    return txg_err_set(w->err, TXG_E_PROTO, "byte %lu: the payload ends in the middle of a value",
                       where(w));
}

/* A big-endian number of `width` bytes. */
static int take_number(struct walk *w, size_t width, size_t *out)
{
    if (bytes_left(w) < width)
        return cut_short(w);
    size_t n = 0;
    while (width--)
        n = n << 8 | *w->at++;
    *out = n;
    return 0;
}

static int take_bytes(struct walk *w, size_t len)
{
    if (bytes_left(w) < len)
        return cut_short(w);
    w->at += len;
    return 0;
}

static int take_str(struct walk *w, size_t len)
{
    const unsigned char *text = w->at;
    if (take_bytes(w, len) < 0)
        return -1;
    if (!txg_utf8_valid(text, len))
        return txg_err_set(w->err, TXG_E_PROTO, "byte %lu: a str is not UTF-8",
                           (unsigned long)(text - w->start));
    return 0;
}

/* Opens an array or a map of `count` entries, `each` values to an entry. */
static int enter(struct walk *w, size_t count, size_t each)
{
    if (w->depth == TXG_GUARD_DEPTH_MAX)
        return txg_err_set(w->err, TXG_E_LIMIT, "byte %lu: nested deeper than %d", where(w),
                           TXG_GUARD_DEPTH_MAX);
    /* The division also keeps count * each from wrapping round where size_t has 32 bits. */
    if (count > bytes_left(w) / each)
        return txg_err_set(w->err, TXG_E_PROTO, "byte %lu: %s of %lu entries in %lu bytes",
                           where(w), each == 2 ? "a map" : "an array", (unsigned long)count,
                           (unsigned long)bytes_left(w));
    w->nodes += count * each;
    if (w->nodes > TXG_GUARD_NODES_MAX)
        return txg_err_set(w->err, TXG_E_LIMIT, "byte %lu: more than %lu values", where(w),
                           (unsigned long)TXG_GUARD_NODES_MAX);
    w->open[w->depth].left = count * each;
    w->open[w->depth].map = each == 2;
    w->depth++;
    return 0;
}

static int refused(struct walk *w, unsigned char tag)
{
    return txg_err_set(w->err, TXG_E_PROTO, "byte %lu: tag 0x%02x is not allowed", where(w) - 1,
                       tag);
}

/* Tags 0xc0 to 0xdf; what is shorter stands in the tag itself. */
static int walk_tagged(struct walk *w, unsigned char tag)
{
    size_t n = 0;
    switch (tag) {
    case 0xc0: /* nil, false, true */
    case 0xc2:
    case 0xc3:
        return 0;
    case 0xc4: /* bin */
    case 0xc5:
    case 0xc6:
        return take_number(w, (size_t)1 << (tag - 0xc4), &n) < 0 ? -1 : take_bytes(w, n);
    case 0xca: /* float */
    case 0xcb:
        return take_bytes(w, (size_t)4 << (tag - 0xca));
    case 0xcc: /* uint */
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_bytes(w, (size_t)1 << (tag - 0xcc));
    case 0xd0: /* int */
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_bytes(w, (size_t)1 << (tag - 0xd0));
    case 0xd9: /* str */
    case 0xda:
    case 0xdb:
        return take_number(w, (size_t)1 << (tag - 0xd9), &n) < 0 ? -1 : take_str(w, n);
    case 0xdc: /* array */
    case 0xdd:
        return take_number(w, (size_t)2 << (tag - 0xdc), &n) < 0 ? -1 : enter(w, n, 1);
    case 0xde: /* map */
    case 0xdf:
        return take_number(w, (size_t)2 << (tag - 0xde), &n) < 0 ? -1 : enter(w, n, 2);
    default: /* 0xc1 and ext */
        return refused(w, tag);
    }
}

static bool is_str(unsigned char tag)
{
    return (tag & 0xe0) == 0xa0 || (tag >= 0xd9 && tag <= 0xdb);
}

static int walk_value(struct walk *w, bool key)
{
    if (w->at == w->end)
        return cut_short(w);
    unsigned char tag = *w->at++;
    if (key && !is_str(tag))
        return txg_err_set(w->err, TXG_E_PROTO, "byte %lu: a key is not a str", where(w) - 1);
    if (tag < 0x80 || tag >= 0xe0) /* small integers */
        return 0;
    if (tag < 0x90)
        return enter(w, tag & 0x0f, 2);
    if (tag < 0xa0)
        return enter(w, tag & 0x0f, 1);
    if (tag < 0xc0)
        return take_str(w, tag & 0x1f);
    return walk_tagged(w, tag);
}

int txg_guard_check(const void *data, size_t len, struct txg_err *err)
{
    struct walk w = {.start = data, .at = data, .err = err};
    if (len == 0)
        return cut_short(&w);
    w.end = w.start + len;
    if (walk_value(&w, false) < 0)
        return -1;
    while (w.depth > 0) {
        size_t top = w.depth - 1;
        if (w.open[top].left == 0) {
            w.depth--;
            continue;
        }
        bool key = w.open[top].map && w.open[top].left % 2 == 0;
        w.open[top].left--;
        if (walk_value(&w, key) < 0)
            return -1;
    }
    if (w.at != w.end)
        return txg_err_set(err, TXG_E_PROTO, "byte %lu: %lu bytes behind the value", where(&w),
                           (unsigned long)bytes_left(&w));
    return 0;
}
