#include "config.h"

#include "src/base/strv.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"

void txg_strv_release(struct txg_strv *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i]);
    free(v->items);
    *v = (struct txg_strv){0};
}

void txg_strv_take(struct txg_strv *v, char *s)
{
    v->items = txg_grow(v->items, v->n + 1, &v->cap, sizeof *v->items);
    v->items[v->n++] = s;
    v->items[v->n] = NULL;
}

void txg_strv_push(struct txg_strv *v, const char *s)
{
    txg_strv_take(v, txg_xstrdup(s));
}

void txg_strv_push_n(struct txg_strv *v, const char *s, size_t len)
{
    txg_strv_take(v, txg_xstrndup(s, len));
}

void txg_strv_split(struct txg_strv *v, const char *text)
{
    static const char white[] = " \t\r\n";
    for (text += strspn(text, white); *text; text += strspn(text, white)) {
        size_t len = strcspn(text, white);
        txg_strv_push_n(v, text, len);
        text += len;
    }
}

void txg_strv_copy(struct txg_strv *v, const struct txg_strv *from)
{
    for (size_t i = 0; i < from->n; i++)
        txg_strv_push(v, from->items[i]);
}

static size_t find_env(const struct txg_strv *v, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < v->n; i++)
        if (strncmp(v->items[i], name, len) == 0 && v->items[i][len] == '=')
            return i;
    return v->n;
}

void txg_strv_setenv(struct txg_strv *v, const char *name, const char *value)
{
    char *entry = txg_xasprintf("%s=%s", name, value);
    size_t i = find_env(v, name);
    if (i == v->n) {
        txg_strv_take(v, entry);
        return;
    }
    free(v->items[i]);
    v->items[i] = entry;
}

const char *txg_strv_getenv(const struct txg_strv *v, const char *name)
{
    size_t i = find_env(v, name);
    return i < v->n ? v->items[i] + strlen(name) + 1 : NULL;
}

void txg_quote_sh(struct txg_buf *out, const char *s)
{
    static const char harmless[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                   "@%+:,./-_";
    if (*s && s[strspn(s, harmless)] == '\0') {
        txg_buf_puts(out, s);
        return;
    }
    txg_buf_putc(out, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            txg_buf_puts(out, "'\\''");
        else
            txg_buf_putc(out, *s);
    }
    txg_buf_putc(out, '\'');
}
