#include "config.h"

#include "src/worker/xdist_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/worker/xdist_events.h"
#include "src/worker/xdist_rsync.h"

#define BOOTSTRAP_MAX (4u << 20) /* bytes of the first line; execnet 2.1 sends 61 KiB */
#define CHANNELS_MAX  64         /* that wait for something at the same time */

/* What was to be executed on a channel that is still open. */
enum role { ROLE_FREE, ROLE_SETTINGS, ROLE_RSYNC, ROLE_XDIST };

struct channel {
    int32_t id;
    enum role role;
    struct txg_xdist_rsync *rsync; /* owned */
};

struct txg_xdist_server {
    const struct txg_xdist_ops *ops;
    void *user;
    struct txg_buf from, to;
    bool booted;
    struct channel channels[CHANNELS_MAX];
    struct txg_xdist_node *node;
    bool over; /* TERMINATE, or nothing more can be understood */
    char fault[TXG_ERR_TEXT_MAX];
};

int txg_xdist_start_words(int argc, char *const *argv)
{
    if (argc < 3 || strcmp(argv[argc - 2], "-c") != 0 ||
        !txg_strstr(argv[argc - 1], "sys.stdin.readline"))
        return 0;
    int n = 2;
    while (n + 1 < argc &&
           (strcmp(argv[argc - n - 1], "-u") == 0 || strcmp(argv[argc - n - 1], "-B") == 0))
        n++;
    return n;
}

static void send_end(struct txg_xdist_server *s, int32_t channel, const char *error)
{
    size_t mark =
        txg_execnet_begin(&s->to, error ? TXG_EXECNET_CLOSE_ERROR : TXG_EXECNET_CLOSE, channel);
    if (error) {
        txg_execnet_put_text(&s->to, txg_span_cstr(error));
        txg_execnet_put_stop(&s->to);
    }
    txg_execnet_end(&s->to, mark);
}

static bool contains(struct txg_span text, const char *word)
{
    return text.len > 0 && memmem(text.data, text.len, word, strlen(word));
}

static bool ends_in(struct txg_span text, const char *end)
{
    size_t n = strlen(end);
    return text.len >= n && memcmp(text.data + text.len - n, end, n) == 0;
}

static void put_key(struct txg_buf *b, const char *key)
{
    txg_execnet_put_str(b, key);
}

/* execnet's rinfo_source: what a Python says of itself. */
static void send_rinfo(struct txg_xdist_server *s, int32_t channel)
{
    char cwd[4096], self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    struct txg_buf *b = &s->to;
    size_t mark = txg_execnet_begin(b, TXG_EXECNET_DATA, channel);
    txg_execnet_put_dict(b);
    put_key(b, "executable");
    txg_execnet_put_text(b, txg_span(self, n > 0 ? (size_t)n : 0));
    txg_execnet_put_setitem(b);
    put_key(b, "version_info");
    txg_xdist_put_version(b);
    txg_execnet_put_setitem(b);
    put_key(b, "platform");
    txg_execnet_put_str(b, "linux");
    txg_execnet_put_setitem(b);
    put_key(b, "cwd");
    txg_execnet_put_text(b, txg_span_cstr(getcwd(cwd, sizeof cwd)));
    txg_execnet_put_setitem(b);
    put_key(b, "pid");
    txg_execnet_put_int(b, getpid());
    txg_execnet_put_setitem(b);
    txg_execnet_put_stop(b);
    txg_execnet_end(b, mark);
    send_end(s, channel, NULL);
}

static void send_status(struct txg_xdist_server *s, int32_t channel)
{
    struct txg_buf *b = &s->to;
    size_t mark = txg_execnet_begin(b, TXG_EXECNET_DATA, channel);
    txg_execnet_put_dict(b);
    put_key(b, "numchannels");
    txg_execnet_put_int(b, s->node ? 1 : 0);
    txg_execnet_put_setitem(b);
    put_key(b, "numexecuting");
    txg_execnet_put_int(b, s->node ? 1 : 0);
    txg_execnet_put_setitem(b);
    put_key(b, "execmodel");
    txg_execnet_put_str(b, "main_thread_only");
    txg_execnet_put_setitem(b);
    txg_execnet_put_stop(b);
    txg_execnet_end(b, mark);
    send_end(s, channel, NULL);
}

static void open_channel(struct txg_xdist_server *s, int32_t id, enum role role)
{
    for (int i = 0; i < CHANNELS_MAX; i++) {
        if (s->channels[i].role == ROLE_FREE) {
            s->channels[i] = (struct channel){.id = id, .role = role};
            if (role == ROLE_RSYNC)
                s->channels[i].rsync = txg_xdist_rsync_new(id, &s->to);
            return;
        }
    }
    send_end(s, id, "txgate-worker: too many open channels");
}

