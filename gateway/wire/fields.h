/*
 * The shape of every message as a table, from which msgpack.c encodes, decodes and checks: which
 * keys, of which type, in which bounds. docs/protocol.md section 3 is the same table in words.
 */
#ifndef TXG_WIRE_FIELDS_H
#define TXG_WIRE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/wire/message.h"

#define TXG_FIELD_TIME_MAX INT64_C(315360000000000) /* ten years in microseconds */

enum txg_field_kind {
    TXG_FIELD_INT,     /* int64_t in min..max */
    TXG_FIELD_CHANNEL, /* uint32_t, > 0 */
    TXG_FIELD_U64,
    TXG_FIELD_BOOL,
    TXG_FIELD_ENUM, /* an int-sized enum in min..max */
    TXG_FIELD_STR,  /* struct txg_span */
    TXG_FIELD_BIN,  /* struct txg_span */
    TXG_FIELD_DICT, /* struct txg_value, a dictionary */
    TXG_FIELD_STRS, /* struct txg_span * with a size_t at `count` */
    TXG_FIELD_BINS,
    TXG_FIELD_PAIRS,   /* [name, value] of str */
    TXG_FIELD_RANGES,  /* [first, count] */
    TXG_FIELD_RECORDS, /* [suite, nodeid] */
    TXG_FIELD_POINTS,  /* [name, outcome, text] */
    TXG_FIELD_FILES,   /* [path, mode, size, content] */
    TXG_FIELD_TESTS    /* [index, gap, duration] */
};

struct txg_field { /* small: there are over a hundred in the worker */
    const char *key;
    enum txg_field_kind kind : 8;
    bool optional : 1; /* left out where it is 0, false or empty, and then read as that */
    uint16_t offset;   /* in struct txg_msg */
    uint16_t count;    /* offset of the number of elements */
    int64_t min, max;  /* of a list that has a max: most elements */
};

struct txg_msg_shape {
    const char *name;
    const struct txg_field *fields;
    size_t n_fields;
};

extern const struct txg_msg_shape txg_msg_shapes[TXG_MSG_TYPES];

#endif
