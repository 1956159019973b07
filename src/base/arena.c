#include "config.h"

#include "src/base/arena.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 65536

void txg_arena_release(struct txg_arena *a)
{
    txg_strv_release(&a->pieces);
    *a = (struct txg_arena){0};
}

char *txg_arena_take(struct txg_arena *a, size_t len)
{
    if (len > a->left) {
        a->left = len > PIECE ? len : PIECE;
        a->free = txg_xmalloc(a->left);
        txg_strv_take(&a->pieces, a->free);
    }
    char *at = a->free;
    a->free += len;
    a->left -= len;
    return at;
}

char *txg_arena_copy(struct txg_arena *a, struct txg_span text)
{
    char *at = txg_arena_take(a, text.len + 1);
    if (text.len)
        memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    return at;
}

void txg_arena_adopt(struct txg_arena *a, char *text)
{
    txg_strv_take(&a->pieces, text);
}

void txg_names_release(struct txg_names *v)
{
    free(v->items);
    txg_arena_release(&v->texts);
    *v = (struct txg_names){0};
}

char *txg_names_add(struct txg_names *v, size_t len)
{
    char *name = txg_arena_take(&v->texts, len + 1);
    name[len] = '\0';
    v->items = txg_grow(v->items, v->n, &v->cap, sizeof *v->items);
    return v->items[v->n++] = name;
}

void txg_names_push(struct txg_names *v, struct txg_span name)
{
    char *copy = txg_names_add(v, name.len);
    if (name.len)
        memcpy(copy, name.data, name.len);
}
