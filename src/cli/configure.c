#include "config.h"

#include "src/cli/configure.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "gateway/words.h"
#include "specs/words.h"
#include "src/base/str.h"
#include "src/cli/json_read.h"

#define AT_ONCE     16            /* programs that run side by side */
#define ANSWER_MAX  (512u * 1024) /* bytes: a workerinput travels in one frame */
#define CHUNK       4096
#define PIPES_LIMIT 1000 /* ms that its pipes may stay open after its end */

struct configure;

struct program {
    struct configure *all;
    size_t gateway;
    uv_process_t process;
    uv_pipe_t in, out, err;
    uv_timer_t timer;
    uv_write_t write;
    struct txg_buf request, answer, chunk;
    struct txg_words words;
    unsigned open; /* handles */
    bool spawned, exited, too_much, late;
    int errnum; /* of its start */
    int64_t status;
    int signal; /* that ended it */
};

struct configure {
    struct txg_plan *plan;
    const char *program, *cwd;
    struct txg_strv argv;
    uv_loop_t loop;
    struct program *programs; /* one for each gateway */
    size_t next, running;
    struct txg_err *err;
    bool failed;
};

static void run_more(struct configure *all);

static void make_request(struct program *p)
{
    const struct txg_plan *plan = p->all->plan;
    const struct txg_gateway_def *def = &plan->gateways.items[p->gateway];
    struct txg_value node = txg_value_dict(), labels = txg_value_list(), input;
    TXG_AUTOFREE char *id = txg_xasprintf("gw%zu", p->gateway);
    for (size_t i = 0; i < def->labels.n; i++)
        txg_value_push(&labels,
                       txg_value_string(def->labels.items[i], strlen(def->labels.items[i])));
    txg_value_copy(&input, &def->input);
    txg_value_set(&node, "gateway", txg_value_string(id, strlen(id)));
    txg_value_set(&node, "spec", txg_value_string(def->spec->text, strlen(def->spec->text)));
    txg_value_set(&node, "device",
                  def->device ? txg_value_string(def->device, strlen(def->device))
                              : (struct txg_value){0});
    txg_value_set(&node, "labels", labels);
    txg_value_set(&node, "workercount", txg_value_int((int64_t)plan->gateways.n));
    txg_value_set(&node, "testrunuid",
                  txg_value_string(plan->testrunuid, strlen(plan->testrunuid)));
    txg_value_set(&node, "workerinput", input);
    txg_value_to_json(&node, &p->request);
    txg_buf_putc(&p->request, '\n');
    txg_value_release(&node);
}

static int take_answer(struct program *p, struct txg_err *err)
{
    struct txg_gateway_def *def = &p->all->plan->gateways.items[p->gateway];
    struct txg_value answer;
    if (txg_json_read(txg_buf_data(&p->answer), txg_buf_len(&p->answer), &answer, err) != 0)
        return txg_err_wrap(err, "its answer on stdout");
    int rc = answer.type == TXG_DICT
                 ? 0
                 : txg_err_set(err, TXG_E_USAGE,
                               "its answer on stdout: expected an object such as "
                               "{\"ipadr\": \"10.0.0.11\"}");
    for (size_t i = 0; rc == 0 && i < answer.many.n; i++) {
        const char *key = answer.many.keys[i];
        struct txg_value copy;
        if (!txg_name_ok(key)) {
            TXG_AUTOFREE char *shown = txg_word_show(key, strlen(key));
            rc =
                txg_err_set(err, TXG_E_USAGE,
                            "its answer on stdout: '%s': expected a name of " TXG_NAME_RULE, shown);
            break;
        }
        txg_value_copy(&copy, &answer.many.items[i]);
        txg_value_set(&def->input, key, copy);
    }
    txg_value_release(&answer);
    return rc;
}

/* How it ended, and what it answered. */
static int judge(struct program *p, struct txg_err *err)
{
    if (p->errnum)
        return txg_err_set(err, TXG_E_SYS, "%s", uv_strerror(p->errnum));
    if (p->late)
        return txg_err_set(err, TXG_E_TIMEOUT, "no answer within %.6g s (--connect-timeout)",
                           (double)p->all->plan->connect_timeout / 1e6);
    if (p->too_much)
        return txg_err_set(err, TXG_E_LIMIT, "its answer on stdout has more than %u bytes",
                           ANSWER_MAX);
    if (p->signal)
        return txg_err_set(err, TXG_E_USAGE, "was killed by signal %d (%s)", p->signal,
                           strsignal(p->signal));
    if (p->status)
        return txg_err_set(err, TXG_E_USAGE, "ended with status %lld", (long long)p->status);
    return take_answer(p, err);
}

static void on_closed(uv_handle_t *handle);

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_all(struct program *p)
{
    close_handle(&p->in);
    close_handle(&p->out);
    close_handle(&p->err);
    close_handle(&p->timer);
    if (!p->spawned || p->exited)
        close_handle(&p->process);
}

static void kill_program(struct program *p)
{
    if (p->spawned && !p->exited)
        uv_process_kill(&p->process, SIGKILL); /* on_ended closes the rest */
    else
        close_all(p);
}

