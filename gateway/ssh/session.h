/*
 * A session of libssh from a connected socket to the moment that it is logged in. libssh's socket
 * stays blocking and open to children unless its owner sees to both, so the descriptor is ours:
 * libssh works on a copy, and closing that one never disturbs whoever polls the other.
 */
#ifndef TXG_GATEWAY_SSH_SESSION_H
#define TXG_GATEWAY_SSH_SESSION_H

#include <libssh/libssh.h>

#include "gateway/ssh/hostkey.h"
#include "gateway/ssh/try.h"
#include "src/base/buf.h"

/* More unacknowledged bytes than this and OpenSSH's server spends its time copying them. */
#define TXG_SSH_IN_FLIGHT_MAX (256u * 1024)

/* What has come through a channel and was not yet looked at. libssh fills it in whenever it is at
 * work, also from inside a write; the far side's window bounds it. */
struct txg_ssh_stream {
    struct txg_buf out, err;
    bool eof, closed;
    bool exited; /* with `status`, or by `signal` where that is not empty */
    int status;
    char signal[32]; /* "KILL" */
};

struct txg_ssh_link { /* zero-filled storage is none */
    ssh_session session;
    ssh_channel channel;
    struct txg_ssh_stream *stream; /* of the channel */
    int fd;                        /* of the socket, ours */
};

/* Takes `fd` (connected, non-blocking, close-on-exec), also on failure. `where` names it. */
int txg_ssh_session_open(struct txg_ssh_try *t, const struct txg_ssh_hostkey *hostkey, int fd,
                         const char *where, struct txg_ssh_link *out, struct txg_err *err);

/* Opens the one channel and starts `command` in it. */
int txg_ssh_session_exec(struct txg_ssh_try *t, struct txg_ssh_link *link, const char *command,
                         struct txg_err *err);

/* Opens a channel to host:port as the far side sees it. */
int txg_ssh_session_forward(struct txg_ssh_try *t, struct txg_ssh_link *link, const char *host,
                            const char *port, struct txg_err *err);

/* Ends the connection. Nobody may still poll link->fd. */
void txg_ssh_link_close(struct txg_ssh_link *link);

/* Waits until libssh can go on with what it answered SSH_AGAIN to. */
int txg_ssh_session_wait(struct txg_ssh_try *t, ssh_session session, int fd, struct txg_err *err);

/* How much may be written now; *most is the largest window that was seen so far. */
size_t txg_ssh_room(ssh_channel channel, size_t *most);

#endif
