#include "config.h"

#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/exited.h"
#include "gateway/hosts.h"
#include "gateway/listeners.h"
#include "gateway/opening.h"
#include "gateway/syncs.h"
#include "gateway/wire/frame.h"
#include "src/base/clock.h"
#include "src/base/str.h"

#define TICK 50                /* milliseconds between two looks at the deadlines */
#define IDLE INT64_C(1000000)  /* microseconds that a host stays without a gateway */
#define OBEY INT64_C(10000000) /* the same for an agent to tell that a closed worker has ended */
#define REST INT64_C(1000000)  /* the same between two tries to reach a host that was there */

/*
 *  OPENING --opened--> STARTING --workerready--> READY --exited, lost, not closed--> DEAD
 *     |                   |
 *     +-------------------+--exited, lost, deadline--> DEAD
 */
enum state { OPENING, STARTING, READY, DEAD };

struct gateway {
    enum state state;
    struct txg_host *host; /* borrowed; NULL once dead, and between two tries */
    int64_t next_try;      /* microseconds; 0: it has a host */
    /* Until when its host, or that of who takes its place, is tried; 0: once is enough. */
    int64_t try_until;
    uint32_t channel; /* number + 1: never used twice on a link */
    int64_t deadline; /* microseconds: for it to be ready, or to have ended once closed */
    bool closed;      /* when it was ready */
    const struct txg_spec *spec;
    struct txg_strv argv; /* of a raw one; empty: a worker */
    char *fault;          /* owned: how it broke the protocol */
    size_t lines;         /* that its host had said when it was opened */
    bool waiting;         /* for its host to be up, and for the files there */
    struct txg_buf later; /* frames that are sent once it is opened */
};

struct txg_gateways {
    struct txg_gateways_config config;
    struct gateway *items; /* by number */
    size_t n, cap;
    struct txg_hosts hosts;
    struct txg_syncs syncs;
    struct txg_listeners *listeners;
    uv_timer_t tick;
    size_t starting, closed;
    bool closing, tick_closed;
};

static bool is_raw(const struct gateway *g)
{
    return g->argv.n > 0;
}

/* The last word on a gateway. */
static void down(struct txg_gateways *set, struct gateway *g, enum txg_gateway_end end,
                 const char *text)
{
    if (g->state == DEAD)
        return;
    struct txg_host *h = g->host;
    set->starting -= g->state < READY;
    set->closed -= g->closed;
    g->closed = false;
    if (g->state == READY)
        g->try_until = txg_now() + set->config.connect_timeout;
    g->state = DEAD;
    g->host = NULL;
    if (h)
        txg_hosts_release(&set->hosts, h);
    g->waiting = false;
    txg_buf_release(&g->later);
    struct txg_gateway_down last = {end, !h || !txg_host_is_usable(h), text,
                                    h ? txg_host_words(h, g->lines) : ""};
    if (!set->closing)
        set->config.on_down(set->config.user, (unsigned)(g - set->items), &last);
}

static struct gateway *find(struct txg_gateways *set, const struct txg_host *h, uint32_t channel)
{
    if (channel == 0 || channel > set->n)
        return NULL;
    struct gateway *g = &set->items[channel - 1];
    return g->host == h && g->state != DEAD ? g : NULL;
}

static void open_all(void *user, struct txg_host *h);

static void send_close(struct gateway *g)
{
    struct txg_msg msg = {.type = TXG_MSG_CLOSE};
    msg.close.channel = g->channel;
    txg_host_send(g->host, 0, &msg);
}

/* Whoever is not ready has a deadline already. */
static void close_ready(struct txg_gateways *set, struct gateway *g)
{
    send_close(g);
    if (g->state != READY || g->closed)
        return;
    g->closed = true;
    g->deadline = txg_now() + OBEY;
    set->closed++;
}