static void free_channel(struct channel *c)
{
    txg_xdist_rsync_free(c->rsync);
    *c = (struct channel){0};
}

static struct channel *find_channel(struct txg_xdist_server *s, int32_t id)
{
    for (int i = 0; i < CHANNELS_MAX; i++)
        if (s->channels[i].role != ROLE_FREE && s->channels[i].id == id)
            return &s->channels[i];
    return NULL;
}

static void refuse(struct txg_xdist_server *s, int32_t channel, struct txg_span what)
{
    TXG_AUTOFREE char *text = txg_xasprintf(
        "txgate-worker runs native tests and is no Python: it can't execute %.*s", TXG_FMT(what));
    send_end(s, channel, text);
}

static struct txg_span text_of(const struct txg_execnet_value *v)
{
    return v->kind == TXG_EXECNET_STR ? v->text : (struct txg_span){0};
}

static struct txg_span first_line(struct txg_span source)
{
    while (source.len > 0 && strchr(" \t\n", *source.data))
        source = txg_span(source.data + 1, source.len - 1);
    const char *end = source.len ? memchr(source.data, '\n', source.len) : NULL;
    return end ? txg_span(source.data, (size_t)(end - source.data)) : source;
}

/* For what concerns the host of the tests. */
static void open_host_channel(struct txg_xdist_server *s, int32_t id, enum role role,
                              const char *what)
{
    if (s->ops->is_host) {
        open_channel(s, id, role);
        return;
    }
    TXG_AUTOFREE char *text = txg_xasprintf(
        "%s would be for this machine, the tests run on another: say it in the spec or the fleet "
        "entry that txgate connects to",
        what);
    send_end(s, id, text);
}

/* The sources that execnet and xdist send to a worker, by what they can't do without. */
static void execute(struct txg_xdist_server *s, int32_t channel, const struct txg_execnet_value *v)
{
    if (v->kind != TXG_EXECNET_TUPLE || v->many.n != 4) {
        refuse(s, channel, TXG_SPAN("what is not (source, file name, function, arguments)"));
        return;
    }
    struct txg_span source = text_of(&v->many.items[0]);
    struct txg_span file = text_of(&v->many.items[1]), call = text_of(&v->many.items[2]);
    if (txg_span_is(call, "rinfo_source"))
        send_rinfo(s, channel);
    else if (call.len == 0 && contains(source, "os.chdir(path)") &&
             contains(source, "path, nice, env"))
        open_host_channel(s, channel, ROLE_SETTINGS, "chdir=, nice= and env:");
    else if (call.len == 0 && ends_in(file, "rsync_remote.py") && contains(source, "serve_rsync"))
        open_host_channel(s, channel, ROLE_RSYNC, "--rsyncdir");
    else if (call.len == 0 &&
             (ends_in(file, "remote.py") || contains(source, "WorkerInteractor")) &&
             contains(source, "workerinput") && !s->node)
        open_channel(s, channel, ROLE_XDIST);
    else if (call.len == 0 && contains(first_line(source), "import sys ; sys.path.insert(0,"))
        send_end(s, channel, NULL); /* there is nothing that it could import */
    else
        refuse(s, channel, call.len ? call : file.len ? file : first_line(source));
}

static int apply_env(const struct txg_execnet_value *env, struct txg_err *err)
{
    for (uint32_t i = 0; env->kind == TXG_EXECNET_DICT && i < env->many.n; i += 2) {
        struct txg_span key = text_of(&env->many.items[i]);
        const struct txg_execnet_value *v = &env->many.items[i + 1];
        TXG_AUTOFREE char *name = txg_xstrndup(key.data, key.len);
        if (v->kind != TXG_EXECNET_STR)
            return txg_err_set(err, TXG_E_USAGE, "env:%s has no value", name);
        TXG_AUTOFREE char *value = txg_xstrndup(v->text.data, v->text.len);
        if (setenv(name, value, 1) != 0)
            return txg_err_sys(err, errno, "env:%s", name);
    }
    return 0;
}

/* chdir=, nice= and env: of a spec: (path, nice, {name: value}) */
static int apply_settings(const struct txg_execnet_value *v, struct txg_err *err)
{
    if (v->kind != TXG_EXECNET_TUPLE || v->many.n != 3)
        return txg_err_set(err, TXG_E_PROTO, "expected (path, nice, env)");
    struct txg_span path = text_of(&v->many.items[0]);
    const struct txg_execnet_value *niceness = &v->many.items[1];
    TXG_AUTOFREE char *dir = txg_xstrndup(path.data, path.len);
    if (*dir && chdir(dir) != 0 && (errno != ENOENT || mkdir(dir, 0777) != 0 || chdir(dir) != 0))
        return txg_err_sys(err, errno, "chdir %s", dir);
    errno = 0;
    if (niceness->kind == TXG_EXECNET_INT && niceness->integer != 0 &&
        nice((int)niceness->integer) == -1 && errno)
        return txg_err_sys(err, errno, "nice %lld", (long long)niceness->integer);
    return apply_env(&v->many.items[2], err);
}

