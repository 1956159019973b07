/*
 * A value as YAML, JSON or msgpack can hold it: what stands in workerinput and workeroutput, and
 * nowhere else (design rule 6). Strings may hold any bytes but are checked UTF-8 where they come
 * from outside. A dictionary keeps the order of its keys.
 */
#ifndef TXG_BASE_VALUE_H
#define TXG_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"

enum txg_value_type { TXG_NIL, TXG_BOOL, TXG_INT, TXG_FLOAT, TXG_STRING, TXG_LIST, TXG_DICT };

#define TXG_VALUE_DEPTH_MAX 16 /* of lists and dicts; whoever parses refuses deeper ones */

struct txg_value {
    enum txg_value_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct {
            char *data; /* owned, NUL-terminated beyond len */
            size_t len;
        } string;
        struct {
            struct txg_value *items; /* owned */
            char **keys;             /* owned; NULL for a list */
            size_t n;
            size_t cap;
        } many; /* TXG_LIST and TXG_DICT */
    };
};

/* Zero-filled storage is nil. Release gives back all that a value owns and leaves nil. */
void txg_value_release(struct txg_value *v);
void txg_value_copy(struct txg_value *to, const struct txg_value *from);
bool txg_value_equal(const struct txg_value *a, const struct txg_value *b);

struct txg_value txg_value_string(const char *data, size_t len); /* dups */
struct txg_value txg_value_int(int64_t i);
struct txg_value txg_value_bool(bool b);
struct txg_value txg_value_float(double d);
struct txg_value txg_value_list(void);
struct txg_value txg_value_dict(void);

/* Appends to a list; takes `item`. */
void txg_value_push(struct txg_value *list, struct txg_value item);

/* Sets a key of a dictionary, over an older value; takes `item`. */
void txg_value_set(struct txg_value *dict, const char *key, struct txg_value item);

/* Borrowed, or NULL where `v` is no dictionary or has no such key. */
const struct txg_value *txg_value_get(const struct txg_value *v, const char *key);

/* Appends the value as one line of JSON (RFC 8259); bytes that are no UTF-8 become U+FFFD, a
 * float that JSON cannot say (nan, inf) becomes null. */
void txg_value_to_json(const struct txg_value *v, struct txg_buf *out);

/* Appends the value as plain text for an environment variable: a string as it is, true/false,
 * numbers in decimal, nil as nothing, lists and dictionaries as JSON. */
void txg_value_to_text(const struct txg_value *v, struct txg_buf *out);

#endif
