#include "config.h"

#include "gateway/ssh/try.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/base/clock.h"

int txg_ssh_try_init(struct txg_ssh_try *t, int64_t timeout, struct txg_err *err)
{
    *t = (struct txg_ssh_try){.step = "connect", .deadline = txg_now() + timeout};
    t->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->cancel < 0)
        return txg_err_sys(err, errno, "eventfd");
    pthread_mutex_init(&t->lock, NULL);
    return 0;
}

void txg_ssh_try_release(struct txg_ssh_try *t)
{
    close(t->cancel);
    pthread_mutex_destroy(&t->lock);
}

void txg_ssh_try_at(struct txg_ssh_try *t, const char *step, const char *fmt, ...)
{
    va_list ap;
    pthread_mutex_lock(&t->lock);
    t->step = step;
    va_start(ap, fmt);
    vsnprintf(t->doing, sizeof t->doing, fmt, ap);
    va_end(ap);
    pthread_mutex_unlock(&t->lock);
}

const char *txg_ssh_try_where(struct txg_ssh_try *t, char *doing, size_t size)
{
    pthread_mutex_lock(&t->lock);
    const char *step = t->step;
    snprintf(doing, size, "%s", t->doing);
    pthread_mutex_unlock(&t->lock);
    return step;
}

void txg_ssh_try_cancel(struct txg_ssh_try *t)
{
    eventfd_write(t->cancel, 1);
}

int txg_ssh_try_wait(struct txg_ssh_try *t, int fd, short events, int64_t until,
                     struct txg_err *err)
{
    if (until == 0 || until > t->deadline)
        until = t->deadline;
    for (;;) {
        int64_t left = until - txg_now();
        struct pollfd fds[2] = {{.fd = t->cancel, .events = POLLIN}, {.fd = fd, .events = events}};
        int n = left <= 0 ? 0 : poll(fds, 2, (int)((left + 999) / 1000));
        if (n < 0 && errno != EINTR)
            return txg_err_sys(err, errno, "poll");
        if (n == 0 || (n > 0 && fds[0].revents)) {
            char doing[sizeof t->doing];
            txg_ssh_try_where(t, doing, sizeof doing);
            return txg_err_set(err, TXG_E_TIMEOUT, "%s while %s",
                               n ? "given up" : "the time was over", doing);
        }
        if (n > 0)
            return 0;
    }
}

int txg_ssh_try_sleep(struct txg_ssh_try *t, int64_t us, struct txg_err *err)
{
    struct txg_err over = {0};
    int64_t until = txg_now() + us;
    /* poll() passes over a negative descriptor: only the cancel or the time ends this. */
    txg_ssh_try_wait(t, -1, 0, until, &over);
    if (txg_now() >= until && until < t->deadline)
        return 0;
    if (err)
        *err = over;
    return -1;
}
