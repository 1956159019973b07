#include "config.h"

#include "src/worker/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/str.h"

void txg_sweep_prepare(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What a visit of one child does: the pid, and whatever the caller handed in. */
typedef void visit_fn(void *user, pid_t pid);

/* False where the kernel has no such file (CONFIG_PROC_CHILDREN). */
static bool visit_listed(visit_fn *visit, void *user)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    long pid = 0;
    bool digits = false;
    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            if (isdigit((unsigned char)text[i])) {
                pid = pid * 10 + (text[i] - '0');
                digits = true;
            } else if (digits) {
                visit(user, (pid_t)pid);
                pid = 0;
                digits = false;
            }
        }
    }
    close(fd);
    return true;
}

/* The parent in /proc/PID/stat, the second number behind the last ')'. */
static pid_t parent_of(const char *name)
{
    char path[300], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *end = strrchr(text, ')'); /* then " S 123", the state and the parent */
    if (!end || strlen(end) <= 4)
        return -1;
    end += 4;
    return (pid_t)txg_read_int(&end);
}

static void visit_children(visit_fn *visit, void *user)
{
    if (visit_listed(visit, user))
        return;
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    for (struct dirent *e; (e = readdir(proc));) {
        const char *name = e->d_name;
        if (isdigit((unsigned char)name[0]) && parent_of(name) == getpid())
            visit(user, (pid_t)txg_read_int(&name));
    }
    closedir(proc);
}

struct sweep {
    bool (*keep)(void *user, pid_t pid);
    void *user;
    size_t killed;
};

static void kill_one(void *user, pid_t pid)
{
    struct sweep *s = user;
    if (s->keep && s->keep(s->user, pid))
        return;
    kill(pid, SIGKILL);
    s->killed++;
}

size_t txg_sweep_once(bool (*keep)(void *user, pid_t pid), void *user)
{
    struct sweep s = {.keep = keep, .user = user};
    visit_children(kill_one, &s);
    return s.killed;
}

size_t txg_sweep_all(int64_t limit, bool *children_left)
{
    int64_t end = txg_now() + limit;
    size_t reaped = 0;
    for (;;) {
        txg_sweep_once(NULL, NULL);
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            reaped++;
        if ((pid < 0 && errno == ECHILD) || txg_now() >= end) {
            if (children_left)
                *children_left = pid == 0;
            return reaped;
        }
        /* killed but not yet gone: a moment, not a spin */
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}
