#include "config.h"

#include "src/worker/xdist_input.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire/frame.h"
#include "src/base/str.h"

/* No value is longer in msgpack than in execnet's code: what fits here fits there. */
#define SIZE_MAX_IN (TXG_FRAME_PAYLOAD_MAX - (64u << 10))

/* Keys that xdist itself sets. */
static const char *const own_keys[] = {"workerid",  "workercount", "testrunuid", "mainargv",
                                       "rampdelay", "slaveid",     "slavecount"};

void txg_xdist_input_release(struct txg_xdist_input *in)
{
    free(in->workerid);
    free(in->testrunuid);
    txg_value_release(&in->input);
    txg_strv_release(&in->args);
    *in = (struct txg_xdist_input){0};
}

static bool is_own_key(struct txg_span key)
{
    for (size_t i = 0; i < sizeof own_keys / sizeof *own_keys; i++)
        if (txg_span_is(key, own_keys[i]))
            return true;
    return false;
}

static int convert(const struct txg_execnet_value *v, int depth, struct txg_value *out,
                   struct txg_err *err);

static int convert_items(const struct txg_execnet_value *v, int depth, struct txg_value *out,
                         struct txg_err *err)
{
    bool dict = v->kind == TXG_EXECNET_DICT;
    *out = dict ? txg_value_dict() : txg_value_list();
    if (depth >= TXG_VALUE_DEPTH_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "nested deeper than %d", TXG_VALUE_DEPTH_MAX);
    for (uint32_t i = 0; i < v->many.n; i += 1 + dict) {
        const struct txg_execnet_value *key = &v->many.items[i];
        struct txg_value item;
        if (dict && key->kind != TXG_EXECNET_STR)
            return txg_err_set(err, TXG_E_USAGE, "a key is not a str");
        if (dict && depth == 0 && is_own_key(key->text))
            continue;
        int rc = convert(key + dict, depth + 1, &item, err);
        if (!dict) {
            txg_value_push(out, item);
        } else {
            TXG_AUTOFREE char *name = txg_xstrndup(key->text.data, key->text.len);
            if (rc < 0)
                txg_err_wrap(err, "%s", name);
            txg_value_set(out, name, item);
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* `out` is released by the caller, also after a failure. */
static int convert(const struct txg_execnet_value *v, int depth, struct txg_value *out,
                   struct txg_err *err)
{
    *out = (struct txg_value){0};
    switch ((enum txg_execnet_kind)v->kind) {
    case TXG_EXECNET_NONE:
        return 0;
    case TXG_EXECNET_BOOL:
        *out = txg_value_bool(v->boolean);
        return 0;
    case TXG_EXECNET_INT:
        *out = txg_value_int(v->integer);
        return 0;
    case TXG_EXECNET_FLOAT:
        *out = txg_value_float(v->real);
        return 0;
    case TXG_EXECNET_STR:
    case TXG_EXECNET_BIGINT:
        *out = txg_value_string(v->text.data, v->text.len);
        return 0;
    case TXG_EXECNET_BYTES:
        if (!txg_utf8_valid(v->text.data, v->text.len))
            return txg_err_set(err, TXG_E_USAGE, "bytes that are no UTF-8");
        *out = txg_value_string(v->text.data, v->text.len);
        return 0;
    case TXG_EXECNET_TUPLE:
    case TXG_EXECNET_LIST:
    case TXG_EXECNET_SET:
    case TXG_EXECNET_FROZENSET:
    case TXG_EXECNET_DICT:
        return convert_items(v, depth, out, err);
    case TXG_EXECNET_COMPLEX:
    case TXG_EXECNET_CHANNEL:
        break;
    }
    return txg_err_set(err, TXG_E_USAGE,
                       "a native test can be given str, int, float, bool, None, and lists and "
                       "dictionaries of them");
}

static char *take_str(const struct txg_execnet_value *dict, const char *key)
{
    const struct txg_execnet_value *v = txg_execnet_get(dict, key);
    return v && v->kind == TXG_EXECNET_STR ? txg_xstrndup(v->text.data, v->text.len)
                                           : txg_xstrdup("");
}

int txg_xdist_input_read(struct txg_xdist_input *in, const struct txg_execnet_value *v, size_t size,
                         struct txg_err *err)
{
    if (v->kind != TXG_EXECNET_TUPLE || v->many.n != 4 ||
        v->many.items[0].kind != TXG_EXECNET_DICT || v->many.items[1].kind != TXG_EXECNET_LIST)
        return txg_err_set(
            err, TXG_E_PROTO,
            "xdist is expected to send (workerinput, args, options, sys.path) first");
    if (size > SIZE_MAX_IN)
        return txg_err_set(err, TXG_E_LIMIT,
                           "workerinput and arguments are %zu bytes, at most %u are carried", size,
                           SIZE_MAX_IN);
    const struct txg_execnet_value *input = &v->many.items[0], *args = &v->many.items[1];
    const struct txg_execnet_value *count = txg_execnet_get(input, "workercount");
    in->workerid = take_str(input, "workerid");
    in->testrunuid = take_str(input, "testrunuid");
    in->workercount = count && count->kind == TXG_EXECNET_INT ? count->integer : 1;
    for (uint32_t i = 0; i < args->many.n; i++)
        if (args->many.items[i].kind == TXG_EXECNET_STR)
            txg_strv_push_n(&in->args, args->many.items[i].text.data, args->many.items[i].text.len);
    if (convert(input, 0, &in->input, err) < 0)
        return txg_err_wrap(err, "workerinput");
    return 0;
}
