#include "config.h"

#include "gateway/ssh/pump.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/ssh/threads.h"
#include "src/base/str.h"

#define CHUNK       32768
#define PENDING_MAX (1024 * 1024) /* bytes for a slow reader; then the jump host waits */
#define TURNS       32

struct pump {
    struct txg_ssh_link link;
    ssh_event event;
    int fd;
    size_t most; /* of the window, txg_ssh_room() */
    bool ended;
};

/* From the socket into the channel, as much as there is room for. */
static void upward(struct pump *p)
{
    char bytes[CHUNK];
    size_t room = txg_ssh_room(p->link.channel, &p->most);
    if (room == 0)
        return;
    ssize_t n = recv(p->fd, bytes, room < sizeof bytes ? room : sizeof bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        p->ended = true;
    for (ssize_t done = 0; n > 0 && done < n;) {
        int rc = ssh_channel_write(p->link.channel, bytes + done, (uint32_t)(n - done));
        if (rc > 0) {
            done += rc;
            continue;
        }
        /* While keys are exchanged again nothing is taken. */
        struct pollfd ready = {.fd = p->link.fd, .events = POLLIN | POLLOUT};
        if (rc < 0 || poll(&ready, 1, 1000) < 0 || ssh_event_dopoll(p->event, 0) == SSH_ERROR ||
            p->link.stream->closed) {
            p->ended = true;
            return;
        }
    }
}

static void downward(struct pump *p)
{
    struct txg_buf *out = &p->link.stream->out;
    while (txg_buf_len(out) > 0) {
        ssize_t n = send(p->fd, txg_buf_data(out), txg_buf_len(out), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            p->ended = true;
        if (n <= 0)
            return;
        txg_buf_consume(out, (size_t)n);
    }
    if (p->link.stream->eof || p->link.stream->closed)
        p->ended = true;
}

static void turn(struct pump *p)
{
    bool writes = ssh_get_poll_flags(p->link.session) & SSH_WRITE_PENDING;
    bool has_room = txg_ssh_room(p->link.channel, &p->most) > 0;
    size_t pending = txg_buf_len(&p->link.stream->out);
    struct pollfd fds[2] = {
        {.fd = p->link.fd,
         .events = (short)((pending < PENDING_MAX ? POLLIN : 0) | (writes ? POLLOUT : 0))},
        {.fd = p->fd, .events = (short)((has_room ? POLLIN : 0) | (pending ? POLLOUT : 0))},
    };
    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        p->ended = true;
    for (int i = 0; fds[0].revents && i < TURNS && !p->ended; i++) {
        int rc = ssh_event_dopoll(p->event, 0);
        p->ended = rc == SSH_ERROR;
        if (rc != SSH_OK || txg_buf_len(&p->link.stream->out) >= PENDING_MAX)
            break;
    }
    if (fds[1].revents && !p->ended)
        upward(p);
    downward(p);
}

static void run(void *arg)
{
    struct pump *p = arg;
    while (!p->ended)
        turn(p);
    ssh_event_remove_session(p->event, p->link.session);
    ssh_event_free(p->event);
    txg_ssh_link_close(&p->link);
    close(p->fd);
    free(p);
}

int txg_ssh_pump_start(struct txg_ssh_link *link, struct txg_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return txg_err_sys(err, errno, "socketpair");
    struct pump *p = txg_xcalloc(1, sizeof *p);
    p->link = *link;
    p->fd = pair[1];
    p->event = ssh_event_new();
    ssh_event_add_session(p->event, p->link.session);
    int rc = txg_ssh_thread_start(run, p);
    if (rc != 0) {
        ssh_event_remove_session(p->event, p->link.session);
        ssh_event_free(p->event);
        close(pair[0]);
        close(pair[1]);
        free(p);
        return txg_err_sys(err, rc, "a thread for the jump host");
    }
    *link = (struct txg_ssh_link){0};
    return pair[0];
}
