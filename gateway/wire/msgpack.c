#include "config.h"

#include "gateway/wire/message.h"

#include <assert.h>
#include <limits.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/fields.h"
#include "gateway/wire/guard.h"

static int append(void *buf, const char *data, size_t len)
{
    txg_buf_append(buf, data, len);
    return 0;
}

static void pack_bin(msgpack_packer *pk, struct txg_span s)
{
    msgpack_pack_bin(pk, s.len);
    msgpack_pack_bin_body(pk, s.data, s.len);
}

/* A str on the wire is UTF-8: what is not becomes '?', so that a reason or a name never costs the
 * link. */
static void pack_str(msgpack_packer *pk, struct txg_span s)
{
    if (txg_utf8_valid(s.data, s.len)) {
        msgpack_pack_str(pk, s.len);
        msgpack_pack_str_body(pk, s.data, s.len);
        return;
    }
    char *clean = txg_xstrndup(s.data, s.len);
    for (size_t at = txg_utf8_prefix(clean, s.len); at < s.len;
         at += txg_utf8_prefix(clean + at, s.len - at))
        clean[at] = '?';
    msgpack_pack_str(pk, s.len);
    msgpack_pack_str_body(pk, clean, s.len);
    free(clean);
}

static void pack_value(msgpack_packer *pk, const struct txg_value *v)
{
    switch (v->type) {
    case TXG_NIL:
        msgpack_pack_nil(pk);
        return;
    case TXG_BOOL:
        v->boolean ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
        return;
    case TXG_INT:
        msgpack_pack_int64(pk, v->integer);
        return;
    case TXG_FLOAT:
        msgpack_pack_double(pk, v->real);
        return;
    case TXG_STRING:
        pack_str(pk, txg_span(v->string.data, v->string.len));
        return;
    case TXG_LIST:
        msgpack_pack_array(pk, v->many.n);
        break;
    case TXG_DICT:
        msgpack_pack_map(pk, v->many.n);
        break;
    }
    for (size_t i = 0; i < v->many.n; i++) {
        if (v->type == TXG_DICT)
            pack_str(pk, txg_span_cstr(v->many.keys[i]));
        pack_value(pk, &v->many.items[i]);
    }
}

static void pack_element(msgpack_packer *pk, const struct txg_field *f, const void *many, size_t i)
{
    switch (f->kind) {
    case TXG_FIELD_STRS:
        pack_str(pk, ((const struct txg_span *)many)[i]);
        return;
    case TXG_FIELD_BINS:
        pack_bin(pk, ((const struct txg_span *)many)[i]);
        return;
    case TXG_FIELD_PAIRS: {
        const struct txg_msg_pair *pair = (const struct txg_msg_pair *)many + i;
        msgpack_pack_array(pk, 2);
        pack_bin(pk, pair->name);
        pack_bin(pk, pair->value);
        return;
    }
    case TXG_FIELD_RANGES: {
        const struct txg_msg_range *range = (const struct txg_msg_range *)many + i;
        msgpack_pack_array(pk, 2);
        msgpack_pack_int64(pk, range->first);
        msgpack_pack_int64(pk, range->count);
        return;
    }
    case TXG_FIELD_RECORDS: {
        const struct txg_msg_record *record = (const struct txg_msg_record *)many + i;
        msgpack_pack_array(pk, 2);
        msgpack_pack_int64(pk, record->suite);
        pack_bin(pk, record->nodeid);
        return;
    }
    case TXG_FIELD_FILES: {
        const struct txg_msg_file *file = (const struct txg_msg_file *)many + i;
        msgpack_pack_array(pk, 4);
        pack_bin(pk, file->path);
        msgpack_pack_int64(pk, file->mode);
        msgpack_pack_int64(pk, file->size);
        pack_bin(pk, file->content);
        return;
    }
    case TXG_FIELD_POINTS: {
        const struct txg_msg_point *point = (const struct txg_msg_point *)many + i;
        msgpack_pack_array(pk, 3);
        pack_bin(pk, point->name);
        msgpack_pack_int64(pk, point->outcome);
        pack_bin(pk, point->text);
        return;
    }
    case TXG_FIELD_TESTS: {
        const struct txg_msg_passed_test *test = (const struct txg_msg_passed_test *)many + i;
        msgpack_pack_array(pk, 3);
        msgpack_pack_int64(pk, test->index);
        msgpack_pack_int64(pk, test->gap);
        msgpack_pack_int64(pk, test->duration);
        return;
    }
    default:
        assert(0);
    }
}

static bool is_many(enum txg_field_kind kind)
{
    return kind >= TXG_FIELD_STRS;
}

static size_t count_of(const struct txg_field *f, const struct txg_msg *msg)
{
    size_t n;
    memcpy(&n, (const char *)msg + f->count, sizeof n);
    return n;
}

