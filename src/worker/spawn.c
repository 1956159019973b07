#include "config.h"

#include "src/worker/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/strv.h"
#include "src/worker/files.h"
#include "src/worker/sweep.h"
#include "src/worker/worker.h"

#define START_LIMIT 5000 /* ms for the fork and a chdir: nothing hangs but a dead file system */

extern char **environ;

static int apply(const struct txg_msg_open *open, struct txg_strv *env, struct txg_err *err)
{
    errno = 0;
    if (open->nice && nice((int)open->nice) == -1 && errno)
        return txg_err_sys(err, errno, "nice %lld", (long long)open->nice);
    if (open->chdir.len) {
        char *dir = txg_xstrndup(open->chdir.data, open->chdir.len);
        if (chdir(dir) != 0 && (errno != ENOENT || mkdir(dir, 0777) != 0 || chdir(dir) != 0))
            return txg_err_sys(err, errno, "chdir %s", dir);
        free(dir);
    }
    for (size_t i = 0; i < open->n_env; i++) {
        char *name = txg_xstrndup(open->env[i].name.data, open->env[i].name.len);
        char *value = txg_xstrndup(open->env[i].value.data, open->env[i].value.len);
        txg_strv_setenv(env, name, value);
        free(name);
        free(value);
    }
    return 0;
}

/* The first word on a new worker's socket, before any frame: "", or what went wrong. */
static void report_start(int fd, const char *text)
{
    ssize_t n = send(fd, text, strlen(text) + 1, MSG_NOSIGNAL);
    (void)n; /* an agent that is gone is seen at the first read */
}

/* On a raw channel: the socket is its stdin and stdout, stderr is the agent's. */
static _Noreturn void become_program(const struct txg_strv *argv, const struct txg_strv *env,
                                     int fd)
{
    prctl(PR_SET_CHILD_SUBREAPER, 0); /* which would outlive the exec */
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    environ = env->items;
    if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
        execvp(argv->items[0], argv->items);
    fprintf(stderr, "%s: %s\n", argv->items[0], strerror(errno));
    _exit(127);
}

static _Noreturn void become_worker(const struct txg_spawn *spawn, int fd)
{
    struct txg_strv *env = &(struct txg_strv){0};
    struct txg_err err;
    for (char **e = environ; *e; e++)
        txg_strv_push(env, *e);
    txg_sweep_prepare();
    int rc = apply(spawn->open, env, &err);
    report_start(fd, rc == 0 ? "" : err.text);
    if (rc != 0)
        _exit(1);
    struct txg_strv *emulator = &(struct txg_strv){0};
    for (size_t i = 0; i < spawn->open->n_emulator; i++)
        txg_strv_push_n(emulator, spawn->open->emulator[i].data, spawn->open->emulator[i].len);
    char *arch = txg_xstrndup(spawn->open->arch.data, spawn->open->arch.len);
    struct txg_worker_config config = {fd,      spawn->open->channel, spawn->heartbeat, env, arch,
                                       emulator};
    struct txg_strv argv = {0};
    for (size_t i = 0; i < spawn->open->n_argv; i++)
        txg_strv_push_n(&argv, spawn->open->argv[i].data, spawn->open->argv[i].len);
    bool files = spawn->open->kind == TXG_OPEN_FILES, in_place = spawn->open->chdir.len > 0;
    spawn->in_child(spawn->user); /* open is gone after this: it stands in the agent's buffers */
    if (argv.n > 0)
        become_program(&argv, env, fd);
    _exit(files ? txg_files_main(&config, in_place) : txg_worker_main(&config));
}

static int hear_start(int fd, struct txg_err *err)
{
    char text[TXG_ERR_TEXT_MAX];
    for (size_t n = 0; n < sizeof text; n++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, START_LIMIT) <= 0)
            return txg_err_set(err, TXG_E_SYS, "no answer from the new worker for %d s",
                               START_LIMIT / 1000);
        if (recv(fd, text + n, 1, 0) <= 0)
            return txg_err_set(err, TXG_E_SYS, "the new worker ended at once");
        if (text[n] == '\0')
            return n == 0 ? 0 : txg_err_set(err, TXG_E_SYS, "%s", text);
    }
    return txg_err_set(err, TXG_E_SYS, "the new worker said what cannot be read");
}

pid_t txg_spawn_worker(const struct txg_spawn *spawn, int *fd, struct txg_err *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return txg_err_set(err, TXG_E_SYS, "socketpair: %s%s", strerror(errno),
                           errno == EMFILE ? " (raise `ulimit -n`)" : "");
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        become_worker(spawn, fds[1]);
    }
    if (pid < 0)
        txg_err_sys(err, errno, "fork");
    close(fds[1]);
    if (pid < 0 || hear_start(fds[0], err) != 0) {
        if (pid > 0)
            kill(pid, SIGKILL);
        close(fds[0]);
        return -1;
    }
    *fd = fds[0];
    return pid;
}
