/*
 * Lines of tab-separated, escaped fields: docs/harness.md, section 2.
 */
#ifndef TXG_WORKER_HARNESS_TALK_H
#define TXG_WORKER_HARNESS_TALK_H

#include <stdbool.h>

#include "src/base/arena.h"
#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"

/* Appends `text` as a field. */
void txg_talk_escape(struct txg_buf *out, const char *text);

/* Takes a field off the front of a line; a NUL is '?'. It stands in the line, or where something is
 * escaped in `scratch`, until that is used again. False: the line has no more fields, and this one
 * is empty. A line of no field at all has one, which is empty. */
bool txg_talk_field(struct txg_span *line, struct txg_buf *scratch, struct txg_span *field);

/* What a program said that was to list its cases. -1: it did not come to the end. */
int txg_talk_read_list(struct txg_span text, struct txg_names *names, struct txg_err *err);

/* Takes a line off the front of the text. False: no line is complete. */
bool txg_talk_line(struct txg_span *text, struct txg_span *line);

#endif
