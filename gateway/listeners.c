#include "config.h"

#include "gateway/listeners.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/words.h"
#include "src/base/str.h"

#define FIRST_CHANNEL UINT32_C(1610612736) /* and upwards: no gateway's, no keeper's */
#define SAID_MAX      512                  /* bytes of its first line */
#define LISTENING     "listening on "

struct listener {
    struct txg_host *host; /* borrowed, held */
    uint32_t channel;
    const struct txg_spec *spec;
    struct txg_listener_user *user; /* NULL: told all there is to tell, or gone */
    bool told, ended;               /* ended: its stdin is closed */
    struct txg_buf said;
};

struct txg_listeners {
    struct txg_listeners_config config;
    struct listener **items;
    size_t n, cap;
    uint32_t started;
};

struct txg_listeners *txg_listeners_new(const struct txg_listeners_config *config)
{
    struct txg_listeners *all = txg_xcalloc(1, sizeof *all);
    all->config = *config;
    return all;
}

static struct listener *find(const struct txg_listeners *all, const struct txg_host *host,
                             uint32_t channel)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i]->host == host && all->items[i]->channel == channel)
            return all->items[i];
    return NULL;
}

static void drop(struct txg_listeners *all, struct listener *l)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i] == l)
            all->items[i] = all->items[--all->n];
    txg_buf_release(&l->said);
    free(l);
}

void txg_listeners_free(struct txg_listeners *all)
{
    while (all->n)
        drop(all, all->items[0]);
    free(all->items);
    free(all);
}

static void open_on(const struct listener *l, const char *where)
{
    const char *const words[] = {"/proc/self/exe", "--listen", where, "--key-file", "-"};
    struct txg_span argv[sizeof words / sizeof *words];
    struct txg_msg msg = {.type = TXG_MSG_OPEN};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        argv[i] = txg_span_cstr(words[i]);
    msg.open.channel = l->channel;
    msg.open.argv = argv;
    msg.open.n_argv = sizeof words / sizeof *words;
    txg_host_send(l->host, 0, &msg);
}

void txg_listeners_start(struct txg_listeners *all, const struct txg_spec *spec,
                         const char *address, const char *port,
                         const unsigned char key[TXG_KEY_SIZE], struct txg_listener_user *user)
{
    struct listener *l = txg_xcalloc(1, sizeof *l);
    char line[TXG_KEY_LINE + 1];
    l->host = all->config.hold(all->config.user, spec->through);
    l->channel = FIRST_CHANNEL + all->started++;
    l->spec = spec;
    l->user = user;
    all->items = txg_grow(all->items, all->n, &all->cap, sizeof *all->items);
    all->items[all->n++] = l;
    TXG_AUTOFREE char *where = txg_xasprintf("%s:%s", address, port);
    open_on(l, where);
    txg_key_format(key, line);
    txg_host_send_bytes(l->host, l->channel, line, TXG_KEY_LINE);
    txg_wipe(line, sizeof line);
}

static void fail(struct listener *l, const char *text)
{
    struct txg_listener_user *user = l->user;
    bool told = l->told;
    l->told = true;
    l->user = NULL;
    if (!user || told) /* the links over it end by themselves */
        return;
    TXG_AUTOFREE char *whole = txg_xasprintf("installvia=%s: %s", l->spec->installvia, text);
    user->on_failed(user, whole);
}

void txg_listeners_end(struct txg_listeners *all, const struct txg_listener_user *user)
{
    for (size_t i = 0; i < all->n; i++) {
        struct listener *l = all->items[i];
        if (l->user != user)
            continue;
        l->user = NULL;
        txg_host_send_bytes(l->host, l->channel, "", 0);
    }
}

/* The port in "listening on 10.0.0.5:7777", or 0. */
static unsigned find_port(const char *line)
{
    int64_t port;
    const char *colon = strrchr(line, ':');
    bool good =
        colon && txg_has_prefix(line, LISTENING) && txg_parse_int(colon + 1, 1, 65535, &port);
    return good ? (unsigned)port : 0;
}

/* Its only line tells where it listens, or why it does not. */
static void take_line(struct listener *l, const char *line, size_t len)
{
    unsigned port = find_port(line);
    if (port == 0) {
        struct txg_buf text = {0};
        txg_buf_puts(&text, "no worker listens there: ");
        txg_words_quote(&text, line, len);
        fail(l, txg_buf_cstr(&text));
        txg_buf_release(&text);
    } else if (l->user) {
        l->told = true;
        l->user->on_listening(l->user, port);
    }
}

bool txg_listeners_take(struct txg_listeners *all, const struct txg_host *host, uint32_t channel,
                        struct txg_span bytes)
{
    struct listener *l = find(all, host, channel);
    if (!l)
        return false;
    size_t room = SAID_MAX - txg_buf_len(&l->said);
    if (l->told || bytes.len == 0)
        return true;
    txg_buf_append(&l->said, bytes.data, bytes.len < room ? bytes.len : room);
    TXG_AUTOFREE char *line = txg_xstrndup(txg_buf_data(&l->said), txg_buf_len(&l->said));
    char *newline = strchr(line, '\n');
    if (newline)
        *newline = '\0';
    if (newline || txg_buf_len(&l->said) == SAID_MAX)
        take_line(l, line, strlen(line));
    return true;
}

bool txg_listeners_exited(struct txg_listeners *all, const struct txg_host *host, uint32_t channel,
                          const char *text)
{
    struct listener *l = find(all, host, channel);
    if (!l)
        return false;
    struct txg_host *held = l->host;
    TXG_AUTOFREE char *why = txg_xasprintf("no worker listens there: %s", text);
    fail(l, why);
    drop(all, l);
    all->config.release(all->config.user, held);
    return true;
}

void txg_listeners_lost(struct txg_listeners *all, const struct txg_host *host, const char *text)
{
    for (size_t i = all->n; i-- > 0;) {
        struct listener *l = all->items[i];
        if (l->host != host)
            continue;
        struct txg_host *held = l->host;
        fail(l, text);
        drop(all, l);
        all->config.release(all->config.user, held);
        i = i < all->n ? i : all->n; /* a failure may have ended others */
    }
}
