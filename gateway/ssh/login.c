#include "config.h"

#include "gateway/ssh/login.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/ssh/net.h"
#include "gateway/ssh/pump.h"
#include "gateway/words.h"
#include "src/base/str.h"

#define JUMPS_MAX   8
#define WORDS_MAX   2048
#define ATTEMPTS    6
#define FIRST_PAUSE 100000 /* microseconds; doubled each time */

struct way {
    int fd;
    char where[320]; /* "10.0.0.11 port 22" */
    int words;       /* stderr of a ProxyCommand, or -1 */
};

/* One host on the way: what is known of it, and what is to be found out. */
struct hop {
    struct txg_ssh_config config;
    const struct txg_ssh_login *login; /* borrowed: whose jump it is */
    const struct txg_ssh_login *through;
    const char *pin;
    unsigned depth;
};

static int open_link(struct txg_ssh_try *t, const struct hop *hop, struct txg_ssh_link *out,
                     struct txg_err *err);

/* Cuts the last jump off "a,b,c"; *before is what stands in front of it, or NULL. */
static char *last_jump(const char *jumps, char **before)
{
    const char *comma = strrchr(jumps, ',');
    *before = comma ? txg_xstrndup(jumps, (size_t)(comma - jumps)) : NULL;
    return txg_xstrdup(comma ? comma + 1 : jumps);
}

/* From the host of `jump` to the one of `hop`. */
static int go_through(struct txg_ssh_try *t, struct hop *jump, const struct hop *hop,
                      struct way *way, struct txg_err *err)
{
    const struct txg_ssh_config *c = &hop->config;
    struct txg_ssh_link link = {0};
    jump->depth = hop->depth + 1;
    if (jump->depth > JUMPS_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "more than %d jump hosts in a row", JUMPS_MAX);
    snprintf(way->where, sizeof way->where, "%s port %s through %s", c->host, c->port,
             jump->config.alias);
    if (open_link(t, jump, &link, err) == 0 &&
        txg_ssh_session_forward(t, &link, c->host, c->port, err) == 0 &&
        (way->fd = txg_ssh_pump_start(&link, err)) >= 0)
        return 0;
    txg_ssh_link_close(&link);
    return -1;
}

/* ProxyJump and -J: hosts of the same configuration file. */
static int jump(struct txg_ssh_try *t, const struct hop *hop, struct way *way, struct txg_err *err)
{
    TXG_AUTOFREE char *before = NULL;
    TXG_AUTOFREE char *host = last_jump(hop->config.jump, &before);
    struct hop by = {.login = hop->login};
    if (host[0] == '-' || host[0] == '\0' || strpbrk(host, " \t"))
        return txg_err_set(err, TXG_E_USAGE, "jump host '%s': expected [user@]host[:port]", host);
    txg_ssh_try_at(t, "configure", "reading what is said about %s", host);
    int rc = txg_ssh_config_read(host, hop->config.file, &by.config, err);
    if (rc == 0 && before) {
        free(by.config.jump);
        by.config.jump = txg_xstrdup(before);
    }
    if (rc == 0) {
        rc = go_through(t, &by, hop, way, err);
        txg_ssh_config_release(&by.config);
    }
    return rc == 0 ? 0 : txg_err_wrap(err, "jump host %s", host);
}

static int go_via(struct txg_ssh_try *t, const struct hop *hop, struct way *way,
                  struct txg_err *err)
{
    const struct txg_ssh_login *login = hop->through;
    struct hop by = {.login = login, .through = login->through, .pin = login->pin};
    txg_ssh_try_at(t, "configure", "reading what is said about %s", login->target);
    int rc = txg_ssh_config_read(login->target, login->ssh_config, &by.config, err);
    if (rc == 0) {
        rc = go_through(t, &by, hop, way, err);
        txg_ssh_config_release(&by.config);
    }
    return rc == 0 ? 0 : txg_err_wrap(err, "via %s", login->target);
}

static void *reap(void *arg)
{
    pid_t pid = (pid_t)(intptr_t)arg;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return NULL;
}

static int run_proxy(const struct txg_ssh_config *c, struct way *way, struct txg_err *err)
{
    pid_t pid;
    pthread_t thread;
    way->fd = txg_ssh_net_command(c, &way->words, &pid, err);
    if (way->fd < 0)
        return -1;
    if (pthread_create(&thread, NULL, reap, (void *)(intptr_t)pid) == 0)
        pthread_detach(thread);
    snprintf(way->where, sizeof way->where, "%s port %s through ProxyCommand", c->host, c->port);
    return 0;
}

