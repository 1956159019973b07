#include "config.h"

#include "src/base/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"

void txg_value_release(struct txg_value *v)
{
    if (v->type == TXG_STRING)
        free(v->string.data);
    if (v->type == TXG_LIST || v->type == TXG_DICT) {
        for (size_t i = 0; i < v->many.n; i++) {
            txg_value_release(&v->many.items[i]);
            if (v->many.keys)
                free(v->many.keys[i]);
        }
        free(v->many.items);
        free(v->many.keys);
    }
    *v = (struct txg_value){0};
}

struct txg_value txg_value_string(const char *data, size_t len)
{
    struct txg_value v = {.type = TXG_STRING};
    v.string.data = txg_xstrndup(data, len);
    v.string.len = len;
    return v;
}

struct txg_value txg_value_int(int64_t i)
{
    return (struct txg_value){.type = TXG_INT, .integer = i};
}

struct txg_value txg_value_bool(bool b)
{
    return (struct txg_value){.type = TXG_BOOL, .boolean = b};
}

struct txg_value txg_value_float(double d)
{
    return (struct txg_value){.type = TXG_FLOAT, .real = d};
}

struct txg_value txg_value_list(void)
{
    return (struct txg_value){.type = TXG_LIST};
}

struct txg_value txg_value_dict(void)
{
    return (struct txg_value){.type = TXG_DICT};
}

static void append(struct txg_value *v, char *key, struct txg_value item)
{
    size_t cap = v->many.cap;
    v->many.items = txg_grow(v->many.items, v->many.n, &cap, sizeof *v->many.items);
    if (v->type == TXG_DICT && cap != v->many.cap)
        v->many.keys = txg_xrealloc_array(v->many.keys, cap, sizeof *v->many.keys);
    v->many.cap = cap;
    if (v->type == TXG_DICT)
        v->many.keys[v->many.n] = key;
    v->many.items[v->many.n++] = item;
}

void txg_value_push(struct txg_value *list, struct txg_value item)
{
    append(list, NULL, item);
}

static size_t find_key(const struct txg_value *v, const char *key)
{
    size_t i = 0;
    while (i < v->many.n && strcmp(v->many.keys[i], key) != 0)
        i++;
    return i;
}

void txg_value_set(struct txg_value *dict, const char *key, struct txg_value item)
{
    size_t i = find_key(dict, key);
    if (i == dict->many.n) {
        append(dict, txg_xstrdup(key), item);
        return;
    }
    txg_value_release(&dict->many.items[i]);
    dict->many.items[i] = item;
}

const struct txg_value *txg_value_get(const struct txg_value *v, const char *key)
{
    if (v->type != TXG_DICT)
        return NULL;
    size_t i = find_key(v, key);
    return i < v->many.n ? &v->many.items[i] : NULL;
}

void txg_value_copy(struct txg_value *to, const struct txg_value *from)
{
    *to = *from;
    if (from->type == TXG_STRING)
        *to = txg_value_string(from->string.data, from->string.len);
    if (from->type == TXG_LIST || from->type == TXG_DICT) {
        *to = (struct txg_value){.type = from->type};
        for (size_t i = 0; i < from->many.n; i++) {
            struct txg_value item;
            txg_value_copy(&item, &from->many.items[i]);
            append(to, from->many.keys ? txg_xstrdup(from->many.keys[i]) : NULL, item);
        }
    }
}

bool txg_value_equal(const struct txg_value *a, const struct txg_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case TXG_NIL:
        return true;
    case TXG_BOOL:
        return a->boolean == b->boolean;
    case TXG_INT:
        return a->integer == b->integer;
    case TXG_FLOAT:
        return a->real == b->real || (isnan(a->real) && isnan(b->real));
    case TXG_STRING:
        return txg_span_equal(txg_span(a->string.data, a->string.len),
                              txg_span(b->string.data, b->string.len));
    case TXG_LIST:
    case TXG_DICT:
        break;
    }
    if (a->many.n != b->many.n)
        return false;
    for (size_t i = 0; i < a->many.n; i++) {
        if (a->many.keys && strcmp(a->many.keys[i], b->many.keys[i]) != 0)
            return false;
        if (!txg_value_equal(&a->many.items[i], &b->many.items[i]))
            return false;
    }
    return true;
}

