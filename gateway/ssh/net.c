#include "config.h"

#include "gateway/ssh/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/ssh/threads.h"
#include "src/base/clock.h"
#include "src/base/str.h"
#include "src/base/tcp.h"

#define ADDRESS_TIME_MAX INT64_C(10000000) /* microseconds for one of several addresses */

extern char **environ;

static struct addrinfo hints_for(const struct txg_ssh_config *c, int flags)
{
    const char *family = c->address_family ? c->address_family : "any";
    return (struct addrinfo){.ai_socktype = SOCK_STREAM,
                             .ai_flags = flags,
                             .ai_family = strcasecmp(family, "inet") == 0    ? AF_INET
                                          : strcasecmp(family, "inet6") == 0 ? AF_INET6
                                                                             : AF_UNSPEC};
}

static int look_up(struct txg_ssh_try *t, const struct txg_ssh_config *c, struct addrinfo **out,
                   struct txg_err *err)
{
    /* A literal address needs no server of names, and no interface but its own. */
    struct addrinfo hints = hints_for(c, AI_NUMERICHOST | AI_NUMERICSERV);
    if (getaddrinfo(c->host, c->port, &hints, out) == 0)
        return 0;
    txg_ssh_try_at(t, "resolve", "looking up the name '%s'", c->host);
    hints = hints_for(c, AI_NUMERICSERV);
    txg_ssh_thread_pause();
    int rc = getaddrinfo(c->host, c->port, &hints, out), errnum = errno;
    txg_ssh_thread_resume();
    if (rc == 0)
        return 0;
    return txg_err_set(err, TXG_E_USAGE, "the name '%s': %s", c->host,
                       rc == EAI_SYSTEM ? strerror(errnum) : gai_strerror(rc));
}

static int bind_to(int fd, const struct txg_ssh_config *c, int family, struct txg_err *err)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
    if (!c->bind_address)
        return 0;
    hints.ai_flags = AI_NUMERICHOST;
    if (getaddrinfo(c->bind_address, NULL, &hints, &found) != 0)
        return txg_err_set(err, TXG_E_USAGE, "BindAddress %s: expected an address of this machine",
                           c->bind_address);
    int rc = bind(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return rc == 0 ? 0 : txg_err_sys(err, errno, "BindAddress %s", c->bind_address);
}

static int connect_to(struct txg_ssh_try *t, const struct txg_ssh_config *c,
                      const struct addrinfo *to, const char *where, int64_t until,
                      struct txg_err *err)
{
    int failed = 0;
    socklen_t len = sizeof failed;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", where);
    txg_tcp_tune(fd); /* Nagle's wait costs libssh 80 ms at each login */
    txg_ssh_try_at(t, "connect", "connecting to %s", where);
    if (bind_to(fd, c, to->ai_family, err) == 0) {
        if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
            return fd;
        if (errno != EINPROGRESS)
            txg_err_sys(err, errno, "%s", where);
        else if (txg_ssh_try_wait(t, fd, POLLOUT, until, err) != 0)
            txg_err_set(err, TXG_E_TIMEOUT, "%s: no answer", where);
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 && failed == 0)
            return fd;
        else
            txg_err_sys(err, failed, "%s", where);
    }
    close(fd);
    return -1;
}

static int64_t seconds_of(const struct txg_ssh_config *c)
{
    int64_t n;
    if (c->connect_timeout && txg_parse_int(c->connect_timeout, 1, 86400, &n))
        return n * 1000000;
    return 0;
}

int txg_ssh_net_connect(struct txg_ssh_try *t, const struct txg_ssh_config *c, char *where,
                        size_t size, struct txg_err *err)
{
    struct addrinfo *list;
    struct txg_buf faults = {0};
    int fd = -1;
    if (look_up(t, c, &list, err) != 0)
        return -1;
    for (const struct addrinfo *to = list; to && fd < 0; to = to->ai_next) {
        char host[NI_MAXHOST] = "?";
        getnameinfo(to->ai_addr, to->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
        snprintf(where, size, "%s port %s", host, c->port);
        int64_t limit = seconds_of(c) ? seconds_of(c) : to->ai_next ? ADDRESS_TIME_MAX : 0;
        fd = connect_to(t, c, to, where, limit ? txg_now() + limit : 0, err);
        if (fd < 0 && txg_buf_len(&faults) < TXG_ERR_TEXT_MAX / 2)
            txg_buf_printf(&faults, "%s%s", txg_buf_len(&faults) ? "; " : "", err->text);
    }
    freeaddrinfo(list);
    if (fd < 0)
        txg_err_set(err, TXG_E_SYS, "%s", txg_buf_cstr(&faults));
    txg_buf_release(&faults);
    return fd;
}

int txg_ssh_net_command(const struct txg_ssh_config *c, int *words, pid_t *pid, struct txg_err *err)
{
    TXG_AUTOFREE char *command = txg_ssh_config_expand(c, c->proxy, false);
    TXG_AUTOFREE char *line =
        txg_has_prefix(command, "exec ") ? txg_xstrdup(command) : txg_xasprintf("exec %s", command);
    char sh[] = "sh", option[] = "-c";
    char *argv[] = {sh, option, line, NULL};
    int stdio[2], complaints[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stdio) != 0)
        return txg_err_sys(err, errno, "ProxyCommand");
    if (pipe2(complaints, O_CLOEXEC) != 0) {
        close(stdio[0]);
        close(stdio[1]);
        return txg_err_sys(err, errno, "ProxyCommand");
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, stdio[1], 0);
    posix_spawn_file_actions_adddup2(&actions, stdio[1], 1);
    posix_spawn_file_actions_adddup2(&actions, complaints[1], 2);
    /* A session of its own: Ctrl-C is for the controller, and no password is asked behind it. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    int rc = posix_spawnp(pid, "sh", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(stdio[1]);
    close(complaints[1]);
    if (rc != 0) {
        close(stdio[0]);
        close(complaints[0]);
        return txg_err_sys(err, rc, "ProxyCommand: sh");
    }
    fcntl(stdio[0], F_SETFL, O_NONBLOCK);
    fcntl(complaints[0], F_SETFL, O_NONBLOCK);
    *words = complaints[0];
    return stdio[0];
}
