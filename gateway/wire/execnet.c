#include "config.h"

#include "gateway/wire/execnet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/execnet_ops.h"

/* index, a value of one byte, SETITEM: what an item of a list takes at least */
#define LIST_ITEM_MIN 7

static uint64_t get_u64(const char *at)
{
    return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}

int txg_execnet_next(struct txg_buf *in, struct txg_execnet_frame *out, struct txg_err *err)
{
    if (txg_buf_len(in) < TXG_EXECNET_HEADER)
        return 0;
    const char *at = txg_buf_data(in);
    unsigned type = (unsigned char)*at;
    uint32_t channel = get_u32(at + 1), len = get_u32(at + 5);
    if (type >= TXG_EXECNET_TYPES || channel > INT32_MAX)
        return txg_err_set(err, TXG_E_PROTO,
                           "a frame of type %u on channel %lu: this is not execnet's protocol",
                           type, (unsigned long)channel);
    if (len > TXG_EXECNET_PAYLOAD_MAX)
        return txg_err_set(
            err, TXG_E_LIMIT, "a frame of %lu bytes on channel %lu, at most %lu are allowed",
            (unsigned long)len, (unsigned long)channel, (unsigned long)TXG_EXECNET_PAYLOAD_MAX);
    if (txg_buf_len(in) - TXG_EXECNET_HEADER < len)
        return 0;
    out->type = (enum txg_execnet_type)type;
    out->channel = (int32_t)channel;
    out->payload = txg_span(at + TXG_EXECNET_HEADER, len);
    /* Consuming moves no bytes. */
    txg_buf_consume(in, TXG_EXECNET_HEADER + (size_t)len);
    return 1;
}

size_t txg_execnet_begin(struct txg_buf *out, enum txg_execnet_type type, int32_t channel)
{
    size_t mark = txg_buf_len(out);
    char *header = txg_buf_reserve(out, TXG_EXECNET_HEADER);
    header[0] = (char)type;
    put_u32(header + 1, (uint32_t)channel);
    put_u32(header + 5, 0);
    txg_buf_commit(out, TXG_EXECNET_HEADER);
    return mark;
}

int txg_execnet_end(struct txg_buf *out, size_t mark)
{
    size_t len = txg_buf_len(out) - mark - TXG_EXECNET_HEADER;
    if (len > INT32_MAX) {
        out->tail = out->head + mark;
        return -1;
    }
    put_u32(out->mem + out->head + mark + 5, (uint32_t)len);
    return 0;
}

/* Decoding: a stack of values, as execnet has it. */

struct machine {
    const char *start, *at, *end;
    struct txg_execnet_value *stack; /* owned */
    size_t n, cap;
    size_t nodes;
    struct txg_err *err;
};

static size_t bytes_left(const struct machine *m)
{
    return (size_t)(m->end - m->at);
}

static unsigned long where(const struct machine *m)
{
    return (unsigned long)(m->at - m->start);
}

static bool is_container(const struct txg_execnet_value *v)
{
    return v->kind >= TXG_EXECNET_TUPLE;
}

void txg_execnet_release(struct txg_execnet_value *v)
{
    if (is_container(v)) {
        for (uint32_t i = 0; i < v->many.n; i++)
            txg_execnet_release(&v->many.items[i]);
        free(v->many.items);
    }
    *v = (struct txg_execnet_value){0};
}

static int count_nodes(struct machine *m, size_t n)
{
    m->nodes += n;
    if (m->nodes > TXG_EXECNET_NODES_MAX)
        return txg_err_set(m->err, TXG_E_LIMIT, "byte %lu: more than %lu values", where(m),
                           (unsigned long)TXG_EXECNET_NODES_MAX);
    return 0;
}

static int push(struct machine *m, struct txg_execnet_value v)
{
    if (count_nodes(m, 1) < 0)
        return -1;
    m->stack = txg_grow(m->stack, m->n, &m->cap, sizeof *m->stack);
    m->stack[m->n++] = v;
    return 0;
}

static int take_bytes(struct machine *m, size_t len, struct txg_span *out)
{
    if (bytes_left(m) < len)
        return txg_err_set(m->err, TXG_E_PROTO,
                           "byte %lu: the payload ends in the middle of a value", where(m));
    *out = txg_span(m->at, len);
    m->at += len;
    return 0;
}

static int take_i32(struct machine *m, int32_t *out)
{
    struct txg_span s = {0};
    if (take_bytes(m, 4, &s) < 0)
        return -1;
    *out = (int32_t)get_u32(s.data);
    return 0;
}

static int take_count(struct machine *m, uint32_t *out)
{
    int32_t n;
    if (take_i32(m, &n) < 0)
        return -1;
    if (n < 0)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a negative length", where(m) - 4);
    *out = (uint32_t)n;
    return 0;
}

static int take_counted(struct machine *m, struct txg_span *out)
{
    uint32_t n;
    return take_count(m, &n) < 0 ? -1 : take_bytes(m, n, out);
}

