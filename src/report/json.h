/*
 * One JSON object (RFC 8259), written member by member into a buffer. No tree is built: an event
 * stream costs one object for each event, and trees were nine tenths of that.
 */
#ifndef TXG_REPORT_JSON_H
#define TXG_REPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/str.h"

/* Each appends `"key":value`, behind a comma where it isn't the first. Keys are ours: letters that
 * need no escape. Bytes that are no UTF-8 become U+FFFD. */
void txg_json_string(struct txg_buf *out, const char *key, struct txg_span value);
void txg_json_int(struct txg_buf *out, const char *key, int64_t value);
void txg_json_bool(struct txg_buf *out, const char *key, bool value);

/* The same for a C string; NULL leaves the member out. */
void txg_json_cstr(struct txg_buf *out, const char *key, const char *value);

/* `"key":[` or `"key":{`. txg_json_item opens the next object of a list; ends are put by hand. */
void txg_json_open(struct txg_buf *out, const char *key, char bracket);
void txg_json_item(struct txg_buf *out);

#endif
