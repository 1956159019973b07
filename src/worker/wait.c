#include "config.h"

#include "src/worker/wait.h"

#include <signal.h>
#include <time.h>

#include "src/base/clock.h"

static volatile sig_atomic_t child_changed;
static sigset_t open_mask;

static void on_sigchld(int signum)
{
    (void)signum;
    child_changed = 1;
}

void txg_wait_prepare(void)
{
    sigset_t blocked;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of the user's is an error like another */
    signal(SIGCHLD, on_sigchld);
    sigemptyset(&open_mask);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
}

void txg_wait(struct pollfd *fds, size_t n, int64_t deadline)
{
    int64_t wait = deadline - txg_now();
    if (wait < 0 || child_changed)
        wait = 0;
    struct timespec timeout = {wait / 1000000, wait % 1000000 * 1000};
    if (ppoll(fds, n, &timeout, &open_mask) < 0)
        for (size_t i = 0; i < n; i++)
            fds[i].revents = 0;
}

bool txg_wait_child_changed(void)
{
    bool changed = child_changed;
    child_changed = 0;
    return changed;
}