static void keeper_exited(struct txg_sync *s, const struct txg_msg_exited *e)
{
    char text[TXG_ERR_TEXT_MAX];
    txg_exited_describe_keeper(e, text, sizeof text);
    if (txg_exited_was_killed(e))
        txg_sync_cut_off(s, text);
    else
        txg_sync_fail(s, text);
}

static void take_exited(struct txg_gateways *set, struct txg_host *h,
                        const struct txg_msg_exited *e)
{
    char text[TXG_ERR_TEXT_MAX];
    struct txg_sync *s = txg_syncs_of_channel(&set->syncs, h, e->channel);
    if (s) {
        keeper_exited(s, e);
        open_all(set, h);
        return;
    }
    struct gateway *g = find(set, h, e->channel);
    txg_exited_describe(e, g ? g->fault : NULL, text, sizeof text);
    if (!g) {
        txg_listeners_exited(set->listeners, h, e->channel, text);
        return;
    }
    if (g->state != READY)
        down(set, g, txg_exited_was_killed(e) ? TXG_GATEWAY_CUT_OFF : TXG_GATEWAY_NOT_STARTED,
             text);
    else if (e->cause == TXG_EXIT_STATUS && e->status == 0)
        down(set, g, TXG_GATEWAY_ENDED, text);
    else
        down(set, g, TXG_GATEWAY_CRASHED, text);
}

static void on_fault(void *user, struct txg_host *h, uint32_t channel, const char *text)
{
    struct txg_gateways *set = user;
    struct gateway *g = find(set, h, channel);
    if (!g || g->fault)
        return;
    g->fault = txg_xasprintf("worker sent what is not in the protocol: %s", text);
    close_ready(set, g);
}

static bool is_from_worker(enum txg_msg_type type)
{
    return type >= TXG_MSG_WORKERREADY && type <= TXG_MSG_WORKERFINISHED;
}

/* For who wants to know what a run has sent: nothing, the second time. */
static void tell_sent(struct txg_gateways *set, const struct txg_host *h, const char *what,
                      int64_t bytes)
{
    char text[128];
    snprintf(text, sizeof text, "%s: %lld bytes sent", what, (long long)bytes);
    if (!set->closing)
        set->config.on_log(set->config.user, txg_host_spec(h)->text, "info", text);
}

static void tell_leaving(struct txg_gateways *set, struct txg_host *h)
{
    for (size_t i = 0; i < set->n && set->config.on_leaving && !set->closing; i++)
        if (set->items[i].host == h && set->items[i].state != DEAD)
            set->config.on_leaving(set->config.user, (unsigned)i);
}

static void on_message(void *user, struct txg_host *h, uint32_t channel, const struct txg_msg *msg)
{
    struct txg_gateways *set = user;
    if (msg->type == TXG_MSG_EXITED && channel == 0) {
        take_exited(set, h, &msg->exited);
        return;
    }
    if (msg->type == TXG_MSG_LOG && channel == 0) {
        TXG_AUTOFREE char *level = txg_xstrndup(msg->log.level.data, msg->log.level.len);
        TXG_AUTOFREE char *text = txg_xstrndup(msg->log.text.data, msg->log.text.len);
        set->config.on_log(set->config.user, txg_host_spec(h)->text, level, text);
        return;
    }
    if (msg->type == TXG_MSG_LEAVING && channel == 0) {
        tell_leaving(set, h);
        return;
    }
    struct txg_sync *s = txg_syncs_of_channel(&set->syncs, h, channel);
    if (s) {
        txg_sync_take(s, msg, txg_now());
        if (txg_sync_state(s) == TXG_SYNC_DONE)
            tell_sent(set, h, "files", txg_sync_sent(s));
        open_all(set, h);
        return;
    }
    if (channel == 0 && msg->type != TXG_MSG_OPENED) /* nobody asked for it */
        return;
    struct gateway *g = find(set, h, channel ? channel : msg->opened.channel);
    if (!g || g->fault)
        return;
    if (channel == 0) {
        if (g->state != OPENING)
            return;
        g->state = is_raw(g) ? READY : STARTING;
        set->starting -= is_raw(g);
        return;
    }
    if (!is_from_worker(msg->type)) {
        on_fault(user, h, channel, txg_msg_name(msg->type));
        return;
    }
    if (msg->type == TXG_MSG_WORKERREADY && g->state < READY) {
        g->state = READY;
        set->starting--;
    }
    set->config.on_message(set->config.user, (unsigned)(channel - 1), msg);
}

