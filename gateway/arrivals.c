#include "config.h"

#include "gateway/arrivals.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/words.h"
#include "specs/words.h"
#include "src/base/str.h"

#define READ_SIZE 4096
#define SAID_MAX  65536 /* bytes of who waits: its agent's hello and beats */
#define TICK      200   /* ms */
#define SAY_TIME  5000  /* ms for a worker that has proven itself to say its name */

struct guest { /* who has not said its name, or waits */
    struct txg_arrivals *set;
    struct txg_arrival *arrival;
    struct guest *next;
    uint64_t since;
};

struct txg_arrivals {
    struct txg_arrivals_config config;
    uv_process_t door;
    uv_pipe_t links, err;
    uv_timer_t timer;
    struct txg_words words;
    struct guest *guests; /* in the order of their coming */
    size_t n;
    struct txg_arrivals_waiter *waiters;
    char *where, *fault;
    uint64_t exited; /* when the door's process ended; 0: it has not */
    int status, signal;
    bool closing;
    char in_buf[READ_SIZE];
};

void txg_arrival_free(struct txg_arrival *arrival)
{
    free(arrival->from);
    free(arrival->name);
    txg_buf_release(&arrival->said);
    free(arrival);
}

static void on_guest_closed(uv_handle_t *handle)
{
    struct guest *g = handle->data;
    txg_arrival_free(g->arrival);
    free(g);
}

static void unlink_guest(struct guest *g)
{
    struct guest **at = &g->set->guests;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    g->set->n--;
}

static void say(struct txg_arrivals *a, const struct txg_arrival *arrival, const char *text)
{
    TXG_AUTOFREE char *line =
        txg_xasprintf("%s (%s) %s", arrival->name ? arrival->name : "a worker",
                      arrival->from ? arrival->from : "from somewhere", text);
    a->config.on_words(a->config.user, line);
}

static void send_away(struct guest *g, const char *why)
{
    if (why)
        say(g->set, g->arrival, why);
    unlink_guest(g);
    uv_close((uv_handle_t *)&g->arrival->pipe, on_guest_closed);
}

static bool fits(const struct txg_arrivals_waiter *w, const struct txg_arrival *arrival, bool named)
{
    return named ? w->id && strcmp(w->id, arrival->name) == 0 : !w->id;
}

/* By its name, else for whoever takes any. */
static struct txg_arrivals_waiter *waiter_for(const struct txg_arrivals *a,
                                              const struct txg_arrival *arrival)
{
    for (int named = 1; named >= 0; named--)
        for (struct txg_arrivals_waiter *w = a->waiters; w; w = w->next)
            if (fits(w, arrival, named))
                return w;
    return NULL;
}

static void hand(struct guest *g, struct txg_arrivals_waiter *w)
{
    struct txg_arrival *arrival = g->arrival;
    txg_arrivals_leave(g->set, w);
    unlink_guest(g);
    uv_read_stop((uv_stream_t *)&arrival->pipe);
    free(g);
    w->take(w, arrival);
}

/* Takes a line from the front of what was said; NULL: it is not whole. */
static char *take_line(struct txg_buf *said)
{
    const char *data = txg_buf_data(said);
    const char *end = memchr(data, '\n', txg_buf_len(said));
    if (!end)
        return NULL;
    char *line = txg_xstrndup(data, (size_t)(end - data));
    txg_buf_consume(said, strlen(line) + 1);
    return line;
}

