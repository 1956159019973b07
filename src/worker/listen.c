#include "config.h"

#include "src/worker/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/key.h"
#include "src/base/tcp.h"
#include "src/worker/door.h"
#include "src/worker/relay.h"
#include "src/worker/service.h"
#include "src/worker/sweep.h"
#include "src/worker/tcp.h"
#include "src/worker/wait.h"

#define BACKLOG       256
#define ACCEPTS_MAX   64              /* in one turn */
#define NO_ROOM_WAIT  INT64_C(100000) /* microseconds until accept is tried again */
#define BIND_PATIENCE INT64_C(3000000)
#define KEY_PATIENCE  10000             /* ms */
#define BIND_PAUSE    50                /* ms */
#define END_LIMIT     INT64_C(12000000) /* for the links, which have limits of their own */
#define SWEEP_LIMIT   INT64_C(4000000)
#define FOREVER       INT64_C(3600000000)

struct link { /* one that is served, by a process of its own */
    pid_t pid;
    char who[TXG_DOOR_WHO];
};

struct listener {
    int owner;        /* whose end is ours; -1: nobody's */
    bool hands_over;  /* the links are the owner's */
    bool one_run;     /* what is as it should be is no matter for stderr, which its user reads */
    int fd, alive[2]; /* the links' processes end when alive[1] is closed, however that comes */
    unsigned char key[TXG_KEY_SIZE];
    struct txg_door door;
    struct link links[TXG_LISTEN_LINKS_MAX];
    size_t n;
    int64_t accept_after;
};

/* A run that has just ended may not have let go yet of the port that the next one wants. */
static int bind_port(const struct txg_service_options *o, char *where, struct txg_err *err)
{
    int64_t until = txg_now() + (o->hand_over ? BIND_PATIENCE : 0);
    for (;;) {
        int fd = txg_tcp_listen(&o->address, o->address_len, BACKLOG, where, err);
        if (fd >= 0 || err->errnum != EADDRINUSE || txg_now() >= until)
            return fd;
        poll(NULL, 0, BIND_PAUSE);
    }
}

static void tell_where(const struct listener *l, const char *where, const char *folder, int out)
{
    if (l->one_run) {
        dprintf(out, "listening on %s\n", where);
        close(out);
    } else if (l->hands_over) {
        txg_door_say("listening on %s", where);
    } else {
        txg_door_say("listening on %s, tests run as uid %lld in %s", where, (long long)geteuid(),
                     folder);
    }
}

static int start(struct listener *l, const struct txg_service_options *o, struct txg_err *err)
{
    char where[TXG_TCP_WHERE];
    TXG_AUTOFREE char *folder = NULL;
    l->hands_over = o->hand_over;
    l->one_run = o->one_run;
    if (o->one_run ? txg_key_receive(STDIN_FILENO, KEY_PATIENCE, l->key, err) != 0
                   : txg_key_read(o->key_file, l->key, err) != 0)
        return -1;
    l->fd = bind_port(o, where, err);
    if (l->fd < 0)
        return txg_err_wrap(err, "--listen %s", o->listen);
    bool owned = l->hands_over || l->one_run;
    int out = l->one_run ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    l->owner = owned ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    if ((owned && l->owner < 0) || pipe2(l->alive, O_CLOEXEC) != 0)
        return txg_err_sys(err, errno, "start");
    if (txg_service_begin(o, &folder, err) != 0)
        return -1;
    l->door.key = l->key;
    l->door.caller = l->hands_over ? TXG_SEAL_WORKER_CALLS : TXG_SEAL_CONTROLLER_CALLS;
    tell_where(l, where, folder, out);
    return 0;
}

/* The far end of what `fd` will carry goes to who started us, with the peer's address in front. */
static int hand_over(const struct listener *l, const struct txg_guest *g, int *fd)
{
    int pair[2];
    char mark = 0, line[TXG_DOOR_WHO + 1], control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&mark, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    int n = snprintf(line, sizeof line, "%s\n", g->who);
    struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &pair[1], sizeof(int));
    bool sent = write(pair[0], line, (size_t)n) == n &&
                sendmsg(l->owner, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    close(pair[1]);
    if (!sent)
        close(pair[0]);
    *fd = pair[0];
    return sent ? 0 : -1;
}

