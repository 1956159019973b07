#include "config.h"

#include "src/cli/connect.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "gateway/gateway.h"
#include "src/base/str.h"
#include "src/cli/pipes.h"
#include "src/cli/setup.h"

#define UNSENT_MAX  (1u << 20) /* bytes on the link at which stdin is not read */
#define LOOK_AGAIN  10         /* milliseconds between two looks at a link that is behind */
#define LAST_WORDS  10000      /* milliseconds from the end of stdin to that of the program */
#define STDERR_WAIT 200 /* milliseconds for what it said before it died to arrive: another pipe */
#define NOT_THERE   255

struct raw {
    const char *about;
    uv_loop_t loop;
    struct txg_pipes pipes;
    uv_timer_t timer; /* of a pause, then of the end */
    struct txg_gateways *gateways;
    bool paused, ended, down, closing;
    int status;
};

static void close_all(struct raw *r)
{
    if (r->closing)
        return;
    r->closing = true;
    txg_pipes_stop(&r->pipes);
    uv_close((uv_handle_t *)&r->timer, NULL);
    txg_gateways_close(r->gateways);
}

static void on_broken(void *user)
{
    close_all(user);
}

static void on_bytes(void *user, unsigned number, struct txg_span bytes)
{
    struct raw *r = user;
    (void)number;
    txg_pipes_write(&r->pipes, bytes.data, bytes.len);
}

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
        txg_pipes_resume(&r->pipes);
    }
}

static void on_read(void *user, const char *data, ssize_t n)
{
    struct raw *r = user;
    if (r->down)
        return; /* read all the same: the writer is not to meet a closed pipe first */
    txg_gateways_send_bytes(r->gateways, 0, data, n > 0 ? (size_t)n : 0);
    if (n < 0) {
        r->ended = true;
        uv_timer_start(&r->timer, on_timer, LAST_WORDS, 0);
    } else if (txg_gateways_unsent(r->gateways, 0) > UNSENT_MAX) {
        r->paused = true;
        txg_pipes_pause(&r->pipes);
        uv_timer_start(&r->timer, on_timer, LOOK_AGAIN, LOOK_AGAIN);
    }
}

static void on_message(void *user, unsigned number, const struct txg_msg *msg)
{
    (void)user, (void)number, (void)msg; /* a program says bytes only */
}

static void on_down(void *user, unsigned number, const struct txg_gateway_down *down)
{
    struct raw *r = user;
    (void)number;
    bool ended = down->end == TXG_GATEWAY_ENDED;
    if (!ended) {
        fprintf(stderr, "txgate connect: %s: %s\n", r->about, down->text);
        r->status = NOT_THERE;
    }
    r->down = true;
    if (!ended && !r->closing)
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
    txg_pipes_close(&r->pipes);
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

int txg_connect_raw(const struct txg_plan *plan, char **words, int n)
{
    const struct txg_gateway_def *def = &plan->gateways.items[0];
    struct raw *r = txg_xcalloc(1, sizeof *r);
    TXG_AUTOFREE char *about = def->device ? txg_xasprintf("%s (%s)", def->device, def->spec->text)
                                           : txg_xstrdup(def->spec->text);
    struct txg_strv argv = {0};
    r->about = about;
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for pytest, which then says TERMINATE */
    r->pipes.user = r;
    r->pipes.about = about;
    r->pipes.on_read = on_read;
    r->pipes.on_broken = on_broken;
    uv_loop_init(&r->loop);
    uv_timer_init(&r->loop, &r->timer);
    r->timer.data = r;
    int rc = txg_pipes_open(&r->pipes, &r->loop);
    struct txg_gateways_config config = txg_setup_gateways(plan);
    config.loop = &r->loop;
    config.user = r;
    config.on_message = on_message;
    config.on_bytes = on_bytes;
    config.on_down = on_down;
    config.on_log = on_log;
    config.on_closed = on_closed;
    r->gateways = txg_gateways_new(&config);
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