static bool on_bytes(void *user, struct txg_host *h, uint32_t channel, struct txg_span bytes)
{
    struct txg_gateways *set = user;
    const struct gateway *g = find(set, h, channel);
    if (!g)
        return txg_listeners_take(set->listeners, h, channel, bytes);
    if (!is_raw(g))
        return false;
    set->config.on_bytes(set->config.user, (unsigned)(channel - 1), bytes);
    return true;
}

static void on_words(void *user, struct txg_host *h, const char *line)
{
    struct txg_gateways *set = user;
    if (!set->closing)
        set->config.on_log(set->config.user, txg_host_spec(h)->text, "warning", line);
}

/* A board that starts again, or a cable that is out for a moment: nothing of the gateway has gone
 * to the host yet, so that it can be taken to the next link. */
static bool try_later(struct txg_gateways *set, struct gateway *g, const char *text)
{
    int64_t next = txg_now() + REST;
    if (g->state != OPENING || !g->waiting || g->deadline == 0 || next >= g->try_until)
        return false;
    TXG_AUTOFREE char *line = txg_xasprintf("%s; trying again", text);
    set->config.on_log(set->config.user, g->spec->text, "info", line);
    txg_hosts_release(&set->hosts, g->host);
    g->host = NULL;
    g->next_try = next;
    return true;
}

static void on_lost(void *user, struct txg_host *h, bool cut_off, const char *text)
{
    struct txg_gateways *set = user;
    txg_listeners_lost(set->listeners, h, text);
    enum txg_gateway_end unready = cut_off ? TXG_GATEWAY_CUT_OFF : TXG_GATEWAY_NOT_STARTED;
    for (size_t i = 0; i < set->n; i++) {
        struct gateway *g = &set->items[i];
        if (g->host != h || try_later(set, g, text))
            continue;
        /* An agent that has not obeyed close either: what came first is the cause. */
        TXG_AUTOFREE char *both = g->fault ? txg_xasprintf("%s; then %s", g->fault, text) : NULL;
        down(set, g, g->state == READY ? TXG_GATEWAY_LOST : unready, both ? both : text);
    }
}

static void on_tick_closed(uv_handle_t *handle)
{
    struct txg_gateways *set = handle->data;
    set->tick_closed = true;
    if (set->hosts.n == 0)
        set->config.on_closed(set->config.user);
}

static void on_end(void *user, struct txg_host *h)
{
    struct txg_gateways *set = user;
    txg_hosts_remove(&set->hosts, h);
    txg_syncs_drop(&set->syncs, h);
    txg_listeners_lost(set->listeners, h, "its host was closed");
    txg_host_free(h);
    if (set->closing && set->tick_closed && set->hosts.n == 0)
        set->config.on_closed(set->config.user);
}

/* `root` is where its files were brought, or NULL. */
static void send_open(const struct gateway *g, const char *root)
{
    struct txg_msg msg;
    txg_opening_make(&msg, g->channel, g->spec, &g->argv, root);
    txg_host_send(g->host, 0, &msg);
    txg_msg_release(&msg);
}

static void send_to(struct gateway *g, const struct txg_msg *msg)
{
    if (!g->waiting) {
        txg_host_send(g->host, g->channel, msg);
        return;
    }
    size_t mark = txg_frame_begin(&g->later, g->channel);
    txg_msg_encode(msg, &g->later);
    txg_frame_end(&g->later, mark);
}

