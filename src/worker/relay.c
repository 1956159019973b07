#include "config.h"

#include "src/worker/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/worker/agent.h"
#include "src/worker/door.h"
#include "src/worker/service.h"
#include "src/worker/sweep.h"
#include "src/worker/wait.h"

#define HELD_MAX    (256u * 1024)    /* bytes for a side at which the other is no longer read */
#define READ_SIZE   (60u * 1024)     /* fits one message of the seal */
#define END_LIMIT   INT64_C(6000000) /* for the agent after its link has ended: it kills first */
#define SWEEP_LIMIT INT64_C(4000000)
#define FOREVER     INT64_C(3600000000)

struct relay {
    int net, agent, alive;
    pid_t pid; /* of the agent; 0: another program is in its place */
    struct txg_seal *seal;
    struct txg_buf up, down; /* sealed, for the network; plain, for the agent */
    bool net_ended;          /* nothing more comes from there */
    bool net_lost;           /* and nothing goes there */
    bool agent_told, agent_ended, asked;
    int64_t until;
};

static void net_end(struct relay *r)
{
    if (!r->net_ended)
        r->until = txg_now() + END_LIMIT;
    r->net_ended = true;
}

static void net_lost(struct relay *r)
{
    net_end(r);
    r->net_lost = true;
    txg_buf_clear(&r->up);
}

static void read_net(struct relay *r)
{
    static char bytes[READ_SIZE];
    struct txg_err err;
    struct txg_buf answer = {0}; /* a proven peer is answered nothing */
    ssize_t n = read(r->net, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        n == 0 ? net_end(r) : net_lost(r);
        return;
    }
    if (txg_seal_feed(r->seal, bytes, (size_t)n, &r->down, &answer, &err) != 0) {
        txg_door_say("the link has to end: %s", err.text);
        net_lost(r);
    }
    txg_buf_release(&answer);
}

static void read_agent(struct relay *r)
{
    static char bytes[READ_SIZE];
    struct txg_err err;
    ssize_t n = read(r->agent, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        r->agent_ended = true;
        r->until = txg_now() + END_LIMIT;
    } else if (!r->net_lost && txg_seal_send(r->seal, bytes, (size_t)n, &r->up, &err) != 0) {
        net_lost(r);
    }
}

/* False: nobody takes it any more. */
static bool flush(int fd, struct txg_buf *bytes)
{
    while (txg_buf_len(bytes)) {
        ssize_t n = send(fd, txg_buf_data(bytes), txg_buf_len(bytes), MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            txg_buf_consume(bytes, (size_t)n);
    }
    return true;
}

static void flush_both(struct relay *r)
{
    if (!r->net_lost && !flush(r->net, &r->up))
        net_lost(r);
    if (!flush(r->agent, &r->down))
        txg_buf_clear(&r->down); /* its end is read where it is told */
    if (r->net_ended && !r->agent_told && (r->net_lost || txg_buf_len(&r->down) == 0)) {
        shutdown(r->agent, SHUT_WR);
        r->agent_told = true;
    }
}

static short wants(bool to_read, const struct txg_buf *unsent)
{
    return (short)((to_read ? POLLIN : 0) | (txg_buf_len(unsent) ? POLLOUT : 0));
}

static void serve(struct relay *r)
{
    r->until = txg_now() + FOREVER;
    while (!r->agent_ended || (txg_buf_len(&r->up) && !r->net_lost)) {
        flush_both(r);
        if (txg_service_ended() && r->pid && !r->asked) {
            kill(r->pid, SIGTERM); /* whom it asks to leave */
            r->asked = true;
        }
        bool lasting = !r->agent_ended && !r->net_ended;
        if (lasting)
            r->until = txg_now() + FOREVER;
        else if (txg_now() >= r->until)
            return;
        struct pollfd fds[] = {
            {.events = wants(!r->net_ended && txg_buf_len(&r->down) < HELD_MAX, &r->up)},
            {.events = wants(!r->agent_ended && txg_buf_len(&r->up) < HELD_MAX, &r->down)},
            {.fd = r->net_ended ? -1 : r->alive, .events = POLLIN},
        };
        /* What is not waited for may be ready for good. */
        fds[0].fd = fds[0].events ? r->net : -1;
        fds[1].fd = fds[1].events ? r->agent : -1;
        txg_wait(fds, 3, r->until);
        txg_wait_child_changed(); /* the agent's end is read from its socket */
        if (fds[1].revents & (POLLIN | POLLHUP | POLLERR) && !r->agent_ended)
            read_agent(r);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && !r->net_ended)
            read_net(r);
        if (fds[2].revents)
            net_lost(r);
    }
}

static _Noreturn void become_agent(struct relay *r, int fd)
{
    txg_seal_release(r->seal);
    close(r->net);
    close(r->alive);
    close(r->agent);
    prctl(PR_SET_DUMPABLE, 1); /* nothing is secret here: tests and debuggers find it as ever */
    _exit(txg_agent_main(fd, fd, NULL));
}

static int carry(struct relay *r)
{
    fcntl(r->agent, F_SETFL, fcntl(r->agent, F_GETFL) | O_NONBLOCK);
    serve(r);
    close(r->agent);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    /* Last: whoever waits for the end of the link may rely on nothing being left. */
    txg_seal_release(r->seal);
    close(r->net);
    txg_buf_release(&r->up);
    txg_buf_release(&r->down);
    return 0;
}

int txg_relay_between(int fd, struct txg_seal *seal, int inner, int alive)
{
    return carry(&(struct relay){.net = fd, .agent = inner, .alive = alive, .seal = seal});
}

int txg_relay_main(int fd, struct txg_seal *seal, int alive)
{
    struct relay r = {.net = fd, .alive = alive, .seal = seal};
    int pair[2];
    txg_sweep_prepare();
    txg_wait_prepare();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        perror("txgate-worker: socketpair");
        return 1;
    }
    r.agent = pair[0];
    pid_t pid = fork();
    if (pid == 0)
        become_agent(&r, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        perror("txgate-worker: fork");
        return 1;
    }
    r.pid = pid;
    txg_service_watch(); /* the agent has been forked: it has its own way */
    return carry(&r);
}
