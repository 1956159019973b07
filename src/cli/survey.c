#include "config.h"

#include "src/cli/survey.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "gateway/host.h"
#include "gateway/words.h"
#include "src/base/clock.h"
#include "src/base/str.h"

#define ROUND_TRIPS 3
#define TEXT_MAX    2048 /* bytes of a peer's words */

struct survey {
    struct txg_survey *out;
    uv_loop_t loop;
    uv_signal_t signals[3];
    struct visit *visits;
    size_t running;
};

struct visit {
    struct survey *survey;
    size_t number;         /* of out->hosts */
    struct txg_host *host; /* NULL once it has ended */
    int64_t n;             /* of the last probe */
    int64_t sent, sent_wall;
};

static int64_t wall_us(void)
{
    struct timeval t;
    gettimeofday(&t, NULL);
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static char *printable(struct txg_span text)
{
    struct txg_buf out = {0};
    txg_words_quote(&out, text.data, text.len < TEXT_MAX ? text.len : TEXT_MAX);
    return txg_buf_take_cstr(&out);
}

static struct txg_survey_host *found(const struct visit *v)
{
    return &v->survey->out->hosts[v->number];
}

static void send_probe(struct visit *v)
{
    struct txg_msg msg = {.type = TXG_MSG_PROBE};
    msg.beat.n = ++v->n;
    v->sent = txg_now();
    v->sent_wall = wall_us();
    txg_host_send(v->host, 0, &msg);
}

static void on_up(void *user, struct txg_host *h, const struct txg_msg_hello *hello,
                  size_t uploaded)
{
    struct visit *v = user;
    struct txg_survey_host *f = found(v);
    (void)h;
    f->arch = printable(hello->arch);
    f->kernel = printable(hello->kernel);
    f->uploaded = uploaded > 0;
    send_probe(v);
}

/* The quickest round trip tells the clock best: its middle is the host's moment. */
static void take_probed(struct visit *v, const struct txg_msg_probed *p)
{
    struct txg_survey_host *f = found(v);
    int64_t took = txg_now() - v->sent;
    if (p->n != v->n)
        return;
    if (v->n == 1 || took < f->latency) {
        f->latency = took;
        f->clock = p->wall - (v->sent_wall + took / 2);
    }
    f->free = p->free;
    if (v->n < ROUND_TRIPS)
        send_probe(v);
    else
        txg_host_stop(v->host);
}

static void on_message(void *user, struct txg_host *h, uint32_t channel, const struct txg_msg *msg)
{
    (void)h;
    if (channel == 0 && msg->type == TXG_MSG_PROBED)
        take_probed(user, &msg->probed);
}

static void on_fault(void *user, struct txg_host *h, uint32_t channel, const char *text)
{
    (void)user, (void)h, (void)channel, (void)text; /* no worker was opened */
}

static void on_words(void *user, struct txg_host *h, const char *line)
{
    (void)user, (void)h, (void)line;
}

static void on_lost(void *user, struct txg_host *h, bool cut_off, const char *text)
{
    struct visit *v = user;
    (void)h, (void)cut_off;
    found(v)->fault = printable(txg_span_cstr(text));
}

static void on_end(void *user, struct txg_host *h)
{
    struct visit *v = user;
    struct survey *s = v->survey;
    const struct txg_strv *ignored = txg_host_ignored(h);
    for (size_t i = 0; i < ignored->n; i++)
        txg_strv_take(&found(v)->ignored, printable(txg_span_cstr(ignored->items[i])));
    txg_host_free(h);
    v->host = NULL;
    if (--s->running > 0)
        return;
    for (size_t i = 0; i < sizeof s->signals / sizeof *s->signals; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void on_signal(uv_signal_t *signal, int signum)
{
    struct survey *s = signal->data;
    (void)signum;
    s->out->interrupted = true;
    for (size_t i = 0; i < s->out->n_hosts; i++)
        if (s->visits[i].host)
            txg_host_stop(s->visits[i].host);
}

static size_t host_for(struct txg_survey *out, const struct txg_spec *spec)
{
    for (size_t i = 0; i < out->n_hosts; i++)
        if (txg_spec_shares_host(out->hosts[i].spec, spec))
            return i;
    out->hosts[out->n_hosts] =
        (struct txg_survey_host){.spec = spec, .remote = !txg_spec_is_local(spec)};
    return out->n_hosts++;
}

static void start(struct survey *s, const struct txg_plan *plan)
{
    static const int signums[] = {SIGINT, SIGTERM, SIGHUP};
    uv_loop_init(&s->loop);
    for (size_t i = 0; i < sizeof signums / sizeof *signums; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, signums[i]);
    }
    s->running = s->out->n_hosts;
    s->visits = txg_xcalloc(s->out->n_hosts, sizeof *s->visits);
    for (size_t i = 0; i < s->out->n_hosts; i++) {
        struct visit *v = &s->visits[i];
        *v = (struct visit){.survey = s, .number = i};
        v->host = txg_host_new(&(struct txg_host_config){
            .loop = &s->loop,
            .spec = s->out->hosts[i].spec,
            .worker = plan->worker,
            .testrunuid = plan->testrunuid,
            .heartbeat = plan->heartbeat,
            .connect_timeout = plan->connect_timeout,
            .accept_new_host_keys = plan->accept_new_host_keys,
            .no_cache = plan->no_cache,
            .user = v,
            .on_up = on_up,
            .on_message = on_message,
            .on_fault = on_fault,
            .on_words = on_words,
            .on_lost = on_lost,
            .on_end = on_end,
        });
    }
}

void txg_survey_make(const struct txg_plan *plan, struct txg_survey *out)
{
    struct survey s = {.out = out};
    size_t n = plan->gateways.n;
    *out = (struct txg_survey){.hosts = txg_xcalloc(n, sizeof *out->hosts),
                               .host_of = txg_xcalloc(n, sizeof *out->host_of)};
    for (size_t i = 0; i < n; i++)
        out->host_of[i] = host_for(out, plan->gateways.items[i].spec);
    start(&s, plan);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    uv_loop_close(&s.loop);
    txg_transports_settle();
    free(s.visits);
}

void txg_survey_release(struct txg_survey *s)
{
    for (size_t i = 0; i < s->n_hosts; i++) {
        struct txg_survey_host *f = &s->hosts[i];
        free(f->fault);
        free(f->arch);
        free(f->kernel);
        txg_strv_release(&f->ignored);
    }
    free(s->hosts);
    free(s->host_of);
    *s = (struct txg_survey){0};
}