static struct txg_sync *sync_for(struct txg_gateways *set, struct gateway *g)
{
    struct txg_sync *s = txg_syncs_of_folder(&set->syncs, g->host, g->spec->chdir);
    if (s)
        return s;
    const struct txg_manifest *files =
        set->config.files_for(set->config.user, (unsigned)(g - set->items), txg_host_arch(g->host));
    return files ? txg_syncs_start(&set->syncs, g->host, g->spec->chdir, files, txg_now()) : NULL;
}

/* Files first: what collects must find them. One that was killed meanwhile is never opened: its
 * close would have come before its open. */
static void open_when_ready(struct txg_gateways *set, struct gateway *g)
{
    if (!g->waiting || g->deadline == 0)
        return;
    struct txg_sync *s = is_raw(g) ? NULL : sync_for(set, g); /* a program needs no files */
    if (s && txg_sync_state(s) == TXG_SYNC_RUNNING)
        return;
    g->waiting = false;
    if (s && txg_sync_state(s) == TXG_SYNC_FAILED) {
        TXG_AUTOFREE char *text = txg_xasprintf("sync: %s", txg_sync_reason(s));
        bool cut_off = txg_sync_was_cut_off(s);
        if (cut_off)
            txg_syncs_forget(&set->syncs, s);
        down(set, g, cut_off ? TXG_GATEWAY_CUT_OFF : TXG_GATEWAY_NOT_STARTED, text);
        return;
    }
    g->deadline = txg_now() + set->config.connect_timeout;
    send_open(g, s ? txg_sync_root(s) : NULL);
    txg_host_send_frames(g->host, txg_span(txg_buf_data(&g->later), txg_buf_len(&g->later)));
    txg_buf_release(&g->later);
}

/* Those of one host that waited. */
static void open_all(void *user, struct txg_host *h)
{
    struct txg_gateways *set = user;
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].state != DEAD && set->items[i].host == h)
            open_when_ready(set, &set->items[i]);
}

static void on_up(void *user, struct txg_host *h, const struct txg_msg_hello *hello,
                  size_t uploaded)
{
    (void)hello;
    if (txg_host_is_shell(h))
        tell_sent(user, h, "worker", (int64_t)uploaded);
    open_all(user, h);
}

static bool on_room(void *user, struct txg_host *h)
{
    struct txg_gateways *set = user;
    return txg_syncs_pump(&set->syncs, h, txg_now());
}

/* A process that hangs in the kernel can't be killed, and an agent can lie. */
static void give_closed_up(struct txg_gateways *set, int64_t now)
{
    for (size_t i = 0; i < set->n && set->closed; i++) {
        struct gateway *g = &set->items[i];
        if (!g->closed || now < g->deadline)
            continue;
        TXG_AUTOFREE char *text =
            txg_xasprintf("%s, and its agent has not ended it within %d s",
                          g->fault ? g->fault : "worker was closed", (int)(OBEY / 1000000));
        down(set, g, TXG_GATEWAY_CRASHED, text);
    }
}

static void attach_again(struct txg_gateways *set, struct gateway *g);

static void on_tick(uv_timer_t *timer)
{
    struct txg_gateways *set = timer->data;
    int64_t now = txg_now();
    txg_hosts_stop_idle(&set->hosts, IDLE);
    txg_syncs_watch(&set->syncs, now, set->config.connect_timeout, open_all, set);
    for (size_t i = 0; i < set->n && set->starting; i++) {
        struct gateway *g = &set->items[i];
        if (g->state >= READY)
            continue;
        if (g->next_try && g->deadline) {
            if (now >= g->next_try)
                attach_again(set, g);
            continue;
        }
        if (g->deadline && (g->waiting || !txg_host_is_up(g->host)))
            g->deadline = now + set->config.connect_timeout; /* the host's come first, and sync's */
        if (now < g->deadline)
            continue;
        char text[128];
        snprintf(text, sizeof text, "%s: no answer within %.6g s (--connect-timeout)",
                 g->state == OPENING ? "open" : "start of the worker",
                 (double)set->config.connect_timeout / 1e6);
        if (g->host)
            send_close(g);
        down(set, g, TXG_GATEWAY_NOT_STARTED, g->deadline == 0 ? "closed before it was up" : text);
        now = txg_now();
    }
    give_closed_up(set, now);
}

