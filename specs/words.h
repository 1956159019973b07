/*
 * Words of users: which ones may name things, how a faulty one is shown in an error, and which one
 * was probably meant.
 */
#ifndef TXG_SPECS_WORDS_H
#define TXG_SPECS_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/strv.h"

#define TXG_WORD_MAX 64

/* What an id or a label may be: it stands in file names, XML attributes and after `@`. */
#define TXG_WORD_RULE                                                                              \
    "letters, digits and any of _ . + - (first a letter, a digit or _), at most 64 of them"
bool txg_word_ok(const char *s);

/* "gw" and digits only: the form of the ids that txgate gives itself. */
bool txg_word_is_gw(const char *s);

/* What env: and input: may be followed by: it becomes (part of) the name of a variable. */
#define TXG_NAME_RULE "letters, digits and any of _ . -, first a letter or _"
bool txg_name_ok(const char *s);

/* `s` for an error message, as a heap string: control characters and what is no UTF-8 as \xNN, cut
 * behind about 160 bytes. */
char *txg_word_show(const char *s, size_t len);

/* "; did you mean 'x'?" with the nearest of a NULL-terminated list, else "", as a heap string.
 * Case and blanks around the word count for nothing. */
char *txg_word_hint(const char *s, const char *const *words);

/* Is the word in the list? */
bool txg_words_has(const struct txg_strv *words, const char *word);

/* Appends the words of `from` that `words` doesn't have. */
void txg_words_merge(struct txg_strv *words, const struct txg_strv *from);

/* "a, b, c" of a NULL-terminated list, as a heap string. */
char *txg_word_list(const char *const *words);

#endif
