#include "config.h"

#include "src/worker/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/key.h"
#include "src/base/str.h"
#include "src/base/tcp.h"
#include "src/worker/door.h"
#include "src/worker/relay.h"
#include "src/worker/service.h"
#include "src/worker/sweep.h"
#include "src/worker/tcp.h"
#include "src/worker/wait.h"

#define NAME_SIZE   65
#define END_LIMIT   INT64_C(12000000) /* for the link, which has limits of its own */
#define SWEEP_LIMIT INT64_C(4000000)

struct dialler {
    const struct txg_service_options *options;
    char name[NAME_SIZE];
    char where[TXG_TCP_WHERE];
    unsigned char key[TXG_KEY_SIZE];
    int alive[2];        /* the link's process ends when alive[1] is closed, however that comes */
    struct txg_err said; /* why the last try failed: said once, not each time */
};

static void wait_for(struct pollfd *fd, int64_t until)
{
    txg_wait(fd, fd != NULL, until);
    txg_wait_child_changed(); /* else no later wait would last */
}

/* Until the descriptor is ready. -1: it is not in time, or we are to end. */
static int await(int fd, short events, int64_t until, struct txg_err *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    while (!txg_service_ended() && txg_now() < until) {
        wait_for(&p, until);
        if (p.revents)
            return 0;
    }
    return txg_err_set(err, TXG_E_TIMEOUT, "no answer within %d s", (int)(TXG_DIAL_TRY / 1000000));
}

static int reach(struct dialler *d, struct txg_err *err)
{
    int error = 0;
    socklen_t len = sizeof error;
    int fd = txg_tcp_connect(&d->options->address, d->options->address_len, err);
    if (fd < 0)
        return -1;
    if (await(fd, POLLOUT, txg_now() + TXG_DIAL_TRY, err) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
        txg_tcp_tune(fd);
        return fd;
    }
    if (error)
        txg_err_set(err, TXG_E_SYS, "%s%s", strerror(error),
                    error == ECONNREFUSED ? ": no `txgate run --listen` there now" : "");
    close(fd);
    return -1;
}

