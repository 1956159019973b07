#include "config.h"

#include "src/worker/environ.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"
#include "src/worker/harness/talk.h"
#include "src/worker/preload.h"
#include "src/worker/runner.h"

static void set_span(struct txg_strv *env, const char *name, struct txg_span value)
{
    TXG_AUTOFREE char *text = txg_xstrndup(value.data, value.len);
    txg_strv_setenv(env, name, text);
}

/* "ipadr" is TXGATE_INPUT_IPADR: ASCII letters upper-cased, whatever is no letter or digit '_'. */
static char *input_name(const char *key)
{
    struct txg_buf b = {0};
    txg_buf_puts(&b, "TXGATE_INPUT_");
    for (; *key; key++) {
        char c = *key;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        txg_buf_putc(&b, plain ? c : '_');
    }
    return txg_buf_take_cstr(&b);
}

void txg_environ_add(struct txg_strv *env, const struct txg_msg_workerinput *in)
{
    for (size_t i = 0; i < in->input.many.n; i++) {
        TXG_AUTOFREE char *name = input_name(in->input.many.keys[i]);
        struct txg_buf text = {0};
        txg_value_to_text(&in->input.many.items[i], &text);
        txg_strv_setenv(env, name, txg_buf_cstr(&text));
        txg_buf_release(&text);
    }
    char count[24];
    struct txg_buf number = {0};
    txg_buf_printf(&number, "%lld", (long long)in->workercount);
    memcpy(count, txg_buf_cstr(&number), txg_buf_len(&number) + 1);
    txg_buf_release(&number);
    set_span(env, "PYTEST_XDIST_WORKER", in->workerid);
    txg_strv_setenv(env, "PYTEST_XDIST_WORKER_COUNT", count);
    set_span(env, "PYTEST_XDIST_TESTRUNUID", in->testrunuid);
    if (in->device.len)
        set_span(env, "TXGATE_DEVICE", in->device);
}

static bool is_one_of(const char *entry, const char *const *names)
{
    for (; names && *names; names++) {
        size_t n = strlen(*names);
        if (strncmp(entry, *names, n) == 0 && entry[n] == '=')
            return true;
    }
    return false;
}

static const char *value_of(const struct txg_strv *env, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=')
            return env->items[i] + n + 1;
    return "";
}

/* Ours in front, so that the library knows what to leave there. A program with AddressSanitizer in
 * a shared library of its own insists on being first, unless it is told. */
static int add_preload(struct txg_strv *env, struct txg_err *err)
{
    const char *path = txg_preload_path(err), *old;
    if (!path)
        return -1;
    old = value_of(env, "LD_PRELOAD");
    TXG_AUTOFREE char *preload = txg_xasprintf("%s%s%s", path, *old ? ":" : "", old);
    TXG_AUTOFREE char *asan =
        txg_xasprintf("%s:verify_asan_link_order=0", value_of(env, "ASAN_OPTIONS"));
    txg_strv_setenv(env, "LD_PRELOAD", preload);
    txg_strv_setenv(env, "ASAN_OPTIONS", asan);
    return 0;
}

int txg_environ_make(struct txg_environ *e, const struct txg_strv *env,
                     const struct txg_harness_ops *harness, struct txg_err *err)
{
    *e = (struct txg_environ){0};
    if (harness->preloads) {
        txg_strv_copy(&e->own, env);
        env = &e->own;
        if (add_preload(&e->own, err) != 0) {
            txg_environ_release(e);
            return -1;
        }
    }
    e->envp = txg_xcalloc(env->n + 3, sizeof *e->envp);
    size_t n = 0;
    for (size_t i = 0; i < env->n; i++)
        if (!harness->cases || !is_one_of(env->items[i], harness->cases->unset))
            e->envp[n++] = env->items[i];
    if (harness->persistent)
        e->envp[n++] = (char *)TXG_TALK_VARIABLE;
    if (harness->rings)
        e->envp[n] = (char *)TXG_RING_VARIABLE;
    return 0;
}

void txg_environ_release(struct txg_environ *e)
{
    free(e->envp);
    txg_strv_release(&e->own);
}

static void add_missing(struct txg_value *dict, const char *key, struct txg_value value)
{
    if (txg_value_get(dict, key))
        txg_value_release(&value);
    else
        txg_value_set(dict, key, value);
}

void txg_environ_hello(const struct txg_msg_workerinput *in, struct txg_buf *out)
{
    struct txg_value dict;
    struct txg_buf json = {0};
    txg_value_copy(&dict, &in->input);
    add_missing(&dict, "workerid", txg_value_string(in->workerid.data, in->workerid.len));
    add_missing(&dict, "workercount", txg_value_int(in->workercount));
    add_missing(&dict, "testrunuid", txg_value_string(in->testrunuid.data, in->testrunuid.len));
    txg_value_to_json(&dict, &json);
    txg_buf_puts(out, "hello\t1\t");
    txg_talk_escape(out, txg_buf_cstr(&json));
    txg_buf_putc(out, '\n');
    txg_buf_release(&json);
    txg_value_release(&dict);
}
