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
#include "src/cli/files.h"
#include "src/cli/setup.h"
#include "src/worker/xdist_server.h"

#define READ_SIZE  65536
#define UNSENT_MAX (256u << 20) /* bytes that wait for a pytest that does not read */

struct connect {
    struct txg_options *options;
    const struct txg_plan *plan; /* of the start: which gateway */
    struct txg_plan run;         /* with the tests that pytest names */
    bool has_run;
    struct txg_files *files; /* of the run */
    const char *about;       /* the gateway, for messages */
    uv_loop_t loop;
    uv_pipe_t in, out;
    struct txg_xdist_server *server;
    struct txg_gateways *gateways;
    bool opened, closing;
    char buffer[READ_SIZE];
};

struct write {
    uv_write_t request;
    char *bytes; /* owned */
};

static void close_all(struct connect *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->in, NULL);
    txg_gateways_close(c->gateways);
}

static void on_written(uv_write_t *request, int status)
{
    struct write *w = (struct write *)request;
    struct connect *c = request->handle->data;
    free(w->bytes);
    free(w);
    if (status < 0)
        close_all(c);
}

/* What execnet is to be told goes out; what it said may have been the last. */
static void flush(struct connect *c)
{
    struct txg_buf *out = txg_xdist_server_out(c->server);
    if (txg_buf_len(out) > 0 && !c->closing) {
        struct write *w = txg_xcalloc(1, sizeof *w);
        size_t len = txg_buf_len(out);
        w->bytes = txg_xmalloc(len);
        memcpy(w->bytes, txg_buf_data(out), len);
        txg_buf_clear(out);
        uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)len);
        if (uv_write(&w->request, (uv_stream_t *)&c->out, &buf, 1, on_written) != 0) {
            free(w->bytes);
            free(w);
            close_all(c);
        } else if (uv_stream_get_write_queue_size((uv_stream_t *)&c->out) > UNSENT_MAX) {
            fprintf(stderr, "txgate connect: %s: pytest does not read what is reported\n",
                    c->about);
            close_all(c);
        }
    }
    if (txg_xdist_server_is_over(c->server)) {
        const char *fault = txg_xdist_server_fault(c->server);
        if (*fault && !c->closing)
            fprintf(stderr, "txgate connect: execnet: %s\n", fault);
        close_all(c);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connect *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->buffer, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connect *c = stream->data;
    if (n < 0) {
        close_all(c);
        return;
    }
    txg_xdist_server_feed(c->server, buf->base, (size_t)n);
    flush(c);
}

static bool has_label(const struct txg_gateway_def *def, const char *label)
{
    for (size_t i = 0; i < def->labels.n; i++)
        if (strcmp(def->labels.items[i], label) == 0)
            return true;
    return false;
}

/* Suites that need what this gateway has not are none of its tests. */
static void drop_suites(struct txg_plan *plan)
{
    const struct txg_gateway_def *def = &plan->gateways.items[0];
    size_t kept = 0;
    for (size_t i = 0; i < plan->suites.n; i++) {
        struct txg_plan_suite *s = &plan->suites.items[i];
        bool fits = true;
        for (size_t k = 0; s->config && k < s->config->needs.n; k++)
            fits = fits && has_label(def, s->config->needs.items[k]);
        if (fits) {
            struct txg_plan_suite held = plan->suites.items[kept];
            plan->suites.items[kept++] = *s;
            *s = held;
        }
    }
    for (size_t i = kept; i < plan->suites.n; i++) {
        free(plan->suites.items[i].cwd);
        txg_strv_release(&plan->suites.items[i].paths);
    }
    plan->suites.n = kept;
}

/* The fleet's workerinput with xdist's over it. */
static struct txg_value merged(const struct txg_value *fleet, const struct txg_value *xdist)
{
    struct txg_value all = txg_value_dict();
    const struct txg_value *from[] = {fleet, xdist};
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; from[f]->type == TXG_DICT && i < from[f]->many.n; i++) {
            struct txg_value copy;
            txg_value_copy(&copy, &from[f]->many.items[i]);
            txg_value_set(&all, from[f]->many.keys[i], copy);
        }
    }
    return all;
}

