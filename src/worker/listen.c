#include "config.h"

#include "src/worker/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/key.h"
#include "src/base/tcp.h"
#include "src/worker/door.h"
#include "src/worker/files.h"
#include "src/worker/relay.h"
#include "src/worker/sweep.h"
#include "src/worker/tcp.h"
#include "src/worker/wait.h"

#define BACKLOG      256
#define ACCEPTS_MAX  64                /* in one turn */
#define NO_ROOM_WAIT INT64_C(100000)   /* microseconds until accept is tried again */
#define END_LIMIT    INT64_C(12000000) /* for the links, which have limits of their own */
#define SWEEP_LIMIT  INT64_C(4000000)
#define FOREVER      INT64_C(3600000000)

struct options {
    const char *listen, *key_file, *user;
    struct sockaddr_storage address;
    socklen_t address_len;
    bool has_user;
    uid_t uid;
    gid_t gid;
};

struct link { /* one that is served, by a process of its own */
    pid_t pid;
    char who[TXG_DOOR_WHO];
};

struct listener {
    int fd, alive[2]; /* the links' processes end when alive[1] is closed, however that comes */
    unsigned char key[TXG_KEY_SIZE];
    struct txg_door door;
    struct link links[TXG_LISTEN_LINKS_MAX];
    size_t n;
    int64_t accept_after;
};

static volatile sig_atomic_t ended;

static void on_end(int signum)
{
    (void)signum;
    ended = 1;
}

static int parse_id(const char *text, uint32_t *out)
{
    int64_t n;
    if (!txg_parse_int(text, 0, INT32_MAX, &n))
        return -1;
    *out = (uint32_t)n;
    return 0;
}

static int parse_user(struct options *o, struct txg_err *err)
{
    TXG_AUTOFREE char *copy = txg_xstrdup(o->user);
    char *colon = strchr(copy, ':');
    if (colon)
        *colon = '\0';
    if (parse_id(copy, &o->uid) != 0 || parse_id(colon ? colon + 1 : copy, &o->gid) != 0)
        return txg_err_set(err, TXG_E_USAGE, "--user %s: expected numbers, UID or UID:GID",
                           o->user);
    o->has_user = true;
    return 0;
}

static int parse_options(struct options *o, int argc, char **argv, struct txg_err *err)
{
    static const char *const names[] = {"--listen", "--key-file", "--user", NULL};
    const char **values[] = {&o->listen, &o->key_file, &o->user};
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        while (names[k] && strcmp(argv[i], names[k]) != 0)
            k++;
        if (!names[k])
            return txg_err_set(err, TXG_E_USAGE,
                               "unknown option '%s': with --listen there are --key-file and --user",
                               argv[i]);
        if (i + 1 == argc || *values[k])
            return txg_err_set(err, TXG_E_USAGE, "%s: expected one value", argv[i]);
        *values[k] = argv[i + 1];
    }
    if (!o->key_file)
        return txg_err_set(err, TXG_E_USAGE,
                           "--listen needs --key-file FILE: without a key anybody could run "
                           "programs here (make one with `txgate keygen FILE`)");
    if (txg_tcp_parse(o->listen, &o->address, &o->address_len, err) != 0)
        return txg_err_wrap(err, "--listen");
    return o->user ? parse_user(o, err) : 0;
}

/* The port is bound and the key read by whom that takes; what strangers reach has no more rights
 * than their tests will. */
static int become_user(const struct options *o, struct txg_err *err)
{
    if (!o->has_user)
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(o->gid) != 0 || setuid(o->uid) != 0)
        return txg_err_sys(err, errno, "--user %s", o->user);
    if (o->uid != 0 && setuid(0) == 0)
        return txg_err_set(err, TXG_E_SYS, "--user %s: root's rights could not be given up",
                           o->user);
    return 0;
}

static int take_null(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ? -1 : 0;
    if (null > STDERR_FILENO)
        close(null);
    return rc;
}

static int start(struct listener *l, const struct options *o, struct txg_err *err)
{
    char where[TXG_TCP_WHERE];
    TXG_AUTOFREE char *folder = getcwd(NULL, 0);
    if (txg_key_read(o->key_file, l->key, err) != 0)
        return -1;
    l->fd = txg_tcp_listen(&o->address, o->address_len, BACKLOG, where, err);
    if (l->fd < 0)
        return txg_err_wrap(err, "--listen %s", o->listen);
    if (become_user(o, err) != 0)
        return -1;
    if (!folder || take_null() != 0 || pipe2(l->alive, O_CLOEXEC) != 0)
        return txg_err_sys(err, errno, "start");
    txg_files_keep_in(folder);
    /* Whoever runs as the same user, tests among them, must not look into this memory. */
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    txg_wait_prepare();
    sigset_t blocked; /* let in by txg_wait only, as SIGCHLD is */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    l->door.key = l->key;
    txg_door_say("listening on %s, tests run as uid %lld in %s", where, (long long)geteuid(),
                 folder);
    return 0;
}

static _Noreturn void become_link(struct listener *l, struct txg_guest *g)
{
    setsid(); /* Ctrl-C and a hang-up are for the listener, which tells us in its own way */
    close(l->fd);
    close(l->alive[1]);
    txg_door_clear(&l->door);
    txg_wipe(l->key, sizeof l->key);
    txg_tcp_tune(g->fd);
    _exit(txg_relay_main(g->fd, &g->seal, l->alive[0]));
}

static void enter(void *user, struct txg_guest *g)
{
    struct listener *l = user;
    pid_t pid = -1;
    if (l->n == TXG_LISTEN_LINKS_MAX)
        txg_door_refused(&l->door, g->who, "it has the key, but there are 64 links already",
                         txg_now());
    else if ((pid = fork()) == 0)
        become_link(l, g);
    else if (pid < 0)
        txg_door_refused(&l->door, g->who, strerror(errno), txg_now());
    if (pid > 0) {
        struct link *link = &l->links[l->n++];
        link->pid = pid;
        memcpy(link->who, g->who, sizeof link->who);
        txg_door_say("%s linked, pid %ld", link->who, (long)pid);
    }
    txg_seal_release(&g->seal);
    close(g->fd);
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
            else
                txg_door_say("%s has ended", l->links[i].who);
            l->links[i] = l->links[--l->n];
            break;
        }
    }
}

static void serve(struct listener *l)
{
    struct pollfd fds[1 + TXG_DOOR_MAX];
    while (!ended) {
        int64_t now = txg_now(), until = now + FOREVER;
        int64_t next = txg_door_expire(&l->door, now);
        bool open = now >= l->accept_after;
        if (next < until)
            until = next;
        if (!open && l->accept_after < until)
            until = l->accept_after;
        fds[0] = (struct pollfd){.fd = open ? l->fd : -1, .events = POLLIN};
        size_t n = txg_door_fill(&l->door, fds + 1);
        txg_wait(fds, 1 + n, until);
        now = txg_now();
        txg_door_read(&l->door, fds + 1, n, now, enter, l);
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
    txg_door_say("ended");
}

int txg_listen_main(int argc, char **argv)
{
    struct options o = {0};
    struct txg_err err;
    struct listener *l = txg_xcalloc(1, sizeof *l);
    int status = 2;
    if (parse_options(&o, argc, argv, &err) == 0) {
        status = start(l, &o, &err) == 0 ? 0 : 1;
        if (status == 0) {
            serve(l);
            end(l);
        }
    }
    if (status)
        fprintf(stderr, "txgate-worker: %s\n", err.text);
    txg_wipe(l, sizeof *l);
    free(l);
    return status;
}
