#include "config.h"

#include "src/cli/connect.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "gateway/gateway.h"
#include "src/base/str.h"

#define READ_SIZE   65536
#define UNSENT_MAX  (1u << 20)   /* bytes on the link at which stdin is not read */
#define UNREAD_MAX  (256u << 20) /* bytes that wait for whoever reads stdout */
#define LOOK_AGAIN  10           /* milliseconds between two looks at a link that is behind */
#define LAST_WORDS  10000        /* milliseconds from the end of stdin to that of the program */
#define STDERR_WAIT 200 /* milliseconds for what it said before it died to arrive: another pipe */
#define NOT_THERE   255

struct raw {
    const char *about;
    uv_loop_t loop;
    uv_pipe_t in, out;
    uv_timer_t timer; /* of a pause, then of the end */
    struct txg_gateways *gateways;
    bool paused, ended, down, closing;
    int status;
    char buffer[READ_SIZE];
};

struct write {
    uv_write_t request;
    char *bytes; /* owned */
};

static void close_all(struct raw *r)
{
    if (r->closing)
        return;
    r->closing = true;
    uv_close((uv_handle_t *)&r->in, NULL);
    uv_close((uv_handle_t *)&r->timer, NULL);
    txg_gateways_close(r->gateways);
}

static void on_written(uv_write_t *request, int status)
{
    struct write *w = (struct write *)request;
    struct raw *r = request->handle->data;
    free(w->bytes);
    free(w);
    if (status < 0)
        close_all(r);
}

static void on_bytes(void *user, unsigned number, struct txg_span bytes)
{
    struct raw *r = user;
    (void)number;
    if (r->closing || bytes.len == 0)
        return;
    struct write *w = txg_xcalloc(1, sizeof *w);
    w->bytes = txg_xmalloc(bytes.len);
    memcpy(w->bytes, bytes.data, bytes.len);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)bytes.len);
    if (uv_write(&w->request, (uv_stream_t *)&r->out, &buf, 1, on_written) != 0) {
        free(w->bytes);
        free(w);
        close_all(r);
    } else if (uv_stream_get_write_queue_size((uv_stream_t *)&r->out) > UNREAD_MAX) {
        fprintf(stderr, "txgate connect: %s: nobody reads what it writes\n", r->about);
        close_all(r);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct raw *r = handle->data;
    (void)suggested;
    *buf = uv_buf_init(r->buffer, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_timer(uv_timer_t *timer)
{
    struct raw *r = timer->data;
    if (r->down) {
        close_all(r);
    } else if (r->ended) {
        fprintf(stderr, "txgate connect: %s: it did not end within %d s of its stdin\n", r->about,
                LAST_WORDS / 1000);
        close_all(r);
    } else if (txg_gateways_unsent(r->gateways, 0) <= UNSENT_MAX) {
        r->paused = false;
        uv_timer_stop(timer);
        uv_read_start((uv_stream_t *)&r->in, on_alloc, on_read);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct raw *r = stream->data;
    if (n == 0 || r->down)
        return; /* read all the same: the writer is not to meet a closed pipe first */
    txg_gateways_send_bytes(r->gateways, 0, buf->base, n > 0 ? (size_t)n : 0);
    if (n < 0) {
        r->ended = true;
        uv_read_stop(stream);
        uv_timer_start(&r->timer, on_timer, LAST_WORDS, 0);
    } else if (txg_gateways_unsent(r->gateways, 0) > UNSENT_MAX) {
        r->paused = true;
        uv_read_stop(stream);
        uv_timer_start(&r->timer, on_timer, LOOK_AGAIN, LOOK_AGAIN);
    }
}

static void on_message(void *user, unsigned number, const struct txg_msg *msg)
{
    (void)user, (void)number, (void)msg; /* a program says bytes only */
}

static void on_down(void *user, unsigned number, enum txg_gateway_end end, const char *text)
{
    struct raw *r = user;
    (void)number;
    if (end != TXG_GATEWAY_ENDED) {
        fprintf(stderr, "txgate connect: %s: %s\n", r->about, text);
        r->status = NOT_THERE;
    }
    r->down = true;
    if (end != TXG_GATEWAY_ENDED && !r->closing)
        uv_timer_start(&r->timer, on_timer, STDERR_WAIT, 0);
    else
        close_all(r);
}

static void on_log(void *user, const char *host, const char *level, const char *text)
{
    (void)user, (void)host;
    if (strcmp(level, "debug") != 0 && strcmp(level, "info") != 0)
        fprintf(stderr, "%s\n", text); /* what the program wrote to its stderr */
}

static void on_closed(void *user)
{
    struct raw *r = user;
    uv_close((uv_handle_t *)&r->out, NULL);
}

/* python= as a shell would take it, with execnet's words behind it. */
static void make_argv(const char *python, char **words, int n, struct txg_strv *argv)
{
    TXG_AUTOFREE char *line = txg_xasprintf("exec %s \"$@\"", python);
    txg_strv_push(argv, "sh");
    txg_strv_push(argv, "-c");
    txg_strv_push(argv, line);
    txg_strv_push(argv, "sh");
    for (int i = 0; i < n; i++)
        txg_strv_push(argv, words[i]);
}

static int start(struct raw *r)
{
    uv_loop_init(&r->loop);
    uv_pipe_init(&r->loop, &r->in, 0);
    uv_pipe_init(&r->loop, &r->out, 0);
    uv_timer_init(&r->loop, &r->timer);
    r->in.data = r->out.data = r->timer.data = r;
    int rc = uv_pipe_open(&r->in, STDIN_FILENO);
    if (rc == 0)
        rc = uv_pipe_open(&r->out, STDOUT_FILENO);
    if (rc == 0)
        rc = uv_read_start((uv_stream_t *)&r->in, on_alloc, on_read);
    if (rc != 0)
        fprintf(stderr, "txgate connect: stdin and stdout are to be pipes: %s\n", uv_strerror(rc));
    return rc;
}

int txg_connect_raw(const struct txg_plan *plan, char **words, int n)
{
    const struct txg_gateway_def *def = &plan->gateways.items[0];
    struct raw *r = txg_xcalloc(1, sizeof *r);
    TXG_AUTOFREE char *about = def->device ? txg_xasprintf("%s (%s)", def->device, def->spec->text)
                                           : txg_xstrdup(def->spec->text);
    struct txg_strv argv = {0};
    r->about = about;
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for pytest, which then says TERMINATE */
    int rc = start(r);
    r->gateways = txg_gateways_new(&(struct txg_gateways_config){
        .loop = &r->loop,
        .worker = plan->worker,
        .testrunuid = plan->testrunuid,
        .heartbeat = plan->heartbeat,
        .connect_timeout = plan->connect_timeout,
        .accept_new_host_keys = plan->accept_new_host_keys,
        .no_cache = plan->no_cache,
        .user = r,
        .on_message = on_message,
        .on_bytes = on_bytes,
        .on_down = on_down,
        .on_log = on_log,
        .on_closed = on_closed,
    });
    make_argv(def->spec->python, words, n, &argv);
    r->status = rc == 0 ? 0 : NOT_THERE;
    if (rc == 0)
        txg_gateways_open(r->gateways, 0,
                          &(struct txg_gateway_setup){.spec = def->spec, .argv = &argv});
    else
        close_all(r);
    txg_strv_release(&argv);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    int status = r->status;
    txg_gateways_free(r->gateways);
    uv_loop_close(&r->loop);
    free(r);
    return status;
}
