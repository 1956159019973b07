#include "config.h"

#include "specs/scalar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "specs/words.h"
#include "src/base/str.h"

#define DIGITS "0123456789"

/* The word in its three spellings: null, Null, NULL. */
static bool is_word(const char *s, const char *lower, const char *title, const char *upper)
{
    return strcmp(s, lower) == 0 || strcmp(s, title) == 0 || strcmp(s, upper) == 0;
}

static bool is_int(const char *s)
{
    if (txg_has_prefix(s, "0x"))
        return s[2] && s[2 + strspn(s + 2, DIGITS "abcdefABCDEF")] == '\0';
    if (txg_has_prefix(s, "0o"))
        return s[2] && s[2 + strspn(s + 2, "01234567")] == '\0';
    s += *s == '-' || *s == '+';
    return *s && s[strspn(s, DIGITS)] == '\0';
}

/* .inf and .nan behind an optional sign (of inf only). */
static bool is_special(const char *s)
{
    return is_word(s + (*s == '-' || *s == '+'), ".inf", ".Inf", ".INF") ||
           is_word(s, ".nan", ".NaN", ".NAN");
}

static bool is_float(const char *s)
{
    if (is_special(s))
        return true;
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, DIGITS), part = 0;
    s += whole;
    if (*s == '.') {
        part = strspn(s + 1, DIGITS);
        s += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '-' || s[1] == '+');
        if (!*s || s[strspn(s, DIGITS)])
            return false;
        s += strlen(s);
    }
    return *s == '\0';
}

enum txg_value_type txg_scalar_type(const struct txg_node *scalar)
{
    const char *s = scalar->text;
    if (!scalar->plain)
        return TXG_STRING;
    if (*s == '\0' || strcmp(s, "~") == 0 || is_word(s, "null", "Null", "NULL"))
        return TXG_NIL;
    if (is_word(s, "true", "True", "TRUE") || is_word(s, "false", "False", "FALSE"))
        return TXG_BOOL;
    return is_int(s) ? TXG_INT : is_float(s) ? TXG_FLOAT : TXG_STRING;
}

char *txg_node_describe(const struct txg_node *node)
{
    if (node->kind != TXG_NODE_SCALAR)
        return txg_xstrdup(node->kind == TXG_NODE_LIST ? "a list" : "a mapping");
    enum txg_value_type type = txg_scalar_type(node);
    if (type == TXG_NIL)
        return txg_xstrdup("nothing");
    TXG_AUTOFREE char *shown = txg_word_show(node->text, strlen(node->text));
    return txg_xasprintf(type == TXG_STRING ? "'%s'"
                         : type == TXG_BOOL ? "the truth value %s"
                                            : "the number %s",
                         shown);
}

/* Digits of base 8 or 16 that is_int has seen; false: more than 63 bits. */
static bool parse_base(const char *digits, int base, int64_t *out)
{
    int64_t v = 0;
    for (; *digits; digits++) {
        int c = *digits | 0x20, digit = c >= 'a' ? c - 'a' + 10 : *digits - '0';
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

static bool parse_int(const char *s, int64_t *out)
{
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o'))
        return parse_base(s + 2, s[1] == 'x' ? 16 : 8, out);
    return txg_parse_int(s + (*s == '+'), INT64_MIN, INT64_MAX, out);
}

static double parse_float(const char *s)
{
    if (!is_special(s))
        return strtod(s, NULL);
    return strchr("nN", s[1]) ? (double)NAN : *s == '-' ? (double)-INFINITY : (double)INFINITY;
}

static int scalar_value(const struct txg_yaml *yaml, const struct txg_node *node,
                        struct txg_value *out, struct txg_err *err)
{
    int64_t n;
    switch (txg_scalar_type(node)) {
    case TXG_BOOL:
        *out = txg_value_bool(strchr("tT", node->text[0]) != NULL);
        return 0;
    case TXG_INT:
        if (!parse_int(node->text, &n))
            return txg_yaml_fail(yaml, node, err,
                                 "this integer doesn't fit into 64 bits: put it in"
                                 " quotes to pass it on as text");
        *out = txg_value_int(n);
        return 0;
    case TXG_FLOAT:
        *out = txg_value_float(parse_float(node->text));
        if (isinf(out->real) && !is_special(node->text))
            return txg_yaml_fail(yaml, node, err,
                                 "this number is too large: put it in quotes to"
                                 " pass it on as text");
        return 0;
    case TXG_STRING:
        *out = txg_value_string(node->text, strlen(node->text));
        return 0;
    default:
        *out = (struct txg_value){0};
        return 0;
    }
}

int txg_node_value(const struct txg_yaml *yaml, const struct txg_node *node, struct txg_value *out,
                   struct txg_err *err)
{
    if (node->kind == TXG_NODE_SCALAR)
        return scalar_value(yaml, node, out, err);
    bool is_map = node->kind == TXG_NODE_MAP;
    *out = is_map ? txg_value_dict() : txg_value_list();
    for (size_t i = 0; i < node->n; i += 1 + is_map) {
        struct txg_value item = {0};
        if (txg_node_value(yaml, &node->items[i + is_map], &item, err) != 0) {
            txg_value_release(out);
            return -1;
        }
        if (is_map)
            txg_value_set(out, node->items[i].text, item);
        else
            txg_value_push(out, item);
    }
    return 0;
}
