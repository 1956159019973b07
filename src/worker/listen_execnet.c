#include "config.h"

#include "src/worker/listen_execnet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/tcp.h"
#include "src/worker/door.h"
#include "src/worker/service.h"
#include "src/worker/sweep.h"
#include "src/worker/tcp.h"
#include "src/worker/wait.h"
#include "src/worker/xdist.h"

#define LINKS_MAX   64
#define BACKLOG     64
#define NO_ROOM     INT64_C(100000) /* microseconds until accept is tried again */
#define SWEEP_LIMIT INT64_C(8000000)
#define FOREVER     INT64_C(3600000000)

struct links { /* each is served by a process of its own */
    pid_t pids[LINKS_MAX];
    size_t n;
};

/* The end of the listener is that of its links, also where it has ended by now. */
static void end_with(pid_t listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != listener)
        _exit(1);
}

static _Noreturn void become_worker(pid_t listener, int listening, int fd)
{
    end_with(listener);
    prctl(PR_SET_DUMPABLE, 1); /* there is no key to hide */
    setsid();
    close(listening);
    txg_tcp_tune(fd);
    int out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    _exit(out < 0 ? 1 : txg_xdist_main(fd, out));
}

/* False: there is no room, for a while. */
static bool accept_one(int listening, struct links *links)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    char who[TXG_TCP_WHERE];
    pid_t self = getpid();
    int fd = accept4(listening, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    if (fd < 0)
        return errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS;
    txg_tcp_name(&from, who);
    bool full = links->n == LINKS_MAX;
    pid_t pid = full ? -1 : fork();
    if (pid == 0)
        become_worker(self, listening, fd);
    if (pid > 0) {
        links->pids[links->n++] = pid;
        txg_door_say("%s linked, pid %ld", who, (long)pid);
    } else {
        txg_door_say("%s refused: %s", who,
                     full ? "there are 64 links already" : "no process for it");
    }
    close(fd);
    return true;
}

/* Its place; `n` for what is no link. */
static size_t find(const struct links *links, pid_t pid)
{
    size_t i = 0;
    while (i < links->n && links->pids[i] != pid)
        i++;
    return i;
}

static bool is_link(void *user, pid_t pid)
{
    const struct links *links = user;
    return find(links, pid) < links->n;
}

/* What a killed link leaves has become our child, and is none of them. */
static void reap(struct links *links)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        size_t i = find(links, pid);
        if (i == links->n)
            continue;
        links->pids[i] = links->pids[--links->n];
        if (WIFSIGNALED(status))
            txg_door_say("pid %ld was killed by signal %d", (long)pid, WTERMSIG(status));
        else
            txg_door_say("pid %ld has ended", (long)pid);
    }
    txg_sweep_once(is_link, links);
}

static void serve(int listening)
{
    struct links links = {.n = 0};
    int64_t accept_after = 0;
    while (!txg_service_ended()) {
        bool open = txg_now() >= accept_after;
        struct pollfd fd = {.fd = open ? listening : -1, .events = POLLIN};
        txg_wait(&fd, 1, open ? txg_now() + FOREVER : accept_after);
        if (fd.revents && !accept_one(listening, &links))
            accept_after = txg_now() + NO_ROOM;
        if (txg_wait_child_changed())
            reap(&links);
    }
}

static int start(const struct txg_service_options *o, struct txg_err *err)
{
    char where[TXG_TCP_WHERE];
    TXG_AUTOFREE char *folder = NULL;
    int fd = txg_tcp_listen(&o->address, o->address_len, BACKLOG, where, err);
    if (fd < 0)
        return txg_err_wrap(err, "--listen %s", o->listen);
    if (txg_service_begin(o, &folder, err) != 0)
        return -1;
    txg_door_say("warning: --insecure-execnet: execnet's protocol has no key: everybody on this "
                 "machine can run programs as uid %lld",
                 (long long)geteuid());
    txg_door_say("listening on %s for pytest-xdist, tests run in %s", where, folder);
    return fd;
}

int txg_listen_execnet_main(int argc, char **argv)
{
    struct txg_service_options o = {0};
    struct txg_err err;
    bool parsed = txg_service_parse(&o, argc, argv, &err) == 0;
    int fd = parsed ? start(&o, &err) : -1;
    if (fd < 0) {
        fprintf(stderr, "txgate-worker: %s\n", err.text);
        return parsed ? 1 : 2;
    }
    serve(fd);
    close(fd);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    txg_door_say("ended");
    return 0;
}
