/*
 * execnet's protocol as bytes (execnet 1.9 to 2.1): frames of "!bii" (type, channel, length) and
 * values as the postfix code of its stack machine. Bytes in, values out, and back: no fd, no clock.
 *
 * What a peer sends is held to the limits below before anything is allocated for it. The reader
 * is as strict as execnet's own writer: lists come in order and whole.
 */
#ifndef TXG_WIRE_EXECNET_H
#define TXG_WIRE_EXECNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"

#define TXG_EXECNET_HEADER      9
#define TXG_EXECNET_PAYLOAD_MAX (64u << 20) /* that is read; 2 GiB - 1 may be written */
#define TXG_EXECNET_NODES_MAX   (1u << 22)  /* values in one payload, places in lists */
#define TXG_EXECNET_DEPTH_MAX   32

enum txg_execnet_type {
    TXG_EXECNET_STATUS,
    TXG_EXECNET_RECONFIGURE,
    TXG_EXECNET_TERMINATE,
    TXG_EXECNET_EXEC,
    TXG_EXECNET_DATA,
    TXG_EXECNET_CLOSE,
    TXG_EXECNET_CLOSE_ERROR,
    TXG_EXECNET_LAST_MESSAGE,
    TXG_EXECNET_TYPES /* how many there are */
};

struct txg_execnet_frame {
    enum txg_execnet_type type;
    int32_t channel;
    struct txg_span payload; /* borrowed from the buffer */
};

/* The frame at the front of `in`, which it consumes. 1: *out is good until `in` is next appended
 * to; 0: more bytes are needed; -1: no such type, a negative number, or too long. */
int txg_execnet_next(struct txg_buf *in, struct txg_execnet_frame *out, struct txg_err *err);

/* Appends a header; append the payload, then end with begin's result. -1: the payload is longer
 * than a frame can say, and the frame was taken back. Nothing is consumed in between. */
size_t txg_execnet_begin(struct txg_buf *out, enum txg_execnet_type type, int32_t channel);
int txg_execnet_end(struct txg_buf *out, size_t mark);

enum txg_execnet_kind {
    TXG_EXECNET_NONE,
    TXG_EXECNET_BOOL,
    TXG_EXECNET_INT,
    TXG_EXECNET_BIGINT, /* beyond int64_t: decimal digits in `text` */
    TXG_EXECNET_FLOAT,
    TXG_EXECNET_COMPLEX,
    TXG_EXECNET_STR,
    TXG_EXECNET_BYTES,
    TXG_EXECNET_CHANNEL, /* its id in `integer` */
    TXG_EXECNET_TUPLE,
    TXG_EXECNET_LIST,
    TXG_EXECNET_SET,
    TXG_EXECNET_FROZENSET,
    TXG_EXECNET_DICT
};

struct txg_execnet_value {
    unsigned char kind;  /* enum txg_execnet_kind */
    unsigned char depth; /* of the deepest value inside; 0 for one that holds none */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct {
            double real, imaginary;
        } complex;
        struct txg_span text; /* borrowed from the payload */
        struct {
            struct txg_execnet_value *items; /* owned; a dictionary's are key, value, key, value */
            uint32_t n, cap;
        } many;
    };
};

/* Decodes a whole payload. -1: not exactly one well-formed value within the limits; the error names
 * the byte. A str is UTF-8. What Python 2 wrote as str is one where it is ASCII, else bytes. */
int txg_execnet_decode(struct txg_span payload, struct txg_execnet_value *out, struct txg_err *err);
void txg_execnet_release(struct txg_execnet_value *v);

/* Borrowed: the value of a dictionary's str key (the last one, as in Python); NULL: no dictionary,
 * no such key. */
const struct txg_execnet_value *txg_execnet_get(const struct txg_execnet_value *dict,
                                                const char *key);

/* Appends values: the items of a tuple before put_tuple(n); put_list(n), then for each item
 * put_int(its index), the item, put_setitem; put_dict, then for each key, value, put_setitem.
 * put_stop ends a payload. */
void txg_execnet_put_none(struct txg_buf *out);
void txg_execnet_put_bool(struct txg_buf *out, bool b);
void txg_execnet_put_int(struct txg_buf *out, int64_t i);
void txg_execnet_put_float(struct txg_buf *out, double d);
void txg_execnet_put_bytes(struct txg_buf *out, struct txg_span bytes);
void txg_execnet_put_str(struct txg_buf *out, const char *s); /* UTF-8 */
void txg_execnet_put_tuple(struct txg_buf *out, uint32_t n);
void txg_execnet_put_list(struct txg_buf *out, uint32_t n);
void txg_execnet_put_dict(struct txg_buf *out);
void txg_execnet_put_setitem(struct txg_buf *out);
void txg_execnet_put_stop(struct txg_buf *out);

/* A str of any bytes: those that are no UTF-8 are written as \xNN. In two steps for one that is
 * put together: begin, text..., end(begin's result). */
void txg_execnet_put_text(struct txg_buf *out, struct txg_span text);
size_t txg_execnet_str_begin(struct txg_buf *out);
void txg_execnet_str_add(struct txg_buf *out, struct txg_span text);
void txg_execnet_str_end(struct txg_buf *out, size_t mark);

/* Appends a decoded value, without put_stop. */
void txg_execnet_put_value(struct txg_buf *out, const struct txg_execnet_value *v);

#endif