/* The address is the door's, the name the worker's own. */
static void hear(struct guest *g)
{
    struct txg_arrival *arrival = g->arrival;
    if (arrival->name) {
        if (txg_buf_len(&arrival->said) > SAID_MAX)
            send_away(g, "was sent away: nobody has waited for it");
        return;
    }
    if (!arrival->from)
        arrival->from = take_line(&arrival->said);
    if (arrival->from && !arrival->name)
        arrival->name = take_line(&arrival->said);
    if (!arrival->name && txg_buf_len(&arrival->said) > TXG_ARRIVAL_LINES) {
        send_away(g, "was sent away: it has the key and says no name");
    } else if (arrival->name &&
               (strlen(arrival->name) > TXG_ARRIVAL_NAME || !txg_word_ok(arrival->name))) {
        free(arrival->name);
        arrival->name = NULL;
        send_away(g, "was sent away: the name it gives is none (--name)");
    } else if (arrival->name) {
        struct txg_arrivals_waiter *w = waiter_for(g->set, arrival);
        if (w)
            hand(g, w);
        else if (!g->set->config.on_unwanted(g->set->config.user, arrival->name))
            say(g->set, arrival, "connected, and no gateway waits for it");
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct guest *g = handle->data;
    *buf = uv_buf_init(g->set->in_buf, sizeof g->set->in_buf);
}

static void on_guest_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct guest *g = stream->data;
    if (n < 0) {
        send_away(g, "has left");
    } else if (n > 0) {
        txg_buf_append(&g->arrival->said, buf->base, (size_t)n);
        hear(g);
    }
}

static void welcome(struct txg_arrivals *a)
{
    struct guest *g = txg_xcalloc(1, sizeof *g);
    g->set = a;
    g->since = uv_now(a->config.loop);
    g->arrival = txg_xcalloc(1, sizeof *g->arrival);
    uv_pipe_init(a->config.loop, &g->arrival->pipe, 0);
    g->arrival->pipe.data = g;
    struct guest **at = &a->guests;
    while (*at)
        at = &(*at)->next;
    *at = g;
    a->n++;
    if (uv_accept((uv_stream_t *)&a->links, (uv_stream_t *)&g->arrival->pipe) != 0)
        send_away(g, "could not be taken");
    else if (a->n > TXG_ARRIVALS_MAX)
        send_away(g, "was sent away: 64 workers wait already");
    else
        uv_read_start((uv_stream_t *)&g->arrival->pipe, on_alloc, on_guest_read);
}

static void on_links_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct txg_arrivals *a = handle->data;
    *buf = uv_buf_init(a->in_buf, sizeof a->in_buf);
}

static void on_link(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct txg_arrivals *a = stream->data;
    if (n < 0)
        uv_read_stop(stream);
    while (!a->closing && uv_pipe_pending_count(&a->links) > 0)
        welcome(a);
}

static void fail_all(struct txg_arrivals *a)
{
    while (a->waiters && a->fault) {
        struct txg_arrivals_waiter *w = a->waiters;
        txg_arrivals_leave(a, w);
        w->fail(w, a->fault);
    }
}

static void on_line(void *user, const char *line)
{
    struct txg_arrivals *a = user;
    const char *own = "txgate-worker: ", *listens = "listening on ";
    const char *text = strncmp(line, own, strlen(own)) == 0 ? line + strlen(own) : line;
    if (strncmp(text, listens, strlen(listens)) == 0) {
        free(a->where);
        a->where = txg_xstrdup(text + strlen(listens));
    }
    a->config.on_words(a->config.user, text);
}

static void on_err(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct txg_arrivals *a = stream->data;
    if (n > 0)
        txg_words_feed(&a->words, buf->base, (size_t)n, on_line, a);
    else if (n < 0)
        uv_read_stop(stream);
}

/* Those who came are served by processes of their own, and go on. */
static void on_door_exit(uv_process_t *process, int64_t status, int sig)
{
    struct txg_arrivals *a = process->data;
    a->exited = uv_now(a->config.loop);
    a->status = (int)status;
    a->signal = sig;
}

/* Its last words have come by now. */
static void explain_exit(struct txg_arrivals *a)
{
    const char *words = txg_words_last(&a->words);
    size_t len = strlen(words);
    a->fault = a->signal
                   ? txg_xasprintf("--listen %s: its process was killed by signal %d",
                                   a->config.listen, a->signal)
                   : txg_xasprintf("--listen %s: its process ended with status %d: %.*s",
                                   a->config.listen, a->status, (int)(len ? len - 1 : 0), words);
}