static bool is_ascii(struct txg_span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] >= 0x80)
            return false;
    return true;
}

static int push_text(struct machine *m, int op)
{
    struct txg_execnet_value v = {.kind = TXG_EXECNET_STR};
    if (take_counted(m, &v.text) < 0)
        return -1;
    if (op == OP_BYTES || (op == OP_PY2STRING && !is_ascii(v.text)))
        v.kind = TXG_EXECNET_BYTES;
    else if (!txg_utf8_valid(v.text.data, v.text.len))
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a str is not UTF-8",
                           where(m) - (unsigned long)v.text.len);
    return push(m, v);
}

static int push_digits(struct machine *m)
{
    struct txg_execnet_value v = {.kind = TXG_EXECNET_BIGINT};
    if (take_counted(m, &v.text) < 0)
        return -1;
    size_t sign = v.text.len > 0 && v.text.data[0] == '-';
    bool digits = v.text.len > sign;
    for (size_t i = sign; i < v.text.len; i++)
        digits = digits && v.text.data[i] >= '0' && v.text.data[i] <= '9';
    if (!digits)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a number is not decimal",
                           where(m) - (unsigned long)v.text.len);
    char text[24];
    int64_t small;
    if (v.text.len < sizeof text) {
        memcpy(text, v.text.data, v.text.len);
        text[v.text.len] = '\0';
        if (txg_parse_int(text, INT64_MIN, INT64_MAX, &small))
            v = (struct txg_execnet_value){.kind = TXG_EXECNET_INT, .integer = small};
    }
    return push(m, v);
}

static int push_real(struct machine *m, int op)
{
    struct txg_execnet_value v = {.kind = TXG_EXECNET_FLOAT};
    struct txg_span s = {0};
    double parts[2] = {0};
    size_t n = op == OP_COMPLEX ? 2 : 1;
    if (take_bytes(m, 8 * n, &s) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = get_u64(s.data + 8 * i);
        memcpy(&parts[i], &bits, sizeof bits);
    }
    v.real = parts[0];
    if (op == OP_COMPLEX) {
        v.kind = TXG_EXECNET_COMPLEX;
        v.complex.real = parts[0];
        v.complex.imaginary = parts[1];
    }
    return push(m, v);
}

static int push_number(struct machine *m, int op)
{
    struct txg_execnet_value v = {.kind = op == OP_CHANNEL ? TXG_EXECNET_CHANNEL : TXG_EXECNET_INT};
    int32_t n;
    if (take_i32(m, &n) < 0)
        return -1;
    v.integer = n;
    return push(m, v);
}

/* A value that is about to go into another one. */
static int check_whole(struct machine *m, const struct txg_execnet_value *v)
{
    if (v->kind == TXG_EXECNET_LIST && v->many.n != v->many.cap)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a list of %lu has %lu items", where(m),
                           (unsigned long)v->many.cap, (unsigned long)v->many.n);
    return 0;
}

static int deepen(struct machine *m, struct txg_execnet_value *v,
                  const struct txg_execnet_value *inner)
{
    if (inner->depth >= TXG_EXECNET_DEPTH_MAX)
        return txg_err_set(m->err, TXG_E_LIMIT, "byte %lu: nested deeper than %d", where(m),
                           TXG_EXECNET_DEPTH_MAX);
    if (v->depth <= inner->depth)
        v->depth = (unsigned char)(inner->depth + 1);
    return 0;
}

/* Python hashes what it puts in a set and the keys of a dictionary. */
static int check_hashable(struct machine *m, const struct txg_execnet_value *v)
{
    if (v->kind == TXG_EXECNET_LIST || v->kind == TXG_EXECNET_DICT || v->kind == TXG_EXECNET_SET)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a key that Python can't hash", where(m));
    return 0;
}

static int build(struct machine *m, enum txg_execnet_kind kind)
{
    struct txg_execnet_value v = {.kind = (unsigned char)kind, .depth = 1};
    uint32_t n;
    if (take_count(m, &n) < 0)
        return -1;
    if (n > m->n)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: %lu items where there are %lu", where(m),
                           (unsigned long)n, (unsigned long)m->n);
    const struct txg_execnet_value *items = n ? m->stack + m->n - n : NULL;
    for (uint32_t i = 0; i < n; i++)
        if (check_whole(m, &items[i]) < 0 || deepen(m, &v, &items[i]) < 0 ||
            (kind != TXG_EXECNET_TUPLE && check_hashable(m, &items[i]) < 0))
            return -1;
    v.many.n = v.many.cap = n;
    if (n > 0) {
        v.many.items = txg_xcalloc(n, sizeof v);
        memcpy(v.many.items, items, n * sizeof v);
    }
    m->n -= n;
    if (push(m, v) == 0)
        return 0;
    txg_execnet_release(&v);
    return -1;
}

