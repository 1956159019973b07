#include "config.h"

#include "src/worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/worker/sweep.h"

#define READ_SIZE    (64u * 1024)
#define READ_ROUNDS  16 /* of READ_SIZE for one wake-up, so that pings are answered in between */
#define DRAIN_MAX    64 /* the same after the end: a pipe holds 1 MiB at most */
#define PIPE_BIG     (1 << 20)
#define PIPE_DEFAULT (60u << 10) /* what a pipe takes at the least, and then some */
#define SWEEP_LIMIT  INT64_C(5000000)

struct spawn {
    const struct txg_child_command *command;
    int null, out, err;
    int commands, results; /* its ends, above those that they are to become; -1: it does not talk */
    int ring;              /* -1: there is none */
    /* Written by the child, which shares our memory until it execs: in no path that the compiler
     * sees come back. */
    const char *volatile step;
    volatile int errnum;
};

static int open_null(void)
{
    static int fd = -1;
    if (fd < 0)
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd;
}

static void run_in_child(struct spawn *s)
{
    s->step = "setsid";
    if (setsid() < 0)
        goto failed;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    s->step = "redirect";
    if (dup2(s->null, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0)
        goto failed;
    if (s->commands >= 0 &&
        (dup2(s->commands, TXG_CHILD_COMMANDS) < 0 || dup2(s->results, TXG_CHILD_RESULTS) < 0))
        goto failed;
    if (s->ring >= 0 && dup2(s->ring, TXG_CHILD_RING) < 0)
        goto failed;
    s->step = "chdir";
    if (s->command->cwd && chdir(s->command->cwd) != 0)
        goto failed;
    signal(SIGPIPE, SIG_DFL); /* the two dispositions that the worker changed */
    signal(SIGXFSZ, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    s->step = "exec";
    execve(s->command->path, s->command->argv, s->command->envp);
failed:
    s->errnum = errno;
    _exit(127);
}

/* The caller's stack frame must not be left by the child: nothing but the call stands here. */
static pid_t spawn(struct spawn *s)
{
    pid_t pid = vfork();
    if (pid == 0)
        run_in_child(s);
    return pid;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* ours[0] writes to theirs[0], ours[1] reads what theirs[1] writes. */
static int open_talk(int ours[2], int theirs[2], struct txg_err *err)
{
    int pipes[4] = {-1, -1, -1, -1};
    if (pipe2(pipes, O_CLOEXEC) != 0 || pipe2(pipes + 2, O_CLOEXEC) != 0)
        goto failed;
    theirs[0] = fcntl(pipes[0], F_DUPFD_CLOEXEC, TXG_CHILD_RING + 1);
    theirs[1] = fcntl(pipes[3], F_DUPFD_CLOEXEC, TXG_CHILD_RING + 1);
    if (theirs[0] < 0 || theirs[1] < 0)
        goto failed;
    close(pipes[0]);
    close(pipes[3]);
    ours[0] = pipes[1];
    ours[1] = pipes[2];
    fcntl(ours[0], F_SETFL, O_NONBLOCK);
    fcntl(ours[1], F_SETFL, O_NONBLOCK);
    return 0;
failed:;
    int errnum = errno;
    close_all(pipes, 4);
    close_all(theirs, 2);
    return txg_err_sys(err, errnum, "pipe");
}

/* Above those that it is to become; -1: none. */
static int open_ring(struct txg_ring *ring)
{
    int low = txg_ring_make(ring), fd = -1;
    if (low < 0)
        return -1;
    fd = fcntl(low, F_DUPFD_CLOEXEC, TXG_CHILD_RING + 1);
    close(low);
    return fd;
}

static int start(struct txg_child *c, const struct txg_child_command *command, struct txg_err *err)
{
    int out[2], errs[2] = {-1, -1}, ours[2] = {-1, -1}, theirs[2] = {-1, -1};
    int null = open_null();
    if (null < 0)
        return txg_err_sys(err, errno, "/dev/null");
    if (command->talks && open_talk(ours, theirs, err) != 0)
        return -1;
    if (pipe2(out, O_CLOEXEC) != 0) {
        int errnum = errno;
        close_all(ours, 2);
        close_all(theirs, 2);
        return txg_err_sys(err, errnum, "pipe");
    }
    if (!command->merged && pipe2(errs, O_CLOEXEC) != 0) {
        int errnum = errno;
        close_all(ours, 2);
        close_all(theirs, 2);
        close_all(out, 2);
        return txg_err_sys(err, errnum, "pipe");
    }
    struct spawn s = {.command = command, .null = null, .out = out[1]};
    s.err = command->merged ? out[1] : errs[1];
    s.commands = theirs[0];
    s.results = theirs[1];
    s.ring = command->rings ? open_ring(&c->ring) : -1;
    pid_t pid = spawn(&s);
    int errnum = pid < 0 ? errno : s.errnum;
    close(out[1]);
    close_all(errs + 1, 1);
    close_all(theirs, 2);
    close_all(&s.ring, 1);
    if (errnum == 0) {
        c->commands = ours[0];
        c->results = ours[1];
        c->pid = pid;
        c->merged = command->merged;
        c->fds[0] = out[0];
        c->fds[1] = errs[0];
        for (int i = 0; i < 2 && c->fds[i] >= 0; i++)
            fcntl(c->fds[i], F_SETFL, O_NONBLOCK);
        return 0;
    }
    close(out[0]);
    close_all(errs, 1);
    close_all(ours, 2);
    txg_ring_release(&c->ring);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    const char *step = pid < 0 ? "fork" : s.step;
    const char *what = step[0] == 'c' && command->cwd ? command->cwd : command->path;
    return txg_err_sys(err, errnum, "%s %s", step, what);
}

int txg_child_start(struct txg_child *c, const struct txg_child_command *command,
                    struct txg_err *err)
{
    if (!c->emulator || c->emulator->n == 0 || command->bare)
        return start(c, command, err);
    struct txg_child_command emulated = *command;
    struct txg_strv argv = {0};
    txg_strv_copy(&argv, c->emulator);
    txg_strv_push(&argv, command->path);
    for (char *const *word = command->argv + 1; *word; word++)
        txg_strv_push(&argv, *word);
    emulated.path = argv.items[0];
    emulated.argv = argv.items;
    int rc = start(c, &emulated, err);
    txg_strv_release(&argv);
    return rc;
}

static char read_buffer[READ_SIZE];

void txg_child_keep(struct txg_child *c, int stream, const void *data, size_t len)
{
    txg_capture_feed(&c->captures[stream], data, len);
    if (c->on_output && len > 0)
        c->on_output(c->user, stream, data, len);
}

static void close_stream(struct txg_child *c, int stream)
{
    close(c->fds[stream]);
    c->fds[stream] = -1;
    c->big[stream] = false;
}

static void drain(struct txg_child *c, int stream, int rounds,
                  void (*feed)(void *, const void *, size_t), void *state)
{
    while (rounds-- > 0 && c->fds[stream] >= 0) {
        ssize_t n = read(c->fds[stream], read_buffer, sizeof read_buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_stream(c, stream);
            return;
        }
        if (!c->merged)
            txg_child_keep(c, stream, read_buffer, (size_t)n);
        if (feed && stream == 0)
            feed(state, read_buffer, (size_t)n);
        if ((size_t)n == sizeof read_buffer && !c->big[stream]) {
            c->big[stream] = true;
            fcntl(c->fds[stream], F_SETPIPE_SZ, PIPE_BIG);
        }
        if ((size_t)n < sizeof read_buffer / 2)
            return;
    }
}

void txg_child_read(struct txg_child *c, int stream, void (*feed)(void *, const void *, size_t),
                    void *state)
{
    drain(c, stream, READ_ROUNDS, feed, state);
}

bool txg_child_has_ended(struct txg_child *c)
{
    int status;
    struct rusage usage;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        if (pid == c->pid) {
            c->ended = true;
            c->status = status;
            c->usage = usage;
        } else {
            c->leaked += c->ended;
        }
    }
    if (!c->ended)
        return false;
    if (!(pid < 0 && errno == ECHILD))
        c->leaked += txg_sweep_all(SWEEP_LIMIT, NULL);
    return true;
}

bool txg_child_reap(struct txg_child *c, void (*feed)(void *, const void *, size_t), void *state)
{
    if (!txg_child_has_ended(c))
        return false;
    for (int stream = 0; stream < 2; stream++) {
        if (c->fds[stream] < 0)
            continue;
        drain(c, stream, DRAIN_MAX, feed, state);
        if (c->fds[stream] >= 0)
            close_stream(c, stream);
    }
    txg_child_hear(c);
    close_all((int[]){c->commands, c->results}, 2);
    c->commands = c->results = -1;
    c->pid = 0;
    return true;
}

int txg_child_say(struct txg_child *c, const char *data, size_t len)
{
    if (c->commands < 0 || (len > PIPE_DEFAULT && fcntl(c->commands, F_SETPIPE_SZ, PIPE_BIG) < 0))
        return -1;
    while (len > 0) {
        ssize_t n = write(c->commands, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

void txg_child_hear(struct txg_child *c)
{
    while (c->results >= 0 && txg_buf_len(&c->said) < TXG_CHILD_SAID_MAX) {
        ssize_t n = read(c->results, txg_buf_reserve(&c->said, READ_SIZE), READ_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0) { /* it does not talk any more: its end is what is waited for */
                close(c->results);
                c->results = -1;
            }
            return;
        }
        txg_buf_commit(&c->said, (size_t)n);
        if ((size_t)n < READ_SIZE)
            return;
    }
}

void txg_child_hush(struct txg_child *c)
{
    close_all(&c->commands, 1);
    c->commands = -1;
}

void txg_child_signal(struct txg_child *c, int signum)
{
    if (c->pid <= 0)
        return;
    kill(-c->pid, signum);
    if (signum == SIGTERM)
        kill(-c->pid, SIGCONT); /* a stopped test must wake up to hear it */
    if (signum == SIGKILL)
        txg_sweep_once(NULL, NULL);
}

void txg_child_clear_output(struct txg_child *c)
{
    txg_capture_clear(&c->captures[0]);
    txg_capture_clear(&c->captures[1]);
}

void txg_child_clear(struct txg_child *c)
{
    c->ended = false;
    c->leaked = 0;
    c->status = 0;
    txg_buf_release(&c->said);
    txg_ring_release(&c->ring);
    txg_child_clear_output(c);
}

void txg_child_release(struct txg_child *c)
{
    txg_capture_release(&c->captures[0]);
    txg_capture_release(&c->captures[1]);
    txg_buf_release(&c->said);
    txg_ring_release(&c->ring);
}
