#include "config.h"

#include "gateway/ssh/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh/callbacks.h>

#include "gateway/ssh/auth.h"
#include "gateway/words.h"
#include "src/base/str.h"

int txg_ssh_session_wait(struct txg_ssh_try *t, ssh_session session, int fd, struct txg_err *err)
{
    if (!ssh_is_connected(session)) /* libssh may go on answering SSH_AGAIN all the same */
        return txg_err_set(err, TXG_E_PROTO, "%s", ssh_get_error(session));
    bool writes = ssh_get_poll_flags(session) & SSH_WRITE_PENDING;
    return txg_ssh_try_wait(t, fd, (short)(writes ? POLLIN | POLLOUT : POLLIN), 0, err);
}

size_t txg_ssh_room(ssh_channel channel, size_t *most)
{
    size_t window = ssh_channel_window_size(channel);
    if (window > *most)
        *most = window;
    size_t in_flight = *most - window;
    size_t room = in_flight < TXG_SSH_IN_FLIGHT_MAX ? TXG_SSH_IN_FLIGHT_MAX - in_flight : 0;
    return room < window ? room : window;
}

/* Lists of algorithms go to libssh as they are; its 0.10 does not know +, - and ^ in front. */
static int set_algorithms(ssh_session s, enum ssh_options_e option, const char *name,
                          const char *list, struct txg_err *err)
{
    if (!list || strchr("+-^", list[0]))
        return 0;
    if (ssh_options_set(s, option, list) == 0)
        return 0;
    return txg_err_set(err, TXG_E_USAGE, "%s %s: none of these is known here", name, list);
}

static int set_options(ssh_session s, const struct txg_ssh_hostkey *hostkey, struct txg_err *err)
{
    const struct txg_ssh_config *c = hostkey->config;
    TXG_AUTOFREE char *home = txg_ssh_home();
    TXG_AUTOFREE char *folder = txg_xasprintf("%s/.ssh", home);
    TXG_AUTOFREE char *keys = txg_ssh_hostkey_algorithms(hostkey);
    int off = 0;
    ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &off);
    ssh_options_set(s, SSH_OPTIONS_SSH_DIR, folder);
    ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
    ssh_options_set(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    if (ssh_options_set(s, SSH_OPTIONS_USER, c->user) != 0)
        return txg_err_set(err, TXG_E_USAGE, "the user name '%s' is not taken by libssh", c->user);
    if (c->compression == TXG_SSH_YES)
        ssh_options_set(s, SSH_OPTIONS_COMPRESSION, "yes");
    if (set_algorithms(s, SSH_OPTIONS_CIPHERS_C_S, "Ciphers", c->ciphers, err) != 0 ||
        set_algorithms(s, SSH_OPTIONS_CIPHERS_S_C, "Ciphers", c->ciphers, err) != 0 ||
        set_algorithms(s, SSH_OPTIONS_HMAC_C_S, "MACs", c->macs, err) != 0 ||
        set_algorithms(s, SSH_OPTIONS_HMAC_S_C, "MACs", c->macs, err) != 0 ||
        set_algorithms(s, SSH_OPTIONS_KEY_EXCHANGE, "KexAlgorithms", c->kex, err) != 0 ||
        set_algorithms(s, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, "PubkeyAcceptedAlgorithms",
                       c->pubkey_algorithms, err) != 0)
        return -1;
    return set_algorithms(s, SSH_OPTIONS_HOSTKEYS, "HostKeyAlgorithms",
                          c->host_key_algorithms ? c->host_key_algorithms : keys, err);
}

/* The first bytes of the host, looked at before libssh reads them: an SSH server's are "SSH-". */
struct greeting {
    char text[128];
    ssize_t len; /* -1: nothing has come so far, or nothing ever will */
};

static void peek(int fd, struct greeting *g)
{
    if (g->len <= 0)
        g->len = recv(fd, g->text, sizeof g->text, MSG_PEEK | MSG_DONTWAIT);
}