static int open_gateway(void *user, const struct txg_msg_workerinput *input,
                        const struct txg_strv *paths, struct txg_err *err)
{
    struct connect *c = user;
    struct txg_strv none = {0};
    txg_strv_release(&c->options->files);
    c->options->files = none;
    txg_strv_copy(&c->options->files, paths);
    /* What could not be understood runs nothing: any file will do. */
    if (paths->n == 0 && c->plan->config.n_suites == 0)
        txg_strv_push(&c->options->files, ".");
    if (txg_plan_make(c->options, &c->run, err) != 0)
        return -1;
    c->has_run = true;
    drop_suites(&c->run);
    if (paths->n == 0 && c->plan->config.n_suites == 0)
        c->run.suites.items[0].paths.n = 0;
    struct txg_setup *setup = txg_setup_new(&c->run);
    size_t n;
    const struct txg_msg *messages = txg_setup_messages(setup, 0, 0, true, &n);
    struct txg_msg *own = txg_xcalloc(n, sizeof *own);
    memcpy(own, messages, n * sizeof *own);
    struct txg_msg_workerinput *in = &own[0].workerinput;
    bool named = in->device.len > 0;
    in->workerid = input->workerid;
    in->workercount = input->workercount;
    in->testrunuid = input->testrunuid;
    in->maxfail = input->maxfail;
    in->keep_output = input->keep_output;
    in->input = merged(&in->input, &input->input);
    if (!named)
        in->id = in->workerid;
    c->files = txg_files_new(&c->run);
    c->opened = true;
    txg_gateways_open(c->gateways, 0,
                      &(struct txg_gateway_setup){.spec = c->plan->gateways.items[0].spec,
                                                  .messages = own,
                                                  .n_messages = n});
    txg_value_release(&in->input);
    free(own);
    txg_setup_free(setup);
    return 0;
}

static const struct txg_manifest *files_for(void *user, unsigned number, const char *arch)
{
    struct connect *c = user;
    return txg_files_manifest(c->files, number, arch);
}

static void send_message(void *user, const struct txg_msg *msg)
{
    struct connect *c = user;
    if (c->opened)
        txg_gateways_send(c->gateways, 0, msg);
}

static void kill_gateway(void *user)
{
    struct connect *c = user;
    if (c->opened)
        txg_gateways_kill(c->gateways, 0);
}

static void on_message(void *user, unsigned number, const struct txg_msg *msg)
{
    struct connect *c = user;
    (void)number;
    txg_xdist_node_message(txg_xdist_server_node(c->server), msg);
    flush(c);
}

/* A gateway that can't start could not the next time either. */
static void on_down(void *user, unsigned number, enum txg_gateway_end end, const char *text)
{
    struct connect *c = user;
    struct txg_xdist_node *node = txg_xdist_server_node(c->server);
    (void)number;
    TXG_AUTOFREE char *line = txg_xasprintf("%s: %s", c->about, text);
    if (end == TXG_GATEWAY_NOT_STARTED)
        txg_xdist_node_give_up(node, line);
    else
        txg_xdist_node_down(node, line);
    flush(c);
}

static void on_log(void *user, const char *host, const char *level, const char *text)
{
    (void)user;
    if (strcmp(level, "debug") != 0 && strcmp(level, "info") != 0)
        fprintf(stderr, "txgate connect: %s: %s\n", host, text);
}

static void on_closed(void *user)
{
    struct connect *c = user;
    uv_close((uv_handle_t *)&c->out, NULL);
}

static int start(struct connect *c)
{
    uv_loop_init(&c->loop);
    uv_pipe_init(&c->loop, &c->in, 0);
    uv_pipe_init(&c->loop, &c->out, 0);
    c->in.data = c->out.data = c;
    int rc = uv_pipe_open(&c->in, STDIN_FILENO);
    if (rc == 0)
        rc = uv_pipe_open(&c->out, STDOUT_FILENO);
    if (rc == 0)
        rc = uv_read_start((uv_stream_t *)&c->in, on_alloc, on_read);
    if (rc != 0)
        fprintf(stderr, "txgate connect: stdin and stdout are to be pipes: %s\n", uv_strerror(rc));
    return rc;
}

int txg_connect(struct txg_options *options, const struct txg_plan *plan)
{
    const struct txg_gateway_def *def = &plan->gateways.items[0];
    struct connect *c = txg_xcalloc(1, sizeof *c);
    const struct txg_xdist_ops ops = {.open = open_gateway,
                                      .send = send_message,
                                      .kill = kill_gateway,
                                      .has_tests = plan->config.n_suites > 0};
    c->options = options;
    c->plan = plan;
    TXG_AUTOFREE char *about = def->device ? txg_xasprintf("%s (%s)", def->device, def->spec->text)
                                           : txg_xstrdup(def->spec->text);
    c->about = about;
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for pytest, which then says TERMINATE */
    c->server = txg_xdist_server_new(&ops, c);
    bool ok = start(c) == 0;
    c->gateways = txg_gateways_new(&(struct txg_gateways_config){
        .loop = &c->loop,
        .worker = plan->worker,
        .testrunuid = plan->testrunuid,
        .heartbeat = plan->heartbeat,
        .connect_timeout = plan->connect_timeout,
        .accept_new_host_keys = plan->accept_new_host_keys,
        .no_cache = plan->no_cache,
        .user = c,
        .on_message = on_message,
        .files_for = files_for,
        .on_down = on_down,
        .on_log = on_log,
        .on_closed = on_closed,
    });
    if (!ok)
        close_all(c);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    int status = !ok || !txg_xdist_server_is_booted(c->server);
    txg_gateways_free(c->gateways);
    txg_xdist_server_free(c->server);
    txg_files_free(c->files);
    if (c->has_run)
        txg_plan_release(&c->run);
    uv_loop_close(&c->loop);
    free(c);
    return status;
}
