/*
 * The text side of the terminal reporter: a buffer in front of the sink, the column where letters
 * go on, rules (=== title ===), colours, and lines that come and go on a live terminal.
 *
 * Passing lines stand below the cursor, which rests where the next text goes: a letter can be
 * appended without touching them, and one "erase below" takes them away.
 */
#ifndef TXG_REPORT_SCREEN_H
#define TXG_REPORT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/report/reporter.h"

enum txg_color { TXG_PLAIN, TXG_BOLD, TXG_RED, TXG_GREEN, TXG_YELLOW };

struct txg_screen {
    struct txg_sink *sink; /* borrowed */
    struct txg_buf out;    /* not yet handed to the sink */
    bool color;
    int width;
    int column;   /* of the line of letters; 0 everywhere else */
    bool passing; /* passing lines are shown */
};

/* Hands over what is buffered. txg_screen_relieve does so only where it is 4 KiB or more. */
void txg_screen_flush(struct txg_screen *s);
void txg_screen_relieve(struct txg_screen *s);

/* Takes passing lines away. */
void txg_screen_erase(struct txg_screen *s);

/* Also ends a line of letters: whole lines may be appended to `out` now. */
void txg_screen_fresh(struct txg_screen *s);

/* Shows `lines` (separated by newlines, none at the end, each shorter than the width). */
void txg_screen_pass(struct txg_screen *s, struct txg_buf *lines);

/* The escape sequence of a colour, or "" where there are none; TXG_PLAIN ends every other. */
const char *txg_screen_color(const struct txg_screen *s, enum txg_color color);

/* Appends a line "=== title ===" of the screen's width to `out`, which need not be the screen's.
 * `title` is printable. */
void txg_screen_rule(const struct txg_screen *s, struct txg_buf *out, char fill, const char *title,
                     enum txg_color color);

#endif