static bool is_default(const struct txg_field *f, const struct txg_msg *msg)
{
    const void *at = (const char *)msg + f->offset;
    switch (f->kind) {
    case TXG_FIELD_INT:
        return *(const int64_t *)at == 0;
    case TXG_FIELD_BOOL:
        return !*(const bool *)at;
    case TXG_FIELD_ENUM:
        return *(const int *)at == 0;
    case TXG_FIELD_STR:
    case TXG_FIELD_BIN:
        return ((const struct txg_span *)at)->len == 0;
    default:
        return is_many(f->kind) && count_of(f, msg) == 0;
    }
}

static void pack_field(msgpack_packer *pk, const struct txg_field *f, const struct txg_msg *msg)
{
    const void *at = (const char *)msg + f->offset;
    switch (f->kind) {
    case TXG_FIELD_INT:
        msgpack_pack_int64(pk, *(const int64_t *)at);
        return;
    case TXG_FIELD_CHANNEL:
        msgpack_pack_uint32(pk, *(const uint32_t *)at);
        return;
    case TXG_FIELD_U64:
        msgpack_pack_uint64(pk, *(const uint64_t *)at);
        return;
    case TXG_FIELD_BOOL:
        *(const bool *)at ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
        return;
    case TXG_FIELD_ENUM:
        msgpack_pack_int64(pk, *(const int *)at);
        return;
    case TXG_FIELD_STR:
        pack_str(pk, *(const struct txg_span *)at);
        return;
    case TXG_FIELD_BIN:
        pack_bin(pk, *(const struct txg_span *)at);
        return;
    case TXG_FIELD_DICT:
        pack_value(pk, at);
        return;
    default:
        break;
    }
    size_t n = count_of(f, msg);
    const void *many = *(void *const *)at;
    msgpack_pack_array(pk, n);
    for (size_t i = 0; i < n; i++)
        pack_element(pk, f, many, i);
}

void txg_msg_encode(const struct txg_msg *msg, struct txg_buf *out)
{
    assert(msg->type > TXG_MSG_NONE && msg->type < TXG_MSG_TYPES);
    const struct txg_msg_shape *shape = &txg_msg_shapes[msg->type];
    msgpack_packer pk;
    msgpack_packer_init(&pk, out, append);
    msgpack_pack_array(&pk, 2);
    pack_str(&pk, txg_span_cstr(shape->name));
    size_t n = 0;
    for (size_t i = 0; i < shape->n_fields; i++)
        n += !(shape->fields[i].optional && is_default(&shape->fields[i], msg));
    msgpack_pack_map(&pk, n);
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct txg_field *f = &shape->fields[i];
        if (f->optional && is_default(f, msg))
            continue;
        pack_str(&pk, txg_span_cstr(f->key));
        pack_field(&pk, f, msg);
    }
}

static bool get_int(const msgpack_object *o, int64_t min, int64_t max, int64_t *out)
{
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER && o->type != MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return false;
    if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 > INT64_MAX)
        return false;
    if (o->via.i64 < min || o->via.i64 > max)
        return false;
    *out = o->via.i64;
    return true;
}

static bool get_str(const msgpack_object *o, struct txg_span *out)
{
    *out = txg_span(o->via.str.ptr, o->via.str.size);
    return o->type == MSGPACK_OBJECT_STR;
}

static bool get_bin(const msgpack_object *o, struct txg_span *out)
{
    *out = txg_span(o->via.bin.ptr, o->via.bin.size);
    return o->type == MSGPACK_OBJECT_BIN;
}

/* A text in which a NUL could hide what follows is refused. */
static bool get_key(const msgpack_object *o, char **out)
{
    if (o->type != MSGPACK_OBJECT_STR || memchr(o->via.str.ptr, '\0', o->via.str.size))
        return false;
    *out = txg_xstrndup(o->via.str.ptr, o->via.str.size);
    return true;
}

