/*
 * What a program says on stderr, made fit to be shown: lines as they come, and the last of them for
 * the moment it fails. Also the one way bytes of a peer are quoted in a message.
 */
#ifndef TXG_GATEWAY_WORDS_H
#define TXG_GATEWAY_WORDS_H

#include <stddef.h>

#include "src/base/buf.h"

#define TXG_WORDS_MAX      4096 /* kept for the end */
#define TXG_WORDS_LINE_MAX 1024 /* a longer line is cut in pieces */

struct txg_words { /* zero-filled storage is empty */
    struct txg_buf line;
    struct txg_buf last;
};

typedef void txg_words_fn(void *user, const char *line); /* NULL: lines are kept only */

void txg_words_release(struct txg_words *w);
void txg_words_feed(struct txg_words *w, const void *data, size_t len, txg_words_fn *on_line,
                    void *user);

/* No more is coming: a line without its newline counts as one. */
void txg_words_end(struct txg_words *w, txg_words_fn *on_line, void *user);

/* Whole lines, at most TXG_WORDS_MAX bytes, the newest last; borrowed until the next call. */
const char *txg_words_last(struct txg_words *w);

/* Appends bytes of any kind as printable UTF-8: tab stays, other control bytes and what is not
 * UTF-8 become \n, \r or \xNN. */
void txg_words_quote(struct txg_buf *out, const void *data, size_t len);

#endif