static struct txg_host *hold_host(void *user, const struct txg_spec *spec);
static void release_host(void *user, struct txg_host *h);

struct txg_gateways *txg_gateways_new(const struct txg_gateways_config *config)
{
    struct txg_gateways *set = txg_xcalloc(1, sizeof *set);
    set->config = *config;
    set->listeners =
        txg_listeners_new(&(struct txg_listeners_config){set, hold_host, release_host});
    uv_timer_init(config->loop, &set->tick);
    set->tick.data = set;
    uv_timer_start(&set->tick, on_tick, TICK, TICK);
    return set;
}

bool txg_gateways_is_new_host(const struct txg_gateways *set, const struct txg_spec *spec)
{
    return txg_hosts_find(&set->hosts, spec) == NULL;
}

static struct txg_host *host_for(struct txg_gateways *set, unsigned number,
                                 const struct txg_spec *spec)
{
    struct txg_host *h = txg_hosts_find(&set->hosts, spec);
    if (h)
        return h;
    h = txg_host_new(&(struct txg_host_config){
        .loop = set->config.loop,
        .spec = spec,
        .worker = set->config.worker,
        .testrunuid = set->config.testrunuid,
        .heartbeat = set->config.heartbeat,
        .connect_timeout = set->config.connect_timeout,
        .accept_new_host_keys = set->config.accept_new_host_keys,
        .arrivals = set->config.arrivals,
        .listeners = set->listeners,
        .no_cache = set->config.no_cache,
        .user = set,
        .on_message = on_message,
        .on_bytes = on_bytes,
        .on_fault = on_fault,
        .on_words = on_words,
        .on_up = on_up,
        .on_room = on_room,
        .on_lost = on_lost,
        .on_end = on_end,
    });
    txg_hosts_add(&set->hosts, h, number);
    return h;
}

/* For a gateway that is installed via it. */
static struct txg_host *hold_host(void *user, const struct txg_spec *spec)
{
    struct txg_gateways *set = user;
    unsigned number = 0;
    for (unsigned i = 0; i < set->n; i++)
        if (set->items[i].spec && set->items[i].spec->through == spec)
            number = i;
    struct txg_host *h = host_for(set, number, spec);
    txg_hosts_hold(&set->hosts, h);
    return h;
}

static void release_host(void *user, struct txg_host *h)
{
    struct txg_gateways *set = user;
    txg_hosts_release(&set->hosts, h);
}

/* Onto its host, an old one or a new one. */
static void attach(struct txg_gateways *set, struct gateway *g)
{
    g->deadline = txg_now() + set->config.connect_timeout;
    g->host = host_for(set, (unsigned)(g - set->items), g->spec);
    g->lines = txg_host_lines(g->host);
    txg_hosts_hold(&set->hosts, g->host);
}

static void attach_again(struct txg_gateways *set, struct gateway *g)
{
    g->next_try = 0;
    attach(set, g);
    if (txg_host_is_up(g->host))
        open_when_ready(set, g);
}

