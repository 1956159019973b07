#include "config.h"

#include "gateway/connect.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"

#define ADDRESS_TIME_MAX 10000 /* ms for one of several addresses */

/* Not the connect's: a resolver that is at work can't be stopped and may outlive it. */
struct look_up {
    uv_getaddrinfo_t request;
    struct txg_connect *owner; /* NULL once nobody waits */
};

struct txg_connect {
    struct txg_connect_config config;
    uint64_t limit, began; /* ms */
    struct look_up *look_up;
    struct addrinfo *addresses, *next; /* next is tried next */
    unsigned port;
    char *where; /* the address that is tried or was reached */
    struct txg_buf faults;
    uv_timer_t timer;
    uv_tcp_t tcp;
    uv_connect_t request;
    bool trying; /* tcp is open */
    bool closing;
    unsigned handles;
};

static void try_next(struct txg_connect *c);

static double seconds(const struct txg_connect *c)
{
    return (double)c->config.limit / 1e6;
}

uint64_t txg_connect_time_left(const struct txg_connect *c)
{
    uint64_t spent = uv_now(c->config.loop) - c->began;
    return spent < c->limit ? c->limit - spent : 0;
}

static void fail(struct txg_connect *c, const char *step, char *reason)
{
    uv_timer_stop(&c->timer);
    c->config.on_failed(c->config.user, step, reason);
}

static void on_closed(uv_handle_t *handle)
{
    struct txg_connect *c = handle->data;
    if (--c->handles == 0 && c->closing)
        c->config.on_closed(c->config.user);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct txg_connect *c = handle->data;
    on_closed(handle);
    if (!c->closing)
        try_next(c);
}

static void give_address_up(struct txg_connect *c, const char *text)
{
    if (txg_buf_len(&c->faults) < TXG_ERR_TEXT_MAX / 2)
        txg_buf_printf(&c->faults, "%s%s: %s", txg_buf_len(&c->faults) ? "; " : "", c->where, text);
    c->trying = false;
    uv_close((uv_handle_t *)&c->tcp, on_attempt_closed);
}

static void on_time(uv_timer_t *timer)
{
    struct txg_connect *c = timer->data;
    if (c->look_up)
        fail(c, "resolve",
             txg_xasprintf("the name '%s': no answer within %.6g s", c->config.host, seconds(c)));
    else if (c->next && txg_connect_time_left(c) > 0)
        give_address_up(c, "no answer");
    else
        fail(c, "connect",
             txg_xasprintf("%s%s%s: no answer within %.6g s", txg_buf_cstr(&c->faults),
                           txg_buf_len(&c->faults) ? "; " : "", c->where, seconds(c)));
}

static const char *explain(int rc)
{
    return rc == UV_ECONNREFUSED ? "connection refused: no txgate-worker --listen there"
                                 : uv_strerror(rc);
}

/* libuv's handle can't be given away: its descriptor is. */
static void on_connect(uv_connect_t *request, int rc)
{
    struct txg_connect *c = request->handle->data;
    uv_os_fd_t fd;
    if (!c->trying || c->closing)
        return;
    if (rc == 0)
        rc = uv_fileno((uv_handle_t *)&c->tcp, &fd);
    int own = rc == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (own < 0) {
        give_address_up(c, rc == 0 ? "no more file descriptors here" : explain(rc));
        return;
    }
    c->trying = false;
    uv_timer_stop(&c->timer);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    c->config.on_connected(c->config.user, own, c->where);
}

static char *name_address(const struct addrinfo *a)
{
    char address[NI_MAXHOST] = "?";
    getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
    return txg_xasprintf(strchr(address, ':') ? "[%s]" : "%s", address);
}

static void try_next(struct txg_connect *c)
{
    struct addrinfo *to = c->next;
    uint64_t left = txg_connect_time_left(c);
    if (!to || left == 0) {
        fail(c, "connect", txg_xstrdup(txg_buf_cstr(&c->faults)));
        return;
    }
    c->next = to->ai_next;
    TXG_AUTOFREE char *address = name_address(to);
    free(c->where);
    c->where = txg_xasprintf("%s:%u", address, c->port);
    /* of IPv4 and of IPv6, at the same place */
    ((struct sockaddr_in *)(void *)to->ai_addr)->sin_port = htons((uint16_t)c->port);
    uv_timer_start(&c->timer, on_time, c->next && left > ADDRESS_TIME_MAX ? ADDRESS_TIME_MAX : left,
                   0);
    uv_tcp_init(c->config.loop, &c->tcp);
    c->tcp.data = c;
    c->handles++;
    c->trying = true;
    int rc = uv_tcp_connect(&c->request, &c->tcp, to->ai_addr, on_connect);
    if (rc != 0)
        give_address_up(c, explain(rc));
}

static void found(struct txg_connect *c, struct addrinfo *addresses)
{
    uv_timer_stop(&c->timer);
    c->addresses = c->next = addresses;
    TXG_AUTOFREE char *first = name_address(addresses);
    c->config.on_found(c->config.user, first);
}

static void on_found(uv_getaddrinfo_t *request, int rc, struct addrinfo *addresses)
{
    struct look_up *l = (struct look_up *)request;
    struct txg_connect *c = l->owner;
    free(l);
    if (!c) {
        uv_freeaddrinfo(addresses);
        return;
    }
    c->look_up = NULL;
    if (rc == 0)
        found(c, addresses);
    else
        fail(c, "resolve", txg_xasprintf("the name '%s': %s", c->config.host, uv_strerror(rc)));
}

void txg_connect_look_up(struct txg_connect *c)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *addresses;
    if (getaddrinfo(c->config.host, NULL, &hints, &addresses) == 0) {
        found(c, addresses); /* it was an address: no resolver, no thread */
        return;
    }
    hints.ai_flags = 0;
    c->look_up = txg_xcalloc(1, sizeof *c->look_up);
    c->look_up->owner = c;
    uv_timer_start(&c->timer, on_time, txg_connect_time_left(c), 0);
    int rc = uv_getaddrinfo(c->config.loop, &c->look_up->request, on_found, c->config.host, NULL,
                            &hints);
    if (rc == 0)
        return;
    free(c->look_up);
    c->look_up = NULL;
    fail(c, "resolve", txg_xasprintf("the name '%s': %s", c->config.host, uv_strerror(rc)));
}

void txg_connect_to(struct txg_connect *c, unsigned port)
{
    c->port = port;
    try_next(c);
}

struct txg_connect *txg_connect_new(const struct txg_connect_config *config)
{
    struct txg_connect *c = txg_xcalloc(1, sizeof *c);
    c->config = *config;
    /* Less than the host's own limit, which doesn't know what is waited for. */
    c->limit = (uint64_t)(config->limit / 1000 * 19 / 20);
    c->began = uv_now(config->loop);
    uv_timer_init(config->loop, &c->timer);
    c->timer.data = c;
    c->handles = 1;
    return c;
}

void txg_connect_close(struct txg_connect *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->look_up) {
        uv_cancel((uv_req_t *)&c->look_up->request);
        c->look_up->owner = NULL;
        c->look_up = NULL;
    }
    if (c->trying)
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    c->trying = false;
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

void txg_connect_free(struct txg_connect *c)
{
    uv_freeaddrinfo(c->addresses);
    txg_buf_release(&c->faults);
    free(c->where);
    free(c);
}