/* sshd's words when it has too many logins, and dropbear's silence. */
static bool turns_away(const struct greeting *g)
{
    static const char *const words[] = {"Exceeded MaxStartups", "Not allowed at this time"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (g->len >= (ssize_t)strlen(words[i]) && memcmp(g->text, words[i], strlen(words[i])) == 0)
            return true;
    return g->len <= 0;
}

static int no_greeting(struct txg_ssh_try *t, const struct txg_ssh_link *link, const char *where,
                       const struct greeting *g, struct txg_err *err)
{
    char byte;
    ssize_t n = recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    bool closed = n == 0 || (n < 0 && errno != EAGAIN);
    t->turned_away = closed && !ssh_get_serverbanner(link->session) && turns_away(g);
    if (g->len <= 0 && closed)
        return txg_err_set(err, TXG_E_PROTO, "%s: the connection was closed without a greeting",
                           where);
    if (g->len <= 0 || memmem(g->text, (size_t)g->len, "SSH-", 4))
        return txg_err_set(err, TXG_E_PROTO, "%s: %s", where, ssh_get_error(link->session));
    struct txg_buf quote = {0};
    size_t line = 0;
    while (line < (size_t)g->len && g->text[line] != '\r' && g->text[line] != '\n')
        line++;
    txg_words_quote(&quote, g->text, line);
    txg_err_set(err, TXG_E_PROTO, "%s is no SSH server, or will not talk to us; it says: %s", where,
                txg_buf_cstr(&quote));
    txg_buf_release(&quote);
    return -1;
}

static int shake_hands(struct txg_ssh_try *t, const struct txg_ssh_link *link, const char *where,
                       struct txg_err *err)
{
    struct greeting greeting = {.len = -1};
    int rc;
    txg_ssh_try_at(t, "connect", "waiting for the SSH greeting of %s", where);
    while ((rc = ssh_connect(link->session)) == SSH_AGAIN) {
        if (ssh_get_serverbanner(link->session))
            txg_ssh_try_at(t, "connect", "agreeing on keys with %s", where);
        if (txg_ssh_session_wait(t, link->session, link->fd, err) != 0)
            return -1;
        peek(link->fd, &greeting);
    }
    return rc == SSH_OK ? 0 : no_greeting(t, link, where, &greeting, err);
}

int txg_ssh_session_open(struct txg_ssh_try *t, const struct txg_ssh_hostkey *hostkey, int fd,
                         const char *where, struct txg_ssh_link *out, struct txg_err *err)
{
    txg_ssh_try_at(t, "configure", "making ssh's configuration hold for %s", where);
    struct txg_ssh_link link = {.fd = fd, .session = ssh_new()};
    if (!link.session)
        txg_oom();
    int rc = set_options(link.session, hostkey, err), copy = -1;
    if (rc == 0 && (copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
        rc = txg_err_sys(err, errno, "%s", where);
    if (rc == 0) {
        ssh_options_set(link.session, SSH_OPTIONS_FD, &copy);
        ssh_set_blocking(link.session, 0);
        rc = shake_hands(t, &link, where, err);
    }
    if (rc == 0) {
        txg_ssh_try_at(t, "host key", "checking the key of %s", where);
        rc = txg_ssh_hostkey_check(hostkey, link.session, err);
    }
    if (rc == 0)
        rc = txg_ssh_auth(t, link.session, fd, hostkey->config, err);
    if (rc == 0)
        *out = link;
    else
        txg_ssh_link_close(&link);
    return rc;
}

struct stream { /* with what libssh keeps a pointer to */
    struct txg_ssh_stream base;
    struct ssh_channel_callbacks_struct callbacks;
};

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
                   int is_stderr, void *user)
{
    struct txg_ssh_stream *s = user;
    (void)session, (void)channel;
    txg_buf_append(is_stderr ? &s->err : &s->out, data, len);
    return (int)len;
}

static void on_eof(ssh_session session, ssh_channel channel, void *user)
{
    struct txg_ssh_stream *s = user;
    (void)session, (void)channel;
    s->eof = true;
}

static void on_close(ssh_session session, ssh_channel channel, void *user)
{
    struct txg_ssh_stream *s = user;
    (void)session, (void)channel;
    s->closed = true;
}

static void on_exit_status(ssh_session session, ssh_channel channel, int status, void *user)
{
    struct txg_ssh_stream *s = user;
    (void)session, (void)channel;
    s->exited = true;
    s->status = status;
}

static void on_exit_signal(ssh_session session, ssh_channel channel, const char *signal, int core,
                           const char *message, const char *language, void *user)
{
    struct txg_ssh_stream *s = user;
    (void)session, (void)channel, (void)core, (void)message, (void)language;
    s->exited = true;
    snprintf(s->signal, sizeof s->signal, "%s", signal && *signal ? signal : "?");
}

static void watch_channel(struct txg_ssh_link *link)
{
    struct stream *s = txg_xcalloc(1, sizeof *s);
    s->callbacks = (struct ssh_channel_callbacks_struct){
        .userdata = &s->base,
        .channel_data_function = on_data,
        .channel_eof_function = on_eof,
        .channel_close_function = on_close,
        .channel_exit_status_function = on_exit_status,
        .channel_exit_signal_function = on_exit_signal,
    };
    ssh_callbacks_init(&s->callbacks);
    ssh_set_channel_callbacks(link->channel, &s->callbacks);
    link->stream = &s->base;
}

static int open_channel(struct txg_ssh_try *t, struct txg_ssh_link *link, const char *host,
                        const char *port, struct txg_err *err)
{
    int64_t number = 0;
    int rc;
    link->channel = ssh_channel_new(link->session);
    if (!link->channel)
        return txg_err_set(err, TXG_E_PROTO, "%s", ssh_get_error(link->session));
    watch_channel(link);
    if (host)
        txg_parse_int(port, 1, 65535, &number);
    do
        rc = host ? ssh_channel_open_forward(link->channel, host, (int)number, "127.0.0.1", 0)
                  : ssh_channel_open_session(link->channel);
    while (rc == SSH_AGAIN && txg_ssh_session_wait(t, link->session, link->fd, err) == 0);
    if (rc == SSH_ERROR)
        txg_err_set(err, TXG_E_PROTO, "%s", ssh_get_error(link->session));
    return rc == SSH_OK ? 0 : -1;
}

int txg_ssh_session_exec(struct txg_ssh_try *t, struct txg_ssh_link *link, const char *command,
                         struct txg_err *err)
{
    int rc;
    txg_ssh_try_at(t, "start", "waiting for the host to start '%s'", command);
    if (open_channel(t, link, NULL, NULL, err) != 0)
        return txg_err_wrap(err, "the host opens no session (MaxSessions?)");
    do
        rc = ssh_channel_request_exec(link->channel, command);
    while (rc == SSH_AGAIN && txg_ssh_session_wait(t, link->session, link->fd, err) == 0);
    if (rc == SSH_ERROR)
        txg_err_set(err, TXG_E_PROTO, "the host does not start '%s': %s", command,
                    ssh_get_error(link->session));
    return rc == SSH_OK ? 0 : -1;
}

int txg_ssh_session_forward(struct txg_ssh_try *t, struct txg_ssh_link *link, const char *host,
                            const char *port, struct txg_err *err)
{
    txg_ssh_try_at(t, "connect", "waiting for the jump host to reach %s port %s", host, port);
    if (open_channel(t, link, host, port, err) != 0)
        return txg_err_wrap(err, "it does not reach %s port %s", host, port);
    return 0;
}

void txg_ssh_link_close(struct txg_ssh_link *link)
{
    if (!link->session)
        return;
    ssh_disconnect(link->session);
    ssh_free(link->session);
    close(link->fd);
    if (link->stream) {
        txg_buf_release(&link->stream->out);
        txg_buf_release(&link->stream->err);
        free(link->stream);
    }
    *link = (struct txg_ssh_link){0};
}