static bool get_value(const msgpack_object *o, unsigned depth, struct txg_value *out)
{
    *out = (struct txg_value){0};
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return true;
    case MSGPACK_OBJECT_BOOLEAN:
        *out = txg_value_bool(o->via.boolean);
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *out = txg_value_float(o->via.f64);
        return true;
    case MSGPACK_OBJECT_STR:
        *out = txg_value_string(o->via.str.ptr, o->via.str.size);
        return true;
    case MSGPACK_OBJECT_ARRAY:
    case MSGPACK_OBJECT_MAP:
        break;
    default: {
        int64_t i;
        if (!get_int(o, INT64_MIN, INT64_MAX, &i))
            return false;
        *out = txg_value_int(i);
        return true;
    }
    }
    if (depth == TXG_VALUE_DEPTH_MAX)
        return false;
    bool dict = o->type == MSGPACK_OBJECT_MAP;
    *out = dict ? txg_value_dict() : txg_value_list();
    for (uint32_t i = 0; i < (dict ? o->via.map.size : o->via.array.size); i++) {
        struct txg_value item;
        char *key = NULL;
        if (!get_value(dict ? &o->via.map.ptr[i].val : &o->via.array.ptr[i], depth + 1, &item) ||
            (dict && (!get_key(&o->via.map.ptr[i].key, &key) || txg_value_get(out, key)))) {
            txg_value_release(&item);
            txg_value_release(out);
            free(key);
            return false;
        }
        if (dict)
            txg_value_set(out, key, item);
        else
            txg_value_push(out, item);
        free(key);
    }
    return true;
}

/* An element that is itself an array of exactly n. */
static const msgpack_object *tuple(const msgpack_object *o, uint32_t n)
{
    return o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size == n ? o->via.array.ptr : NULL;
}

static bool get_element(const struct txg_field *f, const msgpack_object *o, void *many, size_t i)
{
    const msgpack_object *t;
    int64_t number;
    switch (f->kind) {
    case TXG_FIELD_STRS:
        return get_str(o, (struct txg_span *)many + i);
    case TXG_FIELD_BINS:
        return get_bin(o, (struct txg_span *)many + i);
    case TXG_FIELD_PAIRS: {
        struct txg_msg_pair *pair = (struct txg_msg_pair *)many + i;
        t = tuple(o, 2);
        return t && get_bin(&t[0], &pair->name) && get_bin(&t[1], &pair->value);
    }
    case TXG_FIELD_RANGES: {
        struct txg_msg_range *range = (struct txg_msg_range *)many + i;
        t = tuple(o, 2);
        return t && get_int(&t[0], 0, INT32_MAX, &range->first) &&
               get_int(&t[1], 1, INT32_MAX, &range->count);
    }
    case TXG_FIELD_RECORDS: {
        struct txg_msg_record *record = (struct txg_msg_record *)many + i;
        t = tuple(o, 2);
        return t && get_int(&t[0], 0, INT32_MAX, &record->suite) && get_bin(&t[1], &record->nodeid);
    }
    case TXG_FIELD_FILES: {
        struct txg_msg_file *file = (struct txg_msg_file *)many + i;
        t = tuple(o, 4);
        return t && get_bin(&t[0], &file->path) && get_int(&t[1], 0, UINT16_MAX, &file->mode) &&
               get_int(&t[2], 0, INT64_MAX, &file->size) && get_bin(&t[3], &file->content);
    }
    case TXG_FIELD_POINTS: {
        struct txg_msg_point *point = (struct txg_msg_point *)many + i;
        t = tuple(o, 3);
        if (!t || !get_bin(&t[0], &point->name) || !get_int(&t[1], 0, TXG_TIMED_OUT, &number) ||
            !get_bin(&t[2], &point->text))
            return false;
        point->outcome = (enum txg_outcome)number;
        return true;
    }
    case TXG_FIELD_TESTS: {
        struct txg_msg_passed_test *test = (struct txg_msg_passed_test *)many + i;
        t = tuple(o, 3);
        return t && get_int(&t[0], 0, INT32_MAX, &test->index) &&
               get_int(&t[1], 0, TXG_FIELD_TIME_MAX, &test->gap) &&
               get_int(&t[2], 0, TXG_FIELD_TIME_MAX, &test->duration);
    }
    default:
        return false;
    }
}

static size_t element_size(enum txg_field_kind kind)
{
    switch (kind) {
    case TXG_FIELD_PAIRS:
        return sizeof(struct txg_msg_pair);
    case TXG_FIELD_RANGES:
        return sizeof(struct txg_msg_range);
    case TXG_FIELD_RECORDS:
        return sizeof(struct txg_msg_record);
    case TXG_FIELD_POINTS:
        return sizeof(struct txg_msg_point);
    case TXG_FIELD_FILES:
        return sizeof(struct txg_msg_file);
    case TXG_FIELD_TESTS:
        return sizeof(struct txg_msg_passed_test);
    default:
        return sizeof(struct txg_span);
    }
}

static bool get_many(const struct txg_field *f, const msgpack_object *o, struct txg_msg *msg)
{
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return false;
    size_t n = o->via.array.size; /* the guard has seen that as many bytes are there */
    if (f->max > 0 && n > (size_t)f->max)
        return false;
    void *many = n ? txg_xcalloc(n, element_size(f->kind)) : NULL;
    memcpy((char *)msg + f->offset, &many, sizeof many);
    memcpy((char *)msg + f->count, &n, sizeof n);
    for (size_t i = 0; i < n; i++)
        if (!get_element(f, &o->via.array.ptr[i], many, i))
            return false;
    return true;
}

