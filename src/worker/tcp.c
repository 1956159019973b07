#include "config.h"

#include "src/worker/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"

#define FORM "expected PORT, or ADDRESS:PORT with a numeric address: 10.0.0.5:7777, [::1]:7777"

/* Cuts the address and the port apart in place; *host is NULL for a port alone. */
static int split(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    *host = colon ? text : NULL;
    *port = colon ? colon + 1 : text;
    if (!colon)
        return 0;
    *colon = '\0';
    if (text[0] != '[')
        return strchr(text, ':') ? -1 : 0;
    if (colon == text + 1 || colon[-1] != ']')
        return -1;
    colon[-1] = '\0';
    *host = text + 1;
    return 0;
}

static int parse_v6(char *host, uint16_t port, struct sockaddr_in6 *out)
{
    char *scope = strchr(host, '%');
    if (scope)
        *scope++ = '\0';
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (scope && (out->sin6_scope_id = if_nametoindex(scope)) == 0)
        return -1;
    return inet_pton(AF_INET6, host, &out->sin6_addr) == 1 ? 0 : -1;
}

int txg_tcp_parse(const char *text, struct sockaddr_storage *out, socklen_t *len,
                  struct txg_err *err)
{
    TXG_AUTOFREE char *copy = txg_xstrdup(text);
    char *host, *port;
    int64_t n;
    memset(out, 0, sizeof *out);
    if (split(copy, &host, &port) != 0 || !txg_parse_int(port, 0, 65535, &n))
        return txg_err_set(err, TXG_E_USAGE, "%s: " FORM, text);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)n)};
    *len = sizeof *v4;
    if (inet_pton(AF_INET, host ? host : "127.0.0.1", &v4->sin_addr) == 1)
        return 0;
    *len = sizeof(struct sockaddr_in6);
    if (parse_v6(host, (uint16_t)n, (struct sockaddr_in6 *)out) == 0)
        return 0;
    return txg_err_set(err, TXG_E_USAGE, "%s: " FORM, text);
}

void txg_tcp_name(const struct sockaddr_storage *a, char where[TXG_TCP_WHERE])
{
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    bool is_v6 = a->ss_family == AF_INET6;
    inet_ntop(a->ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, text,
              sizeof text);
    snprintf(where, TXG_TCP_WHERE, is_v6 ? "[%s]:%u" : "%s:%u", text,
             ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
}

int txg_tcp_listen(const struct sockaddr_storage *address, socklen_t len, int backlog,
                   char where[TXG_TCP_WHERE], struct txg_err *err)
{
    struct sockaddr_storage bound = {0};
    socklen_t bound_len = sizeof bound;
    int on = 1, off = 0;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return txg_err_sys(err, errno, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ss_family == AF_INET6) /* [::] is IPv4's too, whatever this system's habit is */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (const struct sockaddr *)address, len) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_len) != 0) {
        txg_err_sys(err, errno, "bind");
        close(fd);
        return -1;
    }
    txg_tcp_name(&bound, where);
    return fd;
}

int txg_tcp_connect(const struct sockaddr_storage *address, socklen_t len, struct txg_err *err)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return txg_err_sys(err, errno, "socket");
    if (connect(fd, (const struct sockaddr *)address, len) == 0 || errno == EINPROGRESS)
        return fd;
    txg_err_sys(err, errno, "connect");
    close(fd);
    return -1;
}