/* A name that is not said in time is not waited for, nor who was not told of a fault yet. */
static void on_tick(uv_timer_t *timer)
{
    struct txg_arrivals *a = timer->data;
    if (a->exited && !a->fault && uv_now(a->config.loop) - a->exited >= TICK)
        explain_exit(a);
    fail_all(a);
    for (struct guest *g = a->guests, *next; g; g = next) {
        next = g->next;
        if (!g->arrival->name && uv_now(a->config.loop) - g->since > SAY_TIME)
            send_away(g, "was sent away: it says no name");
    }
}

static void spawn(struct txg_arrivals *a)
{
    const char *argv[] = {a->config.worker,
                          "--listen",
                          a->config.listen,
                          "--key-file",
                          a->config.key_file,
                          "--hand-over",
                          "-",
                          NULL};
    uv_stdio_container_t stdio[3] = {
        {UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
         {.stream = (uv_stream_t *)&a->links}},
        {UV_IGNORE, {0}},
        {UV_CREATE_PIPE | UV_WRITABLE_PIPE, {.stream = (uv_stream_t *)&a->err}},
    };
    uv_process_options_t options = {
        .exit_cb = on_door_exit,
        .file = argv[0],
        .args = (char **)(void *)argv,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    int rc = uv_spawn(a->config.loop, &a->door, &options);
    if (rc != 0) {
        a->fault = txg_xasprintf("--listen %s: %s: %s", a->config.listen, argv[0], uv_strerror(rc));
        return;
    }
    uv_read_start((uv_stream_t *)&a->links, on_links_alloc, on_link);
    uv_read_start((uv_stream_t *)&a->err, on_links_alloc, on_err);
}

struct txg_arrivals *txg_arrivals_new(const struct txg_arrivals_config *config)
{
    struct txg_arrivals *a = txg_xcalloc(1, sizeof *a);
    a->config = *config;
    a->where = txg_xstrdup(config->listen);
    uv_pipe_init(config->loop, &a->links, 1);
    uv_pipe_init(config->loop, &a->err, 0);
    uv_timer_init(config->loop, &a->timer);
    a->door.data = a->links.data = a->err.data = a->timer.data = a;
    signal(SIGPIPE, SIG_IGN);
    spawn(a);
    uv_timer_start(&a->timer, on_tick, 0, TICK);
    return a;
}

/* The door sees the end of its stdin, and ends. */
void txg_arrivals_close(struct txg_arrivals *a)
{
    a->closing = true;
    while (a->guests)
        send_away(a->guests, NULL);
    uv_close((uv_handle_t *)&a->links, NULL);
    uv_close((uv_handle_t *)&a->err, NULL);
    uv_close((uv_handle_t *)&a->timer, NULL);
    uv_close((uv_handle_t *)&a->door, NULL);
}

void txg_arrivals_free(struct txg_arrivals *a)
{
    if (!a)
        return;
    txg_words_release(&a->words);
    free(a->where);
    free(a->fault);
    free(a);
}

void txg_arrivals_wait(struct txg_arrivals *a, struct txg_arrivals_waiter *w)
{
    struct txg_arrivals_waiter **at = &a->waiters;
    while (*at)
        at = &(*at)->next;
    *at = w;
    w->next = NULL;
    for (int named = 1; named >= 0; named--)
        for (struct guest *g = a->guests; g; g = g->next)
            if (g->arrival->name && fits(w, g->arrival, named)) {
                hand(g, w);
                return;
            }
}

void txg_arrivals_leave(struct txg_arrivals *a, struct txg_arrivals_waiter *w)
{
    struct txg_arrivals_waiter **at = &a->waiters;
    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

const char *txg_arrivals_where(const struct txg_arrivals *a)
{
    return a->where;
}