static bool get_field(const struct txg_field *f, const msgpack_object *o, struct txg_msg *msg)
{
    void *at = (char *)msg + f->offset;
    int64_t number = 0;
    switch (f->kind) {
    case TXG_FIELD_INT:
        return get_int(o, f->min, f->max, at);
    case TXG_FIELD_ENUM:
        if (!get_int(o, f->min, f->max, &number))
            return false;
        *(int *)at = (int)number;
        return true;
    case TXG_FIELD_CHANNEL:
        if (!get_int(o, 1, UINT32_MAX, &number))
            return false;
        *(uint32_t *)at = (uint32_t)number;
        return true;
    case TXG_FIELD_U64:
        if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return false;
        *(uint64_t *)at = o->via.u64;
        return true;
    case TXG_FIELD_BOOL:
        if (o->type != MSGPACK_OBJECT_BOOLEAN)
            return false;
        *(bool *)at = o->via.boolean;
        return true;
    case TXG_FIELD_STR:
        return get_str(o, at);
    case TXG_FIELD_BIN:
        return get_bin(o, at);
    case TXG_FIELD_DICT:
        return o->type == MSGPACK_OBJECT_MAP && get_value(o, 0, at);
    default:
        return get_many(f, o, msg);
    }
}

static const struct txg_msg_shape *shape_of(const msgpack_object *name, struct txg_err *err)
{
    struct txg_span text;
    if (!get_str(name, &text)) {
        txg_err_set(err, TXG_E_PROTO, "a message whose name is not a str");
        return NULL;
    }
    for (int type = TXG_MSG_NONE + 1; type < TXG_MSG_TYPES; type++)
        if (txg_span_is(text, txg_msg_shapes[type].name))
            return &txg_msg_shapes[type];
    txg_err_set(err, TXG_E_PROTO, "unknown message '%.*s'", (int)(text.len < 64 ? text.len : 64),
                text.data);
    return NULL;
}

/* The value of a key: NULL where it is not there, `twice` where it is there more than once. */
static const msgpack_object *find_key(const msgpack_object *map, const char *key, bool *twice)
{
    const msgpack_object *found = NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        struct txg_span name;
        if (!get_str(&map->via.map.ptr[i].key, &name) || !txg_span_is(name, key))
            continue;
        *twice = *twice || found != NULL;
        found = &map->via.map.ptr[i].val;
    }
    return found;
}

static int decode_kwargs(const struct txg_msg_shape *shape, const msgpack_object *kwargs,
                         struct txg_msg *out, struct txg_err *err)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct txg_field *f = &shape->fields[i];
        bool twice = false;
        const msgpack_object *value = find_key(kwargs, f->key, &twice);
        if (twice)
            return txg_err_set(err, TXG_E_PROTO, "%s: '%s' is there twice", shape->name, f->key);
        if (!value && f->optional)
            continue;
        if (!value)
            return txg_err_set(err, TXG_E_PROTO, "%s: '%s' is missing", shape->name, f->key);
        if (!get_field(f, value, out))
            return txg_err_set(err, TXG_E_PROTO, "%s: '%s' has the wrong type or is out of range",
                               shape->name, f->key);
    }
    return 0;
}

static int decode_object(const msgpack_object *o, struct txg_msg *out, struct txg_err *err)
{
    const msgpack_object *pair = tuple(o, 2);
    if (!pair || pair[1].type != MSGPACK_OBJECT_MAP)
        return txg_err_set(err, TXG_E_PROTO, "a payload that is not [name, kwargs]");
    const struct txg_msg_shape *shape = shape_of(&pair[0], err);
    if (!shape)
        return -1;
    out->type = (enum txg_msg_type)(shape - txg_msg_shapes);
    return decode_kwargs(shape, &pair[1], out, err);
}

int txg_msg_decode(struct txg_span payload, struct txg_msg *out, struct txg_err *err)
{
    *out = (struct txg_msg){0};
    if (txg_guard_check(payload.data, payload.len, err) < 0)
        return -1;
    msgpack_zone zone;
    if (!msgpack_zone_init(&zone, 2048))
        txg_oom();
    msgpack_object object;
    size_t used = 0;
    int rc = -1;
    if (msgpack_unpack(payload.data, payload.len, &used, &zone, &object) == MSGPACK_UNPACK_SUCCESS)
        rc = decode_object(&object, out, err);
    else
        txg_err_set(err, TXG_E_PROTO, "a payload that is not msgpack");
    msgpack_zone_destroy(&zone);
    if (rc < 0)
        txg_msg_release(out);
    return rc;
}