static void fail(struct program *p, const struct txg_err *why)
{
    struct configure *all = p->all;
    if (all->failed) /* it was ended because of another one */
        return;
    all->failed = true;
    if (all->err) {
        *all->err = *why;
        txg_err_wrap(all->err, "--configure-node '%s' for gw%zu (%s)", all->program, p->gateway,
                     all->plan->gateways.items[p->gateway].spec->text);
    }
    for (size_t i = 0; i < all->next; i++)
        if (all->programs[i].open)
            kill_program(&all->programs[i]);
}

static void on_line(void *user, const char *line)
{
    const struct program *p = user;
    fprintf(stderr, "[gw%zu] %s\n", p->gateway, line);
}

static void on_closed(uv_handle_t *handle)
{
    struct program *p = handle->data;
    struct configure *all = p->all;
    struct txg_err err;
    if (--p->open > 0)
        return;
    txg_words_end(&p->words, on_line, p);
    txg_words_release(&p->words);
    if (judge(p, &err) != 0)
        fail(p, &err);
    txg_buf_release(&p->request);
    txg_buf_release(&p->answer);
    txg_buf_release(&p->chunk);
    all->running--;
    run_more(all);
}

static void on_time(uv_timer_t *timer)
{
    struct program *p = timer->data;
    p->late = !p->exited; /* else something that it left behind holds its pipes */
    kill_program(p);
}

static void settle(struct program *p)
{
    if (p->exited && uv_is_closing((uv_handle_t *)&p->out) && uv_is_closing((uv_handle_t *)&p->err))
        close_all(p);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct program *p = process->data;
    p->exited = true;
    p->status = status;
    p->signal = signal;
    if (p->late || p->too_much || p->all->failed)
        close_all(p);
    else
        uv_timer_start(&p->timer, on_time, PIPES_LIMIT, 0);
    settle(p);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct program *p = handle->data;
    (void)suggested;
    txg_buf_clear(&p->chunk);
    *out = uv_buf_init(txg_buf_reserve(&p->chunk, CHUNK), CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct program *p = stream->data;
    if (n < 0) {
        close_handle(stream);
        settle(p);
    } else if (stream == (uv_stream_t *)&p->err) {
        txg_words_feed(&p->words, buf->base, (size_t)n, on_line, p);
    } else {
        txg_buf_append(&p->answer, buf->base, (size_t)n);
        if (txg_buf_len(&p->answer) > ANSWER_MAX) {
            p->too_much = true;
            kill_program(p);
        }
    }
}

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* one that does not read what it is told may answer all the same */
    close_handle(write->handle);
}

static void own(struct program *p, void *handle)
{
    ((uv_handle_t *)handle)->data = p;
    p->open++;
}

static int spawn(struct program *p)
{
    struct configure *all = p->all;
    uv_stdio_container_t stdio[] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&p->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->err},
    };
    uv_process_options_t options = {.exit_cb = on_ended,
                                    .file = all->argv.items[0],
                                    .args = all->argv.items,
                                    .cwd = all->cwd,
                                    .stdio = stdio,
                                    .stdio_count = 3};
    return uv_spawn(&all->loop, &p->process, &options);
}

static void start(struct configure *all, size_t gateway)
{
    struct program *p = &all->programs[gateway];
    *p = (struct program){.all = all, .gateway = gateway};
    all->running++;
    uv_timer_init(&all->loop, &p->timer);
    own(p, &p->timer);
    uv_pipe_t *pipes[] = {&p->in, &p->out, &p->err};
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++) {
        uv_pipe_init(&all->loop, pipes[i], 0);
        own(p, pipes[i]);
    }
    p->errnum = spawn(p);
    own(p, &p->process); /* libuv wants it closed after a failed spawn too */
    p->spawned = p->errnum == 0;
    if (!p->spawned) {
        close_all(p);
        return;
    }
    make_request(p);
    uv_timer_start(&p->timer, on_time, (uint64_t)all->plan->connect_timeout / 1000 + 1, 0);
    uv_read_start((uv_stream_t *)&p->out, on_alloc, on_read);
    uv_read_start((uv_stream_t *)&p->err, on_alloc, on_read);
    uv_buf_t request =
        uv_buf_init((char *)txg_buf_data(&p->request), (unsigned)txg_buf_len(&p->request));
    if (uv_write(&p->write, (uv_stream_t *)&p->in, &request, 1, on_written) != 0)
        close_handle(&p->in);
}

static void run_more(struct configure *all)
{
    while (!all->failed && all->running < AT_ONCE && all->next < all->plan->gateways.n)
        start(all, all->next++);
}

int txg_configure_nodes(struct txg_plan *plan, struct txg_err *err)
{
    if (!plan->configure_node)
        return 0;
    struct configure all = {
        .plan = plan, .program = plan->configure_node, .cwd = plan->configure_cwd, .err = err};
    txg_strv_split(&all.argv, plan->configure_node);
    if (all.argv.n == 0)
        return txg_err_set(err, TXG_E_USAGE,
                           "--configure-node: expected a program and its arguments");
    signal(SIGPIPE, SIG_IGN); /* one that ends before it has read all must not end txgate */
    all.programs = txg_xcalloc(plan->gateways.n, sizeof *all.programs);
    uv_loop_init(&all.loop);
    run_more(&all);
    uv_run(&all.loop, UV_RUN_DEFAULT);
    uv_loop_close(&all.loop);
    free(all.programs);
    txg_strv_release(&all.argv);
    return all.failed ? -1 : 0;
}