static int new_list(struct machine *m)
{
    struct txg_execnet_value v = {.kind = TXG_EXECNET_LIST, .depth = 1};
    if (take_count(m, &v.many.cap) < 0)
        return -1;
    if (v.many.cap > bytes_left(m) / LIST_ITEM_MIN)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a list of %lu in %lu bytes", where(m),
                           (unsigned long)v.many.cap, (unsigned long)bytes_left(m));
    if (count_nodes(m, v.many.cap) < 0)
        return -1;
    if (push(m, v) < 0)
        return -1;
    struct txg_execnet_value *list = &m->stack[m->n - 1];
    if (list->many.cap > 0)
        list->many.items = txg_xcalloc(list->many.cap, sizeof v);
    return 0;
}

static int set_item(struct machine *m)
{
    if (m->n < 3)
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: an item of nothing", where(m) - 1);
    struct txg_execnet_value *v = &m->stack[m->n - 3];
    struct txg_execnet_value *key = v + 1, *item = v + 2;
    if (check_whole(m, item) < 0 || check_whole(m, key) < 0 || deepen(m, v, item) < 0 ||
        deepen(m, v, key) < 0)
        return -1;
    if (v->kind == TXG_EXECNET_LIST) {
        if (key->kind != TXG_EXECNET_INT || key->integer != v->many.n || v->many.n == v->many.cap)
            return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: a list's items out of order",
                               where(m) - 1);
        v->many.items[v->many.n++] = *item;
    } else if (v->kind == TXG_EXECNET_DICT) {
        if (check_hashable(m, key) < 0)
            return -1;
        if (v->many.n == v->many.cap) {
            v->many.cap = v->many.cap ? 2 * v->many.cap : 8;
            v->many.items = txg_xrealloc_array(v->many.items, v->many.cap, sizeof *v);
        }
        v->many.items[v->many.n++] = *key;
        v->many.items[v->many.n++] = *item;
    } else {
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: an item of what holds none",
                           where(m) - 1);
    }
    m->n -= 2;
    return 0;
}

static int step(struct machine *m, int op)
{
    switch (op) {
    case OP_NONE:
        return push(m, (struct txg_execnet_value){.kind = TXG_EXECNET_NONE});
    case OP_FALSE:
    case OP_TRUE:
        return push(m,
                    (struct txg_execnet_value){.kind = TXG_EXECNET_BOOL, .boolean = op == OP_TRUE});
    case OP_INT:
    case OP_LONG:
    case OP_CHANNEL:
        return push_number(m, op);
    case OP_LONGINT:
    case OP_LONGLONG:
        return push_digits(m);
    case OP_FLOAT:
    case OP_COMPLEX:
        return push_real(m, op);
    case OP_BYTES:
    case OP_PY2STRING:
    case OP_PY3STRING:
    case OP_UNICODE:
        return push_text(m, op);
    case OP_TUPLE:
        return build(m, TXG_EXECNET_TUPLE);
    case OP_SET:
        return build(m, TXG_EXECNET_SET);
    case OP_FROZENSET:
        return build(m, TXG_EXECNET_FROZENSET);
    case OP_NEWLIST:
        return new_list(m);
    case OP_NEWDICT:
        return push(m, (struct txg_execnet_value){.kind = TXG_EXECNET_DICT, .depth = 1});
    case OP_SETITEM:
        return set_item(m);
    default:
        return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: 0x%02x is no opcode", where(m) - 1,
                           (unsigned)op);
    }
}

static int run(struct machine *m)
{
    while (m->at < m->end) {
        int op = (unsigned char)*m->at++;
        if (op != OP_STOP) {
            if (step(m, op) < 0)
                return -1;
            continue;
        }
        if (m->n != 1)
            return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: %lu values instead of one",
                               where(m) - 1, (unsigned long)m->n);
        if (m->at != m->end)
            return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: %lu bytes behind the value",
                               where(m), (unsigned long)bytes_left(m));
        return check_whole(m, &m->stack[0]);
    }
    return txg_err_set(m->err, TXG_E_PROTO, "byte %lu: the payload has no end", where(m));
}

int txg_execnet_decode(struct txg_span payload, struct txg_execnet_value *out, struct txg_err *err)
{
    struct machine m = {.start = payload.data, .at = payload.data, .err = err};
    m.end = m.at + payload.len;
    *out = (struct txg_execnet_value){0};
    int rc = run(&m);
    if (rc == 0)
        *out = m.stack[--m.n];
    while (m.n > 0)
        txg_execnet_release(&m.stack[--m.n]);
    free(m.stack);
    return rc;
}

const struct txg_execnet_value *txg_execnet_get(const struct txg_execnet_value *dict,
                                                const char *key)
{
    if (dict->kind != TXG_EXECNET_DICT)
        return NULL;
    for (uint32_t i = dict->many.n; i >= 2; i -= 2) {
        const struct txg_execnet_value *k = &dict->many.items[i - 2];
        if (k->kind == TXG_EXECNET_STR && txg_span_is(k->text, key))
            return k + 1;
    }
    return NULL;
}