static int send_all(int fd, struct txg_buf *out, int64_t until, struct txg_err *err)
{
    while (txg_buf_len(out)) {
        ssize_t n = send(fd, txg_buf_data(out), txg_buf_len(out), MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return txg_err_sys(err, errno, "handshake");
        if (n > 0)
            txg_buf_consume(out, (size_t)n);
        else if (await(fd, POLLOUT, until, err) != 0)
            return -1;
    }
    return 0;
}

/* One read of the handshake's answer, never a byte behind it. 1: the peer has the key. */
static int hear(int fd, struct txg_seal *seal, size_t *got, struct txg_buf *out,
                struct txg_err *err)
{
    char bytes[2 + TXG_NOISE_HANDSHAKE];
    struct txg_buf plain = {0};
    ssize_t n = read(fd, bytes, sizeof bytes - *got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return txg_err_set(
            err, TXG_E_PROTO,
            "the connection was closed in the handshake: there is another key, or no "
            "`txgate run --listen`");
    *got += (size_t)n;
    int rc = txg_seal_feed(seal, bytes, (size_t)n, &plain, out, err);
    txg_buf_release(&plain);
    return rc == 0 ? seal->proven : -1;
}

/* The handshake, and our name as the first line of the stream. */
static int shake(struct dialler *d, int fd, struct txg_seal *seal, struct txg_err *err)
{
    unsigned char ephemeral[TXG_NOISE_KEY];
    char line[NAME_SIZE + 1];
    struct txg_buf out = {0};
    size_t got = 0;
    int64_t until = txg_now() + TXG_DIAL_TRY;
    if (txg_random(ephemeral, sizeof ephemeral, err) != 0)
        return -1;
    txg_seal_open(seal, TXG_NOISE_INITIATOR, TXG_SEAL_WORKER_CALLS, d->key, ephemeral, &out);
    txg_wipe(ephemeral, sizeof ephemeral);
    int rc = send_all(fd, &out, until, err);
    for (int heard = 0; rc == 0 && heard == 0;) {
        rc = await(fd, POLLIN, until, err);
        heard = rc == 0 ? hear(fd, seal, &got, &out, err) : 0;
        if (heard < 0)
            rc = -1;
    }
    int n = snprintf(line, sizeof line, "%s\n", d->name);
    if (rc == 0 && (rc = txg_seal_send(seal, line, (size_t)n, &out, err)) == 0)
        rc = send_all(fd, &out, until, err);
    txg_buf_release(&out);
    return rc;
}

static _Noreturn void become_link(struct dialler *d, int fd, struct txg_seal *seal)
{
    setsid(); /* Ctrl-C and a hang-up are for the parent, which tells us in its own way */
    close(d->alive[1]);
    txg_wipe(d->key, sizeof d->key);
    _exit(txg_relay_main(fd, seal, d->alive[0]));
}

/* The process that serves a link, or -1. */
static pid_t dial(struct dialler *d, struct txg_err *err)
{
    struct txg_seal seal = {0};
    pid_t pid = -1;
    int fd = reach(d, err);
    if (fd < 0)
        return -1;
    if (shake(d, fd, &seal, err) == 0) {
        pid = fork();
        if (pid == 0)
            become_link(d, fd, &seal);
        if (pid < 0)
            txg_err_sys(err, errno, "fork");
    }
    txg_seal_release(&seal);
    close(fd);
    return pid;
}

static bool has_ended(pid_t pid)
{
    bool gone = false;
    for (pid_t p; (p = waitpid(-1, NULL, WNOHANG)) != 0 && !gone;)
        gone = p == pid || (p < 0 && errno == ECHILD);
    return gone;
}

static void rest(int64_t until)
{
    while (!txg_service_ended() && txg_now() < until)
        wait_for(NULL, until);
}

/* The running test finishes, the controller gives the rest to others and closes the link. */
static void leave(pid_t pid)
{
    int64_t until = txg_now() + TXG_DIAL_LEAVE;
    txg_door_say("leaving: what runs may finish; once more ends it now");
    kill(pid, SIGTERM);
    while (!txg_service_hurried() && txg_now() < until && !has_ended(pid))
        wait_for(NULL, until);
}

static void complain(struct dialler *d, const struct txg_err *err)
{
    if (strcmp(err->text, d->said.text) == 0)
        return;
    d->said = *err;
    txg_door_say("%s: %s; trying again", d->where, err->text);
}

static void serve(struct dialler *d)
{
    int64_t pause = TXG_DIAL_REST;
    struct txg_err err = {0};
    while (!txg_service_ended()) {
        pid_t pid = dial(d, &err);
        if (pid < 0 && !txg_service_ended())
            complain(d, &err);
        if (pid > 0) {
            d->said.text[0] = '\0';
            pause = TXG_DIAL_REST;
            txg_door_say("linked with %s as %s, pid %ld", d->where, d->name, (long)pid);
            while (!txg_service_ended() && !has_ended(pid))
                wait_for(NULL, txg_now() + TXG_DIAL_REST_MAX);
            if (txg_service_ended())
                leave(pid);
            txg_door_say("the link with %s has ended", d->where);
        }
        rest(txg_now() + pause);
        if (pid < 0 && (pause *= 2) > TXG_DIAL_REST_MAX)
            pause = TXG_DIAL_REST_MAX;
    }
}

/* The link's process sees that we left, tells its agent, and kills what that leaves. */
static void end(struct dialler *d)
{
    int64_t until = txg_now() + END_LIMIT;
    close(d->alive[1]);
    txg_wipe(d->key, sizeof d->key);
    while (txg_now() < until && waitpid(-1, NULL, WNOHANG) >= 0)
        wait_for(NULL, txg_now() + 50000);
    txg_sweep_all(SWEEP_LIMIT, NULL);
    close(d->alive[0]);
    txg_door_say("ended");
}

/* A host's name may hold what an id can't. */
static void choose_name(struct dialler *d)
{
    if (d->options->name)
        snprintf(d->name, sizeof d->name, "%s", d->options->name);
    else if (gethostname(d->name, sizeof d->name - 1) != 0 || !d->name[0])
        strcpy(d->name, "worker");
    for (size_t good; d->name[good = txg_service_name_prefix(d->name)];)
        d->name[good] = good ? '-' : '_';
}

static int start(struct dialler *d, struct txg_err *err)
{
    TXG_AUTOFREE char *folder = NULL;
    txg_tcp_name(&d->options->address, d->where);
    choose_name(d);
    if (txg_key_read(d->options->key_file, d->key, err) != 0)
        return -1;
    if (pipe2(d->alive, O_CLOEXEC) != 0)
        return txg_err_sys(err, errno, "start");
    if (txg_service_begin(d->options, &folder, err) != 0)
        return -1;
    txg_door_say("connecting to %s as %s, tests run as uid %lld in %s", d->where, d->name,
                 (long long)geteuid(), folder);
    return 0;
}

int txg_dial_main(int argc, char **argv)
{
    struct txg_service_options o = {0};
    struct txg_err err;
    struct dialler d = {.options = &o};
    int status = 2;
    if (txg_service_parse(&o, argc, argv, &err) == 0) {
        status = start(&d, &err) == 0 ? 0 : 1;
        if (status == 0) {
            serve(&d);
            end(&d);
        }
    }
    if (status)
        fprintf(stderr, "txgate-worker: %s\n", err.text);
    txg_wipe(&d, sizeof d);
    return status;
}
