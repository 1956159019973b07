/*
 * Bytes that a test, a file or a peer chose, made fit for a terminal or for XML. What a test
 * printed never reaches the terminal raw: control bytes become ^X, bytes that are no UTF-8 \xNN
 * (in XML U+FFFD), C1 controls \u009b; "\r\n" becomes "\n". Colours (ESC [ ... m) are left out, or
 * kept with TXG_PRINT_SGR; every other escape sequence is shown.
 */
#ifndef TXG_REPORT_PRINTABLE_H
#define TXG_REPORT_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/str.h"

enum txg_print {
    TXG_PRINT_TEXT = 0,     /* lines: tabs and newlines stay */
    TXG_PRINT_ONE_LINE = 1, /* a name or a reason: they become \t and \n, other controls \xNN */
    TXG_PRINT_SGR = 2,      /* colours stay; the caller resets them behind the text */
    TXG_PRINT_XML = 4       /* valid in XML 1.0 once & < > " are escaped */
};

/* Appends. `how` is an OR of enum txg_print. */
void txg_printable(struct txg_buf *out, const void *data, size_t len, unsigned how);

/* A name or a reason on one line. */
void txg_printable_line(struct txg_buf *out, struct txg_span text);

/* How much of these bytes can be converted before the ones behind them are known: all but a cut
 * UTF-8 sequence, and but a '\r' at the end. */
size_t txg_printable_whole(const char *data, size_t len);

/* The longest prefix of printable UTF-8 that fits into so many columns. Letters that may be two
 * columns wide count as two: a line is never longer than it says. */
size_t txg_printable_fit(const char *text, size_t len, size_t columns);

/* Appends the nodeid as one word of sh; bytes that are not printable as $'\xNN'. */
void txg_printable_quoted(struct txg_buf *out, struct txg_span word);

/* "0.02s", "75.30s (0:01:15)" as pytest says it. Microseconds. */
void txg_print_duration(struct txg_buf *out, int64_t us);

/* "812 bytes", "199.9 MB". */
void txg_print_size(struct txg_buf *out, int64_t bytes);

#endif