void txg_gateways_open(struct txg_gateways *set, unsigned number,
                       const struct txg_gateway_setup *setup)
{
    if (set->closing)
        return;
    while (set->n <= number) {
        set->items = txg_grow(set->items, set->n, &set->cap, sizeof *set->items);
        set->items[set->n++] = (struct gateway){.state = DEAD};
    }
    struct gateway *g = &set->items[number];
    *g = (struct gateway){.state = OPENING, .channel = number + 1, .spec = setup->spec};
    if (setup->argv)
        txg_strv_copy(&g->argv, setup->argv);
    set->starting++;
    attach(set, g);
    if (setup->replaces && setup->predecessor < set->n)
        g->try_until = set->items[setup->predecessor].try_until;
    g->waiting = txg_host_is_remote(g->host);
    if (!g->waiting)
        send_open(g, NULL);
    for (size_t i = 0; i < setup->n_messages; i++)
        send_to(g, &setup->messages[i]);
    if (txg_host_is_up(g->host))
        open_when_ready(set, g);
}

void txg_gateways_send(struct txg_gateways *set, unsigned number, const struct txg_msg *msg)
{
    if (number < set->n && set->items[number].state != DEAD)
        send_to(&set->items[number], msg);
}

void txg_gateways_send_bytes(struct txg_gateways *set, unsigned number, const void *data,
                             size_t len)
{
    if (number >= set->n || set->items[number].state == DEAD)
        return;
    struct gateway *g = &set->items[number];
    const char *bytes = data ? data : ""; /* no bytes are the end of the stream */
    size_t at = 0;
    do {
        size_t n = len - at < TXG_FRAME_BULK ? len - at : TXG_FRAME_BULK;
        if (g->waiting)
            txg_frame_write(&g->later, g->channel, bytes + at, n);
        else
            txg_host_send_bytes(g->host, g->channel, bytes + at, n);
        at += n;
    } while (at < len);
}

size_t txg_gateways_unsent(const struct txg_gateways *set, unsigned number)
{
    if (number >= set->n || set->items[number].state == DEAD)
        return 0;
    const struct gateway *g = &set->items[number];
    return txg_buf_len(&g->later) + (g->host ? txg_host_unsent(g->host) : 0);
}

void txg_gateways_transfers(const struct txg_gateways *set,
                            void (*visit)(void *user, const struct txg_gateway_transfer *transfer),
                            void *user)
{
    for (size_t i = 0; i < set->hosts.n; i++) {
        const struct txg_hosts_entry *e = &set->hosts.items[i];
        size_t done, all = txg_host_uploads(e->host, &done);
        if (all)
            visit(user,
                  &(struct txg_gateway_transfer){e->first, "worker", (int64_t)done, (int64_t)all});
    }
    for (size_t i = 0; i < set->syncs.n; i++) {
        const struct txg_sync *s = set->syncs.items[i];
        if (txg_sync_state(s) == TXG_SYNC_RUNNING && txg_sync_wanted(s))
            visit(user,
                  &(struct txg_gateway_transfer){txg_hosts_first(&set->hosts, txg_sync_host(s)),
                                                 "files", txg_sync_sent(s), txg_sync_wanted(s)});
    }
}

void txg_gateways_kill(struct txg_gateways *set, unsigned number)
{
    if (number >= set->n || set->items[number].state == DEAD)
        return;
    struct gateway *g = &set->items[number];
    if (g->host)
        close_ready(set, g);
    if (g->state < READY)
        g->deadline = 0; /* the next tick tells of it */
}

void txg_gateways_close(struct txg_gateways *set)
{
    if (set->closing)
        return;
    set->closing = true;
    txg_hosts_stop(&set->hosts);
    uv_close((uv_handle_t *)&set->tick, on_tick_closed);
}

void txg_gateways_free(struct txg_gateways *set)
{
    txg_syncs_release(&set->syncs);
    txg_listeners_free(set->listeners);
    for (size_t i = 0; i < set->n; i++) {
        txg_buf_release(&set->items[i].later);
        txg_strv_release(&set->items[i].argv);
        free(set->items[i].fault);
    }
    free(set->items);
    free(set->hosts.items);
    txg_transports_settle();
    free(set);
}
