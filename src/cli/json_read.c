#include "config.h"

#include "src/cli/json_read.h"

#include <jansson.h>

static int convert(const json_t *from, struct txg_value *out, int depth, struct txg_err *err);

static int convert_many(const json_t *from, struct txg_value *out, int depth, struct txg_err *err)
{
    struct txg_value item;
    if (depth == TXG_VALUE_DEPTH_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "lists and objects are at most %d levels deep",
                           TXG_VALUE_DEPTH_MAX);
    if (json_is_array(from)) {
        size_t i;
        const json_t *value;
        *out = txg_value_list();
        json_array_foreach(from, i, value)
        {
            if (convert(value, &item, depth + 1, err) != 0)
                return -1;
            txg_value_push(out, item);
        }
        return 0;
    }
    const char *key;
    json_t *value;
    *out = txg_value_dict();
    /* jansson's macro takes no const object, and changes nothing */
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        if (convert(value, &item, depth + 1, err) != 0)
            return -1;
        txg_value_set(out, key, item);
    }
    return 0;
}

static int convert(const json_t *from, struct txg_value *out, int depth, struct txg_err *err)
{
    *out = (struct txg_value){0};
    switch (json_typeof(from)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (convert_many(from, out, depth, err) == 0)
            return 0;
        txg_value_release(out);
        return -1;
    case JSON_STRING:
        *out = txg_value_string(json_string_value(from), json_string_length(from));
        return 0;
    case JSON_INTEGER:
        *out = txg_value_int(json_integer_value(from));
        return 0;
    case JSON_REAL:
        *out = txg_value_float(json_real_value(from));
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = txg_value_bool(json_is_true(from));
        return 0;
    case JSON_NULL:
        return 0;
    }
    return 0;
}

int txg_json_read(const char *text, size_t len, struct txg_value *out, struct txg_err *err)
{
    json_error_t fault;
    json_t *json =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    if (!json)
        return txg_err_set(err, TXG_E_USAGE, "line %d column %d: this is not JSON: %s", fault.line,
                           fault.column, fault.text);
    int rc = convert(json, out, 0, err);
    json_decref(json);
    return rc;
}
