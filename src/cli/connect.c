#include "config.h"

#include "src/cli/connect.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "gateway/gateway.h"
#include "src/base/str.h"
#include "src/cli/files.h"
#include "src/cli/pipes.h"
#include "src/cli/setup.h"
#include "src/worker/xdist_server.h"

struct connect {
    struct txg_options *options;
    const struct txg_plan *plan; /* of the start: which gateway */
    struct txg_plan run;         /* with the tests that pytest names */
    bool has_run;
    struct txg_files *files; /* of the run */
    const char *about;       /* the gateway, for messages */
    uv_loop_t loop;
    struct txg_pipes pipes;
    struct txg_xdist_server *server;
    struct txg_gateways *gateways;
    bool opened, closing;
};

static void close_all(struct connect *c)
{
    if (c->closing)
        return;
    c->closing = true;
    txg_pipes_stop(&c->pipes);
    txg_gateways_close(c->gateways);
}

static void on_broken(void *user)
{
    close_all(user);
}

/* What execnet is to be told goes out; what it said may have been the last. */
static void flush(struct connect *c)
{
    struct txg_buf *out = txg_xdist_server_out(c->server);
    txg_pipes_write(&c->pipes, txg_buf_data(out), txg_buf_len(out));
    if (!c->closing)
        txg_buf_clear(out);
    if (txg_xdist_server_is_over(c->server)) {
        const char *fault = txg_xdist_server_fault(c->server);
        if (*fault && !c->closing)
            fprintf(stderr, "txgate connect: execnet: %s\n", fault);
        close_all(c);
    }
}

static void on_read(void *user, const char *data, ssize_t n)
{
    struct connect *c = user;
    if (n < 0) {
        close_all(c);
        return;
    }
    txg_xdist_server_feed(c->server, data, (size_t)n);
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
static void on_down(void *user, unsigned number, const struct txg_gateway_down *down)
{
    struct connect *c = user;
    struct txg_xdist_node *node = txg_xdist_server_node(c->server);
    (void)number;
    TXG_AUTOFREE char *line = txg_xasprintf("%s: %s", c->about, down->text);
    if (down->end == TXG_GATEWAY_NOT_STARTED || down->end == TXG_GATEWAY_CUT_OFF)
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
    txg_pipes_close(&c->pipes);
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
    c->pipes.user = c;
    c->pipes.about = about;
    c->pipes.on_read = on_read;
    c->pipes.on_broken = on_broken;
    uv_loop_init(&c->loop);
    bool ok = txg_pipes_open(&c->pipes, &c->loop) == 0;
    struct txg_gateways_config config = txg_setup_gateways(plan);
    config.loop = &c->loop;
    config.user = c;
    config.on_message = on_message;
    config.files_for = files_for;
    config.on_down = on_down;
    config.on_log = on_log;
    config.on_closed = on_closed;
    c->gateways = txg_gateways_new(&config);
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