static _Noreturn void become_link(struct listener *l, struct txg_guest *g, int inner)
{
    setsid(); /* Ctrl-C and a hang-up are for the listener, which tells us in its own way */
    close(l->fd);
    close(l->alive[1]);
    txg_door_clear(&l->door);
    txg_wipe(l->key, sizeof l->key);
    txg_tcp_tune(g->fd);
    if (inner >= 0)
        _exit(txg_relay_between(g->fd, &g->seal, inner, l->alive[0]));
    _exit(txg_relay_main(g->fd, &g->seal, l->alive[0]));
}

static void enter(void *user, struct txg_guest *g)
{
    struct listener *l = user;
    pid_t pid = -1;
    int inner = -1;
    if (l->n == TXG_LISTEN_LINKS_MAX)
        txg_door_refused(&l->door, g->who, "it has the key, but there are 64 links already",
                         txg_now());
    else if (l->hands_over && hand_over(l, g, &inner) != 0)
        txg_door_refused(&l->door, g->who, "it has the key, but txgate does not take it",
                         txg_now());
    else if ((pid = fork()) == 0)
        become_link(l, g, inner);
    else if (pid < 0)
        txg_door_refused(&l->door, g->who, strerror(errno), txg_now());
    if (pid > 0) {
        struct link *link = &l->links[l->n++];
        link->pid = pid;
        memcpy(link->who, g->who, sizeof link->who);
        if (!l->one_run)
            txg_door_say("%s linked, pid %ld", link->who, (long)pid);
    }
    txg_seal_release(&g->seal);
    close(g->fd);
    if (inner >= 0)
        close(inner);
}

static void accept_all(struct listener *l, int64_t now)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            txg_door_admit(&l->door, fd, &from, now);
            continue;
        }
        bool full = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        if (full && !txg_door_make_room(&l->door, "no more file descriptors here", now))
            l->accept_after = now + NO_ROOM_WAIT;
        if (!full && errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void reap(struct listener *l)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < l->n; i++) {
            if (l->links[i].pid != pid)
                continue;
            if (WIFSIGNALED(status))
                txg_door_say("%s: its process was killed by signal %d", l->links[i].who,
                             WTERMSIG(status));
            else if (!l->one_run)
                txg_door_say("%s has ended", l->links[i].who);
            l->links[i] = l->links[--l->n];
            break;
        }
    }
}

static void serve(struct listener *l)
{
    struct pollfd fds[2 + TXG_DOOR_MAX];
    while (!txg_service_ended()) {
        int64_t now = txg_now(), until = now + FOREVER;
        int64_t next = txg_door_expire(&l->door, now);
        bool open = now >= l->accept_after;
        if (next < until)
            until = next;
        if (!open && l->accept_after < until)
            until = l->accept_after;
        fds[0] = (struct pollfd){.fd = open ? l->fd : -1, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = l->owner, .events = POLLIN};
        size_t n = txg_door_fill(&l->door, fds + 2);
        txg_wait(fds, 2 + n, until);
        now = txg_now();
        txg_door_read(&l->door, fds + 2, n, now, enter, l);
        if (fds[1].revents)
            return;
        if (fds[0].revents)
            accept_all(l, now);
        if (txg_wait_child_changed())
            reap(l);
    }
}

/* Each link's process sees that we left, tells its agent, and kills what that leaves. */
static void end(struct listener *l)
{
    int64_t until = txg_now() + END_LIMIT;
    close(l->fd);
    close(l->alive[1]);
    txg_door_clear(&l->door);
    txg_wipe(l->key, sizeof l->key);
    while (txg_now() < until) {
        reap(l);
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            break;
        txg_wait(NULL, 0, txg_now() + 50000);
        txg_wait_child_changed();
    }
    txg_sweep_all(SWEEP_LIMIT, NULL);
    close(l->alive[0]);
    if (!l->one_run)
        txg_door_say("ended");
}

int txg_listen_main(int argc, char **argv)
{
    struct txg_service_options o = {0};
    struct txg_err err;
    struct listener *l = txg_xcalloc(1, sizeof *l);
    int status = 2;
    if (txg_service_parse(&o, argc, argv, &err) == 0) {
        status = start(l, &o, &err) == 0 ? 0 : 1;
        if (status == 0) {
            serve(l);
            end(l);
        }
    }
    if (status) /* who sends the key on stdin reads what stdout says */
        fprintf(o.one_run ? stdout : stderr, "txgate-worker: %s\n", err.text);
    txg_wipe(l, sizeof *l);
    free(l);
    return status;
}
