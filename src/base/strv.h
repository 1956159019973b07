/*
 * A list of strings that ends in NULL (argv, envp), and the one function that quotes a word for a
 * POSIX shell. Zero-filled storage is an empty list whose `items` is NULL.
 */
#ifndef TXG_BASE_STRV_H
#define TXG_BASE_STRV_H

#include <stddef.h>

#include "src/base/buf.h"

struct txg_strv {
    char **items; /* owned, NULL-terminated once anything was pushed */
    size_t n;
    size_t cap;
};

void txg_strv_release(struct txg_strv *v);
void txg_strv_push(struct txg_strv *v, const char *s); /* dups */
void txg_strv_push_n(struct txg_strv *v, const char *s, size_t len);
void txg_strv_take(struct txg_strv *v, char *s); /* takes a heap string */
void txg_strv_split(struct txg_strv *v,
                    const char *text); /* pushes the words between white space */
void txg_strv_copy(struct txg_strv *v, const struct txg_strv *from);

/* Sets NAME in a list of NAME=value entries, over an older entry of that name. */
void txg_strv_setenv(struct txg_strv *v, const char *name, const char *value);

/* Borrowed value of NAME, or NULL. */
const char *txg_strv_getenv(const struct txg_strv *v, const char *name);

/* Appends s as one word of sh: plain where every character is harmless, else in '...'. */
void txg_quote_sh(struct txg_buf *out, const char *s);

#endif
