/*
 * Texts by the ten thousand that go together: each has its place in a large piece of memory, none
 * is given back by itself. And lists of such texts. Zero-filled storage is empty.
 */
#ifndef TXG_BASE_ARENA_H
#define TXG_BASE_ARENA_H

#include <stddef.h>

#include "src/base/str.h"
#include "src/base/strv.h"

struct txg_arena {
    struct txg_strv pieces; /* owned */
    char *free;             /* in the last of them, or NULL */
    size_t left;            /* bytes from there on */
};

void txg_arena_release(struct txg_arena *a);

/* Room for `len` bytes, not aligned. */
char *txg_arena_take(struct txg_arena *a, size_t len);

/* A NUL-terminated copy. */
char *txg_arena_copy(struct txg_arena *a, struct txg_span text);

/* Takes over a text from the heap. */
void txg_arena_adopt(struct txg_arena *a, char *text);

struct txg_names {
    char **items; /* in `texts`, NUL-terminated */
    size_t n, cap;
    struct txg_arena texts;
};

void txg_names_release(struct txg_names *v);
void txg_names_push(struct txg_names *v, struct txg_span name); /* copies */

/* A name of `len` bytes, for the caller to fill in. */
char *txg_names_add(struct txg_names *v, size_t len);

#endif
