#include "config.h"

#include <string.h>

#include "gateway/wire/execnet.h"
#include "gateway/wire/execnet_ops.h"
#include "src/base/str.h"

static void put_op_u32(struct txg_buf *out, enum op op, uint32_t n)
{
    char *at = txg_buf_reserve(out, 5);
    at[0] = (char)op;
    put_u32(at + 1, n);
    txg_buf_commit(out, 5);
}

static void put_u64(struct txg_buf *out, uint64_t bits)
{
    char *at = txg_buf_reserve(out, 8);
    put_u32(at, (uint32_t)(bits >> 32));
    put_u32(at + 4, (uint32_t)bits);
    txg_buf_commit(out, 8);
}

static void put_double(struct txg_buf *out, double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    put_u64(out, bits);
}

static void put_counted(struct txg_buf *out, enum op op, struct txg_span s)
{
    put_op_u32(out, op, (uint32_t)s.len);
    txg_buf_append(out, s.data, s.len);
}

void txg_execnet_put_none(struct txg_buf *out)
{
    txg_buf_putc(out, OP_NONE);
}

void txg_execnet_put_bool(struct txg_buf *out, bool b)
{
    txg_buf_putc(out, b ? OP_TRUE : OP_FALSE);
}

void txg_execnet_put_int(struct txg_buf *out, int64_t i)
{
    if (i >= INT32_MIN && i <= INT32_MAX) {
        put_op_u32(out, OP_INT, (uint32_t)(int32_t)i);
        return;
    }
    TXG_AUTOFREE char *digits = txg_xasprintf("%lld", (long long)i);
    put_counted(out, OP_LONGINT, txg_span_cstr(digits));
}

void txg_execnet_put_float(struct txg_buf *out, double d)
{
    txg_buf_putc(out, OP_FLOAT);
    put_double(out, d);
}

void txg_execnet_put_bytes(struct txg_buf *out, struct txg_span bytes)
{
    put_counted(out, OP_BYTES, bytes);
}

void txg_execnet_put_str(struct txg_buf *out, const char *s)
{
    put_counted(out, OP_PY3STRING, txg_span_cstr(s));
}

void txg_execnet_put_tuple(struct txg_buf *out, uint32_t n)
{
    put_op_u32(out, OP_TUPLE, n);
}

void txg_execnet_put_list(struct txg_buf *out, uint32_t n)
{
    put_op_u32(out, OP_NEWLIST, n);
}

void txg_execnet_put_dict(struct txg_buf *out)
{
    txg_buf_putc(out, OP_NEWDICT);
}

void txg_execnet_put_setitem(struct txg_buf *out)
{
    txg_buf_putc(out, OP_SETITEM);
}

void txg_execnet_put_stop(struct txg_buf *out)
{
    txg_buf_putc(out, OP_STOP);
}

size_t txg_execnet_str_begin(struct txg_buf *out)
{
    put_op_u32(out, OP_PY3STRING, 0);
    return txg_buf_len(out);
}

void txg_execnet_str_add(struct txg_buf *out, struct txg_span text)
{
    while (text.len > 0) {
        size_t good = txg_utf8_prefix(text.data, text.len);
        txg_buf_append(out, text.data, good);
        text = txg_span(text.data + good, text.len - good);
        if (text.len > 0) {
            txg_buf_printf(out, "\\x%02x", (unsigned char)*text.data);
            text = txg_span(text.data + 1, text.len - 1);
        }
    }
}

void txg_execnet_str_end(struct txg_buf *out, size_t mark)
{
    put_u32(out->mem + out->head + mark - 4, (uint32_t)(txg_buf_len(out) - mark));
}

void txg_execnet_put_text(struct txg_buf *out, struct txg_span text)
{
    size_t mark = txg_execnet_str_begin(out);
    txg_execnet_str_add(out, text);
    txg_execnet_str_end(out, mark);
}

static void put_many(struct txg_buf *out, const struct txg_execnet_value *v)
{
    bool dict = v->kind == TXG_EXECNET_DICT, list = v->kind == TXG_EXECNET_LIST;
    if (dict)
        txg_execnet_put_dict(out);
    if (list)
        txg_execnet_put_list(out, v->many.n);
    for (uint32_t i = 0; i < v->many.n; i++) {
        if (list)
            txg_execnet_put_int(out, i);
        txg_execnet_put_value(out, &v->many.items[i]);
        if (list || (dict && i % 2))
            txg_execnet_put_setitem(out);
    }
    if (!dict && !list)
        put_op_u32(out,
                   v->kind == TXG_EXECNET_TUPLE ? OP_TUPLE
                   : v->kind == TXG_EXECNET_SET ? OP_SET
                                                : OP_FROZENSET,
                   v->many.n);
}

void txg_execnet_put_value(struct txg_buf *out, const struct txg_execnet_value *v)
{
    switch ((enum txg_execnet_kind)v->kind) {
    case TXG_EXECNET_NONE:
        txg_execnet_put_none(out);
        break;
    case TXG_EXECNET_BOOL:
        txg_execnet_put_bool(out, v->boolean);
        break;
    case TXG_EXECNET_INT:
        txg_execnet_put_int(out, v->integer);
        break;
    case TXG_EXECNET_CHANNEL:
        put_op_u32(out, OP_CHANNEL, (uint32_t)v->integer);
        break;
    case TXG_EXECNET_BIGINT:
        put_counted(out, OP_LONGINT, v->text);
        break;
    case TXG_EXECNET_FLOAT:
        txg_execnet_put_float(out, v->real);
        break;
    case TXG_EXECNET_COMPLEX:
        txg_buf_putc(out, OP_COMPLEX);
        put_double(out, v->complex.real);
        put_double(out, v->complex.imaginary);
        break;
    case TXG_EXECNET_STR:
        put_counted(out, OP_PY3STRING, v->text);
        break;
    case TXG_EXECNET_BYTES:
        put_counted(out, OP_BYTES, v->text);
        break;
    case TXG_EXECNET_TUPLE:
    case TXG_EXECNET_LIST:
    case TXG_EXECNET_SET:
    case TXG_EXECNET_FROZENSET:
    case TXG_EXECNET_DICT:
        put_many(out, v);
        break;
    }
}
