/*
 * The expression behind -k, in pytest's grammar:
 *
 *     expression = and { "or" and }
 *     and        = not { "and" not }
 *     not        = "not" not | "(" expression ")" | word
 *
 * A word is made of letters, digits, `_ : + - . [ ] \ /` and bytes beyond ASCII, and is true of a
 * nodeid that contains it, whatever the case of its ASCII letters. Pure.
 */
#ifndef TXG_SESSION_SELECT_H
#define TXG_SESSION_SELECT_H

#include <stdbool.h>

#include "src/base/err.h"
#include "src/base/str.h"

struct txg_select;

/* An expression of nothing but blanks selects everything, as in pytest. NULL: err says what was
 * expected at which column. */
struct txg_select *txg_select_new(const char *expression, struct txg_err *err);
void txg_select_free(struct txg_select *s);

bool txg_select_matches(const struct txg_select *s, struct txg_span nodeid);

#endif
