/*
 * The expressions of pytest's -k and -m: words, `and`, `or`, `not`, parentheses.
 */
#ifndef TXG_WORKER_XDIST_EXPR_H
#define TXG_WORKER_XDIST_EXPR_H

#include <stdbool.h>

#include "src/base/err.h"
#include "src/base/str.h"

#define TXG_XDIST_EXPR_DEPTH_MAX 64 /* of `not` and parentheses */

/* Evaluates; `match` says what a word is worth. The empty expression is true. -1: the error says
 * what is wrong at which column. */
int txg_xdist_expr(const char *text, bool (*match)(const char *nodeid, struct txg_span word),
                   const char *nodeid, bool *result, struct txg_err *err);

/* -k: the word stands somewhere in the nodeid, upper and lower case alike. */
bool txg_xdist_expr_in(const char *nodeid, struct txg_span word);

/* -m: native tests have no marks. */
bool txg_xdist_expr_none(const char *nodeid, struct txg_span word);

#endif