static void json_string(const char *s, size_t len, struct txg_buf *out)
{
    txg_buf_putc(out, '"');
    for (size_t at = 0; at < len;) {
        size_t run = txg_utf8_prefix(s + at, len - at);
        for (size_t i = at; i < at + run; i++) {
            unsigned char c = (unsigned char)s[i];
            if (c == '"' || c == '\\')
                txg_buf_putc(out, '\\');
            if (c < 0x20 || c == 0x7f)
                txg_buf_printf(out, "\\u%04x", c);
            else
                txg_buf_putc(out, (char)c);
        }
        at += run;
        if (at < len) {
            txg_buf_puts(out, "\xef\xbf\xbd");
            at++;
        }
    }
    txg_buf_putc(out, '"');
}

/* Whether the 15 digits of "%.15g" are this number again. Up to 10^22 powers of ten are doubles,
 * and 15 digits are one: then a single product or quotient is rounded as strtod would round
 * (Clinger 1990). Others get 17 digits, which always are the number. No strtod: it is 5 KB of a
 * worker. */
static bool says(const char *text, double d)
{
    double digits = 0, ten = 1;
    int exponent = 0, after = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '.')
            after = 1;
        if (*text < '0' || *text > '9')
            continue;
        digits = digits * 10 + (*text - '0');
        exponent -= after;
    }
    if (*text == 'e') {
        const char *at = text + 1 + (text[1] == '+');
        exponent += (int)txg_read_int(&at);
    }
    if (exponent < -22 || exponent > 22)
        return false;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
        ten *= 10;
    return (exponent < 0 ? digits / ten : digits * ten) == fabs(d);
}

static void float_text(double d, struct txg_buf *out)
{
    char text[32];
    snprintf(text, sizeof text, "%.15g", d);
    if (!says(text, d))
        snprintf(text, sizeof text, "%.17g", d);
    txg_buf_puts(out, text);
    if (strspn(text, "-0123456789") == strlen(text))
        txg_buf_puts(out, ".0");
}

void txg_value_to_json(const struct txg_value *v, struct txg_buf *out)
{
    switch (v->type) {
    case TXG_NIL:
        txg_buf_puts(out, "null");
        return;
    case TXG_BOOL:
        txg_buf_puts(out, v->boolean ? "true" : "false");
        return;
    case TXG_INT:
        txg_buf_printf(out, "%lld", (long long)v->integer);
        return;
    case TXG_FLOAT:
        if (isfinite(v->real))
            float_text(v->real, out);
        else
            txg_buf_puts(out, "null");
        return;
    case TXG_STRING:
        json_string(v->string.data, v->string.len, out);
        return;
    case TXG_LIST:
    case TXG_DICT:
        break;
    }
    txg_buf_putc(out, v->type == TXG_DICT ? '{' : '[');
    for (size_t i = 0; i < v->many.n; i++) {
        if (i)
            txg_buf_puts(out, ", ");
        if (v->type == TXG_DICT) {
            json_string(v->many.keys[i], strlen(v->many.keys[i]), out);
            txg_buf_puts(out, ": ");
        }
        txg_value_to_json(&v->many.items[i], out);
    }
    txg_buf_putc(out, v->type == TXG_DICT ? '}' : ']');
}

void txg_value_to_text(const struct txg_value *v, struct txg_buf *out)
{
    if (v->type == TXG_STRING)
        txg_buf_append(out, v->string.data, v->string.len);
    else if (v->type == TXG_FLOAT)
        float_text(v->real, out);
    else if (v->type != TXG_NIL)
        txg_value_to_json(v, out);
}