static void take_data(struct txg_xdist_server *s, struct channel *c,
                      const struct txg_execnet_value *v, size_t size)
{
    struct txg_err err;
    if (c->role == ROLE_SETTINGS) {
        int rc = apply_settings(v, &err);
        send_end(s, c->id, rc < 0 ? err.text : NULL);
        free_channel(c);
        return;
    }
    if (c->role == ROLE_RSYNC) {
        int rc = txg_xdist_rsync_take(c->rsync, v, &err);
        if (rc != 0) {
            send_end(s, c->id, rc < 0 ? err.text : NULL);
            free_channel(c);
        }
        return;
    }
    if (!s->node)
        s->node = txg_xdist_node_new(c->id, &s->to, s->ops, s->user);
    txg_xdist_node_take(s->node, v, size);
}

static void lose(struct txg_xdist_server *s, const char *text)
{
    snprintf(s->fault, sizeof s->fault, "%s", text);
    s->over = true;
}

static void take_frame(struct txg_xdist_server *s, const struct txg_execnet_frame *f)
{
    struct txg_execnet_value v = {0};
    struct txg_err err = {0};
    struct channel *c = find_channel(s, f->channel);
    bool wanted = f->type == TXG_EXECNET_EXEC || (f->type == TXG_EXECNET_DATA && c);
    if (wanted && txg_execnet_decode(f->payload, &v, &err) < 0) {
        lose(s, err.text);
    } else if (f->type == TXG_EXECNET_EXEC) {
        execute(s, f->channel, &v);
    } else if (f->type == TXG_EXECNET_DATA && c) {
        take_data(s, c, &v, f->payload.len);
    } else if (f->type == TXG_EXECNET_STATUS) {
        send_status(s, f->channel);
    } else if (f->type == TXG_EXECNET_TERMINATE) {
        s->over = true;
    } else if ((f->type == TXG_EXECNET_CLOSE || f->type == TXG_EXECNET_CLOSE_ERROR) && c) {
        if (c->role == ROLE_XDIST)
            s->over = true;
        free_channel(c);
    }
    txg_execnet_release(&v);
}

/* The line that a Python would evaluate and execute. */
static void boot(struct txg_xdist_server *s)
{
    const char *line = txg_buf_data(&s->from);
    size_t held = txg_buf_len(&s->from);
    const char *end = held ? memchr(line, '\n', held) : NULL;
    if (!end) {
        if (held > BOOTSTRAP_MAX)
            lose(s, "the first line has no end: this is not execnet");
        return;
    }
    struct txg_span code = txg_span(line, (size_t)(end - line));
    if ((*line != '\'' && *line != '"') || !contains(code, "serve(")) {
        lose(s, "the first line is not the one that execnet 1.9 to 2.1 starts a Python with");
        return;
    }
    txg_buf_consume(&s->from, code.len + 1);
    txg_buf_putc(&s->to, '1');
    s->booted = true;
}

struct txg_xdist_server *txg_xdist_server_new(const struct txg_xdist_ops *ops, void *user)
{
    struct txg_xdist_server *s = txg_xcalloc(1, sizeof *s);
    s->ops = ops;
    s->user = user;
    return s;
}

void txg_xdist_server_free(struct txg_xdist_server *s)
{
    for (int i = 0; i < CHANNELS_MAX; i++)
        free_channel(&s->channels[i]);
    txg_xdist_node_free(s->node);
    txg_buf_release(&s->from);
    txg_buf_release(&s->to);
    free(s);
}

void txg_xdist_server_feed(struct txg_xdist_server *s, const void *data, size_t len)
{
    struct txg_execnet_frame frame;
    struct txg_err err = {0};
    int rc = 0;
    txg_buf_append(&s->from, data, len);
    if (!s->booted)
        boot(s);
    while (s->booted && !s->over && (rc = txg_execnet_next(&s->from, &frame, &err)) == 1)
        take_frame(s, &frame);
    if (rc < 0)
        lose(s, err.text);
}

struct txg_buf *txg_xdist_server_out(struct txg_xdist_server *s)
{
    return &s->to;
}

bool txg_xdist_server_is_booted(const struct txg_xdist_server *s)
{
    return s->booted;
}

bool txg_xdist_server_is_over(const struct txg_xdist_server *s)
{
    return s->over;
}

const char *txg_xdist_server_fault(const struct txg_xdist_server *s)
{
    return s->fault;
}

struct txg_xdist_node *txg_xdist_server_node(struct txg_xdist_server *s)
{
    return s->node;
}