static int find_way(struct txg_ssh_try *t, const struct hop *hop, struct way *way,
                    struct txg_err *err)
{
    const struct txg_ssh_config *c = &hop->config;
    if (hop->through)
        return go_via(t, hop, way, err);
    if (c->jump && strcasecmp(c->jump, "none") != 0)
        return jump(t, hop, way, err);
    if (c->proxy && strcasecmp(c->proxy, "none") != 0)
        return run_proxy(c, way, err);
    way->fd = txg_ssh_net_connect(t, c, way->where, sizeof way->where, err);
    return way->fd < 0 ? -1 : 0;
}

/* What a ProxyCommand said is most of what can be known of its failure. */
static void add_words(int fd, struct txg_err *err)
{
    char bytes[WORDS_MAX];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct txg_words words = {0};
    ssize_t n;
    poll(&ready, 1, 200); /* it may be about to say it */
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        txg_words_feed(&words, bytes, (size_t)n, NULL, NULL);
    txg_words_end(&words, NULL, NULL);
    TXG_AUTOFREE char *last = txg_xstrdup(txg_words_last(&words));
    size_t len = strlen(last);
    if (len && err) {
        last[len - 1] = '\0';
        TXG_AUTOFREE char *before = txg_xstrdup(err->text);
        txg_err_set(err, err->code, "%s; it said: %s", before, last);
    }
    txg_words_release(&words);
}

static int try_link(struct txg_ssh_try *t, const struct hop *hop, struct txg_ssh_link *out,
                    struct txg_err *err)
{
    struct txg_ssh_hostkey hostkey = {
        .config = &hop->config, .pin = hop->pin, .accept_new = hop->login->accept_new};
    struct way way = {.fd = -1, .words = -1};
    t->turned_away = false;
    if (find_way(t, hop, &way, err) != 0)
        return -1;
    int rc = txg_ssh_session_open(t, &hostkey, way.fd, way.where, out, err);
    if (way.words >= 0) {
        if (rc != 0)
            add_words(way.words, err);
        close(way.words);
        t->turned_away = false; /* the command failed, who knows why */
    }
    return rc;
}

/* A server that has too many logins at once (sshd's MaxStartups, five of one address in dropbear)
 * hangs up before its greeting, and takes the next one gladly a moment later. */
static int open_link(struct txg_ssh_try *t, const struct hop *hop, struct txg_ssh_link *out,
                     struct txg_err *err)
{
    int64_t pause = FIRST_PAUSE;
    int rc = try_link(t, hop, out, err);
    for (int i = 1; rc != 0 && t->turned_away && i < ATTEMPTS; i++, pause *= 2) {
        unsigned short spread = 0;
        getrandom(&spread, sizeof spread, GRND_NONBLOCK);
        struct txg_err over;
        if (txg_ssh_try_sleep(t, pause / 2 + pause * spread / 65536, &over) != 0)
            break;
        rc = try_link(t, hop, out, err);
    }
    if (rc != 0 && t->turned_away)
        txg_err_wrap(err,
                     "the host hangs up before its greeting, %d times (too many logins at "
                     "once? MaxStartups)",
                     ATTEMPTS);
    return rc;
}

struct txg_ssh_login *txg_ssh_login_new(const struct txg_spec *spec, bool accept_new)
{
    struct txg_ssh_login *login = txg_xcalloc(1, sizeof *login);
    login->target = txg_xstrdup(spec->target);
    login->ssh_config = txg_xstrdup(spec->ssh_config);
    login->pin = txg_xstrdup(spec->host_key);
    login->accept_new = accept_new;
    if (spec->through)
        login->through = txg_ssh_login_new(spec->through, accept_new);
    return login;
}

void txg_ssh_login_free(struct txg_ssh_login *login)
{
    if (!login)
        return;
    txg_ssh_login_free(login->through);
    free(login->target);
    free(login->ssh_config);
    free(login->pin);
    free(login);
}

int txg_ssh_login(struct txg_ssh_try *t, const struct txg_ssh_login *login, const char *command,
                  struct txg_ssh_link *out, struct txg_strv *ignored, struct txg_err *err)
{
    struct hop hop = {.login = login, .through = login->through, .pin = login->pin};
    *out = (struct txg_ssh_link){0};
    txg_ssh_try_at(t, "configure", "reading ssh's configuration");
    if (txg_ssh_config_read(login->target, login->ssh_config, &hop.config, err) != 0)
        return -1;
    txg_strv_copy(ignored, &hop.config.ignored);
    int rc = open_link(t, &hop, out, err);
    if (rc == 0)
        rc = txg_ssh_session_exec(t, out, command, err);
    if (rc != 0)
        txg_ssh_link_close(out);
    txg_ssh_config_release(&hop.config);
    return rc;
}
